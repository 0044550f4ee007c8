/*
 * A batch of records and the readings decoded from them, on the way to one call
 * of smarthg.bridge_ingest_batch. It is kept as the bytes of that call's
 * parameter (laid down in extension/core/ingest/incoming_batch.h), so that it is
 * encoded once, record by record, and any contiguous range of its records is
 * sent from where it lies.
 */
#ifndef SMARTHG_BRIDGE_BATCH_H
#define SMARTHG_BRIDGE_BATCH_H

#include "../codec/messages.h"
#include "../core/routing.h"
#include "database.h"

struct batch {
	uint8_t *bytes;
	size_t size, byte_capacity;
	size_t *record_at; /* where each record begins */
	size_t count, record_capacity;
	int64_t opened_ms;  /* steady: when its first record came */
	struct batch *next; /* in the store's queue */
};

/* The parameter of one call; the bytes stay the batch's. */
struct batch_parameters {
	const char *value;
	int length;
};

struct batch *batch_new(void);
void batch_free(struct batch *batch);

/* Adds a copy of a record. false: no memory, nothing was added. */
bool batch_add(struct batch *batch, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded);

/* Whether it holds so many records, or so many bytes that the database should not wait for more. */
bool batch_full(const struct batch *batch, size_t records);

/* Bytes that the batch holds. */
size_t batch_memory(const struct batch *batch);

/* Whose record it is, and its number. */
void batch_identify(const struct batch *batch, size_t record, int64_t *gateway_id,
                    uint64_t *record_no);

/* Makes a record one for the quarantine, without readings; from then on it can only be sent alone.
 * false: no memory. */
bool batch_quarantine(struct batch *batch, size_t record, const char *reason);

/* Fills statement for the records [from, until); it points into parameters. */
void batch_statement(const struct batch *batch, size_t from, size_t until,
                     struct batch_parameters *parameters, struct statement *statement);

#endif
