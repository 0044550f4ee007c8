/*
 * Readings of one register packed into bytes: the stored form of a register's
 * day (DESIGN.md section 6). Neighbours are told by their differences, so that a
 * regular reading takes about 5 bytes with all that is known of it: a byte that
 * says what went on evenly, the rise of the counter, the jitter of the arrival.
 *
 *   block   = version 1, unit of measured times, unit of received times, count, reading...
 *   reading = control byte, then as varints what it does not give: change of the step of
 *             measured_us, change of the step of raw, change of the step of received_us,
 *             gateway_id, record_no
 */
#ifndef SMARTHG_READING_BLOCK_H
#define SMARTHG_READING_BLOCK_H

#include "../outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stored_reading {
	int64_t measured_us, received_us; /* microseconds, any origin */
	int64_t raw;                      /* counts */
	int64_t gateway_id, record_no;    /* 0 where there is none */
	bool has_gateway, has_record;
} stored_reading;

/* The most bytes that count readings can take. */
size_t reading_block_bound(int count);

/* Packs readings in any order; returns the bytes written to block[reading_block_bound(count)]. */
size_t reading_block_encode(const stored_reading *readings, int count, uint8_t *block);

/* The number of readings in a block. Errors: not a block. */
outcome_status reading_block_count(const uint8_t *block, size_t size, int *count, outcome *out);

/* Unpacks a block into readings[count], count as reading_block_count tells. Errors: not a block. */
outcome_status reading_block_decode(const uint8_t *block, size_t size, stored_reading *readings,
                                    int count, outcome *out);

/* What came of a merge. */
typedef struct reading_merge_result {
	int stored, replaced; /* numbers of readings written */
	bool rewritten;       /* whether stored differs from what was there before */
	bool changed;         /* whether a value does, and where: */
	int64_t changed_from_us, changed_until_us;
	int64_t newest_raw; /* of the changed reading at changed_until_us */
} reading_merge_result;

/*
 * Takes arrivals into the readings that are stored, both in ascending time and arrivals of one
 * time in the order of their arrival. Of different values for one time the last received stands,
 * the others go to replaced; of one value that came more than once its last arrival is kept.
 * stored and replaced have room for old_count + new_count.
 */
reading_merge_result reading_merge(const stored_reading *old_readings, int old_count,
                                   const stored_reading *arrivals, int new_count,
                                   stored_reading *stored, stored_reading *replaced);

#endif
