-- What gateways did is kept as long as asked for; what is open stays (installation.events_kept).
\ir home.psql
SELECT plan(13);

-- Of every kind one that is old, one that is new, and of each that can be open one of any age.
INSERT INTO gateway_event (at, gateway_id, event) SELECT t, 1, 'online' FROM unnest(ARRAY[now() - interval '401 days', now() - interval '399 days']) AS t;
INSERT INTO gateway_session (gateway_id, opened_at, session_no, secured, closed_at) VALUES
	(1, now() - interval '403 days', 1, true, now() - interval '401 days'), (1, now() - interval '402 days', 2, true, now() - interval '399 days'), (1, now() - interval '500 days', 3, true, NULL);
INSERT INTO quarantine (gateway_id, record_no, received_at, kind, address, telegram, reason, resolved_at)
	SELECT 1, n, now() - interval '500 days', 2, '', '', 'unknown', CASE n WHEN 1 THEN now() - interval '401 days' WHEN 2 THEN now() - interval '399 days' END FROM generate_series(1, 3) AS n;
INSERT INTO mirror (gateway_id, device_address, device_endpoint, endpoint, created_at, removed_at, removed_by)
	SELECT 1, decode('0015bc030000000' || n, 'hex'), 1, 16, now() - interval '500 days', CASE n WHEN 1 THEN now() - interval '401 days' WHEN 2 THEN now() - interval '399 days' END, CASE WHEN n < 3 THEN 'meter' END
	FROM generate_series(1, 3) AS n;
UPDATE gateway SET committed_record_no = 2;
INSERT INTO mirror_message (gateway_id, record_no, at, device_address, device_endpoint, message, endpoint, outcome)
	SELECT 1, n, now() - CASE n WHEN 2 THEN interval '399 days' ELSE '401 days' END, '\x0015bc0300000001', 1, 'request', 0, 'made' FROM generate_series(1, 3) AS n;
INSERT INTO mirror_request (gateway_id, device_address, device_endpoint, message, endpoint, state, state_changed_at)
	SELECT 1, '\x0015bc0300000001', 1, 'response', 16, state, at FROM (VALUES ('acknowledged', now() - interval '401 days'), ('failed', now() - interval '399 days'), ('pending', now() - interval '401 days'), ('sent', now() - interval '401 days')) AS v(state, at);
INSERT INTO sms_outbox (phone, body, not_after, state, state_changed_at)
	SELECT '+4512345678', 'wake up', now(), state, at FROM (VALUES ('delivered', now() - interval '401 days'), ('failed', now() - interval '399 days'), ('pending', now() - interval '401 days')) AS v(state, at);
INSERT INTO sms_inbox (phone, body, received_at) VALUES ('+4512345678', 'old', now() - interval '401 days'), ('+4512345678', 'new', now() - interval '399 days');

SELECT is((settings()).events_kept, interval '400 days', 'events are kept for 400 days');
SELECT throws_ok($$ INSERT INTO installation (events_kept) VALUES ('1 hour') $$, '23514', NULL, '... for a day at least');
SELECT is(drop_events_before(now() - interval '1000 days'), 0, 'nothing old, nothing dropped');
SELECT is(drop_events_before(now() - interval '400 days', 3), 3, 'so many are dropped at once');
SELECT is(drop_events_before(now() - interval '400 days'), 5, '... then the rest: one of each kind');
SELECT results_eq($$ SELECT event FROM gateway_event WHERE at < now() - interval '400 days' $$, ARRAY[]::text[], 'no old event is left');
SELECT results_eq($$ SELECT session_no FROM gateway_session ORDER BY 1 $$, ARRAY[2, 3]::bigint[], 'an open session stays');
SELECT results_eq($$ SELECT record_no FROM quarantine ORDER BY 1 $$, ARRAY[2, 3]::bigint[], 'a telegram that nobody could read yet stays');
SELECT results_eq($$ SELECT removed_at IS NULL FROM mirror ORDER BY 1 $$, ARRAY[false, true], 'a mirror that is there stays');
SELECT results_eq($$ SELECT record_no FROM mirror_message ORDER BY 1 $$, ARRAY[2, 3]::bigint[], 'what tells a late record stays until all before it are there');
SELECT results_eq($$ SELECT state FROM mirror_request ORDER BY 1 $$, ARRAY['failed', 'pending', 'sent'], 'messages on their way stay');
SELECT results_eq($$ SELECT state FROM sms_outbox UNION ALL SELECT body FROM sms_inbox ORDER BY 1 $$, ARRAY['failed', 'new', 'pending'], 'of short messages, too');
SELECT is(drop_events_before(now() - interval '400 days'), 0, 'and all that is kept is kept the next time');
SELECT * FROM finish();
ROLLBACK;
