/*
 * A batch of records and the readings decoded from them, on the way to one call
 * of smarthg.bridge_ingest. Filled record by record, read as columns of binary
 * arrays for any contiguous range of its records, so that a batch can be
 * bisected without copying it.
 */
#ifndef SMARTHG_BRIDGE_BATCH_H
#define SMARTHG_BRIDGE_BATCH_H

#include "../codec/messages.h"
#include "../core/routing.h"
#include "database.h"

enum { BATCH_COLUMNS = 18 };

struct batch_record {
	int64_t gateway_id;
	uint64_t record_no;
	int64_t gateway_ms; /* 0: unknown */
	int64_t received_ms;
	uint32_t bytes_at; /* address, then telegram */
	uint32_t first_reading;
	uint16_t readings;
	uint16_t telegram_size;
	uint8_t address_size;
	uint8_t kind;
	bool lacks_key;
	uint8_t device[MBUS_DEVICE_SIZE]; /* whose key it lacks */
	char *reason;                     /* of quarantine; owned; NULL: none */
};

struct batch {
	struct batch_record *records;
	size_t count, record_capacity;
	struct reading *readings;
	size_t reading_count, reading_capacity;
	uint8_t *bytes;
	size_t byte_count, byte_capacity;
	int64_t opened_ms;  /* steady: when its first record came */
	struct batch *next; /* in the store's queue */
};

/* The parameters of one call, made anew by each batch_encode. */
struct batch_parameters {
	struct column {
		uint8_t *bytes;
		size_t size, capacity;
	} columns[BATCH_COLUMNS];
	const char *values[BATCH_COLUMNS];
	int lengths[BATCH_COLUMNS];
	int formats[BATCH_COLUMNS];
};

struct batch *batch_new(void);
void batch_free(struct batch *batch);

/* Adds a copy of a record. false: no memory, nothing was added. */
bool batch_add(struct batch *batch, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded);

/* Bytes that the batch holds. */
size_t batch_memory(const struct batch *batch);

/* Makes a record one for the quarantine, without readings. false: no memory. */
bool batch_quarantine(struct batch *batch, size_t record, const char *reason);

/* Encodes records [from, until) and fills statement; it points into parameters.
 * false: no memory. */
bool batch_encode(const struct batch *batch, size_t from, size_t until,
                  struct batch_parameters *parameters, struct statement *statement);
void batch_parameters_free(struct batch_parameters *parameters);

#endif
