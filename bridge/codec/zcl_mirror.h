/*
 * Commands of the Smart Energy Metering cluster by which a sleeping meter has its
 * data mirrored (document 4.1.1.1; ZCL revision 6, sections 10.4.2.3 and 10.4.3.3):
 * the meter is the server, the gateway, which hosts the mirror's endpoint, the
 * client.
 */
#ifndef SMARTHG_BRIDGE_ZCL_MIRROR_H
#define SMARTHG_BRIDGE_ZCL_MIRROR_H

#include "zcl.h"

enum { ZCL_MIRROR_NO_ENDPOINT = 0xffff, ZCL_MIRROR_FRAME_SIZE = 5 };

enum zcl_mirror_command {
	ZCL_MIRROR_REQUEST,  /* of the meter: may I have one? */
	ZCL_MIRROR_REMOVE,   /* of the meter: I need it no longer */
	ZCL_MIRROR_RESPONSE, /* of the gateway: you have this endpoint */
	ZCL_MIRROR_REMOVED,  /* of the gateway: you have it no longer */
};

struct zcl_mirror {
	enum zcl_mirror_command command;
	/* Of the gateway's commands, ZCL_MIRROR_NO_ENDPOINT where it refuses. Remove Mirror has none by
	 * the standard, and one that comes anyway is read; else 0. */
	uint16_t endpoint;
};

enum zcl_mirror_status { ZCL_MIRROR, ZCL_MIRROR_NONE, ZCL_MIRROR_MALFORMED };

/* Reads a cluster-specific frame of the Metering cluster; ZCL_MIRROR_NONE where it is another of
 * its commands, a manufacturer's own, or not cluster-specific. */
enum zcl_mirror_status zcl_mirror_read(const struct zcl_frame *frame, struct zcl_mirror *out);

/* Appends a command as a ZCL frame, of ZCL_MIRROR_FRAME_SIZE bytes at most. */
void zcl_mirror_write(struct writer *writer, const struct zcl_mirror *mirror, uint8_t sequence);

/* "request", "remove", "response" or "removed". */
const char *zcl_mirror_name(enum zcl_mirror_command command);

#endif
