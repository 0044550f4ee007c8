-- The closed loop with a vehicle, a power profile and a contract, and over many homes (DESIGN.md
-- section 3). 1 kW of demand, 0.45 EUR/kWh from 17 to 22 h, 0.20 at 2 h, 0.19 at 3 h, else 0.25.
\ir home.psql
SELECT plan(37);

INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, CASE extract(hour FROM t) WHEN 2 THEN 0.05 WHEN 3 THEN 0.04 ELSE 0.10 END + CASE WHEN extract(hour FROM t) BETWEEN 17 AND 21 THEN 0.20 ELSE 0 END,
		date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-04-01 00:00Z'::timestamptz, '2023-05-15 23:00Z', '1 hour') AS t;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day
	SELECT 1, d, energy_pack(array_fill(0.25::float8, '{96}'))
	FROM generate_series('2023-04-01'::date, '2023-05-15', '1 day') AS d;
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (1, 40, 0, 5, 1);
INSERT INTO pev_session (home_id, plugged_at, departs_at, unplugged_at, arrival_soc_kwh) VALUES (1, '2023-05-02 18:00Z', '2023-05-03 06:00Z', '2023-05-03 06:00Z', 30);
CREATE TEMP TABLE replayed AS SELECT * FROM ebr_replay(1, '2023-05-02', '2023-05-04');

-- 48 hours of 1 kWh: 2 days of 5 * 0.45 + 0.20 + 0.19 + 17 * 0.25; 10 kWh more at 18 and 19 h, or at 2 and 3 h.
SELECT is((SELECT count(*)::integer FROM replayed), 5, 'five ways are compared');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM replayed WHERE way = 'no storage'), 18.28, 'a vehicle that nobody controls is charged at once');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM replayed WHERE way = 'naive rule'), 18.28, '... by the naive rule too');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM replayed WHERE way = 'perfect foresight'), 15.73, 'at best it is charged in the two cheapest hours');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM replayed WHERE way = 'rule'), 15.73, '... and so it is by the rule');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM replayed WHERE way = 'set-point'), 15.73, '... and by its set-point');
SELECT is((SELECT max(missed_kwh) FROM replayed), 0::float8, 'nothing is missed');
SELECT is((SELECT max(stays) FROM replayed), 1, 'one stay was replayed');
SELECT ok((SELECT unproved_eur < 1e-6 FROM replayed WHERE way = 'perfect foresight'), 'the best is proved');
SELECT ok((SELECT bool_and(unproved_eur IS NULL) FROM replayed WHERE way <> 'perfect foresight'), '... for it alone');
SELECT is((SELECT max(cost_eur) FROM ebr_replay(1, '2023-05-02', '2023-05-04', with_pev => false)), (SELECT min(cost_eur) FROM ebr_replay(1, '2023-05-02', '2023-05-04', with_pev => false)),
	'without it there is nothing to run');

UPDATE pev_session SET unplugged_at = '2023-05-03 01:00Z';
CREATE TEMP TABLE early AS SELECT * FROM ebr_replay(1, '2023-05-02', '2023-05-04');
SELECT is((SELECT round(missed_kwh::numeric, 6) FROM early WHERE way = 'rule'), 10.0, 'who leaves before the cheap hours leaves without them');
SELECT is((SELECT round(missed_eur::numeric, 6) FROM early WHERE way = 'rule'), 4.50, '... which is priced at the dearest hour');
SELECT is((SELECT round(missed_kwh::numeric, 6) FROM early WHERE way = 'perfect foresight'), 0.0, 'foresight would have known');
SELECT ok((SELECT min(cost_eur) FROM early) >= (SELECT cost_eur - 1e-9 FROM early WHERE way = 'perfect foresight'), '... and nobody does better');
UPDATE pev_session SET unplugged_at = '2023-05-03 06:00Z';

UPDATE home SET contract_max_kw = 4;
CREATE TEMP TABLE contract AS SELECT * FROM ebr_replay(1, '2023-05-02', '2023-05-04');
SELECT is((SELECT round(outside_contract_kwh::numeric, 6) FROM contract WHERE way = 'no storage'), 4.0, 'charging at once breaks a contract of 4 kW by 2 kW for 2 hours');
SELECT is((SELECT round(outside_contract_kwh::numeric, 6) FROM contract WHERE way = 'rule'), 0.0, 'the rule keeps it');
SELECT is((SELECT round(cost_eur::numeric, 6) FROM contract WHERE way = 'rule'), 15.95, '... with 3 kWh an hour, 4 of the 10 in other hours');
UPDATE home SET contract_max_kw = 'infinity';

INSERT INTO power_profile VALUES (1, '2023-05-02 18:00Z', '1 hour', 0, 2, 0, 0.5);
CREATE TEMP TABLE tube AS SELECT * FROM ebr_replay(1, '2023-05-02', '2023-05-04');
SELECT is((SELECT round(outside_profile_kwh::numeric, 6) FROM tube WHERE way = 'no storage'), 4.0, 'charging at once leaves the profile');
SELECT is((SELECT round(distribution_eur::numeric, 6) FROM tube WHERE way = 'no storage'), 2.0, '... and pays for it');
SELECT is((SELECT round((bill_eur - energy_eur - co2_eur - distribution_eur)::numeric, 9) FROM tube WHERE way = 'no storage'), 0::numeric, 'the bill is its parts');
SELECT is((SELECT round(distribution_eur::numeric, 6) FROM tube WHERE way = 'rule'), 0.0, 'the rule does not');
DELETE FROM power_profile;

-- What is not known at a slot's start does not change it.
UPDATE pev_session SET arrival_soc_kwh = NULL;
INSERT INTO pev_state VALUES (1, '2023-05-02 18:05Z', 30), (1, '2023-05-03 05:00Z', 33);
SELECT results_eq('SELECT * FROM ebr_replay(1, ''2023-05-02'', ''2023-05-04'')', 'SELECT * FROM replayed', 'the state on arrival is as good measured as told');
DELETE FROM pev_state;
SELECT is((SELECT max(stays) FROM ebr_replay(1, '2023-05-02', '2023-05-04')), 0, 'a stay without it is left out');
UPDATE pev_session SET arrival_soc_kwh = 30;
INSERT INTO pev_session (home_id, plugged_at, departs_at, unplugged_at, arrival_soc_kwh) VALUES (1, '2023-05-02 20:00Z', '2023-05-03 09:00Z', '2023-05-03 09:00Z', 20),
	(1, '2023-05-03 23:00Z', '2023-05-04 06:00Z', '2023-05-04 06:00Z', 20), (1, '2023-05-03 23:30Z', 'infinity', NULL, 20);
SELECT results_eq('SELECT * FROM ebr_replay(1, ''2023-05-02'', ''2023-05-04'')', 'SELECT * FROM replayed', '... and so is one within another, or not over by the end');
DELETE FROM pev_session WHERE arrival_soc_kwh = 20;

-- A second home like the first; a third whose time zone the server does not know any more.
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name) VALUES (2, 1, 1, 1, 'second');
INSERT INTO meter (meter_id, home_id, name, default_divisor) VALUES (2, 2, 'main', 1000);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (2, 2, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day SELECT 2, day, block FROM energy_day WHERE register_id = 1;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (2, 5, -2, 2, 0.9);
CREATE TEMP TABLE total AS SELECT * FROM ebr_replay_total('2023-05-02', '2023-05-04');
SELECT is((SELECT count(*)::integer FROM total), 15, 'two homes and their total, five ways each');
SELECT ok((SELECT bool_and(abs(t.cost_eur - s.cost_eur) < 1e-9) FROM total t JOIN (SELECT way, sum(cost_eur) AS cost_eur FROM total WHERE home_id IS NOT NULL GROUP BY way) AS s USING (way)
	WHERE t.home_id IS NULL), 'the total is the sum');
SELECT is((SELECT saving_percent FROM total WHERE home_id IS NULL AND way = 'perfect foresight'), 100::float8, '... and has a saving of its own');
ALTER TABLE home DROP CONSTRAINT home_time_zone_check;
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name, time_zone) VALUES (3, 1, 1, 1, 'third', 'Nowhere/Any');
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) VALUES (3, 5, -2, 2);
CREATE TEMP TABLE partial AS SELECT * FROM ebr_replay_total('2023-05-02', '2023-05-04', homes => '{1,2,3,99,99}');
SELECT is((SELECT error FROM partial WHERE home_id = 3 AND way IS NULL), 'time zone "Nowhere/Any" not recognized', 'a home that fails is a row with its error');
SELECT is((SELECT string_agg(error, ', ') FROM partial WHERE home_id = 99), 'home 99 does not exist', '... and so is one that does not exist');
SELECT results_eq('SELECT * FROM partial WHERE error IS NULL', 'SELECT * FROM total', '... the others and their total are as without them');
SELECT is((SELECT count(*)::integer FROM ebr_replay_total('2023-05-02', '2023-05-04', homes => '{3}')), 1, 'where none is left there is no total');
SELECT is((SELECT count(*)::integer FROM ebr_replay_total('2023-05-02', '2023-05-04', homes => '{}')), 0, 'no homes, no rows');

SELECT throws_ok('SELECT * FROM ebr_replay(99, ''2023-05-02'', ''2023-05-04'')', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT * FROM ebr_replay(1, ''2023-05-02 00:10'', ''2023-05-04'')', '22023', NULL, 'a range between slots is refused');
SELECT throws_ok('SELECT * FROM ebr_replay(1, ''2023-05-02'', ''2023-05-04'', NULL)', '22004', NULL, 'a null slot length is refused');
SELECT throws_ok('SELECT * FROM ebr_replay(1, ''2023-05-02'', ''2023-05-04'', ess_capacity_kwh => 5, ess_min_kw => 2, ess_max_kw => 2)', '22023', NULL, 'a battery that discharges upwards is refused');
SELECT * FROM finish();
ROLLBACK;
