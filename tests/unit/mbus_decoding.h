/*
 * What the tests of the M-Bus decoders share: a decoder with one meter's key, which may be known or
 * not, and the readings of the telegram decoded last.
 */
#ifndef SMARTHG_TEST_MBUS_DECODING_H
#define SMARTHG_TEST_MBUS_DECODING_H

#include <stdlib.h>

#include "mbus_writer.h"
#include "tap.h"

#include "../../bridge/codec/mbus_format.h"

enum { ELECTRICITY = 2, GAS = 3, HEAT = 4, WATER = 7, ROOM = 0x1b };

static struct reading readings[READING_LIMIT];
static size_t count;
static struct meter_key key = {.bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static bool key_known;

static inline const struct meter_key *find_key(void *context,
                                               const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return key_known ? &key : NULL;
}

static struct decoder decoder = {.key = find_key};

/* Decodes a copy on the heap, so that a read past its end is caught. */
static inline enum reading_status decode_frame(const uint8_t *frame, size_t size, bool wired)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct raw_telegram telegram = {NULL, copy, 0, size};

	memcpy(copy, frame, size);
	enum reading_status status =
	    wired ? reading_decode_wired_mbus(&decoder, &telegram, readings, &count)
	          : reading_decode_wireless_mbus(&decoder, &telegram, readings, &count);
	free(copy);
	return status;
}

static inline enum reading_status decode_above(uint8_t device_type, const uint8_t *above,
                                               size_t size)
{
	uint8_t frame[256] = {0};

	return decode_frame(frame, write_wireless(frame, device_type, above, size), false);
}

/* Records in hexadecimal digits behind a short header without encryption. */
static inline enum reading_status decode_records(uint8_t device_type, const char *hex)
{
	uint8_t above[256];
	size_t header = from_hex("7a01000000", above);

	return decode_above(device_type, above, header + from_hex(hex, above + header));
}

static inline double value_of(const struct reading *reading)
{
	return (double)reading->raw * (double)reading->multiplier / (double)reading->divisor;
}

static inline const struct reading *find(const char *obis)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readings[i].obis, obis) == 0)
			return &readings[i];
	return NULL;
}

static inline bool has(const char *obis, double value, const char *unit)
{
	const struct reading *found = find(obis);

	return found && fabs(value_of(found) - value) <= 1e-12 * fmax(1, fabs(value)) &&
	       strcmp(found->unit, unit) == 0;
}

/* Whether these records of a device are this one reading. */
static inline bool reads(uint8_t device_type, const char *hex, const char *obis, double value,
                         const char *unit)
{
	return decode_records(device_type, hex) == READING_OK && count == 1 && has(obis, value, unit);
}

static inline bool reads_nothing(uint8_t device_type, const char *hex)
{
	return decode_records(device_type, hex) == READING_OK && count == 0;
}

/* Runs the tests with the decoder, in the order given. */
static inline int run_decoding(void (*const tests[])(void), size_t tests_count)
{
	decoder.cipher = meter_cipher_new();
	decoder.formats = mbus_formats_new();
	for (size_t i = 0; i < tests_count; i++)
		tests[i]();
	meter_cipher_free(decoder.cipher);
	mbus_formats_free(decoder.formats);
	return tap_done();
}

#endif
