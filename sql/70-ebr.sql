-- EBR planning on arrays and on stored homes (document 3.2, DESIGN.md section 3).

CREATE TYPE ebr_solution AS (
	status text,
	objective_eur float8,
	bound_eur float8,
	gap float8,
	solve_seconds float8,
	energy_eur float8,
	co2_eur float8,
	distribution_eur float8,
	stored_value_eur float8,
	penalty_eur float8,
	baseline_eur float8,
	shortfall_kwh float8,
	assumed text[],
	violated text[],
	ess_kw float8[],
	ess_soc_kwh float8[],
	pev_kw float8[],
	pev_soc_kwh float8[],
	grid_kw float8[],
	outside_high_kw float8[],
	outside_low_kw float8[],
	contract_high_kw float8[],
	contract_low_kw float8[],
	energy_eur_per_kwh float8[],
	export_eur_per_kwh float8[],
	co2_eur_per_kwh float8[],
	ess_grid_charge_kwh float8,
	ess_surplus_charge_kwh float8,
	ess_cover_demand_kwh float8,
	ess_export_kwh float8,
	pev_grid_charge_kwh float8,
	pev_surplus_charge_kwh float8,
	pev_cover_demand_kwh float8,
	pev_export_kwh float8,
	ess_bands float8[],
	pev_bands float8[],
	changed_slots integer
);
COMMENT ON TYPE ebr_solution IS 'A plan: status, costs over the horizon, what was assumed and violated, one array element a slot, and the rules for the coming slot';
COMMENT ON COLUMN ebr_solution.status IS 'optimal, feasible (within gap) or fallback';
COMMENT ON COLUMN ebr_solution.objective_eur IS 'What was minimised, EUR: costs of the objective + penalty_eur - stored_value_eur';
COMMENT ON COLUMN ebr_solution.bound_eur IS 'Proved lower bound of objective_eur, EUR; null: none';
COMMENT ON COLUMN ebr_solution.gap IS '(objective_eur - bound_eur) / max(1, |objective_eur|)';
COMMENT ON COLUMN ebr_solution.solve_seconds IS 'Time spent in the solver, s';
COMMENT ON COLUMN ebr_solution.energy_eur IS 'Energy drawn at the import price less energy fed in at the export price, EUR';
COMMENT ON COLUMN ebr_solution.co2_eur IS 'Cost of CO2, EUR';
COMMENT ON COLUMN ebr_solution.distribution_eur IS 'Penalties for energy outside the power profile, EUR; reported for every objective';
COMMENT ON COLUMN ebr_solution.stored_value_eur IS 'Terminal value of the energy stored at the horizon''s end, EUR';
COMMENT ON COLUMN ebr_solution.penalty_eur IS 'Dominating penalties on contract violations and a missed departure target, EUR; 0 in a clean plan';
COMMENT ON COLUMN ebr_solution.baseline_eur IS 'Cost by the same objective with both stores idle, EUR';
COMMENT ON COLUMN ebr_solution.shortfall_kwh IS 'By how much the PEV misses its target at departure, kWh';
COMMENT ON COLUMN ebr_solution.assumed IS 'What was assumed for want of input: ess_soc, pev_soc, energy_price, export_price, co2_price, profile';
COMMENT ON COLUMN ebr_solution.violated IS 'What could not be kept: contract_max, contract_min, departure, profile';
COMMENT ON COLUMN ebr_solution.ess_kw IS 'ESS power, kW, charge positive';
COMMENT ON COLUMN ebr_solution.ess_soc_kwh IS 'ESS state of charge at each slot''s end, kWh';
COMMENT ON COLUMN ebr_solution.pev_kw IS 'PEV power, kW, charge positive';
COMMENT ON COLUMN ebr_solution.pev_soc_kwh IS 'PEV state of charge at each slot''s end, kWh';
COMMENT ON COLUMN ebr_solution.grid_kw IS 'Grid power, kW, drawn positive';
COMMENT ON COLUMN ebr_solution.outside_high_kw IS 'Grid power above the profile, kW';
COMMENT ON COLUMN ebr_solution.outside_low_kw IS 'Grid power below the profile, kW';
COMMENT ON COLUMN ebr_solution.contract_high_kw IS 'Grid power above the contract, kW';
COMMENT ON COLUMN ebr_solution.contract_low_kw IS 'Grid power below the contract, kW';
COMMENT ON COLUMN ebr_solution.energy_eur_per_kwh IS 'Import price planned with, gaps filled, EUR/kWh';
COMMENT ON COLUMN ebr_solution.export_eur_per_kwh IS 'Export price planned with, EUR/kWh';
COMMENT ON COLUMN ebr_solution.co2_eur_per_kwh IS 'CO2 cost planned with, EUR/kWh';
COMMENT ON COLUMN ebr_solution.ess_grid_charge_kwh IS 'Rule for the coming slot: charge the ESS from the grid while it holds less, kWh';
COMMENT ON COLUMN ebr_solution.ess_surplus_charge_kwh IS '... from surplus while it holds less, kWh';
COMMENT ON COLUMN ebr_solution.ess_cover_demand_kwh IS '... cover own demand from it while it holds more, kWh';
COMMENT ON COLUMN ebr_solution.ess_export_kwh IS '... export from it while it holds more, kWh';
COMMENT ON COLUMN ebr_solution.pev_grid_charge_kwh IS 'The same levels for the PEV, kWh';
COMMENT ON COLUMN ebr_solution.pev_surplus_charge_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN ebr_solution.pev_cover_demand_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN ebr_solution.pev_export_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN ebr_solution.ess_bands IS 'The ESS''s rule where a profile or contract adds levels: one row {at_kw, charge_kwh, discharge_kwh} a band of grid power, at_kw rising to infinity: while the grid''s power is in the band below at_kw, charge while less than charge_kwh is stored, discharge while more than discharge_kwh is; null: the four levels are the whole rule';
COMMENT ON COLUMN ebr_solution.pev_bands IS 'The same for the PEV';
COMMENT ON COLUMN ebr_solution.changed_slots IS 'Slots whose power differs from the previous plan''s; null: there was none';

CREATE FUNCTION ebr_solve(
	demand_kw float8[],
	energy_eur_per_kwh float8[],
	production_kw float8[] DEFAULT NULL,
	export_eur_per_kwh float8[] DEFAULT NULL,
	co2_eur_per_kwh float8[] DEFAULT NULL,
	profile_low_kw float8[] DEFAULT NULL,
	profile_high_kw float8[] DEFAULT NULL,
	penalty_low_eur_per_kwh float8[] DEFAULT NULL,
	penalty_high_eur_per_kwh float8[] DEFAULT NULL,
	slot_length interval DEFAULT '1 hour',
	contract_min_kw float8 DEFAULT '-infinity',
	contract_max_kw float8 DEFAULT 'infinity',
	ess_capacity_kwh float8 DEFAULT 0,
	ess_min_kw float8 DEFAULT 0,
	ess_max_kw float8 DEFAULT 0,
	ess_efficiency float8 DEFAULT 1,
	ess_soc_kwh float8 DEFAULT 0,
	pev_capacity_kwh float8 DEFAULT 0,
	pev_min_kw float8 DEFAULT 0,
	pev_max_kw float8 DEFAULT 0,
	pev_efficiency float8 DEFAULT 1,
	pev_soc_kwh float8 DEFAULT 0,
	pev_plugged_hours float8 DEFAULT 0,
	pev_target_kwh float8 DEFAULT NULL,
	ess_terminal_value_eur_per_kwh float8 DEFAULT NULL,
	pev_terminal_value_eur_per_kwh float8 DEFAULT NULL,
	objective text DEFAULT NULL,
	method text DEFAULT 'auto',
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 512,
	accept_incumbent boolean DEFAULT false,
	always_answer boolean DEFAULT false,
	history_net_kw float8[] DEFAULT NULL,
	history_energy_eur_per_kwh float8[] DEFAULT NULL,
	history_export_eur_per_kwh float8[] DEFAULT NULL,
	history_co2_eur_per_kwh float8[] DEFAULT NULL,
	local_phase integer DEFAULT 0,
	known_slots integer DEFAULT NULL,
	reveal_slot integer DEFAULT NULL,
	previous_ess_kw float8[] DEFAULT NULL,
	previous_pev_kw float8[] DEFAULT NULL,
	pev_min_step_kw float8 DEFAULT 0,
	price_forecast_eur_per_kwh float8[] DEFAULT NULL)
RETURNS ebr_solution
LANGUAGE c STABLE PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'smarthg_ebr_solve';
COMMENT ON FUNCTION ebr_solve(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8,
	float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text, interval, integer, boolean, boolean,
	float8[], float8[], float8[], float8[], integer, integer, integer, float8[], float8[], float8, float8[]) IS
'Plans ESS and PEV of one home over the given slots at least cost (document 3.2, DESIGN.md section 3). Arrays have one element a slot: demand_kw of all other appliances (no nulls), prices in EUR/kWh and profile bounds in kW (null element: not known, assumed and reported). export_eur_per_kwh defaults to the import price, a profile to none. Power rates: min_kw at most 0 (discharge), max_kw at least 0 (charge); efficiency is the round trip''s, in (0, 1]. pev_plugged_hours is how long the PEV stays from now (0: away, infinity: no departure known), pev_target_kwh its state of charge then (default full), pev_min_step_kw the least power that it runs at if at all. A terminal value is what a kWh still stored at the end is worth, EUR (default 0.85 times sqrt(efficiency) times the mean import price of the last 24 hours). Scenarios: BU pev_capacity_kwh 0; BC pev_min_kw 0; BD both; PC and PD ess_capacity_kwh 0. objective: energy_co2 (default without a profile), co2, energy_co2_distribution (default with one). method: auto, milp (the full MILP on GLPK, the reference) or fallback (no solver). accept_incumbent: out of time, the best plan so far is answered (status feasible) where there is one; always_answer: where the solver fails or is out of time or memory, the cautious schedule is answered (status fallback). With history_net_kw (measured demand less production, kW, of the slots just before, oldest first, null is a gap; 21 days are looked at) and the prices of the same slots, the ESS''s rule is that of a stochastic programme over what demand was at the same hour of the last days, and over guessed prices beyond the first known_slots (published) ones, of which more become known at reveal_slot; price_forecast_eur_per_kwh is price_day_forecast''s answer for the day after the known slots (null: past days are moved to the present price level); local_phase is the number of the first slot in the local week. Without, it follows from the plan. previous_ess_kw and previous_pev_kw are what was planned for these slots before (null: nothing): of equally good plans the one nearest to it is taken, and changed_slots counts the slots in which it differs. Errors: 22023 for bad input, 54000 for the time limit, 53200 for the memory limit, 38000 where the solver fails';

CREATE TYPE ebr_input AS (
	home_id bigint,
	origin timestamptz,
	slot_length interval,
	demand_kw float8[],
	production_kw float8[],
	energy_eur_per_kwh float8[],
	export_eur_per_kwh float8[],
	co2_eur_per_kwh float8[],
	profile_low_kw float8[],
	profile_high_kw float8[],
	penalty_low_eur_per_kwh float8[],
	penalty_high_eur_per_kwh float8[],
	contract_min_kw float8,
	contract_max_kw float8,
	ess ess,
	ess_soc_kwh float8,
	pev pev,
	pev_soc_kwh float8,
	pev_plugged_hours float8,
	pev_target_kwh float8,
	demand_model text,
	assumed text[],
	history_net_kw float8[],
	history_energy_eur_per_kwh float8[],
	history_export_eur_per_kwh float8[],
	history_co2_eur_per_kwh float8[],
	local_phase integer,
	known_slots integer,
	reveal_slot integer,
	previous_ess_kw float8[],
	previous_pev_kw float8[],
	price_forecast_eur_per_kwh float8[]
);
COMMENT ON TYPE ebr_input IS 'What ebr_solve needs of a stored home, as it was known at a moment; arrays have one element a slot from origin on, those of the history one for each of the slots just before';

CREATE FUNCTION ebr_home_input(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour')
RETURNS ebr_input
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_ebr_home_input';
COMMENT ON FUNCTION ebr_home_input(bigint, timestamptz, integer, interval) IS
'What the planner knows of a stored home at a moment: forecast, published prices (beyond publication as in price_outlook, and assumed says so), profile, stores and their last measured state; nothing later than at (document 3.2.1). Errors: unknown home, slot length that the stored slots do not divide';

CREATE FUNCTION ebr_solve_input(known ebr_input, objective text DEFAULT NULL, method text DEFAULT 'auto', time_limit interval DEFAULT '10 s',
	always_answer boolean DEFAULT false)
RETURNS ebr_solution
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ebr_solve(
		demand_kw => known.demand_kw, energy_eur_per_kwh => known.energy_eur_per_kwh, production_kw => known.production_kw,
		export_eur_per_kwh => known.export_eur_per_kwh, co2_eur_per_kwh => known.co2_eur_per_kwh,
		profile_low_kw => known.profile_low_kw, profile_high_kw => known.profile_high_kw,
		penalty_low_eur_per_kwh => known.penalty_low_eur_per_kwh, penalty_high_eur_per_kwh => known.penalty_high_eur_per_kwh,
		slot_length => known.slot_length, contract_min_kw => known.contract_min_kw, contract_max_kw => known.contract_max_kw,
		ess_capacity_kwh => coalesce((known.ess).capacity_kwh, 0), ess_min_kw => coalesce((known.ess).min_kw, 0),
		ess_max_kw => coalesce((known.ess).max_kw, 0), ess_efficiency => coalesce((known.ess).efficiency, 1),
		ess_soc_kwh => coalesce(known.ess_soc_kwh, 0),
		pev_capacity_kwh => coalesce((known.pev).capacity_kwh, 0), pev_min_kw => coalesce((known.pev).min_kw, 0),
		pev_max_kw => coalesce((known.pev).max_kw, 0), pev_efficiency => coalesce((known.pev).efficiency, 1),
		pev_soc_kwh => coalesce(known.pev_soc_kwh, 0), pev_plugged_hours => coalesce(known.pev_plugged_hours, 0),
		pev_target_kwh => known.pev_target_kwh, objective => objective, method => method, time_limit => time_limit,
		accept_incumbent => always_answer, always_answer => always_answer,
		history_net_kw => known.history_net_kw, history_energy_eur_per_kwh => known.history_energy_eur_per_kwh,
		history_export_eur_per_kwh => known.history_export_eur_per_kwh, history_co2_eur_per_kwh => known.history_co2_eur_per_kwh,
		local_phase => known.local_phase, known_slots => known.known_slots, reveal_slot => known.reveal_slot,
		previous_ess_kw => known.previous_ess_kw, previous_pev_kw => known.previous_pev_kw,
		pev_min_step_kw => coalesce((known.pev).min_step_kw, 0), price_forecast_eur_per_kwh => known.price_forecast_eur_per_kwh);
END $$;
COMMENT ON FUNCTION ebr_solve_input(ebr_input, text, text, interval, boolean) IS 'ebr_solve for what ebr_home_input returned';

CREATE FUNCTION ebr_slot_cost(grid_kw float8, energy_eur_per_kwh float8, export_eur_per_kwh float8, co2_eur_per_kwh float8,
	outside_high_kw float8, penalty_high_eur_per_kwh float8, outside_low_kw float8, penalty_low_eur_per_kwh float8, slot_length interval)
RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (energy_eur_per_kwh * greatest(grid_kw, 0) + export_eur_per_kwh * least(grid_kw, 0) + co2_eur_per_kwh * grid_kw
	+ coalesce(penalty_high_eur_per_kwh * greatest(outside_high_kw, 0), 0) + coalesce(penalty_low_eur_per_kwh * greatest(outside_low_kw, 0), 0))
	* extract(epoch FROM slot_length)::float8 / 3600;
COMMENT ON FUNCTION ebr_slot_cost(float8, float8, float8, float8, float8, float8, float8, float8, interval) IS 'Energy, CO2 and distribution cost, EUR, of grid power held for a slot; a null penalty or excess counts nothing';

CREATE FUNCTION ebr_slots(known ebr_input, solved ebr_solution)
RETURNS TABLE (slot_no integer, slot_start timestamptz, demand_kw float8, production_kw float8, energy_eur_per_kwh float8, export_eur_per_kwh float8,
	co2_eur_per_kwh float8, ess_kw float8, ess_soc_kwh float8, pev_kw float8, pev_soc_kwh float8, grid_kw float8,
	outside_high_kw float8, outside_low_kw float8, contract_high_kw float8, contract_low_kw float8, cost_eur float8, cost_without_storage_eur float8)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 48 SET search_path = smarthg, pg_temp AS $$
	SELECT s.n::integer, known.origin + (s.n - 1) * known.slot_length, s.demand, s.production, s.energy, s.export, s.co2,
		s.ess_kw, s.ess_soc, s.pev_kw, s.pev_soc, s.grid, s.high, s.low, s.contract_high, s.contract_low,
		ebr_slot_cost(s.grid, s.energy, s.export, s.co2, s.high, s.penalty_high, s.low, s.penalty_low, known.slot_length),
		ebr_slot_cost(s.demand - s.production, s.energy, s.export, s.co2, s.demand - s.production - s.profile_high, s.penalty_high,
			s.profile_low - (s.demand - s.production), s.penalty_low, known.slot_length)
	FROM unnest(known.demand_kw, known.production_kw, solved.energy_eur_per_kwh, solved.export_eur_per_kwh, solved.co2_eur_per_kwh,
		solved.ess_kw, solved.ess_soc_kwh, solved.pev_kw, solved.pev_soc_kwh, solved.grid_kw, solved.outside_high_kw, solved.outside_low_kw,
		solved.contract_high_kw, solved.contract_low_kw, known.profile_low_kw, known.profile_high_kw, known.penalty_low_eur_per_kwh, known.penalty_high_eur_per_kwh)
		WITH ORDINALITY AS s(demand, production, energy, export, co2, ess_kw, ess_soc, pev_kw, pev_soc, grid, high, low, contract_high, contract_low,
			profile_low, profile_high, penalty_low, penalty_high, n)
	ORDER BY s.n
$$;
COMMENT ON FUNCTION ebr_slots(ebr_input, ebr_solution) IS 'A plan as one row a slot; cost_eur is energy + CO2 + distribution penalty of the slot, cost_without_storage_eur the same with both stores idle';

CREATE FUNCTION ebr_plan(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, method text DEFAULT 'auto', time_limit interval DEFAULT '10 s')
RETURNS TABLE (slot_no integer, slot_start timestamptz, demand_kw float8, production_kw float8, energy_eur_per_kwh float8, export_eur_per_kwh float8,
	co2_eur_per_kwh float8, ess_kw float8, ess_soc_kwh float8, pev_kw float8, pev_soc_kwh float8, grid_kw float8,
	outside_high_kw float8, outside_low_kw float8, contract_high_kw float8, contract_low_kw float8, cost_eur float8, cost_without_storage_eur float8)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 48 SET search_path = smarthg, pg_temp AS $$
	WITH known AS MATERIALIZED (SELECT ebr_home_input(home_id, at, slots, slot_length) AS input),
		solved AS MATERIALIZED (SELECT input, ebr_solve_input(input, objective, method, time_limit) AS solution FROM known)
	SELECT s.* FROM solved, ebr_slots(input, solution) AS s
$$;
COMMENT ON FUNCTION ebr_plan(bigint, timestamptz, integer, interval, text, text, interval) IS
'Plans a stored home from the slot that holds at onwards and returns one row a slot: forecast, prices, ESS and PEV power (kW, charge positive) and state of charge at the slot''s end (kWh), grid power, deviations, cost with and without storage. Changes nothing. Errors: unknown home, and those of ebr_solve (document 3.2)';
