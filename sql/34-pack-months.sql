-- Months that are over, written close together (DESIGN.md section 6). A day's row is written anew as
-- its readings come, which leaves room between rows. pack_readings copies a month in the order of
-- its key into full pages and lets the copy take the partition's place. Readers are held up only for
-- the moment of the change, late readings and corrections are settled as ever, before and after.
--
-- A snapshot from before the copy was written would not see its rows: so the copy is committed
-- first and takes its place in a later transaction, when no such snapshot is left. While it is
-- written what arrives goes on landing, and is settled after.

CREATE FUNCTION drop_packed(partition_name text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF to_regclass('smarthg.' || quote_ident(partition_name || '_packed')) IS NOT NULL THEN
		EXECUTE format('DROP TABLE smarthg.%I', partition_name || '_packed');
	END IF;
END $$;
COMMENT ON FUNCTION drop_packed(text) IS 'Drops the copy of a partition of reading_day that waits to take its place, where there is one';

CREATE FUNCTION pack_readings(month date) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET lock_timeout = '2 s' AS $$
#variable_conflict use_column
DECLARE
	name text := to_char(pack_readings.month, '"reading_day_"YYYY_MM');
	first_day date := date_trunc('month', pack_readings.month);
	next_month date := first_day + interval '1 month';
	known reading_month;
BEGIN
	IF NOT take_upkeep_lock() THEN
		RETURN 'busy';
	END IF;
	SELECT * INTO known FROM reading_month m WHERE m.month = first_day;
	IF known.month IS NULL OR to_regclass('smarthg.' || quote_ident(name)) IS NULL THEN
		RETURN 'nothing';
	END IF;
	IF known.spare IS NOT NULL AND known.changed_at <= known.packed_at AND to_regclass('smarthg.' || quote_ident(name || '_packed')) = known.spare THEN
		IF EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid() AND age(a.backend_xmin) >= age(known.spare_xid::xid)) THEN
			RETURN 'waiting';
		END IF;
		BEGIN
			LOCK TABLE reading_day IN ACCESS EXCLUSIVE MODE;
		EXCEPTION WHEN lock_not_available THEN
			RETURN 'waiting';
		END;
		EXECUTE format('DROP TABLE smarthg.%I', name);
		EXECUTE format('ALTER TABLE smarthg.%I RENAME TO %I', name || '_packed', name);
		EXECUTE format('ALTER INDEX smarthg.%I RENAME TO %I', name || '_packed_pkey', name || '_pkey');
		-- Its rows are known to be of the month by this constraint, so that they are not looked through.
		EXECUTE format('ALTER TABLE smarthg.reading_day ATTACH PARTITION smarthg.%I FOR VALUES FROM (%L) TO (%L)', name, first_day, next_month);
		EXECUTE format('ALTER TABLE smarthg.%I DROP CONSTRAINT of_month', name);
		UPDATE reading_month m SET spare = NULL, spare_xid = NULL WHERE m.month = first_day;
		RETURN 'packed';
	END IF;
	-- None yet, or the month has changed since.
	PERFORM drop_packed(name);
	known.spare := make_reading_table(name || '_packed', 100);
	EXECUTE format('ALTER TABLE smarthg.%I ADD CONSTRAINT of_month CHECK (day IS NOT NULL AND day >= %L AND day < %L)', name || '_packed', first_day, next_month);
	EXECUTE format('INSERT INTO smarthg.%I SELECT * FROM smarthg.%I ORDER BY register_id, day', name || '_packed', name);
	EXECUTE format('ANALYZE smarthg.%I', name || '_packed');
	UPDATE reading_month m SET packed_at = clock_timestamp(), packed_bytes = pg_total_relation_size(known.spare), spare = known.spare, spare_xid = pg_current_xact_id()
		WHERE m.month = first_day;
	RETURN 'copied';
END $$;
COMMENT ON FUNCTION pack_readings(date) IS
'A step towards a month of reading_day without room between its rows, each in a transaction of its own: copied (call again), waiting (for those who read since before the copy; call again), packed; nothing: it has no readings; busy: another session settles. upkeep does it for months that are over for a week';

CREATE FUNCTION month_to_pack() RETURNS date
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	-- A late reading is no reason to copy a country's month again: not before it has grown by a fifth.
	SELECT m.month FROM reading_month m, to_regclass('smarthg.reading_day_' || to_char(m.month, 'YYYY_MM')) AS part
	WHERE m.month + interval '1 month 7 days' < now() AND part IS NOT NULL
		AND (m.spare IS NOT NULL OR m.packed_bytes IS NULL OR pg_total_relation_size(part) > 1.2 * m.packed_bytes + 1000000)
	ORDER BY m.spare IS NULL, m.month LIMIT 1
$$;
COMMENT ON FUNCTION month_to_pack() IS 'A month of reading_day that is over for a week and has room between its rows; null: none';
