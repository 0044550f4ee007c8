/*
 * Scopes as Green Button (NAESB ESPI) writes them: FB=4_5;IntervalDuration=3600;HistoryLength=...
 * Function blocks with a counterpart here: 4 and 5 (interval metering of electricity: main meter),
 * 8 (forward and reverse metering: production), 15 (usage summary: main meter by months), 18
 * (several usage points: sub-meters). Durations and the history are in seconds. Blocks that are
 * about the exchange itself (1 to 3, 13, 14 and from 31 on) grant nothing.
 */
#ifndef SMARTHG_TOKEN_SCOPE_GREEN_BUTTON_H
#define SMARTHG_TOKEN_SCOPE_GREEN_BUTTON_H

#include "scope.h"

enum { GREEN_BUTTON_ROOM = 256 };

/* history_s: how far back it reaches, 0 for no limit. Errors: a grant without a counterpart, or
 * grants of several granularities, which one IntervalDuration cannot say. */
outcome_status green_button_write(const scope *granted, int64_t history_s,
                                  char text[GREEN_BUTTON_ROOM], outcome *out);

/* Errors: malformed, unknown parameters, blocks without a counterpart, no block at all. Of several
 * interval durations the finest counts. */
outcome_status green_button_read(const char *text, size_t length, scope *granted,
                                 int64_t *history_s, outcome *out);

#endif
