/*
 * The bridge's configuration: a file of `key = value` lines, then the command
 * line's --key=value. Every value is checked before anything starts, and again
 * when the file is read anew while the bridge runs.
 */
#ifndef SMARTHG_BRIDGE_CONFIGURATION_H
#define SMARTHG_BRIDGE_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIGURATION_TEXT = 512 };

struct configuration {
	char name[CONFIGURATION_TEXT];
	char listen[CONFIGURATION_TEXT];                                       /* HOST:PORT */
	char tls_listen[CONFIGURATION_TEXT];                                   /* HOST:PORT; "": none */
	char tls_certificate[CONFIGURATION_TEXT], tls_key[CONFIGURATION_TEXT]; /* files */
	char tls_client_ca[CONFIGURATION_TEXT]; /* file; "": clients need no certificate */
	char metrics[CONFIGURATION_TEXT];       /* HOST:PORT; "": none */
	int metrics_max_connections;
	char control_socket[CONFIGURATION_TEXT];
	char user[CONFIGURATION_TEXT];       /* to run as; "": the one that started it */
	char sms_device[CONFIGURATION_TEXT]; /* "": none */
	char sms_pin_file[CONFIGURATION_TEXT];
	char port_file[CONFIGURATION_TEXT];       /* where listen's port is written; "": nowhere */
	char database[CONFIGURATION_TEXT];        /* libpq connection string */
	char meter_time_zone[CONFIGURATION_TEXT]; /* of the system's: Europe/Copenhagen ... */
	bool security_required, tls_security_required;
	int log_level; /* enum log_level */
	int max_payload, max_connections, max_pending_connections, output_limit;
	int handshake_seconds, keepalive_seconds, session_seconds;
	double offline_factor; /* of keepalive_seconds */
	int ingest_connections, batch_records, batch_ms, memory_budget_mb;
	int database_timeout_seconds;
	int refresh_ms; /* 0: interval energy is refreshed by someone else */
	int replay_tolerance_seconds;
	int command_seconds, command_grace_seconds;
	int stop_seconds, report_seconds, sms_baud;
};

enum { CONFIGURATION_PORT = 32 };

/* HOST:PORT in its parts. */
struct configuration_address {
	char host[CONFIGURATION_TEXT], port[CONFIGURATION_PORT];
};

/* The defaults. */
void configuration_defaults(struct configuration *configuration);

/* Sets one value; false and a message where key or value is wrong. */
bool configuration_set(struct configuration *configuration, const char *key, const char *value,
                       char *message, size_t size);

/* Reads a file; false and a message with the line's number. */
bool configuration_read(struct configuration *configuration, const char *path, char *message,
                        size_t size);

/* Whether the values fit together; false and a message where they do not. */
bool configuration_check(const struct configuration *configuration, char *message, size_t size);

/* Takes over from `fresh` the values that may change while the bridge runs. changed is called for
 * every key that differs, with whether it was taken or needs a restart. */
void configuration_take(struct configuration *configuration, const struct configuration *fresh,
                        void (*changed)(void *context, const char *key, bool taken), void *context);

/* Splits an address that was checked. */
struct configuration_address configuration_split(const char *address);

/* Calls line for every key with its current value and its meaning. */
void configuration_each(const struct configuration *configuration,
                        void (*line)(const char *key, const char *value, const char *meaning));

#endif
