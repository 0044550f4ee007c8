/*
 * ZCL general frames (ZCL revision 6, section 2.4 frame format, 2.6 data types),
 * between a DATA record of kind 1 and codec/reading.
 */
#include "zcl.h"

enum {
	FRAME_TYPE_MASK = 0x03,
	MANUFACTURER_BIT = 0x04,
	DIRECTION_BIT = 0x08,
	NESTING_LIMIT = 15, /* ZCL 2.6.2.13: structures may be nested this deep */
};

enum zcl_class { CLASS_OTHER, CLASS_PLAIN, CLASS_UNSIGNED, CLASS_SIGNED };

/* Bytes of a type of fixed size, or -1. */
static int fixed_size(uint8_t type)
{
	if ((type >= 0x08 && type <= 0x0f) || (type >= 0x18 && type <= 0x2f))
		return (type & 7) + 1;
	switch (type) {
	case 0x00: /* no data */
	case 0xff: /* unknown */
		return 0;
	case 0x10: /* boolean */
	case 0x30: /* enum8 */
		return 1;
	case 0x31: /* enum16 */
	case 0x38: /* semi-precision */
	case 0xe8: /* cluster id */
	case 0xe9: /* attribute id */
		return 2;
	case 0x39: /* single precision */
	case 0xe0: /* time of day */
	case 0xe1: /* date */
	case ZCL_UTC_TIME:
	case 0xea: /* BACnet object */
		return 4;
	case 0x3a: /* double precision */
	case 0xf0: /* IEEE address */
		return 8;
	case 0xf1: /* 128-bit key */
		return 16;
	default:
		return -1;
	}
}

/* Passes a value of the type; the cursor breaks where it is not one. */
static void skip_value(struct cursor *cursor, uint8_t type, int nesting)
{
	int size = fixed_size(type);

	if (size >= 0) {
		cursor_take(cursor, (size_t)size);
		return;
	}
	if (type == 0x41 || type == 0x42) { /* octet and character string */
		uint8_t length = cursor_u8(cursor);
		cursor_take(cursor, length == 0xff ? 0 : length);
	} else if (type == 0x43 || type == 0x44) { /* the long ones */
		uint16_t length = (uint16_t)cursor_le(cursor, 2);
		cursor_take(cursor, length == 0xffff ? 0 : length);
	} else if ((type == 0x48 || type == 0x50 || type == 0x51) &&
	           nesting > 0) { /* array, set, bag */
		uint8_t element = cursor_u8(cursor);
		uint16_t count = (uint16_t)cursor_le(cursor, 2);
		int element_size = fixed_size(element);

		if (count == 0xffff)
			return;
		if (element_size >= 0)
			cursor_take(cursor, (size_t)element_size * count);
		for (int i = 0; element_size < 0 && i < count && !cursor->broken; i++)
			skip_value(cursor, element, nesting - 1);
	} else if (type == 0x4c && nesting > 0) { /* structure */
		uint16_t count = (uint16_t)cursor_le(cursor, 2);

		for (int i = 0; count != 0xffff && i < count && !cursor->broken; i++)
			skip_value(cursor, cursor_u8(cursor), nesting - 1);
	} else {
		cursor->broken = true;
	}
}

bool zcl_read(const uint8_t *telegram, size_t size, struct zcl_frame *out)
{
	struct cursor cursor = cursor_over(telegram, size);
	uint8_t control = cursor_u8(&cursor);

	out->type = control & FRAME_TYPE_MASK;
	out->from_server = control & DIRECTION_BIT;
	out->manufacturer_specific = control & MANUFACTURER_BIT;
	if (out->manufacturer_specific)
		cursor_le(&cursor, 2);
	out->sequence = cursor_u8(&cursor);
	out->command = cursor_u8(&cursor);
	out->attributes = cursor;
	return !cursor.broken;
}

bool zcl_writes_attributes(const struct zcl_frame *frame)
{
	return frame->type == ZCL_GENERAL && (frame->command == ZCL_WRITE_ATTRIBUTES ||
	                                      frame->command == ZCL_WRITE_ATTRIBUTES_UNDIVIDED ||
	                                      frame->command == ZCL_WRITE_ATTRIBUTES_NO_RESPONSE);
}

bool zcl_carries_attributes(const struct zcl_frame *frame)
{
	return zcl_writes_attributes(frame) ||
	       (frame->type == ZCL_GENERAL && (frame->command == ZCL_READ_ATTRIBUTES_RESPONSE ||
	                                       frame->command == ZCL_REPORT_ATTRIBUTES));
}

enum zcl_next zcl_next(struct zcl_frame *frame, struct zcl_attribute *out)
{
	struct cursor *cursor = &frame->attributes;

	while (cursor_left(cursor) > 0) {
		out->id = (uint16_t)cursor_le(cursor, 2);
		if (frame->command == ZCL_READ_ATTRIBUTES_RESPONSE && cursor_u8(cursor) != 0) {
			if (cursor->broken)
				return ZCL_MALFORMED;
			continue;
		}
		out->type = cursor_u8(cursor);
		struct cursor value = *cursor;
		skip_value(cursor, out->type, NESTING_LIMIT);
		if (cursor->broken)
			return ZCL_MALFORMED;
		out->size = cursor->at - value.at;
		out->value = out->size > 0 ? cursor_take(&value, out->size) : NULL;
		return ZCL_ATTRIBUTE;
	}
	return ZCL_END;
}

static enum zcl_class class_of(uint8_t type)
{
	if (type >= 0x20 && type <= 0x27)
		return CLASS_UNSIGNED;
	if (type >= 0x28 && type <= 0x2f)
		return CLASS_SIGNED;
	if (type == ZCL_ENUM8 || type == 0x31 || type == ZCL_UTC_TIME)
		return CLASS_UNSIGNED;
	if ((type >= 0x08 && type <= 0x0f) || (type >= 0x18 && type <= 0x1f))
		return CLASS_PLAIN;
	return CLASS_OTHER;
}

bool zcl_integer(const struct zcl_attribute *attribute, int64_t *out)
{
	enum zcl_class class = class_of(attribute->type);
	struct cursor cursor = cursor_over(attribute->value, attribute->size);
	uint64_t value = cursor_le(&cursor, attribute->size <= 8 ? attribute->size : 8);

	if (class == CLASS_OTHER || attribute->size == 0)
		return false;
	uint64_t sign = UINT64_C(1) << (8 * attribute->size - 1);
	uint64_t all_ones = sign | (sign - 1);
	if (class == CLASS_UNSIGNED && value == all_ones)
		return false;
	if (class == CLASS_SIGNED) {
		if (value == sign)
			return false;
		*out = (int64_t)(value & sign ? value | ~all_ones : value);
		return true;
	}
	*out = (int64_t)value;
	return value <= INT64_MAX;
}
