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
	resolved_at timestamptz
);
CREATE INDEX quarantine_open ON quarantine (gateway_id, record_no) WHERE resolved_at IS NULL;
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
COMMENT ON COLUMN quarantine.resolved_at IS 'When it was decoded after all; null: not yet';

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
COMMENT ON TABLE gateway_event IS 'What happened to gateways: online, offline, records lost, and security events such as a forged session';
COMMENT ON COLUMN gateway_event.event_id IS 'Identifier';
COMMENT ON COLUMN gateway_event.at IS 'When';
COMMENT ON COLUMN gateway_event.gateway_id IS 'The gateway; null: not a known one';
COMMENT ON COLUMN gateway_event.eui64 IS 'The EUI-64 that was claimed';
COMMENT ON COLUMN gateway_event.peer IS 'Network address';
COMMENT ON COLUMN gateway_event.event IS 'online, offline, records_lost, forged_auth, replay, bad_tag ...';
COMMENT ON COLUMN gateway_event.detail IS 'More about it';

CREATE FUNCTION bridge_gateways()
RETURNS TABLE (gateway_id bigint, eui64 bytea, link_key bytea, key_id integer, security_required boolean, committed_record_no bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT g.gateway_id, g.eui64, g.link_key, g.key_id, g.security_required, g.committed_record_no FROM gateway g WHERE g.enabled
$$;
COMMENT ON FUNCTION bridge_gateways() IS 'For the bridge: the gateways it may talk to, with their link keys; notified on channel smarthg_gateway when they change';

CREATE FUNCTION bridge_session_open(gateway_id bigint, session_no bigint, peer text, secured boolean, resumed boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF bridge_session_open.resumed THEN
		UPDATE gateway_session s SET resumed = s.resumed + 1, peer = bridge_session_open.peer, secured = bridge_session_open.secured
			WHERE s.gateway_id = bridge_session_open.gateway_id AND s.session_no = bridge_session_open.session_no AND s.closed_at IS NULL;
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	UPDATE gateway_session s SET closed_at = clock_timestamp(), close_reason = 'a new session began'
		WHERE s.gateway_id = bridge_session_open.gateway_id AND s.closed_at IS NULL;
	INSERT INTO gateway_session (gateway_id, session_no, peer, secured)
		VALUES (bridge_session_open.gateway_id, bridge_session_open.session_no, bridge_session_open.peer, bridge_session_open.secured);
END $$;
COMMENT ON FUNCTION bridge_session_open(bigint, bigint, text, boolean, boolean) IS 'For the bridge: a remote host session began, which ends the gateway''s old one, or was resumed';

CREATE FUNCTION bridge_session_close(gateway_id bigint, session_no bigint, reason text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE gateway_session s SET closed_at = clock_timestamp(), close_reason = bridge_session_close.reason
	WHERE s.gateway_id = bridge_session_close.gateway_id AND s.session_no = bridge_session_close.session_no AND s.closed_at IS NULL
$$;
COMMENT ON FUNCTION bridge_session_close(bigint, bigint, text) IS 'For the bridge: a remote host session ended';

CREATE FUNCTION bridge_presence(gateway_id bigint, online boolean, at timestamptz, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	gone_eui64 bytea;
BEGIN
	UPDATE gateway g SET online = bridge_presence.online, online_changed_at = bridge_presence.at
		WHERE g.gateway_id = bridge_presence.gateway_id AND g.online <> bridge_presence.online RETURNING g.eui64 INTO gone_eui64;
	IF FOUND THEN
		INSERT INTO gateway_event (at, gateway_id, eui64, event, detail)
			VALUES (bridge_presence.at, bridge_presence.gateway_id, gone_eui64, CASE WHEN bridge_presence.online THEN 'online' ELSE 'offline' END, bridge_presence.reason);
		PERFORM pg_notify('smarthg_presence', json_build_object('gateway_id', bridge_presence.gateway_id, 'online', bridge_presence.online)::text);
	END IF;
END $$;
COMMENT ON FUNCTION bridge_presence(bigint, boolean, timestamptz, text) IS 'For the bridge: a gateway came online or went offline; each transition is a row of gateway_event and a NOTIFY on smarthg_presence';

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

CREATE TYPE incoming_reading AS (
	n bigint,
	gateway_id bigint,
	home_id bigint,
	meter_id bigint,
	record_no bigint,
	received_at timestamptz,
	kind smallint,
	device_eui64 bytea,
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

CREATE FUNCTION ingest_scales(readings incoming_reading[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	UPDATE meter m SET default_multiplier = coalesce(s.multiplier, m.default_multiplier), default_divisor = coalesce(s.divisor, m.default_divisor)
	FROM (SELECT DISTINCT ON (i.meter_id) i.* FROM unnest(readings) AS i WHERE i.fault IS NULL ORDER BY i.meter_id, i.n DESC) AS s
	WHERE m.meter_id = s.meter_id;
	INSERT INTO register_epoch (register_id, valid_from, multiplier, divisor, modulus, reason)
	SELECT r.register_id, s.measured_at, s.multiplier, s.divisor, e.modulus, 'scale reported by the meter'
	FROM (
		SELECT DISTINCT ON (i.meter_id) i.meter_id, i.measured_at, coalesce(i.multiplier, m.default_multiplier) AS multiplier, coalesce(i.divisor, m.default_divisor) AS divisor
		FROM unnest(readings) AS i JOIN meter m USING (meter_id) WHERE i.fault IS NULL ORDER BY i.meter_id, i.n DESC
	) AS s
	JOIN register r USING (meter_id),
		LATERAL (SELECT * FROM register_epoch e WHERE e.register_id = r.register_id AND e.valid_from <= s.measured_at ORDER BY e.valid_from DESC LIMIT 1) AS e
	WHERE (s.multiplier, s.divisor) IS DISTINCT FROM (e.multiplier, e.divisor)
	ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION ingest_scales(incoming_reading[]) IS 'Takes over scales that meters report apart from their values: the default for new registers, a new epoch for those that count differently so far';

CREATE FUNCTION ingest_registers(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	INSERT INTO register (meter_id, obis, unit, cumulative)
	SELECT DISTINCT ON (i.meter_id, i.obis) i.meter_id, i.obis, i.unit, unit_is_cumulative(i.unit)
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

	-- A meter that reports another scale than before begins a new epoch with that reading.
	INSERT INTO register_epoch (register_id, valid_from, multiplier, divisor, modulus, reason)
	SELECT scaled.register_id, scaled.measured_at, scaled.multiplier, scaled.divisor, scaled.modulus, 'scale reported by the meter'
	FROM (
		SELECT r.register_id, i.measured_at, i.multiplier, i.divisor, e.modulus,
			(i.multiplier, i.divisor) IS DISTINCT FROM (e.multiplier, e.divisor) AS differs,
			(i.multiplier, i.divisor) IS DISTINCT FROM (lag(i.multiplier) OVER by_time, lag(i.divisor) OVER by_time) AS begins
		FROM unnest(readings) AS i JOIN register r USING (meter_id, obis),
			LATERAL (SELECT * FROM register_epoch e WHERE e.register_id = r.register_id AND e.valid_from <= i.measured_at ORDER BY e.valid_from DESC LIMIT 1) AS e
		WHERE i.fault IS NULL AND i.multiplier IS NOT NULL AND i.divisor IS NOT NULL
		WINDOW by_time AS (PARTITION BY r.register_id ORDER BY i.measured_at)
	) AS scaled
	WHERE differs AND begins
	ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION ingest_registers(incoming_reading[]) IS 'Makes the registers and epochs that incoming readings need';

CREATE FUNCTION ingest_readings(readings incoming_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	first_at timestamptz;
	last_at timestamptz;
BEGIN
	PERFORM ingest_registers(readings);
	SELECT min(i.measured_at), max(i.measured_at) INTO first_at, last_at FROM unnest(readings) AS i WHERE i.fault IS NULL;
	PERFORM ensure_reading_partitions(first_at, last_at);

	-- Of several values for one time the last one received stands; the others become history.
	WITH arrived AS (
		SELECT r.register_id, i.*, lead(i.raw_value) OVER by_arrival AS next_raw_value
		FROM unnest(readings) AS i JOIN register r USING (meter_id, obis)
		WHERE i.fault IS NULL WINDOW by_arrival AS (PARTITION BY r.register_id, i.measured_at ORDER BY i.n)
	), replaced AS (
		SELECT a.register_id, a.measured_at, a.raw_value, a.received_at, a.gateway_id, a.record_no
		FROM arrived a WHERE a.next_raw_value <> a.raw_value
		UNION ALL
		SELECT old.register_id, old.measured_at, old.raw_value, old.received_at, old.gateway_id, old.record_no
		FROM arrived a JOIN reading old USING (register_id, measured_at) WHERE a.next_raw_value IS NULL AND a.raw_value <> old.raw_value
	), kept AS (
		INSERT INTO reading_correction (register_id, measured_at, raw_value, received_at, gateway_id, record_no) SELECT * FROM replaced
	), updated AS (
		UPDATE reading old SET raw_value = a.raw_value, received_at = a.received_at, gateway_id = a.gateway_id, record_no = a.record_no
		FROM arrived a
		WHERE a.next_raw_value IS NULL AND old.register_id = a.register_id AND old.measured_at = a.measured_at AND old.raw_value <> a.raw_value
		RETURNING old.register_id, old.measured_at, old.raw_value
	), inserted AS (
		INSERT INTO reading (register_id, measured_at, raw_value, received_at, gateway_id, record_no)
		SELECT a.register_id, a.measured_at, a.raw_value, a.received_at, a.gateway_id, a.record_no FROM arrived a
		WHERE a.next_raw_value IS NULL AND NOT EXISTS (SELECT FROM reading old WHERE old.register_id = a.register_id AND old.measured_at = a.measured_at)
		RETURNING register_id, measured_at, raw_value
	), stored AS (
		SELECT * FROM updated UNION ALL SELECT * FROM inserted
	), newest AS (
		UPDATE register r SET last_reading_at = s.measured_at, last_raw_value = s.raw_value
		FROM (SELECT DISTINCT ON (register_id) * FROM stored ORDER BY register_id, measured_at DESC) AS s
		WHERE r.register_id = s.register_id AND s.measured_at >= coalesce(r.last_reading_at, '-infinity')
	)
	INSERT INTO interval_dirty (register_id, dirty_from, dirty_until)
	SELECT s.register_id, min(s.measured_at),
		-- A new epoch changes the scale of all readings after it.
		greatest(max(s.measured_at), max(r.last_reading_at) FILTER (WHERE e.valid_from IS NOT NULL))
	FROM stored s JOIN register r USING (register_id)
	LEFT JOIN register_epoch e ON e.register_id = s.register_id AND e.valid_from = s.measured_at
	WHERE r.cumulative AND r.unit = 'kWh' GROUP BY s.register_id;
END $$;
COMMENT ON FUNCTION ingest_readings(incoming_reading[]) IS 'Stores resolved readings once each, corrections with their history, and marks what interval energy they change';

CREATE FUNCTION ingest_states(readings incoming_reading[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = smarthg, pg_temp AS $$
	INSERT INTO ess_state (home_id, measured_at, soc_kwh)
	SELECT DISTINCT ON (e.home_id, i.measured_at) e.home_id, i.measured_at, e.capacity_kwh * i.raw_value * i.multiplier / i.divisor / 100
	FROM unnest(readings) AS i JOIN ess e USING (home_id, device_eui64, endpoint) WHERE i.fault IS NULL
	ORDER BY e.home_id, i.measured_at, i.n DESC
	ON CONFLICT (home_id, measured_at) DO UPDATE SET soc_kwh = EXCLUDED.soc_kwh;
	INSERT INTO pev_state (home_id, measured_at, soc_kwh)
	SELECT DISTINCT ON (p.home_id, i.measured_at) p.home_id, i.measured_at, p.capacity_kwh * i.raw_value * i.multiplier / i.divisor / 100
	FROM unnest(readings) AS i JOIN pev p USING (home_id, device_eui64, endpoint) WHERE i.fault IS NULL
	ORDER BY p.home_id, i.measured_at, i.n DESC
	ON CONFLICT (home_id, measured_at) DO UPDATE SET soc_kwh = EXCLUDED.soc_kwh;
$$;
COMMENT ON FUNCTION ingest_states(incoming_reading[]) IS 'Stores reported states of charge, percent of capacity, of ESS and PEV';

CREATE FUNCTION advance_gateway_marks(gateways bigint[], numbers bigint[], lost_until bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = smarthg, pg_temp AS $$
BEGIN
	INSERT INTO gateway_record_ahead (gateway_id, record_no) SELECT * FROM unnest(gateways, numbers) ON CONFLICT DO NOTHING;
	WITH base AS (
		SELECT g.gateway_id, greatest(g.committed_record_no, max(t.lost)) AS committed
		FROM unnest(gateways, lost_until) AS t(gateway_id, lost) JOIN gateway g USING (gateway_id) GROUP BY g.gateway_id
	), run AS (
		-- In an unbroken run number and row number grow together.
		SELECT b.gateway_id, b.committed, a.record_no,
			a.record_no - row_number() OVER (PARTITION BY b.gateway_id ORDER BY a.record_no) = b.committed AS unbroken
		FROM base b LEFT JOIN gateway_record_ahead a ON a.gateway_id = b.gateway_id AND a.record_no > b.committed
	)
	UPDATE gateway g SET committed_record_no = r.committed, last_ingest_at = clock_timestamp()
	FROM (SELECT gateway_id, coalesce(max(record_no) FILTER (WHERE unbroken), max(committed)) AS committed FROM run GROUP BY gateway_id) AS r
	WHERE g.gateway_id = r.gateway_id;
	DELETE FROM gateway_record_ahead a USING gateway g
		WHERE g.gateway_id = ANY (gateways) AND a.gateway_id = g.gateway_id AND a.record_no <= g.committed_record_no;
END $$;
COMMENT ON FUNCTION advance_gateway_marks(bigint[], bigint[], bigint[]) IS 'Moves each gateway''s mark over its newly committed records as far as they are unbroken, and over those it declared lost';

CREATE FUNCTION bridge_ingest(record_gateway_id bigint[], record_no bigint[], gateway_time timestamptz[], received_at timestamptz[], kind smallint[],
	address bytea[], telegram bytea[], quarantine_reason text[], reading_record integer[], device_eui64 bytea[], endpoint smallint[], obis text[], unit text[],
	raw_value bigint[], multiplier bigint[], divisor bigint[], measured_at timestamptz[])
RETURNS TABLE (gateway_id bigint, committed_record_no bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	taken integer[];
	readings incoming_reading[];
BEGIN
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
		SELECT array_agg((i.n, g.gateway_id, coalesce(m.home_id, g.home_id), m.meter_id, t.record_no, t.received_at, t.kind,
				i.device_eui64, i.endpoint, i.obis, i.unit, i.raw_value, i.multiplier, i.divisor, i.measured_at,
				CASE
					WHEN NOT i.measured_at BETWEEN '2000-01-01 00:00:00+00' AND t.received_at + interval '1 day' THEN 'time is implausible'
					WHEN i.unit = '%' THEN CASE WHEN NOT EXISTS (SELECT FROM ess e WHERE (e.home_id, e.device_eui64, e.endpoint) = (g.home_id, i.device_eui64, i.endpoint))
						AND NOT EXISTS (SELECT FROM pev p WHERE (p.home_id, p.device_eui64, p.endpoint) = (g.home_id, i.device_eui64, i.endpoint)) THEN 'store is unknown' END
					WHEN m.meter_id IS NULL THEN 'meter is unknown'
					WHEN r.unit <> i.unit THEN 'unit differs from the register''s'
				END)::incoming_reading ORDER BY i.n)
		INTO readings
		FROM unnest(bridge_ingest.reading_record, bridge_ingest.device_eui64, bridge_ingest.endpoint, bridge_ingest.obis, bridge_ingest.unit,
			bridge_ingest.raw_value, bridge_ingest.multiplier, bridge_ingest.divisor, bridge_ingest.measured_at)
			WITH ORDINALITY AS i(record, device_eui64, endpoint, obis, unit, raw_value, multiplier, divisor, measured_at, n)
		JOIN unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.received_at, bridge_ingest.kind)
			WITH ORDINALITY AS t(gateway_id, record_no, received_at, kind, n) ON t.n = i.record
		JOIN gateway g ON g.gateway_id = t.gateway_id
		LEFT JOIN meter m ON m.gateway_id = g.gateway_id AND m.device_eui64 = i.device_eui64 AND m.endpoint = i.endpoint
		LEFT JOIN register r ON r.meter_id = m.meter_id AND r.obis = i.obis
		WHERE i.record IN (SELECT unnest(taken));

		PERFORM ingest_states(array_agg(i)) FROM unnest(readings) AS i WHERE i.unit = '%' HAVING count(*) > 0;
		PERFORM ingest_scales(array_agg(i)) FROM unnest(readings) AS i WHERE i.obis = '*' HAVING count(*) > 0;
		PERFORM ingest_readings(array_agg(i ORDER BY i.n)) FROM unnest(readings) AS i WHERE i.unit <> '%' AND i.obis <> '*' HAVING count(*) > 0;

		INSERT INTO quarantine (gateway_id, record_no, gateway_time, received_at, kind, address, telegram, reason)
		SELECT t.gateway_id, t.record_no, t.gateway_time, t.received_at, t.kind, t.address, t.telegram, coalesce(t.reason, f.fault)
		FROM unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.gateway_time, bridge_ingest.received_at, bridge_ingest.kind,
			bridge_ingest.address, bridge_ingest.telegram, bridge_ingest.quarantine_reason)
			WITH ORDINALITY AS t(gateway_id, record_no, gateway_time, received_at, kind, address, telegram, reason, n)
		LEFT JOIN (
			SELECT i.gateway_id, i.record_no, string_agg(DISTINCT i.fault, ', ') AS fault FROM unnest(readings) AS i WHERE i.fault IS NOT NULL GROUP BY 1, 2
		) AS f USING (gateway_id, record_no)
		WHERE (t.reason IS NOT NULL OR f.fault IS NOT NULL) AND t.n IN (SELECT unnest(taken));

		INSERT INTO gateway_event (gateway_id, eui64, event, detail)
		SELECT g.gateway_id, g.eui64, 'records_lost', format('The gateway lost its records %s to %s.', g.committed_record_no + 1, t.record_no)
		FROM unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.kind) WITH ORDINALITY AS t(gateway_id, record_no, kind, n)
		JOIN gateway g USING (gateway_id) WHERE t.kind = 0 AND t.n IN (SELECT unnest(taken));

		PERFORM advance_gateway_marks(array_agg(t.gateway_id), array_agg(t.record_no), array_agg(CASE WHEN t.kind = 0 THEN t.record_no ELSE 0 END))
		FROM unnest(bridge_ingest.record_gateway_id, bridge_ingest.record_no, bridge_ingest.kind) WITH ORDINALITY AS t(gateway_id, record_no, kind, n)
		WHERE t.n IN (SELECT unnest(taken));
	END IF;
	RETURN QUERY SELECT g.gateway_id, g.committed_record_no FROM gateway g WHERE g.gateway_id = ANY (bridge_ingest.record_gateway_id);
END $$;
COMMENT ON FUNCTION bridge_ingest(bigint[], bigint[], timestamptz[], timestamptz[], smallint[], bytea[], bytea[], text[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[]) IS
'For the bridge: stores a batch of records and the readings decoded from them (reading_record is the 1-based index of a reading''s record) in one transaction, each record exactly once; returns, for each gateway of the batch, the mark to acknowledge: all records up to it are committed. Readings that fit no meter, and records with a quarantine_reason, are kept raw in quarantine. OBIS code * stands for a scale reported without a value. Record kind 0: the gateway lost all records up to this number that it did not send';

CREATE FUNCTION bridge_commands(max_rows integer)
RETURNS TABLE (command_id bigint, gateway_id bigint, slot_start timestamptz, slot_seconds integer, ess_setpoint_kw float8, ess_grid_charge_kwh float8,
	ess_surplus_charge_kwh float8, ess_cover_demand_kwh float8, ess_export_kwh float8, pev_setpoint_kw float8, pev_grid_charge_kwh float8,
	pev_surplus_charge_kwh float8, pev_cover_demand_kwh float8, pev_export_kwh float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT c.command_id, g.gateway_id, c.slot_start, extract(epoch FROM c.slot_length)::integer, c.ess_setpoint_kw, c.ess_grid_charge_kwh,
		c.ess_surplus_charge_kwh, c.ess_cover_demand_kwh, c.ess_export_kwh, c.pev_setpoint_kw, c.pev_grid_charge_kwh,
		c.pev_surplus_charge_kwh, c.pev_cover_demand_kwh, c.pev_export_kwh
	FROM command c
	CROSS JOIN LATERAL (SELECT g.gateway_id FROM gateway g WHERE g.home_id = c.home_id AND g.enabled ORDER BY g.gateway_id LIMIT 1) AS g
	WHERE c.state IN ('pending', 'sent')
	ORDER BY c.slot_start, c.command_id LIMIT max_rows
$$;
COMMENT ON FUNCTION bridge_commands(integer) IS 'For the bridge: commands that are not yet acknowledged, oldest first; notified on channel smarthg_command';

CREATE FUNCTION bridge_command_state(command_id bigint, state text, detail text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE command c SET state = bridge_command_state.state, detail = bridge_command_state.detail, state_changed_at = clock_timestamp()
	WHERE c.command_id = bridge_command_state.command_id AND c.state IN ('pending', 'sent')
$$;
COMMENT ON FUNCTION bridge_command_state(bigint, text, text) IS 'For the bridge: what became of a command: sent, acknowledged, failed or expired';
