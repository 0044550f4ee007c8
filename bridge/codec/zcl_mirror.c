/*
 * Mirror commands between ZCL frames and codec/reading_zcl, and downlink.
 */
#include "zcl_mirror.h"

enum {
	COMMAND_CREATE = 0x01, /* Request Mirror, and its response the other way */
	COMMAND_REMOVE = 0x02, /* Remove Mirror, and Mirror Removed the other way */
	CONTROL_NO_DEFAULT_RESPONSE = 0x10,
	CONTROL_FROM_SERVER = 0x08,
};

enum zcl_mirror_status zcl_mirror_read(const struct zcl_frame *frame, struct zcl_mirror *out)
{
	struct cursor payload = frame->attributes;

	if (frame->type != ZCL_CLUSTER_SPECIFIC || frame->manufacturer_specific ||
	    (frame->command != COMMAND_CREATE && frame->command != COMMAND_REMOVE))
		return ZCL_MIRROR_NONE;
	out->endpoint = 0;
	if (frame->from_server) {
		out->command = frame->command == COMMAND_CREATE ? ZCL_MIRROR_REQUEST : ZCL_MIRROR_REMOVE;
		if (out->command == ZCL_MIRROR_REMOVE && cursor_left(&payload) >= 2)
			out->endpoint = (uint16_t)cursor_le(&payload, 2);
		return ZCL_MIRROR;
	}
	out->command = frame->command == COMMAND_CREATE ? ZCL_MIRROR_RESPONSE : ZCL_MIRROR_REMOVED;
	out->endpoint = (uint16_t)cursor_le(&payload, 2);
	return payload.broken ? ZCL_MIRROR_MALFORMED : ZCL_MIRROR;
}

void zcl_mirror_write(struct writer *writer, const struct zcl_mirror *mirror, uint8_t sequence)
{
	bool creates = mirror->command == ZCL_MIRROR_REQUEST || mirror->command == ZCL_MIRROR_RESPONSE;
	bool meter = mirror->command == ZCL_MIRROR_REQUEST || mirror->command == ZCL_MIRROR_REMOVE;

	writer_u8(writer, ZCL_CLUSTER_SPECIFIC | CONTROL_NO_DEFAULT_RESPONSE |
	                      (meter ? CONTROL_FROM_SERVER : 0));
	writer_u8(writer, sequence);
	writer_u8(writer, creates ? COMMAND_CREATE : COMMAND_REMOVE);
	if (!meter)
		writer_le(writer, mirror->endpoint, 2);
}

const char *zcl_mirror_name(enum zcl_mirror_command command)
{
	static const char *const names[] = {
	    [ZCL_MIRROR_REQUEST] = "request",
	    [ZCL_MIRROR_REMOVE] = "remove",
	    [ZCL_MIRROR_RESPONSE] = "response",
	    [ZCL_MIRROR_REMOVED] = "removed",
	};

	return names[command];
}
