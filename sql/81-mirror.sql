-- Mirrors (document 4.1.1.1, DESIGN.md section 7): a gateway keeps the data of up to 16 sleeping meters
-- on ZigBee endpoints of its own, one each, which meters ask for and give back.
--
-- The gateway hosts the endpoints, so its word counts. Its records tell the book what meters and the
-- gateway said (OBIS *mirror of bridge_ingest). A request is answered by the book at once: the meter's
-- endpoint where it has one, else the lowest free one of 16 to 31, else none; the bridge takes the
-- answer to the gateway, which makes the endpoint and tells the meter. A gateway that answers its
-- meters itself does so on any endpoint, and takes back what the book would have answered.

CREATE TABLE mirror (
	mirror_id bigint PRIMARY KEY DEFAULT new_id(),
	gateway_id bigint NOT NULL REFERENCES gateway,
	device_address bytea NOT NULL CHECK (octet_length(device_address) = 8),
	device_endpoint smallint NOT NULL CHECK (device_endpoint BETWEEN 0 AND 255),
	endpoint smallint NOT NULL CHECK (endpoint BETWEEN 1 AND 240),
	created_at timestamptz NOT NULL,
	confirmed_at timestamptz,
	initialised_at timestamptz,
	removed_at timestamptz,
	removed_by text CHECK (removed_by IN ('meter', 'gateway', 'operator', 'bridge')),
	CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE UNIQUE INDEX mirror_device ON mirror (gateway_id, device_address) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX mirror_endpoint ON mirror (gateway_id, endpoint) WHERE removed_at IS NULL;
CREATE INDEX mirror_history ON mirror (gateway_id, device_address, created_at);
COMMENT ON TABLE mirror IS 'Mirrors of sleeping meters on their gateways, open and past ones; at most 16 are open on a gateway, an endpoint belongs to one device at a time';
COMMENT ON COLUMN mirror.mirror_id IS 'Identifier';
COMMENT ON COLUMN mirror.gateway_id IS 'The gateway that hosts it';
COMMENT ON COLUMN mirror.device_address IS 'EUI-64 of the mirrored device, 8 bytes';
COMMENT ON COLUMN mirror.device_endpoint IS 'Endpoint of the device from which it asked';
COMMENT ON COLUMN mirror.endpoint IS 'Endpoint of the gateway that mirrors it';
COMMENT ON COLUMN mirror.created_at IS 'When the device asked for it, or the gateway gave it';
COMMENT ON COLUMN mirror.confirmed_at IS 'When the gateway said that it is there, or the device wrote to it; null: offered so far';
COMMENT ON COLUMN mirror.initialised_at IS 'When the device first wrote its attributes into it; null: not yet';
COMMENT ON COLUMN mirror.removed_at IS 'When it ended; null: open';
COMMENT ON COLUMN mirror.removed_by IS 'Who ended it: meter, gateway, operator (remove_mirror), or bridge, which could not tell the gateway of it';

CREATE TABLE mirror_message (
	gateway_id bigint NOT NULL REFERENCES gateway,
	record_no bigint NOT NULL,
	at timestamptz NOT NULL,
	device_address bytea NOT NULL,
	device_endpoint smallint NOT NULL,
	message text NOT NULL CHECK (message IN ('request', 'response', 'remove', 'removed')),
	endpoint integer NOT NULL,
	outcome text NOT NULL,
	PRIMARY KEY (gateway_id, record_no)
);
CREATE INDEX mirror_message_device ON mirror_message (gateway_id, device_address, record_no);
COMMENT ON TABLE mirror_message IS 'What meters and gateways said of mirrors, one row a record, and what came of it';
COMMENT ON COLUMN mirror_message.gateway_id IS 'The gateway';
COMMENT ON COLUMN mirror_message.record_no IS 'Number of its record';
COMMENT ON COLUMN mirror_message.at IS 'When';
COMMENT ON COLUMN mirror_message.device_address IS 'EUI-64 of the meter';
COMMENT ON COLUMN mirror_message.device_endpoint IS 'Endpoint of the meter';
COMMENT ON COLUMN mirror_message.message IS 'request and remove are the meter''s, response and removed the gateway''s';
COMMENT ON COLUMN mirror_message.endpoint IS 'Endpoint of the mirror as said; 65535: none, 0: not said';
COMMENT ON COLUMN mirror_message.outcome IS 'made, kept (it was so already), removed, refused (no endpoint was free), unknown (no such mirror), invalid (no endpoint has this number), late (a younger record of the meter came before)';

CREATE TABLE mirror_request (
	request_id bigint PRIMARY KEY DEFAULT new_id(),
	gateway_id bigint NOT NULL REFERENCES gateway,
	device_address bytea NOT NULL CHECK (octet_length(device_address) = 8),
	device_endpoint smallint NOT NULL,
	message text NOT NULL CHECK (message IN ('response', 'removed')),
	endpoint integer NOT NULL,
	by_operator boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'acknowledged', 'failed', 'expired', 'superseded')),
	state_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	detail text
);
CREATE INDEX mirror_request_open ON mirror_request (gateway_id, device_address) WHERE state IN ('pending', 'sent');
COMMENT ON TABLE mirror_request IS 'What gateways are to tell their meters of mirrors, on its way through the bridge';
COMMENT ON COLUMN mirror_request.request_id IS 'Identifier, also of the REQUEST on the wire';
COMMENT ON COLUMN mirror_request.gateway_id IS 'The gateway';
COMMENT ON COLUMN mirror_request.device_address IS 'EUI-64 of the meter';
COMMENT ON COLUMN mirror_request.device_endpoint IS 'Endpoint of the meter';
COMMENT ON COLUMN mirror_request.message IS 'response: the meter has the endpoint from now on; removed: no longer';
COMMENT ON COLUMN mirror_request.endpoint IS 'Endpoint of the mirror; 65535: none is free, or there was none';
COMMENT ON COLUMN mirror_request.by_operator IS 'Whether remove_mirror asked for it; such a request waits for its gateway as long as it takes, an answer to a meter 10 minutes';
COMMENT ON COLUMN mirror_request.created_at IS 'When it was made';
COMMENT ON COLUMN mirror_request.state IS 'pending, sent, acknowledged, failed, expired, or superseded by a later word';
COMMENT ON COLUMN mirror_request.state_changed_at IS 'When the state last changed';
COMMENT ON COLUMN mirror_request.detail IS 'Why it failed';

CREATE VIEW mirrored_meter WITH (security_invoker = true) AS
	SELECT i.gateway_id, i.endpoint, i.device_address, i.mirror_id, i.created_at, i.confirmed_at, i.initialised_at,
		(SELECT max(r.last_reading_at) FROM register r WHERE r.meter_id = m.meter_id) AS last_update_at,
		m.meter_id, m.home_id, m.name, m.commodity
	FROM mirror i JOIN gateway g USING (gateway_id)
	LEFT JOIN meter m ON m.gateway_id = i.gateway_id AND (m.device_address = i.device_address OR (m.device_address = g.eui64 AND m.endpoint = i.endpoint))
	WHERE i.removed_at IS NULL;
COMMENT ON VIEW mirrored_meter IS 'Open mirrors with their meters: those whose device_address is the mirrored device''s, or the gateway''s own EUI-64 with the mirror''s endpoint, whichever the gateway reports under. last_update_at: their newest reading; meter_id null: the meter has not been entered yet';

CREATE FUNCTION note_mirror_event(gateway_id bigint, event text, detail text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	INSERT INTO gateway_event (gateway_id, eui64, event, detail)
	SELECT g.gateway_id, g.eui64, note_mirror_event.event, note_mirror_event.detail FROM gateway g WHERE g.gateway_id = note_mirror_event.gateway_id
		-- A gateway that asks without end fills mirror_message, and not what people read.
		AND (SELECT count(*) FROM (SELECT FROM gateway_event e WHERE e.gateway_id = note_mirror_event.gateway_id AND e.at > clock_timestamp() - interval '1 hour' AND e.event = note_mirror_event.event LIMIT 60) AS recent) < 60
$$;
COMMENT ON FUNCTION note_mirror_event(bigint, text, text) IS 'Writes an event of a gateway''s mirrors: mirror_refused, mirror_unknown, mirror_invalid, mirror_replaced or mirror_request_failed; up to 60 of each an hour';

CREATE FUNCTION settle_mirror_requests(gateway_id bigint, device_address bytea, operators boolean, said text DEFAULT NULL, endpoint integer DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	UPDATE mirror_request q SET state_changed_at = clock_timestamp(),
		state = CASE WHEN (q.message, q.endpoint) = (settle_mirror_requests.said, settle_mirror_requests.endpoint) THEN 'acknowledged' ELSE 'superseded' END
	WHERE q.gateway_id = settle_mirror_requests.gateway_id AND q.device_address = settle_mirror_requests.device_address AND q.state IN ('pending', 'sent')
		AND (operators OR NOT q.by_operator)
$$;
COMMENT ON FUNCTION settle_mirror_requests(bigint, bytea, boolean, text, integer) IS 'Ends what is on its way to a meter, with what the operator asked for or without: acknowledged where the gateway''s record says the same, whether its RESPONSE came yet or not, else superseded';

CREATE FUNCTION ask_for_mirror(gateway_id bigint, device_address bytea, device_endpoint smallint, message text, endpoint integer, by_operator boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	made bigint;
BEGIN
	PERFORM settle_mirror_requests(ask_for_mirror.gateway_id, ask_for_mirror.device_address, ask_for_mirror.by_operator);
	-- What gives nobody an endpoint may be left unsaid: a meter asks again. Those that do are sixteen at most.
	IF NOT ask_for_mirror.by_operator AND (ask_for_mirror.message = 'removed' OR ask_for_mirror.endpoint = 65535)
		AND (SELECT count(*) FROM mirror_request q WHERE q.gateway_id = ask_for_mirror.gateway_id AND q.state IN ('pending', 'sent')) >= 48 THEN
		RETURN NULL;
	END IF;
	INSERT INTO mirror_request (gateway_id, device_address, device_endpoint, message, endpoint, by_operator)
		VALUES (ask_for_mirror.gateway_id, ask_for_mirror.device_address, ask_for_mirror.device_endpoint, ask_for_mirror.message, ask_for_mirror.endpoint, ask_for_mirror.by_operator)
		RETURNING request_id INTO made;
	PERFORM pg_catalog.pg_notify('smarthg_mirror', '');
	RETURN made;
END $$;
COMMENT ON FUNCTION ask_for_mirror(bigint, bytea, smallint, text, integer, boolean) IS 'Gives the bridge a message of mirrors for a gateway, in place of those still on their way to the same meter; returns its identifier. Null: 48 are on their way to the gateway, and this one gives no mirror';

CREATE FUNCTION end_mirror(mirror_id bigint, at timestamptz, removed_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	-- Clocks of gateways and of the server may differ.
	UPDATE mirror i SET removed_at = greatest(end_mirror.at, i.created_at), removed_by = end_mirror.removed_by WHERE i.mirror_id = end_mirror.mirror_id AND i.removed_at IS NULL
$$;
COMMENT ON FUNCTION end_mirror(bigint, timestamptz, text) IS 'Ends an open mirror, which frees its endpoint';

CREATE FUNCTION mirror_requested(said incoming_reading) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	given smallint;
	outcome text := 'kept';
BEGIN
	SELECT i.endpoint INTO given FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.device_address = said.device_address AND i.removed_at IS NULL;
	IF NOT FOUND THEN
		SELECT e INTO given FROM generate_series(16, 31) AS e
		WHERE NOT EXISTS (SELECT FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.endpoint = e AND i.removed_at IS NULL)
			AND (SELECT count(*) FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.removed_at IS NULL) < 16
		ORDER BY e LIMIT 1;
		IF FOUND THEN
			INSERT INTO mirror (gateway_id, device_address, device_endpoint, endpoint, created_at) VALUES (said.gateway_id, said.device_address, said.endpoint, given, said.measured_at);
			outcome := 'made';
		ELSE
			PERFORM note_mirror_event(said.gateway_id, 'mirror_refused', format('Record %s: device %s asked for a mirror, and 16 are in use.', said.record_no, encode(said.device_address, 'hex')));
			outcome := 'refused';
		END IF;
	END IF;
	-- While the operator has it removed, that is the answer.
	IF NOT EXISTS (SELECT FROM mirror_request q WHERE q.gateway_id = said.gateway_id AND q.device_address = said.device_address AND q.by_operator AND q.state IN ('pending', 'sent')) THEN
		PERFORM ask_for_mirror(said.gateway_id, said.device_address, said.endpoint, 'response', coalesce(given, 65535));
	END IF;
	RETURN outcome;
END $$;
COMMENT ON FUNCTION mirror_requested(incoming_reading) IS 'A meter asked for a mirror: it gets the one it has, or a free endpoint, or none; the gateway is told. Returns mirror_message.outcome';

CREATE FUNCTION mirror_given(said incoming_reading) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	held mirror;
	other mirror;
BEGIN
	PERFORM settle_mirror_requests(said.gateway_id, said.device_address, false, said.unit, said.raw_value::integer);
	SELECT * INTO held FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.device_address = said.device_address AND i.removed_at IS NULL;
	IF said.raw_value = 65535 THEN
		PERFORM end_mirror(held.mirror_id, said.measured_at, 'gateway');
		PERFORM note_mirror_event(said.gateway_id, 'mirror_refused', format('Record %s: the gateway refused device %s a mirror.', said.record_no, encode(said.device_address, 'hex')));
		RETURN 'refused';
	ELSIF said.raw_value NOT BETWEEN 1 AND 240 THEN
		PERFORM note_mirror_event(said.gateway_id, 'mirror_invalid', format('Record %s: device %s was given endpoint %s, which does not exist.', said.record_no, encode(said.device_address, 'hex'), said.raw_value));
		RETURN 'invalid';
	END IF;
	SELECT * INTO other FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.endpoint = said.raw_value AND i.device_address <> said.device_address AND i.removed_at IS NULL;
	IF FOUND THEN
		PERFORM end_mirror(other.mirror_id, said.measured_at, 'gateway');
		PERFORM settle_mirror_requests(other.gateway_id, other.device_address, true);
		PERFORM note_mirror_event(said.gateway_id, 'mirror_replaced', format('Record %s: the gateway gave endpoint %s of device %s to device %s.', said.record_no, said.raw_value,
			encode(other.device_address, 'hex'), encode(said.device_address, 'hex')));
	END IF;
	IF held.mirror_id IS NOT NULL THEN
		UPDATE mirror i SET endpoint = said.raw_value, confirmed_at = coalesce(i.confirmed_at, said.measured_at) WHERE i.mirror_id = held.mirror_id;
		RETURN 'kept';
	ELSIF (SELECT count(*) FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.removed_at IS NULL) >= 16 THEN
		PERFORM note_mirror_event(said.gateway_id, 'mirror_refused', format('Record %s: the gateway gave device %s endpoint %s as its 17th mirror.', said.record_no, encode(said.device_address, 'hex'), said.raw_value));
		RETURN 'refused';
	END IF;
	INSERT INTO mirror (gateway_id, device_address, device_endpoint, endpoint, created_at, confirmed_at)
		VALUES (said.gateway_id, said.device_address, said.endpoint, said.raw_value, said.measured_at, said.measured_at);
	RETURN 'made';
END $$;
COMMENT ON FUNCTION mirror_given(incoming_reading) IS 'A gateway answered a meter itself. Returns mirror_message.outcome';

CREATE FUNCTION mirror_dropped(said incoming_reading) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	last mirror;
	outcome text := 'unknown';
BEGIN
	SELECT * INTO last FROM mirror i WHERE i.gateway_id = said.gateway_id AND i.device_address = said.device_address
		AND (said.raw_value = 0 AND said.unit = 'remove' OR i.endpoint = said.raw_value)
	ORDER BY i.removed_at DESC NULLS FIRST, i.created_at DESC LIMIT 1;
	IF FOUND THEN
		outcome := CASE WHEN last.removed_at IS NULL THEN 'removed' ELSE 'kept' END;
		PERFORM end_mirror(last.mirror_id, said.measured_at, CASE WHEN said.unit = 'remove' THEN 'meter'
			WHEN EXISTS (SELECT FROM mirror_request q WHERE q.gateway_id = said.gateway_id AND q.device_address = said.device_address AND q.by_operator AND q.state IN ('pending', 'sent')) THEN 'operator' ELSE 'gateway' END);
		PERFORM settle_mirror_requests(said.gateway_id, said.device_address, true, said.unit, said.raw_value::integer);
	ELSE
		PERFORM note_mirror_event(said.gateway_id, 'mirror_unknown', format('Record %s: device %s has no mirror%s that could be removed.', said.record_no, encode(said.device_address, 'hex'),
			CASE WHEN said.raw_value <> 0 THEN ' on endpoint ' || said.raw_value ELSE '' END));
	END IF;
	IF said.unit = 'remove' THEN
		PERFORM ask_for_mirror(said.gateway_id, said.device_address, said.endpoint, 'removed', coalesce(last.endpoint, 65535));
	END IF;
	RETURN outcome;
END $$;
COMMENT ON FUNCTION mirror_dropped(incoming_reading) IS 'A meter gave its mirror back (remove), or a gateway took it (removed). Returns mirror_message.outcome';

CREATE FUNCTION mirror_filled(said incoming_reading) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	UPDATE mirror i SET initialised_at = said.measured_at, confirmed_at = coalesce(i.confirmed_at, said.measured_at)
	FROM gateway g
	WHERE g.gateway_id = said.gateway_id AND i.gateway_id = said.gateway_id AND i.removed_at IS NULL AND i.initialised_at IS NULL
		AND (i.device_address = said.device_address OR (g.eui64 = said.device_address AND i.endpoint = said.endpoint))
$$;
COMMENT ON FUNCTION mirror_filled(incoming_reading) IS 'A meter wrote attributes into its mirror';

CREATE FUNCTION ingest_mirrors(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	said incoming_reading;
	outcome text;
BEGIN
	FOR said IN SELECT i.* FROM unnest(readings) AS i ORDER BY i.gateway_id, i.record_no, i.n LOOP
		IF said.unit = 'filled' THEN
			PERFORM mirror_filled(said);
			CONTINUE;
		END IF;
		-- A younger word of the same meter stands, whichever of them came first.
		outcome := CASE WHEN EXISTS (SELECT FROM mirror_message m WHERE m.gateway_id = said.gateway_id AND m.device_address = said.device_address AND m.record_no > said.record_no) THEN 'late'
			WHEN said.unit = 'request' THEN mirror_requested(said) WHEN said.unit = 'response' THEN mirror_given(said) ELSE mirror_dropped(said) END;
		INSERT INTO mirror_message (gateway_id, record_no, at, device_address, device_endpoint, message, endpoint, outcome)
			VALUES (said.gateway_id, said.record_no, said.measured_at, said.device_address, said.endpoint, said.unit, said.raw_value, outcome);
	END LOOP;
END $$;
COMMENT ON FUNCTION ingest_mirrors(incoming_reading[]) IS 'Keeps the book of mirrors by the records of one batch, in the order of their numbers; bridge_ingest sees to it that each comes once';

CREATE FUNCTION remove_mirror(gateway_id bigint, endpoint integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	held mirror;
BEGIN
	PERFORM FROM gateway g WHERE g.gateway_id = remove_mirror.gateway_id FOR NO KEY UPDATE;
	SELECT * INTO held FROM mirror i WHERE i.gateway_id = remove_mirror.gateway_id AND i.endpoint = remove_mirror.endpoint AND i.removed_at IS NULL;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the gateway has no mirror on this endpoint', HINT = 'View mirrored_meter shows the mirrors there are.';
	END IF;
	RETURN ask_for_mirror(held.gateway_id, held.device_address, held.device_endpoint, 'removed', held.endpoint, true);
END $$;
COMMENT ON FUNCTION remove_mirror(bigint, integer) IS 'For the operator: has a gateway drop the mirror on an endpoint and tell its meter; it ends once the gateway has done so. Returns mirror_request.request_id, whose state tells how it goes';

CREATE FUNCTION bridge_mirror_requests(max_rows integer)
RETURNS TABLE (request_id bigint, gateway_id bigint, device_address bytea, device_endpoint smallint, message text, endpoint integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM bridge_mirror_state(old.request_id, 'expired', 'no gateway took it within 10 minutes')
		FROM (SELECT q.request_id FROM mirror_request q WHERE q.state IN ('pending', 'sent') AND NOT q.by_operator AND q.created_at < clock_timestamp() - interval '10 minutes'
			ORDER BY q.gateway_id) AS old; -- as bridge_ingest locks them
	-- Gateways in turn, so that many of one keep no other's waiting.
	RETURN QUERY SELECT q.request_id, q.gateway_id, q.device_address, q.device_endpoint, q.message, q.endpoint
		FROM mirror_request q JOIN gateway g USING (gateway_id) WHERE q.state IN ('pending', 'sent') AND g.enabled AND g.online
		ORDER BY row_number() OVER (PARTITION BY q.gateway_id ORDER BY q.request_id), q.request_id LIMIT max_rows;
END $$;
COMMENT ON FUNCTION bridge_mirror_requests(integer) IS 'For the bridge: messages of mirrors for online gateways that are not yet acknowledged, the oldest of each gateway first; notified on channel smarthg_mirror';

CREATE FUNCTION bridge_mirror_state(request_id bigint, state text, detail text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	told mirror_request;
BEGIN
	-- The gateway is locked before its mirrors, as by bridge_ingest.
	PERFORM FROM gateway g JOIN mirror_request q USING (gateway_id) WHERE q.request_id = bridge_mirror_state.request_id FOR NO KEY UPDATE OF g;
	UPDATE mirror_request q SET state = bridge_mirror_state.state, detail = bridge_mirror_state.detail, state_changed_at = clock_timestamp()
		WHERE q.request_id = bridge_mirror_state.request_id AND q.state IN ('pending', 'sent') RETURNING * INTO told;
	IF NOT FOUND OR told.state = 'sent' THEN
		RETURN;
	END IF;
	IF told.state = 'acknowledged' AND told.message = 'response' THEN
		UPDATE mirror i SET confirmed_at = coalesce(i.confirmed_at, clock_timestamp())
			WHERE i.gateway_id = told.gateway_id AND i.device_address = told.device_address AND i.endpoint = told.endpoint AND i.removed_at IS NULL;
	ELSIF told.state = 'acknowledged' AND told.by_operator THEN
		PERFORM end_mirror(i.mirror_id, clock_timestamp(), 'operator')
			FROM mirror i WHERE i.gateway_id = told.gateway_id AND i.device_address = told.device_address AND i.endpoint = told.endpoint AND i.removed_at IS NULL;
	ELSIF told.state <> 'acknowledged' THEN
		-- An endpoint that the gateway never heard of is free again; a mirror that is there stays.
		PERFORM end_mirror(i.mirror_id, clock_timestamp(), 'bridge')
			FROM mirror i WHERE told.message = 'response' AND i.gateway_id = told.gateway_id AND i.device_address = told.device_address AND i.confirmed_at IS NULL AND i.removed_at IS NULL;
		PERFORM note_mirror_event(told.gateway_id, 'mirror_request_failed', format('Device %s could not be told that %s: %s.', encode(told.device_address, 'hex'),
			CASE WHEN told.message = 'removed' THEN 'its mirror is removed' WHEN told.endpoint = 65535 THEN 'there is no mirror for it' ELSE format('its mirror is on endpoint %s', told.endpoint) END, told.detail));
	END IF;
END $$;
COMMENT ON FUNCTION bridge_mirror_state(bigint, text, text) IS 'For the bridge: what became of a message of mirrors: sent, acknowledged (the gateway made or dropped the mirror), failed or expired';
