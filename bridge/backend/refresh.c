/*
 * The periodic call of smarthg.refresh_interval_energy (DESIGN.md section 6).
 */
#include "refresh.h"

#include <event2/event.h>
#include <stdlib.h>

struct refresh {
	struct database *database;
	struct event *timer;
	const struct log *log;
	bool wanted;
};

static void on_done(void *context, const PGresult *result)
{
	struct refresh *refresh = context;

	if (database_succeeded(result)) {
		/* NULL: another session is at it, and may not see what we have committed. */
		if (PQntuples(result) == 1 && PQgetisnull(result, 0, 0))
			refresh->wanted = true;
		return;
	}
	refresh->wanted = true;
	if (result)
		log_line(refresh->log, LOG_ERROR, "interval energy not refreshed", "error=\"%s\"",
		         PQresultErrorMessage(result));
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct refresh *refresh = context;
	struct statement statement = {.sql = "SELECT smarthg.refresh_interval_energy()",
	                              .lengthy = true};

	(void)socket;
	(void)what;
	if (!refresh->wanted || !database_ready(refresh->database))
		return;
	refresh->wanted = false;
	if (!database_send(refresh->database, &statement, on_done, refresh))
		refresh->wanted = true;
}

static void on_idle(void *context)
{
	(void)context;
}

struct refresh *refresh_new(struct event_base *base, const char *conninfo, int every_ms,
                            const struct log *log)
{
	struct refresh *refresh = calloc(1, sizeof(*refresh));
	struct timeval every = {.tv_sec = every_ms / 1000, .tv_usec = every_ms % 1000 * 1000};
	struct database_handlers handlers = {.context = refresh, .idle = on_idle};

	if (!refresh)
		return NULL;
	refresh->log = log;
	refresh->wanted = true; /* what an earlier run left undone */
	refresh->timer = event_new(base, -1, EV_PERSIST, on_timer, refresh);
	refresh->database = database_new(base, conninfo, "refresh", &handlers, log);
	if (!refresh->timer || !refresh->database) {
		refresh_free(refresh);
		return NULL;
	}
	event_add(refresh->timer, &every);
	return refresh;
}

void refresh_free(struct refresh *refresh)
{
	if (!refresh)
		return;
	database_free(refresh->database);
	if (refresh->timer)
		event_free(refresh->timer);
	free(refresh);
}

void refresh_wanted(struct refresh *refresh)
{
	refresh->wanted = true;
}
