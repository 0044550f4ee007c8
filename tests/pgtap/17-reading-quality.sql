-- What the quality views tell of registers whose history is known.
\ir home.psql
SELECT plan(13);
INSERT INTO installation (plausible_kw) VALUES (100);
INSERT INTO meter (meter_id, home_id, name, kind) VALUES (2, 1, 'faulty', 'sub'), (3, 1, 'silent', 'sub');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true), (2, 2, '1-0:1.8.0.255', 'kWh', true), (3, 3, '1-0:1.8.0.255', 'kWh', true), (4, 1, '1-0:1.7.0.255', 'kW', false);
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 100000000, 'first reading' FROM generate_series(1, 3) AS n;
-- Slots end with the one that holds now: 40 days of quarters, so that 30 are full.
CREATE TEMP TABLE slot AS SELECT n, slot_start(now(), '15 min') - n * interval '15 min' AS at FROM generate_series(0, 40 * 96) AS n;
INSERT INTO reading_landing (register_id, measured_at, raw_value) SELECT 1, at, 5000000 - 100 * n FROM slot;
-- Power every minute of the last hour but for ten of them.
INSERT INTO reading_landing (register_id, measured_at, raw_value) SELECT 4, now() - n * interval '1 min', (random() * 1000)::bigint FROM generate_series(1, 60) AS n WHERE n NOT BETWEEN 21 AND 30;
-- Gaps of 3 and 9 readings, one outlier, one reset, one jump (30 kWh), all in the last 30 days; a
-- gap before them; nothing in the last 6 hours but one reading.
INSERT INTO reading_landing (register_id, measured_at, raw_value)
	SELECT 2, at, CASE WHEN n > 2000 THEN 4000000 - 100 * n WHEN n > 1000 THEN 200000 - 100 * n ELSE 400000 - 100 * n END + CASE WHEN n = 700 THEN 90000 ELSE 0 END
	FROM slot WHERE n NOT BETWEEN 1501 AND 1503 AND n NOT BETWEEN 501 AND 509 AND n NOT BETWEEN 3501 AND 3600 AND n >= 24;
INSERT INTO reading_landing (register_id, measured_at, raw_value) SELECT 2, at, 400000 FROM slot WHERE n = 2;
SELECT refresh_interval_energy() \g /dev/null
-- Three again, two corrected, one of these again.
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) SELECT 2, measured_at, raw_value, received_at + interval '1 s' FROM reading JOIN slot ON at = measured_at WHERE register_id = 2 AND n BETWEEN 100 AND 102;
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) SELECT 2, measured_at, raw_value + 1, received_at + interval '2 s' FROM reading JOIN slot ON at = measured_at WHERE register_id = 2 AND n BETWEEN 101 AND 102;
SELECT refresh_interval_energy() \g /dev/null
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) SELECT 2, measured_at, raw_value, received_at + interval '3 s' FROM reading JOIN slot ON at = measured_at WHERE register_id = 2 AND n = 101;
SELECT refresh_interval_energy() \g /dev/null

SELECT results_eq('SELECT complete_day, complete_30_days, usual_interval, gaps, missing, duplicates, corrections, outliers, resets, jumps, longest_gap IS NULL FROM reading_quality WHERE register_id = 1',
	$$ VALUES (1::float8, 1::float8, '15 min'::interval, 0, 0::bigint, 0::bigint, 0::bigint, 0, 0, 0, true) $$, 'of a register that is read without fault there is none');
SELECT is((SELECT last_reading_at FROM reading_quality WHERE register_id = 1), slot_start(now(), '15 min'), '... and it was last seen now');
SELECT is((SELECT usual_interval FROM reading_quality WHERE register_id = 2), '15 min', 'the usual interval is what is usual, in spite of gaps');
SELECT is((SELECT (gaps, missing)::text FROM reading_quality WHERE register_id = 2), '(3,33)', 'gaps and what is missing in them are counted, those of before the 30 days not');
SELECT is((SELECT (longest_gap, longest_gap_from)::text FROM reading_quality WHERE register_id = 2), (SELECT ('05:30:00'::interval, at)::text FROM slot WHERE n = 24), '... the longest is told with its place');
SELECT is((SELECT (outliers, resets, jumps)::text FROM reading_quality WHERE register_id = 2), '(1,1,1)', 'an outlier, a reset and a jump are told apart');
SELECT is((SELECT (duplicates, corrections)::text FROM reading_quality WHERE register_id = 2), '(4,2)', 'duplicates and corrections are counted');
SELECT is((SELECT round((96 * complete_day)::numeric) FROM reading_quality WHERE register_id = 2), 96::numeric - 22 - 2, 'the last day lacks what is estimated and what is still to come');
SELECT is((SELECT round((2880 * complete_30_days)::numeric) FROM reading_quality WHERE register_id = 2), 2880::numeric - 22 - 2 - 10 - 1 - 1, 'the last 30 days lack the long gap, the reset and the jump too; a short gap is interpolated');
SELECT is((SELECT (last_reading_at, complete_day, complete_30_days, readings, usual_interval)::text FROM reading_quality WHERE register_id = 3), '(,0,0,0,)', 'a register that never said anything is there, with nothing');
SELECT is((SELECT (complete_day, readings, usual_interval, gaps, missing, longest_gap, outliers)::text FROM reading_quality WHERE register_id = 4), '(,50,00:01:00,1,10,00:11:00,)', 'a register of power has gaps, but no energy');
SELECT is((SELECT (count(*), min(complete_day), sum(gaps), sum(jumps))::text FROM meter_quality WHERE home_id = 1), '(3,0,4,1)', 'by meter it is summed up');
SELECT throws_ok($$ SELECT reading_quality_series(ARRAY['\x00'::bytea], '{-infinity}', '{1}', '{NULL}', '-infinity', 'infinity', 1, true) $$, '22023', NULL, 'bytes that are no block are refused');
SELECT * FROM finish();
ROLLBACK;
