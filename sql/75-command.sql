-- Plans and commands as stored, and the control loop's step over all homes (document 3.2.1,
-- DESIGN.md section 3).

CREATE TABLE plan (
	home_id bigint NOT NULL REFERENCES home,
	plan_id bigint NOT NULL DEFAULT new_id(),
	made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	planned_at timestamptz NOT NULL,
	origin timestamptz NOT NULL,
	slot_length interval NOT NULL,
	slots integer NOT NULL CHECK (slots > 0),
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
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL,
	ess_setpoint_kw float8,
	ess_grid_charge_kwh float8,
	ess_surplus_charge_kwh float8,
	ess_cover_demand_kwh float8,
	ess_export_kwh float8,
	pev_setpoint_kw float8,
	pev_grid_charge_kwh float8,
	pev_surplus_charge_kwh float8,
	pev_cover_demand_kwh float8,
	pev_export_kwh float8,
	ess_bands float8[],
	pev_bands float8[],
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

CREATE FUNCTION ebr_plan_and_store(homes bigint[], at timestamptz, slots integer, slot_length interval, objective text, time_limit interval)
RETURNS TABLE (home_id bigint, command_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp
-- The planner takes a lateral function for cheap; planning is what workers are for.
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 AS $$
DECLARE
	zeros float8[] := array_fill(0::float8, ARRAY[slots]);
BEGIN
	-- A statement that makes a table of its result may use parallel workers, one that inserts may not.
	-- Series that are 0 throughout are not kept.
	EXECUTE 'CREATE TEMPORARY TABLE smarthg_ebr_made WITH (toast_tuple_target = 8160) ON COMMIT DROP AS
		SELECT h.home_id, (c.input).origin, (c.input).demand_model, c.status, c.assumed, c.violated, (c.solution).objective_eur, (c.solution).bound_eur,
			(c.solution).gap, (c.solution).solve_seconds, (c.solution).energy_eur, (c.solution).co2_eur, (c.solution).distribution_eur,
			(c.solution).stored_value_eur, (c.solution).penalty_eur, (c.solution).baseline_eur, (c.solution).shortfall_kwh, (c.solution).changed_slots,
			(c.input).demand_kw, nullif((c.input).production_kw, $7) AS production_kw, (c.input).profile_low_kw, (c.input).profile_high_kw,
			(c.input).penalty_low_eur_per_kwh, (c.input).penalty_high_eur_per_kwh, (c.solution).energy_eur_per_kwh,
			nullif((c.solution).export_eur_per_kwh, (c.solution).energy_eur_per_kwh) AS export_eur_per_kwh,
			nullif((c.solution).co2_eur_per_kwh, $7) AS co2_eur_per_kwh, nullif((c.solution).ess_kw, $7) AS ess_kw,
			nullif((c.solution).ess_soc_kwh, $7) AS ess_soc_kwh, nullif((c.solution).pev_kw, $7) AS pev_kw, nullif((c.solution).pev_soc_kwh, $7) AS pev_soc_kwh,
			(c.solution).grid_kw, nullif((c.solution).outside_high_kw, $7) AS outside_high_kw, nullif((c.solution).outside_low_kw, $7) AS outside_low_kw,
			nullif((c.solution).contract_high_kw, $7) AS contract_high_kw, nullif((c.solution).contract_low_kw, $7) AS contract_low_kw,
			c.ess_setpoint_kw, c.ess_grid_charge_kwh, c.ess_surplus_charge_kwh, c.ess_cover_demand_kwh, c.ess_export_kwh, c.ess_bands, c.pev_setpoint_kw,
			c.pev_grid_charge_kwh, c.pev_surplus_charge_kwh, c.pev_cover_demand_kwh, c.pev_export_kwh, c.pev_bands
		FROM smarthg.home h CROSS JOIN LATERAL smarthg.ebr_command(h.home_id, $2, $3, $4, $5, $6) AS c WHERE h.home_id = ANY ($1)'
		USING homes, at, slots, slot_length, objective, time_limit, zeros;
	RETURN QUERY EXECUTE '
		WITH fresh AS MATERIALIZED (
			SELECT m.*, smarthg.new_id() AS plan_id FROM pg_temp.smarthg_ebr_made AS m
		), planned AS (
			INSERT INTO smarthg.plan (planned_at, objective, slot_length, slots,
				home_id, plan_id, origin, status, objective_eur, bound_eur, gap, solve_seconds, energy_eur, co2_eur, distribution_eur, stored_value_eur, penalty_eur,
				baseline_eur, shortfall_kwh, changed_slots, demand_model, assumed, violated, demand_kw, production_kw, profile_low_kw, profile_high_kw,
				penalty_low_eur_per_kwh, penalty_high_eur_per_kwh, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh, ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh,
				grid_kw, outside_high_kw, outside_low_kw, contract_high_kw, contract_low_kw)
			SELECT $1, $2, $3, $4,
				home_id, plan_id, origin, status, objective_eur, bound_eur, gap, solve_seconds, energy_eur, co2_eur, distribution_eur, stored_value_eur, penalty_eur,
				baseline_eur, shortfall_kwh, changed_slots, demand_model, assumed, violated, demand_kw, production_kw, profile_low_kw, profile_high_kw,
				penalty_low_eur_per_kwh, penalty_high_eur_per_kwh, energy_eur_per_kwh, export_eur_per_kwh, co2_eur_per_kwh, ess_kw, ess_soc_kwh, pev_kw, pev_soc_kwh,
				grid_kw, outside_high_kw, outside_low_kw, contract_high_kw, contract_low_kw
			FROM fresh
		)
		INSERT INTO smarthg.command AS c (slot_start, slot_length,
			home_id, plan_id, ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, ess_bands, pev_setpoint_kw,
			pev_grid_charge_kwh, pev_surplus_charge_kwh, pev_cover_demand_kwh, pev_export_kwh, pev_bands)
		SELECT origin, $3,
			home_id, plan_id, ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, ess_bands, pev_setpoint_kw,
			pev_grid_charge_kwh, pev_surplus_charge_kwh, pev_cover_demand_kwh, pev_export_kwh, pev_bands
		FROM fresh
		RETURNING c.home_id, c.command_id' USING at, objective, slot_length, slots;
	DROP TABLE pg_temp.smarthg_ebr_made;
END $$;
COMMENT ON FUNCTION ebr_plan_and_store(bigint[], timestamptz, integer, interval, text, interval) IS 'Plans homes, in parallel where the server has workers, and stores their plans and commands; any error ends it';

CREATE FUNCTION ebr_run(at timestamptz DEFAULT now(), homes bigint[] DEFAULT NULL, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
RETURNS TABLE (home_id bigint, command_id bigint, error text)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	origin timestamptz := slot_start(ebr_run.at, ebr_run.slot_length);
	wanted bigint[];
	one bigint;
BEGIN
	-- Two runs at once would plan the same homes: the second waits, then finds their commands.
	LOCK TABLE command IN SHARE UPDATE EXCLUSIVE MODE;
	RETURN QUERY
		SELECT c.home_id, c.command_id, NULL FROM command c
		WHERE c.slot_start = origin AND (ebr_run.homes IS NULL OR c.home_id = ANY (ebr_run.homes));
	SELECT array_agg(h.home_id ORDER BY h.home_id) INTO wanted FROM home h
		WHERE (ebr_run.homes IS NULL OR h.home_id = ANY (ebr_run.homes))
			AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id))
			AND NOT EXISTS (SELECT FROM command c WHERE c.home_id = h.home_id AND c.slot_start = origin);
	-- All at once; if a home makes that fail, each by itself.
	BEGIN
		RETURN QUERY SELECT s.home_id, s.command_id, NULL FROM ebr_plan_and_store(wanted, ebr_run.at, ebr_run.slots, ebr_run.slot_length, ebr_run.objective, ebr_run.time_limit) AS s;
		RETURN;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	FOREACH one IN ARRAY wanted LOOP
		BEGIN
			RETURN QUERY SELECT s.home_id, s.command_id, NULL FROM ebr_plan_and_store(ARRAY[one], ebr_run.at, ebr_run.slots, ebr_run.slot_length, ebr_run.objective, ebr_run.time_limit) AS s;
		EXCEPTION WHEN OTHERS THEN
			RETURN QUERY SELECT one, NULL::bigint, SQLERRM;
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION ebr_run(timestamptz, bigint[], integer, interval, text, interval) IS
'One step of the control loop: plans all homes (or those given) that have an ESS or a PEV, in parallel workers where the server has them, and stores plans and commands for the slot that holds at, in one transaction. A failing home is a row with its error, not the end of the statement. Calling it again for the same slot changes nothing (document 3.2.1)';

CREATE FUNCTION ebr_homes_after(home_id bigint, most integer) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = smarthg, pg_temp AS $$
	SELECT array_agg(n.home_id ORDER BY n.home_id) FROM (
		SELECT h.home_id FROM home h
		WHERE h.home_id > ebr_homes_after.home_id
			AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id))
		ORDER BY h.home_id LIMIT ebr_homes_after.most
	) AS n
$$;
COMMENT ON FUNCTION ebr_homes_after(bigint, integer) IS 'The next homes with an ESS or a PEV after a given one, in order; null where there is none';

-- No SET clause: a procedure that has one may not commit. All names are qualified instead.
CREATE PROCEDURE ebr_loop(at timestamptz DEFAULT now(), batch integer DEFAULT 5000, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour',
	objective text DEFAULT NULL, time_limit interval DEFAULT '10 s')
LANGUAGE plpgsql AS $$
DECLARE
	homes bigint[];
	done record;
	commanded integer := 0;
	failed integer := 0;
BEGIN
	IF batch < 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('a batch of %s homes is not possible', batch);
	END IF;
	LOOP
		homes := smarthg.ebr_homes_after(coalesce(homes[pg_catalog.cardinality(homes)], '-9223372036854775808'::bigint), batch);
		EXIT WHEN homes IS NULL;
		FOR done IN SELECT r.home_id, r.error FROM smarthg.ebr_run(at, homes, slots, slot_length, objective, time_limit) AS r LOOP
			IF done.error IS NULL THEN
				commanded := commanded + 1;
			ELSE
				failed := failed + 1;
				RAISE WARNING USING MESSAGE = pg_catalog.format('home %s was not planned: %s', done.home_id, done.error);
			END IF;
		END LOOP;
		COMMIT;
		RAISE NOTICE USING MESSAGE = pg_catalog.format('%s homes have their commands, %s failed', commanded, failed);
	END LOOP;
END $$;
COMMENT ON PROCEDURE ebr_loop(timestamptz, integer, integer, interval, text, interval) IS
'One turn of the control loop over the whole database: ebr_run for so many homes at a time, each batch committed, progress as notices, a home that fails as a warning. A turn that was interrupted is taken up by calling it again: homes that have their command for the slot keep it (document 3.2.1)';

CREATE FUNCTION ebr_schedule(schedule text DEFAULT '0 * * * *') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	job bigint;
BEGIN
	IF to_regprocedure('cron.schedule(text, text, text)') IS NULL THEN
		RAISE feature_not_supported USING MESSAGE = 'pg_cron is not installed in this database',
			HINT = 'Let a timer of the operating system run: psql -c ''CALL smarthg.ebr_loop()''';
	END IF;
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING 'smarthg control loop', schedule, 'CALL smarthg.ebr_loop()';
	RETURN job;
END $$;
COMMENT ON FUNCTION ebr_schedule(text) IS 'Has pg_cron run ebr_loop by a cron schedule, by default at every full hour; returns the job''s number. Error: pg_cron is not there';
