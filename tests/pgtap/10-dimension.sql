-- Dimensioning: from arrays, of a stored home, of a feeder (document 3.2.3, DESIGN.md section 4).
\ir home.psql
SELECT plan(55);

-- By hand: 1 kWh bought at 0.10 instead of 0.50 saves 0.40 and costs 0.10 + 0.05.
CREATE TEMP TABLE two AS SELECT * FROM ebr_dimension_series('{1,1}', '{0.1,0.5}', export_eur_per_kwh => '{0,0}', capacity_eur_per_kwh => 0.1, power_eur_per_kw => 0.05, efficiency => 1);
SELECT is((SELECT (status, round(capacity_kwh::numeric, 6), round(power_kw::numeric, 6), round(cost_eur::numeric, 6))::text FROM two), '(optimal,1.000000,1.000000,0.350000)', 'two slots are sized as by hand');
SELECT is((SELECT (round(investment_eur::numeric, 6), round(energy_eur::numeric, 6), round(baseline_eur::numeric, 6), round(saving_eur::numeric, 6))::text FROM two), '(0.150000,0.200000,0.600000,0.250000)', '... with the parts of the cost');
SELECT ok((SELECT abs(recovery_factor * span_years - 1) < 1e-12 AND abs(payback_years * 8766 / 2 - 0.15 / 0.4) < 1e-6 FROM two), '... without a lifetime the span bears the whole purchase');
SELECT ok((SELECT bound_eur <= relaxed_eur AND relaxed_eur <= cost_eur AND gap BETWEEN 0 AND 1e-6 FROM two), '... and the proof');
SELECT is((SELECT (slots_billed, slots_skipped, assumed, overlap, error)::text FROM two), '(2,0,{},f,)', '... and nothing assumed');
SELECT is((SELECT (status, capacity_kwh, saving_eur, payback_years)::text FROM ebr_dimension_series('{1,1}', '{0.1,0.5}', capacity_eur_per_kwh => 0.5, power_eur_per_kw => 0, efficiency => 1)), '(optimal,0,0,0)', 'a battery that costs more than it saves is none');
SELECT ok((SELECT abs(recovery_factor - 0.129504574965) < 1e-9 AND abs(investment_eur - recovery_factor * span_years * purchase_eur) < 1e-9 FROM
	ebr_dimension_series('{1,1}', '{0.1,0.5}', capacity_eur_per_kwh => 100, power_eur_per_kw => 10, lifetime_years => 10, discount_rate => 0.05, export_eur_per_kwh => '{0,0}')), 'a lifetime makes an annuity');
SELECT is((SELECT (slots_billed, slots_skipped, assumed)::text FROM ebr_dimension_series('{1,1,null,1}', '{0.1,0.5,0.1,null}', export_eur_per_kwh => '{0,0,0,0}', capacity_eur_per_kwh => 0.1, power_eur_per_kw => 0.05)), '(2,2,{slots_skipped})', 'slots that are not known are left out and counted');
SELECT is((SELECT assumed FROM ebr_dimension_series('{1,1}', '{0.1,0.5}', export_eur_per_kwh => '{0.6,null}', co2_eur_per_kwh => '{null,0}', profile_high_kw => '{null,1}', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)), '{export_price,co2_price,profile,one_price}', 'what was assumed is said');
SELECT is((SELECT (round(capacity_kwh::numeric, 6), round(distribution_eur::numeric, 6))::text FROM ebr_dimension_series('{0,3}', '{0.1,0.1}', profile_high_kw => '{2,2}', penalty_high_eur_per_kwh => '{1,1}', capacity_eur_per_kwh => 0.1, power_eur_per_kw => 0, efficiency => 1)), '(1.000000,0.000000)', 'a battery keeps the profile where that pays');
SELECT is((SELECT capacity_kwh FROM ebr_dimension_series('{0,3}', '{0.1,0.1}', profile_high_kw => '{2,2}', penalty_high_eur_per_kwh => '{1,1}', capacity_eur_per_kwh => 0.1, power_eur_per_kw => 0, efficiency => 1, objective => 'energy_co2')), 0::float8, '... and not where the objective leaves it out');
SELECT is((SELECT (round(capacity_kwh::numeric, 6), power_kw)::text FROM ebr_dimension_series('{1,1}', '{0.1,0.5}', export_eur_per_kwh => '{0,0}', capacity_eur_per_kwh => 0.1, power_eur_per_kw => 0.05, efficiency => 1, power_min_kw => 0.5, power_max_kw => 0.5)), '(0.500000,0.5)', 'bounds hold');
SELECT ok((SELECT overlap AND status = 'relaxed' AND bound_eur <= relaxed_eur AND relaxed_eur < cost_eur FROM
	ebr_dimension_series('{1,1,1}', '{-0.5,-0.5,-0.4}', capacity_eur_per_kwh => 0.01, power_eur_per_kw => 0.01, efficiency => 0.5, capacity_max_kwh => 2, power_max_kw => 3)), 'negative prices: bound, relaxed cost and that of a schedule without overlap');

SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.5}'')', '22004', 'capacity_eur_per_kwh must not be null', 'a battery without a price is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '2202E', NULL, 'series of different length are refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,NaN}'', ''{0.1,0.2}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '22023', NULL, 'NaN is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{}'', ''{}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '22023', NULL, 'no slots are refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{null}'', ''{1}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '22023', 'none of the 1 slots can be billed', 'nothing known is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.2}'', capacity_eur_per_kwh => -1, power_eur_per_kw => 1)', '22023', NULL, 'a negative price of the battery is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.2}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1, efficiency => 90)', '22023', NULL, 'an efficiency in percent is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.2}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1, capacity_min_kwh => 3, capacity_max_kwh => 2)', '22023', NULL, 'bounds upside down are refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.2}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1, objective => ''cheap'')', '22023', 'objective "cheap" is not known', 'an unknown objective is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.9}'', capacity_eur_per_kwh => 0, power_eur_per_kw => 0)', '22023', NULL, 'a free battery that trades without limit is refused');
SELECT is((SELECT (status, error, capacity_kwh)::text FROM ebr_dimension_series('{null}', '{1}', capacity_eur_per_kwh => 1, power_eur_per_kw => 1, error_as_status => true)), '(failed,"none of the 1 slots can be billed",)', '... or a row of status failed where asked for');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.9}'', profile_low_kw => ''{infinity,0}'', penalty_low_eur_per_kwh => ''{1,1}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '22023', NULL, 'a profile that nothing can keep is refused');
SELECT throws_ok('SELECT ebr_dimension_series(''{1,1}'', ''{0.1,0.9}'', profile_high_kw => ''{-infinity,0}'', penalty_high_eur_per_kwh => ''{1,1}'', capacity_eur_per_kwh => 1, power_eur_per_kw => 1)', '22023', NULL, '... on the other side, too');

-- Limits.
CREATE FUNCTION pg_temp.year(time_limit interval, memory_limit_mb integer, accept boolean DEFAULT false) RETURNS ebr_dimension_result LANGUAGE sql AS $$
	SELECT smarthg.ebr_dimension_series((SELECT array_agg(1 + sin(n * 1.7)) FROM generate_series(1, 35040) AS n), (SELECT array_agg(0.2 + 0.1 * sin(n * 2.3)) FROM generate_series(1, 35040) AS n),
		export_eur_per_kwh => array_fill(0.05::float8, '{35040}'), slot_length => '15 min', capacity_eur_per_kwh => 300, power_eur_per_kw => 100, lifetime_years => 15, time_limit => time_limit, memory_limit_mb => memory_limit_mb, accept_incumbent => accept)
$$;
-- What throws_ok does not catch.
CREATE FUNCTION pg_temp.cancelled(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'not cancelled';
EXCEPTION WHEN query_canceled THEN
	RETURN SQLERRM;
END $$;
SELECT throws_ok('SELECT pg_temp.year(''1 ms'', 256)', '54000', NULL, 'the time limit ends it with an error');
SELECT throws_ok('SELECT pg_temp.year(''10 s'', 1)', '53200', NULL, 'the memory limit ends it with an error');
SELECT ok((SELECT status IN ('feasible', 'optimal') AND cost_eur <= baseline_eur + 1e-6 FROM pg_temp.year('20 ms', 256, true)), 'out of time, the best so far is an answer where asked for');
SELECT is((SELECT status FROM pg_temp.year('10 s', 50)), 'optimal', 'a year of quarters of an hour needs less than 50 MB');
SET statement_timeout = '150 ms';
SELECT is(pg_temp.cancelled('SELECT pg_temp.year(''1 min'', 256) FROM generate_series(1, 100)'), 'canceling statement due to statement timeout', 'statement_timeout ends it');
RESET statement_timeout;

-- A stored home.
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.10 + 0.08 * sin(extract(hour FROM t) / 24 * 6.283) + 0.03 * sin(extract(day FROM t)), date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-04-01 00:00Z'::timestamptz, '2023-05-31 23:00Z', '1 hour') AS t;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day
	SELECT 1, d, energy_pack(array_agg(0.1 + 0.2 * (n BETWEEN 70 AND 85)::integer + 0.03 * (n * 7 + extract(day FROM d)::integer * 13) % 5 ORDER BY n))
	FROM generate_series('2023-04-01'::date, '2023-05-30', '1 day') AS d, generate_series(1, 96) AS n GROUP BY d;
-- A PEV on a meter of its own: its energy is part of the main meter's, and of the demand.
INSERT INTO meter (meter_id, home_id, kind, role, name, default_divisor) VALUES (2, 1, 'sub', 'pev', 'charger', 1000);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (2, 2, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day SELECT 2, d, energy_pack(array_fill(0.05::float8, '{96}')) FROM generate_series('2023-04-01'::date, '2023-05-30', '1 day') AS d;
UPDATE tariff SET export_markup_eur_per_kwh = -0.05;
CREATE TEMP TABLE known AS SELECT i.* FROM ebr_dimension_input(1, '2023-05-01', '2023-05-29') AS i;
SELECT ok((SELECT abs(demand_kw[1] - sum) < 1e-9 FROM known, (SELECT sum(energy_kwh) FROM interval_energy WHERE register_id = 1 AND slot_start >= '2023-05-01' AND slot_start < '2023-05-01 01:00Z') AS s(sum)), 'the PEV is part of the demand');
SELECT ok((SELECT abs(energy_eur_per_kwh[1] - export_eur_per_kwh[1] - 0.2) < 1e-9 AND production_kw IS NULL AND profile_low_kw IS NULL AND cardinality(demand_kw) = 28 * 24 FROM known), 'the tariff''s markups are in the prices, what is absent is null');
CREATE TEMP TABLE sized AS SELECT * FROM ebr_dimension(1, '2023-05-01', '2023-05-29', 50, 10, lifetime_years => 10);
SELECT ok((SELECT status = 'optimal' AND capacity_kwh > 0 AND power_kw > 0 AND saving_eur > 0 AND slots_billed = 672 FROM sized), 'a stored home is sized');
SELECT ok((SELECT s.cost_eur = a.cost_eur AND s.capacity_kwh = a.capacity_kwh FROM sized s, known k, LATERAL ebr_dimension_series(k.demand_kw, k.energy_eur_per_kwh, export_eur_per_kwh => k.export_eur_per_kwh,
	capacity_eur_per_kwh => 50, power_eur_per_kw => 10, lifetime_years => 10) AS a), '... as its series are');
SELECT ok((SELECT abs(s.baseline_eur - sum(d * p)) < 1e-6 FROM sized s, known k, unnest(k.demand_kw, k.energy_eur_per_kwh) AS u(d, p) GROUP BY s.baseline_eur), '... and the baseline is the bill');
SELECT throws_ok('SELECT ebr_dimension(99, ''2023-05-01'', ''2023-05-15'', 1, 1)', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT ebr_dimension(1, ''2023-05-15'', ''2023-05-01'', 1, 1)', '22023', NULL, 'a range upside down is refused');
SELECT throws_ok('SELECT ebr_dimension(1, ''2023-05-01'', ''2023-05-15'', 1, 1, ''7 min'')', '22023', NULL, 'a slot length that does not fit is refused');

-- A feeder: a second home that has no data.
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name) VALUES (2, 1, 1, 1, 'empty home');
SELECT results_eq('SELECT home_id, status, capacity_kwh, error FROM ebr_dimension_feeder(1, ''2023-05-01'', ''2023-05-29'', 50, 10, lifetime_years => 10) ORDER BY home_id',
	'SELECT 1::bigint, status, capacity_kwh, NULL FROM sized UNION ALL SELECT 2, ''failed'', NULL, ''none of the 672 slots can be billed''', 'a feeder''s homes are rows, a failing one with its error');
CREATE TEMP TABLE frontier AS SELECT * FROM ebr_dimension_frontier(1, '2023-05-01', '2023-05-29', 50, 10, lifetime_years => 10);
SELECT ok((SELECT bool_and(homes = 1 AND homes_failed = 1 AND bound_eur <= cost_eur + 1e-9) FROM frontier), 'the frontier counts homes and is proved');
SELECT ok((SELECT bool_and(purchase_eur <= before + 1e-6 AND cost_eur >= least - 1e-4) FROM (SELECT purchase_eur, cost_eur, lag(purchase_eur, 1, 'infinity') OVER (ORDER BY markup) AS before, (SELECT cost_eur FROM sized) AS least FROM frontier) AS f), '... dearer, less is bought, and no total is cheaper than the best');
SELECT ok((SELECT abs(f.cost_eur - s.cost_eur) < 1e-9 AND abs(f.saving_eur - s.saving_eur) < 1e-9 AND f.purchase_eur = s.purchase_eur FROM frontier f, sized s WHERE f.markup = 0), '... without a markup it is each home''s best');
SELECT ok((SELECT abs(f.cost_eur - (s.cost_eur + f.purchase_eur * s.recovery_factor * s.span_years - s.investment_eur)) < 1e-4 FROM frontier f,
	LATERAL ebr_dimension(1, '2023-05-01', '2023-05-29', 50, 10, lifetime_years => 10, capacity_min_kwh => f.capacity_kwh, capacity_max_kwh => f.capacity_kwh, power_min_kw => f.power_kw, power_max_kw => f.power_kw) AS s WHERE f.markup = 1), '... and its costs are those of the batteries it names');
SELECT ok((SELECT bool_and(capacity_kwh <= before + 1e-6) AND max(homes) = 1 FROM (SELECT capacity_kwh, homes, lag(capacity_kwh, 1, 'infinity') OVER (ORDER BY markup) AS before
	FROM ebr_dimension_frontier(1, '2023-05-01', '2023-05-29', 50, 10, lifetime_years => 10, resource => 'capacity')) AS f), 'a frontier of capacity falls with its price');
SELECT throws_ok('SELECT ebr_dimension_frontier(1, ''2023-05-01'', ''2023-05-29'', 50, 10, resource => ''time'')', '22023', NULL, 'an unknown resource is refused');
SELECT throws_ok('SELECT ebr_dimension_frontier(1, ''2023-05-01'', ''2023-05-29'', 50, 10, markups => ''{0,-2}'')', '22023', NULL, 'a markup below -1 is refused');

-- Products and surface.
INSERT INTO ess_product (name, capacity_kwh, power_kw, price_eur, lifetime_years, efficiency) VALUES ('small', 2, 1, 100, 10, 0.9), ('large', 20, 10, 20000, 10, 0.9), ('dear', 2, 1, 900, 10, 0.9);
SELECT results_eq('SELECT rank, product FROM ebr_dimension_products(1, ''2023-05-01'', ''2023-05-29'')', $$ VALUES (1, 'small'), (2, 'dear'), (3, 'large') $$, 'products are ranked by their cost');
SELECT ok((SELECT bool_and(abs(investment_eur - recovery_factor * span_years * price_eur) < 1e-6 AND abs(purchase_eur - price_eur) < 1e-6 AND r.capacity_kwh = p.capacity_kwh) FROM ebr_dimension_products(1, '2023-05-01', '2023-05-29') AS r JOIN ess_product p ON p.name = r.product), '... each with its annuity');
CREATE TEMP TABLE surface AS SELECT * FROM ebr_dimension_surface(1, '2023-05-01', '2023-05-29', 50, 10, lifetime_years => 10);
SELECT ok((SELECT count(*) = 81 AND count(*) FILTER (WHERE best) = 1 AND min(excess_eur) > -1e-3 AND max(excess_eur) FILTER (WHERE best) < 1e-3 FROM surface), 'the surface is lowest at the best battery');
SELECT throws_ok('SELECT ebr_dimension_surface(1, ''2023-05-01'', ''2023-05-29'', 50, 10, factors => ''{-1}'')', '22023', NULL, 'a negative factor is refused');
SELECT ok((SELECT status = 'optimal' AND slots_billed = 2688 AND abs(cost_eur - s.hourly) < 0.02 * s.hourly FROM ebr_dimension(1, '2023-05-01', '2023-05-29', 50, 10, '15 min', lifetime_years => 10), (SELECT cost_eur AS hourly FROM sized) AS s), 'quarters of an hour cost about what hours do');
SELECT ok(bool_and(proparallel = 's'), 'what sizes a home may run in parallel workers') FROM pg_proc WHERE pronamespace = 'smarthg'::regnamespace AND proname IN ('ebr_dimension', 'ebr_dimension_input', 'ebr_dimension_of', 'ebr_dimension_series', 'ebr_dimension_markups', 'ebr_dimension_products', 'ebr_dimension_surface');

SELECT ok(has_function_privilege('smarthg_service', (SELECT oid FROM pg_proc WHERE proname = 'ebr_dimension_series'), 'EXECUTE') AND NOT bool_or(has_function_privilege('smarthg_analyst', oid, 'EXECUTE') OR prosecdef),
	'services may size arrays, and stored homes with their own rights only; analysts no stored home') FROM pg_proc WHERE pronamespace = 'smarthg'::regnamespace AND proname LIKE 'ebr\_dimension%' AND proname NOT IN ('ebr_dimension_series', 'ebr_dimension_of', 'ebr_dimension_model_text_series', 'ebr_dimension_model_text');
SELECT ok(bool_and(has_function_privilege('smarthg_admin', oid, 'EXECUTE')), 'the operator may all') FROM pg_proc WHERE pronamespace = 'smarthg'::regnamespace AND proname LIKE 'ebr\_dimension%';
SELECT * FROM finish();
ROLLBACK;
