/*
 * The whole of smarthg-bridge: what main.c wires together and operations.c
 * watches and changes while it runs.
 */
#ifndef SMARTHG_BRIDGE_H
#define SMARTHG_BRIDGE_H

#include <event2/event.h>

#include "backend/commands.h"
#include "backend/decoding.h"
#include "backend/gateways.h"
#include "backend/journal.h"
#include "backend/mirrors.h"
#include "backend/refresh.h"
#include "backend/report.h"
#include "backend/sms.h"
#include "backend/store.h"
#include "core/configuration.h"
#include "core/console.h"
#include "core/hosts.h"
#include "core/metrics.h"
#include "core/routing.h"

struct bridge {
	struct configuration configuration;
	struct log log;
	struct event_base *base;
	struct hosts *hosts;
	struct store *store;
	struct control *control;
	struct journal *journal;
	struct gateways *gateways;
	struct commands *commands;
	struct mirrors *mirrors;
	struct refresh *refresh;
	struct decoding *decoding;
	struct sms *sms; /* NULL: not wanted */
	struct report *report;
	struct metrics *metrics; /* NULL: not wanted */
	struct console *console; /* the client tool's; NULL: not wanted */
	struct event *term, *interrupt, *hangup, *stopping, *state, *watchdog, *trim;
	int argument_count; /* of the command line, which is read again on SIGHUP */
	char **arguments;
	int64_t started_ms;    /* since 1970 */
	int64_t stop_until_ms; /* steady; 0: not stopping */
	uint64_t reported_records;
	size_t trimmed_connections; /* how many there were when memory was last given back */
	struct decoded decoded;     /* of the telegram in hand */
};

/* main.c: what follows from the configuration, at the start and after a reload. */
struct store_options bridge_store_options(struct bridge *bridge);
struct hosts_options bridge_hosts_options(struct bridge *bridge);

/* operations.c: reload, state, metrics and short messages; false and a message where they cannot
 * start. */
bool operations_start(struct bridge *bridge, char *message, size_t size);
/* The port that it listens on into the file where it is to be told. */
bool operations_write_port(struct bridge *bridge, char *message, size_t size);
/* The client tool's socket, which is to belong to the user that the bridge runs as. */
bool operations_start_console(struct bridge *bridge, char *message, size_t size);
void operations_finish(struct bridge *bridge);

#endif
