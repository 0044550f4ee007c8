-- The saving as measured, a feeder as the DSO sees it, and what pages are made of (document section 2.3).
\ir home.psql
SELECT plan(38);

-- Two weeks of hours: 1 kW always, dear from 12 to 24 UTC; a battery that takes 2 kW from 0 to 1
-- and gives 1 kW from 12 to 13 and 13 to 14.
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, CASE WHEN extract(hour FROM t) < 12 THEN 0.10 ELSE 0.30 END, date_trunc('day', t) - interval '11 hours' FROM generate_series('2023-04-01 00:00Z'::timestamptz, '2023-06-15 23:00Z', '1 hour') AS t;
INSERT INTO co2_cost (price_area_id, slot_start, carbon_g_per_kwh, co2_eur_per_kwh, published_at) SELECT 1, t, 200, 0.01, date_trunc('day', t) - interval '11 hours' FROM generate_series('2023-04-01 00:00Z'::timestamptz, '2023-06-15 23:00Z', '1 hour') AS t;
INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw, penalty_high_eur_per_kwh) SELECT 1, t, -5, 2.5, 0.4 FROM generate_series('2023-05-01 00:00Z'::timestamptz, '2023-05-14 23:00Z', '1 hour') AS t;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (1, 4, -2, 2, 1);
INSERT INTO meter (meter_id, home_id, kind, role, name) VALUES (2, 1, 'sub', 'ess', 'battery');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true), (2, 2, '1-0:1.8.0.255', 'kWh', true), (3, 2, '1-0:2.8.0.255', 'kWh', true);
INSERT INTO energy_day SELECT r, d::date, energy_pack(array_agg(CASE r WHEN 1 THEN 0.25 + 0.5 * (q <= 4)::integer - 0.25 * (q BETWEEN 49 AND 56)::integer WHEN 2 THEN 0.5 * (q <= 4)::integer ELSE 0.25 * (q BETWEEN 49 AND 56)::integer END ORDER BY q))
	FROM generate_series(1, 3) AS r, generate_series('2023-03-20'::timestamp, '2023-05-31', '1 day') AS d, generate_series(1, 96) AS q GROUP BY r, d;
SELECT roll_up_again('{1,2,3}') \g /dev/null
CREATE TEMP TABLE report AS SELECT * FROM savings_report('2023-05-01', '2023-05-15');

SELECT is((SELECT array_agg(way) FROM report WHERE home_id = 1), '{measured,"no storage","naive rule",set-point,rule,"perfect foresight"}', 'what was paid stands beside what would have been');
SELECT ok((SELECT abs(energy_eur - 14 * (12 * 0.25 + 12 * 0.45)) < 1e-9 AND abs(co2_eur - 14 * 24 * 0.01) < 1e-9 AND distribution_eur = 0 FROM report WHERE home_id = 1 AND way = 'no storage'), 'without storage: 1 kW at its price');
SELECT ok((SELECT abs(energy_eur - 14 * (12 * 0.25 + 2 * 0.25 + 12 * 0.45 - 2 * 0.45)) < 1e-9 AND abs(co2_eur - 14 * 24 * 0.01) < 1e-9 FROM report WHERE home_id = 1 AND way = 'measured'), 'measured: two kWh a day moved from dear to cheap');
SELECT ok((SELECT abs(distribution_eur - 14 * 0.5 * 0.4) < 1e-9 FROM report WHERE home_id = 1 AND way = 'measured'), '... at the cost of half a kW above the tube');
SELECT ok((SELECT abs(saving_eur - 14 * (2 * 0.2 - 0.2)) < 1e-9 FROM report WHERE home_id = 1 AND way = 'measured'), '... which is the saving');
SELECT ok((SELECT saving_percent BETWEEN 1 AND 99 FROM report WHERE home_id = 1 AND way = 'measured') AND (SELECT saving_percent = 100 FROM report WHERE home_id = 1 AND way = 'perfect foresight'), '... of which more was possible');
SELECT is((SELECT array_agg(slots_billed) FROM report WHERE home_id = 1), '{336,336,336,336,336,336}', 'all ways are billed in the same slots');
SELECT is((SELECT count(*)::integer FROM report WHERE home_id IS NULL AND way = 'measured'), 1, 'and a total');
INSERT INTO ess_state VALUES (1, '2023-05-01', 0), (1, '2023-05-14 23:00', 2);
SELECT ok((SELECT abs(left_eur - 2 * (0.5 * 0.25 + 0.5 * 0.45 + 0.01)) < 1e-9 FROM savings_measured(1, '2023-05-01', '2023-05-15')), 'what is left in the battery counts');
DELETE FROM energy_day WHERE register_id = 1 AND day = '2023-05-10';
SELECT roll_up_again('{1}') \g /dev/null
SELECT is((SELECT array_agg(DISTINCT slots_billed) FROM savings_report('2023-05-01', '2023-05-15', '{1}') WHERE home_id = 1), '{312}', 'a day without readings is billed to none');
SELECT ok((SELECT error LIKE 'home 77 does not exist' FROM savings_report('2023-05-01', '2023-05-15', '{77}') WHERE home_id = 77), 'an unknown home is a row');

SELECT ok((SELECT count(*) = 24 AND max(grid_kw) = 3 AND max(without_ess_kw) = 1 AND min(profile_high_kw) = 2.5 AND abs(sum(above_kwh) - 0.5) < 1e-9 AND sum(above_without_ess_kwh) = 0 FROM feeder_load(1, '2023-05-02', '2023-05-03')), 'a feeder''s load with and without batteries against the tube');
UPDATE gateway SET online = true;
SELECT is((SELECT (homes, gateways, gateways_online, round(known_percent::numeric, 1), estimated_percent)::text FROM feeder_state(1, '2023-05-09', '2023-05-11')), '(1,1,1,50.0,0)', 'its state: half of two days is known');
SELECT is((SELECT count(command_id)::integer FROM ebr_run('2023-05-20 12:00Z')), 1, 'the home is planned');
SELECT is((SELECT array_agg((lead_from, lead_until, slots)::text) FROM feeder_forecast(1, '2023-05-20', '2023-05-21')), '{"(1,1,1)","(2,6,5)","(7,24,18)"}', 'forecasts are judged by hours ahead');
SELECT ok((SELECT bool_and(mae_kw < 0.01 AND mean_kw = 1) FROM feeder_forecast(1, '2023-05-20', '2023-05-21')), '... and right where nothing changes');

SELECT is(html_text('<a href="x">&''</a>'), '&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;', 'text is escaped');
SELECT is(ARRAY[html_number(-1.25, 1), html_number(NULL), html_number('NaN'), html_number('infinity')], '{−1.3,–,–,–}', 'numbers, known or not');
SELECT ok(position('<script' IN svg_chart('<x>', '<script>', '<b>', '{"<i>"}', '{"<u>"}', '{bar}', '{{1}}')) = 0, 'a chart escapes all of its texts');
SELECT ok(svg_chart('a', 'b', 'c', '{x,y}', '{p,q}', '{bar,line}', '{{1,null},{null,null}}') NOT LIKE '%<li>%q%', 'a series without a value is not named');
SELECT ok(svg_chart('a', 'b', 'c', '{x}', '{p}', '{bar}', '{{null}}') LIKE '%Nothing is known%', 'nothing to show is said');
SELECT ok(svg_chart('a', 'b', 'c', '{x,y}', '{p}', '{line}', '{{0,0}}') LIKE '%<path%', 'zeros are drawn');
SELECT ok(svg_chart('a', 'b', 'c', '{x,y}', '{p}', '{bar}', '{{-5,1e9}}') LIKE '%<rect%', 'so are negative and large values');
SELECT is((SELECT regexp_replace(m[1], '[-0-9., ]', '', 'g') FROM regexp_matches(svg_chart('a', 'b', 'c', '{x,y,z,w}', '{p}', '{line}', '{{1,null,2,3}}'), 'class="line s1" d="([^"]*)"') AS m), 'MhMhL', 'a gap lifts the pen, what stands alone is a dot');
SELECT ok(eurh_page(1, '2023-05-01', '2023-05-15') LIKE '<!DOCTYPE html>%</html>', 'a home''s page is a document');
SELECT ok(feeder_page(1, '2023-05-01', '2023-05-08', with_savings => false) LIKE '%savings: not asked for%', 'a part that is left out is named');
SELECT throws_ok('SELECT eurh_page(99, ''2023-05-01'', ''2023-05-15'')', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT feeder_page(99, ''2023-05-01'', ''2023-05-15'')', '42704', 'feeder 99 does not exist', 'and an unknown feeder');
SELECT throws_ok('SELECT eurh_page(1, ''2023-05-15'', ''2023-05-01'')', '22023', NULL, 'a range upside down is refused');
SELECT throws_ok('SELECT eurh_page(1, ''2023-05-15'', ''infinity'')', '22023', NULL, 'and one without end');
SELECT ok(eurh_page(1, '2023-05-15', '2033-05-15') LIKE '<!DOCTYPE html>%</html>', 'ten years are a page, too');
SELECT is((SELECT array_agg(DISTINCT extract(year FROM period_start AT TIME ZONE 'Europe/Copenhagen')) FROM usage_periods(1, '2013-05-15', '2023-05-15', 'year')), '{2023}', '... and periods');
SELECT is(cardinality(slot_means('{}', '{}', '{}', '2000-01-01', 876600, '1 hour')), 876600, 'a century of hours can be averaged');
SELECT throws_ok('SELECT slot_means(''{}'', ''{}'', ''{}'', ''294000-01-01'', 10000000, ''1 hour'')', '22008', NULL, '... but not beyond the last time there is');

-- An hour half of which is known.
SAVEPOINT half_hours;
DELETE FROM energy_day;
INSERT INTO energy_day SELECT 1, '2023-05-02', energy_pack(array_agg(CASE WHEN q IN (5, 6, 20) THEN 0.25 END ORDER BY q)) FROM generate_series(1, 96) AS q;
INSERT INTO energy_day SELECT r, '2023-05-02', energy_pack(array_fill(0::float8, '{96}')) FROM generate_series(2, 3) AS r;
SELECT roll_up_again('{1,2,3}') \g /dev/null
SELECT ok(eurh_page(1, '2023-05-02 01:00Z', '2023-05-02 02:00Z') LIKE '%No hour is known entirely%</html>', 'where no hour is known entirely there is a page still');
ROLLBACK TO half_hours;

-- A feeder's day takes the hours of its own homes alone.
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (2, 1, 'next feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (2, 2, 1, 'next home');
CREATE FUNCTION pg_temp.hours_read() RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_stat_get_xact_tuples_returned(c) + pg_stat_get_xact_tuples_fetched(c) FROM CAST('smarthg.energy_rollup_hourly' AS regclass) AS c
$$;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SELECT pg_temp.hours_read() AS before \gset
SELECT is((SELECT count(*)::integer || ' ' || (pg_temp.hours_read() - :before) FROM feeder_load(2, '2023-05-02', '2023-05-03')), '0 0', 'a feeder''s load reads no hours of others');
SELECT pg_temp.hours_read() AS before \gset
SELECT is((SELECT max(homes) || ' ' || (pg_temp.hours_read() - :before) FROM feeder_state(2, '2023-05-02', '2023-05-03')), '1 0', '... nor does its state');
SELECT ok(NOT bool_or(prosecdef) AND bool_and(provolatile IN ('s', 'i')), 'all of it sees with the caller''s eyes') FROM pg_proc
	WHERE pronamespace = 'smarthg'::regnamespace AND (proname LIKE 'savings\_%' OR proname LIKE 'feeder\_%' AND proname <> 'feeder_energy' OR proname LIKE 'html\_%' OR proname IN ('eurh_page', 'svg_chart', 'usage_chart', 'page_range'));
SELECT * FROM finish();
ROLLBACK;
