/* HDLC frames; see the header. */
#include "hdlc.h"

#include "crc16.h"

enum {
	FLAG = 0x7e,
	FORMAT_TYPE_3 = 0xa, /* upper four bits of the first byte */
	SEGMENTED = 0x0800,
	LENGTH = 0x07ff,
	CHECKSUM_SIZE = 2,
	ADDRESS_MOST = 4,
	FRAME_LEAST = 7, /* format, two addresses, control field, checksum */
};

static void skip_flags(struct cursor *bytes)
{
	while (cursor_left(bytes) > 0 && bytes->bytes[bytes->at] == FLAG)
		cursor_u8(bytes);
}

bool hdlc_ends(struct cursor *bytes)
{
	skip_flags(bytes);
	return cursor_left(bytes) == 0;
}

/* One, two or four bytes, of which the last is odd. */
static bool skip_address(struct cursor *frame)
{
	for (int size = 1; size <= ADDRESS_MOST; size++)
		if (cursor_u8(frame) & 1)
			return size != 3 && !frame->broken;
	return false;
}

/* Whether the checksum that comes next is that of all before it. */
static bool checksum_holds(struct cursor *frame)
{
	uint16_t wanted = crc16_x25(frame->bytes, frame->at);

	return cursor_le(frame, CHECKSUM_SIZE) == wanted && !frame->broken;
}

enum hdlc_status hdlc_next(struct cursor *bytes, struct hdlc_frame *frame)
{
	struct cursor whole;
	uint16_t format;
	size_t length;

	if (hdlc_ends(bytes))
		return HDLC_END;
	whole = cursor_over(bytes->bytes + bytes->at, cursor_left(bytes));
	format = cursor_u16(&whole);
	length = format & LENGTH;
	if (whole.broken || format >> 12 != FORMAT_TYPE_3 || length < FRAME_LEAST ||
	    !cursor_take(bytes, length))
		return HDLC_MALFORMED;
	whole.size = length;
	if (!skip_address(&whole) || !skip_address(&whole))
		return HDLC_MALFORMED;
	frame->addresses = cursor_over(whole.bytes + 2, whole.at - 2);
	cursor_u8(&whole); /* control field: a push is an unnumbered or an information frame */
	frame->segmented = format & SEGMENTED;
	frame->information = cursor_over(whole.bytes, 0);
	if (whole.broken || cursor_left(&whole) < CHECKSUM_SIZE)
		return HDLC_MALFORMED;
	if (cursor_left(&whole) > CHECKSUM_SIZE) {
		if (!checksum_holds(&whole))
			return HDLC_BAD_CHECKSUM;
		if (cursor_left(&whole) < CHECKSUM_SIZE)
			return HDLC_MALFORMED;
		size_t size = cursor_left(&whole) - CHECKSUM_SIZE;

		frame->information = cursor_over(cursor_take(&whole, size), size);
	}
	return checksum_holds(&whole) ? HDLC_FRAME : HDLC_BAD_CHECKSUM;
}
