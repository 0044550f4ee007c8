/*
 * libpq's asynchronous interface on libevent. The socket can change while
 * connecting, so the events are made anew at every step of that.
 *
 * A connection without an answer is closed and its statement not cancelled: a
 * server that was merely slow finishes it, so that the same statement, sent
 * again, finds it done. Cancelled, it would begin from the start each time.
 */
#include "database.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_LAST_MS = 5000 };

enum database_state { DATABASE_PAUSED, DATABASE_CONNECTING, DATABASE_IDLE, DATABASE_BUSY };

struct database {
	struct event_base *base;
	const struct log *log;
	struct database_handlers handlers;
	char *conninfo, *name;
	PGconn *connection;
	enum database_state state;
	struct event *reading, *writing, *timer;
	int pause_ms;
	int64_t limit_ms; /* of the statement that runs: the longest silence */
	statement_done done;
	void *done_context;
	PGresult *result; /* of the statement that runs: the last one, or the first error */
};

static int64_t answer_limit_ms = 60000;

static void connect_step(struct database *database);
static void start_timer(struct database *database, int64_t ms);

static void drop_events(struct database *database)
{
	if (database->reading)
		event_free(database->reading);
	if (database->writing)
		event_free(database->writing);
	database->reading = database->writing = NULL;
}

/* The connection is gone, or given up: tells the statement's owner, and tries again after a
 * pause. PQfinish does not wait, as the socket does not block. */
static void lose(struct database *database, const char *what)
{
	statement_done done = database->done;

	log_line(database->log, LOG_WARNING, what, "connection=%s pause_ms=%d error=\"%s\"",
	         database->name, database->pause_ms,
	         database->connection ? PQerrorMessage(database->connection) : "out of memory");
	drop_events(database);
	PQclear(database->result);
	database->result = NULL;
	PQfinish(database->connection);
	database->connection = NULL;
	database->state = DATABASE_PAUSED;
	database->done = NULL;
	start_timer(database, database->pause_ms);
	database->pause_ms =
	    database->pause_ms * 2 < PAUSE_LAST_MS ? database->pause_ms * 2 : PAUSE_LAST_MS;
	if (done)
		done(database->done_context, NULL);
}

static void finish_statement(struct database *database)
{
	PGresult *result = database->result;
	statement_done done = database->done;

	database->result = NULL;
	database->done = NULL;
	database->state = DATABASE_IDLE;
	event_del(database->timer);
	done(database->done_context, result);
	PQclear(result);
	if (database->state == DATABASE_IDLE)
		database->handlers.idle(database->handlers.context);
}

/* An error stands whatever follows it. */
static void keep_result(struct database *database, PGresult *result)
{
	if (database->result && !database_succeeded(database->result)) {
		PQclear(result);
		return;
	}
	PQclear(database->result);
	database->result = result;
}

static void pass_notifications(struct database *database)
{
	PGnotify *notification;

	while ((notification = PQnotifies(database->connection)) != NULL) {
		if (database->handlers.notified)
			database->handlers.notified(database->handlers.context, notification->relname);
		PQfreemem(notification);
	}
}

static void on_input(evutil_socket_t socket, short what, void *context)
{
	struct database *database = context;
	PGresult *result;

	(void)socket;
	(void)what;
	if (!PQconsumeInput(database->connection)) {
		lose(database, "database connection lost");
		return;
	}
	while (database->state == DATABASE_BUSY && !PQisBusy(database->connection)) {
		result = PQgetResult(database->connection);
		if (result)
			keep_result(database, result);
		else if (PQstatus(database->connection) == CONNECTION_BAD)
			break;
		else
			finish_statement(database);
	}
	if (!database->connection)
		return;
	/* A long answer is on its way. */
	if (database->state == DATABASE_BUSY)
		start_timer(database, database->limit_ms);
	if (PQstatus(database->connection) == CONNECTION_BAD)
		lose(database, "database connection lost");
	else
		pass_notifications(database);
}

static void flush_output(struct database *database)
{
	int left = PQflush(database->connection);

	if (left < 0)
		lose(database, "database connection lost");
	else if (left > 0)
		event_add(database->writing, NULL);
}

static void on_output(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	flush_output(context);
}

static void on_connecting(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	connect_step(context);
}

static void connection_up(struct database *database)
{
	int socket = PQsocket(database->connection);

	event_del(database->timer);
	drop_events(database);
	database->reading = event_new(database->base, socket, EV_READ | EV_PERSIST, on_input, database);
	database->writing = event_new(database->base, socket, EV_WRITE, on_output, database);
	if (!database->reading || !database->writing ||
	    PQsetnonblocking(database->connection, 1) != 0) {
		lose(database, "database connection cannot be used");
		return;
	}
	event_add(database->reading, NULL);
	database->pause_ms = PAUSE_FIRST_MS;
	database->state = DATABASE_IDLE;
	log_line(database->log, LOG_INFO, "database connected", "connection=%s", database->name);
	if (database->handlers.connected)
		database->handlers.connected(database->handlers.context);
	if (database->state == DATABASE_IDLE)
		database->handlers.idle(database->handlers.context);
}

static void connect_step(struct database *database)
{
	PostgresPollingStatusType step = PQconnectPoll(database->connection);
	short wait = step == PGRES_POLLING_WRITING ? EV_WRITE : EV_READ;

	drop_events(database);
	if (step == PGRES_POLLING_OK) {
		connection_up(database);
		return;
	}
	if (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING)
		database->reading = event_new(database->base, PQsocket(database->connection), wait,
		                              on_connecting, database);
	if (database->reading)
		event_add(database->reading, NULL);
	else
		lose(database, "database cannot be reached");
}

/* A later entry wins: the connection string over the defaults before it, UTF-8, which all texts of
 * the bridge are in, over the connection string. */
static PGconn *start_connection(const char *conninfo)
{
	static const char *const keywords[] = {"keepalives_idle",  "keepalives_interval",
	                                       "keepalives_count", "tcp_user_timeout",
	                                       "connect_timeout",  "dbname",
	                                       "client_encoding",  NULL};
	const char *const values[] = {"10", "5", "3", "20000", "10", conninfo, "UTF8", NULL};

	return PQconnectStartParams(keywords, values, 1);
}

/* connect_timeout, which libpq leaves to the caller of PQconnectPoll; without one that of an
 * answer. */
static int64_t connect_limit_ms(PGconn *connection)
{
	PQconninfoOption *options = PQconninfo(connection);
	int limit_s = 0;

	for (PQconninfoOption *at = options; at && at->keyword; at++)
		if (strcmp(at->keyword, "connect_timeout") == 0 && at->val)
			limit_s = atoi(at->val);
	PQconninfoFree(options);
	return limit_s > 0 ? limit_s * INT64_C(1000) : answer_limit_ms;
}

static void begin_connecting(struct database *database)
{
	database->connection = start_connection(database->conninfo);
	if (!database->connection || PQstatus(database->connection) == CONNECTION_BAD) {
		lose(database, "database cannot be reached");
		return;
	}
	database->state = DATABASE_CONNECTING;
	start_timer(database, connect_limit_ms(database->connection));
	/* libpq: behave as if PQconnectPoll had last returned PGRES_POLLING_WRITING. */
	database->reading = event_new(database->base, PQsocket(database->connection), EV_WRITE,
	                              on_connecting, database);
	if (database->reading)
		event_add(database->reading, NULL);
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct database *database = context;

	(void)socket;
	(void)what;
	if (database->state == DATABASE_CONNECTING || database->state == DATABASE_BUSY)
		lose(database, "database does not answer");
	else if (database->state == DATABASE_PAUSED)
		begin_connecting(database);
}

static void start_timer(struct database *database, int64_t ms)
{
	struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(database->timer, &delay);
}

void database_limit_answers(int64_t ms)
{
	answer_limit_ms = ms;
}

struct database *database_new(struct event_base *base, const char *conninfo, const char *name,
                              const struct database_handlers *handlers, const struct log *log)
{
	struct database *database = calloc(1, sizeof(*database));

	if (!database)
		return NULL;
	database->base = base;
	database->log = log;
	database->handlers = *handlers;
	database->pause_ms = PAUSE_FIRST_MS;
	database->conninfo = strdup(conninfo);
	database->name = strdup(name);
	database->timer = evtimer_new(base, on_timer, database);
	if (!database->conninfo || !database->name || !database->timer) {
		database_free(database);
		return NULL;
	}
	start_timer(database, 0);
	return database;
}

void database_free(struct database *database)
{
	if (!database)
		return;
	drop_events(database);
	if (database->timer)
		event_free(database->timer);
	PQclear(database->result);
	PQfinish(database->connection);
	free(database->conninfo);
	free(database->name);
	free(database);
}

bool database_ready(const struct database *database)
{
	return database->state == DATABASE_IDLE;
}

bool database_connected(const struct database *database)
{
	return database->state == DATABASE_IDLE || database->state == DATABASE_BUSY;
}

bool database_send(struct database *database, const struct statement *statement,
                   statement_done done, void *context)
{
	if (!PQsendQueryParams(database->connection, statement->sql, statement->parameters,
	                       statement->types, statement->values, statement->lengths,
	                       statement->formats, statement->binary_result)) {
		lose(database, "database connection lost");
		return false;
	}
	database->state = DATABASE_BUSY;
	database->done = done;
	database->done_context = context;
	database->limit_ms = answer_limit_ms * (statement->lengthy ? DATABASE_LENGTHY : 1);
	start_timer(database, database->limit_ms);
	flush_output(database);
	return true;
}

bool database_data_error(const PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	return state && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	                 strncmp(state, "54", 2) == 0);
}

bool database_succeeded(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return result && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
}
