-- Forecasts of homes as they were made, so that plans can be audited and replays are honest.

CREATE TABLE forecast (
	home_id bigint NOT NULL REFERENCES home,
	origin timestamptz NOT NULL CHECK (isfinite(origin)),
	slot_length interval NOT NULL CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	demand_kw float8[] NOT NULL CHECK (cardinality(demand_kw) BETWEEN 1 AND 10000),
	demand_q10_kw float8[] NOT NULL,
	demand_q50_kw float8[] NOT NULL,
	demand_q90_kw float8[] NOT NULL,
	production_kw float8[],
	production_q10_kw float8[],
	production_q50_kw float8[],
	production_q90_kw float8[],
	demand_model text NOT NULL,
	production_model text NOT NULL,
	demand_method text NOT NULL,
	made_at timestamptz NOT NULL CHECK (isfinite(made_at)),
	PRIMARY KEY (home_id, origin, slot_length, made_at),
	-- Services write forecasts, too.
	CHECK (greatest(cardinality(demand_kw), cardinality(demand_q10_kw), cardinality(demand_q50_kw), cardinality(demand_q90_kw),
		cardinality(production_kw), cardinality(production_q10_kw), cardinality(production_q50_kw), cardinality(production_q90_kw)) <= 10000),
	CHECK (greatest(length(demand_model), length(production_model), length(demand_method)) <= 200)
);
CREATE INDEX forecast_made ON forecast (made_at);
COMMENT ON TABLE forecast IS 'EUMF-K forecasts of homes as they were made; series have an element for each slot from origin on, at most 10000';
COMMENT ON COLUMN forecast.home_id IS 'The home';
COMMENT ON COLUMN forecast.origin IS 'Start of the first slot that is forecast; only readings before it were used';
COMMENT ON COLUMN forecast.slot_length IS 'Length of its slots';
COMMENT ON COLUMN forecast.demand_kw IS 'Mean demand to expect of the appliances without ESS and PEV, kW';
COMMENT ON COLUMN forecast.demand_q10_kw IS '10 % quantile of the demand, kW';
COMMENT ON COLUMN forecast.demand_q50_kw IS 'Median of the demand, kW';
COMMENT ON COLUMN forecast.demand_q90_kw IS '90 % quantile of the demand, kW';
COMMENT ON COLUMN forecast.production_kw IS 'Mean production to expect, kW; null: the home has none';
COMMENT ON COLUMN forecast.production_q10_kw IS '10 % quantile of the production, kW';
COMMENT ON COLUMN forecast.production_q50_kw IS 'Median of the production, kW';
COMMENT ON COLUMN forecast.production_q90_kw IS '90 % quantile of the production, kW';
COMMENT ON COLUMN forecast.demand_model IS 'What the history carried: weekly, daily, level, standard';
COMMENT ON COLUMN forecast.production_model IS 'The same of the production; none where there is none';
COMMENT ON COLUMN forecast.demand_method IS 'Method that weighs most in the combination: that with the least error in the home''s last two weeks';
COMMENT ON COLUMN forecast.made_at IS 'As of when it was made';

CREATE TYPE home_forecasted AS (
	home_id bigint,
	origin timestamptz,
	slot_length interval,
	demand_kw float8[],
	demand_q10_kw float8[],
	demand_q50_kw float8[],
	demand_q90_kw float8[],
	production_kw float8[],
	production_q10_kw float8[],
	production_q50_kw float8[],
	production_q90_kw float8[],
	demand_model text,
	production_model text,
	demand_method text
);
COMMENT ON TYPE home_forecasted IS 'A home''s forecast as it is stored; the columns are those of table forecast';

CREATE FUNCTION home_forecast(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour', history interval DEFAULT '56 days')
RETURNS home_forecasted
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_home_forecast';
COMMENT ON FUNCTION home_forecast(bigint, timestamptz, integer, interval, interval) IS 'What eumf_k answers, as one row of arrays. Stores nothing. Errors: as eumf_k';

CREATE FUNCTION forecast_homes(homes bigint[], at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour')
RETURNS SETOF home_forecasted
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = smarthg, pg_temp
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 SET min_parallel_index_scan_size = 0 SET jit = off AS $$
BEGIN
	-- As in ebr_plan_homes: parallel where many, called once a home.
	RETURN QUERY EXECUTE 'SELECT (m.f).* FROM (SELECT smarthg.home_forecast(h.home_id, $2, $3, $4) AS f FROM smarthg.home h WHERE h.home_id = ANY ($1) OFFSET 0) AS m'
		USING homes, at, slots, slot_length;
END $$;
COMMENT ON FUNCTION forecast_homes(bigint[], timestamptz, integer, interval) IS 'home_forecast of many homes, in parallel where the server has workers. Stores nothing; any error ends it';

CREATE FUNCTION make_forecasts(at timestamptz DEFAULT now(), homes bigint[] DEFAULT NULL, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour')
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	made bigint;
BEGIN
	INSERT INTO forecast
		SELECT f.*, make_forecasts.at
		FROM forecast_homes(coalesce(homes, (SELECT array_agg(h.home_id) FROM home h), '{}'), at, make_forecasts.slots, make_forecasts.slot_length) AS f
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS made = ROW_COUNT;
	RETURN made;
END $$;
COMMENT ON FUNCTION make_forecasts(timestamptz, bigint[], integer, interval) IS 'Makes and stores the forecasts of all homes, or of those given, as of a moment, in parallel where the server has workers; returns how many. Calling it again for the same moment changes nothing. Errors: as eumf_k; more than 10000 slots, 23514';

CREATE FUNCTION prune_forecasts(at timestamptz DEFAULT now(), most integer DEFAULT 20000) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
DECLARE
	before timestamptz := at - (settings()).forecasts_kept;
	homes_pruned bigint;
	prices_pruned bigint;
BEGIN
	DELETE FROM forecast WHERE ctid = ANY (ARRAY(SELECT f.ctid FROM forecast f WHERE f.made_at < before ORDER BY f.made_at LIMIT most));
	GET DIAGNOSTICS homes_pruned = ROW_COUNT;
	DELETE FROM price_forecast WHERE ctid = ANY (ARRAY(SELECT f.ctid FROM price_forecast f WHERE f.made_at < before ORDER BY f.made_at LIMIT most - homes_pruned));
	GET DIAGNOSTICS prices_pruned = ROW_COUNT;
	RETURN homes_pruned + prices_pruned;
END $$;
COMMENT ON FUNCTION prune_forecasts(timestamptz, integer) IS 'Deletes up to so many stored forecasts, of homes and of prices, made more than installation.forecasts_kept before a moment, the oldest first; returns how many rows. Null there: none';

CREATE VIEW forecast_slot AS
	SELECT f.home_id, f.made_at, f.slot_length, f.origin + (s.n - 1) * f.slot_length AS slot_start, s.demand_kw, s.demand_q10_kw, s.demand_q50_kw, s.demand_q90_kw,
		coalesce(s.production_kw, 0) AS production_kw, coalesce(s.production_q10_kw, 0) AS production_q10_kw,
		coalesce(s.production_q50_kw, 0) AS production_q50_kw, coalesce(s.production_q90_kw, 0) AS production_q90_kw
	FROM forecast f, unnest(f.demand_kw, f.demand_q10_kw, f.demand_q50_kw, f.demand_q90_kw, f.production_kw, f.production_q10_kw, f.production_q50_kw, f.production_q90_kw)
		WITH ORDINALITY AS s(demand_kw, demand_q10_kw, demand_q50_kw, demand_q90_kw, production_kw, production_q10_kw, production_q50_kw, production_q90_kw, n);
COMMENT ON VIEW forecast_slot IS 'Stored forecasts of homes by slot, kW: what was expected of a slot, as of when';
