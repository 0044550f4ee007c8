-- Models as text, for other solvers to check a plan's optimum; and the solver for an analyst's own
-- models (document 3.2, DESIGN.md section 3).

CREATE FUNCTION ebr_model_text_series(
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
	format text DEFAULT 'lp',
	pev_min_step_kw float8 DEFAULT 0)
RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'smarthg_ebr_model_text_series';
COMMENT ON FUNCTION ebr_model_text_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8,
	float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text, float8) IS
'The model that ebr_solve solves for the same arguments with method milp, with all of its integer variables, as text in CPLEX LP (format lp) or free MPS (mps; numbers of up to 10 digits only): minimised by any solver, its objective is objective_eur. Names end in the slot, from 1: charge_ess_1, discharge_ess_1 (kW), soc_ess_1 (kWh at the slot''s end), the same of pev; grid_1, or import_1 and export_1, below_profile_1, above_profile_1, below_contract_1, above_contract_1 (kW); shortfall_pev_1 (kWh); binaries charges_ess_1, discharges_ess_1, imports_1. objective_constant is 1. Variables that can have but one value, or no effect, are left out. Errors: 22023 and those of ebr_solve for bad input';

CREATE FUNCTION ebr_model_text(known ebr_input, format text DEFAULT 'lp', objective text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ebr_model_text_series(
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
		pev_target_kwh => known.pev_target_kwh, objective => objective, format => format,
		pev_min_step_kw => coalesce((known.pev).min_step_kw, 0));
END $$;
COMMENT ON FUNCTION ebr_model_text(ebr_input, text, text) IS 'ebr_model_text_series for what ebr_home_input returned: the model of ebr_solve_input in CPLEX LP (format lp) or free MPS (mps), EUR to be minimised. Errors: 22023 for bad input';

CREATE FUNCTION ebr_dimension_model_text_series(
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
	capacity_eur_per_kwh float8 DEFAULT NULL,
	power_eur_per_kw float8 DEFAULT NULL,
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	format text DEFAULT 'lp')
RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100000 AS 'MODULE_PATHNAME', 'smarthg_ebr_dimension_model_text_series';
COMMENT ON FUNCTION ebr_dimension_model_text_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text) IS
'The linear programme of which ebr_dimension_series finds the optimum for the same arguments, as text in CPLEX LP (format lp) or free MPS (mps; numbers of up to 10 digits only): minimised by any solver, its objective is relaxed_eur. C is the capacity (kWh), R the power rate (kW); of each slot that is billed, counted from 1, s1 is what is stored at its end (kWh), c1 and d1 are charge and discharge (kW), k1_1 is the grid power above the first kink of its price (kW). objective_constant is 1. Errors: those of ebr_dimension_series for bad input, also where the span has more slots than a text may have (a year of quarters of an hour fits)';

CREATE FUNCTION ebr_dimension_model_text(
	known ebr_dimension_input,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	format text DEFAULT 'lp')
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ebr_dimension_model_text_series(
		demand_kw => known.demand_kw, energy_eur_per_kwh => known.energy_eur_per_kwh, production_kw => known.production_kw,
		export_eur_per_kwh => known.export_eur_per_kwh, co2_eur_per_kwh => known.co2_eur_per_kwh,
		profile_low_kw => known.profile_low_kw, profile_high_kw => known.profile_high_kw,
		penalty_low_eur_per_kwh => known.penalty_low_eur_per_kwh, penalty_high_eur_per_kwh => known.penalty_high_eur_per_kwh,
		slot_length => known.slot_length, capacity_eur_per_kwh => capacity_eur_per_kwh, power_eur_per_kw => power_eur_per_kw,
		lifetime_years => lifetime_years, discount_rate => discount_rate, efficiency => efficiency,
		capacity_min_kwh => capacity_min_kwh, capacity_max_kwh => capacity_max_kwh, power_min_kw => power_min_kw, power_max_kw => power_max_kw,
		objective => objective, format => format);
END $$;
COMMENT ON FUNCTION ebr_dimension_model_text(ebr_dimension_input, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text) IS 'ebr_dimension_model_text_series for what ebr_dimension_input returned';

CREATE FUNCTION milp_solve(model text, format text DEFAULT 'lp', time_limit interval DEFAULT '10 s', memory_limit_mb integer DEFAULT 512,
	accept_incumbent boolean DEFAULT false)
RETURNS TABLE (status text, kind text, name text, value float8, marginal float8)
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10000 ROWS 100 AS 'MODULE_PATHNAME', 'smarthg_milp_solve';
COMMENT ON FUNCTION milp_solve(text, text, interval, integer, boolean) IS
'Solves a linear programme, with or without integer variables, by GLPK. model is its text in CPLEX LP (format lp; a line begins with a blank unless it begins with a keyword, and the last is End) or free MPS (mps), at most 64 MB, 500,000 variables and as many constraints, 10 million coefficients. status, in every row, is optimal, infeasible, unbounded, or feasible: out of time (s, time_limit) with accept_incumbent. Rows by kind: objective (value in the model''s unit; null where there is none: then it is the only row), bound (proved: no solution is better), variable (value and, without integer variables, reduced cost as marginal), constraint (value of its left side and dual value). Errors: 22023 for a text that is no model, with its line in the detail; 54000 for the time limit, 53200 for the memory limit (MB), 38000 where the solver fails';
