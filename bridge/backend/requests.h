/*
 * Requests to gateways that are rows of the database: each is sent while its
 * gateway is connected, repeated until answered, and its row's state written
 * back: sent, acknowledged, failed or expired. The request id is that of the
 * row, so that an answer is matched even after a restart of the bridge.
 */
#ifndef SMARTHG_BRIDGE_REQUESTS_H
#define SMARTHG_BRIDGE_REQUESTS_H

#include <stdint.h>

#include "../codec/messages.h"
#include "control.h"

/* Sends a REQUEST payload; false where the gateway is not connected. */
typedef bool (*requests_send)(void *context, int64_t gateway_id, const void *payload, size_t size);

struct requests_options {
	enum request_method method;
	const char *name;        /* in the log */
	const char *id_name;     /* the same */
	const char *write_state; /* statement with the parameters id, state and detail */
	int64_t answer_ms;       /* how long a gateway may take to answer */
	int64_t grace_ms;        /* how long after its slot one is still sent */
	void *context;
	requests_send send;
	const struct log *log;
};

struct requests;

/* NULL: no memory. The control must be freed before. */
struct requests *requests_new(struct control *control, const struct requests_options *options);
void requests_free(struct requests *requests);

void requests_reconfigure(struct requests *requests, int64_t answer_ms, int64_t grace_ms);

size_t requests_count(const struct requests *requests);
bool requests_has(const struct requests *requests, int64_t id);

/* A new one (requests_has says no), with its payload; slot_end_ms: since 1970, 0: it
 * does not expire. */
void requests_add(struct requests *requests, int64_t id, int64_t gateway_id, int64_t slot_end_ms,
                  const void *payload, size_t size);
/* A new one that cannot be sent. */
void requests_refuse(struct requests *requests, int64_t id, int64_t gateway_id, const char *why);

/* Forgets those that are not listed, but for what is on its way to the database. */
void requests_drop_others(struct requests *requests,
                          bool (*listed)(const void *context, int64_t id), const void *context);

/* Time has passed: sends again what got no answer, and gives up after some attempts. One whose
 * gateway is not connected waits. */
void requests_advance(struct requests *requests);

/* A gateway answered a REQUEST, of whatever method. */
void requests_response(struct requests *requests, int64_t gateway_id,
                       const struct response *response);

#endif
