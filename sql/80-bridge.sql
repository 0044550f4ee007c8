-- What the bridge may do: read its gateways, store what they send, keep book of their sessions,
-- fetch commands (document 4.1.2, DESIGN.md section 7).

CREATE TABLE gateway_record_ahead (
	gateway_id bigint NOT NULL,
	record_no bigint NOT NULL,
	PRIMARY KEY (gateway_id, record_no)
);
COMMENT ON TABLE gateway_record_ahead IS 'Records committed ahead of a missing one; together with gateway.committed_record_no they make ingestion exactly-once';
COMMENT ON COLUMN gateway_record_ahead.gateway_id IS 'The gateway';
COMMENT ON COLUMN gateway_record_ahead.record_no IS 'Number of the record, above gateway.committed_record_no + 1';

CREATE TABLE quarantine (
	quarantine_id bigint PRIMARY KEY DEFAULT new_id(),
	gateway_id bigint NOT NULL,
	record_no bigint NOT NULL,
	gateway_time timestamptz,
	received_at timestamptz NOT NULL,
	kind smallint NOT NULL,
	address bytea NOT NULL,
	telegram bytea NOT NULL,
	reason text NOT NULL,
	device_address bytea,
	retry boolean NOT NULL DEFAULT false,
	resolved_at timestamptz
);
CREATE INDEX quarantine_open ON quarantine (gateway_id, record_no) WHERE resolved_at IS NULL;
CREATE INDEX quarantine_device ON quarantine (device_address) WHERE resolved_at IS NULL AND device_address IS NOT NULL;
CREATE INDEX quarantine_retry ON quarantine (quarantine_id) WHERE retry;
COMMENT ON TABLE quarantine IS 'Telegrams that could not be turned into readings, kept raw with the reason; they can be decoded again later';
COMMENT ON COLUMN quarantine.quarantine_id IS 'Identifier';
COMMENT ON COLUMN quarantine.gateway_id IS 'The gateway that sent it';
COMMENT ON COLUMN quarantine.record_no IS 'Number of the gateway''s record';
COMMENT ON COLUMN quarantine.gateway_time IS 'The gateway''s time of it; null: not known';
COMMENT ON COLUMN quarantine.received_at IS 'When the bridge received it';
COMMENT ON COLUMN quarantine.kind IS 'Kind of telegram as on the wire: 1 ZCL, 2 wireless M-Bus ...';
COMMENT ON COLUMN quarantine.address IS 'Address as on the wire';
COMMENT ON COLUMN quarantine.telegram IS 'Telegram as on the wire';
COMMENT ON COLUMN quarantine.reason IS 'Why it is here';
COMMENT ON COLUMN quarantine.device_address IS 'The M-Bus meter whose key would be needed, or is another; null: a key would not help';
COMMENT ON COLUMN quarantine.retry IS 'The bridge is to decode it again: set by decode_quarantine, and where a key or layout came that it lacked';
COMMENT ON COLUMN quarantine.resolved_at IS 'When it was decoded after all; null: not yet';

CREATE FUNCTION notify_meter_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM pg_catalog.pg_notify('smarthg_meter_key', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION notify_meter_key() IS 'Tells the bridge that keys changed';
CREATE TRIGGER meter_key_changed AFTER INSERT OR UPDATE OR DELETE ON meter_key FOR EACH STATEMENT EXECUTE FUNCTION notify_meter_key();

CREATE FUNCTION bridge_meter_keys() RETURNS TABLE (device_address bytea, key bytea, clear_accepted boolean, authentication_key bytea)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE quarantine q SET retry = true FROM meter_key k WHERE q.device_address = k.device_address AND q.resolved_at IS NULL;
	SELECT k.device_address, k.key, k.clear_accepted, k.authentication_key FROM meter_key k
$$;
COMMENT ON FUNCTION bridge_meter_keys() IS 'For the bridge: the keys of M-Bus and DLMS meters, notified on channel smarthg_meter_key when they change; marks the telegrams in quarantine that waited for one of them';

CREATE TABLE mbus_layout (
	meter_kind bigint NOT NULL CHECK (meter_kind BETWEEN 0 AND 4294967295),
	signature integer NOT NULL CHECK (signature BETWEEN 0 AND 65535),
	blocks bytea NOT NULL CHECK (octet_length(blocks) BETWEEN 1 AND 125),
	protected boolean NOT NULL,
	learned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (meter_kind, signature)
);
COMMENT ON TABLE mbus_layout IS 'Layouts of compact M-Bus frames (EN 13757-3), which name them by a signature only; the bridge learns them from full frames of meters that have a key';
COMMENT ON COLUMN mbus_layout.meter_kind IS 'Whose layout it is: manufacturer (2 bytes), version and device type, the last four bytes of a meter''s address, as an unsigned number';
COMMENT ON COLUMN mbus_layout.signature IS 'Checksum of the blocks, as compact frames have it';
COMMENT ON COLUMN mbus_layout.blocks IS 'Information blocks (DIF, VIF and their extensions) of all records in their order';
COMMENT ON COLUMN mbus_layout.protected IS 'Whether it came encrypted or authenticated; only such a one takes another''s place, which came in clear';
COMMENT ON COLUMN mbus_layout.learned_at IS 'When the bridge learned it';

CREATE FUNCTION bridge_mbus_layouts() RETURNS TABLE (meter_kind bigint, signature integer, blocks bytea, protected boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT l.meter_kind, l.signature, l.blocks, l.protected FROM mbus_layout l
$$;
COMMENT ON FUNCTION bridge_mbus_layouts() IS 'For the bridge: the layouts of compact frames that were learned before';

CREATE FUNCTION bridge_mbus_layout(meter_kind bigint, signature integer, blocks bytea, protected boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
BEGIN
	INSERT INTO mbus_layout AS l (meter_kind, signature, blocks, protected)
		VALUES (bridge_mbus_layout.meter_kind, bridge_mbus_layout.signature, bridge_mbus_layout.blocks, bridge_mbus_layout.protected)
		ON CONFLICT ON CONSTRAINT mbus_layout_pkey DO UPDATE SET blocks = EXCLUDED.blocks, protected = true, learned_at = EXCLUDED.learned_at WHERE EXCLUDED.protected AND NOT l.protected;
	PERFORM decode_quarantine(reason => 'a compact frame whose layout was not seen yet');
END $$;
COMMENT ON FUNCTION bridge_mbus_layout(bigint, integer, bytea, boolean) IS 'For the bridge: a layout that it learned; compact frames that waited for one are decoded again';

CREATE FUNCTION decode_quarantine(gateway_id bigint DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
DECLARE
	marked bigint;
BEGIN
	UPDATE quarantine q SET retry = true WHERE q.resolved_at IS NULL AND NOT q.retry
		AND (decode_quarantine.gateway_id IS NULL OR q.gateway_id = decode_quarantine.gateway_id)
		-- What was told as a replay by counters that may be forgotten since is not believed in passing.
		AND CASE WHEN decode_quarantine.reason IS NULL THEN q.reason NOT LIKE 'a replay:%' ELSE q.reason LIKE decode_quarantine.reason END;
	GET DIAGNOSTICS marked = ROW_COUNT;
	IF marked > 0 THEN
		PERFORM pg_catalog.pg_notify('smarthg_quarantine', '');
	END IF;
	RETURN marked;
END $$;
COMMENT ON FUNCTION decode_quarantine(bigint, text) IS
'Has the running bridge decode telegrams in quarantine again, of one gateway or all, whose reason is LIKE the given pattern, or whatever it is but a replay: after a meter was entered, or with a newer bridge. Returns how many were marked; those that become readings get a resolved_at, others a reason anew';

CREATE TABLE gateway_session (
	gateway_id bigint NOT NULL REFERENCES gateway,
	opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	session_no bigint NOT NULL CHECK (session_no BETWEEN 1 AND 4294967295),
	peer text,
	secured boolean NOT NULL,
	resumed integer NOT NULL DEFAULT 0,
	closed_at timestamptz,
	close_reason text,
	PRIMARY KEY (gateway_id, opened_at)
);
CREATE UNIQUE INDEX gateway_session_open ON gateway_session (gateway_id) WHERE closed_at IS NULL;
COMMENT ON TABLE gateway_session IS 'Remote host sessions, one at a time for each gateway (document 4.1.2.2)';
COMMENT ON COLUMN gateway_session.gateway_id IS 'The gateway';
COMMENT ON COLUMN gateway_session.opened_at IS 'When it began';
COMMENT ON COLUMN gateway_session.session_no IS 'Its number on the wire';
COMMENT ON COLUMN gateway_session.peer IS 'Network address it last came from';
COMMENT ON COLUMN gateway_session.secured IS 'Whether its frames are encrypted';
COMMENT ON COLUMN gateway_session.resumed IS 'How often it was resumed after a lost connection';
COMMENT ON COLUMN gateway_session.closed_at IS 'When it ended; null: open';
COMMENT ON COLUMN gateway_session.close_reason IS 'Why it ended';

CREATE TABLE gateway_event (
	event_id bigint PRIMARY KEY DEFAULT new_id(),
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	gateway_id bigint,
	eui64 bytea,
	peer text,
	event text NOT NULL,
	detail text
);
CREATE INDEX gateway_event_gateway ON gateway_event (gateway_id, at);
COMMENT ON TABLE gateway_event IS 'What happened to gateways: online, offline, records lost, mirrors refused, and security events such as a forged session';
COMMENT ON COLUMN gateway_event.event_id IS 'Identifier';
COMMENT ON COLUMN gateway_event.at IS 'When';
COMMENT ON COLUMN gateway_event.gateway_id IS 'The gateway; null: not a known one';
COMMENT ON COLUMN gateway_event.eui64 IS 'The EUI-64 that was claimed';
COMMENT ON COLUMN gateway_event.peer IS 'Network address';
COMMENT ON COLUMN gateway_event.event IS 'online, offline, records_lost, mirror_refused, mirror_unknown, forged_auth, replay (of a frame), bad_tag, replayed_telegram (of a meter) ...';
COMMENT ON COLUMN gateway_event.detail IS 'More about it';

CREATE FUNCTION bridge_gateways()
RETURNS TABLE (gateway_id bigint, eui64 bytea, link_key bytea, key_id integer, security_required boolean, committed_record_no bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT g.gateway_id, g.eui64, g.link_key, g.key_id, g.security_required, g.committed_record_no FROM gateway g WHERE g.enabled
$$;
COMMENT ON FUNCTION bridge_gateways() IS 'For the bridge: the gateways it may talk to, with their link keys; notified on channel smarthg_gateway when they change';

CREATE FUNCTION bridge_journal(event text[], gateway_id bigint[], session_no bigint[], secured boolean[], at_ms bigint[], detail text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	-- Of a gateway's sessions, and of its presence, one event a turn: those of a turn can be written together.
	turns integer[];
	went_on integer[];
	changed boolean := false;
BEGIN
	SELECT array_agg(t.turn ORDER BY t.n) INTO turns FROM (
		SELECT i.n, row_number() OVER (PARTITION BY i.gateway_id, i.event IN ('online', 'offline') ORDER BY i.n)::integer AS turn
		FROM unnest(bridge_journal.gateway_id, bridge_journal.event) WITH ORDINALITY AS i(gateway_id, event, n)
	) AS t;
	-- In the order in which batches of records lock them.
	PERFORM FROM gateway g WHERE g.gateway_id = ANY (bridge_journal.gateway_id) ORDER BY g.gateway_id FOR NO KEY UPDATE;

	-- A gateway's open session is found by its index, one by one: joined, the planner, who does not know how many are
	-- open, may walk through all of them for each event. The lock keeps it in its place.
	FOR this IN 1 .. coalesce((SELECT max(t) FROM unnest(turns) AS t), 0) LOOP
		WITH went_on AS (
			UPDATE gateway_session s SET resumed = s.resumed + 1, peer = i.detail, secured = i.secured
			FROM (
				SELECT u.*, (SELECT x.ctid FROM gateway_session x WHERE x.gateway_id = u.gateway_id AND x.closed_at IS NULL) AS open
				FROM unnest(turns, bridge_journal.event, bridge_journal.gateway_id, bridge_journal.session_no, bridge_journal.secured, bridge_journal.detail)
					WITH ORDINALITY AS u(turn, event, gateway_id, session_no, secured, detail, n)
				WHERE u.turn = this AND u.event = 'resumed' OFFSET 0
			) AS i
			WHERE s.ctid = i.open AND s.session_no = i.session_no
			RETURNING i.n::integer
		)
		SELECT coalesce(array_agg(w.n), '{}') INTO went_on FROM went_on w;
		UPDATE gateway_session s SET closed_at = clock_timestamp(), close_reason = CASE i.event WHEN 'closed' THEN i.detail ELSE 'a new session began' END
		FROM (
			SELECT u.*, (SELECT x.ctid FROM gateway_session x WHERE x.gateway_id = u.gateway_id AND x.closed_at IS NULL) AS open
			FROM unnest(turns, bridge_journal.event, bridge_journal.gateway_id, bridge_journal.session_no, bridge_journal.detail)
				WITH ORDINALITY AS u(turn, event, gateway_id, session_no, detail, n)
			WHERE u.turn = this AND u.event IN ('closed', 'opened', 'resumed') OFFSET 0
		) AS i
		WHERE s.ctid = i.open
			AND CASE i.event WHEN 'closed' THEN s.session_no = i.session_no WHEN 'opened' THEN true WHEN 'resumed' THEN i.n <> ALL (went_on) ELSE false END;
		INSERT INTO gateway_session (gateway_id, session_no, peer, secured)
		SELECT i.gateway_id, i.session_no, i.detail, i.secured
		FROM unnest(turns, bridge_journal.event, bridge_journal.gateway_id, bridge_journal.session_no, bridge_journal.secured, bridge_journal.detail)
			WITH ORDINALITY AS i(turn, event, gateway_id, session_no, secured, detail, n)
		WHERE i.turn = this AND i.event IN ('opened', 'resumed') AND i.n <> ALL (went_on) ORDER BY i.n;

		WITH flipped AS (
			UPDATE gateway g SET online = (i.event = 'online'), online_changed_at = to_timestamp(i.at_ms / 1000.0)
			FROM unnest(turns, bridge_journal.event, bridge_journal.gateway_id, bridge_journal.at_ms, bridge_journal.detail)
				WITH ORDINALITY AS i(turn, event, gateway_id, at_ms, detail, n)
			WHERE i.turn = this AND i.event IN ('online', 'offline') AND g.gateway_id = i.gateway_id AND g.online <> (i.event = 'online')
			RETURNING g.online_changed_at, g.gateway_id, g.eui64, i.event, i.detail, i.n
		)
		INSERT INTO gateway_event (at, gateway_id, eui64, event, detail)
		SELECT f.online_changed_at, f.gateway_id, f.eui64, f.event, f.detail FROM flipped f ORDER BY f.n;
		changed := changed OR FOUND;
	END LOOP;
	IF changed THEN
		-- Channels are open to all who can connect, so this one says only that there is news.
		PERFORM pg_notify('smarthg_presence', '');
	END IF;
END $$;
COMMENT ON FUNCTION bridge_journal(text[], bigint[], bigint[], boolean[], bigint[], text[]) IS
'For the bridge: what happened to gateways, in its order. Of remote host sessions: opened, which ends the gateway''s old one, resumed, or closed, with the session''s number and in detail the peer, or the reason of its end. Of presence: online or offline, at so many milliseconds since 1970, with the reason in detail; each transition is a row of gateway_event, and NOTIFY tells of them on smarthg_presence';

CREATE FUNCTION bridge_security_event(eui64 bytea, peer text, event text, detail text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	INSERT INTO gateway_event (gateway_id, eui64, peer, event, detail)
	VALUES ((SELECT g.gateway_id FROM gateway g WHERE g.eui64 = bridge_security_event.eui64),
		bridge_security_event.eui64, bridge_security_event.peer, bridge_security_event.event, bridge_security_event.detail)
$$;
COMMENT ON FUNCTION bridge_security_event(bytea, text, text, text) IS 'For the bridge: something that an honest gateway does not do (forged, replayed or clear frames, unknown gateway)';

CREATE FUNCTION unit_is_cumulative(unit text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN unit IN ('kWh', 'kvarh', 'kVAh', 'MJ', 'm3');
COMMENT ON FUNCTION unit_is_cumulative(text) IS 'Whether a register of this unit counts up (energy, volume)';

CREATE FUNCTION unit_of_flow(unit text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE unit WHEN 'kWh' THEN 'kW' WHEN 'kvarh' THEN 'kvar' WHEN 'MJ' THEN 'MJ/s' ELSE unit || '/h' END;
COMMENT ON FUNCTION unit_of_flow(text) IS 'The unit of power or flow in which a ZigBee meter with this unit reports its demand';

CREATE FUNCTION obis_commodity(obis text) RETURNS commodity
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE split_part(obis, '-', 1)
	WHEN '1' THEN 'electricity'::commodity WHEN '4' THEN 'heat' WHEN '5' THEN 'heat' WHEN '6' THEN 'heat' WHEN '7' THEN 'gas' WHEN '8' THEN 'water' WHEN '9' THEN 'water' END;
COMMENT ON FUNCTION obis_commodity(text) IS 'What a quantity is of by the medium in its OBIS code (IEC 62056-61, value group A; cooling counts as heat); null: no medium of ours';

CREATE FUNCTION obis_of_meter(obis text, commodity commodity) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE WHEN obis NOT LIKE '?%' THEN obis WHEN coalesce(commodity, 'electricity') = 'electricity' THEN substr(obis, 2)
	WHEN obis = '?1-0:1.8.0.255' THEN CASE commodity WHEN 'gas' THEN '7-0:3.0.0.255' WHEN 'water' THEN '8-0:1.0.0.255' ELSE '6-0:1.0.0.255' END END;
COMMENT ON FUNCTION obis_of_meter(text, commodity) IS 'What a code that begins with ? stands for, which names the quantity of an electricity meter: that of a meter of this commodity; null: it has none such';

CREATE FUNCTION unit_of_meter(unit text, default_unit text, register_unit text, commodity commodity) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE unit WHEN '?' THEN coalesce(default_unit, register_unit, CASE WHEN commodity IN ('gas', 'water') THEN 'm3' ELSE 'kWh' END)
	WHEN '?/h' THEN coalesce(unit_of_flow(default_unit), register_unit, 'kW') ELSE unit END;
COMMENT ON FUNCTION unit_of_meter(text, text, text, commodity) IS 'What the units ? and ?/h stand for, of a meter that reports its unit apart: what it reported, or that of the register so far, or that of its commodity';

CREATE TYPE incoming_reading AS (
	n bigint,
	gateway_id bigint,
	home_id bigint,
	meter_id bigint,
	record_no bigint,
	received_at timestamptz,
	kind smallint,
	device_address bytea,
	endpoint smallint,
	obis text,
	unit text,
	raw_value bigint,
	multiplier bigint,
	divisor bigint,
	measured_at timestamptz,
	fault text
);
COMMENT ON TYPE incoming_reading IS 'A decoded reading on its way through bridge_ingest: home and meter resolved, fault where it cannot be stored';

CREATE FUNCTION begin_epochs(registers bigint[], times timestamptz[], multipliers bigint[], divisors bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	said record;
BEGIN
	FOR said IN
		SELECT s.*, e.multiplier AS old_multiplier, e.divisor AS old_divisor, e.modulus,
			(SELECT min(x.valid_from) FROM register_epoch x WHERE x.register_id = s.register_id AND x.valid_from > s.at) AS next_epoch
		FROM (
			-- The first of each run of equal scales, in time.
			SELECT *, lag(u.multiplier) OVER w IS NULL AS first, (u.multiplier, u.divisor) IS DISTINCT FROM (lag(u.multiplier) OVER w, lag(u.divisor) OVER w) AS begins
			FROM unnest(registers, times, multipliers, divisors) AS u(register_id, at, multiplier, divisor) WINDOW w AS (PARTITION BY u.register_id ORDER BY u.at)
		) AS s,
			LATERAL (SELECT * FROM register_epoch e WHERE e.register_id = s.register_id AND e.valid_from <= s.at ORDER BY e.valid_from DESC LIMIT 1) AS e
		WHERE s.begins AND (NOT s.first OR (s.multiplier, s.divisor) IS DISTINCT FROM (e.multiplier, e.divisor))
		ORDER BY s.register_id, s.at
	LOOP
		PERFORM begin_epoch(said.register_id, said.at, said.multiplier, said.divisor, said.modulus, 'scale reported by the meter');
		-- A late reading says nothing of those that came before it and are younger: they keep the
		-- scale that they were read with.
		PERFORM begin_epoch(said.register_id, min(m.measured_at), said.old_multiplier, said.old_divisor, said.modulus, 'scale before a late reading')
			FROM reading m WHERE m.register_id = said.register_id AND m.measured_at > said.at AND m.measured_at < coalesce(said.next_epoch, 'infinity')
			HAVING count(*) > 0;
	END LOOP;
END $$;
COMMENT ON FUNCTION begin_epochs(bigint[], timestamptz[], bigint[], bigint[]) IS 'Begins a new epoch of a register wherever the scale that its meter reports changes';

CREATE FUNCTION ingest_scales(readings incoming_reading[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	UPDATE meter m SET default_multiplier = coalesce(s.multiplier, m.default_multiplier), default_divisor = coalesce(s.divisor, m.default_divisor),
		default_unit = CASE s.unit WHEN 'scale' THEN m.default_unit ELSE s.unit END, default_bcd = CASE s.unit WHEN 'scale' THEN m.default_bcd ELSE s.raw_value = 1 END
	FROM (SELECT DISTINCT ON (i.meter_id) i.* FROM unnest(readings) AS i WHERE i.fault IS NULL ORDER BY i.meter_id, i.n DESC) AS s
	WHERE m.meter_id = s.meter_id AND (m.default_multiplier, m.default_divisor, m.default_unit, m.default_bcd) IS DISTINCT FROM (coalesce(s.multiplier, m.default_multiplier), coalesce(s.divisor, m.default_divisor),
		CASE s.unit WHEN 'scale' THEN m.default_unit ELSE s.unit END, CASE s.unit WHEN 'scale' THEN m.default_bcd ELSE s.raw_value = 1 END);
	SELECT begin_epochs(array_agg(r.register_id), array_agg(s.measured_at), array_agg(s.multiplier), array_agg(s.divisor))
	FROM (
		SELECT DISTINCT ON (i.meter_id) i.meter_id, i.measured_at, m.default_multiplier AS multiplier, m.default_divisor AS divisor
		FROM unnest(readings) AS i JOIN meter m USING (meter_id) WHERE i.fault IS NULL ORDER BY i.meter_id, i.n DESC
	) AS s JOIN register r USING (meter_id)
	HAVING count(*) > 0;
$$;
COMMENT ON FUNCTION ingest_scales(incoming_reading[]) IS 'Takes over scales and units that meters report apart from their values: the default for new registers, a new epoch for those that count differently so far';

CREATE FUNCTION ingest_registers(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	INSERT INTO register (meter_id, obis, unit, cumulative)
	SELECT DISTINCT ON (i.meter_id, i.obis) i.meter_id, i.obis, i.unit, unit_is_cumulative(i.unit) AND i.obis LIKE '%.255' -- a stored value does not count
	FROM unnest(readings) AS i
	WHERE i.fault IS NULL AND NOT EXISTS (SELECT FROM register r WHERE r.meter_id = i.meter_id AND r.obis = i.obis)
	ON CONFLICT DO NOTHING;

	INSERT INTO register_epoch (register_id, valid_from, multiplier, divisor, modulus, reason)
	SELECT DISTINCT ON (r.register_id) r.register_id, '-infinity', coalesce(i.multiplier, m.default_multiplier), coalesce(i.divisor, m.default_divisor),
		-- A ZCL summation is an unsigned 48-bit integer (Smart Energy Metering cluster).
		CASE WHEN i.kind = 1 THEN 281474976710656 END, 'first reading'
	FROM unnest(readings) AS i JOIN register r USING (meter_id, obis) JOIN meter m USING (meter_id)
	WHERE i.fault IS NULL AND NOT EXISTS (SELECT FROM register_epoch e WHERE e.register_id = r.register_id)
	ORDER BY r.register_id, i.multiplier IS NULL, i.n
	ON CONFLICT DO NOTHING;

	PERFORM begin_epochs(array_agg(r.register_id ORDER BY i.n), array_agg(i.measured_at ORDER BY i.n), array_agg(i.multiplier ORDER BY i.n), array_agg(i.divisor ORDER BY i.n))
	FROM unnest(readings) AS i JOIN register r USING (meter_id, obis)
	WHERE i.fault IS NULL AND i.multiplier IS NOT NULL AND i.divisor IS NOT NULL HAVING count(*) > 0;
END $$;
COMMENT ON FUNCTION ingest_registers(incoming_reading[]) IS 'Makes the registers and epochs that incoming readings need';

CREATE FUNCTION ingest_readings(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM ingest_registers(readings);
	-- Settling sees to duplicates, corrections, newest values and interval energy.
	INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at, gateway_id, record_no)
	SELECT r.register_id, i.measured_at, i.raw_value, i.received_at, i.gateway_id, i.record_no
	FROM unnest(readings) AS i JOIN register r USING (meter_id, obis) WHERE i.fault IS NULL ORDER BY i.n;
END $$;
COMMENT ON FUNCTION ingest_readings(incoming_reading[]) IS 'Lets resolved readings land, in the order of their arrival';

CREATE FUNCTION ingest_states(readings incoming_reading[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	INSERT INTO ess_state (home_id, measured_at, soc_kwh)
	SELECT DISTINCT ON (e.home_id, i.measured_at) e.home_id, i.measured_at, e.capacity_kwh * i.raw_value * i.multiplier / i.divisor / 100
	FROM unnest(readings) AS i JOIN ess e ON (e.home_id, e.device_eui64, e.endpoint) = (i.home_id, i.device_address, i.endpoint) WHERE i.fault IS NULL
	ORDER BY e.home_id, i.measured_at, i.n DESC
	ON CONFLICT (home_id, measured_at) DO UPDATE SET soc_kwh = EXCLUDED.soc_kwh;
	INSERT INTO pev_state (home_id, measured_at, soc_kwh)
	SELECT DISTINCT ON (p.home_id, i.measured_at) p.home_id, i.measured_at, p.capacity_kwh * i.raw_value * i.multiplier / i.divisor / 100
	FROM unnest(readings) AS i JOIN pev p ON (p.home_id, p.device_eui64, p.endpoint) = (i.home_id, i.device_address, i.endpoint) WHERE i.fault IS NULL
	ORDER BY p.home_id, i.measured_at, i.n DESC
	ON CONFLICT (home_id, measured_at) DO UPDATE SET soc_kwh = EXCLUDED.soc_kwh;
$$;
COMMENT ON FUNCTION ingest_states(incoming_reading[]) IS 'Stores reported states of charge, percent of capacity, of ESS and PEV';

CREATE FUNCTION advance_gateway_marks(gateways bigint[], numbers bigint[], losses boolean[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
DECLARE
	loss record;
	moved bigint[];
BEGIN
	-- Nearly always the records follow the mark without a gap, and none is ahead.
	WITH run AS (
		SELECT g.gateway_id, max(t.record_no) AS committed
		FROM unnest(gateways, numbers, losses) AS t(gateway_id, record_no, lost) JOIN gateway g USING (gateway_id)
		WHERE NOT EXISTS (SELECT FROM gateway_record_ahead a WHERE a.gateway_id = g.gateway_id)
		GROUP BY g.gateway_id HAVING max(t.record_no) - g.committed_record_no = count(DISTINCT t.record_no) AND NOT bool_or(t.lost)
	), advanced AS (
		UPDATE gateway g SET committed_record_no = r.committed, last_ingest_at = clock_timestamp() FROM run r WHERE g.gateway_id = r.gateway_id RETURNING g.gateway_id
	)
	SELECT array_agg(a.gateway_id) INTO moved FROM advanced a;
	SELECT array_agg(t.gateway_id), array_agg(t.record_no), array_agg(t.lost) INTO gateways, numbers, losses
		FROM unnest(gateways, numbers, losses) AS t(gateway_id, record_no, lost) WHERE t.gateway_id <> ALL (coalesce(moved, '{}'));
	IF gateways IS NULL THEN
		RETURN;
	END IF;
	INSERT INTO gateway_record_ahead (gateway_id, record_no) SELECT * FROM unnest(gateways, numbers) ON CONFLICT DO NOTHING;
	-- A record of kind 0 takes the mark over all that is missing up to it, itself included; no further than a log
	-- can be long, so that one wrong number does not mute a gateway for good.
	FOR loss IN
		SELECT g.gateway_id, g.eui64, g.committed_record_no, max(t.record_no) AS lost_until
		FROM unnest(gateways, numbers, losses) AS t(gateway_id, record_no, lost) JOIN gateway g USING (gateway_id)
		WHERE t.lost AND t.record_no - g.committed_record_no <= 1000000000 GROUP BY g.gateway_id
	LOOP
		INSERT INTO gateway_event (gateway_id, eui64, event, detail)
			SELECT loss.gateway_id, loss.eui64, 'records_lost', format('The gateway lost %s of its records %s to %s.',
				loss.lost_until - loss.committed_record_no - count(*) + 1, loss.committed_record_no + 1, loss.lost_until)
			FROM gateway_record_ahead a WHERE a.gateway_id = loss.gateway_id AND a.record_no > loss.committed_record_no AND a.record_no <= loss.lost_until;
		UPDATE gateway g SET committed_record_no = loss.lost_until WHERE g.gateway_id = loss.gateway_id;
	END LOOP;
	WITH run AS (
		-- In an unbroken run number and row number grow together.
		SELECT g.gateway_id, a.record_no, a.record_no - row_number() OVER (PARTITION BY g.gateway_id ORDER BY a.record_no) = g.committed_record_no AS unbroken
		FROM gateway g JOIN gateway_record_ahead a ON a.gateway_id = g.gateway_id AND a.record_no > g.committed_record_no
		WHERE g.gateway_id = ANY (gateways)
	)
	UPDATE gateway g SET committed_record_no = greatest(g.committed_record_no, r.committed), last_ingest_at = clock_timestamp()
	FROM (SELECT gateway_id, max(record_no) FILTER (WHERE unbroken) AS committed FROM run GROUP BY gateway_id) AS r
	WHERE g.gateway_id = r.gateway_id;
	DELETE FROM gateway_record_ahead a USING gateway g
		WHERE g.gateway_id = ANY (gateways) AND a.gateway_id = g.gateway_id AND a.record_no <= g.committed_record_no;
END $$;
COMMENT ON FUNCTION advance_gateway_marks(bigint[], bigint[], boolean[]) IS 'Moves each gateway''s mark over its newly committed records as far as they are unbroken, and over those it declared lost';

CREATE FUNCTION resolve_readings(taken integer[], record_gateway_id bigint[], record_no bigint[], received_at timestamptz[], kind smallint[],
	reading_record integer[], device_address bytea[], endpoint smallint[], obis text[], unit text[],
	raw_value bigint[], multiplier bigint[], divisor bigint[], measured_at timestamptz[]) RETURNS incoming_reading[]
LANGUAGE plpgsql STABLE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	setting installation := settings();
	resolved incoming_reading[];
BEGIN
	SELECT array_agg((i.n, g.gateway_id, coalesce(m.home_id, g.home_id), m.meter_id, t.record_no, t.received_at, t.kind,
			i.device_address, i.endpoint, name.obis, said.unit, said.raw_value, i.multiplier, i.divisor, i.measured_at,
			CASE
				WHEN i.obis = '*mirror' THEN NULL
				WHEN NOT i.measured_at BETWEEN t.received_at - setting.accepted_age AND t.received_at + interval '1 day' THEN 'time is implausible'
				WHEN said.raw_value IS NULL THEN 'count is not of decimal digits'
				WHEN said.raw_value < 0 AND unit_is_cumulative(said.unit) THEN 'count is negative'
				WHEN i.unit = '%' THEN CASE WHEN NOT EXISTS (SELECT FROM ess e WHERE (e.home_id, e.device_eui64, e.endpoint) = (g.home_id, i.device_address, i.endpoint))
					AND NOT EXISTS (SELECT FROM pev p WHERE (p.home_id, p.device_eui64, p.endpoint) = (g.home_id, i.device_address, i.endpoint)) THEN 'store is unknown'
					WHEN (i.raw_value::float8 * i.multiplier / nullif(i.divisor, 0) BETWEEN 0 AND 100) IS NOT TRUE THEN 'state of charge is implausible' END
				WHEN m.meter_id IS NULL THEN 'meter is unknown'
				WHEN obis_commodity(name.obis) <> m.commodity THEN 'medium is not that of the meter'
				WHEN r.unit <> said.unit THEN 'unit differs from the register''s'
			END)::incoming_reading ORDER BY i.n)
	INTO resolved
	FROM unnest(resolve_readings.reading_record, resolve_readings.device_address, resolve_readings.endpoint, resolve_readings.obis, resolve_readings.unit,
		resolve_readings.raw_value, resolve_readings.multiplier, resolve_readings.divisor, resolve_readings.measured_at)
		WITH ORDINALITY AS i(record, device_address, endpoint, obis, unit, raw_value, multiplier, divisor, measured_at, n)
	JOIN unnest(resolve_readings.record_gateway_id, resolve_readings.record_no, resolve_readings.received_at, resolve_readings.kind)
		WITH ORDINALITY AS t(gateway_id, record_no, received_at, kind, n) ON t.n = i.record
	JOIN gateway g ON g.gateway_id = t.gateway_id
	LEFT JOIN meter m ON m.gateway_id = g.gateway_id AND m.device_address = i.device_address AND m.endpoint = i.endpoint
	CROSS JOIN LATERAL (SELECT obis_of_meter(i.obis, m.commodity) AS obis) AS name
	LEFT JOIN register r ON r.meter_id = m.meter_id AND r.obis = name.obis
	CROSS JOIN LATERAL (SELECT
		unit_of_meter(i.unit, m.default_unit, r.unit, m.commodity) AS unit,
		CASE WHEN NOT (i.unit LIKE '?%' AND coalesce(m.default_bcd, false)) THEN i.raw_value
			WHEN to_hex(i.raw_value) ~ '^\d{1,15}$' THEN to_hex(i.raw_value)::bigint END AS raw_value) AS said
	WHERE i.record IN (SELECT unnest(taken)) AND name.obis IS NOT NULL
		-- A stored value may be of any age; one that is too old is not news.
		AND NOT (i.measured_at < t.received_at - setting.accepted_age AND i.obis NOT LIKE '*%' AND i.obis NOT LIKE '%.255');
	RETURN resolved;
END $$;
COMMENT ON FUNCTION resolve_readings(integer[], bigint[], bigint[], timestamptz[], smallint[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[]) IS
'Readings of the records taken (1-based) with their home and meter, and the fault of those that cannot be stored';

CREATE FUNCTION ingest_resolved(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM ingest_states(array_agg(i)) FROM unnest(readings) AS i WHERE i.unit = '%' HAVING count(*) > 0;
	PERFORM ingest_mirrors(array_agg(i)) FROM unnest(readings) AS i WHERE i.obis = '*mirror' HAVING count(*) > 0;
	PERFORM ingest_scales(array_agg(i)) FROM unnest(readings) AS i WHERE i.obis = '*' HAVING count(*) > 0;
	PERFORM ingest_readings(array_agg(i ORDER BY i.n)) FROM unnest(readings) AS i WHERE i.unit <> '%' AND i.obis NOT LIKE '*%' HAVING count(*) > 0;
END $$;
COMMENT ON FUNCTION ingest_resolved(incoming_reading[]) IS 'Stores resolved readings: states of charge, mirrors, scales, and what registers count';

CREATE FUNCTION ingest_records(record_gateway_id bigint[], record_no bigint[], gateway_time timestamptz[], received_at timestamptz[], kind smallint[],
	address bytea[], telegram bytea[], quarantine_reason text[], reading_record integer[], device_address bytea[], endpoint smallint[], obis text[], unit text[],
	raw_value bigint[], multiplier bigint[], divisor bigint[], measured_at timestamptz[], quarantine_device bytea[], taken integer[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	readings incoming_reading[];
	again boolean;
BEGIN
	taken := coalesce(taken, ARRAY(SELECT generate_subscripts(ingest_records.record_no, 1)));
	readings := resolve_readings(taken, ingest_records.record_gateway_id, ingest_records.record_no, ingest_records.received_at, ingest_records.kind,
		ingest_records.reading_record, ingest_records.device_address, ingest_records.endpoint, ingest_records.obis, ingest_records.unit,
		ingest_records.raw_value, ingest_records.multiplier, ingest_records.divisor, ingest_records.measured_at);
	PERFORM ingest_resolved(readings);

	WITH kept AS (
		INSERT INTO quarantine (gateway_id, record_no, gateway_time, received_at, kind, address, telegram, reason, device_address, retry)
		SELECT t.gateway_id, t.record_no, t.gateway_time, t.received_at, t.kind, t.address, t.telegram, coalesce(t.reason, f.fault), t.device,
			-- What it lacked came while the record was on its way.
			coalesce(CASE WHEN t.device IS NOT NULL THEN EXISTS (SELECT FROM meter_key k WHERE k.device_address = t.device)
				ELSE t.reason = 'a compact frame whose layout was not seen yet' AND EXISTS (SELECT FROM mbus_layout l WHERE l.learned_at > t.received_at - interval '1 minute') END, false)
		FROM unnest(ingest_records.record_gateway_id, ingest_records.record_no, ingest_records.gateway_time, ingest_records.received_at, ingest_records.kind,
			ingest_records.address, ingest_records.telegram, ingest_records.quarantine_reason, ingest_records.quarantine_device)
			WITH ORDINALITY AS t(gateway_id, record_no, gateway_time, received_at, kind, address, telegram, reason, device, n)
		LEFT JOIN (
			SELECT i.gateway_id, i.record_no, string_agg(DISTINCT i.fault, ', ') AS fault FROM unnest(readings) AS i WHERE i.fault IS NOT NULL GROUP BY 1, 2
		) AS f USING (gateway_id, record_no)
		WHERE (t.reason IS NOT NULL OR f.fault IS NOT NULL) AND t.n IN (SELECT unnest(taken))
		RETURNING retry
	)
	SELECT bool_or(k.retry) INTO again FROM kept k;
	IF again THEN
		PERFORM pg_catalog.pg_notify('smarthg_quarantine', '');
	END IF;
END $$;
COMMENT ON FUNCTION ingest_records(bigint[], bigint[], timestamptz[], timestamptz[], smallint[], bytea[], bytea[], text[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[], bytea[], integer[]) IS
'Stores the readings of the records taken (1-based; null: of all), and keeps in quarantine those that have a reason or do not fit; arrays as of bridge_ingest. Whoever calls has locked the gateways, and knows that the records are new';

CREATE FUNCTION bridge_ingest(record_gateway_id bigint[], record_no bigint[], gateway_time timestamptz[], received_at timestamptz[], kind smallint[],
	address bytea[], telegram bytea[], quarantine_reason text[], reading_record integer[], device_address bytea[], endpoint smallint[], obis text[], unit text[],
	raw_value bigint[], multiplier bigint[], divisor bigint[], measured_at timestamptz[], quarantine_device bytea[] DEFAULT NULL)
RETURNS TABLE (gateway_id bigint, committed_record_no bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp SET lock_timeout = '30s' AS $$
#variable_conflict use_column
DECLARE
	taken integer[];
BEGIN
	IF cardinality(ARRAY(SELECT DISTINCT unnest(ARRAY[cardinality(bridge_ingest.record_gateway_id), cardinality(bridge_ingest.record_no), cardinality(bridge_ingest.gateway_time),
			cardinality(bridge_ingest.received_at), cardinality(bridge_ingest.kind), cardinality(bridge_ingest.address), cardinality(bridge_ingest.telegram),
			cardinality(bridge_ingest.quarantine_reason), coalesce(cardinality(bridge_ingest.quarantine_device), cardinality(bridge_ingest.record_no))]))) <> 1
		OR cardinality(ARRAY(SELECT DISTINCT unnest(ARRAY[cardinality(bridge_ingest.reading_record), cardinality(bridge_ingest.device_address), cardinality(bridge_ingest.endpoint),
			cardinality(bridge_ingest.obis), cardinality(bridge_ingest.unit), cardinality(bridge_ingest.raw_value), cardinality(bridge_ingest.multiplier),
			cardinality(bridge_ingest.divisor), cardinality(bridge_ingest.measured_at)]))) <> 1 THEN
		RAISE array_subscript_error USING MESSAGE = 'arrays of a batch differ in length', DETAIL = 'Records have one element a record in each array, readings one a reading.';
	END IF;
	-- The gateways of the batch are locked in one order, so that connections side by side neither
	-- deadlock nor take the same record twice.
	PERFORM FROM gateway g WHERE g.gateway_id = ANY (bridge_ingest.record_gateway_id) ORDER BY g.gateway_id FOR NO KEY UPDATE;

	SELECT array_agg(first.n ORDER BY first.n) INTO taken FROM (
		SELECT DISTINCT ON (i.gateway_id, i.record_no) i.n::integer AS n
		FROM unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no) WITH ORDINALITY AS i(gateway_id, record_no, n)
		JOIN gateway g USING (gateway_id)
		WHERE i.record_no > g.committed_record_no
			AND NOT EXISTS (SELECT FROM gateway_record_ahead a WHERE a.gateway_id = i.gateway_id AND a.record_no = i.record_no)
		ORDER BY i.gateway_id, i.record_no, i.n
	) AS first;

	IF taken IS NOT NULL THEN
		PERFORM ingest_records(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.gateway_time, bridge_ingest.received_at, bridge_ingest.kind,
			bridge_ingest.address, bridge_ingest.telegram, bridge_ingest.quarantine_reason, bridge_ingest.reading_record, bridge_ingest.device_address, bridge_ingest.endpoint,
			bridge_ingest.obis, bridge_ingest.unit, bridge_ingest.raw_value, bridge_ingest.multiplier, bridge_ingest.divisor, bridge_ingest.measured_at,
			bridge_ingest.quarantine_device, taken);
		PERFORM advance_gateway_marks(array_agg(t.gateway_id), array_agg(t.record_no), array_agg(t.kind = 0))
		FROM unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.kind) WITH ORDINALITY AS t(gateway_id, record_no, kind, n)
		WHERE t.n IN (SELECT unnest(taken));
	END IF;
	RETURN QUERY SELECT g.gateway_id, g.committed_record_no FROM gateway g WHERE g.gateway_id = ANY (bridge_ingest.record_gateway_id);
END $$;
COMMENT ON FUNCTION bridge_ingest(bigint[], bigint[], timestamptz[], timestamptz[], smallint[], bytea[], bytea[], text[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[], bytea[]) IS
'For the bridge: stores a batch of records and the readings decoded from them (reading_record is the 1-based index of a reading''s record) in one transaction, each record exactly once; SQLSTATE 55P03 where a lock is not to be had within 30 s, after which the bridge calls again; returns, for each gateway of the batch, the mark to acknowledge: all records up to it are committed. Readings that fit no meter, and records with a quarantine_reason, are kept raw in quarantine; quarantine_device is the M-Bus meter whose key is at fault, one a record. OBIS code * stands for a scale or unit reported without a value (unit scale where it says none, raw_value 1 where counts are BCD). OBIS code *mirror stands for what was said of a mirror: unit request, response, remove, removed or filled (the meter wrote its attributes), raw_value its endpoint. An OBIS code that begins with ? stands for what the meter measures, if that is not electricity; unit ? for its unit and ?/h for that of its demand. Record kind 0: the gateway lost all records up to this number that it did not send';

CREATE FUNCTION bridge_quarantine(after_id bigint, max_rows integer)
RETURNS TABLE (quarantine_id bigint, gateway_time timestamptz, received_at timestamptz, kind smallint, address bytea, telegram bytea, gateway_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT q.quarantine_id, q.gateway_time, q.received_at, q.kind, q.address, q.telegram, q.gateway_id
	FROM quarantine q WHERE q.retry AND q.quarantine_id > after_id ORDER BY q.quarantine_id LIMIT max_rows
$$;
COMMENT ON FUNCTION bridge_quarantine(bigint, integer) IS 'For the bridge: telegrams in quarantine that are to be decoded again, in the order of their identifiers; notified on channels smarthg_quarantine and smarthg_meter_key';

CREATE FUNCTION bridge_decoded(quarantine_id bigint, reason text, device bytea, readings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	held quarantine;
	resolved incoming_reading[];
	fault text;
BEGIN
	SELECT * INTO held FROM quarantine q WHERE q.quarantine_id = bridge_decoded.quarantine_id AND q.retry FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF bridge_decoded.reason IS NULL THEN
		-- Marks of gateways are locked before what follows from readings, as by bridge_ingest.
		PERFORM FROM gateway g WHERE g.gateway_id = held.gateway_id FOR NO KEY UPDATE;
		SELECT resolve_readings('{1}', ARRAY[held.gateway_id], ARRAY[held.record_no], ARRAY[held.received_at], ARRAY[held.kind],
			array_agg(1), array_agg(decode(r.device, 'hex')), array_agg(r.endpoint), array_agg(r.obis), array_agg(r.unit),
			array_agg(r.raw_value), array_agg(nullif(r.multiplier, 0)), array_agg(nullif(r.divisor, 0)), array_agg(to_timestamp(r.measured_ms / 1000.0)))
		INTO resolved
		FROM jsonb_to_recordset(bridge_decoded.readings) AS r(device text, endpoint smallint, obis text, unit text, raw_value bigint, multiplier bigint, divisor bigint, measured_ms bigint)
		HAVING count(*) > 0;
		PERFORM ingest_resolved(resolved);
		SELECT string_agg(DISTINCT i.fault, ', ') INTO fault FROM unnest(resolved) AS i;
	END IF;
	UPDATE quarantine q SET retry = false, reason = coalesce(bridge_decoded.reason, fault, q.reason), device_address = bridge_decoded.device,
		resolved_at = CASE WHEN bridge_decoded.reason IS NULL AND fault IS NULL THEN clock_timestamp() END
	WHERE q.quarantine_id = held.quarantine_id;
END $$;
COMMENT ON FUNCTION bridge_decoded(bigint, text, bytea, jsonb) IS
'For the bridge: what became of a telegram from bridge_quarantine: a reason why it stays, and the M-Bus meter whose key would help; or its readings, an array of objects with device (hexadecimal), endpoint, obis, unit, raw_value, multiplier, divisor, measured_ms (since 1970), which are stored once';

CREATE FUNCTION bridge_commands(max_rows integer, grace interval DEFAULT '0')
RETURNS TABLE (command_id bigint, gateway_id bigint, slot_start timestamptz, slot_seconds integer, ess_setpoint_kw float8, ess_grid_charge_kwh float8,
	ess_surplus_charge_kwh float8, ess_cover_demand_kwh float8, ess_export_kwh float8, pev_setpoint_kw float8, pev_grid_charge_kwh float8,
	pev_surplus_charge_kwh float8, pev_cover_demand_kwh float8, pev_export_kwh float8, ess_bands float8[], pev_bands float8[])
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE command c SET state = 'expired', state_changed_at = clock_timestamp(),
		detail = CASE c.state WHEN 'sent' THEN 'no answer before the slot ended' ELSE 'no gateway took it before the slot ended' END
	WHERE c.state IN ('pending', 'sent') AND c.slot_start + c.slot_length + bridge_commands.grace < clock_timestamp();
	SELECT c.command_id, g.gateway_id, c.slot_start, extract(epoch FROM c.slot_length)::integer, c.ess_setpoint_kw, c.ess_grid_charge_kwh,
		c.ess_surplus_charge_kwh, c.ess_cover_demand_kwh, c.ess_export_kwh, c.pev_setpoint_kw, c.pev_grid_charge_kwh,
		c.pev_surplus_charge_kwh, c.pev_cover_demand_kwh, c.pev_export_kwh, c.ess_bands, c.pev_bands
	FROM command c
	CROSS JOIN LATERAL (SELECT g.gateway_id FROM gateway g WHERE g.home_id = c.home_id AND g.enabled AND g.online ORDER BY g.gateway_id LIMIT 1) AS g
	WHERE c.state IN ('pending', 'sent')
	ORDER BY c.slot_start, c.command_id LIMIT max_rows
$$;
COMMENT ON FUNCTION bridge_commands(integer, interval) IS 'For the bridge: commands of online gateways that are not yet acknowledged, oldest first; notified on channel smarthg_command. Commands that nobody took until so long after their slot expire';

CREATE FUNCTION bridge_command_state(command_id bigint, state text, detail text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE command c SET state = bridge_command_state.state, detail = bridge_command_state.detail, state_changed_at = clock_timestamp()
	WHERE c.command_id = bridge_command_state.command_id AND c.state IN ('pending', 'sent')
$$;
COMMENT ON FUNCTION bridge_command_state(bigint, text, text) IS 'For the bridge: what became of a command: sent, acknowledged, failed or expired';
