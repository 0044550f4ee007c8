-- What a database of readings needs from time to time: readings by name taken over, what has landed
-- settled, partitions made ahead, interval energy brought up to date, old data dropped as
-- installation says (DESIGN.md section 6). Everything commits in small steps and can be cancelled
-- at any moment: what is committed is done, the rest is taken up by the next call.

CREATE TABLE reading_import (
	home text,
	meter text NOT NULL DEFAULT 'main',
	obis text NOT NULL DEFAULT '1-0:1.8.0.255',
	measured_at timestamptz NOT NULL,
	value numeric NOT NULL,
	fault text
);
COMMENT ON TABLE reading_import IS 'Readings by the names of home and meter, as an analyst loads them with COPY; import_readings takes them over';
COMMENT ON COLUMN reading_import.home IS 'Name of the home; null: no other home has a meter of this name';
COMMENT ON COLUMN reading_import.meter IS 'Name of the meter in the home';
COMMENT ON COLUMN reading_import.obis IS 'OBIS code of the register';
COMMENT ON COLUMN reading_import.measured_at IS 'When it was measured';
COMMENT ON COLUMN reading_import.value IS 'What the register showed, in its unit (kWh, kW, m3 ...)';
COMMENT ON COLUMN reading_import.fault IS 'Why it could not be taken over: it waits for somebody to look at it and set this to null; null: to be done';

CREATE FUNCTION import_readings(most integer DEFAULT 1000000) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	landed bigint;
BEGIN
	WITH taken AS (
		DELETE FROM reading_import WHERE ctid = ANY (ARRAY(SELECT i.ctid FROM reading_import i WHERE i.fault IS NULL LIMIT most)) RETURNING *
	), named AS (
		SELECT m.meter_id, m.name AS meter, h.name AS home, count(*) OVER (PARTITION BY m.name) AS homes FROM meter m JOIN home h USING (home_id)
	), resolved AS (
		SELECT t.*, r.register_id, round(t.value * e.divisor / e.multiplier) AS raw_value,
			CASE WHEN n.meter_id IS NULL THEN 'meter is unknown' WHEN r.register_id IS NULL THEN 'register is unknown' WHEN e.register_id IS NULL THEN 'register has no scale'
				WHEN t.measured_at < '1970-01-01 00:00Z' OR t.measured_at >= '2200-01-01 00:00Z' THEN 'time is implausible'
				WHEN abs(t.value * e.divisor / e.multiplier) < 9e18 THEN NULL ELSE 'value is out of range' END AS refused
		FROM taken t
		LEFT JOIN named n ON n.meter = t.meter AND (n.home = t.home OR t.home IS NULL AND n.homes = 1)
		LEFT JOIN register r ON r.meter_id = n.meter_id AND r.obis = t.obis
		LEFT JOIN LATERAL (SELECT * FROM register_epoch e WHERE e.register_id = r.register_id AND e.valid_from <= t.measured_at ORDER BY e.valid_from DESC LIMIT 1) AS e ON true
	), faulty AS (
		INSERT INTO reading_import SELECT home, meter, obis, measured_at, value, refused FROM resolved WHERE refused IS NOT NULL
	), good AS (
		INSERT INTO reading_landing (register_id, measured_at, raw_value)
		SELECT register_id, measured_at, raw_value::bigint FROM resolved WHERE refused IS NULL RETURNING 1
	)
	SELECT count(*) INTO landed FROM good;
	RETURN landed;
END $$;
COMMENT ON FUNCTION import_readings(integer) IS 'Lets up to so many readings of reading_import land, in counts of their registers; those of an unknown meter or register stay there with the fault. Returns how many landed';

CREATE TABLE upkeep_run (
	task text PRIMARY KEY,
	pid integer NOT NULL,
	began_at timestamptz NOT NULL,
	reported_at timestamptz NOT NULL,
	done bigint NOT NULL,
	ended_at timestamptz
);
COMMENT ON TABLE upkeep_run IS 'The last run of each task of upkeep; upkeep_progress shows it';
COMMENT ON COLUMN upkeep_run.task IS 'import, settle, refresh, drop, plans, forecasts, events, market, pack';
COMMENT ON COLUMN upkeep_run.pid IS 'Process of the server that runs it';
COMMENT ON COLUMN upkeep_run.began_at IS 'When it began';
COMMENT ON COLUMN upkeep_run.reported_at IS 'When it last committed something';
COMMENT ON COLUMN upkeep_run.done IS 'How much is done: readings landed, batches settled, register days refreshed, partitions and plans dropped, rows of forecasts, events and of the market removed, steps of packing';
COMMENT ON COLUMN upkeep_run.ended_at IS 'When it ended; null: at it, or cut off';

CREATE FUNCTION pages_landed() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	SELECT pg_relation_size('smarthg.reading_landing') / current_setting('block_size')::integer
$$;
COMMENT ON FUNCTION pages_landed() IS 'Size of reading_landing, pages of the server; vacuum brings it down after settling';

CREATE VIEW upkeep_progress WITH (security_invoker = true) AS
SELECT u.task, CASE WHEN u.ended_at IS NOT NULL THEN 'done' WHEN a.pid IS NOT NULL THEN 'running' ELSE 'cut off' END AS state, u.pid, u.began_at, u.reported_at, u.done,
	CASE u.task WHEN 'import' THEN (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = 'smarthg.reading_import'::regclass)
		WHEN 'settle' THEN (SELECT pages_landed())
		WHEN 'refresh' THEN (SELECT count(*) FROM interval_dirty d WHERE d.fault IS NULL) END AS waiting
FROM upkeep_run u LEFT JOIN pg_stat_activity a ON a.pid = u.pid AND a.backend_start < u.began_at;
COMMENT ON VIEW upkeep_progress IS 'How far each task of upkeep is: running, done or cut off; done in readings landed (import), batches (settle), register days (refresh), partitions (drop), plans, steps (pack); waiting about as many readings, pages or marks';

CREATE FUNCTION report_upkeep(task text, done bigint, ended boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO upkeep_run AS u (task, pid, began_at, reported_at, done, ended_at)
		VALUES (report_upkeep.task, pg_backend_pid(), clock_timestamp(), clock_timestamp(), report_upkeep.done, CASE WHEN report_upkeep.ended THEN clock_timestamp() END)
	ON CONFLICT (task) DO UPDATE SET pid = EXCLUDED.pid, began_at = CASE WHEN EXCLUDED.done = 0 AND EXCLUDED.ended_at IS NULL THEN EXCLUDED.began_at ELSE u.began_at END,
		reported_at = EXCLUDED.reported_at, done = EXCLUDED.done, ended_at = EXCLUDED.ended_at;
	IF report_upkeep.done > 0 THEN
		RAISE NOTICE USING MESSAGE = format('upkeep %s: %s %s', report_upkeep.task, report_upkeep.done, CASE WHEN report_upkeep.ended THEN 'done' ELSE 'so far' END);
	END IF;
END $$;
COMMENT ON FUNCTION report_upkeep(text, bigint, boolean) IS 'Tells how much a task of upkeep has done, as a notice and in upkeep_progress; 0 begins it';

CREATE FUNCTION drop_oldest_partition(before timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET lock_timeout = '2 s' AS $$
DECLARE
	oldest text;
BEGIN
	-- A month goes when all of it is older. Who reads at the moment is waited for, but not for long:
	-- others would queue up behind; the next call tries again.
	SELECT c.relname INTO oldest FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'smarthg.reading_day'::regclass AND c.relname ~ '^reading_day_\d{4}_\d\d$'
			AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before
		ORDER BY c.relname LIMIT 1;
	IF oldest IS NOT NULL THEN
		EXECUTE format('DROP TABLE smarthg.%I', oldest);
		PERFORM drop_packed(oldest);
		INSERT INTO reading_month (month, changed_at, dropped_at) VALUES (to_date(right(oldest, 7), 'YYYY_MM'), now(), now())
			ON CONFLICT (month) DO UPDATE SET dropped_at = EXCLUDED.dropped_at, packed_bytes = NULL, spare = NULL;
		DELETE FROM reading_correction c WHERE c.measured_at < to_date(right(oldest, 7), 'YYYY_MM') + interval '1 month';
	END IF;
	RETURN oldest;
EXCEPTION WHEN lock_not_available THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION drop_oldest_partition(timestamptz) IS 'Drops the oldest month of reading_day, with its corrections, if all of it lies before a moment; returns the partition''s name, null where there is none or readers hold it for more than 2 s. Interval energy stays';

CREATE FUNCTION drop_readings_before(before timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
DECLARE
	dropped integer := 0;
BEGIN
	LOOP
		IF drop_oldest_partition(before) IS NULL THEN
			RETURN dropped;
		END IF;
		dropped := dropped + 1;
	END LOOP;
END $$;
COMMENT ON FUNCTION drop_readings_before(timestamptz) IS 'Drops whole months (UTC) of readings that lie before a moment, with their corrections; returns how many. Interval energy computed from them and its rollups stay, whatever comes late';

-- No SET clause: a procedure that has one may not commit. All names are qualified instead.
CREATE PROCEDURE upkeep()
LANGUAGE plpgsql AS $$
DECLARE
	step bigint;
	done bigint;
	more boolean;
	setting smarthg.installation;
BEGIN
	PERFORM smarthg.report_upkeep('import', 0);
	done := 0;
	LOOP
		COMMIT;
		step := smarthg.import_readings();
		done := done + step;
		EXIT WHEN step = 0;
		PERFORM smarthg.report_upkeep('import', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('import', done, true);
	COMMIT;

	setting := smarthg.settings();
	PERFORM smarthg.ensure_reading_partitions(pg_catalog.now(), pg_catalog.now() + setting.partitions_ahead);
	PERFORM smarthg.report_upkeep('settle', 0);
	done := 0;
	LOOP
		COMMIT;
		more := smarthg.settle_readings();
		done := done + 1;
		EXIT WHEN more IS NOT TRUE;
		PERFORM smarthg.report_upkeep('settle', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('settle', done, true);
	PERFORM smarthg.report_upkeep('refresh', 0);
	done := 0;
	LOOP
		COMMIT;
		EXIT WHEN NOT smarthg.take_upkeep_lock();
		step := smarthg.refresh_marked(20000);
		EXIT WHEN step IS NULL;
		done := done + step;
		PERFORM smarthg.report_upkeep('refresh', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('refresh', done, true);
	COMMIT;

	PERFORM smarthg.report_upkeep('drop', 0);
	done := 0;
	LOOP
		COMMIT;
		EXIT WHEN setting.readings_kept IS NULL OR smarthg.drop_oldest_partition(pg_catalog.now() - setting.readings_kept) IS NULL;
		done := done + 1;
		PERFORM smarthg.report_upkeep('drop', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('drop', done, true);

	PERFORM smarthg.report_upkeep('plans', 0);
	done := 0;
	LOOP
		COMMIT;
		EXIT WHEN setting.plans_kept IS NULL;
		step := smarthg.drop_plans_before(pg_catalog.now() - setting.plans_kept);
		EXIT WHEN step = 0;
		done := done + step;
		PERFORM smarthg.report_upkeep('plans', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('plans', done, true);
	COMMIT;

	PERFORM smarthg.report_upkeep('forecasts', 0);
	done := 0;
	LOOP
		COMMIT;
		step := smarthg.prune_forecasts();
		EXIT WHEN step = 0;
		done := done + step;
		PERFORM smarthg.report_upkeep('forecasts', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('forecasts', done, true);

	PERFORM smarthg.report_upkeep('events', 0);
	done := 0;
	LOOP
		COMMIT;
		EXIT WHEN setting.events_kept IS NULL;
		step := smarthg.drop_events_before(pg_catalog.now() - setting.events_kept);
		EXIT WHEN step = 0;
		done := done + step;
		PERFORM smarthg.report_upkeep('events', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('events', done, true);

	PERFORM smarthg.report_upkeep('market', 0);
	done := 0;
	LOOP
		COMMIT;
		step := smarthg.market_upkeep();
		EXIT WHEN step = 0;
		done := done + step;
		PERFORM smarthg.report_upkeep('market', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('market', done, true);

	PERFORM smarthg.report_upkeep('pack', 0);
	done := 0;
	LOOP
		COMMIT;
		EXIT WHEN coalesce(smarthg.pack_readings(smarthg.month_to_pack()), 'nothing') NOT IN ('copied', 'packed');
		done := done + 1;
		PERFORM smarthg.report_upkeep('pack', done);
	END LOOP;
	PERFORM smarthg.report_upkeep('pack', done, true);
END $$;
COMMENT ON PROCEDURE upkeep() IS
'Takes over reading_import, makes partitions of reading_day ahead, settles what has landed, brings interval energy up to date and drops readings older than installation.readings_kept, plans older than plans_kept, forecasts older than forecasts_kept and what of gateways was over before events_kept, removes what has expired in the market, packs months that are over; each step committed, progress as notices and in upkeep_progress. Cancelled, it has done what it told; the next call does the rest';

CREATE FUNCTION schedule_upkeep(schedule text DEFAULT '* * * * *') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	job bigint;
BEGIN
	IF to_regprocedure('cron.schedule(text, text, text)') IS NULL THEN
		RAISE feature_not_supported USING MESSAGE = 'pg_cron is not installed in this database',
			HINT = 'Let a timer of the operating system run: psql -c ''CALL smarthg.upkeep()''';
	END IF;
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING 'smarthg upkeep', schedule, 'CALL smarthg.upkeep()';
	RETURN job;
END $$;
COMMENT ON FUNCTION schedule_upkeep(text) IS 'Has pg_cron run upkeep by a cron schedule, by default every minute; returns the job''s number. Error: pg_cron is not there';
