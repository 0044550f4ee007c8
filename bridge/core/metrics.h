/*
 * Prometheus metrics by HTTP on a port of their own: GET /metrics.
 */
#ifndef SMARTHG_BRIDGE_METRICS_H
#define SMARTHG_BRIDGE_METRICS_H

#include <event2/event.h>

#include "status.h"

struct metrics;

/* collect fills in the state at each request. NULL and a message where it cannot listen. */
struct metrics *metrics_new(struct event_base *base, const char *host, const char *port,
                            void (*collect)(void *context, struct status *out), void *context,
                            char *message, size_t size);
void metrics_free(struct metrics *metrics);
unsigned metrics_port(const struct metrics *metrics);

#endif
