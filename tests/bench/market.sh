#!/bin/bash
# What the service market costs: a log in by what is typed, beside the bare hash; tokens by each
# grant type, beside issuing alone; noting the use of a token, first and again: medians of one session.
set -euo pipefail
database=smarthg_bench_market_$$
createdb "$database"
trap 'dropdb --if-exists --force "$database"' EXIT
psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
CREATE TABLE public.figure (n serial, what text, ms float8);
-- Median time of a statement run so many times, each in a transaction of its own.
CREATE PROCEDURE public.measure(what text, statement text, times integer) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	spent float8[];
BEGIN
	FOR i IN 1 .. times LOOP
		began := clock_timestamp();
		EXECUTE replace(statement, '{n}', i::text);
		COMMIT;
		spent := spent || extract(epoch FROM clock_timestamp() - began)::float8 * 1000;
	END LOOP;
	INSERT INTO public.figure (what, ms) SELECT measure.what, percentile_cont(0.5) WITHIN GROUP (ORDER BY s) FROM unnest(spent) AS s;
END $$;
SELECT make_token_key('sign'), make_token_key('decrypt') \g /dev/null
INSERT INTO market_setting (failures_of_account, failures_a_minute) VALUES (1000, 100000);
SELECT sign_up('someone@example.com', 'a good password', 'developer') AS id \gset
SELECT verify_account(:id) \g /dev/null
UPDATE account SET kind = 'superuser';
CALL public.measure('scrypt alone', 'SELECT password_hash(''a good password'', 15, 8, 3)', 10);
CALL public.measure('log in', 'SELECT log_in(''someone@example.com'', ''a good password'')', 10);
CALL public.measure('log in, wrong password', 'SELECT log_in(''someone@example.com'', ''a bad password'')', 10);
CALL public.measure('log in, unknown e-mail', 'SELECT log_in(''nobody@example.com'', ''a bad password'')', 10);
SELECT session FROM log_in('someone@example.com', 'a good password') \gset
SELECT client_id, client_secret FROM register_service(:'session', 'operator', 'https://operator.example',
	'{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}',
	'runs the grid', '{"read_feeder_30min": "to run it"}', '{https://operator.example/back}') \gset
SELECT review_service(:'client_id', 'approved', version => 1), subscribe(:'session', :'client_id') \g /dev/null
SELECT format('SELECT oauth_token(%L)', 'grant_type=client_credentials&client_id=' || :'client_id' || '&client_secret=' || :'client_secret') AS by_client \gset
SELECT format($$ SELECT oauth_token('grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&client_id=%s&client_secret=%s&code=' ||
	substring(oauth_authorize(%L, 'response_type=code&client_id=%s&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 'grant') #>> '{headers,Location}' FROM 'code=([^&]+)')) $$,
	:'client_id', :'client_secret', :'session', :'client_id') AS by_code \gset
CALL public.measure('issue_token alone', 'SELECT issue_token(''owner'', ''client'', ''read_feeder_30min'', ''1 hour'')', 300);
CALL public.measure('token by client credentials', :'by_client', 300);
CALL public.measure('consent, code and token', :'by_code', 300);
SELECT jti AS one FROM issued_token LIMIT 1 \gset
CALL public.measure('a statement alone', 'SELECT ''{n}''', 300);
CREATE TABLE public.some AS SELECT row_number() OVER () AS n, jti FROM issued_token LIMIT 300;
CALL public.measure('first use of a token', 'SELECT note_access(jti) FROM public.some WHERE n = {n}', 300);
CALL public.measure('... further ones', format('SELECT note_access(%L)', :'one'), 300);
SELECT rpad(what, 30) || to_char(ms, '99990.000') || ' ms' FROM public.figure ORDER BY n;
SQL
