-- Energy whose readings were dropped for their age stays as it was, whatever comes late, until it is
-- to be forgotten (DESIGN.md section 6).
\ir home.psql
SELECT plan(13);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, 1, '1-0:1.8.' || n || '.255', 'kWh', true FROM generate_series(1, 6) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, NULL, 'first reading' FROM generate_series(1, 6) AS n;
INSERT INTO reading (register_id, measured_at, raw_value) SELECT n, t, extract(epoch FROM t - '2024-01-01Z') / 60 FROM generate_series(1, 5) AS n, generate_series('2024-01-20 12:00Z'::timestamptz, '2024-04-10 12:00Z', '7 days') AS t;
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 6, t, extract(epoch FROM t - '2024-01-01Z') / 60 FROM generate_series('2024-02-10 00:00Z'::timestamptz, '2024-03-03 00:00Z', '15 min') AS t;
SELECT refresh_interval_energy();
CREATE TEMP TABLE kept AS SELECT * FROM interval_energy;
SELECT is(drop_readings_before('2024-03-01Z'), 2, 'two months are dropped: the first reading that remains is of March 2, noon');

-- The days of a register on which slots went, or have other energy.
CREATE FUNCTION pg_temp.went(register bigint) RETURNS TABLE (day text, slots bigint) LANGUAGE sql AS $$
	SELECT to_char(k.day, 'MM-DD'), count(*) FROM pg_temp.kept k LEFT JOIN smarthg.interval_energy e USING (register_id, slot_start) WHERE k.register_id = register AND e.day IS NULL GROUP BY 1
$$;
CREATE FUNCTION pg_temp.altered(register bigint) RETURNS TABLE (day text) LANGUAGE sql AS $$
	SELECT DISTINCT to_char(k.day, 'MM-DD') FROM pg_temp.kept k JOIN smarthg.interval_energy e USING (register_id, slot_start) WHERE k.register_id = register AND abs(e.energy_kwh - k.energy_kwh) > 1e-9
$$;

INSERT INTO reading (register_id, measured_at, raw_value, received_at) SELECT 1, measured_at, raw_value + 700, now() + interval '1 s' FROM reading WHERE register_id = 1 AND measured_at = '2024-03-02 12:00Z';
SELECT refresh_interval_energy();
SELECT is_empty('SELECT * FROM pg_temp.went(1)', 'the first reading that remains is corrected: energy before it stays');
SELECT results_eq('SELECT * FROM pg_temp.altered(1) ORDER BY 1', $$ SELECT to_char(d, 'MM-DD') FROM generate_series('2024-03-02'::date, '2024-03-09', '1 day') AS d $$, '... and that up to the next one is computed anew');
SELECT is((SELECT count(*)::integer FROM kept k JOIN interval_energy e USING (register_id, slot_start) WHERE k.register_id = 1 AND slot_start < '2024-03-02 12:00Z' AND e.energy_kwh = k.energy_kwh), (SELECT count(*)::integer FROM kept WHERE register_id = 1 AND slot_start < '2024-03-02 12:00Z'), '... not a slot of the same day before');
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (2, '2024-02-05Z', 1);
SELECT refresh_interval_energy();
SELECT is_empty('SELECT * FROM pg_temp.went(2) UNION ALL SELECT day, 0 FROM pg_temp.altered(2)', 'a late reading among those dropped changes nothing');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 2, measured_at + interval '1 day', raw_value + 2000 FROM reading WHERE register_id = 2 AND measured_at = '2024-03-02 12:00Z';
SELECT refresh_interval_energy();
SELECT is((SELECT min(day) FROM pg_temp.altered(2)), '03-02', '... nor is it one to compute from when another comes after them');
SELECT begin_epoch(3, '2024-02-01Z', 1, 500, NULL, 'found out late'), refresh_interval_energy();
SELECT is((SELECT min(e.slot_start) FROM kept k JOIN interval_energy e USING (register_id, slot_start) WHERE register_id = 3 AND abs(e.energy_kwh - 2 * k.energy_kwh) < 1e-9), '2024-03-02 12:00Z', 'another scale holds for what can be computed anew');

-- What is to be forgotten.
SELECT forget_readings(4, '2024-02-10 12:00Z', '2024-02-12 12:10Z'), refresh_interval_energy();
SELECT results_eq('SELECT * FROM pg_temp.went(4) ORDER BY 1', $$ VALUES ('02-10', 48::bigint), ('02-11', 96), ('02-12', 49) $$, 'of dropped readings the energy of the slots touched is forgotten, no more');
SELECT is((SELECT covered FROM energy_daily WHERE register_id = 4 AND local_day = '2024-02-11'), NULL, '... in its rollups too');
SELECT is_empty('SELECT * FROM pg_temp.altered(4)', '... and nothing else changes');
SELECT forget_readings(4, '2024-03-01 06:00Z', '2024-03-03'), refresh_interval_energy();
SELECT results_eq($$ SELECT min(slot_start), max(slot_start) FROM kept k WHERE register_id = 4 AND day >= '2024-03-01' AND NOT EXISTS (SELECT FROM interval_energy e WHERE e.register_id = 4 AND e.slot_start = k.slot_start) $$,
	$$ VALUES ('2024-03-01 06:00Z'::timestamptz, '2024-03-09 11:45Z'::timestamptz) $$, 'the first reading that remained takes along what began with it');
SELECT forget_readings(5), refresh_interval_energy();
SELECT is((SELECT count(*)::integer FROM interval_energy WHERE register_id = 5) + (SELECT count(*)::integer FROM energy_rollup WHERE register_id = 5), 0, 'all is forgotten: nothing stays');
SELECT forget_readings(6, '2024-03-01 00:00Z', '2024-03-01 01:00Z'), refresh_interval_energy();
SELECT is((SELECT array_agg(to_char(slot_start, 'DD HH24:MI') ORDER BY slot_start) FROM kept k WHERE register_id = 6 AND NOT EXISTS (SELECT FROM interval_energy e WHERE e.register_id = 6 AND e.slot_start = k.slot_start)),
	'{"01 00:00","01 00:15","01 00:30","01 00:45"}', 'the energy of the day before the drop stays where its neighbours go');
SELECT * FROM finish();
ROLLBACK;
