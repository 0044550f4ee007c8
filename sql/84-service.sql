-- Services of the market: registration, review, the list, subscriptions, and what services are told
-- (document SMC-UC3 to SMC-UC5, DESIGN.md section 8).

CREATE FUNCTION is_service_uri(uri text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT length(uri) <= 2000 AND uri ~ '^[][!$-;=?-Z_a-z~]+$' AND uri !~ '%(?![0-9A-Fa-f]{2})'
		AND uri ~ '^(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?([/?]|$)'
$$;
COMMENT ON FUNCTION is_service_uri(text) IS 'Whether it is an absolute URI by https, or by http to the same machine, without user name and fragment; null for null';

CREATE FUNCTION are_service_uris(uris text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce(bool_and(coalesce(is_service_uri(u), false)), true) FROM pg_catalog.unnest(uris) AS u
$$;
COMMENT ON FUNCTION are_service_uris(text[]) IS 'Whether all are URIs of is_service_uri';

CREATE TABLE service (
	service_id bigint PRIMARY KEY DEFAULT new_id(),
	client_id text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
	owner_account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
	name text NOT NULL CHECK (btrim(name) = name AND length(name) BETWEEN 1 AND 200),
	uri text NOT NULL CHECK (is_service_uri(uri)),
	public_key jsonb NOT NULL,
	encryption_key jsonb,
	description text NOT NULL CHECK (description <> ''),
	categories text[] NOT NULL DEFAULT '{}',
	admission_requirements text CHECK (admission_requirements <> ''),
	redirect_uris text[] NOT NULL DEFAULT '{}' CHECK (cardinality(redirect_uris) <= 20 AND are_service_uris(redirect_uris)),
	client_secret_digest bytea NOT NULL,
	version integer NOT NULL DEFAULT 1,
	status text NOT NULL DEFAULT 'submitted' CHECK (status IN ('submitted', 'approved', 'rejected', 'suspended')),
	status_reason text,
	reviewed_by text,
	reviewed_at timestamptz,
	registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX service_name ON service (lower(name));
CREATE INDEX service_owner ON service (owner_account_id);
COMMENT ON TABLE service IS 'Services (OAuth 2.0 clients) that developers have registered';
COMMENT ON COLUMN service.service_id IS 'Identifier';
COMMENT ON COLUMN service.client_id IS 'Its identifier in OAuth 2.0 and in tokens';
COMMENT ON COLUMN service.owner_account_id IS 'The developer; the DSO for its own services, which alone may use client credentials';
COMMENT ON COLUMN service.name IS 'Name, unique without regard to case';
COMMENT ON COLUMN service.uri IS 'Where its API is; notifications go there';
COMMENT ON COLUMN service.public_key IS 'Its public key as a JWK (RFC 7517), which verifies its assertions';
COMMENT ON COLUMN service.encryption_key IS 'Its public key, a JWK, to which access tokens are encrypted once more on delivery; null: they are delivered as they are';
COMMENT ON COLUMN service.description IS 'What it does, for those who look for services';
COMMENT ON COLUMN service.categories IS 'What it is found by';
COMMENT ON COLUMN service.admission_requirements IS 'What a subscriber must accept; null: nothing';
COMMENT ON COLUMN service.redirect_uris IS 'Where authorisation codes may be sent; compared character by character';
COMMENT ON COLUMN service.client_secret_digest IS 'Digest of its secret, which was shown once';
COMMENT ON COLUMN service.version IS 'Counts the changes of what is reviewed, the manifest included: a reviewer approves the version that was read';
COMMENT ON COLUMN service.status IS 'submitted until the DSO has approved or rejected it; suspended: it gets no tokens and its old ones are revoked';
COMMENT ON COLUMN service.status_reason IS 'Why it was rejected or suspended; null: not said';
COMMENT ON COLUMN service.reviewed_by IS 'The operator who reviewed it last';
COMMENT ON COLUMN service.reviewed_at IS 'When';
COMMENT ON COLUMN service.registered_at IS 'When it was registered';

CREATE FUNCTION service_is_open(offered service) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT offered.status = 'approved' AND EXISTS (SELECT FROM account a WHERE a.account_id = offered.owner_account_id AND a.suspended_at IS NULL)
$$;
COMMENT ON FUNCTION service_is_open(service) IS 'Whether a service may act and be subscribed to: it is approved, and its developer is not suspended';

CREATE TABLE service_scope (
	service_id bigint NOT NULL REFERENCES service ON DELETE CASCADE,
	scope text NOT NULL,
	reason text NOT NULL CHECK (reason <> ''),
	PRIMARY KEY (service_id, scope)
);
COMMENT ON TABLE service_scope IS 'The manifest of a service: the scopes that it may ask for, reviewed with it';
COMMENT ON COLUMN service_scope.service_id IS 'The service';
COMMENT ON COLUMN service_scope.scope IS 'A scope token of DESIGN.md section 8';
COMMENT ON COLUMN service_scope.reason IS 'What the service needs it for, shown to those who are asked';

CREATE TABLE service_data (
	service_id bigint NOT NULL REFERENCES service ON DELETE CASCADE,
	resource text NOT NULL CHECK (resource IN ('forecast', 'plan', 'price', 'profile', 'command')),
	series text NOT NULL CHECK (length(series) BETWEEN 1 AND 200),
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	content jsonb NOT NULL CHECK (octet_length(content::text) <= 65536),
	written_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (service_id, resource, series, slot_start)
);
COMMENT ON TABLE service_data IS 'Data that a service produced for others: its developer is the resource owner, and lets services at it as a resident lets them at meter data';
COMMENT ON COLUMN service_data.service_id IS 'The service that produced it';
COMMENT ON COLUMN service_data.resource IS 'What it is, as the resource of a scope';
COMMENT ON COLUMN service_data.series IS 'The service''s name of the series; no personal data';
COMMENT ON COLUMN service_data.slot_start IS 'Start of the slot';
COMMENT ON COLUMN service_data.slot_length IS 'Its length';
COMMENT ON COLUMN service_data.content IS 'Its content, as the service describes it, at most 64 KB as text';
COMMENT ON COLUMN service_data.written_at IS 'When it was written';

CREATE TABLE subscription (
	subscription_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
	service_id bigint NOT NULL REFERENCES service ON DELETE CASCADE,
	accepted_requirements text,
	since timestamptz NOT NULL DEFAULT now(),
	ended_at timestamptz
);
CREATE UNIQUE INDEX subscription_in_force ON subscription (account_id, service_id) WHERE ended_at IS NULL;
CREATE INDEX subscription_account ON subscription (account_id);
CREATE INDEX subscription_service ON subscription (service_id);
COMMENT ON TABLE subscription IS 'Who has subscribed to which service (document 5.1.5)';
COMMENT ON COLUMN subscription.subscription_id IS 'What the service knows the subscriber by: opaque, and another one for each service';
COMMENT ON COLUMN subscription.account_id IS 'The subscriber';
COMMENT ON COLUMN subscription.service_id IS 'The service';
COMMENT ON COLUMN subscription.accepted_requirements IS 'The admission requirements that were accepted; null: there were none';
COMMENT ON COLUMN subscription.since IS 'When it began';
COMMENT ON COLUMN subscription.ended_at IS 'When it ended; null: in force';

CREATE TABLE service_notification (
	notification_id bigint PRIMARY KEY DEFAULT new_id(),
	service_id bigint NOT NULL REFERENCES service ON DELETE CASCADE,
	content jsonb NOT NULL,
	made_at timestamptz NOT NULL DEFAULT now(),
	attempts integer NOT NULL DEFAULT 0,
	next_attempt_at timestamptz NOT NULL DEFAULT now(),
	delivered_at timestamptz
);
CREATE INDEX service_notification_open ON service_notification (next_attempt_at) WHERE delivered_at IS NULL;
COMMENT ON TABLE service_notification IS 'What services are told; NOTIFY smarthg_service_notification says that there is something new. No personal data';
COMMENT ON COLUMN service_notification.notification_id IS 'Identifier';
COMMENT ON COLUMN service_notification.service_id IS 'The service to tell';
COMMENT ON COLUMN service_notification.content IS 'event (subscribed, unsubscribed, access_granted, access_denied, access_ended, reviewed), at, and subscription where it concerns one';
COMMENT ON COLUMN service_notification.made_at IS 'When it was made';
COMMENT ON COLUMN service_notification.attempts IS 'How often it was taken for delivery';
COMMENT ON COLUMN service_notification.next_attempt_at IS 'Not to be tried before';
COMMENT ON COLUMN service_notification.delivered_at IS 'When the service had it; null: not yet';

CREATE FUNCTION notify_service(service_id bigint, event text, subscription_id uuid DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	INSERT INTO service_notification (service_id, content)
	VALUES (notify_service.service_id, jsonb_strip_nulls(jsonb_build_object('event', notify_service.event, 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'subscription', notify_service.subscription_id)) || notify_service.more);
	SELECT pg_notify('smarthg_service_notification', '')
$$;
COMMENT ON FUNCTION notify_service(bigint, text, uuid, jsonb) IS 'Puts a notification for a service into the outbox';

CREATE FUNCTION take_notifications(most integer DEFAULT 100) RETURNS TABLE (notification_id bigint, uri text, client_id text, content jsonb)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	WITH due AS (
		SELECT n.notification_id FROM service_notification n
		WHERE n.delivered_at IS NULL AND n.next_attempt_at <= now()
		ORDER BY n.next_attempt_at, n.notification_id LIMIT take_notifications.most FOR UPDATE SKIP LOCKED
	)
	UPDATE service_notification n SET attempts = n.attempts + 1, next_attempt_at = now() + least(interval '1 min' * 2 ^ least(n.attempts, 12), '1 day')
	FROM due, service s WHERE n.notification_id = due.notification_id AND s.service_id = n.service_id
	RETURNING n.notification_id, s.uri, s.client_id, n.content
$$;
COMMENT ON FUNCTION take_notifications(integer) IS 'For the front end: notifications to deliver now, each to one caller; those that are not reported delivered come again, after a minute first, then ever later';

CREATE FUNCTION notification_delivered(notification_id bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE service_notification n SET delivered_at = now() WHERE n.notification_id = notification_delivered.notification_id AND n.delivered_at IS NULL
$$;
COMMENT ON FUNCTION notification_delivered(bigint) IS 'For the front end: the service has it';

CREATE FUNCTION service_manifest(service_id bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT string_agg(s.scope, ' ' ORDER BY s.scope) FROM service_scope s WHERE s.service_id = service_manifest.service_id
$$;
COMMENT ON FUNCTION service_manifest(bigint) IS 'All scopes of a service''s manifest as one scope; null: none';

CREATE FUNCTION set_manifest(service_id bigint, manifest jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF jsonb_typeof(set_manifest.manifest) <> 'object' OR set_manifest.manifest = '{}' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'manifest must be an object of scopes and reasons',
			HINT = 'For example {"read_mainmeter_hourly": "to forecast the demand of the home"}.';
	END IF;
	DELETE FROM service_scope s WHERE s.service_id = set_manifest.service_id;
	INSERT INTO service_scope (service_id, scope, reason)
	SELECT set_manifest.service_id, scope_check(m.key), m.value FROM jsonb_each_text(set_manifest.manifest) AS m;
END $$;
COMMENT ON FUNCTION set_manifest(bigint, jsonb) IS 'Sets the manifest of a service: scope tokens, each with the reason for it. Errors: no such scope, no reason';

CREATE FUNCTION service_key(key text) RETURNS jsonb
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE WHEN ltrim(key, E' \t\r\n') LIKE '-----BEGIN %' THEN jwk_from_pem(key) ELSE jwk_check(key::jsonb) END
$$;
COMMENT ON FUNCTION service_key(text) IS 'A public key in PEM or as a JWK, as a JWK. Errors: it is none, or a private one';

CREATE FUNCTION service_encryption_key(key text) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- A PEM, and a JWK that does not say otherwise, is taken for a key to encrypt to.
	IF ltrim(key, E' \t\r\n') LIKE '-----BEGIN %' THEN
		RETURN jwk_check(jwk_from_pem(key) - '{alg,use,kid}'::text[] || '{"alg": "ECDH-ES+A256KW"}');
	ELSIF coalesce(key::jsonb ->> 'alg', 'ECDH-ES+A256KW') <> 'ECDH-ES+A256KW' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'tokens are encrypted by ECDH-ES+A256KW';
	END IF;
	RETURN jwk_check('{"alg": "ECDH-ES+A256KW"}' || key::jsonb);
END $$;
COMMENT ON FUNCTION service_encryption_key(text) IS 'A public key on P-256 in PEM or as a JWK, as a JWK to encrypt to by ECDH-ES+A256KW. Errors: it is none, or a private one';

CREATE FUNCTION check_service(name text, uri text, description text, redirect_uris text[], admission_requirements text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- Before the table's constraints, whose errors would show the row.
	IF (btrim(name) = name AND length(name) BETWEEN 1 AND 200 AND description <> '' AND coalesce(admission_requirements, 'none') <> '') IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a service must have a name, a description and, if any, admission requirements that say something';
	ELSIF is_service_uri(uri) IS NOT TRUE OR (are_service_uris(redirect_uris) AND cardinality(redirect_uris) <= 20) IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a URI of the service is none', DETAIL = 'It begins with https, or with http for the same machine, and has no user name and no fragment; there are at most 20 to redirect to.';
	END IF;
END $$;
COMMENT ON FUNCTION check_service(text, text, text, text[], text) IS 'Raises an error where a service cannot be registered so';

CREATE FUNCTION register_service(session text, name text, uri text, public_key text, description text, manifest jsonb, redirect_uris text[] DEFAULT '{}',
	categories text[] DEFAULT '{}', admission_requirements text DEFAULT NULL, encryption_key text DEFAULT NULL,
	OUT client_id text, OUT client_secret text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(register_service.session);
	made service;
BEGIN
	IF owner.kind = 'resident' THEN
		RAISE insufficient_privilege USING MESSAGE = 'only developers register services';
	END IF;
	PERFORM check_service(register_service.name, register_service.uri, register_service.description, register_service.redirect_uris, register_service.admission_requirements);
	client_secret := random_secret();
	INSERT INTO service (owner_account_id, name, uri, public_key, description, redirect_uris, categories, admission_requirements, encryption_key, client_secret_digest)
	VALUES (owner.account_id, register_service.name, register_service.uri, service_key(register_service.public_key), register_service.description,
		register_service.redirect_uris, coalesce(register_service.categories, '{}'), register_service.admission_requirements,
		service_encryption_key(register_service.encryption_key), secret_digest(register_service.client_secret))
	RETURNING * INTO made;
	PERFORM set_manifest(made.service_id, register_service.manifest);
	client_id := made.client_id;
END $$;
COMMENT ON FUNCTION register_service(text, text, text, text, text, jsonb, text[], text[], text, text) IS
'SMC-UC3: registers a service of the developer logged in, for the DSO to review. public_key is PEM or JWK, and so is encryption_key, to which tokens are encrypted on delivery if given; manifest an object of scopes and reasons. The client secret is shown this once. Errors: not a developer, name taken, no key, URIs that are none';

CREATE FUNCTION own_service(session text, client_id text) RETURNS service
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(own_service.session);
	known service;
BEGIN
	SELECT * INTO known FROM service s WHERE s.client_id = own_service.client_id AND s.owner_account_id = owner.account_id;
	IF NOT FOUND THEN
		RAISE insufficient_privilege USING MESSAGE = 'no service of yours has this client_id';
	END IF;
	RETURN known;
END $$;
COMMENT ON FUNCTION own_service(text, text) IS 'A service of the developer logged in. Errors: 42501 where it is not';

CREATE FUNCTION change_service(session text, client_id text, name text DEFAULT NULL, uri text DEFAULT NULL, public_key text DEFAULT NULL, description text DEFAULT NULL,
	manifest jsonb DEFAULT NULL, redirect_uris text[] DEFAULT NULL, categories text[] DEFAULT NULL, admission_requirements text DEFAULT NULL,
	encryption_key text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	known service := own_service(change_service.session, change_service.client_id);
BEGIN
	PERFORM check_service(coalesce(change_service.name, known.name), coalesce(change_service.uri, known.uri), coalesce(change_service.description, known.description),
		coalesce(change_service.redirect_uris, known.redirect_uris), coalesce(change_service.admission_requirements, known.admission_requirements));
	UPDATE service s SET name = coalesce(change_service.name, s.name), uri = coalesce(change_service.uri, s.uri),
		public_key = coalesce(service_key(change_service.public_key), s.public_key), description = coalesce(change_service.description, s.description),
		redirect_uris = coalesce(change_service.redirect_uris, s.redirect_uris), categories = coalesce(change_service.categories, s.categories),
		admission_requirements = coalesce(change_service.admission_requirements, s.admission_requirements),
		encryption_key = coalesce(service_encryption_key(change_service.encryption_key), s.encryption_key),
		version = s.version + 1, status = CASE s.status WHEN 'suspended' THEN 'suspended' ELSE 'submitted' END
	WHERE s.service_id = known.service_id;
	IF change_service.manifest IS NOT NULL THEN
		PERFORM set_manifest(known.service_id, change_service.manifest);
	END IF;
END $$;
COMMENT ON FUNCTION change_service(text, text, text, text, text, text, jsonb, text[], text[], text, text) IS 'Changes what is not null of an own service, which then waits for review again and until then gets no new tokens';

CREATE FUNCTION renew_client_secret(session text, client_id text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	known service := own_service(renew_client_secret.session, renew_client_secret.client_id);
	secret text := random_secret();
BEGIN
	UPDATE service s SET client_secret_digest = secret_digest(secret) WHERE s.service_id = known.service_id;
	RETURN secret;
END $$;
COMMENT ON FUNCTION renew_client_secret(text, text) IS 'A new client secret of an own service, shown this once; the old one is void';

CREATE FUNCTION my_services(session text)
RETURNS TABLE (client_id text, name text, status text, status_reason text, reviewed_at timestamptz, manifest text, key_id text, encryption_key_id text, subscribers bigint)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT s.client_id, s.name, s.status, s.status_reason, s.reviewed_at, service_manifest(s.service_id), s.public_key ->> 'kid', s.encryption_key ->> 'kid',
		(SELECT count(*) FROM subscription b WHERE b.service_id = s.service_id AND b.ended_at IS NULL)
	FROM session_account(my_services.session) AS a JOIN service s ON s.owner_account_id = a.account_id ORDER BY s.name
$$;
COMMENT ON FUNCTION my_services(text) IS 'Services of the developer logged in, what became of them, and the kid by which assertions may name their key';

CREATE FUNCTION list_services(session text, category text DEFAULT NULL)
RETURNS TABLE (client_id text, name text, description text, uri text, categories text[], admission_requirements text, manifest text, subscribed boolean)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT s.client_id, s.name, s.description, s.uri, s.categories, s.admission_requirements, service_manifest(s.service_id),
		EXISTS (SELECT FROM subscription b WHERE (b.account_id, b.service_id) = (a.account_id, s.service_id) AND b.ended_at IS NULL)
	FROM session_account(list_services.session) AS a, service s
	WHERE service_is_open(s) AND (list_services.category IS NULL OR list_services.category = ANY (s.categories)) ORDER BY s.name
$$;
COMMENT ON FUNCTION list_services(text, text) IS 'SMC-UC4: approved services, of a category or all';

CREATE FUNCTION subscribe(session text, client_id text, accept_requirements boolean DEFAULT false) RETURNS uuid
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(subscribe.session);
	chosen service;
	made uuid;
BEGIN
	SELECT s.* INTO chosen FROM service s JOIN account a ON a.account_id = s.owner_account_id
	WHERE s.client_id = subscribe.client_id AND s.status = 'approved' AND a.suspended_at IS NULL FOR SHARE OF s, a;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'no approved service has this client_id';
	ELSIF chosen.admission_requirements IS NOT NULL AND subscribe.accept_requirements IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the service''s admission requirements must be accepted';
	END IF;
	INSERT INTO subscription AS b (account_id, service_id, accepted_requirements) VALUES (owner.account_id, chosen.service_id, chosen.admission_requirements)
	ON CONFLICT (account_id, service_id) WHERE ended_at IS NULL DO NOTHING RETURNING b.subscription_id INTO made;
	IF made IS NULL THEN
		RAISE unique_violation USING MESSAGE = 'you have subscribed to this service already';
	END IF;
	PERFORM notify_service(chosen.service_id, 'subscribed', made);
	RETURN made;
END $$;
COMMENT ON FUNCTION subscribe(text, text, boolean) IS 'SMC-UC5: subscribes to an approved service, which is told; it may then ask for access. Returns what the service knows the subscriber by. Errors: requirements not accepted, subscribed already';
