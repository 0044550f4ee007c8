-- How services speak to the market: urlencoded forms in, status, headers and JSON body out, as the
-- RFCs of OAuth 2.0 have them, so that an HTTP front only carries them (RFC 6749, 7523).

CREATE FUNCTION form_parameters(form text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_form_parameters';
COMMENT ON FUNCTION form_parameters(text) IS 'The parameters of a query or body of type application/x-www-form-urlencoded as an object of strings. Errors: an invalid escape, a name twice, more than 64 of them or 64 KB';

CREATE FUNCTION form_encode(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce(string_agg(CASE WHEN pg_catalog.chr(b.byte) ~ '[A-Za-z0-9._~-]' THEN pg_catalog.chr(b.byte) ELSE '%' || upper(lpad(pg_catalog.to_hex(b.byte), 2, '0')) END, '' ORDER BY b.i), '')
	FROM (SELECT i, pg_catalog.get_byte(u.bytes, i) AS byte
		FROM (SELECT pg_catalog.convert_to(value, 'UTF8') AS bytes) AS u, pg_catalog.generate_series(0, pg_catalog.length(u.bytes) - 1) AS i) AS b
$$;
COMMENT ON FUNCTION form_encode(text) IS 'A parameter''s value as it stands in a query, UTF-8 with escapes';

CREATE FUNCTION form_or_null(form text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- Forms have client secrets, codes and tokens in them.
	PERFORM conceal_statement();
	-- An empty value counts as a parameter that is not there (RFC 6749 section 3.1).
	RETURN (SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(form_parameters(coalesce(form_or_null.form, ''))) AS p WHERE p.value <> '""');
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION form_or_null(text) IS 'form_parameters without those that are empty; null where it is no form';

CREATE FUNCTION scope_or_null(scope text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	RETURN scope_check(scope_or_null.scope);
EXCEPTION WHEN data_exception OR syntax_error THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION scope_or_null(text) IS 'The scope as scope_check gives it; null where it is none';

CREATE FUNCTION oauth_answer(status integer, body jsonb, headers jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT jsonb_build_object('status', status, 'headers', '{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}'::jsonb || headers, 'body', body)
$$;
COMMENT ON FUNCTION oauth_answer(integer, jsonb, jsonb) IS 'An HTTP answer: status, headers, body';

CREATE FUNCTION oauth_error(status integer, error text, description text, headers jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT oauth_answer(status, jsonb_build_object('error', error, 'error_description', description), headers)
$$;
COMMENT ON FUNCTION oauth_error(integer, text, text, jsonb) IS 'An error answer (RFC 6749 section 5.2)';

CREATE FUNCTION oauth_endpoint(name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT (market_settings()).base_uri || '/' || name
$$;
COMMENT ON FUNCTION oauth_endpoint(text) IS 'Where the front end serves an endpoint: authorize, token, introspect, revoke, jwks, access-request';

CREATE FUNCTION unverified_claims(jws text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	payload text := translate(split_part(unverified_claims.jws, '.', 2), '-_', '+/');
BEGIN
	RETURN convert_from(decode(rpad(payload, (length(payload) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION unverified_claims(text) IS 'What a JWS claims, to find the key by which it is verified; null where it is none';

CREATE TABLE used_assertion (
	client_id text NOT NULL,
	jti text NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (client_id, jti)
);
COMMENT ON TABLE used_assertion IS 'Assertions that services have used, each good once (RFC 7523 section 3)';
COMMENT ON COLUMN used_assertion.client_id IS 'The service that signed it';
COMMENT ON COLUMN used_assertion.jti IS 'Its identifier';
COMMENT ON COLUMN used_assertion.expires_at IS 'When it expires by itself';

CREATE FUNCTION claimed_time(claims jsonb, name text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE WHEN jsonb_typeof(claims -> name) = 'number' AND (claims ->> name)::numeric BETWEEN 0 AND 1e11 THEN to_timestamp((claims ->> name)::float8) END
$$;
COMMENT ON FUNCTION claimed_time(jsonb, text) IS 'A NumericDate (RFC 7519 section 2) as a time; null where it is none';

CREATE FUNCTION verified_assertion(assertion text, OUT client service, OUT claims jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	leeway CONSTANT interval := '1 min';
	longest CONSTANT interval := '1 hour';
	expires timestamptz;
	known service;
	payload jsonb;
	audience jsonb;
BEGIN
	IF length(verified_assertion.assertion) > 8192 THEN
		RETURN;
	END IF;
	SELECT * INTO known FROM service s WHERE s.client_id = unverified_claims(verified_assertion.assertion) ->> 'iss';
	payload := jws_verify(verified_assertion.assertion, known.public_key);
	audience := CASE jsonb_typeof(payload -> 'aud') WHEN 'string' THEN jsonb_build_array(payload -> 'aud') WHEN 'array' THEN payload -> 'aud' END;
	expires := claimed_time(payload, 'exp');
	IF payload ->> 'iss' IS DISTINCT FROM known.client_id OR (audience ?| ARRAY[(market_settings()).base_uri, oauth_endpoint('token')]) IS NOT TRUE
		OR (expires > clock_timestamp() - leeway AND expires < clock_timestamp() + longest) IS NOT TRUE
		OR (payload ? 'nbf' AND (claimed_time(payload, 'nbf') <= clock_timestamp() + leeway) IS NOT TRUE)
		OR (payload ? 'iat' AND (claimed_time(payload, 'iat') <= clock_timestamp() + leeway) IS NOT TRUE)
		OR jsonb_typeof(payload -> 'jti') IS DISTINCT FROM 'string' OR length(payload ->> 'jti') NOT BETWEEN 1 AND 200 THEN
		RETURN;
	END IF;
	INSERT INTO used_assertion (client_id, jti, expires_at) VALUES (known.client_id, payload ->> 'jti', expires) ON CONFLICT DO NOTHING;
	IF FOUND THEN
		client := known;
		claims := payload;
	END IF;
END $$;
COMMENT ON FUNCTION verified_assertion(text) IS
'A JWT that a service signed with its registered key for this market (RFC 7523 section 3): the service and its claims; nulls where the signature, iss, aud, exp (at most an hour ahead), nbf, iat or jti is not right, or it was used before';

CREATE FUNCTION oauth_client(form jsonb, authorization_header text, OUT client service, OUT error jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	by_header CONSTANT boolean := oauth_client.authorization_header IS NOT NULL;
	by_assertion CONSTANT boolean := oauth_client.form ?| '{client_assertion,client_assertion_type}';
	headers CONSTANT jsonb := CASE WHEN by_header THEN '{"WWW-Authenticate": "Basic realm=\"smarthg\""}'::jsonb ELSE '{}' END;
	claimed_id text := oauth_client.form ->> 'client_id';
	secret text := oauth_client.form ->> 'client_secret';
	pair text;
	known service;
	claimed jsonb;
	asserted record;
BEGIN
	IF by_header::integer + by_assertion::integer + (secret IS NOT NULL)::integer > 1 THEN
		error := oauth_error(400, 'invalid_request', 'The client must authenticate in one way only.');
		RETURN;
	ELSIF by_assertion THEN
		IF oauth_client.form ->> 'client_assertion_type' = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' THEN
			SELECT * INTO asserted FROM verified_assertion(oauth_client.form ->> 'client_assertion');
			known := asserted.client;
			claimed := asserted.claims;
		END IF;
		IF (claimed ->> 'sub' = known.client_id AND coalesce(claimed_id, known.client_id) = known.client_id) IS NOT TRUE THEN
			known := NULL;
		END IF;
	ELSE
		IF by_header THEN
			BEGIN
				pair := convert_from(decode(substring(oauth_client.authorization_header FROM '(?i)^basic +(.*)$'), 'base64'), 'UTF8');
				secret := form_parameters('s=' || substr(pair, strpos(pair, ':') + 1)) ->> 's';
				claimed := form_parameters('id=' || split_part(pair, ':', 1));
				IF claimed_id <> claimed ->> 'id' THEN
					secret := NULL;
				END IF;
				claimed_id := claimed ->> 'id';
			EXCEPTION WHEN data_exception THEN
				secret := NULL;
			END;
		END IF;
		SELECT * INTO known FROM service s WHERE s.client_id = claimed_id;
		IF secret_matches(secret, coalesce(known.client_secret_digest, '\x')) IS NOT TRUE THEN
			known := NULL;
		END IF;
	END IF;
	IF known.service_id IS NULL THEN
		error := oauth_error(401, 'invalid_client', 'The client is not known by what it presents.', headers);
	ELSIF NOT service_is_open(known) THEN
		error := oauth_error(400, 'unauthorized_client', 'The service is not approved, or its developer is suspended.');
	ELSE
		client := known;
	END IF;
END $$;
COMMENT ON FUNCTION oauth_client(jsonb, text) IS
'The service that a request comes from, by client_secret_basic, client_secret_post or private_key_jwt (RFC 6749 section 2.3, RFC 7523 section 2.2), or the error to answer';
