/*
 * DLMS pushes in HDLC frames to readings. Meters arrange their data in many
 * ways, but name a quantity by its OBIS code; then, in the same list, comes its
 * value, then a structure of scale and unit. Nothing else is taken for a
 * reading. A value without scale and unit is told by the manufacturer alone, and
 * left out.
 */
#include "dlms.h"
#include "hdlc.h"
#include "obis.h"

enum {
	MOST_BYTES = 8192, /* of a message in all its frames */
	DEEPEST = 8,       /* lists within lists */
	MOST_SCALE = 9,    /* powers of ten */
	LLC_SIZE = 3,
	OBIS_BYTES = 6,
	APDU_GENERAL_BLOCK = 0xe0,
	LAST_BLOCK = 0x80,
};

struct dlms_unit {
	uint8_t code;
	const char *unit;
	int scale; /* power of ten of the DLMS unit in it */
};

/* IEC 62056-6-2, table of units. */
static const struct dlms_unit *unit_of(int64_t code)
{
	static const struct dlms_unit units[] = {
	    {27, "kW", -3},    {28, "kVA", -3}, {29, "kvar", -3}, {30, "kWh", -3}, {31, "kVAh", -3},
	    {32, "kvarh", -3}, {33, "A", 0},    {35, "V", 0},     {44, "Hz", 0},   {13, "m3", 0},
	    {14, "m3", 0},     {15, "m3/h", 0}, {16, "m3/h", 0},  {19, "m3", -3},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].code == code)
			return &units[i];
	return NULL;
}

enum pair { PAIR_NONE, PAIR_SCALE, PAIR_UNIT };

/* What was said so far, and not yet completed. */
struct walk {
	struct decoder *decoder;
	struct reading *out;
	size_t room, count;
	int64_t header_ms, time_ms; /* of the notification, and within its data; 0: not said */
	obis_code code;
	bool has_code, has_value, too_many, many_times;
	enum pair pair; /* what comes next of scale and unit */
	int64_t value, scale;
	size_t unread; /* values that are none of the readings */
	uint8_t id[DEVICE_SIZE];
	uint8_t id_size;
};

static int64_t power_of_ten(int64_t exponent)
{
	int64_t power = 1;

	for (; exponent > 0; exponent--)
		power *= 10;
	return power;
}

/* The value that was begun is as complete as it gets. */
static void forget_value(struct walk *walk)
{
	walk->unread += walk->has_value;
	walk->has_code = walk->has_value = false;
	walk->pair = PAIR_NONE;
}

static void add_reading(struct walk *walk, const struct dlms_unit *unit)
{
	int64_t exponent = unit ? walk->scale + unit->scale : 0;
	struct reading *reading;

	/* No unit: degrees, counts ...: none that is stored. */
	if (!unit || exponent > MOST_SCALE || exponent < -MOST_SCALE)
		return;
	if (walk->count == walk->room) {
		walk->too_many = true;
		return;
	}
	walk->has_value = false;
	reading = &walk->out[walk->count++];
	*reading = (struct reading){
	    .endpoint = ENDPOINT_ONLY,
	    .unit = unit->unit,
	    .raw = walk->value,
	    .multiplier = exponent > 0 ? power_of_ten(exponent) : 1,
	    .divisor = exponent < 0 ? power_of_ten(-exponent) : 1,
	};
	obis_text(walk->code, reading->obis);
}

/* A value of another meter that this one reads, by M-Bus: whose it is and of when, nobody said. */
static bool is_of_other_meter(obis_code code)
{
	return code >> 40 == 0 && (code >> 32 & 255) != 0 && (code >> 24 & 255) == 24;
}

/* Logical device name, identifiers of the device and of its metering point. */
static bool names_meter(obis_code code)
{
	return code == obis_of(0, 0, 42, 0, 0, 255) || code == obis_of(0, 0, 96, 1, 0, 255) ||
	       code == obis_of(0, 0, 96, 1, 1, 255) || code == obis_of(1, 1, 0, 0, 5, 255);
}

/* The meter's clock, of whatever channel. */
static bool is_clock(obis_code code)
{
	return (code & ~((obis_code)255 << 32)) == obis_of(0, 0, 1, 0, 0, 255);
}

/* One time is that of all values: the clock's, or one without a name ahead of them. Rows with times
 * of their own, and values that have one behind them, are not told apart. */
static void take_time(struct walk *walk, const uint8_t *bytes)
{
	int64_t time_ms = dlms_time(walk->decoder->zone, bytes);
	int64_t known_ms = walk->time_ms != 0 ? walk->time_ms : walk->header_ms;

	if (time_ms == 0)
		return;
	if (walk->time_ms != 0 || (walk->count > 0 && !walk->has_code))
		walk->many_times |= time_ms != known_ms;
	else
		walk->time_ms = time_ms;
}

static void take_bytes(struct walk *walk, const struct dlms_value *value)
{
	const struct cursor *bytes = &value->bytes;
	bool named = walk->has_code && !walk->has_value;

	if (named && names_meter(walk->code)) {
		if (walk->id_size == 0 && bytes->size > 0 && bytes->size <= DEVICE_SIZE) {
			memcpy(walk->id, bytes->bytes, bytes->size);
			walk->id_size = (uint8_t)bytes->size;
		}
		forget_value(walk);
	} else if (named || value->tag != DLMS_OCTETS_TAG || bytes->size != OBIS_BYTES) {
		/* What has another name is a time of something else. */
		if (dlms_may_be_time(value) && (!walk->has_code || is_clock(walk->code)))
			take_time(walk, bytes->bytes);
		forget_value(walk);
	} else {
		struct cursor code = *bytes;

		forget_value(walk);
		walk->code = cursor_be(&code, OBIS_BYTES);
		walk->has_code = true;
	}
}

/* Scale and unit, a structure of their own behind the value. false: it is something else. */
static bool take_pair(struct walk *walk, const struct dlms_value *value)
{
	if (walk->pair == PAIR_SCALE && value->tag == DLMS_SCALE_TAG) {
		walk->scale = value->integer;
		walk->pair = PAIR_UNIT;
		return true;
	}
	if (walk->pair == PAIR_UNIT && value->kind == DLMS_ENUM) {
		if (!is_of_other_meter(walk->code))
			add_reading(walk, unit_of(value->integer));
		forget_value(walk);
		return true;
	}
	return false;
}

static void take_value(struct walk *walk, const struct dlms_value *value)
{
	if (walk->pair != PAIR_NONE && take_pair(walk, value))
		return;
	if (value->kind == DLMS_BYTES) {
		take_bytes(walk, value);
	} else if (value->kind == DLMS_INTEGER && walk->has_code && !walk->has_value) {
		walk->value = value->integer;
		walk->has_value = true;
	} else if (value->tag == DLMS_STRUCTURE_TAG && value->count == 2 && walk->has_value &&
	           walk->pair == PAIR_NONE) {
		walk->pair = PAIR_SCALE;
	} else {
		walk->unread += value->kind == DLMS_INTEGER || value->kind == DLMS_NUMBER;
		forget_value(walk);
	}
}

/* All pieces within the lists, in their order. false: malformed, or not all of it. */
static bool walk_data(struct walk *walk, struct cursor *data)
{
	size_t left[DEEPEST] = {1};
	int depth = 0;

	while (depth >= 0) {
		struct dlms_value value;

		if (left[depth] == 0) {
			/* A name is not that of anything outside its list. */
			forget_value(walk);
			depth--;
			continue;
		}
		left[depth]--;
		if (!dlms_next(data, &value))
			return false;
		take_value(walk, &value);
		if (value.kind == DLMS_LIST) {
			/* Each element has a byte at least. */
			if (++depth == DEEPEST || value.count > cursor_left(data))
				return false;
			left[depth] = value.count;
		}
	}
	return cursor_left(data) == 0;
}

/* Whether the next bytes are the header of the link control layer, which is then taken. */
static bool take_llc(struct cursor *bytes)
{
	static const uint8_t llc[LLC_SIZE] = {0xe6, 0xe7, 0x00};

	if (cursor_left(bytes) < LLC_SIZE || memcmp(bytes->bytes + bytes->at, llc, LLC_SIZE) != 0)
		return false;
	cursor_take(bytes, LLC_SIZE);
	return true;
}

static bool same_addresses(const struct hdlc_frame *a, const struct hdlc_frame *b)
{
	return a->addresses.size == b->addresses.size &&
	       memcmp(a->addresses.bytes, b->addresses.bytes, a->addresses.size) == 0;
}

/* Appends what one frame carries, or several that are its segments, without the header of the link
 * control layer. `before` is the frame that it goes on with, at first one without addresses: then
 * the header must be there; later ones have none, but some meters repeat it. */
static enum reading_status join_frames(struct cursor *bytes, struct hdlc_frame *before,
                                       struct writer *joined)
{
	struct hdlc_frame frame;
	enum hdlc_status status;

	do {
		status = hdlc_next(bytes, &frame);
		if (status == HDLC_BAD_CHECKSUM)
			return READING_BAD_CHECKSUM;
		if (status == HDLC_END && before->addresses.bytes)
			return READING_FRAGMENT;
		if (status != HDLC_FRAME)
			return READING_MALFORMED;
		if (!take_llc(&frame.information) && !before->addresses.bytes)
			return READING_UNSUPPORTED_LAYER;
		if (before->addresses.bytes && !same_addresses(&frame, before))
			return READING_MALFORMED;
		*before = frame;
		writer_bytes(joined, frame.information.bytes + frame.information.at,
		             cursor_left(&frame.information));
	} while (frame.segmented);
	return joined->broken ? READING_MALFORMED : READING_OK;
}

/* Takes the frame around the block that begins at `at` of the message away: its number, and that
 * which it confirms. */
static enum reading_status open_block(struct writer *message, size_t at, unsigned number,
                                      bool *is_last)
{
	struct cursor block = cursor_over(message->bytes + at, message->at - at);
	uint8_t control;
	uint16_t said;
	size_t size;

	if (cursor_u8(&block) != APDU_GENERAL_BLOCK)
		return READING_FRAGMENT;
	control = cursor_u8(&block);
	said = cursor_u16(&block);
	cursor_u16(&block);
	size = dlms_length(&block);
	if (block.broken || size != cursor_left(&block))
		return READING_MALFORMED;
	if (said != number)
		return READING_FRAGMENT;
	*is_last = control & LAST_BLOCK;
	memmove(message->bytes + at, block.bytes + block.at, size);
	message->at = at + size;
	return READING_OK;
}

/* The next message in the telegram's frames, put together. */
static enum reading_status join_message(struct cursor *bytes, struct writer *message)
{
	struct hdlc_frame frame = {.segmented = false};
	enum reading_status status = join_frames(bytes, &frame, message);
	bool is_last = false;

	if (status != READING_OK || message->at == 0 || message->bytes[0] != APDU_GENERAL_BLOCK)
		return status;
	status = open_block(message, 0, 1, &is_last);
	for (unsigned number = 2; status == READING_OK && !is_last; number++) {
		size_t at = message->at;

		status = join_frames(bytes, &frame, message);
		if (status == READING_OK)
			status = open_block(message, at, number, &is_last);
	}
	return status;
}

/* Whose readings they are: the meter that protected them, else the one that they name, else what
 * the gateway calls it. */
static enum reading_status name_meter(struct walk *walk, const struct dlms_notification *message,
                                      const struct raw_telegram *telegram)
{
	const struct meter_key *key;

	if (message->title) {
		memcpy(walk->id, message->title, DLMS_TITLE_SIZE);
		walk->id_size = DLMS_TITLE_SIZE;
	} else if (walk->id_size == 0) {
		if (telegram->address_size == 0 || telegram->address_size > DEVICE_SIZE)
			return READING_BAD_ADDRESS;
		memcpy(walk->id, telegram->address, telegram->address_size);
		walk->id_size = (uint8_t)telegram->address_size;
	}
	if (!message->title && walk->id_size == MBUS_DEVICE_SIZE) {
		memcpy(walk->decoder->device, walk->id, MBUS_DEVICE_SIZE);
		key = walk->decoder->key(walk->decoder->context, walk->decoder->device);
		if (key && !key->clear_accepted)
			return READING_NOT_ENCRYPTED;
	}
	for (size_t i = 0; i < walk->count; i++) {
		memcpy(walk->out[i].device, walk->id, walk->id_size);
		walk->out[i].device_size = walk->id_size;
		walk->out[i].measured_ms = walk->time_ms != 0 ? walk->time_ms : walk->header_ms;
	}
	return READING_OK;
}

static enum reading_status read_message(struct walk *walk, struct writer *message,
                                        const struct raw_telegram *telegram)
{
	struct dlms_notification notification;
	enum reading_status status =
	    dlms_open(walk->decoder, message->bytes, message->at, &notification);

	if (status != READING_OK)
		return status;
	if (notification.time)
		walk->header_ms = dlms_time(walk->decoder->zone, notification.time);
	if (!walk_data(walk, &notification.body))
		return notification.title && !notification.genuine ? READING_WRONG_KEY : READING_MALFORMED;
	if (walk->too_many)
		return READING_TOO_MANY;
	if (walk->count == 0)
		return READING_OK;
	return walk->many_times ? READING_AMBIGUOUS : name_meter(walk, &notification, telegram);
}

static bool same_quantity(const struct reading *a, const struct reading *b)
{
	return strcmp(a->obis, b->obis) == 0 && a->measured_ms == b->measured_ms &&
	       a->device_size == b->device_size && memcmp(a->device, b->device, a->device_size) == 0;
}

static bool same_value(const struct reading *a, const struct reading *b)
{
	return a->raw == b->raw && a->multiplier == b->multiplier && a->divisor == b->divisor &&
	       strcmp(a->unit, b->unit) == 0;
}

/* What is said twice is one reading. false: of one quantity there are two values. */
static bool drop_repetitions(struct reading *readings, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		size_t before = 0;

		while (before < kept && !same_quantity(&readings[before], &readings[i]))
			before++;
		if (before == kept)
			readings[kept++] = readings[i];
		else if (!same_value(&readings[before], &readings[i]))
			return false;
	}
	*count = kept;
	return true;
}

enum reading_status reading_decode_dlms(struct decoder *decoder,
                                        const struct raw_telegram *telegram, struct reading *out,
                                        size_t *count)
{
	struct cursor bytes = cursor_over(telegram->bytes, telegram->size);
	uint8_t message[MOST_BYTES];
	size_t found = 0, unread = 0;

	*count = 0;
	do {
		struct walk walk = {.decoder = decoder, .out = out + found, .room = READING_LIMIT - found};
		struct writer joined = writer_over(message, MOST_BYTES);
		enum reading_status status = join_message(&bytes, &joined);

		if (status == READING_OK)
			status = read_message(&walk, &joined, telegram);
		if (status != READING_OK)
			return status;
		found += walk.count;
		unread += walk.unread;
	} while (!hdlc_ends(&bytes));
	if (found == 0 && unread > 0)
		return READING_UNSCALED;
	if (!drop_repetitions(out, &found))
		return READING_AMBIGUOUS;
	*count = found;
	return READING_OK;
}
