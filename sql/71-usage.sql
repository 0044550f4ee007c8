-- EUR-H: a home's energy usage as residents see it (document chapter 1, section 2.3). Rows are seen
-- with the caller's rights.

CREATE FUNCTION home_prices(home_id bigint, from_slot timestamptz, slots integer, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (slot_start timestamptz, import_eur_per_kwh float8, export_eur_per_kwh float8, co2_eur_per_kwh float8, carbon_g_per_kwh float8)
-- So many rows that what joins them does so by hashing.
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10000 SET search_path = smarthg, pg_temp AS $$
	SELECT home_prices.from_slot + (p.n - 1) * home_prices.slot_length, p.eur + coalesce(t.import_markup_eur_per_kwh, 0), p.eur + coalesce(t.export_markup_eur_per_kwh, 0), p.co2, p.grams
	FROM home h LEFT JOIN tariff t USING (tariff_id),
		unnest(price_series(h.price_area_id, home_prices.from_slot, home_prices.slots, home_prices.slot_length), co2_series(h.price_area_id, home_prices.from_slot, home_prices.slots, home_prices.slot_length),
			(SELECT slot_means(coalesce(array_agg(c.slot_start), '{}'), coalesce(array_agg(extract(epoch FROM c.slot_length)::float8), '{}'), coalesce(array_agg(c.carbon_g_per_kwh), '{}'),
					home_prices.from_slot, home_prices.slots, home_prices.slot_length)
				FROM co2_cost c WHERE c.price_area_id = h.price_area_id AND c.carbon_g_per_kwh IS NOT NULL AND c.slot_start > home_prices.from_slot - interval '1 day'
					AND c.slot_start < home_prices.from_slot + home_prices.slots * home_prices.slot_length))
			WITH ORDINALITY AS p(eur, co2, grams, n)
	WHERE h.home_id = home_prices.home_id
$$;
COMMENT ON FUNCTION home_prices(bigint, timestamptz, integer, interval) IS 'What a home pays, EUR/kWh (market price and tariff), the CO2 cost and carbon intensity, g/kWh, of each of so many slots; null where not known';

CREATE TYPE usage_hour AS (
	slot_start timestamptz,
	use_kwh float8,
	import_kwh float8,
	export_kwh float8,
	production_kwh float8,
	ess_kwh float8,
	pev_kwh float8,
	import_eur_per_kwh float8,
	export_eur_per_kwh float8,
	carbon_g_per_kwh float8,
	cost_eur float8,
	co2_kg float8,
	covered_hours float8
);
COMMENT ON TYPE usage_hour IS 'A home''s electricity in an hour';
COMMENT ON COLUMN usage_hour.slot_start IS 'Start of the hour';
COMMENT ON COLUMN usage_hour.use_kwh IS 'Used: all but the battery, the vehicle included, kWh';
COMMENT ON COLUMN usage_hour.import_kwh IS 'Drawn from the grid, kWh';
COMMENT ON COLUMN usage_hour.export_kwh IS 'Fed into the grid, kWh';
COMMENT ON COLUMN usage_hour.production_kwh IS 'Produced, kWh';
COMMENT ON COLUMN usage_hour.ess_kwh IS 'Into (negative: out of) the battery, kWh';
COMMENT ON COLUMN usage_hour.pev_kwh IS 'Into (negative: out of) the vehicle, kWh';
COMMENT ON COLUMN usage_hour.import_eur_per_kwh IS 'Market price and tariff of what was drawn, EUR/kWh; null: not known';
COMMENT ON COLUMN usage_hour.export_eur_per_kwh IS 'The same of what was fed in';
COMMENT ON COLUMN usage_hour.carbon_g_per_kwh IS 'Carbon intensity, g/kWh; null: not known';
COMMENT ON COLUMN usage_hour.cost_eur IS 'What was drawn less what was fed in, at their prices, EUR';
COMMENT ON COLUMN usage_hour.co2_kg IS 'CO2 of what was drawn, kg';
COMMENT ON COLUMN usage_hour.covered_hours IS 'How much of the hour is known of all registers, 0 to 1';

CREATE FUNCTION usage_hourly(home_id bigint, from_at timestamptz, until_at timestamptz) RETURNS SETOF usage_hour
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path = smarthg, pg_temp AS $$
	WITH span AS (
		SELECT date_trunc('hour', usage_hourly.from_at, 'UTC') AS since WHERE isfinite(usage_hourly.from_at) AND isfinite(usage_hourly.until_at) AND usage_hourly.from_at < usage_hourly.until_at
	)
	SELECT e.slot_start, e.import_kwh - coalesce(e.export_kwh, 0) + coalesce(e.production_kwh, 0) - coalesce(e.ess_kwh, 0),
		e.import_kwh, coalesce(e.export_kwh, 0), coalesce(e.production_kwh, 0), coalesce(e.ess_kwh, 0), coalesce(e.pev_kwh, 0),
		p.import_eur_per_kwh, p.export_eur_per_kwh, p.carbon_g_per_kwh, e.import_kwh * p.import_eur_per_kwh - coalesce(e.export_kwh, 0) * p.export_eur_per_kwh,
		e.import_kwh * p.carbon_g_per_kwh / 1000, extract(epoch FROM e.covered)::float8 / 3600
	FROM span s CROSS JOIN home_prices(usage_hourly.home_id, s.since, ceil(extract(epoch FROM usage_hourly.until_at - s.since) / 3600)::integer) AS p
	JOIN home_energy_hourly e ON e.home_id = usage_hourly.home_id AND e.slot_start = p.slot_start
	WHERE e.slot_start >= date_trunc('hour', usage_hourly.from_at, 'UTC') AND e.slot_start < usage_hourly.until_at
		AND e.day BETWEEN (usage_hourly.from_at AT TIME ZONE 'UTC')::date AND (usage_hourly.until_at AT TIME ZONE 'UTC')::date
	ORDER BY e.slot_start
$$;
COMMENT ON FUNCTION usage_hourly(bigint, timestamptz, timestamptz) IS
'A home''s electricity in UTC hours, kWh: used (all but the battery, the vehicle included), drawn, fed in, produced, into (negative: out of) battery and vehicle; what it costs at market price and tariff, EUR, and the CO2 of what was drawn, kg (null where price or intensity is not known); covered_hours tells how much of the hour is known of all registers. No rows where a time is infinite or the first is not before the second';

CREATE FUNCTION usage_hours(home_id bigint, from_at timestamptz, until_at timestamptz) RETURNS usage_hour[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce(array_agg(u), '{}') FROM usage_hourly(usage_hours.home_id, usage_hours.from_at, usage_hours.until_at) AS u
$$;
COMMENT ON FUNCTION usage_hours(bigint, timestamptz, timestamptz) IS 'usage_hourly as an array, read once for several of the functions below';

CREATE FUNCTION usage_periods_of(hours usage_hour[], time_zone text, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, period_end timestamptz, use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, ess_kwh float8, pev_kwh float8,
	cost_eur float8, co2_kg float8, covered_percent float8, priced_percent float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF period NOT IN ('hour', 'day', 'week', 'month', 'year') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('period "%s" is not known', period), HINT = 'Periods are hour, day, week, month and year.';
	END IF;
	RETURN QUERY
		SELECT p.since, p.before, sum(p.use_kwh), sum(p.import_kwh), sum(p.export_kwh), sum(p.production_kwh), sum(p.ess_kwh), sum(p.pev_kwh), sum(p.cost_eur), sum(p.co2_kg),
			100 * sum(p.covered_hours) / (extract(epoch FROM p.before - p.since)::float8 / 3600),
			100 * sum(p.import_kwh) FILTER (WHERE p.cost_eur IS NOT NULL) / nullif(sum(p.import_kwh), 0)
		FROM (
			SELECT u.*, CASE usage_periods_of.period WHEN 'hour' THEN u.slot_start ELSE date_trunc(usage_periods_of.period, u.slot_start, usage_periods_of.time_zone) END AS since,
				CASE usage_periods_of.period WHEN 'hour' THEN u.slot_start + interval '1 hour' ELSE (date_trunc(usage_periods_of.period, u.slot_start AT TIME ZONE usage_periods_of.time_zone)
					+ ('1 ' || usage_periods_of.period)::interval) AT TIME ZONE usage_periods_of.time_zone END AS before
			FROM unnest(hours) AS u
		) AS p GROUP BY p.since, p.before ORDER BY p.since;
END $$;
COMMENT ON FUNCTION usage_periods_of(usage_hour[], text, text) IS
'Hours summed to hours, days, weeks (from Monday), months or years of a time zone; periods at the ends hold what of them is given. covered_percent is how much of the period is known of all registers, priced_percent how much of what was drawn has a price. Errors: another period (22023)';

CREATE FUNCTION usage_periods(home_id bigint, from_at timestamptz, until_at timestamptz, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, period_end timestamptz, use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, ess_kwh float8, pev_kwh float8,
	cost_eur float8, co2_kg float8, covered_percent float8, priced_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
	SELECT p.* FROM home h, usage_periods_of(usage_hours(h.home_id, usage_periods.from_at, usage_periods.until_at), h.time_zone, usage_periods.period) AS p
	WHERE h.home_id = usage_periods.home_id ORDER BY p.period_start
$$;
COMMENT ON FUNCTION usage_periods(bigint, timestamptz, timestamptz, text) IS 'usage_periods_of a home''s hours in its time zone';

CREATE FUNCTION usage_past_start(at timestamptz, time_zone text, period text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT (at AT TIME ZONE time_zone - CASE WHEN period IN ('hour', 'day') THEN interval '7 days' WHEN period = 'week' THEN '364 days' ELSE '1 year' END) AT TIME ZONE time_zone
$$;
COMMENT ON FUNCTION usage_past_start(timestamptz, text, text) IS 'Start of the period of the past that one is compared with: of an hour or day that of the week before, of a week that of 52 weeks before, of a month or year that of the year before';

CREATE FUNCTION usage_against_past_of(hours usage_hour[], time_zone text, from_at timestamptz, until_at timestamptz, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, use_kwh float8, cost_eur float8, past_start timestamptz, past_use_kwh float8, change_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
	WITH part AS MATERIALIZED (
		SELECT array_agg(u) FILTER (WHERE u.slot_start >= date_trunc('hour', usage_against_past_of.from_at, 'UTC') AND u.slot_start < usage_against_past_of.until_at) AS now,
			array_agg(u) FILTER (WHERE u.slot_start >= date_trunc('hour', usage_past_start(usage_against_past_of.from_at, time_zone, period), 'UTC')
				AND u.slot_start < usage_past_start(usage_against_past_of.until_at, time_zone, period)) AS past
		FROM unnest(hours) AS u
	), now AS MATERIALIZED (
		SELECT n.*, usage_past_start(n.period_start, time_zone, period) AS past_start FROM part, usage_periods_of(part.now, time_zone, period) AS n
	), past AS MATERIALIZED (
		SELECT p.* FROM part, usage_periods_of(part.past, time_zone, period) AS p
	)
	SELECT n.period_start, n.use_kwh, n.cost_eur, n.past_start, CASE WHEN p.covered_percent > 95 THEN p.use_kwh END,
		CASE WHEN least(n.covered_percent, p.covered_percent) > 95 THEN 100 * (n.use_kwh / nullif(p.use_kwh, 0) - 1) END
	FROM now n LEFT JOIN past p ON p.period_start = n.past_start ORDER BY n.period_start
$$;
COMMENT ON FUNCTION usage_against_past_of(usage_hour[], text, timestamptz, timestamptz, text) IS
'Use, kWh, and cost of each period from from_at to until_at beside the use of the period that usage_past_start names, from hours that reach back that far; null where less than 95 percent of it is known';

CREATE FUNCTION usage_against_past(home_id bigint, from_at timestamptz, until_at timestamptz, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, use_kwh float8, cost_eur float8, past_start timestamptz, past_use_kwh float8, change_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
	SELECT p.* FROM home h, usage_against_past_of(usage_hours(h.home_id, usage_past_start(usage_against_past.from_at, h.time_zone, usage_against_past.period), usage_against_past.until_at),
		h.time_zone, usage_against_past.from_at, usage_against_past.until_at, usage_against_past.period) AS p
	WHERE h.home_id = usage_against_past.home_id ORDER BY p.period_start
$$;
COMMENT ON FUNCTION usage_against_past(bigint, timestamptz, timestamptz, text) IS 'usage_against_past_of a home''s hours in its time zone';

CREATE FUNCTION usage_similar(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (own_kwh_per_day float8, similar_kwh_per_day float8, homes integer, alike text, uses_less_than_percent float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 1 SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- With its owner's eyes, since similar homes are others': so it asks itself who may.
	IF (current_token()).jti IS NOT NULL OR NOT pg_has_role(session_user, 'smarthg_admin', 'MEMBER') THEN
		IF NOT (usage_similar.home_id = ANY (token_homes('read', 'home')) AND token_allows('read', 'home', 'daily')) THEN
			RAISE insufficient_privilege USING MESSAGE = format('the days of home %s are not open', usage_similar.home_id), HINT = 'It takes a token with a scope such as read_home_daily.';
		END IF;
		from_at := greatest(from_at, token_history_from());
		until_at := least(until_at, token_today()::timestamptz);
	END IF;
	RETURN QUERY WITH span AS (
		SELECT (usage_similar.from_at AT TIME ZONE h.time_zone)::date AS since, (usage_similar.until_at AT TIME ZONE h.time_zone)::date AS before FROM home h WHERE h.home_id = usage_similar.home_id
	), near AS (
		-- Enough of a large area.
		SELECT h.* FROM home h WHERE h.home_id = usage_similar.home_id
		UNION ALL
		(SELECT o.* FROM home o WHERE o.home_id > usage_similar.home_id AND o.price_area_id = (SELECT h.price_area_id FROM home h WHERE h.home_id = usage_similar.home_id) ORDER BY o.home_id LIMIT 500)
		UNION ALL
		(SELECT o.* FROM home o WHERE o.home_id < usage_similar.home_id AND o.price_area_id = (SELECT h.price_area_id FROM home h WHERE h.home_id = usage_similar.home_id) ORDER BY o.home_id DESC LIMIT 500)
	), feature AS (
		SELECT h.home_id, EXISTS (SELECT FROM meter m WHERE m.home_id = h.home_id AND m.role = 'production') AS produces,
			EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id) AS drives, (SELECT g.supply FROM heating g WHERE g.home_id = h.home_id) AS supply
		FROM near h
	), use AS (
		-- Days known entirely, and homes known for most of them.
		SELECT e.home_id, avg(e.import_kwh - coalesce(e.export_kwh, 0) + coalesce(e.production_kwh, 0) - coalesce(e.ess_kwh, 0)) AS kwh
		FROM span s, near h, LATERAL (SELECT d.* FROM home_energy_daily d WHERE d.home_id = h.home_id AND d.local_day >= s.since AND d.local_day < s.before OFFSET 0) AS e
		WHERE e.covered >= (e.local_day + 1)::timestamp AT TIME ZONE h.time_zone - e.local_day::timestamp AT TIME ZONE h.time_zone
		GROUP BY e.home_id HAVING count(*) >= 0.8 * max(s.before - s.since)
	), other AS (
		SELECT o.produces = f.produces AND o.drives = f.drives AND o.supply IS NOT DISTINCT FROM f.supply AS all_alike, o.produces = f.produces AND o.drives = f.drives AS some_alike, u.kwh
		FROM feature f JOIN feature o ON o.home_id <> f.home_id JOIN use u ON u.home_id = o.home_id
		WHERE f.home_id = usage_similar.home_id
	), circle AS (
		-- The narrowest that holds five homes.
		SELECT c.* FROM (
			SELECT 1, 'heating, vehicle and production' AS alike, count(*)::integer AS homes, avg(kwh) AS kwh, array_agg(kwh) AS all_kwh FROM other WHERE all_alike
			UNION ALL SELECT 2, 'vehicle and production', count(*)::integer, avg(kwh), array_agg(kwh) FROM other WHERE some_alike
			UNION ALL SELECT 3, 'price area', count(*)::integer, avg(kwh), array_agg(kwh) FROM other
		) AS c(place, alike, homes, kwh, all_kwh) WHERE c.homes >= 5 ORDER BY c.place LIMIT 1
	)
	SELECT own.kwh, c.kwh, c.homes, c.alike, (SELECT (round(10 * avg((own.kwh < a)::integer)) * 10)::float8 FROM unnest(c.all_kwh) AS a)
	FROM (SELECT (SELECT u.kwh FROM use u WHERE u.home_id = usage_similar.home_id) AS kwh) AS own LEFT JOIN circle c ON true;
END $$;
COMMENT ON FUNCTION usage_similar(bigint, timestamptz, timestamptz) IS
'A home''s mean daily use, kWh, beside the mean of at least 5 other homes of its price area (of the 1000 whose identifiers are nearest) that are alike in heating, vehicle and production, or in fewer of these where there are not 5 (alike says in what); null where there are not. Nothing of a single other home can be seen: uses_less_than_percent is rounded to tens. Counted are homes known on 80 percent of the days. Error: 42501 for who is neither the operator nor has a token that opens the home''s days';

CREATE FUNCTION usage_profile_of(hours usage_hour[], time_zone text)
RETURNS TABLE (local_hour integer, weekday_kw float8, weekend_kw float8, import_eur_per_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 24 SET search_path = smarthg, pg_temp AS $$
	SELECT extract(hour FROM l.at)::integer, avg(u.use_kwh) FILTER (WHERE extract(isodow FROM l.at) < 6), avg(u.use_kwh) FILTER (WHERE extract(isodow FROM l.at) >= 6), avg(u.import_eur_per_kwh)
	FROM unnest(hours) AS u CROSS JOIN LATERAL (SELECT u.slot_start AT TIME ZONE usage_profile_of.time_zone AS at) AS l
	WHERE u.covered_hours > 0.999 GROUP BY 1 ORDER BY 1
$$;
COMMENT ON FUNCTION usage_profile_of(usage_hour[], text) IS 'Mean use, kW, in each hour of the local day, on weekdays and weekends, with the mean import price';

CREATE FUNCTION usage_profile(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (local_hour integer, weekday_kw float8, weekend_kw float8, import_eur_per_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 24 SET search_path = smarthg, pg_temp AS $$
	SELECT p.* FROM home h, usage_profile_of(usage_hours(h.home_id, usage_profile.from_at, usage_profile.until_at), h.time_zone) AS p WHERE h.home_id = usage_profile.home_id ORDER BY 1
$$;
COMMENT ON FUNCTION usage_profile(bigint, timestamptz, timestamptz) IS 'usage_profile_of a home''s hours in its time zone';

CREATE FUNCTION usage_summary_of(hours usage_hour[], time_zone text)
RETURNS TABLE (use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, pev_kwh float8, cost_eur float8, co2_kg float8, mean_price_eur_per_kwh float8,
	base_load_kw float8, standby_kwh float8, standby_percent float8, standby_eur float8, peak_kw float8, peak_at timestamptz, load_factor float8, covered_hours float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	WITH hour AS MATERIALIZED (
		SELECT u.*, (u.slot_start AT TIME ZONE usage_summary_of.time_zone)::date AS local_day FROM unnest(hours) AS u
	), base AS (
		SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.low) AS kw FROM (
			SELECT min(use_kwh - pev_kwh) AS low FROM hour WHERE covered_hours > 0.999 GROUP BY local_day HAVING count(*) >= 20
		) AS d
	), total AS (
		SELECT sum(use_kwh) AS use_kwh, sum(import_kwh) AS import_kwh, sum(export_kwh) AS export_kwh, sum(production_kwh) AS production_kwh, sum(pev_kwh) AS pev_kwh,
			sum(cost_eur) AS cost_eur, sum(co2_kg) AS co2_kg, sum(import_kwh * import_eur_per_kwh) / nullif(sum(import_kwh) FILTER (WHERE import_eur_per_kwh IS NOT NULL), 0) AS price,
			max(import_kwh) FILTER (WHERE covered_hours > 0.999) AS peak, (array_agg(slot_start ORDER BY import_kwh DESC) FILTER (WHERE covered_hours > 0.999))[1] AS peak_at,
			avg(import_kwh) FILTER (WHERE covered_hours > 0.999) AS mean_kw, avg(import_eur_per_kwh) AS mean_price, sum(covered_hours) AS covered
		FROM hour
	)
	SELECT t.use_kwh, t.import_kwh, t.export_kwh, t.production_kwh, t.pev_kwh, t.cost_eur, t.co2_kg, t.price, b.kw, b.kw * t.covered, 100 * b.kw * t.covered / nullif(t.use_kwh, 0),
		b.kw * t.covered * t.mean_price, t.peak, t.peak_at, t.mean_kw / nullif(t.peak, 0), coalesce(t.covered, 0)
	FROM total t, base b
$$;
COMMENT ON FUNCTION usage_summary_of(usage_hour[], text) IS
'Hours of a home in one row: energy, kWh; cost, EUR; CO2, kg; mean price of what was drawn. base_load_kw is the median over days of the lowest hour without the vehicle: what is always on; standby is that over all known hours, priced at the mean price. peak_kw is the highest hourly mean drawn, load_factor the mean over it';

CREATE FUNCTION usage_summary(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, pev_kwh float8, cost_eur float8, co2_kg float8, mean_price_eur_per_kwh float8,
	base_load_kw float8, standby_kwh float8, standby_percent float8, standby_eur float8, peak_kw float8, peak_at timestamptz, load_factor float8, covered_hours float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	SELECT s.* FROM home h, usage_summary_of(usage_hours(h.home_id, usage_summary.from_at, usage_summary.until_at), h.time_zone) AS s WHERE h.home_id = usage_summary.home_id
$$;
COMMENT ON FUNCTION usage_summary(bigint, timestamptz, timestamptz) IS 'usage_summary_of a home''s hours in its time zone';

CREATE FUNCTION usage_appliances(home_id bigint, from_at timestamptz, until_at timestamptz, total_kwh float8 DEFAULT NULL)
RETURNS TABLE (name text, use_kwh float8, share_percent float8, standby_kw float8, standby_kwh float8)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = smarthg, pg_temp AS $$
	WITH hour AS (
		SELECT m.name, (e.slot_start AT TIME ZONE h.time_zone)::date AS local_day, e.slot_start,
			sum(CASE register_direction(r.obis) WHEN 'export' THEN -e.energy_kwh ELSE e.energy_kwh END) AS kwh
		FROM home h JOIN meter m USING (home_id) JOIN register r USING (meter_id) JOIN energy_hourly e USING (register_id)
		WHERE h.home_id = usage_appliances.home_id AND m.commodity = 'electricity' AND m.kind <> 'main' AND m.role IN ('consumption', 'pev') AND register_direction(r.obis) IS NOT NULL
			AND e.day BETWEEN (usage_appliances.from_at AT TIME ZONE 'UTC')::date AND (usage_appliances.until_at AT TIME ZONE 'UTC')::date
			AND e.slot_start >= usage_appliances.from_at AND e.slot_start < usage_appliances.until_at
		GROUP BY 1, 2, 3
	), day AS (
		SELECT name, local_day, sum(kwh) AS kwh, min(kwh) AS low, count(*) AS hours FROM hour GROUP BY 1, 2
	), appliance AS (
		SELECT name, sum(kwh) AS kwh, percentile_cont(0.5) WITHIN GROUP (ORDER BY low) AS low, sum(hours) AS hours FROM day GROUP BY 1
	), total AS (
		SELECT coalesce(usage_appliances.total_kwh, (SELECT sum(u.use_kwh) FROM usage_hourly(usage_appliances.home_id, usage_appliances.from_at, usage_appliances.until_at) AS u)) AS kwh
	)
	SELECT p.name, p.kwh, 100 * p.kwh / nullif(t.kwh, 0), p.low, p.low * p.hours
	FROM total t, LATERAL (
		SELECT a.name, a.kwh, a.low, a.hours FROM appliance a
		UNION ALL SELECT 'everything else', t.kwh - coalesce((SELECT sum(a.kwh) FROM appliance a), 0), NULL, NULL WHERE t.kwh IS NOT NULL
	) AS p
	ORDER BY p.name = 'everything else', p.kwh DESC
$$;
COMMENT ON FUNCTION usage_appliances(bigint, timestamptz, timestamptz, float8) IS
'What each sub-meter and appliance of a home used, kWh, its share of all use, and its standby: the median over days of its lowest hour, kW, and that over the time, kWh; then everything else of total_kwh (null: what the home used). Sub-meters are taken to measure different things';
