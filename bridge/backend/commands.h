/*
 * EBR commands on their way to the gateways: fetched from the database when it
 * notifies or a gateway comes online, sent as REQUEST while the gateway is
 * connected, repeated until answered, and written back as sent, acknowledged,
 * failed or expired.
 */
#ifndef SMARTHG_BRIDGE_COMMANDS_H
#define SMARTHG_BRIDGE_COMMANDS_H

#include "requests.h"

struct commands_options {
	int64_t answer_ms; /* how long a gateway may take to answer */
	int64_t grace_ms;  /* how long after its slot a command is still sent */
	void *context;
	requests_send send;
	const struct log *log;
};

struct commands;

struct commands *commands_new(struct event_base *base, struct control *control,
                              const struct commands_options *options);
void commands_free(struct commands *commands);

/* Takes over answer_ms and grace_ms. */
void commands_reconfigure(struct commands *commands, int64_t answer_ms, int64_t grace_ms);

/* There may be new ones in the database: fetches them at once, or soon where that was just done. */
void commands_fetch(struct commands *commands);
/* A gateway answered a REQUEST. */
void commands_response(struct commands *commands, int64_t gateway_id,
                       const struct response *response);

#endif
