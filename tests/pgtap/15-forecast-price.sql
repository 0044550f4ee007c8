-- Prices and CO2 cost beyond publication: by local days, holidays, temperature as known then, stored
-- as they were made and used by plans (DESIGN.md section 3).
\ir home.psql
SELECT plan(32);

-- 120 days until 2023-07-09, published at noon of the day before; cheap Sundays, dear evenings.
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.10 + 0.08 * (extract(hour FROM t + interval '2 hours') IN (18, 19, 20))::integer - 0.05 * (extract(isodow FROM t + interval '2 hours') = 7)::integer
			+ 0.01 * sin(extract(epoch FROM t) / 86400 / 5), date_trunc('day', t + interval '2 hours') - interval '14 hours'
	FROM generate_series('2023-03-11 22:00Z'::timestamptz, '2023-07-09 21:00Z', '1 hour') AS t;
INSERT INTO co2_cost (price_area_id, slot_start, carbon_g_per_kwh, co2_eur_per_kwh, published_at)
	SELECT 1, t, 200 + 50 * (extract(hour FROM t) < 6)::integer, 0.02 + 0.005 * (extract(hour FROM t) < 6)::integer, t
	FROM generate_series('2023-03-11 22:00Z'::timestamptz, '2023-07-08 21:00Z', '1 hour') AS t;

-- At noon of Thursday 6 July, Friday is known.
CREATE TEMP TABLE made AS SELECT * FROM price_forecast_days(1, '2023-07-06 10:30Z');
SELECT is((SELECT (count(*), min(slot_start), max(slot_start))::text FROM made), '(96,"2023-07-07 22:00:00+00","2023-07-11 21:00:00+00")', 'four local days after the last published one');
SELECT ok((SELECT avg(abs(m.energy_eur_per_kwh - p.energy_eur_per_kwh)) < 0.012 FROM made m JOIN market_price p USING (slot_start) WHERE slot_start < '2023-07-09 22:00Z'), 'a regular market is forecast well');
SELECT ok((SELECT bool_and(energy_q10_eur_per_kwh <= energy_eur_per_kwh AND energy_eur_per_kwh <= energy_q90_eur_per_kwh) FROM made), 'within its quantiles');
SELECT ok((SELECT bool_and(abs(co2_eur_per_kwh - 0.02 - 0.005 * (extract(hour FROM slot_start) < 6)::integer) < 0.002 AND co2_q10_eur_per_kwh <= co2_q90_eur_per_kwh) FROM made), 'CO2 cost too');
SELECT ok((SELECT avg(energy_eur_per_kwh) FILTER (WHERE slot_start >= '2023-07-08 22:00Z' AND slot_start < '2023-07-09 22:00Z') < avg(energy_eur_per_kwh) FILTER (WHERE slot_start < '2023-07-08 22:00Z') - 0.03 FROM made), 'a Sunday is cheap');

-- Nothing published later matters.
SAVEPOINT poisoned;
UPDATE market_price SET energy_eur_per_kwh = 99 WHERE published_at > '2023-07-06 10:30Z';
UPDATE co2_cost SET co2_eur_per_kwh = 99, carbon_g_per_kwh = 9999 WHERE published_at > '2023-07-06 10:30Z';
INSERT INTO weather (price_area_id, slot_start, temperature_c, published_at) SELECT 1, t, 90, '2023-07-06 10:31Z' FROM generate_series('2023-03-11'::timestamptz, '2023-07-20', '1 hour') AS t;
SELECT results_eq('SELECT * FROM price_forecast_days(1, ''2023-07-06 10:30Z'')', 'SELECT * FROM made', 'nothing published later is looked at');
ROLLBACK TO poisoned;

-- Holidays, and temperature that is foreseen.
INSERT INTO holiday (price_area_id, day) VALUES (1, '2023-07-10');
SELECT ok((SELECT avg(h.energy_eur_per_kwh - m.energy_eur_per_kwh) < -0.03 FROM price_forecast_days(1, '2023-07-06 10:30Z') AS h JOIN made m USING (slot_start)
	WHERE slot_start >= '2023-07-09 22:00Z' AND slot_start < '2023-07-10 22:00Z'), 'a holiday has the prices of a Sunday');
ROLLBACK TO poisoned;
UPDATE market_price SET energy_eur_per_kwh = energy_eur_per_kwh - 0.01 * (15 * sin(extract(day FROM slot_start + interval '2 hours') * 7.7));
INSERT INTO weather (price_area_id, slot_start, temperature_c, published_at)
	SELECT 1, t, 10 + 15 * sin(extract(day FROM t + interval '2 hours') * 7.7), least(t, '2023-07-06 06:00Z') FROM generate_series('2023-03-11 22:00Z'::timestamptz, '2023-07-11 21:00Z', '1 hour') AS t;
CREATE TEMP TABLE warm AS SELECT avg(abs(f.energy_eur_per_kwh - p.energy_eur_per_kwh)) AS error FROM price_forecast_days(1, '2023-07-06 10:30Z') AS f JOIN market_price p USING (slot_start);
DELETE FROM weather;
SELECT ok((SELECT w.error < 0.6 * c.error FROM warm w, (SELECT avg(abs(f.energy_eur_per_kwh - p.energy_eur_per_kwh)) AS error
	FROM price_forecast_days(1, '2023-07-06 10:30Z') AS f JOIN market_price p USING (slot_start)) AS c), 'weather that is forecast helps to forecast prices');
INSERT INTO weather (price_area_id, slot_start, temperature_c, published_at) VALUES (1, '2023-07-10 00:00Z', 15, '2023-07-05'), (1, '2023-07-10 00:00Z', 17, '2023-07-06'), (1, '2023-07-10 00:00Z', 25, '2023-07-07');
SELECT is(temperature_series(1, '2023-07-10 00:00Z', 2, '1 hour', '2023-07-06 10:30Z'), '{17,NULL}', 'of several publications the latest known counts');
SELECT is(temperature_series(1, '2023-07-10 00:00Z', 2, '1 hour', '2023-07-04'), NULL, 'before the first there is none');
ROLLBACK TO poisoned;

-- Stored, and used by plans.
SELECT is((SELECT (price_area_id, slots, error)::text FROM make_price_forecasts('2023-07-06 10:30Z')), '(1,96,)', 'forecasts of all areas are stored');
SELECT is((SELECT slots FROM make_price_forecasts('2023-07-06 10:30Z')), 0::bigint, '... once');
SELECT results_eq('SELECT slot_start, energy_eur_per_kwh, co2_q90_eur_per_kwh FROM price_forecast ORDER BY 1', 'SELECT slot_start, energy_eur_per_kwh, co2_q90_eur_per_kwh FROM made ORDER BY 1', 'what is stored is what was forecast');
CREATE TEMP TABLE outlook AS SELECT * FROM price_outlook(1, '2023-07-06 11:00Z', 120);
SELECT ok((SELECT bool_and(abs(o.energy_eur_per_kwh - p.energy_eur_per_kwh) < 1e-12 AND o.published) AND count(*) = 35 FROM outlook o JOIN market_price p USING (slot_start) WHERE slot_start < '2023-07-07 22:00Z'), 'an outlook begins with what is published');
SELECT ok((SELECT bool_and(abs(o.energy_eur_per_kwh - m.energy_eur_per_kwh) < 1e-12 AND abs(o.co2_eur_per_kwh - m.co2_eur_per_kwh) < 1e-12 AND NOT o.published) AND count(*) = 85 FROM outlook o JOIN made m USING (slot_start)), '... and goes on with the stored forecast');
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) VALUES (1, 10, -5, 5);
SELECT ok((SELECT 'energy_price_forecast' = ANY (assumed) AND abs(i.energy_eur_per_kwh[48] - m.energy_eur_per_kwh - 0.15) < 1e-12 FROM ebr_home_input(1, '2023-07-06 11:00Z', 60) AS i, made m WHERE m.slot_start = '2023-07-08 10:00Z'),
	'plans count with it, and say so');
SELECT ok((SELECT bool_or(abs(o.energy_eur_per_kwh - m.energy_eur_per_kwh) > 1e-9) FROM price_outlook(1, '2023-07-06 10:29Z', 120) AS o JOIN made m USING (slot_start)), 'a plan made before does not know it');
UPDATE price_forecast SET made_at = '2023-07-04 10:00Z';
SELECT ok((SELECT bool_or(abs(o.energy_eur_per_kwh - m.energy_eur_per_kwh) > 1e-9) AND count(o.energy_eur_per_kwh) = 85 FROM price_outlook(1, '2023-07-06 11:00Z', 120) AS o JOIN made m USING (slot_start)), 'one of days ago is not used: another is made from prices alone');
SELECT ok((SELECT count(energy_eur_per_kwh) = 240 FROM price_outlook(1, '2023-07-06 11:00Z', 240)), '... for a week, and means beyond');
SELECT is(prune_forecasts('2024-12-01'), 96::bigint, 'stored prices are pruned');

-- What cannot be.
SELECT throws_ok('SELECT * FROM price_forecast_days(9, now())', '42704', 'price area 9 does not exist', 'an unknown area is refused');
SELECT throws_ok('SELECT * FROM price_forecast_days(1, now(), 8)', '22023', NULL, 'more than a week is refused');
SELECT throws_ok('SELECT * FROM price_forecast_days(1, ''2023-03-20'')', '22023', NULL, 'prices of a week are too few');
SELECT is((SELECT (slots, error IS NOT NULL)::text FROM make_price_forecasts('2023-03-20')), '(0,t)', '... which is a row, not an error, for all areas');
SELECT throws_ok('SELECT * FROM price_days_series(''{1,2}'', ''{0}'', 1)', '2202E', NULL, 'days that are not whole are refused');
SELECT throws_ok('SELECT * FROM price_days_series(array_fill(1::float8, ''{960}''), array_fill(7, ''{41}''), 1)', '22023', NULL, 'a weekday that is none is refused');
SELECT is((SELECT count(*)::integer FROM price_days_series((SELECT array_agg(n % 24 + n / 24 % 5 ORDER BY n)::float8[] FROM generate_series(0, 959) AS n), (SELECT array_agg(n % 7 ORDER BY n) FROM generate_series(0, 42) AS n), 3)), 72, 'arrays of 40 days become three more');

-- The day that clocks are put forward has 23 hours, the one that they are put back 25.
SELECT is((SELECT count(*)::integer || ' ' || count(energy_eur_per_kwh) FROM area_days(1, '2023-03-26', 1, 'infinity')), '24 23', 'a day of 23 hours skips one');
SELECT is((SELECT count(*)::integer FROM area_days(1, '2023-10-29', 1, 'infinity')), 24, 'one of 25 hours has 24 by the clock');
SELECT is((SELECT count(*)::integer FROM price_days_series((SELECT array_agg(CASE WHEN n % 100 <> 7 THEN n % 24 END ORDER BY n)::float8[] FROM generate_series(0, 959) AS n), (SELECT array_agg(n % 7 ORDER BY n) FROM generate_series(0, 40) AS n), 1, lowest => 5) WHERE mean < 5), 0, 'nothing is below what is possible');
SELECT throws_ok('SELECT * FROM price_days_series((SELECT array_agg(CASE WHEN n = 7 THEN 1e200 ELSE n % 24 END ORDER BY n)::float8[] FROM generate_series(0, 959) AS n), (SELECT array_agg(n % 7 ORDER BY n) FROM generate_series(0, 40) AS n), 1)', '22023', NULL, 'prices that no sum can hold are refused');
SELECT throws_ok('SELECT * FROM price_outlook(99, ''2023-07-06'')', '42704', 'price area 99 does not exist', 'an outlook of an unknown area is refused');
SELECT * FROM finish();
ROLLBACK;
