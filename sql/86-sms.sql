-- Short messages to and from GSM gateways, mostly for their configuration (document 4.1.2.1, SMS
-- dispatcher): an outbox that the bridge sends, an inbox that it fills.

CREATE TABLE gateway_phone (
	gateway_id bigint PRIMARY KEY REFERENCES gateway ON DELETE CASCADE,
	phone text NOT NULL UNIQUE CHECK (phone ~ '^\+\d{4,15}$')
);
COMMENT ON TABLE gateway_phone IS 'Gateways that can be reached by short message';
COMMENT ON COLUMN gateway_phone.gateway_id IS 'The gateway';
COMMENT ON COLUMN gateway_phone.phone IS 'Phone number of its SIM card, international: + and digits (ITU-T E.164)';

CREATE TABLE sms_outbox (
	sms_id bigint PRIMARY KEY DEFAULT new_id(),
	phone text NOT NULL CHECK (phone ~ '^\+\d{4,15}$'),
	body text NOT NULL CHECK (body <> '' AND length(body) <= 160),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	not_after timestamptz NOT NULL,
	state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'delivered', 'failed', 'expired')),
	state_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	reference integer,
	detail text
);
CREATE INDEX sms_outbox_pending ON sms_outbox (sms_id) WHERE state = 'pending';
CREATE INDEX sms_outbox_phone ON sms_outbox (phone, state_changed_at);
COMMENT ON TABLE sms_outbox IS 'Short messages to gateways; inserting one tells the bridge';
COMMENT ON COLUMN sms_outbox.sms_id IS 'Identifier';
COMMENT ON COLUMN sms_outbox.phone IS 'Where to, international: + and digits';
COMMENT ON COLUMN sms_outbox.body IS 'Text of one short message: 160 characters of the default alphabet GSM 03.38, of which ^ { } \ [ ~ ] | and the euro sign count twice, else 70 characters; longer ones fail';
COMMENT ON COLUMN sms_outbox.created_at IS 'When it was written';
COMMENT ON COLUMN sms_outbox.not_after IS 'It is not sent any more after this';
COMMENT ON COLUMN sms_outbox.state IS 'pending; sent: the network took it; delivered: the gateway has it; failed; expired';
COMMENT ON COLUMN sms_outbox.state_changed_at IS 'When state last changed';
COMMENT ON COLUMN sms_outbox.reference IS 'The modem''s number of it (0 to 255), for the report of its delivery';
COMMENT ON COLUMN sms_outbox.detail IS 'Why it failed';

CREATE TABLE sms_inbox (
	sms_id bigint PRIMARY KEY DEFAULT new_id(),
	phone text NOT NULL,
	gateway_id bigint,
	body text NOT NULL,
	sent_at timestamptz,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	answers_sms_id bigint
);
CREATE UNIQUE INDEX sms_inbox_once ON sms_inbox (phone, sent_at, md5(body)) NULLS NOT DISTINCT;
COMMENT ON TABLE sms_inbox IS 'Short messages that came in; each is announced by NOTIFY on smarthg_sms_inbox';
COMMENT ON COLUMN sms_inbox.sms_id IS 'Identifier';
COMMENT ON COLUMN sms_inbox.phone IS 'Where from';
COMMENT ON COLUMN sms_inbox.gateway_id IS 'The gateway with that number; null: none';
COMMENT ON COLUMN sms_inbox.body IS 'Text';
COMMENT ON COLUMN sms_inbox.sent_at IS 'The service centre''s time; null: not known';
COMMENT ON COLUMN sms_inbox.received_at IS 'When the bridge stored it';
COMMENT ON COLUMN sms_inbox.answers_sms_id IS 'The last message of sms_outbox that was sent to that number within a day before; null: none';

CREATE FUNCTION sms_outbox_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM pg_notify('smarthg_sms', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION sms_outbox_changed() IS 'Tells the bridge that there is something to send';
CREATE TRIGGER sms_outbox_changed AFTER INSERT ON sms_outbox FOR EACH STATEMENT EXECUTE FUNCTION sms_outbox_changed();

CREATE FUNCTION sms_send(gateway_id bigint, body text, valid_for interval DEFAULT '1 day') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	own_phone text := (SELECT p.phone FROM gateway_phone p WHERE p.gateway_id = sms_send.gateway_id);
	made bigint;
BEGIN
	IF own_phone IS NULL THEN
		RAISE no_data_found USING MESSAGE = format('gateway %s has no phone number', sms_send.gateway_id), HINT = 'Insert its number into gateway_phone.';
	END IF;
	INSERT INTO sms_outbox (phone, body, not_after) VALUES (own_phone, sms_send.body, clock_timestamp() + sms_send.valid_for) RETURNING sms_id INTO made;
	RETURN made;
END $$;
COMMENT ON FUNCTION sms_send(bigint, text, interval) IS 'Puts a short message to a gateway into the outbox and returns its identifier; SQLSTATE P0002 where the gateway has no number. What it answers comes into sms_inbox with answers_sms_id';

CREATE FUNCTION bridge_sms_pending(max_rows integer) RETURNS TABLE (sms_id bigint, phone text, body text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE sms_outbox o SET state = 'expired', state_changed_at = clock_timestamp() WHERE o.state = 'pending' AND o.not_after < clock_timestamp();
	SELECT o.sms_id, o.phone, o.body FROM sms_outbox o WHERE o.state = 'pending' ORDER BY o.sms_id LIMIT max_rows
$$;
COMMENT ON FUNCTION bridge_sms_pending(integer) IS 'For the bridge: short messages to be sent, oldest first; notified on channel smarthg_sms. Those past not_after expire';

CREATE FUNCTION bridge_sms_state(sms_id bigint, state text, reference integer, detail text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE sms_outbox o SET state = bridge_sms_state.state, reference = bridge_sms_state.reference, detail = bridge_sms_state.detail, state_changed_at = clock_timestamp()
	WHERE o.sms_id = bridge_sms_state.sms_id AND o.state = 'pending'
$$;
COMMENT ON FUNCTION bridge_sms_state(bigint, text, integer, text) IS 'For the bridge: a short message was sent or failed';

CREATE FUNCTION bridge_sms_report(reference integer, delivered boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE sms_outbox o SET state = CASE WHEN bridge_sms_report.delivered THEN 'delivered' ELSE 'failed' END, state_changed_at = clock_timestamp(),
		detail = CASE WHEN NOT bridge_sms_report.delivered THEN 'the network could not deliver it' END
	WHERE o.sms_id = (SELECT s.sms_id FROM sms_outbox s WHERE s.state = 'sent' AND s.reference = bridge_sms_report.reference
		AND s.state_changed_at > clock_timestamp() - interval '3 days' ORDER BY s.state_changed_at DESC LIMIT 1)
$$;
COMMENT ON FUNCTION bridge_sms_report(integer, boolean) IS 'For the bridge: the network reports on the message last sent with this reference';

CREATE FUNCTION bridge_sms_received(phone text, body text, sent_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO sms_inbox (phone, gateway_id, body, sent_at, answers_sms_id)
	VALUES (bridge_sms_received.phone, (SELECT p.gateway_id FROM gateway_phone p WHERE p.phone = bridge_sms_received.phone), bridge_sms_received.body,
		bridge_sms_received.sent_at,
		(SELECT o.sms_id FROM sms_outbox o WHERE o.phone = bridge_sms_received.phone AND o.state IN ('sent', 'delivered')
			AND o.state_changed_at > clock_timestamp() - interval '1 day' ORDER BY o.state_changed_at DESC LIMIT 1))
	ON CONFLICT DO NOTHING;
	PERFORM pg_notify('smarthg_sms_inbox', '');
END $$;
COMMENT ON FUNCTION bridge_sms_received(text, text, timestamptz) IS 'For the bridge: a short message came; one that is told again (same number, time and text) is stored once';
