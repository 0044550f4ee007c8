/*
 * A fixed number of layouts, the oldest making room for a new one. A signature
 * says little against forgery, so a layout is believed only where the full
 * frame's checksum comes out with it.
 */
#include "mbus_format.h"

#include <stdlib.h>

#include "crc16.h"
#include "mbus_record.h"

enum { FORMATS = 256, BLOCKS_SIZE = 125 };

struct mbus_formats {
	size_t next;
	size_t newest; /* slot, where has_new */
	bool has_new;
	struct {
		uint16_t signature;
		uint8_t size; /* 0: free */
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

static void keep(struct mbus_formats *formats, uint16_t signature, const uint8_t *bytes,
                 size_t size)
{
	size_t slot = 0;

	if (size == 0 || size > BLOCKS_SIZE)
		return;
	while (slot < FORMATS && formats->format[slot].size > 0 &&
	       formats->format[slot].signature != signature)
		slot++;
	if (slot < FORMATS && formats->format[slot].size == size &&
	    memcmp(formats->format[slot].bytes, bytes, size) == 0)
		return;
	if (slot == FORMATS) {
		slot = formats->next;
		formats->next = (formats->next + 1) % FORMATS;
	}
	formats->newest = slot;
	formats->has_new = true;
	formats->format[slot].signature = signature;
	formats->format[slot].size = (uint8_t)size;
	memcpy(formats->format[slot].bytes, bytes, size);
}

void mbus_formats_learn(struct mbus_formats *formats, struct cursor records)
{
	uint8_t bytes[BLOCKS_SIZE] = {0};
	struct writer writer = writer_over(bytes, sizeof(bytes));

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
	if (!writer.broken)
		keep(formats, crc16_en13757(bytes, writer.at), bytes, writer.at);
}

bool mbus_formats_put(struct mbus_formats *formats, uint16_t signature, struct cursor blocks)
{
	size_t size = cursor_left(&blocks);
	const uint8_t *bytes = cursor_take(&blocks, size);

	if (!bytes || crc16_en13757(bytes, size) != signature)
		return false;
	keep(formats, signature, bytes, size);
	return true;
}

bool mbus_formats_find(const struct mbus_formats *formats, uint16_t signature,
                       struct cursor *blocks)
{
	for (size_t i = 0; i < FORMATS && formats->format[i].size > 0; i++)
		if (formats->format[i].signature == signature) {
			*blocks = cursor_over(formats->format[i].bytes, formats->format[i].size);
			return true;
		}
	return false;
}

bool mbus_formats_take_new(struct mbus_formats *formats, uint16_t *signature, struct cursor *blocks)
{
	bool taken = formats->has_new;

	formats->has_new = false;
	*signature = formats->format[formats->newest].signature;
	*blocks =
	    cursor_over(formats->format[formats->newest].bytes, formats->format[formats->newest].size);
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
