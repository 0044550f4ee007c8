-- Tokens and the identity they give: issued, verified, revoked, rotated, and not to be forged (DESIGN.md
-- section 8). What takes several sessions, a pooler or the server's log is in tests/e2e/token.sh.
\set ON_ERROR_STOP 1
BEGIN;
SELECT plan(90);
SET search_path = public, smarthg;
CREATE ROLE token_test_service IN ROLE smarthg_service;
CREATE ROLE token_test_other;
GRANT CREATE, USAGE ON SCHEMA public TO token_test_service, token_test_other;
GRANT USAGE ON SCHEMA smarthg TO token_test_other;
CREATE TABLE public.kept (name text PRIMARY KEY, token text, jti text);
GRANT SELECT ON public.kept TO PUBLIC;

-- Keys.
SELECT is(jwks(), '{"keys": []}', 'no key, no set of keys');
SELECT throws_ok($$ SELECT issue_token('owner', 'service', 'read_home', '1 hour') $$, '55000', NULL, 'no token without keys');
SELECT throws_ok($$ SELECT make_token_key('sign', 'HS256') $$, '22023', NULL, 'no symmetric signatures');
SELECT throws_ok($$ SELECT make_token_key('sign', 'ECDH-ES+A256KW') $$, '23514', NULL, 'a key that is encrypted to does not sign');
SELECT make_token_key('sign') AS first_sign, make_token_key('decrypt') AS first_decrypt \gset
SELECT is((SELECT array_agg(k) FROM jsonb_object_keys(jwks()->'keys'->0) AS k), '{x,y,alg,crv,kid,kty,use}', 'the set has the public members of a signing key');
SELECT is(jsonb_array_length(jwks()->'keys'), 1, 'and not the key that tokens are encrypted to');
SELECT is(jwk_check(jwks()->'keys'->0), jwks()->'keys'->0, 'which is a key in normal form');
SELECT ok(bool_and(octet_length(wrapped_private) > 100 AND position(decode(translate(public_jwk->>'x', '-_', '+/') || '=', 'base64') IN wrapped_private) = 0), 'the stored private key shows nothing of its pair')
	FROM token_key;

-- Issued and verified.
SELECT throws_ok($$ SELECT issue_token('owner', 'service', 'write_mainmeter', '1 hour') $$, '22023', 'scope-token "write_mainmeter" has no sense', 'no token for a scope without sense');
SELECT throws_ok($$ SELECT issue_token('owner', 'service', 'read_home', '0') $$, '22023', NULL, 'no token for no time');
SELECT throws_ok($$ SELECT issue_token('owner', 'service', 'read_home', '401 days') $$, '22023', NULL, 'no token for years');
SELECT throws_ok($$ SELECT issue_token(NULL, 'service', 'read_home', '1 hour') $$, '22004', NULL, 'no token of nobody');
INSERT INTO public.kept SELECT 'a', issue_token('owner-a', 'service-a', 'read_mainmeter_hourly read_appliance_top3_daily write_plan read_mainmeter_15min', '1 hour', '{1,2}', '2026-01-01', 7);
INSERT INTO public.kept SELECT 'b', issue_token('owner-b', 'service-b', 'read_home', '1 hour');
UPDATE public.kept k SET jti = token_verify(k.token)->>'jti';
SELECT token AS a, jti AS a_jti FROM public.kept WHERE name = 'a' \gset
SELECT token AS b, jti AS b_jti FROM public.kept WHERE name = 'b' \gset
SELECT is(token_verify(:'a') - '{jti,iat,nbf,exp}'::text[],
	'{"iss": "urn:smarthg:market", "aud": "urn:smarthg:database", "sub": "owner-a", "client_id": "service-a", "scope": "read_mainmeter_15min read_appliance_top3_daily write_plan"}',
	'a token has the claims it was issued for, and no others');
SELECT is(to_timestamp((token_verify(:'a')->>'exp')::float8), expires_at, 'and the end') FROM issued_token WHERE jti = :'a_jti';
SELECT results_eq(format($$ SELECT sub, client_id, scope, home_ids, history_from, consent_id FROM issued_token WHERE jti = %L $$, :'a_jti'),
	$$ VALUES ('owner-a', 'service-a', 'read_mainmeter_15min read_appliance_top3_daily write_plan', '{1,2}'::bigint[], '2026-01-01'::timestamptz, 7::bigint) $$, 'its row has the rest');
SELECT isnt(:'a_jti'::text, :'b_jti', 'each has an identifier of its own');
SELECT is(token_verify('x.y.z'), NULL::jsonb, 'what is no token is null to token_verify');
SELECT throws_ok($$ SELECT authenticate('a.b.c.d.e') $$, '28000', 'token is not valid', 'and an error to authenticate');
SELECT throws_ok(format($$ SELECT authenticate(%L) $$, overlay(:'a' PLACING CASE substr(:'a', 700, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM 700)), '28000', NULL, 'so is a token with a letter changed');
UPDATE issued_token SET scope = 'read_mainmeter_raw' WHERE jti = :'b_jti';
SELECT is(token_verify(:'b'), NULL, 'a row that says something else than its token voids it');
UPDATE issued_token SET scope = 'read_home' WHERE jti = :'b_jti';
SET smarthg.token_audience = 'urn:other';
SELECT throws_ok(format($$ SELECT authenticate(%L) $$, :'a'), '28000', NULL, 'a token for another audience, though verified before');
RESET smarthg.token_audience;

-- The identity.
SELECT is(current_token(), (NULL, NULL, NULL, NULL, NULL, NULL, NULL)::token_identity, 'nobody speaks at first');
SELECT ok(NOT token_allows('read', 'home') AND token_finest('mainmeter') IS NULL AND token_top('appliance') = 0, 'and nothing is allowed');
SET ROLE token_test_service;
SAVEPOINT before;
SELECT is(authenticate(:'a')->>'sub', 'owner-a', 'a service authenticates');
SELECT results_eq('SELECT jti, sub, client_id, scopes, home_ids, history_from FROM current_token()',
	format($$ VALUES (%L, 'owner-a', 'service-a', '{read_mainmeter_15min,read_appliance_top3_daily,write_plan}'::text[], '{1,2}'::bigint[], '2026-01-01'::timestamptz) $$, :'a_jti'), 'and its token speaks');
SELECT ok(token_allows('read', 'mainmeter', '15min') AND token_allows('read', 'mainmeter', 'daily') AND token_allows('read', 'mainmeter'), 'a granularity includes the coarser ones');
SELECT ok(NOT token_allows('read', 'mainmeter', '5min') AND NOT token_allows('write', 'mainmeter') AND NOT token_allows('read', 'home'), 'and nothing else');
SELECT ok(token_allows('write', 'plan') AND NOT token_allows('write', 'price') AND NOT token_allows('read', 'plan'), 'writing is what was granted');
SELECT ok(token_finest('mainmeter') = '15min' AND token_top('mainmeter') IS NULL AND token_finest('appliance') = 'daily' AND token_top('appliance') = 3 AND token_top('submeter') = 0,
	'how fine and how many');
SELECT throws_ok($$ SELECT token_allows('read', 'fridge') $$, '22023', NULL, 'an unknown resource is an error, not a no');
ROLLBACK TO before;
SELECT is((current_token()).jti, NULL, 'an identity goes back with its savepoint');
SELECT authenticate(:'a') \g /dev/null
SELECT is(authenticate(:'b')->>'sub', 'owner-b', 'another token takes its place');
SELECT is((current_token()).sub, 'owner-b', '... and speaks alone');
SELECT ok((current_token()).home_ids IS NULL AND (current_token()).history_from IS NULL, 'without a limit of homes or history');
SELECT throws_ok($$ SELECT authenticate('x') $$, '28000', NULL, 'one that is not valid');
SELECT is((current_token()).sub, 'owner-b', '... changes nothing');
PREPARE asks AS SELECT (current_token()).sub;
SELECT is((SELECT sub FROM (SELECT (current_token()).sub) AS s), 'owner-b', 'in a subquery, too');
SELECT logout() \g /dev/null
SELECT is((current_token()).jti, NULL, 'logout ends it');
SET plan_cache_mode = force_generic_plan;
SELECT authenticate(:'a') \g /dev/null
SELECT results_eq('asks', $$ VALUES ('owner-a') $$, 'a prepared plan asks anew');
SELECT authenticate(:'b') \g /dev/null
SELECT results_eq('asks', $$ VALUES ('owner-b') $$, '... each time');
RESET plan_cache_mode;

-- In parallel workers.
SELECT authenticate(:'a') \g /dev/null
SET force_parallel_mode = on;
CREATE TEMP TABLE explained (line text);
DO $$
DECLARE
	l text;
BEGIN
	FOR l IN EXPLAIN (ANALYZE, COSTS off) SELECT (current_token()).sub LOOP
		INSERT INTO explained VALUES (l);
	END LOOP;
END $$;
SELECT ok(bool_or(line LIKE '%Workers Launched: 1%'), 'a worker runs it') FROM explained;
-- CREATE TABLE AS runs in workers what a query around a test function would not.
CREATE TEMP TABLE in_worker AS SELECT (current_token()).sub, token_allows('read', 'mainmeter', '15min') AS allowed, token_finest('appliance') AS finest;
SELECT results_eq('SELECT sub, allowed, finest FROM in_worker', $$ VALUES ('owner-a', true, 'daily') $$, 'and knows the identity and its rights');
SELECT logout() \g /dev/null
CREATE TEMP TABLE in_worker_later AS SELECT (current_token()).sub, token_allows('read', 'mainmeter', '15min') AS allowed;
SELECT results_eq('SELECT sub, allowed FROM in_worker_later', $$ VALUES (NULL::text, false) $$, 'and that there is none');
RESET force_parallel_mode;

-- Not to be forged by a service or any other ordinary role ...
SELECT throws_ok(format('SET smarthg.identity = %L', 's' || repeat('A', 43) || :'a_jti'), '42501', NULL, 'not by SET');
SELECT throws_ok(format('SET LOCAL smarthg.identity = %L', 's' || repeat('A', 43) || :'a_jti'), '42501', NULL, 'not by SET LOCAL');
SELECT throws_ok($$ SELECT set_config('smarthg.identity', 'x', true) $$, '42501', NULL, 'not by set_config');
SELECT throws_ok($$ SELECT set_config('smarthg.identity', NULL, false) $$, '42501', NULL, '... of null');
SELECT throws_ok($$ RESET smarthg.identity $$, '42501', NULL, 'not even by RESET');
SELECT throws_ok($$ SHOW smarthg.identity $$, '42501', NULL, 'nor to be seen');
SELECT throws_ok($$ ALTER ROLE token_test_service SET smarthg.identity = 'x' $$, '42501', NULL, 'not by ALTER ROLE');
SELECT throws_ok($$ CREATE FUNCTION public.forging() RETURNS text LANGUAGE sql SET smarthg.identity = 'x' AS 'SELECT (smarthg.current_token()).sub' $$, '42501', NULL, 'not by a function that sets it');
SELECT throws_ok($$ SET smarthg.made_up = 'x' $$, '42602', NULL, 'and no other setting of the name is made up');
SELECT throws_ok($$ SET smarthg.key_file = 'x' $$, '55P02', NULL, 'the key file is not to be changed');
SELECT throws_ok($$ SET smarthg.token_issuer = 'x' $$, '42501', NULL, 'nor the issuer');
SELECT throws_ok($$ INSERT INTO smarthg.issued_token SELECT 'x', 'o', 'c', 'read_home', NULL, NULL, now(), now(), now() + interval '1 hour' $$, '42501', NULL, 'no row is issued by hand');
SELECT throws_ok($$ SELECT wrapped_private FROM smarthg.token_key $$, '42501', NULL, 'no key is read');
SELECT throws_ok($$ SELECT issue_token('owner', 'service', 'read_home', '1 hour') $$, '42501', NULL, 'a service issues no tokens');
SELECT throws_ok($$ SELECT token_seal('a', 'b', 'c', 'read_home', now(), now(), now()) $$, '42501', NULL, '... by no function');
SELECT throws_ok($$ SELECT revoke_token('x') $$, '42501', NULL, 'nor revokes them');
RESET ROLE;
-- ... nor by a superuser.
SELECT throws_ok(format('SET smarthg.identity = %L', 's' || repeat('A', 43) || :'a_jti'), '22023', NULL, 'a superuser does not forge it, either');

-- The owner's rights of an ordinary role are no more than its own, and SET ROLE changes no identity.
SET ROLE token_test_other;
SELECT throws_ok(format('SELECT authenticate(%L)', :'a'), '42501', NULL, 'who is no service does not authenticate');
CREATE FUNCTION public.borrowed(token text) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS 'SELECT smarthg.authenticate(token)';
SET ROLE token_test_service;
SELECT throws_ok(format('SELECT public.borrowed(%L)', :'a'), '42501', NULL, '... nor lets others do it for him');
SELECT authenticate(:'a') \g /dev/null
SET ROLE token_test_other;
SELECT throws_ok('SELECT logout()', '42501', NULL, 'a role without the right does not end it');
RESET ROLE;
SELECT is((current_token()).sub, 'owner-a', 'SET ROLE makes nobody else of a token''s owner');
SELECT logout() \g /dev/null

-- The end: revoked, expired, key retired.
SELECT authenticate(:'a') \g /dev/null
SELECT ok(revoke_token(:'a_jti') AND NOT revoke_token(:'a_jti') AND NOT revoke_token('none'), 'a token is revoked once');
SELECT is((current_token()).jti, NULL, 'and speaks no more in the next statement');
SELECT throws_ok(format('SELECT authenticate(%L)', :'a'), '28000', NULL, '... nor is taken again, though verified before');
SELECT authenticate(:'b') \g /dev/null
UPDATE issued_token SET not_before = '2026-01-01', expires_at = '2026-01-02' WHERE jti = :'b_jti';
SELECT is((current_token()).jti, NULL, 'an expired one speaks no more');
UPDATE issued_token SET not_before = now(), expires_at = now() + interval '1 hour' WHERE jti = :'b_jti';
SELECT rotate_token_key('sign', overlap => '1 hour') AS second_sign \gset
SELECT rotate_token_key('decrypt') AS second_decrypt \gset
SELECT results_eq($$ SELECT kid COLLATE "default", state FROM token_key WHERE use = 'sign' ORDER BY valid_from $$, format($$ VALUES (%L, 'retiring'), (%L, 'active') $$, :'first_sign', :'second_sign'), 'a key rotates');
SELECT is(jsonb_array_length(jwks()->'keys'), 2, 'both are published');
SELECT isnt(token_verify(:'b'), NULL, 'a token of the first still holds');
SELECT issue_token('owner-c', 'service', 'read_home', '1 hour') AS c \gset
SELECT is(convert_from(decode(rpad(translate(split_part(:'c', '.', 1), '-_', '+/'), (length(split_part(:'c', '.', 1)) + 3) / 4 * 4, '='), 'base64'), 'utf8')::jsonb->>'kid', :'second_decrypt', 'new tokens are encrypted to the second');
SELECT retire_token_key(:'first_sign') \g /dev/null
SELECT is(token_verify(:'b'), NULL, 'a retired key ends its tokens');
SELECT isnt(token_verify(:'c'), NULL, '... and no others');
SELECT is((SELECT wrapped_private FROM token_key WHERE kid = :'first_sign'), NULL, 'and is erased');
SELECT throws_ok($$ SELECT retire_token_key('none') $$, 'P0002', NULL, 'a key that is not there');
SELECT rotate_token_key('sign', 'RS256') \g /dev/null
SELECT isnt(token_verify(:'c'), NULL, 'a key that has been rotated away holds for its overlap');
UPDATE token_key SET valid_until = clock_timestamp() WHERE kid = :'second_sign';
SELECT is(token_verify(:'c'), NULL, '... and no longer, though it verified this token before');
SELECT ok(NOT jwks()->'keys' @> jsonb_build_array(jsonb_build_object('kid', :'second_sign'::text)), '... nor is it published');
SELECT is(token_verify(issue_token('owner-d', 'service', 'read_home', '1 hour'))->>'sub', 'owner-d', 'RS256 signs, too');

-- The access log.
SELECT issue_token('owner-e', 'service', 'read_home', '1 hour') AS e, issue_token('owner-f', 'service', 'read_home', '1 hour') AS f \gset
SELECT pg_current_wal_insert_lsn() AS wal_before \gset
SELECT authenticate(:'e'), authenticate(:'e') \g /dev/null
SELECT ok(pg_current_wal_flush_lsn() > :'wal_before', 'what notes the first use of a token outlasts a crash at once');
SELECT token_verify(:'f') \g /dev/null
SELECT is((SELECT count(*) FROM access_log WHERE sub = 'owner-e'), 1::bigint, 'a token''s use is noted once an hour');
SELECT is((SELECT count(*) FROM access_log WHERE sub = 'owner-f'), 0::bigint, 'to verify a token is no use of it');
-- A backend remembers what it has noted, but not of 800 tokens.
SELECT authenticate(:'e', true) \g /dev/null
SAVEPOINT others;
DO $$ BEGIN FOR n IN 1..800 LOOP PERFORM authenticate(issue_token('others', 'service', 'read_home', '1 hour')); END LOOP; END $$;
ROLLBACK TO others;
TRUNCATE access_log;
SET force_parallel_mode = on;
CREATE TEMP TABLE in_worker_noted AS SELECT (current_token()).sub;
RESET force_parallel_mode;
SELECT is((SELECT sub FROM in_worker_noted), 'owner-e', 'a session''s identity goes on');
SELECT is((SELECT jti FROM access_log), (current_token()).jti, '... and is noted by its statements, once an hour, also where they run in parallel');
SELECT logout() \g /dev/null

-- Signatures of others.
SELECT is(jws_verify('eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q', key),
	'{"iss": "joe", "exp": 1300819380, "http://example.com/is_root": true}', 'RFC 7515 A.3 verifies')
	FROM (SELECT '{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'::jsonb AS key) AS k;
SELECT is(jws_verify('eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q', jwks()->'keys'->0), NULL,
	'... not by another key');
SELECT throws_ok($$ SELECT jwk_check('{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}') $$,
	'22023', 'public key is not usable', 'a private key is not taken');
SELECT throws_ok($$ SELECT jwk_from_pem('-----BEGIN PUBLIC KEY-----') $$, '22023', 'public key is not usable', 'nor what is no PEM');
SELECT ok(jwk_from_pem(E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n')
	@> '{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "alg": "ES256", "use": "sig"}', 'a PEM is the same key');
SELECT * FROM finish();
ROLLBACK;
