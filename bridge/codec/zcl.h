/*
 * ZigBee Cluster Library general frames (ZCL revision 6, chapter 2): the header
 * and the attribute lists of Report Attributes, Read Attributes Response and Write
 * Attributes.
 * Every ZCL data type is sized, so that an unknown attribute can be skipped.
 */
#ifndef SMARTHG_BRIDGE_ZCL_H
#define SMARTHG_BRIDGE_ZCL_H

#include "cursor.h"

enum zcl_cluster {
	ZCL_POWER_CONFIGURATION = 0x0001,
	ZCL_METERING = 0x0702,
};

enum zcl_command {
	ZCL_READ_ATTRIBUTES_RESPONSE = 0x01,
	ZCL_WRITE_ATTRIBUTES = 0x02, /* how a meter begins its mirror */
	ZCL_WRITE_ATTRIBUTES_UNDIVIDED = 0x03,
	ZCL_WRITE_ATTRIBUTES_NO_RESPONSE = 0x05,
	ZCL_REPORT_ATTRIBUTES = 0x0a,
};

enum zcl_type {
	ZCL_UINT8 = 0x20,
	ZCL_UINT16 = 0x21,
	ZCL_UINT24 = 0x22,
	ZCL_UINT48 = 0x25,
	ZCL_INT24 = 0x2a,
	ZCL_ENUM8 = 0x30,
	ZCL_UTC_TIME = 0xe2, /* seconds since 2000-01-01 00:00 UTC */
};

/* The lowest two bits of the frame control field; 2 and 3 are reserved. */
enum zcl_frame_type { ZCL_GENERAL = 0, ZCL_CLUSTER_SPECIFIC = 1 };

struct zcl_frame {
	uint8_t type;
	bool from_server;           /* the direction: from the side that has the attributes, a meter */
	bool manufacturer_specific; /* attribute ids have another meaning */
	uint8_t sequence;
	uint8_t command;
	struct cursor attributes; /* what follows the header */
};

struct zcl_attribute {
	uint16_t id;
	uint8_t type;
	const uint8_t *value; /* in the telegram, little-endian; NULL where size is 0 */
	size_t size;
};

enum zcl_next { ZCL_ATTRIBUTE, ZCL_END, ZCL_MALFORMED };

/* Reads the frame header; false where the telegram is shorter than one. */
bool zcl_read(const uint8_t *telegram, size_t size, struct zcl_frame *out);

/* Whether the frame carries attribute values that zcl_next can walk. */
bool zcl_carries_attributes(const struct zcl_frame *frame);

/* Whether it writes attributes. */
bool zcl_writes_attributes(const struct zcl_frame *frame);

/* The next attribute with a value; records of unsupported attributes are passed over. */
enum zcl_next zcl_next(struct zcl_frame *frame, struct zcl_attribute *out);

/* An integer attribute's value (unsigned, signed, enumeration, bitmap, data, UTC time).
 * false where the type is no integer, the value is the type's "invalid" one, or it
 * does not fit. */
bool zcl_integer(const struct zcl_attribute *attribute, int64_t *out);

#endif
