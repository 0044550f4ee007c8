/*
 * A batch of gateways' records and the readings decoded from them, as the bridge
 * hands it to smarthg.bridge_ingest: one string of bytes, integers big-endian.
 *
 *   batch    = record...
 *   record   = size of the rest u32, gateway_id i64, record_no i64, gateway_ms i64, received_ms
 *              i64, kind u8, flags u8 (1: there is a reason, 2: there is a device), address size
 *              u16, telegram size u16, reason size u16, number of readings u16,
 *              device 8 where the flag is set, address, telegram, reason, reading...
 *   reading  = raw i64, multiplier i64, divisor i64, measured_ms i64, identity size u8, identity
 *   identity = device size u8, OBIS size u8, unit size u8, endpoint u8, device, OBIS, unit
 *
 * Times are ms since 1970. gateway_ms 0: not known; multiplier or divisor 0: not said. The identity
 * is one piece, so that a register can be looked up by these bytes as they are.
 */
#ifndef SMARTHG_INCOMING_BATCH_H
#define SMARTHG_INCOMING_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../outcome.h"

enum { INCOMING_DEVICE_SIZE = 8 };

/* Bytes in place; no text ends with a zero. */
typedef struct incoming_bytes {
	const uint8_t *at;
	size_t size;
} incoming_bytes;

typedef struct incoming_record {
	int64_t gateway_id, record_no, gateway_ms, received_ms;
	uint8_t kind;
	bool has_reason;       /* it is one for the quarantine */
	const uint8_t *device; /* whose key would help; NULL: none would */
	incoming_bytes address, telegram, reason;
	int readings;
	incoming_bytes rest; /* its readings */
} incoming_record;

typedef struct incoming_reading_bytes {
	int64_t raw, multiplier, divisor, measured_ms;
	incoming_bytes identity, device, obis, unit;
	uint8_t endpoint;
} incoming_reading_bytes;

/* Takes the next record from batch, which must not be empty. Errors: not a record. */
outcome_status incoming_record_take(incoming_bytes *batch, incoming_record *record, outcome *out);

/* Takes the next reading from the rest of a record, whose number of readings says how many there
 * are. Errors: not a reading. */
outcome_status incoming_reading_take(incoming_bytes *rest, incoming_reading_bytes *reading,
                                     outcome *out);

#endif
