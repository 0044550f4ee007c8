-- Feeders: energy of all their homes together, for the DSO's analysts and for services with a scope of
-- resource feeder; never of fewer homes than would hide each of them (DESIGN.md section 8).
--
-- All is made of the shortest slots that are shown, half hours: a longer one is the sum of those
-- within it, so that nothing of a home can be told from the difference of two granularities. In a
-- half hour a home counts where it is known entirely, and each sum has to have five homes by itself.

CREATE FUNCTION feeder_half_hours(feeder_id bigint, from_time timestamptz, until_time timestamptz)
RETURNS TABLE (slot_start timestamptz, homes bigint, import_kwh float8, export_kwh float8, production_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	WITH home_slot AS (
		SELECT h.home_id, e.slot_start, sum(e.energy_kwh) FILTER (WHERE e.part = 'import') AS import_kwh, sum(e.energy_kwh) FILTER (WHERE e.part = 'export') AS export_kwh,
			sum(-e.sign * e.energy_kwh) FILTER (WHERE e.part = 'production') AS production_kwh
		FROM home h, LATERAL (
			SELECT p.part, p.sign, p.registers, s.slot_start, s.energy_kwh, s.covered FROM home_part p JOIN energy_30min s USING (register_id)
			WHERE p.home_id = h.home_id AND s.slot_start >= feeder_half_hours.from_time AND s.slot_start < feeder_half_hours.until_time
				AND s.day BETWEEN (feeder_half_hours.from_time AT TIME ZONE 'UTC')::date AND (feeder_half_hours.until_time AT TIME ZONE 'UTC')::date OFFSET 0
		) AS e
		WHERE h.feeder_id = feeder_half_hours.feeder_id
		GROUP BY h.home_id, e.registers, e.slot_start HAVING count(*) = e.registers AND min(e.covered) = '30 min'
	)
	SELECT s.slot_start, count(*), CASE WHEN count(s.import_kwh) >= 5 THEN sum(s.import_kwh) END, CASE WHEN count(s.export_kwh) >= 5 THEN sum(s.export_kwh) END,
		CASE WHEN count(s.production_kwh) >= 5 THEN sum(s.production_kwh) END
	FROM home_slot s GROUP BY 1 HAVING count(*) >= 5
$$;
COMMENT ON FUNCTION feeder_half_hours(bigint, timestamptz, timestamptz) IS
'Energy of a feeder''s homes together in each half hour of [from_time, until_time), kWh: of homes that are known entirely, by how many; a half hour of fewer than five homes is not there, a sum of fewer null. A part of feeder_energy';

CREATE FUNCTION feeder_energy(feeder_id bigint, granularity text, from_time timestamptz, until_time timestamptz)
RETURNS TABLE (slot_start timestamptz, homes bigint, import_kwh float8, export_kwh float8, production_kwh float8, covered interval)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	zone text := (SELECT min(h.time_zone) FROM home h WHERE h.feeder_id = feeder_energy.feeder_id);
BEGIN
	IF granularity NOT IN ('30min', 'hourly', 'daily', 'monthly') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('energy of a feeder is not shown at granularity "%s"', granularity), HINT = 'Ask for 30min, hourly, daily or monthly.';
	END IF;
	RETURN QUERY
		SELECT p.slot_start, min(p.homes), sum(p.import_kwh), sum(p.export_kwh), sum(p.production_kwh), count(*) * interval '30 min'
		FROM (
			SELECT CASE granularity WHEN '30min' THEN f.slot_start WHEN 'hourly' THEN date_trunc('hour', f.slot_start, 'UTC')
				WHEN 'daily' THEN date_trunc('day', f.slot_start, zone) ELSE date_trunc('month', f.slot_start, zone) END AS slot_start, f.homes, f.import_kwh, f.export_kwh, f.production_kwh
			FROM feeder_half_hours(feeder_id, CASE granularity WHEN 'daily' THEN date_trunc('day', from_time, zone) WHEN 'monthly' THEN date_trunc('month', from_time, zone) ELSE from_time END, until_time) AS f
		) AS p
		WHERE p.slot_start >= from_time GROUP BY 1 ORDER BY 1;
END $$;
COMMENT ON FUNCTION feeder_energy(bigint, text, timestamptz, timestamptz) IS
'Energy of a feeder''s homes together in the slots that start in [from_time, until_time), kWh: drawn from and fed into the grid, produced; by how many homes at least, and how much of the slot is covered. Made of half hours in which five homes or more are known entirely, each sum of five homes or more (null: fewer), so base slots must not be longer. granularity: 30min, hourly, daily, monthly (of the homes'' time zone). Homes count where they are now: who saw sums before one was moved to another feeder can tell it from those after. Error: 22023 for another granularity';

CREATE FUNCTION token_feeder_energy(feeder_id bigint, granularity text, from_time timestamptz, until_time timestamptz)
RETURNS TABLE (slot_start timestamptz, homes bigint, import_kwh float8, export_kwh float8, production_kwh float8, covered interval)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	zone text := (SELECT min(h.time_zone) FROM home h WHERE h.feeder_id = token_feeder_energy.feeder_id);
BEGIN
	IF NOT token_allows('read', 'feeder', granularity) THEN
		RAISE insufficient_privilege USING MESSAGE = format('the token does not open feeders at granularity "%s"', granularity),
			HINT = format('It takes a scope such as read_feeder_%s.', granularity);
	END IF;
	RETURN QUERY SELECT f.* FROM feeder_energy(feeder_id, granularity, greatest(from_time, coalesce((current_token()).history_from, '-infinity')), until_time) AS f
		-- What goes on would tell finer slots bit by bit, and so would what is not complete.
		WHERE f.covered = CASE granularity WHEN '30min' THEN interval '30 min' WHEN 'hourly' THEN interval '1 hour'
			WHEN 'daily' THEN date_trunc('day', f.slot_start + interval '36 hours', zone) - f.slot_start
			ELSE date_trunc('month', f.slot_start + interval '45 days', zone) - f.slot_start END;
END $$;
COMMENT ON FUNCTION token_feeder_energy(bigint, text, timestamptz, timestamptz) IS 'feeder_energy for a service whose token has a scope of resource feeder: slots that are covered entirely. Errors: 42501 without such a scope, and those of feeder_energy';
