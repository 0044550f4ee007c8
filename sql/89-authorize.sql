-- The authorisation endpoint: a resident, sent by a service, decides on access and is sent back with
-- a code (RFC 6749 section 4.1, PKCE of RFC 7636, issuer of RFC 9207), and the server's metadata.

CREATE TABLE authorization_code (
	code_digest bytea PRIMARY KEY,
	family_id uuid NOT NULL DEFAULT gen_random_uuid(),
	consent_id bigint NOT NULL REFERENCES consent ON DELETE CASCADE,
	redirect_uri text,
	code_challenge text NOT NULL,
	expires_at timestamptz NOT NULL,
	used_at timestamptz
);
CREATE INDEX authorization_code_consent ON authorization_code (consent_id);
COMMENT ON TABLE authorization_code IS 'Authorisation codes, each good once and for a minute or so';
COMMENT ON COLUMN authorization_code.code_digest IS 'Digest of the code';
COMMENT ON COLUMN authorization_code.family_id IS 'What is issued from it, so that a second use can revoke all of it';
COMMENT ON COLUMN authorization_code.consent_id IS 'The consent that it stands for';
COMMENT ON COLUMN authorization_code.redirect_uri IS 'As the request had it: whoever exchanges the code must give the same; null: it had none';
COMMENT ON COLUMN authorization_code.code_challenge IS 'S256 challenge of RFC 7636';
COMMENT ON COLUMN authorization_code.expires_at IS 'When it is void';
COMMENT ON COLUMN authorization_code.used_at IS 'When it was exchanged; null: not yet';

CREATE FUNCTION pkce_matches(verifier text, challenge text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_pkce_matches';
COMMENT ON FUNCTION pkce_matches(text, text) IS 'Whether a code verifier (RFC 7636 section 4.1) has this S256 challenge, compared in constant time';

CREATE FUNCTION redirect_answer(redirect_uri text, parameters jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT oauth_answer(302, NULL, jsonb_build_object('Location', redirect_uri || CASE WHEN redirect_uri ~ '\?' THEN '&' ELSE '?' END
		|| (SELECT string_agg(p.key || '=' || form_encode(p.value), '&' ORDER BY p.key)
			FROM jsonb_each_text(jsonb_strip_nulls(parameters) || jsonb_build_object('iss', (market_settings()).base_uri)) AS p)))
$$;
COMMENT ON FUNCTION redirect_answer(text, jsonb) IS 'Sends the browser back to the service with these parameters';

CREATE FUNCTION consent_page(owner account, client service, scope text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	SELECT jsonb_build_object(
		'service', jsonb_build_object('client_id', client.client_id, 'name', client.name, 'uri', client.uri, 'description', client.description),
		'scope', consent_page.scope,
		'asked', (SELECT jsonb_agg(jsonb_build_object('scope', token, 'meaning', scope_explain(token),
				'reason', (SELECT m.reason FROM service_scope m WHERE m.service_id = client.service_id AND scope_covers(m.scope, token) ORDER BY m.scope = token DESC, m.scope LIMIT 1)) ORDER BY token)
			FROM regexp_split_to_table(consent_page.scope, ' +') AS token),
		'homes', (SELECT coalesce(jsonb_agg(jsonb_build_object('home_id', h.home_id, 'name', h.name) ORDER BY h.home_id), '[]') FROM home_resident r JOIN home h USING (home_id)
			WHERE r.account_id = owner.account_id AND r.since <= now() AND coalesce(r.until, 'infinity') > now()))
$$;
COMMENT ON FUNCTION consent_page(account, service, text) IS 'What to show to a resource owner who is to decide: the service, each scope with its meaning and reason, the homes to choose from';

CREATE FUNCTION oauth_authorize(session text, query text, decision text DEFAULT NULL, scope text DEFAULT NULL, duration interval DEFAULT '30 days',
	home_ids bigint[] DEFAULT NULL, history_from timestamptz DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	fields jsonb := form_or_null(oauth_authorize.query);
	owner account;
	client service;
	subscribed uuid;
	uri text;
	asked text;
	problem text[];
	code text;
BEGIN
	-- Until client and redirect URI are known to belong together, nobody is sent anywhere.
	IF fields IS NULL THEN
		RETURN oauth_error(400, 'invalid_request', 'The query is no form, or has a parameter twice.');
	END IF;
	SELECT * INTO client FROM service s WHERE s.client_id = fields ->> 'client_id';
	IF NOT FOUND THEN
		RETURN oauth_error(400, 'invalid_request', 'The client is not known.');
	END IF;
	uri := coalesce(fields ->> 'redirect_uri', CASE WHEN cardinality(client.redirect_uris) = 1 THEN client.redirect_uris[1] END);
	IF (uri = ANY (client.redirect_uris)) IS NOT TRUE THEN
		RETURN oauth_error(400, 'invalid_request', 'The redirect URI is not one that the service has registered.');
	END IF;
	BEGIN
		owner := session_account(oauth_authorize.session);
	EXCEPTION WHEN invalid_authorization_specification THEN
		RETURN oauth_error(401, 'login_required', 'Log in first.');
	END;

	asked := scope_or_null(coalesce(fields ->> 'scope', service_manifest(client.service_id)));
	SELECT b.subscription_id INTO subscribed FROM subscription b WHERE (b.account_id, b.service_id) = (owner.account_id, client.service_id) AND b.ended_at IS NULL;
	problem := CASE
		WHEN NOT service_is_open(client) THEN ARRAY['unauthorized_client', 'The service is not approved, or its developer is suspended.']
		WHEN fields ?| '{request,request_uri}' THEN ARRAY['request_not_supported', 'Parameters stand in the query itself.']
		WHEN fields ->> 'response_type' IS NULL THEN ARRAY['invalid_request', 'response_type is missing.']
		WHEN fields ->> 'response_type' <> 'code' THEN ARRAY['unsupported_response_type', 'The only response type is code.']
		WHEN coalesce(fields ->> 'code_challenge_method', '') <> 'S256' OR coalesce(fields ->> 'code_challenge', '') !~ '^[A-Za-z0-9_-]{43}$'
			THEN ARRAY['invalid_request', 'A code challenge with method S256 is required.']
		WHEN scope_covers(service_manifest(client.service_id), asked) IS NOT TRUE THEN ARRAY['invalid_scope', 'The scope is none, or not within the manifest of the service.']
		WHEN subscribed IS NULL THEN ARRAY['access_denied', 'There is no subscription to the service.']
		WHEN NOT EXISTS (SELECT FROM regexp_split_to_table(asked, ' +') AS token WHERE may_grant(owner.kind, token)) THEN ARRAY['access_denied', 'The scope is about data of others.']
		WHEN oauth_authorize.decision = 'deny' THEN ARRAY['access_denied', 'The resource owner has denied it.']
	END;
	IF problem IS NOT NULL THEN
		RETURN redirect_answer(uri, jsonb_build_object('error', problem[1], 'error_description', problem[2], 'state', fields -> 'state'));
	ELSIF oauth_authorize.decision IS NULL THEN
		RETURN oauth_answer(200, consent_page(owner, client, asked));
	ELSIF oauth_authorize.decision <> 'grant' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'decision must be grant or deny';
	END IF;

	code := random_secret();
	INSERT INTO authorization_code (code_digest, consent_id, redirect_uri, code_challenge, expires_at)
	VALUES (secret_digest(code), grant_consent(subscribed, asked, oauth_authorize.scope, oauth_authorize.duration, oauth_authorize.home_ids, oauth_authorize.history_from),
		fields ->> 'redirect_uri', fields ->> 'code_challenge', now() + (market_settings()).code_lifetime);
	RETURN redirect_answer(uri, jsonb_build_object('code', code, 'state', fields -> 'state'));
END $$;
COMMENT ON FUNCTION oauth_authorize(text, text, text, text, interval, bigint[], timestamptz) IS
'GET authorize: session of the person at the browser (401 login_required where there is none) and the query as it came. Without a decision the answer is what to show; with grant or deny, and what the person chose (a narrower scope, duration, homes, history), it is where to send the browser. PKCE with S256 is required. Errors in the person''s choice are raised as of delegate';

CREATE FUNCTION oauth_metadata() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT oauth_answer(200, jsonb_build_object(
		'issuer', (market_settings()).base_uri,
		'authorization_endpoint', oauth_endpoint('authorize'),
		'token_endpoint', oauth_endpoint('token'),
		'introspection_endpoint', oauth_endpoint('introspect'),
		'revocation_endpoint', oauth_endpoint('revoke'),
		'jwks_uri', oauth_endpoint('jwks'),
		'response_types_supported', '["code"]'::jsonb,
		'response_modes_supported', '["query"]'::jsonb,
		'grant_types_supported', '["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]'::jsonb,
		'code_challenge_methods_supported', '["S256"]'::jsonb,
		'authorization_response_iss_parameter_supported', true,
		'token_endpoint_auth_methods_supported', methods, 'token_endpoint_auth_signing_alg_values_supported', algorithms,
		'introspection_endpoint_auth_methods_supported', methods, 'introspection_endpoint_auth_signing_alg_values_supported', algorithms,
		'revocation_endpoint_auth_methods_supported', methods, 'revocation_endpoint_auth_signing_alg_values_supported', algorithms))
	FROM (VALUES ('["client_secret_basic", "client_secret_post", "private_key_jwt"]'::jsonb, '["ES256", "RS256"]'::jsonb)) AS v(methods, algorithms)
$$;
COMMENT ON FUNCTION oauth_metadata() IS 'GET .well-known/oauth-authorization-server: what the server does and where (RFC 8414)';

CREATE FUNCTION oauth_jwks() RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN oauth_answer(200, jwks(), '{"Content-Type": "application/jwk-set+json", "Cache-Control": "max-age=300"}');
END $$;
COMMENT ON FUNCTION oauth_jwks() IS 'GET jwks: the market''s public keys (RFC 7517 section 5)';
