-- Mirrors: sixteen a gateway, an endpoint for one device, every word once and in the order of the
-- records, errors as events (document 4.1.1.1, DESIGN.md section 7).
\ir home.psql
SELECT plan(54);

INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (2, 1, 1, 'home 2');
INSERT INTO gateway (gateway_id, home_id, eui64) VALUES (2, 2, '\x0015bc0000000002');
UPDATE gateway SET online = true;
CREATE FUNCTION pg_temp.device(n integer) RETURNS bytea LANGUAGE sql AS $$ SELECT decode('0015bc03' || lpad(to_hex(n), 8, '0'), 'hex') $$;
-- One word about mirrors of device n, in a record of its own.
CREATE FUNCTION pg_temp.say(number bigint, n integer, message text, endpoint integer DEFAULT 0, at timestamptz DEFAULT '2023-05-01 00:00Z', gateway bigint DEFAULT 1) RETURNS bigint
LANGUAGE sql AS $$ SELECT pg_temp.feed(number, at + number * interval '1 s', endpoint, device => pg_temp.device(n), obis => '*mirror', unit => message, endpoint => 2::smallint, gateway => gateway) $$;
CREATE FUNCTION pg_temp.book(gateway bigint DEFAULT 1) RETURNS text
LANGUAGE sql AS $$ SELECT string_agg(right(encode(device_address, 'hex'), 2) || ':' || endpoint, ' ' ORDER BY endpoint) FROM mirror WHERE removed_at IS NULL AND gateway_id = gateway $$;
CREATE FUNCTION pg_temp.outcome(number bigint) RETURNS text LANGUAGE sql AS $$ SELECT outcome FROM mirror_message WHERE record_no = number AND gateway_id = 1 $$;
-- The last message to a gateway.
CREATE FUNCTION pg_temp.told() RETURNS text
LANGUAGE sql AS $$ SELECT concat_ws(' ', message, right(encode(device_address, 'hex'), 2), device_endpoint, endpoint, state) FROM mirror_request ORDER BY request_id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.events(name text) RETURNS integer LANGUAGE sql AS $$ SELECT count(*)::integer FROM gateway_event WHERE event = name AND gateway_id = 1 AND eui64 = '\x0015bc0000000001' $$;

SELECT is(pg_temp.say(1, 1, 'request'), 1::bigint, 'a request is a record like others');
SELECT is(pg_temp.book(), '01:16', 'it gets the first free endpoint');
SELECT is(pg_temp.told(), 'response 01 2 16 pending', '... and the gateway is to tell the meter');
SELECT is((SELECT (device_endpoint, created_at, confirmed_at, initialised_at)::text FROM mirror), '(2,"2023-05-01 00:00:01+00",,)', 'so far it is offered');
SELECT is((SELECT count(*)::integer FROM quarantine), 0, 'no meter needs to be known for it');
SELECT pg_temp.say(1, 1, 'removed', 16);
SELECT is(pg_temp.book(), '01:16', 'the same record again changes nothing');
SELECT pg_temp.say(2, 1, 'request');
SELECT is(pg_temp.book() || ' ' || pg_temp.outcome(2), '01:16 kept', 'a device that asks again gets its endpoint again');
SELECT is((SELECT string_agg(state, ' ' ORDER BY request_id) FROM mirror_request), 'superseded pending', '... by one message');
SELECT is((SELECT (gateway_id, device_address, device_endpoint, message, endpoint)::text FROM bridge_mirror_requests(10)), '(1,"\\x0015bc0300000001",2,response,16)', 'the bridge fetches it');
SELECT bridge_mirror_state(request_id, 'sent', NULL) FROM bridge_mirror_requests(10);
SELECT bridge_mirror_state(request_id, 'acknowledged', NULL) FROM bridge_mirror_requests(10);
SELECT is(pg_temp.told() || ' ' || (SELECT confirmed_at IS NOT NULL FROM mirror), 'response 01 2 16 acknowledged true', 'what the gateway confirms is there');
SELECT is_empty('SELECT * FROM bridge_mirror_requests(10)', '... and done with');
SELECT pg_temp.say(3, 1, 'filled');
SELECT is((SELECT initialised_at FROM mirror), '2023-05-01 00:00:03Z', 'the meter''s first writing begins it');
SELECT pg_temp.say(4, 1, 'filled');
SELECT is((SELECT initialised_at FROM mirror), '2023-05-01 00:00:03Z', '... not its next');
SELECT is((SELECT count(*)::integer FROM mirror_message), 2, '... which leaves no row behind each time');

-- Sixteen and no more.
SELECT pg_temp.say(3 + n, n, 'request') FROM generate_series(2, 16) AS n \g /dev/null
SELECT is((SELECT count(*) || ' ' || min(endpoint) || ' ' || max(endpoint) FROM mirror WHERE removed_at IS NULL), '16 16 31', 'sixteen have one each');
SELECT is(pg_temp.events('mirror_refused'), 0, '... without an error');
SELECT pg_temp.say(20, 17, 'request');
SELECT is(pg_temp.outcome(20) || ', ' || pg_temp.told(), 'refused, response 11 2 65535 pending', 'the seventeenth is told that there is none');
SELECT is(pg_temp.events('mirror_refused'), 1, '... which is an event');
SELECT is((SELECT count(*)::integer FROM quarantine), 0, '... and no lost record');
SELECT pg_temp.say(21, 17, 'response', 40);
SELECT is(pg_temp.outcome(21) || ' ' || pg_temp.events('mirror_refused'), 'refused 2', 'nor does the gateway''s own word make a seventeenth');
SELECT is(pg_temp.say(1, 1, 'request', gateway => 2) || ' ' || pg_temp.book(2), '1 01:16', 'another gateway has its own');
SELECT is((SELECT count(*)::integer FROM mirror WHERE device_address = pg_temp.device(1) AND removed_at IS NULL), 2, '... of the same device, too');
SELECT pg_temp.say(22, 5, 'removed', 20);
SELECT is(pg_temp.outcome(22) || ' ' || (SELECT removed_by FROM mirror WHERE gateway_id = 1 AND endpoint = 20), 'removed gateway', 'a mirror that the gateway removed is closed');
SELECT pg_temp.say(23, 17, 'request');
SELECT is(pg_temp.told(), 'response 11 2 20 pending', '... and its endpoint the next one''s');
SELECT pg_temp.say(24, 5, 'removed', 20);
SELECT is(pg_temp.outcome(24) || ' ' || pg_temp.events('mirror_unknown') || ' ' || (SELECT count(*) FROM mirror WHERE gateway_id = 1 AND removed_at IS NULL), 'kept 0 16', 'to hear it twice takes it from nobody');
SELECT pg_temp.say(25, 6, 'removed', 16);
SELECT is(pg_temp.outcome(25) || ' ' || pg_temp.events('mirror_unknown'), 'unknown 1', 'an endpoint that is not the device''s is an event');
SELECT pg_temp.say(26, 99, 'remove');
SELECT is(pg_temp.outcome(26) || ' ' || pg_temp.events('mirror_unknown') || ', ' || pg_temp.told(), 'unknown 2, removed 63 2 65535 pending', '... and so is a device that has none');
SELECT pg_temp.say(27, 6, 'remove');
SELECT is(pg_temp.outcome(27) || ' ' || pg_temp.told(), 'removed removed 06 2 21 pending', 'a meter gives its mirror back, and is told so');
SELECT is((SELECT removed_by FROM mirror WHERE gateway_id = 1 AND endpoint = 21), 'meter', '... which is its own doing');

-- A gateway that answers itself.
SELECT pg_temp.say(28, 30, 'request');
SELECT pg_temp.say(29, 30, 'response', 100);
SELECT is(pg_temp.outcome(29) || ', ' || pg_temp.told(), 'kept, response 1e 2 21 superseded', 'a gateway''s own answer stands, ours is taken back');
SELECT is((SELECT (endpoint, confirmed_at)::text FROM mirror WHERE device_address = pg_temp.device(30)), '(100,"2023-05-01 00:00:29+00")', '... with its endpoint');
SELECT pg_temp.say(30, 31, 'response', 100);
SELECT is((SELECT string_agg(right(encode(device_address, 'hex'), 2) || coalesce(' ' || removed_by, ''), ', ' ORDER BY mirror_id) FROM mirror WHERE endpoint = 100), '1e gateway, 1f', 'an endpoint given to another device is no longer the first one''s');
SELECT is(pg_temp.events('mirror_replaced'), 1, '... which is an event');
SELECT pg_temp.say(31, 31, 'response', 241);
SELECT is(pg_temp.outcome(31) || ' ' || pg_temp.events('mirror_invalid'), 'invalid 1', 'no mirror is on an endpoint that ZigBee does not have');
SELECT pg_temp.say(32, 31, 'response', 65535);
SELECT is(pg_temp.outcome(32) || ' ' || (SELECT count(*) FROM mirror WHERE endpoint = 100 AND removed_at IS NULL), 'refused 0', 'a gateway that refuses has none');

-- The order of records, not that of their arrival.
SELECT pg_temp.say(35, 50, 'remove');
SELECT pg_temp.say(34, 50, 'request');
SELECT is(pg_temp.outcome(34) || ' ' || (SELECT count(*) FROM mirror WHERE device_address = pg_temp.device(50)), 'late 0', 'a request that comes after the removal behind it makes no mirror');
SELECT is((SELECT committed_record_no FROM gateway WHERE gateway_id = 1), 32::bigint, '... and the mark waits for the missing record');
SELECT pg_temp.say(33, 51, 'request');
SELECT is((SELECT committed_record_no || ' ' || pg_temp.outcome(33) FROM gateway WHERE gateway_id = 1), '35 made', 'other devices are not held up');
SELECT pg_temp.say(36, 7, 'remove'), pg_temp.say(37, 8, 'remove');
SELECT count(*) FROM bridge_ingest('{1,1}', '{39,38}', '{NULL,NULL}', ARRAY[now(), now()], '{1,1}', '{"",""}', '{"",""}', '{NULL,NULL}', '{1,2}', ARRAY[pg_temp.device(52), pg_temp.device(52)], '{2,2}',
	'{*mirror,*mirror}', '{remove,request}', '{0,0}', '{NULL,NULL}', '{NULL,NULL}', ARRAY[now(), now()]) \g /dev/null
SELECT is(pg_temp.outcome(38) || ' ' || pg_temp.outcome(39), 'made removed', 'in one batch they are put in order');
-- Longer ago than readings are accepted from.
SELECT pg_temp.say(40, 53, 'request', at => '2012-01-01 00:00Z');
SELECT is(pg_temp.outcome(40), 'made', 'an old record is a record');

-- The operator.
SELECT throws_ok('SELECT remove_mirror(1, 99)', '22023', 'the gateway has no mirror on this endpoint', 'what is not there cannot be removed');
SET LOCAL ROLE smarthg_admin;
SELECT remove_mirror(1, 16) AS request \gset
RESET ROLE;
SELECT is(pg_temp.told() || ' ' || pg_temp.book() LIKE 'removed 01 2 16 pending 01:16 %', true, 'the operator asks for a mirror''s removal, which waits for the gateway');
SELECT pg_temp.say(41, 1, 'request');
SELECT is(pg_temp.told(), 'removed 01 2 16 pending', 'its meter cannot ask it away');
SELECT pg_temp.say(47, 1, 'response', 16);
UPDATE mirror_request SET created_at = now() - interval '1 month' WHERE request_id = :request;
SELECT count(*) FROM bridge_mirror_requests(10) \g /dev/null
SELECT is(pg_temp.told(), 'removed 01 2 16 pending', '... nor its gateway, and it waits for that as long as it takes');
SELECT bridge_mirror_state(:request, 'acknowledged', NULL);
SELECT is((SELECT removed_by FROM mirror WHERE gateway_id = 1 AND endpoint = 16), 'operator', 'once the gateway has done it, it is closed');
SELECT bridge_mirror_state(remove_mirror(1, 17), 'failed', 'gateway did not answer');
SELECT is((SELECT count(*) || ' ' || max(detail) FROM mirror JOIN gateway_event USING (gateway_id) WHERE gateway_id = 1 AND endpoint = 17 AND removed_at IS NULL AND event = 'mirror_request_failed'),
	'1 Device 0015bc0300000002 could not be told that its mirror is removed: gateway did not answer.', 'what the gateway does not do stays open, and is an event');

-- A gateway whose records tell what it did.
SELECT remove_mirror(1, 19) \g /dev/null
SELECT pg_temp.say(42, 4, 'removed', 19);
SELECT is(pg_temp.told() || (SELECT ' ' || removed_by FROM mirror WHERE gateway_id = 1 AND device_address = pg_temp.device(4)), 'removed 04 2 19 acknowledged operator', 'its record is as good as its answer');
SELECT pg_temp.say(43, 4, 'request');
SELECT pg_temp.say(44, 4, 'response', (SELECT endpoint FROM mirror WHERE device_address = pg_temp.device(4) AND removed_at IS NULL)) \g /dev/null
SELECT is(split_part(pg_temp.told(), ' ', 5), 'acknowledged', '... of a new mirror, too');

-- Answers that nobody took.
SELECT pg_temp.say(45, 60, 'request');
UPDATE mirror_request SET created_at = now() - interval '11 minutes' WHERE device_address = pg_temp.device(60);
SELECT count(*) FROM bridge_mirror_requests(10) \g /dev/null
SELECT is((SELECT state || ' ' || removed_by FROM mirror_request JOIN mirror USING (device_address) WHERE device_address = pg_temp.device(60)), 'expired bridge', 'an offer that never reached the gateway frees its endpoint');

SELECT pg_temp.say(48, 9, 'request');
SELECT bridge_mirror_state(request_id, 'acknowledged', NULL) FROM mirror_request ORDER BY request_id DESC LIMIT 1;
SELECT pg_temp.say(49, 9, 'request');
SELECT bridge_mirror_state(request_id, 'failed', 'gateway did not answer') FROM mirror_request ORDER BY request_id DESC LIMIT 1;
SELECT is(split_part(pg_temp.told(), ' ', 5) || (SELECT ' ' || count(*) FROM mirror WHERE device_address = pg_temp.device(9) AND gateway_id = 1 AND confirmed_at IS NOT NULL AND removed_at IS NULL), 'failed 1', '... one that the gateway has made stays, though it be asked for in vain');

-- Sixteen, wherever they are.
SELECT pg_temp.say(2, 100, 'response', 100, gateway => 2);
SELECT pg_temp.say(1 + n, n, 'request', gateway => 2) FROM generate_series(2, 16) AS n \g /dev/null
SELECT is((SELECT count(*) || ' ' || max(outcome) FILTER (WHERE record_no = 17) FROM mirror JOIN mirror_message USING (gateway_id) WHERE gateway_id = 2 AND removed_at IS NULL GROUP BY record_no HAVING record_no = 17), '16 refused', 'the seventeenth is one, though an endpoint of ours be free');

-- Who is mirrored.
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, endpoint, kind, commodity, name) VALUES (21, 1, 1, pg_temp.device(2), 2, 'sub', 'gas', 'gas'), (22, 1, 1, '\x0015bc0000000001', 18, 'sub', 'water', 'water');
SELECT pg_temp.feed(46, '2023-05-02 00:00Z', 5, device => pg_temp.device(2), endpoint => 2::smallint, obis => '7-0:3.0.0.255', unit => 'm3');
SELECT settle_readings() \g /dev/null
SELECT is((SELECT string_agg(concat_ws(' ', endpoint, meter_id, home_id, name, commodity, last_update_at), ', ' ORDER BY endpoint) FROM mirrored_meter WHERE gateway_id = 1 AND endpoint BETWEEN 17 AND 20),
	'17 21 1 gas gas 2023-05-02 00:00:00+00, 18 22 1 water water, 20', 'mirrored meters are seen with their newest reading, by the device''s address or the gateway''s');
SELECT is((SELECT string_agg(DISTINCT role_table_grants.privilege_type, ',') FROM information_schema.role_table_grants WHERE grantee IN ('smarthg_bridge', 'smarthg_service', 'PUBLIC') AND table_schema = 'smarthg' AND table_name LIKE 'mirror%'), NULL, 'the bridge and services touch none of it');
SET LOCAL ROLE smarthg_bridge;
SELECT lives_ok('SELECT bridge_mirror_state(1, ''sent'', NULL), count(*) FROM bridge_mirror_requests(1)', 'the bridge calls what it needs');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
