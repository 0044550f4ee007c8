/*
 * Statements for smarthg.bridge_journal and bridge_security_event, between
 * core/hosts and the control connection. When thousands of gateways come or go
 * at once, their lines of the journal are written many in one call.
 */
#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	SOURCES = 1024,      /* buckets; sources that share one share its allowance */
	BURST = 20,          /* security events of one source at once */
	REFILL_MS = 1000,    /* one more each */
	QUEUE_LIMIT = 20000, /* no security events on top of this many statements */
};

struct journal {
	struct control *control;
	const struct log *log;
	struct source {
		int64_t at_ms;
		unsigned spent;
		unsigned suppressed;
	} sources[SOURCES];
};

struct journal *journal_new(struct control *control, const struct log *log)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal) {
		journal->control = control;
		journal->log = log;
	}
	return journal;
}

void journal_free(struct journal *journal)
{
	free(journal);
}

static void check_pushed(const struct journal *journal, bool pushed)
{
	if (!pushed)
		log_line(journal->log, LOG_ERROR, "event not recorded", "reason=\"out of memory\"");
}

/* session, secured and at_ms: NULL where the event has none. */
static void write_line(struct journal *journal, const char *event, int64_t gateway_id,
                       const uint32_t *session, const bool *secured, const int64_t *at_ms,
                       const char *detail)
{
	static const char sql[] = "SELECT smarthg.bridge_journal($1, $2, $3, $4, $5, $6)";
	char gateway[24], number[16], ms[24];
	const char *values[] = {event,
	                        gateway,
	                        session ? number : NULL,
	                        secured ? (*secured ? "t" : "f") : NULL,
	                        at_ms ? ms : NULL,
	                        detail};

	snprintf(gateway, sizeof(gateway), "%" PRId64, gateway_id);
	if (session)
		snprintf(number, sizeof(number), "%" PRIu32, *session);
	if (at_ms)
		snprintf(ms, sizeof(ms), "%" PRId64, *at_ms);
	check_pushed(journal, control_push_joined(journal->control, sql, 6, values));
}

void journal_session_opened(struct journal *journal, int64_t gateway_id, uint32_t session,
                            const char *peer, bool secured, bool resumed)
{
	write_line(journal, resumed ? "resumed" : "opened", gateway_id, &session, &secured, NULL, peer);
}

void journal_session_closed(struct journal *journal, int64_t gateway_id, uint32_t session,
                            const char *reason)
{
	write_line(journal, "closed", gateway_id, &session, NULL, NULL, reason);
}

void journal_presence(struct journal *journal, int64_t gateway_id, bool online, int64_t at_ms,
                      const char *reason)
{
	write_line(journal, online ? "online" : "offline", gateway_id, NULL, NULL, &at_ms, reason);
}

/* The allowance of the peer's address, by a hash of it (FNV-1a). */
static struct source *source_of(struct journal *journal, const char *peer)
{
	const char *port = strrchr(peer, ':');
	uint32_t hash = 2166136261u;

	for (const char *at = peer; *at && at != port; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	return &journal->sources[hash % SOURCES];
}

/* That of a gateway which is honest itself. */
static struct source *source_of_gateway(struct journal *journal, uint64_t eui64)
{
	return &journal->sources[(eui64 * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SOURCES];
}

static bool allowed(struct journal *journal, struct source *source, int64_t steady_ms)
{
	int64_t refilled = (steady_ms - source->at_ms) / REFILL_MS;

	if (refilled > 0) {
		source->spent = source->spent > refilled ? source->spent - (unsigned)refilled : 0;
		source->at_ms = steady_ms;
	}
	if (source->spent >= BURST || control_waiting(journal->control) >= QUEUE_LIMIT) {
		source->suppressed++;
		return false;
	}
	source->spent++;
	return true;
}

static void push_security(struct journal *journal, struct source *source, uint64_t eui64,
                          const char *peer, const char *event, const char *detail,
                          int64_t steady_ms)
{
	char eui64_text[20], text[300];
	const char *values[] = {eui64_text, peer, event, text};

	if (!allowed(journal, source, steady_ms))
		return;
	snprintf(eui64_text, sizeof(eui64_text), "\\x%016" PRIx64, eui64);
	if (source->suppressed > 0)
		snprintf(text, sizeof(text), "%s (%u earlier events of this source not recorded)", detail,
		         source->suppressed);
	else
		snprintf(text, sizeof(text), "%s", detail);
	source->suppressed = 0;
	check_pushed(journal, control_push(journal->control,
	                                   "SELECT smarthg.bridge_security_event($1, $2, $3, $4)", 4,
	                                   values, NULL, NULL));
}

void journal_security(struct journal *journal, uint64_t eui64, const char *peer, const char *event,
                      const char *detail, int64_t steady_ms)
{
	push_security(journal, source_of(journal, peer), eui64, peer, event, detail, steady_ms);
}

void journal_replay(struct journal *journal, uint64_t eui64, const struct meter_counter *counter,
                    int64_t steady_ms)
{
	struct cursor device = cursor_over(counter->device, MBUS_DEVICE_SIZE);
	char detail[100];

	snprintf(detail, sizeof(detail), "meter %016" PRIx64 ", %s %" PRIu32, cursor_u64(&device),
	         counter->kind == COUNTER_MESSAGE ? "message" : "session", counter->value);
	push_security(journal, source_of_gateway(journal, eui64), eui64, NULL, "replayed_telegram",
	              detail, steady_ms);
}
