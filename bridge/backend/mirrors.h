/*
 * What gateways are to tell their meters of mirrors (sql/81-mirror.sql): fetched
 * from the database when it notifies or a gateway comes online, sent as REQUEST of
 * METHOD_ZCL, repeated until answered, and written back as sent, acknowledged or
 * failed.
 */
#ifndef SMARTHG_BRIDGE_MIRRORS_H
#define SMARTHG_BRIDGE_MIRRORS_H

#include "requests.h"

struct mirrors_options {
	int64_t answer_ms; /* how long a gateway may take to answer */
	void *context;
	requests_send send;
	const struct log *log;
};

struct mirrors;

/* NULL: no memory. The control must be freed before. */
struct mirrors *mirrors_new(struct event_base *base, struct control *control,
                            const struct mirrors_options *options);
void mirrors_free(struct mirrors *mirrors);

/* Takes over answer_ms. */
void mirrors_reconfigure(struct mirrors *mirrors, int64_t answer_ms);

/* There may be new ones in the database. */
void mirrors_fetch(struct mirrors *mirrors);
/* A gateway answered a REQUEST, of whatever method. */
void mirrors_response(struct mirrors *mirrors, int64_t gateway_id, const struct response *response);

#endif
