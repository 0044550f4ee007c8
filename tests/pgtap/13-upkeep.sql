-- Bulk loading, settling, erasing, upkeep (DESIGN.md section 6).
\ir home.psql
SELECT plan(43);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT 1, meter_id, '1-0:1.8.0.255', 'kWh', true FROM meter LIMIT 1;
INSERT INTO register_epoch VALUES (1, '-infinity', 1, 1000, 1000000, 'first reading');

-- A register that rolls over, is exchanged and corrected, loaded in any order and in pieces.
SELECT setseed(0.271);
CREATE TEMP TABLE truth AS
	SELECT n, '2023-03-20 00:00Z'::timestamptz + n * interval '15 min' AS measured_at, n >= 900 AS exchanged,
		(CASE WHEN n < 900 THEN 800000 ELSE 0 END + sum(floor(random() * 600)) OVER (PARTITION BY n >= 900 ORDER BY n))::bigint % 1000000 AS raw_value
	FROM generate_series(0, 1400) AS n WHERE n IN (0, 899, 900, 1400) OR random() < 0.8;
CREATE TEMP TABLE arrival AS
	SELECT row_number() OVER (ORDER BY random()) AS place, * FROM (
		SELECT measured_at, raw_value, measured_at + interval '2 s' AS received_at FROM truth
		UNION ALL SELECT measured_at, raw_value, measured_at + interval '2 s' FROM truth WHERE n % 7 = 0
		UNION ALL SELECT measured_at, raw_value + 1 + n % 1000, measured_at + interval '1 s' FROM truth WHERE n % 5 = 0) AS a;
SELECT begin_epoch(1, '2023-03-29 09:00Z', 1, 1000, 1000000, 'meter exchange');
DO $$
DECLARE
	pieces integer := 13;
BEGIN
	FOR piece IN 0 .. pieces - 1 LOOP
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at)
			SELECT 1, measured_at, raw_value, received_at FROM pg_temp.arrival WHERE place % pieces = piece ORDER BY place;
		CASE piece % 3 WHEN 0 THEN PERFORM smarthg.settle_readings(); WHEN 1 THEN PERFORM smarthg.refresh_interval_energy(); ELSE NULL; END CASE;
	END LOOP;
END $$;
SELECT is_empty($$ (SELECT measured_at, raw_value FROM truth EXCEPT SELECT measured_at, raw_value FROM reading) UNION ALL (SELECT measured_at, raw_value FROM reading EXCEPT SELECT measured_at, raw_value FROM truth) $$,
	'before all of it is settled readers see each time once, with the value received last');
SELECT is((SELECT count(*) FROM reading), (SELECT count(*) FROM truth), '... no row twice');
SELECT refresh_interval_energy();
SELECT is((SELECT count(*)::integer FROM reading_landing), 0, 'a refresh settles all that has landed');
SELECT results_eq($$ SELECT measured_at, raw_value FROM reading ORDER BY 1 $$, $$ SELECT measured_at, raw_value FROM truth ORDER BY 1 $$, '... which readers do not notice');
SELECT results_eq($$ SELECT measured_at, raw_value, received_at FROM register_readings(1, '2023-03-25 00:15Z', '2023-03-26') $$,
	$$ SELECT measured_at, raw_value, measured_at + interval '2 s' FROM truth WHERE measured_at >= '2023-03-25 00:15Z' AND measured_at < '2023-03-26' ORDER BY 1 $$, 'a range of time is read by function');
SELECT is((SELECT count(*)::integer FROM reading_correction), (SELECT count(*)::integer FROM truth WHERE n % 5 = 0), 'each wrong value is history, whichever came first');
SELECT is((SELECT (last_reading_at, last_raw_value)::text FROM register), (SELECT (measured_at, raw_value)::text FROM truth ORDER BY n DESC LIMIT 1), 'the newest value is at hand');
SELECT is(round((SELECT sum(energy_kwh) FROM interval_energy)::numeric, 6), (SELECT round(sum((raw_value - before + 1000000) % 1000000) / 1000.0, 6) FROM
	(SELECT raw_value, lag(raw_value) OVER (PARTITION BY exchanged ORDER BY n) AS before FROM truth) AS t), 'the slots sum to the register''s rise, over rollover and exchange');
SELECT is((SELECT count(*)::integer FROM interval_energy), 1399, '... and only the slot of the exchange is not known');
SELECT results_eq($$ SELECT slot_start, round(energy_kwh::numeric, 8), quality FROM interval_energy ORDER BY 1 $$,
	$$ SELECT s.slot_start, round(s.energy_kwh::numeric, 8), s.quality FROM (SELECT array_agg(measured_at ORDER BY n) AS t, array_agg(raw_value ORDER BY n) AS c, array_agg(1 + exchanged::integer ORDER BY n) AS e FROM truth) AS h,
		interval_energy_series(t, c, e, '{0.001,0.001}', '{1000000,1000000}', '2023-03-20 00:00Z', '2023-04-03 14:00Z', '15 min') AS s ORDER BY 1 $$,
	'... the same as computed in one go');
SELECT is((SELECT sum(readings) FROM reading_day), (SELECT count(*) FROM truth), 'days know how many readings they hold');
SELECT has_table('smarthg'::name, 'reading_day_2023_04'::name, 'months make their partitions');

-- Edges of the way in.
SELECT throws_ok($$ INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, 'infinity', 1) $$, '23514', NULL, 'an endless time is refused');
SELECT throws_ok($$ INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2023-04-01', NULL) $$, '23502', NULL, 'a reading has a value');
SELECT throws_ok($$ SELECT * FROM reading_unpack('\x0102') $$, '22023', NULL, 'bytes that are no block are refused');
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2150-07-01 12:00Z', 5), (999, '1970-01-01 00:00Z', -9223372036854775808);
SELECT is(settle_readings(), false, 'readings of any time settle, of unknown registers too');
SELECT is((SELECT array_agg(raw_value ORDER BY register_id) FROM reading WHERE extract(year FROM measured_at) IN (1970, 2150)), '{5,-9223372036854775808}', '... as they are');
SELECT is(settle_landed(0, 1000000), NULL, 'nothing landed, nothing to do');
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2149-07-01 12:00Z', 5);
SELECT is(settle_landed(0, 1000000), '{2149-07-01 00:00Z}', 'readings of a month without partition land again');
SELECT is((SELECT count(*)::integer FROM reading WHERE measured_at = '2149-07-01 12:00Z'), 1, '... and are not lost');
SELECT settle_readings();

INSERT INTO reading_landing VALUES (1, '2023-04-05 00:00:07Z', 9, '2023-04-05 00:02Z');
SELECT settle_readings();
INSERT INTO reading_landing VALUES (1, '2023-04-05 00:00:07Z', 8, '2023-04-05 00:01Z');
SELECT is((SELECT array_agg(raw_value) FROM reading WHERE measured_at = '2023-04-05 00:00:07Z'), '{9}', 'what lands after one received later does not replace it');
SELECT is((SELECT array_agg(raw_value) FROM register_readings(1, '2023-04-05', '2023-04-05 00:01Z') WHERE measured_at = '2023-04-05 00:00:07Z'), '{9}', '... nor by function');

-- What is marked to be computed anew.
SAVEPOINT marks;
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2019-07-01 12:00Z', 3), (1, '2019-07-02 12:00Z', 4), (1, '2023-04-06 00:00Z', 5), (1, '2023-04-05 23:00Z', 6);
DELETE FROM interval_dirty;
SELECT settle_readings();
SELECT results_eq('SELECT dirty_from, dirty_until FROM interval_dirty WHERE register_id = 1 ORDER BY 1', $$ VALUES ('2019-07-01 12:00Z'::timestamptz, '2019-07-02 12:00Z'::timestamptz), ('2023-04-05 23:00Z', '2023-04-06 00:00Z') $$,
	'readings of years ago that come with new ones do not mark the years between');
UPDATE register SET last_reading_at = '2018-01-01';
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2019-08-01 12:00Z', 3), (1, '2023-04-07 00:00Z', 50), (1, '2023-04-09 00:00Z', 51), (1, '2021-08-01 12:00Z', 7);
SELECT settle_readings();
SELECT is((SELECT (last_reading_at, last_raw_value)::text FROM register WHERE register_id = 1), ('2023-04-09 00:00Z'::timestamptz, 51)::text, '... and the newest of all is at hand');
SELECT begin_epoch(1, '2023-04-02Z', 1, 500, NULL, 'wrong'), begin_epoch(1, '2023-04-02Z', 1, 250, NULL, 'right');
SELECT results_eq($$ SELECT divisor, reason FROM register_epoch WHERE register_id = 1 AND valid_from = '2023-04-02Z' $$, $$ VALUES (250::bigint, 'right') $$, 'of two scales from one moment on the one said last holds');
DELETE FROM interval_dirty;
SELECT begin_epoch(1, '2023-04-02Z', 1, 125, NULL, 'right at last');
SELECT is((SELECT min(dirty_from) FROM interval_dirty), '2023-04-02Z', '... and the energy after it is marked again');
ROLLBACK TO SAVEPOINT marks;

-- By name.
INSERT INTO reading_import (home, meter, measured_at, value) SELECT h.name, m.name, '2023-05-01 00:00Z', 12.345 FROM meter m JOIN home h USING (home_id) LIMIT 1;
INSERT INTO reading_import (meter, measured_at, value) VALUES ('nobody''s', '2023-05-01 00:00Z', 1), ((SELECT name FROM meter LIMIT 1), '2023-05-01 00:15Z', 1e30);
SELECT is(import_readings(), 1::bigint, 'a reading by names lands');
SELECT is((SELECT raw_value FROM reading WHERE measured_at = '2023-05-01 00:00Z'), 12345::bigint, '... in counts of its register');
SELECT is((SELECT array_agg(fault ORDER BY fault) FROM reading_import), '{meter is unknown,value is out of range}', 'what cannot be taken over says why');

-- Erasing and dropping.
SELECT forget_readings(1, '2023-03-21', '2023-03-22 06:00Z'), refresh_interval_energy();
SELECT is_empty($$ SELECT FROM reading WHERE measured_at >= '2023-03-21' AND measured_at < '2023-03-22 06:00Z' UNION ALL SELECT FROM reading_correction WHERE measured_at >= '2023-03-21' AND measured_at < '2023-03-22 06:00Z' $$,
	'readings are erased with their history');
SELECT is((SELECT bool_and(quality = 'estimated')::text || count(*) FROM interval_energy WHERE slot_start >= '2023-03-21' AND slot_start < '2023-03-22 06:00Z'), 'true120', '... and their energy is estimated only');
SELECT is(drop_readings_before('2023-04-30'), 2, 'whole months are dropped');
SELECT is((SELECT min(measured_at) FROM reading), '2023-04-01 00:00Z', '... and no other');
SELECT is((SELECT count(*)::integer FROM reading_correction WHERE measured_at < '2023-04-01 00:00Z'), 0, '... with their corrections');
SELECT is((SELECT min(slot_start) FROM interval_energy), '2023-03-20 00:00Z', '... while their energy stays');
CREATE TEMP TABLE kept AS SELECT * FROM interval_energy WHERE slot_start < '2023-04-01';
INSERT INTO reading (register_id, measured_at, raw_value) VALUES (1, '2023-03-25 12:00Z', 7);
SELECT begin_epoch(1, '2023-03-20 12:00Z', 1, 10, 1000000, 'found out late'), refresh_interval_energy();
SELECT set_eq('SELECT * FROM interval_energy WHERE slot_start < ''2023-04-01''', 'SELECT * FROM kept', '... even where a reading or an epoch comes late');
SELECT is((SELECT raw_value FROM reading WHERE measured_at = '2023-03-25 12:00Z'), 7::bigint, '... while the reading is there');
SELECT forget_readings(1, '2023-03-22', '2023-03-24'), refresh_interval_energy();
SELECT is((SELECT count(*) FROM interval_energy WHERE slot_start < '2023-04-01'), (SELECT count(*) FROM kept) - 192, 'what is to be forgotten takes such energy along');
SELECT is((SELECT array_agg(local_day ORDER BY local_day) FROM energy_daily WHERE register_id = 1 AND local_day BETWEEN '2023-03-22' AND '2023-03-24'), '{2023-03-22,2023-03-24}', '... in its rollups too');
SELECT is(drop_readings_before('2023-04-30'), 1, 'what came late is dropped in its turn');
SELECT throws_ok('SELECT schedule_upkeep()', '0A000', NULL, 'without pg_cron a schedule is refused with a hint');
SELECT report_upkeep('market', 0), pg_sleep(0.01), report_upkeep('market', 0, true);
SELECT ok((SELECT ended_at - began_at >= interval '10 ms' FROM upkeep_run WHERE task = 'market'), 'a task with nothing to do began when it did');
SELECT report_upkeep('settle', 0), report_upkeep('settle', 3, true);
SELECT is((SELECT (state, done)::text FROM upkeep_progress WHERE task = 'settle'), '(done,3)', 'progress can be seen');
SELECT * FROM finish();
ROLLBACK;
