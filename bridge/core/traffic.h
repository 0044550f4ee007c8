/*
 * One frame between a gateway and the core, or one event between the core and
 * the back end, as a line of text for the client tool (document 4.1.2.2):
 *
 *     TIME-MS in|out GATEWAY SESSION SEQUENCE TYPE ROUTE FLAGS PAYLOAD-HEX|-
 *     TIME-MS event GATEWAY TEXT
 *
 * Payloads of the handshake are left out.
 */
#ifndef SMARTHG_BRIDGE_TRAFFIC_H
#define SMARTHG_BRIDGE_TRAFFIC_H

#include "../codec/frame.h"

struct traffic {
	int64_t at_ms; /* since 1970 */
	bool outgoing; /* to the gateway */
	uint64_t gateway;
	uint32_t session, sequence;
	uint8_t type, route, flags;
	const uint8_t *payload; /* decrypted; NULL: not shown */
	size_t size;
};

/* Bytes that the line of a frame takes at most, with its NUL. */
static inline size_t traffic_line_size(const struct traffic *traffic)
{
	return 128 + 2 * traffic->size;
}

/* The line without its end, into traffic_line_size bytes. */
void traffic_write(const struct traffic *traffic, char *out, size_t size);

/* A frame's line to a frame; its payload goes to room bytes at `payload`. false: it is no such
 * line, or the room is too little. */
bool traffic_read(const char *line, struct traffic *out, uint8_t *payload, size_t room);

/* Hexadecimal digits to bytes; false: no digits, or more than room bytes. */
bool traffic_read_hex(const char *digits, uint8_t *out, size_t room, size_t *size);

#endif
