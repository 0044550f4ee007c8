-- Dimensioning: the capacity and power rate of a home's battery that cost least over a long span
-- (document 3.2.3, DESIGN.md section 4).

CREATE TYPE ebr_dimension_result AS (
	status text,
	capacity_kwh float8,
	power_kw float8,
	cost_eur float8,
	bound_eur float8,
	gap float8,
	relaxed_eur float8,
	investment_eur float8,
	energy_eur float8,
	co2_eur float8,
	distribution_eur float8,
	baseline_eur float8,
	saving_eur float8,
	purchase_eur float8,
	saving_eur_per_year float8,
	payback_years float8,
	recovery_factor float8,
	span_years float8,
	cycles float8,
	start_kwh float8,
	solve_seconds float8,
	passes integer,
	slots_billed integer,
	slots_skipped integer,
	overlap boolean,
	assumed text[],
	error text
);
COMMENT ON TYPE ebr_dimension_result IS 'The best battery of a home, what it costs and saves, and the proof';
COMMENT ON COLUMN ebr_dimension_result.status IS 'optimal (proved), relaxed (proved but for slots that charge and discharge at once, see overlap), feasible (within gap) or failed (see error)';
COMMENT ON COLUMN ebr_dimension_result.capacity_kwh IS 'Capacity of the best battery, kWh; 0: none pays';
COMMENT ON COLUMN ebr_dimension_result.power_kw IS 'Its power rate, kW, charging and discharging';
COMMENT ON COLUMN ebr_dimension_result.cost_eur IS 'Investment and operation over the span, EUR, of a schedule that never charges and discharges at once';
COMMENT ON COLUMN ebr_dimension_result.bound_eur IS 'Proved: no battery within the bounds costs less, EUR; null: time was out before there was one';
COMMENT ON COLUMN ebr_dimension_result.gap IS 'Relative gap between cost_eur and bound_eur';
COMMENT ON COLUMN ebr_dimension_result.relaxed_eur IS 'The same where charging and discharging at once is allowed, EUR; less than cost_eur only where prices are negative';
COMMENT ON COLUMN ebr_dimension_result.investment_eur IS 'The span''s share of the purchase, EUR';
COMMENT ON COLUMN ebr_dimension_result.energy_eur IS 'Energy cost of the span, EUR';
COMMENT ON COLUMN ebr_dimension_result.co2_eur IS 'CO2 cost of the span, EUR';
COMMENT ON COLUMN ebr_dimension_result.distribution_eur IS 'Penalties for energy outside the profile, EUR';
COMMENT ON COLUMN ebr_dimension_result.baseline_eur IS 'What the objective counts of the span without a battery, EUR';
COMMENT ON COLUMN ebr_dimension_result.saving_eur IS 'baseline_eur - cost_eur: what is left after the investment';
COMMENT ON COLUMN ebr_dimension_result.purchase_eur IS 'Purchase price of the battery, EUR';
COMMENT ON COLUMN ebr_dimension_result.saving_eur_per_year IS 'What operation costs less than without a battery, EUR a year';
COMMENT ON COLUMN ebr_dimension_result.payback_years IS 'purchase_eur / saving_eur_per_year; null: never';
COMMENT ON COLUMN ebr_dimension_result.recovery_factor IS 'Share of the purchase that a year bears: the annuity of lifetime and discount rate, or 1 / span_years without a lifetime';
COMMENT ON COLUMN ebr_dimension_result.span_years IS 'Length of the slots that were billed, years of 8766 h';
COMMENT ON COLUMN ebr_dimension_result.cycles IS 'Energy taken out of the battery in the span, in capacities';
COMMENT ON COLUMN ebr_dimension_result.start_kwh IS 'Stored at the start of the span, and again at its end, kWh';
COMMENT ON COLUMN ebr_dimension_result.solve_seconds IS 'Time spent, s';
COMMENT ON COLUMN ebr_dimension_result.passes IS 'Passes of dynamic programming over the whole span';
COMMENT ON COLUMN ebr_dimension_result.slots_billed IS 'Slots that were billed';
COMMENT ON COLUMN ebr_dimension_result.slots_skipped IS 'Slots left out for want of demand, production or price: the battery rests, nothing is billed, and the span is shorter by them';
COMMENT ON COLUMN ebr_dimension_result.overlap IS 'The relaxation charges and discharges at once somewhere, at negative prices';
COMMENT ON COLUMN ebr_dimension_result.assumed IS 'What was assumed: slots_skipped, export_price (missing: the import price), co2_price (missing: 0), profile (missing: no bound), one_price (export paid better than import: in such a slot both have the price of the side on which the home is without a battery, which never flatters the battery)';
COMMENT ON COLUMN ebr_dimension_result.error IS 'What failed, where errors are rows';

CREATE FUNCTION ebr_dimension_series(
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
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256,
	accept_incumbent boolean DEFAULT false,
	error_as_status boolean DEFAULT false)
RETURNS ebr_dimension_result
LANGUAGE c STABLE PARALLEL SAFE COST 100000 AS 'MODULE_PATHNAME', 'smarthg_ebr_dimension_series';
COMMENT ON FUNCTION ebr_dimension_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, interval, integer, boolean, boolean) IS
'Sizes a battery over the given slots: the capacity C, kWh, and power rate R, kW, with the least capacity_eur_per_kwh C + power_eur_per_kw R, spread over the lifetime, plus operation (document 3.2.3, DESIGN.md section 4). Arrays have one element a slot, 1 to 400000: demand_kw of all appliances and the PEV, prices in EUR/kWh, production and profile bounds in kW; null elements are not known (see slots_skipped and assumed of the result). lifetime_years and discount_rate (a fraction a year) make an annuity, of which the span bears its share; without a lifetime it bears the whole purchase. efficiency is the round trip''s, in (0, 1], split evenly. The state of charge at the end is that of the start. The bounds may hold capacity and power between min and max, or fix them. objective: energy_co2 (default without a profile), co2, energy_co2_distribution (default with one: penalties count). accept_incumbent: out of time, the best so far is answered (status feasible); error_as_status: what fails is a row of status failed. Contractual power is not looked at. Errors: 22004 for a cost that is null, 22023 for bad input, also where no finite battery is the best, 54000 for the time limit, 53200 for the memory limit';

CREATE TYPE ebr_dimension_input AS (
	home_id bigint,
	from_slot timestamptz,
	slot_length interval,
	demand_kw float8[],
	production_kw float8[],
	energy_eur_per_kwh float8[],
	export_eur_per_kwh float8[],
	co2_eur_per_kwh float8[],
	profile_low_kw float8[],
	profile_high_kw float8[],
	penalty_low_eur_per_kwh float8[],
	penalty_high_eur_per_kwh float8[]
);
COMMENT ON TYPE ebr_dimension_input IS 'What ebr_dimension_series needs of a stored home; arrays have one element a slot from from_slot on, null where nothing is known';

CREATE FUNCTION ebr_dimension_input(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour')
RETURNS ebr_dimension_input
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_ebr_dimension_input';
COMMENT ON FUNCTION ebr_dimension_input(bigint, timestamptz, timestamptz, interval) IS
'What was measured and priced in a stored home: demand with the PEV but without an ESS, production, market prices with the tariff''s markups, CO2 cost and profile. Nothing is filled: what is not known is null. Errors: unknown home, range not aligned to slots, slot length that the stored slots do not divide';

CREATE FUNCTION ebr_dimension_of(
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
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256,
	error_as_status boolean DEFAULT false)
RETURNS ebr_dimension_result
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ebr_dimension_series(
		demand_kw => known.demand_kw, energy_eur_per_kwh => known.energy_eur_per_kwh, production_kw => known.production_kw,
		export_eur_per_kwh => known.export_eur_per_kwh, co2_eur_per_kwh => known.co2_eur_per_kwh,
		profile_low_kw => known.profile_low_kw, profile_high_kw => known.profile_high_kw,
		penalty_low_eur_per_kwh => known.penalty_low_eur_per_kwh, penalty_high_eur_per_kwh => known.penalty_high_eur_per_kwh,
		slot_length => known.slot_length, capacity_eur_per_kwh => capacity_eur_per_kwh, power_eur_per_kw => power_eur_per_kw,
		lifetime_years => lifetime_years, discount_rate => discount_rate, efficiency => efficiency,
		capacity_min_kwh => capacity_min_kwh, capacity_max_kwh => capacity_max_kwh, power_min_kw => power_min_kw, power_max_kw => power_max_kw,
		objective => objective, time_limit => time_limit, memory_limit_mb => memory_limit_mb, error_as_status => error_as_status);
END $$;
COMMENT ON FUNCTION ebr_dimension_of(ebr_dimension_input, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, interval, integer, boolean) IS 'ebr_dimension_series for what ebr_dimension_input returned';

CREATE FUNCTION ebr_dimension(
	home_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	slot_length interval DEFAULT '1 hour',
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256,
	error_as_status boolean DEFAULT false)
RETURNS ebr_dimension_result
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN ebr_dimension_of(ebr_dimension_input(home_id, from_slot, until_slot, slot_length), capacity_eur_per_kwh, power_eur_per_kw,
		lifetime_years, discount_rate, efficiency, capacity_min_kwh, capacity_max_kwh, power_min_kw, power_max_kw,
		objective, time_limit, memory_limit_mb, error_as_status);
END $$;
COMMENT ON FUNCTION ebr_dimension(bigint, timestamptz, timestamptz, float8, float8, interval, float8, float8, float8, float8, float8, float8, float8, text, interval, integer, boolean) IS
'The best battery of a stored home over what was measured and priced from from_slot to until_slot: as ebr_dimension_series, PEV included in the demand, an ESS that is there left out. Slots without a measurement or a price are left out and counted. Errors: unknown home, range not aligned to slots, and those of ebr_dimension_series (document 3.2.3)';

CREATE FUNCTION ebr_dimension_feeder(
	feeder_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	slot_length interval DEFAULT '1 hour',
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256)
RETURNS TABLE (home_id bigint, status text, capacity_kwh float8, power_kw float8, cost_eur float8, bound_eur float8, gap float8, relaxed_eur float8, investment_eur float8, energy_eur float8, co2_eur float8, distribution_eur float8, baseline_eur float8, saving_eur float8, purchase_eur float8, saving_eur_per_year float8, payback_years float8, recovery_factor float8, span_years float8, cycles float8, start_kwh float8, solve_seconds float8, passes integer, slots_billed integer, slots_skipped integer, overlap boolean, assumed text[], error text)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = smarthg, pg_temp
-- Sizing is what workers are for, however few the homes.
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 SET min_parallel_index_scan_size = 0 SET jit = off AS $$
#variable_conflict use_column
BEGIN
	-- Called in the list of columns, where the planner counts its cost by the home; OFFSET keeps it from being called by the column.
	RETURN QUERY SELECT s.home_id, (s.r).* FROM (
		SELECT h.home_id, ebr_dimension(h.home_id, ebr_dimension_feeder.from_slot, ebr_dimension_feeder.until_slot,
			ebr_dimension_feeder.capacity_eur_per_kwh, ebr_dimension_feeder.power_eur_per_kw, ebr_dimension_feeder.slot_length,
			ebr_dimension_feeder.lifetime_years, ebr_dimension_feeder.discount_rate, ebr_dimension_feeder.efficiency,
			ebr_dimension_feeder.capacity_min_kwh, ebr_dimension_feeder.capacity_max_kwh, ebr_dimension_feeder.power_min_kw, ebr_dimension_feeder.power_max_kw,
			ebr_dimension_feeder.objective, ebr_dimension_feeder.time_limit, ebr_dimension_feeder.memory_limit_mb, true) AS r
		FROM home h WHERE h.feeder_id = ebr_dimension_feeder.feeder_id OFFSET 0
	) AS s;
END $$;
COMMENT ON FUNCTION ebr_dimension_feeder(bigint, timestamptz, timestamptz, float8, float8, interval, float8, float8, float8, float8, float8, float8, float8, text, interval, integer) IS
'ebr_dimension of all homes of a feeder, in parallel workers where the server has them. A home that fails is a row of status failed with its error';

CREATE FUNCTION ebr_dimension_markups(
	home_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	slot_length interval DEFAULT '1 hour',
	markups float8[] DEFAULT '{0,0.25,0.5,1,2,4}',
	resource text DEFAULT 'budget',
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256)
RETURNS TABLE (markup float8, status text, capacity_kwh float8, power_kw float8, cost_eur float8, bound_eur float8, gap float8, relaxed_eur float8, investment_eur float8, energy_eur float8, co2_eur float8, distribution_eur float8, baseline_eur float8, saving_eur float8, purchase_eur float8, saving_eur_per_year float8, payback_years float8, recovery_factor float8, span_years float8, cycles float8, start_kwh float8, solve_seconds float8, passes integer, slots_billed integer, slots_skipped integer, overlap boolean, assumed text[], error text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 COST 1000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	known ebr_dimension_input := ebr_dimension_input(home_id, from_slot, until_slot, slot_length);
BEGIN
	IF resource IS NULL OR resource NOT IN ('budget', 'capacity') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('resource "%s" is not known', resource), HINT = 'It is one of: budget, capacity.';
	END IF;
	IF EXISTS (SELECT FROM unnest(markups) AS m WHERE m IS NULL OR NOT m > -1 OR m = 'infinity') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'markups must be finite and more than -1', HINT = 'A markup of 0.5 makes the resource half as dear again.';
	END IF;
	FOREACH markup IN ARRAY markups LOOP
		RETURN QUERY SELECT ebr_dimension_markups.markup, r.* FROM ebr_dimension_of(known, capacity_eur_per_kwh * (1 + ebr_dimension_markups.markup),
			power_eur_per_kw * CASE resource WHEN 'budget' THEN 1 + ebr_dimension_markups.markup ELSE 1 END, lifetime_years, discount_rate, efficiency,
			capacity_min_kwh, capacity_max_kwh, power_min_kw, power_max_kw, objective, time_limit, memory_limit_mb, true) AS r;
	END LOOP;
END $$;
COMMENT ON FUNCTION ebr_dimension_markups(bigint, timestamptz, timestamptz, float8, float8, interval, float8[], text, float8, float8, float8, float8, float8, float8, float8, text, interval, integer) IS
'The best battery of a stored home where capacity, or the whole purchase (resource budget), is dearer by each of so many markups (fractions, more than -1); the home is read once. Errors: as ebr_dimension; a sizing that fails is a row of status failed';

CREATE FUNCTION ebr_dimension_frontier(
	feeder_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	slot_length interval DEFAULT '1 hour',
	markups float8[] DEFAULT '{0,0.25,0.5,1,2,4}',
	resource text DEFAULT 'budget',
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256)
RETURNS TABLE (markup float8, homes integer, homes_failed integer, capacity_kwh float8, power_kw float8, purchase_eur float8, cost_eur float8, bound_eur float8, baseline_eur float8, saving_eur float8)
LANGUAGE plpgsql STABLE ROWS 10 SET search_path = smarthg, pg_temp
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 SET min_parallel_index_scan_size = 0 SET jit = off AS $$
#variable_conflict use_column
BEGIN
	-- What the markup adds is part of each home's objective, but nobody pays it.
	RETURN QUERY SELECT s.markup, count(*) FILTER (WHERE s.status <> 'failed')::integer, count(*) FILTER (WHERE s.status = 'failed')::integer,
		sum(s.capacity_kwh), sum(s.power_kw), sum(s.purchase_eur - s.extra), sum(s.cost_eur - s.share * s.extra), sum(s.bound_eur - s.share * s.extra),
		sum(s.baseline_eur), sum(s.saving_eur + s.share * s.extra)
	FROM (
		SELECT (h.r).*, (h.r).recovery_factor * (h.r).span_years AS share, CASE ebr_dimension_frontier.resource
			WHEN 'budget' THEN (h.r).purchase_eur * (h.r).markup / (1 + (h.r).markup) ELSE ebr_dimension_frontier.capacity_eur_per_kwh * (h.r).markup * (h.r).capacity_kwh END AS extra
		FROM (
			SELECT ebr_dimension_markups(home.home_id, ebr_dimension_frontier.from_slot, ebr_dimension_frontier.until_slot,
				ebr_dimension_frontier.capacity_eur_per_kwh, ebr_dimension_frontier.power_eur_per_kw, ebr_dimension_frontier.slot_length,
				ebr_dimension_frontier.markups, ebr_dimension_frontier.resource, ebr_dimension_frontier.lifetime_years, ebr_dimension_frontier.discount_rate,
				ebr_dimension_frontier.efficiency, ebr_dimension_frontier.capacity_min_kwh, ebr_dimension_frontier.capacity_max_kwh,
				ebr_dimension_frontier.power_min_kw, ebr_dimension_frontier.power_max_kw,
				ebr_dimension_frontier.objective, ebr_dimension_frontier.time_limit, ebr_dimension_frontier.memory_limit_mb) AS r
			FROM home WHERE home.feeder_id = ebr_dimension_frontier.feeder_id OFFSET 0
		) AS h
	) AS s GROUP BY s.markup ORDER BY s.markup;
END $$;
COMMENT ON FUNCTION ebr_dimension_frontier(bigint, timestamptz, timestamptz, float8, float8, interval, float8[], text, float8, float8, float8, float8, float8, float8, float8, text, interval, integer) IS
'Cost of a feeder''s homes against the total that is spent on their batteries (resource budget: purchase_eur) or the total capacity (resource capacity: capacity_kwh). Each markup on the resource''s price, the same for all homes, gives the total at which a EUR more of it is worth that much to every home: no other way to share out that total costs less than bound_eur. Costs are without the markup; a markup of 0 is each home''s own best. A home that fails is counted and in no sum';

CREATE TABLE ess_product (
	name text PRIMARY KEY CHECK (name <> ''),
	capacity_kwh float8 NOT NULL CHECK (capacity_kwh > 0 AND capacity_kwh <= 1e6),
	power_kw float8 NOT NULL CHECK (power_kw > 0 AND power_kw <= 1e6),
	price_eur float8 NOT NULL CHECK (price_eur BETWEEN 0 AND 1e9),
	efficiency float8 NOT NULL DEFAULT 0.9 CHECK (efficiency BETWEEN 0.001 AND 1),
	lifetime_years float8 NOT NULL CHECK (lifetime_years > 0 AND lifetime_years <= 1000)
);
COMMENT ON TABLE ess_product IS 'Batteries that can be bought, for ebr_dimension_products';
COMMENT ON COLUMN ess_product.name IS 'Name';
COMMENT ON COLUMN ess_product.capacity_kwh IS 'Usable capacity, kWh';
COMMENT ON COLUMN ess_product.power_kw IS 'Power rate, kW, charging and discharging';
COMMENT ON COLUMN ess_product.price_eur IS 'Purchase price, EUR';
COMMENT ON COLUMN ess_product.efficiency IS 'Round-trip efficiency, from 0.001 to 1';
COMMENT ON COLUMN ess_product.lifetime_years IS 'Lifetime, years';

CREATE FUNCTION ebr_dimension_products(
	home_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	slot_length interval DEFAULT '1 hour',
	discount_rate float8 DEFAULT 0,
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256)
RETURNS TABLE (rank integer, product text, status text, capacity_kwh float8, power_kw float8, cost_eur float8, bound_eur float8, gap float8, relaxed_eur float8, investment_eur float8, energy_eur float8, co2_eur float8, distribution_eur float8, baseline_eur float8, saving_eur float8, purchase_eur float8, saving_eur_per_year float8, payback_years float8, recovery_factor float8, span_years float8, cycles float8, start_kwh float8, solve_seconds float8, passes integer, slots_billed integer, slots_skipped integer, overlap boolean, assumed text[], error text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20 COST 1000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	known ebr_dimension_input := ebr_dimension_input(home_id, from_slot, until_slot, slot_length);
BEGIN
	RETURN QUERY SELECT (row_number() OVER (ORDER BY r.cost_eur, p.name))::integer, p.name, r.*
	FROM ess_product p, LATERAL ebr_dimension_of(known, p.price_eur / p.capacity_kwh, 0, p.lifetime_years, ebr_dimension_products.discount_rate, p.efficiency,
		p.capacity_kwh, p.capacity_kwh, p.power_kw, p.power_kw, ebr_dimension_products.objective, ebr_dimension_products.time_limit, ebr_dimension_products.memory_limit_mb) AS r
	ORDER BY r.cost_eur, p.name;
END $$;
COMMENT ON FUNCTION ebr_dimension_products(bigint, timestamptz, timestamptz, interval, float8, text, interval, integer) IS
'All products of ess_product for a stored home, the cheapest over the span first; saving_eur says whether it pays at all. Each bears its annuity by its own lifetime. Errors: as ebr_dimension';

CREATE FUNCTION ebr_dimension_surface(
	home_id bigint,
	from_slot timestamptz,
	until_slot timestamptz,
	capacity_eur_per_kwh float8,
	power_eur_per_kw float8,
	slot_length interval DEFAULT '1 hour',
	factors float8[] DEFAULT '{0.25,0.5,0.75,0.9,1,1.1,1.25,1.5,2}',
	lifetime_years float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0,
	efficiency float8 DEFAULT 0.9,
	capacity_min_kwh float8 DEFAULT 0,
	capacity_max_kwh float8 DEFAULT 'infinity',
	power_min_kw float8 DEFAULT 0,
	power_max_kw float8 DEFAULT 'infinity',
	objective text DEFAULT NULL,
	time_limit interval DEFAULT '10 s',
	memory_limit_mb integer DEFAULT 256)
RETURNS TABLE (capacity_kwh float8, power_kw float8, cost_eur float8, bound_eur float8, saving_eur float8, excess_eur float8, best boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 81 COST 10000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	known ebr_dimension_input := ebr_dimension_input(home_id, from_slot, until_slot, slot_length);
	optimum ebr_dimension_result;
	centre_kwh float8;
	centre_kw float8;
BEGIN
	IF factors IS NULL OR EXISTS (SELECT FROM unnest(factors) AS f WHERE f IS NULL OR NOT f >= 0 OR f = 'infinity') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'factors must be finite and not negative', HINT = 'The grid holds the best capacity and power times each of them.';
	END IF;
	optimum := ebr_dimension_of(known, capacity_eur_per_kwh, power_eur_per_kw, lifetime_years, discount_rate, efficiency,
		capacity_min_kwh, capacity_max_kwh, power_min_kw, power_max_kw, objective, time_limit, memory_limit_mb);
	-- Around no battery there is nothing to see but small ones.
	centre_kwh := CASE WHEN optimum.capacity_kwh > 0 THEN optimum.capacity_kwh ELSE 1 END;
	centre_kw := CASE WHEN optimum.power_kw > 0 THEN optimum.power_kw ELSE 0.5 END;
	RETURN QUERY SELECT c * centre_kwh, p * centre_kw, r.cost_eur, r.bound_eur, r.saving_eur, r.cost_eur - optimum.cost_eur,
		c = 1 AND p = 1 AND optimum.capacity_kwh > 0 AND optimum.power_kw > 0
	FROM unnest(factors) AS c, unnest(factors) AS p,
		LATERAL ebr_dimension_of(known, capacity_eur_per_kwh, power_eur_per_kw, lifetime_years, discount_rate, efficiency,
			c * centre_kwh, c * centre_kwh, p * centre_kw, p * centre_kw, objective, time_limit, memory_limit_mb) AS r
	ORDER BY c, p;
END $$;
COMMENT ON FUNCTION ebr_dimension_surface(bigint, timestamptz, timestamptz, float8, float8, interval, float8[], float8, float8, float8, float8, float8, float8, float8, text, interval, integer) IS
'The cost of batteries around the best one of a stored home, for a plot: its capacity and power times each of so many factors; excess_eur is what they cost more. Where no battery pays the grid is around 1 kWh and 0.5 kW. Errors: as ebr_dimension';
