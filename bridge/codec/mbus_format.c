/*
 * A fixed number of layouts, the oldest of its kind making room for a new one
 * where there are many of that, else the oldest of all; one that came in clear
 * makes no protected one go. A signature says little against forgery, so a layout
 * is believed only where the full frame's checksum comes out with it, and keeps
 * its place against another of its signature.
 */
#include "mbus_format.h"

#include <stdlib.h>

#include "crc16.h"
#include "mbus_record.h"

enum { FORMATS = 256, OF_A_KIND = 32, BLOCKS_SIZE = 125 };

struct mbus_formats {
	uint64_t kept; /* so many so far */
	size_t newest; /* slot, where has_new */
	bool has_new;
	struct format {
		uint32_t kind;
		uint16_t signature;
		bool protected;
		uint8_t size; /* 0: free */
		uint64_t age; /* kept as which */
		uint8_t bytes[BLOCKS_SIZE];
	} format[FORMATS];
};

struct mbus_formats *mbus_formats_new(void)
{
	return calloc(1, sizeof(struct mbus_formats));
}

void mbus_formats_free(struct mbus_formats *formats)
{
	free(formats);
}

static size_t slot_of(const struct mbus_formats *formats, uint32_t kind, uint16_t signature)
{
	size_t slot = 0;

	while (slot < FORMATS && formats->format[slot].size > 0 &&
	       (formats->format[slot].kind != kind || formats->format[slot].signature != signature))
		slot++;
	return slot;
}

/* The oldest that may make room, of this kind or of all (kind NULL); FORMATS: none. */
static size_t oldest(const struct mbus_formats *formats, const uint32_t *kind, bool protected)
{
	size_t at = FORMATS;

	for (size_t i = 0; i < FORMATS; i++) {
		const struct format *format = &formats->format[i];

		if ((!kind || format->kind == *kind) && (protected || !format->protected) &&
		    (at == FORMATS || format->age < formats->format[at].age))
			at = i;
	}
	return at;
}

static bool is_crowded(const struct mbus_formats *formats, uint32_t kind)
{
	size_t count = 0;

	for (size_t i = 0; i < FORMATS; i++)
		count += formats->format[i].size > 0 && formats->format[i].kind == kind;
	return count >= OF_A_KIND;
}

static void keep(struct mbus_formats *formats, const struct format *new)
{
	size_t slot = slot_of(formats, new->kind, new->signature);
	const struct format *old = slot < FORMATS ? &formats->format[slot] : NULL;

	if (new->size == 0)
		return;
	if (old && old->size > 0 && (!new->protected || old->protected))
		return;
	if (!old || old->size == 0) {
		if (is_crowded(formats, new->kind))
			slot = oldest(formats, &new->kind, new->protected);
		else if (!old)
			slot = oldest(formats, NULL, new->protected);
	}
	if (slot == FORMATS)
		return;
	formats->newest = slot;
	formats->has_new = true;
	formats->format[slot] = *new;
	formats->format[slot].age = ++formats->kept;
}

void mbus_formats_learn(struct mbus_formats *formats, uint32_t kind, struct cursor records,
                        bool protected)
{
	struct format new = {.kind = kind, .protected = protected};
	struct writer writer = writer_over(new.bytes, sizeof(new.bytes));

	while (cursor_left(&records) > 0) {
		struct cursor blocks = records, headers = records, no_values = cursor_over(NULL, 0);
		struct mbus_record record;

		/* Once without data, to see where the blocks end. */
		mbus_next(&headers, &no_values, &record);
		if (headers.broken || mbus_next(&records, &records, &record) != MBUS_RECORD)
			return;
		size_t size = headers.at - blocks.at;
		writer_bytes(&writer, cursor_take(&blocks, size), size);
	}
	new.size = (uint8_t)writer.at;
	new.signature = crc16_en13757(new.bytes, writer.at);
	if (!writer.broken)
		keep(formats, &new);
}

bool mbus_formats_put(struct mbus_formats *formats, uint32_t kind, uint16_t signature,
                      struct cursor blocks, bool protected)
{
	struct format new = {.kind = kind, .signature = signature, .protected = protected};
	size_t size = cursor_left(&blocks);
	const uint8_t *bytes = cursor_take(&blocks, size);

	if (!bytes || crc16_en13757(bytes, size) != signature)
		return false;
	if (size > BLOCKS_SIZE)
		return true;
	new.size = (uint8_t)size;
	memcpy(new.bytes, bytes, size);
	keep(formats, &new);
	return true;
}

bool mbus_formats_find(const struct mbus_formats *formats, uint32_t kind, uint16_t signature,
                       struct cursor *blocks)
{
	size_t slot = slot_of(formats, kind, signature);

	if (slot == FORMATS || formats->format[slot].size == 0)
		return false;
	*blocks = cursor_over(formats->format[slot].bytes, formats->format[slot].size);
	return true;
}

bool mbus_formats_take_new(struct mbus_formats *formats, struct mbus_layout *out)
{
	const struct format *newest = &formats->format[formats->newest];
	bool taken = formats->has_new;

	formats->has_new = false;
	*out = (struct mbus_layout){newest->kind, newest->signature, newest->protected,
	                            cursor_over(newest->bytes, newest->size)};
	return taken;
}

bool mbus_format_fits(struct cursor blocks, struct cursor values, uint16_t checksum)
{
	uint16_t crc = 0;

	while (cursor_left(&blocks) > 0) {
		struct cursor block = blocks, value = values;
		struct mbus_record record;

		if (mbus_next(&blocks, &values, &record) != MBUS_RECORD)
			return false;
		block.size = blocks.at;
		value.size = values.at;
		size_t size = cursor_left(&block);
		crc = crc16_en13757_add(crc, cursor_take(&block, size), size);
		size = cursor_left(&value);
		if (size > 0)
			crc = crc16_en13757_add(crc, cursor_take(&value, size), size);
	}
	return crc16_en13757_end(crc) == checksum;
}
