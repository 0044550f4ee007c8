-- Interval energy per slot from cumulative registers, kept up to date from the readings that
-- came in since (DESIGN.md section 6).

CREATE TYPE energy_quality AS ENUM ('measured', 'interpolated', 'estimated');
COMMENT ON TYPE energy_quality IS 'measured: readings at both ends of the slot; interpolated: an end lies between near readings; estimated: between far ones, or the counter was reset';

CREATE TABLE energy_day (
	register_id bigint NOT NULL,
	day date NOT NULL,
	block bytea NOT NULL,
	PRIMARY KEY (register_id, day)
) WITH (fillfactor = 85);
ALTER TABLE energy_day ALTER block SET STORAGE EXTERNAL;
COMMENT ON TABLE energy_day IS 'Interval energy of a register, one row a UTC day with a slot for each installation.base_slot; interval_energy shows it a row a slot';
COMMENT ON COLUMN energy_day.register_id IS 'The register';
COMMENT ON COLUMN energy_day.day IS 'The UTC day';
COMMENT ON COLUMN energy_day.block IS 'Packed energy and quality of its slots; energy_unpack gives rows. Slots that readings do not cover entirely are not known';

CREATE FUNCTION energy_pack(energy_kwh float8[], quality energy_quality[] DEFAULT NULL) RETURNS bytea
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_energy_pack';
COMMENT ON FUNCTION energy_pack(float8[], energy_quality[]) IS
'Energy of consecutive base slots, kWh, null where it is not known, packed into a block as energy_day has it: about 2 bytes a slot where a register counts Wh, to 1e-9 kWh. quality null: measured. Errors: arrays of different length, no or infinite energy, more than 1,440 slots';

CREATE FUNCTION energy_unpack(block bytea) RETURNS TABLE (slot integer, energy_kwh float8, quality energy_quality, covered integer)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 50 AS 'MODULE_PATHNAME', 'smarthg_energy_unpack';
COMMENT ON FUNCTION energy_unpack(bytea) IS
'The slots of a packed block of which something is known: number from 0, energy of the part that is known, kWh, the worst quality in it, and of how many base slots it is made. Error: not a block';

CREATE FUNCTION energy_splice(earlier bytea, later bytea, from_slot integer) RETURNS bytea
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_energy_splice';
COMMENT ON FUNCTION energy_splice(bytea, bytea, integer) IS
'A block with the slots before number from_slot (from 0) of earlier and the others of later; in a null block no slot is known, and the result is null where none is. Errors: not a block, blocks of different length';

CREATE VIEW interval_energy WITH (security_invoker = true) AS
SELECT d.register_id, (d.day + s.slot * (SELECT (settings()).base_slot)) AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality, d.day
FROM energy_day d, energy_unpack(d.block) AS s;
COMMENT ON VIEW interval_energy IS 'Energy of each half-open slot of length installation.base_slot from differences of a cumulative register, kWh; a slot that readings do not cover entirely has no row. Restrict it by register_id, and a long history by day (UTC) too';

CREATE TABLE interval_dirty (
	register_id bigint NOT NULL,
	dirty_from timestamptz NOT NULL,
	dirty_until timestamptz NOT NULL,
	fault text,
	CHECK (dirty_from <= dirty_until)
);
CREATE INDEX interval_dirty_register ON interval_dirty (register_id);
COMMENT ON TABLE interval_dirty IS 'Ranges of readings, both ends included, that came or changed since interval energy was last computed';
COMMENT ON COLUMN interval_dirty.register_id IS 'The register';
COMMENT ON COLUMN interval_dirty.dirty_from IS 'First reading of the range';
COMMENT ON COLUMN interval_dirty.dirty_until IS 'Last reading of the range';
COMMENT ON COLUMN interval_dirty.fault IS 'Why it could not be computed: it waits for somebody to look at it and set this to null; null: to be done'; 

CREATE FUNCTION interval_energy_series(
	measured_at timestamptz[], raw_value bigint[], epoch integer[],
	epoch_kwh_per_count float8[], epoch_modulus bigint[],
	from_slot timestamptz, until_slot timestamptz, slot_length interval, interpolation_limit interval DEFAULT '1 hour',
	gap_limit interval DEFAULT '35 days', plausible_kw float8 DEFAULT 10000)
RETURNS TABLE (slot_start timestamptz, energy_kwh float8, quality energy_quality)
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_interval_energy_series';
COMMENT ON FUNCTION interval_energy_series(timestamptz[], bigint[], integer[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8) IS
'Energy per slot, kWh, from readings of a cumulative register in ascending time: raw_value in counts, epoch the 1-based index into epoch_kwh_per_count and epoch_modulus (null modulus: rollover unknown); no difference is taken across epochs, over more than gap_limit, or where it would be more than plausible_kw; a single reading out of line with both neighbours is passed over. Only slots of [from_slot, until_slot) that are covered entirely come out. Errors: arrays of different length, null elements, times not ascending (DESIGN.md section 6)';

CREATE FUNCTION interval_energy_days(blocks bytea[], epoch_from timestamptz[], epoch_kwh_per_count float8[], epoch_modulus bigint[],
	dirty_from timestamptz, dirty_until timestamptz, slot_length interval, interpolation_limit interval, gap_limit interval, plausible_kw float8,
	begins boolean, ends boolean)
RETURNS TABLE (day date, block bytea)
LANGUAGE c STABLE PARALLEL SAFE ROWS 2 AS 'MODULE_PATHNAME', 'smarthg_interval_energy_days';
COMMENT ON FUNCTION interval_energy_days(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8, boolean, boolean) IS
'interval_energy_series for the whole UTC days that readings new or changed in [dirty_from, dirty_until] reach, packed, from the packed readings of these days and their neighbours in ascending time and the epochs in ascending order; a null block for a day of which nothing is known. begins and ends tell whether the register has no readings before and none after these; one row of a null day tells that they are not enough for the same as from all of them. An endless range is that of the readings. Errors: as there, more than 100,000 days';

CREATE FUNCTION refresh_registers(registers bigint[], dirty_from timestamptz[], dirty_until timestamptz[], neighbours integer DEFAULT 4) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET work_mem = '64MB' SET jit = off
	SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	horizon date := reading_horizon();
	changed_registers bigint[];
	changed_days date[];
	lacking bigint[];
	lacking_from timestamptz[];
	lacking_until timestamptz[];
BEGIN
	WITH dirty AS MATERIALIZED (
		-- Where readings were dropped for their age, those that come late still are not all there were.
		SELECT i.register_id, greatest(i.dirty_from, horizon) AS dirty_from, i.dirty_until, e.*
		FROM unnest(registers, refresh_registers.dirty_from, refresh_registers.dirty_until) AS i(register_id, dirty_from, dirty_until),
			LATERAL (SELECT array_agg(e.valid_from ORDER BY e.valid_from) AS epoch_from, array_agg(e.multiplier::float8 / e.divisor ORDER BY e.valid_from) AS scale,
				array_agg(e.modulus ORDER BY e.valid_from) AS modulus FROM register_epoch e WHERE e.register_id = i.register_id) AS e
		WHERE e.epoch_from IS NOT NULL AND i.dirty_until >= horizon
	), computed AS MATERIALIZED (
		SELECT d.register_id, d.dirty_from, d.dirty_until, f.*, setting.base_slot,
			CASE WHEN stored.begins AND isfinite(horizon) THEN coalesce(first_reading_since(d.register_id, horizon), 'infinity') ELSE '-infinity' END AS kept_until
		FROM (SELECT s.* FROM settings() AS s OFFSET 0) AS setting, dirty d,
			LATERAL (SELECT array_agg(b.block ORDER BY b.day) AS blocks, count(*) FILTER (WHERE side = 'before') < neighbours AS begins, count(*) FILTER (WHERE side = 'after') < neighbours AS ends FROM (
				(SELECT 'before' AS side, r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day < d.dirty_from::date AND r.day >= horizon ORDER BY r.day DESC LIMIT neighbours)
				UNION ALL SELECT 'within', r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day BETWEEN d.dirty_from::date AND d.dirty_until::date
				UNION ALL (SELECT 'after', r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day > d.dirty_until::date ORDER BY r.day LIMIT neighbours)
			) AS b) AS stored,
			interval_energy_days(stored.blocks, d.epoch_from, d.scale, d.modulus, d.dirty_from, d.dirty_until,
				setting.base_slot, setting.interpolation_limit, setting.gap_limit, setting.plausible_kw, stored.begins, stored.ends) AS f
	), fresh AS MATERIALIZED (
		-- Where two ranges reach one day it is the same from both. Energy before the first reading that
		-- was not dropped stays.
		SELECT DISTINCT ON (c.register_id, c.day) c.register_id, c.day, CASE WHEN c.kept_until <= c.day THEN c.block ELSE
			energy_splice((SELECT e.block FROM energy_day e WHERE e.register_id = c.register_id AND e.day = c.day), c.block,
				ceil(extract(epoch FROM least(c.kept_until, c.day + 1) - c.day) / extract(epoch FROM c.base_slot))::integer) END AS block
		FROM computed c WHERE c.day >= horizon ORDER BY c.register_id, c.day, c.block IS NULL
	), gone AS (
		DELETE FROM energy_day old USING fresh WHERE old.register_id = fresh.register_id AND old.day = fresh.day AND fresh.block IS NULL RETURNING old.register_id, old.day
	), updated AS (
		UPDATE energy_day old SET block = fresh.block FROM fresh
		WHERE old.register_id = fresh.register_id AND old.day = fresh.day AND old.block <> fresh.block RETURNING old.register_id, old.day
	), inserted AS (
		INSERT INTO energy_day (register_id, day, block)
		SELECT fresh.register_id, fresh.day, fresh.block FROM fresh WHERE fresh.block IS NOT NULL
			AND NOT EXISTS (SELECT FROM energy_day old WHERE old.register_id = fresh.register_id AND old.day = fresh.day)
		RETURNING energy_day.register_id, energy_day.day
	)
	SELECT c.registers, c.days, l.registers, l.froms, l.untils INTO changed_registers, changed_days, lacking, lacking_from, lacking_until
		FROM (SELECT array_agg(c.register_id) AS registers, array_agg(c.day) AS days FROM (SELECT * FROM gone UNION ALL SELECT * FROM updated UNION ALL SELECT * FROM inserted) AS c) AS c,
			(SELECT array_agg(c.register_id) AS registers, array_agg(c.dirty_from) AS froms, array_agg(c.dirty_until) AS untils FROM computed c WHERE c.day IS NULL) AS l;
	PERFORM roll_up(changed_registers, changed_days);
	RETURN coalesce(cardinality(changed_days), 0) + coalesce(refresh_registers(lacking, lacking_from, lacking_until, 8 * neighbours), 0);
END $$;
COMMENT ON FUNCTION refresh_registers(bigint[], timestamptz[], timestamptz[], integer) IS 'Computes interval energy of registers anew around their settled readings from dirty_from to dirty_until, both included, and what is rolled up from it, but nothing before the first reading that was not dropped. Looks at so many neighbouring days with readings on either side, and at more where they are not enough; returns the number of register days changed';

CREATE FUNCTION refresh_register(register_id bigint, dirty_from timestamptz, dirty_until timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
	SELECT refresh_registers(ARRAY[register_id], ARRAY[dirty_from], ARRAY[dirty_until])
$$;
COMMENT ON FUNCTION refresh_register(bigint, timestamptz, timestamptz) IS 'Computes interval energy of one register anew around the settled readings from dirty_from to dirty_until; returns the number of days changed';

CREATE FUNCTION begin_epoch(register_id bigint, valid_from timestamptz, multiplier bigint, divisor bigint, modulus bigint, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO register_epoch (register_id, valid_from, multiplier, divisor, modulus, reason)
		VALUES (begin_epoch.register_id, begin_epoch.valid_from, begin_epoch.multiplier, begin_epoch.divisor, begin_epoch.modulus, begin_epoch.reason)
		ON CONFLICT (register_id, valid_from) DO UPDATE SET multiplier = EXCLUDED.multiplier, divisor = EXCLUDED.divisor, modulus = EXCLUDED.modulus, reason = EXCLUDED.reason;
	-- What was computed with the scale before is computed anew.
	INSERT INTO interval_dirty (register_id, dirty_from, dirty_until)
		SELECT r.register_id, begin_epoch.valid_from, r.last_reading_at FROM register r
		WHERE r.register_id = begin_epoch.register_id AND r.cumulative AND r.unit = 'kWh' AND r.last_reading_at >= begin_epoch.valid_from;
END $$;
COMMENT ON FUNCTION begin_epoch(bigint, timestamptz, bigint, bigint, bigint, text) IS 'From a moment on a register counts with another scale or on another meter (exchange): no difference is taken across it. Said again of the same moment, the last holds; the energy after it is marked to be computed anew';

CREATE FUNCTION base_slot_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF NEW.base_slot <> OLD.base_slot AND (EXISTS (SELECT FROM energy_day) OR EXISTS (SELECT FROM energy_rollup)) THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'base_slot cannot be changed any more',
			DETAIL = 'Energy is stored in slots of the present length.', HINT = 'Empty energy_day and energy_rollup first; then mark all readings in interval_dirty.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION base_slot_kept() IS 'Refuses another base_slot while energy is stored in slots of the present one';
CREATE TRIGGER base_slot_kept BEFORE UPDATE ON installation FOR EACH ROW EXECUTE FUNCTION base_slot_kept();

CREATE FUNCTION refresh_marked(most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	registers bigint[];
	froms timestamptz[];
	untils timestamptz[];
	changed bigint := 0;
BEGIN
	WITH taken AS (
		DELETE FROM interval_dirty WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM interval_dirty d WHERE d.fault IS NULL LIMIT most)) RETURNING *
	), islands AS (
		-- Ranges apart by days are separate work: one late reading must not redo a year.
		SELECT *, count(*) FILTER (WHERE apart) OVER (PARTITION BY register_id ORDER BY dirty_from, dirty_until) AS island
		FROM (SELECT *, dirty_from > max(dirty_until) OVER (PARTITION BY register_id ORDER BY dirty_from, dirty_until
				ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + interval '2 days' AS apart FROM taken) AS marked
	), merged AS (
		SELECT register_id, min(dirty_from) AS dirty_from, max(dirty_until) AS dirty_until FROM islands GROUP BY register_id, island
	)
	SELECT array_agg(register_id ORDER BY register_id, dirty_from), array_agg(dirty_from ORDER BY register_id, dirty_from), array_agg(dirty_until ORDER BY register_id, dirty_from)
	INTO registers, froms, untils FROM merged;
	IF registers IS NULL THEN
		RETURN NULL;
	END IF;
	BEGIN
		RETURN refresh_registers(registers, froms, untils);
	EXCEPTION WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation THEN
		-- One of them: each by itself.
	END;
	FOR i IN 1 .. cardinality(registers) LOOP
		BEGIN
			changed := changed + refresh_register(registers[i], froms[i], untils[i]);
		EXCEPTION WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation THEN
			-- One register must not hold up the others.
			INSERT INTO interval_dirty VALUES (registers[i], froms[i], untils[i], SQLERRM);
			RAISE WARNING USING MESSAGE = format('interval energy of register %s cannot be computed: %s', registers[i], SQLERRM);
		END;
	END LOOP;
	RETURN changed;
END $$;
COMMENT ON FUNCTION refresh_marked(integer) IS 'Computes interval energy for up to so many marks of interval_dirty; returns the number of register days changed, null where nothing was marked. A part of refresh_interval_energy';

CREATE FUNCTION refresh_interval_energy() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	changed bigint := 0;
	more bigint;
BEGIN
	-- One at a time; whoever comes second comes again later.
	IF settle_readings() IS NULL THEN
		RETURN NULL;
	END IF;
	LOOP
		more := refresh_marked(10000);
		EXIT WHEN more IS NULL;
		changed := changed + more;
	END LOOP;
	RETURN changed;
END $$;
COMMENT ON FUNCTION refresh_interval_energy() IS 'Settles readings that have landed and brings interval energy up to date with them; returns the number of register days changed, null where another session is at it. A register that fails keeps its mark with the fault, and holds up no other';
