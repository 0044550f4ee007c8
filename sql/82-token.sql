-- Access tokens: keys, issued tokens, and the identity that a verified token gives (DESIGN.md section 8).

CREATE TABLE token_key (
	kid text COLLATE "C" PRIMARY KEY CHECK (octet_length(kid) BETWEEN 1 AND 128),
	use text NOT NULL CHECK (use IN ('sign', 'decrypt')),
	algorithm text NOT NULL CHECK (algorithm IN ('ES256', 'RS256', 'ECDH-ES+A256KW')),
	public_jwk jsonb NOT NULL,
	wrapped_private bytea,
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retiring', 'retired')),
	valid_from timestamptz NOT NULL DEFAULT clock_timestamp(),
	valid_until timestamptz,
	CHECK ((use = 'decrypt') = (algorithm = 'ECDH-ES+A256KW')),
	CHECK ((state = 'retired') = (wrapped_private IS NULL)),
	CHECK (state = 'active' OR valid_until IS NOT NULL)
);
COMMENT ON TABLE token_key IS 'Keys of access tokens: the market controller''s that sign and the database service''s that decrypt. Rotated by kid with an overlap';
COMMENT ON COLUMN token_key.kid IS 'Name of the key, its thumbprint (RFC 7638)';
COMMENT ON COLUMN token_key.use IS 'sign: signs tokens (JWS); decrypt: tokens are encrypted to it (JWE)';
COMMENT ON COLUMN token_key.algorithm IS 'ES256 or RS256 to sign, ECDH-ES+A256KW to decrypt (RFC 7518)';
COMMENT ON COLUMN token_key.public_jwk IS 'Public part as a JWK (RFC 7517)';
COMMENT ON COLUMN token_key.wrapped_private IS 'Private key (PKCS #8) under AES-256-GCM by the key in the file smarthg.key_file: nonce, tag, ciphertext, bound to kid. Null: erased';
COMMENT ON COLUMN token_key.state IS 'active: issues tokens, the newest of its use; retiring: verifies or decrypts until valid_until; retired: its tokens are void';
COMMENT ON COLUMN token_key.valid_from IS 'Not used to issue before';
COMMENT ON COLUMN token_key.valid_until IS 'Not used at all from then on; null: no end';

CREATE TRIGGER token_key_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON token_key
	FOR EACH STATEMENT EXECUTE FUNCTION table_changed();

CREATE TABLE issued_token (
	jti text COLLATE "C" PRIMARY KEY CHECK (octet_length(jti) BETWEEN 1 AND 255),
	sub text NOT NULL CHECK (octet_length(sub) BETWEEN 1 AND 255),
	client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 255),
	scope text NOT NULL CHECK (octet_length(scope) BETWEEN 1 AND 1000),
	home_ids bigint[],
	history_from timestamptz,
	issued_at timestamptz NOT NULL,
	not_before timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	revoked_at timestamptz,
	consent_id bigint,
	CHECK (not_before < expires_at)
);
CREATE INDEX issued_token_consent ON issued_token (consent_id) WHERE revoked_at IS NULL;
CREATE INDEX issued_token_expiry ON issued_token (expires_at);
COMMENT ON TABLE issued_token IS 'Access tokens that were issued here; a token is good only as long as its row says so';
COMMENT ON COLUMN issued_token.jti IS 'Identifier of the token (RFC 7519)';
COMMENT ON COLUMN issued_token.sub IS 'Opaque identifier of the resource owner';
COMMENT ON COLUMN issued_token.client_id IS 'Identifier of the service';
COMMENT ON COLUMN issued_token.scope IS 'What it may do, in the normal form of scope_check';
COMMENT ON COLUMN issued_token.home_ids IS 'Homes it is limited to; null: all homes of the owner';
COMMENT ON COLUMN issued_token.history_from IS 'It reaches no further back than this; null: no limit';
COMMENT ON COLUMN issued_token.issued_at IS 'When it was issued (iat)';
COMMENT ON COLUMN issued_token.not_before IS 'Not good before (nbf)';
COMMENT ON COLUMN issued_token.expires_at IS 'Not good from then on (exp)';
COMMENT ON COLUMN issued_token.revoked_at IS 'When it was revoked; null: it was not';
COMMENT ON COLUMN issued_token.consent_id IS 'The consent it stands on; null: none';

CREATE TYPE token_identity AS (
	jti text,
	sub text,
	client_id text,
	scopes text[],
	home_ids bigint[],
	history_from timestamptz,
	expires_at timestamptz
);
COMMENT ON TYPE token_identity IS 'Whose token speaks: identifier of the token, opaque one of the owner, the service''s, scope-tokens in normal form, homes it is limited to (null: all of the owner), how far back it reaches (null: no limit), its end';

-- Keys.

CREATE FUNCTION token_key_generate(algorithm text, OUT kid text, OUT public_jwk jsonb, OUT wrapped_private bytea) RETURNS record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_key_generate';
COMMENT ON FUNCTION token_key_generate(text) IS 'A new key pair for token_key; makes the key file where there is none. Errors: an unknown algorithm, 22023; a key file that others can read, F0000';

CREATE FUNCTION make_token_key(use text, algorithm text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	made record;
BEGIN
	SELECT * INTO made FROM token_key_generate(coalesce(make_token_key.algorithm, CASE make_token_key.use WHEN 'decrypt' THEN 'ECDH-ES+A256KW' ELSE 'ES256' END));
	INSERT INTO token_key (kid, use, algorithm, public_jwk, wrapped_private)
		VALUES (made.kid, make_token_key.use, made.public_jwk->>'alg', made.public_jwk, made.wrapped_private);
	RETURN made.kid;
END $$;
COMMENT ON FUNCTION make_token_key(text, text) IS 'Makes a key to ''sign'' (ES256 where algorithm is null, or RS256) or ''decrypt'' (ECDH-ES+A256KW) and returns its kid; from now on it issues tokens, and older keys still hold';

CREATE FUNCTION rotate_token_key(use text, algorithm text DEFAULT NULL, overlap interval DEFAULT '90 days') RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	made text;
BEGIN
	made := make_token_key(rotate_token_key.use, coalesce(rotate_token_key.algorithm,
		(SELECT k.algorithm FROM token_key k WHERE k.use = rotate_token_key.use AND k.state = 'active' ORDER BY k.valid_from DESC LIMIT 1)));
	UPDATE token_key k SET state = 'retiring', valid_until = least(k.valid_until, clock_timestamp() + rotate_token_key.overlap)
		WHERE k.use = rotate_token_key.use AND k.state = 'active' AND k.kid <> made;
	RETURN made;
END $$;
COMMENT ON FUNCTION rotate_token_key(text, text, interval) IS 'Makes a key that issues tokens in place of the present ones of that use, of the same algorithm where it is null, and returns its kid; those still verify or decrypt for the overlap';

CREATE FUNCTION retire_token_key(kid text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	UPDATE token_key k SET state = 'retired', wrapped_private = NULL, valid_until = least(k.valid_until, clock_timestamp()) WHERE k.kid = retire_token_key.kid;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such key' USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION retire_token_key(text) IS 'Ends a key at once, and with it all tokens that need it; its private part is erased. Errors: no such key, P0002';

CREATE FUNCTION jwks() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT jsonb_build_object('keys', coalesce(jsonb_agg(public_jwk ORDER BY valid_from, kid), '[]'))
	FROM token_key WHERE use = 'sign' AND state <> 'retired' AND (valid_until IS NULL OR valid_until > clock_timestamp())
$$;
COMMENT ON FUNCTION jwks() IS 'The public keys that tokens may be signed by now, as a JWK Set (RFC 7517 section 5)';

CREATE FUNCTION jwk_check(jwk jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_jwk_check';
COMMENT ON FUNCTION jwk_check(jsonb) IS 'A public key of EC P-256 or RSA with 2048 to 4096 bits in normal form: its numbers, kty, crv, kid (its thumbprint where it has none), alg, use. Errors: anything else, private members, a point off the curve, 22023';

CREATE FUNCTION jwk_from_pem(pem text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_jwk_from_pem';
COMMENT ON FUNCTION jwk_from_pem(text) IS 'A PEM text of a PUBLIC KEY as a JWK to verify signatures. Errors: as of jwk_check';

CREATE FUNCTION jws_verify(jws text, jwk jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_jws_verify';
COMMENT ON FUNCTION jws_verify(text, jsonb) IS 'The payload of a JWS in compact form whose signature by that key, with the algorithm of that key, is right; null where it is not, where its header names another kid, or where the payload is no JSON object with one value a name. Times and audience are the caller''s to check. Errors: a key that is not usable, 22023';

-- Tokens.

CREATE FUNCTION token_seal(jti text, sub text, client_id text, scope text, issued_at timestamptz, not_before timestamptz, expires_at timestamptz) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_seal';
COMMENT ON FUNCTION token_seal(text, text, text, text, timestamptz, timestamptz, timestamptz) IS 'Claims as a nested token: signed by the newest key that signs, encrypted to the newest that decrypts. Errors: no key, 55000; claims too long, 22023';

CREATE FUNCTION issue_token(sub text, client_id text, scope text, lifetime interval, home_ids bigint[] DEFAULT NULL, history_from timestamptz DEFAULT NULL, consent_id bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	issued issued_token;
BEGIN
	IF issue_token.sub IS NULL OR issue_token.client_id IS NULL OR issue_token.scope IS NULL OR issue_token.lifetime IS NULL THEN
		RAISE EXCEPTION 'sub, client_id, scope and lifetime must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT issue_token.lifetime BETWEEN '1 second' AND '400 days' THEN
		RAISE EXCEPTION 'lifetime must be from 1 second to 400 days' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- Tokens count whole seconds.
	INSERT INTO issued_token VALUES (gen_random_uuid(), issue_token.sub, issue_token.client_id, scope_check(issue_token.scope), issue_token.home_ids, issue_token.history_from,
			date_trunc('second', clock_timestamp()), date_trunc('second', clock_timestamp()), date_trunc('second', clock_timestamp()) + issue_token.lifetime, NULL, issue_token.consent_id)
		RETURNING * INTO issued;
	RETURN token_seal(issued.jti, issued.sub, issued.client_id, issued.scope, issued.issued_at, issued.not_before, issued.expires_at);
END $$;
COMMENT ON FUNCTION issue_token(text, text, text, interval, bigint[], timestamptz, bigint) IS 'A new access token for a service (client_id) to the data of an owner (sub, opaque): a nested JWT (RFC 7519), signed by the market controller, then encrypted to this database. home_ids null: all homes of the owner; history_from null: no limit. Errors: a scope without sense or a lifetime not from 1 second to 400 days, 22023; no key, 55000';

CREATE FUNCTION revoke_token(jti text) RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	UPDATE issued_token t SET revoked_at = clock_timestamp() WHERE t.jti = revoke_token.jti AND t.revoked_at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION revoke_token(text) IS 'Ends a token from the next statement of anybody on, also where it is an identity already; false where there is none, or it was revoked before';

CREATE FUNCTION drop_tokens_before(before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	dropped bigint;
BEGIN
	DELETE FROM issued_token t WHERE t.expires_at < least(drop_tokens_before.before, now());
	GET DIAGNOSTICS dropped = ROW_COUNT;
	RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_tokens_before(timestamptz) IS 'Deletes the rows of tokens that expired before a moment; returns how many. None that holds is touched';

CREATE FUNCTION token_verify(token text) RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smarthg_token_verify';
COMMENT ON FUNCTION token_verify(text) IS 'All claims of a token that authenticate would accept now; null for any other';

-- Identity.

CREATE FUNCTION authenticate(token text, for_session boolean DEFAULT false) RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smarthg_authenticate';
COMMENT ON FUNCTION authenticate(text, boolean) IS 'Verifies a token and makes it the identity until the transaction ends, or the session; returns sub, client_id, scope, jti and exp (seconds since 1970). What was opened meanwhile stays open: a cursor reads on though the token be revoked, and temporary tables and cursors WITH HOLD outlast the identity, so that a pooler which lends a session to several clients discards them (server_reset_query_always). Give the token as a parameter, so that no statement has it, and each service a role of its own. Errors: a token that is not valid, 28000, with the reason; a session where smarthg.session_identity is off, 42501';

CREATE FUNCTION logout() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smarthg_logout';
COMMENT ON FUNCTION logout() IS 'Ends the identity of the transaction and the session';

CREATE FUNCTION current_token() RETURNS token_identity
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_current_token';
COMMENT ON FUNCTION current_token() IS 'Whose token speaks now; all null where there is no identity, or its token has expired or been revoked meanwhile';

CREATE FUNCTION token_allows(action text, resource text, granularity text DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_token_allows';
COMMENT ON FUNCTION token_allows(text, text, text) IS 'Whether the present identity may ''read'' or ''write'' a resource, for a granularity in that fineness; for a null one at all. False without an identity. Errors: words that the scope grammar does not have, 22023';

CREATE FUNCTION token_finest(resource text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_token_finest';
COMMENT ON FUNCTION token_finest(text) IS 'The finest granularity in which the present identity may read a resource: raw, 1min, 5min, 15min, 30min, hourly, daily, monthly, yearly; null where it may not. Errors: an unknown resource, 22023';

CREATE FUNCTION token_top(resource text) RETURNS integer
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_token_top';
COMMENT ON FUNCTION token_top(text) IS 'How many of a home''s meters of a resource, those with most energy, the present identity may read: null for all of them, 0 where it may read none. Errors: an unknown resource, 22023';
