-- Ingestion: every record once, nothing lost, nothing believed blindly (DESIGN.md section 7).
\ir home.psql
SELECT plan(56);

SELECT is(pg_temp.feed(1, '2023-05-01 00:00Z', 100), 1::bigint, 'the first record is committed');
SELECT is(pg_temp.feed(1, '2023-05-01 00:00Z', 999), 1::bigint, 'the same record again is acknowledged');
SELECT is((SELECT array_agg(raw_value) FROM reading), '{100}', '... and changes nothing');
SELECT is(pg_temp.feed(3, '2023-05-01 00:30Z', 300), 1::bigint, 'a record behind a missing one is stored, the mark waits');
SELECT is(pg_temp.feed(3, '2023-05-01 00:30Z', 301), 1::bigint, '... once');
SELECT is(pg_temp.feed(4, '2023-05-01 00:45Z', 400), 1::bigint, '... and so is the next');
SELECT is(pg_temp.feed(2, '2023-05-01 00:15Z', 200), 4::bigint, 'the missing one moves the mark over all of them');
SELECT is((SELECT array_agg(raw_value ORDER BY measured_at) FROM reading), '{100,200,300,400}', 'all are stored exactly once');
SELECT is((SELECT count(*)::integer FROM gateway_record_ahead), 0, 'no record is kept ahead of the mark');
SELECT is(settle_readings(), false, 'what has landed is settled');
SELECT is((SELECT array_agg(raw_value ORDER BY measured_at) FROM reading), '{100,200,300,400}', '... which readers do not notice');
SELECT is((SELECT partstrat FROM pg_partitioned_table WHERE partrelid = 'reading_day'::regclass), 'r', 'readings are partitioned');
SELECT has_table('smarthg'::name, 'reading_day_2023_05'::name, 'the month''s partition made itself');

SELECT is(pg_temp.feed(5, '2023-05-01 01:00Z', 500, device => '\x0015bc00000000ff'), 5::bigint, 'a record of an unknown meter is acknowledged');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 5), 'meter is unknown', '... and kept in quarantine');
SELECT pg_temp.feed(6, '2023-05-01 01:00Z', 0, reason => 'ZCL frame ends early');
SELECT is((SELECT (reason, telegram)::text FROM quarantine WHERE record_no = 6), '("ZCL frame ends early","\\x01")', 'a telegram that cannot be decoded is kept raw');
SELECT pg_temp.feed(7, '1970-01-01 00:00Z', 1);
SELECT is((SELECT reason FROM quarantine WHERE record_no = 7), 'time is implausible', 'an implausible time makes no partition');
SELECT pg_temp.feed(8, now() + interval '1 year', 1);
SELECT is((SELECT reason FROM quarantine WHERE record_no = 8), 'time is implausible', '... in the far future neither');

SELECT pg_temp.feed(9, '2023-05-01 01:00Z', 410, multiplier => 1, divisor => 1000);
SELECT is((SELECT count(*)::integer FROM register_epoch), 1, 'a scale that is known already begins no epoch');
SELECT pg_temp.feed(10, '2023-05-01 01:15Z', 42, multiplier => 1, divisor => 100);
SELECT is((SELECT array_agg(divisor ORDER BY valid_from) FROM register_epoch), '{1000,100}', 'a new scale begins an epoch');
SELECT refresh_interval_energy();
SELECT is_empty($$ SELECT * FROM interval_energy WHERE slot_start = '2023-05-01 01:00Z' $$, '... over which no difference is taken');

SELECT is((SELECT (last_reading_at, last_raw_value)::text FROM register), '("2023-05-01 01:15:00+00",42)', 'the newest reading is at hand');
SELECT pg_temp.feed(11, '2023-05-01 02:00Z', 1, unit => 'm3');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 11), 'unit differs from the register''s', 'a register does not change its unit');

SELECT pg_temp.feed(12, '2023-05-01 02:00Z', 0, obis => '*', unit => 'scale', multiplier => 1, divisor => 10);
SELECT is((SELECT (default_multiplier, default_divisor)::text FROM meter), '(1,10)', 'a scale reported alone becomes the meter''s default');
SELECT is((SELECT (divisor, valid_from)::text FROM register_epoch ORDER BY valid_from DESC LIMIT 1), '(10,"2023-05-01 02:00:00+00")', '... and begins an epoch of its registers');

-- Storage reports its state of charge.
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, device_eui64) VALUES (1, 10, -5, 5, '\x0015bc00000000e5');
SELECT pg_temp.feed(13, '2023-05-01 02:00Z', 101, device => '\x0015bc00000000e5', unit => '%', obis => '0-0:96.50.0.255', multiplier => 1, divisor => 2);
SELECT is((SELECT soc_kwh FROM ess_state), 5.05::float8, 'a state of charge in half percent becomes kWh');

SELECT pg_temp.feed(14, '2023-05-01 02:00Z', 202, device => '\x0015bc00000000e5', unit => '%', obis => '0-0:96.50.0.255', multiplier => 1, divisor => 2);
SELECT pg_temp.feed(15, '2023-05-01 02:00Z', -2, device => '\x0015bc00000000e5', unit => '%', obis => '0-0:96.50.0.255', multiplier => 1, divisor => 2);
SELECT is((SELECT array_agg(reason) FROM quarantine WHERE record_no IN (14, 15)), '{state of charge is implausible,state of charge is implausible}', 'none beyond full and empty');
SELECT is((SELECT count(*)::integer FROM ess_state), 1, '... is stored');

-- Records that the gateway lost.
SELECT is((SELECT committed_record_no FROM bridge_ingest('{1}', '{20}', '{NULL}', ARRAY[now()], '{0}', '{"\\x"}', '{"\\x"}', '{NULL}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')),
	20::bigint, 'a gateway can say which records it lost');
SELECT is((SELECT detail FROM gateway_event WHERE event = 'records_lost'), 'The gateway lost 5 of its records 16 to 20.', '... and that is on record');

SELECT is((SELECT committed_record_no FROM bridge_ingest('{1,1}', '{23,25}', '{NULL,NULL}', ARRAY[now(), now()], '{1,0}', '{"\\x","\\x"}', '{"\\x","\\x"}', '{odd,NULL}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')),
	25::bigint, 'a loss declared together with records');
SELECT is((SELECT detail FROM gateway_event WHERE event = 'records_lost' ORDER BY event_id DESC LIMIT 1), 'The gateway lost 4 of its records 21 to 25.', '... does not count those that arrived');
SELECT is((SELECT committed_record_no FROM bridge_ingest('{1}', '{9223372036854775807}', '{NULL}', ARRAY[now()], '{0}', '{"\\x"}', '{"\\x"}', '{NULL}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')),
	25::bigint, 'an absurd loss does not mute the gateway');
SELECT throws_ok($$ SELECT * FROM bridge_ingest('{1}', '{26,27}', '{NULL}', ARRAY[now()], '{1}', '{"\\x"}', '{"\\x"}', '{NULL}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') $$,
	'2202E', NULL, 'a batch of arrays of different length is refused');
SELECT is(pg_temp.feed(26, '2023-06-01 00:00Z', -5), 26::bigint, 'a negative count is acknowledged');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 26), 'count is negative', '... and kept in quarantine');

-- Scales that go there and back, in one batch and late, each 15 minutes one kWh.
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, name) VALUES (2, 1, 1, '\x0015bc00000000a2', 'sub', 'changing');
SELECT count(*) FROM bridge_ingest('{1,1,1,1}', '{27,28,29,30}', '{NULL,NULL,NULL,NULL}', ARRAY[now(), now(), now(), now()], '{1,1,1,1}', '{"\\x","\\x","\\x","\\x"}', '{"\\x","\\x","\\x","\\x"}', '{NULL,NULL,NULL,NULL}',
	'{1,2,3,4}', array_fill('\x0015bc00000000a2'::bytea, '{4}'), '{1,1,1,1}', array_fill('1-0:1.8.0.255'::text, '{4}'), array_fill('kWh'::text, '{4}'),
	'{1000,200,3000,4000}', '{1,1,1,1}', '{1000,100,1000,1000}', '{2023-06-01 00:00Z,2023-06-01 00:15Z,2023-06-01 00:30Z,2023-06-01 00:45Z}');
SELECT is((SELECT array_agg(e.divisor ORDER BY valid_from) FROM register_epoch e JOIN register r USING (register_id) WHERE r.meter_id = 2), '{1000,100,1000}', 'a scale that returns begins an epoch of its own');
SELECT pg_temp.feed(31, '2023-06-01 00:40Z', 360, device => '\x0015bc00000000a2', multiplier => 1, divisor => 100);
SELECT results_eq($$ SELECT e.divisor, e.valid_from FROM register_epoch e JOIN register r USING (register_id) WHERE r.meter_id = 2 AND valid_from >= '2023-06-01 00:40Z' ORDER BY 2 $$,
	$$ VALUES (100::bigint, '2023-06-01 00:40Z'::timestamptz), (1000, '2023-06-01 00:45Z') $$, 'a late reading with another scale leaves the younger ones theirs');
SELECT refresh_interval_energy();
SELECT is((SELECT (count(*), max(energy_kwh))::text FROM interval_energy i JOIN register r USING (register_id) WHERE r.meter_id = 2), '(0,)', '... and no energy is made of the changes');

-- What a ZigBee report does not say its meter does.
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, commodity, name) VALUES (3, 1, 1, '\x0015bc00000000a3', 'gas', 'gas'), (4, 1, 1, '\x0015bc00000000a4', 'heat', 'heat');
SELECT pg_temp.feed(32, '2023-06-01 00:00Z', 10, device => '\x0015bc00000000a3', obis => '?1-0:1.8.0.255', unit => '?'),
	pg_temp.feed(33, '2023-06-01 00:00Z', 10, device => '\x0015bc00000000a4', obis => '?1-0:1.8.0.255', unit => '?'),
	pg_temp.feed(34, '2023-06-01 01:00Z', 10, device => '\x0015bc00000000a2', obis => '?1-0:1.8.0.255', unit => '?'),
	pg_temp.feed(35, '2023-06-01 01:00Z', 10, device => '\x0015bc00000000a2', obis => '?1-0:16.7.0.255', unit => '?/h');
SELECT results_eq($$ SELECT r.obis, r.unit FROM register r WHERE r.meter_id IN (2, 3, 4) ORDER BY r.meter_id, r.obis $$,
	$$ VALUES ('1-0:1.8.0.255', 'kWh'), ('1-0:16.7.0.255', 'kW'), ('7-0:3.0.0.255', 'm3'), ('6-0:1.0.0.255', 'kWh') $$, 'a summation of what the meter measures, in its unit');
SELECT pg_temp.feed(36, '2023-06-01 01:00Z', 10, device => '\x0015bc00000000a3', obis => '?1-0:2.8.0.255', unit => '?');
SELECT is((SELECT count(*)::integer FROM register r WHERE r.meter_id = 3), 1, 'a gas meter has nothing else');
SELECT pg_temp.feed(37, '2023-06-01 01:00Z', 10, device => '\x0015bc00000000a3', obis => '1-0:1.8.0.255');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 37), 'medium is not that of the meter', 'a report of electricity by a gas meter waits');
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, commodity, name) VALUES (5, 1, 1, '\x0015bc00000000a5', 'water', 'water');
SELECT pg_temp.feed(38, '2023-06-01 00:00Z', 1, device => '\x0015bc00000000a5', obis => '*', unit => 'ft3', divisor => 100);
SELECT is((SELECT (default_unit, default_bcd, default_divisor)::text FROM meter WHERE meter_id = 5), '(ft3,t,100)', 'a unit reported alone is the meter''s from then on');
SELECT pg_temp.feed(39, '2023-06-01 00:00Z', 4660, device => '\x0015bc00000000a5', obis => '?1-0:1.8.0.255', unit => '?');
SELECT is((SELECT (r.obis, r.unit, v.raw_value)::text FROM register r JOIN reading v USING (register_id) WHERE r.meter_id = 5), '(8-0:1.0.0.255,ft3,1234)', '... and so are its decimal digits');
SELECT pg_temp.feed(40, '2023-06-01 00:15Z', 10, device => '\x0015bc00000000a5', obis => '?1-0:1.8.0.255', unit => '?');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 40), 'count is not of decimal digits', '... and what has others waits');
SELECT pg_temp.feed(41, '2023-06-01 00:15Z', 0, device => '\x0015bc00000000a5', obis => '*', unit => 'scale', divisor => 1000);
SELECT is((SELECT (default_unit, default_bcd)::text FROM meter WHERE meter_id = 5), '(ft3,t)', 'a scale alone leaves the unit');
SELECT pg_temp.feed(42, '2023-06-01 00:15Z', 0, device => '\x0015bc00000000a5', obis => '*', unit => 'm3');
SELECT pg_temp.feed(43, '2023-06-01 00:30Z', 10, device => '\x0015bc00000000a5', obis => '?1-0:1.8.0.255', unit => '?');
SELECT is((SELECT reason FROM quarantine WHERE record_no = 43), 'unit differs from the register''s', 'a meter that takes another unit does not change its register''s');
SELECT is((SELECT obis_commodity('9-0:1.0.0.255')), 'water', 'warm water is water');

-- Sessions and presence.
INSERT INTO gateway (gateway_id, home_id, eui64, link_key) VALUES (2, 1, '\x0015bc0000000002', '\x000102030405060708090a0b0c0d0e0f');
CREATE FUNCTION pg_temp.journal(events text[], peer text DEFAULT 'peer') RETURNS void LANGUAGE sql AS $$
	SELECT bridge_journal(array_agg(split_part(e, ' ', 1) ORDER BY n), array_agg(split_part(e, ' ', 2)::bigint ORDER BY n), array_agg(nullif(split_part(e, ' ', 3), '')::bigint ORDER BY n),
		array_agg(true ORDER BY n), array_agg(1700000000000 + 1500 * n ORDER BY n), array_agg(peer || n ORDER BY n)) FROM unnest(events) WITH ORDINALITY AS u(e, n)
$$;
SELECT pg_temp.journal('{opened 1 7,opened 2 20,opened 1 8,resumed 1 8,closed 2 19,closed 2 20,resumed 2 21,resumed 2 21}');
SELECT results_eq($$ SELECT gateway_id, session_no, resumed, peer, closed_at IS NULL, close_reason FROM gateway_session ORDER BY gateway_id, opened_at $$,
	$$ VALUES (1::bigint, 7::bigint, 0, 'peer1', false, 'a new session began'), (1, 8, 1, 'peer4', true, NULL), (2, 20, 0, 'peer2', false, 'peer6'), (2, 21, 1, 'peer8', true, NULL) $$,
	'sessions of one call: a new one ends the old one, a resumed one goes on or begins, one that is not open is not closed');
SELECT pg_temp.journal('{opened 1 9,closed 1 8}');
SELECT is((SELECT session_no FROM gateway_session WHERE gateway_id = 1 AND closed_at IS NULL), 9::bigint, 'the end of an older session leaves the new one open');
SELECT pg_temp.journal('{online 2,online 1,online 1,offline 1,closed 1 9,offline 1,online 1}', 'why');
SELECT results_eq($$ SELECT gateway_id, event, detail, eui64 = (SELECT g.eui64 FROM gateway g WHERE g.gateway_id = e.gateway_id), extract(epoch FROM at)::text FROM gateway_event e WHERE event LIKE '%line' ORDER BY event_id $$,
	$$ VALUES (2::bigint, 'online', 'why1', true, '1700000001.500000'), (1, 'online', 'why2', true, '1700000003.000000'), (1, 'offline', 'why4', true, '1700000006.000000'), (1, 'online', 'why7', true, '1700000010.500000') $$,
	'each change of presence is one row, in their order');
SELECT results_eq($$ SELECT gateway_id, online, extract(epoch FROM online_changed_at)::text FROM gateway WHERE gateway_id < 3 ORDER BY 1 $$,
	$$ VALUES (1::bigint, true, '1700000010.500000'), (2, true, '1700000001.500000') $$, 'and the last one stays');
-- One call is as many calls of one event each: the same for gateways 101 to 104 and 201 to 204.
INSERT INTO gateway (gateway_id, home_id, eui64) SELECT i, 1, decode(lpad(to_hex(i), 16, '0'), 'hex') FROM unnest('{101,102,103,104,201,202,203,204}'::bigint[]) AS i;
SELECT setseed(0.5) \g /dev/null
CREATE TEMPORARY TABLE happened AS SELECT n, (ARRAY['opened', 'resumed', 'closed', 'online', 'offline'])[ceil(random() * 5)] AS event, ceil(random() * 4)::bigint AS gateway, ceil(random() * 3)::bigint AS session_no, random() < 0.5 AS secured
	FROM generate_series(1, 400) AS n;
SELECT bridge_journal(array_agg(event ORDER BY n), array_agg(100 + gateway ORDER BY n), array_agg(session_no ORDER BY n), array_agg(secured ORDER BY n), array_agg(1700000000000 + n ORDER BY n), array_agg('why ' || n ORDER BY n)) FROM happened;
DO $$ DECLARE h happened; BEGIN
	FOR h IN SELECT * FROM happened ORDER BY n LOOP
		PERFORM bridge_journal(ARRAY[h.event], ARRAY[200 + h.gateway], ARRAY[h.session_no], ARRAY[h.secured], ARRAY[1700000000000 + h.n], ARRAY['why ' || h.n]);
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.book(base bigint) RETURNS text LANGUAGE sql AS $$
	SELECT concat((SELECT string_agg(concat_ws(' ', gateway_id - base, session_no, peer, secured, resumed, closed_at IS NULL, close_reason), ',' ORDER BY gateway_id, opened_at) FROM gateway_session WHERE gateway_id - base BETWEEN 1 AND 4),
		(SELECT string_agg(concat_ws(' ', gateway_id - base, at, event, detail), ',' ORDER BY gateway_id, event_id) FROM gateway_event WHERE gateway_id - base BETWEEN 1 AND 4),
		(SELECT string_agg(concat_ws(' ', online, online_changed_at), ',' ORDER BY gateway_id) FROM gateway WHERE gateway_id - base BETWEEN 1 AND 4))
$$;
SELECT is(pg_temp.book(100), pg_temp.book(200), 'one call writes what many calls of one event each do');
SELECT cmp_ok((SELECT count(*) FROM gateway_session WHERE gateway_id BETWEEN 101 AND 104), '>', 80::bigint, 'which is not little');
SELECT throws_ok($$ SELECT pg_temp.journal('{opened 1 10,opened 987654 11}') $$, '23503', NULL, 'a session of no gateway fails');

SET LOCAL ROLE smarthg_bridge;
SELECT throws_ok($$ SELECT * FROM smarthg.gateway $$, '42501', NULL, 'the bridge reads no table');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
