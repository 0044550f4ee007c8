-- Backtest of EUMF-K on stored homes at rolling origins (DESIGN.md section 5).

CREATE FUNCTION eumf_backtest(homes bigint[], from_day date, until_day date, horizon interval DEFAULT '24 hours', slot_length interval DEFAULT '1 hour',
	history interval DEFAULT '56 days', every interval DEFAULT '1 day', production boolean DEFAULT false)
RETURNS TABLE (home_id bigint, method text, origins bigint, slots bigint, mae_kw float8, rmse_kw float8, mase float8, pinball_kw float8, coverage_percent float8)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = smarthg, pg_temp
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 AS $$
#variable_conflict use_column
DECLARE
	length_s float8 := extract(epoch FROM slot_length);
	unknown bigint;
BEGIN
	SELECT u.id INTO unknown FROM unnest(homes) AS u(id) WHERE NOT EXISTS (SELECT FROM home h WHERE h.home_id = u.id) LIMIT 1;
	IF FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', unknown);
	END IF;
	IF from_day IS NULL OR until_day IS NULL OR NOT from_day < until_day OR NOT isfinite(from_day) OR NOT isfinite(until_day)
		OR least(horizon, every, slot_length) <= interval '0' OR history < interval '0' OR until_day - from_day > 4000 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a backtest from %s to %s every %s is not possible', from_day, until_day, every),
			HINT = 'Name two days, the first before the second, and a positive horizon and step.';
	END IF;
	RETURN QUERY
		WITH span AS (
			SELECT h.home_id, h.time_zone, h.price_area_id, from_day::timestamp AT TIME ZONE h.time_zone AS origin,
				ceil(extract(epoch FROM history) / length_s)::integer AS past,
				floor(extract(epoch FROM until_day::timestamp AT TIME ZONE h.time_zone - from_day::timestamp AT TIME ZONE h.time_zone) / length_s)::integer AS coming
			FROM home h WHERE homes IS NULL OR h.home_id = ANY (homes)
		), tested AS (
			SELECT s.home_id, b.*
			FROM span s
			CROSS JOIN LATERAL home_history(s.home_id, slot_start(s.origin, slot_length) - s.past * slot_length, slot_start(s.origin, slot_length) + s.coming * slot_length, slot_length) AS y
			CROSS JOIN LATERAL eumf_backtest_series(CASE WHEN production THEN y.production_kw ELSE y.demand_kw END,
				calendar_phases(slot_start(s.origin, slot_length) - s.past * slot_length, s.past + s.coming, slot_length, s.time_zone, s.price_area_id),
				(86400 / length_s)::integer, s.past + 1, (extract(epoch FROM horizon) / length_s)::integer, (extract(epoch FROM every) / length_s)::integer,
				ceil(extract(epoch FROM history) / 86400)::integer, production) AS b
			WHERE y.produces OR NOT production
		), summed AS (
			SELECT t.home_id, t.method, sum(t.origins) AS origins, sum(t.slots) AS slots, sum(t.absolute_kw) AS absolute_kw, sum(t.square_kw2) AS square_kw2,
				sum(t.pinball_kw) AS pinball_kw, sum(t.inside) AS inside, sum(t.naive_kw) AS naive_kw, sum(t.scaled_kw) AS scaled_kw
			FROM tested t WHERE t.slots > 0 GROUP BY GROUPING SETS ((t.home_id, t.method), (t.method))
		)
		SELECT s.home_id, s.method, s.origins, s.slots, s.absolute_kw / s.slots, sqrt(s.square_kw2 / s.slots), s.scaled_kw / nullif(s.naive_kw, 0),
			s.pinball_kw / s.slots, 100 * s.inside::float8 / s.slots
		FROM summed s
		ORDER BY s.home_id NULLS LAST, array_position('{combined,regression,smoothing,like_days,same_weekdays,all_days,last_day,last_week}', s.method);
END $$;
COMMENT ON FUNCTION eumf_backtest(bigint[], date, date, interval, interval, interval, interval, boolean) IS
'What EUMF-K would have forecast of homes (null: all) on the local days [from_day, until_day), at rolling origins every so long from the first midnight on, each from the history before it alone: mean absolute error of the median and root mean square error of the mean, kW; MASE, which measures the first by that of the weekly naive forecast within the histories (of origins whose history has successive weeks; null where none has); mean pinball loss of the 10, 50 and 90 % quantiles, kW; and how many slots were between the outer two. A row a home and method, and over all homes (home_id null): combined is EUMF-K, last_day and last_week the seasonal naive forecasts of 24 and 168 hours, the others its parts. production: of PV rather than demand. Unlike eumf_k it uses neither temperature nor standard profile. Errors: unknown home, days or steps that make no backtest, slot length that the stored slots do not divide';
