/*
 * The requests by their identifiers, and the state of each.
 */
#include "requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"

enum { BUCKETS = 4096, ATTEMPTS = 3 };

struct pending {
	struct pending *next;
	struct requests *requests;
	unsigned reports; /* states on their way to the database */
	bool settled;
	int attempts;
	int64_t id, gateway_id;
	int64_t sent_at_ms;  /* steady */
	int64_t slot_end_ms; /* since 1970; 0: there is none */
	size_t size;
	uint8_t payload[];
};

struct requests {
	struct control *control;
	struct requests_options options;
	struct pending *buckets[BUCKETS];
	size_t count;
};

static struct pending **find(struct requests *requests, int64_t id)
{
	struct pending **at = &requests->buckets[(uint64_t)id % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void drop(struct pending **at)
{
	struct pending *pending = *at;

	*at = pending->next;
	pending->requests->count--;
	free(pending);
}

/* A settled one is forgotten when the database knows, lest a fetch under way bring it back. */
static void on_reported(void *context, const PGresult *result)
{
	struct pending *pending = context;

	(void)result;
	pending->reports--;
	if (pending->settled && pending->reports == 0)
		drop(find(pending->requests, pending->id));
}

static void write_state(struct pending *pending, const char *state, const char *detail)
{
	const struct requests_options *options = &pending->requests->options;
	char id[24];
	const char *values[] = {id, state, detail};

	log_line(options->log, LOG_INFO, options->name,
	         "%s=%" PRId64 " gateway_id=%" PRId64 " state=%s detail=\"%s\"", options->id_name,
	         pending->id, pending->gateway_id, state, detail ? detail : "");
	snprintf(id, sizeof(id), "%" PRId64, pending->id);
	if (control_push(pending->requests->control, options->write_state, 3, values, on_reported,
	                 pending))
		pending->reports++;
}

static void settle(struct pending *pending, const char *state, const char *detail)
{
	pending->settled = true;
	write_state(pending, state, detail);
}

static void advance(struct pending *pending, int64_t now_ms)
{
	const struct requests_options *options = &pending->requests->options;

	if (pending->settled)
		return;
	if (pending->slot_end_ms != 0 && clock_wall_ms() >= pending->slot_end_ms + options->grace_ms) {
		settle(pending, "expired",
		       pending->attempts > 0 ? "no answer before the slot ended"
		                             : "gateway was not connected before the slot ended");
		return;
	}
	if (pending->attempts > 0 && now_ms - pending->sent_at_ms < options->answer_ms)
		return;
	if (pending->attempts == ATTEMPTS) {
		settle(pending, "failed", "gateway did not answer");
		return;
	}
	if (!options->send(options->context, pending->gateway_id, pending->payload, pending->size))
		return;
	pending->sent_at_ms = now_ms;
	if (pending->attempts++ == 0)
		write_state(pending, "sent", NULL);
}

struct requests *requests_new(struct control *control, const struct requests_options *options)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (requests) {
		requests->control = control;
		requests->options = *options;
	}
	return requests;
}

void requests_free(struct requests *requests)
{
	if (!requests)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (requests->buckets[i])
			drop(&requests->buckets[i]);
	free(requests);
}

void requests_reconfigure(struct requests *requests, int64_t answer_ms, int64_t grace_ms)
{
	requests->options.answer_ms = answer_ms;
	requests->options.grace_ms = grace_ms;
}

size_t requests_count(const struct requests *requests)
{
	return requests->count;
}

bool requests_has(const struct requests *requests, int64_t id)
{
	return *find((struct requests *)requests, id) != NULL;
}

static struct pending *insert(struct requests *requests, int64_t id, int64_t gateway_id,
                              const void *payload, size_t size)
{
	struct pending *pending = calloc(1, sizeof(*pending) + size);

	if (!pending)
		return NULL;
	pending->requests = requests;
	pending->id = id;
	pending->gateway_id = gateway_id;
	pending->size = size;
	if (size > 0)
		memcpy(pending->payload, payload, size);
	*find(requests, id) = pending;
	requests->count++;
	return pending;
}

void requests_add(struct requests *requests, int64_t id, int64_t gateway_id, int64_t slot_end_ms,
                  const void *payload, size_t size)
{
	struct pending *pending = insert(requests, id, gateway_id, payload, size);

	if (!pending)
		return;
	pending->slot_end_ms = slot_end_ms;
	advance(pending, clock_steady_ms());
}

void requests_refuse(struct requests *requests, int64_t id, int64_t gateway_id, const char *why)
{
	struct pending *pending = insert(requests, id, gateway_id, NULL, 0);

	if (pending)
		settle(pending, "failed", why);
}

void requests_drop_others(struct requests *requests,
                          bool (*listed)(const void *context, int64_t id), const void *context)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct pending **at = &requests->buckets[i]; *at;) {
			struct pending *pending = *at;

			if (pending->settled || pending->reports > 0 || listed(context, pending->id))
				at = &pending->next;
			else
				drop(at);
		}
}

void requests_advance(struct requests *requests)
{
	int64_t now_ms = clock_steady_ms();

	for (size_t i = 0; requests->count > 0 && i < BUCKETS; i++)
		for (struct pending *pending = requests->buckets[i]; pending; pending = pending->next)
			advance(pending, now_ms);
}

void requests_response(struct requests *requests, int64_t gateway_id,
                       const struct response *response)
{
	struct pending *pending = *find(requests, (int64_t)response->id);
	char detail[60];

	if (!pending || pending->gateway_id != gateway_id || pending->settled ||
	    response->method != requests->options.method)
		return;
	if (response->result == RESULT_OK) {
		settle(pending, "acknowledged", NULL);
		return;
	}
	snprintf(detail, sizeof(detail), "gateway answered with result %u", response->result);
	settle(pending, "failed", detail);
}
