-- EUR-K in SQL: signatures, options on arrays and of stored homes (document section 2.3).
\ir home.psql
SELECT plan(36);

-- A year of days: season and weather; a gas boiler, 0.2 kW/K, base 16 deg C, load 0.5 kW.
CREATE TEMP TABLE day AS SELECT n, '2023-01-01'::date + n AS local_day, 9.5 - 8.5 * cos((n - 20) / 365.0 * 6.283185) + 3 * sin(n * 1.7) AS t FROM generate_series(0, 364) AS n;
CREATE TEMP TABLE year AS SELECT array_agg(0.5 + greatest(0, 0.2 * (16 - t)) / 0.9 + 0.05 * sin(n * 12.9898) ORDER BY n) AS use, array_agg(t ORDER BY n) AS t FROM day;

SELECT is(round(heat_pump_cop('air heat pump', 40)::numeric, 6), 3.28, 'the air curve of Ruhnau et al.');
SELECT is(round(heat_pump_cop('ground heat pump', 40)::numeric, 6), 3.81, '... and the ground curve');
SELECT throws_ok('SELECT heat_pump_cop(''gas'', 40)', '22023', 'a COP needs a heat pump', 'a boiler has no COP');

CREATE TEMP TABLE estimate AS SELECT e.* FROM year, retrofit_estimate_series(use, t, supply => 'gas') AS e;
SELECT is((SELECT model FROM estimate), 'change point', 'a year shows the change point');
SELECT ok((SELECT abs(heat_loss_kw_per_k - 0.2) < 0.003 AND 0.2 BETWEEN heat_loss_low_kw_per_k AND heat_loss_high_kw_per_k FROM estimate), '... the heat loss in its interval');
SELECT ok((SELECT 16 BETWEEN base_temperature_low_c AND base_temperature_high_c AND 0.5 BETWEEN base_load_low_kw AND base_load_high_kw AND 0.8 BETWEEN internal_gains_low_kw AND internal_gains_high_kw FROM estimate),
	'... base temperature, base load and gains in theirs');
SELECT is((SELECT aperture_m2 FROM estimate), NULL, 'no sun, no aperture');
SELECT is((SELECT (model, base_load_kw)::text FROM year, retrofit_estimate_series(use[1:60], t[1:60])), '(line,)', 'a winter gives a line and says nothing of the base load');
SELECT is((SELECT (model, heat_loss_kw_per_k, reason)::text FROM year, retrofit_estimate_series(use[1:8], t[1:8])), '(refused,,"fewer than 12 observations with use and temperature")', 'a week is refused with the reason');
SELECT is((SELECT model FROM year, retrofit_estimate_series(use || '{null,null}', t || '{5,null}', supply => 'gas')), 'change point', 'gaps are left out');
SELECT throws_ok('SELECT retrofit_estimate_series(''{1,2}'', ''{1}'')', '2202E', NULL, 'series of different length are refused');
SELECT throws_ok('SELECT retrofit_estimate_series(''{1}'', ''{1}'', supply => ''wood'')', '22023', 'supply "wood" is not known', 'an unknown supply is refused');

CREATE TEMP TABLE half AS SELECT o.* FROM year, retrofit_option_series(use, t, supply => 'gas', heat_loss_reduction_percent => 50, gas_eur_per_kwh => array_fill(0.1::float8, '{365}'), gas_g_per_kwh => array_fill(200::float8, '{365}')) AS o;
-- Half the loss makes half of it unneeded indoors - outdoors, where so much is heated.
CREATE TEMP TABLE truth AS SELECT sum(24 * least(greatest(0, 0.2 * (16 - t)), 0.1 * greatest(0, 20 - t)) / 0.9) AS kwh FROM day;
SELECT ok((SELECT kwh BETWEEN saving_low_kwh AND saving_high_kwh AND abs(saving_kwh / kwh - 1) < 0.03 FROM half, truth), 'what insulation saves is in its interval');
SELECT ok((SELECT abs(saving_eur - 0.1 * saving_kwh) < 1e-6 AND abs(saving_kg - 0.2 * saving_kwh) < 1e-6 AND abs(use_kwh + saving_kwh - before_kwh) < 1e-6 FROM half), '... its cost and CO2 follow');
SELECT ok((SELECT abs(seasonal_performance - 4) < 1e-6 AND reason IS NULL FROM year, retrofit_option_series(use, t, supply => 'gas', new_supply => 'air heat pump', seasonal_cop => 4)), 'a seasonal COP asked for is met');
SELECT throws_ok('SELECT o.* FROM year, retrofit_option_series(use, t, supply => ''gas'', seasonal_cop => 4) AS o', '22023', 'a seasonal COP needs a heat pump', 'a boiler''s COP cannot be raised');
SELECT ok((SELECT cardinality(predicted_kw) = 365 AND 24 * (SELECT sum(u) FROM unnest(use) AS u) BETWEEN total_low_kwh AND total_high_kwh FROM year, retrofit_predict_series(use, t, supply => 'gas')), 'without a retrofit the prediction is what was used');

SELECT is(payback_years(1000, 100), 10::float8, 'simple payback');
SELECT ok(abs(present_value_eur(1000, 100, payback_years(1000, 100, 0.03), 0.03)) < 1e-9, 'after the discounted payback the present value is 0');
SELECT is(payback_years(1000, 20, 0.03), NULL, 'savings below the interest never pay');

SELECT throws_ok('SELECT payback_years(1000, 100, -1)', '22023', NULL, 'a rate that leaves nothing is refused');
SELECT throws_ok('SELECT present_value_eur(1000, 100, 10, -1)', '22023', NULL, '... by the present value, too');
SELECT ok(payback_years(1000, 100, -0.02) < 10 AND abs(present_value_eur(1000, 100, payback_years(1000, 100, -0.02), -0.02)) < 1e-9, '... a negative one above it is not');
SELECT is((SELECT o.reason FROM year, retrofit_option_series(use, t, supply => 'gas', span_temperature_c => '{}') AS o), 'the span has no slots', 'an empty span has a reason');

-- Stored: gas in quarters of an hour, half the day's use at night.
INSERT INTO meter (meter_id, home_id, commodity, name) VALUES (2, 1, 'gas', 'gas');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (2, 2, '7-0:3.0.0.255', 'kWh', true);
INSERT INTO heating (home_id, supply, gas_eur_per_kwh) VALUES (1, 'gas', 0.12);
INSERT INTO energy_day SELECT 2, u.day, energy_pack(array_agg(u.kw * 0.25 ORDER BY u.q)) FROM (
	SELECT day::date AS day, q, (SELECT y.use[least(greatest(((day + (q - 1) * interval '15 min') AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Copenhagen')::date - '2023-01-01'::date + 1, 1), 365)] FROM year y) AS kw
	FROM generate_series('2022-12-31'::timestamp, '2024-01-01', '1 day') AS day, generate_series(1, 96) AS q) AS u GROUP BY u.day;
SELECT roll_up_again('{2}') \g /dev/null
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh) SELECT 1, t, 0.15 FROM generate_series('2022-12-31'::timestamptz, '2024-01-01', '1 hour') AS t;
SELECT ok((SELECT bool_and(abs(a - b) < 1e-6) AND count(*) = 365 FROM year, unnest(heating_use(1, '2023-01-01', '2024-01-01'), use) AS u(a, b)), 'a stored home''s use is that of its local days');
SELECT ok((SELECT model = 'change point' AND 0.2 BETWEEN e.heat_loss_low_kw_per_k AND e.heat_loss_high_kw_per_k FROM year, retrofit_estimate(1, '2023-01-01', '2024-01-01', t) AS e), '... and its signature is found');
-- A total and two tariffs of one meter; then the tariffs alone.
SAVEPOINT registers;
CREATE TEMP TABLE one_total AS SELECT heating_use(1, '2023-01-01', '2023-02-01') AS kw;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (21, 2, '7-0:3.0.1.255', 'kWh', true), (22, 2, '7-0:1.0.0.255', 'kWh', true);
INSERT INTO energy_day SELECT r, day::date, energy_pack(array_fill(1::float8, '{96}')) FROM generate_series('2022-12-31'::timestamp, '2023-02-02', '1 day') AS day, unnest('{21,22}'::bigint[]) AS r;
SELECT roll_up_again('{21,22}') \g /dev/null
SELECT is(heating_use(1, '2023-01-01', '2023-02-01'), (SELECT kw FROM one_total), 'of a meter with several registers the total counts, a day once');
DELETE FROM register WHERE register_id = 2;
SELECT ok((SELECT cardinality(kw) = 31 AND kw[1] = 4 FROM heating_use(1, '2023-01-01', '2023-02-01') AS kw), '... and without a total that of the lowest code');
ROLLBACK TO registers;

INSERT INTO retrofit_option (retrofit_option_id, home_id, name, heat_loss_reduction_percent, new_supply, investment_eur, lifetime_years) VALUES
	(1, NULL, 'walls', 30, NULL, 4000, 30), (2, 1, 'heat pump', 0, 'air heat pump', 12000, 20), (3, 1, 'gold leaf', 1, NULL, 90000, 30);
CREATE TEMP TABLE ranked AS SELECT r.* FROM year, retrofit_options(1, '2023-01-01', '2024-01-01', t) AS r;
SELECT is((SELECT array_agg(name ORDER BY rank) FROM ranked), '{walls,"heat pump","gold leaf"}', 'options are ranked by present value');
SELECT ok((SELECT bool_and(present_value_low_eur <= present_value_eur AND present_value_eur <= present_value_high_eur AND payback_low_years <= payback_years AND use_low_kwh_per_year < use_high_kwh_per_year) FROM ranked), '... with intervals');
SELECT ok((SELECT abs(payback_years - 4000 / saving_eur_per_year) < 1e-9 AND abs(saving_eur_per_year / saving_kwh_per_year - 0.12) < 1e-9 AND discounted_payback_years > payback_years FROM ranked WHERE name = 'walls'), '... payback by the home''s price of gas');
SELECT throws_ok('SELECT r.* FROM year, retrofit_options(1, ''2023-01-01'', ''2023-03-01'', t) AS r', '22023', NULL, 'two months do not stand for a year');
SELECT throws_ok('SELECT r.* FROM year, retrofit_options(9, ''2023-01-01'', ''2024-01-01'', t) AS r', '42704', 'home 9 does not exist', 'an unknown home is refused');
-- Temperatures from the table of the weather, where this build has one.
SELECT to_regclass('smarthg.weather') IS NOT NULL AS has_weather \gset
\if :has_weather
INSERT INTO weather (price_area_id, slot_start, temperature_c) SELECT 1, hour, t FROM day, generate_series(local_day::timestamp AT TIME ZONE 'Europe/Copenhagen', (local_day + 1)::timestamp AT TIME ZONE 'Europe/Copenhagen' - interval '1 hour', '1 hour') AS hour;
INSERT INTO weather (price_area_id, slot_start, temperature_c, published_at) VALUES (1, '2023-05-01 12:00Z', 40, '2023-04-30');
SELECT ok((SELECT count(*) = 3 AND bool_and(abs(o.saving_kwh_per_year - r.saving_kwh_per_year) < 1e-6) FROM retrofit_options(1, '2023-01-01', '2024-01-01') AS o JOIN ranked r USING (rank, name)), 'temperatures come from the weather as last published');
DELETE FROM weather WHERE slot_start >= '2023-05-02 22:00Z' AND slot_start < '2023-05-03 03:00Z';
SELECT is((SELECT array_agg(t IS NULL) FROM unnest(home_temperature(1, '2023-05-02', '2023-05-05')) AS t), '{f,t,f}', 'a day of which 20 hours are not known has no mean');
\else
SELECT skip('there is no table of the weather', 2);
\endif
SELECT ok(bool_and(provolatile = 'i' AND proparallel = 's') AND bool_and(has_function_privilege('public', oid, 'EXECUTE')), 'the functions on arrays are for everybody, in parallel')
	FROM pg_proc WHERE pronamespace = 'smarthg'::regnamespace AND proname IN ('retrofit_estimate_series', 'retrofit_option_series', 'retrofit_predict_series', 'heat_pump_cop', 'heat_pump_cop_series', 'payback_years', 'present_value_eur');
SELECT * FROM finish();
ROLLBACK;
