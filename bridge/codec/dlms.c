/* DLMS messages; see the header. */
#include "dlms.h"

#include "calendar.h"

enum {
	APDU_DATA_NOTIFICATION = 0x0f,
	APDU_GENERAL_GLO_CIPHERING = 0xdb,
	APDU_GENERAL_DED_CIPHERING = 0xdc,
	APDU_GENERAL_CIPHERING = 0xdd,
	SUITE = 0x0f, /* of the security control byte: AES-128 in suites 0 and 1 */
	AUTHENTICATED = 0x10,
	ENCRYPTED = 0x20,
	COMPRESSED = 0x80,
	TAG_SIZE = 12,
	COUNTER_SIZE = 4,
};

enum tag {
	TAG_NULL = 0x00,
	TAG_ARRAY = 0x01,
	TAG_STRUCTURE = DLMS_STRUCTURE_TAG,
	TAG_BOOLEAN = 0x03,
	TAG_BIT_STRING = 0x04,
	TAG_INT32 = 0x05,
	TAG_UINT32 = 0x06,
	TAG_OCTET_STRING = DLMS_OCTETS_TAG,
	TAG_VISIBLE_STRING = 0x0a,
	TAG_UTF8_STRING = 0x0c,
	TAG_BCD = 0x0d,
	TAG_INT8 = DLMS_SCALE_TAG,
	TAG_INT16 = 0x10,
	TAG_UINT8 = 0x11,
	TAG_UINT16 = 0x12,
	TAG_INT64 = 0x14,
	TAG_UINT64 = 0x15,
	TAG_ENUM = 0x16,
	TAG_FLOAT32 = 0x17,
	TAG_FLOAT64 = 0x18,
	TAG_DATE_TIME = 0x19,
	TAG_DATE = 0x1a,
	TAG_TIME = 0x1b,
};

size_t dlms_length(struct cursor *bytes)
{
	uint8_t first = cursor_u8(bytes);
	size_t size = first & 0x7f;

	if (first < 0x80)
		return first;
	if (size == 0 || size > 4) {
		bytes->broken = true;
		return 0;
	}
	return (size_t)cursor_be(bytes, size);
}

static enum reading_status read_notification(struct cursor apdu, struct dlms_notification *out)
{
	size_t time_size;

	if (cursor_u8(&apdu) != APDU_DATA_NOTIFICATION)
		return READING_MALFORMED;
	cursor_take(&apdu, 4); /* number and priority of the invocation */
	time_size = dlms_length(&apdu);
	if (time_size == TAG_OCTET_STRING) /* some meters give the string its tag */
		time_size = dlms_length(&apdu);
	else if (time_size == TAG_DATE_TIME)
		time_size = DLMS_TIME_SIZE;
	if (time_size != 0 && time_size != DLMS_TIME_SIZE)
		return READING_MALFORMED;
	out->time = time_size > 0 ? cursor_take(&apdu, time_size) : NULL;
	if (apdu.broken || cursor_left(&apdu) == 0)
		return READING_MALFORMED;
	out->body = cursor_over(apdu.bytes + apdu.at, cursor_left(&apdu));
	return READING_OK;
}

/* The parts of a protected message, in place. */
struct protected
{
	const uint8_t *title, *counter, *tag;
	uint8_t control;
	uint8_t *content;
	size_t size;
};

static bool read_protected(uint8_t *bytes, size_t size, struct protected *out)
{
	struct cursor apdu = cursor_over(bytes, size);
	bool authenticated;
	size_t rest;

	cursor_u8(&apdu);
	if (dlms_length(&apdu) != DLMS_TITLE_SIZE)
		return false;
	out->title = cursor_take(&apdu, DLMS_TITLE_SIZE);
	rest = dlms_length(&apdu);
	if (apdu.broken || rest != cursor_left(&apdu))
		return false;
	out->control = cursor_u8(&apdu);
	out->counter = cursor_take(&apdu, COUNTER_SIZE);
	authenticated = out->control & AUTHENTICATED;
	if (apdu.broken || cursor_left(&apdu) < (authenticated ? TAG_SIZE : 0))
		return false;
	out->size = cursor_left(&apdu) - (authenticated ? TAG_SIZE : 0);
	out->content = bytes + apdu.at;
	out->tag = out->content + out->size;
	return true;
}

/* With a tag: over the control byte, the authentication key and, where it is not encrypted, the
 * content. */
static enum reading_status check_and_decrypt(struct decoder *decoder, const struct meter_key *key,
                                             const struct protected *message)
{
	uint8_t nonce[GCM_NONCE_SIZE], also[1 + METER_KEY_SIZE], first[CIPHER_BLOCK_SIZE] = {0};
	bool genuine = false, worked;

	memcpy(nonce, message->title, DLMS_TITLE_SIZE);
	memcpy(nonce + DLMS_TITLE_SIZE, message->counter, COUNTER_SIZE);
	if (!(message->control & AUTHENTICATED)) {
		if (key->has_authentication)
			return READING_FORGED;
		/* Encryption alone is GCM's counter mode, whose second block is the first of content. */
		memcpy(first, nonce, sizeof(nonce));
		first[CIPHER_BLOCK_SIZE - 1] = 2;
		return meter_cipher_ctr(decoder->cipher, key->bytes, first, message->content, message->size)
		           ? READING_OK
		           : READING_WRONG_KEY;
	}
	if (!key->has_authentication)
		return READING_NO_KEY;
	also[0] = message->control;
	memcpy(also + 1, key->authentication, METER_KEY_SIZE);
	worked = meter_cipher_gcm(decoder->cipher, key->bytes, nonce, also, sizeof(also),
	                          message->content, message->size, message->tag, TAG_SIZE, &genuine);
	return worked && genuine ? READING_OK : READING_FORGED;
}

static enum reading_status open_protected(struct decoder *decoder, uint8_t *bytes, size_t size,
                                          struct dlms_notification *out)
{
	const struct meter_key *key;
	struct protected message;
	enum reading_status status;

	if (!read_protected(bytes, size, &message))
		return READING_MALFORMED;
	if ((message.control & SUITE) > 1 || message.control & COMPRESSED ||
	    !(message.control & ENCRYPTED))
		return READING_UNSUPPORTED_SECURITY;
	memcpy(decoder->device, message.title, DLMS_TITLE_SIZE);
	out->title = message.title;
	key = decoder->key(decoder->context, decoder->device);
	status = key ? check_and_decrypt(decoder, key, &message) : READING_NO_KEY;
	if (status != READING_OK)
		return status;
	out->genuine = message.control & AUTHENTICATED;
	status = read_notification(cursor_over(message.content, message.size), out);
	/* What a wrong key makes of it is hardly ever a notification. */
	return status == READING_OK || out->genuine ? status : READING_WRONG_KEY;
}

enum reading_status dlms_open(struct decoder *decoder, uint8_t *bytes, size_t size,
                              struct dlms_notification *out)
{
	*out = (struct dlms_notification){0};
	if (size == 0)
		return READING_MALFORMED;
	if (bytes[0] == APDU_GENERAL_GLO_CIPHERING)
		return open_protected(decoder, bytes, size, out);
	if (bytes[0] == APDU_GENERAL_DED_CIPHERING || bytes[0] == APDU_GENERAL_CIPHERING)
		return READING_UNSUPPORTED_SECURITY;
	if (bytes[0] != APDU_DATA_NOTIFICATION)
		return READING_UNSUPPORTED_LAYER;
	return read_notification(cursor_over(bytes, size), out);
}

/* Bytes of a number of this type; negative: with a sign. 0: not a number. */
static int number_size(uint8_t tag)
{
	switch (tag) {
	case TAG_INT8:
		return -1;
	case TAG_INT16:
		return -2;
	case TAG_INT32:
		return -4;
	case TAG_INT64:
		return -8;
	case TAG_UINT8:
	case TAG_ENUM:
		return 1;
	case TAG_UINT16:
		return 2;
	case TAG_UINT32:
		return 4;
	case TAG_UINT64:
		return 8;
	default:
		return 0;
	}
}

static void read_number(struct cursor *data, struct dlms_value *value, int size)
{
	uint64_t bits = cursor_be(data, (size_t)(size < 0 ? -size : size));
	int unused = 64 + 8 * size;

	value->kind = value->tag == TAG_ENUM ? DLMS_ENUM : DLMS_INTEGER;
	if (size < 0)
		value->integer = (int64_t)(bits << unused) >> unused;
	else if (bits <= INT64_MAX)
		value->integer = (int64_t)bits;
	else
		value->kind = DLMS_NUMBER;
}

/* Bytes of a type that is skipped; -1: the type is not known. */
static int skipped_size(uint8_t tag)
{
	switch (tag) {
	case TAG_NULL:
		return 0;
	case TAG_BOOLEAN:
	case TAG_BCD:
		return 1;
	case TAG_FLOAT32:
	case TAG_TIME:
		return 4;
	case TAG_DATE:
		return 5;
	case TAG_FLOAT64:
		return 8;
	default:
		return -1;
	}
}

bool dlms_next(struct cursor *data, struct dlms_value *value)
{
	size_t size;

	*value = (struct dlms_value){.tag = cursor_u8(data)};
	if (number_size(value->tag) != 0) {
		read_number(data, value, number_size(value->tag));
		return !data->broken;
	}
	switch (value->tag) {
	case TAG_ARRAY:
	case TAG_STRUCTURE:
		value->kind = DLMS_LIST;
		value->count = dlms_length(data);
		break;
	case TAG_OCTET_STRING:
	case TAG_VISIBLE_STRING:
	case TAG_UTF8_STRING:
	case TAG_DATE_TIME:
		size = value->tag == TAG_DATE_TIME ? DLMS_TIME_SIZE : dlms_length(data);
		value->kind = DLMS_BYTES;
		value->bytes = cursor_over(cursor_take(data, size), size);
		break;
	case TAG_BIT_STRING:
		size = dlms_length(data);
		cursor_take(data, size / 8 + (size % 8 != 0));
		break;
	default:
		if (skipped_size(value->tag) < 0)
			return false;
		if (value->tag == TAG_BCD || value->tag == TAG_FLOAT32 || value->tag == TAG_FLOAT64)
			value->kind = DLMS_NUMBER;
		cursor_take(data, (size_t)skipped_size(value->tag));
	}
	return !data->broken;
}

bool dlms_may_be_time(const struct dlms_value *value)
{
	return value->bytes.size == DLMS_TIME_SIZE &&
	       (value->tag == TAG_OCTET_STRING || value->tag == TAG_DATE_TIME);
}

/* The minutes that local time is short of UTC. Meters are known that say how far it is ahead: then
 * the other sign is one of the zone's, and this one is not. */
static int deviation_by(const struct calendar_zone *zone, int year, int deviation)
{
	const int64_t day_ms = 86400000;
	int64_t said_ms = deviation * INT64_C(60000);
	int64_t standard_ms = calendar_utc(zone, year, day_ms, false) - day_ms;
	int64_t summer_ms = calendar_utc(zone, year, day_ms, true) - day_ms;
	bool right = said_ms == standard_ms || said_ms == summer_ms;
	bool reversed = -said_ms == standard_ms || -said_ms == summer_ms;

	return reversed && !right ? -deviation : deviation;
}

int64_t dlms_time(const struct calendar_zone *zone, const uint8_t time[DLMS_TIME_SIZE])
{
	enum { INVALID = 0x01, SUMMER = 0x80, NOT_GIVEN = 0xff, NO_DEVIATION = -0x8000 };
	struct cursor at = cursor_over(time, DLMS_TIME_SIZE);
	int year = cursor_u16(&at), month = cursor_u8(&at), day = cursor_u8(&at);
	int weekday = cursor_u8(&at), hour = cursor_u8(&at), minute = cursor_u8(&at);
	int second = cursor_u8(&at), hundredths = cursor_u8(&at);
	int deviation = (int16_t)cursor_u16(&at);
	uint8_t clock_status = cursor_u8(&at);
	int64_t local_ms;

	clock_status = clock_status == NOT_GIVEN ? 0 : clock_status;
	second = second == NOT_GIVEN ? 0 : second;
	hundredths = hundredths == NOT_GIVEN ? 0 : hundredths;
	if (year > 2200 || !calendar_has(year, month, day) || (weekday > 7 && weekday != NOT_GIVEN) ||
	    hour > 23 || minute > 59 || second > 59 || hundredths > 99 || clock_status & INVALID ||
	    (deviation != NO_DEVIATION && (deviation < -840 || deviation > 840)))
		return 0;
	local_ms = calendar_days(year, month, day) * 86400000 + hour * INT64_C(3600000) +
	           minute * INT64_C(60000) + second * INT64_C(1000) + hundredths * INT64_C(10);
	if (deviation != NO_DEVIATION)
		return local_ms + deviation_by(zone, year, deviation) * INT64_C(60000);
	return calendar_utc(zone, year, local_ms, clock_status & SUMMER);
}
