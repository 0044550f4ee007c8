-- The service market's accounts: sign up, verification, log in, and whose home is whose (document
-- SMC-UC1 and SMC-UC2, DESIGN.md section 8). A front end connects as a member of smarthg_market and
-- hands on what people type; it commits also where an answer is an error, so that attempts count.

CREATE TABLE market_setting (
	only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	base_uri text NOT NULL DEFAULT 'https://market.invalid' CHECK (base_uri ~ '^https?://[^?#]*[^/?#]$'),
	session_lifetime interval NOT NULL DEFAULT '12 hours' CHECK (session_lifetime BETWEEN '1 min' AND '90 days'),
	code_lifetime interval NOT NULL DEFAULT '1 min' CHECK (code_lifetime BETWEEN '1 sec' AND '10 min'),
	token_lifetime interval NOT NULL DEFAULT '15 min' CHECK (token_lifetime BETWEEN '1 sec' AND '1 day'),
	reset_lifetime interval NOT NULL DEFAULT '30 min' CHECK (reset_lifetime BETWEEN '1 min' AND '1 day'),
	consent_limit interval NOT NULL DEFAULT '1 year' CHECK (consent_limit BETWEEN '1 min' AND '10 years'),
	failure_window interval NOT NULL DEFAULT '15 min' CHECK (failure_window BETWEEN '1 sec' AND '1 day'),
	failures_of_account integer NOT NULL DEFAULT 10 CHECK (failures_of_account BETWEEN 1 AND 1000),
	failures_a_minute integer NOT NULL DEFAULT 300 CHECK (failures_a_minute BETWEEN 1 AND 100000),
	password_length integer NOT NULL DEFAULT 10 CHECK (password_length BETWEEN 8 AND 64),
	scrypt_log2_n integer NOT NULL DEFAULT 15 CHECK (scrypt_log2_n BETWEEN 10 AND 18),
	scrypt_r integer NOT NULL DEFAULT 8 CHECK (scrypt_r BETWEEN 1 AND 8),
	scrypt_p integer NOT NULL DEFAULT 3 CHECK (scrypt_p BETWEEN 1 AND 16),
	kept interval NOT NULL DEFAULT '1 year' CHECK (kept >= '1 day')
);
COMMENT ON TABLE market_setting IS 'Settings of the service market: at most one row; without it the defaults hold';
COMMENT ON COLUMN market_setting.only_one IS 'Always true: there is one row at most';
COMMENT ON COLUMN market_setting.base_uri IS 'Where the front end is reached, without a / at its end: the issuer of RFC 8414 and the beginning of its endpoints';
COMMENT ON COLUMN market_setting.session_lifetime IS 'How long a log in lasts';
COMMENT ON COLUMN market_setting.code_lifetime IS 'How long an authorisation code is good';
COMMENT ON COLUMN market_setting.token_lifetime IS 'How long an access token is good; a consent that ends sooner ends it sooner';
COMMENT ON COLUMN market_setting.reset_lifetime IS 'How long a password can be reset after it was asked for';
COMMENT ON COLUMN market_setting.consent_limit IS 'Longest duration of a consent';
COMMENT ON COLUMN market_setting.failure_window IS 'How long a failed log in counts against its e-mail';
COMMENT ON COLUMN market_setting.failures_of_account IS 'Failed log ins of an e-mail within failure_window after which it must wait';
COMMENT ON COLUMN market_setting.failures_a_minute IS 'Failed log ins of all e-mails within a minute after which an e-mail that failed within failure_window must wait, and any other has one attempt';
COMMENT ON COLUMN market_setting.password_length IS 'Fewest characters of a new password';
COMMENT ON COLUMN market_setting.scrypt_log2_n IS 'Cost of password hashing: logarithm of N. A hash takes 128 * r * N bytes';
COMMENT ON COLUMN market_setting.scrypt_r IS 'Cost of password hashing: r';
COMMENT ON COLUMN market_setting.scrypt_p IS 'Cost of password hashing: p, how often the memory is gone through';
COMMENT ON COLUMN market_setting.kept IS 'How long the access log, ended requests and delivered notifications are kept';

CREATE FUNCTION market_settings() RETURNS market_setting
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce((SELECT m FROM market_setting m),
		(true, 'https://market.invalid', '12 hours', '1 min', '15 min', '30 min', '1 year', '15 min', 10, 300, 10, 15, 8, 3, '1 year')::market_setting)
$$;
COMMENT ON FUNCTION market_settings() IS 'The row of market_setting, or the defaults where there is none';

CREATE FUNCTION password_hash(password text, log2_n integer, r integer, p integer) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_password_hash';
COMMENT ON FUNCTION password_hash(text, integer, integer, integer) IS 'scrypt (RFC 7914) of a password under a new salt, as $scrypt$ln=,r=,p=$salt$hash; takes 128 * r * 2^log2_n bytes, at most 256 MB. Errors: cost out of bounds, more than 1024 bytes';
CREATE FUNCTION password_matches(password text, hash text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_password_matches';
COMMENT ON FUNCTION password_matches(text, text) IS 'Whether the hash of password_hash was made of this password. Errors: it is no such hash';
CREATE FUNCTION random_secret() RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_random_secret';
COMMENT ON FUNCTION random_secret() IS '256 random bits as base64url, 43 characters';
CREATE FUNCTION secret_matches(secret text, digest bytea) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_secret_matches';
COMMENT ON FUNCTION secret_matches(text, bytea) IS 'Whether secret_digest of the secret is this digest, compared in constant time';

CREATE FUNCTION conceal_statement() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_conceal_statement';
COMMENT ON FUNCTION conceal_statement() IS 'From here on errors do not log the client''s statement, which has a password or another secret in it, and pg_stat_activity does not show it';

CREATE FUNCTION log_in_lock(key bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_log_in_lock';
COMMENT ON FUNCTION log_in_lock(bigint) IS 'Takes a lock of log ins until the transaction ends, which is none of the advisory locks that anybody may take; false where another transaction has it';

CREATE FUNCTION secret_digest(secret text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT pg_catalog.sha256(pg_catalog.convert_to(secret, 'UTF8'))
$$;
COMMENT ON FUNCTION secret_digest(text) IS 'SHA-256 of a random secret: what is stored of it';

CREATE FUNCTION composed(value text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE WHEN pg_catalog.getdatabaseencoding() = 'UTF8' THEN normalize(value, NFC) ELSE value END
$$;
COMMENT ON FUNCTION composed(text) IS 'The text with composed characters (NFC), so that keyboards that type them differently agree';

CREATE FUNCTION is_email(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN value ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(value) <= 254;
COMMENT ON FUNCTION is_email(text) IS 'Whether value has the form of an e-mail; null for null';

CREATE TABLE account (
	account_id bigint PRIMARY KEY DEFAULT new_id(),
	sub uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
	email text NOT NULL CHECK (is_email(email)),
	password_hash text,
	kind text NOT NULL CHECK (kind IN ('resident', 'developer', 'superuser')),
	address text,
	postal_code text,
	city text,
	created_at timestamptz NOT NULL DEFAULT now(),
	verified_at timestamptz,
	verified_by text CHECK ((verified_by IS NULL) = (verified_at IS NULL)),
	suspended_at timestamptz
);
CREATE UNIQUE INDEX account_email ON account (lower(email));
COMMENT ON TABLE account IS 'Residents, service developers and the DSO in the service market: the resource owners (document 5.1.1). Read by the DSO''s operator only; its owner sees it through functions';
COMMENT ON COLUMN account.account_id IS 'Identifier';
COMMENT ON COLUMN account.sub IS 'Opaque identifier of the owner in tokens';
COMMENT ON COLUMN account.email IS 'E-mail, unique without regard to case';
COMMENT ON COLUMN account.password_hash IS 'Of password_hash; null: none yet, a reset gives one';
COMMENT ON COLUMN account.kind IS 'resident: owns the meter data of its homes; developer: owns what its services produce; superuser: the DSO, owns feeder aggregates';
COMMENT ON COLUMN account.address IS 'Street address; null: not given';
COMMENT ON COLUMN account.postal_code IS 'Postal code; null: not given';
COMMENT ON COLUMN account.city IS 'City; null: not given';
COMMENT ON COLUMN account.created_at IS 'When it signed up';
COMMENT ON COLUMN account.verified_at IS 'When the DSO had verified who it is; null: not yet, so that it cannot log in';
COMMENT ON COLUMN account.verified_by IS 'The operator who did';
COMMENT ON COLUMN account.suspended_at IS 'Since when it is suspended; null: it is not';

CREATE TABLE account_session (
	secret_digest bytea PRIMARY KEY,
	account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
	began_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL
);
CREATE INDEX account_session_account ON account_session (account_id);
COMMENT ON TABLE account_session IS 'Log ins in force';
COMMENT ON COLUMN account_session.secret_digest IS 'Digest of the secret that the front end holds';
COMMENT ON COLUMN account_session.account_id IS 'Who is logged in';
COMMENT ON COLUMN account_session.began_at IS 'Since when';
COMMENT ON COLUMN account_session.expires_at IS 'Until when';

CREATE TABLE password_reset (
	account_id bigint PRIMARY KEY REFERENCES account ON DELETE CASCADE,
	secret_digest bytea NOT NULL UNIQUE,
	asked_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL
);
COMMENT ON TABLE password_reset IS 'Resets of passwords that were asked for, one an account';
COMMENT ON COLUMN password_reset.account_id IS 'The account';
COMMENT ON COLUMN password_reset.secret_digest IS 'Digest of the secret that was sent to its e-mail';
COMMENT ON COLUMN password_reset.asked_at IS 'When';
COMMENT ON COLUMN password_reset.expires_at IS 'Until when it can be used';

CREATE TABLE log_in_failure (
	email_digest bytea NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX log_in_failure_email ON log_in_failure (email_digest, at);
CREATE INDEX log_in_failure_at ON log_in_failure (at);
COMMENT ON TABLE log_in_failure IS 'Failed log ins of the last market_setting.failure_window, of known and unknown e-mails alike';
COMMENT ON COLUMN log_in_failure.email_digest IS 'SHA-256 of the e-mail in lower case';
COMMENT ON COLUMN log_in_failure.at IS 'When';

CREATE TABLE home_resident (
	home_id bigint NOT NULL REFERENCES home,
	account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
	since timestamptz NOT NULL DEFAULT now(),
	until timestamptz,
	PRIMARY KEY (home_id, account_id, since),
	CHECK (until > since)
);
CREATE UNIQUE INDEX home_resident_now ON home_resident (account_id, home_id) WHERE until IS NULL;
CREATE INDEX home_resident_account ON home_resident (account_id);
COMMENT ON TABLE home_resident IS 'Whose home it is and was, as the DSO knows; a home may have several residents. A token of a resident shows nothing from before since, and nothing from until on';
COMMENT ON COLUMN home_resident.home_id IS 'The home';
COMMENT ON COLUMN home_resident.account_id IS 'The resident';
COMMENT ON COLUMN home_resident.since IS 'When the resident moved in';
COMMENT ON COLUMN home_resident.until IS 'When the resident moves out, which ends access given by that resident; null: not known';

CREATE FUNCTION new_password_hash(password text, email text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	setting market_setting := market_settings();
	chosen text := composed(new_password_hash.password);
BEGIN
	IF length(chosen) < setting.password_length THEN
		RAISE invalid_parameter_value USING MESSAGE = format('password must have at least %s characters', setting.password_length);
	ELSIF lower(chosen) = lower(new_password_hash.email) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'password must not be the e-mail';
	END IF;
	RETURN password_hash(chosen, setting.scrypt_log2_n, setting.scrypt_r, setting.scrypt_p);
END $$;
COMMENT ON FUNCTION new_password_hash(text, text) IS 'Hash of a password that its owner chose, at the cost of the settings; null for null. Errors: too short, too long, the e-mail itself';

CREATE FUNCTION sign_up(email text, password text, kind text DEFAULT 'resident', address text DEFAULT NULL, postal_code text DEFAULT NULL, city text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	wanted text := composed(btrim(sign_up.email));
	made bigint;
BEGIN
	PERFORM conceal_statement();
	IF (sign_up.kind IN ('resident', 'developer')) IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an account is signed up as resident or developer', HINT = 'The DSO''s operator makes an account a superuser.';
	ELSIF is_email(wanted) IS NOT TRUE THEN
		-- Said here, since a constraint's error would show the row.
		RAISE invalid_parameter_value USING MESSAGE = 'e-mail is none';
	END IF;
	INSERT INTO account AS a (email, password_hash, kind, address, postal_code, city)
	VALUES (wanted, new_password_hash(sign_up.password, wanted), sign_up.kind, sign_up.address, sign_up.postal_code, sign_up.city)
	ON CONFLICT (lower(a.email)) DO NOTHING RETURNING a.account_id INTO made;
	IF made IS NULL THEN
		RAISE unique_violation USING MESSAGE = 'an account with this e-mail is there already';
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION sign_up(text, text, text, text, text, text) IS 'SMC-UC1: a new account, which can log in once the DSO has verified it; returns account_id. Without a password it gets one by a reset. Errors: e-mail none, password too short; e-mail taken, 23505, after the same time: the front end tells the person the same as of a new account, and the owner of the e-mail by mail';

CREATE FUNCTION verify_account(account_id bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	UPDATE account a SET verified_at = now(), verified_by = session_user WHERE a.account_id = verify_account.account_id AND a.verified_at IS NULL
$$;
COMMENT ON FUNCTION verify_account(bigint) IS 'For the DSO''s operator: the account is who it says it is (SMC-UC1)';

CREATE FUNCTION try_password(email text, password text, OUT account_id bigint, OUT error text, OUT retry_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	setting market_setting := market_settings();
	cost text := format('$scrypt$ln=%s,r=%s,p=%s$', setting.scrypt_log2_n, setting.scrypt_r, setting.scrypt_p);
	digest bytea := secret_digest(lower(composed(btrim(try_password.email))));
	typed text := composed(try_password.password);
	known account;
	oldest timestamptz;
	flooded boolean;
	matches boolean;
BEGIN
	-- One attempt at a time for an e-mail, so that each is counted before the next.
	IF NOT log_in_lock(hashtextextended(encode(digest, 'hex'), 0)) THEN
		error := 'too_many_attempts';
		retry_after := '1 sec';
		RETURN;
	END IF;
	SELECT f.at INTO oldest FROM log_in_failure f WHERE f.email_digest = digest AND f.at > clock_timestamp() - setting.failure_window
		ORDER BY f.at DESC OFFSET setting.failures_of_account - 1 LIMIT 1;
	IF FOUND THEN
		error := 'too_many_attempts';
		retry_after := oldest + setting.failure_window - clock_timestamp();
		RETURN;
	END IF;
	flooded := EXISTS (SELECT FROM log_in_failure f WHERE f.at > clock_timestamp() - interval '1 min' OFFSET setting.failures_a_minute - 1 LIMIT 1);
	IF flooded AND EXISTS (SELECT FROM log_in_failure f WHERE f.email_digest = digest AND f.at > clock_timestamp() - setting.failure_window) THEN
		error := 'too_many_attempts';
		retry_after := '1 min';
		RETURN;
	END IF;

	SELECT * INTO known FROM account a WHERE lower(a.email) = lower(composed(btrim(try_password.email)));
	-- Where there is nothing to compare with, a hash that no password has costs the same time.
	matches := password_matches(typed, coalesce(known.password_hash, cost || repeat('A', 22) || '$' || repeat('A', 43)));
	IF matches IS NOT TRUE OR known.password_hash IS NULL THEN
		-- Where guesses at others are many, the right password is still let in, and nobody learns from a wrong one that it was tried.
		error := CASE WHEN flooded THEN 'too_many_attempts' ELSE 'invalid_credentials' END;
		retry_after := CASE WHEN flooded THEN interval '1 min' END;
		INSERT INTO log_in_failure (email_digest) VALUES (digest);
		DELETE FROM log_in_failure d WHERE d.ctid = ANY (ARRAY(
			SELECT f.ctid FROM log_in_failure f WHERE f.at < clock_timestamp() - greatest(setting.failure_window, '1 min') LIMIT 10 FOR UPDATE SKIP LOCKED));
		RETURN;
	END IF;
	DELETE FROM log_in_failure f WHERE f.email_digest = digest;
	IF NOT starts_with(known.password_hash, cost) THEN
		UPDATE account a SET password_hash = password_hash(typed, setting.scrypt_log2_n, setting.scrypt_r, setting.scrypt_p) WHERE a.account_id = known.account_id;
	END IF;
	account_id := known.account_id;
	error := CASE WHEN known.verified_at IS NULL THEN 'not_verified' WHEN known.suspended_at IS NOT NULL THEN 'suspended' END;
END $$;
COMMENT ON FUNCTION try_password(text, text) IS
'Checks an e-mail''s password: the account, or an error (invalid_credentials, too_many_attempts, not_verified, suspended) that counts once committed. Unknown e-mails take the same time and the same answers as wrong passwords. A hash of another cost than the settings'' is made anew';

CREATE FUNCTION log_in(email text, password text, OUT session text, OUT expires_at timestamptz, OUT error text, OUT retry_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	tried record;
BEGIN
	PERFORM conceal_statement();
	SELECT * INTO tried FROM try_password(log_in.email, log_in.password);
	error := tried.error;
	retry_after := tried.retry_after;
	IF tried.error IS NULL THEN
		session := random_secret();
		expires_at := now() + (market_settings()).session_lifetime;
		DELETE FROM account_session s WHERE s.account_id = tried.account_id AND s.expires_at <= now();
		INSERT INTO account_session (secret_digest, account_id, expires_at) VALUES (secret_digest(log_in.session), tried.account_id, log_in.expires_at);
	END IF;
END $$;
COMMENT ON FUNCTION log_in(text, text) IS
'SMC-UC2: a secret that stands for the logged-in account in the market''s other functions, or an error: invalid_credentials, too_many_attempts (with the time to wait), not_verified, suspended. Commit also after an error';

CREATE FUNCTION log_out(session text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	DELETE FROM account_session s WHERE s.secret_digest = secret_digest(log_out.session)
$$;
COMMENT ON FUNCTION log_out(text) IS 'Ends a log in';

CREATE FUNCTION session_account(session text) RETURNS account
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	known account;
BEGIN
	PERFORM conceal_statement();
	SELECT a.* INTO known FROM account_session s JOIN account a USING (account_id)
	WHERE s.secret_digest = secret_digest(session_account.session) AND s.expires_at > clock_timestamp()
		AND a.suspended_at IS NULL AND a.verified_at IS NOT NULL;
	IF NOT FOUND THEN
		RAISE invalid_authorization_specification USING MESSAGE = 'session is not in force', HINT = 'Log in again.';
	END IF;
	RETURN known;
END $$;
COMMENT ON FUNCTION session_account(text) IS 'The account of a session secret. Errors: 28000 where there is none in force';

CREATE FUNCTION change_password(session text, old_password text, new_password text, OUT error text, OUT retry_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(change_password.session);
	hash text := new_password_hash(change_password.new_password, owner.email);
BEGIN
	SELECT t.error, t.retry_after INTO error, retry_after FROM try_password(owner.email, change_password.old_password) AS t;
	IF error IS NULL THEN
		UPDATE account a SET password_hash = hash WHERE a.account_id = owner.account_id;
		DELETE FROM account_session s WHERE s.account_id = owner.account_id AND s.secret_digest <> secret_digest(change_password.session);
		DELETE FROM password_reset r WHERE r.account_id = owner.account_id;
	END IF;
END $$;
COMMENT ON FUNCTION change_password(text, text, text) IS 'A new password for the old; ends the account''s other sessions. Error as of log_in. Commit also after an error';

CREATE FUNCTION ask_password_reset(email text, OUT send_to text, OUT secret text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	known account;
BEGIN
	secret := random_secret();
	SELECT * INTO known FROM account a WHERE lower(a.email) = lower(composed(btrim(ask_password_reset.email)));
	INSERT INTO password_reset AS r (account_id, secret_digest, expires_at)
	SELECT known.account_id, secret_digest(ask_password_reset.secret), now() + (market_settings()).reset_lifetime WHERE known.account_id IS NOT NULL
	ON CONFLICT (account_id) DO UPDATE SET secret_digest = excluded.secret_digest, asked_at = now(), expires_at = excluded.expires_at
	WHERE r.asked_at < now() - interval '1 min';
	IF FOUND THEN
		send_to := known.email;
	END IF;
END $$;
COMMENT ON FUNCTION ask_password_reset(text) IS 'For the front end: the secret to send to the account''s e-mail, which is null, and then nothing is sent, where there is no such account or one was asked for within a minute. The person who asks is told the same either way';

CREATE FUNCTION reset_password(secret text, new_password text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account;
BEGIN
	PERFORM conceal_statement();
	DELETE FROM password_reset r USING account a
	WHERE r.secret_digest = secret_digest(reset_password.secret) AND r.expires_at > clock_timestamp() AND a.account_id = r.account_id
	RETURNING a.* INTO owner;
	IF NOT FOUND THEN
		RAISE invalid_authorization_specification USING MESSAGE = 'password can''t be reset with this secret', HINT = 'Ask for another one.';
	END IF;
	UPDATE account a SET password_hash = new_password_hash(reset_password.new_password, owner.email) WHERE a.account_id = owner.account_id;
	DELETE FROM account_session s WHERE s.account_id = owner.account_id;
	DELETE FROM log_in_failure f WHERE f.email_digest = secret_digest(lower(owner.email));
END $$;
COMMENT ON FUNCTION reset_password(text, text) IS 'A new password for the secret of ask_password_reset, once; ends the account''s sessions. Errors: 28000 where the secret is not in force';

CREATE FUNCTION my_account(session text)
RETURNS TABLE (email text, kind text, address text, postal_code text, city text, created_at timestamptz, verified_at timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT a.email, a.kind, a.address, a.postal_code, a.city, a.created_at, a.verified_at FROM session_account(my_account.session) AS a
$$;
COMMENT ON FUNCTION my_account(text) IS 'What is stored of the person logged in';

CREATE FUNCTION set_address(session text, address text, postal_code text, city text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE account a SET address = set_address.address, postal_code = set_address.postal_code, city = set_address.city
	WHERE a.account_id = (SELECT s.account_id FROM session_account(set_address.session) AS s)
$$;
COMMENT ON FUNCTION set_address(text, text, text, text) IS 'Corrects the address; null: none';

CREATE FUNCTION my_homes(session text) RETURNS TABLE (home_id bigint, name text, since timestamptz, until timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT r.home_id, h.name, r.since, r.until FROM session_account(my_homes.session) AS a
	JOIN home_resident r USING (account_id) JOIN home h USING (home_id)
	WHERE r.since <= now() AND coalesce(r.until, 'infinity') > now() ORDER BY r.home_id
$$;
COMMENT ON FUNCTION my_homes(text) IS 'Homes where the person logged in lives now';
