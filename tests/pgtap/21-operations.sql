-- The bridge's state, short messages and remote access, by the functions that the bridge and the
-- SSH server call (document 4.1.2, 4.1.4), and what the bridge may not do.
\ir home.psql
SELECT plan(33);

SELECT bridge_report('north', '{"started_ms": 1700000000000, "records": 7000000000, "gateways": 3, "held": 0, "database_connections": 3, "database_connections_wanted": 3, "batch_p99_ms": null}');
SELECT is((SELECT (state, started_at, records, gateways, batch_p99_ms)::text FROM bridge_status), '(running,"2023-11-14 22:13:20+00",7000000000,3,)', 'a report is a row of the view');
SELECT bridge_report('north', '{"started_ms": 1700000000000, "held": 0, "database_connections": 2, "database_connections_wanted": 3}');
SELECT is((SELECT array_agg(state) FROM bridge_status), '{degraded}', 'the next one takes its place; missing connections are told');
SELECT bridge_report('north', '{"started_ms": 1, "held": 1, "database_connections": 3, "database_connections_wanted": 3}');
SELECT is((SELECT state FROM bridge_status), 'held', '... and a memory budget that is used up');
SELECT bridge_report('north', '{"started_ms": 1, "held": 0, "oldest_waiting_ms": 61000, "database_connections": 3, "database_connections_wanted": 3}');
SELECT is((SELECT state FROM bridge_status), 'stalled', '... and records that wait, though all is connected');
SELECT is((SELECT proconfig::text LIKE '%lock_timeout%' FROM pg_proc WHERE oid = 'bridge_ingest'::regproc), true, 'a batch does not wait for a lock without end');
UPDATE bridge_report SET reported_at = now() - interval '2 minutes';
SELECT is((SELECT state FROM bridge_status), 'silent', '... and silence');
SELECT bridge_stopped('north');
SELECT is((SELECT state FROM bridge_status), 'stopped', '... and a stop in good order');
SELECT pg_temp.feed(1, '2023-05-01 00:00Z', 0, reason => 'x');
SELECT is((SELECT quarantine_open FROM bridge_status), 1::bigint, 'open quarantine is counted');

SELECT throws_ok($$SELECT sms_send(1, 'x')$$, 'P0002', 'gateway 1 has no phone number', 'a message to a gateway without number is refused');
SELECT throws_ok($$INSERT INTO gateway_phone VALUES (1, '004512345678')$$, '23514', NULL, 'a number must be international');
INSERT INTO gateway_phone VALUES (1, '+4512345678');
SELECT throws_ok(format('SELECT sms_send(1, %L)', repeat('x', 161)), '23514', NULL, 'a text is at most 160 characters');
SELECT sms_send(1, 'first') AS first, sms_send(1, 'second') AS second \gset
SELECT sms_send(1, 'late', '-1 second') AS late \gset
SELECT is((SELECT array_agg(body ORDER BY sms_id) FROM bridge_sms_pending(10)), '{first,second}', 'the bridge gets what is to be sent, oldest first');
SELECT is((SELECT array_agg(body) FROM bridge_sms_pending(1)), '{first}', '... as many as it asks for');
SELECT is((SELECT state FROM sms_outbox WHERE sms_id = :late), 'expired', 'what is too late expires');
SELECT bridge_sms_state(:first, 'sent', 42, NULL), bridge_sms_state(:second, 'failed', NULL, 'no');
SELECT is((SELECT array_agg(state ORDER BY sms_id) FROM sms_outbox), '{sent,failed,expired}', 'what became of them is written');
SELECT bridge_sms_state(:second, 'sent', 1, NULL);
SELECT is((SELECT state FROM sms_outbox WHERE sms_id = :second), 'failed', '... once');
SELECT bridge_sms_report(7, true), bridge_sms_report(42, true);
SELECT is((SELECT array_agg(state ORDER BY sms_id) FROM sms_outbox), '{delivered,failed,expired}', 'a report finds the message of its reference');
SELECT bridge_sms_received('+4512345678', 'answer', '2026-01-01 00:00Z'), bridge_sms_received('+4512345678', 'answer', '2026-01-01 00:00Z'), bridge_sms_received('+49', 'stranger', NULL), bridge_sms_received('+49', 'stranger', NULL);
SELECT is((SELECT array_agg((gateway_id, answers_sms_id = :first)::text ORDER BY body) FROM sms_inbox), '{"(1,t)","(,)"}', 'a message comes in once, with its gateway and what it answers');

SELECT throws_ok($$INSERT INTO remote_tunnel VALUES (1, 'ssh-ed25519 ' || repeat('A', 68) || ' comment', 20000)$$, '23514', NULL, 'a public key has no comment');
SELECT throws_ok($$INSERT INTO remote_tunnel VALUES (1, E'ssh-ed25519 AAAA\n' || repeat('A', 68), 20000)$$, '23514', NULL, '... and is one line');
SELECT throws_ok($$INSERT INTO remote_tunnel VALUES (1, 'ssh-ed25519 ' || repeat('A', 68), 22)$$, '23514', NULL, 'a port is not a system''s');
SELECT throws_ok($$SELECT remote_unit(1, 'host')$$, 'P0002', 'gateway 1 has no tunnel', 'no tunnel, no unit');
INSERT INTO remote_tunnel VALUES (1, 'ssh-ed25519 ' || repeat('A', 68), remote_port());
SELECT is((SELECT port FROM remote_tunnel), 20000, 'the first free port');
SELECT is(remote_port(20000, 20001), 20001, '... then the next');
SELECT is(remote_port(20000, 20000), NULL, '... as long as there are any');
SELECT is((SELECT array_agg(l) FROM remote_authorized_keys() AS l),
	ARRAY['restrict,port-forwarding,permitlisten="127.0.0.1:20000",permitopen="127.0.0.1:1",command="/bin/false" ssh-ed25519 ' || repeat('A', 68) || ' gateway-1'],
	'a key may listen on its port and do nothing else');
SELECT ok(remote_unit(1, 'ssh.example.org') LIKE '%ExecStart=/usr/bin/ssh -N -T -R 127.0.0.1:20000:127.0.0.1:22 %ExitOnForwardFailure=yes% ssh.example.org' || E'\n%Restart=always%', 'its unit forwards that port');
SELECT throws_ok($$SELECT remote_unit(1, E'host\nExecStartPost=x')$$, '22023', 'server, user and files must be plain names', 'a name that is more than a name is refused');
SELECT is((SELECT count(*)::integer FROM bridge_tunnel_key('ssh-ed25519', repeat('A', 68))), 1, 'a login gets its line');
SELECT is(bridge_tunnels_seen('{20000,4}'), 1, 'a port that is listened on is a tunnel');
SELECT is((SELECT (up, last_login_at IS NOT NULL)::text FROM remote_tunnel_status), '(t,t)', '... which is up');
UPDATE remote_tunnel SET enabled = false;
SELECT is((SELECT count(*)::integer FROM bridge_tunnel_key('ssh-ed25519', repeat('A', 68))) + (SELECT count(*)::integer FROM remote_authorized_keys()), 0, 'a disabled one gets none');

SET ROLE smarthg_bridge;
SELECT throws_ok($$SELECT smarthg.sms_send(1, 'x')$$, '42501', NULL, 'the bridge writes no messages of its own');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
