-- OAuth 2.0 as an HTTP front carries it: authorisation code with PKCE, refresh with rotation, client
-- credentials, introspection, revocation, metadata, and every refusal in the RFCs' words.
\ir market.psql
SELECT plan(88);
SELECT pg_temp.join_market(p, 'resident') FROM unnest('{anna,bert}'::text[]) AS p \g /dev/null
SELECT pg_temp.join_market(p, 'developer') FROM unnest('{developer,dso}'::text[]) AS p \g /dev/null
UPDATE account SET kind = 'superuser' WHERE email LIKE 'dso%';
SELECT pg_temp.offer('developer', 'planner', '{"read_mainmeter_30min": "to plan"}', '{https://app.example/back}'),
	pg_temp.offer('developer', 'watcher', '{"read_mainmeter_daily": "to watch"}', '{https://app.example/back,https://app.example/back?then=x}'),
	pg_temp.offer('dso', 'operator', '{"read_feeder_30min": "to run the grid"}', '{}') \g /dev/null
SELECT move_in(1, account_id, now() - interval '1 year') FROM pg_temp.person WHERE name = 'anna' \g /dev/null
SELECT pg_temp.subscribe('anna', 'planner'), pg_temp.subscribe('anna', 'watcher') \g /dev/null

-- Metadata and keys.
SELECT is(pg_temp.front_json('SELECT oauth_metadata()') -> 'body' ->> k, v, 'metadata: ' || k) FROM (VALUES
	('issuer', 'https://market.example'), ('token_endpoint', 'https://market.example/token'), ('jwks_uri', 'https://market.example/jwks'),
	('code_challenge_methods_supported', '["S256"]'), ('response_types_supported', '["code"]'), ('authorization_response_iss_parameter_supported', 'true')) AS m(k, v);
SELECT is(jsonb_typeof(pg_temp.front_json('SELECT oauth_jwks()') #> '{body,keys}'), 'array', 'the market''s keys are a JWK set');

-- The authorisation endpoint: nobody is sent to an address that is not registered.
CREATE FUNCTION pg_temp.query(service text, without text DEFAULT '', more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(k || '=' || v, '&') || more FROM (VALUES ('response_type', 'code'), ('client_id', pg_temp.client_id(service)), ('scope', 'read_mainmeter_daily'), ('state', 'a%26b'),
		('redirect_uri', 'https://app.example/back'), ('code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'), ('code_challenge_method', 'S256')) AS p(k, v) WHERE k <> without
$$;
SELECT is(pg_temp.authorize('anna', 'watcher', '', 'decision => ''grant''', q) - 'headers', jsonb_build_object('status', 400, 'body', jsonb_build_object('error', 'invalid_request', 'error_description', e)), t) FROM (VALUES
	(pg_temp.query('watcher', 'client_id', '&client_id=nobody'), 'The client is not known.', 'an unknown client is an error page'),
	(pg_temp.query('watcher', 'redirect_uri', '&redirect_uri=https://app.example/back/'), 'The redirect URI is not one that the service has registered.', '... and so is a redirect URI with one character more'),
	(pg_temp.query('watcher', 'redirect_uri', '&redirect_uri=https://APP.example/back'), 'The redirect URI is not one that the service has registered.', '... one of another case'),
	(pg_temp.query('watcher', 'redirect_uri', '&redirect_uri=https://app.example/back%3fa=b'), 'The redirect URI is not one that the service has registered.', '... one with a query'),
	(pg_temp.query('watcher', 'redirect_uri'), 'The redirect URI is not one that the service has registered.', '... none, where the service has two'),
	(pg_temp.query('watcher', '', '&state=x'), 'The query is no form, or has a parameter twice.', '... and a parameter that is there twice')) AS c(q, e, t);
SELECT is(pg_temp.authorize('nobody', 'watcher', '', 'decision => ''grant''', pg_temp.query('watcher')) ->> 'status', '401', 'who is not logged in logs in first');

-- Further errors go back to the service.
SELECT is(pg_temp.carried(pg_temp.authorize('anna', 'watcher', '', d, q)) - 'error_description', jsonb_build_object('error', e, 'state', 'a&b', 'iss', 'https://market.example'), t) FROM (VALUES
	(pg_temp.query('watcher', 'response_type', '&response_type=token'), 'decision => ''grant''', 'unsupported_response_type', 'the service is told of another response type'),
	(pg_temp.query('watcher', 'response_type'), 'decision => ''grant''', 'invalid_request', '... of none'),
	(pg_temp.query('watcher', 'code_challenge'), 'decision => ''grant''', 'invalid_request', '... of a missing code challenge'),
	(pg_temp.query('watcher', 'code_challenge_method', '&code_challenge_method=plain'), 'decision => ''grant''', 'invalid_request', '... of PKCE method plain'),
	(pg_temp.query('watcher', 'code_challenge_method'), 'decision => ''grant''', 'invalid_request', '... of none, which means plain'),
	(pg_temp.query('watcher', 'scope', '&scope=read_mainmeter_hourly'), 'decision => ''grant''', 'invalid_scope', '... of a scope broader than its manifest'),
	(pg_temp.query('watcher', 'scope', '&scope=everything'), 'decision => ''grant''', 'invalid_scope', '... of what is no scope'),
	(pg_temp.query('watcher', '', '&request_uri=x'), 'decision => ''grant''', 'request_not_supported', '... of requests by reference'),
	(pg_temp.query('watcher'), 'decision => ''deny''', 'access_denied', '... and of the resident''s no')) AS c(q, d, e, t);
SELECT is(pg_temp.carried(pg_temp.authorize('bert', 'planner', 'read_mainmeter_30min')) ->> 'error', 'access_denied', 'without a subscription there is no access');
SELECT is((SELECT count(*)::integer FROM consent) + (SELECT count(*)::integer FROM authorization_code), 0, 'none of this has granted anything');
CREATE TEMP TABLE page AS SELECT pg_temp.authorize('anna', 'watcher', 'read_mainmeter_daily', 'decision => NULL') AS got;
SELECT is((SELECT got #> '{body,asked}' FROM page), jsonb_build_array(jsonb_build_object('scope', 'read_mainmeter_daily', 'meaning', scope_explain('read_mainmeter_daily'), 'reason', 'to watch')), 'the resident is shown what is asked, what it means and what for');
SELECT is((SELECT got #> '{body,homes}' FROM page), '[{"home_id": 1, "name": "first home"}]', '... and the homes to choose from');
SELECT throws_ok($$ SELECT pg_temp.authorize('anna', 'watcher', 'read_mainmeter_daily', 'decision => ''grant'', scope => ''read_mainmeter_hourly''') $$, '22023', NULL, 'the resident cannot grant more than is asked');
SELECT is(pg_temp.authorize('anna', 'watcher', '', 'decision => ''grant''', pg_temp.query('watcher', 'redirect_uri', '&redirect_uri=https://app.example/back%3Fthen%3Dx')) #>> '{headers,Location}' ~ '^https://app\.example/back\?then=x&code=', true, 'a redirect URI keeps its own query');

-- The code.
CREATE TEMP TABLE code AS SELECT pg_temp.carried(pg_temp.authorize('anna', 'planner', 'read_mainmeter_30min')) AS got;
SELECT is((SELECT got - 'code' FROM code), '{"state": "a&b", "iss": "https://market.example"}', 'the browser carries code, state and issuer back');
SELECT is(pg_temp.exchange('planner', got ->> 'code', verifier => 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj') #>> '{body,error}', 'invalid_grant', 'a code is nothing with another verifier') FROM code;
SELECT is(pg_temp.exchange('planner', got ->> 'code', verifier => '') #>> '{body,error}', 'invalid_request', '... with none') FROM code;
SELECT is(pg_temp.exchange('planner', got ->> 'code', uri => 'https://app.example/back/') #>> '{body,error}', 'invalid_grant', '... with another redirect URI') FROM code;
SELECT is(pg_temp.exchange('planner', got ->> 'code', uri => '') #>> '{body,error}', 'invalid_grant', '... with none where the request had one') FROM code;
SELECT is(pg_temp.exchange('watcher', got ->> 'code') #>> '{body,error}', 'invalid_grant', '... and to another client') FROM code;
CREATE TEMP TABLE first AS SELECT pg_temp.exchange('planner', got ->> 'code') AS got FROM code;
SELECT is((SELECT got #- '{body,access_token}' #- '{body,refresh_token}' #- '{body,expires_in}' FROM first),
	'{"status": 200, "headers": {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}, "body": {"token_type": "Bearer", "scope": "read_mainmeter_30min"}}', 'its own client gets a token for it');
SELECT ok((SELECT (got #>> '{body,expires_in}')::integer BETWEEN 1 AND 900 FROM first), '... for a quarter of an hour');
SELECT is_empty($$ SELECT k FROM first, jsonb_object_keys(token_verify(got #>> '{body,access_token}')) AS k WHERE k NOT IN ('iss', 'sub', 'aud', 'client_id', 'scope', 'iat', 'nbf', 'exp', 'jti', 'home_ids', 'history_from') $$, '... whose claims are those of the design, without personal data');
SELECT is(token_verify(got #>> '{body,access_token}') ->> 'sub', (SELECT sub::text FROM account WHERE email LIKE 'anna%'), '... the owner being an opaque name') FROM first;
SELECT is(pg_temp.exchange('planner', got ->> 'code') #>> '{body,error}', 'invalid_grant', 'a code is good once') FROM code;
SELECT is(pg_temp.live('planner'), 0::bigint, '... and its second use voids the token');
SELECT is(pg_temp.post('oauth_token', 'planner', 'grant_type=refresh_token&refresh_token=' || (got #>> '{body,refresh_token}')) #>> '{body,error}', 'invalid_grant', '... and the refresh token') FROM first;
CREATE TEMP TABLE late AS SELECT pg_temp.carried(pg_temp.authorize('anna', 'planner', 'read_mainmeter_30min')) ->> 'code' AS code;
UPDATE authorization_code SET expires_at = now();
SELECT is(pg_temp.exchange('planner', code) #>> '{body,error}', 'invalid_grant', 'a code that is too old is void') FROM late;

-- Refresh.
CREATE FUNCTION pg_temp.refresh(service text, token text, more text DEFAULT '') RETURNS jsonb LANGUAGE sql AS $$ SELECT pg_temp.post('oauth_token', service, 'grant_type=refresh_token&refresh_token=' || token || more) -> 'body' $$;
CREATE TEMP TABLE second AS SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min') AS got;
SELECT is((SELECT count(*)::integer FROM refresh_token, second WHERE token_digest = secret_digest(got ->> 'refresh_token')), 1, 'a refresh token is stored as a digest');
SELECT is(pg_temp.refresh('watcher', got ->> 'refresh_token') ->> 'error', 'invalid_grant', '... is nothing to another client') FROM second;
SELECT is(pg_temp.refresh('planner', got ->> 'refresh_token', '&scope=read_mainmeter_15min') ->> 'error', 'invalid_scope', '... gives no finer scope') FROM second;
CREATE TEMP TABLE third AS SELECT pg_temp.refresh('planner', got ->> 'refresh_token', '&scope=read_mainmeter_daily') AS got FROM second;
SELECT is((SELECT got ->> 'scope' FROM third), 'read_mainmeter_daily', '... but a coarser one on demand');
CREATE TEMP TABLE fourth AS SELECT pg_temp.refresh('planner', got ->> 'refresh_token') AS got FROM third;
SELECT is((SELECT got ->> 'scope' FROM fourth), 'read_mainmeter_30min', '... of which the next can again give all that was granted');
SELECT is(pg_temp.live('planner'), 3::bigint, 'three tokens are good');
SELECT is(pg_temp.refresh('planner', got ->> 'refresh_token') ->> 'error', 'invalid_grant', 'a refresh token that comes again') FROM second;
SELECT is(pg_temp.live('planner'), 0::bigint, '... voids all tokens of its family');
SELECT is(pg_temp.refresh('planner', got ->> 'refresh_token') ->> 'error', 'invalid_grant', '... and the last refresh token') FROM fourth;

-- Who the client is.
SELECT is(pg_temp.front_json(format('SELECT oauth_token(%L, %L)', 'grant_type=client_credentials', 'Basic ' || encode(convert_to(client_id || ':' || secret, 'UTF8'), 'base64'))) #>> '{body,error}', 'unauthorized_client', 'a client is known by client_secret_basic; without a resource owner it gets nothing')
FROM (SELECT client_id, replace(secret, E'\n', '') AS secret FROM pg_temp.client WHERE name = 'planner') AS c;
SELECT is(pg_temp.front_json($$ SELECT oauth_token('grant_type=client_credentials', 'Basic bm9ib2R5Om5vdGhpbmc=') $$) #- '{body,error_description}' #- '{headers,Cache-Control}' #- '{headers,Pragma}',
	'{"status": 401, "headers": {"Content-Type": "application/json", "WWW-Authenticate": "Basic realm=\"smarthg\""}, "body": {"error": "invalid_client"}}', 'a wrong secret is answered as RFC 6749 has it');
SELECT is(pg_temp.front_json(format('SELECT oauth_token(%L, %L)', 'grant_type=client_credentials', h)) #>> '{body,error}', 'invalid_client', format('%s proves nothing', h)) FROM unnest('{"Basic %%%",Basic,Bearer x,""}'::text[]) AS h;
SELECT is(pg_temp.front_json(format('SELECT oauth_token(%L, ''Basic eDp5'')', 'grant_type=client_credentials&' || pg_temp.credentials('planner'))) #>> '{body,error}', 'invalid_request', 'a client authenticates in one way');
SELECT is(pg_temp.post('oauth_token', 'planner', f) #>> '{body,error}', e, format('%s: %s', f, e)) FROM (VALUES ('grant_type=password', 'unsupported_grant_type'), ('a=b', 'invalid_request'), ('grant_type=refresh_token', 'invalid_request'), ('grant_type=%zz', 'invalid_request')) AS v(f, e);

-- The DSO's own services.
CREATE TEMP TABLE own AS SELECT pg_temp.post('oauth_token', 'operator', 'grant_type=client_credentials') AS got;
SELECT is((SELECT got #>> '{body,scope}' FROM own), 'read_feeder_30min', 'a service of the DSO gets a token by itself');
SELECT is(pg_temp.post('oauth_token', 'operator', 'grant_type=client_credentials&scope=read_feeder_15min') #>> '{body,error}', 'invalid_scope', '... within its manifest');

-- Introspection and revocation.
CREATE FUNCTION pg_temp.active(caller text, token text) RETURNS jsonb LANGUAGE sql AS $$ SELECT pg_temp.post('oauth_introspect', caller, 'token=' || token) -> 'body' $$;
CREATE TEMP TABLE fifth AS SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min') AS got;
SELECT is((SELECT i - '{exp,iat,nbf,iss,aud,jti}'::text[] FROM (SELECT pg_temp.active('planner', got ->> 'access_token') AS i FROM fifth) AS o),
	jsonb_build_object('active', true, 'token_type', 'Bearer', 'scope', 'read_mainmeter_30min', 'client_id', pg_temp.client_id('planner')), 'a service learns of its own token what it opens, not whose data');
SELECT is(pg_temp.active('watcher', got ->> 'access_token'), '{"active": false}', '... of another''s nothing') FROM fifth;
SELECT is(pg_temp.active('operator', got ->> 'access_token') ->> 'sub', (SELECT sub::text FROM account WHERE email LIKE 'anna%'), '... the DSO''s service also whose') FROM fifth;
SELECT is(pg_temp.active('planner', got ->> 'refresh_token') ->> 'active', 'true', 'a refresh token is known too') FROM fifth;
SELECT is(pg_temp.active('planner', 'nonsense'), '{"active": false}', '... nonsense is not active');
SELECT is(pg_temp.post('oauth_revoke', 'watcher', 'token=' || (got ->> 'access_token')) ->> 'status', '200', 'another''s token') FROM fifth;
SELECT is(pg_temp.active('planner', got ->> 'access_token') ->> 'active', 'true', '... is not revoked') FROM fifth;
SELECT is(pg_temp.post('oauth_revoke', 'planner', 'token=' || (got ->> 'access_token')) ->> 'status', '200', 'one''s own') FROM fifth;
SELECT is(pg_temp.active('planner', got ->> 'access_token'), '{"active": false}', '... is, at once') FROM fifth;
CREATE TEMP TABLE sixth AS SELECT pg_temp.refresh('planner', got ->> 'refresh_token') AS got FROM fifth;
SELECT pg_temp.post('oauth_revoke', 'planner', 'token_type_hint=refresh_token&token=' || (got ->> 'refresh_token')) FROM sixth \g /dev/null
SELECT is(pg_temp.live('planner'), 0::bigint, 'revoking a refresh token voids its access tokens');
SELECT is(pg_temp.refresh('planner', got ->> 'refresh_token') ->> 'error', 'invalid_grant', '... and itself') FROM sixth;

-- A developer who is suspended takes the services along.
CREATE TEMP TABLE before AS SELECT pg_temp.obtain('anna', 'planner', 'read_mainmeter_30min') AS got, pg_temp.carried(pg_temp.authorize('anna', 'planner', 'read_mainmeter_30min')) ->> 'code' AS code;
CREATE TEMP TABLE last_refresh AS SELECT pg_temp.exchange('planner', code) #>> '{body,refresh_token}' AS token, pg_temp.carried(pg_temp.authorize('anna', 'watcher', 'read_mainmeter_daily')) ->> 'code' AS code FROM before;
SELECT suspend_account(account_id) FROM pg_temp.person WHERE name IN ('developer', 'dso') \g /dev/null
SELECT is(pg_temp.live('planner'), 0::bigint, 'suspending a developer voids the tokens of the services');
SELECT is(pg_temp.refresh('planner', token) ->> 'error', 'unauthorized_client', '... which refresh none') FROM last_refresh;
SELECT is(pg_temp.exchange('watcher', code) #>> '{body,error}', 'unauthorized_client', '... exchange no code') FROM last_refresh;
SELECT is(pg_temp.post('oauth_token', 'operator', 'grant_type=client_credentials') #>> '{body,error}', 'unauthorized_client', '... get none by themselves');
SELECT is((SELECT issue_for_consent(c.consent_id, s, c.scope) FROM consent c JOIN subscription b USING (subscription_id) JOIN service s USING (service_id) WHERE s.name = 'planner' AND c.ended_at IS NULL), NULL, '... nor under a consent that is in force');
SELECT is(pg_temp.carried(pg_temp.authorize('anna', 'watcher', 'read_mainmeter_daily')) ->> 'error', 'unauthorized_client', '... to which nobody is asked to grant more');
SELECT is(pg_temp.front(format('SELECT count(*) FROM list_services(%L)', pg_temp.session('bert'))), '0', '... they are not listed');
SELECT throws_ok($$ SELECT pg_temp.subscribe('bert', 'planner') $$, '22023', NULL, '... nor subscribed to');
SELECT suspend_account(account_id, false) FROM pg_temp.person WHERE name IN ('developer', 'dso') \g /dev/null
SELECT is(pg_temp.refresh('planner', token) ->> 'scope', 'read_mainmeter_30min', '... until the developer is let back in') FROM last_refresh;

-- Upkeep.
SELECT is(market_upkeep() > 0, true, 'what has expired is removed');
SELECT is((SELECT count(*)::integer FROM refresh_token r JOIN consent c USING (consent_id) WHERE c.ended_at IS NOT NULL), 0, '... such as refresh tokens of consents that ended');
SELECT is(pg_temp.obtain('anna', 'watcher', 'read_mainmeter_daily') ? 'access_token', true, '... and what is in force goes on');
SELECT * FROM finish();
ROLLBACK;
