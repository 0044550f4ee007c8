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

CREATE FUNCTION reading_before(register_id bigint, at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	-- The day itself may hold later ones only.
	SELECT max(u.measured_at) FROM (
		SELECT d.block FROM reading_day d WHERE d.register_id = reading_before.register_id AND d.day <= reading_before.at::date ORDER BY d.day DESC LIMIT 2
	) AS d, reading_unpack(d.block) AS u WHERE u.measured_at < reading_before.at
$$;
COMMENT ON FUNCTION reading_before(bigint, timestamptz) IS 'Time of a register''s last settled reading before a moment; null: there is none';

CREATE FUNCTION reading_after(register_id bigint, at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	SELECT min(u.measured_at) FROM (
		SELECT d.block FROM reading_day d WHERE d.register_id = reading_after.register_id AND d.day >= reading_after.at::date ORDER BY d.day LIMIT 2
	) AS d, reading_unpack(d.block) AS u WHERE u.measured_at > reading_after.at
$$;
COMMENT ON FUNCTION reading_after(bigint, timestamptz) IS 'Time of a register''s first settled reading after a moment; null: there is none';

CREATE FUNCTION refresh_register(register_id bigint, dirty_from timestamptz, dirty_until timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
#variable_conflict use_column
DECLARE
	setting installation := settings();
	first_day date;
	last_day date;
	lower_reading timestamptz;
	upper_reading timestamptz;
	changed bigint;
BEGIN
	-- A reading changes the slots up to its neighbours on both sides; their days are computed
	-- anew, from the readings in them and one further out.
	SELECT coalesce(reading_before(refresh_register.register_id, refresh_register.dirty_from), refresh_register.dirty_from)::date INTO first_day;
	SELECT coalesce(reading_after(refresh_register.register_id, refresh_register.dirty_until), refresh_register.dirty_until)::date INTO last_day;
	lower_reading := coalesce(reading_before(refresh_register.register_id, first_day + interval '1 us'), first_day);
	upper_reading := coalesce(reading_after(refresh_register.register_id, last_day + 1 - interval '1 us'), last_day + 1);

	WITH epochs AS (
		SELECT e.valid_from, lead(e.valid_from, 1, 'infinity') OVER by_time AS valid_until,
			e.multiplier::float8 / e.divisor AS kwh_per_count, e.modulus, row_number() OVER by_time AS number
		FROM register_epoch e WHERE e.register_id = refresh_register.register_id
		WINDOW by_time AS (ORDER BY e.valid_from)
	), readings AS (
		SELECT array_agg(r.measured_at ORDER BY r.measured_at) AS times, array_agg(r.raw_value ORDER BY r.measured_at) AS counts,
			array_agg(e.number::integer ORDER BY r.measured_at) AS numbers
		FROM reading_day d, reading_unpack(d.block) AS r
		JOIN epochs e ON r.measured_at >= e.valid_from AND r.measured_at < e.valid_until
		WHERE d.register_id = refresh_register.register_id AND d.day BETWEEN lower_reading::date AND upper_reading::date
			AND r.measured_at BETWEEN lower_reading AND upper_reading
	), slots AS (
		SELECT i.* FROM readings,
			(SELECT array_agg(kwh_per_count ORDER BY number) AS scales, array_agg(modulus ORDER BY number) AS moduli FROM epochs) AS scale,
			interval_energy_series(times, counts, numbers, scales, moduli,
				first_day, last_day + 1, setting.base_slot, setting.interpolation_limit, setting.gap_limit, setting.plausible_kw) AS i
		WHERE times IS NOT NULL
	), fresh AS (
		SELECT g.slot::date AS day, array_agg(s.energy_kwh ORDER BY g.slot) AS energy_kwh, array_agg(s.quality ORDER BY g.slot) AS quality
		FROM generate_series(first_day, last_day + interval '1 day' - setting.base_slot, setting.base_slot) AS g(slot)
		LEFT JOIN slots s ON s.slot_start = g.slot
		GROUP BY 1 HAVING count(s.energy_kwh) > 0
	), gone AS (
		DELETE FROM energy_day old
		WHERE old.register_id = refresh_register.register_id AND old.day BETWEEN first_day AND last_day
			AND NOT EXISTS (SELECT FROM fresh WHERE fresh.day = old.day)
		RETURNING 1
	), written AS (
		INSERT INTO energy_day AS old (register_id, day, energy_kwh, quality)
		SELECT refresh_register.register_id, fresh.day, fresh.energy_kwh, fresh.quality FROM fresh
		ON CONFLICT (register_id, day) DO UPDATE SET energy_kwh = EXCLUDED.energy_kwh, quality = EXCLUDED.quality
			WHERE (old.energy_kwh, old.quality) IS DISTINCT FROM (EXCLUDED.energy_kwh, EXCLUDED.quality)
		RETURNING 1
	)
	SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written) INTO changed;
	RETURN changed;
END $$;
COMMENT ON FUNCTION refresh_register(bigint, timestamptz, timestamptz) IS 'Computes interval energy of one register anew around the readings from dirty_from to dirty_until; returns the number of days changed';

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

CREATE FUNCTION refresh_interval_energy() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	dirty record;
	changed bigint := 0;
BEGIN
	-- One at a time; whoever comes second comes again later.
	IF settle_readings() IS NULL THEN
		RETURN NULL;
	END IF;
	FOR dirty IN
		WITH taken AS (DELETE FROM interval_dirty WHERE fault IS NULL RETURNING *)
		SELECT register_id, min(dirty_from) AS dirty_from, max(dirty_until) AS dirty_until
		FROM (
			-- Ranges apart by days are separate work: one late reading must not redo a year.
			SELECT *, count(*) FILTER (WHERE apart) OVER (PARTITION BY register_id ORDER BY dirty_from, dirty_until) AS island
			FROM (SELECT *, dirty_from > max(dirty_until) OVER (PARTITION BY register_id ORDER BY dirty_from, dirty_until
					ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + interval '2 days' AS apart FROM taken) AS marked
		) AS islands
		GROUP BY register_id, island ORDER BY register_id
	LOOP
		BEGIN
			changed := changed + refresh_register(dirty.register_id, dirty.dirty_from, dirty.dirty_until);
		EXCEPTION WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation THEN
			-- One register must not hold up the others.
			INSERT INTO interval_dirty VALUES (dirty.register_id, dirty.dirty_from, dirty.dirty_until, SQLERRM);
			RAISE WARNING USING MESSAGE = format('interval energy of register %s cannot be computed: %s', dirty.register_id, SQLERRM);
		END;
	END LOOP;
	RETURN changed;
END $$;
COMMENT ON FUNCTION refresh_interval_energy() IS 'Settles the readings that came since its last call and brings interval energy up to date with them; returns the number of register days changed, null where another session is at it. A register that fails keeps its mark with the fault, and holds up no other';

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
