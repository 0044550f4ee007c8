-- The token, introspection and revocation endpoints (RFC 6749, 7523, 7662, 7009; DESIGN.md section 8).

CREATE TABLE refresh_token (
	token_digest bytea PRIMARY KEY,
	family_id uuid NOT NULL,
	consent_id bigint NOT NULL REFERENCES consent ON DELETE CASCADE,
	scope text NOT NULL,
	access_jti text NOT NULL,
	issued_at timestamptz NOT NULL DEFAULT now(),
	used_at timestamptz
);
CREATE INDEX refresh_token_family ON refresh_token (family_id);
CREATE INDEX refresh_token_consent ON refresh_token (consent_id);
COMMENT ON TABLE refresh_token IS 'Refresh tokens: each is exchanged once for the next of its family; a second use ends the family. They last as long as the consent';
COMMENT ON COLUMN refresh_token.token_digest IS 'Digest of the token';
COMMENT ON COLUMN refresh_token.family_id IS 'All that came from one authorisation code';
COMMENT ON COLUMN refresh_token.consent_id IS 'The consent';
COMMENT ON COLUMN refresh_token.scope IS 'What access tokens it may be exchanged for';
COMMENT ON COLUMN refresh_token.access_jti IS 'The access token that was issued with it';
COMMENT ON COLUMN refresh_token.issued_at IS 'When it was issued';
COMMENT ON COLUMN refresh_token.used_at IS 'When it was exchanged or its family ended; null: not yet';

CREATE FUNCTION token_wrap(token text, jwk jsonb) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_token_wrap';
COMMENT ON FUNCTION token_wrap(text, jsonb) IS 'A token encrypted once more to a service''s public key: JWE by ECDH-ES+A256KW and A256GCM. Errors: a key that is not one to encrypt to, a token too long';

CREATE FUNCTION token_answer(client service, token text, scope text, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	SELECT oauth_answer(200, jsonb_build_object('access_token', coalesce(token_wrap(token, (client).encryption_key), token), 'token_type', 'Bearer', 'scope', token_answer.scope,
		'expires_in', (SELECT greatest(floor(extract(epoch FROM t.expires_at - clock_timestamp())), 0) FROM issued_token t WHERE t.jti = token_verify(token) ->> 'jti')) || more)
$$;
COMMENT ON FUNCTION token_answer(service, text, text, jsonb) IS 'The answer that delivers an access token (RFC 6749 section 5.1), encrypted to the service where it has a key for that';

CREATE FUNCTION issue_for_consent(consent_id bigint, client service, scope text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	given record;
	homes bigint[];
	first_since timestamptz;
	last_until timestamptz;
	lifetime interval;
BEGIN
	-- Locked, so that whatever ends access comes before, and is seen, or after, and sees the token.
	SELECT c.scope, c.home_ids, c.history_from, c.expires_at, a.account_id, a.sub, a.kind INTO given
	FROM consent c JOIN subscription b USING (subscription_id) JOIN account a USING (account_id) JOIN service s USING (service_id)
		JOIN account developer ON developer.account_id = s.owner_account_id
	WHERE c.consent_id = issue_for_consent.consent_id AND c.ended_at IS NULL AND c.expires_at > now() AND b.ended_at IS NULL
		AND s.service_id = (issue_for_consent.client).service_id AND s.status = 'approved' AND a.suspended_at IS NULL AND a.verified_at IS NOT NULL
		AND developer.suspended_at IS NULL
	FOR SHARE OF a, s, c, developer;
	IF NOT FOUND OR scope_covers(given.scope, issue_for_consent.scope) IS NOT TRUE THEN
		RETURN NULL;
	END IF;
	IF given.kind = 'resident' THEN
		SELECT array_agg(DISTINCT r.home_id), min(r.since), min(coalesce(r.until, 'infinity')) INTO homes, first_since, last_until FROM home_resident r
		WHERE r.account_id = given.account_id AND r.since <= now() AND coalesce(r.until, 'infinity') > now() AND (given.home_ids IS NULL OR r.home_id = ANY (given.home_ids));
		IF homes IS NULL THEN
			RETURN NULL;
		END IF;
	END IF;
	-- A second less, since the token's time begins a moment later.
	lifetime := least((market_settings()).token_lifetime, least(given.expires_at, nullif(last_until, 'infinity')) - clock_timestamp() - interval '1 second');
	IF lifetime < '1 second' THEN
		RETURN NULL;
	END IF;
	RETURN issue_token(given.sub::text, (issue_for_consent.client).client_id, issue_for_consent.scope, lifetime,
		CASE WHEN given.home_ids IS NOT NULL THEN homes END, greatest(given.history_from, first_since), issue_for_consent.consent_id);
END $$;
COMMENT ON FUNCTION issue_for_consent(bigint, service, text) IS
'An access token under a consent, which lasts no longer than the consent and the owner''s residence, and reaches no further back; null where the consent is not in force for this service and scope, or no home is left';

CREATE FUNCTION refresh_answer(client service, token text, scope text, family_id uuid, consent_id bigint, refresh_scope text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	secret text := random_secret();
BEGIN
	INSERT INTO refresh_token (token_digest, family_id, consent_id, scope, access_jti)
	VALUES (secret_digest(secret), refresh_answer.family_id, refresh_answer.consent_id, refresh_answer.refresh_scope, token_verify(refresh_answer.token) ->> 'jti');
	RETURN token_answer(refresh_answer.client, refresh_answer.token, refresh_answer.scope, jsonb_build_object('refresh_token', secret));
END $$;
COMMENT ON FUNCTION refresh_answer(service, text, text, uuid, bigint, text) IS 'The answer that delivers an access token with a new refresh token of a family';

CREATE FUNCTION end_family(family_id uuid) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	UPDATE refresh_token r SET used_at = now() WHERE r.family_id = end_family.family_id AND r.used_at IS NULL;
	SELECT revoke_token(t.jti) FROM refresh_token r JOIN issued_token t ON t.jti = r.access_jti
	WHERE r.family_id = end_family.family_id AND t.revoked_at IS NULL AND t.expires_at > now()
$$;
COMMENT ON FUNCTION end_family(uuid) IS 'Voids the refresh tokens of a family and revokes its access tokens';

CREATE FUNCTION exchange_code(client service, form jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	refused CONSTANT jsonb := oauth_error(400, 'invalid_grant', 'The code is not one for this client, redirect URI and verifier, or no longer good.');
	known authorization_code;
	given consent;
	token text;
BEGIN
	IF exchange_code.form ->> 'code' IS NULL OR exchange_code.form ->> 'code_verifier' IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'code and code_verifier are required.');
	END IF;
	-- Of two uses at once the second waits here, and then finds the code used.
	SELECT a.* INTO known FROM authorization_code a WHERE a.code_digest = secret_digest(exchange_code.form ->> 'code') FOR UPDATE;
	SELECT c.* INTO given FROM consent c JOIN subscription b USING (subscription_id) WHERE c.consent_id = known.consent_id AND b.service_id = client.service_id;
	IF NOT FOUND OR known.redirect_uri IS DISTINCT FROM exchange_code.form ->> 'redirect_uri'
		OR pkce_matches(exchange_code.form ->> 'code_verifier', known.code_challenge) IS NOT TRUE THEN
		RETURN refused;
	ELSIF known.used_at IS NOT NULL THEN
		PERFORM end_family(known.family_id);
		RETURN refused;
	ELSIF known.expires_at <= clock_timestamp() THEN
		RETURN refused;
	END IF;
	UPDATE authorization_code a SET used_at = now() WHERE a.code_digest = known.code_digest;
	token := issue_for_consent(given.consent_id, client, given.scope);
	RETURN CASE WHEN token IS NULL THEN refused ELSE refresh_answer(client, token, given.scope, known.family_id, given.consent_id, given.scope) END;
END $$;
COMMENT ON FUNCTION exchange_code(service, jsonb) IS 'Grant type authorization_code: a code is good once; a second use revokes what the first got';

CREATE FUNCTION exchange_refresh(client service, form jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	refused CONSTANT jsonb := oauth_error(400, 'invalid_grant', 'The refresh token is not one of this client, or no longer good.');
	known refresh_token;
	asked text;
	token text;
BEGIN
	IF exchange_refresh.form ->> 'refresh_token' IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'refresh_token is required.');
	END IF;
	SELECT r.* INTO known FROM refresh_token r JOIN consent c USING (consent_id) JOIN subscription b USING (subscription_id)
	WHERE r.token_digest = secret_digest(exchange_refresh.form ->> 'refresh_token') AND b.service_id = client.service_id FOR UPDATE OF r;
	IF NOT FOUND THEN
		RETURN refused;
	ELSIF known.used_at IS NOT NULL THEN
		PERFORM end_family(known.family_id);
		RETURN refused;
	END IF;
	asked := coalesce(scope_or_null(coalesce(exchange_refresh.form ->> 'scope', known.scope)), '');
	IF asked = '' OR scope_covers(known.scope, asked) IS NOT TRUE THEN
		RETURN oauth_error(400, 'invalid_scope', 'The scope is none, or more than was granted.');
	END IF;
	UPDATE refresh_token r SET used_at = now() WHERE r.token_digest = known.token_digest;
	token := issue_for_consent(known.consent_id, client, asked);
	RETURN CASE WHEN token IS NULL THEN refused ELSE refresh_answer(client, token, asked, known.family_id, known.consent_id, known.scope) END;
END $$;
COMMENT ON FUNCTION exchange_refresh(service, jsonb) IS 'Grant type refresh_token: each is good once and gives the next; a second use ends the family and revokes its access tokens';

CREATE FUNCTION exchange_assertion(client service, claims jsonb, form jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	given consent;
	asked text;
	token text;
BEGIN
	SELECT c.* INTO given FROM consent c JOIN subscription b USING (subscription_id)
	WHERE b.subscription_id::text = exchange_assertion.claims ->> 'sub' AND b.service_id = client.service_id AND c.ended_at IS NULL;
	IF NOT FOUND THEN
		RETURN oauth_error(400, 'invalid_grant', 'The subscriber has granted no access that is in force.');
	END IF;
	asked := scope_or_null(coalesce(exchange_assertion.form ->> 'scope', given.scope));
	IF scope_covers(given.scope, asked) IS NOT TRUE THEN
		RETURN oauth_error(400, 'invalid_scope', 'The scope is none, or more than was granted.');
	END IF;
	token := issue_for_consent(given.consent_id, client, asked);
	RETURN CASE WHEN token IS NULL THEN oauth_error(400, 'invalid_grant', 'The subscriber has granted no access that is in force.') ELSE token_answer(client, token, asked) END;
END $$;
COMMENT ON FUNCTION exchange_assertion(service, jsonb, jsonb) IS 'Grant type jwt-bearer (RFC 7523): an access token for a subscription, the assertion''s sub, whose owner has granted it, without the owner at a browser';

CREATE FUNCTION issue_for_client(client service, form jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account;
	manifest text := service_manifest(client.service_id);
	asked text := scope_or_null(coalesce(issue_for_client.form ->> 'scope', manifest));
BEGIN
	SELECT a.* INTO owner FROM account a JOIN service s ON s.owner_account_id = a.account_id
	WHERE s.service_id = client.service_id AND s.status = 'approved' AND a.kind = 'superuser' AND a.suspended_at IS NULL FOR SHARE OF a, s;
	IF NOT FOUND THEN
		RETURN oauth_error(400, 'unauthorized_client', 'Only the DSO''s own services act without a resource owner.');
	ELSIF scope_covers(manifest, asked) IS NOT TRUE THEN
		RETURN oauth_error(400, 'invalid_scope', 'The scope is none, or not within the manifest of the service.');
	END IF;
	RETURN token_answer(client, issue_token(owner.sub::text, client.client_id, asked, (market_settings()).token_lifetime), asked);
END $$;
COMMENT ON FUNCTION issue_for_client(service, jsonb) IS 'Grant type client_credentials, for the DSO''s own services';

CREATE FUNCTION oauth_token(form text, authorization_header text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	fields jsonb := form_or_null(oauth_token.form);
	grant_type text := fields ->> 'grant_type';
	asserted record;
	caller record;
BEGIN
	IF fields IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'The body is no form, or has a parameter twice.');
	ELSIF grant_type IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'grant_type is missing.');
	ELSIF grant_type NOT IN ('authorization_code', 'refresh_token', 'client_credentials', 'urn:ietf:params:oauth:grant-type:jwt-bearer') THEN
		RETURN oauth_error(400, 'unsupported_grant_type', 'The grant types are those of the metadata.');
	END IF;
	IF grant_type LIKE '%:jwt-bearer' THEN
		IF fields ->> 'assertion' IS NULL THEN
			RETURN oauth_error(400, 'invalid_request', 'assertion is required.');
		END IF;
		SELECT v.client, v.claims INTO asserted FROM verified_assertion(fields ->> 'assertion') AS v;
		-- The assertion says who the client is; what it presents besides must be right too.
		IF asserted.claims IS NULL THEN
			RETURN oauth_error(400, 'invalid_grant', 'The assertion is not a good one of a service for this server, or was used before.');
		ELSIF oauth_token.authorization_header IS NULL AND NOT fields ?| '{client_id,client_secret,client_assertion,client_assertion_type}' THEN
			IF NOT service_is_open(asserted.client) THEN
				RETURN oauth_error(400, 'unauthorized_client', 'The service is not approved, or its developer is suspended.');
			END IF;
			RETURN exchange_assertion(asserted.client, asserted.claims, fields);
		END IF;
	END IF;
	SELECT * INTO caller FROM oauth_client(fields, oauth_token.authorization_header);
	IF caller.error IS NOT NULL THEN
		RETURN caller.error;
	END IF;
	CASE grant_type
		WHEN 'authorization_code' THEN RETURN exchange_code(caller.client, fields);
		WHEN 'refresh_token' THEN RETURN exchange_refresh(caller.client, fields);
		WHEN 'client_credentials' THEN RETURN issue_for_client(caller.client, fields);
		ELSE
			IF (caller.client).service_id <> (asserted.client).service_id THEN
				RETURN oauth_error(400, 'invalid_grant', 'The assertion is another client''s.');
			END IF;
			RETURN exchange_assertion(caller.client, asserted.claims, fields);
	END CASE;
END $$;
COMMENT ON FUNCTION oauth_token(text, text) IS
'POST token: body and Authorization header as they came; status, headers and body to answer. Grant types authorization_code (PKCE), refresh_token (rotation), urn:ietf:params:oauth:grant-type:jwt-bearer (RFC 7523) and client_credentials. Commit also after an error: a code or refresh token that comes twice revokes what was issued';

CREATE FUNCTION oauth_introspect(form text, authorization_header text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	fields jsonb := form_or_null(oauth_introspect.form);
	caller record;
	claims jsonb;
	held record;
	owned_by_dso boolean;
BEGIN
	SELECT * INTO caller FROM oauth_client(fields, oauth_introspect.authorization_header);
	IF caller.error IS NOT NULL THEN
		RETURN caller.error;
	ELSIF fields ->> 'token' IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'token is required.');
	END IF;
	owned_by_dso := EXISTS (SELECT FROM account a WHERE a.account_id = (caller.client).owner_account_id AND a.kind = 'superuser');
	claims := token_verify(fields ->> 'token');
	IF claims ->> 'client_id' = (caller.client).client_id OR owned_by_dso AND claims IS NOT NULL THEN
		-- Whose data it opens is for resource servers to know, which are the DSO's.
		RETURN oauth_answer(200, '{"active": true, "token_type": "Bearer"}'::jsonb || (SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}') FROM jsonb_each(claims) AS c
			WHERE c.key IN ('scope', 'client_id', 'iss', 'aud', 'exp', 'iat', 'nbf', 'jti') OR c.key = 'sub' AND owned_by_dso));
	END IF;
	SELECT r.scope, r.issued_at, c.expires_at, s.client_id INTO held
	FROM refresh_token r JOIN consent c USING (consent_id) JOIN subscription b USING (subscription_id) JOIN service s USING (service_id)
	WHERE r.token_digest = secret_digest(fields ->> 'token') AND r.used_at IS NULL AND c.ended_at IS NULL AND c.expires_at > now()
		AND (s.service_id = (caller.client).service_id OR owned_by_dso);
	IF FOUND THEN
		RETURN oauth_answer(200, jsonb_build_object('active', true, 'token_type', 'refresh_token', 'scope', held.scope, 'client_id', held.client_id,
			'iat', floor(extract(epoch FROM held.issued_at)), 'exp', floor(extract(epoch FROM held.expires_at))));
	END IF;
	RETURN oauth_answer(200, '{"active": false}');
END $$;
COMMENT ON FUNCTION oauth_introspect(text, text) IS
'POST introspect (RFC 7662): what a token is, to the service that it was issued to and to the DSO''s own services, which also learn sub; otherwise, and where it is no longer good, {"active": false}';

CREATE FUNCTION oauth_revoke(form text, authorization_header text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	fields jsonb := form_or_null(oauth_revoke.form);
	caller record;
	claims jsonb;
	family uuid;
BEGIN
	SELECT * INTO caller FROM oauth_client(fields, oauth_revoke.authorization_header);
	IF caller.error IS NOT NULL THEN
		RETURN caller.error;
	ELSIF fields ->> 'token' IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'token is required.');
	END IF;
	claims := token_verify(fields ->> 'token');
	IF claims ->> 'client_id' = (caller.client).client_id THEN
		PERFORM revoke_token(claims ->> 'jti');
	ELSE
		SELECT r.family_id INTO family FROM refresh_token r JOIN consent c USING (consent_id) JOIN subscription b USING (subscription_id)
		WHERE r.token_digest = secret_digest(fields ->> 'token') AND b.service_id = (caller.client).service_id;
		PERFORM end_family(family);
	END IF;
	RETURN oauth_answer(200, '{}');
END $$;
COMMENT ON FUNCTION oauth_revoke(text, text) IS
'POST revoke (RFC 7009): an access token of the service is void from the next statement on; a refresh token takes its family and their access tokens along. Other tokens are left alone, with the same answer';
