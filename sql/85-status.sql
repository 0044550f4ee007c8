-- The state of the bridges in numbers, written by themselves (DESIGN.md section 7); the same
-- numbers are on the bridge's metrics port in Prometheus' format.

CREATE TABLE bridge_report (
	name text PRIMARY KEY,
	started_at timestamptz NOT NULL,
	reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	stopped_at timestamptz,
	gateways integer,
	connections integer,
	sessions integer,
	online integer,
	frames_received bigint,
	frames_sent bigint,
	refused_connections bigint,
	records bigint,
	batches bigint,
	quarantined bigint,
	unstorable bigint,
	waiting_records integer,
	oldest_waiting_ms bigint,
	waiting_events integer,
	memory_bytes bigint,
	resident_bytes bigint,
	held boolean,
	database_connections integer,
	database_connections_wanted integer,
	batch_p50_ms integer,
	batch_p99_ms integer,
	batch_most_ms bigint
);
COMMENT ON TABLE bridge_report IS 'The last report of each bridge, one row a bridge';
COMMENT ON COLUMN bridge_report.name IS 'Its name, from its configuration';
COMMENT ON COLUMN bridge_report.started_at IS 'When it was started';
COMMENT ON COLUMN bridge_report.reported_at IS 'When this report came; it comes every report_seconds of its configuration';
COMMENT ON COLUMN bridge_report.stopped_at IS 'When it stopped in good order; null: it runs, or was lost';
COMMENT ON COLUMN bridge_report.gateways IS 'Provisioned gateways';
COMMENT ON COLUMN bridge_report.connections IS 'TCP connections';
COMMENT ON COLUMN bridge_report.sessions IS 'Remote host sessions';
COMMENT ON COLUMN bridge_report.online IS 'Gateways that are online';
COMMENT ON COLUMN bridge_report.frames_received IS 'Frames received since the start';
COMMENT ON COLUMN bridge_report.frames_sent IS 'Frames sent since the start';
COMMENT ON COLUMN bridge_report.refused_connections IS 'Connections since the start that broke the protocol or proved no key';
COMMENT ON COLUMN bridge_report.records IS 'Records committed since the start';
COMMENT ON COLUMN bridge_report.batches IS 'Transactions they were committed in';
COMMENT ON COLUMN bridge_report.quarantined IS 'Records since the start that the bridge sent to quarantine';
COMMENT ON COLUMN bridge_report.unstorable IS 'Records since the start that the database refused even raw';
COMMENT ON COLUMN bridge_report.waiting_records IS 'Records received and not yet committed';
COMMENT ON COLUMN bridge_report.oldest_waiting_ms IS 'How long the oldest of them waits, ms';
COMMENT ON COLUMN bridge_report.waiting_events IS 'Sessions, presence and other events not yet written';
COMMENT ON COLUMN bridge_report.memory_bytes IS 'Memory held for records, bytes';
COMMENT ON COLUMN bridge_report.resident_bytes IS 'Memory of the process, bytes';
COMMENT ON COLUMN bridge_report.held IS 'Whether the memory budget is used up, so that nothing is read';
COMMENT ON COLUMN bridge_report.database_connections IS 'Connections to the database that are up';
COMMENT ON COLUMN bridge_report.database_connections_wanted IS 'Connections to the database that should be up';
COMMENT ON COLUMN bridge_report.batch_p50_ms IS 'Half of the batches were committed within this time of their oldest record''s arrival, ms, a bound of the histogram; null: none yet, or above 60000';
COMMENT ON COLUMN bridge_report.batch_p99_ms IS 'The same for 99 of 100 batches';
COMMENT ON COLUMN bridge_report.batch_most_ms IS 'The longest such time, ms';

CREATE FUNCTION bridge_report(name text, state jsonb) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	INSERT INTO bridge_report (name, started_at, gateways, connections, sessions, online, frames_received, frames_sent, refused_connections, records, batches, quarantined, unstorable, waiting_records, oldest_waiting_ms, waiting_events, memory_bytes, resident_bytes, held, database_connections, database_connections_wanted, batch_p50_ms, batch_p99_ms, batch_most_ms)
	SELECT bridge_report.name, to_timestamp(r.started_ms / 1000.0), r.gateways, r.connections, r.sessions, r.online, r.frames_received, r.frames_sent, r.refused_connections, r.records, r.batches, r.quarantined, r.unstorable, r.waiting_records, r.oldest_waiting_ms, r.waiting_events, r.memory_bytes, r.resident_bytes, r.held <> 0, r.database_connections, r.database_connections_wanted, r.batch_p50_ms, r.batch_p99_ms, r.batch_most_ms
	FROM jsonb_to_record(bridge_report.state) AS r(started_ms bigint, gateways integer, connections integer, sessions integer, online integer, frames_received bigint, frames_sent bigint, refused_connections bigint, records bigint, batches bigint, quarantined bigint, unstorable bigint, waiting_records integer, oldest_waiting_ms bigint, waiting_events integer, memory_bytes bigint, resident_bytes bigint, held float8, database_connections integer, database_connections_wanted integer, batch_p50_ms integer, batch_p99_ms integer, batch_most_ms bigint)
	ON CONFLICT (name) DO UPDATE SET started_at = EXCLUDED.started_at, reported_at = clock_timestamp(), stopped_at = NULL,
		gateways = EXCLUDED.gateways, connections = EXCLUDED.connections, sessions = EXCLUDED.sessions, online = EXCLUDED.online, frames_received = EXCLUDED.frames_received, frames_sent = EXCLUDED.frames_sent, refused_connections = EXCLUDED.refused_connections, records = EXCLUDED.records, batches = EXCLUDED.batches, quarantined = EXCLUDED.quarantined, unstorable = EXCLUDED.unstorable, waiting_records = EXCLUDED.waiting_records, oldest_waiting_ms = EXCLUDED.oldest_waiting_ms, waiting_events = EXCLUDED.waiting_events, memory_bytes = EXCLUDED.memory_bytes, resident_bytes = EXCLUDED.resident_bytes, held = EXCLUDED.held, database_connections = EXCLUDED.database_connections, database_connections_wanted = EXCLUDED.database_connections_wanted, batch_p50_ms = EXCLUDED.batch_p50_ms, batch_p99_ms = EXCLUDED.batch_p99_ms, batch_most_ms = EXCLUDED.batch_most_ms
$$;
COMMENT ON FUNCTION bridge_report(text, jsonb) IS 'For the bridge: its state now; started_ms since 1970, the other keys as the columns of bridge_report';

CREATE FUNCTION bridge_stopped(name text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE bridge_report r SET stopped_at = clock_timestamp() WHERE r.name = bridge_stopped.name
$$;
COMMENT ON FUNCTION bridge_stopped(text) IS 'For the bridge: it stops in good order';

CREATE VIEW bridge_status AS
SELECT r.name, CASE WHEN r.stopped_at IS NOT NULL THEN 'stopped' WHEN r.reported_at < clock_timestamp() - interval '1 minute' THEN 'silent'
		WHEN r.held THEN 'held' WHEN r.oldest_waiting_ms > 60000 THEN 'stalled' WHEN r.database_connections < r.database_connections_wanted THEN 'degraded' ELSE 'running' END AS state,
	r.started_at, r.reported_at, clock_timestamp() - r.reported_at AS report_age, r.gateways, r.online, r.sessions, r.connections, r.records,
	CASE WHEN r.reported_at > r.started_at THEN r.records / extract(epoch FROM r.reported_at - r.started_at)::float8 END AS records_per_s,
	r.waiting_records, r.oldest_waiting_ms, r.frames_received, r.frames_sent, r.refused_connections, r.quarantined, r.unstorable,
	(SELECT count(*) FROM quarantine q WHERE q.resolved_at IS NULL) AS quarantine_open,
	r.batches, r.batch_p50_ms, r.batch_p99_ms, r.batch_most_ms, r.memory_bytes, r.resident_bytes,
	r.resident_bytes::float8 / nullif(r.connections, 0) AS resident_bytes_per_connection, r.database_connections, r.database_connections_wanted
FROM bridge_report r;
COMMENT ON VIEW bridge_status IS 'How each bridge does: its last report, with what can be told from it';
COMMENT ON COLUMN bridge_status.state IS 'running; degraded: some connections to the database are missing; held: the memory budget is used up; stalled: a record waits for more than a minute to be committed; silent: no report for a minute; stopped: in good order';
COMMENT ON COLUMN bridge_status.report_age IS 'How old the report is';
COMMENT ON COLUMN bridge_status.records_per_s IS 'Records committed a second, mean since its start';
COMMENT ON COLUMN bridge_status.quarantine_open IS 'Telegrams in quarantine, of all bridges, that are not yet decoded';
COMMENT ON COLUMN bridge_status.resident_bytes_per_connection IS 'Memory of the process by connection, bytes; null: there is none';
COMMENT ON COLUMN bridge_status.name IS 'Its name';
COMMENT ON COLUMN bridge_status.started_at IS 'When it was started';
COMMENT ON COLUMN bridge_status.reported_at IS 'When the report came';
COMMENT ON COLUMN bridge_status.gateways IS 'Provisioned gateways';
COMMENT ON COLUMN bridge_status.connections IS 'TCP connections';
COMMENT ON COLUMN bridge_status.sessions IS 'Remote host sessions';
COMMENT ON COLUMN bridge_status.online IS 'Gateways that are online';
COMMENT ON COLUMN bridge_status.frames_received IS 'Frames received since the start';
COMMENT ON COLUMN bridge_status.frames_sent IS 'Frames sent since the start';
COMMENT ON COLUMN bridge_status.refused_connections IS 'Connections since the start that broke the protocol or proved no key';
COMMENT ON COLUMN bridge_status.records IS 'Records committed since the start';
COMMENT ON COLUMN bridge_status.batches IS 'Transactions they were committed in';
COMMENT ON COLUMN bridge_status.quarantined IS 'Records since the start that the bridge sent to quarantine';
COMMENT ON COLUMN bridge_status.unstorable IS 'Records since the start that the database refused even raw';
COMMENT ON COLUMN bridge_status.waiting_records IS 'Records received and not yet committed';
COMMENT ON COLUMN bridge_status.oldest_waiting_ms IS 'How long the oldest of them waits, ms';
COMMENT ON COLUMN bridge_status.memory_bytes IS 'Memory held for records, bytes';
COMMENT ON COLUMN bridge_status.resident_bytes IS 'Memory of the process, bytes';
COMMENT ON COLUMN bridge_status.database_connections IS 'Connections to the database that are up';
COMMENT ON COLUMN bridge_status.database_connections_wanted IS 'Connections to the database that should be up';
COMMENT ON COLUMN bridge_status.batch_p50_ms IS 'Half of the batches were committed within this time of their oldest record''s arrival, ms, a bound of the histogram; null: none yet, or above 60000';
COMMENT ON COLUMN bridge_status.batch_p99_ms IS 'The same for 99 of 100 batches';
COMMENT ON COLUMN bridge_status.batch_most_ms IS 'The longest such time, ms';
