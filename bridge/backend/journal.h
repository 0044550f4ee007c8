/*
 * The book of sessions, presence and security events, as rows. Security events
 * are limited for each source, so that an attacker can fill neither the queue
 * nor the table.
 */
#ifndef SMARTHG_BRIDGE_JOURNAL_H
#define SMARTHG_BRIDGE_JOURNAL_H

#include <stdint.h>

#include "../codec/reading.h"
#include "control.h"

struct journal;

/* control must outlive the journal. NULL: no memory. */
struct journal *journal_new(struct control *control, const struct log *log);
void journal_free(struct journal *journal);

void journal_session_opened(struct journal *journal, int64_t gateway_id, uint32_t session,
                            const char *peer, bool secured, bool resumed);
void journal_session_closed(struct journal *journal, int64_t gateway_id, uint32_t session,
                            const char *reason);
/* at_ms: since 1970. */
void journal_presence(struct journal *journal, int64_t gateway_id, bool online, int64_t at_ms,
                      const char *reason);
/* peer is "address:port"; its address is the source. steady_ms: a clock that never goes back. */
void journal_security(struct journal *journal, uint64_t eui64, const char *peer, const char *event,
                      const char *detail, int64_t steady_ms);
/* A gateway heard a replay of a meter's telegram; the gateway is the source. */
void journal_replay(struct journal *journal, uint64_t eui64, const struct meter_counter *counter,
                    int64_t steady_ms);

#endif
