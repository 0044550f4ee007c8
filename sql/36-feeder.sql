-- Feeders: energy of all their homes together, for the DSO's analysts and for services with a scope of
-- resource feeder; never of fewer homes than would hide each of them (DESIGN.md section 8).

CREATE FUNCTION feeder_energy(feeder_id bigint, granularity text, from_time timestamptz, until_time timestamptz)
RETURNS TABLE (slot_start timestamptz, homes bigint, import_kwh float8, export_kwh float8, production_kwh float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	slots text := CASE granularity WHEN '30min' THEN 'e.slot_start, e.day' WHEN 'hourly' THEN 'e.slot_start, e.day'
		WHEN 'daily' THEN 'e.local_day::timestamp AT TIME ZONE h.time_zone, e.local_day' WHEN 'monthly' THEN 'e.local_month::timestamp AT TIME ZONE h.time_zone, e.local_month' END;
BEGIN
	IF slots IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('energy of a feeder is not kept at granularity "%s"', granularity), HINT = 'Ask for 30min, hourly, daily or monthly.';
	END IF;
	RETURN QUERY EXECUTE format('
		SELECT s.slot_start, count(DISTINCT s.home_id), sum(s.energy_kwh) FILTER (WHERE s.part = ''import''), sum(s.energy_kwh) FILTER (WHERE s.part = ''export''),
			sum(-s.sign * s.energy_kwh) FILTER (WHERE s.part = ''production'')
		FROM (
			SELECT h.home_id, p.part, p.sign, e.energy_kwh, s.slot_start
			FROM home h JOIN home_part p USING (home_id) JOIN energy_%s e USING (register_id), LATERAL (SELECT %s) AS s(slot_start, day)
			WHERE h.feeder_id = $1 AND s.day BETWEEN ($2 AT TIME ZONE ''UTC'')::date - 32 AND ($3 AT TIME ZONE ''UTC'')::date + 1
		) AS s
		WHERE s.slot_start >= $2 AND s.slot_start < $3
		GROUP BY s.slot_start HAVING count(DISTINCT s.home_id) >= 5 ORDER BY 1', granularity, slots)
	USING feeder_id, from_time, until_time;
END $$;
COMMENT ON FUNCTION feeder_energy(bigint, text, timestamptz, timestamptz) IS
'Energy of a feeder''s homes together in the slots that start in [from_time, until_time), kWh: drawn from and fed into the grid, produced, and by how many homes; slots of fewer than 5 homes are not shown. granularity: 30min, hourly, daily, monthly (days and months of the homes'' time zone). Error: 22023 for another granularity';

CREATE FUNCTION token_feeder_energy(feeder_id bigint, granularity text, from_time timestamptz, until_time timestamptz)
RETURNS TABLE (slot_start timestamptz, homes bigint, import_kwh float8, export_kwh float8, production_kwh float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF NOT token_allows('read', 'feeder', granularity) THEN
		RAISE insufficient_privilege USING MESSAGE = format('the token does not open feeders at granularity "%s"', granularity),
			HINT = format('It takes a scope such as read_feeder_%s.', granularity);
	END IF;
	RETURN QUERY SELECT * FROM feeder_energy(feeder_id, granularity, greatest(from_time, coalesce((current_token()).history_from, '-infinity')), until_time);
END $$;
COMMENT ON FUNCTION token_feeder_energy(bigint, text, timestamptz, timestamptz) IS 'feeder_energy for a service whose token has a scope of resource feeder. Errors: 42501 without such a scope, and those of feeder_energy';
