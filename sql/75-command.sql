-- Plans and commands as stored, and the control loop's step over all homes (document 3.2.1,
-- DESIGN.md section 3).

CREATE TABLE plan (
	home_id bigint NOT NULL REFERENCES home,
	plan_id bigint NOT NULL DEFAULT new_id(),
	made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	planned_at timestamptz NOT NULL,
	origin timestamptz NOT NULL CHECK (origin >= '1970-01-01 00:00:00+00' AND origin < '2200-01-01 00:00:00+00'),
	slot_length interval NOT NULL CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	slots integer NOT NULL CHECK (slots BETWEEN 1 AND 10000),
	objective text,
	status text NOT NULL CHECK (status IN ('optimal', 'feasible', 'fallback')),
	objective_eur float8 NOT NULL,
	bound_eur float8,
	gap float8,
	solve_seconds float8 NOT NULL,
	energy_eur float8 NOT NULL,
	co2_eur float8 NOT NULL,
	distribution_eur float8 NOT NULL,
	stored_value_eur float8 NOT NULL,
	penalty_eur float8 NOT NULL,
	baseline_eur float8 NOT NULL,
	shortfall_kwh float8 NOT NULL,
	changed_slots integer,
	demand_model text,
	assumed text[] NOT NULL,
	violated text[] NOT NULL,
	demand_kw float8[] NOT NULL,
	production_kw float8[],
	energy_eur_per_kwh float8[] NOT NULL,
	export_eur_per_kwh float8[],
	co2_eur_per_kwh float8[],
	profile_low_kw float8[],
	profile_high_kw float8[],
	penalty_low_eur_per_kwh float8[],
	penalty_high_eur_per_kwh float8[],
	ess_kw float8[],
	ess_soc_kwh float8[],
	pev_kw float8[],
	pev_soc_kwh float8[],
	grid_kw float8[] NOT NULL,
	outside_high_kw float8[],
	outside_low_kw float8[],
	contract_high_kw float8[],
	contract_low_kw float8[],
	CHECK (greatest(cardinality(demand_kw), cardinality(production_kw), cardinality(energy_eur_per_kwh), cardinality(export_eur_per_kwh), cardinality(co2_eur_per_kwh),
		cardinality(profile_low_kw), cardinality(profile_high_kw), cardinality(penalty_low_eur_per_kwh), cardinality(penalty_high_eur_per_kwh), cardinality(ess_kw), cardinality(ess_soc_kwh),
		cardinality(pev_kw), cardinality(pev_soc_kwh), cardinality(grid_kw), cardinality(outside_high_kw), cardinality(outside_low_kw), cardinality(contract_high_kw), cardinality(contract_low_kw)) <= slots),
	PRIMARY KEY (home_id, plan_id)
-- Compressing a few kB of floats costs more time than the rest of storing them.
) WITH (toast_tuple_target = 8160);
CREATE INDEX plan_origin ON plan (home_id, origin);
COMMENT ON TABLE plan IS 'A stored plan of a home; arrays have one element a slot, plan_slot shows them as rows. A null array is 0 throughout, or none where its comment says so';
COMMENT ON COLUMN plan.home_id IS 'The home';
COMMENT ON COLUMN plan.plan_id IS 'Identifier';
COMMENT ON COLUMN plan.made_at IS 'When it was computed';
COMMENT ON COLUMN plan.planned_at IS 'The moment whose knowledge it used';
COMMENT ON COLUMN plan.origin IS 'Start of its first slot';
COMMENT ON COLUMN plan.slot_length IS 'Length of its slots';
COMMENT ON COLUMN plan.slots IS 'Number of its slots';
COMMENT ON COLUMN plan.objective IS 'The objective asked for; null: the default';
COMMENT ON COLUMN plan.status IS 'optimal, feasible (within gap) or fallback (the solver gave no answer)';
COMMENT ON COLUMN plan.objective_eur IS 'What was minimised, EUR';
COMMENT ON COLUMN plan.bound_eur IS 'Proved lower bound, EUR; null: none';
COMMENT ON COLUMN plan.gap IS 'Relative gap between the two';
COMMENT ON COLUMN plan.solve_seconds IS 'Time spent in the solver, s';
COMMENT ON COLUMN plan.energy_eur IS 'Energy cost, EUR';
COMMENT ON COLUMN plan.co2_eur IS 'CO2 cost, EUR';
COMMENT ON COLUMN plan.distribution_eur IS 'Penalties for energy outside the profile, EUR';
COMMENT ON COLUMN plan.stored_value_eur IS 'Terminal value of stored energy, EUR';
COMMENT ON COLUMN plan.penalty_eur IS 'Dominating penalties, EUR; 0 in a clean plan';
COMMENT ON COLUMN plan.baseline_eur IS 'Cost with both stores idle, EUR';
COMMENT ON COLUMN plan.shortfall_kwh IS 'PEV target missed by, kWh';
COMMENT ON COLUMN plan.changed_slots IS 'Slots whose power differs from what the plan before it said; null: there was none';
COMMENT ON COLUMN plan.demand_model IS 'Model behind the demand forecast';
COMMENT ON COLUMN plan.assumed IS 'What was assumed for want of input';
COMMENT ON COLUMN plan.violated IS 'What could not be kept';

COMMENT ON COLUMN plan.demand_kw IS 'Forecast demand of the appliances, kW';
COMMENT ON COLUMN plan.production_kw IS 'Forecast production, kW';
COMMENT ON COLUMN plan.energy_eur_per_kwh IS 'Import price planned with, EUR/kWh';
COMMENT ON COLUMN plan.export_eur_per_kwh IS 'Export price planned with, EUR/kWh; null: the import price';
COMMENT ON COLUMN plan.co2_eur_per_kwh IS 'CO2 cost planned with, EUR/kWh';
COMMENT ON COLUMN plan.profile_low_kw IS 'Lower bound of the power profile, kW; null: none';
COMMENT ON COLUMN plan.profile_high_kw IS 'Upper bound of the power profile, kW; null: none';
COMMENT ON COLUMN plan.penalty_low_eur_per_kwh IS 'Penalty below the profile, EUR/kWh';
COMMENT ON COLUMN plan.penalty_high_eur_per_kwh IS 'Penalty above the profile, EUR/kWh';
COMMENT ON COLUMN plan.ess_kw IS 'ESS power, kW, charge positive';
COMMENT ON COLUMN plan.ess_soc_kwh IS 'ESS state of charge at the slot''s end, kWh';
COMMENT ON COLUMN plan.pev_kw IS 'PEV power, kW, charge positive';
COMMENT ON COLUMN plan.pev_soc_kwh IS 'PEV state of charge at the slot''s end, kWh';
COMMENT ON COLUMN plan.grid_kw IS 'Grid power, kW, drawn positive';
COMMENT ON COLUMN plan.outside_high_kw IS 'Above the power profile, kW';
COMMENT ON COLUMN plan.outside_low_kw IS 'Below the power profile, kW';
COMMENT ON COLUMN plan.contract_high_kw IS 'Above the contract, kW';
COMMENT ON COLUMN plan.contract_low_kw IS 'Below the contract, kW';

CREATE VIEW plan_slot WITH (security_invoker = true) AS
SELECT home_id, plan_id, slot_no, slot_start, demand_kw, production_kw, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh,
	ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh, grid_kw, outside_high_kw, outside_low_kw, contract_high_kw, contract_low_kw,
	ebr_slot_cost(grid_kw, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh, outside_high_kw, penalty_high_eur_per_kwh,
		outside_low_kw, penalty_low_eur_per_kwh, slot_length) AS cost_eur,
	ebr_slot_cost(demand_kw - production_kw, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh,
		demand_kw - production_kw - profile_high_kw, penalty_high_eur_per_kwh,
		profile_low_kw - (demand_kw - production_kw), penalty_low_eur_per_kwh, slot_length) AS cost_without_storage_eur
FROM (
	SELECT p.home_id, p.plan_id, s.n::integer AS slot_no, p.origin + (s.n - 1) * p.slot_length AS slot_start, p.slot_length,
		s.demand_kw, coalesce(s.production_kw, 0) AS production_kw, s.energy_eur_per_kwh, coalesce(s.export_eur_per_kwh, s.energy_eur_per_kwh) AS export_eur_per_kwh,
		coalesce(s.co2_eur_per_kwh, 0) AS co2_eur_per_kwh, s.profile_low_kw, s.profile_high_kw, s.penalty_low_eur_per_kwh, s.penalty_high_eur_per_kwh,
		coalesce(s.ess_kw, 0) AS ess_kw, coalesce(s.ess_soc_kwh, 0) AS ess_soc_kwh, coalesce(s.pev_kw, 0) AS pev_kw, coalesce(s.pev_soc_kwh, 0) AS pev_soc_kwh,
		s.grid_kw, coalesce(s.outside_high_kw, 0) AS outside_high_kw, coalesce(s.outside_low_kw, 0) AS outside_low_kw,
		coalesce(s.contract_high_kw, 0) AS contract_high_kw, coalesce(s.contract_low_kw, 0) AS contract_low_kw
	FROM plan p, unnest(p.demand_kw, p.production_kw, p.energy_eur_per_kwh, p.export_eur_per_kwh, p.co2_eur_per_kwh, p.profile_low_kw, p.profile_high_kw,
	p.penalty_low_eur_per_kwh, p.penalty_high_eur_per_kwh, p.ess_kw, p.ess_soc_kwh, p.pev_kw, p.pev_soc_kwh, p.grid_kw, p.outside_high_kw, p.outside_low_kw,
	p.contract_high_kw, p.contract_low_kw)
	WITH ORDINALITY AS s(demand_kw, production_kw, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh, profile_low_kw, profile_high_kw,
		penalty_low_eur_per_kwh, penalty_high_eur_per_kwh, ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh, grid_kw, outside_high_kw, outside_low_kw,
		contract_high_kw, contract_low_kw, n)
) AS slot;
COMMENT ON VIEW plan_slot IS 'The slots of stored plans, one row each, in the units of plan; cost_eur is energy, CO2 and distribution cost of the slot, cost_without_storage_eur the same with both stores idle';

CREATE TABLE command (
	command_id bigint PRIMARY KEY DEFAULT new_id(),
	home_id bigint NOT NULL,
	plan_id bigint NOT NULL,
	slot_start timestamptz NOT NULL CHECK (slot_start >= '1970-01-01 00:00:00+00' AND slot_start < '2200-01-01 00:00:00+00'),
	slot_length interval NOT NULL CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	ess_setpoint_kw float8 CHECK (ess_setpoint_kw BETWEEN -1e6 AND 1e6),
	ess_grid_charge_kwh float8 CHECK (ess_grid_charge_kwh BETWEEN -1e6 AND 1e6),
	ess_surplus_charge_kwh float8 CHECK (ess_surplus_charge_kwh BETWEEN -1e6 AND 1e6),
	ess_cover_demand_kwh float8 CHECK (ess_cover_demand_kwh BETWEEN -1e6 AND 1e6),
	ess_export_kwh float8 CHECK (ess_export_kwh BETWEEN -1e6 AND 1e6),
	pev_setpoint_kw float8 CHECK (pev_setpoint_kw BETWEEN -1e6 AND 1e6),
	pev_grid_charge_kwh float8 CHECK (pev_grid_charge_kwh BETWEEN -1e6 AND 1e6),
	pev_surplus_charge_kwh float8 CHECK (pev_surplus_charge_kwh BETWEEN -1e6 AND 1e6),
	pev_cover_demand_kwh float8 CHECK (pev_cover_demand_kwh BETWEEN -1e6 AND 1e6),
	pev_export_kwh float8 CHECK (pev_export_kwh BETWEEN -1e6 AND 1e6),
	ess_bands float8[] CHECK (cardinality(ess_bands) <= 400),
	pev_bands float8[] CHECK (cardinality(pev_bands) <= 400),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'acknowledged', 'failed', 'expired')),
	state_changed_at timestamptz,
	detail text,
	UNIQUE (home_id, slot_start),
	FOREIGN KEY (home_id, plan_id) REFERENCES plan
);
CREATE INDEX command_pending ON command (slot_start) WHERE state IN ('pending', 'sent');
COMMENT ON TABLE command IS 'What the home''s stores are to do in a slot: the document''s set-point and the rule that follows from the same plan (DESIGN.md section 3); delivered by the bridge';
COMMENT ON COLUMN command.command_id IS 'Identifier';
COMMENT ON COLUMN command.home_id IS 'The home';
COMMENT ON COLUMN command.plan_id IS 'The plan that it follows from';
COMMENT ON COLUMN command.slot_start IS 'Start of the slot; one command a home and slot';
COMMENT ON COLUMN command.slot_length IS 'Length of the slot';
COMMENT ON COLUMN command.ess_setpoint_kw IS 'Planned ESS power, kW, charge positive; null: no ESS';
COMMENT ON COLUMN command.ess_grid_charge_kwh IS 'Charge the ESS from the grid while it holds less, kWh';
COMMENT ON COLUMN command.ess_surplus_charge_kwh IS 'Charge it from surplus while it holds less, kWh';
COMMENT ON COLUMN command.ess_cover_demand_kwh IS 'Cover own demand from it while it holds more, kWh';
COMMENT ON COLUMN command.ess_export_kwh IS 'Export from it while it holds more, kWh';
COMMENT ON COLUMN command.pev_setpoint_kw IS 'Planned PEV power, kW, charge positive; null: no PEV plugged in';
COMMENT ON COLUMN command.pev_grid_charge_kwh IS 'The same levels for the PEV, kWh';
COMMENT ON COLUMN command.pev_surplus_charge_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN command.pev_cover_demand_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN command.pev_export_kwh IS 'See pev_grid_charge_kwh';
COMMENT ON COLUMN command.ess_bands IS 'The ESS''s rule where a profile or contract adds levels, rows of {at_kw, charge_kwh, discharge_kwh} as in ebr_solution; null: the four levels are the whole rule';
COMMENT ON COLUMN command.pev_bands IS 'The same for the PEV';
COMMENT ON COLUMN command.created_at IS 'When it was made';
COMMENT ON COLUMN command.state IS 'pending, sent, acknowledged, failed or expired';
COMMENT ON COLUMN command.state_changed_at IS 'When the state last changed';
COMMENT ON COLUMN command.detail IS 'What the gateway or the bridge said to it';

CREATE FUNCTION command_made() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM pg_catalog.pg_notify('smarthg_command', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION command_made() IS 'Tells the bridge that commands wait';
CREATE TRIGGER command_made AFTER INSERT ON command FOR EACH STATEMENT EXECUTE FUNCTION command_made();

CREATE FUNCTION ebr_rule_power(grid_charge_kwh float8, surplus_charge_kwh float8, cover_demand_kwh float8, export_kwh float8,
	capacity_kwh float8, min_kw float8, max_kw float8, efficiency float8, soc_kwh float8, net_demand_kw float8, slot_length interval DEFAULT '1 hour',
	bands float8[] DEFAULT NULL, min_step_kw float8 DEFAULT 0)
RETURNS float8
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_ebr_rule_power';
COMMENT ON FUNCTION ebr_rule_power(float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, interval, float8[], float8) IS
'Power, kW, charge positive, that a store executes in a slot under a command''s four levels, kWh, given its state of charge and the measured net demand (demand - production + other store), kW, or under its bands where it has some; a store that runs at min_step_kw at least or not at all takes the nearer of the two that it has room for; null where another argument is null (DESIGN.md section 3)';

CREATE FUNCTION ebr_command(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
RETURNS TABLE (slot_start timestamptz, ess_setpoint_kw float8, ess_grid_charge_kwh float8, ess_surplus_charge_kwh float8,
	ess_cover_demand_kwh float8, ess_export_kwh float8, pev_setpoint_kw float8, pev_grid_charge_kwh float8, pev_surplus_charge_kwh float8,
	pev_cover_demand_kwh float8, pev_export_kwh float8, ess_bands float8[], pev_bands float8[], status text, assumed text[], violated text[], input ebr_input, solution ebr_solution)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 COST 20000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	input := ebr_home_input(home_id, at, slots, slot_length);
	solution := ebr_solve_input(input, objective, time_limit => time_limit, always_answer => true);
	slot_start := input.origin;
	IF (input.ess).capacity_kwh > 0 THEN
		ess_setpoint_kw := solution.ess_kw[1];
		ess_grid_charge_kwh := solution.ess_grid_charge_kwh;
		ess_surplus_charge_kwh := solution.ess_surplus_charge_kwh;
		ess_cover_demand_kwh := solution.ess_cover_demand_kwh;
		ess_export_kwh := solution.ess_export_kwh;
		ess_bands := solution.ess_bands;
	END IF;
	IF (input.pev).capacity_kwh > 0 AND input.pev_plugged_hours > 0 THEN
		pev_setpoint_kw := solution.pev_kw[1];
		pev_grid_charge_kwh := solution.pev_grid_charge_kwh;
		pev_surplus_charge_kwh := solution.pev_surplus_charge_kwh;
		pev_cover_demand_kwh := solution.pev_cover_demand_kwh;
		pev_export_kwh := solution.pev_export_kwh;
		pev_bands := solution.pev_bands;
	END IF;
	status := solution.status;
	assumed := input.assumed || solution.assumed;
	violated := solution.violated;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION ebr_command(bigint, timestamptz, integer, interval, text, interval) IS
'The command for the slot that holds at: set-points, kW, and the levels of the rule, kWh, with the input and the plan that they follow from. Stores nothing. Always answers for a known home: where the solver fails or is out of time, status is fallback (document 3.2.1, DESIGN.md section 3). Error: unknown home';

CREATE TYPE ebr_home_planned AS (
	home_id bigint,
	origin timestamptz,
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
	changed_slots integer,
	demand_model text,
	assumed text[],
	violated text[],
	demand_kw float8[],
	production_kw float8[],
	energy_eur_per_kwh float8[],
	export_eur_per_kwh float8[],
	co2_eur_per_kwh float8[],
	profile_low_kw float8[],
	profile_high_kw float8[],
	penalty_low_eur_per_kwh float8[],
	penalty_high_eur_per_kwh float8[],
	ess_kw float8[],
	ess_soc_kwh float8[],
	pev_kw float8[],
	pev_soc_kwh float8[],
	grid_kw float8[],
	outside_high_kw float8[],
	outside_low_kw float8[],
	contract_high_kw float8[],
	contract_low_kw float8[],
	ess_setpoint_kw float8,
	ess_grid_charge_kwh float8,
	ess_surplus_charge_kwh float8,
	ess_cover_demand_kwh float8,
	ess_export_kwh float8,
	ess_bands float8[],
	pev_setpoint_kw float8,
	pev_grid_charge_kwh float8,
	pev_surplus_charge_kwh float8,
	pev_cover_demand_kwh float8,
	pev_export_kwh float8,
	pev_bands float8[]
);
COMMENT ON TYPE ebr_home_planned IS 'A home''s plan and command as they are stored; the columns are those of plan and command';

CREATE FUNCTION ebr_home_plan(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
RETURNS ebr_home_planned
LANGUAGE c STABLE PARALLEL SAFE COST 20000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_ebr_home_plan';
COMMENT ON FUNCTION ebr_home_plan(bigint, timestamptz, integer, interval, text, interval) IS
'The plan and command of a home for the slot that holds at as ebr_run stores them, made in one go: what ebr_command answers, in the columns of plan and command. Stores nothing. Errors: unknown home, slots or objective that cannot be planned';

CREATE FUNCTION ebr_plan_homes(homes bigint[], at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
RETURNS SETOF ebr_home_planned
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = smarthg, pg_temp
-- Planning is what workers are for; compiling the query in each of them is not.
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 SET min_parallel_index_scan_size = 0 SET jit = off AS $$
BEGIN
	IF cardinality(homes) < 100 THEN
		-- Starting workers would take longer.
		RETURN QUERY SELECT p.* FROM unnest(homes) AS h(home_id) CROSS JOIN LATERAL ebr_home_plan(h.home_id, at, slots, slot_length, objective, time_limit) AS p;
		RETURN;
	END IF;
	-- RETURN QUERY may use parallel workers; a statement that stores its rows may not. In a target
	-- list the function has its cost, laterally it would seem to cost nothing; the offset keeps it
	-- from being called for every column.
	RETURN QUERY EXECUTE 'SELECT (m.p).* FROM (SELECT smarthg.ebr_home_plan(h.home_id, $2, $3, $4, $5, $6) AS p FROM smarthg.home h WHERE h.home_id = ANY ($1) OFFSET 0) AS m'
		USING homes, at, slots, slot_length, objective, time_limit;
END $$;
COMMENT ON FUNCTION ebr_plan_homes(bigint[], timestamptz, integer, interval, text, interval) IS 'ebr_home_plan for many homes, each given once, in parallel where the server has workers. Stores nothing; any error ends it';

CREATE FUNCTION ebr_plan_and_store(homes bigint[], at timestamptz, slots integer, slot_length interval, objective text, time_limit interval)
RETURNS TABLE (home_id bigint, command_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	fresh_ids bigint[] := new_ids(2 * cardinality(homes));
BEGIN
	RETURN QUERY
		WITH fresh AS MATERIALIZED (
			SELECT m.*, fresh_ids[2 * row_number() OVER () - 1] AS plan_id, fresh_ids[2 * row_number() OVER ()] AS command_id
			FROM ebr_plan_homes(homes, at, ebr_plan_and_store.slots, ebr_plan_and_store.slot_length, ebr_plan_and_store.objective, time_limit) AS m
		), planned AS (
			INSERT INTO plan (planned_at, objective, slot_length, slots, plan_id,
				home_id, origin, status, objective_eur, bound_eur, gap, solve_seconds, energy_eur, co2_eur, distribution_eur, stored_value_eur, penalty_eur,
				baseline_eur, shortfall_kwh, changed_slots, demand_model, assumed, violated, demand_kw, production_kw, energy_eur_per_kwh, export_eur_per_kwh,
				co2_eur_per_kwh, profile_low_kw, profile_high_kw, penalty_low_eur_per_kwh, penalty_high_eur_per_kwh, ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh,
				grid_kw, outside_high_kw, outside_low_kw, contract_high_kw, contract_low_kw)
			SELECT at, ebr_plan_and_store.objective, ebr_plan_and_store.slot_length, ebr_plan_and_store.slots, plan_id,
				home_id, origin, status, objective_eur, bound_eur, gap, solve_seconds, energy_eur, co2_eur, distribution_eur, stored_value_eur, penalty_eur,
				baseline_eur, shortfall_kwh, changed_slots, demand_model, assumed, violated, demand_kw, production_kw, energy_eur_per_kwh, export_eur_per_kwh,
				co2_eur_per_kwh, profile_low_kw, profile_high_kw, penalty_low_eur_per_kwh, penalty_high_eur_per_kwh, ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh,
				grid_kw, outside_high_kw, outside_low_kw, contract_high_kw, contract_low_kw
			FROM fresh
		)
		INSERT INTO command AS c (command_id, home_id, plan_id, slot_start, slot_length,
			ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, ess_bands, pev_setpoint_kw, pev_grid_charge_kwh,
			pev_surplus_charge_kwh, pev_cover_demand_kwh, pev_export_kwh, pev_bands)
		SELECT command_id, home_id, plan_id, origin, ebr_plan_and_store.slot_length,
			ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, ess_bands, pev_setpoint_kw, pev_grid_charge_kwh,
			pev_surplus_charge_kwh, pev_cover_demand_kwh, pev_export_kwh, pev_bands
		FROM fresh
		RETURNING c.home_id, c.command_id;
END $$;
COMMENT ON FUNCTION ebr_plan_and_store(bigint[], timestamptz, integer, interval, text, interval) IS 'Plans homes, in parallel where the server has workers, and stores their plans and commands; any error ends it';

CREATE FUNCTION ebr_plan_and_store_most(homes bigint[], at timestamptz, slots integer, slot_length interval, objective text, time_limit interval)
RETURNS TABLE (home_id bigint, command_id bigint, error text)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	part integer := ceil(cardinality(homes) / 16.0);
BEGIN
	IF homes IS NULL THEN
		RETURN;
	END IF;
	BEGIN
		RETURN QUERY SELECT s.home_id, s.command_id, NULL FROM ebr_plan_and_store(homes, at, slots, slot_length, objective, time_limit) AS s;
		RETURN;
	EXCEPTION WHEN OTHERS THEN
		IF cardinality(homes) = 1 THEN
			RETURN QUERY SELECT homes[1], NULL::bigint, SQLERRM;
			RETURN;
		END IF;
	END;
	-- A home makes it fail: parts are tried, down to that home alone.
	FOR n IN 1 .. cardinality(homes) BY part LOOP
		RETURN QUERY SELECT s.* FROM ebr_plan_and_store_most(homes[n : n + part - 1], at, slots, slot_length, objective, time_limit) AS s;
	END LOOP;
END $$;
COMMENT ON FUNCTION ebr_plan_and_store_most(bigint[], timestamptz, integer, interval, text, interval) IS 'ebr_plan_and_store for all of the homes that it succeeds for; one that it fails for is a row with its error';

CREATE FUNCTION ebr_run(at timestamptz DEFAULT now(), homes bigint[] DEFAULT NULL, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
RETURNS TABLE (home_id bigint, command_id bigint, error text)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	origin timestamptz := slot_start(ebr_run.at, ebr_run.slot_length);
	wanted bigint[];
BEGIN
	IF current_setting('transaction_isolation') NOT LIKE 'read %' THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'homes cannot be planned at isolation level ' || current_setting('transaction_isolation'),
			DETAIL = 'A session that waited for another could not see the commands that the other made.', HINT = 'Use READ COMMITTED.';
	END IF;
	-- Each home is locked to the end of the transaction, in the order of all runs. Another that
	-- wants the same home waits here, then finds its command.
	PERFORM FROM home h
		WHERE (ebr_run.homes IS NULL OR h.home_id = ANY (ebr_run.homes))
			AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id))
		ORDER BY h.home_id FOR NO KEY UPDATE OF h;
	RETURN QUERY
		SELECT c.home_id, c.command_id, NULL FROM command c
		WHERE c.slot_start = origin AND (ebr_run.homes IS NULL OR c.home_id = ANY (ebr_run.homes));
	SELECT array_agg(h.home_id ORDER BY h.home_id) INTO wanted FROM home h
		WHERE (ebr_run.homes IS NULL OR h.home_id = ANY (ebr_run.homes))
			AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id))
			AND NOT EXISTS (SELECT FROM command c WHERE c.home_id = h.home_id AND c.slot_start = origin);
	RETURN QUERY SELECT s.* FROM ebr_plan_and_store_most(wanted, ebr_run.at, ebr_run.slots, ebr_run.slot_length, ebr_run.objective, ebr_run.time_limit) AS s;
END $$;
COMMENT ON FUNCTION ebr_run(timestamptz, bigint[], integer, interval, text, interval) IS
'One step of the control loop: plans all homes (or those given) that have an ESS or a PEV, in parallel workers where the server has them, and stores plans and commands for the slot that holds at, in one transaction. A failing home is a row with its error, not the end of the statement. Calling it again for the same slot changes nothing; where another session is at a home, it waits for it and returns its command. All runs and loops of a database are to use one slot length: a command of another length counts only where it starts at the same time. Needs the right to update home, whose rows it locks, and isolation level READ COMMITTED (document 3.2.1)';

CREATE FUNCTION ebr_claim_homes(after bigint, most integer, slot timestamptz, failed bigint[], wait boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp SET jit = off AS $$
DECLARE
	claimed bigint[];
BEGIN
	-- Subqueries that are no joins: a batch reads the next homes' rows alone, never a whole table.
	EXECUTE 'SELECT array_agg(n.home_id ORDER BY n.home_id) FROM (
			SELECT h.home_id FROM smarthg.home h
			WHERE h.home_id > $1 AND h.home_id <> ALL ($4)
				AND coalesce((SELECT true FROM smarthg.ess e WHERE e.home_id = h.home_id), (SELECT true FROM smarthg.pev p WHERE p.home_id = h.home_id))
				AND NOT coalesce((SELECT true FROM smarthg.command c WHERE c.home_id = h.home_id AND c.slot_start = $3), false)
			ORDER BY h.home_id LIMIT $2 FOR NO KEY UPDATE OF h' || CASE WHEN wait THEN '' ELSE ' SKIP LOCKED' END || ') AS n'
		INTO claimed USING after, most, slot, failed;
	RETURN claimed;
END $$;
COMMENT ON FUNCTION ebr_claim_homes(bigint, integer, timestamptz, bigint[], boolean) IS 'The next homes after a given one that have an ESS or a PEV but no command for a slot, in order, locked to the end of the transaction; those that another session has locked are left out or waited for. Null where there is none';

-- No SET clause: a procedure that has one may not commit. All names are qualified instead.
CREATE PROCEDURE ebr_loop(at timestamptz DEFAULT now(), batch integer DEFAULT 1000, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s', workers boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
	slot timestamptz;
	homes bigint[];
	last bigint;
	wait boolean;
	done record;
	commanded integer := 0;
	failed bigint[] := '{}';
BEGIN
	IF batch < 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('a batch of %s homes is not possible', batch);
	END IF;
	slot := smarthg.slot_start(at, slot_length);
	-- First what no other session is at; then what others have not done after all.
	FOREACH wait IN ARRAY ARRAY[false, true] LOOP
		last := '-9223372036854775808';
		LOOP
			IF NOT workers THEN
				PERFORM pg_catalog.set_config('max_parallel_workers_per_gather', '0', true);
			END IF;
			homes := smarthg.ebr_claim_homes(last, batch, slot, failed, wait);
			EXIT WHEN homes IS NULL;
			last := homes[pg_catalog.cardinality(homes)];
			FOR done IN SELECT r.home_id, r.error FROM smarthg.ebr_run(at, homes, slots, slot_length, objective, time_limit) AS r LOOP
				IF done.error IS NULL THEN
					commanded := commanded + 1;
				ELSE
					failed := pg_catalog.array_append(failed, done.home_id);
					RAISE WARNING USING MESSAGE = pg_catalog.format('home %s was not planned: %s', done.home_id, done.error);
				END IF;
			END LOOP;
			COMMIT;
			RAISE NOTICE USING MESSAGE = pg_catalog.format('%s homes have their commands, %s failed', commanded, pg_catalog.cardinality(failed));
		END LOOP;
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE ebr_loop(timestamptz, integer, integer, interval, text, interval, boolean) IS
'One turn of the control loop over the whole database: ebr_run for so many homes at a time, each batch committed, progress as notices, a home that fails as a warning. Sessions that call it at the same time share the homes: each takes batches that no other is at, and returns when all homes have their commands. workers tells whether parallel workers may help a session. A turn that was interrupted is taken up by calling it again: homes that have their command for the slot keep it (document 3.2.1)';

CREATE FUNCTION ebr_schedule(schedule text DEFAULT '0 * * * *', sessions integer DEFAULT 1) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	command text := 'CALL smarthg.ebr_loop()';
BEGIN
	IF to_regprocedure('cron.schedule(text, text, text)') IS NULL THEN
		RAISE feature_not_supported USING MESSAGE = 'pg_cron is not installed in this database',
			HINT = 'Let a timer of the operating system run: psql -c ''CALL smarthg.ebr_loop()''';
	END IF;
	IF sessions NOT BETWEEN 0 AND 100 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a schedule for %s sessions is not possible', sessions);
	END IF;
	IF sessions > 1 THEN
		command := 'CALL smarthg.ebr_loop(workers => false)';
	END IF;
	FOR session IN 1 .. sessions LOOP
		RETURN QUERY EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING format('smarthg control loop %s', session), schedule, command;
	END LOOP;
	-- What is left of a schedule for more sessions.
	EXECUTE 'SELECT count(cron.unschedule(jobid)) FROM cron.job WHERE database = current_database() AND username = current_user
		AND jobname ~ ''^smarthg control loop [0-9]+$'' AND substring(jobname FROM ''[0-9]+$'')::integer > $1' USING sessions;
END $$;
COMMENT ON FUNCTION ebr_schedule(text, integer) IS 'Has pg_cron run ebr_loop by a cron schedule, by default at every full hour, in so many sessions side by side: one that parallel workers help, or several, at best one a core, that do without. Returns the jobs'' numbers; 0 sessions end the schedule. Errors: pg_cron is not there, less than 0 or more than 100 sessions';
