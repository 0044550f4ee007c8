/*
 * Where records become rows: batches by count or time, through parallel
 * connections, each with one batch under way. A gateway's records always take
 * the same connection, so that they commit in their order. Nothing is
 * acknowledged before its commit, and nothing is dropped: while the database is
 * away batches stay in memory, and beyond the budget the store asks that no more
 * be read.
 */
#ifndef SMARTHG_BRIDGE_STORE_H
#define SMARTHG_BRIDGE_STORE_H

#include "../core/latency.h"
#include "batch.h"

struct store_options {
	const char *conninfo;
	unsigned connections;
	size_t batch_records; /* at most in one call */
	int batch_ms;         /* a record waits no longer for company */
	size_t memory_budget; /* bytes */
	void *context;
	/* All records of the gateway up to this one are committed. */
	void (*committed)(void *context, int64_t gateway_id, uint64_t record_no);
	/* A record of the gateway cannot be stored at all, and is no longer under way. */
	void (*refused)(void *context, int64_t gateway_id);
	/* The budget is used up: no more records, please; or go on. */
	void (*hold)(void *context, bool held);
	const struct log *log;
};

struct store_counts {
	uint64_t records, batches, quarantined, unstorable;
	size_t waiting;         /* records not yet committed */
	size_t memory;          /* bytes held for them and for unfinished messages */
	unsigned connected;     /* connections to the database that are up */
	struct latency latency; /* of batches: from their oldest record's arrival to its commit */
	bool held;              /* the memory budget is used up */
	int64_t oldest_ms;      /* how long the oldest record waits; 0: none does */
};

struct store;

/* NULL: no memory. Options are copied. */
struct store *store_new(struct event_base *base, const struct store_options *options);
void store_free(struct store *store);

/* Takes a copy of a record. false: no memory, the record was not taken. */
bool store_add(struct store *store, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded);

/* Counts bytes that others hold against the budget: `before` became `after`. false: all such
 * bytes would be more than half of it, nothing was counted. */
bool store_reserve(struct store *store, size_t before, size_t after);
/* The same for what cannot be refused. */
void store_count(struct store *store, size_t before, size_t after);

struct store_counts store_counts(const struct store *store);

/* Takes over batch_records, batch_ms and memory_budget. */
void store_reconfigure(struct store *store, const struct store_options *options);

#endif
