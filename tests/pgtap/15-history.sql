-- Whole histories of registers, random: rollover, exchange, reset, gaps, outliers, jumps; readings
-- that come late, twice, wrong first, wrong in between, in any order and in any pieces. The result
-- is that of one pass in order, and its energy is the register's rise minus what the rules leave out
-- (DESIGN.md section 6).
\ir home.psql
SELECT plan(9);
\set seed 0.4711
SELECT diag('seed ' || :seed);
SELECT setseed(:seed) \g /dev/null
INSERT INTO installation (plausible_kw) VALUES (100);
-- History h is register 2 h - 1, to which all comes in order, and register 2 h, to which it comes anyhow.
INSERT INTO meter (meter_id, home_id, name, kind) SELECT n, 1, 'meter ' || n, 'sub' FROM generate_series(11, 50) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(11, 50) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 1000000, 'first reading' FROM generate_series(11, 50) AS n;

-- A reading a row, over the change to summer time: the rise since the last good one, number since,
-- where the rules know it, and how well. What is unusual stays apart by plain steps, so that it is
-- clear what each is: outliers agree before and after, resets fall from far below the modulus.
CREATE TEMP TABLE truth (history integer, n integer, raw bigint, since integer, rise bigint, quality energy_quality, event text);
DO $$
DECLARE
	n integer;
	last integer;
	raw bigint;
	step bigint;
	event text;
	plain integer;
BEGIN
	FOR history IN 6 .. 25 LOOP
		n := 0; last := 0; plain := 3; raw := floor(random() * 1000000);
		INSERT INTO pg_temp.truth VALUES (history, 0, raw);
		WHILE n < 400 OR plain > 0 LOOP
			event := CASE WHEN plain > 0 THEN 'plain' ELSE (ARRAY['gap', 'outlier', 'exchange', 'reset', 'jump'])[1 + floor(random() * 25)::integer] END;
			event := CASE WHEN event = 'outlier' AND raw BETWEEN 5000 AND 990000 OR event = 'reset' AND raw BETWEEN 100000 AND 700000
				OR event = 'jump' AND raw < 500000 OR event IN ('gap', 'exchange') THEN event ELSE 'plain' END;
			n := n + CASE event WHEN 'gap' THEN 2 + floor(random() * 12)::integer ELSE 1 END;
			step := floor(random() * 500);
			plain := CASE event WHEN 'plain' THEN greatest(plain - 1, 0) WHEN 'gap' THEN 0 ELSE 3 END;
			IF event = 'outlier' THEN
				INSERT INTO pg_temp.truth VALUES (history, n, CASE WHEN random() < 0.5 THEN floor(random() * 2000) ELSE 995000 END, NULL, NULL, NULL, event);
				CONTINUE;
			END IF;
			raw := CASE event WHEN 'exchange' THEN floor(random() * 1000) WHEN 'reset' THEN step WHEN 'jump' THEN raw + (n - last) * 30000 ELSE (raw + step) % 1000000 END;
			INSERT INTO pg_temp.truth VALUES (history, n, raw, last, CASE WHEN event NOT IN ('exchange', 'jump') THEN step END,
				(CASE WHEN event = 'reset' OR n - last > 4 THEN 'estimated' WHEN n - last = 1 THEN 'measured' ELSE 'interpolated' END)::smarthg.energy_quality, event);
			last := n;
		END LOOP;
	END LOOP;
END $$;
CREATE TEMP TABLE arrival AS SELECT row_number() OVER (ORDER BY random()) AS place, a.*, '2023-03-24 00:00Z'::timestamptz + n * interval '15 min' AS measured_at FROM (
	SELECT history, n, raw, 2 AS second, false AS wrong FROM truth
	UNION ALL SELECT history, n, raw, 3, false FROM truth WHERE random() < 0.1
	UNION ALL SELECT history, n, (raw + 1 + floor(random() * 5000))::bigint, 1, true FROM truth WHERE random() < 0.15
	UNION ALL SELECT t.history, t.n, t.raw + again.more, again.second, again.more > 0 FROM truth t, (VALUES (17, 4), (0, 5)) AS again(more, second) WHERE hashint4(t.n * 100 + t.history) % 10 = 0) AS a;
SELECT results_eq('SELECT DISTINCT coalesce(event, ''first'') FROM truth ORDER BY 1', ARRAY['exchange', 'first', 'gap', 'jump', 'outlier', 'plain', 'reset'], 'histories have all that can happen');

-- In order, all at once.
SELECT count(begin_epoch((2 * history - 1)::bigint, '2023-03-24 00:00Z'::timestamptz + n * interval '15 min', 1, 1000, 1000000, 'exchange')) FROM truth WHERE event = 'exchange' \g /dev/null
INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at)
	SELECT 2 * history - 1, measured_at, raw, measured_at + second * interval '1 s' FROM arrival ORDER BY history, n, second;
SELECT refresh_interval_energy() \g /dev/null
-- Anyhow, with settling, refreshing and what begins an epoch in between.
DO $$
BEGIN
	FOR piece IN 0 .. 14 LOOP
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at)
			SELECT 2 * history, measured_at, raw, measured_at + second * interval '1 s' FROM pg_temp.arrival WHERE place % 15 = piece ORDER BY place;
		PERFORM smarthg.begin_epoch((2 * history)::bigint, '2023-03-24 00:00Z'::timestamptz + n * interval '15 min', 1, 1000, 1000000, 'exchange')
			FROM pg_temp.truth WHERE event = 'exchange' AND n % 15 = piece;
		CASE floor(random() * 3)::integer WHEN 0 THEN PERFORM smarthg.settle_readings(); WHEN 1 THEN PERFORM smarthg.refresh_interval_energy(); ELSE NULL; END CASE;
	END LOOP;
	PERFORM smarthg.refresh_interval_energy();
END $$;

SELECT set_eq('SELECT register_id, measured_at, raw_value, received_at FROM reading WHERE register_id % 2 = 0', 'SELECT register_id + 1, measured_at, raw_value, received_at FROM reading WHERE register_id % 2 = 1',
	'in any order the readings are those of one pass in order, each with its last arrival');
SELECT set_eq('SELECT (register_id + 1) / 2, measured_at, raw_value FROM reading WHERE register_id % 2 = 0', $$ SELECT history::bigint, '2023-03-24 00:00Z'::timestamptz + n * interval '15 min', raw FROM truth $$, '... which are what was received last');
SELECT bag_eq('SELECT c.register_id, c.measured_at, c.raw_value FROM reading_correction c JOIN reading r USING (register_id, measured_at) WHERE c.raw_value <> r.raw_value',
	'SELECT r, measured_at, raw FROM arrival, LATERAL (VALUES (2 * history::bigint), (2 * history - 1)) AS v(r) WHERE wrong', '... and each wrong value is history once');
SELECT set_eq('SELECT register_id, day, block FROM energy_day WHERE register_id % 2 = 0', 'SELECT register_id + 1, day, block FROM energy_day WHERE register_id % 2 = 1', 'their energy is the same, byte by byte');
SELECT set_eq('SELECT register_id, granularity, period, block FROM energy_rollup WHERE register_id % 2 = 0', 'SELECT register_id + 1, granularity, period, block FROM energy_rollup WHERE register_id % 2 = 1', '... and so is all that is rolled up');

-- Between two good readings.
CREATE TEMP TABLE stretch AS SELECT t.history, t.n, t.event, t.n - t.since AS slots, t.rise, t.quality, s.* FROM truth t, LATERAL (
	SELECT count(*) AS known, sum(i.energy_kwh) AS kwh, min(i.quality) AS best, max(i.quality) AS worst FROM interval_energy i
	WHERE i.register_id = 2 * t.history AND i.slot_start >= '2023-03-24 00:00Z'::timestamptz + t.since * interval '15 min' AND i.slot_start < '2023-03-24 00:00Z'::timestamptz + t.n * interval '15 min') AS s WHERE t.since IS NOT NULL;
SELECT is_empty('SELECT * FROM stretch WHERE rise IS NOT NULL AND (known <> slots OR abs(kwh - rise / 1000.0) > 1e-8)', 'between two good readings the slots sum to the rise: over rollovers, gaps, outliers passed over, and what a reset register counted since');
SELECT is_empty('SELECT * FROM stretch WHERE rise IS NOT NULL AND (best, worst) IS DISTINCT FROM (quality, quality)', '... and say how well they are known: far apart and after a reset they are estimated');
SELECT is_empty('SELECT * FROM stretch WHERE rise IS NULL AND known > 0', 'over an exchange and a jump beyond what is plausible nothing is known');
SELECT * FROM finish();
ROLLBACK;
