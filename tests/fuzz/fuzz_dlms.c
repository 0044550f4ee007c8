/*
 * Any bytes as a DLMS push, read within bounds, with keys and without: as HDLC
 * frames as they are, and as the content of one frame or two whose checksums are
 * right.
 */
#include "readings.h"

#include "../../bridge/codec/calendar.h"
#include "../../bridge/codec/crc16.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MOST = 1500 };

static struct meter_key key;
static bool key_known;

static const struct meter_key *find_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return key_known ? &key : NULL;
}

static void write_checksum(struct writer *frame)
{
	writer_le(frame, crc16_x25(frame->bytes, frame->at), 2);
}

static size_t in_frame(const uint8_t *bytes, size_t size, uint8_t *out)
{
	struct writer frame = writer_over(out, MOST + 20);

	writer_u16(&frame, (uint16_t)(0xa000 | (size + 12)));
	writer_bytes(&frame, "\x41\x03\x13", 3);
	write_checksum(&frame);
	writer_bytes(&frame, "\xe6\xe7\x00", 3);
	writer_bytes(&frame, bytes, size);
	write_checksum(&frame);
	return frame.at;
}

static void decode(struct decoder *decoder, const uint8_t *bytes, size_t size)
{
	static struct reading readings[READING_LIMIT];
	struct raw_telegram telegram = {
	    .bytes = bytes, .size = size, .address = bytes, .address_size = size < 9 ? size : 9};
	size_t count;

	/* Without keys, with one, with both. */
	for (int i = 0; i < 3; i++) {
		key_known = i > 0;
		key.has_authentication = i > 1;
		check_readings(reading_decode_dlms(decoder, &telegram, readings, &count), readings, count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct calendar_zone zone;
	static struct decoder decoder = {.key = find_key, .zone = &zone};
	uint8_t frame[MOST + 2 * 20];

	if (!decoder.cipher)
		decoder.cipher = meter_cipher_new();
	decode(&decoder, bytes, size);
	if (size <= MOST)
		decode(&decoder, frame, in_frame(bytes, size, frame));
	/* The first byte says where another frame begins, of a block or a notification. */
	if (size > 1 && size <= MOST && bytes[0] < size) {
		size_t first = in_frame(bytes + 1, bytes[0], frame);

		decode(&decoder, frame,
		       first + in_frame(bytes + 1 + bytes[0], size - 1 - bytes[0], frame + first));
	}
	return 0;
}
