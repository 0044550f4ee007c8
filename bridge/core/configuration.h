/*
 * The bridge's configuration: a file of `key = value` lines, then the command
 * line's --key=value. Every value is checked before anything starts.
 */
#ifndef SMARTHG_BRIDGE_CONFIGURATION_H
#define SMARTHG_BRIDGE_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIGURATION_TEXT = 512 };

struct configuration {
	char listen[CONFIGURATION_TEXT];    /* HOST:PORT */
	char port_file[CONFIGURATION_TEXT]; /* where the port is written; "": nowhere */
	char database[CONFIGURATION_TEXT];  /* libpq connection string */
	bool security_required;
	int log_level; /* enum log_level */
	int max_payload, max_connections, max_pending_connections, output_limit;
	int handshake_seconds, keepalive_seconds, session_seconds;
	double offline_factor; /* of keepalive_seconds */
	int ingest_connections, batch_records, batch_ms, memory_budget_mb;
	int refresh_ms; /* 0: interval energy is refreshed by someone else */
	int command_seconds, command_grace_seconds;
	int stop_seconds;
};

/* The defaults. */
void configuration_defaults(struct configuration *configuration);

/* Sets one value; false and a message where key or value is wrong. */
bool configuration_set(struct configuration *configuration, const char *key, const char *value,
                       char *message, size_t size);

/* Reads a file; false and a message with the line's number. */
bool configuration_read(struct configuration *configuration, const char *path, char *message,
                        size_t size);

/* Calls line for every key with its current value and its meaning. */
void configuration_each(const struct configuration *configuration,
                        void (*line)(const char *key, const char *value, const char *meaning));

#endif
