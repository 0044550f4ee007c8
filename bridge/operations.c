/*
 * What the bridge owes those who run it: its state in the log, in the database, as
 * metrics and to the service manager; its port; the client tool's socket; short messages;
 * and a configuration that is read again on SIGHUP.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

#include "bridge.h"
#include "core/at_modem.h"
#include "core/clock.h"
#include "core/command_line.h"
#include "core/serial_line.h"
#include "core/supervisor.h"

enum { REPORT_S = 60, TRIM_S = 5, TRIM_SHARE = 16 };

/* --- state --- */

static void collect_status(void *context, struct status *out)
{
	struct bridge *bridge = context;
	struct store_counts counts = store_counts(bridge->store);

	*out = (struct status){
	    .hosts = hosts_counts(bridge->hosts),
	    .records = counts.records,
	    .batches = counts.batches,
	    .quarantined = counts.quarantined,
	    .unstorable = counts.unstorable,
	    .waiting = counts.waiting,
	    .oldest_waiting_ms = counts.oldest_ms,
	    .waiting_events = control_waiting(bridge->control),
	    .memory = counts.memory,
	    .resident = status_resident(),
	    .ingest_connected = counts.connected,
	    .ingest_connections = (unsigned)bridge->configuration.ingest_connections,
	    .control_connected = control_connected(bridge->control),
	    .held = counts.held,
	    .latency = counts.latency,
	    .started_ms = bridge->started_ms,
	};
}

static void on_state(evutil_socket_t socket, short what, void *context)
{
	struct bridge *bridge = context;
	struct status status;
	char notice[120];

	(void)socket;
	(void)what;
	collect_status(bridge, &status);
	log_line(&bridge->log, LOG_INFO, "state",
	         "gateways=%zu connections=%zu online=%zu records=%" PRIu64 " per_second=%" PRIu64
	         " waiting=%zu batches=%" PRIu64 " quarantined=%" PRIu64 " unstorable=%" PRIu64,
	         status.hosts.gateways, status.hosts.dispatcher.connections, status.hosts.online,
	         status.records, (status.records - bridge->reported_records) / REPORT_S, status.waiting,
	         status.batches, status.quarantined, status.unstorable);
	bridge->reported_records = status.records;
	snprintf(notice, sizeof(notice), "STATUS=%zu of %zu gateways online, %" PRIu64 " records",
	         status.hosts.online, status.hosts.gateways, status.records);
	supervisor_notify(notice);
}

static void on_watchdog(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	(void)context;
	supervisor_notify("WATCHDOG=1");
}

/* Handshakes leave holes of many pages between what sessions keep. Given back whenever a
 * sixteenth of the connections is new, they do not add up. */
static void on_trim(evutil_socket_t socket, short what, void *context)
{
	struct bridge *bridge = context;
	size_t connections = hosts_counts(bridge->hosts).dispatcher.connections;

	(void)socket;
	(void)what;
	if (connections > bridge->trimmed_connections + bridge->trimmed_connections / TRIM_SHARE)
		malloc_trim(0);
	else if (connections >= bridge->trimmed_connections)
		return;
	bridge->trimmed_connections = connections;
}

/* --- client tool --- */

static void on_watched(void *context, bool watched)
{
	struct bridge *bridge = context;

	hosts_watch(bridge->hosts, watched);
}

static bool on_console_request(void *context, uint64_t gateway, uint64_t id, uint8_t method,
                               const uint8_t *body, size_t size)
{
	struct bridge *bridge = context;
	uint8_t bytes[1024];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	request_write(&payload, id, method);
	writer_bytes(&payload, body, size);
	return !payload.broken && hosts_request_eui64(bridge->hosts, gateway, bytes, payload.at);
}

/* Through another name, so that who waits for the file never reads half of it. */
bool operations_write_port(struct bridge *bridge, char *message, size_t size)
{
	const char *path = bridge->configuration.port_file;
	char draft[CONFIGURATION_TEXT + 8];
	FILE *file;

	if (path[0] == '\0')
		return true;
	snprintf(draft, sizeof(draft), "%s.new", path);
	file = fopen(draft, "w");
	if (file && fprintf(file, "%u\n", hosts_port(bridge->hosts, false)) > 0 && fclose(file) == 0 &&
	    rename(draft, path) == 0)
		return true;
	snprintf(message, size, "cannot write \"%s\": %s", path, strerror(errno));
	return false;
}

bool operations_start_console(struct bridge *bridge, char *message, size_t size)
{
	struct console_handlers handlers = {bridge, collect_status, on_watched, on_console_request};
	const char *path = bridge->configuration.control_socket;

	if (path[0] == '\0')
		return true;
	bridge->console = console_new(bridge->base, path, &handlers, &bridge->log, message, size);
	return bridge->console != NULL;
}

/* --- reload --- */

static void on_key_changed(void *context, const char *key, bool taken)
{
	struct bridge *bridge = context;

	if (taken)
		log_line(&bridge->log, LOG_INFO, "configuration changed", "key=%s", key);
	else
		log_line(&bridge->log, LOG_WARNING, "configuration change needs a restart", "key=%s", key);
}

static void apply_configuration(struct bridge *bridge)
{
	const struct configuration *configuration = &bridge->configuration;
	struct hosts_options hosts = bridge_hosts_options(bridge);
	struct store_options store = bridge_store_options(bridge);

	bridge->log.level = (enum log_level)configuration->log_level;
	database_limit_answers(configuration->database_timeout_seconds * INT64_C(1000));
	hosts_reconfigure(bridge->hosts, &hosts);
	store_reconfigure(bridge->store, &store);
	decoding_tolerate(bridge->decoding, configuration->replay_tolerance_seconds * INT64_C(1000));
	commands_reconfigure(bridge->commands, configuration->command_seconds * INT64_C(1000),
	                     configuration->command_grace_seconds * INT64_C(1000));
	mirrors_reconfigure(bridge->mirrors, configuration->command_seconds * INT64_C(1000));
	report_reconfigure(bridge->report, configuration->report_seconds);
	if (bridge->metrics)
		metrics_reconfigure(bridge->metrics, (unsigned)configuration->metrics_max_connections);
}

/* A file with a wrong value changes nothing. */
static void reload_configuration(struct bridge *bridge)
{
	static struct configuration fresh;
	char message[CONFIGURATION_TEXT + 600];

	if (command_line_read(&fresh, bridge->argument_count, bridge->arguments, message,
	                      sizeof(message)) == COMMAND_LINE_WRONG) {
		log_line(&bridge->log, LOG_ERROR, "configuration not read again", "reason=\"%s\"", message);
		return;
	}
	configuration_take(&bridge->configuration, &fresh, on_key_changed, bridge);
	apply_configuration(bridge);
	if (!hosts_reload_tls(bridge->hosts, message, sizeof(message)))
		log_line(&bridge->log, LOG_ERROR, "certificate not read again", "reason=\"%s\"", message);
}

static void on_hangup(evutil_socket_t number, short what, void *context)
{
	struct bridge *bridge = context;

	(void)what;
	supervisor_reloading();
	reload_configuration(bridge);
	decoding_load(bridge->decoding);
	gateways_reload(bridge->gateways);
	log_line(&bridge->log, LOG_INFO, "reloaded", "signal=%d", (int)number);
	supervisor_notify("READY=1");
}

/* --- start and end --- */

/* The SIM card's PIN from its file or, without one, from the environment; false and a message,
 * which does not show it, where it is none. */
static bool read_pin(const char *path, struct sim_pin *pin, char *message, size_t size)
{
	const char *variable = getenv("SMARTHG_SMS_PIN");
	char text[64] = "";
	bool good = true;

	if (path[0] != '\0') {
		FILE *file = fopen(path, "r");

		good = file && fgets(text, sizeof(text), file);
		if (file)
			fclose(file);
		good = good && sim_pin_read(text, pin);
	} else if (variable) {
		good = sim_pin_read(variable, pin);
	}
	if (!good)
		snprintf(message, size, "%s%s%s holds no PIN of four to eight digits",
		         path[0] ? "sms_pin_file \"" : "SMARTHG_SMS_PIN", path, path[0] ? "\"" : "");
	security_wipe(text, sizeof(text));
	return good;
}

static bool start_sms(struct bridge *bridge, char *message, size_t size)
{
	const struct configuration *configuration = &bridge->configuration;
	struct at_modem_options options = {
	    .device = configuration->sms_device,
	    .baud = configuration->sms_baud,
	    .log = &bridge->log,
	};
	struct sms_transport *modem;

	if (configuration->sms_device[0] == '\0')
		return true;
	if (!serial_line_baud_valid(configuration->sms_baud)) {
		snprintf(message, size, "sms_baud %d is no speed of a serial line",
		         configuration->sms_baud);
		return false;
	}
	if (!read_pin(configuration->sms_pin_file, &options.pin, message, size))
		return false;
	bridge->sms = sms_new(bridge->base, bridge->control, &bridge->log);
	if (!bridge->sms)
		return false;
	options.events = sms_events_of(bridge->sms);
	modem = at_modem_new(bridge->base, &options);
	security_wipe(&options.pin, sizeof(options.pin));
	sms_use(bridge->sms, modem);
	return modem != NULL;
}

static bool start_status(struct bridge *bridge, char *message, size_t size)
{
	const struct configuration *configuration = &bridge->configuration;
	struct configuration_address address = configuration_split(configuration->metrics);
	struct metrics_options metrics = {
	    .host = address.host,
	    .port = address.port,
	    .connection_limit = (unsigned)configuration->metrics_max_connections,
	    .collect = collect_status,
	    .context = bridge,
	    .log = &bridge->log,
	};

	bridge->report = report_new(bridge->base, bridge->control, configuration->name,
	                            configuration->report_seconds, collect_status, bridge);
	if (bridge->report && configuration->metrics[0] != '\0') {
		bridge->metrics = metrics_new(bridge->base, &metrics, message, size);
		if (bridge->metrics)
			log_line(&bridge->log, LOG_INFO, "metrics", "host=%s port=%u", address.host,
			         metrics_port(bridge->metrics));
	}
	return bridge->report && (bridge->metrics || configuration->metrics[0] == '\0');
}

static bool start_events(struct bridge *bridge)
{
	struct timeval minute = {.tv_sec = REPORT_S}, trim = {.tv_sec = TRIM_S};
	int64_t watchdog_ms = supervisor_watchdog_ms();
	struct timeval watch = {.tv_sec = watchdog_ms / 1000, .tv_usec = watchdog_ms % 1000 * 1000};

	bridge->hangup = evsignal_new(bridge->base, SIGHUP, on_hangup, bridge);
	bridge->state = event_new(bridge->base, -1, EV_PERSIST, on_state, bridge);
	bridge->watchdog = event_new(bridge->base, -1, EV_PERSIST, on_watchdog, bridge);
	bridge->trim = event_new(bridge->base, -1, EV_PERSIST, on_trim, bridge);
	return bridge->hangup && bridge->state && bridge->watchdog && bridge->trim &&
	       event_add(bridge->trim, &trim) == 0 && event_add(bridge->hangup, NULL) == 0 &&
	       event_add(bridge->state, &minute) == 0 &&
	       (watchdog_ms <= 0 || event_add(bridge->watchdog, &watch) == 0);
}

bool operations_start(struct bridge *bridge, char *message, size_t size)
{
	return start_events(bridge) && start_sms(bridge, message, size) &&
	       start_status(bridge, message, size);
}

void operations_finish(struct bridge *bridge)
{
	struct event *events[] = {bridge->hangup, bridge->state, bridge->watchdog, bridge->trim};

	console_free(bridge->console);
	metrics_free(bridge->metrics);
	sms_free(bridge->sms);
	report_free(bridge->report);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
}
