/*
 * Numbers of variable length in the packed blocks of series: what is stored is read
 * through a cursor that never leaves its bytes.
 */
#ifndef SMARTHG_BYTE_CURSOR_H
#define SMARTHG_BYTE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes that a number takes. */
enum { VARINT_MOST = 10 };

typedef struct byte_cursor {
	const uint8_t *at, *end;
	bool failed; /* it was asked for more than there is; what it gave then is 0 */
} byte_cursor;

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		*at++ = (uint8_t)(value | 128);
	*at++ = (uint8_t)value;
	return at;
}

/* Small numbers of either sign become small ones without. */
static inline uint8_t *put_signed(uint8_t *at, uint64_t value)
{
	return put_varint(at, value << 1 ^ (uint64_t) - (int64_t)(value >> 63));
}

static inline uint8_t get_byte(byte_cursor *cursor)
{
	if (cursor->at == cursor->end) {
		cursor->failed = true;
		return 0;
	}
	return *cursor->at++;
}

static inline uint64_t get_varint(byte_cursor *cursor)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = get_byte(cursor);

		value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return value;
	}
	cursor->failed = true;
	return 0;
}

static inline uint64_t get_signed(byte_cursor *cursor)
{
	uint64_t value = get_varint(cursor);

	return value >> 1 ^ (uint64_t) - (int64_t)(value & 1);
}

#endif
