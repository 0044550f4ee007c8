-- SMC-UC1 and SMC-UC2: accounts, log in, passwords, and who may see what of a person.
\ir market.psql
SELECT plan(48);

-- Sign up.
SELECT lives_ok($$ SELECT pg_temp.front('SELECT sign_up(''Anna.Hansen@Example.com'', ''correct horse'', ''resident'', ''Havnegade 1'', ''4400'', ''Kalundborg'')') $$, 'a resident signs up');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT sign_up(''anna.hansen@example.COM'', ''another horse'')') $$, '23505', NULL, 'an e-mail is taken without regard to case');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT sign_up(''no e-mail'', ''correct horse'')') $$, '22023', 'e-mail is none', 'what is no e-mail is refused');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT sign_up(''b@example.com'', ''short'')') $$, '22023', NULL, 'a short password is refused');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT sign_up(''bertram@example.com'', ''Bertram@Example.com'')') $$, '22023', NULL, '... and so is the e-mail itself');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT sign_up(''b@example.com'', ''correct horse'', ''superuser'')') $$, '22023', NULL, 'nobody signs up as superuser');
SELECT ok((SELECT password_hash ~ '^\$scrypt\$ln=10,r=8,p=1\$[^$]{22}\$[^$]{43}$' FROM account), 'the password is kept as a scrypt hash at the cost of the settings');

-- Verification and log in.
CREATE FUNCTION pg_temp.log_in(email text, password text) RETURNS jsonb LANGUAGE sql AS $$ SELECT pg_temp.front_json(format('SELECT row_to_json(r) FROM log_in(%L, %L) AS r', email, password)) $$;
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'correct horse') ->> 'error', 'not_verified', 'an account that is not verified is not logged in');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'wrong horse') ->> 'error', 'invalid_credentials', '... and a wrong password does not learn that');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT verify_account(1)') $$, '42501', NULL, 'the front end verifies nobody');
SELECT lives_ok('SELECT verify_account(account_id) FROM account', 'the operator verifies the account');
SELECT is((SELECT verified_by FROM account), session_user::text, '... and is named for it');
CREATE TEMP TABLE login AS SELECT pg_temp.log_in(' ANNA.hansen@example.com ', 'correct horse') AS got;
SELECT ok((SELECT length(got ->> 'session') = 43 AND got ->> 'error' IS NULL FROM login), 'now the log in gives a session');
SELECT is((SELECT count(*)::integer FROM account_session, login WHERE secret_digest = secret_digest(got ->> 'session')), 1, '... of which a digest is stored');
SELECT is((SELECT pg_temp.front(format('SELECT email FROM my_account(%L)', got ->> 'session')) FROM login), 'Anna.Hansen@Example.com', '... that stands for the account');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT my_account(''AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'')') $$, '28000', NULL, 'another secret does not');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT my_account(NULL)') $$, '28000', NULL, '... nor none');
SELECT is(pg_temp.log_in('nobody@example.com', 'correct horse'), pg_temp.log_in('anna.hansen@example.com', 'wrong horse'), 'an unknown e-mail and a wrong password have the same answer');

-- The address is the owner's to correct; the session's to end.
SELECT lives_ok($$ SELECT pg_temp.front(format('SELECT set_address(%L, ''Kordilgade 2'', ''4400'', ''Kalundborg'')', got ->> 'session')) FROM login $$, 'the owner corrects the address');
SELECT is((SELECT address FROM account), 'Kordilgade 2', '... which is stored');

-- Passwords.
UPDATE market_setting SET scrypt_p = 2;
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'correct horse') ->> 'error', NULL, 'a hash of another cost still logs in');
SELECT ok((SELECT starts_with(password_hash, '$scrypt$ln=10,r=8,p=2$') FROM account), '... and is made anew at the new cost');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'correct horse') ->> 'error', NULL, '... for the same password');
SELECT is((SELECT pg_temp.front(format('SELECT error FROM change_password(%L, ''wrong horse'', ''battery staple'')', got ->> 'session')) FROM login), 'invalid_credentials', 'a password is not changed without the old one');
SELECT is((SELECT pg_temp.front(format('SELECT error FROM change_password(%L, ''correct horse'', ''battery staple'')', got ->> 'session')) FROM login), NULL, '... and is with it');
SELECT is((SELECT count(*)::integer FROM account_session), 1, '... which ends the other sessions');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'correct horse') ->> 'error', 'invalid_credentials', 'the old password is void');
CREATE TEMP TABLE reset AS SELECT pg_temp.front_json('SELECT row_to_json(r) FROM ask_password_reset(''anna.hansen@EXAMPLE.com'') AS r') AS got;
SELECT is((SELECT got ->> 'send_to' FROM reset), 'Anna.Hansen@Example.com', 'a reset is sent to the e-mail as it was given');
SELECT is(pg_temp.front('SELECT send_to FROM ask_password_reset(''anna.hansen@example.com'')'), NULL, '... not a second time in a minute');
SELECT ok((SELECT r ->> 'send_to' IS NULL AND length(r ->> 'secret') = 43 FROM (SELECT pg_temp.front_json('SELECT row_to_json(r) FROM ask_password_reset(''nobody@example.com'') AS r') AS r) AS o), '... and to nobody where there is no account');
SELECT throws_ok($$ SELECT pg_temp.front('SELECT reset_password(''guess'', ''new horses run'')') $$, '28000', NULL, 'a guessed secret resets nothing');
SELECT lives_ok($$ SELECT pg_temp.front(format('SELECT reset_password(%L, ''new horses run'')', got ->> 'secret')) FROM reset $$, 'the secret resets the password');
SELECT throws_ok($$ SELECT pg_temp.front(format('SELECT reset_password(%L, ''other horses run'')', got ->> 'secret')) FROM reset $$, '28000', NULL, '... once');
SELECT is((SELECT count(*)::integer FROM account_session), 0, '... and ends all sessions');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', NULL, 'the new password logs in');

-- Throttling.
UPDATE market_setting SET failures_of_account = 3;
SELECT is((SELECT array_agg(pg_temp.log_in(who, 'guess ' || n) ->> 'error' ORDER BY n) FROM generate_series(1, 4) AS n),
	'{invalid_credentials,invalid_credentials,invalid_credentials,too_many_attempts}', format('the fourth guess of %s must wait', who))
FROM unnest('{anna.hansen@example.com,unknown@example.com}'::text[]) AS who;
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', 'too_many_attempts', '... and so must the right password');
SELECT ok((pg_temp.log_in('Anna.Hansen@example.com', 'x') ->> 'retry_after')::interval BETWEEN '10 min' AND '15 min', '... for the rest of the time in which failures count');
UPDATE log_in_failure SET at = at - interval '20 min';
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', NULL, '... after which it logs in');
UPDATE market_setting SET failures_a_minute = 5;
SELECT is((SELECT array_agg(pg_temp.log_in('guess' || n || '@example.com', 'some guess') ->> 'error' ORDER BY n) FROM generate_series(1, 6) AS n),
	'{invalid_credentials,invalid_credentials,invalid_credentials,invalid_credentials,invalid_credentials,too_many_attempts}', 'guesses at many e-mails are throttled together');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', NULL, '... which does not keep out who knows the password');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'a guess'), pg_temp.log_in('unheard-of@example.com', 'a guess'), '... while guesses at known and unknown e-mails have the same answer');
SELECT is(pg_temp.log_in('unheard-of@example.com', 'a guess') ->> 'error', 'too_many_attempts', '... which is to wait');
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', 'too_many_attempts', '... and after one that failed the right password waits, too');
UPDATE log_in_failure SET at = at - interval '20 min';
UPDATE account SET suspended_at = now();
SELECT is(pg_temp.log_in('anna.hansen@example.com', 'new horses run') ->> 'error', 'suspended', 'a suspended account is not logged in');

-- Who sees what.
SELECT is_empty($$
	SELECT c.oid::regclass, r FROM pg_class c, unnest('{smarthg_market,smarthg_service,smarthg_bridge,smarthg_analyst,public}'::text[]) AS r
	WHERE c.oid IN ('account'::regclass, 'account_session'::regclass, 'password_reset'::regclass, 'log_in_failure'::regclass, 'home_resident'::regclass, 'market_setting'::regclass)
		AND (has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(r, c.oid, 'SELECT'))
$$, 'nobody but the operator reads personal data');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'smarthg'::regnamespace AND has_function_privilege('smarthg_market', p.oid, 'EXECUTE')
		AND NOT has_function_privilege('public', p.oid, 'EXECUTE') AND NOT p.prosecdef
$$, 'the front end is given nothing that works with its own rights');
SELECT * FROM finish();
ROLLBACK;
