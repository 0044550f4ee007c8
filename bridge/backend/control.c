/*
 * The queue of small statements over one database connection; see the header.
 * Statements wait one by one, and are joined when they are sent: so the queue
 * stays what it was should the connection be lost or the joined call fail.
 */
#include "control.h"

#include <stdlib.h>
#include <string.h>

enum { JOINED_LIMIT = 500 };

struct queued {
	struct queued *next;
	const char *sql;
	bool joins; /* takes arrays, with an element for each of the statements joined */
	char *values[CONTROL_PARAMETERS];
	int parameters;
	statement_done done;
	void *context;
};

struct control {
	struct database *database;
	struct control_handlers handlers;
	const struct log *log;
	const char *const *channels;
	bool watched;     /* the server looks whether this connection is still there */
	size_t listening; /* how many channels this connection listens on */
	struct queued *first, **end;
	size_t sent;   /* of the first ones, joined in the statement under way */
	size_t singly; /* of the first ones, not to be joined: together they failed */
	size_t waiting, memory;
};

static void free_queued(struct queued *queued)
{
	for (int i = 0; i < queued->parameters; i++)
		free(queued->values[i]);
	free(queued);
}

static size_t size_of(const struct queued *queued)
{
	size_t size = sizeof(*queued);

	for (int i = 0; i < queued->parameters; i++)
		size += queued->values[i] ? strlen(queued->values[i]) + 1 : 0;
	return size;
}

/* Counts bytes of the queue that came or went. */
static void hold(struct control *control, size_t came, size_t went)
{
	size_t before = control->memory;

	control->memory = before + came - went;
	control->handlers.memory(control->handlers.context, before, control->memory);
}

static void settle_first(struct control *control, const PGresult *result)
{
	struct queued *queued = control->first;

	control->first = queued->next;
	if (!control->first)
		control->end = &control->first;
	control->waiting--;
	if (control->singly > 0)
		control->singly--;
	if (queued->done)
		queued->done(queued->context, result);
	hold(control, 0, size_of(queued));
	free_queued(queued);
}

static void on_answer(void *context, const PGresult *result)
{
	struct control *control = context;

	if (!result)
		return; /* the connection was lost: they stay first */
	if (!database_succeeded(result)) {
		log_line(control->log, LOG_ERROR, "statement failed", "sql=\"%s\" error=\"%s\"",
		         control->first->sql, PQresultErrorMessage(result));
		if (control->sent > 1) {
			control->singly = control->sent;
			return;
		}
	}
	for (size_t left = control->sent; left > 0; left--)
		settle_first(control, result);
}

static void on_watched(void *context, const PGresult *result)
{
	struct control *control = context;

	control->watched = result != NULL; /* a server that cannot do without */
}

static void on_listening(void *context, const PGresult *result)
{
	struct control *control = context;

	if (!result)
		return;
	if (!database_succeeded(result))
		log_line(control->log, LOG_ERROR, "cannot listen", "channel=%s error=\"%s\"",
		         control->channels[control->listening], PQresultErrorMessage(result));
	control->listening++;
	if (!control->channels[control->listening])
		control->handlers.connected(control->handlers.context);
}

/* How many from the first one on go together. */
static size_t count_joined(const struct control *control)
{
	const struct queued *queued = control->first;
	size_t count = 1, limit = control->singly > 0 || !queued->joins ? 1 : JOINED_LIMIT;

	for (; count < limit && queued->next; count++) {
		if (!queued->next->joins || queued->next->sql != queued->sql)
			break;
		queued = queued->next;
	}
	return count;
}

/* One parameter of the first statements as an array's text; NULL: no memory. */
static char *join_values(const struct queued *first, size_t count, int parameter)
{
	const struct queued *queued = first;
	size_t size = 3;

	for (size_t i = 0; i < count; i++, queued = queued->next)
		size += queued->values[parameter] ? 2 * strlen(queued->values[parameter]) + 3 : 5;
	char *text = malloc(size), *to = text;
	if (!text)
		return NULL;
	queued = first;
	for (size_t i = 0; i < count; i++, queued = queued->next) {
		const char *from = queued->values[parameter];

		*to++ = i == 0 ? '{' : ',';
		if (!from) {
			memcpy(to, "NULL", 4);
			to += 4;
			continue;
		}
		*to++ = '"';
		for (; *from; *to++ = *from++)
			if (*from == '"' || *from == '\\')
				*to++ = '\\';
		*to++ = '"';
	}
	*to++ = '}';
	*to = '\0';
	return text;
}

/* Sends the first statement, and those after it that can be joined to it. */
static void send_first(struct control *control)
{
	const struct queued *first = control->first;
	char *joined[CONTROL_PARAMETERS] = {NULL};
	struct statement statement = {
	    .sql = first->sql,
	    .parameters = first->parameters,
	    .values = (const char *const *)(first->joins ? joined : first->values),
	};
	bool whole = true;

	control->sent = count_joined(control);
	for (int i = 0; first->joins && i < first->parameters; i++) {
		joined[i] = join_values(first, control->sent, i);
		whole = whole && joined[i];
	}
	if (whole)
		database_send(control->database, &statement, on_answer, control);
	else
		log_line(control->log, LOG_ERROR, "statements wait", "reason=\"out of memory\"");
	for (int i = 0; i < CONTROL_PARAMETERS; i++)
		free(joined[i]);
}

static void on_idle(void *context)
{
	struct control *control = context;

	if (!control->watched) {
		/* A small statement that waits for a lock would outlast its connection, and those sent
		 * again after it, until the server has no connections left. */
		struct statement watch = {.sql = "SET client_connection_check_interval = '2 s'"};

		database_send(control->database, &watch, on_watched, control);
	} else if (control->channels[control->listening]) {
		char listen[100];
		struct statement statement = {.sql = listen};

		snprintf(listen, sizeof(listen), "LISTEN %s", control->channels[control->listening]);
		database_send(control->database, &statement, on_listening, control);
	} else if (control->first) {
		send_first(control);
	}
}

static void on_connected(void *context)
{
	struct control *control = context;

	control->watched = false;
	control->listening = 0;
}

static void on_notified(void *context, const char *channel)
{
	struct control *control = context;

	control->handlers.notified(control->handlers.context, channel);
}

struct control *control_new(struct event_base *base, const char *conninfo,
                            const char *const *channels, const struct control_handlers *handlers,
                            const struct log *log)
{
	struct control *control = calloc(1, sizeof(*control));
	struct database_handlers own = {control, on_idle, on_connected, on_notified};

	if (!control)
		return NULL;
	control->handlers = *handlers;
	control->log = log;
	control->channels = channels;
	control->end = &control->first;
	control->database = database_new(base, conninfo, "control", &own, log);
	if (!control->database) {
		free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	database_free(control->database);
	for (struct queued *queued = control->first, *next; queued; queued = next) {
		next = queued->next;
		free_queued(queued);
	}
	free(control);
}

static bool push(struct control *control, struct queued *queued, int parameters,
                 const char *const *values)
{
	for (; queued->parameters < parameters; queued->parameters++) {
		const char *value = values[queued->parameters];

		queued->values[queued->parameters] = value ? strdup(value) : NULL;
		if (value && !queued->values[queued->parameters]) {
			free_queued(queued);
			return false;
		}
	}
	*control->end = queued;
	control->end = &queued->next;
	control->waiting++;
	hold(control, size_of(queued), 0);
	if (database_ready(control->database))
		on_idle(control);
	return true;
}

bool control_push(struct control *control, const char *sql, int parameters,
                  const char *const *values, statement_done done, void *context)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	if (!queued)
		return false;
	queued->sql = sql;
	queued->done = done;
	queued->context = context;
	return push(control, queued, parameters, values);
}

bool control_push_joined(struct control *control, const char *sql, int parameters,
                         const char *const *values)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	if (!queued)
		return false;
	queued->sql = sql;
	queued->joins = true;
	return push(control, queued, parameters, values);
}

bool control_connected(const struct control *control)
{
	return database_connected(control->database);
}

size_t control_waiting(const struct control *control)
{
	return control->waiting;
}
