-- Readings as received, each once, corrections with their history (DESIGN.md section 6).
--
-- Whatever brings readings (the bridge, COPY, INSERT INTO reading) appends them to reading_landing,
-- which has no index: nothing on that way looks anything up, and nothing can fail for lack of a
-- partition. The bridge's records are exactly-once already by its gateways' marks, which move in
-- the same transaction. settle_readings takes what has landed, a batch in a transaction, into
-- reading_day: the readings of a register's UTC day in one row, packed to about 5 bytes each, under
-- the primary key (register_id, day). There a value that came twice is seen and a different one
-- becomes a correction; there the newest value and the marks of interval energy are kept. The view
-- reading shows both tables as one, each register and time once, in any snapshot.

CREATE TABLE reading_landing (
	register_id bigint NOT NULL,
	measured_at timestamptz NOT NULL CHECK (measured_at >= '1970-01-01 00:00:00+00' AND measured_at < '2200-01-01 00:00:00+00'),
	raw_value bigint NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	gateway_id bigint,
	record_no bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE reading_landing IS 'Readings that have arrived and are not settled yet, in any order and any number; the target of COPY for who knows register identifiers. It has no index, so that it takes rows as quickly as a table can';
COMMENT ON COLUMN reading_landing.register_id IS 'The register; without a foreign key, since this is the hot path: ingestion resolves it';
COMMENT ON COLUMN reading_landing.measured_at IS 'When the meter measured it; from 1970 up to 2200';
COMMENT ON COLUMN reading_landing.raw_value IS 'Counts of the register; the unit is on register, the scale on register_epoch';
COMMENT ON COLUMN reading_landing.received_at IS 'When it was received: of different values for one time the last received stands';
COMMENT ON COLUMN reading_landing.gateway_id IS 'The gateway that sent it; null: loaded otherwise';
COMMENT ON COLUMN reading_landing.record_no IS 'Number of the gateway''s record that held it';

CREATE TABLE reading_day (
	register_id bigint NOT NULL,
	day date NOT NULL,
	readings integer NOT NULL CHECK (readings > 0),
	block bytea NOT NULL
) PARTITION BY RANGE (day);
ALTER TABLE reading_day ALTER block SET STORAGE EXTERNAL;
-- The key is on the partitions: one here would make restored partitions have it twice.
COMMENT ON TABLE reading_day IS 'Settled readings, one row for each register and UTC day; partitioned by month, each partition with the primary key (register_id, day). reading shows them a row each';
COMMENT ON COLUMN reading_day.register_id IS 'The register';
COMMENT ON COLUMN reading_day.day IS 'The UTC day of the measured times';
COMMENT ON COLUMN reading_day.readings IS 'How many there are';
COMMENT ON COLUMN reading_day.block IS 'Packed by reading_pack, in ascending time; reading_unpack gives rows';

CREATE TABLE reading_correction (
	register_id bigint NOT NULL,
	measured_at timestamptz NOT NULL,
	raw_value bigint NOT NULL,
	received_at timestamptz NOT NULL,
	gateway_id bigint,
	record_no bigint,
	replaced_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reading_correction_reading ON reading_correction (register_id, measured_at);
COMMENT ON TABLE reading_correction IS 'Earlier values of readings for which a different one came later, from when the later one is settled';
COMMENT ON COLUMN reading_correction.register_id IS 'The register';
COMMENT ON COLUMN reading_correction.measured_at IS 'When the meter measured it';
COMMENT ON COLUMN reading_correction.raw_value IS 'The earlier value, counts';
COMMENT ON COLUMN reading_correction.received_at IS 'When the earlier value was received';
COMMENT ON COLUMN reading_correction.gateway_id IS 'The gateway that sent the earlier value';
COMMENT ON COLUMN reading_correction.record_no IS 'The record that held the earlier value';
COMMENT ON COLUMN reading_correction.replaced_at IS 'When the later value took its place';

CREATE TABLE reading_duplicate (
	register_id bigint PRIMARY KEY,
	duplicates bigint NOT NULL,
	last_at timestamptz NOT NULL
);
COMMENT ON TABLE reading_duplicate IS 'Readings that came again with the value that stood; a register without has no row';
COMMENT ON COLUMN reading_duplicate.register_id IS 'The register';
COMMENT ON COLUMN reading_duplicate.duplicates IS 'How many so far';
COMMENT ON COLUMN reading_duplicate.last_at IS 'When the last one was settled';

CREATE TABLE reading_month (
	month date PRIMARY KEY,
	changed_at timestamptz NOT NULL,
	dropped_at timestamptz,
	packed_at timestamptz,
	packed_bytes bigint,
	spare oid,
	spare_xid xid8
);
COMMENT ON TABLE reading_month IS 'What is to be known of the monthly partitions of reading_day, those dropped included';
COMMENT ON COLUMN reading_month.month IS 'First day of the UTC month';
COMMENT ON COLUMN reading_month.changed_at IS 'When its readings last changed';
COMMENT ON COLUMN reading_month.dropped_at IS 'When they were dropped for their age; null: never';
COMMENT ON COLUMN reading_month.packed_at IS 'When they were last written close together; null: never';
COMMENT ON COLUMN reading_month.packed_bytes IS 'What they took on disk then, index included';
COMMENT ON COLUMN reading_month.spare IS 'The packed copy that waits to take the partition''s place; null: none';
COMMENT ON COLUMN reading_month.spare_xid IS 'The transaction that wrote it';

CREATE FUNCTION reading_horizon() RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce(max(m.month + interval '1 month')::date, '-infinity') FROM reading_month m WHERE m.dropped_at IS NOT NULL
$$;
COMMENT ON FUNCTION reading_horizon() IS 'The UTC day before which readings have been dropped for their age: energy of the days before stays as it was computed. -infinity: none were';

CREATE FUNCTION reading_pack_step(state internal, measured_at timestamptz, raw_value bigint, received_at timestamptz, gateway_id bigint, record_no bigint, place tid) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_pack_step';
COMMENT ON FUNCTION reading_pack_step(internal, timestamptz, bigint, timestamptz, bigint, bigint, tid) IS 'Step of the aggregate reading_pack';
CREATE FUNCTION reading_pack_end(state internal) RETURNS bytea
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_pack_end';
COMMENT ON FUNCTION reading_pack_end(internal) IS 'End of the aggregate reading_pack';
CREATE AGGREGATE reading_pack(measured_at timestamptz, raw_value bigint, received_at timestamptz, gateway_id bigint, record_no bigint, place tid) (
	SFUNC = reading_pack_step, STYPE = internal, FINALFUNC = reading_pack_end, PARALLEL = SAFE
);
COMMENT ON AGGREGATE reading_pack(timestamptz, bigint, timestamptz, bigint, bigint, tid) IS
'Readings of one register packed into bytes by their differences, in the order of measured_at, received_at and place; about 5 bytes each where they are regular. Error: null time, value, time of arrival or place';

CREATE FUNCTION reading_merge(old_block bytea, arrivals bytea,
	OUT block bytea, OUT readings integer, OUT replaced bytea, OUT changed_from timestamptz, OUT changed_until timestamptz, OUT newest_raw_value bigint,
	OUT rewritten boolean, OUT duplicates integer)
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_merge';
COMMENT ON FUNCTION reading_merge(bytea, bytea) IS
'Takes packed arrivals into a packed block (null: none yet) in which each time stands once: of different values the last received, the others in replaced (null: none). changed_from, changed_until: first and last reading that is new or has another value (null: none), newest_raw_value that of the last; rewritten whether the block differs from the old one (a value that is received again keeps its last arrival), duplicates how many arrivals had the value that stood. Error: not a block';

CREATE FUNCTION reading_unpack(block bytea)
RETURNS TABLE (measured_at timestamptz, raw_value bigint, received_at timestamptz, gateway_id bigint, record_no bigint)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 96 AS 'MODULE_PATHNAME', 'smarthg_reading_unpack';
COMMENT ON FUNCTION reading_unpack(bytea) IS 'The readings of a packed block as rows. Error: not a block';

CREATE FUNCTION reading_without(block bytea, from_time timestamptz, until_time timestamptz) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_without';
COMMENT ON FUNCTION reading_without(bytea, timestamptz, timestamptz) IS 'A packed block without the readings of [from_time, until_time); null where none is left. Error: not a block';

CREATE FUNCTION reading_later(block bytea, measured_at timestamptz, received_at timestamptz) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_later';
COMMENT ON FUNCTION reading_later(bytea, timestamptz, timestamptz) IS 'Whether a packed block holds a reading of that time received later than that. Error: not a block';

CREATE FUNCTION first_reading_since(register_id bigint, day date) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT min(u.measured_at) FROM (SELECT d.block FROM reading_day d WHERE d.register_id = first_reading_since.register_id AND d.day >= first_reading_since.day ORDER BY d.day LIMIT 1) AS d,
		reading_unpack(d.block) AS u
$$;
COMMENT ON FUNCTION first_reading_since(bigint, date) IS 'Time of the first settled reading of a register from a UTC day on; null: none';

-- What was received last may be settled before what was received first, since vacuum frees places
-- anywhere in the landing table: each side gives way to the later one of the other.
CREATE VIEW reading WITH (security_invoker = true) AS
SELECT d.register_id, u.measured_at, u.raw_value, u.received_at, u.gateway_id, u.record_no
FROM reading_day d, reading_unpack(d.block) AS u
WHERE NOT EXISTS (SELECT FROM reading_landing l WHERE l.register_id = d.register_id AND l.measured_at = u.measured_at AND l.received_at >= u.received_at)
UNION ALL
SELECT l.* FROM (
	SELECT DISTINCT ON (register_id, measured_at) register_id, measured_at, raw_value, received_at, gateway_id, record_no
	FROM reading_landing ORDER BY register_id, measured_at, received_at DESC, ctid DESC
) AS l
LEFT JOIN reading_day d ON d.register_id = l.register_id AND d.day = (l.measured_at AT TIME ZONE 'UTC')::date
WHERE d.block IS NULL OR NOT reading_later(d.block, l.measured_at, l.received_at);
COMMENT ON VIEW reading IS 'Readings exactly as received, once for each register and time: of different values the last received. INSERT adds to it. Restrict it by register_id; register_readings is quick over a range of time too';
COMMENT ON COLUMN reading.register_id IS 'The register';
COMMENT ON COLUMN reading.measured_at IS 'When the meter measured it';
COMMENT ON COLUMN reading.raw_value IS 'Counts of the register; the unit is on register, the scale on register_epoch';
COMMENT ON COLUMN reading.received_at IS 'When it was received; the last time, where it came more than once';
COMMENT ON COLUMN reading.gateway_id IS 'The gateway that sent it; null: loaded otherwise';
COMMENT ON COLUMN reading.record_no IS 'Number of the gateway''s record that held it';

CREATE FUNCTION land_reading() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	INSERT INTO reading_landing VALUES (NEW.register_id, NEW.measured_at, NEW.raw_value, coalesce(NEW.received_at, now()), NEW.gateway_id, NEW.record_no);
	RETURN NEW;
END $$;
COMMENT ON FUNCTION land_reading() IS 'Lets readings that are inserted into the view reading land';
CREATE TRIGGER land_reading INSTEAD OF INSERT ON reading FOR EACH ROW EXECUTE FUNCTION land_reading();

CREATE FUNCTION register_readings(register_id bigint, from_time timestamptz DEFAULT '-infinity', until_time timestamptz DEFAULT 'infinity')
RETURNS TABLE (measured_at timestamptz, raw_value bigint, received_at timestamptz, gateway_id bigint, record_no bigint)
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	WITH landed AS MATERIALIZED (
		SELECT DISTINCT ON (l.measured_at) l.measured_at, l.raw_value, l.received_at, l.gateway_id, l.record_no FROM reading_landing l
		WHERE l.register_id = register_readings.register_id AND l.measured_at >= from_time AND l.measured_at < until_time
		ORDER BY l.measured_at, l.received_at DESC, l.ctid DESC
	)
	SELECT u.* FROM reading_day d, reading_unpack(d.block) AS u
	WHERE d.register_id = register_readings.register_id AND d.day BETWEEN from_time::date AND until_time::date
		AND u.measured_at >= from_time AND u.measured_at < until_time AND NOT EXISTS (SELECT FROM landed WHERE landed.measured_at = u.measured_at AND landed.received_at >= u.received_at)
	UNION ALL
	SELECT landed.* FROM landed LEFT JOIN reading_day d ON d.register_id = register_readings.register_id AND d.day = landed.measured_at::date
	WHERE d.block IS NULL OR NOT reading_later(d.block, landed.measured_at, landed.received_at)
	ORDER BY 1
$$;
COMMENT ON FUNCTION register_readings(bigint, timestamptz, timestamptz) IS 'The readings of a register in [from_time, until_time), as in the view reading, in ascending time';

CREATE FUNCTION make_reading_table(name text, fill integer) RETURNS oid
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE TABLE smarthg.%I (LIKE smarthg.reading_day INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE, PRIMARY KEY (register_id, day)) WITH (fillfactor = %s)', name, fill);
	-- By its own name it is open to nobody.
	EXECUTE format('ALTER TABLE smarthg.%I ENABLE ROW LEVEL SECURITY', name);
	RETURN format('smarthg.%I', name)::regclass;
END $$;
COMMENT ON FUNCTION make_reading_table(text, integer) IS 'Makes a table that can become a partition of reading_day, its pages filled to so many percent; returns its oid';

CREATE FUNCTION ensure_reading_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	first_day date;
	partition_name text := to_char(month, '"reading_day_"YYYY_MM');
BEGIN
	IF NOT isfinite(month) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a partition of reading_day needs a finite month';
	END IF;
	IF to_regclass('smarthg.' || quote_ident(partition_name)) IS NOT NULL THEN
		RETURN false;
	END IF;
	-- Two sessions may want the same month at once: the second waits, then finds it. A table's
	-- lock, unlike an advisory one, makes it see what the first has committed. The strongest one,
	-- so that no query is between its planning, which would not know the partition, and its
	-- snapshot, which would no longer find in the landing table what has been settled into it.
	LOCK TABLE reading_day IN ACCESS EXCLUSIVE MODE;
	IF to_regclass('smarthg.' || quote_ident(partition_name)) IS NOT NULL THEN
		RETURN false;
	END IF;
	first_day := date_trunc('month', month);
	-- A row is rewritten as its day goes on: room for the next version in the same page.
	PERFORM make_reading_table(partition_name, 85);
	EXECUTE format('ALTER TABLE smarthg.reading_day ATTACH PARTITION smarthg.%I FOR VALUES FROM (%L) TO (%L)', partition_name, first_day, (first_day + interval '1 month')::date);
	RETURN true;
END $$;
COMMENT ON FUNCTION ensure_reading_partition(timestamptz) IS 'Makes the partition of reading_day that holds a moment (a UTC month) where it is absent; tells whether it made it';

CREATE FUNCTION ensure_reading_partitions(first_at timestamptz, last_at timestamptz) RETURNS integer
LANGUAGE sql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	SELECT count(*) FILTER (WHERE ensure_reading_partition(month))::integer
	FROM generate_series(date_trunc('month', first_at), last_at, interval '1 month') AS month
$$;
COMMENT ON FUNCTION ensure_reading_partitions(timestamptz, timestamptz) IS 'Makes the monthly partitions of reading_day (UTC months) for a range of times where absent; returns how many it made. settle_readings does so by itself: this is for making them ahead. Where it makes one it waits for all who read readings at the moment, and others wait for it';

CREATE FUNCTION take_upkeep_lock() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- A lock that needs a privilege, so that nobody else can stand in the way, on a table that does
	-- not change, so that no vacuum does.
	LOCK TABLE installation IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION take_upkeep_lock() IS 'Settling, refreshing and dropping are done by one session at a time, to the end of its transaction; false where another one is at it';

CREATE FUNCTION settle_landed(first_page bigint, until_page bigint) RETURNS timestamptz[]
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET work_mem = '256MB' SET enable_hashagg = off SET jit = off AS $$
DECLARE
	months text[] := ARRAY(SELECT right(c.relname, 7) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'smarthg.reading_day'::regclass);
	missing timestamptz[];
	first_row tid := format('(%s,0)', first_page)::tid;
	until_row tid := format('(%s,0)', until_page)::tid;
BEGIN
	-- Both parts of one statement see the same rows.
	WITH taken AS (
		SELECT ctid AS place, * FROM reading_landing WHERE ctid >= first_row AND ctid < until_row
	), gone AS (
		DELETE FROM reading_landing WHERE ctid >= first_row AND ctid < until_row
	), packed AS (
		SELECT t.register_id, t.measured_at::date AS day, reading_pack(t.measured_at, t.raw_value, t.received_at, t.gateway_id, t.record_no, t.place) AS arrivals
		FROM taken t GROUP BY 1, 2
	), placed AS (
		SELECT p.*, to_char(p.day, 'YYYY_MM') = ANY (months) AS has_partition FROM packed p
	), merged AS MATERIALIZED (
		SELECT p.register_id, p.day, old.block IS NOT NULL AS was_there, m.*
		FROM placed p LEFT JOIN reading_day old USING (register_id, day), reading_merge(old.block, p.arrivals) AS m
		WHERE p.has_partition
	), inserted AS (
		INSERT INTO reading_day (register_id, day, readings, block)
		SELECT m.register_id, m.day, m.readings, m.block FROM merged m WHERE NOT m.was_there
	), updated AS (
		UPDATE reading_day d SET readings = m.readings, block = m.block
		FROM merged m WHERE m.was_there AND m.rewritten AND d.register_id = m.register_id AND d.day = m.day
	), months_changed AS (
		INSERT INTO reading_month (month, changed_at) SELECT date_trunc('month', m.day)::date, clock_timestamp() FROM merged m WHERE m.rewritten GROUP BY 1
		ON CONFLICT (month) DO UPDATE SET changed_at = EXCLUDED.changed_at
	), repeated AS (
		INSERT INTO reading_duplicate AS d (register_id, duplicates, last_at)
		SELECT m.register_id, sum(m.duplicates), clock_timestamp() FROM merged m WHERE m.duplicates > 0 GROUP BY 1
		ON CONFLICT (register_id) DO UPDATE SET duplicates = d.duplicates + EXCLUDED.duplicates, last_at = EXCLUDED.last_at
	), kept AS (
		INSERT INTO reading_correction (register_id, measured_at, raw_value, received_at, gateway_id, record_no)
		SELECT m.register_id, u.* FROM merged m, reading_unpack(m.replaced) AS u
	), islands AS (
		-- Days apart are marked apart: a reading of long ago must not redo the years since.
		SELECT m.*, m.day - dense_rank() OVER (PARTITION BY m.register_id ORDER BY m.day)::integer AS island FROM merged m WHERE m.changed_from IS NOT NULL
	), changed AS (
		SELECT i.register_id, min(i.changed_from) AS dirty_from, max(i.changed_until) AS dirty_until,
			(array_agg(i.newest_raw_value ORDER BY i.day DESC))[1] AS newest_raw_value
		FROM islands i GROUP BY i.register_id, i.island
	), newest AS (
		UPDATE register r SET last_reading_at = c.dirty_until, last_raw_value = c.newest_raw_value
		FROM (SELECT DISTINCT ON (register_id) * FROM changed ORDER BY register_id, dirty_until DESC) AS c WHERE r.register_id = c.register_id AND c.dirty_until >= coalesce(r.last_reading_at, '-infinity')
	), marked AS (
		INSERT INTO interval_dirty (register_id, dirty_from, dirty_until)
		SELECT c.register_id, c.dirty_from, c.dirty_until FROM changed c JOIN register r USING (register_id) WHERE r.cumulative AND r.unit = 'kWh'
	), back AS (
		-- Of a month that has no partition: they land again, and the caller makes it.
		INSERT INTO reading_landing SELECT p.register_id, u.* FROM placed p, reading_unpack(p.arrivals) AS u WHERE NOT p.has_partition RETURNING measured_at
	)
	SELECT array_agg(DISTINCT date_trunc('month', measured_at)) INTO missing FROM back;
	RETURN missing;
END $$;
COMMENT ON FUNCTION settle_landed(bigint, bigint) IS 'Settles what has landed in pages [first_page, until_page) of reading_landing; returns the months that have no partition yet, whose readings land again. A part of settle_readings';

CREATE FUNCTION settle_readings(most integer DEFAULT 2000000) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET synchronize_seqscans = off AS $$
DECLARE
	-- As many rows as fit a page.
	pages bigint := greatest(settle_readings.most / 130, 1);
	first_page bigint;
	month timestamptz;
BEGIN
	IF NOT take_upkeep_lock() THEN
		RETURN NULL;
	END IF;
	SELECT (ctid::text::point)[0]::bigint INTO first_page FROM reading_landing LIMIT 1;
	IF first_page IS NULL THEN
		RETURN false;
	END IF;
	PERFORM ensure_reading_partition(m.month) FROM (
		SELECT DISTINCT date_trunc('month', measured_at) AS month FROM reading_landing
		WHERE ctid >= format('(%s,0)', first_page)::tid AND ctid < format('(%s,0)', first_page + pages)::tid
	) AS m;
	-- Readings of yet another month may have come since.
	FOREACH month IN ARRAY coalesce(settle_landed(first_page, first_page + pages), '{}') LOOP
		PERFORM ensure_reading_partition(month);
	END LOOP;
	IF month IS NOT NULL THEN
		SELECT (ctid::text::point)[0]::bigint INTO first_page FROM reading_landing LIMIT 1;
		PERFORM settle_landed(first_page, first_page + pages);
	END IF;
	RETURN EXISTS (SELECT FROM reading_landing);
END $$;
COMMENT ON FUNCTION settle_readings(integer) IS
'Takes up to about so many readings that have landed to their place in reading_day: each register and time once, different values to reading_correction; makes missing partitions, keeps the registers'' newest values, marks interval energy to be computed. Returns whether more are waiting; null where another session is at it. Cancelled, it has done nothing';

CREATE FUNCTION forget_readings(register_id bigint, from_time timestamptz DEFAULT '-infinity', until_time timestamptz DEFAULT 'infinity') RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
#variable_conflict use_column
DECLARE
	registers bigint[];
	days date[];
	horizon date;
	first_before timestamptz;
	gone_until timestamptz;
	slot_s numeric;
BEGIN
	-- Whoever settles at the moment is waited for.
	LOCK TABLE installation IN SHARE UPDATE EXCLUSIVE MODE;
	horizon := reading_horizon();
	first_before := first_reading_since(register_id, horizon);
	DELETE FROM reading_landing l WHERE l.register_id = forget_readings.register_id AND l.measured_at >= from_time AND l.measured_at < until_time;
	DELETE FROM reading_correction c WHERE c.register_id = forget_readings.register_id AND c.measured_at >= from_time AND c.measured_at < until_time;
	WITH rest AS (
		SELECT d.register_id, d.day, reading_without(d.block, from_time, until_time) AS block FROM reading_day d
		WHERE d.register_id = forget_readings.register_id AND d.day BETWEEN from_time::date AND until_time::date
	), gone AS (
		DELETE FROM reading_day d USING rest WHERE d.register_id = rest.register_id AND d.day = rest.day AND rest.block IS NULL
	)
	UPDATE reading_day d SET block = rest.block, readings = (SELECT count(*) FROM reading_unpack(rest.block))
		FROM rest WHERE d.register_id = rest.register_id AND d.day = rest.day AND rest.block IS NOT NULL AND rest.block <> d.block;
	-- Energy before the first reading that was not dropped goes here: there is nothing to compute it
	-- anew from. With that reading what it began goes too.
	IF isfinite(horizon) THEN
		gone_until := coalesce(first_reading_since(register_id, horizon), 'infinity');
		IF first_before IS NULL OR first_before < from_time OR first_before >= until_time THEN
			gone_until := least(gone_until, until_time);
		END IF;
		slot_s := extract(epoch FROM (settings()).base_slot);
		WITH rest AS (
			SELECT e.register_id, e.day, energy_splice(
				energy_splice(e.block, NULL, floor(extract(epoch FROM greatest(from_time, e.day) - e.day) / slot_s)::integer),
				e.block, ceil(extract(epoch FROM least(gone_until, e.day + 1) - e.day) / slot_s)::integer) AS block
			FROM energy_day e WHERE e.register_id = forget_readings.register_id AND e.day > from_time - interval '1 day' AND e.day < gone_until
		), gone AS (
			DELETE FROM energy_day e USING rest WHERE e.register_id = rest.register_id AND e.day = rest.day AND rest.block IS NULL RETURNING e.register_id, e.day
		), cut AS (
			UPDATE energy_day e SET block = rest.block FROM rest WHERE e.register_id = rest.register_id AND e.day = rest.day AND rest.block <> e.block RETURNING e.register_id, e.day
		)
		SELECT array_agg(g.register_id), array_agg(g.day) INTO registers, days FROM (SELECT * FROM gone UNION ALL SELECT * FROM cut) AS g;
	END IF;
	PERFORM roll_up(registers, days);
	UPDATE reading_month m SET changed_at = clock_timestamp() WHERE m.month + interval '1 month' > from_time AND m.month <= until_time;
	INSERT INTO interval_dirty (register_id, dirty_from, dirty_until)
		SELECT r.register_id, greatest(from_time, '1970-01-01 00:00Z'), least(until_time, r.last_reading_at) FROM register r
		WHERE r.register_id = forget_readings.register_id AND r.cumulative AND r.unit = 'kWh' AND r.last_reading_at >= from_time;
	UPDATE register r SET last_reading_at = n.measured_at, last_raw_value = n.raw_value
		FROM (SELECT 1) AS one LEFT JOIN LATERAL (
			SELECT u.measured_at, u.raw_value FROM (SELECT d.block FROM reading_day d WHERE d.register_id = forget_readings.register_id ORDER BY d.day DESC LIMIT 1) AS d,
				reading_unpack(d.block) AS u ORDER BY u.measured_at DESC LIMIT 1) AS n ON true
		WHERE r.register_id = forget_readings.register_id AND r.last_reading_at >= from_time AND r.last_reading_at < until_time;
END $$;
COMMENT ON FUNCTION forget_readings(bigint, timestamptz, timestamptz) IS 'Erases the readings of a register in [from_time, until_time) with their corrections, and marks its interval energy to be computed anew without them; of readings dropped before, the energy of the slots that it touches';
