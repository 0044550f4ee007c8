/*
 * The SmartAMM frame (DESIGN.md section 7): a 24-byte big-endian header that is
 * always in clear, a payload, and a trailer: a GCM tag where the payload is
 * encrypted, else a CRC-32C over header and payload. This file only knows where
 * things lie; keys and sequence numbers are core/channel.
 */
#ifndef SMARTHG_BRIDGE_FRAME_H
#define SMARTHG_BRIDGE_FRAME_H

#include "cursor.h"

enum {
	FRAME_HEADER_SIZE = 24,
	FRAME_TAG_SIZE = 16,
	FRAME_CRC_SIZE = 4,
	FRAME_DEFAULT_PAYLOAD = 16384, /* default of the configurable limit */
};

enum frame_type {
	FRAME_HELLO = 0x01,
	FRAME_CHALLENGE = 0x02,
	FRAME_AUTH = 0x03,
	FRAME_READY = 0x04,
	FRAME_KEEPALIVE = 0x05,
	FRAME_KEEPALIVE_ACK = 0x06,
	FRAME_DATA = 0x07,
	FRAME_ACK = 0x08,
	FRAME_NACK = 0x09,
	FRAME_REQUEST = 0x0a,
	FRAME_RESPONSE = 0x0b,
	FRAME_CLOSE = 0x0f,
};

enum frame_route {
	ROUTE_CORE = 0,
	ROUTE_ZIGBEE = 1,
	ROUTE_ZWAVE = 2,
	ROUTE_WIRELESS_MBUS = 3,
	ROUTE_WIRED_MBUS = 4,
	ROUTE_HAN = 5,
};

enum frame_flag {
	FRAME_ENCRYPTED = 1,
	FRAME_IS_RESPONSE = 2, /* set on the types that answer another frame */
	FRAME_MORE_FOLLOWS = 4,
};

struct frame_header {
	uint8_t type, route, flags;
	uint16_t payload_size;
	uint64_t gateway; /* EUI-64 */
	uint32_t session; /* 0 before READY */
	uint32_t sequence;
};

enum frame_status {
	FRAME_OK,
	FRAME_INCOMPLETE, /* fewer bytes than a header */
	FRAME_BAD_MAGIC,
	FRAME_BAD_VERSION,
	FRAME_BAD_TYPE,
	FRAME_BAD_ROUTE,
	FRAME_BAD_FLAGS,
	FRAME_TOO_LONG, /* payload beyond the limit */
};

/* Reads a header from the first bytes of a stream; payload_limit in bytes. */
enum frame_status frame_read_header(const uint8_t *bytes, size_t size, size_t payload_limit,
                                    struct frame_header *header);

/* Appends the header. */
void frame_write_header(struct writer *writer, const struct frame_header *header);

/* Size of the whole frame that the header announces: header, payload, trailer. */
size_t frame_size(const struct frame_header *header);

/* Whether the CRC at the end of a whole clear frame is right. */
bool frame_crc_valid(const uint8_t *frame, size_t size);

/* Appends the CRC over the frame that begins at byte `start` of the writer. */
void frame_write_crc(struct writer *writer, size_t start);

/* FRAME_IS_RESPONSE for the types that answer another frame, else 0. */
uint8_t frame_response_flag(uint8_t type);

/* A word for logs. */
const char *frame_status_text(enum frame_status status);

#endif
