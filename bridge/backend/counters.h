/*
 * Freshness of M-Bus telegrams across starts of the bridge: what core/freshness
 * remembers is read from smarthg.meter_counter at the start, and written there
 * once a minute, before a replay gets there, and when the bridge stops. A bridge
 * that is killed loses up to a minute.
 */
#ifndef SMARTHG_BRIDGE_COUNTERS_H
#define SMARTHG_BRIDGE_COUNTERS_H

#include <event2/event.h>

#include "../core/routing.h"
#include "control.h"

struct counters;

/* NULL: no memory. */
struct counters *counters_new(struct event_base *base, struct control *control);
void counters_free(struct counters *counters);

/* How much later than another a telegram may have been heard without being a replay. */
void counters_tolerate(struct counters *counters, int64_t tolerance_ms);

/* Reads what the database has; those of meters that it no longer has are forgotten. */
void counters_load(struct counters *counters);
/* Writes what changed. */
void counters_save(struct counters *counters);

/* Makes a quarantined telegram of one of this gateway's, decoded, that is a replay. */
void counters_check(struct counters *counters, int64_t gateway_id, struct decoded *decoded);

#endif
