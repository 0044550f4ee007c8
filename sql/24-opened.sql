-- What the session's token opens: the homes, meters, registers and times that row-level security
-- (92-policy.sql) asks for, each once in a statement (DESIGN.md section 8). They run as their owner,
-- since who asks may not read whose home is whose.

CREATE FUNCTION granularity_length(granularity text) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE granularity WHEN 'raw' THEN interval '0' WHEN '1min' THEN interval '1 min' WHEN '5min' THEN interval '5 min' WHEN '15min' THEN interval '15 min'
	WHEN '30min' THEN interval '30 min' WHEN 'hourly' THEN interval '1 hour' WHEN 'daily' THEN interval '1 day' WHEN 'monthly' THEN interval '1 month'
	WHEN 'yearly' THEN interval '1 year' END;
COMMENT ON FUNCTION granularity_length(text) IS 'Length of the slots that a granularity of a scope names, 0 for raw; null for another name';

CREATE FUNCTION granularity_of(slot_length interval) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN slot_length < '1 min' THEN 'raw' WHEN slot_length < '5 min' THEN '1min' WHEN slot_length < '15 min' THEN '5min' WHEN slot_length < '30 min' THEN '15min'
	WHEN slot_length < '1 hour' THEN '30min' WHEN slot_length < '1 day' THEN 'hourly' WHEN slot_length < '1 month' THEN 'daily' WHEN slot_length < '1 year' THEN 'monthly' ELSE 'yearly' END;
COMMENT ON FUNCTION granularity_of(interval) IS 'The granularity of a scope that slots of this length need: the coarsest that is not longer than they are';

-- Not strict, so that it is inlined.
CREATE FUNCTION meter_resource(kind meter_kind, role meter_role) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN role <> 'consumption' THEN role::text WHEN kind = 'main' THEN 'mainmeter' WHEN kind = 'sub' THEN 'submeter' ELSE 'appliance' END;
COMMENT ON FUNCTION meter_resource(meter_kind, meter_role) IS 'The resource by which a scope names a meter: mainmeter, submeter, appliance, production, ess or pev';

CREATE FUNCTION subject_of(sub text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN sub ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN sub::uuid END;
COMMENT ON FUNCTION subject_of(text) IS 'The resource owner that a claim sub names; null for what names none';

CREATE FUNCTION token_homes() RETURNS bigint[]
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_homes';
COMMENT ON FUNCTION token_homes() IS 'The homes that the session''s token speaks of: those in which its resource owner lives now, as far as it names them; empty without a token';

CREATE FUNCTION token_homes(action text, resource text) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN CASE WHEN token_allows(action, resource) THEN token_homes() ELSE '{}' END;
END $$;
COMMENT ON FUNCTION token_homes(text, text) IS 'The homes of which the session''s token opens a resource, at whatever granularity, to read or write';

CREATE FUNCTION token_of_operator(action text, resource text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN token_allows(action, resource) AND EXISTS (SELECT FROM account a WHERE a.sub = subject_of((current_token()).sub) AND a.kind = 'superuser');
END $$;
COMMENT ON FUNCTION token_of_operator(text, text) IS 'Whether the session''s token is one of the DSO itself and opens a resource that is nobody''s home';

CREATE FUNCTION token_services() RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ARRAY(SELECT s.service_id FROM account a JOIN service s ON s.owner_account_id = a.account_id WHERE a.sub = subject_of((current_token()).sub));
END $$;
COMMENT ON FUNCTION token_services() IS 'The services whose data the session''s token may speak of: those of the developer who is its resource owner';

CREATE FUNCTION token_own_service() RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN (SELECT s.service_id FROM service s JOIN account a ON a.account_id = s.owner_account_id
		WHERE s.client_id = (current_token()).client_id AND a.sub = subject_of((current_token()).sub));
END $$;
COMMENT ON FUNCTION token_own_service() IS 'The service that bears the session''s token, where its own developer is the resource owner; null otherwise';

CREATE FUNCTION token_slot_length(resource text) RETURNS interval
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN granularity_length(token_finest(resource));
END $$;
COMMENT ON FUNCTION token_slot_length(text) IS 'The shortest slots of a resource that the session''s token opens to read; null: none';

CREATE FUNCTION token_history_from() RETURNS timestamptz
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_history_from';
COMMENT ON FUNCTION token_history_from() IS 'From when on the session''s token opens data: its own limit, or when its owner moved into the last of its homes, whichever is later';

CREATE FUNCTION token_first_day() RETURNS date
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_first_day';
COMMENT ON FUNCTION token_first_day() IS 'The first whole UTC day that token_history_from opens';

CREATE FUNCTION token_first_local_day() RETURNS date
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_first_local_day';
COMMENT ON FUNCTION token_first_local_day() IS 'The first whole day of the homes'' time zone that token_history_from opens';

CREATE FUNCTION token_today() RETURNS date
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_today';
COMMENT ON FUNCTION token_today() IS 'The day that it is where the homes of the session''s token are; of several time zones the earlier one';

CREATE FUNCTION meter_rank(asked meter) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ranked.rank FROM (
		SELECT m.meter_id, row_number() OVER (ORDER BY coalesce(used.kwh, 0) DESC, m.meter_id) AS rank
		FROM meter m, LATERAL (
			SELECT sum(e.energy_kwh) AS kwh FROM register r JOIN energy_daily e USING (register_id)
			WHERE r.meter_id = m.meter_id AND e.local_day >= current_date - 30
		) AS used
		WHERE m.home_id = asked.home_id AND m.commodity = asked.commodity AND meter_resource(m.kind, m.role) = meter_resource(asked.kind, asked.role)
	) AS ranked WHERE ranked.meter_id = asked.meter_id;
END $$;
COMMENT ON FUNCTION meter_rank(meter) IS 'Place of a meter among those of its home, resource and commodity by the energy of the last 30 days, 1 for the largest: what the top few of a scope are';

CREATE FUNCTION token_registers(granularity text DEFAULT NULL) RETURNS bigint[]
LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_registers';
COMMENT ON FUNCTION token_registers(text) IS 'The registers that the session''s token opens to read at a granularity; null: at any. A home as a whole is its exchange with the grid, what it produces and what its stores take';

CREATE FUNCTION token_meters() RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ARRAY(SELECT DISTINCT r.meter_id FROM register r WHERE r.register_id = ANY (token_registers()));
END $$;
COMMENT ON FUNCTION token_meters() IS 'The meters whose registers the session''s token opens to read, at whatever granularity';

CREATE FUNCTION withdraw_profile(home_id bigint, from_slot timestamptz, until_slot timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	withdrawn bigint;
BEGIN
	DELETE FROM power_profile p WHERE p.home_id = withdraw_profile.home_id AND p.home_id = ANY (token_homes('write', 'profile'))
		AND p.slot_start >= withdraw_profile.from_slot AND p.slot_start < withdraw_profile.until_slot;
	GET DIAGNOSTICS withdrawn = ROW_COUNT;
	RETURN withdrawn;
END $$;
COMMENT ON FUNCTION withdraw_profile(bigint, timestamptz, timestamptz) IS 'For a service with a token to write profiles: takes those of a home back whose slots start in [from_slot, until_slot), so that others can be inserted; returns how many';

CREATE FUNCTION withdraw_service_data(resource text, series text, from_slot timestamptz, until_slot timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	withdrawn bigint;
BEGIN
	DELETE FROM service_data d WHERE d.service_id = token_own_service() AND d.resource = withdraw_service_data.resource AND token_allows('write', d.resource)
		AND d.series = withdraw_service_data.series AND d.slot_start >= withdraw_service_data.from_slot AND d.slot_start < withdraw_service_data.until_slot;
	GET DIAGNOSTICS withdrawn = ROW_COUNT;
	RETURN withdrawn;
END $$;
COMMENT ON FUNCTION withdraw_service_data(text, text, timestamptz, timestamptz) IS 'For a service with a token of its own developer: takes what it wrote of a series back; returns how many rows';
