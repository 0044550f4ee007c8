/*
 * The bridge's state as a row of smarthg.bridge_status, written every few seconds.
 */
#ifndef SMARTHG_BRIDGE_REPORT_H
#define SMARTHG_BRIDGE_REPORT_H

#include "../core/status.h"
#include "control.h"

struct report;

/* name: of this bridge, must outlive the report. NULL: no memory. */
struct report *report_new(struct event_base *base, struct control *control, const char *name,
                          int every_s, void (*collect)(void *context, struct status *out),
                          void *context);
void report_free(struct report *report);
/* The bridge is about to stop in good order: no report follows. */
void report_stopped(struct report *report);
void report_reconfigure(struct report *report, int every_s);

#endif
