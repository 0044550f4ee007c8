/*
 * DLMS/COSEM messages that a meter pushes (IEC 62056-5-3): the notification and
 * its protection by the meter's global keys, and the encoding of its data
 * (A-XDR, IEC 62056-6-2).
 */
#ifndef SMARTHG_BRIDGE_DLMS_H
#define SMARTHG_BRIDGE_DLMS_H

#include "reading.h"

enum { DLMS_TITLE_SIZE = 8, DLMS_TIME_SIZE = 12 };

struct dlms_notification {
	const uint8_t *title; /* of the meter that protected it, DLMS_TITLE_SIZE; NULL: in clear */
	const uint8_t *time;  /* DLMS_TIME_SIZE; NULL: it does not say */
	struct cursor body;   /* one piece of data, and nothing behind it */
	bool genuine;         /* the meter's keys have proved it */
};

/* A length in one byte, or in as many as the first says. */
size_t dlms_length(struct cursor *bytes);

/* Opens a message in place: removes its protection by the decoder's key of the meter, which is
 * named by its system title. Statuses as of a decoder; decoder->device is set where a key is at
 * fault. */
enum reading_status dlms_open(struct decoder *decoder, uint8_t *bytes, size_t size,
                              struct dlms_notification *out);

enum dlms_kind {
	DLMS_OTHER, /* of no use here; skipped */
	DLMS_LIST,  /* array or structure: its elements follow */
	DLMS_INTEGER,
	DLMS_NUMBER, /* another: with a fraction, in decimal digits, or beyond int64_t */
	DLMS_BYTES,  /* octet string or text */
	DLMS_ENUM,
};

enum {
	DLMS_STRUCTURE_TAG = 0x02,
	DLMS_OCTETS_TAG = 0x09,
	DLMS_SCALE_TAG = 0x0f, /* an 8-bit integer with a sign */
};

struct dlms_value {
	enum dlms_kind kind;
	uint8_t tag;
	size_t count;    /* of a list's elements */
	int64_t integer; /* of DLMS_INTEGER and DLMS_ENUM */
	struct cursor bytes;
};

/* Takes the next piece of data. false: it is malformed, or of a type that is not known. */
bool dlms_next(struct cursor *data, struct dlms_value *value);

/* Whether the value may be a date and time: octets, not text, and as many. */
bool dlms_may_be_time(const struct dlms_value *value);

/* A date and time in ms since 1970; clocks that do not say how far they are from UTC are of the
 * zone. Those that say it with the wrong sign are told by the zone. 0: it is not fully given, none,
 * or its clock says that it is invalid. */
int64_t dlms_time(const struct calendar_zone *zone, const uint8_t time[DLMS_TIME_SIZE]);

#endif
