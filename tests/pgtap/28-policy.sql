-- Row-level security: every role, scope, table and operation, as the catalogue has them, so that a
-- new table without a policy fails here (DESIGN.md section 8).
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = public, smarthg;
SET timezone = 'UTC';
SELECT plan(56);

-- Two homes with every kind of meter, a resident in each; home 3 has had its resident for a few days only.
INSERT INTO price_area (price_area_id, name) VALUES (1, 'test area');
INSERT INTO substation (substation_id, name) VALUES (1, 'test substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'test feeder');
INSERT INTO tariff (tariff_id, name) VALUES (1, 'test tariff');
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name) SELECT n, 1, 1, 1, 'home ' || n FROM generate_series(1, 3) AS n;
CREATE TEMP TABLE kind_of_meter (n integer, kind meter_kind, role meter_role, resource text);
INSERT INTO kind_of_meter VALUES (1, 'main', 'consumption', 'mainmeter'), (2, 'sub', 'consumption', 'submeter'), (3, 'sub', 'production', 'production'),
	(4, 'sub', 'ess', 'ess'), (5, 'appliance', 'pev', 'pev'), (6, 'appliance', 'consumption', 'appliance'), (7, 'appliance', 'consumption', 'appliance'),
	(8, 'appliance', 'consumption', 'appliance'), (9, 'sub', 'consumption', 'submeter');
INSERT INTO meter (meter_id, home_id, kind, role, name, default_divisor)
	SELECT 10 * h + k.n, h, k.kind, k.role, 'meter ' || k.n, 1000 FROM generate_series(1, 3) AS h, kind_of_meter k;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT m.meter_id, m.meter_id, '1-0:1.8.0.255', 'kWh', true FROM meter m;
INSERT INTO register_epoch SELECT r.register_id, '-infinity', 1, 1000, NULL, 'first reading' FROM register r;
-- Ten days up to now; the appliances differ in what they use.
CREATE TEMP TABLE today AS SELECT date_trunc('day', now()) AS at;
INSERT INTO reading (register_id, measured_at, raw_value)
	SELECT r.register_id, today.at - interval '10 days' + n * interval '15 min', n * (10 + r.register_id % 10)
	FROM register r, today, generate_series(0, 960) AS n;
-- ... and three days of a year that is over.
INSERT INTO reading (register_id, measured_at, raw_value)
	SELECT r.register_id, today.at - interval '14 months' + n * interval '15 min', n FROM register r, today, generate_series(0, 288) AS n;
SELECT settle_readings() \g /dev/null
INSERT INTO reading (register_id, measured_at, raw_value) SELECT r.register_id, today.at - interval '1 day', 1 FROM register r, today;
SELECT refresh_interval_energy() \g /dev/null
INSERT INTO reading (register_id, measured_at, raw_value) SELECT r.register_id, today.at + interval '1 minute', 99999 FROM register r, today;
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at) SELECT 1, today.at + n * interval '1 hour', 0.2, today.at - interval '1 day' FROM today, generate_series(-48, 47) AS n;
INSERT INTO co2_cost (price_area_id, slot_start, co2_eur_per_kwh, published_at) SELECT 1, m.slot_start, 0.01, m.published_at FROM market_price m;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) SELECT h.home_id, 10, -5, 5 FROM home h;
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) SELECT h.home_id, 40, 0, 7 FROM home h;
INSERT INTO ess_state SELECT h.home_id, today.at, 5 FROM home h, today;
INSERT INTO pev_state SELECT h.home_id, today.at, 20 FROM home h, today;
INSERT INTO pev_session (home_id, plugged_at, departs_at) SELECT h.home_id, today.at, 'infinity' FROM home h, today;
INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw) SELECT h.home_id, today.at, -1, 3 FROM home h, today;
SELECT count(*) FROM today, ebr_run(today.at) \g /dev/null
SELECT count(*) FROM today, make_forecasts(today.at) \g /dev/null
INSERT INTO account (account_id, email, kind, verified_at, verified_by) SELECT n, name || '@example.org', 'resident', now(), 'test' FROM unnest('{resident-1,resident-2,resident-3,resident-both,resident-gone,nobody}'::text[]) WITH ORDINALITY AS a(name, n);
INSERT INTO home_resident (home_id, account_id, since, until) SELECT h, a, today.at - since * interval '1 day', today.at - until * interval '1 day'
	FROM today, (VALUES (1, 1, 1000, NULL), (2, 2, 1000, NULL), (3, 3, 4, NULL), (1, 4, 1000, NULL), (2, 4, 1000, NULL), (3, 5, 1000, 1)) AS r(h, a, since, until);

-- What each relation shows: by which key it knows the home, which resource opens it, and the longest granularity that does.
CREATE TEMP TABLE shown (relation text PRIMARY KEY, home_of text, resource_of text, longest text, at text);
INSERT INTO shown VALUES
	('reading_day', 'register', 'register', 'raw', 'day'), ('reading_landing', 'register', 'register', 'raw', 'measured_at'),
	('reading_correction', 'register', 'register', 'raw', 'measured_at'), ('reading', 'register', 'register', 'raw', 'measured_at'),
	('register_epoch', 'register', 'register', 'raw', NULL), ('register', 'register', 'register', 'yearly', NULL), ('meter', 'meter', 'meter', 'yearly', NULL),
	('energy_day', 'register', 'register', '15min', 'day'), ('interval_energy', 'register', 'register', '15min', 'day'),
	('energy_rollup_30min', 'register', 'register', '30min', 'period'), ('energy_rollup_hourly', 'register', 'register', 'hourly', 'period'),
	('energy_daily', 'register', 'register', 'daily', 'local_day'), ('energy_monthly', 'register', 'register', 'monthly', 'local_month'),
	('energy_yearly', 'register', 'register', 'yearly', 'local_year'),
	('energy_15min', 'register', 'register', '15min', 'day'), ('energy_30min', 'register', 'register', '30min', 'day'), ('energy_hourly', 'register', 'register', 'hourly', 'day'),
	('home', 'home', 'any', 'yearly', NULL),
	('ess', 'home', 'ess', 'yearly', NULL), ('pev', 'home', 'pev', 'yearly', NULL), ('ess_state', 'home', 'ess', 'raw', 'measured_at'),
	('pev_state', 'home', 'pev', 'raw', 'measured_at'), ('pev_session', 'home', 'pev', 'raw', 'plugged_at'),
	('power_profile', 'home', 'profile', 'hourly', 'slot_start'), ('forecast', 'home', 'forecast', 'hourly', 'origin'), ('plan', 'home', 'plan', 'hourly', 'origin'), ('command', 'home', 'command', 'yearly', 'slot_start');

CREATE TEMP TABLE granularity (name text PRIMARY KEY, rank integer);
INSERT INTO granularity SELECT name, n FROM unnest('{raw,1min,5min,15min,30min,hourly,daily,monthly,yearly}'::text[]) WITH ORDINALITY AS g(name, n);

-- Rows of a relation by home and resource, as whoever asks sees them.
CREATE TEMP TABLE meter_is AS SELECT m.meter_id AS id, m.home_id, k.resource FROM meter m JOIN kind_of_meter k ON k.n = m.meter_id % 10;
GRANT SELECT ON shown, granularity, meter_is, today TO PUBLIC;
CREATE FUNCTION pg_temp.census(asked shown) RETURNS TABLE (home_id bigint, resource text, rows bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format(CASE asked.home_of
		WHEN 'register' THEN 'SELECT i.home_id, i.resource, count(*) FROM smarthg.%I r JOIN pg_temp.meter_is i ON i.id = r.register_id GROUP BY 1, 2'
		WHEN 'meter' THEN 'SELECT i.home_id, i.resource, count(*) FROM smarthg.%I r JOIN pg_temp.meter_is i ON i.id = r.meter_id GROUP BY 1, 2'
		ELSE 'SELECT r.home_id, %2$L::text, count(*) FROM smarthg.%1$I r GROUP BY 1' END, asked.relation, asked.resource_of);
END $$;
CREATE TEMP TABLE owner_sees AS SELECT s.relation, c.* FROM shown s, pg_temp.census(s) AS c;
-- Of days, months and years a service is shown those that are over.
CREATE TEMP TABLE local_today AS SELECT (now() AT TIME ZONE 'Europe/Copenhagen')::date AS day;
DELETE FROM owner_sees WHERE relation IN ('energy_daily', 'energy_monthly', 'energy_yearly');
INSERT INTO owner_sees SELECT r.relation, i.home_id, i.resource, count(*) FROM (
	SELECT 'energy_daily' AS relation, register_id FROM energy_daily, local_today WHERE local_day < day
	UNION ALL SELECT 'energy_monthly', register_id FROM energy_monthly, local_today WHERE local_month < date_trunc('month', day)
	UNION ALL SELECT 'energy_yearly', register_id FROM energy_yearly, local_today WHERE local_year < date_trunc('year', day)
) AS r JOIN meter_is i ON i.id = r.register_id GROUP BY 1, 2, 3;

-- Whether a scope opens a resource of a relation: the rule of DESIGN.md section 8 in words of its own.
CREATE FUNCTION pg_temp.opens(scope text, asked shown, resource text) RETURNS boolean
LANGUAGE sql AS $$
	SELECT (scope ~ '^read_' OR asked.resource_of = 'any') AND rank <= (SELECT g.rank FROM granularity g WHERE g.name = asked.longest) AND CASE asked.resource_of
		WHEN 'register' THEN resource = named OR named = 'home' AND resource NOT IN ('submeter', 'appliance')
		WHEN 'meter' THEN resource = named OR named = 'home' AND resource NOT IN ('submeter', 'appliance')
		WHEN 'any' THEN named NOT IN ('feeder', 'price') ELSE named = asked.resource_of END
	FROM (SELECT split_part(scope, '_', 2) AS named, coalesce((SELECT g.rank FROM granularity g WHERE g.name = split_part(scope, '_', 3)), 9) AS rank) AS s
	WHERE NOT (scope = 'read_home' AND asked.home_of <> 'home')
$$;

-- Residents and their tokens.
SELECT make_token_key(k) FROM unnest(ARRAY['sign', 'decrypt']) AS k \g /dev/null
CREATE FUNCTION pg_temp.token_of(owner text, scope text, homes bigint[] DEFAULT NULL, history_from timestamptz DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER AS $$ SELECT smarthg.issue_token((SELECT a.sub::text FROM smarthg.account a WHERE a.email = owner || '@example.org'), 'test service', scope, interval '1 hour', homes, history_from) $$;
CREATE FUNCTION pg_temp.become(owner text, scope text) RETURNS void
LANGUAGE plpgsql AS $$ BEGIN PERFORM smarthg.authenticate(pg_temp.token_of(owner, scope)); END $$;

-- The whole matrix: all scopes there are, alone, over all relations.
CREATE TEMP TABLE scope AS
	SELECT 'read_' || r || '_' || g.name AS name FROM unnest('{feeder,home,mainmeter,submeter,appliance,production,ess,pev,forecast,plan,price,profile}'::text[]) AS r, granularity g
	UNION ALL SELECT unnest('{read_home,read_command}'::text[])
	UNION ALL SELECT 'write_' || r FROM unnest('{ess,pev,forecast,plan,price,profile,command}'::text[]) AS r;
GRANT SELECT ON scope TO PUBLIC;
CREATE FUNCTION pg_temp.matrix() RETURNS TABLE (scope text, relation text, home_id bigint, resource text, rows bigint)
LANGUAGE plpgsql AS $$
DECLARE
	asked shown;
BEGIN
	FOR scope IN SELECT s.name FROM scope s LOOP
		PERFORM pg_temp.become('resident-1', scope);
		FOR asked IN SELECT * FROM shown LOOP
			relation := asked.relation;
			FOR home_id, resource, rows IN SELECT * FROM pg_temp.census(asked) LOOP
				RETURN NEXT;
			END LOOP;
		END LOOP;
	END LOOP;
END $$;
CREATE TEMP TABLE service_sees (scope text, relation text, home_id bigint, resource text, rows bigint);
GRANT INSERT ON service_sees TO PUBLIC;
SET ROLE smarthg_service;
INSERT INTO service_sees SELECT * FROM pg_temp.matrix();
RESET ROLE;
SELECT is_empty($$ SELECT s.relation, o.relation FROM shown s LEFT JOIN owner_sees o USING (relation) WHERE o.rows IS NULL OR o.rows = 0 $$, 'every relation of the matrix has rows that could be seen');
SELECT is_empty($$ SELECT * FROM service_sees WHERE home_id <> 1 $$, 'no scope shows anything of a home that is not the token''s');
SELECT is_empty($$
	SELECT s.name, o.* FROM scope s CROSS JOIN owner_sees o JOIN shown USING (relation)
	WHERE o.home_id = 1 AND pg_temp.opens(s.name, shown, o.resource)
	EXCEPT SELECT * FROM service_sees
$$, 'what a scope opens is seen, to the last row');
SELECT is_empty($$
	SELECT v.* FROM service_sees v JOIN shown USING (relation) WHERE NOT coalesce(pg_temp.opens(v.scope, shown, v.resource), false)
$$, '... and nothing else');

-- What is not a home's.
CREATE FUNCTION pg_temp.prices(scope text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_temp.become('resident-1', scope); RETURN (SELECT count(*) FROM smarthg.market_price) + (SELECT count(*) FROM smarthg.co2_cost); END $$;
SET ROLE smarthg_service;
SELECT results_eq($$ SELECT name FROM scope WHERE pg_temp.prices(name) > 0 ORDER BY 1 $$,
	$$ SELECT 'read_price_' || name FROM granularity WHERE rank <= (SELECT rank FROM granularity WHERE name = 'hourly') ORDER BY 1 $$,
	'prices by the hour are open to a price scope of hours or finer');

-- Without a token, and after one.
SELECT logout() \g /dev/null
SELECT is_empty($$ SELECT s.relation, c.* FROM shown s, pg_temp.census(s) AS c $$, 'without a token a service sees nothing');
SELECT pg_temp.become('resident-2', 'read_home_raw read_plan_raw read_appliance_raw') \g /dev/null
SELECT results_eq($$ SELECT DISTINCT c.home_id FROM shown s, pg_temp.census(s) AS c $$, $$ VALUES (2::bigint) $$, 'another resident''s token opens another home');
SELECT pg_temp.become('nobody', 'read_home_raw read_plan_raw read_appliance_raw') \g /dev/null
SELECT is_empty($$ SELECT s.relation, c.* FROM shown s, pg_temp.census(s) AS c $$, 'a token of somebody who lives nowhere opens nothing');
SELECT pg_temp.become('resident-both', 'read_mainmeter_raw') \g /dev/null
SELECT results_eq($$ SELECT home_id FROM home ORDER BY 1 $$, $$ VALUES (1::bigint), (2) $$, 'a token speaks of all homes of its owner');
SELECT authenticate(pg_temp.token_of('resident-both', 'read_mainmeter_raw', '{2,3}')) \g /dev/null
SELECT results_eq($$ SELECT home_id FROM home ORDER BY 1 $$, $$ VALUES (2::bigint) $$, '... or of those that it names, but of none that is not the owner''s');

-- Who lived there before.
SELECT pg_temp.become('resident-3', 'read_home_raw read_home_15min read_plan_raw read_ess_raw read_profile_raw') \g /dev/null
SELECT is((SELECT min(measured_at) >= today.at - interval '4 days' FROM reading, today GROUP BY today.at), true, 'a new resident does not see readings of the one before');
SELECT is((SELECT min(slot_start) >= today.at - interval '4 days' FROM interval_energy, today GROUP BY today.at), true, '... nor energy');
SELECT isnt_empty($$ SELECT FROM reading $$, '... but their own');
SELECT pg_temp.become('resident-gone', 'read_home_raw') \g /dev/null
SELECT is_empty($$ SELECT FROM home $$, 'who has moved out sees the home no more');
SELECT authenticate(pg_temp.token_of('resident-1', 'read_home_raw', NULL, (SELECT at - interval '3 days' FROM today))) \g /dev/null
SELECT is((SELECT min(day) FROM interval_energy), (SELECT (at - interval '3 days')::date FROM today), 'a token''s history limit holds');

-- The largest few.
SELECT pg_temp.become('resident-1', 'read_appliance_top2_hourly') \g /dev/null
SELECT results_eq($$ SELECT DISTINCT register_id FROM energy_hourly ORDER BY 1 $$, $$ VALUES (17::bigint), (18) $$, 'top2 opens the two appliances that use most');
SELECT results_eq($$ SELECT meter_id FROM meter ORDER BY 1 $$, $$ VALUES (17::bigint), (18) $$, '... and knows of no other');

-- What residents see through a service.
SELECT pg_temp.become('resident-1', 'read_home_hourly read_price_hourly') \g /dev/null
SELECT ok((SELECT sum(import_kwh) > 0 AND sum(cost_eur) > 0 FROM today, usage_hourly(1, today.at - interval '3 days', today.at)), 'usage and its cost come through a service with a token for home and prices');
SELECT ok((SELECT eurh_page(1, today.at - interval '3 days', today.at) LIKE '<!DOCTYPE html>%' FROM today), '... and the resident''s page');
SELECT pg_temp.become('resident-1', 'read_home_15min read_ess_raw read_pev_raw read_profile_hourly read_price_hourly') \g /dev/null
SELECT ok((SELECT bool_and(error IS NULL) AND count(*) = 12 FROM today, savings_report(today.at - interval '3 days', today.at, '{1}')), '... what storage saved, with a token for all that goes into it');
SELECT ok((SELECT bool_and(error IS NOT NULL) FROM today, savings_report(today.at - interval '3 days', today.at, '{2}') WHERE home_id = 2), '... at no other home');
SELECT is((SELECT count(*) > 0 FROM today, eumf_h(1, today.at, 2)), true, '... and the days to come');
SELECT pg_temp.become('resident-1', 'read_home_hourly read_price_hourly') \g /dev/null
SELECT is((SELECT sum(use_kwh) FROM today, usage_hourly(2, today.at - interval '3 days', today.at)), NULL, '... of no other home');
SELECT throws_ok($$ SELECT usage_similar(2, today.at - interval '3 days', today.at) FROM today $$, '42501', NULL, '... nor whom it is like');
SELECT throws_ok($$ SELECT eurh_page(2, today.at - interval '3 days', today.at) FROM today $$, '42704', NULL, '... nor its page');

SELECT pg_temp.become('resident-1', 'read_home_15min') \g /dev/null
SELECT ok((SELECT count(*) = 4 AND min(k.demand_kw) >= 0 FROM today, eumf_k(1, today.at - interval '1 day', 4) AS k), 'a forecast as of a past moment needs no readings');

-- Writing.
SELECT pg_temp.become('resident-1', 'write_profile') \g /dev/null
SELECT lives_ok($$ INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw) SELECT 1, at + interval '1 hour', -1, 2 FROM today $$, 'write_profile writes a profile of the home');
SELECT throws_ok($$ INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw) SELECT 2, at + interval '1 hour', -1, 2 FROM today $$, '42501', NULL, '... of no other');
SELECT throws_ok($$ INSERT INTO ess_state SELECT 1, at + interval '1 hour', 5 FROM today $$, '42501', NULL, '... and nothing else');
RESET ROLE;

-- Plans and commands of services: in their home, without identifiers of their choice, for slots that are due.
SET ROLE smarthg_service;
SELECT pg_temp.become('resident-1', 'write_command write_plan read_plan_hourly') \g /dev/null
SELECT lives_ok($$ INSERT INTO command (home_id, plan_id, slot_start, slot_length, ess_setpoint_kw) SELECT 1, p.plan_id, slot_start(now() + interval '5 hours', '1 hour'), '1 hour', 1 FROM plan p LIMIT 1 $$, 'write_command commands the home');
SELECT throws_ok($$ INSERT INTO command (home_id, plan_id, slot_start, slot_length) SELECT 1, p.plan_id, slot_start(now() + interval '3 days', '1 hour'), '1 hour' FROM plan p LIMIT 1 $$, '42501', NULL, '... for slots of the next two days');
SELECT throws_ok($$ INSERT INTO command (home_id, plan_id, slot_start, slot_length) SELECT 1, p.plan_id, slot_start(now() + interval '6 hours', '1 hour'), '100 years' FROM plan p LIMIT 1 $$, '42501', NULL, '... that end');
SELECT throws_ok($$ INSERT INTO command (command_id, home_id, plan_id, slot_start, slot_length) SELECT 99, 1, p.plan_id, slot_start(now() + interval '7 hours', '1 hour'), '1 hour' FROM plan p LIMIT 1 $$, '42501', NULL, '... under no number of its own choice');
SELECT throws_ok($$ LOCK TABLE market_price IN ACCESS EXCLUSIVE MODE $$, '42501', NULL, 'a service locks no table');
SELECT throws_ok($$ LOCK TABLE power_profile IN SHARE MODE $$, '42501', NULL, '... that it writes to either');
SELECT pg_temp.become('resident-1', 'write_profile') \g /dev/null
SELECT is(withdraw_profile(1, '-infinity', 'infinity'), 2::bigint, 'a service takes profiles back');
SELECT is(withdraw_profile(2, '-infinity', 'infinity'), 0::bigint, '... of no other home');
RESET ROLE;
SELECT throws_ok($$ INSERT INTO command (home_id, plan_id, slot_start, slot_length) SELECT 1, p.plan_id, 'infinity', '1 hour' FROM plan p LIMIT 1 $$, '23514', NULL, 'no command is for a slot without a time');
SELECT throws_ok($$ INSERT INTO command (home_id, plan_id, slot_start, slot_length, ess_setpoint_kw) SELECT 1, p.plan_id, now(), '1 hour', 'NaN' FROM plan p LIMIT 1 $$, '23514', NULL, '... nor of no power');

-- Local days before the resident moved in, far from Greenwich.
UPDATE home SET time_zone = 'Pacific/Auckland' WHERE home_id = 3;
SET ROLE smarthg_service;
SELECT pg_temp.become('resident-3', 'read_home_daily') \g /dev/null
SELECT is((SELECT min(local_day) >= ((SELECT at FROM today) - interval '4 days') AT TIME ZONE 'Pacific/Auckland' FROM energy_daily), true, 'no local day is shown that began before the resident moved in');
RESET ROLE;

-- Feeders: homes 1 to 6, of which one produces.
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (2, 1, 'busy feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT 10 + n, 2, 1, 'busy home ' || n FROM generate_series(1, 6) AS n;
INSERT INTO meter (meter_id, home_id, name) SELECT 1000 + n, 10 + n, 'main' FROM generate_series(1, 6) AS n;
INSERT INTO meter (meter_id, home_id, name, kind, role) VALUES (1100, 11, 'panel', 'sub', 'production');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT m.meter_id, m.meter_id, CASE m.role WHEN 'production' THEN '1-0:2.8.0.255' ELSE '1-0:1.8.0.255' END, 'kWh', true FROM meter m WHERE m.meter_id > 1000;
INSERT INTO register_epoch SELECT r.register_id, '-infinity', 1, 1000, NULL, 'first reading' FROM register r WHERE r.register_id > 1000;
INSERT INTO reading (register_id, measured_at, raw_value) SELECT r.register_id, '2024-02-01 00:00Z'::timestamptz + n * interval '15 min', n * 100 FROM register r, generate_series(CASE r.register_id WHEN 1006 THEN 60 ELSE 0 END, 300) AS n WHERE r.register_id > 1000;
SELECT refresh_interval_energy() \g /dev/null
SELECT results_eq($$ SELECT min(homes), max(homes), max(import_kwh), max(production_kwh) FROM feeder_energy(2, 'hourly', '2024-02-01', '2024-02-04') $$, $$ VALUES (5::bigint, 6::bigint, 2.4::float8, NULL::float8) $$, 'a feeder''s sums are of five homes at least, each of them');
SELECT is((SELECT round(sum(import_kwh)::numeric, 6) FROM feeder_energy(2, 'daily', '2024-01-31 23:00Z', '2024-02-04')), (SELECT round(sum(import_kwh)::numeric, 6) FROM feeder_energy(2, 'hourly', '2024-01-31 23:00Z', '2024-02-04')), 'its days are the sums of its hours');
UPDATE home SET feeder_id = 1 WHERE home_id IN (15, 16);
SELECT is_empty($$ SELECT * FROM feeder_energy(2, 'hourly', '2024-02-01', '2024-02-04') $$, 'four homes are not shown');
UPDATE home SET feeder_id = 2 WHERE home_id IN (15, 16);
SET ROLE smarthg_service;
SELECT pg_temp.become('resident-1', 'read_feeder_daily') \g /dev/null
SELECT throws_ok($$ SELECT * FROM token_feeder_energy(2, 'hourly', '2024-02-01', '2024-02-04') $$, '42501', NULL, 'a scope for days of feeders opens no hours');
SELECT results_eq($$ SELECT slot_start, covered FROM token_feeder_energy(2, 'daily', '2024-01-30', '2024-02-06') $$, $$ VALUES ('2024-02-01 23:00Z'::timestamptz, '24:00'::interval), ('2024-02-02 23:00Z', '24:00') $$, '... and days that are known entirely');
RESET ROLE;

-- A day of which the end is not known yet, though the clock says that it is over.
INSERT INTO home_resident (home_id, account_id, since) SELECT 11, account_id, '2020-01-01' FROM account WHERE email = 'nobody@example.org';
SELECT is((SELECT max(local_day) FROM energy_daily WHERE register_id = 1001), '2024-02-04'::date, 'the operator sees what is known of a day');
SET ROLE smarthg_service;
SELECT pg_temp.become('nobody', 'read_home_daily') \g /dev/null
SELECT is((SELECT max(local_day) FROM energy_daily WHERE register_id = 1001), '2024-02-03'::date, '... a service only once it is over as far as readings tell');
RESET ROLE;

-- The operator sees all, and copies, which row-level security knows nothing of.
SET ROLE smarthg_admin;
COPY reading_landing (register_id, measured_at, raw_value) FROM stdin;
11	2024-03-01 00:00:00+00	4711
\.
SELECT is((SELECT count(*) FROM reading WHERE raw_value = 4711), 1::bigint, 'the operator copies readings');
RESET ROLE;

-- What the catalogue promises of tables that nobody has thought of yet.
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity $$,
	'every table has row-level security, each partition by itself too');
SELECT is_empty($$
	SELECT c.oid::regclass, p.polname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
	WHERE c.relnamespace = 'smarthg'::regnamespace AND 0 = ANY (p.polroles)
$$, 'no policy is for everybody');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p')
		AND has_any_column_privilege('smarthg_service', c.oid, 'SELECT') AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND 'smarthg_service'::regrole = ANY (p.polroles))
$$, 'a service may name no table that has no policy for it');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname NOT IN (SELECT relation FROM shown)
		AND has_any_column_privilege('smarthg_service', c.oid, 'SELECT') AND c.relname <> ALL ('{installation,price_area,tariff,holiday,weather,market_price,co2_cost,price_forecast,service_data,heating,retrofit_option,standard_profile,home_register,home_part,home_energy,home_energy_hourly,home_energy_daily,home_energy_monthly,plan_slot,energy_rollup_5min,energy_rollup_15min,energy_5min,energy_rollup_daily,energy_rollup_monthly,energy_rollup_yearly}')
$$, '... nor one that this test does not look into');
SELECT is_empty($$
	SELECT c.oid::regclass, p FROM pg_class c, unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
	WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('smarthg_service', c.oid, p)
		AND (p, c.relname) NOT IN (VALUES ('INSERT', 'ess_state'), ('INSERT', 'pev_state'), ('INSERT', 'pev_session'),
			('INSERT', 'power_profile'), ('INSERT', 'plan'), ('INSERT', 'command'), ('INSERT', 'forecast'), ('INSERT', 'service_data'), ('INSERT', 'market_price'), ('INSERT', 'co2_cost'))
$$, 'a service changes nothing but what services produce');
SELECT is_empty($$
	SELECT c.oid::regclass, r FROM pg_class c, unnest('{smarthg_bridge,smarthg_analyst}'::text[]) AS r
	WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p') AND has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE')
$$, 'the bridge and analysts touch no table directly');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
		AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0)
$$, '... and everybody else nothing at all');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relispartition AND c.relnamespace = 'smarthg'::regnamespace AND c.relname ~ '^reading_day'
		AND has_any_column_privilege('smarthg_service', c.oid, 'SELECT')
$$, 'no partition of readings is open by its own name');

SELECT * FROM finish();
ROLLBACK;
