-- What ends access besides the owner's word: a subscription, an account or a residence that ends, a
-- review of the DSO, time (document chapter 5, DESIGN.md section 8).

CREATE FUNCTION unsubscribe(session text, client_id text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(unsubscribe.session);
	ended subscription;
BEGIN
	UPDATE subscription b SET ended_at = now() FROM service s
	WHERE s.client_id = unsubscribe.client_id AND (b.account_id, b.service_id) = (owner.account_id, s.service_id) AND b.ended_at IS NULL RETURNING b.* INTO ended;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'you have not subscribed to this service';
	END IF;
	PERFORM end_consents(ended.subscription_id, 'unsubscribed');
	UPDATE access_request q SET answered_at = now(), granted = false WHERE q.subscription_id = ended.subscription_id AND q.answered_at IS NULL;
	PERFORM notify_service(ended.service_id, 'unsubscribed', ended.subscription_id);
END $$;
COMMENT ON FUNCTION unsubscribe(text, text) IS 'Ends a subscription with its consent and tokens; the service is told';

CREATE FUNCTION end_client_tokens(client_id text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	SELECT revoke_token(t.jti) FROM issued_token t WHERE t.client_id = end_client_tokens.client_id AND t.revoked_at IS NULL AND t.expires_at > now()
$$;
COMMENT ON FUNCTION end_client_tokens(text) IS 'Revokes all tokens of a service';

CREATE FUNCTION review_service(client_id text, decision text, reason text DEFAULT NULL, version integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	reviewed service;
BEGIN
	IF review_service.decision IS NULL OR review_service.decision NOT IN ('approved', 'rejected', 'suspended') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a service is approved, rejected or suspended';
	ELSIF review_service.decision <> 'approved' AND coalesce(review_service.reason, '') = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a reason must be given';
	ELSIF review_service.decision = 'approved' AND review_service.version IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the version that is approved must be given';
	END IF;
	UPDATE service s SET status = review_service.decision, status_reason = review_service.reason, reviewed_by = session_user, reviewed_at = now()
	WHERE s.client_id = review_service.client_id RETURNING * INTO reviewed;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'no service has this client_id';
	ELSIF reviewed.version <> review_service.version THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'the service has been changed since', DETAIL = format('Its version is %s.', reviewed.version), HINT = 'Review that.';
	END IF;
	IF review_service.decision <> 'approved' THEN
		PERFORM end_client_tokens(reviewed.client_id);
	END IF;
	PERFORM notify_service(reviewed.service_id, 'reviewed', more => jsonb_strip_nulls(jsonb_build_object('status', reviewed.status, 'reason', reviewed.status_reason)));
END $$;
COMMENT ON FUNCTION review_service(text, text, text, integer) IS
'For the DSO''s operator: approves, rejects or suspends a service (SMC-UC3). To approve takes the service.version that was read, with the manifest; the last two need a reason and revoke its tokens at once. Consents stay, and hold again once it is approved. Errors: another version by now, 55000';

CREATE FUNCTION end_account_access(account_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	DELETE FROM account_session s WHERE s.account_id = end_account_access.account_id;
	PERFORM end_tokens(c.consent_id) FROM subscription b JOIN consent c USING (subscription_id) WHERE b.account_id = end_account_access.account_id AND c.ended_at IS NULL;
	PERFORM end_client_tokens(s.client_id) FROM service s WHERE s.owner_account_id = end_account_access.account_id;
END $$;
COMMENT ON FUNCTION end_account_access(bigint) IS 'Ends the log ins of an account, and revokes the tokens for its data and of its services';

CREATE FUNCTION suspend_account(account_id bigint, suspended boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	UPDATE account a SET suspended_at = CASE WHEN suspend_account.suspended THEN now() END WHERE a.account_id = suspend_account.account_id;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'no account has this account_id';
	ELSIF suspend_account.suspended THEN
		PERFORM end_account_access(suspend_account.account_id);
	END IF;
END $$;
COMMENT ON FUNCTION suspend_account(bigint, boolean) IS 'For the DSO''s operator: suspends an account, with its log ins and the tokens for its data and of its services, which get no others and are not listed, or lets it back in';

CREATE FUNCTION delete_account(session text, password text, OUT error text, OUT retry_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	owner account := session_account(delete_account.session);
BEGIN
	SELECT t.error, t.retry_after INTO error, retry_after FROM try_password(owner.email, delete_account.password) AS t;
	IF error IS NULL THEN
		PERFORM erase_account(owner.account_id);
	END IF;
END $$;
COMMENT ON FUNCTION delete_account(text, text) IS 'Erases the account of the person logged in, who gives the password once more. Error as of log_in. Commit also after an error';

CREATE FUNCTION erase_account(account_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	erased account;
BEGIN
	SELECT * INTO erased FROM account a WHERE a.account_id = erase_account.account_id FOR UPDATE;
	PERFORM end_account_access(erase_account.account_id);
	PERFORM notify_service(b.service_id, 'unsubscribed', b.subscription_id) FROM subscription b WHERE b.account_id = erase_account.account_id AND b.ended_at IS NULL;
	DELETE FROM access_log l WHERE l.sub = erased.sub::text;
	DELETE FROM log_in_failure f WHERE f.email_digest = secret_digest(lower(erased.email));
	DELETE FROM account a WHERE a.account_id = erase_account.account_id;
END $$;
COMMENT ON FUNCTION erase_account(bigint) IS
'For the DSO''s operator, on a person''s demand: erases an account with its residence, subscriptions, consents, access log and services; tokens are revoked. Meter data stay with the home, which has no name';

CREATE FUNCTION residence_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	given record;
BEGIN
	IF TG_OP = 'UPDATE' AND coalesce(NEW.until, 'infinity') > now() AND (NEW.home_id, NEW.account_id) = (OLD.home_id, OLD.account_id) THEN
		RETURN NULL;
	END IF;
	FOR given IN
		SELECT c.consent_id, c.subscription_id, b.service_id, array_remove(c.home_ids, OLD.home_id) AS remaining
		FROM consent c JOIN subscription b USING (subscription_id)
		WHERE b.account_id = OLD.account_id AND c.ended_at IS NULL AND (c.home_ids IS NULL OR OLD.home_id = ANY (c.home_ids)) FOR UPDATE OF c
	LOOP
		IF given.remaining = '{}' OR given.remaining IS NULL AND NOT EXISTS (
				SELECT FROM home_resident r WHERE r.account_id = OLD.account_id AND coalesce(r.until, 'infinity') > now()) THEN
			PERFORM end_consents(given.subscription_id, 'moved');
			PERFORM notify_service(given.service_id, 'access_ended', given.subscription_id);
		ELSE
			UPDATE consent c SET home_ids = given.remaining WHERE c.consent_id = given.consent_id;
			PERFORM end_tokens(given.consent_id);
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION residence_ended() IS 'A resident has moved out: the home leaves the resident''s consents, which end where no home is left, and tokens are revoked';
CREATE TRIGGER residence_ended AFTER UPDATE OR DELETE ON home_resident FOR EACH ROW EXECUTE FUNCTION residence_ended();

CREATE FUNCTION move_in(home_id bigint, account_id bigint, since timestamptz DEFAULT now()) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
	INSERT INTO home_resident (home_id, account_id, since) VALUES (move_in.home_id, move_in.account_id, move_in.since)
$$;
COMMENT ON FUNCTION move_in(bigint, bigint, timestamptz) IS 'For the DSO''s operator: who lives in a home from now, or another time, on';

CREATE FUNCTION move_out(home_id bigint, account_id bigint, until timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	UPDATE home_resident r SET until = move_out.until WHERE r.home_id = move_out.home_id AND r.account_id = move_out.account_id AND coalesce(r.until, 'infinity') > now();
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the account does not live in the home';
	END IF;
END $$;
COMMENT ON FUNCTION move_out(bigint, bigint, timestamptz) IS 'For the DSO''s operator: a resident moves out now or later; tokens given by the resident do not outlast it. Errors: no resident of the home';

CREATE FUNCTION market_upkeep(most integer DEFAULT 20000) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	bound CONSTANT timestamptz := now() - (market_settings()).kept;
	old record;
	rows bigint;
	removed bigint := 0;
BEGIN
	FOR old IN SELECT * FROM (VALUES
		('account_session', 'o.expires_at <= now()'),
		('password_reset', 'o.expires_at <= now()'),
		('used_assertion', 'o.expires_at < now() - interval ''10 min'''),
		('authorization_code', 'o.expires_at < now() - interval ''1 day'''),
		('refresh_token', 'EXISTS (SELECT FROM consent c WHERE c.consent_id = o.consent_id AND least(c.ended_at, c.expires_at) <= now())'),
		('access_request', 'o.answered_at < $1'),
		('service_notification', 'o.delivered_at < $1'),
		('access_log', 'o.hour < $1')) AS o(name, condition)
	LOOP
		EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM %1$I o WHERE %2$s LIMIT $2))', old.name, old.condition) USING bound, most - removed;
		GET DIAGNOSTICS rows = ROW_COUNT;
		removed := removed + rows;
	END LOOP;
	RETURN removed + drop_tokens_before(bound);
END $$;
COMMENT ON FUNCTION market_upkeep(integer) IS 'Removes what has expired, up to so many rows: log ins, resets, codes, refresh tokens, assertions, and older than market_setting.kept answered requests, delivered notifications, the access log and, all of them, tokens that expired. Returns the number of rows';
