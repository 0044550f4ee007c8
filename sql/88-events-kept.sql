-- What the bridge and its gateways did does not stay for ever (installation.events_kept): what is over
-- goes, what is open stays however old it is.

CREATE INDEX gateway_event_at ON gateway_event (at);
CREATE INDEX gateway_session_closed ON gateway_session (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX quarantine_resolved ON quarantine (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX mirror_removed ON mirror (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX mirror_message_at ON mirror_message (at);
CREATE INDEX mirror_request_over ON mirror_request (state_changed_at) WHERE state NOT IN ('pending', 'sent');
CREATE INDEX sms_outbox_over ON sms_outbox (state_changed_at) WHERE state <> 'pending';
CREATE INDEX sms_inbox_received ON sms_inbox (received_at);

CREATE FUNCTION drop_events_before(before timestamptz, most integer DEFAULT 20000) RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
DECLARE
	old record;
	rows integer;
	dropped integer := 0;
BEGIN
	FOR old IN SELECT * FROM (VALUES
		('gateway_event', 'o.at', 'true'),
		('gateway_session', 'o.closed_at', 'o.closed_at IS NOT NULL'),
		('quarantine', 'o.resolved_at', 'o.resolved_at IS NOT NULL'),
		('mirror', 'o.removed_at', 'o.removed_at IS NOT NULL'),
		-- While a record before it is missing, it tells whether that comes late.
		('mirror_message', 'o.at', 'o.record_no <= (SELECT g.committed_record_no FROM gateway g WHERE g.gateway_id = o.gateway_id)'),
		('mirror_request', 'o.state_changed_at', 'o.state NOT IN (''pending'', ''sent'')'),
		('sms_outbox', 'o.state_changed_at', 'o.state <> ''pending'''),
		('sms_inbox', 'o.received_at', 'true')) AS o(name, ended_at, over)
	LOOP
		EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM %1$I o WHERE %2$s < $1 AND %3$s ORDER BY %2$s LIMIT $2 FOR UPDATE SKIP LOCKED))', old.name, old.ended_at, old.over)
			USING before, most - dropped;
		GET DIAGNOSTICS rows = ROW_COUNT;
		dropped := dropped + rows;
		EXIT WHEN dropped >= most;
	END LOOP;
	RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_events_before(timestamptz, integer) IS
'Drops up to so many rows of what was over before a moment, the oldest of each table first: events of gateways, closed sessions, resolved telegrams of quarantine, mirrors that ended, what was said of mirrors, messages of mirrors and short messages that are done with. Open sessions and mirrors, unresolved telegrams and messages on their way stay. Returns how many';
