-- SMC-UC3 to SMC-UC5: services are registered, reviewed, listed, subscribed to, and told.
\ir market.psql
SELECT plan(54);
SELECT pg_temp.join_market('resident', 'resident'), pg_temp.join_market('developer', 'developer'), pg_temp.join_market('rival', 'developer') \g /dev/null

-- Registration.
SELECT throws_ok($$ SELECT pg_temp.offer('resident', 'planner', '{"read_mainmeter_hourly": "to plan"}') $$, '42501', NULL, 'a resident registers no service');
SELECT lives_ok($$ SELECT pg_temp.offer('developer', 'planner', '{"read_mainmeter_hourly": "to plan the battery", "read_production_hourly": "to use the sun"}', decision => NULL) $$, 'a developer does');
SELECT is((SELECT client_secret_digest FROM service), (SELECT secret_digest(secret) FROM pg_temp.client), '... whose client secret is stored as a digest only');
SELECT is((SELECT status FROM service), 'submitted', '... and waits for review');
SELECT throws_ok($$ SELECT pg_temp.offer('rival', 'PLANNER', '{"read_mainmeter_hourly": "to plan"}') $$, '23505', NULL, 'a name is taken without regard to case');
SELECT throws_ok(format($$ SELECT pg_temp.offer('developer', 'other', %L) $$, m), '22023', NULL, 'a manifest of ' || m || ' is refused')
FROM unnest('{"{}","[]","{\"all_of_it\": \"to have it\"}"}'::text[]) AS m;
SELECT throws_ok($$ SELECT pg_temp.offer('developer', 'other', '{"read_mainmeter_hourly": ""}') $$, '23514', NULL, '... and so is a scope without reason');
SELECT throws_ok(format($$ SELECT pg_temp.offer('developer', 'other', '{"read_mainmeter_hourly": "to plan"}', ARRAY[%L]) $$, u), '22023', 'a URI of the service is none', u || ' is no redirect URI')
FROM unnest('{http://app.example/back,https://app.example/back#x,https://user@app.example/back,https://app.example/b ack,javascript:alert(1),//app.example,https://app.example.evil%zz}'::text[]) AS u;
SELECT lives_ok($$ SELECT pg_temp.offer('developer', 'desktop', '{"read_mainmeter_daily": "to show"}', '{http://127.0.0.1:8123/back,http://[::1]/back}', NULL) $$, 'http is for the same machine');
SELECT throws_ok(format($$ SELECT pg_temp.front(format('SELECT register_service(%%L, ''other'', ''https://other.example'', %%L, ''d'', ''{"read_mainmeter_daily": "r"}'')', pg_temp.session('developer'), %L)) $$, k), code, NULL, k || ' is no public key')
FROM unnest('{22P02,22023,22023}'::text[], '{nonsense,"{}","{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}"}'::text[]) AS c(code, k);

SELECT throws_ok(format($$ SELECT service_encryption_key(%L) $$, k), '22023', NULL, 'tokens are not encrypted to ' || w) FROM (VALUES
	('{"kty":"EC","crv":"P-256","alg":"ES256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}', 'a key for signatures'),
	('{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D5","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}', 'a point off the curve')) AS v(k, w);

SELECT throws_ok($$ SELECT pg_temp.front(format('SELECT change_service(%L, %L, name => '''')', pg_temp.session('developer'), pg_temp.client_id('planner'))) $$, '22023', NULL, 'a service keeps a name');

-- Review and list.
CREATE FUNCTION pg_temp.listed(who text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.front(format('SELECT string_agg(name || coalesce('' '' || subscribed, ''''), '','') FROM list_services(%L)', pg_temp.session(who))) $$;
SELECT is(pg_temp.listed('resident'), NULL, 'a service is not listed before it is approved');
SELECT throws_ok($$ SELECT pg_temp.subscribe('resident', 'planner') $$, '22023', NULL, '... nor subscribed to');
SELECT throws_ok($$ SELECT pg_temp.front(format('SELECT review_service(%L, ''approved'')', pg_temp.client_id('planner'))) $$, '42501', NULL, 'the front end approves nothing');
SELECT throws_ok($$ SELECT review_service(pg_temp.client_id('planner'), 'rejected') $$, '22023', NULL, 'a rejection has a reason');
SELECT lives_ok($$ SELECT review_service(pg_temp.client_id('planner'), 'rejected', 'no privacy notice') $$, 'the operator rejects it with one');
SELECT is(pg_temp.front(format('SELECT status_reason FROM my_services(%L) WHERE name = ''planner''', pg_temp.session('developer'))), 'no privacy notice', '... which the developer reads');
SELECT throws_ok($$ SELECT pg_temp.front(format('SELECT change_service(%L, %L, description => ''mine'')', pg_temp.session('rival'), pg_temp.client_id('planner'))) $$, '42501', NULL, 'another developer does not change it');
SELECT lives_ok($$ SELECT pg_temp.front(format('SELECT change_service(%L, %L, admission_requirements => ''The privacy notice holds'', categories => ''{energy}'')', pg_temp.session('developer'), pg_temp.client_id('planner'))) $$, 'its developer does');
SELECT is((SELECT status FROM service WHERE name = 'planner'), 'submitted', '... and it waits for review again');
SELECT throws_ok($$ SELECT review_service(pg_temp.client_id('planner'), 'approved') $$, '22023', NULL, 'the operator says which version is approved');
SELECT version AS read FROM service WHERE name = 'planner' \gset
SELECT pg_temp.front(format('SELECT change_service(%L, %L, redirect_uris => ''{https://evil.example/}'')', pg_temp.session('developer'), pg_temp.client_id('planner'))) \g /dev/null
SELECT throws_ok(format('SELECT review_service(pg_temp.client_id(''planner''), ''approved'', version => %s)', :read), '55000', 'the service has been changed since', '... and does not approve what the developer changed meanwhile');
SELECT pg_temp.front(format('SELECT change_service(%L, %L, manifest => ''{"read_mainmeter_hourly": "to plan"}'')', pg_temp.session('developer'), pg_temp.client_id('planner'))) \g /dev/null
SELECT throws_ok(format('SELECT review_service(pg_temp.client_id(''planner''), ''approved'', version => %s)', :read + 1), '55000', NULL, '... nor another manifest');
SELECT lives_ok(format('SELECT review_service(pg_temp.client_id(''planner''), ''approved'', version => %s)', :read + 2), '... but what was read');
SELECT is(pg_temp.listed('resident'), 'planner false', 'an approved service is listed');
SELECT is(pg_temp.front(format('SELECT count(*) FROM list_services(%L, ''games'')', pg_temp.session('resident'))), '0', '... in its categories');
SELECT isnt(pg_temp.front(format('SELECT renew_client_secret(%L, %L)', pg_temp.session('developer'), pg_temp.client_id('planner'))), (SELECT secret FROM pg_temp.client WHERE name = 'planner'), 'its secret can be renewed');
SELECT is(pg_temp.post('oauth_token', 'planner', 'grant_type=client_credentials') #>> '{body,error}', 'invalid_client', '... and the old one is void');

-- Subscription and notification.
DELETE FROM service_notification;
SELECT throws_ok($$ SELECT pg_temp.front(format('SELECT subscribe(%L, %L)', pg_temp.session('resident'), pg_temp.client_id('planner'))) $$, '22023', NULL, 'admission requirements must be accepted');
SELECT lives_ok($$ SELECT pg_temp.subscribe('resident', 'planner') $$, 'a resident subscribes');
SELECT is((SELECT accepted_requirements FROM subscription), 'The privacy notice holds', '... what was accepted is on record');
SELECT throws_ok($$ SELECT pg_temp.subscribe('resident', 'planner') $$, '23505', NULL, '... once');
SELECT is(pg_temp.listed('resident'), 'planner true', '... and the list says so');
SELECT is((SELECT array_agg(k ORDER BY k) FROM service_notification, jsonb_object_keys(content) AS k), '{at,event,subscription}', 'the service is told what happened, when, and an opaque name of the subscriber');
SELECT ok(NOT EXISTS (SELECT FROM service_notification n, account a WHERE n.content::text LIKE '%' || a.sub || '%' OR n.content::text ILIKE '%' || split_part(a.email, '@', 1) || '@%'), '... and nothing of the person');
CREATE TEMP TABLE taken AS SELECT pg_temp.front_json('SELECT json_agg(t) FROM take_notifications() AS t') AS got;
SELECT is((SELECT got #>> '{0,content,event}' FROM taken), 'subscribed', 'the front end takes it for delivery');
SELECT is(pg_temp.front('SELECT count(*) FROM take_notifications()'), '0', '... once for the time being');
UPDATE service_notification SET next_attempt_at = now();
SELECT is(pg_temp.front('SELECT count(*) FROM take_notifications()'), '1', '... and again where it was not delivered');
SELECT lives_ok($$ SELECT pg_temp.front(format('SELECT notification_delivered(%s)', got #>> '{0,notification_id}')) FROM taken; UPDATE service_notification SET next_attempt_at = now() $$, 'it is delivered');
SELECT is(pg_temp.front('SELECT count(*) FROM take_notifications()'), '0', '... and no longer taken');

-- What services store has bounds.
INSERT INTO service_data SELECT service_id, 'plan', 'bounded', now(), '1 hour', to_jsonb(repeat('x', 65534)) FROM service WHERE name = 'planner';
SELECT throws_ok($$ UPDATE service_data SET content = to_jsonb(repeat('x', 65535)) $$, '23514', NULL, 'a service stores no more than 64 KB in a slot');
SELECT throws_ok($$ INSERT INTO forecast (home_id, origin, slot_length, demand_kw, demand_q10_kw, demand_q50_kw, demand_q90_kw, production_q90_kw, demand_model, production_model, demand_method, made_at)
	VALUES (1, now(), '1 min', '{1}', '{1}', '{1}', '{1}', array_fill(1.0, '{10001}'), 'weekly', 'none', 'level', now()) $$, '23514', NULL, '... and no forecast of more than 10000 slots');
SELECT * FROM finish();
ROLLBACK;
