/*
 * Messages of mirrors from smarthg.bridge_mirror_requests to REQUEST payloads.
 */
#include "mirrors.h"

#include <event2/event.h>
#include <stdlib.h>

#include "../codec/reading.h"
#include "../codec/zcl_mirror.h"
#include "../core/clock.h"

enum {
	TICK_MS = 250,
	FETCH_EVERY_MS = 30000, /* should a notification have been missed */
	FETCH_ROWS = 1000,
	PROFILE_SMART_ENERGY = 0x0109,
	PAYLOAD_SIZE = REQUEST_HEAD_SIZE + ZCL_ADDRESS_SIZE + ZCL_MIRROR_FRAME_SIZE,
};

struct mirrors {
	struct control *control;
	struct requests *requests;
	struct event *tick;
	bool fetching, fetch_again;
	int64_t fetched_at_ms; /* steady */
};

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct mirrors *mirrors = context;

	(void)socket;
	(void)what;
	if (clock_steady_ms() - mirrors->fetched_at_ms >= FETCH_EVERY_MS)
		mirrors_fetch(mirrors);
	requests_advance(mirrors->requests);
}

/* The REQUEST of a row; false where its device is no EUI-64. */
static bool write_payload(struct writer *payload, int64_t id, const PGresult *result, int row)
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
	char *end;

	device.device = strtoull(PQgetvalue(result, row, 2), &end, 16);
	request_write(payload, (uint64_t)id, METHOD_ZCL);
	zcl_address_write(payload, &device);
	zcl_mirror_write(payload, &mirror, (uint8_t)id);
	return !payload->broken && *end == '\0' && end > PQgetvalue(result, row, 2);
}

static void take_row(struct mirrors *mirrors, const PGresult *result, int row)
{
	int64_t id = strtoll(PQgetvalue(result, row, 0), NULL, 10);
	int64_t gateway_id = strtoll(PQgetvalue(result, row, 1), NULL, 10);
	uint8_t bytes[PAYLOAD_SIZE];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	if (requests_has(mirrors->requests, id))
		return;
	if (write_payload(&payload, id, result, row))
		requests_add(mirrors->requests, id, gateway_id, 0, bytes, payload.at);
	else
		requests_refuse(mirrors->requests, id, gateway_id, "the device's address is no EUI-64");
}

static bool listed(const void *context, int64_t id)
{
	const PGresult *result = context;

	for (int row = 0; row < PQntuples(result); row++)
		if (strtoll(PQgetvalue(result, row, 0), NULL, 10) == id)
			return true;
	return false;
}

static void on_rows(void *context, const PGresult *result)
{
	struct mirrors *mirrors = context;

	mirrors->fetching = false;
	if (database_succeeded(result)) {
		/* What it does not list any more was superseded or expired there, or its gateway is gone,
		 * or others go first: it is not sent again, and comes back in its turn. */
		requests_drop_others(mirrors->requests, listed, result);
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
	requests_response(mirrors->requests, gateway_id, response);
}

struct mirrors *mirrors_new(struct event_base *base, struct control *control,
                            const struct mirrors_options *options)
{
	struct mirrors *mirrors = calloc(1, sizeof(*mirrors));
	struct requests_options requests = {
	    .method = METHOD_ZCL,
	    .name = "mirror message",
	    .id_name = "request_id",
	    .write_state = "SELECT smarthg.bridge_mirror_state($1, $2, $3)",
	    .answer_ms = options->answer_ms,
	    .context = options->context,
	    .send = options->send,
	    .log = options->log,
	};
	struct timeval every = {.tv_usec = TICK_MS * 1000};

	if (!mirrors)
		return NULL;
	mirrors->control = control;
	mirrors->requests = requests_new(control, &requests);
	mirrors->fetched_at_ms = clock_steady_ms();
	mirrors->tick = event_new(base, -1, EV_PERSIST, on_tick, mirrors);
	if (!mirrors->requests || !mirrors->tick || event_add(mirrors->tick, &every) != 0) {
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
	requests_free(mirrors->requests);
	free(mirrors);
}

void mirrors_reconfigure(struct mirrors *mirrors, int64_t answer_ms)
{
	requests_reconfigure(mirrors->requests, answer_ms, 0);
}
