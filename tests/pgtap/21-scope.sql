-- The SQL side of scopes; the grammar itself is tested in plain C.
\set ON_ERROR_STOP 1
BEGIN;
SELECT plan(12);
SET search_path = public, smarthg;
SELECT is(scope_check('write_plan read_mainmeter_daily read_mainmeter_hourly'), 'read_mainmeter_hourly write_plan', 'a scope in normal form');
SELECT throws_ok($$ SELECT scope_check('write_appliance_top3_hourly') $$, '22023', 'scope-token "write_appliance_top3_hourly" has no sense', 'one without sense');
SELECT is(scope_check(NULL), NULL, 'null is null');
SELECT is(scope_explain('read_mainmeter_hourly write_plan'),
	E'It may see what your home''s main meters measure, hour by hour or coarser, and nothing finer.\nIt may store plans for your battery and vehicle.', 'in a resident''s words');
SELECT ok(scope_covers('read_mainmeter_30min', 'read_mainmeter_daily') AND NOT scope_covers('read_mainmeter_daily', 'read_mainmeter_30min'), 'finer covers coarser');
SELECT is(scope_narrow('read_mainmeter_15min read_home', 'read_mainmeter_hourly write_plan'), 'read_mainmeter_hourly', 'narrowed to what is allowed');
SELECT is(scope_narrow('read_home', 'write_plan'), NULL, 'null where nothing is left');
SELECT is(scope_to_green_button('read_mainmeter_hourly', '1095 days'), 'FB=4_5;IntervalDuration=3600;HistoryLength=94608000', 'to Green Button');
SELECT is(scope_to_green_button('read_mainmeter_hourly'), 'FB=4_5;IntervalDuration=3600', 'without a limit');
SELECT throws_ok($$ SELECT scope_to_green_button('write_plan') $$, '22023', 'scope has no Green Button counterpart', 'what it cannot say');
SELECT results_eq($$ SELECT scope, history FROM scope_from_green_button('FB=4_5_15;IntervalDuration=900;BlockDuration=monthly;HistoryLength=34128000') $$,
	$$ VALUES ('read_mainmeter_15min', '395 days'::interval) $$, 'and from it');
SELECT throws_ok($$ SELECT scope_from_green_button('FB=10;IntervalDuration=3600') $$, '22023', 'Green Button scope is not valid', 'gas has no counterpart');
SELECT * FROM finish();
ROLLBACK;
