/*
 * Reading and checking of the bridge's configuration. One table names every key
 * with its bounds and meaning; the help text and the checks both come from it.
 */
#include "configuration.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "time_zone.h"

enum value_kind {
	VALUE_TEXT,
	VALUE_ADDRESS,
	VALUE_INTEGER,
	VALUE_REAL,
	VALUE_SECURITY,
	VALUE_LOG_LEVEL,
};

/* Whether a value may change while the bridge runs. */
enum when { AT_START, ALWAYS };

struct key {
	const char *name;
	enum value_kind kind;
	size_t offset;
	double least, most;
	enum when when;
	const char *preset, *meaning;
};

#define AT(field) offsetof(struct configuration, field)

/* clang-format off */
static const struct key keys[] = {
	{"name", VALUE_TEXT, AT(name), 0, 0, AT_START, "bridge", "name of this bridge in the database, where there are several"},
	{"listen", VALUE_ADDRESS, AT(listen), 0, 0, AT_START, "127.0.0.1:7700", "address and port; port 0 picks a free one"},
	{"tls_listen", VALUE_ADDRESS, AT(tls_listen), 0, 0, AT_START, "", "address and port for TLS below the framing; empty: none. Without tls_certificate only with pre-shared keys, which follow from the link keys"},
	{"tls_certificate", VALUE_TEXT, AT(tls_certificate), 0, 0, AT_START, "", "PEM file of the certificate chain; read again on SIGHUP"},
	{"tls_key", VALUE_TEXT, AT(tls_key), 0, 0, AT_START, "", "PEM file of its private key; read again on SIGHUP"},
	{"tls_client_ca", VALUE_TEXT, AT(tls_client_ca), 0, 0, AT_START, "", "PEM file of the authority whose certificates gateways must show, with their EUI-64 as an alternative name (DNS name, or URI urn:dev:mac:) or as common name; pre-shared keys are not offered then; empty: none are asked for"},
	{"tls_security", VALUE_SECURITY, AT(tls_security_required), 0, 0, ALWAYS, "required", "as security, for tls_listen"},
	{"metrics", VALUE_ADDRESS, AT(metrics), 0, 0, AT_START, "", "address and port of the Prometheus metrics; empty: none"},
	{"metrics_max_connections", VALUE_INTEGER, AT(metrics_max_connections), 1, 1000, ALWAYS, "16", "connections at once for the metrics"},
	{"control_socket", VALUE_TEXT, AT(control_socket), 0, 0, AT_START, "", "Unix socket for smarthg-ctl; empty: none"},
	{"user", VALUE_TEXT, AT(user), 0, 0, AT_START, "", "user to become after the start as root"},
	{"sms_device", VALUE_TEXT, AT(sms_device), 0, 0, AT_START, "", "serial device of a GSM modem; empty: no SMS"},
	{"sms_pin_file", VALUE_TEXT, AT(sms_pin_file), 0, 0, AT_START, "", "file with the PIN of the modem's SIM card, read at the start; empty: environment variable SMARTHG_SMS_PIN. It is given to the card once: after a refusal someone has to see to it"},
	{"sms_baud", VALUE_INTEGER, AT(sms_baud), 1200, 921600, AT_START, "115200", "its speed"},
	{"report_seconds", VALUE_INTEGER, AT(report_seconds), 1, 3600, ALWAYS, "10", "state is written to the database so often"},
	{"port_file", VALUE_TEXT, AT(port_file), 0, 0, AT_START, "", "file that gets the port in use of listen"},
	{"database", VALUE_TEXT, AT(database), 0, 0, AT_START, "", "libpq connection string; empty: PGHOST, PGDATABASE ..."},
	{"database_timeout_seconds", VALUE_INTEGER, AT(database_timeout_seconds), 1, 3600, ALWAYS, "60", "a database connection without an answer for so long is given up, and what was sent is sent again on a new one; longer than the 30 s in which the database waits for locks"},
	{"security", VALUE_SECURITY, AT(security_required), 0, 0, ALWAYS, "required", "required, or optional: gateways that need no key may come without, on listen"},
	{"log_level", VALUE_LOG_LEVEL, AT(log_level), 0, 0, ALWAYS, "info", "error, warning, info or debug"},
	{"max_payload", VALUE_INTEGER, AT(max_payload), 64, 65535, AT_START, "16384", "bytes of payload in one frame"},
	{"max_connections", VALUE_INTEGER, AT(max_connections), 1, 1000000, ALWAYS, "20000", "TCP connections"},
	{"max_pending_connections", VALUE_INTEGER, AT(max_pending_connections), 1, 1000000, ALWAYS, "1000", "of them without handshake"},
	{"output_limit", VALUE_INTEGER, AT(output_limit), 4096, INT_MAX, ALWAYS, "262144", "bytes that a gateway may leave unread"},
	{"handshake_seconds", VALUE_INTEGER, AT(handshake_seconds), 1, 3600, ALWAYS, "10", "time for the handshake"},
	{"keepalive_seconds", VALUE_INTEGER, AT(keepalive_seconds), 1, 86400, AT_START, "60", "interval told to the gateways"},
	{"offline_factor", VALUE_REAL, AT(offline_factor), 1, 1000, ALWAYS, "2.5", "a gateway is offline after so many intervals without a frame"},
	{"session_seconds", VALUE_INTEGER, AT(session_seconds), 1, INT_MAX, ALWAYS, "86400", "a session ends after this time without a frame"},
	{"ingest_connections", VALUE_INTEGER, AT(ingest_connections), 1, 64, AT_START, "2", "database connections that write records"},
	{"batch_records", VALUE_INTEGER, AT(batch_records), 1, 100000, ALWAYS, "1000", "records in one transaction"},
	{"batch_ms", VALUE_INTEGER, AT(batch_ms), 1, 10000, ALWAYS, "50", "a record waits no longer for others"},
	{"memory_budget_mb", VALUE_INTEGER, AT(memory_budget_mb), 1, 1000000, ALWAYS, "256", "records and events in memory while the database is away"},
	{"refresh_ms", VALUE_INTEGER, AT(refresh_ms), 0, 3600000, AT_START, "1000", "interval energy is refreshed so often; 0: not by the bridge"},
	{"meter_time_zone", VALUE_TEXT, AT(meter_time_zone), 0, 0, AT_START, "UTC", "time zone of the clocks of M-Bus and DLMS meters, such as Europe/Copenhagen: standard time all year but where a telegram says summer time"},
	{"replay_tolerance_seconds", VALUE_INTEGER, AT(replay_tolerance_seconds), 0, 86400, ALWAYS, "120", "clocks of gateways differ by no more: a telegram whose counter is not above an earlier one's, and that was heard so much later, is a replay"},
	{"command_seconds", VALUE_INTEGER, AT(command_seconds), 1, 3600, ALWAYS, "30", "time for a gateway to answer a command"},
	{"command_grace_seconds", VALUE_INTEGER, AT(command_grace_seconds), 0, INT_MAX, ALWAYS, "0", "a command is still sent so long after its slot; large for a replay of old data"},
	{"stop_seconds", VALUE_INTEGER, AT(stop_seconds), 1, 3600, ALWAYS, "10", "time to commit what is in memory when stopped"},
};
/* clang-format on */

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static bool set_number(const struct key *key, const char *value, void *field, char *message,
                       size_t size)
{
	char *end;

	errno = 0;
	double number = strtod(value, &end);
	bool whole = key->kind == VALUE_REAL || number == (double)(long)number;
	if (end == value || *end || errno || !whole || !(number >= key->least) ||
	    !(number <= key->most)) {
		snprintf(message, size, "%s must be a %s from %g to %g, not \"%s\"", key->name,
		         key->kind == VALUE_REAL ? "number" : "whole number", key->least, key->most, value);
		return false;
	}
	if (key->kind == VALUE_REAL)
		*(double *)field = number;
	else
		*(int *)field = (int)number;
	return true;
}

static bool set_word(const struct key *key, const char *value, void *field, char *message,
                     size_t size)
{
	if (key->kind == VALUE_SECURITY) {
		*(bool *)field = strcmp(value, "required") == 0;
		if (*(bool *)field || strcmp(value, "optional") == 0)
			return true;
		snprintf(message, size, "%s must be required or optional, not \"%s\"", key->name, value);
		return false;
	}
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
		if (strcmp(value, level_names[level]) == 0) {
			*(int *)field = level;
			return true;
		}
	snprintf(message, size, "%s must be error, warning, info or debug, not \"%s\"", key->name,
	         value);
	return false;
}

static bool set_text(const struct key *key, const char *value, void *field, char *message,
                     size_t size)
{
	size_t length = strlen(value);

	if (length >= CONFIGURATION_TEXT) {
		snprintf(message, size, "%s is longer than %d bytes", key->name, CONFIGURATION_TEXT - 1);
		return false;
	}
	memcpy(field, value, length + 1);
	return true;
}

/* HOST:PORT with a port number; an address whose preset is empty may be. */
static bool set_address(const struct key *key, const char *value, void *field, char *message,
                        size_t size)
{
	const char *colon = strrchr(value, ':');
	char *end;

	if (value[0] == '\0' && key->preset[0] == '\0')
		return set_text(key, value, field, message, size);
	if (colon && colon > value && isdigit((unsigned char)colon[1]) &&
	    strtoul(colon + 1, &end, 10) <= 65535 && *end == '\0' && end - colon < CONFIGURATION_PORT)
		return set_text(key, value, field, message, size);
	snprintf(message, size, "%s must be HOST:PORT, not \"%.200s\"", key->name, value);
	return false;
}

struct configuration_address configuration_split(const char *address)
{
	struct configuration_address parts = {"", ""};
	const char *colon = strrchr(address, ':');

	if (!colon)
		return parts;
	/* An IPv6 address may stand in brackets. */
	bool bracketed = address[0] == '[' && colon[-1] == ']';
	snprintf(parts.host, sizeof(parts.host), "%.*s", (int)(colon - address) - 2 * bracketed,
	         address + bracketed);
	snprintf(parts.port, sizeof(parts.port), "%s", colon + 1);
	return parts;
}

bool configuration_set(struct configuration *configuration, const char *key, const char *value,
                       char *message, size_t size)
{
	for (int i = 0; i < KEYS; i++) {
		void *field = (char *)configuration + keys[i].offset;

		if (strcmp(key, keys[i].name) != 0)
			continue;
		switch (keys[i].kind) {
		case VALUE_TEXT:
			return set_text(&keys[i], value, field, message, size);
		case VALUE_ADDRESS:
			return set_address(&keys[i], value, field, message, size);
		case VALUE_INTEGER:
		case VALUE_REAL:
			return set_number(&keys[i], value, field, message, size);
		default:
			return set_word(&keys[i], value, field, message, size);
		}
	}
	snprintf(message, size, "unknown configuration key \"%s\"", key);
	return false;
}

void configuration_defaults(struct configuration *configuration)
{
	char message[200];

	memset(configuration, 0, sizeof(*configuration));
	for (int i = 0; i < KEYS; i++)
		configuration_set(configuration, keys[i].name, keys[i].preset, message, sizeof(message));
}

/* Without white space at both ends. */
static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static bool read_line(struct configuration *configuration, char *line, char *message, size_t size)
{
	char *text = trim(line), *equals;

	if (*text == '\0' || *text == '#')
		return true;
	equals = strchr(text, '=');
	if (!equals) {
		snprintf(message, size, "expected key = value");
		return false;
	}
	*equals = '\0';
	return configuration_set(configuration, trim(text), trim(equals + 1), message, size);
}

bool configuration_read(struct configuration *configuration, const char *path, char *message,
                        size_t size)
{
	FILE *file = fopen(path, "r");
	char line[1024], reason[300];
	int number = 0;
	bool good = true;

	if (!file) {
		snprintf(message, size, "cannot read \"%s\": %s", path, strerror(errno));
		return false;
	}
	while (good && fgets(line, sizeof(line), file)) {
		number++;
		good = strchr(line, '\n') || feof(file);
		if (good)
			good = read_line(configuration, line, reason, sizeof(reason));
		else
			snprintf(reason, sizeof(reason), "longer than %zu characters", sizeof(line) - 2);
	}
	if (!good)
		snprintf(message, size, "%s line %d: %s", path, number, reason);
	else if (ferror(file))
		snprintf(message, size, "cannot read \"%s\": %s", path, strerror(errno));
	good = good && !ferror(file);
	fclose(file);
	return good;
}

bool configuration_check(const struct configuration *configuration, char *message, size_t size)
{
	const char *wrong = NULL;

	if ((configuration->tls_certificate[0] == '\0') != (configuration->tls_key[0] == '\0'))
		wrong = "tls_certificate and tls_key go together";
	else if (configuration->tls_client_ca[0] != '\0' && configuration->tls_certificate[0] == '\0')
		wrong = "tls_client_ca needs tls_certificate";
	else if (configuration->tls_certificate[0] != '\0' && configuration->tls_listen[0] == '\0')
		wrong = "tls_certificate needs tls_listen";
	else if (!time_zone_known(configuration->meter_time_zone))
		wrong = "meter_time_zone is no time zone that the system knows";
	if (wrong)
		snprintf(message, size, "%s", wrong);
	return !wrong;
}

/* The value as it is written in a file. */
static void show(const struct key *key, const struct configuration *configuration,
                 char value[CONFIGURATION_TEXT])
{
	const void *field = (const char *)configuration + key->offset;

	switch (key->kind) {
	case VALUE_TEXT:
	case VALUE_ADDRESS:
		snprintf(value, CONFIGURATION_TEXT, "%s", (const char *)field);
		break;
	case VALUE_INTEGER:
		snprintf(value, CONFIGURATION_TEXT, "%d", *(const int *)field);
		break;
	case VALUE_REAL:
		snprintf(value, CONFIGURATION_TEXT, "%g", *(const double *)field);
		break;
	case VALUE_SECURITY:
		snprintf(value, CONFIGURATION_TEXT, "%s", *(const bool *)field ? "required" : "optional");
		break;
	case VALUE_LOG_LEVEL:
		snprintf(value, CONFIGURATION_TEXT, "%s", level_names[*(const int *)field]);
		break;
	}
}

void configuration_take(struct configuration *configuration, const struct configuration *fresh,
                        void (*changed)(void *context, const char *key, bool taken), void *context)
{
	for (int i = 0; i < KEYS; i++) {
		char before[CONFIGURATION_TEXT], after[CONFIGURATION_TEXT],
		    message[CONFIGURATION_TEXT + 100];
		bool taken = keys[i].when == ALWAYS;

		show(&keys[i], configuration, before);
		show(&keys[i], fresh, after);
		if (strcmp(before, after) == 0)
			continue;
		if (taken)
			configuration_set(configuration, keys[i].name, after, message, sizeof(message));
		changed(context, keys[i].name, taken);
	}
}

void configuration_each(const struct configuration *configuration,
                        void (*line)(const char *key, const char *value, const char *meaning))
{
	for (int i = 0; i < KEYS; i++) {
		char value[CONFIGURATION_TEXT];

		show(&keys[i], configuration, value);
		line(keys[i].name, value, keys[i].meaning);
	}
}
