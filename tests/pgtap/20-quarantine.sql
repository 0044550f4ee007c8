-- Telegrams in quarantine are decoded again, once, when the keys or meters they lacked are there
-- (DESIGN.md section 7).
\ir home.psql
SELECT plan(30);

SELECT is(mbus_address('12345678', 'ELS', 51, 3), '\x1234567815933303', 'an M-Bus address is number, manufacturer, version and type');
SELECT is(mbus_address('1234', 'ELS', 51, 3), NULL, '... of a whole number');
SELECT is(mbus_address('12345678', 'els', 51, 3), NULL, '... and letters of the FLAG list');
SELECT throws_ok($$ INSERT INTO meter_key VALUES ('\x1234567815933303', '\x00') $$, '23514', NULL, 'a key has 16 bytes');

-- Three records that lack the key of one meter, one that lacks another's.
SELECT is((SELECT committed_record_no FROM bridge_ingest('{1,1,1,1}', '{1,2,3,4}', array_fill('2023-05-01 00:00Z'::timestamptz, '{4}'), array_fill('2023-05-01 00:01Z'::timestamptz, '{4}'), '{2,2,2,2}',
	'{"\\x","\\x","\\x","\\x"}', '{"\\x01","\\x02","\\x03","\\x04"}', '{no key,no key,no key,no key}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
	'{"\\x1234567815933303","\\x1234567815933303","\\x1234567815933303","\\x8765432115933303"}')), 4::bigint, 'telegrams without a key are acknowledged');
SELECT is_empty('SELECT FROM bridge_quarantine(-9223372036854775808, 10)', 'none is decoded again before something changes');
INSERT INTO meter_key VALUES ('\x1234567815933303', '\x000102030405060708090a0b0c0d0e0f');
SELECT is((SELECT count(*)::integer FROM bridge_meter_keys()), 1, 'the bridge gets the keys');
SELECT is((SELECT array_agg(telegram ORDER BY telegram) FROM bridge_quarantine(-9223372036854775808, 10)), '{"\\x01","\\x02","\\x03"}', 'a key calls for those that waited for it');
SELECT is((SELECT count(*)::integer FROM bridge_quarantine(-9223372036854775808, 2)), 2, '... page by page');
SELECT is((SELECT (received_at, gateway_time, kind)::text FROM bridge_quarantine(-9223372036854775808, 1)), '("2023-05-01 00:01:00+00","2023-05-01 00:00:00+00",2)', '... as they came');

INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name) VALUES (7, 1, 1, '\x1234567815933303', 'main', 'gas', 'gas');
CREATE FUNCTION pg_temp.quarantined(number bigint) RETURNS bigint LANGUAGE sql AS 'SELECT quarantine_id FROM smarthg.quarantine WHERE record_no = number';
CREATE FUNCTION pg_temp.reading(raw bigint) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('device', '1234567815933303', 'endpoint', 1, 'obis', '7-0:3.0.0.255', 'unit', 'm3', 'raw_value', raw,
		'multiplier', 1, 'divisor', 100, 'measured_ms', 1682899200000)) $$;
SELECT bridge_decoded(pg_temp.quarantined(1), NULL, NULL, pg_temp.reading(2850427));
SELECT is((SELECT (measured_at, raw_value, record_no)::text FROM reading), '("2023-05-01 00:00:00+00",2850427,1)', 'its readings are stored');
SELECT isnt((SELECT resolved_at FROM quarantine WHERE record_no = 1), NULL, '... and it is resolved');
SELECT bridge_decoded(pg_temp.quarantined(1), NULL, NULL, pg_temp.reading(1));
SELECT is((SELECT array_agg(raw_value) FROM reading), '{2850427}', '... once');
SELECT bridge_decoded(pg_temp.quarantined(2), 'another key', '\x1234567815933303', NULL);
SELECT is((SELECT (reason, retry, resolved_at)::text FROM quarantine WHERE record_no = 2), '("another key",f,)', 'one that still fails stays, with its new reason');
UPDATE meter_key SET key = '\x0f0e0d0c0b0a09080706050403020100';
SELECT count(*) FROM bridge_meter_keys();
SELECT is((SELECT array_agg(telegram ORDER BY telegram) FROM bridge_quarantine(-9223372036854775808, 10)), '{"\\x02","\\x03"}', '... and is called for with the next key');
SELECT bridge_decoded(pg_temp.quarantined(2), NULL, NULL, jsonb_set(pg_temp.reading(5), '{0,device}', '"8765432115933303"'));
SELECT is((SELECT (reason, resolved_at)::text FROM quarantine WHERE record_no = 2), '("meter is unknown",)', 'one of a meter that is unknown says so');
SELECT bridge_decoded(pg_temp.quarantined(3), NULL, NULL, '[]');
SELECT isnt((SELECT resolved_at FROM quarantine WHERE record_no = 3), NULL, 'one without readings is resolved');
SELECT is(decode_quarantine(reason => 'meter is %'), 1::bigint, 'an operator calls for those of a reason');
SELECT is(decode_quarantine(gateway_id => 99), 0::bigint, '... or of a gateway');
SELECT is(decode_quarantine(), 1::bigint, '... or for all');

-- Stored values of long ago are no fault.
SELECT pg_temp.feed(5, '2001-01-01 00:00Z', 100, device => '\x1234567815933303', obis => '7-0:3.0.0.1', unit => 'm3');
SELECT is_empty('SELECT FROM quarantine WHERE record_no = 5', 'a stored value that is too old is passed over');
SELECT is((SELECT count(*)::integer FROM reading), 1, '... and not stored');
SELECT pg_temp.feed(6, '2023-05-01 00:00Z', 100, device => '\x1234567815933303', obis => '7-0:3.0.0.1', unit => 'm3', multiplier => 1, divisor => 100);
SELECT is((SELECT array_agg(cumulative ORDER BY obis) FROM register), '{f,t}', 'the register of a stored value is not one that counts');

-- Compact frames wait for their layout, also where it came while they were on their way.
CREATE FUNCTION pg_temp.compact(number bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT committed_record_no FROM bridge_ingest('{1}', ARRAY[number], '{NULL}', ARRAY[now()], '{2}', '{"\\x"}', '{"\\x05"}', '{a compact frame whose layout was not seen yet}',
		'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') $$;
SELECT pg_temp.compact(7);
SELECT is((SELECT retry FROM quarantine WHERE record_no = 7), false, 'a compact frame waits for its layout');
SELECT bridge_mbus_layout(738004246, 4660, '\x0413', false);
SELECT is((SELECT retry FROM quarantine WHERE record_no = 7), true, '... and is called for with a layout');
SELECT is((SELECT (signature, blocks)::text FROM bridge_mbus_layouts()), '(4660,"\\x0413")', '... which the next bridge gets');
SELECT bridge_mbus_layout(738004246, 4660, '\x0406', false);
SELECT is((SELECT blocks FROM bridge_mbus_layouts()), '\x0413', 'one in clear does not take its place');
SELECT bridge_mbus_layout(738004246, 4660, '\x0406', true);
SELECT is((SELECT blocks FROM bridge_mbus_layouts()), '\x0406', 'a protected one does');
SELECT bridge_mbus_layout(738004246, 4660, '\x0413', true);
SELECT is((SELECT blocks FROM bridge_mbus_layouts()), '\x0406', '... and stays against another one');
SELECT pg_temp.compact(8);
SELECT is((SELECT retry FROM quarantine WHERE record_no = 8), true, 'one that was on its way then is called for too');
SELECT * FROM finish();
ROLLBACK;
