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

enum value_kind { VALUE_TEXT, VALUE_INTEGER, VALUE_REAL, VALUE_SECURITY, VALUE_LOG_LEVEL };

struct key {
	const char *name;
	enum value_kind kind;
	size_t offset;
	double least, most;
	const char *preset, *meaning;
};

#define AT(field) offsetof(struct configuration, field)

/* clang-format off */
static const struct key keys[] = {
	{"listen", VALUE_TEXT, AT(listen), 0, 0, "127.0.0.1:7700", "address and port; port 0 picks a free one"},
	{"port_file", VALUE_TEXT, AT(port_file), 0, 0, "", "file that gets the port in use"},
	{"database", VALUE_TEXT, AT(database), 0, 0, "", "libpq connection string; empty: PGHOST, PGDATABASE ..."},
	{"security", VALUE_SECURITY, AT(security_required), 0, 0, "required", "required, or optional: gateways that need no key may come without"},
	{"log_level", VALUE_LOG_LEVEL, AT(log_level), 0, 0, "info", "error, warning, info or debug"},
	{"max_payload", VALUE_INTEGER, AT(max_payload), 64, 65535, "16384", "bytes of payload in one frame"},
	{"max_connections", VALUE_INTEGER, AT(max_connections), 1, 1000000, "20000", "TCP connections"},
	{"max_pending_connections", VALUE_INTEGER, AT(max_pending_connections), 1, 1000000, "1000", "of them without handshake"},
	{"output_limit", VALUE_INTEGER, AT(output_limit), 4096, INT_MAX, "262144", "bytes that a gateway may leave unread"},
	{"handshake_seconds", VALUE_INTEGER, AT(handshake_seconds), 1, 3600, "10", "time for the handshake"},
	{"keepalive_seconds", VALUE_INTEGER, AT(keepalive_seconds), 1, 86400, "60", "interval told to the gateways"},
	{"offline_factor", VALUE_REAL, AT(offline_factor), 1, 1000, "2.5", "a gateway is offline after so many intervals without a frame"},
	{"session_seconds", VALUE_INTEGER, AT(session_seconds), 1, INT_MAX, "86400", "a session ends after this time without a frame"},
	{"ingest_connections", VALUE_INTEGER, AT(ingest_connections), 1, 64, "2", "database connections that write records"},
	{"batch_records", VALUE_INTEGER, AT(batch_records), 1, 100000, "1000", "records in one transaction"},
	{"batch_ms", VALUE_INTEGER, AT(batch_ms), 1, 10000, "50", "a record waits no longer for others"},
	{"memory_budget_mb", VALUE_INTEGER, AT(memory_budget_mb), 1, 1000000, "256", "records in memory while the database is away"},
	{"refresh_ms", VALUE_INTEGER, AT(refresh_ms), 0, 3600000, "1000", "interval energy is refreshed so often; 0: not by the bridge"},
	{"command_seconds", VALUE_INTEGER, AT(command_seconds), 1, 3600, "30", "time for a gateway to answer a command"},
	{"command_grace_seconds", VALUE_INTEGER, AT(command_grace_seconds), 0, INT_MAX, "0", "a command is still sent so long after its slot; large for a replay of old data"},
	{"stop_seconds", VALUE_INTEGER, AT(stop_seconds), 1, 3600, "10", "time to commit what is in memory when stopped"},
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
		good = read_line(configuration, line, reason, sizeof(reason));
	}
	if (!good)
		snprintf(message, size, "%s line %d: %s", path, number, reason);
	fclose(file);
	return good;
}

void configuration_each(const struct configuration *configuration,
                        void (*line)(const char *key, const char *value, const char *meaning))
{
	for (int i = 0; i < KEYS; i++) {
		const void *field = (const char *)configuration + keys[i].offset;
		char value[CONFIGURATION_TEXT];

		switch (keys[i].kind) {
		case VALUE_TEXT:
			snprintf(value, sizeof(value), "%s", (const char *)field);
			break;
		case VALUE_INTEGER:
			snprintf(value, sizeof(value), "%d", *(const int *)field);
			break;
		case VALUE_REAL:
			snprintf(value, sizeof(value), "%g", *(const double *)field);
			break;
		case VALUE_SECURITY:
			snprintf(value, sizeof(value), "%s", *(const bool *)field ? "required" : "optional");
			break;
		case VALUE_LOG_LEVEL:
			snprintf(value, sizeof(value), "%s", level_names[*(const int *)field]);
			break;
		}
		line(keys[i].name, value, keys[i].meaning);
	}
}
