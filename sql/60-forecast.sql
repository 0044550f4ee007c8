-- EUMF-K: the forecast of demand and production that EBR plans with (document 3.2.2, DESIGN.md
-- section 5).

CREATE FUNCTION local_phases(first_slot timestamptz, slots integer, slot_length interval, time_zone text) RETURNS integer[]
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_local_phases';
COMMENT ON FUNCTION local_phases(timestamptz, integer, interval, text) IS 'Numbers of so many slots from first_slot on in the local week, 0 being Monday 00:00: what days of 23 and 25 hours have in common with others';

CREATE FUNCTION eumf_k_series(history_kw float8[], history_phase integer[], horizon_phase integer[], slots_per_day integer)
RETURNS TABLE (slot_no integer, mean_kw float8, q10_kw float8, q50_kw float8, q90_kw float8, model text)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 48 AS 'MODULE_PATHNAME', 'smarthg_eumf_k_series';
COMMENT ON FUNCTION eumf_k_series(float8[], integer[], integer[], integer) IS
'EUMF-K on arrays: forecasts mean and 10, 50, 90 % quantiles, kW, of the slots whose phases (slots of the local week, 0 is Monday 00:00) are horizon_phase, from history_kw (oldest first, null is a gap) with its phases. model tells what the history carried: weekly, daily, level or standard. Errors: arrays of different length, NaN or infinite values, phases out of range (DESIGN.md section 5)';

CREATE FUNCTION eumf_k(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour', history interval DEFAULT '56 days')
RETURNS TABLE (slot_start timestamptz, demand_kw float8, demand_q10_kw float8, demand_q50_kw float8, demand_q90_kw float8,
	production_kw float8, demand_model text, production_model text)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 48 SET search_path = smarthg, pg_temp AS $$
DECLARE
	-- The slot that holds the moment is the first to be forecast; all before it are complete.
	origin timestamptz := slot_start(at, slot_length);
	zone text;
	per_day integer := extract(epoch FROM interval '1 day') / extract(epoch FROM slot_length);
	past_slots integer;
	past record;
	past_phase integer[];
	coming_phase integer[];
BEGIN
	SELECT h.time_zone INTO zone FROM home h WHERE h.home_id = eumf_k.home_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', home_id);
	END IF;
	IF slots NOT BETWEEN 1 AND 10000 OR history < interval '0' OR NOT isfinite(at) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a forecast of %s slots from %s of history at %s is not possible', slots, history, at),
			HINT = 'Ask for 1 to 10000 slots at a finite time.';
	END IF;
	past_slots := ceil(extract(epoch FROM history) / extract(epoch FROM slot_length));
	past := home_history(home_id, origin - past_slots * slot_length, origin, slot_length);
	past_phase := local_phases(origin - past_slots * slot_length, past_slots, slot_length, zone);
	coming_phase := local_phases(origin, slots, slot_length, zone);
	RETURN QUERY
		SELECT origin + (d.slot_no - 1) * eumf_k.slot_length, d.mean_kw, d.q10_kw, d.q50_kw, d.q90_kw, coalesce(p.mean_kw, 0),
			d.model, coalesce(p.model, 'none')
		FROM eumf_k_series(past.demand_kw, past_phase, coming_phase, per_day) AS d
		LEFT JOIN eumf_k_series(past.production_kw, past_phase, coming_phase, per_day) AS p
			ON past.produces AND p.slot_no = d.slot_no
		ORDER BY d.slot_no;
END $$;
COMMENT ON FUNCTION eumf_k(bigint, timestamptz, integer, interval, interval) IS
'Forecast of a home''s demand (appliances without ESS and PEV; mean and quantiles) and production, kW, for the slots from the one that holds at onwards, from readings before it only. Errors: unknown home, slot length that the stored slots do not divide (document 3.2.2)';

CREATE FUNCTION price_day_forecast(price_eur_per_kwh float8[], slots_per_day integer, weekday integer) RETURNS float8[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'smarthg_price_day_forecast';
COMMENT ON FUNCTION price_day_forecast(float8[], integer, integer) IS
'Forecasts market prices, EUR/kWh, of the day after those published: a ridge regression for each time of day on prices and levels of the days before, fitted on the last 90 days. price_eur_per_kwh holds the prices up to the end of publication, oldest first (null: not known; days before a gap are not learnt from), slots_per_day of them a day, weekday is that of the day to come (0 Monday .. 6 Sunday). Returns 15 days of prices: the one to come, then, latest first, what the forecast would have been for each of the 14 before, so that errors can be judged and ebr_solve can plan with them; null where fewer than 35 days are known or prices never change (DESIGN.md section 3)';
