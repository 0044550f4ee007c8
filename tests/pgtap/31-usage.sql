-- EUR-H: usage by period, against past and similar homes, base load, appliances (document section 2.3).
\ir home.psql
SELECT plan(27);

-- Ten weeks of quarters of an hour, UTC: 0.4 kW always, 2 kW more from 18 to 19 local time.
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true);
CREATE FUNCTION pg_temp.days(register bigint, factor float8, since date, until date) RETURNS void LANGUAGE sql AS $$
	INSERT INTO smarthg.energy_day
	SELECT register, d::date, energy_pack(array_agg(factor * (0.1 + 0.5 * (extract(hour FROM (d + (n - 1) * interval '15 min') AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Copenhagen') = 18)::integer) ORDER BY n))
	FROM generate_series(since::timestamp, until, '1 day') AS d, generate_series(1, 96) AS n GROUP BY d;
	SELECT smarthg.roll_up_again(ARRAY[register])
$$;
SELECT pg_temp.days(1, 1, '2023-02-20', '2023-04-30');
UPDATE energy_day SET block = energy_pack(array_fill(0.2::float8, '{96}')) WHERE day = '2023-03-20';
SELECT roll_up_again('{1}') \g /dev/null
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh) SELECT 1, t, 0.10 FROM generate_series('2023-03-01'::timestamptz, '2023-04-30', '1 hour') AS t;
INSERT INTO co2_cost (price_area_id, slot_start, carbon_g_per_kwh, co2_eur_per_kwh) SELECT 1, t, 300, 0.02 FROM generate_series('2023-03-01'::timestamptz, '2023-04-30', '1 hour') AS t;

SELECT is((SELECT (count(*), round(sum(use_kwh)::numeric, 6), round(sum(cost_eur)::numeric, 6), round(sum(co2_kg)::numeric, 6))::text FROM usage_hourly(1, '2023-03-10', '2023-03-11')), '(24,11.600000,2.900000,3.480000)', 'a day''s hours: energy, cost at price and tariff, CO2');
SELECT is((SELECT array_agg((period_end - period_start)::text) FROM usage_periods(1, '2023-03-25 23:00Z', '2023-03-27 22:00Z')), '{23:00:00,"1 day"}', 'the day of the clock change has 23 hours');
SELECT is((SELECT array_agg(round(use_kwh::numeric, 6)) FROM usage_periods(1, '2023-03-25 23:00Z', '2023-03-27 22:00Z')), '{11.2,11.6}', '... and so much less use');
SELECT is((SELECT (count(*), min(period_start), round(max(use_kwh)::numeric, 4))::text FROM usage_periods(1, '2023-03-05 23:00Z', '2023-03-19 23:00Z', 'week')), '(2,"2023-03-05 23:00:00+00",81.2000)', 'weeks begin on Monday, local time');
SELECT is((SELECT array_agg(to_char(period_start AT TIME ZONE 'Europe/Copenhagen', 'MM-DD HH24')) FROM usage_periods(1, '2023-02-28 23:00Z', '2023-04-30', 'month')), '{"03-01 00","04-01 00"}', 'months are local');
SELECT is((SELECT count(*)::integer FROM usage_periods(1, '2023-03-01', '2023-04-01', 'year')), 1, 'years, too');
SELECT is((SELECT count(*)::integer FROM usage_periods(1, '2023-03-10', '2023-03-11', 'hour')), 24, 'and hours');
SELECT throws_ok('SELECT * FROM usage_periods(1, ''2023-03-10'', ''2023-03-11'', ''decade'')', '22023', NULL, 'other periods are refused');
SELECT is((SELECT priced_percent FROM usage_periods(1, '2023-02-24 23:00Z', '2023-02-25 23:00Z')), NULL, 'what has no price has no cost');
SELECT ok((SELECT abs(covered_percent - 100 * 11.0 / 24) < 1e-9 FROM usage_periods(1, '2023-03-09 12:00Z', '2023-03-09 23:00Z')), 'a part of a day is told');

SELECT is((SELECT (round(use_kwh::numeric, 3), round(past_use_kwh::numeric, 3), round(change_percent::numeric, 2))::text FROM usage_against_past(1, '2023-03-26 22:00Z', '2023-03-27 22:00Z')), '(11.600,18.800,-38.30)', 'a day beside the same weekday before, across the clock change');
SELECT is((SELECT (past_use_kwh, change_percent)::text FROM usage_against_past(1, '2023-02-28 23:00Z', '2023-03-31 22:00Z', 'month')), '(,)', 'no past, no comparison');

SELECT is((SELECT (round(base_load_kw::numeric, 6), round(peak_kw::numeric, 6), to_char(peak_at, 'HH24'))::text FROM usage_summary(1, '2023-03-01', '2023-03-15')), '(0.400000,2.400000,17)', 'base load and peak');
SELECT ok((SELECT abs(standby_kwh - 0.4 * 14 * 24) < 1e-6 AND abs(standby_percent - 100 * 9.6 / 11.6) < 1e-6 AND abs(mean_price_eur_per_kwh - 0.25) < 1e-9 AND abs(covered_hours - 336) < 1e-9 FROM usage_summary(1, '2023-03-01', '2023-03-15')), 'standby, price and coverage');
SELECT is((SELECT (round(weekday_kw::numeric, 6), round(weekend_kw::numeric, 6))::text FROM usage_profile(1, '2023-03-01', '2023-03-15') WHERE local_hour = 18), '(2.400000,2.400000)', 'the profile is in local hours');

INSERT INTO meter (meter_id, home_id, kind, role, name) VALUES (3, 1, 'appliance', 'consumption', 'fridge'), (4, 1, 'sub', 'pev', 'wall box');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (3, 3, '1-0:1.8.0.255', 'kWh', true), (4, 4, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO energy_day SELECT 3, d::date, energy_pack(array_fill(0.025::float8, '{96}')) FROM generate_series('2023-03-01'::timestamp, '2023-03-15', '1 day') AS d;
SELECT roll_up_again('{3}') \g /dev/null
SELECT is((SELECT array_agg((name, round(use_kwh::numeric, 4), round(share_percent::numeric, 2), round(standby_kw::numeric, 3))::text) FROM usage_appliances(1, '2023-03-10', '2023-03-11')), '{"(fridge,2.4000,20.69,0.100)","(\"everything else\",9.2000,79.31,)"}', 'appliances with share and standby');

DELETE FROM register WHERE register_id = 4;
DELETE FROM meter WHERE meter_id = 4;
SELECT is((SELECT (round(own_kwh_per_day::numeric, 3), similar_kwh_per_day, homes)::text FROM usage_similar(1, '2023-03-01', '2023-03-15')), '(11.600,,)', 'alone, a home is compared with none');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(11, 16) AS n;
INSERT INTO meter (meter_id, home_id, name) SELECT n, n, 'main' FROM generate_series(11, 16) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(11, 16) AS n;
SELECT pg_temp.days(n, 2, '2023-02-26', '2023-03-20') FROM generate_series(11, 14) AS n;
SELECT is((SELECT homes FROM usage_similar(1, '2023-03-01', '2023-03-15')), NULL, 'nor with four');
SELECT pg_temp.days(15, 2, '2023-02-26', '2023-03-20');
SELECT is((SELECT (round(similar_kwh_per_day::numeric, 3), homes, alike, uses_less_than_percent)::text FROM usage_similar(1, '2023-03-01', '2023-03-15')), '(23.200,5,"heating, vehicle and production",100)', 'but with five');
INSERT INTO heating (home_id, supply) VALUES (11, 'gas');
SELECT is((SELECT (homes, alike)::text FROM usage_similar(1, '2023-03-01', '2023-03-15')), '(5,"vehicle and production")', 'alike in fewer things where need be');
SELECT pg_temp.days(16, 2, '2023-02-26', '2023-03-03');
SELECT is((SELECT homes FROM usage_similar(1, '2023-03-01', '2023-03-15')), 5, 'a home known for few days is not counted');
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) VALUES (12, 40, 0, 7);
SELECT is((SELECT (homes, alike)::text FROM usage_similar(1, '2023-03-01', '2023-03-15')), '(5,"price area")', 'in the end by area');

-- The autumn's day of 25 hours, an hour of which is missing.
SELECT pg_temp.days(1, 1, '2023-10-26', '2023-10-31');
SELECT is((SELECT round(own_kwh_per_day::numeric, 3) FROM usage_similar(1, '2023-10-28 22:00Z', '2023-10-29 23:00Z')), 12.0, 'a day of 25 hours counts with all of them');
UPDATE energy_day SET block = (SELECT energy_pack(array_agg(CASE WHEN slot >= 4 THEN energy_kwh END ORDER BY slot)) FROM energy_unpack(block)) WHERE register_id = 1 AND day = '2023-10-29';
SELECT roll_up_again('{1}') \g /dev/null
SELECT is((SELECT own_kwh_per_day FROM usage_similar(1, '2023-10-28 22:00Z', '2023-10-29 23:00Z')), NULL, '... and not with 24');
SELECT is_empty('SELECT * FROM usage_hourly(1, ''2023-03-11'', ''2023-03-10'')', 'ends swapped hold no hours');
SELECT is_empty('SELECT * FROM usage_hourly(99, ''2023-03-10'', ''2023-03-11'')', 'an unknown home has no hours');
SELECT ok(NOT bool_or(prosecdef) AND bool_and(provolatile = 's' AND proparallel = 's'), 'all of it sees with the caller''s eyes, in parallel') FROM pg_proc WHERE pronamespace = 'smarthg'::regnamespace AND proname LIKE 'usage\_%' AND proname <> 'usage_similar';
SELECT * FROM finish();
ROLLBACK;
