-- EUMF-K: the forecast of demand and production that EBR plans with (document 3.2.2, DESIGN.md
-- section 5).

CREATE FUNCTION local_phases(first_slot timestamptz, slots integer, slot_length interval, time_zone text) RETURNS integer[]
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_local_phases';
COMMENT ON FUNCTION local_phases(timestamptz, integer, interval, text) IS 'Numbers of so many slots from first_slot on in the local week, 0 being Monday 00:00: what days of 23 and 25 hours have in common with others';

CREATE FUNCTION eumf_k_series(history_kw float8[], history_phase integer[], horizon_phase integer[], slots_per_day integer,
	production boolean DEFAULT false, method text DEFAULT 'combined', standard_kw float8[] DEFAULT NULL,
	temperature_c float8[] DEFAULT NULL, horizon_temperature_c float8[] DEFAULT NULL)
RETURNS TABLE (slot_no integer, mean_kw float8, q10_kw float8, q50_kw float8, q90_kw float8, model text)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 48 COST 10000 AS 'MODULE_PATHNAME', 'smarthg_eumf_k_series';
COMMENT ON FUNCTION eumf_k_series(float8[], integer[], integer[], integer, boolean, text, float8[], float8[], float8[]) IS
'EUMF-K on arrays: forecasts mean and 10, 50, 90 % quantiles, kW, of the slots whose phases (slots of the local week, 0 is Monday 00:00; give a holiday those of a Sunday) are horizon_phase, from history_kw (oldest first, the last just before the first slot to forecast, null is a gap) with its phases. production: weekdays do not matter, there is none at night. method: combined (the others, weighted by their errors in the last two weeks), last_day, last_week, all_days, same_weekdays, like_days, smoothing or regression. standard_kw: the standard profile on the slots of a week, for short histories (default 3,500 kWh a year). temperature_c: of the history, horizon_temperature_c as forecast. model tells what the history carried: weekly, daily, level or standard. Errors: arrays of different length, NaN or infinite values, phases out of range, unknown method (DESIGN.md section 5)';

CREATE FUNCTION eumf_k(home_id bigint, at timestamptz, slots integer DEFAULT 48, slot_length interval DEFAULT '1 hour', history interval DEFAULT '56 days',
	method text DEFAULT 'combined')
RETURNS TABLE (slot_start timestamptz, demand_kw float8, demand_q10_kw float8, demand_q50_kw float8, demand_q90_kw float8,
	production_kw float8, demand_model text, production_model text, production_q10_kw float8, production_q50_kw float8, production_q90_kw float8)
LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 48 COST 20000 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_eumf_k';
COMMENT ON FUNCTION eumf_k(bigint, timestamptz, integer, interval, interval, text) IS
'Forecast of a home''s demand (appliances without ESS and PEV) and production, mean and quantiles, kW, for the slots from the one that holds at onwards: from readings until at (a slot interpolated towards a later one is not known; readings of before that arrived after at are not told apart), its area''s holidays, the temperature as published until at, and where its history is short the standard profile of its household type. method as in eumf_k_series. Errors: unknown home, slot length that the stored slots do not divide (document 3.2.2)';

CREATE FUNCTION eumf_backtest_series(history_kw float8[], phase integer[], slots_per_day integer, first_origin integer, horizon integer DEFAULT NULL,
	step integer DEFAULT NULL, history_days integer DEFAULT 56, production boolean DEFAULT false)
RETURNS TABLE (method text, origins integer, slots integer, absolute_kw float8, square_kw2 float8, pinball_kw float8, inside integer, naive_kw float8, scaled_kw float8)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 8 COST 1000000 AS 'MODULE_PATHNAME', 'smarthg_eumf_backtest_series';
COMMENT ON FUNCTION eumf_backtest_series(float8[], integer[], integer, integer, integer, integer, integer, boolean) IS
'What the methods of EUMF-K would have forecast of a recorded series (kW, oldest first, null is a gap): from every step-th slot (default a day) from first_origin (counted from 1) on, horizon slots ahead (default a day), each time from the history_days before it alone. A row a method (combined; last_day and last_week are the seasonal naive forecasts of 24 and 168 hours): how many origins and known slots, and sums over these of the absolute error of the median (of the naive ones: of the forecast itself), the square error of the mean, the pinball loss averaged over the 10, 50 and 90 % quantiles, how many were inside of the outer two, and the mean absolute error of the weekly naive forecast within the history (naive_kw, of the slots whose history has successive weeks; scaled_kw is the absolute error of these), which MASE measures by. Temperature and standard profile are not used. Errors: as eumf_k_series; origins outside the series';

CREATE FUNCTION price_day_forecast(price_eur_per_kwh float8[], slots_per_day integer, weekday integer) RETURNS float8[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'smarthg_price_day_forecast';
COMMENT ON FUNCTION price_day_forecast(float8[], integer, integer) IS
'Forecasts market prices, EUR/kWh, of the day after those published: a regression for each hour on prices and levels of the days before, fitted on the last 97 days. price_eur_per_kwh holds the prices up to the end of publication, oldest first (null: not known; days before a gap are not learnt from), slots_per_day of them a day, weekday is that of the day to come (0 Monday .. 6 Sunday). Returns 15 days of prices: the one to come, then, latest first, what the forecast would have been for each of the 14 before, so that errors can be judged and ebr_solve can plan with them; null where fewer than 35 days are known or prices never change (DESIGN.md section 3)';

CREATE FUNCTION price_days_series(price float8[], weekday integer[], ahead integer, temperature_c float8[] DEFAULT NULL, carbon_g_per_kwh float8[] DEFAULT NULL, lowest float8 DEFAULT '-infinity')
RETURNS TABLE (day_no integer, hour integer, mean float8, q10 float8, q50 float8, q90 float8)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 96 COST 100000 AS 'MODULE_PATHNAME', 'smarthg_price_days_series';
COMMENT ON FUNCTION price_days_series(float8[], integer[], integer, float8[], float8[], float8) IS
'Forecasts a bidding zone''s series by hour, prices or carbon intensity, of 1 to 7 days after those known: a regression for each hour and day ahead on the days before, the calendar and, where given, temperature and carbon intensity, fitted to least absolute errors. price holds local days of 24 hours, oldest first, the last complete (null: not known), weekday that of each of them and of those ahead (0 Monday .. 6 Sunday and holidays), temperature_c hours of all these days (those ahead as forecast), carbon_g_per_kwh hours of the known days. lowest is what the series cannot be below. The mean is the middle one, q50 (absolute errors are what is fitted to). Quantiles by the errors on the last days, at most 90, of a fit without them. Errors: arrays of other length, values beyond 1e9, fewer than 35 days, too many gaps (DESIGN.md section 3)';
