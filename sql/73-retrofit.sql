-- EUR-K: what a home's use says about the home, and what retrofit options would change (document
-- chapter 1, section 2.3, Table 2.1).

CREATE FUNCTION heat_pump_cop(supply text, lift_k float8) RETURNS float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_heat_pump_cop';
COMMENT ON FUNCTION heat_pump_cop(text, float8) IS
'Coefficient of performance (COP) of an air heat pump or ground heat pump at a temperature lift of 0 to 100 K, by the regressions of Ruhnau et al. 2019. Errors: another supply, lift out of range (22023)';

CREATE FUNCTION heat_pump_cop_series(heat_kw float8[], electricity_kw float8[], temperature_c float8[], supply text,
	flow_c float8 DEFAULT NULL, flow_per_k float8 DEFAULT NULL, ground_c float8 DEFAULT NULL,
	OUT known integer, OUT outliers integer, OUT factor float8, OUT factor_low float8, OUT factor_high float8,
	OUT tilt_per_k float8, OUT tilt_low_per_k float8, OUT tilt_high_per_k float8, OUT cop float8, OUT cop_low float8, OUT cop_high float8, OUT reason text)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'smarthg_heat_pump_cop_series';
COMMENT ON FUNCTION heat_pump_cop_series(float8[], float8[], float8[], text, float8, float8, float8) IS
'A heat pump''s own curve from its heat and electricity, mean kW of each slot, and the outdoor temperature, deg C (null: not known): COP = factor * heat_pump_cop(supply, lift) + tilt_per_k * (lift - 35 K), by robust regression, with 90 % intervals; cop is that at a lift of 35 K. Lift = flow_c + flow_per_k * outdoors (40 and -1: radiators) less outdoors (air) or ground_c (5). Slots in which the pump hardly ran are left out. reason says why the data do not tell; then the figures are null';

CREATE FUNCTION retrofit_estimate_series(use_kw float8[], temperature_c float8[], sun_kw_per_m2 float8[] DEFAULT NULL, supply text DEFAULT 'heat',
	supply_factor float8 DEFAULT NULL, cop_tilt_per_k float8 DEFAULT NULL, flow_c float8 DEFAULT NULL, flow_per_k float8 DEFAULT NULL, ground_c float8 DEFAULT NULL,
	indoor_c float8 DEFAULT 20, indoor_sd_k float8 DEFAULT 1,
	OUT model text, OUT reason text, OUT known integer, OUT outliers integer,
	OUT heat_loss_kw_per_k float8, OUT heat_loss_low_kw_per_k float8, OUT heat_loss_high_kw_per_k float8,
	OUT base_temperature_c float8, OUT base_temperature_low_c float8, OUT base_temperature_high_c float8,
	OUT base_load_kw float8, OUT base_load_low_kw float8, OUT base_load_high_kw float8,
	OUT aperture_m2 float8, OUT aperture_low_m2 float8, OUT aperture_high_m2 float8,
	OUT internal_gains_kw float8, OUT internal_gains_low_kw float8, OUT internal_gains_high_kw float8,
	OUT heat_at_zero_kw float8, OUT heat_at_zero_low_kw float8, OUT heat_at_zero_high_kw float8,
	OUT residual_sd_kw float8, OUT autocorrelation float8)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5000 AS 'MODULE_PATHNAME', 'smarthg_retrofit_estimate_series';
COMMENT ON FUNCTION retrofit_estimate_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8) IS
'A home''s energy signature: use_kw = base load + max(0, heat loss * (base temperature - temperature_c) - aperture * sun_kw_per_m2) / performance of the supply, from mean use, kW, of slots (days, weeks; at least 12) one after another, null where not known; by robust regression, with 90 % intervals (_low, _high) that allow for errors that last. supply: heat, resistance, gas, air heat pump, ground heat pump; supply_factor is heat per kWh of a boiler (gas 0.9), or the part of its curve that a heat pump reaches (0.85); flow_c, flow_per_k, ground_c as in heat_pump_cop_series. Internal gains are heat loss * (indoor_c - base temperature), indoor_c being known to within indoor_sd_k (standard deviation). model: change point (soft where the data say so, since a day hides its colder and warmer hours); line (only the slope and the level at 0 deg C are known: base load, base temperature and gains are null, reason says so); refused, with the reason, where the data do not support an estimate. Errors: series of different length, a supply that is not known, values out of range';

CREATE FUNCTION retrofit_option_series(use_kw float8[], temperature_c float8[], sun_kw_per_m2 float8[] DEFAULT NULL, supply text DEFAULT 'heat',
	supply_factor float8 DEFAULT NULL, cop_tilt_per_k float8 DEFAULT NULL, flow_c float8 DEFAULT NULL, flow_per_k float8 DEFAULT NULL, ground_c float8 DEFAULT NULL,
	indoor_c float8 DEFAULT 20, indoor_sd_k float8 DEFAULT 1,
	heat_loss_reduction_percent float8 DEFAULT 0, new_supply text DEFAULT NULL, seasonal_cop float8 DEFAULT NULL, cop_relative_sd float8 DEFAULT 0.1,
	span_temperature_c float8[] DEFAULT NULL, span_sun_kw_per_m2 float8[] DEFAULT NULL, slot_length interval DEFAULT '1 day',
	electricity_eur_per_kwh float8[] DEFAULT NULL, gas_eur_per_kwh float8[] DEFAULT NULL, heat_eur_per_kwh float8[] DEFAULT NULL,
	electricity_g_per_kwh float8[] DEFAULT NULL, gas_g_per_kwh float8[] DEFAULT NULL, heat_g_per_kwh float8[] DEFAULT NULL,
	OUT span_hours float8, OUT before_kwh float8, OUT before_eur float8, OUT before_kg float8,
	OUT use_kwh float8, OUT use_low_kwh float8, OUT use_high_kwh float8, OUT saving_kwh float8, OUT saving_low_kwh float8, OUT saving_high_kwh float8,
	OUT saving_eur float8, OUT saving_low_eur float8, OUT saving_high_eur float8, OUT saving_kg float8, OUT saving_low_kg float8, OUT saving_high_kg float8,
	OUT seasonal_performance float8, OUT reason text)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5000 AS 'MODULE_PATHNAME', 'smarthg_retrofit_option_series';
COMMENT ON FUNCTION retrofit_option_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8,
	float8, text, float8, float8, float8[], float8[], interval, float8[], float8[], float8[], float8[], float8[], float8[]) IS
'What a retrofit would change over a span of slots with span_temperature_c (by default those of the estimate), by the signature that retrofit_estimate_series finds in the first arguments: heat_loss_reduction_percent less loss through the shell, and with new_supply or seasonal_cop (heat over electricity of the span; null: the curve at 0.85) another supply, whose COP is known to within cop_relative_sd. The base load stays with its carrier. Energy in kWh of the carriers, cost and CO2 (kg) at prices and intensities of each slot (null elements: the mean of the others), with 90 % intervals of what is uncertain about the home, not about weather and prices to come. reason says why there is no answer. Errors as in retrofit_estimate_series';

CREATE FUNCTION retrofit_predict_series(use_kw float8[], temperature_c float8[], sun_kw_per_m2 float8[] DEFAULT NULL, supply text DEFAULT 'heat',
	supply_factor float8 DEFAULT NULL, cop_tilt_per_k float8 DEFAULT NULL, flow_c float8 DEFAULT NULL, flow_per_k float8 DEFAULT NULL, ground_c float8 DEFAULT NULL,
	indoor_c float8 DEFAULT 20, indoor_sd_k float8 DEFAULT 1,
	heat_loss_reduction_percent float8 DEFAULT 0, new_supply text DEFAULT NULL, seasonal_cop float8 DEFAULT NULL, cop_relative_sd float8 DEFAULT 0.1,
	span_temperature_c float8[] DEFAULT NULL, span_sun_kw_per_m2 float8[] DEFAULT NULL, slot_length interval DEFAULT '1 day',
	OUT predicted_kw float8[], OUT low_kw float8[], OUT high_kw float8[], OUT total_kwh float8, OUT total_low_kwh float8, OUT total_high_kwh float8, OUT reason text)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5000 AS 'MODULE_PATHNAME', 'smarthg_retrofit_predict_series';
COMMENT ON FUNCTION retrofit_predict_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8,
	float8, text, float8, float8, float8[], float8[], interval) IS
'Use to be measured in each slot of the span after a retrofit (arguments as in retrofit_option_series), mean kW, with the interval in which 90 % of measured slots lie, and the total in kWh with its interval: to be compared with what is measured then';

CREATE FUNCTION payback_years(investment_eur float8, saving_eur_per_year float8, discount_rate float8 DEFAULT 0) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF NOT (discount_rate > -1 AND discount_rate < 'infinity') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'discount_rate must be finite and more than -1';
	END IF;
	RETURN CASE WHEN investment_eur <= 0 THEN 0
		WHEN saving_eur_per_year <= 0 THEN NULL
		WHEN discount_rate = 0 THEN investment_eur / saving_eur_per_year
		WHEN investment_eur * discount_rate >= saving_eur_per_year THEN NULL
		ELSE -ln(1 - investment_eur * discount_rate / saving_eur_per_year) / ln(1 + discount_rate) END;
END $$;
COMMENT ON FUNCTION payback_years(float8, float8, float8) IS 'Years until savings at each year''s end, discounted, have paid an investment; null: never. Error: a rate of -1 or less (22023)';

CREATE FUNCTION present_value_eur(investment_eur float8, saving_eur_per_year float8, years float8, discount_rate float8 DEFAULT 0) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF NOT (discount_rate > -1 AND discount_rate < 'infinity') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'discount_rate must be finite and more than -1';
	END IF;
	RETURN saving_eur_per_year * CASE WHEN discount_rate = 0 THEN years ELSE (1 - (1 + discount_rate) ^ (-years)) / discount_rate END - investment_eur;
END $$;
COMMENT ON FUNCTION present_value_eur(float8, float8, float8, float8) IS 'Net present value of an investment that saves so much at each year''s end over so many years, EUR. Error: a rate of -1 or less (22023)';

CREATE TABLE heating (
	home_id bigint PRIMARY KEY REFERENCES home,
	supply text NOT NULL CHECK (supply IN ('heat', 'resistance', 'gas', 'air heat pump', 'ground heat pump')),
	supply_factor float8 CHECK (supply_factor BETWEEN 0.01 AND 10),
	cop_tilt_per_k float8 CHECK (cop_tilt_per_k BETWEEN -1 AND 1),
	flow_c float8 CHECK (flow_c BETWEEN 0 AND 100),
	flow_per_k float8 CHECK (flow_per_k BETWEEN -5 AND 5),
	ground_c float8 CHECK (ground_c BETWEEN -20 AND 40),
	indoor_c float8 NOT NULL DEFAULT 20 CHECK (indoor_c BETWEEN -20 AND 50),
	indoor_sd_k float8 NOT NULL DEFAULT 1 CHECK (indoor_sd_k BETWEEN 0 AND 20),
	gas_eur_per_kwh float8 CHECK (gas_eur_per_kwh BETWEEN 0 AND 1e6),
	heat_eur_per_kwh float8 CHECK (heat_eur_per_kwh BETWEEN 0 AND 1e6),
	gas_g_per_kwh float8 NOT NULL DEFAULT 202 CHECK (gas_g_per_kwh BETWEEN 0 AND 1e6),
	heat_g_per_kwh float8 CHECK (heat_g_per_kwh BETWEEN 0 AND 1e6)
);
COMMENT ON TABLE heating IS 'How a home is heated';
COMMENT ON COLUMN heating.home_id IS 'The home';
COMMENT ON COLUMN heating.supply IS 'heat (bought as such, measured by a heat meter), resistance, gas, air heat pump or ground heat pump';
COMMENT ON COLUMN heating.supply_factor IS 'Heat per kWh of the carrier; of a heat pump in parts of its curve; null: the usual (gas 0.9, heat pumps 0.85, else 1)';
COMMENT ON COLUMN heating.cop_tilt_per_k IS 'Added to a heat pump''s COP for each K of lift above 35 K; null: 0';
COMMENT ON COLUMN heating.flow_c IS 'Temperature of the heating water at 0 deg C outdoors, deg C; null: 40';
COMMENT ON COLUMN heating.flow_per_k IS 'Its change with each degree outdoors; null: -1';
COMMENT ON COLUMN heating.ground_c IS 'Temperature of a ground heat pump''s source, deg C; null: 5';
COMMENT ON COLUMN heating.indoor_c IS 'Mean indoor temperature in the heating season, deg C';
COMMENT ON COLUMN heating.indoor_sd_k IS 'How well that is known: standard deviation, K';
COMMENT ON COLUMN heating.gas_eur_per_kwh IS 'What gas costs the home, EUR/kWh; null: not known';
COMMENT ON COLUMN heating.heat_eur_per_kwh IS 'What heat bought as such costs it, EUR/kWh; null: not known';
COMMENT ON COLUMN heating.gas_g_per_kwh IS 'CO2 of gas, g/kWh; natural gas by net calorific value unless stated';
COMMENT ON COLUMN heating.heat_g_per_kwh IS 'CO2 of heat bought as such, g/kWh; null: not known';

CREATE TABLE retrofit_option (
	retrofit_option_id bigint PRIMARY KEY DEFAULT new_id(),
	home_id bigint REFERENCES home,
	name text NOT NULL CHECK (name <> ''),
	heat_loss_reduction_percent float8 NOT NULL DEFAULT 0 CHECK (heat_loss_reduction_percent BETWEEN 0 AND 99),
	new_supply text CHECK (new_supply IN ('heat', 'resistance', 'gas', 'air heat pump', 'ground heat pump')),
	seasonal_cop float8 CHECK (seasonal_cop BETWEEN 1 AND 20),
	investment_eur float8 NOT NULL CHECK (investment_eur BETWEEN 0 AND 1e9),
	upkeep_eur_per_year float8 NOT NULL DEFAULT 0 CHECK (upkeep_eur_per_year BETWEEN -1e9 AND 1e9),
	lifetime_years float8 NOT NULL CHECK (lifetime_years BETWEEN 1 AND 200)
);
CREATE INDEX retrofit_option_home ON retrofit_option (home_id);
COMMENT ON TABLE retrofit_option IS 'What could be done to homes, with its cost';
COMMENT ON COLUMN retrofit_option.retrofit_option_id IS 'Identifier';
COMMENT ON COLUMN retrofit_option.home_id IS 'The home that it is offered to; null: to all';
COMMENT ON COLUMN retrofit_option.name IS 'Name';
COMMENT ON COLUMN retrofit_option.heat_loss_reduction_percent IS 'By how much it lowers the heat loss coefficient, percent';
COMMENT ON COLUMN retrofit_option.new_supply IS 'The heat supply that replaces the present one; null: none does';
COMMENT ON COLUMN retrofit_option.seasonal_cop IS 'Heat over electricity of a year that its heat pump reaches; without new_supply the present pump is improved; null: by the published curve';
COMMENT ON COLUMN retrofit_option.investment_eur IS 'What it costs, EUR';
COMMENT ON COLUMN retrofit_option.upkeep_eur_per_year IS 'What it costs more each year besides energy, EUR; negative: less';
COMMENT ON COLUMN retrofit_option.lifetime_years IS 'How long it lasts';

CREATE FUNCTION heating_use(home_id bigint, from_day date, until_day date) RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	WITH heated AS (
		SELECT h.time_zone, CASE g.supply WHEN 'gas' THEN 'gas'::commodity WHEN 'heat' THEN 'heat' ELSE 'electricity' END AS commodity
		FROM home h JOIN heating g USING (home_id) WHERE h.home_id = heating_use.home_id
	), day AS (
		SELECT heating_use.from_day + n AS local_day, extract(epoch FROM (heating_use.from_day + n + 1)::timestamp AT TIME ZONE heated.time_zone
			- (heating_use.from_day + n)::timestamp AT TIME ZONE heated.time_zone) / 3600 AS hours
		FROM heated, generate_series(0, heating_use.until_day - heating_use.from_day - 1) AS n
	), total AS (
		-- A meter may have registers of tariffs beside the total.
		SELECT r.register_id FROM heated JOIN meter m ON m.home_id = heating_use.home_id AND m.commodity = heated.commodity AND m.kind = 'main'
			JOIN register r ON r.meter_id = m.meter_id AND r.cumulative AND r.unit = 'kWh'
		WHERE heated.commodity <> 'electricity'
		ORDER BY r.obis !~ '^(6-[0-9]+:1\.0\.0|7-[0-9]+:3\.0\.0|[0-9]+-[0-9]+:1\.8\.0)\.', r.obis, r.register_id LIMIT 1
	), used AS (
		SELECT e.local_day, e.import_kwh - coalesce(e.export_kwh, 0) + coalesce(e.production_kwh, 0) - coalesce(e.ess_kwh, 0) - coalesce(e.pev_kwh, 0) AS kwh, e.covered
		FROM heated, home_energy_daily e
		WHERE heated.commodity = 'electricity' AND e.home_id = heating_use.home_id AND e.local_day >= heating_use.from_day AND e.local_day < heating_use.until_day
		UNION ALL
		SELECT e.local_day, e.energy_kwh, e.covered
		FROM total r JOIN energy_daily e USING (register_id)
		WHERE e.local_day >= heating_use.from_day AND e.local_day < heating_use.until_day
	)
	SELECT array_agg(u.kwh / d.hours ORDER BY d.local_day)
	FROM day d LEFT JOIN used u ON u.local_day = d.local_day AND extract(epoch FROM u.covered) >= 3600 * d.hours
$$;
COMMENT ON FUNCTION heating_use(bigint, date, date) IS
'Mean use, kW, of what heats a home on each of its local days from from_day to the day before until_day, null where not known entirely: gas or heat by its main meter in kWh (the total register 6-x:1.0.0, 7-x:3.0.0 or x.1.8.0, else that of the lowest OBIS code), else the electricity of all appliances without ESS and PEV. Null where the home has no row in heating';

CREATE FUNCTION home_temperature(home_id bigint, from_day date, until_day date) RETURNS float8[]
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- What is known of a slot by now: its latest publication.
	RETURN (
		SELECT array_agg(w.mean_c ORDER BY n) FROM home h, generate_series(0, until_day - from_day - 1) AS n
		LEFT JOIN LATERAL (
			SELECT CASE WHEN sum(l.slot_length) >= interval '20 hours' THEN avg(l.temperature_c) END AS mean_c FROM (
				SELECT DISTINCT ON (w.slot_start) w.temperature_c, w.slot_length FROM weather w
				WHERE w.price_area_id = h.price_area_id AND w.slot_start >= (from_day + n)::timestamp AT TIME ZONE h.time_zone AND w.slot_start < (from_day + n + 1)::timestamp AT TIME ZONE h.time_zone
				ORDER BY w.slot_start, w.published_at DESC
			) AS l
		) AS w ON true
		WHERE h.home_id = home_temperature.home_id);
END $$;
COMMENT ON FUNCTION home_temperature(bigint, date, date) IS 'Mean outdoor temperature, deg C, of each of a home''s local days from from_day to the day before until_day, by weather; null where less than 20 hours of it are known';

CREATE FUNCTION retrofit_estimate(home_id bigint, from_day date, until_day date, temperature_c float8[] DEFAULT NULL, sun_kw_per_m2 float8[] DEFAULT NULL)
RETURNS TABLE (model text, reason text, known integer, outliers integer,
	heat_loss_kw_per_k float8, heat_loss_low_kw_per_k float8, heat_loss_high_kw_per_k float8,
	base_temperature_c float8, base_temperature_low_c float8, base_temperature_high_c float8,
	base_load_kw float8, base_load_low_kw float8, base_load_high_kw float8,
	aperture_m2 float8, aperture_low_m2 float8, aperture_high_m2 float8,
	internal_gains_kw float8, internal_gains_low_kw float8, internal_gains_high_kw float8,
	heat_at_zero_kw float8, heat_at_zero_low_kw float8, heat_at_zero_high_kw float8,
	residual_sd_kw float8, autocorrelation float8)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	SELECT e.* FROM heating g, retrofit_estimate_series(heating_use(g.home_id, retrofit_estimate.from_day, retrofit_estimate.until_day),
		coalesce(retrofit_estimate.temperature_c, home_temperature(g.home_id, retrofit_estimate.from_day, retrofit_estimate.until_day)), retrofit_estimate.sun_kw_per_m2,
		g.supply, g.supply_factor, g.cop_tilt_per_k, g.flow_c, g.flow_per_k, g.ground_c, g.indoor_c, g.indoor_sd_k) AS e
	WHERE g.home_id = retrofit_estimate.home_id
$$;
COMMENT ON FUNCTION retrofit_estimate(bigint, date, date, float8[], float8[]) IS
'retrofit_estimate_series of a stored home by its heating, its use (heating_use) and the outdoor temperature of its local days (null: home_temperature); no row for a home without a row in heating. Error: arrays of another length than days (2202E)';

CREATE FUNCTION retrofit_options(home_id bigint, from_day date, until_day date, temperature_c float8[] DEFAULT NULL, sun_kw_per_m2 float8[] DEFAULT NULL,
	discount_rate float8 DEFAULT 0.03, cop_relative_sd float8 DEFAULT 0.1)
RETURNS TABLE (rank bigint, retrofit_option_id bigint, name text, use_kwh_per_year float8, use_low_kwh_per_year float8, use_high_kwh_per_year float8,
	saving_kwh_per_year float8, saving_low_kwh_per_year float8, saving_high_kwh_per_year float8,
	saving_eur_per_year float8, saving_low_eur_per_year float8, saving_high_eur_per_year float8,
	saving_kg_per_year float8, saving_low_kg_per_year float8, saving_high_kg_per_year float8, seasonal_performance float8,
	investment_eur float8, payback_years float8, payback_low_years float8, payback_high_years float8,
	discounted_payback_years float8, present_value_eur float8, present_value_low_eur float8, present_value_high_eur float8, reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 COST 100000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	h record;
	use_kw float8[] := heating_use(retrofit_options.home_id, from_day, until_day);
	days integer := until_day - from_day;
	outdoor_c float8[] := temperature_c;
	price float8[];
	grams float8[];
BEGIN
	SELECT g.*, m.price_area_id, m.time_zone, coalesce(t.import_markup_eur_per_kwh, 0) AS markup INTO h
		FROM home m LEFT JOIN tariff t USING (tariff_id) LEFT JOIN heating g USING (home_id) WHERE m.home_id = retrofit_options.home_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', retrofit_options.home_id);
	ELSIF h.supply IS NULL THEN
		RAISE undefined_object USING MESSAGE = format('home %s has no heating', retrofit_options.home_id), HINT = 'Insert a row into heating.';
	ELSIF days NOT BETWEEN 360 AND 3660 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s days do not stand for years', days), HINT = 'Give whole years: 360 to 3660 days.';
	END IF;
	IF outdoor_c IS NULL THEN
		outdoor_c := home_temperature(retrofit_options.home_id, from_day, until_day);
	END IF;
	IF cardinality(outdoor_c) IS DISTINCT FROM days THEN
		RAISE array_subscript_error USING MESSAGE = format('temperature_c has %s elements where %s are expected', cardinality(outdoor_c), days),
			DETAIL = 'It has one element a local day.';
	END IF;
	SELECT array_agg(p.eur + h.markup ORDER BY n), array_agg(c.grams ORDER BY n) INTO price, grams
	FROM (SELECT n, (from_day + n)::timestamp AT TIME ZONE h.time_zone AS since, (from_day + n + 1)::timestamp AT TIME ZONE h.time_zone AS before
			FROM generate_series(0, days - 1) AS n) AS d
		CROSS JOIN LATERAL (SELECT avg(m.energy_eur_per_kwh) AS eur FROM market_price m WHERE m.price_area_id = h.price_area_id AND m.slot_start >= d.since AND m.slot_start < d.before) AS p
		CROSS JOIN LATERAL (SELECT avg(m.carbon_g_per_kwh) AS grams FROM co2_cost m WHERE m.price_area_id = h.price_area_id AND m.slot_start >= d.since AND m.slot_start < d.before) AS c;
	RETURN QUERY
		WITH o AS MATERIALIZED (
			SELECT o.*, s.*, 8766 / s.span_hours AS years
			FROM retrofit_option o CROSS JOIN LATERAL retrofit_option_series(use_kw, outdoor_c, sun_kw_per_m2, h.supply, h.supply_factor, h.cop_tilt_per_k,
				h.flow_c, h.flow_per_k, h.ground_c, h.indoor_c, h.indoor_sd_k, o.heat_loss_reduction_percent, o.new_supply, o.seasonal_cop,
				retrofit_options.cop_relative_sd,
				electricity_eur_per_kwh => price, gas_eur_per_kwh => array_fill(h.gas_eur_per_kwh, ARRAY[days]), heat_eur_per_kwh => array_fill(h.heat_eur_per_kwh, ARRAY[days]),
				electricity_g_per_kwh => grams, gas_g_per_kwh => array_fill(h.gas_g_per_kwh, ARRAY[days]), heat_g_per_kwh => array_fill(h.heat_g_per_kwh, ARRAY[days])) AS s
			WHERE o.home_id = retrofit_options.home_id OR o.home_id IS NULL
		), y AS (
			SELECT o.*, o.saving_eur * years - upkeep_eur_per_year AS eur, o.saving_low_eur * years - upkeep_eur_per_year AS low_eur, o.saving_high_eur * years - upkeep_eur_per_year AS high_eur
			FROM o
		)
		SELECT rank() OVER (ORDER BY present_value_eur(y.investment_eur, y.eur, y.lifetime_years, discount_rate) DESC NULLS LAST), y.retrofit_option_id, y.name,
			y.use_kwh * years, y.use_low_kwh * years, y.use_high_kwh * years, y.saving_kwh * years, y.saving_low_kwh * years, y.saving_high_kwh * years,
			y.eur, y.low_eur, y.high_eur, y.saving_kg * years, y.saving_low_kg * years, y.saving_high_kg * years, y.seasonal_performance, y.investment_eur,
			payback_years(y.investment_eur, y.eur), payback_years(y.investment_eur, y.high_eur), payback_years(y.investment_eur, y.low_eur),
			payback_years(y.investment_eur, y.eur, discount_rate), present_value_eur(y.investment_eur, y.eur, y.lifetime_years, discount_rate),
			present_value_eur(y.investment_eur, y.low_eur, y.lifetime_years, discount_rate), present_value_eur(y.investment_eur, y.high_eur, y.lifetime_years, discount_rate), y.reason
		FROM y ORDER BY 1, 3;
END $$;
COMMENT ON FUNCTION retrofit_options(bigint, date, date, float8[], float8[], float8, float8) IS
'The options of retrofit_option for a home, ranked by net present value over their lifetime, from its use (heating_use) and the outdoor temperature (null: home_temperature) and sun of its local days from from_day to the day before until_day (360 to 3660 of them), at that span''s electricity prices (market price + tariff) and carbon intensities, and the prices of heating: energy, cost and CO2 a year against the present, simple and discounted payback (null: never), with 90 % intervals; reason says why there is no answer. saving_eur_per_year is less upkeep; null where a price is not known. Errors: unknown home, no row in heating (42704), fewer days than a year (22023), arrays of another length (2202E) (document section 2.3)';
