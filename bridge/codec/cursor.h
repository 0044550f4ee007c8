/*
 * The one way bytes from outside are read and frames are written: a bounded
 * cursor that remembers that it ran over its end, so that a decoder reads a
 * whole structure and checks `broken` once. Integers are big-endian as in the
 * SmartAMM frame; the _le readers serve ZCL.
 */
#ifndef SMARTHG_BRIDGE_CURSOR_H
#define SMARTHG_BRIDGE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *bytes;
	size_t size, at;
	bool broken; /* a read went past the end; every later read gives 0 */
};

struct writer {
	uint8_t *bytes;
	size_t capacity, at;
	bool broken; /* a write did not fit; nothing of it was written */
};

/* A cursor over size bytes, which stay the caller's. */
static inline struct cursor cursor_over(const void *bytes, size_t size)
{
	return (struct cursor){.bytes = bytes, .size = size};
}

/* How many bytes are left. */
static inline size_t cursor_left(const struct cursor *cursor)
{
	return cursor->size - cursor->at;
}

/* The next n bytes in place, or NULL (and broken) where fewer are left. No bytes are taken from
 * anywhere: not to be read, and NULL over nothing. */
static inline const uint8_t *cursor_take(struct cursor *cursor, size_t n)
{
	if (cursor->broken || cursor_left(cursor) < n) {
		cursor->broken = true;
		return NULL;
	}
	if (n == 0)
		return cursor->bytes;
	const uint8_t *taken = cursor->bytes + cursor->at;
	cursor->at += n;
	return taken;
}

/* The next n <= 8 bytes as a big-endian number. */
static inline uint64_t cursor_be(struct cursor *cursor, size_t n)
{
	const uint8_t *bytes = cursor_take(cursor, n);
	uint64_t value = 0;

	for (size_t i = 0; bytes && i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* The next n <= 8 bytes as a little-endian number. */
static inline uint64_t cursor_le(struct cursor *cursor, size_t n)
{
	const uint8_t *bytes = cursor_take(cursor, n);
	uint64_t value = 0;

	for (size_t i = n; bytes && i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
	const uint8_t *byte = cursor_take(cursor, 1);

	return byte ? *byte : 0;
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
	return (uint16_t)cursor_be(cursor, 2);
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
	return (uint32_t)cursor_be(cursor, 4);
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
	return cursor_be(cursor, 8);
}

/* Copies the next n bytes to out, or fills it with zeros where fewer are left. */
static inline void cursor_copy(struct cursor *cursor, void *out, size_t n)
{
	const uint8_t *bytes = cursor_take(cursor, n);

	if (bytes)
		memcpy(out, bytes, n);
	else
		memset(out, 0, n);
}

/* A writer into capacity bytes, which stay the caller's. */
static inline struct writer writer_over(void *bytes, size_t capacity)
{
	return (struct writer){.bytes = bytes, .capacity = capacity};
}

/* Room for the next n bytes, to be filled by the caller, or NULL (and broken). */
static inline uint8_t *writer_reserve(struct writer *writer, size_t n)
{
	if (writer->broken || writer->capacity - writer->at < n) {
		writer->broken = true;
		return NULL;
	}
	if (n == 0)
		return writer->bytes;
	uint8_t *room = writer->bytes + writer->at;
	writer->at += n;
	return room;
}

static inline void writer_bytes(struct writer *writer, const void *bytes, size_t n)
{
	uint8_t *room = writer_reserve(writer, n);

	if (room && n > 0)
		memcpy(room, bytes, n);
}

/* The low n <= 8 bytes of value, big-endian. */
static inline void writer_be(struct writer *writer, uint64_t value, size_t n)
{
	uint8_t *room = writer_reserve(writer, n);

	for (size_t i = n; room && i > 0; i--, value >>= 8)
		room[i - 1] = (uint8_t)value;
}

/* The low n <= 8 bytes of value, little-endian. */
static inline void writer_le(struct writer *writer, uint64_t value, size_t n)
{
	uint8_t *room = writer_reserve(writer, n);

	for (size_t i = 0; room && i < n; i++, value >>= 8)
		room[i] = (uint8_t)value;
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
	writer_be(writer, value, 1);
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
	writer_be(writer, value, 2);
}

static inline void writer_u32(struct writer *writer, uint32_t value)
{
	writer_be(writer, value, 4);
}

static inline void writer_u64(struct writer *writer, uint64_t value)
{
	writer_be(writer, value, 8);
}

#endif
