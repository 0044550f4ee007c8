-- Access to a resource owner's data: what a service asks for, what the owner grants and takes back,
-- and what was done with it (document SMC-UC5 and SMC-UC6, DESIGN.md section 8).

CREATE TABLE access_request (
	request_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	subscription_id uuid NOT NULL REFERENCES subscription ON DELETE CASCADE,
	scope text NOT NULL,
	reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
	duration interval NOT NULL CHECK (duration > '0'),
	asked_at timestamptz NOT NULL DEFAULT now(),
	answered_at timestamptz,
	granted boolean CHECK ((granted IS NULL) = (answered_at IS NULL))
);
CREATE INDEX access_request_subscription ON access_request (subscription_id);
CREATE UNIQUE INDEX access_request_open ON access_request (subscription_id) WHERE answered_at IS NULL;
COMMENT ON TABLE access_request IS 'The access manifest that a service sends to a subscriber: what it asks for (document 5.1.5)';
COMMENT ON COLUMN access_request.request_id IS 'Identifier, opaque';
COMMENT ON COLUMN access_request.subscription_id IS 'The subscription: who asks whom';
COMMENT ON COLUMN access_request.scope IS 'The scope asked for, within the service''s manifest';
COMMENT ON COLUMN access_request.reason IS 'What the service says it is for';
COMMENT ON COLUMN access_request.duration IS 'For how long';
COMMENT ON COLUMN access_request.asked_at IS 'When it came';
COMMENT ON COLUMN access_request.answered_at IS 'When the owner answered or another request took its place; null: open';
COMMENT ON COLUMN access_request.granted IS 'What the answer was; null: open';

CREATE TABLE consent (
	consent_id bigint PRIMARY KEY DEFAULT new_id(),
	subscription_id uuid NOT NULL REFERENCES subscription ON DELETE CASCADE,
	scope text NOT NULL,
	home_ids bigint[] CHECK (home_ids <> '{}'),
	history_from timestamptz,
	granted_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	ended_at timestamptz,
	end_reason text CHECK (end_reason IN ('withdrawn', 'replaced', 'unsubscribed', 'moved')),
	CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX consent_subscription ON consent (subscription_id);
CREATE UNIQUE INDEX consent_in_force ON consent (subscription_id) WHERE ended_at IS NULL;
COMMENT ON TABLE consent IS 'What a resource owner has granted a service; all tokens for the owner''s data come from one. One at a time for a subscription';
COMMENT ON COLUMN consent.consent_id IS 'Identifier';
COMMENT ON COLUMN consent.subscription_id IS 'The subscription: who grants whom';
COMMENT ON COLUMN consent.scope IS 'The scope granted: the one asked for, or narrower';
COMMENT ON COLUMN consent.home_ids IS 'The homes it is about; null: all homes of the owner';
COMMENT ON COLUMN consent.history_from IS 'How far back it reaches; null: as far as the data of the owner go';
COMMENT ON COLUMN consent.granted_at IS 'When it was granted';
COMMENT ON COLUMN consent.expires_at IS 'When it ends by itself';
COMMENT ON COLUMN consent.ended_at IS 'When it ended before that; null: it did not';
COMMENT ON COLUMN consent.end_reason IS 'Why: withdrawn by its owner, replaced by another consent, unsubscribed, moved out of the home';

CREATE TABLE access_log (
	hour timestamptz NOT NULL,
	at timestamptz NOT NULL,
	jti text COLLATE "C" NOT NULL,
	sub text NOT NULL,
	client_id text NOT NULL,
	scope text NOT NULL
);
CREATE INDEX access_log_jti ON access_log (jti, hour);
CREATE INDEX access_log_sub ON access_log (sub, at);
CREATE INDEX access_log_hour ON access_log USING brin (hour);
COMMENT ON TABLE access_log IS 'Which tokens were used in which hours: a row a token and hour, more only where transactions began to use it at once. Written by note_access outside of transactions';
COMMENT ON COLUMN access_log.hour IS 'The hour, UTC';
COMMENT ON COLUMN access_log.at IS 'Start of the first transaction in it that used the token';
COMMENT ON COLUMN access_log.jti IS 'The token';
COMMENT ON COLUMN access_log.sub IS 'Whose data it opens';
COMMENT ON COLUMN access_log.client_id IS 'The service that it was issued to';
COMMENT ON COLUMN access_log.scope IS 'What it opens';

CREATE FUNCTION note_access(jti text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_note_access';
COMMENT ON FUNCTION note_access(text) IS
'For authenticate, and for the statements of a session''s identity: a token is used now. The first use in an hour makes a row of access_log that stays even if the transaction is rolled back or read-only; further ones cost a comparison. On a standby, which writes no table, the server''s log has the use';

CREATE FUNCTION grantable_resources(kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE kind
		WHEN 'resident' THEN '{home,mainmeter,submeter,appliance,production,ess,pev,forecast,plan,price,profile,command}'
		WHEN 'developer' THEN '{forecast,plan,price,profile,command}'
		WHEN 'superuser' THEN '{feeder,forecast,plan,price,profile,command}' END::text[]
$$;
COMMENT ON FUNCTION grantable_resources(text) IS 'The resources of scopes that a kind of account owns: a resident all of a home, a developer what its services produce, the DSO feeder aggregates and what its services produce';

CREATE FUNCTION may_grant(kind text, scope text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT bool_and(split_part(token, '_', 2) = ANY (grantable_resources(may_grant.kind))) FROM pg_catalog.regexp_split_to_table(may_grant.scope, ' +') AS token
$$;
COMMENT ON FUNCTION may_grant(text, text) IS 'Whether an account of this kind owns everything that a scope is about';

CREATE FUNCTION end_tokens(consent_id bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	SELECT revoke_token(t.jti) FROM issued_token t WHERE t.consent_id = end_tokens.consent_id AND t.revoked_at IS NULL AND t.expires_at > now()
$$;
COMMENT ON FUNCTION end_tokens(bigint) IS 'Revokes the tokens of a consent';

CREATE FUNCTION end_consents(subscription_id uuid, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	ended consent;
BEGIN
	-- Whoever issues a token holds the consent's row meanwhile, so none is issued unseen.
	UPDATE consent c SET ended_at = now(), end_reason = end_consents.reason
	WHERE c.subscription_id = end_consents.subscription_id AND c.ended_at IS NULL RETURNING * INTO ended;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM end_tokens(ended.consent_id);
	RETURN true;
END $$;
COMMENT ON FUNCTION end_consents(uuid, text) IS 'Ends the consent of a subscription, if one is in force, and its tokens at once; whether there was one';

CREATE FUNCTION grant_consent(subscription_id uuid, asked text, scope text, duration interval, home_ids bigint[], history_from timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	granted text := scope_check(coalesce(grant_consent.scope, grant_consent.asked));
	owner account;
	made bigint;
BEGIN
	-- Locked, so that of two consents at once the later one replaces the earlier.
	SELECT a.* INTO owner FROM subscription s JOIN account a USING (account_id) WHERE s.subscription_id = grant_consent.subscription_id AND s.ended_at IS NULL FOR UPDATE OF s;
	IF NOT FOUND THEN
		RAISE insufficient_privilege USING MESSAGE = 'there is no subscription to the service';
	END IF;
	IF NOT scope_covers(grant_consent.asked, granted) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'more would be granted than was asked for', DETAIL = format('Asked for was "%s".', grant_consent.asked);
	ELSIF may_grant(owner.kind, granted) IS NOT TRUE THEN
		RAISE insufficient_privilege USING MESSAGE = 'the scope is about data that are not yours';
	ELSIF (grant_consent.duration > '0' AND grant_consent.duration <= (market_settings()).consent_limit) IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a consent must last some time, at most %s', (market_settings()).consent_limit);
	ELSIF EXISTS (SELECT FROM unnest(grant_consent.home_ids) AS h WHERE h IS NULL OR h NOT IN (
			SELECT r.home_id FROM home_resident r WHERE r.account_id = owner.account_id AND r.since <= now() AND coalesce(r.until, 'infinity') > now())) THEN
		RAISE insufficient_privilege USING MESSAGE = 'a home is not yours';
	END IF;
	PERFORM end_consents(grant_consent.subscription_id, 'replaced');
	INSERT INTO consent AS c (subscription_id, scope, home_ids, history_from, expires_at)
	VALUES (grant_consent.subscription_id, granted, grant_consent.home_ids, grant_consent.history_from, now() + grant_consent.duration)
	RETURNING c.consent_id INTO made;
	UPDATE access_request q SET answered_at = now(), granted = true WHERE q.subscription_id = grant_consent.subscription_id AND q.answered_at IS NULL;
	RETURN made;
END $$;
COMMENT ON FUNCTION grant_consent(uuid, text, text, interval, bigint[], timestamptz) IS
'Puts a consent into force in place of the subscription''s last one. Errors: broader than asked, not the owner''s data or homes, too long';

CREATE FUNCTION request_access(form text, authorization_header text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	fields jsonb := form_or_null(request_access.form);
	limit_ CONSTANT interval := (market_settings()).consent_limit;
	caller record;
	chosen subscription;
	asked text;
	made uuid;
BEGIN
	SELECT * INTO caller FROM oauth_client(fields, request_access.authorization_header);
	IF caller.error IS NOT NULL THEN
		RETURN caller.error;
	END IF;
	SELECT * INTO chosen FROM subscription s WHERE s.subscription_id::text = fields ->> 'subscription' AND s.service_id = (caller.client).service_id AND s.ended_at IS NULL FOR SHARE;
	asked := scope_or_null(fields ->> 'scope');
	IF NOT FOUND THEN
		RETURN oauth_error(400, 'invalid_request', 'The subscription is not one of the service.');
	ELSIF scope_covers(service_manifest(chosen.service_id), asked) IS NOT TRUE THEN
		RETURN oauth_error(400, 'invalid_scope', 'The scope is none, or not within the manifest of the service.');
	ELSIF fields ->> 'reason' IS NULL OR length(fields ->> 'reason') > 2000 THEN
		RETURN oauth_error(400, 'invalid_request', 'A reason must be given.');
	ELSIF coalesce(fields ->> 'days', '30') !~ '^[1-9][0-9]{0,3}$' OR make_interval(days => coalesce(fields ->> 'days', '30')::integer) > limit_ THEN
		RETURN oauth_error(400, 'invalid_request', 'The days of access are a whole number within the market''s limit.');
	END IF;
	UPDATE access_request q SET answered_at = now(), granted = false WHERE q.subscription_id = chosen.subscription_id AND q.answered_at IS NULL;
	INSERT INTO access_request AS q (subscription_id, scope, reason, duration)
	VALUES (chosen.subscription_id, asked, fields ->> 'reason', make_interval(days => coalesce(fields ->> 'days', '30')::integer))
	RETURNING q.request_id INTO made;
	RETURN oauth_answer(201, jsonb_build_object('request', made, 'scope', asked));
END $$;
COMMENT ON FUNCTION request_access(text, text) IS
'For a service (form: subscription, scope, reason, days; client authentication as of oauth_token): asks a subscriber for access, which takes the place of an open request (SMC-UC5)';

CREATE FUNCTION open_requests(session text)
RETURNS TABLE (request_id uuid, client_id text, service text, scope text, meaning text, reason text, duration interval, asked_at timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT q.request_id, s.client_id, s.name, q.scope, scope_explain(q.scope), q.reason, q.duration, q.asked_at
	FROM session_account(open_requests.session) AS a JOIN subscription b USING (account_id) JOIN service s USING (service_id) JOIN access_request q USING (subscription_id)
	WHERE q.answered_at IS NULL AND b.ended_at IS NULL ORDER BY q.asked_at
$$;
COMMENT ON FUNCTION open_requests(text) IS 'What services ask the person logged in for';

CREATE FUNCTION own_request(session text, request_id uuid) RETURNS access_request
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(own_request.session);
	known access_request;
BEGIN
	SELECT q.* INTO known FROM access_request q JOIN subscription b USING (subscription_id)
	WHERE q.request_id = own_request.request_id AND b.account_id = owner.account_id AND b.ended_at IS NULL AND q.answered_at IS NULL FOR UPDATE OF q;
	IF NOT FOUND THEN
		RAISE insufficient_privilege USING MESSAGE = 'no open request to you is this one';
	END IF;
	RETURN known;
END $$;
COMMENT ON FUNCTION own_request(text, uuid) IS 'An open request to the person logged in, locked. Errors: 42501 where it is not';

CREATE FUNCTION delegate(session text, request_id uuid, scope text DEFAULT NULL, duration interval DEFAULT NULL, home_ids bigint[] DEFAULT NULL, history_from timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	asked access_request := own_request(delegate.session, delegate.request_id);
	made bigint := grant_consent(asked.subscription_id, asked.scope, delegate.scope, coalesce(delegate.duration, asked.duration), delegate.home_ids, delegate.history_from);
BEGIN
	PERFORM notify_service(b.service_id, 'access_granted', b.subscription_id, jsonb_build_object('request', asked.request_id, 'scope', c.scope))
	FROM subscription b JOIN consent c USING (subscription_id) WHERE c.consent_id = made;
	RETURN made;
END $$;
COMMENT ON FUNCTION delegate(text, uuid, text, interval, bigint[], timestamptz) IS
'SMC-UC6: grants what a request asks for, or less: a narrower scope, another duration, some homes, a shorter history. The service is told, and gets tokens by an assertion or a code. Returns the consent. Errors: broader than asked, not the owner''s data or homes';

CREATE FUNCTION deny_access(session text, request_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	asked access_request := own_request(deny_access.session, deny_access.request_id);
BEGIN
	UPDATE access_request q SET answered_at = now(), granted = false WHERE q.request_id = asked.request_id;
	PERFORM notify_service(b.service_id, 'access_denied', b.subscription_id, jsonb_build_object('request', asked.request_id))
	FROM subscription b WHERE b.subscription_id = asked.subscription_id;
END $$;
COMMENT ON FUNCTION deny_access(text, uuid) IS 'Denies what a request asks for; the service is told';

CREATE FUNCTION my_consents(session text)
RETURNS TABLE (consent_id bigint, client_id text, service text, scope text, meaning text, home_ids bigint[], history_from timestamptz,
	granted_at timestamptz, expires_at timestamptz, ended_at timestamptz, end_reason text, last_used_at timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT c.consent_id, s.client_id, s.name, c.scope, scope_explain(c.scope), c.home_ids, c.history_from, c.granted_at, c.expires_at, c.ended_at, c.end_reason,
		(SELECT max(l.at) FROM access_log l WHERE l.sub = a.sub::text AND l.client_id = s.client_id AND l.at >= c.granted_at AND l.at <= least(c.ended_at, c.expires_at))
	FROM session_account(my_consents.session) AS a JOIN subscription b USING (account_id) JOIN service s USING (service_id) JOIN consent c USING (subscription_id)
	ORDER BY c.granted_at DESC
$$;
COMMENT ON FUNCTION my_consents(text) IS 'Consents of the person logged in, in force and ended, and when each was last made use of';

CREATE FUNCTION withdraw_consent(session text, consent_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(withdraw_consent.session);
	given subscription;
BEGIN
	SELECT b.* INTO given FROM consent c JOIN subscription b USING (subscription_id)
	WHERE c.consent_id = withdraw_consent.consent_id AND b.account_id = owner.account_id AND c.ended_at IS NULL;
	IF NOT FOUND THEN
		RAISE insufficient_privilege USING MESSAGE = 'no consent of yours in force is this one';
	END IF;
	PERFORM end_consents(given.subscription_id, 'withdrawn');
	PERFORM notify_service(given.service_id, 'access_ended', given.subscription_id);
END $$;
COMMENT ON FUNCTION withdraw_consent(text, bigint) IS 'Takes a consent back: its tokens and refresh tokens are void at once; the service is told';

CREATE FUNCTION my_access_log(session text, from_time timestamptz DEFAULT '-infinity', until_time timestamptz DEFAULT 'infinity')
RETURNS TABLE (hour timestamptz, first_at timestamptz, client_id text, service text, scope text, meaning text, tokens bigint)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT l.hour, min(l.at), l.client_id, s.name, l.scope, scope_explain(l.scope), count(DISTINCT l.jti)
	FROM session_account(my_access_log.session) AS a JOIN access_log l ON l.sub = a.sub::text LEFT JOIN service s USING (client_id)
	WHERE l.at >= my_access_log.from_time AND l.at < my_access_log.until_time
	GROUP BY l.hour, l.client_id, s.name, l.scope ORDER BY l.hour DESC, min(l.at) DESC
$$;
COMMENT ON FUNCTION my_access_log(text, timestamptz, timestamptz) IS 'Who looked at the data of the person logged in: which service, under which scope, in which hour';
