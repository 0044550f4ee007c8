-- The bridge's batches in one piece: they leave the database as the arrays of bridge_ingest do.
\ir home.psql
SELECT plan(43);

INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (2, 1, 1, 'second home');
INSERT INTO gateway (gateway_id, home_id, eui64) VALUES (2, 2, '\x0015bc0000000002'), (3, 2, '\x0015bc0000000003'), (4, 2, '\x0015bc0000000004');
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, name, kind, commodity, default_multiplier, default_divisor, default_unit, default_bcd) VALUES
	(2, 2, 2, '\x02', 'second', 'main', 'electricity', 1, 1000, 'kWh', false), (3, 2, 3, '\x03', 'gas', 'main', 'gas', 1, 100, NULL, false),
	(4, 2, 4, '\x04', 'decimal', 'sub', 'electricity', 1, 10, 'kWh', true), (5, 2, 4, '\x05', 'sub', 'sub', 'electricity', 1, 1, NULL, false);
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, device_eui64, endpoint) VALUES (2, 10, -5, 5, '\x0015bc00000000e1', 10);

CREATE TEMP TABLE sent (
	round integer, n bigint, gateway_id bigint, record_no bigint, gateway_time timestamptz, received_at timestamptz, kind smallint, address bytea, telegram bytea, reason text, device bytea
);
CREATE TEMP TABLE sent_reading (
	round integer, record bigint, i integer, device_address bytea, endpoint smallint, obis text, unit text, raw_value bigint, multiplier bigint, divisor bigint, measured_at timestamptz
);
GRANT SELECT ON sent, sent_reading TO PUBLIC;

CREATE FUNCTION pg_temp.ms(at timestamptz) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT int8send(coalesce(round(extract(epoch FROM at) * 1000)::bigint, 0)) $$;
CREATE FUNCTION pg_temp.short(value integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT substr(int4send(value), 3) $$;
CREATE FUNCTION pg_temp.byte(value integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT substr(int4send(value), 4) $$;
CREATE FUNCTION pg_temp.sized(body bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT int4send(length(body)) || body $$;

-- A round of records as one batch.
CREATE FUNCTION pg_temp.batch(which integer) RETURNS bytea LANGUAGE sql STABLE AS $$
	SELECT string_agg(pg_temp.sized(int8send(s.gateway_id) || int8send(s.record_no) || pg_temp.ms(s.gateway_time) || pg_temp.ms(s.received_at) || pg_temp.byte(s.kind)
		|| pg_temp.byte((s.reason IS NOT NULL)::integer + 2 * (s.device IS NOT NULL)::integer) || pg_temp.short(length(s.address)) || pg_temp.short(length(s.telegram))
		|| pg_temp.short(coalesce(octet_length(s.reason), 0)) || pg_temp.short(coalesce(r.count, 0)::integer) || coalesce(s.device, '') || s.address || s.telegram
		|| coalesce(convert_to(s.reason, 'UTF8'), '') || coalesce(r.readings, '')), '' ORDER BY s.n)
	FROM sent s LEFT JOIN (
		SELECT d.round, d.record, count(*), string_agg(int8send(d.raw_value) || int8send(coalesce(d.multiplier, 0)) || int8send(coalesce(d.divisor, 0)) || pg_temp.ms(d.measured_at)
			|| pg_temp.byte(4 + length(d.device_address) + octet_length(d.obis) + octet_length(d.unit)) || pg_temp.byte(length(d.device_address)) || pg_temp.byte(octet_length(d.obis))
			|| pg_temp.byte(octet_length(d.unit)) || pg_temp.byte(d.endpoint) || d.device_address || convert_to(d.obis, 'UTF8') || convert_to(d.unit, 'UTF8'), '' ORDER BY d.i) AS readings
		FROM sent_reading d GROUP BY d.round, d.record
	) AS r ON (r.round, r.record) = (s.round, s.n)
	WHERE s.round = which
$$;

-- The same as arrays.
CREATE FUNCTION pg_temp.feed_arrays(which integer) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(b::text, ' ' ORDER BY b.gateway_id)
	FROM (
		SELECT array_agg(s.gateway_id ORDER BY s.n) AS g, array_agg(s.record_no ORDER BY s.n) AS no, array_agg(s.gateway_time ORDER BY s.n) AS t, array_agg(s.received_at ORDER BY s.n) AS at,
			array_agg(s.kind ORDER BY s.n) AS k, array_agg(s.address ORDER BY s.n) AS a, array_agg(s.telegram ORDER BY s.n) AS bytes, array_agg(s.reason ORDER BY s.n) AS why, array_agg(s.device ORDER BY s.n) AS dev
		FROM sent s WHERE s.round = which
	) AS s, (
		SELECT array_agg(d.record::integer ORDER BY d.record, d.i) AS n, array_agg(d.device_address ORDER BY d.record, d.i) AS device, array_agg(d.endpoint ORDER BY d.record, d.i) AS endpoint, array_agg(d.obis ORDER BY d.record, d.i) AS obis,
			array_agg(d.unit ORDER BY d.record, d.i) AS unit, array_agg(d.raw_value ORDER BY d.record, d.i) AS raw, array_agg(d.multiplier ORDER BY d.record, d.i) AS m, array_agg(d.divisor ORDER BY d.record, d.i) AS q, array_agg(d.measured_at ORDER BY d.record, d.i) AS at
		FROM sent_reading d WHERE d.round = which
	) AS d, LATERAL bridge_ingest(s.g, s.no, s.t, s.at, s.k, s.a, s.bytes, s.why, coalesce(d.n, '{}'), coalesce(d.device, '{}'), coalesce(d.endpoint, '{}'), coalesce(d.obis, '{}'),
		coalesce(d.unit, '{}'), coalesce(d.raw, '{}'), coalesce(d.m, '{}'), coalesce(d.q, '{}'), coalesce(d.at, '{}'), s.dev) AS b
$$;
CREATE FUNCTION pg_temp.feed_batch(which integer) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(b::text, ' ' ORDER BY b.gateway_id) FROM bridge_ingest_batch(pg_temp.batch(which)) AS b
$$;

-- All that ingestion leaves behind, without identifiers that are made up.
CREATE FUNCTION pg_temp.what_is_there() RETURNS TABLE (line text) LANGUAGE sql STABLE AS $$
	SELECT format('landed %s %s %s %s %s %s %s %s', r.meter_id, r.obis, row_number() OVER (PARTITION BY l.register_id ORDER BY l.ctid), l.measured_at, l.raw_value, l.received_at, l.gateway_id, l.record_no)
		FROM reading_landing l JOIN register r USING (register_id)
	UNION ALL SELECT format('register %s %s %s %s', r.meter_id, r.obis, r.unit, r.cumulative) FROM register r
	UNION ALL SELECT format('epoch %s %s %s %s %s %s', r.meter_id, r.obis, e.valid_from, e.multiplier, e.divisor, e.modulus) FROM register_epoch e JOIN register r USING (register_id)
	UNION ALL SELECT format('meter %s %s %s %s %s', m.meter_id, m.default_multiplier, m.default_divisor, m.default_unit, m.default_bcd) FROM meter m
	UNION ALL SELECT format('gateway %s %s', g.gateway_id, g.committed_record_no) FROM gateway g
	UNION ALL SELECT format('ahead %s %s', a.gateway_id, a.record_no) FROM gateway_record_ahead a
	UNION ALL SELECT format('quarantine %s %s %s %s %s %s %s %s %s %s', q.gateway_id, q.record_no, q.gateway_time, q.received_at, q.kind, q.address, q.telegram, q.reason, q.device_address, q.retry) FROM quarantine q
	UNION ALL SELECT format('event %s %s %s', e.gateway_id, e.event, e.detail) FROM gateway_event e
	UNION ALL SELECT format('state %s %s %s', s.home_id, s.measured_at, s.soc_kwh) FROM ess_state s
$$;

-- Random rounds: mostly plain records, and of everything else a little. The seed is printed.
SELECT coalesce(nullif(current_setting('smarthg_test.seed', true), ''), (random() * 1000)::integer::text) AS seed \gset
SELECT diag('seed ' || :'seed');
SELECT setseed(:seed / 1000.0) \g /dev/null
INSERT INTO sent
SELECT w.round, row_number() OVER (PARTITION BY w.round ORDER BY w.shuffled, w.record_no), w.gateway_id, w.record_no, CASE WHEN random() < 0.9 THEN w.at END, w.at + interval '1 second',
	CASE WHEN random() < 0.005 THEN 0 ELSE 1 END, '\x0102', int8send(w.record_no),
	CASE WHEN random() < 0.03 THEN CASE WHEN random() < 0.5 THEN 'no key' ELSE 'größer' END END, CASE WHEN random() < 0.02 THEN '\x0102030405060708'::bytea END
FROM (
	SELECT v.round, v.gateway_id, v.record_no + (v.gateway_id = 4 AND v.record_no > 400)::integer AS record_no, timestamptz '2024-03-01 00:00Z' + v.record_no * interval '1 minute' AS at,
		-- The gateways' records mixed in order, one gateway after the other, or out of order.
		CASE v.round % 6 WHEN 0 THEN random() * 10 WHEN 1 THEN v.gateway_id * 100000 + v.record_no ELSE v.record_no * 100 + v.gateway_id END AS shuffled
	FROM (
		SELECT r.round, g.gateway_id, row_number() OVER (PARTITION BY g.gateway_id ORDER BY r.round * 100 + i.n + CASE WHEN random() < 0.01 THEN 105 ELSE 0 END) AS record_no
		FROM generate_series(1, 60) AS r(round), generate_series(1, 10) AS i(n), generate_series(1, 4) AS g(gateway_id) WHERE (r.round * 7 + g.gateway_id * 3) % 8 > 0
	) AS v
	UNION ALL
	SELECT 40, 2, n, '2024-03-01 01:00Z', n FROM generate_series(100, 105) AS n -- sent again
) AS w;
INSERT INTO sent_reading
SELECT s.round, s.n, row_number() OVER (PARTITION BY s.round, s.n), d.device, d.endpoint, d.obis, d.unit,
	CASE WHEN random() < 0.01 THEN -1 ELSE s.record_no * 10 + 1 END, CASE WHEN d.scaled THEN 1 END, CASE WHEN d.scaled THEN CASE WHEN s.round > 30 THEN 100 ELSE 1000 END END,
	s.received_at - CASE WHEN random() < 0.01 THEN interval '20 years' WHEN random() < 0.01 THEN interval '-3 days' WHEN random() < 0.05 THEN interval '40 minutes' ELSE interval '1 second' END
FROM sent s CROSS JOIN LATERAL (
	SELECT * FROM (VALUES
		(1, '\x0015bc00000000a1'::bytea, 1, '1-0:1.8.0.255', 'kWh', false), (1, '\x0015bc00000000a1', 1, '1-0:2.8.0.255', 'kWh', false), (1, '\xff', 1, '1-0:1.8.0.255', 'kWh', false),
		(2, '\x02', 1, '1-0:1.8.0.255', 'kWh', true), (2, '\x02', 1, '?1-0:1.8.0.255', '?', false), (2, '\x02', 1, '1-0:1.8.0.1', 'kWh', false),
		(3, '\x03', 1, '?1-0:1.8.0.255', '?', true), (3, '\x03', 1, '7-0:3.0.0.255', 'm3', false), (3, '\x03', 1, '1-0:1.8.0.255', 'kWh', false), (3, '\x03', 1, '*', 'scale', true),
		(4, '\x04', 1, '1-0:1.8.0.255', '?', false), (4, '\x05', 1, '1-0:1.8.0.255', 'kWh', false), (4, '\x05', 2, '1-0:1.8.0.255', 'kWh', false), (4, '\x05', 1, '1-0:1.7.0.255', 'kW', true),
		(4, '\x0015bc00000000e1', 10, '0-0:96.50.0.255', '%', true)) AS v(gateway_id, device, endpoint, obis, unit, scaled)
	WHERE v.gateway_id = s.gateway_id AND random() < CASE WHEN v.obis IN ('1-0:1.8.0.255', '?1-0:1.8.0.255') AND v.device <> '\xff' AND v.endpoint = 1 AND (v.gateway_id, v.unit) NOT IN ((3, 'kWh'), (4, '?')) THEN 0.9 ELSE 0.03 END
) AS d
WHERE s.reason IS NULL AND s.kind <> 0;

SAVEPOINT before;
CREATE TEMP TABLE left_by_arrays AS SELECT * FROM (SELECT '' AS line) AS none WHERE false;
CREATE TEMP TABLE told_by_arrays AS SELECT round, pg_temp.feed_arrays(round) AS told FROM generate_series(1, 60) AS round;
INSERT INTO left_by_arrays SELECT * FROM pg_temp.what_is_there();
SELECT count(*) AS lines, count(*) FILTER (WHERE line LIKE 'landed%') AS landed, count(*) FILTER (WHERE line LIKE 'quarantine%') AS kept, count(*) FILTER (WHERE line LIKE 'epoch%') AS epochs,
	count(*) FILTER (WHERE line LIKE 'event%') AS lost, md5(string_agg(line, E'\n' ORDER BY line COLLATE "C")) AS sum FROM left_by_arrays \gset arrays_
SELECT md5(string_agg(told, E'\n' ORDER BY round)) AS told FROM told_by_arrays \gset arrays_
ROLLBACK TO before;
CREATE TEMP TABLE told_by_batches AS SELECT round, pg_temp.feed_batch(round) AS told FROM generate_series(1, 60) AS round;
SELECT diag('landed ' || :arrays_landed || ', kept ' || :arrays_kept || ', epochs ' || :arrays_epochs || ', lost ' || :arrays_lost);
SELECT ok(:arrays_landed > 500 AND :arrays_kept > 20 AND :arrays_epochs > 1, 'the random rounds are of all kinds');
SELECT is((SELECT md5(string_agg(line, E'\n' ORDER BY line COLLATE "C")) FROM pg_temp.what_is_there()), :'arrays_sum', 'batches leave what arrays leave');
SELECT is((SELECT count(*) FROM pg_temp.what_is_there()), :arrays_lines::bigint, 'as many rows');
SELECT is((SELECT md5(string_agg(told, E'\n' ORDER BY round)) FROM told_by_batches), :'arrays_told', 'and tell the same marks');
CREATE TEMP TABLE first_time AS SELECT * FROM pg_temp.what_is_there();
SELECT count(pg_temp.feed_batch(round)) FROM generate_series(1, 60) AS round \g /dev/null
SELECT set_eq('SELECT * FROM pg_temp.what_is_there()', 'SELECT * FROM first_time', 'all sent again leaves nothing more');
ROLLBACK TO before;

-- One record at a time, for what backends keep of registers.
CREATE SEQUENCE pg_temp.next_round START 1000;
CREATE FUNCTION pg_temp.send(gateway bigint, number bigint, at timestamptz, device bytea, counts bigint, obis text DEFAULT '1-0:1.8.0.255', unit text DEFAULT 'kWh',
	multiplier bigint DEFAULT NULL, divisor bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	round integer := nextval('pg_temp.next_round');
BEGIN
	INSERT INTO sent VALUES (round, 1, gateway, number, at, at, 1, '', '\x01');
	INSERT INTO sent_reading VALUES (round, 1, 1, device, 1, obis, unit, counts, multiplier, divisor, at);
	RETURN pg_temp.feed_batch(round);
END $$;
CREATE FUNCTION pg_temp.landed() RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(format('%s:%s', r.meter_id, l.raw_value), ' ' ORDER BY l.ctid) FROM reading_landing l JOIN register r USING (register_id)
$$;
SELECT is(pg_temp.send(1, n, '2024-03-01 00:00Z'::timestamptz + n * interval '1 minute', '\x0015bc00000000a1', n), format('(1,%s)', n), 'record ' || n) FROM generate_series(1, 3) AS n;
SELECT is(pg_temp.landed(), '1:1 1:2 1:3', 'a register lands from its first reading on');
UPDATE meter SET device_address = '\xaa' WHERE meter_id = 1;
SELECT pg_temp.send(1, 4, '2024-03-01 00:04Z', '\x0015bc00000000a1', 4) \g /dev/null
SELECT is((SELECT reason FROM quarantine WHERE record_no = 4), 'meter is unknown', 'a meter that got another address is unknown by its old one');
SELECT pg_temp.send(1, 5, '2024-03-01 00:05Z', '\xaa', 5) \g /dev/null
SELECT is(pg_temp.landed(), '1:1 1:2 1:3 1:5', 'and known by its new one');
SELECT pg_temp.send(1, 6, '2024-03-01 00:06Z', '\xbb', 6) \g /dev/null
SELECT pg_temp.send(1, 7, '2024-03-01 00:07Z', '\xbb', 7) \g /dev/null
SELECT is((SELECT count(*) FROM quarantine WHERE reason = 'meter is unknown'), 3::bigint, 'what nobody entered is unknown each time');
SAVEPOINT entered;
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, name, kind) VALUES (9, 1, 1, '\xbb', 'entered', 'sub');
SELECT pg_temp.send(1, n, '2024-03-01 00:07Z'::timestamptz + n * interval '1 minute', '\xbb', n) FROM generate_series(8, 10) AS n \g /dev/null
SELECT is(pg_temp.landed(), '1:1 1:2 1:3 1:5 9:8 9:9 9:10', 'from when it is entered its readings land');
ROLLBACK TO entered;
SELECT pg_temp.send(1, 8, '2024-03-01 00:08Z', '\xbb', 8) \g /dev/null
SELECT is((SELECT reason FROM quarantine WHERE record_no = 8), 'meter is unknown', 'a meter whose entry was rolled back is unknown again');

SAVEPOINT first;
SELECT pg_temp.send(1, n, '2024-03-01 00:00Z'::timestamptz + n * interval '1 minute', '\xaa', n, '1-0:2.8.0.255') FROM generate_series(9, 11) AS n \g /dev/null
ROLLBACK TO first;
SELECT pg_temp.send(1, 9, '2024-03-01 00:09Z', '\xaa', 9, '1-0:2.8.0.255') \g /dev/null
SELECT is(pg_temp.landed(), '1:1 1:2 1:3 1:5 1:9', 'a register that was rolled back is made again');

-- Scales.
SELECT pg_temp.send(2, n, '2024-03-01 00:00Z'::timestamptz + n * interval '1 minute', '\x02', n, multiplier => 1, divisor => 1000) FROM generate_series(1, 2) AS n \g /dev/null
SELECT is((SELECT count(*) FROM register_epoch e JOIN register r USING (register_id) WHERE r.meter_id = 2), 1::bigint, 'one scale, one epoch');
SELECT pg_temp.send(2, 3, '2024-03-01 00:03Z', '\x02', 3, multiplier => 1, divisor => 100) \g /dev/null
SELECT is((SELECT max(e.divisor || ' ' || e.valid_from) FROM register_epoch e JOIN register r USING (register_id) WHERE r.meter_id = 2 AND e.divisor = 100), '100 2024-03-01 00:03:00+00', 'another scale begins an epoch');
SELECT pg_temp.send(2, 4, '2024-03-01 00:02:30Z', '\x02', 3, multiplier => 1, divisor => 100) \g /dev/null
SELECT is((SELECT count(*) FROM register_epoch e JOIN register r USING (register_id) WHERE r.meter_id = 2), 3::bigint, 'a late reading with that scale begins its own');
SELECT register_id AS second FROM register WHERE meter_id = 2 \gset
SELECT pg_temp.send(2, n, '2024-03-01 00:00Z'::timestamptz + n * interval '1 minute', '\x02', n, multiplier => 1, divisor => 100) FROM generate_series(5, 6) AS n \g /dev/null
INSERT INTO register_epoch VALUES (:second, '2024-03-01 00:10Z', 1, 10, NULL, 'exchange');
SELECT pg_temp.send(2, 7, '2024-03-01 00:11Z', '\x02', 7, multiplier => 1, divisor => 100) \g /dev/null
SELECT is((SELECT string_agg(e.divisor::text, ' ' ORDER BY e.valid_from) FROM register_epoch e WHERE e.register_id = :second AND e.valid_from >= '2024-03-01 00:10Z'), '10 100', 'an epoch that an operator began is seen');

-- Settings.
SELECT pg_temp.send(2, 8, '2024-03-01 00:12Z', '\x02', 8, multiplier => 1, divisor => 100) \g /dev/null
INSERT INTO sent SELECT 2001, 1, 2, 9, NULL, '2024-03-20 00:00Z', 1, '', '\x01';
INSERT INTO sent_reading SELECT 2001, 1, 1, '\x02', 1, '1-0:1.8.0.255', 'kWh', 9, NULL, NULL, '2024-03-10 00:00Z';
SELECT pg_temp.feed_batch(2001) \g /dev/null
SELECT is(pg_temp.landed() LIKE '%2:9', true, 'ten days late is not too late');
INSERT INTO installation (accepted_age) VALUES ('5 days');
INSERT INTO sent SELECT 2002, 1, 2, 10, NULL, '2024-03-20 00:00Z', 1, '', '\x01';
INSERT INTO sent_reading SELECT 2002, 1, 1, '\x02', 1, '1-0:1.8.0.255', 'kWh', 10, NULL, NULL, '2024-03-10 00:00Z';
SELECT pg_temp.feed_batch(2002) \g /dev/null
SELECT is((SELECT reason FROM quarantine WHERE gateway_id = 2 AND record_no = 10), 'time is implausible', 'but it is once the installation says so');

-- Landing tables that need the executor.
SELECT pg_temp.send(2, 11, '2024-03-20 00:00Z', '\x02', 11) \g /dev/null
SAVEPOINT watched;
CREATE TABLE pg_temp.seen (raw_value bigint);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pg_temp.seen VALUES (NEW.raw_value); RETURN NEW; END $$;
CREATE TRIGGER seen BEFORE INSERT ON reading_landing FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT pg_temp.send(2, 12, '2024-03-20 00:01Z', '\x02', 12) \g /dev/null
SELECT is((SELECT max(raw_value) FROM pg_temp.seen), 12::bigint, 'a trigger of the landing table sees the rows');
ROLLBACK TO watched;
SELECT pg_temp.send(2, 12, '2024-03-20 00:01Z', '\x02', 12) \g /dev/null
SELECT is(pg_temp.landed() LIKE '%2:11 2:12', true, 'rows land in order');

SAVEPOINT heard;
CREATE TABLE pg_temp.heard (record_no bigint);
CREATE FUNCTION pg_temp.hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pg_temp.heard VALUES (NEW.committed_record_no); RETURN NEW; END $$;
CREATE TRIGGER heard AFTER UPDATE OF committed_record_no ON gateway FOR EACH ROW EXECUTE FUNCTION pg_temp.hear();
SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) \g /dev/null
SELECT is((SELECT max(record_no) FROM pg_temp.heard), 13::bigint, 'a trigger of the gateways hears of their marks');
ROLLBACK TO heard;

-- What an administrator adds holds for batches too.
SAVEPOINT added;
ALTER TABLE reading_landing DROP CONSTRAINT reading_landing_measured_at_check, ADD CONSTRAINT small CHECK (raw_value < 1000);
SELECT throws_ok($$ SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 1000) $$, '23514', NULL, 'a check of the landing table that came later');
ROLLBACK TO added;
CREATE TABLE noticed (n bigint);
CREATE RULE noticed AS ON INSERT TO reading_landing DO ALSO INSERT INTO noticed VALUES (NEW.raw_value);
SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) \g /dev/null
SELECT is((SELECT sum(n) FROM noticed), 13::numeric, 'a rule of the landing table');
ROLLBACK TO added;
ALTER TABLE gateway ADD CONSTRAINT few CHECK (committed_record_no < 13);
SELECT throws_ok($$ SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) $$, '23514', NULL, 'a check of the gateways');
ROLLBACK TO added;
CREATE TABLE noticed (n bigint);
CREATE RULE noticed AS ON UPDATE TO gateway DO ALSO INSERT INTO noticed VALUES (NEW.committed_record_no);
SELECT throws_ok($$ SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) $$, '0A000', NULL, 'a rule of the gateways, which arrays do not get past either');
ROLLBACK TO added;
ALTER TABLE gateway REPLICA IDENTITY NOTHING;
SET LOCAL client_min_messages = error;
CREATE PUBLICATION marks FOR TABLE gateway;
SELECT throws_ok($$ SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) $$, '55000', NULL, 'gateways that are published without what tells them apart');
ROLLBACK TO added;
-- Owned by who is under the tables' policies, both ways do and tell the same: nothing.
CREATE ROLE narrow;
GRANT ALL ON ALL TABLES IN SCHEMA smarthg TO narrow;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA smarthg TO narrow;
GRANT ALL ON SCHEMA smarthg TO narrow;
ALTER FUNCTION bridge_ingest OWNER TO narrow;
ALTER FUNCTION bridge_ingest_batch OWNER TO narrow;
SELECT is(pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13), NULL, 'row-level security hides the gateways from who is under it');
SELECT is((SELECT committed_record_no FROM gateway WHERE gateway_id = 2), 12::bigint, '... and their marks stay');
CREATE POLICY shown ON gateway TO narrow USING (true);
CREATE POLICY shown ON meter TO narrow USING (true);
CREATE POLICY shown ON register TO narrow USING (true);
CREATE POLICY shown ON register_epoch TO narrow USING (true);
SELECT throws_ok($$ SELECT pg_temp.send(2, 13, '2024-03-20 00:02Z', '\x02', 13) $$, '42501', NULL, '... and keeps readings out');
ROLLBACK TO added;

-- What does not change a register is not heard, so that meters that say their scale each time do not
-- make backends forget.
SELECT is((SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgfoid = 'table_changed'::regproc AND tgname ~ '_kept_' AND tgenabled <> 'A'), NULL, 'changes are heard even where triggers are quiet');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'table_changed'::regproc AND tgname ~ '_kept_' AND tgtype & 1 = 0 AND tgtype & 32 = 0), 0::bigint, '... row by row');

-- A day ahead is as long as the session's time zone says.
SAVEPOINT spring;
SET LOCAL timezone = 'Europe/Copenhagen';
INSERT INTO sent SELECT 2003, 1, 2, 13, NULL, '2024-03-30 12:00Z', 1, '', '\x01';
INSERT INTO sent_reading SELECT 2003, 1, 1, '\x02', 1, '1-0:1.8.0.255', 'kWh', 13, NULL, NULL, '2024-03-31 11:30Z';
SELECT pg_temp.feed_batch(2003) \g /dev/null
SELECT is((SELECT reason FROM quarantine WHERE gateway_id = 2 AND record_no = 13), 'time is implausible', 'more than a day of 23 hours ahead is too far');
ROLLBACK TO spring;

-- What is not a batch.
SELECT throws_ok($$ SELECT * FROM bridge_ingest_batch('\x00') $$, '22023', 'this is not a batch of records', 'a piece of a size');
SELECT throws_ok($$ SELECT * FROM bridge_ingest_batch('\x00000001ff') $$, '22023', 'this is not a batch of records', 'a piece of a record');
SELECT throws_ok(format('SELECT * FROM bridge_ingest_batch(%L)', substr(pg_temp.batch(2002), 1, length(pg_temp.batch(2002)) - 1)), '22023', 'this is not a batch of records', 'a batch without its last byte');
SELECT throws_ok(format('SELECT * FROM bridge_ingest_batch(%L)', overlay(pg_temp.batch(2002) PLACING '\x00' FROM length(pg_temp.batch(2002)) - 1)), '22021', NULL, 'a text with a zero byte');
SELECT throws_ok(format('SELECT * FROM bridge_ingest_batch(%L)', overlay(pg_temp.batch(2002) || '\x00' PLACING int4send(length(pg_temp.batch(2002)) - 3) FROM 1)), '22023', 'this is not a batch of records', 'a record that goes on behind its readings');
SELECT is((SELECT count(*) FROM bridge_ingest_batch('')), 0::bigint, 'an empty batch is none');
SELECT is((SELECT count(*) FROM bridge_ingest_batch(pg_temp.batch(2002))), 1::bigint, 'a batch that came before tells the mark');
SELECT is((SELECT proconfig::text LIKE '%lock_timeout%' AND prosecdef FROM pg_proc WHERE oid = 'bridge_ingest_batch'::regproc), true, 'it does not wait for a lock without end');

SELECT * FROM finish();
ROLLBACK;
