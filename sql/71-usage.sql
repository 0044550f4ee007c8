-- EUR-H: a home's energy usage as residents see it (document chapter 1, section 2.3). Rows are seen
-- with the caller's rights.

CREATE FUNCTION usage_hourly(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (slot_start timestamptz, use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, ess_kwh float8, pev_kwh float8,
	import_eur_per_kwh float8, export_eur_per_kwh float8, carbon_g_per_kwh float8, cost_eur float8, co2_kg float8, covered_hours float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path = smarthg, pg_temp AS $$
	WITH span AS (
		SELECT h.price_area_id, coalesce(t.import_markup_eur_per_kwh, 0) AS import_markup, coalesce(t.export_markup_eur_per_kwh, 0) AS export_markup,
			date_trunc('hour', usage_hourly.from_at, 'UTC') AS since, ceil(extract(epoch FROM usage_hourly.until_at - date_trunc('hour', usage_hourly.from_at, 'UTC')) / 3600)::integer AS hours
		FROM home h LEFT JOIN tariff t USING (tariff_id)
		WHERE h.home_id = usage_hourly.home_id AND isfinite(usage_hourly.from_at) AND isfinite(usage_hourly.until_at)
	), hour AS (
		SELECT s.import_markup, s.export_markup, s.since + (p.n - 1) * interval '1 hour' AS slot_start, p.eur, p.grams
		FROM span s, unnest(price_series(s.price_area_id, s.since, s.hours, '1 hour'),
			(SELECT slot_means(coalesce(array_agg(c.slot_start), '{}'), coalesce(array_agg(extract(epoch FROM c.slot_length)::float8), '{}'),
					coalesce(array_agg(c.carbon_g_per_kwh), '{}'), s.since, s.hours, '1 hour')
				FROM co2_cost c WHERE c.price_area_id = s.price_area_id AND c.carbon_g_per_kwh IS NOT NULL AND c.slot_start > s.since - interval '1 day' AND c.slot_start < s.since + s.hours * interval '1 hour'))
			WITH ORDINALITY AS p(eur, grams, n)
	)
	SELECT e.slot_start, e.import_kwh - coalesce(e.export_kwh, 0) + coalesce(e.production_kwh, 0) - coalesce(e.ess_kwh, 0),
		e.import_kwh, coalesce(e.export_kwh, 0), coalesce(e.production_kwh, 0), coalesce(e.ess_kwh, 0), coalesce(e.pev_kwh, 0),
		h.eur + h.import_markup, h.eur + h.export_markup, h.grams,
		e.import_kwh * (h.eur + h.import_markup) - coalesce(e.export_kwh, 0) * (h.eur + h.export_markup), e.import_kwh * h.grams / 1000, extract(epoch FROM e.covered)::float8 / 3600
	FROM home_energy_hourly e JOIN hour h USING (slot_start)
	WHERE e.home_id = usage_hourly.home_id AND e.slot_start >= date_trunc('hour', usage_hourly.from_at, 'UTC') AND e.slot_start < usage_hourly.until_at
	ORDER BY e.slot_start
$$;
COMMENT ON FUNCTION usage_hourly(bigint, timestamptz, timestamptz) IS
'A home''s electricity in UTC hours, kWh: used (all but the battery, the vehicle included), drawn, fed in, produced, into (negative: out of) battery and vehicle; what it costs at market price and tariff, EUR, and the CO2 of what was drawn, kg (null where price or intensity is not known); covered_hours tells how much of the hour is known of all registers';

CREATE FUNCTION usage_periods(home_id bigint, from_at timestamptz, until_at timestamptz, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, period_end timestamptz, use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, ess_kwh float8, pev_kwh float8,
	cost_eur float8, co2_kg float8, covered_percent float8, priced_percent float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	zone text;
BEGIN
	IF period NOT IN ('hour', 'day', 'week', 'month', 'year') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('period "%s" is not known', period), HINT = 'Periods are hour, day, week, month and year.';
	END IF;
	SELECT h.time_zone INTO zone FROM home h WHERE h.home_id = usage_periods.home_id;
	RETURN QUERY
		SELECT p.since, p.before, sum(u.use_kwh), sum(u.import_kwh), sum(u.export_kwh), sum(u.production_kwh), sum(u.ess_kwh), sum(u.pev_kwh), sum(u.cost_eur), sum(u.co2_kg),
			100 * sum(u.covered_hours) / p.hours, 100 * sum(u.import_kwh) FILTER (WHERE u.cost_eur IS NOT NULL) / nullif(sum(u.import_kwh), 0)
		FROM usage_hourly(usage_periods.home_id, usage_periods.from_at, usage_periods.until_at) AS u
		CROSS JOIN LATERAL (SELECT date_trunc(period, u.slot_start AT TIME ZONE zone) AS local) AS l
		CROSS JOIN LATERAL (SELECT CASE period WHEN 'hour' THEN u.slot_start ELSE l.local AT TIME ZONE zone END AS since,
			CASE period WHEN 'hour' THEN u.slot_start + interval '1 hour' ELSE (l.local + ('1 ' || period)::interval) AT TIME ZONE zone END AS before) AS b
		CROSS JOIN LATERAL (SELECT b.since, b.before, extract(epoch FROM b.before - b.since)::float8 / 3600 AS hours) AS p
		GROUP BY p.since, p.before, p.hours ORDER BY p.since;
END $$;
COMMENT ON FUNCTION usage_periods(bigint, timestamptz, timestamptz, text) IS
'usage_hourly summed to hours, days, weeks (from Monday), months or years of the home''s time zone; periods at the ends hold what of them lies in the range. covered_percent is how much of the period is known of all registers, priced_percent how much of what was drawn has a price. Errors: another period (22023)';

CREATE FUNCTION usage_against_past(home_id bigint, from_at timestamptz, until_at timestamptz, period text DEFAULT 'day')
RETURNS TABLE (period_start timestamptz, use_kwh float8, past_start timestamptz, past_use_kwh float8, change_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 100 SET search_path = smarthg, pg_temp AS $$
	WITH home AS (
		SELECT h.time_zone AS zone, CASE usage_against_past.period WHEN 'hour' THEN interval '7 days' WHEN 'day' THEN '7 days' WHEN 'week' THEN '364 days' ELSE '1 year' END AS back
		FROM home h WHERE h.home_id = usage_against_past.home_id
	)
	SELECT u.period_start, u.use_kwh, (u.period_start AT TIME ZONE h.zone - h.back) AT TIME ZONE h.zone, CASE WHEN v.covered_percent > 95 THEN v.use_kwh END,
		CASE WHEN least(u.covered_percent, v.covered_percent) > 95 THEN 100 * (u.use_kwh / nullif(v.use_kwh, 0) - 1) END
	FROM home h
	CROSS JOIN LATERAL usage_periods(usage_against_past.home_id, usage_against_past.from_at, usage_against_past.until_at, usage_against_past.period) AS u
	LEFT JOIN LATERAL usage_periods(usage_against_past.home_id, (usage_against_past.from_at AT TIME ZONE h.zone - h.back) AT TIME ZONE h.zone,
		(usage_against_past.until_at AT TIME ZONE h.zone - h.back) AT TIME ZONE h.zone, usage_against_past.period) AS v
		ON v.period_start = (u.period_start AT TIME ZONE h.zone - h.back) AT TIME ZONE h.zone
	ORDER BY u.period_start
$$;
COMMENT ON FUNCTION usage_against_past(bigint, timestamptz, timestamptz, text) IS
'Each period''s use, kWh, beside the home''s own past: an hour or day beside that of the week before, a week beside that of 52 weeks before, a month or year beside that of the year before; null where less than 95 percent of it is known';

CREATE FUNCTION usage_similar(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (own_kwh_per_day float8, similar_kwh_per_day float8, homes integer, alike text, uses_less_than_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	WITH span AS (
		SELECT (usage_similar.from_at AT TIME ZONE h.time_zone)::date AS since, (usage_similar.until_at AT TIME ZONE h.time_zone)::date AS before FROM home h WHERE h.home_id = usage_similar.home_id
	), feature AS (
		SELECT h.home_id, h.price_area_id, EXISTS (SELECT FROM meter m WHERE m.home_id = h.home_id AND m.role = 'production') AS produces,
			EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id) AS drives, (SELECT g.supply FROM heating g WHERE g.home_id = h.home_id) AS supply
		FROM home h
	), use AS (
		-- Days known entirely, and homes known for most of them.
		SELECT e.home_id, avg(e.import_kwh - coalesce(e.export_kwh, 0) + coalesce(e.production_kwh, 0) - coalesce(e.ess_kwh, 0)) AS kwh
		FROM span s, home_energy_daily e
		WHERE e.local_day >= s.since AND e.local_day < s.before AND e.covered >= interval '23 hours'
		GROUP BY e.home_id HAVING count(*) >= 0.8 * max(s.before - s.since)
	), other AS (
		SELECT o.produces = f.produces AND o.drives = f.drives AND o.supply IS NOT DISTINCT FROM f.supply AS all_alike, o.produces = f.produces AND o.drives = f.drives AS some_alike, u.kwh
		FROM feature f JOIN feature o ON o.price_area_id = f.price_area_id AND o.home_id <> f.home_id JOIN use u ON u.home_id = o.home_id
		WHERE f.home_id = usage_similar.home_id
	), circle AS (
		-- The narrowest that holds five homes.
		SELECT c.* FROM (
			SELECT 1, 'heating, vehicle and production' AS alike, count(*)::integer AS homes, avg(kwh) AS kwh, array_agg(kwh) AS all_kwh FROM other WHERE all_alike
			UNION ALL SELECT 2, 'vehicle and production', count(*)::integer, avg(kwh), array_agg(kwh) FROM other WHERE some_alike
			UNION ALL SELECT 3, 'price area', count(*)::integer, avg(kwh), array_agg(kwh) FROM other
		) AS c(place, alike, homes, kwh, all_kwh) WHERE c.homes >= 5 ORDER BY c.place LIMIT 1
	)
	SELECT own.kwh, c.kwh, c.homes, c.alike, (SELECT round(10 * avg((own.kwh < a)::integer)) * 10 FROM unnest(c.all_kwh) AS a)
	FROM (SELECT (SELECT u.kwh FROM use u WHERE u.home_id = usage_similar.home_id) AS kwh) AS own LEFT JOIN circle c ON true
$$;
COMMENT ON FUNCTION usage_similar(bigint, timestamptz, timestamptz) IS
'A home''s mean daily use, kWh, beside the mean of at least 5 other homes of its price area that are alike in heating, vehicle and production, or in fewer of these where there are not 5 (alike says in what); null where there are not. Nothing of a single other home can be seen: uses_less_than_percent is rounded to tens. Counted are homes known on 80 percent of the days';

CREATE FUNCTION usage_profile(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (local_hour integer, weekday_kw float8, weekend_kw float8, import_eur_per_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 24 SET search_path = smarthg, pg_temp AS $$
	SELECT extract(hour FROM l.at)::integer, avg(u.use_kwh) FILTER (WHERE extract(isodow FROM l.at) < 6), avg(u.use_kwh) FILTER (WHERE extract(isodow FROM l.at) >= 6), avg(u.import_eur_per_kwh)
	FROM usage_hourly(usage_profile.home_id, usage_profile.from_at, usage_profile.until_at) AS u JOIN home h ON h.home_id = usage_profile.home_id
	CROSS JOIN LATERAL (SELECT u.slot_start AT TIME ZONE h.time_zone AS at) AS l
	WHERE u.covered_hours > 0.999 GROUP BY 1 ORDER BY 1
$$;
COMMENT ON FUNCTION usage_profile(bigint, timestamptz, timestamptz) IS 'Mean use, kW, in each hour of the home''s local day, on weekdays and weekends, with the mean import price';

CREATE FUNCTION usage_summary(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (use_kwh float8, import_kwh float8, export_kwh float8, production_kwh float8, pev_kwh float8, cost_eur float8, co2_kg float8, mean_price_eur_per_kwh float8,
	base_load_kw float8, standby_kwh float8, standby_percent float8, standby_eur float8, peak_kw float8, peak_at timestamptz, load_factor float8, covered_percent float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	WITH hour AS MATERIALIZED (
		SELECT u.*, (u.slot_start AT TIME ZONE h.time_zone)::date AS local_day
		FROM usage_hourly(usage_summary.home_id, usage_summary.from_at, usage_summary.until_at) AS u JOIN home h ON h.home_id = usage_summary.home_id
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
		b.kw * t.covered * t.mean_price, t.peak, t.peak_at, t.mean_kw / nullif(t.peak, 0),
		100 * t.covered / nullif(extract(epoch FROM usage_summary.until_at - usage_summary.from_at)::float8 / 3600, 0)
	FROM total t, base b
$$;
COMMENT ON FUNCTION usage_summary(bigint, timestamptz, timestamptz) IS
'A span of a home in one row: energy, kWh; cost, EUR; CO2, kg; mean price of what was drawn. base_load_kw is the median over days of the lowest hour without the vehicle: what is always on; standby is that over all known hours, priced at the mean price. peak_kw is the highest hourly mean drawn, load_factor the mean over it';

CREATE FUNCTION usage_appliances(home_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (name text, use_kwh float8, share_percent float8, standby_kw float8, standby_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10 SET search_path = smarthg, pg_temp AS $$
	WITH hour AS (
		SELECT m.name, date_trunc('hour', i.slot_start, 'UTC') AS slot_start, (i.slot_start AT TIME ZONE h.time_zone)::date AS local_day,
			sum(CASE register_direction(r.obis) WHEN 'export' THEN -i.energy_kwh ELSE i.energy_kwh END) AS kwh
		FROM home h JOIN meter m USING (home_id) JOIN register r USING (meter_id) JOIN interval_energy i USING (register_id)
		WHERE h.home_id = usage_appliances.home_id AND m.commodity = 'electricity' AND m.kind <> 'main' AND m.role IN ('consumption', 'pev') AND register_direction(r.obis) IS NOT NULL
			AND i.slot_start >= usage_appliances.from_at AND i.slot_start < usage_appliances.until_at
		GROUP BY 1, 2, 3
	), day AS (
		SELECT name, local_day, sum(kwh) AS kwh, min(kwh) AS low, count(*) AS hours FROM hour GROUP BY 1, 2
	), appliance AS (
		SELECT name, sum(kwh) AS kwh, percentile_cont(0.5) WITHIN GROUP (ORDER BY low) AS low, sum(hours) AS hours FROM day GROUP BY 1
	), total AS (
		SELECT sum(u.use_kwh) AS kwh FROM usage_hourly(usage_appliances.home_id, usage_appliances.from_at, usage_appliances.until_at) AS u
	)
	SELECT p.name, p.kwh, 100 * p.kwh / nullif(t.kwh, 0), p.low, p.low * p.hours
	FROM total t, LATERAL (
		SELECT a.name, a.kwh, a.low, a.hours FROM appliance a
		UNION ALL SELECT 'everything else', t.kwh - coalesce((SELECT sum(a.kwh) FROM appliance a), 0), NULL, NULL WHERE t.kwh IS NOT NULL
	) AS p
	ORDER BY p.name = 'everything else', p.kwh DESC
$$;
COMMENT ON FUNCTION usage_appliances(bigint, timestamptz, timestamptz) IS
'What each sub-meter and appliance of a home used, kWh, its share of all use, and its standby: the median over days of its lowest hour, kW, and that over the time, kWh; then everything else. Sub-meters are taken to measure different things';
