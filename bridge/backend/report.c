/*
 * The periodic call of smarthg.bridge_report. While the database is away one
 * report waits and no more are made.
 */
#include "report.h"

#include <event2/event.h>
#include <stdlib.h>

enum { JSON_SIZE = 4096 };

struct report {
	struct control *control;
	const char *name;
	struct event *timer;
	void (*collect)(void *context, struct status *out);
	void *context;
	bool waiting;
};

static void on_reported(void *context, const PGresult *result)
{
	struct report *report = context;

	(void)result;
	report->waiting = false;
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct report *report = context;
	struct status status;
	char json[JSON_SIZE];
	const char *values[] = {report->name, json};

	(void)socket;
	(void)what;
	if (report->waiting)
		return;
	report->collect(report->context, &status);
	report->waiting = status_json(&status, json, sizeof(json)) &&
	                  control_push(report->control, "SELECT smarthg.bridge_report($1, $2)", 2,
	                               values, on_reported, report);
}

struct report *report_new(struct event_base *base, struct control *control, const char *name,
                          int every_s, void (*collect)(void *context, struct status *out),
                          void *context)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->control = control;
	report->name = name;
	report->collect = collect;
	report->context = context;
	report->timer = event_new(base, -1, EV_PERSIST, on_timer, report);
	if (!report->timer) {
		report_free(report);
		return NULL;
	}
	report_reconfigure(report, every_s);
	return report;
}

void report_free(struct report *report)
{
	if (report && report->timer)
		event_free(report->timer);
	free(report);
}

void report_stopped(struct report *report)
{
	const char *values[] = {report->name};

	event_del(report->timer);
	control_push(report->control, "SELECT smarthg.bridge_stopped($1)", 1, values, NULL, NULL);
}

void report_reconfigure(struct report *report, int every_s)
{
	struct timeval every = {.tv_sec = every_s};

	event_add(report->timer, &every);
}
