/*
 * One PostgreSQL connection on the event loop, never blocking it: connects,
 * comes back after a loss with a growing pause, runs one statement at a time,
 * and passes notifications on. A server that gives no answer within a limit is
 * lost like one that went away. Everything above decides what a lost statement
 * means.
 */
#ifndef SMARTHG_BRIDGE_DATABASE_H
#define SMARTHG_BRIDGE_DATABASE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/log.h"

struct event_base;
struct database;

struct database_handlers {
	void *context;
	/* It is connected and idle: after every connect and after every statement. */
	void (*idle)(void *context);
	/* The connection came up anew, before `idle`. May be NULL. */
	void (*connected)(void *context);
	/* A notification came. May be NULL. */
	void (*notified)(void *context, const char *channel);
};

/* One statement with its parameters, which are only read during database_send. */
struct statement {
	const char *sql;
	int parameters;
	const Oid *types; /* NULL: the server decides */
	const char *const *values;
	const int *lengths; /* of binary values; may be NULL */
	const int *formats; /* may be NULL: all text */
	bool binary_result;
	bool lengthy; /* maintenance, which may take DATABASE_LENGTHY times the limit of an answer */
};

enum { DATABASE_LENGTHY = 60 };

/* What became of a statement: a result of PGRES_COMMAND_OK or PGRES_TUPLES_OK, or an
 * error's result, or NULL where the connection was lost before an answer. The result
 * stays the database's. */
typedef void (*statement_done)(void *context, const PGresult *result);

/* How long a server may be silent while it owes an answer, for all connections, from the next
 * statement on; at first 60 s. It has to be longer than any statement waits for a lock. */
void database_limit_answers(int64_t ms);

/* Begins to connect; name is for the log. Where conninfo does not say otherwise, a host that
 * vanished is noticed within half a minute. NULL: no memory. */
struct database *database_new(struct event_base *base, const char *conninfo, const char *name,
                              const struct database_handlers *handlers, const struct log *log);
/* Drops the connection; no handler is called any more. */
void database_free(struct database *database);

/* Whether a statement can be sent now. */
bool database_ready(const struct database *database);

/* Whether the connection is up, with a statement under way or not. */
bool database_connected(const struct database *database);

/* Sends a statement; only while ready. false: the connection is lost, done is not called. */
bool database_send(struct database *database, const struct statement *statement,
                   statement_done done, void *context);

/* Whether an error lies in the data (SQLSTATE class 22, 23 or 54): the same statement will never
 * succeed. NULL is a lost connection: false. */
bool database_data_error(const PGresult *result);
/* Whether the result is a success. */
bool database_succeeded(const PGresult *result);

#endif
