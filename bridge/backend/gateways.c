/*
 * smarthg.bridge_gateways to the core's registry. Link keys pass through here
 * and are wiped from what this file allocated.
 */
#include "gateways.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "../codec/cursor.h"
#include "../core/clock.h"

enum { SOON_MS = 50, PAUSE_MS = 200, SELDOM_S = 5 };

struct gateways {
	struct control *control;
	struct gateways_handlers handlers;
	struct event *soon, *seldom;
	int64_t asked_at_ms; /* steady */
	bool reading;        /* a statement is queued */
	bool again;          /* something changed meanwhile */
	bool resting;        /* a stranger's request was served not long ago */
	bool stranger;       /* another one waits */
};

static void pass_row(struct gateways *gateways, const PGresult *result, int row)
{
	size_t key_size = 0;
	unsigned char *key =
	    PQgetisnull(result, row, 2)
	        ? NULL
	        : PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 2), &key_size);
	size_t eui64_size = 0;
	unsigned char *eui64 =
	    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 1), &eui64_size);
	struct cursor eui64_bytes = cursor_over(eui64, eui64 ? eui64_size : 0);
	struct gateway_row passed = {
	    .gateway_id = strtoll(PQgetvalue(result, row, 0), NULL, 10),
	    .eui64 = cursor_u64(&eui64_bytes),
	    .link_key = key,
	    .link_key_size = key_size,
	    .key_id = (uint32_t)strtoul(PQgetvalue(result, row, 3), NULL, 10),
	    .security_required = PQgetvalue(result, row, 4)[0] == 't',
	    .committed = strtoull(PQgetvalue(result, row, 5), NULL, 10),
	};

	if (!eui64_bytes.broken && (key || PQgetisnull(result, row, 2)))
		gateways->handlers.row(gateways->handlers.context, &passed);
	if (key)
		OPENSSL_cleanse(key, key_size);
	PQfreemem(key);
	PQfreemem(eui64);
}

static void on_rows(void *context, const PGresult *result)
{
	struct gateways *gateways = context;

	gateways->reading = false;
	if (database_succeeded(result)) {
		gateways->handlers.begin(gateways->handlers.context);
		for (int row = 0; row < PQntuples(result); row++)
			pass_row(gateways, result, row);
		gateways->handlers.end(gateways->handlers.context);
	} else {
		gateways_reload_seldom(gateways);
	}
	if (gateways->again)
		gateways_reload(gateways);
}

static void read_now(struct gateways *gateways)
{
	if (gateways->reading) {
		gateways->again = true;
		return;
	}
	gateways->again = false;
	gateways->asked_at_ms = clock_steady_ms();
	gateways->handlers.asked(gateways->handlers.context);
	gateways->reading = control_push(gateways->control,
	                                 "SELECT gateway_id, eui64, link_key, key_id, "
	                                 "security_required, committed_record_no "
	                                 "FROM smarthg.bridge_gateways()",
	                                 0, NULL, on_rows, gateways);
}

static void on_soon(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	read_now(context);
}

static void on_seldom(evutil_socket_t socket, short what, void *context)
{
	struct gateways *gateways = context;

	(void)socket;
	(void)what;
	gateways->resting = false;
	if (gateways->stranger)
		gateways_reload_seldom(gateways);
}

struct gateways *gateways_new(struct event_base *base, struct control *control,
                              const struct gateways_handlers *handlers)
{
	struct gateways *gateways = calloc(1, sizeof(*gateways));

	if (!gateways)
		return NULL;
	gateways->asked_at_ms = clock_steady_ms() - PAUSE_MS;
	gateways->control = control;
	gateways->handlers = *handlers;
	gateways->soon = evtimer_new(base, on_soon, gateways);
	gateways->seldom = evtimer_new(base, on_seldom, gateways);
	if (!gateways->soon || !gateways->seldom) {
		gateways_free(gateways);
		return NULL;
	}
	return gateways;
}

void gateways_free(struct gateways *gateways)
{
	if (!gateways)
		return;
	if (gateways->soon)
		event_free(gateways->soon);
	if (gateways->seldom)
		event_free(gateways->seldom);
	free(gateways);
}

void gateways_reload(struct gateways *gateways)
{
	int64_t left_ms = gateways->asked_at_ms + PAUSE_MS - clock_steady_ms();
	struct timeval delay = {.tv_usec = (left_ms > SOON_MS ? left_ms : SOON_MS) * 1000};

	if (!evtimer_pending(gateways->soon, NULL))
		event_add(gateways->soon, &delay);
}

void gateways_reload_seldom(struct gateways *gateways)
{
	struct timeval rest = {.tv_sec = SELDOM_S};

	gateways->stranger = gateways->resting;
	if (gateways->resting)
		return;
	gateways->resting = true;
	event_add(gateways->seldom, &rest);
	gateways_reload(gateways);
}
