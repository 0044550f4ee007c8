-- Interval energy from registers (DESIGN.md section 6).
\ir home.psql
SELECT plan(26);

CREATE FUNCTION pg_temp.slots(measured timestamptz[], counts bigint[], epochs integer[], scales float8[] DEFAULT '{0.001}', moduli bigint[] DEFAULT '{NULL}')
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s %s', to_char(slot_start, 'HH24:MI'), round(energy_kwh::numeric, 6), quality)
	FROM smarthg.interval_energy_series(measured, counts, epochs, scales, moduli, '2023-01-01 00:00Z', '2023-01-01 02:00Z', '30 min')
$$;

SELECT results_eq($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 00:30Z,2023-01-01 01:00Z}', '{1000,1400,2000}', '{1,1,1}') $$,
	ARRAY['00:00 0.400000 measured', '00:30 0.600000 measured'], 'differences at the boundaries are measured energy');
SELECT results_eq($$ SELECT * FROM pg_temp.slots('{2022-12-31 23:45Z,2023-01-01 00:15Z,2023-01-01 00:45Z,2023-01-01 01:05Z}', '{0,600,1200,1600}', '{1,1,1,1}') $$,
	ARRAY['00:00 0.600000 interpolated', '00:30 0.600000 interpolated'], 'boundaries between near readings are interpolated');
SELECT results_eq($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 02:00Z}', '{0,4000}', '{1,1}') $$,
	ARRAY['00:00 1.000000 estimated', '00:30 1.000000 estimated', '01:00 1.000000 estimated', '01:30 1.000000 estimated'],
	'a gap beyond the interpolation limit is filled evenly and flagged as estimated');
SELECT results_eq($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 00:30Z}', '{999900,100}', '{1,1}', '{0.001}', '{1000000}') $$,
	ARRAY['00:00 0.200000 measured'], 'a counter that rolls over goes on counting');
SELECT results_eq($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 00:30Z}', '{5000,100}', '{1,1}') $$,
	ARRAY['00:00 0.100000 estimated'], 'a reset counter gives what it counted since, flagged');
SELECT is_empty($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 00:30Z}', '{5000,9}', '{1,2}', '{0.001,0.001}', '{NULL,NULL}') $$,
	'no difference is taken across an exchange of meters');
SELECT throws_ok($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:30Z,2023-01-01 00:00Z}', '{1,2}', '{1,1}') $$, '22023', NULL, 'times must ascend');
SELECT throws_ok($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z}', '{1,2}', '{1,1}') $$, '2202E', NULL, 'arrays must have one length');
SELECT throws_ok($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,NULL}', '{1,2}', '{1,1}') $$, '22004', NULL, 'null times are refused');
SELECT throws_ok($$ SELECT * FROM pg_temp.slots('{2023-01-01 00:00Z,2023-01-01 00:30Z}', '{1,2}', '{1,1}', '{NaN}') $$, '22023', NULL, 'a NaN scale is refused');

-- Stored: whatever the order of arrival, the slots sum to the register's rise.
SELECT setseed(0.317);
CREATE TEMP TABLE history AS
	SELECT row_number() OVER (ORDER BY random()) AS arrival, '2023-03-01 00:00Z'::timestamptz + n * interval '15 min' AS measured,
		(sum(floor(random() * 500)) OVER (ORDER BY n))::bigint AS counts
	FROM generate_series(0, 400) AS n WHERE n IN (0, 400) OR random() < 0.8;
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM history ORDER BY arrival LOOP
		PERFORM pg_temp.feed(r.arrival, r.measured, r.counts);
		IF r.arrival % 37 = 0 THEN
			PERFORM smarthg.refresh_interval_energy();
		END IF;
	END LOOP;
	PERFORM smarthg.refresh_interval_energy();
END $$;
SELECT is(round((SELECT sum(energy_kwh) FROM interval_energy)::numeric, 6), round(((SELECT max(counts) - min(counts) FROM history) / 1000.0)::numeric, 6),
	'readings in any order: the slots sum to the register''s rise');
SELECT is((SELECT count(*)::integer FROM interval_energy), 400, '... and there are as many slots as the readings span');
SELECT is((SELECT count(*)::integer FROM interval_dirty), 0, 'nothing stays dirty');
SELECT results_eq($$ SELECT s.slot_start, round(s.energy_kwh::numeric, 8), s.quality FROM interval_energy s ORDER BY 1 $$,
	$$ SELECT s.slot_start, round(s.energy_kwh::numeric, 8), s.quality FROM (SELECT array_agg(measured ORDER BY measured) AS t, array_agg(counts ORDER BY measured) AS c, array_agg(1) AS e FROM history) AS h,
		interval_energy_series(t, c, e, '{0.001}', '{281474976710656}', '2023-03-01 00:00Z', '2023-03-05 04:00Z', '15 min') AS s ORDER BY 1 $$,
	'kept up piecemeal or computed in one go, the slots are the same');

SELECT results_eq('SELECT slot_start, energy_kwh, covered FROM energy_15min ORDER BY 1', $$ SELECT slot_start, energy_kwh, '15 min'::interval FROM interval_energy ORDER BY 1 $$, 'base slots are the slots of their granularity');
SELECT is((SELECT count(*)::integer FROM energy_5min), 0, '... and nothing finer is made up');

-- A correction reaches the slots, and its history stays.
SELECT pg_temp.feed(1000, (SELECT measured FROM history ORDER BY measured OFFSET 50 LIMIT 1), (SELECT counts + 1 FROM history ORDER BY measured OFFSET 50 LIMIT 1));
SELECT refresh_interval_energy();
SELECT is((SELECT count(*)::integer FROM reading_correction), 1, 'a different value for a stored time is a correction with history');
SELECT is(round((SELECT sum(energy_kwh) FROM interval_energy)::numeric, 6), round(((SELECT max(counts) - min(counts) FROM history) / 1000.0)::numeric, 6),
	'... that moves energy between slots only');

-- Demand of the home: 23- and 25-hour days, slot lengths.
SELECT is((SELECT count(*)::integer FROM home_demand(1, '2023-03-01', '2023-03-05 04:00Z', '1 hour')), 100, 'hourly demand comes from the stored slots');
SELECT throws_ok($$ SELECT * FROM home_demand(1, '2023-03-01', '2023-03-02', '20 min') $$, '22023', NULL, 'a slot length that stored slots do not divide is refused');
SELECT is((SELECT count(*)::integer FROM unnest(local_phases('2023-03-25 22:00Z', 26, '1 hour', 'Europe/Copenhagen')) AS p WHERE p / 24 = 6), 23, 'a Sunday in spring has 23 hours');
SELECT is((SELECT (count(*), count(DISTINCT p))::text FROM unnest(local_phases('2023-10-28 20:00Z', 28, '1 hour', 'Europe/Copenhagen')) AS p WHERE p / 24 = 6), '(25,24)', 'a Sunday in autumn has 25 hours in 24 phases');
SELECT is(local_phases('2026-03-01 18:00Z', 1, '1 hour', 'Asia/Kolkata'), '{167}', 'half an hour of offset stays in the week');
INSERT INTO interval_dirty VALUES (1, '2023-03-01', '2023-03-01'), ((SELECT register_id FROM register), '2023-03-01', '2023-03-02');
SELECT lives_ok('SELECT refresh_interval_energy()', 'a mark of a register without readings does no harm');
INSERT INTO installation DEFAULT VALUES;
SELECT throws_ok($$ UPDATE installation SET base_slot = '30 min' $$, '55000', NULL, 'the stored slots keep their length');
SELECT is((SELECT covered FROM home_energy_daily WHERE local_day = '2023-03-02'), '24:00', 'daily rollup covers the local day');
SELECT * FROM finish();
ROLLBACK;
