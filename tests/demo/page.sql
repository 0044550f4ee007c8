-- The demonstration as one self-contained HTML page with a chart a home (inline SVG).
SET search_path = smarthg, public;
SET timezone = 'Europe/Berlin';
-- A step line: one value a slot, scaled from [low, high] to the height between bottom and top.
CREATE FUNCTION demo.steps(series float8[], low float8, high float8, top float8, bottom float8, style text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('<path d="M%s" %s/>', string_agg(format('%s,%s H%s', round((60 + (n - 1) * 20)::numeric, 1), y, round((60 + n * 20)::numeric, 1)), ' L' ORDER BY n), style)
	FROM unnest(series) WITH ORDINALITY AS u(v, n), LATERAL (SELECT round((bottom - (v - low) / nullif(high - low, 0) * (bottom - top))::numeric, 1) AS y) AS p
$$;
-- Horizontal grid lines with their values.
CREATE FUNCTION demo.scale(low float8, high float8, top float8, bottom float8, unit text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(format('<path d="M60,%s H780" stroke="#ddd"/><text x="55" y="%s" text-anchor="end">%s</text>', y, y + 4, round(v::numeric, 2)), '')
		|| format('<text x="60" y="%s" font-weight="bold">%s</text>', top - 8, unit)
	FROM generate_series(0, 4) AS k, LATERAL (SELECT low + k * (high - low) / 4 AS v, round((bottom - k * (bottom - top) / 4)::numeric, 1) AS y) AS p
$$;
CREATE FUNCTION demo.chart(home bigint) RETURNS text LANGUAGE sql STABLE AS $$
	WITH slot AS (
		SELECT s.* FROM plan p JOIN plan_slot s USING (home_id, plan_id) WHERE p.home_id = home ORDER BY slot_no
	), series AS (
		SELECT array_agg(energy_eur_per_kwh ORDER BY slot_no) AS price, array_agg(demand_kw - production_kw ORDER BY slot_no) AS net, array_agg(grid_kw ORDER BY slot_no) AS grid,
			array_agg(ess_kw ORDER BY slot_no) AS ess, array_agg(pev_kw ORDER BY slot_no) AS pev, array_agg(ess_soc_kwh ORDER BY slot_no) AS ess_soc, array_agg(pev_soc_kwh ORDER BY slot_no) AS pev_soc,
			least(min(energy_eur_per_kwh), 0) AS price_low, max(energy_eur_per_kwh) AS price_high,
			floor(least(min(grid_kw), min(ess_kw), min(pev_kw), min(demand_kw - production_kw))) AS kw_low, greatest(max(grid_kw), max(ess_kw), max(pev_kw), max(demand_kw)) AS kw_top,
			4 * ceil(greatest(max(ess_soc_kwh), max(pev_soc_kwh), 10) / 4) AS kwh_high
		FROM slot
	), scaled AS (
		SELECT *, kw_low + 4 * ceil((kw_top - kw_low) / 4) AS kw_high FROM series
	)
	SELECT '<svg viewBox="0 0 800 470" role="img" aria-label="Plan: price, power and state of charge by hour">'
		|| demo.scale(price_low, price_high, 30, 110, 'import price, EUR/kWh') || demo.steps(price, price_low, price_high, 30, 110, 'fill="none" stroke="#444" stroke-width="2"')
		|| demo.scale(kw_low, kw_high, 150, 290, 'power, kW') || demo.steps(net, kw_low, kw_high, 150, 290, 'fill="none" stroke="#999" stroke-width="2" stroke-dasharray="4 3"')
		|| demo.steps(ess, kw_low, kw_high, 150, 290, 'fill="none" stroke="#0a7" stroke-width="2"') || demo.steps(pev, kw_low, kw_high, 150, 290, 'fill="none" stroke="#a4c" stroke-width="2"')
		|| demo.steps(grid, kw_low, kw_high, 150, 290, 'fill="none" stroke="#c40" stroke-width="2"')
		|| demo.scale(0, kwh_high, 330, 430, 'state of charge at the slot''s end, kWh') || demo.steps(ess_soc, 0, kwh_high, 330, 430, 'fill="none" stroke="#0a7" stroke-width="2"')
		|| demo.steps(pev_soc, 0, kwh_high, 330, 430, 'fill="none" stroke="#a4c" stroke-width="2"')
		|| (SELECT string_agg(format('<text x="%s" y="452" text-anchor="middle">%s</text>', 60 + (slot_no - 1) * 20, to_char(slot_start, 'HH24')), '') FROM slot WHERE slot_no % 3 = 1)
		|| '</svg>'
	FROM scaled
$$;
SELECT '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>SmartHG: plans of '
	|| to_char(now, 'YYYY-MM-DD HH24:MI') || '</title><style>body{font:16px/1.4 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}svg{width:100%;font:12px system-ui,sans-serif}'
	|| 'table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}b.e{color:#0a7}b.p{color:#a4c}b.g{color:#c40}b.n{color:#777}</style>'
	|| '<h1>Plans of ' || to_char(now, 'YYYY-MM-DD HH24:MI') || '</h1><p>Each home: import price; <b class="n">net demand forecast (dashed)</b>, <b class="e">battery</b>, <b class="p">vehicle</b> and '
	|| '<b class="g">grid power</b>; state of charge. Local time, 36 hours. Without control the vehicle is charged on arrival and the battery stays idle.</p>' FROM demo.moment;
SELECT format('<section><h2>%s</h2><table><tr><th>status</th><th>EUR without control</th><th>EUR with</th><th>more stored, EUR</th><th>saving, EUR</th><th>violated</th></tr>'
	'<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td><b>%s</b></td><td>%s</td></tr></table>%s</section>', home, status, round(without_eur::numeric, 2), round(with_eur::numeric, 2),
	round(stored_eur::numeric, 2), round(saving_eur::numeric, 2), violated, demo.chart(home_id))
FROM demo.saving ORDER BY home;
