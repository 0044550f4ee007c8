-- SMC-UC6: what services ask for, residents and developers grant, less than that, and take back;
-- and whatever else ends access.
\ir market.psql
SELECT plan(58);
SELECT pg_temp.join_market(p, 'resident') FROM unnest('{anna,bert}'::text[]) AS p \g /dev/null
SELECT pg_temp.join_market(p, 'developer') FROM unnest('{developer,rival}'::text[]) AS p \g /dev/null
SELECT pg_temp.offer('developer', 'planner', '{"read_mainmeter_30min": "to plan", "read_production_hourly": "to use the sun"}'),
	pg_temp.offer('rival', 'watcher', '{"read_mainmeter_daily": "to watch", "read_forecast_hourly": "to compare"}'),
	pg_temp.offer('rival', 'grid', '{"read_feeder_30min": "to see the feeder"}') \g /dev/null
SELECT move_in(1, account_id, now() - interval '400 days'), move_in(2, account_id, now() - interval '100 days') FROM pg_temp.person WHERE name = 'anna' \g /dev/null
CREATE TEMP TABLE made AS SELECT pg_temp.subscribe('anna', 'planner') AS anna, pg_temp.subscribe('bert', 'planner') AS bert;

-- The access manifest.
CREATE FUNCTION pg_temp.ask(service text, subscription uuid, scope text, more text DEFAULT '&reason=to+plan') RETURNS jsonb LANGUAGE sql AS $$
	SELECT pg_temp.post('request_access', service, format('subscription=%s&scope=%s%s', subscription, scope, more))
$$;
SELECT is(pg_temp.ask('planner', anna, 'read_mainmeter_15min') #>> '{body,error}', 'invalid_scope', 'a service asks for no finer scope than its manifest has') FROM made;
SELECT is(pg_temp.ask('planner', anna, 'read_ess_daily') #>> '{body,error}', 'invalid_scope', '... and for nothing that is not there') FROM made;
SELECT is(pg_temp.ask('planner', anna, 'all') #>> '{body,error}', 'invalid_scope', '... nor for what is no scope') FROM made;
SELECT is(pg_temp.ask('watcher', anna, 'read_mainmeter_daily') #>> '{body,error}', 'invalid_request', 'a service asks none but its own subscribers') FROM made;
SELECT is(pg_temp.ask('planner', anna, 'read_mainmeter_hourly', '') #>> '{body,error}', 'invalid_request', '... and gives a reason') FROM made;
SELECT is(pg_temp.ask('planner', anna, 'read_mainmeter_hourly', '&reason=x&days=400') #>> '{body,error}', 'invalid_request', '... for a time within the market''s limit') FROM made;
SELECT is(pg_temp.front_json(format('SELECT request_access(%L)', 'subscription=' || anna || '&scope=read_mainmeter_hourly&reason=x&client_secret=guess&client_id=' || pg_temp.client_id('planner'))) ->> 'status', '401', '... and proves who it is') FROM made;
CREATE TEMP TABLE asked AS SELECT pg_temp.ask('planner', anna, 'read_mainmeter_30min+read_production_hourly', '&reason=to+plan&days=60') AS answer FROM made;
SELECT is((SELECT answer ->> 'status' FROM asked), '201', 'a request within the manifest is put to the resident');
SELECT is((SELECT row_to_json(o)::jsonb - 'asked_at' - 'request_id' - 'client_id' FROM open_requests(pg_temp.session('anna')) AS o),
	jsonb_build_object('service', 'planner', 'scope', scope_check('read_mainmeter_30min read_production_hourly'), 'meaning', scope_explain(scope_check('read_mainmeter_30min read_production_hourly')), 'reason', 'to plan', 'duration', '60 days'),
	'... with what it means in words, the reason and the time');
SELECT is(pg_temp.front(format('SELECT count(*) FROM open_requests(%L)', pg_temp.session('bert'))), '0', '... and to nobody else');

-- Delegation.
CREATE FUNCTION pg_temp.delegate(who text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.front(format('SELECT delegate(%L, %L%s)', pg_temp.session(who), answer #>> '{body,request}', more)) FROM asked
$$;
SELECT throws_ok($$ SELECT pg_temp.delegate('bert') $$, '42501', NULL, 'nobody grants what was asked of another');
SELECT throws_ok($$ SELECT pg_temp.delegate('anna', ', ''read_mainmeter_15min''') $$, '22023', NULL, 'no more is granted than was asked for');
SELECT throws_ok($$ SELECT pg_temp.delegate('anna', ', home_ids => ''{1,3}''') $$, '42501', NULL, '... nor for homes of others');
SELECT throws_ok($$ SELECT pg_temp.delegate('anna', ', duration => ''2 years''') $$, '22023', NULL, '... nor for longer than the market allows');
SELECT throws_ok($$ SELECT pg_temp.delegate('anna', ', duration => ''-1 day''') $$, '22023', NULL, '... nor for less than no time');
DELETE FROM service_notification;
SELECT lives_ok($$ SELECT pg_temp.delegate('anna', ', ''read_mainmeter_daily'', ''10 days'', ''{1}''') $$, 'a resident grants less: coarser, for shorter, one home of two');
SELECT is((SELECT jsonb_build_object('scope', c.scope, 'homes', c.home_ids, 'days', c.expires_at - c.granted_at) FROM consent c), '{"scope": "read_mainmeter_daily", "homes": [1], "days": "10 days"}', '... which is the consent');
SELECT is((SELECT content - 'at' FROM service_notification), (SELECT jsonb_build_object('event', 'access_granted', 'subscription', anna, 'request', answer #> '{body,request}', 'scope', 'read_mainmeter_daily') FROM made, asked), '... of which the service is told, without person or token');
SELECT throws_ok($$ SELECT pg_temp.delegate('anna') $$, '42501', NULL, 'a request is answered once');
TRUNCATE asked;
INSERT INTO asked SELECT pg_temp.ask('planner', bert, 'read_mainmeter_hourly') FROM made;
SELECT lives_ok($$ SELECT pg_temp.front(format('SELECT deny_access(%L, %L)', pg_temp.session('bert'), answer #>> '{body,request}')) FROM asked $$, 'a resident denies');
SELECT throws_ok($$ SELECT pg_temp.delegate('bert') $$, '42501', NULL, '... for good');

-- Issue, within the consent.
CREATE TEMP TABLE got AS SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min', 'decision => ''grant'', scope => ''read_mainmeter_hourly'', home_ids => ''{2}'', history_from => now() - interval ''30 days'', duration => ''5 min''') AS body;
SELECT is((SELECT end_reason FROM consent WHERE scope = 'read_mainmeter_daily'), 'replaced', 'a new consent takes the place of the old');
SELECT is((SELECT jsonb_build_object('sub', t.sub::uuid = a.sub, 'client', t.client_id = pg_temp.client_id('planner'), 'scope', t.scope, 'homes', t.home_ids, 'from', now() - t.history_from)
	FROM issued_token t, account a WHERE a.email LIKE 'anna%'), '{"sub": true, "client": true, "scope": "read_mainmeter_hourly", "homes": [2], "from": "30 days"}', 'the token has the owner''s opaque name, scope, homes and history of the consent');
SELECT ok((SELECT t.expires_at <= c.expires_at FROM issued_token t JOIN consent c USING (consent_id)), '... and ends with the consent, before a token''s own time');
SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min') \g /dev/null
SELECT is((SELECT now() - history_from FROM issued_token WHERE home_ids IS NULL), interval '400 days', 'without a limit the history goes back to when the resident moved in');
SELECT is(pg_temp.obtain('bert', 'planner', 'read_mainmeter_30min') ->> 'error', 'invalid_grant', 'a resident without a home has nothing to give');

-- What the resident sees, and takes back.
SELECT is((SELECT array_agg(concat_ws(' ', c.service, c.scope, c.end_reason) ORDER BY c.consent_id) FROM my_consents(pg_temp.session('anna')) AS c),
	'{planner read_mainmeter_daily replaced,planner read_mainmeter_hourly replaced,planner read_mainmeter_30min}', 'the resident sees the consents');
CREATE TEMP TABLE token AS SELECT t.* FROM issued_token t WHERE revoked_at IS NULL;
SELECT is((SELECT count(*)::integer FROM token), 1, 'one token is good: those of replaced consents are revoked');
SAVEPOINT use;
SELECT note_access(jti) FROM token, generate_series(1, 3) \g /dev/null
ROLLBACK TO use;
SELECT is((SELECT array_agg(concat_ws(' ', l.service, l.scope, l.tokens)) FROM my_access_log(pg_temp.session('anna')) AS l), '{planner read_mainmeter_30min 1}', 'the resident sees the use, once an hour, also where it was rolled back');
SELECT is((SELECT count(*)::integer FROM access_log JOIN token USING (jti)), 1, '... from one row');
SELECT is(pg_temp.front(format('SELECT count(*) FROM my_access_log(%L)', pg_temp.session('bert'))), '0', '... and nobody else does');
SELECT is((SELECT last_used_at FROM my_consents(pg_temp.session('anna')) WHERE ended_at IS NULL), now(), '... and when a consent was last made use of');
SELECT throws_ok(format('SELECT pg_temp.front(format(''SELECT withdraw_consent(%%L, %s)'', pg_temp.session(''bert'')))', consent_id), '42501', NULL, 'nobody takes back the consent of another') FROM token;
SELECT lives_ok(format('SELECT pg_temp.front(format(''SELECT withdraw_consent(%%L, %s)'', pg_temp.session(''anna'')))', consent_id), 'the resident takes it back') FROM token;
SELECT is(pg_temp.live('planner'), 0::bigint, '... and its tokens are void at once');
SELECT is((SELECT content ->> 'event' FROM service_notification ORDER BY notification_id DESC LIMIT 1), 'access_ended', '... of which the service is told');

-- Moving.
SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min', 'decision => ''grant'', home_ids => ''{1,2}''') \g /dev/null
SELECT throws_ok($$ SELECT move_out(2, account_id) FROM pg_temp.person WHERE name = 'bert' $$, '22023', NULL, 'who does not live there does not move out');
SELECT move_out(1, account_id, now() + interval '2 min') FROM pg_temp.person WHERE name = 'anna' \g /dev/null
SELECT is(pg_temp.live('planner'), 1::bigint, 'a move to come revokes nothing');
SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min', 'decision => ''grant'', home_ids => ''{1,2}''') \g /dev/null
SELECT ok((SELECT max(expires_at) <= now() + interval '2 min' FROM issued_token WHERE revoked_at IS NULL), '... but no new token outlasts it');
SELECT authenticate(issue_token(a.sub::text, 'service', 'read_mainmeter_daily', '1 hour')) FROM account a JOIN pg_temp.person p USING (account_id) WHERE p.name = 'anna' \g /dev/null
SELECT ok(token_homes() @> '{1,2}' AND token_today() IS NOT NULL, 'a token opens the homes in which its owner lives');
SAVEPOINT moves;
UPDATE home_resident SET until = clock_timestamp();
SELECT ok(token_homes() = '{}' AND token_today() IS NULL, '... and none from the move on, also to a transaction that began before it');
ROLLBACK TO moves;
SELECT logout() \g /dev/null
UPDATE home_resident SET until = now() WHERE home_id = 1;
SELECT is(pg_temp.live('planner'), 0::bigint, 'moving out revokes what shows the home');
SELECT is((SELECT home_ids FROM consent JOIN made ON subscription_id = anna WHERE ended_at IS NULL), '{2}', '... and leaves the other home in the consent');
SELECT throws_ok($$ SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min', 'decision => ''grant'', home_ids => ''{1}''') $$, '42501', NULL, 'the old home is no longer the resident''s to grant');
SELECT move_out(2, account_id) FROM pg_temp.person WHERE name = 'anna' \g /dev/null
SELECT is((SELECT end_reason FROM consent JOIN made ON subscription_id = anna ORDER BY consent_id DESC LIMIT 1), 'moved', 'without a home the consent ends');

-- Developers and the DSO as resource owners.
SELECT pg_temp.subscribe('developer', 'watcher'), pg_temp.subscribe('developer', 'grid') \g /dev/null
SELECT is(pg_temp.obtain('developer', 'watcher', 'read_forecast_hourly') ->> 'scope', 'read_forecast_hourly', 'a developer grants another service what the own services forecast');
SELECT throws_ok($$ SELECT pg_temp.obtain('developer', 'watcher', 'read_mainmeter_daily read_forecast_hourly') $$, '42501', NULL, '... but no meter data');
SELECT is(pg_temp.carried(pg_temp.authorize('developer', 'grid', 'read_feeder_30min')) ->> 'error', 'access_denied', '... nor feeders');
UPDATE account SET kind = 'superuser' WHERE email LIKE 'rival%';
SELECT pg_temp.subscribe('rival', 'grid') \g /dev/null
SELECT is(pg_temp.obtain('rival', 'grid', 'read_feeder_30min') ->> 'scope', 'read_feeder_30min', 'the DSO grants feeders');

-- Suspension, unsubscription, erasure.
SELECT review_service(pg_temp.client_id('watcher'), 'suspended', 'too curious') \g /dev/null
SELECT is(pg_temp.live('watcher'), 0::bigint, 'suspending a service voids its tokens');
SELECT is(pg_temp.post('oauth_token', 'watcher', 'grant_type=refresh_token&refresh_token=x') #>> '{body,error}', 'unauthorized_client', '... and it gets no others');
SELECT is(pg_temp.live('grid'), 1::bigint, '... which touches no other service');
SELECT pg_temp.front(format('SELECT unsubscribe(%L, %L)', pg_temp.session('rival'), pg_temp.client_id('grid'))) \g /dev/null
SELECT is(pg_temp.live('grid'), 0::bigint, 'unsubscribing voids the tokens');
SELECT move_in(2, account_id, now() - interval '1 day') FROM pg_temp.person WHERE name = 'bert' \g /dev/null
SELECT pg_temp.obtain('bert', 'planner', 'read_mainmeter_30min') \g /dev/null
SELECT is(pg_temp.front(format('SELECT error FROM delete_account(%L, ''a guess'')', pg_temp.session('bert'))), 'invalid_credentials', 'an account is not erased without its password');
SELECT is(pg_temp.front(format('SELECT error FROM delete_account(%L, ''secret of bert'')', pg_temp.session('bert'))), NULL, '... and is with it');
SELECT is(pg_temp.live('planner'), 0::bigint, '... which voids the tokens for its data');
SELECT is_empty($$ SELECT FROM account a, pg_temp.person p WHERE p.name = 'bert' AND a.account_id = p.account_id UNION ALL SELECT FROM home_resident WHERE home_id = 2 AND until IS NULL $$, '... and leaves no account and no residence');
SELECT pg_temp.front(format('SELECT error FROM delete_account(%L, ''secret of developer'')', pg_temp.session('developer'))) \g /dev/null
SELECT is((SELECT string_agg(name, ',') FROM service WHERE name = 'planner'), NULL, 'a developer''s account takes its services along');
SELECT * FROM finish();
ROLLBACK;
-- The rows that stay by design.
DELETE FROM smarthg.access_log;
