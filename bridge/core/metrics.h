/*
 * Prometheus metrics by HTTP on a port of their own: GET /metrics. One request a
 * connection, which is closed when it is answered or has taken too long, however
 * its bytes trickle; more connections at once than the limit are closed unread.
 */
#ifndef SMARTHG_BRIDGE_METRICS_H
#define SMARTHG_BRIDGE_METRICS_H

#include <event2/event.h>

#include "status.h"

struct metrics;

struct metrics_options {
	const char *host, *port;
	unsigned connection_limit;
	/* Fills in the state at each request. */
	void (*collect)(void *context, struct status *out);
	void *context;
	const struct log *log;
};

/* NULL and a message where it cannot listen. Options are copied, host and port not kept. */
struct metrics *metrics_new(struct event_base *base, const struct metrics_options *options,
                            char *message, size_t size);
void metrics_free(struct metrics *metrics);
unsigned metrics_port(const struct metrics *metrics);

/* For connections to come. */
void metrics_reconfigure(struct metrics *metrics, unsigned connection_limit);

#endif
