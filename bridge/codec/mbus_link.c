/*
 * Link layers of M-Bus: wireless (EN 13757-4, frame formats A and B, and frames
 * whose receiver took the checksums out), and wired (EN 13757-2).
 */
#include "crc16.h"
#include "mbus_fixed.h"
#include "mbus_layers.h"
#include "mbus_obis.h"

enum {
	FIRST_BLOCK = 10, /* bytes of L, C, M and A fields */
	BLOCK = 16,       /* of format A, after the first */
	CHECKSUM = 2,
	FORMAT_B_PART = 126, /* bytes before the first checksum of a long frame of format B */
	FRAME_SIZE = 256,
};

enum { CI_FIXED = 0x73 };

enum wired { START_LONG = 0x68, START_SHORT = 0x10, ACKNOWLEDGE = 0xe5, STOP = 0x16 };

/* Copies a block to out where the checksum after it is right. */
static bool take_block(struct cursor *frame, size_t size, struct writer *out)
{
	const uint8_t *block = cursor_take(frame, size);
	uint16_t checksum = cursor_u16(frame);

	if (!block || frame->broken || crc16_en13757(block, size) != checksum)
		return false;
	writer_bytes(out, block, size);
	return true;
}

static bool take_format_a(struct cursor frame, struct writer *out)
{
	bool intact = take_block(&frame, FIRST_BLOCK, out);

	while (intact && cursor_left(&frame) > 0) {
		size_t left = cursor_left(&frame) - CHECKSUM;

		intact = take_block(&frame, left < BLOCK ? left : BLOCK, out);
	}
	return intact;
}

static bool take_format_b(struct cursor frame, struct writer *out)
{
	bool intact = true;

	while (intact && cursor_left(&frame) > 0) {
		size_t left = cursor_left(&frame);

		intact = left > CHECKSUM &&
		         take_block(&frame,
		                    left - CHECKSUM < FORMAT_B_PART ? left - CHECKSUM : FORMAT_B_PART, out);
	}
	return intact;
}

/* The bytes of a frame of format A whose L field says length. */
static size_t format_a_size(size_t length)
{
	size_t size = length + 1;
	size_t blocks = size > FIRST_BLOCK ? (size - FIRST_BLOCK + BLOCK - 1) / BLOCK : 0;

	return size + CHECKSUM * (1 + blocks);
}

/* From the L field on, without checksums. */
static enum reading_status read_frame(struct decoder *decoder, struct cursor frame,
                                      struct reading *out, size_t *count)
{
	uint8_t device[MBUS_DEVICE_SIZE];

	*count = 0;
	decoder->counter.kind = COUNTER_NONE;
	cursor_take(&frame, 2); /* L, C */
	device_of_link(&frame, device);
	return frame.broken ? READING_BAD_LENGTH : mbus_read_layers(decoder, device, frame, out, count);
}

/* A frame with the checksums of format B, which its L field counts, or without any: that is all
 * its length says. One time in 65,536 the last bytes of a frame without checksums look like one by
 * chance, so it is first read as what it would be then: behind the last record of format B two
 * bytes are too few to be a reading, and an encrypted one with two bytes too many is not
 * authentic. Two checksums are no chance. */
static enum reading_status read_format_b_or_bare(struct decoder *decoder, struct cursor frame,
                                                 struct reading *out, size_t *count)
{
	uint8_t bytes[FRAME_SIZE];
	struct writer kept = writer_over(bytes, sizeof(bytes));
	bool checked = take_format_b(frame, &kept);
	struct cursor taken = cursor_over(bytes, kept.at);
	enum reading_status status;

	if (checked && cursor_left(&frame) > FORMAT_B_PART + CHECKSUM)
		return read_frame(decoder, taken, out, count);
	status = read_frame(decoder, frame, out, count);
	if (checked && status != READING_OK && read_frame(decoder, taken, out, count) == READING_OK)
		status = READING_OK;
	return status;
}

enum reading_status reading_decode_wireless_mbus(struct decoder *decoder,
                                                 const struct raw_telegram *telegram,
                                                 struct reading *out, size_t *count)
{
	uint8_t bytes[FRAME_SIZE];
	struct writer kept = writer_over(bytes, sizeof(bytes));
	struct cursor frame = cursor_over(telegram->bytes, telegram->size);
	struct cursor whole = frame;
	size_t length = cursor_u8(&frame);

	*count = 0;
	decoder->counter.kind = COUNTER_NONE;
	if (length + 1 < FIRST_BLOCK)
		return READING_BAD_LENGTH;
	if (telegram->size == length + 1)
		return read_format_b_or_bare(decoder, whole, out, count);
	if (telegram->size != format_a_size(length))
		return READING_BAD_LENGTH;
	if (!take_format_a(whole, &kept))
		return READING_BAD_CHECKSUM;
	return read_frame(decoder, cursor_over(bytes, kept.at), out, count);
}

static enum reading_status read_fixed(struct decoder *decoder, struct cursor structure,
                                      struct reading *out, size_t *count)
{
	uint8_t bytes[MBUS_FIXED_RECORDS_SIZE];
	struct writer records = writer_over(bytes, sizeof(bytes));

	mbus_fixed_read(&structure, decoder->device, &records);
	struct cursor written = cursor_over(bytes, records.at);
	return mbus_read_records(&written, &written, decoder, out, count);
}

enum reading_status reading_decode_wired_mbus(struct decoder *decoder,
                                              const struct raw_telegram *telegram,
                                              struct reading *out, size_t *count)
{
	uint8_t device[MBUS_DEVICE_SIZE] = {0}, sum = 0;
	struct cursor frame = cursor_over(telegram->bytes, telegram->size);
	uint8_t start = cursor_u8(&frame);
	uint8_t length = start == START_LONG ? cursor_u8(&frame) : 2;

	*count = 0;
	if (start == ACKNOWLEDGE)
		return cursor_left(&frame) == 0 ? READING_OK : READING_BAD_LENGTH;
	if (start != START_SHORT && start != START_LONG)
		return READING_MALFORMED;
	if (start == START_LONG && (cursor_u8(&frame) != length || cursor_u8(&frame) != START_LONG))
		return READING_MALFORMED;
	const uint8_t *bytes = cursor_take(&frame, length);
	uint8_t checksum = cursor_u8(&frame), stop = cursor_u8(&frame);
	if (!bytes || frame.broken || cursor_left(&frame) > 0 || length < 2)
		return READING_BAD_LENGTH;
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	if (sum != checksum || stop != STOP)
		return READING_BAD_CHECKSUM;
	if (start == START_SHORT)
		return READING_OK;
	/* A primary address is no name: a telegram without a header is the device's by the gateway. */
	if (telegram->address_size == MBUS_DEVICE_SIZE)
		memcpy(device, telegram->address, MBUS_DEVICE_SIZE);
	frame = cursor_over(bytes, length);
	cursor_take(&frame, 2); /* C, A */
	struct cursor structure = frame;
	if (cursor_left(&structure) == 1 + MBUS_FIXED_SIZE && cursor_u8(&structure) == CI_FIXED)
		return read_fixed(decoder, structure, out, count);
	return mbus_read_layers(decoder, device, frame, out, count);
}
