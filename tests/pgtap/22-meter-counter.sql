-- Counters of M-Bus telegrams across starts of the bridge (bridge/core/freshness).
\ir home.psql
SELECT plan(19);

INSERT INTO gateway (gateway_id, home_id, eui64) VALUES (2, 1, '\x0015bc0000000002');
INSERT INTO meter_key VALUES ('\x1234567815933303', '\x000102030405060708090a0b0c0d0e0f'), ('\x8765432115933303', '\x000102030405060708090a0b0c0d0e0f');
CREATE FUNCTION pg_temp.keep(device bytea, kind integer, key_check bigint, counter bigint, heard timestamptz, gateway bigint DEFAULT 1) RETURNS void LANGUAGE sql AS $$
	SELECT smarthg.bridge_keep_meter_counters(ARRAY[device], ARRAY[kind]::smallint[], ARRAY[key_check], ARRAY[counter], ARRAY[extract(epoch FROM heard)::bigint], ARRAY[gateway]) $$;
CREATE FUNCTION pg_temp.kept(device bytea, kind integer, gateway bigint DEFAULT 1) RETURNS text LANGUAGE sql AS $$
	SELECT (key_check, counter, heard_at)::text FROM smarthg.bridge_meter_counters() AS c WHERE c.device_address = device AND c.kind = kept.kind AND c.gateway_id = gateway $$;

SELECT is_empty('SELECT FROM bridge_meter_counters()', 'no counter is known at first');
SELECT pg_temp.keep('\x1234567815933303', 1, 4294967295, 4294967290, '2023-05-01 00:00Z');
SELECT is(pg_temp.kept('\x1234567815933303', 1), '(4294967295,4294967290,"2023-05-01 00:00:00+00")', 'a counter is kept, 32 bits of it');
SELECT pg_temp.keep('\x1234567815933303', 1, 4294967295, 4294967291, '2023-05-01 00:15Z');
SELECT is(pg_temp.kept('\x1234567815933303', 1), '(4294967295,4294967291,"2023-05-01 00:15:00+00")', '... and a higher one in its place');
SELECT pg_temp.keep('\x1234567815933303', 1, 4294967295, 5, '2023-05-01 00:30Z');
SELECT is(pg_temp.kept('\x1234567815933303', 1), '(4294967295,4294967291,"2023-05-01 00:15:00+00")', '... a lower one, of a bridge that knows less, is not');
SELECT pg_temp.keep('\x1234567815933303', 1, 7, 1, '2023-05-01 00:45Z');
SELECT is(pg_temp.kept('\x1234567815933303', 1), '(7,1,"2023-05-01 00:45:00+00")', '... unless it is of another key');
SELECT pg_temp.keep('\x1234567815933303', 2, 7, 9, '2023-05-01 00:45Z');
SELECT is((SELECT count(*)::integer FROM bridge_meter_counters()), 2, 'the two kinds of counters are kept apart');
SELECT bridge_keep_meter_counters('{"\\x1234567815933303","\\x8765432115933303","\\x9999999915933303"}', '{1,1,1}', '{7,7,7}', '{2,3,4}', '{1682902800,1682902800,1682902800}', '{1,1,1}');
SELECT is((SELECT array_agg(counter ORDER BY device_address) FROM bridge_meter_counters() WHERE kind = 1), '{2,3}', 'several are kept at once; those of a meter without a key are passed over');
SELECT pg_temp.keep('\x1234567815933303', 1, 7, 5000, '2023-05-01 00:45Z', 2);
SELECT is(pg_temp.kept('\x1234567815933303', 1), '(7,2,"2023-05-01 01:00:00+00")', 'what another gateway heard is none of it');
SELECT is(pg_temp.kept('\x1234567815933303', 1, 2), '(7,5000,"2023-05-01 00:45:00+00")', '... but kept apart');
SELECT pg_temp.keep('\x1234567815933303', 1, 7, 5000, '2023-05-01 00:45Z', 99);
DELETE FROM meter_counter WHERE gateway_id = 2;

-- Who forgets.
UPDATE meter_key SET clear_accepted = true;
SELECT is((SELECT count(*)::integer FROM meter_counter), 3, 'a change of a key''s row that is none of the key forgets nothing');
DELETE FROM meter_key WHERE device_address = '\x1234567815933303';
SELECT is((SELECT array_agg(device_address) FROM meter_counter), '{"\\x8765432115933303"}', 'a key that is deleted takes its counters along');
SELECT has_trigger('smarthg', 'meter_counter', 'meter_counter_deleted', 'the bridge hears of what was deleted');
SELECT throws_ok($$ INSERT INTO meter_counter (device_address, kind, key_check, counter, heard_at, gateway_id) VALUES ('\x8765432115933303', 3, 7, 1, now(), 1) $$, '23514', NULL, 'there is no third kind');
SELECT throws_ok($$ INSERT INTO meter_counter (device_address, kind, key_check, counter, heard_at, gateway_id) VALUES ('\x8765432115933303', 2, 7, 4294967296, now(), 1) $$, '23514', NULL, 'a counter has 32 bits');
SELECT throws_ok($$ INSERT INTO meter_counter (device_address, kind, key_check, counter, heard_at, gateway_id) VALUES ('\x1111111115933303', 2, 7, 1, now(), 1) $$, '23503', NULL, 'and its meter a key');

-- Replays are decoded again only where they are asked for.
SELECT committed_record_no FROM bridge_ingest('{1,1}', '{1,2}', '{NULL,NULL}', ARRAY[now(), now()], '{2,2}', '{"\\x","\\x"}', '{"\\x01","\\x02"}', '{a replay: of something,something}',
	'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{NULL,NULL}') \g /dev/null
SELECT is(decode_quarantine(), 1::bigint, 'replays are not decoded again with all else');
SELECT is(decode_quarantine(reason => 'a replay:%'), 1::bigint, '... but where they are asked for');

SET ROLE smarthg_bridge;
SELECT lives_ok($$ SELECT smarthg.bridge_meter_counters() $$, 'the bridge reads through its function');
SELECT throws_ok($$ SELECT FROM smarthg.meter_counter $$, '42501', NULL, '... and not the table');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
