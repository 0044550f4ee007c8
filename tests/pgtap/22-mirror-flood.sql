-- A gateway that asks for mirrors without end fills neither the way down nor the book of events, and
-- keeps no other gateway's meters waiting.
\ir home.psql
SELECT plan(8);

INSERT INTO gateway (gateway_id, home_id, eui64, online) SELECT n, 1, decode('0015bc000000' || lpad(to_hex(n), 4, '0'), 'hex'), true FROM generate_series(2, 30) AS n;
UPDATE gateway SET online = true;
CREATE FUNCTION pg_temp.device(n integer) RETURNS bytea LANGUAGE sql AS $$ SELECT decode('0015bc03' || lpad(to_hex(n), 8, '0'), 'hex') $$;
CREATE FUNCTION pg_temp.say(number bigint, n integer, message text, gateway bigint DEFAULT 1) RETURNS bigint
LANGUAGE sql AS $$ SELECT pg_temp.feed(number, now(), 0, device => pg_temp.device(n), obis => '*mirror', unit => message, endpoint => 2::smallint, gateway => gateway) $$;

SELECT count(pg_temp.say(n, n, 'request')) FROM generate_series(1, 300) AS n \g /dev/null
SELECT is((SELECT count(*)::integer FROM mirror_message WHERE outcome = 'refused'), 284, 'three hundred meters of one gateway ask');
SELECT cmp_ok((SELECT count(*)::integer FROM mirror_request WHERE state IN ('pending', 'sent')), '<=', 64, 'few answers are on their way at once');
SELECT is((SELECT count(*)::integer FROM mirror_request WHERE state = 'pending' AND endpoint BETWEEN 16 AND 31), 16, '... those that give a mirror among them');
SELECT cmp_ok((SELECT count(*)::integer FROM gateway_event WHERE event = 'mirror_refused'), '<=', 60, '... and so few are events');
SELECT count(pg_temp.say(298 + 3 * n, 1000 + n, 'remove') + pg_temp.say(299 + 3 * n, 1, 'remove') + pg_temp.say(300 + 3 * n, 1, 'request')) FROM generate_series(1, 100) AS n \g /dev/null
SELECT cmp_ok((SELECT count(*)::integer FROM mirror_request WHERE state IN ('pending', 'sent')), '<=', 64, 'nor do more come of removals');
SELECT is((SELECT count(*)::integer FROM mirror_request WHERE state = 'pending' AND endpoint BETWEEN 16 AND 31 AND device_address = pg_temp.device(1)), 1, 'a meter that begins anew gets its answer all the same');

-- Others.
SELECT count(pg_temp.say(m, m, 'request', n)) FROM generate_series(2, 29) AS n, generate_series(1, 60) AS m \g /dev/null
SELECT pg_temp.say(1, 1, 'request', 30);
SELECT ok(EXISTS (SELECT FROM bridge_mirror_requests(1000) WHERE gateway_id = 30), 'a meter of an honest gateway is answered though others ask without end');
SELECT cmp_ok((SELECT max(n) - min(n) FROM (SELECT count(*) AS n FROM bridge_mirror_requests(290) WHERE gateway_id <> 30 GROUP BY gateway_id) AS turn), '<=', 1::bigint, '... as each gateway''s are in turn');
SELECT * FROM finish();
ROLLBACK;
