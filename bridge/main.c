/*
 * smarthg-bridge, the SmartAMM server (document 4.1.2): configuration, signals
 * and the event loop, and the wiring between the core (sessions of gateways)
 * and the back end (rows in PostgreSQL).
 *
 *     gateways -> core/hosts -> backend/decoding -> backend/store -> smarthg.bridge_ingest
 *                     ^  REQUEST                backend/journal -> sessions, presence, events
 *                     +------------------------ backend/commands <- smarthg.bridge_commands
 *                     +------------------------ backend/mirrors <- smarthg.bridge_mirror_requests
 */
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bridge.h"
#include "core/clock.h"
#include "core/command_line.h"
#include "core/supervisor.h"

enum { STOP_CHECK_MS = 20 };

/* --- what the core tells: to the back end --- */

static void on_session_opened(void *context, const struct gateway *gateway, const char *peer,
                              bool secured, bool resumed)
{
	struct bridge *bridge = context;

	journal_session_opened(bridge->journal, gateway->gateway_id, gateway->session, peer, secured,
	                       resumed);
}

static void on_session_closed(void *context, const struct gateway *gateway, uint32_t session,
                              const char *reason)
{
	struct bridge *bridge = context;

	journal_session_closed(bridge->journal, gateway->gateway_id, session, reason);
}

static void on_presence(void *context, const struct gateway *gateway, bool online,
                        const char *reason)
{
	struct bridge *bridge = context;

	console_event(bridge->console, gateway->eui64, "%s: %s", online ? "online" : "offline", reason);
	journal_presence(bridge->journal, gateway->gateway_id, online, clock_wall_ms(), reason);
	/* Its commands are there for it once its presence is written, on the same connection. */
	if (online) {
		commands_fetch(bridge->commands);
		mirrors_fetch(bridge->mirrors);
	}
}

static void on_security_event(void *context, uint64_t eui64, const char *peer, const char *event,
                              const char *detail)
{
	struct bridge *bridge = context;

	journal_security(bridge->journal, eui64, peer, event, detail, clock_steady_ms());
}

static void on_unknown_gateway(void *context)
{
	struct bridge *bridge = context;

	gateways_reload_seldom(bridge->gateways);
}

static bool on_record(void *context, const struct gateway *gateway, uint8_t route,
                      const struct data_message *data, int64_t received_ms)
{
	struct bridge *bridge = context;
	struct decoded *decoded = &bridge->decoded;

	decoding_decode(bridge->decoding, gateway->gateway_id, route, data, received_ms, decoded);
	if (decoded->replayed)
		journal_replay(bridge->journal, gateway->eui64, &decoded->counter, clock_steady_ms());
	if (bridge->console)
		console_event(bridge->console, gateway->eui64,
		              "record %" PRIu64 " to the back end: %zu readings%s%s", data->record_no,
		              decoded->count, decoded->quarantine ? ", quarantine: " : "",
		              decoded->quarantine ? decoded->quarantine : "");
	if (store_add(bridge->store, gateway->gateway_id, data, received_ms, decoded))
		return true;
	log_line(&bridge->log, LOG_ERROR, "record not taken",
	         "gateway=%016" PRIx64 " record=%" PRIu64 " reason=\"out of memory\"", gateway->eui64,
	         data->record_no);
	return false;
}

static void on_response(void *context, const struct gateway *gateway,
                        const struct response *response)
{
	struct bridge *bridge = context;

	commands_response(bridge->commands, gateway->gateway_id, response);
	mirrors_response(bridge->mirrors, gateway->gateway_id, response);
}

static void on_traffic(void *context, const struct traffic *traffic)
{
	struct bridge *bridge = context;

	console_traffic(bridge->console, traffic);
}

static bool on_reserve(void *context, size_t before, size_t after)
{
	struct bridge *bridge = context;

	return store_reserve(bridge->store, before, after);
}

/* --- what the back end tells: to the core --- */

static void on_committed(void *context, int64_t gateway_id, uint64_t record_no)
{
	struct bridge *bridge = context;

	if (bridge->console)
		console_event(bridge->console, hosts_eui64(bridge->hosts, gateway_id),
		              "records up to %" PRIu64 " committed", record_no);
	hosts_committed(bridge->hosts, gateway_id, record_no);
	if (bridge->refresh)
		refresh_wanted(bridge->refresh);
}

static void on_refused(void *context, int64_t gateway_id)
{
	struct bridge *bridge = context;

	hosts_refused(bridge->hosts, gateway_id);
}

static void on_hold(void *context, bool held)
{
	struct bridge *bridge = context;

	log_line(&bridge->log, LOG_WARNING,
	         held ? "memory budget is used up, reading stops" : "reading goes on", "waiting=%zu",
	         store_counts(bridge->store).waiting);
	hosts_hold(bridge->hosts, held);
}

static void on_gateway_row(void *context, const struct gateway_row *row)
{
	struct bridge *bridge = context;
	struct provision provision = {
	    .gateway_id = row->gateway_id,
	    .eui64 = row->eui64,
	    .key_id = row->key_id,
	    .security_required = row->security_required,
	    .committed = row->committed,
	};

	if (row->link_key_size > LINK_KEY_MAX) {
		log_line(&bridge->log, LOG_ERROR, "gateway not loaded",
		         "gateway=%016" PRIx64 " reason=\"link key is too long\"", row->eui64);
		return;
	}
	provision.key.size = row->link_key_size;
	if (row->link_key_size > 0)
		memcpy(provision.key.bytes, row->link_key, row->link_key_size);
	hosts_load_put(bridge->hosts, &provision);
	security_wipe(&provision.key, sizeof(provision.key));
}

static void on_gateways_asked(void *context)
{
	struct bridge *bridge = context;

	hosts_load_asked(bridge->hosts);
}

static void on_gateways_begin(void *context)
{
	struct bridge *bridge = context;

	hosts_load_begin(bridge->hosts);
}

static void on_gateways_end(void *context)
{
	struct bridge *bridge = context;

	hosts_load_end(bridge->hosts);
}

static void on_control_memory(void *context, size_t before, size_t after)
{
	struct bridge *bridge = context;

	store_count(bridge->store, before, after);
}

static void on_control_connected(void *context)
{
	struct bridge *bridge = context;

	/* Before gateways: nothing comes in that a key or layout would open which is not here yet. */
	decoding_load(bridge->decoding);
	gateways_reload(bridge->gateways);
	commands_fetch(bridge->commands);
	mirrors_fetch(bridge->mirrors);
	if (bridge->sms)
		sms_fetch(bridge->sms);
}

static void on_notified(void *context, const char *channel)
{
	struct bridge *bridge = context;

	if (strcmp(channel, "smarthg_gateway") == 0)
		gateways_reload(bridge->gateways);
	else if (strcmp(channel, "smarthg_command") == 0)
		commands_fetch(bridge->commands);
	else if (strcmp(channel, "smarthg_mirror") == 0)
		mirrors_fetch(bridge->mirrors);
	else if (!decoding_notified(bridge->decoding, channel) && bridge->sms)
		sms_fetch(bridge->sms);
}

static bool send_request(void *context, int64_t gateway_id, const void *payload, size_t size)
{
	struct bridge *bridge = context;

	return hosts_request(bridge->hosts, gateway_id, payload, size);
}

/* --- start, signals, stop --- */

static void on_stop_check(evutil_socket_t socket, short what, void *context)
{
	struct bridge *bridge = context;
	size_t records = store_counts(bridge->store).waiting;
	size_t statements = control_waiting(bridge->control);
	size_t connections = hosts_counts(bridge->hosts).dispatcher.connections;

	(void)socket;
	(void)what;
	if (records + statements + connections > 0 && clock_steady_ms() < bridge->stop_until_ms)
		return;
	log_line(&bridge->log, LOG_INFO, "stopped", "uncommitted_records=%zu unwritten_events=%zu",
	         records, statements);
	event_base_loopbreak(bridge->base);
}

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
	struct bridge *bridge = context;
	struct timeval every = {.tv_usec = STOP_CHECK_MS * 1000};

	(void)what;
	if (bridge->stop_until_ms != 0)
		return;
	log_line(&bridge->log, LOG_INFO, "stopping", "signal=%d", (int)number);
	supervisor_notify("STOPPING=1");
	bridge->stop_until_ms = clock_steady_ms() + bridge->configuration.stop_seconds * INT64_C(1000);
	hosts_stop(bridge->hosts);
	decoding_save(bridge->decoding);
	report_stopped(bridge->report);
	event_add(bridge->stopping, &every);
}

struct store_options bridge_store_options(struct bridge *bridge)
{
	const struct configuration *configuration = &bridge->configuration;

	return (struct store_options){
	    .conninfo = configuration->database,
	    .connections = (unsigned)configuration->ingest_connections,
	    .batch_records = (size_t)configuration->batch_records,
	    .batch_ms = configuration->batch_ms,
	    .memory_budget = (size_t)configuration->memory_budget_mb << 20,
	    .context = bridge,
	    .committed = on_committed,
	    .refused = on_refused,
	    .hold = on_hold,
	    .log = &bridge->log,
	};
}

static bool start_back_end(struct bridge *bridge)
{
	static const char *const channels[] = {"smarthg_gateway",
	                                       "smarthg_command",
	                                       "smarthg_meter_key",
	                                       "smarthg_quarantine",
	                                       "smarthg_sms",
	                                       "smarthg_mirror",
	                                       NULL};
	const struct configuration *configuration = &bridge->configuration;
	struct store_options store = bridge_store_options(bridge);
	struct control_handlers control = {bridge, on_control_connected, on_notified,
	                                   on_control_memory};
	struct gateways_handlers gateways = {bridge, on_gateways_asked, on_gateways_begin,
	                                     on_gateway_row, on_gateways_end};
	struct commands_options commands = {
	    .answer_ms = configuration->command_seconds * INT64_C(1000),
	    .grace_ms = configuration->command_grace_seconds * INT64_C(1000),
	    .context = bridge,
	    .send = send_request,
	    .log = &bridge->log,
	};
	struct mirrors_options mirrors = {commands.answer_ms, bridge, send_request, &bridge->log};

	database_limit_answers(configuration->database_timeout_seconds * INT64_C(1000));
	bridge->store = store_new(bridge->base, &store);
	bridge->control =
	    control_new(bridge->base, configuration->database, channels, &control, &bridge->log);
	if (!bridge->store || !bridge->control)
		return false;
	bridge->journal = journal_new(bridge->control, &bridge->log);
	bridge->gateways = gateways_new(bridge->base, bridge->control, &gateways);
	bridge->commands = commands_new(bridge->base, bridge->control, &commands);
	bridge->mirrors = mirrors_new(bridge->base, bridge->control, &mirrors);
	bridge->decoding =
	    decoding_new(bridge->base, bridge->control, configuration->meter_time_zone, &bridge->log);
	if (bridge->decoding)
		decoding_tolerate(bridge->decoding,
		                  configuration->replay_tolerance_seconds * INT64_C(1000));
	if (configuration->refresh_ms > 0)
		bridge->refresh = refresh_new(bridge->base, configuration->database,
		                              configuration->refresh_ms, &bridge->log);
	return bridge->journal && bridge->gateways && bridge->commands && bridge->mirrors &&
	       bridge->decoding && (bridge->refresh || configuration->refresh_ms == 0);
}

struct hosts_options bridge_hosts_options(struct bridge *bridge)
{
	const struct configuration *configuration = &bridge->configuration;

	return (struct hosts_options){
	    .dispatcher =
	        {
	            .tls = {configuration->tls_certificate, configuration->tls_key,
	                    configuration->tls_client_ca},
	            .handshake_ms = configuration->handshake_seconds * INT64_C(1000),
	            .pending_limit = (size_t)configuration->max_pending_connections,
	            .connection_limit = (size_t)configuration->max_connections,
	            .output_limit = (size_t)configuration->output_limit,
	            .policy =
	                {
	                    .security_required = configuration->security_required,
	                    .keepalive_s = (uint32_t)configuration->keepalive_seconds,
	                    .payload_limit = (size_t)configuration->max_payload,
	                },
	            .tls_security_required = configuration->tls_security_required,
	            .log = &bridge->log,
	        },
	    .offline_ms =
	        (int64_t)(configuration->keepalive_seconds * configuration->offline_factor * 1000),
	    .expire_ms = configuration->session_seconds * INT64_C(1000),
	    .back_end = {bridge, on_session_opened, on_session_closed, on_presence, on_security_event,
	                 on_unknown_gateway, on_record, on_response, on_traffic, on_reserve},
	    .log = &bridge->log,
	};
}

static bool start_hosts(struct bridge *bridge, char *message, size_t size)
{
	const struct configuration *configuration = &bridge->configuration;
	struct configuration_address clear = configuration_split(configuration->listen);
	struct configuration_address secure = configuration_split(configuration->tls_listen);
	struct hosts_options options = bridge_hosts_options(bridge);

	options.dispatcher.host = clear.host;
	options.dispatcher.port = clear.port;
	if (configuration->tls_listen[0] != '\0') {
		options.dispatcher.tls_host = secure.host;
		options.dispatcher.tls_port = secure.port;
	}
	bridge->hosts = hosts_new(bridge->base, &options, message, size);
	if (!bridge->hosts)
		return false;
	log_line(&bridge->log, LOG_INFO, "listening", "host=%s port=%u security=%s", clear.host,
	         hosts_port(bridge->hosts, false),
	         configuration->security_required ? "required" : "optional");
	if (options.dispatcher.tls_host)
		log_line(&bridge->log, LOG_INFO, "listening with TLS", "host=%s port=%u security=%s",
		         secure.host, hosts_port(bridge->hosts, true),
		         configuration->tls_security_required ? "required" : "optional");
	return true;
}

static bool start_events(struct bridge *bridge)
{
	struct event_base *base = bridge->base;

	bridge->term = evsignal_new(base, SIGTERM, on_stop_signal, bridge);
	bridge->interrupt = evsignal_new(base, SIGINT, on_stop_signal, bridge);
	bridge->stopping = event_new(base, -1, EV_PERSIST, on_stop_check, bridge);
	return bridge->term && bridge->interrupt && bridge->stopping &&
	       event_add(bridge->term, NULL) == 0 && event_add(bridge->interrupt, NULL) == 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void finish(struct bridge *bridge)
{
	operations_finish(bridge);
	if (bridge->hosts)
		hosts_free(bridge->hosts);
	refresh_free(bridge->refresh);
	control_free(bridge->control);
	decoding_free(bridge->decoding);
	commands_free(bridge->commands);
	mirrors_free(bridge->mirrors);
	gateways_free(bridge->gateways);
	journal_free(bridge->journal);
	store_free(bridge->store);
	free_event(bridge->term);
	free_event(bridge->interrupt);
	free_event(bridge->stopping);
	if (bridge->base)
		event_base_free(bridge->base);
}

/* As many descriptors as allowed, for that many gateways. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(struct bridge *bridge)
{
	char message[CONFIGURATION_TEXT + 100] = "out of memory";
	bool started;

	bridge->started_ms = clock_wall_ms();
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	bridge->log.level = (enum log_level)bridge->configuration.log_level;
	bridge->base = event_base_new();
	started = bridge->base && start_back_end(bridge) && start_events(bridge) &&
	          start_hosts(bridge, message, sizeof(message)) &&
	          operations_start(bridge, message, sizeof(message)) &&
	          operations_write_port(bridge, message, sizeof(message)) &&
	          supervisor_become(bridge->configuration.user, message, sizeof(message)) &&
	          operations_start_console(bridge, message, sizeof(message));
	if (started) {
		supervisor_notify("READY=1");
		event_base_dispatch(bridge->base);
	} else {
		log_line(&bridge->log, LOG_ERROR, "cannot start", "reason=\"%s\"", message);
	}
	finish(bridge);
	return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
	static struct bridge bridge;
	char message[CONFIGURATION_TEXT + 600];

	bridge.argument_count = count;
	bridge.arguments = arguments;
	switch (command_line_read(&bridge.configuration, count, arguments, message, sizeof(message))) {
	case COMMAND_LINE_HELP:
		command_line_help(&bridge.configuration);
		return 0;
	case COMMAND_LINE_CHECK:
		return 0;
	case COMMAND_LINE_WRONG:
		fprintf(stderr, "smarthg-bridge: %s\n", message);
		return 2;
	default:
		return run(&bridge);
	}
}
