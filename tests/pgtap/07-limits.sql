-- GLPK never takes the backend down: limits, cancel and timeout end in clean errors, and a
-- thousand of them leave no memory behind (DESIGN.md section 3).
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SET search_path = public, smarthg;
SELECT plan(15);

CREATE SCHEMA limits;
-- Large, and with two stores and negative prices, so that it goes to branch and bound.
CREATE FUNCTION limits.hard(slots integer, time_limit interval DEFAULT '10 min', memory_limit_mb integer DEFAULT 1000, accept_incumbent boolean DEFAULT false)
RETURNS smarthg.ebr_solution LANGUAGE sql AS $$
	SELECT smarthg.ebr_solve((SELECT array_agg(1 + sin(n * 1.7)) FROM generate_series(1, slots) AS n), (SELECT array_agg(0.2 * sin(n * 2.3) - 0.05) FROM generate_series(1, slots) AS n),
		export_eur_per_kwh => (SELECT array_agg(0.2 * sin(n * 2.1)) FROM generate_series(1, slots) AS n),
		profile_low_kw => (SELECT array_agg(0.5 * sin(n * 1.1)) FROM generate_series(1, slots) AS n), profile_high_kw => (SELECT array_agg(0.5 * sin(n * 1.1) + 0.5) FROM generate_series(1, slots) AS n),
		penalty_low_eur_per_kwh => (SELECT array_agg(0.1) FROM generate_series(1, slots) AS n), penalty_high_eur_per_kwh => (SELECT array_agg(0.1) FROM generate_series(1, slots) AS n),
		ess_capacity_kwh => 10, ess_min_kw => -3, ess_max_kw => 3, ess_efficiency => 0.8, ess_soc_kwh => 5, pev_capacity_kwh => 40, pev_min_kw => -4, pev_max_kw => 4, pev_efficiency => 0.85,
		pev_soc_kwh => 20, pev_plugged_hours => 'infinity', time_limit => time_limit, memory_limit_mb => memory_limit_mb, accept_incumbent => accept_incumbent)
$$;
-- What throws_ok does not catch.
CREATE FUNCTION limits.cancelled(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'not cancelled';
EXCEPTION WHEN query_canceled THEN
	RETURN SQLERRM;
END $$;
SELECT throws_ok($$ SELECT limits.hard(400, '20 ms') $$, '54000', NULL, 'the time limit ends the solver with an error');
SELECT throws_ok($$ SELECT limits.hard(2000, '10 min', 1) $$, '53200', NULL, 'the memory limit ends the solver with an error');
SET statement_timeout = '100 ms';
SELECT is(limits.cancelled('SELECT limits.hard(2000)'), 'canceling statement due to statement timeout', 'statement_timeout ends the solver');
RESET statement_timeout;

-- A cancel from another session, as Ctrl-C in psql sends it.
SELECT pg_backend_pid() AS victim \gset
\setenv VICTIM :victim
\! (sleep 0.4; psql -X -q -A -t -c "SELECT pg_cancel_backend($VICTIM)" >/dev/null) >/dev/null 2>&1 &
SELECT is(limits.cancelled('SELECT limits.hard(4000)'), 'canceling statement due to user request', 'a cancelled query ends the solver');

CREATE FUNCTION limits.resident_kb() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT substring(pg_read_file('/proc/self/status') FROM 'VmRSS:\s*(\d+)')::bigint $$;
CREATE PROCEDURE limits.fail(times integer) LANGUAGE plpgsql AS $$
DECLARE
	failed integer := 0;
BEGIN
	FOR n IN 1 .. times LOOP
		BEGIN
			-- One in five runs into the memory limit, the others into the time limit.
			PERFORM limits.hard(150, CASE WHEN n % 5 = 0 THEN interval '10 min' ELSE '1 us' END, CASE WHEN n % 5 = 0 THEN 1 ELSE 1000 END);
		EXCEPTION WHEN program_limit_exceeded OR out_of_memory THEN
			failed := failed + 1;
		END;
	END LOOP;
	IF failed <> times THEN
		RAISE EXCEPTION 'only % of % failed', failed, times;
	END IF;
END $$;
SELECT lives_ok('CALL limits.fail(200)', 'failures are caught, one after another');
SELECT limits.resident_kb() AS before \gset
SELECT lives_ok('CALL limits.fail(1000)', '... a thousand times');
SELECT cmp_ok(limits.resident_kb() - :before, '<', 2000::bigint, '... and the backend grows by less than 2 MB');
SELECT is((SELECT status FROM limits.hard(12)), 'optimal', 'the solver works after all that');

SELECT ok((SELECT abs(a.objective_eur - m.objective_eur) < 1e-6 FROM ebr_solve('{1,2}', '{-0.1,0.3}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, ess_efficiency => 0.8) AS a,
	ebr_solve('{1,2}', '{-0.1,0.3}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, ess_efficiency => 0.8, method => 'milp') AS m), '... and is right');
SELECT is((SELECT count(*)::integer FROM generate_series(1, 50) AS n, LATERAL limits.hard(24) AS s WHERE s.status = 'optimal'), 50, '... and again');
SELECT is((SELECT (limits.hard(24)).ess_kw), (SELECT (limits.hard(24)).ess_kw), 'the same input gives the same plan');

-- What callers cannot ask for.
SELECT throws_ok('SELECT ebr_solve(''{1}'', ''{0.1}'', memory_limit_mb => 2000000000)', '22023', 'memory_limit_mb must be from 1 to 1024', 'a limit beyond what a superuser allows');
SELECT throws_ok('SELECT milp_solve(''x'', memory_limit_mb => 1025)', '22023', NULL, '... for models');
SELECT throws_ok('SELECT ebr_solve(''{1}'', ''{0.1}'', slot_length => ''1 us'')', '22023', 'slot_length must be at least a minute', 'slots without length');
SELECT throws_ok('SELECT local_phases(''2024-01-07'', 3, ''1 us'', ''UTC'')', '22023', 'slot_length must be at least a minute', '... of the local week');
SELECT * FROM finish();
DROP SCHEMA limits CASCADE;
