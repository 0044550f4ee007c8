/*
 * DLMS pushes in HDLC frames to readings. Meters arrange their data in many
 * ways, but name a quantity by its OBIS code, then comes its value, then scale
 * and unit; so whatever lists they are in, the pieces are taken in their order.
 * A value without scale and unit is told by the manufacturer alone, and left out.
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

/* What was said so far, and not yet completed. */
struct walk {
	struct decoder *decoder;
	struct reading *out;
	size_t count;
	int64_t time_ms;
	obis_code code;
	bool has_code, has_value, has_scale, too_many;
	int64_t value, scale;
	size_t unscaled; /* values whose name or unit nobody said */
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
	walk->unscaled += walk->has_value;
	walk->has_code = walk->has_value = walk->has_scale = false;
}

static bool is_new(const struct walk *walk, const char *obis)
{
	for (size_t i = 0; i < walk->count; i++)
		if (strcmp(walk->out[i].obis, obis) == 0)
			return false;
	return true;
}

static void add_reading(struct walk *walk, const struct dlms_unit *unit)
{
	int64_t exponent = walk->scale + unit->scale;
	struct reading *reading;
	char obis[OBIS_SIZE];

	walk->has_value = false;
	obis_text(walk->code, obis);
	if (exponent > MOST_SCALE || exponent < -MOST_SCALE || !is_new(walk, obis))
		return;
	if (walk->count == READING_LIMIT) {
		walk->too_many = true;
		return;
	}
	reading = &walk->out[walk->count++];
	*reading = (struct reading){
	    .endpoint = ENDPOINT_ONLY,
	    .unit = unit->unit,
	    .raw = walk->value,
	    .multiplier = exponent > 0 ? power_of_ten(exponent) : 1,
	    .divisor = exponent < 0 ? power_of_ten(-exponent) : 1,
	};
	memcpy(reading->obis, obis, sizeof(obis));
}

/* Logical device name, identifiers of the device and of its metering point. */
static bool names_meter(obis_code code)
{
	return code == obis_of(0, 0, 42, 0, 0, 255) || code == obis_of(0, 0, 96, 1, 0, 255) ||
	       code == obis_of(0, 0, 96, 1, 1, 255) || code == obis_of(1, 1, 0, 0, 5, 255);
}

static void take_bytes(struct walk *walk, const struct cursor *bytes)
{
	if (walk->has_code && names_meter(walk->code) && bytes->size > 0 &&
	    bytes->size <= DEVICE_SIZE) {
		if (walk->id_size == 0) {
			memcpy(walk->id, bytes->bytes, bytes->size);
			walk->id_size = (uint8_t)bytes->size;
		}
		forget_value(walk);
	} else if (bytes->size == OBIS_BYTES) {
		struct cursor code = *bytes;

		forget_value(walk);
		walk->code = cursor_be(&code, OBIS_BYTES);
		walk->has_code = true;
	} else if (bytes->size == DLMS_TIME_SIZE) {
		/* The first one is that of the push: as its clock, or ahead of all values. */
		if (walk->time_ms == 0 && (!walk->has_code || walk->code == obis_of(0, 0, 1, 0, 0, 255)))
			walk->time_ms = dlms_time(walk->decoder->zone, bytes->bytes);
		forget_value(walk);
	} else {
		forget_value(walk);
	}
}

static void take_value(struct walk *walk, const struct dlms_value *value)
{
	const struct dlms_unit *unit;

	if (value->kind == DLMS_BYTES) {
		take_bytes(walk, &value->bytes);
	} else if (value->kind == DLMS_INTEGER && walk->has_code && !walk->has_value) {
		walk->value = value->integer;
		walk->has_value = true;
	} else if (value->kind == DLMS_INTEGER && walk->has_value && !walk->has_scale &&
	           value->tag == DLMS_SCALE_TAG) {
		walk->scale = value->integer;
		walk->has_scale = true;
	} else if (value->kind == DLMS_ENUM && walk->has_scale) {
		unit = unit_of(value->integer);
		if (unit)
			add_reading(walk, unit);
		else
			walk->has_value = false; /* degrees, counts ...: none that is stored */
		forget_value(walk);
	} else if (value->kind != DLMS_LIST) {
		walk->unscaled += value->kind == DLMS_INTEGER;
		forget_value(walk);
	}
}

/* All pieces within the lists, in their order. false: malformed. */
static bool walk_data(struct walk *walk, struct cursor *data)
{
	size_t left[DEEPEST] = {1};
	int depth = 0;

	while (depth >= 0) {
		struct dlms_value value;

		if (left[depth] == 0) {
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
	forget_value(walk);
	return true;
}

/* The message in the telegram's frames, put together. */
static enum reading_status join_frames(const struct raw_telegram *telegram, uint8_t *message,
                                       size_t *size)
{
	struct cursor bytes = cursor_over(telegram->bytes, telegram->size);
	struct writer joined = writer_over(message, MOST_BYTES);
	struct hdlc_frame frame = {.segmented = false};
	enum hdlc_status status;

	while ((status = hdlc_next(&bytes, &frame)) == HDLC_FRAME) {
		writer_bytes(&joined, frame.information.bytes, frame.information.size);
		if (!frame.segmented)
			break;
	}
	if (status == HDLC_BAD_CHECKSUM)
		return READING_BAD_CHECKSUM;
	if (status == HDLC_END && frame.segmented)
		return READING_FRAGMENT;
	if (status != HDLC_FRAME || joined.broken)
		return READING_MALFORMED;
	*size = joined.at;
	return READING_OK;
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
		walk->out[i].measured_ms = walk->time_ms;
	}
	return READING_OK;
}

enum reading_status reading_decode_dlms(struct decoder *decoder,
                                        const struct raw_telegram *telegram, struct reading *out,
                                        size_t *count)
{
	static const uint8_t llc[LLC_SIZE] = {0xe6, 0xe7, 0x00};
	struct walk walk = {.decoder = decoder, .out = out};
	uint8_t message[MOST_BYTES];
	struct dlms_notification notification;
	enum reading_status status;
	size_t size = 0;

	*count = 0;
	status = join_frames(telegram, message, &size);
	if (status != READING_OK)
		return status;
	if (size < LLC_SIZE || memcmp(message, llc, LLC_SIZE) != 0)
		return READING_UNSUPPORTED_LAYER;
	status = dlms_open(decoder, message + LLC_SIZE, size - LLC_SIZE, &notification);
	if (status != READING_OK)
		return status;
	if (notification.time)
		walk.time_ms = dlms_time(decoder->zone, notification.time);
	if (!walk_data(&walk, &notification.body))
		return notification.title && !notification.genuine ? READING_WRONG_KEY : READING_MALFORMED;
	if (walk.too_many)
		return READING_TOO_MANY;
	if (walk.count == 0 && walk.unscaled > 0)
		return READING_UNSCALED;
	status = name_meter(&walk, &notification, telegram);
	*count = status == READING_OK ? walk.count : 0;
	return status;
}
