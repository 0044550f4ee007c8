-- Prices and CO2 cost beyond publication: forecasts made once a day, stored with the time they were
-- made, and read by plans as of any moment (DESIGN.md section 3).

CREATE TABLE price_forecast (
	price_area_id bigint NOT NULL REFERENCES price_area,
	made_at timestamptz NOT NULL CHECK (isfinite(made_at)),
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL DEFAULT '1 hour' CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	energy_eur_per_kwh float8 NOT NULL,
	energy_q10_eur_per_kwh float8 NOT NULL,
	energy_q90_eur_per_kwh float8 NOT NULL,
	co2_eur_per_kwh float8,
	co2_q10_eur_per_kwh float8,
	co2_q90_eur_per_kwh float8,
	PRIMARY KEY (price_area_id, slot_start, made_at),
	CHECK (energy_q10_eur_per_kwh <= energy_q90_eur_per_kwh)
);
CREATE INDEX price_forecast_made ON price_forecast (made_at);
COMMENT ON TABLE price_forecast IS 'Forecasts of market price and CO2 cost of slots that were not published yet, as of the time that they were made. Plans take the latest one made for a slot by then, if it is at most two days old';
COMMENT ON COLUMN price_forecast.price_area_id IS 'The area';
COMMENT ON COLUMN price_forecast.made_at IS 'As of when it was made: nothing published later was looked at';
COMMENT ON COLUMN price_forecast.slot_start IS 'Start of the slot that is forecast';
COMMENT ON COLUMN price_forecast.slot_length IS 'Its length';
COMMENT ON COLUMN price_forecast.energy_eur_per_kwh IS 'Market price to expect, EUR/kWh, as likely too high as too low';
COMMENT ON COLUMN price_forecast.energy_q10_eur_per_kwh IS '10 % quantile of the market price, EUR/kWh';
COMMENT ON COLUMN price_forecast.energy_q90_eur_per_kwh IS '90 % quantile of the market price, EUR/kWh';
COMMENT ON COLUMN price_forecast.co2_eur_per_kwh IS 'CO2 cost to expect, EUR/kWh; null: too little was known of it';
COMMENT ON COLUMN price_forecast.co2_q10_eur_per_kwh IS '10 % quantile of the CO2 cost, EUR/kWh';
COMMENT ON COLUMN price_forecast.co2_q90_eur_per_kwh IS '90 % quantile of the CO2 cost, EUR/kWh';

CREATE FUNCTION area_days(price_area_id bigint, first_day date, days integer, at timestamptz)
RETURNS TABLE (day date, hour integer, energy_eur_per_kwh float8, co2_eur_per_kwh float8, carbon_g_per_kwh float8, temperature_c float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 20000 SET search_path = smarthg, pg_temp AS $$
	WITH area AS (
		SELECT a.time_zone, first_day::timestamp AT TIME ZONE a.time_zone AS from_slot,
			(extract(epoch FROM (first_day + days)::timestamp AT TIME ZONE a.time_zone - first_day::timestamp AT TIME ZONE a.time_zone) / 3600)::integer AS hours
		FROM price_area a WHERE a.price_area_id = area_days.price_area_id
	), carbon AS (
		SELECT slot_means(coalesce(array_agg(c.slot_start) FILTER (WHERE c.slot_start IS NOT NULL), '{}'),
			coalesce(array_agg(extract(epoch FROM c.slot_length)::float8) FILTER (WHERE c.slot_start IS NOT NULL), '{}'),
			coalesce(array_agg(c.carbon_g_per_kwh) FILTER (WHERE c.slot_start IS NOT NULL), '{}'), min(area.from_slot), min(area.hours), '1 hour') AS series
		FROM area LEFT JOIN co2_cost c ON c.price_area_id = area_days.price_area_id AND c.published_at <= area_days.at AND c.carbon_g_per_kwh IS NOT NULL
			AND c.slot_start > area.from_slot - interval '1 day' AND c.slot_start < area.from_slot + area.hours * interval '1 hour'
	), utc AS (
		SELECT (area.from_slot + (u.n - 1) * interval '1 hour') AT TIME ZONE area.time_zone AS local, u.*
		FROM area, carbon, ROWS FROM (unnest(price_series(area_days.price_area_id, area.from_slot, area.hours, '1 hour', area_days.at)),
			unnest(co2_series(area_days.price_area_id, area.from_slot, area.hours, '1 hour', area_days.at)), unnest(carbon.series),
			unnest(temperature_series(area_days.price_area_id, area.from_slot, area.hours, '1 hour', area_days.at))) WITH ORDINALITY AS u(energy, co2, carbon, temperature, n)
	), hourly AS (
		SELECT date_trunc('hour', u.local) AS local_hour, avg(u.energy) AS energy, avg(u.co2) AS co2, avg(u.carbon) AS carbon, avg(u.temperature) AS temperature
		FROM utc u GROUP BY 1
	)
	SELECT d.day, h.hour, u.energy, u.co2, u.carbon, u.temperature
	FROM (SELECT first_day + k AS day FROM generate_series(0, days - 1) AS k) AS d
	CROSS JOIN generate_series(0, 23) AS h(hour)
	LEFT JOIN hourly u ON u.local_hour = d.day + h.hour * interval '1 hour'
	ORDER BY 1, 2
$$;
COMMENT ON FUNCTION area_days(bigint, date, integer, timestamptz) IS
'What was known at a moment of an area''s price, CO2 cost, carbon intensity and temperature, by local days of 24 hours: nulls where nothing was, and for the hour that a day of 23 hours skips; the mean of the hour that comes twice';

CREATE FUNCTION price_forecast_days(price_area_id bigint, at timestamptz, days integer DEFAULT 4)
RETURNS TABLE (slot_start timestamptz, energy_eur_per_kwh float8, energy_q10_eur_per_kwh float8, energy_q90_eur_per_kwh float8,
	co2_eur_per_kwh float8, co2_q10_eur_per_kwh float8, co2_q90_eur_per_kwh float8)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 96 COST 1000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	longest constant integer := 760; -- days that are learnt from
	zone text;
	today date;
	known record;
	series record;
	co2_ahead integer;
BEGIN
	SELECT a.time_zone INTO zone FROM price_area a WHERE a.price_area_id = price_forecast_days.price_area_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('price area %s does not exist', price_area_id);
	END IF;
	IF days NOT BETWEEN 1 AND 7 OR NOT isfinite(at) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s days cannot be forecast at %s', days, at), HINT = 'Ask for 1 to 7 days at a finite time.';
	END IF;
	today := (at AT TIME ZONE zone)::date;
	-- A day of 23 hours is complete without the hour that it skips.
	SELECT min(d.day) FILTER (WHERE d.priced > 0) AS first_day, max(d.day) FILTER (WHERE d.priced >= 23) AS last_day, max(d.day) FILTER (WHERE d.costed >= 23) AS last_co2
	INTO known
	FROM (SELECT a.day, count(a.energy_eur_per_kwh) AS priced, count(a.co2_eur_per_kwh) AS costed
		FROM area_days(price_area_id, today - longest, longest + 8, at) AS a GROUP BY a.day) AS d;
	IF known.last_day IS NULL OR known.last_day - known.first_day < 35 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('prices of area %s are known of too few days at %s', price_area_id, at), HINT = 'A forecast needs 36 days of prices.';
	END IF;
	SELECT array_agg(a.energy_eur_per_kwh ORDER BY a.day, a.hour) FILTER (WHERE a.day <= known.last_day) AS energy,
		array_agg(a.co2_eur_per_kwh ORDER BY a.day, a.hour) FILTER (WHERE a.day <= known.last_co2) AS co2,
		array_agg(a.carbon_g_per_kwh ORDER BY a.day, a.hour) FILTER (WHERE a.day <= known.last_day) AS carbon,
		array_agg(a.temperature_c ORDER BY a.day, a.hour) AS temperature,
		bool_or(a.carbon_g_per_kwh IS NOT NULL) AS has_carbon, bool_or(a.temperature_c IS NOT NULL) AS has_temperature,
		(SELECT array_agg(CASE WHEN EXISTS (SELECT FROM holiday y WHERE y.price_area_id = price_forecast_days.price_area_id AND y.day = known.first_day + k) THEN 6
			ELSE extract(isodow FROM known.first_day + k)::integer - 1 END ORDER BY k) FROM generate_series(0, known.last_day - known.first_day + days) AS k) AS weekday
	INTO series
	FROM area_days(price_area_id, known.first_day, known.last_day - known.first_day + 1 + days, at) AS a;
	co2_ahead := known.last_day + days - known.last_co2;
	RETURN QUERY
		WITH energy AS (
			SELECT known.last_day + e.day_no AS day, e.hour, e.mean, e.q10, e.q90
			FROM price_days_series(series.energy, series.weekday, days, CASE WHEN series.has_temperature THEN series.temperature END,
				CASE WHEN series.has_carbon THEN series.carbon END) AS e
		), co2 AS (
			SELECT known.last_co2 + c.day_no AS day, c.hour, c.mean, c.q10, c.q90
			FROM (SELECT WHERE known.last_co2 - known.first_day >= 35 AND co2_ahead BETWEEN 1 AND 7) AS enough,
				price_days_series(series.co2, series.weekday, co2_ahead, CASE WHEN series.has_temperature THEN series.temperature END) AS c
		)
		SELECT u.slot_start, e.mean, e.q10, e.q90, c.mean, c.q10, c.q90
		FROM generate_series((known.last_day + 1)::timestamp AT TIME ZONE zone, (known.last_day + days + 1)::timestamp AT TIME ZONE zone - interval '1 hour', '1 hour') AS u(slot_start)
		JOIN energy e ON e.day = (u.slot_start AT TIME ZONE zone)::date AND e.hour = extract(hour FROM u.slot_start AT TIME ZONE zone)
		LEFT JOIN co2 c ON c.day = e.day AND c.hour = e.hour
		ORDER BY 1;
END $$;
COMMENT ON FUNCTION price_forecast_days(bigint, timestamptz, integer) IS
'Forecasts an area''s market price and CO2 cost by hour, EUR/kWh, with 10 and 90 % quantiles, of 1 to 7 days after the last one whose prices were published at a moment: price_days_series on at most two years of prices, holidays, carbon intensity and temperature (weather forecasts, if stored) as known then. Errors: unknown area, fewer than 36 days of prices';

CREATE FUNCTION make_price_forecasts(at timestamptz DEFAULT now(), days integer DEFAULT 4, areas bigint[] DEFAULT NULL)
RETURNS TABLE (price_area_id bigint, slots bigint, error text)
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	FOR price_area_id IN SELECT a.price_area_id FROM price_area a WHERE areas IS NULL OR a.price_area_id = ANY (areas) ORDER BY 1 LOOP
		BEGIN
			INSERT INTO price_forecast (price_area_id, made_at, slot_start, energy_eur_per_kwh, energy_q10_eur_per_kwh, energy_q90_eur_per_kwh,
				co2_eur_per_kwh, co2_q10_eur_per_kwh, co2_q90_eur_per_kwh)
			SELECT make_price_forecasts.price_area_id, at, f.* FROM price_forecast_days(make_price_forecasts.price_area_id, at, days) AS f
			ON CONFLICT DO NOTHING;
			GET DIAGNOSTICS slots = ROW_COUNT;
			error := NULL;
		EXCEPTION WHEN invalid_parameter_value THEN
			slots := 0;
			error := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION make_price_forecasts(timestamptz, integer, bigint[]) IS
'Stores price_forecast_days of all areas, or those given, as made at a moment; best called once a day after publication. A row an area: slots stored, 0 and why where its prices are too few. Calling it again for the same moment changes nothing';

CREATE FUNCTION price_outlook(price_area_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (slot_start timestamptz, energy_eur_per_kwh float8, co2_eur_per_kwh float8, published boolean)
LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 48 COST 10000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_price_outlook';
COMMENT ON FUNCTION price_outlook(bigint, timestamptz, integer, interval) IS
'Market prices and CO2 cost, EUR/kWh, that a plan made at a moment counts with, for so many slots from the one that holds it: those published by then; else the latest stored forecast made by then, if at most two days old; else, for seven days, a forecast from the prices of 97 days; else the mean of the same hour of 14 days. published tells which are no forecast. Null where nothing is known. Errors: unknown area (42704), slots that are not possible (22023)';
