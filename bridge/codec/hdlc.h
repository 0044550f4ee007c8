/*
 * HDLC frames of format type 3 as meters push them (IEC 62056-46): where they
 * begin and end, their two checksums, and what they carry.
 */
#ifndef SMARTHG_BRIDGE_HDLC_H
#define SMARTHG_BRIDGE_HDLC_H

#include "cursor.h"

enum hdlc_status {
	HDLC_FRAME,
	HDLC_END, /* nothing but flags is left */
	HDLC_MALFORMED,
	HDLC_BAD_CHECKSUM,
};

struct hdlc_frame {
	struct cursor information; /* in place; empty where it carries none */
	struct cursor addresses;   /* in place: of whom it is for, and whose it is */
	bool segmented;            /* the next frame goes on with it */
};

/* Takes the next frame, its flags included. */
enum hdlc_status hdlc_next(struct cursor *bytes, struct hdlc_frame *frame);

/* Whether nothing but flags is left. */
bool hdlc_ends(struct cursor *bytes);

#endif
