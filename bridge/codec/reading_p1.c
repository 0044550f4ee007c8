/*
 * P1 telegrams (DSMR 2.2, 4 and 5, and the versions of other countries after
 * them) to readings: the meter's own lines under their codes, those of its
 * sub-meters under the codes of their medium, as if they had come by M-Bus.
 */
#include "crc16.h"
#include "p1_text.h"

enum {
	CHANNELS = 9, /* 0 is the meter itself, the others its sub-meters */
	CRC_DIGITS = 4,
	TYPE_UNKNOWN = -1,
};

/* One meter of a telegram. */
struct channel {
	uint8_t id[DEVICE_SIZE];
	uint8_t id_size; /* 0: it has none */
	int type;        /* of an M-Bus device */
};

struct p1 {
	struct channel channel[CHANNELS];
	int64_t time_ms; /* 0: it does not say */
	bool versioned;  /* it says by which version it is */
	struct reading *out;
	obis_code codes[READING_LIMIT];
	size_t count;
	bool too_many;
};

struct p1_unit {
	const char *text, *unit;
	int64_t multiplier, divisor;
};

static const struct p1_unit *unit_of(struct cursor text)
{
	static const struct p1_unit units[] = {
	    {"kWh", "kWh", 1, 1},     {"Wh", "kWh", 1, 1000},   {"kW", "kW", 1, 1},
	    {"W", "kW", 1, 1000},     {"kvarh", "kvarh", 1, 1}, {"varh", "kvarh", 1, 1000},
	    {"kvar", "kvar", 1, 1},   {"var", "kvar", 1, 1000}, {"kVAh", "kVAh", 1, 1},
	    {"VAh", "kVAh", 1, 1000}, {"kVA", "kVA", 1, 1},     {"VA", "kVA", 1, 1000},
	    {"V", "V", 1, 1},         {"A", "A", 1, 1},         {"Hz", "Hz", 1, 1},
	    {"m3", "m3", 1, 1},       {"dm3", "m3", 1, 1000},   {"GJ", "kWh", 2500, 9},
	    {"MJ", "kWh", 5, 18},     {"MWh", "kWh", 1000, 1},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (p1_equals(text, units[i].text))
			return &units[i];
	return NULL;
}

static unsigned part_of(obis_code code, int part)
{
	return code >> (40 - 8 * part) & 255;
}

/* C.D.E of a line of a channel, 0-n. */
static bool is_line(obis_code code, unsigned c, unsigned d, unsigned e)
{
	return part_of(code, 0) == 0 && part_of(code, 1) < CHANNELS && part_of(code, 2) == c &&
	       part_of(code, 3) == d && part_of(code, 4) == e;
}

static int device_type(struct cursor text)
{
	int64_t number, divisor;

	return p1_number(text, &number, &divisor) && number < 256 ? (int)number : TYPE_UNKNOWN;
}

/* First walk: who the meters are and what time it is, wherever in the telegram that stands. */
static void gather(struct p1 *p1, struct cursor text)
{
	struct cursor line, value;
	obis_code code;

	while (p1_line(&text, &line)) {
		if (!p1_code(&line, &code) || !p1_value(&line, &value))
			continue;
		struct channel *channel = &p1->channel[part_of(code, 1) % CHANNELS];

		if (code == obis_of(0, 0, 1, 0, 0, OBIS_CURRENT))
			p1_time(value, &p1->time_ms);
		else if (code == obis_of(1, 3, 0, 2, 8, OBIS_CURRENT) || is_line(code, 96, 1, 4))
			p1->versioned = true;
		else if ((is_line(code, 96, 1, 0) || is_line(code, 96, 1, 1)) && channel->id_size == 0)
			channel->id_size = p1_identifier(value, channel->id);
		else if (is_line(code, 24, 1, 0))
			channel->type = device_type(value);
	}
}

static bool is_new(const struct p1 *p1, obis_code code, const uint8_t *device, uint8_t size,
                   uint8_t endpoint)
{
	for (size_t i = 0; i < p1->count; i++)
		if (p1->codes[i] == code && p1->out[i].endpoint == endpoint &&
		    p1->out[i].device_size == size && memcmp(p1->out[i].device, device, size) == 0)
			return false;
	return true;
}

/* Adds a reading of a channel. A sub-meter without a name of its own is an endpoint of the meter.
 */
static void add(struct p1 *p1, unsigned number, obis_code code, const struct reading *value)
{
	bool named = p1->channel[number].id_size > 0;
	const struct channel *channel = &p1->channel[named ? number : 0];
	uint8_t endpoint = (uint8_t)(ENDPOINT_ONLY + (named ? 0 : number));

	if (!is_new(p1, code, channel->id, channel->id_size, endpoint))
		return;
	if (p1->count == READING_LIMIT) {
		p1->too_many = true;
		return;
	}
	struct reading *reading = &p1->out[p1->count];
	*reading = *value;
	memcpy(reading->device, channel->id, channel->id_size);
	reading->device_size = channel->id_size;
	reading->endpoint = endpoint;
	obis_text(code, reading->obis);
	p1->codes[p1->count++] = code;
}

/* What a sub-meter's register is called, by its device type and where that is not known by its
 * unit. */
static obis_code name_channel(obis_code code, int type, const struct p1_unit *unit)
{
	switch (type) {
	case 0x02:
		return obis_of(1, 0, 1, 8, 0, OBIS_CURRENT);
	case 0x03:
		return obis_of(7, 0, 3, 0, 0, OBIS_CURRENT);
	case 0x04:
	case 0x0c:
	case 0x0d:
		return obis_of(6, 0, 1, 0, 0, OBIS_CURRENT);
	case 0x06:
	case 0x15:
		return obis_of(9, 0, 1, 0, 0, OBIS_CURRENT);
	case 0x07:
	case 0x16:
		return obis_of(8, 0, 1, 0, 0, OBIS_CURRENT);
	case 0x0a:
	case 0x0b:
		return obis_of(5, 0, 1, 0, 0, OBIS_CURRENT);
	case TYPE_UNKNOWN:
		return strcmp(unit->unit, "m3") == 0 ? obis_of(7, 0, 3, 0, 0, OBIS_CURRENT) : code;
	default:
		return code;
	}
}

static bool take_number(struct cursor number, const struct p1_unit *unit, struct reading *out)
{
	int64_t divisor;

	if (!p1_number(number, &out->raw, &divisor) || divisor > INT64_C(1000000000000))
		return false;
	out->unit = unit->unit;
	out->multiplier = unit->multiplier;
	out->divisor = unit->divisor * divisor;
	return true;
}

/* A line's one value, or a time and a value; lines of another shape are no readings. */
static void read_line(struct p1 *p1, obis_code code, struct cursor line)
{
	struct reading reading = {.measured_ms = p1->time_ms};
	struct cursor value, second;
	unsigned channel = part_of(code, 0) == 0 ? part_of(code, 1) : 0;

	if (!p1_value(&line, &value))
		return;
	if (p1_value(&line, &second)) {
		if (!p1_time(value, &reading.measured_ms))
			return;
		value = second;
	}
	struct cursor number = p1_until(&value, '*');
	const struct p1_unit *unit = unit_of(value);
	if (cursor_left(&line) > 0 || !unit || channel >= CHANNELS ||
	    !take_number(number, unit, &reading))
		return;
	if (part_of(code, 0) != 0)
		add(p1, 0, code, &reading);
	else if (channel > 0 && part_of(code, 2) == 24 && part_of(code, 3) == 2)
		add(p1, channel, name_channel(code, p1->channel[channel].type, unit), &reading);
}

/* Up to DSMR 3: 0-n:24.3.0(time)(..)(..)(..)(code)(unit), and the number in the next line. */
static void read_hour(struct p1 *p1, obis_code code, struct cursor line, struct cursor next)
{
	struct reading reading = {.measured_ms = 0}; /* its time has no zone */
	struct cursor value, number;
	unsigned channel = part_of(code, 1);

	for (int i = 0; i < 6; i++)
		if (!p1_value(&line, &value))
			return;
	const struct p1_unit *unit = unit_of(value);
	if (channel > 0 && unit && p1_value(&next, &number) && take_number(number, unit, &reading))
		add(p1, channel, name_channel(code, p1->channel[channel].type, unit), &reading);
}

static const struct reading *find(const struct p1 *p1, obis_code code)
{
	for (size_t i = 0; i < p1->count; i++)
		if (p1->codes[i] == code && p1->out[i].endpoint == ENDPOINT_ONLY)
			return &p1->out[i];
	return NULL;
}

/* Meters with two tariffs do not send the total that all else goes by. */
static void add_total(struct p1 *p1, unsigned c)
{
	const struct reading *first = find(p1, obis_of(1, 0, c, 8, 1, OBIS_CURRENT));
	const struct reading *second = find(p1, obis_of(1, 0, c, 8, 2, OBIS_CURRENT));
	struct reading total;

	if (!first || !second || first->multiplier != second->multiplier ||
	    first->divisor != second->divisor)
		return;
	total = *first;
	total.raw += second->raw;
	add(p1, 0, obis_of(1, 0, c, 8, 0, OBIS_CURRENT), &total);
}

/* Splits the telegram at its end mark, and checks what follows that. */
static enum reading_status open_telegram(const struct raw_telegram *telegram, struct cursor *lines,
                                         bool *checked)
{
	struct cursor whole = cursor_over(telegram->bytes, telegram->size), rest = whole;
	unsigned expected = 0;

	if (cursor_left(&rest) == 0 || cursor_u8(&rest) != '/')
		return READING_MALFORMED;
	*lines = p1_until(&rest, '!');
	size_t size = 1 + lines->size + 1;
	const uint8_t *covered = cursor_take(&whole, size);
	if (!covered)
		return READING_MALFORMED; /* no end mark */
	struct cursor mark = rest;
	*checked = cursor_left(&rest) >= CRC_DIGITS && p1_hex_digit(cursor_u8(&mark)) >= 0;
	for (int i = 0; *checked && i < CRC_DIGITS; i++) {
		int digit = p1_hex_digit(cursor_u8(&rest));

		if (digit < 0)
			return READING_MALFORMED;
		expected = expected * 16 + (unsigned)digit;
	}
	return *checked && crc16_arc(covered, size) != expected ? READING_BAD_CHECKSUM : READING_OK;
}

enum reading_status reading_decode_p1(struct decoder *decoder, const struct raw_telegram *telegram,
                                      struct reading *out, size_t *count)
{
	struct p1 p1;
	struct cursor lines, line = cursor_over(NULL, 0);
	bool checked;
	enum reading_status status = open_telegram(telegram, &lines, &checked);

	(void)decoder;
	*count = 0;
	if (status != READING_OK)
		return status;
	p1.out = out;
	p1.count = 0;
	p1.time_ms = 0;
	p1.versioned = p1.too_many = false;
	for (int i = 0; i < CHANNELS; i++) {
		p1.channel[i].id_size = 0;
		p1.channel[i].type = TYPE_UNKNOWN;
	}
	p1_line(&lines, &line);
	gather(&p1, lines);
	/* By the first version there is no checksum, and no line that says the version. */
	if (p1.versioned && !checked)
		return READING_BAD_CHECKSUM;
	if (p1.channel[0].id_size == 0)
		p1.channel[0].id_size = p1_characters(line, p1.channel[0].id);
	if (p1.channel[0].id_size == 0)
		return READING_MALFORMED;
	while (p1_line(&lines, &line)) {
		obis_code code;

		if (!p1_code(&line, &code))
			continue;
		if (is_line(code, 24, 3, 0)) {
			struct cursor after = lines, next = cursor_over(NULL, 0);

			p1_line(&after, &next);
			read_hour(&p1, code, line, next);
		} else {
			read_line(&p1, code, line);
		}
	}
	add_total(&p1, 1);
	add_total(&p1, 2);
	if (p1.too_many)
		return READING_TOO_MANY;
	*count = p1.count;
	return READING_OK;
}
