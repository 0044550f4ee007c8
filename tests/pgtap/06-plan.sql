-- Plans and commands of stored homes (document 3.2.1).
\ir home.psql
SELECT plan(50);

INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.05 + 0.2 * (extract(hour FROM t) BETWEEN 17 AND 20)::integer, date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-04-20 00:00Z'::timestamptz, '2023-05-20 23:00Z', '1 hour') AS t;
DO $$
BEGIN
	FOR n IN 0 .. 14 * 48 LOOP
		PERFORM pg_temp.feed(n + 1, '2023-04-26 00:00Z'::timestamptz + n * interval '30 min', n * 250);
	END LOOP;
	PERFORM smarthg.refresh_interval_energy();
END $$;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (1, 10, -5, 5, 0.9);
INSERT INTO ess_state VALUES (1, '2023-05-09 11:00Z', 2), (1, '2023-05-09 13:00Z', 9);
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) VALUES (1, 40, 0, 7);
INSERT INTO pev_session (home_id, plugged_at, departs_at, arrival_soc_kwh, target_soc_kwh) VALUES (1, '2023-05-09 10:30Z', '2023-05-10 05:00Z', 12, 30);
\set at '''2023-05-09 12:00Z'''

SELECT is((SELECT count(*)::integer FROM ebr_plan(1, :at)), 48, 'a plan has a row a slot');
SELECT is((SELECT min(slot_start) FROM ebr_plan(1, '2023-05-09 12:34Z')), :at::timestamptz, '... from the slot that holds the moment');
SELECT ok((SELECT bool_and(abs(grid_kw - (demand_kw - production_kw + ess_kw + pev_kw)) < 1e-6) FROM ebr_plan(1, :at)), 'grid power is demand less production plus the stores');
SELECT ok((SELECT abs(pev_soc_kwh - 30) < 1e-6 FROM ebr_plan(1, :at) WHERE slot_no = 17), 'the PEV has its target at departure');
SELECT ok((SELECT bool_and(pev_kw = 0) FROM ebr_plan(1, :at) WHERE slot_no > 17), '... and does nothing once it is gone');
SELECT is((SELECT sum(pev_kw + greatest(ess_kw, 0)) FROM ebr_plan(1, :at) WHERE extract(hour FROM slot_start) BETWEEN 17 AND 20), 0::float8, 'nothing is charged while it is dear');
SELECT ok((SELECT abs(ess_soc_kwh - 2) < 5 FROM ebr_plan(1, :at) WHERE slot_no = 1), 'the state of charge is the last one before the moment');
SELECT is((SELECT count(*)::integer FROM ebr_plan(1, :at, 96, '15 min')), 96, 'slots of 15 minutes');
SELECT throws_ok('SELECT * FROM ebr_plan(99, ''2023-05-09'')', '42704', 'home 99 does not exist', 'an unknown home is refused');
SELECT throws_ok('SELECT * FROM ebr_plan(1, ''2023-05-09'', 0)', '22023', NULL, 'a plan of no slots is refused');
SELECT throws_ok('SELECT * FROM ebr_plan(1, ''infinity'')', '22023', NULL, 'a plan at no time is refused');

SELECT is((SELECT (ebr_home_input(1, :at)).assumed), '{energy_price_forecast}', 'prices beyond publication are expected, and said so');
SELECT is((SELECT (ebr_home_input(1, :at, 12)).assumed), '{}', '... published ones are not');
SELECT ok((SELECT abs(e - 0.40) < 1e-9 FROM unnest((ebr_home_input(1, :at)).energy_eur_per_kwh) WITH ORDINALITY AS u(e, n) WHERE n = 30), 'the expected price is that of the hour, markup included');
UPDATE market_price SET energy_eur_per_kwh = 0.7 WHERE slot_start = '2023-05-09 14:00Z';
SELECT is((ebr_home_input(1, :at)).energy_eur_per_kwh[3], 0.85::float8, 'a price that changed is seen by the next statement');
DELETE FROM market_price WHERE slot_start = '2023-05-09 14:00Z';
SELECT ok((SELECT energy_eur_per_kwh > 0 FROM ebr_plan(1, :at, 12) WHERE slot_no = 3), 'a missing price slot is filled');

SELECT is((SELECT (status, ess_setpoint_kw = (solution).ess_kw[1], pev_setpoint_kw IS NOT NULL)::text FROM ebr_command(1, :at)), '(optimal,t,t)', 'a command holds the set-points of its plan');
SELECT ok((SELECT ess_grid_charge_kwh <= ess_surplus_charge_kwh AND ess_cover_demand_kwh <= ess_export_kwh AND ess_export_kwh <= 10 AND ess_grid_charge_kwh >= 0
	FROM ebr_command(1, :at)), '... and four levels in order');
SELECT is((SELECT status FROM ebr_command(1, :at, 96, '15 min', time_limit => '1 us')), 'fallback', 'without time there is a command all the same');
SELECT is((SELECT pev_setpoint_kw FROM ebr_command(1, '2023-05-09 08:00Z')), NULL, 'no command for a PEV that is away');
SELECT is((SELECT assumed && '{ess_soc_unknown}' FROM ebr_command(1, '2023-05-09 08:00Z')), true, 'a state of charge never measured is assumed empty, and said so');

INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(100, 600) AS n;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL force_parallel_mode = on;
SELECT is((SELECT count(status)::integer FROM home CROSS JOIN LATERAL ebr_command(home.home_id, :at, 2)), 502, 'a fleet is planned by an ordinary parallel query');
SELECT is((SELECT count(DISTINCT p.home_id)::integer FROM ebr_plan_homes((SELECT array_agg(home_id) FROM home), :at, 2) AS p WHERE p.status = 'optimal'), 502, '... and by the one that is stored');
RESET force_parallel_mode;
DELETE FROM home WHERE home_id >= 100;
SELECT is((SELECT assumed && '{ess_soc_old}' FROM ebr_command(1, '2023-05-10 12:00Z')), true, 'an old state of charge is used, and said so');

-- In words.
SELECT is_empty('SELECT * FROM ebr_explain(1, ''2023-05-09 15:00Z'', 8)', 'a clean plan needs no explanation');
SELECT is((SELECT array_agg(DISTINCT what) FROM ebr_explain(1, :at)), '{assumed}', '... one that assumes prices says so');
UPDATE home SET contract_max_kw = 0.3 WHERE home_id = 1;
UPDATE pev_session SET departs_at = '2023-05-09 13:00Z';
SELECT is((SELECT array_agg(DISTINCT what ORDER BY what) FROM ebr_explain(1, :at, 12)), '{assumed,contract_max,departure}', 'a vehicle that cannot be full in time is explained');
SELECT matches((SELECT because FROM ebr_explain(1, :at, 12) WHERE what = 'departure'), 'in 1.00 hours at 7.00 kW it can gain no more than 6.64 kWh', '... by what its power allows');
UPDATE ess_state SET soc_kwh = 0;
SELECT ok((SELECT count(*) > 0 AND bool_and(because ~ 'the contract allows 0.30 kW' AND amount > 0) FROM ebr_explain(1, :at, 12) WHERE what = 'contract_max'), 'a contract below the demand is explained');
SELECT ok((SELECT bool_or(because ~ 'the battery is empty then') FROM ebr_explain(1, :at, 12) WHERE what = 'contract_max'), '... by the battery that is empty');
UPDATE home SET contract_max_kw = 'infinity' WHERE home_id = 1;
UPDATE pev_session SET departs_at = '2023-05-10 05:00Z';

CREATE TEMP TABLE run AS SELECT * FROM ebr_run(:at);
SELECT is((SELECT (count(*), count(command_id), count(error))::text FROM run), '(1,1,0)', 'one step of the loop commands every home with a store');
SELECT is((SELECT count(*)::integer FROM plan_slot), 48, '... and stores its plan');
SELECT is((SELECT r.command_id FROM ebr_run(:at) AS r), (SELECT command_id FROM run), 'the same slot again keeps its command');
SELECT is((SELECT count(*)::integer FROM plan), 1, '... and its plan');
SELECT ok((SELECT p.changed_slots IS NULL AND s.objective_eur - p.objective_eur < 1e-9 FROM plan p, LATERAL (SELECT sum(cost_eur) - p.stored_value_eur + p.penalty_eur AS objective_eur FROM plan_slot) AS s),
	'the first plan changes nothing, and its slots add up to its objective');
SELECT ok((SELECT (c.input).previous_ess_kw = p.ess_kw AND (c.solution).changed_slots = 0 FROM ebr_command(1, :at) AS c, plan p), 'planning again changes no command');
SELECT ok((SELECT (c.input).previous_ess_kw = p.ess_kw[2:] || ARRAY[NULL::float8] AND (c.solution).changed_slots BETWEEN 0 AND 47 FROM ebr_command(1, :at::timestamptz + interval '1 hour') AS c, plan p),
	'an hour later the previous plan has moved on by a slot');
SELECT ok((SELECT (c.input).previous_ess_kw IS NULL FROM ebr_command(1, :at::timestamptz - interval '1 minute') AS c), 'a plan made later is not known before');
INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (2, 1, 1, 'second');
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) VALUES (2, 10, -5, 5);
INSERT INTO power_profile VALUES (2, '2023-05-09 13:00Z', '1 hour', 1, 1, 0, 0);
INSERT INTO co2_cost (price_area_id, slot_start, co2_eur_per_kwh, published_at) VALUES (1, '2023-05-09 13:00Z', 0.01, '2023-05-01');
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.home_id = 2 THEN RAISE EXCEPTION 'no room'; END IF; RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE INSERT ON plan FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
SELECT results_eq($$ SELECT home_id, error FROM ebr_run('2023-05-09 13:00Z') $$, $$ VALUES (1::bigint, NULL), (2, 'no room') $$, 'a failing home is a row with its error');
SELECT is((SELECT array_agg(home_id ORDER BY slot_start) FROM command), '{1,1}', '... and the others have their commands');
SELECT throws_ok($$ SELECT * FROM ebr_command(99, '2023-05-09') $$, '42704', NULL, 'a command for an unknown home is refused');
-- What is stored is left out where it is 0 throughout, or the export price is the import price.
SELECT is_empty($$ SELECT h, e.key, e.value, whole -> e.key
	FROM (VALUES (1::bigint), (2)) AS v(h), ebr_command(h, '2023-05-09 13:00Z', 24) AS c, ebr_home_plan(h, '2023-05-09 13:00Z', 24) AS p,
		LATERAL (SELECT to_jsonb(c.input) || to_jsonb(c.solution) || (to_jsonb(c) - '{input,solution}'::text[]) AS whole) AS w, jsonb_each(to_jsonb(p)) AS e
	WHERE e.key <> 'solve_seconds' AND CASE WHEN e.value <> 'null' THEN e.value IS DISTINCT FROM whole -> e.key
		ELSE whole -> e.key NOT IN ('null', to_jsonb(array_fill(0, ARRAY[24])), whole -> 'energy_eur_per_kwh') END $$,
	'the plan and command that are stored are those of ebr_command');
SELECT throws_ok($$ SELECT * FROM ebr_home_plan(99, '2023-05-09') $$, '42704', NULL, '... for a known home');

SELECT is_empty($$ SELECT * FROM bridge_commands(10, '100 years') $$, 'a command waits for its gateway to come online');
UPDATE gateway SET online = true;
SELECT is((SELECT (gateway_id, slot_seconds, ess_setpoint_kw IS NOT NULL)::text FROM bridge_commands(1, '100 years')), '(1,3600,t)', 'the bridge finds the command');
SELECT bridge_command_state((SELECT command_id FROM run), 'acknowledged', 'ok'), bridge_command_state((SELECT command_id FROM run), 'sent', 'late');
SELECT is((SELECT state FROM command WHERE command_id = (SELECT command_id FROM run)), 'acknowledged', 'an acknowledged command stays so');
SELECT is_empty('SELECT * FROM bridge_commands(10)', 'a command whose slot is over is not delivered');
SELECT is((SELECT array_agg(DISTINCT state ORDER BY state) FROM command), '{acknowledged,expired}', '... but expires');

-- The rule as it is executed: grid charge below 2, surplus below 8, cover above 3, export above 9.
SELECT results_eq($$ SELECT round(ebr_rule_power(2, 8, 3, 9, 10, -5, 5, 1, soc, net)::numeric, 9)
	FROM (VALUES (0::float8, 1::float8), (5, -3), (7, -3), (5, 4), (3.5, 4), (2.5, 4), (10, 0), (2.5, 0)) AS v(soc, net) $$,
	'{2,3,1,-2,-0.5,0,-1,0}'::numeric[], 'the rule reacts to what is measured');
SELECT throws_ok($$ SELECT ebr_rule_power(2, 8, 3, 9, -10, -5, 5, 1, 0, 0) $$, '22023', NULL, 'the rule refuses a store that cannot be');
SELECT * FROM finish();
ROLLBACK;
