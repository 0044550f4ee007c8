-- Rollups: each is the sum of its base slots, whatever came late, was corrected, erased or
-- exchanged, over days of 23 and 25 hours and half-hour time zones (DESIGN.md section 6).
\ir home.psql
SELECT plan(45);
INSERT INTO installation (base_slot) VALUES ('5 min');
INSERT INTO home (home_id, feeder_id, price_area_id, name, time_zone) VALUES (2, 1, 1, 'far home', 'Asia/Kolkata'), (3, 1, 1, 'western home', 'America/St_Johns');
INSERT INTO meter (meter_id, home_id, name, kind, role) VALUES (2, 2, 'main', 'main', 'consumption'), (3, 3, 'main', 'main', 'consumption'), (4, 1, 'panel', 'sub', 'production');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, CASE WHEN n = 4 THEN '1-0:2.8.0.255' ELSE '1-0:1.8.0.255' END, 'kWh', true FROM generate_series(1, 4) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 1000000, 'first reading' FROM generate_series(1, 4) AS n;

-- What every view has to show, by a plain aggregate over the base slots.
CREATE FUNCTION pg_temp.wrong(OUT granularity text, OUT differences bigint, OUT rows bigint) RETURNS SETOF record LANGUAGE sql AS $$
	WITH base AS (SELECT i.*, (i.slot_start AT TIME ZONE h.time_zone) AS local FROM smarthg.interval_energy i JOIN smarthg.register USING (register_id) JOIN smarthg.meter USING (meter_id) JOIN smarthg.home h USING (home_id)),
	wanted AS (
		SELECT g.name, b.register_id, CASE WHEN g.len IS NOT NULL THEN to_char(smarthg.slot_start(b.slot_start, g.len) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
			WHEN g.name = 'daily' THEN b.local::date::text ELSE date_trunc(rtrim(g.name, 'ly'), b.local)::date::text END AS slot,
			round(sum(b.energy_kwh)::numeric, 6) AS kwh, max(b.quality) AS quality, count(*) * (smarthg.settings()).base_slot AS covered
		FROM base b JOIN (SELECT register_id, max(slot_start) + (smarthg.settings()).base_slot AS known_until FROM base GROUP BY 1) AS k USING (register_id),
			(VALUES ('5min', interval '5 min'), ('15min', '15 min'), ('30min', '30 min'), ('hourly', '1 hour'), ('daily', NULL), ('monthly', NULL), ('yearly', NULL)) AS g(name, len)
		-- Within a day only what is over.
		WHERE g.len IS NULL OR extract(epoch FROM g.len) % extract(epoch FROM (smarthg.settings()).base_slot) = 0 AND smarthg.slot_start(b.slot_start, g.len) + g.len <= k.known_until GROUP BY 1, 2, 3
	), shown AS (
		SELECT name, register_id, to_char(slot_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS slot, round(energy_kwh::numeric, 6) AS kwh, quality, covered FROM (
			SELECT '5min' AS name, * FROM smarthg.energy_5min UNION ALL SELECT '15min', * FROM smarthg.energy_15min UNION ALL SELECT '30min', * FROM smarthg.energy_30min UNION ALL SELECT 'hourly', * FROM smarthg.energy_hourly) AS v
		UNION ALL SELECT 'daily', register_id, local_day::text, round(energy_kwh::numeric, 6), quality, covered FROM smarthg.energy_daily
		UNION ALL SELECT 'monthly', register_id, local_month::text, round(energy_kwh::numeric, 6), quality, covered FROM smarthg.energy_monthly
		UNION ALL SELECT 'yearly', register_id, local_year::text, round(energy_kwh::numeric, 6), quality, covered FROM smarthg.energy_yearly)
	SELECT g.name, count(*) FILTER (WHERE (w.kwh, w.quality, w.covered) IS DISTINCT FROM (s.kwh, s.quality, s.covered)), count(w.kwh)
	FROM wanted w FULL JOIN shown s USING (name, register_id, slot) JOIN (VALUES ('5min'), ('15min'), ('30min'), ('hourly'), ('daily'), ('monthly'), ('yearly')) AS g(name) USING (name) GROUP BY 1
$$;
CREATE FUNCTION pg_temp.same_as_base(promise text, granularities text DEFAULT '15min 30min 5min daily hourly monthly yearly') RETURNS text LANGUAGE sql AS $$
	SELECT public.is((SELECT string_agg(granularity, ' ' ORDER BY granularity) FROM pg_temp.wrong() WHERE differences = 0 AND rows > 0), granularities, promise)
$$;

-- Random registers over both changes to and from summer time and a new year, in pieces of any order.
SELECT setseed(0.229);
CREATE TEMP TABLE truth AS
	SELECT r, n, span.first + n * interval '5 min' AS measured_at, (500000 * r + sum(floor(random() * 200)) OVER (PARTITION BY r ORDER BY span.first, n))::bigint % 1000000 AS raw_value
	FROM generate_series(1, 4) AS r, (VALUES ('2023-03-25 12:00Z'::timestamptz), ('2023-10-28 12:00Z'), ('2023-12-30 12:00Z')) AS span(first), generate_series(0, 700) AS n WHERE n IN (0, 700) OR random() < 0.9 AND n NOT BETWEEN 90 AND 130;
CREATE TEMP TABLE arrival AS SELECT row_number() OVER (ORDER BY random()) AS place, * FROM (
	SELECT r, measured_at, raw_value, '2024-01-05'::timestamptz AS received_at FROM truth
	UNION ALL SELECT r, measured_at, raw_value, '2024-01-05' FROM truth WHERE n % 9 = 0
	UNION ALL SELECT r, measured_at, raw_value / 2, '2024-01-04' FROM truth WHERE n % 11 = 0) AS a;
DO $$
BEGIN
	FOR piece IN 0 .. 8 LOOP
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at)
			SELECT r, measured_at, raw_value, received_at FROM pg_temp.arrival WHERE place % 9 = piece ORDER BY place;
		CASE piece % 3 WHEN 0 THEN PERFORM smarthg.settle_readings(); ELSE PERFORM smarthg.refresh_interval_energy(); END CASE;
	END LOOP;
END $$;
SELECT pg_temp.same_as_base('readings in any order and pieces: every rollup is the sum of its base slots, as well known as the worst of them, and says how much is covered');
SELECT is((SELECT array_agg(round((sum)::numeric, 5) ORDER BY register_id) FROM (SELECT register_id, sum(energy_kwh) FROM energy_monthly GROUP BY 1) AS s),
	(SELECT array_agg(round(sum, 5) ORDER BY r) FROM (SELECT r, sum((raw_value - before + 1000000) % 1000000) / 1000.0 AS sum
		FROM (SELECT r, raw_value, lag(raw_value) OVER (PARTITION BY r ORDER BY measured_at) AS before, measured_at - lag(measured_at) OVER (PARTITION BY r ORDER BY measured_at) AS apart FROM truth) AS t WHERE apart < '35 days' GROUP BY r) AS s),
	'... months sum to the rise of the register over all it can be known of');
CREATE TEMP TABLE piecemeal AS SELECT * FROM energy_rollup;
SELECT roll_up_again('{1,2,3,4}');
SELECT set_eq('SELECT * FROM energy_rollup', 'SELECT * FROM piecemeal', '... and the same bytes as computed in one go');
SELECT set_eq($$ SELECT local_day, covered FROM home_energy_daily WHERE home_id = 1 AND local_day IN ('2023-03-26', '2023-10-29') $$,
	$$ VALUES ('2023-03-26'::date, '23:00'::interval), ('2023-10-29', '25:00') $$, 'days of the home''s time zone have 23 and 25 hours');
SELECT is((SELECT min(covered) FROM energy_hourly WHERE register_id = 2 AND slot_start = '2023-12-30 12:00Z'), '1 hour', 'an hour that is known entirely says so');
SELECT is((SELECT quality FROM energy_hourly WHERE register_id = 1 AND slot_start = '2023-03-25 21:00Z'), 'estimated', 'an hour in a gap is estimated');

-- What is late, corrected, exchanged, erased.
INSERT INTO reading_landing (register_id, measured_at, raw_value) SELECT r, measured_at + interval '2 min', raw_value FROM truth WHERE n = 300;
SELECT refresh_interval_energy();
SELECT pg_temp.same_as_base('late readings are in every rollup at once');
CREATE TEMP TABLE before AS SELECT ctid::text AS place, tableoid AS held FROM energy_rollup;
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) SELECT r, measured_at, raw_value + 1, '2024-01-06' FROM truth WHERE n = 500 AND r = 1 AND measured_at < '2023-04-01';
SELECT is(refresh_interval_energy(), 1::bigint, 'a correction reaches one day');
SELECT pg_temp.same_as_base('... in every rollup');
SELECT is((SELECT count(*)::integer FROM energy_rollup e WHERE NOT EXISTS (SELECT FROM before b WHERE b.place = e.ctid::text AND b.held = e.tableoid)
	AND (register_id <> 1 OR period NOT IN ('2023-03-26', '2023-03-01', '2023-01-01'))), 0, '... and no other row is written');
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) SELECT r, measured_at, raw_value, '2024-01-07' FROM truth WHERE n = 600;
SELECT is(refresh_interval_energy(), 0::bigint, 'what came already changes nothing');
SELECT begin_epoch(2, '2023-10-29 06:00Z', 1, 100, 1000000, 'other scale'), refresh_interval_energy();
SELECT pg_temp.same_as_base('a new epoch is in every rollup');
SELECT forget_readings(3, '2023-12-31 06:00Z', '2024-01-01'), refresh_interval_energy();
SELECT pg_temp.same_as_base('what is erased leaves every rollup');
SELECT forget_readings(3, '2023-12-01'), refresh_interval_energy();
SELECT pg_temp.same_as_base('... also where nothing remains');
SELECT is((SELECT count(*)::integer FROM energy_rollup WHERE register_id = 3 AND period >= '2023-12-01'), 0, '... and no row stays');
SELECT is((SELECT array_agg(local_month) FROM (SELECT local_month FROM energy_monthly WHERE register_id = 3 ORDER BY 1) AS m), '{2023-03-01,2023-10-01}', 'months of which something is known have a row');

-- Other local days.
UPDATE home SET time_zone = 'Pacific/Auckland' WHERE home_id = 1;
SELECT pg_temp.same_as_base('days and months follow the home to another time zone');
UPDATE meter SET home_id = 2, kind = 'sub', name = 'moved' WHERE meter_id = 3;
SELECT pg_temp.same_as_base('... and a meter to another home');
UPDATE home SET time_zone = 'Europe/Copenhagen' WHERE home_id = 1;

-- Homes by part, from each granularity.
SELECT results_eq($$ SELECT round(sum(import_kwh)::numeric, 5), round(sum(production_kwh)::numeric, 5) FROM home_energy WHERE home_id = 1 AND slot_start < (SELECT max(slot_start) + interval '1 hour' FROM home_energy_hourly WHERE home_id = 1) $$,
	$$ SELECT round(sum(import_kwh)::numeric, 5), round(sum(production_kwh)::numeric, 5) FROM home_energy_hourly WHERE home_id = 1 $$, 'a home''s hours have the energy of its slots');
SELECT results_eq($$ SELECT round(sum(import_kwh)::numeric, 5), round(sum(production_kwh)::numeric, 5) FROM home_energy_daily WHERE home_id = 1 $$,
	$$ SELECT round(sum(import_kwh)::numeric, 5), round(sum(production_kwh)::numeric, 5) FROM home_energy_monthly WHERE home_id = 1 $$, '... its days that of its months');
SELECT forget_readings(4, '2023-10-28 10:00Z', '2023-10-28 18:00Z'), refresh_interval_energy();
SELECT results_eq($$ SELECT covered, production_kwh IS NULL, import_kwh > 0 FROM home_energy_hourly WHERE home_id = 1 AND slot_start = '2023-10-28 13:00Z' $$,
	$$ VALUES ('0'::interval, true, true) $$, 'an hour of which one register is not known is covered by nothing');
SELECT ok(NOT EXISTS (SELECT FROM unnest('{5min,15min,30min,hourly,daily,monthly}'::text[]) AS g, LATERAL (
		SELECT string_agg(DISTINCT relid::regclass::text, ' ' ORDER BY relid::regclass::text) AS read FROM (
			SELECT d.refobjid AS relid FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
			WHERE w.ev_class = ('smarthg.energy_' || g)::regclass AND d.refobjid NOT IN (w.ev_class, 'installation'::regclass)) AS r) AS v
	WHERE v.read NOT IN ('energy_rollup_' || g, 'energy_day energy_rollup_' || g)), 'each view reads the table of its granularity, and base slots where they are of that length');

-- Other base slots, of which granularities are made where they are multiples.
SAVEPOINT base;
SELECT throws_ok($$ UPDATE installation SET base_slot = '20 min' $$, '55000', NULL, 'base slots keep their length while energy is stored');
CREATE FUNCTION pg_temp.begin_anew(base interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM smarthg.energy_day;
	DELETE FROM smarthg.energy_rollup;
	UPDATE smarthg.installation SET base_slot = base;
	INSERT INTO smarthg.interval_dirty SELECT register_id, '-infinity', 'infinity' FROM smarthg.register WHERE register_id <= 2;
	PERFORM smarthg.refresh_interval_energy();
END $$;
SELECT pg_temp.begin_anew('20 min');
SELECT pg_temp.same_as_base('of 20 minutes hours are made, and nothing between', 'daily hourly monthly yearly');
SELECT pg_temp.begin_anew('1 hour');
SELECT pg_temp.same_as_base('hours as base slots are shown as hours', 'daily hourly monthly yearly');
SELECT pg_temp.begin_anew('15 min');
SELECT pg_temp.same_as_base('of quarters of an hour half hours are made', '15min 30min daily hourly monthly yearly');
ROLLBACK TO SAVEPOINT base;
SELECT drop_readings_before('2024-06-01');
SELECT pg_temp.same_as_base('rollups outlive the readings');

-- What goes on at the end of what is known: hours are not there yet, days, months and years are not over.
CREATE TEMP TABLE kept_up (LIKE energy_rollup);
CREATE FUNCTION pg_temp.as_anew(promise text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE pg_temp.kept_up;
	INSERT INTO pg_temp.kept_up SELECT * FROM smarthg.energy_rollup;
	PERFORM smarthg.roll_up_again(array_agg(register_id)) FROM smarthg.register;
	RETURN public.set_eq('SELECT * FROM smarthg.energy_rollup', 'SELECT * FROM pg_temp.kept_up', promise);
END $$;
CREATE FUNCTION pg_temp.feed_on(first timestamptz, until timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value) SELECT 3, t, extract(epoch FROM t - '2025-01-01Z') / 9 FROM generate_series(first, until, '15 min') AS t;
	SELECT smarthg.refresh_interval_energy()
$$;
CREATE FUNCTION pg_temp.over(OUT over text) LANGUAGE sql AS $$
	SELECT string_agg(granularity || ' ' || to_char(period, 'MM-DD'), ', ' ORDER BY granularity, period) FROM smarthg.energy_rollup WHERE register_id = 3 AND period >= '2025-01-01' AND granularity >= 'daily' AND is_over
$$;
SELECT begin_epoch(3, '2025-01-01Z', 1, 1000, NULL, 'exchange'), pg_temp.feed_on('2025-03-01 18:30Z', '2025-03-02 12:00Z'), pg_temp.feed_on('2025-03-02 12:00Z', '2025-03-02 18:15Z');
SELECT is(pg_temp.over(), NULL, 'a local day that arrives late in pieces is not over while nothing later is known');
SELECT pg_temp.feed_on('2025-03-02 18:30Z', '2025-03-02 18:30Z');
SELECT is(pg_temp.over(), 'daily 03-02', '... and is with its last slot');
SELECT pg_temp.feed_on('2025-03-02 18:45Z', '2025-03-03 09:10Z'), begin_epoch(3, '2025-03-20Z', 1, 1000, NULL, 'exchange'), pg_temp.feed_on('2025-03-31 20:00Z', '2025-03-31 21:00Z');
SELECT is(pg_temp.over(), 'daily 03-02, daily 03-03, monthly 03-01', '... or where something later is, as its month');
SELECT forget_readings(3, '2025-03-31Z'), refresh_interval_energy();
SELECT is(pg_temp.over(), 'daily 03-02', 'what goes on again when the end is erased is not over');
SELECT pg_temp.feed_on('2026-01-02 00:00Z', '2026-01-02 01:30Z');
SELECT is(pg_temp.over(), 'daily 03-02, daily 03-03, monthly 03-01, yearly 01-01', 'a year is over when the next has begun');
SELECT pg_temp.as_anew('... and all is as computed in one go');
SELECT begin_epoch(3, '2026-01-03Z', 1, 1000, NULL, 'exchange');
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) VALUES (3, '2025-03-02 12:00Z', extract(epoch FROM '2025-03-02 12:00Z' - '2025-01-01Z'::timestamptz) / 9 + 1, '2100-01-01');
SELECT pg_temp.feed_on('2026-01-03 00:00Z', '2026-01-03 03:00Z');
SELECT pg_temp.as_anew('a correction together with new readings: what was the end until then is over');
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at) VALUES (3, '2025-03-02 12:00Z', extract(epoch FROM '2025-03-02 12:00Z' - '2025-01-01Z'::timestamptz) / 9, '2100-01-02');
SELECT forget_readings(3, '2026-01-03Z'), refresh_interval_energy();
SELECT is((SELECT count(*)::integer FROM energy_hourly WHERE register_id = 3 AND slot_start >= '2026-01-01'), 1, 'a correction together with an erased end: an hour that goes on again is not there');
SELECT pg_temp.as_anew('... and all is as computed in one go');

-- Nonsense.
SELECT throws_ok($$ SELECT * FROM energy_unpack('\x0103') $$, '22023', 'this is not a block of energy', 'bytes that are no block are refused');
SELECT throws_ok($$ SELECT energy_pack('{1,Infinity}') $$, '22023', NULL, 'infinite energy is refused');
SELECT throws_ok($$ SELECT energy_pack('{1,2}', '{measured}') $$, '2202E', NULL, 'arrays of different length are refused');
SELECT throws_ok($$ SELECT energy_pack(array_fill(1::float8, '{1441}')) $$, '54000', NULL, 'more than a day of minutes is refused');
SELECT results_eq($$ SELECT * FROM energy_unpack(energy_pack('{0.125,NULL,3}', '{estimated,NULL,measured}')) $$,
	$$ VALUES (0, 0.125::float8, 'estimated'::energy_quality, 1), (2, 3, 'measured', 1) $$, 'what is packed comes back');
SELECT results_eq($$ SELECT energy_unpack(energy_pack('{1,2}'))::text $$, $$ VALUES ('(0,1,measured,1)'::text), ('(1,2,measured,1)') $$, '... in a select list too');
SELECT throws_ok($$ SELECT * FROM energy_roll_up('{2023-01-02,2023-01-01}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '15 min', 'UTC') $$, '22023', NULL, 'days that do not ascend are refused');
SELECT throws_ok($$ SELECT * FROM energy_roll_up('{2023-01-02}', '{2023-01-02}', ARRAY[energy_pack('{1}')], NULL, NULL, NULL, NULL, NULL, NULL, '15 min', 'UTC') $$, '22023', NULL, 'a day of another number of slots is refused');
SELECT throws_ok($$ SELECT * FROM energy_roll_up('{2023-01-02}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '15 min', 'nowhere') $$, '22023', NULL, 'an unknown time zone is refused');
SELECT * FROM finish();
ROLLBACK;
