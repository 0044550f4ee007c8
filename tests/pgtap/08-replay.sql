-- The closed loop over recorded history (DESIGN.md section 3).
\ir home.psql
SELECT plan(11);

INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.10 + 0.08 * sin(extract(hour FROM t) / 24 * 6.283) + 0.03 * sin(extract(day FROM t)), date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-04-01 00:00Z'::timestamptz, '2023-06-15 23:00Z', '1 hour') AS t;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (1, 8, -4, 4, 0.9);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day
	SELECT 1, d, energy_pack(array_agg(0.1 + 0.2 * (n BETWEEN 70 AND 85)::integer + 0.03 * (n * 7 + extract(day FROM d)::integer * 13) % 5 ORDER BY n))
	FROM generate_series('2023-04-01'::date, '2023-06-10', '1 day') AS d, generate_series(1, 96) AS n GROUP BY d;
CREATE TEMP TABLE replayed AS SELECT * FROM ebr_replay(1, '2023-05-01', '2023-05-15');

SELECT is((SELECT count(*)::integer FROM replayed), 5, 'five ways are compared');
SELECT is((SELECT (min(slots_billed), max(slots_skipped))::text FROM replayed), '(336,0)', 'two weeks of hours are billed');
SELECT ok((SELECT abs(n.bill_eur - b.eur) < 1e-6 FROM replayed n,
	(SELECT sum(d.demand_kw * (p.price + 0.15)) AS eur FROM home_demand(1, '2023-05-01', '2023-05-15') AS d
		JOIN LATERAL (SELECT energy_eur_per_kwh AS price FROM market_price m WHERE m.slot_start = d.slot_start) AS p ON true) AS b WHERE n.way = 'no storage'),
	'without storage the bill is what was drawn at its price');
SELECT ok((SELECT bool_and(p.cost_eur <= o.cost_eur + 1e-6) FROM replayed p, replayed o WHERE p.way = 'perfect foresight'), 'nothing beats perfect foresight');
SELECT is((SELECT saving_percent FROM replayed WHERE way = 'perfect foresight'), 100::float8, '... which saves all that can be saved');
SELECT ok((SELECT r.saving_percent > 60 AND r.saving_percent > n.saving_percent FROM replayed r, replayed n WHERE r.way = 'rule' AND n.way = 'naive rule'), 'the rule saves most of it');
SELECT is((SELECT cycles FROM replayed WHERE way = 'no storage'), 0::float8, 'no storage, no cycles');

SAVEPOINT corrected;
UPDATE market_price SET published_at = '2024-01-01' WHERE slot_start = '2023-04-20 05:00Z';
SELECT results_eq('SELECT * FROM ebr_replay(1, ''2023-05-01'', ''2023-05-15'')', 'SELECT * FROM replayed', 'a price of long ago that was corrected late hides none');
ROLLBACK TO corrected;
UPDATE energy_day SET block = energy_pack(array_fill(9::float8, '{96}')) WHERE day >= '2023-05-15';
UPDATE market_price SET energy_eur_per_kwh = 5 WHERE slot_start >= '2023-05-15';
SELECT results_eq('SELECT * FROM ebr_replay(1, ''2023-05-01'', ''2023-05-15'')', 'SELECT * FROM replayed', 'what comes after the end does not matter');
SELECT throws_ok('SELECT * FROM ebr_replay(99, ''2023-05-01'', ''2023-05-15'')', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT * FROM ebr_replay(1, ''2023-05-15'', ''2023-05-01'')', '22023', NULL, 'a range upside down is refused');
SELECT * FROM finish();
ROLLBACK;
