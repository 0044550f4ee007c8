/*
 * Messages of mirrors between smarthg.bridge_mirror_requests and the gateways.
 * The request id is that of the row, so that an answer is matched even after a
 * restart of the bridge. They are few: a list will do.
 */
#include "mirrors.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "../codec/reading.h"
#include "../codec/zcl_mirror.h"
#include "../core/clock.h"

enum {
	TICK_MS = 250,
	FETCH_EVERY_MS = 30000, /* should a notification have been missed */
	FETCH_ROWS = 1000,
	ATTEMPTS = 3,
	PROFILE_SMART_ENERGY = 0x0109,
	PAYLOAD_SIZE = REQUEST_HEAD_SIZE + ZCL_ADDRESS_SIZE + ZCL_MIRROR_FRAME_SIZE,
};

struct message {
	struct message *next;
	struct mirrors *mirrors;
	unsigned reports; /* states on their way to the database */
	bool settled;
	int64_t id, gateway_id;
	int attempts;
	int64_t sent_at_ms; /* steady */
	uint8_t payload[PAYLOAD_SIZE];
	size_t size;
};

struct mirrors {
	struct control *control;
	struct mirrors_options options;
	struct event *tick;
	struct message *first;
	size_t count;
	bool fetching, fetch_again;
	int64_t fetched_at_ms; /* steady */
};

static struct message **find(struct mirrors *mirrors, int64_t id)
{
	struct message **at = &mirrors->first;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* A settled one is forgotten when the database knows, lest a fetch under way bring it back. */
static void on_reported(void *context, const PGresult *result)
{
	struct message *message = context;

	(void)result;
	message->reports--;
	if (!message->settled || message->reports > 0)
		return;
	*find(message->mirrors, message->id) = message->next;
	message->mirrors->count--;
	free(message);
}

static void write_state(struct message *message, const char *state, const char *detail)
{
	char id[24];
	const char *values[] = {id, state, detail};

	log_line(message->mirrors->options.log, LOG_INFO, "mirror message",
	         "request_id=%" PRId64 " gateway_id=%" PRId64 " state=%s detail=\"%s\"", message->id,
	         message->gateway_id, state, detail ? detail : "");
	snprintf(id, sizeof(id), "%" PRId64, message->id);
	if (control_push(message->mirrors->control, "SELECT smarthg.bridge_mirror_state($1, $2, $3)", 3,
	                 values, on_reported, message))
		message->reports++;
}

static void settle(struct message *message, const char *state, const char *detail)
{
	message->settled = true;
	write_state(message, state, detail);
}

/* Sends it, again where no answer came in time, and gives up after some attempts. One whose gateway
 * is not connected waits: the database lets it expire. */
static void advance(struct message *message, int64_t now_ms)
{
	const struct mirrors_options *options = &message->mirrors->options;

	if (message->settled ||
	    (message->attempts > 0 && now_ms - message->sent_at_ms < options->answer_ms))
		return;
	if (message->attempts == ATTEMPTS) {
		settle(message, "failed", "gateway did not answer");
		return;
	}
	if (!options->send(options->context, message->gateway_id, message->payload, message->size))
		return;
	message->sent_at_ms = now_ms;
	if (message->attempts++ == 0)
		write_state(message, "sent", NULL);
}

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct mirrors *mirrors = context;
	int64_t now_ms = clock_steady_ms();

	(void)socket;
	(void)what;
	if (now_ms - mirrors->fetched_at_ms >= FETCH_EVERY_MS)
		mirrors_fetch(mirrors);
	for (struct message *message = mirrors->first; message; message = message->next)
		advance(message, now_ms);
}

/* The REQUEST of a row; false where its device is no EUI-64. */
static bool write_payload(struct message *message, const PGresult *result, int row)
{
	struct zcl_address device = {
	    .endpoint = (uint8_t)strtoul(PQgetvalue(result, row, 3), NULL, 10),
	    .profile = PROFILE_SMART_ENERGY,
	    .cluster = ZCL_METERING,
	};
	struct zcl_mirror mirror = {
	    .command = strcmp(PQgetvalue(result, row, 4), "response") == 0 ? ZCL_MIRROR_RESPONSE
	                                                                   : ZCL_MIRROR_REMOVED,
	    .endpoint = (uint16_t)strtoul(PQgetvalue(result, row, 5), NULL, 10),
	};
	struct writer payload = writer_over(message->payload, sizeof(message->payload));
	char *end;

	device.device = strtoull(PQgetvalue(result, row, 2), &end, 16);
	request_write(&payload, (uint64_t)message->id, METHOD_ZCL);
	zcl_address_write(&payload, &device);
	zcl_mirror_write(&payload, &mirror, (uint8_t)message->id);
	message->size = payload.at;
	return !payload.broken && *end == '\0' && end > PQgetvalue(result, row, 2);
}

static void take_row(struct mirrors *mirrors, const PGresult *result, int row)
{
	int64_t id = strtoll(PQgetvalue(result, row, 0), NULL, 10);
	struct message **at = find(mirrors, id), *message;

	if (*at)
		return;
	message = calloc(1, sizeof(*message));
	if (!message)
		return;
	message->mirrors = mirrors;
	message->id = id;
	message->gateway_id = strtoll(PQgetvalue(result, row, 1), NULL, 10);
	*at = message;
	mirrors->count++;
	if (write_payload(message, result, row))
		advance(message, clock_steady_ms());
	else
		settle(message, "failed", "the device's address is no EUI-64");
}

static bool listed(const PGresult *result, int64_t id)
{
	for (int row = 0; row < PQntuples(result); row++)
		if (strtoll(PQgetvalue(result, row, 0), NULL, 10) == id)
			return true;
	return false;
}

/* What the database does not list any more was superseded or expired there, or its gateway is gone,
 * or others go first: it is not sent again, and comes back in its turn. */
static void drop_others(struct mirrors *mirrors, const PGresult *result)
{
	struct message **at = &mirrors->first;

	while (*at) {
		struct message *message = *at;

		if (message->settled || message->reports > 0 || listed(result, message->id)) {
			at = &message->next;
			continue;
		}
		*at = message->next;
		mirrors->count--;
		free(message);
	}
}

static void on_rows(void *context, const PGresult *result)
{
	struct mirrors *mirrors = context;

	mirrors->fetching = false;
	if (database_succeeded(result)) {
		drop_others(mirrors, result);
		for (int row = 0; row < PQntuples(result); row++)
			take_row(mirrors, result, row);
	}
	if (mirrors->fetch_again)
		mirrors_fetch(mirrors);
}

void mirrors_fetch(struct mirrors *mirrors)
{
	char rows[16];
	const char *values[] = {rows};

	mirrors->fetch_again = mirrors->fetching;
	if (mirrors->fetching)
		return;
	mirrors->fetched_at_ms = clock_steady_ms();
	snprintf(rows, sizeof(rows), "%d", FETCH_ROWS);
	mirrors->fetching =
	    control_push(mirrors->control,
	                 "SELECT request_id, gateway_id, encode(device_address, 'hex'), "
	                 "device_endpoint, message, endpoint FROM smarthg.bridge_mirror_requests($1)",
	                 1, values, on_rows, mirrors);
}

void mirrors_response(struct mirrors *mirrors, int64_t gateway_id, const struct response *response)
{
	struct message *message = *find(mirrors, (int64_t)response->id);
	char detail[60];

	if (!message || message->settled || message->gateway_id != gateway_id ||
	    response->method != METHOD_ZCL)
		return;
	if (response->result == RESULT_OK) {
		settle(message, "acknowledged", NULL);
		return;
	}
	snprintf(detail, sizeof(detail), "gateway answered with result %u", response->result);
	settle(message, "failed", detail);
}

struct mirrors *mirrors_new(struct event_base *base, struct control *control,
                            const struct mirrors_options *options)
{
	struct mirrors *mirrors = calloc(1, sizeof(*mirrors));
	struct timeval every = {.tv_usec = TICK_MS * 1000};

	if (!mirrors)
		return NULL;
	mirrors->control = control;
	mirrors->options = *options;
	mirrors->fetched_at_ms = clock_steady_ms();
	mirrors->tick = event_new(base, -1, EV_PERSIST, on_tick, mirrors);
	if (!mirrors->tick || event_add(mirrors->tick, &every) != 0) {
		mirrors_free(mirrors);
		return NULL;
	}
	return mirrors;
}

void mirrors_free(struct mirrors *mirrors)
{
	if (!mirrors)
		return;
	if (mirrors->tick)
		event_free(mirrors->tick);
	for (struct message *message = mirrors->first, *next; message; message = next) {
		next = message->next;
		free(message);
	}
	free(mirrors);
}

void mirrors_reconfigure(struct mirrors *mirrors, int64_t answer_ms)
{
	mirrors->options.answer_ms = answer_ms;
}
