/*
 * The back end's connection for everything but records: an ordered queue of
 * small statements that survives a lost database, and the channels it listens
 * on. A statement is repeated until the database has answered it.
 */
#ifndef SMARTHG_BRIDGE_CONTROL_H
#define SMARTHG_BRIDGE_CONTROL_H

#include "database.h"

enum { CONTROL_PARAMETERS = 6 };

struct control;

struct control_handlers {
	void *context;
	void (*connected)(void *context); /* anew: what was missed may be fetched */
	void (*notified)(void *context, const char *channel);
	/* Bytes held by the queue: `before` became `after`. */
	void (*memory)(void *context, size_t before, size_t after);
};

/* channels: names, ended by NULL; must outlive the control. NULL: no memory. */
struct control *control_new(struct event_base *base, const char *conninfo,
                            const char *const *channels, const struct control_handlers *handlers,
                            const struct log *log);
void control_free(struct control *control);

/* Queues a statement of a static text with up to CONTROL_PARAMETERS text parameters
 * (copied; NULL is SQL's NULL). done may be NULL; it gets a success or an error, never
 * NULL. false: no memory. */
bool control_push(struct control *control, const char *sql, int parameters,
                  const char *const *values, statement_done done, void *context);

/* The same for a statement whose parameters are arrays, and whose values here are one element of
 * each. Those that wait one behind the other with the same sql (the same pointer) go as one call,
 * elements in their order; where that fails, one by one. */
bool control_push_joined(struct control *control, const char *sql, int parameters,
                         const char *const *values);

bool control_connected(const struct control *control);
/* Statements not yet answered. */
size_t control_waiting(const struct control *control);

#endif
