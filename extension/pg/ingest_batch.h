/*
 * A batch while it is ingested: its records and readings with what was found out
 * about them, and the parts of it by gateway.
 */
#ifndef SMARTHG_INGEST_BATCH_H
#define SMARTHG_INGEST_BATCH_H

#include "register_cache.h"

/* A gateway's part of the batch. */
typedef struct gateway_part {
	int64 gateway_id;
	int64 first_no, last_no;
	bool plain; /* else it goes the way of queries */
} gateway_part;

typedef struct batch_record {
	incoming_record in;
	int part;          /* of which gateway */
	int first_reading; /* its readings are in.readings */
	bool odd;          /* for the quarantine, though its gateway be plain */
} batch_record;

typedef struct batch_reading {
	incoming_reading_bytes in;
	known_register known;
} batch_reading;

typedef struct batch {
	batch_record *records;
	batch_reading *readings;
	gateway_part *parts;
	int record_count, reading_count, part_count;
	int record_room, reading_room;
} batch;

/* Reads the bytes of a batch, and tells the gateways apart: plain is one whose records are numbered
 * without a gap. Errors: 22023, not a batch. */
extern void batch_take(batch *all, incoming_bytes bytes);

/* Stores the odd records of plain gateways, which are known to be new, by queries. Needs an SPI
 * connection, as the next. */
extern void batch_keep_odd(const batch *all);

/* Stores all records of the gateways that are not plain by queries; puts their marks as rows. */
extern void batch_ingest_others(const batch *all, ReturnSetInfo *result);

/* A row of gateway and mark. */
extern void put_mark(ReturnSetInfo *result, Datum gateway_id, Datum mark);

/* Room for one more of an array that grows by half. */
extern void *grown(void *array, int count, int *room, Size size);

/* Milliseconds since 1970 as PostgreSQL's time. */
static inline TimestampTz time_of(int64 ms)
{
	return (ms - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64)SECS_PER_DAY * 1000) * 1000;
}

#endif
