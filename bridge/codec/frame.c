/*
 * Header and clear trailer of the SmartAMM frame (DESIGN.md section 7), between
 * the IP dispatcher's byte stream and core/channel.
 */
#include "frame.h"

#include "crc32c.h"

static const uint8_t frame_magic[3] = {'S', 'A', 1};

static bool known_type(uint8_t type)
{
	return (type >= FRAME_HELLO && type <= FRAME_RESPONSE) || type == FRAME_CLOSE;
}

enum frame_status frame_read_header(const uint8_t *bytes, size_t size, size_t payload_limit,
                                    struct frame_header *header)
{
	struct cursor cursor = cursor_over(bytes, size);
	const uint8_t *magic = cursor_take(&cursor, sizeof(frame_magic));

	header->type = cursor_u8(&cursor);
	header->route = cursor_u8(&cursor);
	header->flags = cursor_u8(&cursor);
	header->payload_size = cursor_u16(&cursor);
	header->gateway = cursor_u64(&cursor);
	header->session = cursor_u32(&cursor);
	header->sequence = cursor_u32(&cursor);
	if (cursor.broken)
		return FRAME_INCOMPLETE;
	if (magic[0] != frame_magic[0] || magic[1] != frame_magic[1])
		return FRAME_BAD_MAGIC;
	if (magic[2] != frame_magic[2])
		return FRAME_BAD_VERSION;
	if (!known_type(header->type))
		return FRAME_BAD_TYPE;
	if (header->route > ROUTE_HAN)
		return FRAME_BAD_ROUTE;
	if (header->flags & ~(FRAME_ENCRYPTED | FRAME_IS_RESPONSE | FRAME_MORE_FOLLOWS))
		return FRAME_BAD_FLAGS;
	return header->payload_size > payload_limit ? FRAME_TOO_LONG : FRAME_OK;
}

void frame_write_header(struct writer *writer, const struct frame_header *header)
{
	writer_bytes(writer, frame_magic, sizeof(frame_magic));
	writer_u8(writer, header->type);
	writer_u8(writer, header->route);
	writer_u8(writer, header->flags);
	writer_u16(writer, header->payload_size);
	writer_u64(writer, header->gateway);
	writer_u32(writer, header->session);
	writer_u32(writer, header->sequence);
}

size_t frame_size(const struct frame_header *header)
{
	return FRAME_HEADER_SIZE + (size_t)header->payload_size +
	       (header->flags & FRAME_ENCRYPTED ? FRAME_TAG_SIZE : FRAME_CRC_SIZE);
}

bool frame_crc_valid(const uint8_t *frame, size_t size)
{
	struct cursor cursor = cursor_over(frame, size);

	if (size < FRAME_HEADER_SIZE + FRAME_CRC_SIZE)
		return false;
	cursor_take(&cursor, size - FRAME_CRC_SIZE);
	return cursor_u32(&cursor) == crc32c(frame, size - FRAME_CRC_SIZE);
}

void frame_write_crc(struct writer *writer, size_t start)
{
	if (!writer->broken)
		writer_u32(writer, crc32c(writer->bytes + start, writer->at - start));
}

uint8_t frame_response_flag(uint8_t type)
{
	switch (type) {
	case FRAME_CHALLENGE:
	case FRAME_READY:
	case FRAME_KEEPALIVE_ACK:
	case FRAME_ACK:
	case FRAME_NACK:
	case FRAME_RESPONSE:
		return FRAME_IS_RESPONSE;
	default:
		return 0;
	}
}

const char *frame_status_text(enum frame_status status)
{
	static const char *const texts[] = {
	    [FRAME_OK] = "well-formed frame",           [FRAME_INCOMPLETE] = "incomplete header",
	    [FRAME_BAD_MAGIC] = "not a SmartAMM frame", [FRAME_BAD_VERSION] = "unknown version",
	    [FRAME_BAD_TYPE] = "unknown frame type",    [FRAME_BAD_ROUTE] = "unknown route",
	    [FRAME_BAD_FLAGS] = "unknown flags",        [FRAME_TOO_LONG] = "payload beyond the limit",
	};

	return texts[status];
}
