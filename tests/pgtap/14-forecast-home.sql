-- Forecasts of stored homes: methods, holidays, temperature, standard profiles, production, EUMF-H,
-- as they were made, backtest; from readings and publications of before alone (DESIGN.md section 5).
\ir home.psql
SELECT plan(55);

-- Home 1: 12 weeks of hours to 2023-06-25, dear evenings, other weekends, some noise; home 3 the
-- same with PV; home 2 has no meter.
INSERT INTO home (home_id, feeder_id, price_area_id, name, household_type) VALUES (2, 1, 1, 'new home', 'flat'), (3, 1, 1, 'solar home', NULL);
INSERT INTO meter (meter_id, home_id, name, default_divisor, kind, role) VALUES (3, 3, 'main 3', 1000, 'main', 'consumption'), (4, 3, 'pv', 1000, 'sub', 'production');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true), (3, 3, '1-0:1.8.0.255', 'kWh', true),
	(4, 3, '1-0:2.8.0.255', 'kWh', true), (5, 4, '1-0:2.8.0.255', 'kWh', true);
INSERT INTO register_epoch SELECT r, '-infinity', 1, 1000, NULL, 'first reading' FROM unnest('{1,3,4,5}'::bigint[]) AS r;
CREATE TEMP TABLE recorded AS
	SELECT t, (200 + 600 * exp(-(((extract(hour FROM t + interval '2 hours') - 19) / 2.0) ^ 2)) + CASE WHEN extract(isodow FROM t + interval '2 hours') >= 6 THEN 250 ELSE 0 END
			+ (hashtext(t::text) % 60))::bigint AS used_wh,
		(1500 * greatest(0, sin((extract(hour FROM t) - 4) / 16 * 3.1416)) * (0.5 + 0.5 * (extract(day FROM t)::integer % 2)))::bigint AS made_wh
	FROM generate_series('2023-04-02 00:00Z'::timestamptz, '2023-06-25 00:00Z', '1 hour') AS t;
INSERT INTO reading (register_id, measured_at, raw_value)
	SELECT 1, t, sum(used_wh) OVER (ORDER BY t) FROM recorded
	UNION ALL SELECT 3, t, sum(greatest(used_wh - made_wh, 0)) OVER (ORDER BY t) FROM recorded
	UNION ALL SELECT 4, t, sum(greatest(made_wh - used_wh, 0)) OVER (ORDER BY t) FROM recorded
	UNION ALL SELECT 5, t, sum(made_wh) OVER (ORDER BY t) FROM recorded;
SELECT refresh_interval_energy();
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.10 + 0.05 * (extract(hour FROM t) IN (17, 18, 19))::integer, date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-03-01 00:00Z'::timestamptz, '2023-07-20 23:00Z', '1 hour') AS t;

CREATE TEMP TABLE made AS SELECT * FROM eumf_k(1, '2023-06-20 22:00Z');
SELECT is((SELECT (count(*), min(slot_start), max(slot_start))::text FROM made), '(48,"2023-06-20 22:00:00+00","2023-06-22 21:00:00+00")', 'two days from the slot that holds the moment');
SELECT ok((SELECT avg(abs(m.demand_kw - d.demand_kw)) < 0.06 FROM made m JOIN home_demand(1, '2023-06-20 22:00Z', '2023-06-22 22:00Z') AS d USING (slot_start)), 'a regular home is forecast well');
SELECT is((SELECT count(*)::integer FROM made WHERE NOT (0 <= demand_q10_kw AND demand_q10_kw <= demand_q50_kw AND demand_q50_kw <= demand_q90_kw)), 0, 'quantiles do not cross and are not negative');
SELECT is((SELECT DISTINCT demand_model || ' ' || production_model FROM made), 'weekly none', 'the model of the demand, and that there is no production');
SELECT is((SELECT count(DISTINCT f.demand_kw)::integer FROM unnest('{combined,last_day,last_week,all_days,same_weekdays,like_days,smoothing,regression}'::text[]) AS m,
	eumf_k(1, '2023-06-20 22:00Z', 1, method => m) AS f), 8, 'each method says something else');
SELECT throws_ok('SELECT * FROM eumf_k(1, ''2023-06-20 22:00Z'', method => ''magic'')', '22023', 'method "magic" is unknown', 'an unknown method is refused');
SELECT throws_ok('SELECT * FROM eumf_k(1, ''2023-06-20 22:00Z'', 0)', '22023', NULL, 'no slots are refused');
SELECT throws_ok('SELECT * FROM eumf_k(1, ''infinity'')', '22023', NULL, 'an infinite time is refused');
SELECT ok((SELECT bool_and(f.demand_kw = l.demand_kw) FROM eumf_k(1, '2023-06-20 22:00Z', 24, method => 'last_day') AS f
	JOIN home_demand(1, '2023-06-19 22:00Z', '2023-06-20 22:00Z') AS l ON l.slot_start = f.slot_start - interval '1 day'), 'last_day repeats the last day');

-- Nothing that comes later matters.
SAVEPOINT poisoned;
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 1, t, 90000000 + 1000000 * row_number() OVER (ORDER BY t)
	FROM generate_series('2023-06-25 01:00Z'::timestamptz, '2023-06-28', '1 hour') AS t;
SELECT refresh_interval_energy();
SELECT results_eq('SELECT * FROM eumf_k(1, ''2023-06-24 12:00Z'')', 'SELECT * FROM eumf_k(1, ''2023-06-24 12:00Z'')', 'the same history gives the same forecast');
CREATE TEMP TABLE with_later AS SELECT * FROM eumf_k(1, '2023-06-24 12:00Z');
INSERT INTO weather (price_area_id, slot_start, temperature_c, published_at) SELECT 1, t, 90, '2023-06-24 12:01Z' FROM generate_series('2023-04-01'::timestamptz, '2023-06-30', '1 hour') AS t;
SELECT results_eq('SELECT * FROM eumf_k(1, ''2023-06-24 12:00Z'')', 'SELECT * FROM with_later', 'weather published later is not known');
ROLLBACK TO poisoned;
CREATE TEMP TABLE with_later AS SELECT * FROM eumf_k(1, '2023-06-24 12:00Z');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 1, t, 90000000 + 1000000 * row_number() OVER (ORDER BY t)
	FROM generate_series('2023-06-25 01:00Z'::timestamptz, '2023-06-28', '1 hour') AS t;
SELECT refresh_interval_energy();
SELECT results_eq('SELECT * FROM eumf_k(1, ''2023-06-24 12:00Z'')', 'SELECT * FROM with_later', 'readings of later do not matter');
ROLLBACK TO poisoned;

-- Readings at half past: each slot of the last hour is interpolated towards the next reading.
INSERT INTO meter (meter_id, home_id, name, default_divisor) VALUES (2, 2, 'main 2', 1000);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (2, 2, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO register_epoch VALUES (2, '-infinity', 1, 1000, NULL, 'first reading');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 2, t + interval '30 min', sum(used_wh) OVER (ORDER BY t) FROM recorded WHERE t < '2023-06-24 09:00Z';
SELECT refresh_interval_energy();
CREATE TEMP TABLE at_half_past AS SELECT * FROM eumf_k(2, '2023-06-24 09:20Z', 8, '15 min');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 2, '2023-06-24 09:30Z', max(raw_value) + 9000 FROM reading WHERE register_id = 2;
SELECT refresh_interval_energy();
SELECT ok((SELECT quality = 'interpolated' AND energy_kwh > 2 FROM interval_energy WHERE register_id = 2 AND slot_start = '2023-06-24 09:00Z'), 'a later reading reaches back');
SELECT results_eq('SELECT * FROM eumf_k(2, ''2023-06-24 09:20Z'', 8, ''15 min'')', 'SELECT * FROM at_half_past', '... and is not known before it');
ROLLBACK TO poisoned;

-- Days of another kind.
SAVEPOINT holidays;
INSERT INTO holiday (price_area_id, day, name) VALUES (1, '2023-06-22', 'a Thursday');
SELECT ok((SELECT avg(h.demand_kw - m.demand_kw) > 0.12 FROM eumf_k(1, '2023-06-20 22:00Z') AS h JOIN made m USING (slot_start)
	WHERE slot_start BETWEEN '2023-06-21 22:00Z' AND '2023-06-22 21:00Z'), 'a holiday is forecast as a Sunday');
SELECT ok((SELECT max(abs(h.demand_kw - m.demand_kw)) < 1e-9 FROM eumf_k(1, '2023-06-20 22:00Z') AS h JOIN made m USING (slot_start) WHERE slot_start < '2023-06-21 22:00Z'), '... and the day before it as before');
SELECT is((SELECT calendar_phases('2023-06-21 22:00Z', 2, '1 hour', 'Europe/Copenhagen', 1)), '{144,145}', 'its slots are those of a Sunday');
SELECT is((SELECT calendar_phases('2023-06-21 22:00Z', 2, '1 hour', 'Europe/Copenhagen', 2)), '{72,73}', '... in its own area');
ROLLBACK TO holidays;

-- A home without history, and one whose history begins.
SELECT is((SELECT DISTINCT demand_model FROM eumf_k(2, '2023-06-20 22:00Z')), 'standard', 'without history it is a standard household');
INSERT INTO standard_profile SELECT 'flat', d, h, CASE WHEN h BETWEEN 18 AND 21 THEN 0.8 ELSE 0.1 END FROM generate_series(0, 6) AS d, generate_series(0, 23) AS h;
SELECT ok((SELECT bool_and(abs(demand_kw - CASE WHEN extract(hour FROM slot_start AT TIME ZONE 'Europe/Copenhagen') BETWEEN 19 AND 20 THEN 0.8 ELSE demand_kw END) < 0.25)
	AND max(demand_kw) > 0.6 AND min(demand_kw) < 0.15 FROM eumf_k(2, '2023-06-20 22:00Z')), 'that of its type, where there is a profile of it');
DELETE FROM standard_profile WHERE weekday = 3 AND hour = 3;
SELECT is((SELECT standard_series('flat', 24)), NULL, 'a profile that is not whole is none');
SELECT ok((SELECT avg(abs(s.demand_kw - d.demand_kw)) < 0.2 AND min(s.demand_model) = 'daily' FROM eumf_k(1, '2023-04-09 22:00Z', 24) AS s JOIN home_demand(1, '2023-04-09 22:00Z', '2023-04-10 22:00Z') AS d USING (slot_start)),
	'after a week the home''s own days count');
SELECT ok((SELECT bool_and(demand_q90_kw > demand_q10_kw) FROM eumf_k(1, '2023-04-02 03:00Z', 24)), 'after hours there is an interval');

-- A meter that reports late.
SELECT ok((SELECT avg(abs(f.demand_kw - d.used_wh / 1000.0)) < 0.07 FROM eumf_k(1, '2023-06-28 00:00Z', 24) AS f
	JOIN (SELECT t - interval '1 hour' + interval '7 days' AS slot_start, used_wh FROM recorded) AS d USING (slot_start)), 'three days without readings do not spoil the forecast');

-- Production from its own history, the PEV apart.
CREATE TEMP TABLE sun AS SELECT * FROM eumf_k(3, '2023-06-20 22:00Z');
SELECT is((SELECT max(production_kw) FROM sun WHERE extract(hour FROM slot_start) IN (22, 23, 0, 1)), 0::float8, 'there is no sun at night');
SELECT ok((SELECT max(production_kw) BETWEEN 0.8 AND 1.65 FROM sun), '... and as much at noon as it was');
SELECT ok((SELECT bool_and(production_q10_kw <= production_q50_kw AND production_q50_kw <= production_q90_kw AND production_q10_kw >= 0) FROM sun), 'its quantiles do not cross');
SELECT ok((SELECT avg(abs(s.demand_kw - m.demand_kw)) < 0.05 FROM sun s JOIN made m USING (slot_start)), 'demand behind PV is forecast as that without');

-- EUMF-H.
SELECT is((SELECT (count(*), count(DISTINCT day), max(day))::text FROM eumf_h(1, '2023-06-20 22:00Z', 10)), '(240,10,2023-06-30)', 'ten days by hour');
SELECT ok((SELECT bool_and(cost_q10_eur <= cost_eur + 1e-9 AND cost_eur <= cost_q90_eur + 1e-9) FROM eumf_h(1, '2023-06-20 22:00Z', 10)), 'costs have intervals');
SELECT ok((SELECT bool_and(abs(cost_eur - demand_kw * energy_eur_per_kwh) < 1e-9 AND energy_eur_per_kwh > 0.2) FROM eumf_h(1, '2023-06-20 22:00Z', 10)), 'demand costs the market price and the tariff''s markup');
SELECT ok((SELECT bool_or(price_published) AND bool_or(NOT price_published) FROM eumf_h(1, '2023-06-20 22:00Z', 10)), 'it is told which prices are published');
SELECT is((SELECT count(*)::integer FROM eumf_h_daily(1, '2023-06-20 22:00Z', 14)), 14, 'two weeks by day');
SELECT ok((SELECT bool_and(demand_q10_kwh <= demand_kwh AND demand_kwh <= demand_q90_kwh AND cost_q10_eur <= cost_eur AND cost_eur <= cost_q90_eur) FROM eumf_h_daily(1, '2023-06-20 22:00Z', 14)), '... with intervals');
SELECT ok((SELECT abs(d.cost_eur - h.cost) < 1e-9 FROM (SELECT sum(cost_eur) AS cost_eur FROM eumf_h_daily(3, '2023-06-20 22:00Z')) AS d, (SELECT sum(cost_eur) AS cost FROM eumf_h(3, '2023-06-20 22:00Z')) AS h), 'days are the sum of their hours');
SELECT is((SELECT count(*)::integer FROM eumf_h(1, '2023-10-28 22:00Z', 1)), 25, 'the day on which clocks go back has 25 hours');
SELECT throws_ok('SELECT * FROM eumf_h(1, ''2023-06-20'', 99)', '22023', NULL, 'more than five weeks are refused');
SELECT throws_ok('SELECT * FROM eumf_h(99, ''2023-06-20'')', '42704', 'home 99 does not exist', 'an unknown home is refused');

SELECT throws_ok('SELECT * FROM eumf_h(1, ''2023-06-20'', 1, ''0 min'')', '22023', 'slots of 00:00:00 are not possible', 'slots of no length are refused');
SAVEPOINT elsewhere;
UPDATE market_price SET energy_eur_per_kwh = -0.1;
UPDATE tariff SET import_markup_eur_per_kwh = 5;
UPDATE home SET tariff_id = 1 WHERE home_id = 3;
SELECT ok((SELECT bool_and(cost_q10_eur <= cost_eur AND cost_eur <= cost_q90_eur) AND min(grid_kw) < 0 FROM eumf_h(3, '2023-06-20 22:00Z', 2)), 'where feeding in is paid for, too, the cost is within its quantiles');
INSERT INTO price_area (price_area_id, name, time_zone) VALUES (2, 'half an hour off', 'Asia/Kolkata');
UPDATE home SET price_area_id = 2, time_zone = 'Asia/Kolkata' WHERE home_id = 1;
SELECT is((SELECT count(*)::integer FROM eumf_h_daily(1, '2023-06-20 22:00Z', 3)), 3, 'zones of half hours have days, too');
ROLLBACK TO elsewhere;

-- Stored as they were made.
SELECT is(make_forecasts('2023-06-20 22:00Z'), 3::bigint, 'all homes'' forecasts are stored');
SELECT is(make_forecasts('2023-06-20 22:00Z'), 0::bigint, '... once');
SELECT results_eq('SELECT slot_start, demand_kw, demand_q10_kw, demand_q50_kw, demand_q90_kw FROM forecast_slot WHERE home_id = 1 ORDER BY 1',
	'SELECT slot_start, demand_kw, demand_q10_kw, demand_q50_kw, demand_q90_kw FROM made ORDER BY 1', 'what is stored is what was forecast');
SELECT make_forecasts('2023-06-21 22:00Z', '{1}');
INSERT INTO installation (forecasts_kept) VALUES ('2 days');
SELECT is(prune_forecasts('2023-06-23 00:00Z', 2), 2::bigint, 'those made too long ago are pruned, so many at a time');
SELECT is(prune_forecasts('2023-06-23 00:00Z'), 1::bigint, '... until there are none');
SELECT is((SELECT count(*)::integer FROM forecast), 1, '... and no other');
UPDATE installation SET forecasts_kept = NULL;
SELECT is(prune_forecasts('2033-06-23 00:00Z'), 0::bigint, 'all are kept where nothing is said');

-- Backtest.
CREATE TEMP TABLE tested AS SELECT * FROM eumf_backtest('{1,3}', '2023-06-10', '2023-06-20');
SELECT is((SELECT count(*)::integer || ' ' || min(origins) || ' ' || max(slots) FROM tested), '24 10 480', 'two homes and both, each by eight methods, ten days of 24 hours');
SELECT ok((SELECT c.mae_kw < n.mae_kw AND c.rmse_kw < n.rmse_kw AND c.mase < 1 AND c.coverage_percent BETWEEN 60 AND 98 FROM tested c, tested n
	WHERE c.home_id IS NULL AND n.home_id IS NULL AND c.method = 'combined' AND n.method = 'last_week'), 'the combination beats last week');
SELECT ok((SELECT abs(t.rmse_kw - sqrt(avg((d.demand_kw - l.demand_kw) ^ 2))) < 1e-9 FROM tested t, home_demand(1, '2023-06-09 22:00Z', '2023-06-19 22:00Z') AS d
	JOIN home_demand(1, '2023-06-02 22:00Z', '2023-06-12 22:00Z') AS l ON l.slot_start = d.slot_start - interval '7 days' WHERE t.home_id = 1 AND t.method = 'last_week' GROUP BY t.rmse_kw),
	'the error of last week is what it is');
INSERT INTO meter (meter_id, home_id, name) VALUES (2, 2, 'main 2');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (2, 2, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO register_epoch VALUES (2, '-infinity', 1, 1000, NULL, 'first reading');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 2, t, sum(1000 * used_wh) OVER (ORDER BY t) FROM recorded WHERE t BETWEEN '2023-06-13' AND '2023-06-22 22:00Z';
SELECT refresh_interval_energy();
SELECT ok((SELECT bool_and(abs(a.mase - b.mase) < 1e-9) AND count(*) = 8 FROM eumf_backtest('{1,2}', '2023-06-10', '2023-06-20') AS a JOIN tested b USING (method) WHERE a.home_id IS NULL AND b.home_id = 1),
	'a home without two weeks does not count into MASE');
SELECT ok((SELECT bool_and(mase > 0) AND count(*) = 8 FROM eumf_backtest('{2}', '2023-06-13', '2023-06-23') WHERE home_id = 2), 'origins before them do not spoil that of others');
SELECT throws_ok('SELECT * FROM eumf_backtest(''{99}'', ''2023-06-10'', ''2023-06-20'')', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT * FROM eumf_backtest(''{1}'', ''2023-06-20'', ''2023-06-10'')', '22023', NULL, 'days upside down are refused');
SELECT * FROM finish();
ROLLBACK;
