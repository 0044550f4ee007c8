/*
 * The state of the bridge in numbers, collected by the program, shown as
 * Prometheus metrics (text exposition format 0.0.4), in the database and by the
 * client tool.
 */
#ifndef SMARTHG_BRIDGE_STATUS_H
#define SMARTHG_BRIDGE_STATUS_H

#include <stddef.h>

#include "hosts.h"
#include "latency.h"

struct status {
	struct hosts_counts hosts;
	uint64_t records, batches, quarantined, unstorable;
	size_t waiting; /* records not yet committed */
	int64_t oldest_waiting_ms;
	size_t waiting_events; /* statements not yet answered */
	size_t memory;         /* bytes held for records */
	size_t resident;       /* bytes of the process; 0: not known */
	unsigned ingest_connected, ingest_connections;
	bool control_connected, held;
	struct latency latency;
	int64_t started_ms; /* since 1970 */
};

/* Into size bytes; false where they are too few. */
bool status_prometheus(const struct status *status, char *out, size_t size);
/* As one JSON object, keys as the columns of smarthg.bridge_status. */
bool status_json(const struct status *status, char *out, size_t size);

/* Bytes of memory that the process holds; 0: not known. */
size_t status_resident(void);

#endif
