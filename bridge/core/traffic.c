/*
 * Frames to lines and back; see the header.
 */
#include "traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void traffic_write(const struct traffic *traffic, char *out, size_t size)
{
	int used = snprintf(
	    out, size, "%" PRId64 " %s %016" PRIx64 " %08" PRIx32 " %" PRIu32 " %02x %u %u ",
	    traffic->at_ms, traffic->outgoing ? "out" : "in", traffic->gateway, traffic->session,
	    traffic->sequence, traffic->type, traffic->route, traffic->flags);
	struct writer writer = writer_over(out + used, size - (size_t)used);
	static const char digits[] = "0123456789abcdef";

	if (!traffic->payload)
		writer_be(&writer, '-', 1);
	for (size_t i = 0; traffic->payload && i < traffic->size; i++) {
		writer_be(&writer, (uint8_t)digits[traffic->payload[i] >> 4], 1);
		writer_be(&writer, (uint8_t)digits[traffic->payload[i] & 15], 1);
	}
	writer_be(&writer, 0, 1);
}

static int digit_of(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 32;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool traffic_read_hex(const char *digits, uint8_t *out, size_t room, size_t *size)
{
	struct cursor cursor = cursor_over(digits, strlen(digits));
	struct writer writer = writer_over(out, room);

	while (cursor_left(&cursor) > 0) {
		int high = digit_of(cursor_u8(&cursor)), low = digit_of(cursor_u8(&cursor));

		if (high < 0 || low < 0)
			return false;
		writer_be(&writer, (uint64_t)(high << 4 | low), 1);
	}
	*size = writer.at;
	return !writer.broken;
}

bool traffic_read(const char *line, struct traffic *out, uint8_t *payload, size_t room)
{
	char direction[8];
	unsigned type, route, flags;
	int payload_at = 0;

	*out = (struct traffic){.payload = NULL};
	if (sscanf(line, "%" SCNd64 " %7s %" SCNx64 " %" SCNx32 " %" SCNu32 " %x %u %u %n", &out->at_ms,
	           direction, &out->gateway, &out->session, &out->sequence, &type, &route, &flags,
	           &payload_at) != 8 ||
	    payload_at == 0 || type > UINT8_MAX || route > UINT8_MAX || flags > UINT8_MAX)
		return false;
	out->outgoing = strcmp(direction, "out") == 0;
	out->type = (uint8_t)type;
	out->route = (uint8_t)route;
	out->flags = (uint8_t)flags;
	if (!out->outgoing && strcmp(direction, "in") != 0)
		return false;
	if (strcmp(line + payload_at, "-") == 0)
		return true;
	out->payload = payload;
	return traffic_read_hex(line + payload_at, payload, room, &out->size);
}
