-- Interval energy per slot from cumulative registers, kept up to date from the readings that
-- came in since (DESIGN.md section 6).

CREATE TYPE energy_quality AS ENUM ('measured', 'interpolated', 'estimated');
COMMENT ON TYPE energy_quality IS 'measured: readings at both ends of the slot; interpolated: an end lies between near readings; estimated: between far ones, or the counter was reset';

CREATE TABLE energy_day (
	register_id bigint NOT NULL,
	day date NOT NULL,
	energy_kwh float8[] NOT NULL,
	quality energy_quality[] NOT NULL,
	any_estimated boolean NOT NULL GENERATED ALWAYS AS (coalesce('estimated' = ANY (quality), false)) STORED,
	PRIMARY KEY (register_id, day),
	CHECK (cardinality(energy_kwh) = cardinality(quality))
);
COMMENT ON TABLE energy_day IS 'Interval energy of a register, one row a UTC day with an element for each slot of length installation.base_slot; interval_energy shows it a row a slot';
COMMENT ON COLUMN energy_day.register_id IS 'The register';
COMMENT ON COLUMN energy_day.day IS 'The UTC day';
COMMENT ON COLUMN energy_day.energy_kwh IS 'Energy of each slot, kWh; null where readings do not cover it entirely';
COMMENT ON COLUMN energy_day.quality IS 'How well each is known; the worst of its parts';
COMMENT ON COLUMN energy_day.any_estimated IS 'Whether one of them is estimated only';

CREATE VIEW interval_energy WITH (security_invoker = true) AS
SELECT d.register_id, (d.day + (s.n - 1) * (settings()).base_slot) AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality
FROM energy_day d, unnest(d.energy_kwh, d.quality) WITH ORDINALITY AS s(energy_kwh, quality, n)
WHERE s.energy_kwh IS NOT NULL;
COMMENT ON VIEW interval_energy IS 'Energy of each half-open slot of length installation.base_slot from differences of a cumulative register, kWh; a slot that readings do not cover entirely has no row. Restrict a long history by energy_day.day instead where speed matters';

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
	dirty_from timestamptz, dirty_until timestamptz, slot_length interval, interpolation_limit interval, gap_limit interval, plausible_kw float8)
RETURNS TABLE (day date, energy_kwh float8[], quality energy_quality[])
LANGUAGE c STABLE PARALLEL SAFE ROWS 2 AS 'MODULE_PATHNAME', 'smarthg_interval_energy_days';
COMMENT ON FUNCTION interval_energy_days(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8) IS
'interval_energy_series for the whole UTC days that readings new or changed in [dirty_from, dirty_until] reach, kWh per slot, from the packed readings of these days and their neighbours in ascending time and the epochs in ascending order; null arrays for a day of which nothing is known. An endless range is that of the readings. Errors: as there, more than 100,000 days';

CREATE FUNCTION refresh_registers(registers bigint[], dirty_from timestamptz[], dirty_until timestamptz[]) RETURNS bigint
LANGUAGE sql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET work_mem = '64MB' SET jit = off AS $$
	WITH dirty AS MATERIALIZED (
		SELECT i.*, e.* FROM unnest(registers, refresh_registers.dirty_from, refresh_registers.dirty_until) AS i(register_id, dirty_from, dirty_until),
			LATERAL (SELECT array_agg(e.valid_from ORDER BY e.valid_from) AS epoch_from, array_agg(e.multiplier::float8 / e.divisor ORDER BY e.valid_from) AS scale,
				array_agg(e.modulus ORDER BY e.valid_from) AS modulus FROM register_epoch e WHERE e.register_id = i.register_id) AS e
		WHERE e.epoch_from IS NOT NULL
	), fresh AS MATERIALIZED (
		SELECT DISTINCT ON (d.register_id, f.day) d.register_id, f.*
		FROM (SELECT s.* FROM settings() AS s OFFSET 0) AS setting, dirty d,
			-- A range reaches two readings further out, the energy of their days one more: with a
			-- reading a day, or a day without, that is a neighbour each.
			LATERAL (SELECT array_agg(b.block ORDER BY b.day) AS blocks FROM (
				(SELECT r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day < d.dirty_from::date ORDER BY r.day DESC LIMIT 3)
				UNION ALL SELECT r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day BETWEEN d.dirty_from::date AND d.dirty_until::date
				UNION ALL (SELECT r.day, r.block FROM reading_day r WHERE r.register_id = d.register_id AND r.day > d.dirty_until::date ORDER BY r.day LIMIT 3)
			) AS b) AS stored,
			interval_energy_days(stored.blocks, d.epoch_from, d.scale, d.modulus, d.dirty_from, d.dirty_until,
				setting.base_slot, setting.interpolation_limit, setting.gap_limit, setting.plausible_kw) AS f
		-- Where two ranges reach one day it is the same from both.
		ORDER BY d.register_id, f.day, f.energy_kwh IS NULL
	), gone AS (
		DELETE FROM energy_day old USING fresh WHERE old.register_id = fresh.register_id AND old.day = fresh.day AND fresh.energy_kwh IS NULL RETURNING 1
	), written AS (
		INSERT INTO energy_day AS old (register_id, day, energy_kwh, quality)
		SELECT fresh.register_id, fresh.day, fresh.energy_kwh, fresh.quality FROM fresh WHERE fresh.energy_kwh IS NOT NULL
		ON CONFLICT (register_id, day) DO UPDATE SET energy_kwh = EXCLUDED.energy_kwh, quality = EXCLUDED.quality
			WHERE (old.energy_kwh, old.quality) IS DISTINCT FROM (EXCLUDED.energy_kwh, EXCLUDED.quality)
		RETURNING 1
	)
	SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written)
$$;
COMMENT ON FUNCTION refresh_registers(bigint[], timestamptz[], timestamptz[]) IS 'Computes interval energy of registers anew around their settled readings from dirty_from to dirty_until, both included; returns the number of register days changed';

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
		ON CONFLICT DO NOTHING;
	-- What was computed with the scale before is computed anew.
	INSERT INTO interval_dirty (register_id, dirty_from, dirty_until)
		SELECT r.register_id, begin_epoch.valid_from, r.last_reading_at FROM register r
		WHERE r.register_id = begin_epoch.register_id AND r.cumulative AND r.unit = 'kWh' AND r.last_reading_at >= begin_epoch.valid_from;
END $$;
COMMENT ON FUNCTION begin_epoch(bigint, timestamptz, bigint, bigint, bigint, text) IS 'From a moment on a register counts with another scale or on another meter (exchange): no difference is taken across it; the energy after it is marked to be computed anew';

CREATE FUNCTION base_slot_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF NEW.base_slot <> OLD.base_slot AND EXISTS (SELECT FROM energy_day) THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'base_slot cannot be changed any more',
			DETAIL = 'Energy is stored in slots of the present length.', HINT = 'Empty energy_day first, then mark all readings in interval_dirty.';
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

CREATE FUNCTION register_direction(obis text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE obis WHEN '1-0:1.8.0.255' THEN 'import' WHEN '1-0:2.8.0.255' THEN 'export' END;
COMMENT ON FUNCTION register_direction(text) IS 'import or export for the total active-energy registers 1.8.0 and 2.8.0, else null';

CREATE VIEW home_register WITH (security_invoker = true) AS
SELECT m.home_id, r.register_id, m.kind, m.role, CASE register_direction(r.obis) WHEN 'import' THEN 1 ELSE -1 END AS sign
FROM meter m JOIN register r USING (meter_id)
WHERE m.commodity = 'electricity' AND register_direction(r.obis) IS NOT NULL AND (m.kind = 'main' OR m.role <> 'consumption');
COMMENT ON VIEW home_register IS 'The registers of active energy that make up a home''s exchange with the grid, its production and its stores; sign is 1 for energy into, -1 for energy out of the home, battery or vehicle';

CREATE VIEW home_energy WITH (security_invoker = true) AS
SELECT h.home_id, i.slot_start,
	sum(i.energy_kwh) FILTER (WHERE h.kind = 'main' AND h.sign > 0) AS import_kwh,
	sum(i.energy_kwh) FILTER (WHERE h.kind = 'main' AND h.sign < 0) AS export_kwh,
	sum(-h.sign * i.energy_kwh) FILTER (WHERE h.role = 'production') AS production_kwh,
	sum(h.sign * i.energy_kwh) FILTER (WHERE h.role = 'ess') AS ess_kwh,
	sum(h.sign * i.energy_kwh) FILTER (WHERE h.role = 'pev') AS pev_kwh,
	max(i.quality) AS quality,
	count(*) = (SELECT count(*) FROM home_register a WHERE a.home_id = h.home_id) AS complete
FROM home_register h JOIN interval_energy i USING (register_id)
GROUP BY h.home_id, i.slot_start;
COMMENT ON VIEW home_energy IS 'Electric energy of each home and base slot by part, kWh: drawn from and fed into the grid, produced, into (negative: out of) ESS and PEV; null where a home has no such meter or it is not known; complete tells whether all of the home''s registers are known';

CREATE FUNCTION home_history(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour',
	OUT demand_kw float8[], OUT production_kw float8[], OUT produces boolean)
LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_home_history';
COMMENT ON FUNCTION home_history(bigint, timestamptz, timestamptz, interval) IS
'Mean demand of a home''s appliances and its production, kW, one element for each slot of [from_slot, until_slot), null where not known entirely, or only estimated. Demand = grid exchange + production - what ESS and PEV took, from the home''s meters of active energy. produces tells whether there is a production meter. Errors: slot_length no multiple of installation.base_slot or no divisor of a day, times not aligned to slots, more than 1,000,000 slots (document 3.2.1)';

CREATE FUNCTION home_demand(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (slot_start timestamptz, demand_kw float8, production_kw float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path = smarthg, pg_temp AS $$
	SELECT home_demand.from_slot + (s.n - 1) * home_demand.slot_length, s.demand_kw, s.production_kw
	FROM home_history(home_demand.home_id, home_demand.from_slot, home_demand.until_slot, home_demand.slot_length) AS h,
		unnest(h.demand_kw, h.production_kw) WITH ORDINALITY AS s(demand_kw, production_kw, n)
	WHERE s.demand_kw IS NOT NULL ORDER BY s.n
$$;
COMMENT ON FUNCTION home_demand(bigint, timestamptz, timestamptz, interval) IS
'home_history as rows: mean demand of the appliances (without ESS and PEV) and production, kW, for each slot of [from_slot, until_slot) that is known entirely (document 3.2.1)';

CREATE VIEW home_energy_hourly WITH (security_invoker = true) AS
SELECT home_id, date_trunc('hour', slot_start, 'UTC') AS slot_start, sum(import_kwh) AS import_kwh, sum(export_kwh) AS export_kwh,
	sum(production_kwh) AS production_kwh, sum(ess_kwh) AS ess_kwh, sum(pev_kwh) AS pev_kwh, max(quality) AS quality,
	count(*) FILTER (WHERE complete) * (SELECT (settings()).base_slot) AS covered
FROM home_energy GROUP BY 1, 2;
COMMENT ON VIEW home_energy_hourly IS 'home_energy summed to UTC hours; covered tells how much of the hour is known of all registers';

CREATE VIEW home_energy_daily WITH (security_invoker = true) AS
SELECT e.home_id, (e.slot_start AT TIME ZONE h.time_zone)::date AS local_day, sum(import_kwh) AS import_kwh, sum(export_kwh) AS export_kwh,
	sum(production_kwh) AS production_kwh, sum(ess_kwh) AS ess_kwh, sum(pev_kwh) AS pev_kwh, max(quality) AS quality,
	count(*) FILTER (WHERE complete) * (SELECT (settings()).base_slot) AS covered
FROM home_energy e JOIN home h USING (home_id) GROUP BY 1, 2;
COMMENT ON VIEW home_energy_daily IS 'home_energy summed to days of the home''s time zone, 23 to 25 hours long; covered tells how much of the day is known of all registers';
