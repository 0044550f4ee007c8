/*
 * The outbox's way to the transport: one message at a time, repeated after a
 * pause where the network refuses it for now, and written back as sent or
 * failed. The inbox's way back: a message is taken off the transport only when
 * the database has it.
 */
#include "sms.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FETCH_ROWS = 100, TICK_MS = 2000, FETCH_EVERY_TICKS = 15, ATTEMPTS = 3 };

struct outgoing {
	struct outgoing *next;
	int64_t id;
	int attempts;
	char *phone, *body;
	bool settled; /* its state is on its way to the database */
};

/* A message whose storing is under way. */
struct incoming {
	struct sms *sms;
	unsigned slot;
};

struct sms {
	struct control *control;
	const struct log *log;
	struct sms_transport *transport; /* NULL: not there yet */
	struct event *tick;
	struct outgoing *first, **end;
	int64_t under_way; /* 0: the transport has none of ours */
	unsigned ticks;
	bool fetching, fetch_again;
	bool resting; /* after a refusal, until the next tick */
};

static struct outgoing *find(struct sms *sms, int64_t id)
{
	struct outgoing *at = sms->first;

	while (at && at->id != id)
		at = at->next;
	return at;
}

static void forget(struct sms *sms, struct outgoing *gone)
{
	struct outgoing **at = &sms->first;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	if (!gone->next)
		sms->end = at;
	free(gone->phone);
	free(gone->body);
	free(gone);
}

/* Hands the first message that waits to the transport. */
static void send_next(struct sms *sms)
{
	struct outgoing *at = sms->first;

	while (at && at->settled)
		at = at->next;
	if (!at || sms->under_way != 0 || sms->resting || !sms->transport)
		return;
	sms->under_way = at->id;
	if (!sms->transport->send(sms->transport, at->id, at->phone, at->body))
		sms->under_way = 0;
}

/* The database knows its state: a fetch will not bring it again. */
static void on_written(void *context, const PGresult *result)
{
	struct sms *sms = context;
	struct outgoing *at = sms->first;

	(void)result;
	/* States are written in their order. */
	while (at && !at->settled)
		at = at->next;
	if (at)
		forget(sms, at);
}

static void write_state(struct sms *sms, struct outgoing *message, const char *state, int reference,
                        const char *detail)
{
	char id[24], number[16];
	const char *values[] = {id, state, reference >= 0 ? number : NULL, detail};

	snprintf(id, sizeof(id), "%" PRId64, message->id);
	snprintf(number, sizeof(number), "%d", reference);
	message->settled = control_push(sms->control, "SELECT smarthg.bridge_sms_state($1, $2, $3, $4)",
	                                4, values, on_written, sms);
}

static void on_sent(void *context, int64_t id, enum sms_result result, int reference,
                    const char *detail)
{
	struct sms *sms = context;
	struct outgoing *message = find(sms, id);

	log_line(sms->log, result == SMS_SENT ? LOG_INFO : LOG_WARNING,
	         result == SMS_SENT ? "short message sent" : "short message not sent",
	         "sms_id=%" PRId64 " detail=\"%s\"", id, detail ? detail : "");
	sms->under_way = 0;
	if (!message)
		return;
	if (result == SMS_SENT)
		write_state(sms, message, "sent", reference, NULL);
	else if (result == SMS_NEVER || ++message->attempts >= ATTEMPTS)
		write_state(sms, message, "failed", -1, detail);
	else
		sms->resting = true;
}

static void on_ready(void *context)
{
	send_next(context);
}

static void on_stored(void *context, const PGresult *result)
{
	struct incoming *incoming = context;
	struct sms *sms = incoming->sms;

	if (database_succeeded(result) && sms->transport)
		sms->transport->stored(sms->transport, incoming->slot);
	free(incoming);
}

static void on_received(void *context, unsigned slot, const char *phone, const char *text,
                        int64_t sent_ms)
{
	struct sms *sms = context;
	struct incoming *incoming = calloc(1, sizeof(*incoming));
	char at[32];
	const char *values[] = {phone, text, sent_ms > 0 ? at : NULL};

	snprintf(at, sizeof(at), "%" PRId64, sent_ms / 1000);
	log_line(sms->log, LOG_INFO, "short message received", "phone=\"%s\"", phone);
	if (!incoming)
		return;
	*incoming = (struct incoming){sms, slot};
	if (!control_push(sms->control,
	                  "SELECT smarthg.bridge_sms_received($1, $2, to_timestamp($3::float8))", 3,
	                  values, on_stored, incoming))
		free(incoming);
}

static void on_reported(void *context, int reference, bool delivered)
{
	struct sms *sms = context;
	char number[16];
	const char *values[] = {number, delivered ? "t" : "f"};

	snprintf(number, sizeof(number), "%d", reference);
	control_push(sms->control, "SELECT smarthg.bridge_sms_report($1, $2)", 2, values, NULL, NULL);
}

static void take_row(struct sms *sms, const PGresult *result, int row)
{
	int64_t id = strtoll(PQgetvalue(result, row, 0), NULL, 10);
	struct outgoing *message;

	if (find(sms, id))
		return;
	message = calloc(1, sizeof(*message));
	if (!message)
		return;
	message->id = id;
	message->phone = strdup(PQgetvalue(result, row, 1));
	message->body = strdup(PQgetvalue(result, row, 2));
	*sms->end = message;
	sms->end = &message->next;
	if (!message->phone || !message->body)
		forget(sms, message);
}

static void on_rows(void *context, const PGresult *result)
{
	struct sms *sms = context;

	sms->fetching = false;
	if (database_succeeded(result))
		for (int row = 0; row < PQntuples(result); row++)
			take_row(sms, result, row);
	if (sms->fetch_again)
		sms_fetch(sms);
	send_next(sms);
}

void sms_fetch(struct sms *sms)
{
	char rows[16];
	const char *values[] = {rows};

	sms->fetch_again = sms->fetching;
	if (sms->fetching)
		return;
	snprintf(rows, sizeof(rows), "%d", FETCH_ROWS);
	sms->fetching =
	    control_push(sms->control, "SELECT sms_id, phone, body FROM smarthg.bridge_sms_pending($1)",
	                 1, values, on_rows, sms);
}

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct sms *sms = context;

	(void)socket;
	(void)what;
	sms->resting = false;
	if (++sms->ticks % FETCH_EVERY_TICKS == 0)
		sms_fetch(sms);
	send_next(sms);
}

struct sms *sms_new(struct event_base *base, struct control *control, const struct log *log)
{
	struct sms *sms = calloc(1, sizeof(*sms));
	struct timeval every = {.tv_sec = TICK_MS / 1000, .tv_usec = TICK_MS % 1000 * 1000};

	if (!sms)
		return NULL;
	sms->control = control;
	sms->log = log;
	sms->end = &sms->first;
	sms->tick = event_new(base, -1, EV_PERSIST, on_tick, sms);
	if (!sms->tick) {
		free(sms);
		return NULL;
	}
	event_add(sms->tick, &every);
	return sms;
}

void sms_free(struct sms *sms)
{
	if (!sms)
		return;
	if (sms->transport)
		sms->transport->free(sms->transport);
	event_free(sms->tick);
	while (sms->first)
		forget(sms, sms->first);
	free(sms);
}

struct sms_events sms_events_of(struct sms *sms)
{
	return (struct sms_events){sms, on_ready, on_sent, on_received, on_reported};
}

void sms_use(struct sms *sms, struct sms_transport *transport)
{
	sms->transport = transport;
}
