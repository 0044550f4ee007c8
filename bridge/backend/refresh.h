/*
 * Keeps interval energy up to date: calls smarthg.refresh_interval_energy on a
 * connection of its own while records are being committed.
 */
#ifndef SMARTHG_BRIDGE_REFRESH_H
#define SMARTHG_BRIDGE_REFRESH_H

#include "database.h"

struct refresh;

/* every_ms: at most that often. NULL: no memory. */
struct refresh *refresh_new(struct event_base *base, const char *conninfo, int every_ms,
                            const struct log *log);
void refresh_free(struct refresh *refresh);

/* Something was committed. */
void refresh_wanted(struct refresh *refresh);

#endif
