-- The schema's promises: everything inside smarthg, everything commented, units in names,
-- privileges by role.
\set ON_ERROR_STOP 1
BEGIN;
SELECT plan(19);
SET search_path = public, smarthg;

SELECT has_table('smarthg'::name, t::name, format('table %s is there', t))
FROM unnest('{substation,meter,register,reading_day,energy_day,market_price,power_profile,plan}'::text[]) AS t;

SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'smarthg'
	WHERE c.relnamespace <> 'smarthg'::regnamespace
$$, 'the extension owns no relation outside its schema');

SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
		AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
$$, 'every table, view and sequence has a comment');

SELECT is_empty($$
	SELECT c.oid::regclass, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND col_description(c.oid, a.attnum) IS NULL
$$, 'every column has a comment');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'smarthg'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
$$, 'every function has a comment');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'smarthg'::regnamespace AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL AND p.prokind = 'f'
		AND NOT coalesce(p.proconfig::text, '') ~ 'search_path=smarthg, pg_temp'
$$, 'every function with a text body has a pinned search_path');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'smarthg'::regnamespace AND l.lanname = 'c' AND NOT has_function_privilege('public', p.oid, 'EXECUTE')
		AND NOT coalesce(p.proconfig::text, '') ~ 'search_path=smarthg, pg_temp'
		-- These name the schema themselves, and are to be fast.
		AND p.proname NOT IN ('authenticate', 'logout', 'token_verify')
$$, '... and so has every C function that reads tables');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'smarthg'::regnamespace AND l.lanname = 'plpgsql' AND p.proparallel <> 'u' AND p.prosrc ~ '\mEXCEPTION\M'
$$, 'nothing that needs a subtransaction claims to run in parallel workers');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'smarthg'::regnamespace AND p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE')
$$, 'no function with its owner''s rights is open to everybody');

SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c, unnest('{smarthg_service,smarthg_bridge,smarthg_analyst}'::text[]) AS r
	WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'v')
		AND has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
$$, 'services, the bridge and analysts touch no table directly');

SELECT is((SELECT count(*)::integer FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition),
	(SELECT cardinality(extconfig) FROM pg_extension WHERE extname = 'smarthg'), 'all tables and sequences are registered for pg_dump');

SELECT ok(bool_and(new_id() >> 40 = (settings()).shard_no), 'identifiers carry the shard''s number') FROM generate_series(1, 3);

SELECT * FROM finish();
ROLLBACK;
