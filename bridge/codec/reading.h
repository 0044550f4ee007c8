/*
 * What the bridge hands on from a telegram: quantities named by OBIS code (IEC
 * 62056-61), with the integer exactly as the meter sent it. Decoders of all
 * kinds end here.
 */
#ifndef SMARTHG_BRIDGE_READING_H
#define SMARTHG_BRIDGE_READING_H

#include "cursor.h"

enum { OBIS_SIZE = 20, READING_LIMIT = 128 };

/* Value in units = raw * multiplier / divisor. A frame that says the scale and no value is one
 * reading of OBIS code READING_SCALE, whose raw means nothing: the scale of what the meter reports
 * from then on. */
#define READING_SCALE "*"

struct reading {
	uint64_t device; /* EUI-64 of the reporting device */
	uint8_t endpoint;
	char obis[OBIS_SIZE];
	const char *unit; /* static text */
	int64_t raw;
	int64_t multiplier, divisor; /* 0: the frame did not say */
	int64_t measured_ms;         /* since 1970; 0: the frame did not say */
};

struct zcl_address {
	uint64_t device;
	uint8_t endpoint;
	uint16_t profile, cluster;
};

enum { ZCL_ADDRESS_SIZE = 13 };

enum reading_status {
	READING_OK, /* *count readings, 0 where the telegram is none of ours */
	READING_BAD_ADDRESS,
	READING_MALFORMED,
	READING_TOO_MANY, /* beyond READING_LIMIT */
};

bool zcl_address_read(const uint8_t *address, size_t size, struct zcl_address *out);
void zcl_address_write(struct writer *writer, const struct zcl_address *address);

/* Decodes a ZCL telegram (Metering 0x0702, Power Configuration 0x0001) into out,
 * which holds READING_LIMIT readings. */
enum reading_status reading_decode_zcl(const uint8_t *address, size_t address_size,
                                       const uint8_t *telegram, size_t telegram_size,
                                       struct reading *out, size_t *count);

/* A sentence for the quarantine; NULL for READING_OK. */
const char *reading_status_text(enum reading_status status);

#endif
