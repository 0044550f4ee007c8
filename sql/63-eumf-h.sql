-- EUMF-H: what residents are told of the days and weeks to come (document 3.2.2, DESIGN.md section 5).

CREATE FUNCTION eumf_h(home_id bigint, at timestamptz, days integer DEFAULT 7, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (slot_start timestamptz, day date, demand_kw float8, demand_q10_kw float8, demand_q50_kw float8, demand_q90_kw float8, production_kw float8,
	grid_kw float8, energy_eur_per_kwh float8, price_published boolean, cost_eur float8, cost_q10_eur float8, cost_q90_eur float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 168 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	own record;
	origin timestamptz;
	slots integer;
	hours float8 := extract(epoch FROM slot_length) / 3600;
BEGIN
	SELECT h.time_zone AS zone, h.price_area_id, coalesce(t.import_markup_eur_per_kwh, 0) AS import_markup, coalesce(t.export_markup_eur_per_kwh, 0) AS export_markup
	INTO own FROM home h LEFT JOIN tariff t USING (tariff_id) WHERE h.home_id = eumf_h.home_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', home_id);
	END IF;
	IF days NOT BETWEEN 1 AND 35 OR NOT isfinite(at) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s days cannot be forecast at %s', days, at), HINT = 'Ask for 1 to 35 days at a finite time.';
	END IF;
	IF slot_length NOT BETWEEN interval '1 min' AND interval '1 hour' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('slots of %s are not possible', slot_length), HINT = 'They last 1 minute to 1 hour.';
	END IF;
	origin := slot_start(at, slot_length);
	-- To the end of the local day, days of 23 and 25 hours included.
	slots := ceil(extract(epoch FROM ((at AT TIME ZONE own.zone)::date + days)::timestamp AT TIME ZONE own.zone - origin) / extract(epoch FROM slot_length));
	RETURN QUERY
		SELECT k.slot_start, (k.slot_start AT TIME ZONE own.zone)::date, k.demand_kw, k.demand_q10_kw, k.demand_q50_kw, k.demand_q90_kw, k.production_kw,
			k.demand_kw - k.production_kw, p.energy_eur_per_kwh + own.import_markup, p.published,
			hours * c.mean, hours * least(c.low, c.high, c.mean), hours * greatest(c.low, c.high, c.mean)
		FROM eumf_k(home_id, at, slots, slot_length) AS k
		JOIN price_outlook(own.price_area_id, at, slots, slot_length) AS p ON p.slot_start = k.slot_start
		CROSS JOIN LATERAL (
			SELECT x.grid[1] * (p.energy_eur_per_kwh + CASE WHEN x.grid[1] > 0 THEN own.import_markup ELSE own.export_markup END) AS mean,
				x.grid[2] * (p.energy_eur_per_kwh + CASE WHEN x.grid[2] > 0 THEN own.import_markup ELSE own.export_markup END) AS low,
				x.grid[3] * (p.energy_eur_per_kwh + CASE WHEN x.grid[3] > 0 THEN own.import_markup ELSE own.export_markup END) AS high
			FROM (SELECT ARRAY[k.demand_kw - k.production_kw, k.demand_q10_kw - k.production_q90_kw, k.demand_q90_kw - k.production_q10_kw] AS grid) AS x
		) AS c
		ORDER BY 1;
END $$;
COMMENT ON FUNCTION eumf_h(bigint, timestamptz, integer, interval) IS
'EUMF-H by slot: from the slot that holds at to the end of the last of so many local days (1 to 35), demand with quantiles and production as in eumf_k, grid power without stores, the import price (published, else as in price_outlook) and what the energy costs under the home''s tariff, EUR: to expect, and where demand and production are at their outer quantiles at the price expected, never beyond what is to expect. Null cost where no price is known. Errors: unknown home, days or slots that cannot be forecast (22023) (document 3.2.2)';

CREATE FUNCTION eumf_h_daily(home_id bigint, at timestamptz, days integer DEFAULT 7)
RETURNS TABLE (day date, demand_kwh float8, demand_q10_kwh float8, demand_q90_kwh float8, production_kwh float8, cost_eur float8, cost_q10_eur float8, cost_q90_eur float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 7 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	zone text;
	today date;
	spread record;
BEGIN
	SELECT h.time_zone INTO zone FROM home h WHERE h.home_id = eumf_h_daily.home_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', home_id);
	END IF;
	today := (at AT TIME ZONE zone)::date;
	-- Hours of a day go together, so its quantiles are no sums of theirs: they are those of past
	-- days relative to the means of like days before them.
	WITH past AS (
		SELECT (d.slot_start AT TIME ZONE zone)::date AS day, sum(d.demand_kw) AS kwh
		FROM home_demand(home_id, slot_start((today - 84)::timestamp AT TIME ZONE zone, '1 hour'), slot_start(today::timestamp AT TIME ZONE zone, '1 hour'), '1 hour') AS d GROUP BY 1 HAVING count(*) >= 23
	), relative AS (
		SELECT p.kwh / nullif(avg(q.kwh), 0) AS ratio FROM past p JOIN past q ON q.day < p.day AND q.day >= p.day - 28
			AND (extract(isodow FROM q.day) >= 6) = (extract(isodow FROM p.day) >= 6)
		GROUP BY p.day, p.kwh HAVING count(*) >= 2
	)
	SELECT count(ratio) AS known, percentile_cont(0.1) WITHIN GROUP (ORDER BY ratio) AS low, percentile_cont(0.9) WITHIN GROUP (ORDER BY ratio) AS high INTO spread FROM relative;
	IF spread.known < 10 THEN
		spread.low := 0.5;
		spread.high := 1.7;
	END IF;
	RETURN QUERY
		SELECT h.day, sum(h.demand_kw), least(spread.low, 1) * sum(h.demand_kw), greatest(spread.high, 1) * sum(h.demand_kw), sum(h.production_kw),
			CASE WHEN count(h.cost_eur) = count(*) THEN sum(h.cost_eur) END,
			CASE WHEN count(h.cost_eur) = count(*) THEN sum(h.cost_eur) - (1 - least(spread.low, 1)) * sum(h.demand_kw * abs(h.energy_eur_per_kwh)) END,
			CASE WHEN count(h.cost_eur) = count(*) THEN sum(h.cost_eur) + (greatest(spread.high, 1) - 1) * sum(h.demand_kw * abs(h.energy_eur_per_kwh)) END
		FROM eumf_h(home_id, at, days) AS h GROUP BY h.day ORDER BY h.day;
END $$;
COMMENT ON FUNCTION eumf_h_daily(bigint, timestamptz, integer) IS
'EUMF-H by local day of the home: energy of the appliances with 10 and 90 % quantiles (as days were beside like days before them in the last 12 weeks), production, kWh, and what it costs under the home''s tariff, EUR, with what those quantiles of demand change; the first day from now on only. Errors: as eumf_h';
