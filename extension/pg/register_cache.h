/*
 * What this backend knows of the registers behind readings as they come in, so
 * that a reading is resolved without a query. Only plain cases are kept: a
 * register that counts as it always did, and a meter that nobody entered. A
 * change of meter, register, register_epoch or installation drops all of it.
 */
#ifndef SMARTHG_REGISTER_CACHE_H
#define SMARTHG_REGISTER_CACHE_H

#include "binding.h"

#include "../core/ingest/incoming_batch.h"

typedef enum register_standing {
	REGISTER_UNCLEAR, /* it takes queries to say */
	REGISTER_PLAIN,   /* readings can land as they are */
	METER_UNKNOWN,
} register_standing;

typedef struct known_register {
	register_standing standing;
	bool counts_up; /* negative counts are wrong */
	int64 register_id;
	TimestampTz scale_from; /* since when its last scale holds */
	int64 multiplier, divisor;
} known_register;

/* Called by _PG_init. */
extern void register_cache_begin(void);

/* A number that changes when what is kept is dropped; hears of all changes committed before. What
 * was found or loaded since stands as long as it stays the same. */
extern uint64 register_cache_generation(void);

/* Whether it is known what a gateway's reading with this identity belongs to. */
extern bool register_cache_find(int64 gateway_id, incoming_bytes identity, known_register *found);

/* Asks the database about readings that are not known, and keeps the plain registers. Needs an SPI
 * connection. */
typedef struct unknown_register {
	int64 gateway_id;
	const incoming_reading_bytes *reading;
	known_register *found;
} unknown_register;
extern void register_cache_load(const unknown_register *unknown, int count);

/* Readings up to this age on arrival, us, are surely taken (installation.accepted_age). Needs an
 * SPI connection. */
extern int64 accepted_age_us(void);

/* Text and bytes of a batch as values of SQL. Error: not in the batch's encoding, UTF-8. */
extern Datum text_of(incoming_bytes bytes);
extern Datum bytea_of(incoming_bytes bytes);

/* An array of elements of a type; nulls may be NULL. */
extern Datum array_of(Datum *values, bool *nulls, int count, Oid type);

#endif
