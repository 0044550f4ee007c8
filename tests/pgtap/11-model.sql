-- Models as text: what is exported has the plan's optimum, what comes in is solved or refused, and
-- GLPK never takes the backend down (DESIGN.md section 3).
\ir home.psql
SELECT plan(45);

INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.05 + 0.2 * (extract(hour FROM t) BETWEEN 17 AND 20)::integer, date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-05-01 00:00Z'::timestamptz, '2023-05-12 23:00Z', '1 hour') AS t;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency) VALUES (1, 8, -4, 4, 0.9);

CREATE FUNCTION pg_temp.optimum(model text, format text DEFAULT 'lp') RETURNS float8 LANGUAGE sql AS $$
	SELECT value FROM milp_solve(model, format) WHERE kind = 'objective' AND status = 'optimal' $$;
-- The pieces of an error.
CREATE FUNCTION pg_temp.failure(query text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
EXCEPTION WHEN OTHERS OR query_canceled THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- Export.
SELECT ok((SELECT bool_and(abs(pg_temp.optimum(model, format) - s.objective_eur) < 1e-6)
	FROM ebr_solve('{1,1,2,0.5}', '{0.1,0.4,-0.1,0.3}', export_eur_per_kwh => '{0.05,0.5,-0.2,0.1}', ess_capacity_kwh => 5, ess_min_kw => -3, ess_max_kw => 3,
			ess_efficiency => 0.9, contract_max_kw => 3, pev_capacity_kwh => 20, pev_min_kw => -3, pev_max_kw => 7, pev_soc_kwh => 9, pev_plugged_hours => 3, pev_min_step_kw => 1.4) AS s,
		unnest('{lp,mps}'::text[]) AS format,
		ebr_model_text_series('{1,1,2,0.5}', '{0.1,0.4,-0.1,0.3}', export_eur_per_kwh => '{0.05,0.5,-0.2,0.1}', ess_capacity_kwh => 5, ess_min_kw => -3, ess_max_kw => 3,
			ess_efficiency => 0.9, contract_max_kw => 3, pev_capacity_kwh => 20, pev_min_kw => -3, pev_max_kw => 7, pev_soc_kwh => 9, pev_plugged_hours => 3, pev_min_step_kw => 1.4,
			format => format) AS model), 'two stores and a least power: the exported optimum is the plan''s, in both formats');
SELECT ok((SELECT bool_and(abs(pg_temp.optimum(ebr_model_text(input, format, objective), format) - (ebr_solve_input(input, objective)).objective_eur) < 1e-6)
	FROM ebr_home_input(1, '2023-05-10 12:00Z', 24) AS input, unnest('{lp,mps}'::text[]) AS format, unnest('{energy_co2,co2,NULL}'::text[]) AS objective),
	'a stored home: the same, for every objective');
SELECT ok((SELECT abs(pg_temp.optimum(ebr_model_text(jsonb_populate_record(NULL::ebr_input, '{"slot_length": "1 hour", "demand_kw": [1, 2], "energy_eur_per_kwh": [0.1, 0.3], "contract_min_kw": -9, "contract_max_kw": 9,
	"ess": {"capacity_kwh": 2, "min_kw": -1, "max_kw": 1, "efficiency": 1}, "ess_soc_kwh": 2}'))) - (0.1 + 0.3 * 1 - 0.85 * 0.2)) < 1e-9), 'an input of one''s own, from JSON');
SELECT ok((SELECT abs(pg_temp.optimum(ebr_model_text_series('{1,2}', '{0.1,0.2}')) - 0.5) < 1e-9), 'a home without a store is a constant');
SELECT ok((SELECT m ~ '(?n)^ objective_eur: ' AND bool_and(m LIKE '%' || name || '%') FROM ebr_model_text_series('{1,1}', '{0.1,-0.4}', export_eur_per_kwh => '{0.2,0}', ess_capacity_kwh => 5,
	ess_min_kw => -3, ess_max_kw => 3, contract_max_kw => 2) AS m, unnest('{charge_ess_1,discharge_ess_2,soc_ess_2,import_1,export_1,charges_ess_2,above_contract_2}'::text[]) AS name GROUP BY m),
	'columns have names that say what they are');
SELECT is(ebr_model_text_series('{1,1}', '{0.1,0.4}', ess_capacity_kwh => 5, ess_max_kw => 3), ebr_model_text_series('{1,1}', '{0.1,0.4}', ess_capacity_kwh => 5, ess_max_kw => 3),
	'the same input is the same text');
SELECT throws_ok($$ SELECT ebr_model_text_series('{1}', '{0.1}', ess_capacity_kwh => -1) $$, '22023', NULL, 'nonsense is not exported');
SELECT throws_ok($$ SELECT ebr_model_text_series('{1}', '{0.1}', format => 'xls') $$, '22023', 'format "xls" is not known', 'nor in an unknown format');
SELECT throws_ok($$ SELECT ebr_model_text_series('{1}', '{0.1}', format => NULL) $$, '22004', NULL, 'nor in none');
SELECT throws_ok($$ SELECT ebr_model_text(NULL) $$, '22004', NULL, 'nor nothing at all');

-- A sizing: a day of two prices, a tube, and a price below 0, at which the relaxation charges and discharges at once.
CREATE TEMP TABLE sizing AS SELECT array_agg(1 + n % 3 ORDER BY n)::float8[] AS demand, array_agg(CASE WHEN n = 5 THEN -0.3 WHEN n % 24 < 12 THEN 0.1 ELSE 0.4 END ORDER BY n)::float8[] AS price,
	array_agg(2.5 ORDER BY n)::float8[] AS high, array_agg(0.2 ORDER BY n)::float8[] AS penalty FROM generate_series(0, 95) AS n;
SELECT ok((SELECT bool_and(abs(pg_temp.optimum(m, format) - d.relaxed_eur) < 1e-6) AND bool_and(d.capacity_kwh > 1) FROM sizing, unnest('{lp,mps}'::text[]) AS format,
	ebr_dimension_series(demand, price, profile_high_kw => high, penalty_high_eur_per_kwh => penalty, capacity_eur_per_kwh => 1, power_eur_per_kw => 0.5, power_max_kw => 3) AS d,
	ebr_dimension_model_text_series(demand, price, profile_high_kw => high, penalty_high_eur_per_kwh => penalty, capacity_eur_per_kwh => 1, power_eur_per_kw => 0.5, power_max_kw => 3, format => format) AS m),
	'a sizing: the exported optimum is the one found, in both formats');
SELECT ok((SELECT abs(value - d.capacity_kwh) < 1e-4 FROM sizing, ebr_dimension_of(ROW(1, NULL, '1 hour', demand, NULL, price, NULL, NULL, NULL, NULL, NULL, NULL)::ebr_dimension_input, 1, 0.5, capacity_max_kwh => 4) AS d,
	milp_solve(ebr_dimension_model_text(ROW(1, NULL, '1 hour', demand, NULL, price, NULL, NULL, NULL, NULL, NULL, NULL)::ebr_dimension_input, 1, 0.5, capacity_max_kwh => 4)) AS s WHERE s.kind = 'variable' AND s.name = 'C'),
	'... and so is the capacity, C');
SELECT throws_ok($$ SELECT ebr_dimension_model_text_series('{1}', '{0.1}') $$, '22004', NULL, 'a battery without a price is not exported');
SELECT throws_ok($$ SELECT ebr_dimension_model_text_series(array_fill(1::float8, ARRAY[100000]), array_fill(0.1::float8, ARRAY[100000]), capacity_eur_per_kwh => 1, power_eur_per_kw => 1) $$,
	'22023', NULL, 'nor is a span without end');

-- Models of an analyst's own.
SELECT results_eq($$ SELECT status, kind, name, round(value::numeric, 6), round(marginal::numeric, 6) FROM milp_solve(E'Maximize\n p: 3 x + 2 y\nSubject To\n a: x + y <= 4\n b: x + 3 y <= 6\nBounds\n x <= 3\nEnd') $$,
	$$ VALUES ('optimal', 'objective', 'p', 11.0, NULL), ('optimal', 'bound', 'p', 11.0, NULL), ('optimal', 'variable', 'x', 3.0, 2.333333), ('optimal', 'variable', 'y', 1.0, 0.0),
		('optimal', 'constraint', 'a', 4.0, 0.0), ('optimal', 'constraint', 'b', 6.0, 0.666667) $$, 'a linear programme: values, reduced costs and dual values');
SELECT results_eq($$ SELECT name, value, marginal FROM milp_solve(E'Maximize\n p: 3 x + 2 y\nSubject To\n a: 2 x + 2 y <= 7\nBounds\n x <= 1.7\nGenerals\n x y\nEnd') WHERE kind = 'variable' $$,
	$$ VALUES ('x', 1.0::float8, NULL::float8), ('y', 2.0, NULL) $$, 'integer variables');
SELECT results_eq($$ SELECT status, kind, value FROM milp_solve(E'NAME t\nROWS\n N cost\n G c1\nCOLUMNS\n x cost 2 c1 1\nRHS\n RHS c1 5\nENDATA\n', 'mps') WHERE kind <> 'bound' $$,
	$$ VALUES ('optimal', 'objective', 10.0::float8), ('optimal', 'variable', 5.0), ('optimal', 'constraint', 5.0) $$, 'MPS');
SELECT results_eq($$ SELECT status, kind, value FROM milp_solve(E'min x\nst\n a: x >= 2\n b: x <= 1\nend') $$, $$ VALUES ('infeasible', 'objective', NULL::float8) $$, 'infeasible is an answer');
SELECT results_eq($$ SELECT status, kind, value FROM milp_solve(E'max x\nst\n a: x >= 2\nend') $$, $$ VALUES ('unbounded', 'objective', NULL::float8) $$, 'and so is unbounded');
SELECT results_eq($$ SELECT status FROM milp_solve(E'min x\nst\n a: 2 x - 2 y = 1\nbounds\n x <= 9\n y <= 9\ngenerals\n x y\nend') $$, $$ VALUES ('infeasible') $$, 'and no integer solution');
SELECT results_eq($$ SELECT status, value FROM milp_solve(E'Minimize\n obj: x\nSubject To\n c1: x >= -3.5\nBounds\n x free\nGenerals\n x\nEnd') WHERE kind = 'variable' $$,
	$$ VALUES ('optimal', -3.0::float8) $$, 'a free integer variable');
SELECT results_eq($$ SELECT DISTINCT status FROM milp_solve(E'Maximize\n obj: 3 x\nSubject To\n c1: 0 x + y <= 1\nGenerals\n x\nEnd') $$, $$ VALUES ('unbounded') $$, 'one without an upper bound');
SELECT results_eq($$ SELECT value FROM milp_solve(E'Minimize\n obj: x\nSubject To\n c1: x + y >= 0\nBounds\n x >= 20000000007\nGenerals\n x\nEnd') WHERE name = 'x' $$,
	$$ VALUES (20000000007::float8) $$, 'a large whole bound is kept');
SELECT results_eq($$ SELECT value FROM milp_solve(E'Minimize\n obj: x\nSubject To\n c1: x + y >= 0\nBounds\n x >= 1000000000.4\nGenerals\n x\nEnd') WHERE name = 'x' $$,
	$$ VALUES (1000000001::float8) $$, '... and one that is not whole is rounded inwards');
SELECT is_empty($$ SELECT * FROM milp_solve(NULL) $$, 'null has no rows');
SELECT is((SELECT (state, detail)::text FROM pg_temp.failure($$ SELECT * FROM milp_solve(E'min x\nst\n a: x + >= 2\nend') $$)), '(22023,"Line 3: missing variable name.")', 'what does not parse is 22023, with the line');
SELECT is((SELECT (state, message, detail)::text FROM pg_temp.failure($$ SELECT * FROM milp_solve(E'min x\nst\n a: x >= 2\n') $$)),
	'(22023,"model is not in CPLEX LP format","The text ends without the word End.")', 'a model that is cut off');
SELECT is((SELECT (state, message, hint <> '')::text FROM pg_temp.failure($$ SELECT * FROM milp_solve('', 'mps') $$)), '(22023,"model is not in free MPS format",t)', 'an empty text');
SELECT throws_ok($$ SELECT * FROM milp_solve(E'min x\u00e9\nst\n a: x\u00e9 >= 2\nend') $$, '22023', NULL, 'letters that the format does not have');
SELECT throws_ok($$ SELECT * FROM milp_solve(repeat('x', 66 * 1024 * 1024)) $$, '22023', 'model is too large', 'more than 64 MB');
SELECT throws_ok($$ SELECT * FROM milp_solve('x', 'lp', '0 s') $$, '22023', NULL, 'no time');
SELECT throws_ok($$ SELECT * FROM milp_solve('x', 'lp', '1 s', 0) $$, '22023', NULL, 'no memory');

-- Limits. Market split: a first solution is found at once, the best is not proved in years.
CREATE FUNCTION pg_temp.hard() RETURNS text LANGUAGE sql AS $$
	SELECT E'min\n' || string_agg(format(' + over_%s + under_%1$s', i), E'\n' ORDER BY i) || E'\nst\n' || string_agg(terms, '' ORDER BY i) || E'binaries\n' || (SELECT string_agg(format(E' x_%s\n', j), '') FROM generate_series(1, 50) AS j) || 'end'
	FROM (SELECT i, format(' row_%s: over_%1$s - under_%1$s', i) || string_agg(format(E'\n + %s x_%s', weight, j), '' ORDER BY j) || format(E' = %s\n', sum(weight) / 2) AS terms
		FROM generate_series(1, 6) AS i, generate_series(1, 50) AS j, LATERAL (SELECT 1 + (i * 7919 + j * j * 104729 + i * j * 1299709) % 100 AS weight) AS w GROUP BY i) AS r $$;
SELECT throws_ok($$ SELECT * FROM milp_solve(pg_temp.hard(), 'lp', '200 ms') $$, '54000', 'solving did not end within 0.2 seconds', 'the time limit ends the solver with an error');
SELECT ok((SELECT count(*) = 2 AND max(value) FILTER (WHERE kind = 'objective') > max(value) FILTER (WHERE kind = 'bound') FROM milp_solve(pg_temp.hard(), 'lp', '200 ms', accept_incumbent => true)
	WHERE status = 'feasible' AND kind IN ('objective', 'bound')), 'or, if that is wanted, with its best solution and a bound');
-- A chain of so many rows: quickly read, and large.
CREATE FUNCTION pg_temp.chain(rows integer) RETURNS text LANGUAGE sql AS $$
	SELECT E'min x_0\nst\n' || string_agg(format(E' x_%s + x_%s >= 1\n', n, n + 1), '') || 'end' FROM generate_series(1, rows) AS n $$;
SELECT throws_ok($$ SELECT * FROM milp_solve(pg_temp.chain(20000), 'lp', '1 min', 2) $$, '53200', NULL, 'the memory limit ends it with an error');
SET statement_timeout = '300 ms';
SELECT is((SELECT (state, message)::text FROM pg_temp.failure($$ SELECT * FROM milp_solve(pg_temp.hard(), 'lp', '10 min') $$)), '(57014,"canceling statement due to statement timeout")', 'statement_timeout ends it');
RESET statement_timeout;

CREATE FUNCTION pg_temp.resident_kb() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT substring(pg_read_file('/proc/self/status') FROM 'VmRSS:\s*(\d+)')::bigint $$;
CREATE FUNCTION pg_temp.descriptors() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT count(*) FROM pg_ls_dir('/proc/self/fd') $$;
-- How many of so many texts are refused: cut off, with a bad line, or with a memory limit too small.
CREATE FUNCTION pg_temp.refused(times integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	model text := pg_temp.hard();
	large text := pg_temp.chain(4000);
	count integer := 0;
BEGIN
	FOR n IN 1 .. times LOOP
		BEGIN
			IF n % 10 = 0 THEN
				PERFORM milp_solve(large, 'lp', '10 s', 1);
			ELSE
				PERFORM milp_solve(left(model, n * 10) || CASE WHEN n % 2 = 0 THEN E'\n ?' ELSE '' END);
			END IF;
		EXCEPTION WHEN invalid_parameter_value OR out_of_memory THEN
			count := count + 1;
		END;
	END LOOP;
	RETURN count;
END $$;
SELECT is(pg_temp.refused(200), 200, '200 texts are refused');
SELECT pg_temp.resident_kb() AS before, pg_temp.descriptors() AS descriptors \gset
SELECT is(pg_temp.refused(200), 200, '... and 200 more');
SELECT cmp_ok(pg_temp.resident_kb() - :before, '<', 1000::bigint, '... and the backend grows by less than 1 MB');
SELECT is(pg_temp.descriptors(), :descriptors::bigint, '... and holds no file open');
SELECT is(pg_temp.optimum(E'min x\nst\n a: x >= 2\nend'), 2::float8, 'the solver works after all that');
SELECT is((SELECT status FROM ebr_solve('{1,2}', '{0.1,0.3}', method => 'milp')), 'optimal', 'and so does planning');

-- Privileges, and parallel workers.
SET LOCAL force_parallel_mode = on;
SELECT is((SELECT value FROM milp_solve(E'min x\nst\n a: x >= 2\nend') WHERE kind = 'objective'), 2::float8, 'a parallel worker solves');
SET LOCAL force_parallel_mode = off;
SELECT ok(bool_and(has_function_privilege(r, f, 'EXECUTE')), 'every role may call them: they read no table')
FROM unnest('{smarthg_admin,smarthg_service,smarthg_bridge,smarthg_analyst}'::text[]) AS r, unnest(ARRAY['milp_solve(text,text,interval,integer,boolean)', 'ebr_model_text(ebr_input,text,text)']) AS f;
SET LOCAL ROLE smarthg_analyst;
SELECT is((SELECT value FROM milp_solve(ebr_model_text_series('{1,2}', '{0.1,0.2}')) WHERE kind = 'objective'), 0.5::float8, 'an analyst solves');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
