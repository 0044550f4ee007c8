-- Why a plan violates what it violates, and what it had to assume, in words (DESIGN.md section 3:
-- the controller always answers).

CREATE FUNCTION ebr_store_limit(kw float8, full_kw float8, soc_kwh float8, store text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE
		WHEN full_kw IS NULL OR full_kw = 0 THEN format('no %s can be discharged', store)
		WHEN kw <= full_kw + 1e-6 THEN format('the %s is discharged at its full power of %s kW', store, round(-full_kw::numeric, 2))
		WHEN soc_kwh <= 1e-6 THEN format('the %s is empty then', store)
		ELSE format('the %s discharges %s kW and is needed elsewhere', store, round(greatest(-kw, 0)::numeric, 2))
	END
$$;
COMMENT ON FUNCTION ebr_store_limit(float8, float8, float8, text) IS 'What keeps a store from helping more: kw its power (charge positive), full_kw its minimum rate, soc_kwh its state of charge at the slot''s end';

CREATE FUNCTION ebr_explain(known ebr_input, solved ebr_solution)
RETURNS TABLE (slot_start timestamptz, what text, amount float8, unit text, because text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = smarthg, pg_temp AS $$
	WITH slot AS (
		SELECT s.*, s.demand_kw - s.production_kw AS net_kw,
			ebr_store_limit(s.ess_kw, (known.ess).min_kw, s.ess_soc_kwh, 'battery') AS ess_limit
		FROM ebr_slots(known, solved) AS s
	), departure AS (
		SELECT least(ceil(known.pev_plugged_hours / hours.d), cardinality(solved.pev_kw))::integer AS slots, hours.d,
			coalesce(known.pev_target_kwh, (known.pev).capacity_kwh) AS target_kwh
		FROM (SELECT extract(epoch FROM known.slot_length)::float8 / 3600 AS d) AS hours
	)
	SELECT slot_start, 'contract_max', contract_high_kw, 'kW',
		format('Grid power is %s kW where the contract allows %s kW: demand less production is %s kW, and %s.', round(grid_kw::numeric, 2),
			round(known.contract_max_kw::numeric, 2), round(net_kw::numeric, 2), ess_limit)
	FROM slot WHERE contract_high_kw > 1e-6
	UNION ALL
	SELECT slot_start, 'contract_min', contract_low_kw, 'kW',
		format('Grid power is %s kW where the contract allows no less than %s kW: production exceeds demand by %s kW, and the stores cannot take more.',
			round(grid_kw::numeric, 2), round(known.contract_min_kw::numeric, 2), round(-net_kw::numeric, 2))
	FROM slot WHERE contract_low_kw > 1e-6
	UNION ALL
	SELECT slot_start, 'profile', greatest(outside_high_kw, outside_low_kw), 'kW',
		format('Grid power is %s kW outside the power profile of %s to %s kW: demand less production is %s kW, %s, and the penalty of %s EUR/kWh costs less than what else could be done.',
			round(grid_kw::numeric, 2), round(known.profile_low_kw[slot_no]::numeric, 2), round(known.profile_high_kw[slot_no]::numeric, 2), round(net_kw::numeric, 2), ess_limit,
			round(coalesce(CASE WHEN outside_high_kw > 0 THEN known.penalty_high_eur_per_kwh[slot_no] ELSE known.penalty_low_eur_per_kwh[slot_no] END, 0)::numeric, 4))
	FROM slot WHERE greatest(outside_high_kw, outside_low_kw) > 1e-6
	UNION ALL
	SELECT known.origin + known.pev_plugged_hours * interval '1 hour', 'departure', solved.shortfall_kwh, 'kWh',
		format('The vehicle leaves with %s kWh where %s kWh are wanted: ', round(solved.pev_soc_kwh[d.slots]::numeric, 2), round(d.target_kwh::numeric, 2))
			|| CASE WHEN d.target_kwh - coalesce(known.pev_soc_kwh, 0) > known.pev_plugged_hours * (known.pev).max_kw * sqrt((known.pev).efficiency) - 1e-6
				THEN format('in %s hours at %s kW it can gain no more than %s kWh.', round(known.pev_plugged_hours::numeric, 2), round((known.pev).max_kw::numeric, 2),
					round((known.pev_plugged_hours * (known.pev).max_kw * sqrt((known.pev).efficiency))::numeric, 2))
				ELSE format('the contract of %s kW leaves it no more power beside the demand of the home.', round(known.contract_max_kw::numeric, 2)) END
	FROM departure d WHERE solved.shortfall_kwh > 1e-6 AND known.pev_plugged_hours < 'infinity'
	UNION ALL
	SELECT known.origin, 'assumed', NULL, NULL, CASE a.word
		WHEN 'energy_price_forecast' THEN format('Prices are published for %s of %s slots; those beyond are expected as at the same hour of the 14 days before.', known.known_slots, cardinality(known.demand_kw))
		WHEN 'energy_price' THEN 'A price is neither published nor known of earlier days; the mean of the others stands for it.'
		WHEN 'export_price' THEN 'An export price is not known; the import price stands for it.'
		WHEN 'co2_price' THEN 'The CO2 cost of a slot is not known; an earlier day''s stands for it.'
		WHEN 'profile' THEN 'The power profile does not cover all slots; those without are not bounded.'
		WHEN 'ess_soc' THEN 'The battery''s state of charge was read outside its range and is taken as at the edge.'
		WHEN 'pev_soc' THEN 'The vehicle''s state of charge was read outside its range and is taken as at the edge.'
		WHEN 'ess_soc_unknown' THEN 'The battery''s state of charge was never reported; it is taken as empty.'
		WHEN 'ess_soc_old' THEN 'The battery''s state of charge was last reported more than 2 hours before.'
		WHEN 'pev_soc_unknown' THEN 'The vehicle''s state of charge was not reported; it is taken as empty.'
		ELSE a.word END
	FROM unnest(known.assumed || solved.assumed) AS a(word)
	UNION ALL
	SELECT known.origin, 'fallback', NULL, NULL, 'The solver gave no answer within its limits: the battery stays idle but where it relieves the contract, the vehicle charges at once.'
	WHERE solved.status = 'fallback'
	ORDER BY 1, 2
$$;
COMMENT ON FUNCTION ebr_explain(ebr_input, ebr_solution) IS 'Why a plan violates a contract, leaves the power profile or misses a departure, slot by slot, by how much, and what it assumed, in sentences; no row where there is nothing to explain';

CREATE FUNCTION ebr_explain(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour', objective text DEFAULT NULL)
RETURNS TABLE (slot_start timestamptz, what text, amount float8, unit text, because text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = smarthg, pg_temp AS $$
DECLARE
	known ebr_input := ebr_home_input(home_id, at, slots, slot_length);
BEGIN
	RETURN QUERY SELECT e.* FROM ebr_explain(known, ebr_solve_input(known, objective, always_answer => true)) AS e;
END $$;
COMMENT ON FUNCTION ebr_explain(bigint, timestamptz, integer, interval, text) IS 'ebr_explain for the plan of a stored home at a moment. Error: unknown home';
