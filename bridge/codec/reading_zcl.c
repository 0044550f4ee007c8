/*
 * ZCL attributes to OBIS quantities: Smart Energy Metering cluster (ZCL
 * revision 6, section 10.4) and the state of charge from Power Configuration
 * (section 3.3). Attributes that are no quantity of ours are ignored; values
 * that the type marks as invalid are no readings. What meters and gateways say of
 * mirrors is handed on in the place of readings.
 */
#include "reading.h"

#include <stdio.h>

#include "zcl_mirror.h"

enum {
	ATTRIBUTE_DELIVERED = 0x0000,
	ATTRIBUTE_RECEIVED = 0x0001,
	ATTRIBUTE_SNAPSHOT_TIME = 0x0007,
	ATTRIBUTE_TIER_FIRST = 0x0100, /* tier k: delivered, then received */
	ATTRIBUTE_TIER_LAST = 0x015f,
	ATTRIBUTE_UNIT = 0x0300,
	ATTRIBUTE_MULTIPLIER = 0x0301,
	ATTRIBUTE_DIVISOR = 0x0302,
	ATTRIBUTE_DEVICE_TYPE = 0x0306,
	ATTRIBUTE_DEMAND = 0x0400,
	ATTRIBUTE_BATTERY_PERCENTAGE = 0x0021, /* of Power Configuration */
	BATTERY_FULL = 200,                    /* half percents */
	DEVICE_TYPE_MIRRORED = 0x7f,           /* added to the type of a mirrored meter */
	UNIT_BCD = 0x80,                       /* the unit's flag for BCD values */
};

#define SECONDS_1970_TO_2000 INT64_C(946684800)

enum medium {
	MEDIUM_UNSAID,
	MEDIUM_ELECTRICITY,
	MEDIUM_GAS,
	MEDIUM_WATER,
	MEDIUM_HEAT,
	MEDIUM_OTHER
};

struct metering_unit {
	const char *energy, *power; /* of summations and of the demand */
};

/* What a frame says about its own readings; gathered before they are made. */
struct metering_traits {
	enum medium medium;
	struct metering_unit unit;
	bool bcd;
	int64_t multiplier, divisor, snapshot_ms;
};

static struct metering_unit unit_of(int64_t code)
{
	static const struct metering_unit units[] = {
	    {"kWh", "kW"},        {"m3", "m3/h"},         {"ft3", "ft3/h"}, {"ccf", "ccf/h"},
	    {"US gl", "US gl/h"}, {"IMP gl", "IMP gl/h"}, {"BTU", "BTU/h"}, {"l", "l/h"},
	    {"kPa", "kPa"},       {"kPa", "kPa"},         {"mcf", "mcf/h"}, {"1", "1/h"},
	    {"MJ", "MJ/s"},       {"kvarh", "kvar"},
	};

	if (code < 0 || code >= (int64_t)(sizeof(units) / sizeof(units[0])))
		return (struct metering_unit){NULL, NULL};
	return units[code];
}

static enum medium medium_of(int64_t device_type)
{
	if (device_type >= DEVICE_TYPE_MIRRORED)
		device_type -= DEVICE_TYPE_MIRRORED;
	switch (device_type) {
	case 0x00: /* electric */
	case 0x07: /* vehicle charging */
	case 0x08: /* photovoltaic generation */
	case 0x09: /* wind turbine */
	case 0x0a: /* water turbine */
	case 0x0b: /* micro generation */
	case 0x0d: /* electric, one of three phase elements */
	case 0x0e:
	case 0x0f:
		return MEDIUM_ELECTRICITY;
	case 0x01:
		return MEDIUM_GAS;
	case 0x02:
		return MEDIUM_WATER;
	case 0x03: /* thermal */
	case 0x05: /* heat */
		return MEDIUM_HEAT;
	default:
		return MEDIUM_OTHER;
	}
}

bool zcl_address_read(const uint8_t *address, size_t size, struct zcl_address *out)
{
	struct cursor cursor = cursor_over(address, size);

	out->device = cursor_u64(&cursor);
	out->endpoint = cursor_u8(&cursor);
	out->profile = cursor_u16(&cursor);
	out->cluster = cursor_u16(&cursor);
	return !cursor.broken && cursor_left(&cursor) == 0;
}

void zcl_address_write(struct writer *writer, const struct zcl_address *address)
{
	writer_u64(writer, address->device);
	writer_u8(writer, address->endpoint);
	writer_u16(writer, address->profile);
	writer_u16(writer, address->cluster);
}

/* First walk: scale, unit, medium and time, wherever in the frame they stand. */
static enum reading_status gather_traits(struct zcl_frame frame, struct metering_traits *traits)
{
	struct zcl_attribute attribute;
	enum zcl_next next;
	int64_t value;

	while ((next = zcl_next(&frame, &attribute)) == ZCL_ATTRIBUTE) {
		if (!zcl_integer(&attribute, &value))
			continue;
		switch (attribute.id) {
		case ATTRIBUTE_MULTIPLIER:
			traits->multiplier = value > 0 ? value : 0;
			break;
		case ATTRIBUTE_DIVISOR:
			traits->divisor = value > 0 ? value : 0;
			break;
		case ATTRIBUTE_UNIT:
			traits->unit = unit_of(value & ~UNIT_BCD);
			traits->bcd = value & UNIT_BCD;
			break;
		case ATTRIBUTE_DEVICE_TYPE:
			traits->medium = medium_of(value);
			break;
		case ATTRIBUTE_SNAPSHOT_TIME:
			if (value >= 0 && value < UINT32_MAX)
				traits->snapshot_ms = (value + SECONDS_1970_TO_2000) * 1000;
			break;
		default:
			break;
		}
	}
	return next == ZCL_END ? READING_OK : READING_MALFORMED;
}

/* The OBIS code of a summation, "" where it is none of ours; writes OBIS_SIZE bytes. */
static void name_summation(uint16_t id, enum medium medium, char *obis)
{
	static const char *const totals[] = {
	    [MEDIUM_UNSAID] = READING_UNSAID "1-0:1.8.0.255",
	    [MEDIUM_ELECTRICITY] = "1-0:1.8.0.255",
	    [MEDIUM_GAS] = "7-0:3.0.0.255",
	    [MEDIUM_WATER] = "8-0:1.0.0.255",
	    [MEDIUM_HEAT] = "6-0:1.0.0.255",
	    [MEDIUM_OTHER] = "",
	};
	const char *unsaid = medium == MEDIUM_UNSAID ? READING_UNSAID : "";

	obis[0] = '\0';
	if (id == ATTRIBUTE_DELIVERED)
		snprintf(obis, OBIS_SIZE, "%s", totals[medium]);
	else if (medium != MEDIUM_ELECTRICITY && medium != MEDIUM_UNSAID)
		return;
	else if (id == ATTRIBUTE_RECEIVED)
		snprintf(obis, OBIS_SIZE, "%s1-0:2.8.0.255", unsaid);
	else if (id >= ATTRIBUTE_TIER_FIRST && id <= ATTRIBUTE_TIER_LAST)
		snprintf(obis, OBIS_SIZE, "%s1-0:%d.8.%d.255", unsaid, id % 2 ? 2 : 1,
		         (id - ATTRIBUTE_TIER_FIRST) / 2 + 1);
}

/* A BCD count as a number; false where a digit is none. */
static bool from_bcd(int64_t *raw)
{
	uint64_t digits = (uint64_t)*raw;
	int64_t value = 0, weight = 1;

	for (int i = 0; i < 16; i++, digits >>= 4) {
		if ((digits & 15) > 9)
			return false;
		value += (int64_t)(digits & 15) * weight;
		weight *= 10;
	}
	*raw = value;
	return true;
}

/* Fills one reading from an attribute; false where it is none. */
static bool metering_reading(const struct zcl_attribute *attribute,
                             const struct metering_traits *traits, struct reading *out)
{
	bool demand = attribute->id == ATTRIBUTE_DEMAND;

	if (demand && traits->medium == MEDIUM_ELECTRICITY)
		snprintf(out->obis, OBIS_SIZE, "1-0:16.7.0.255");
	else if (demand && traits->medium == MEDIUM_UNSAID)
		snprintf(out->obis, OBIS_SIZE, READING_UNSAID "1-0:16.7.0.255");
	else
		name_summation(attribute->id, traits->medium, out->obis);
	if (out->obis[0] == '\0' || !zcl_integer(attribute, &out->raw))
		return false;
	if (traits->bcd && !from_bcd(&out->raw))
		return false;
	out->unit = demand ? traits->unit.power : traits->unit.energy;
	out->multiplier = traits->multiplier;
	out->divisor = traits->divisor;
	out->measured_ms = demand ? 0 : traits->snapshot_ms;
	return out->unit != NULL;
}

static bool battery_reading(const struct zcl_attribute *attribute, struct reading *out)
{
	if (attribute->id != ATTRIBUTE_BATTERY_PERCENTAGE || attribute->type != ZCL_UINT8 ||
	    !zcl_integer(attribute, &out->raw) || out->raw > BATTERY_FULL)
		return false;
	snprintf(out->obis, OBIS_SIZE, "0-0:96.50.0.255");
	out->unit = "%";
	out->multiplier = 1;
	out->divisor = 2;
	out->measured_ms = 0;
	return true;
}

static bool says_unit(const struct metering_traits *traits)
{
	return traits->unit.energy && strcmp(traits->unit.energy, READING_UNSAID) != 0;
}

static struct reading scale_reading(const struct metering_traits *traits)
{
	return (struct reading){.obis = READING_SCALE,
	                        .unit = says_unit(traits) ? traits->unit.energy : READING_SCALE_UNIT,
	                        .raw = traits->bcd,
	                        .multiplier = traits->multiplier,
	                        .divisor = traits->divisor};
}

static void add_reading(const struct zcl_address *source, struct reading reading,
                        struct reading *out, size_t *count)
{
	struct writer device = writer_over(reading.device, sizeof(reading.device));

	writer_u64(&device, source->device);
	reading.device_size = (uint8_t)device.at;
	reading.endpoint = source->endpoint;
	out[(*count)++] = reading;
}

/* A command of mirrors in the place of a reading. */
static enum reading_status read_mirror(const struct zcl_address *source,
                                       const struct zcl_frame *frame, struct reading *out,
                                       size_t *count)
{
	struct reading reading = {.obis = READING_MIRROR};
	struct zcl_mirror mirror;

	switch (zcl_mirror_read(frame, &mirror)) {
	case ZCL_MIRROR:
		reading.unit = zcl_mirror_name(mirror.command);
		reading.raw = mirror.endpoint;
		add_reading(source, reading, out, count);
		return READING_OK;
	case ZCL_MIRROR_MALFORMED:
		return READING_MALFORMED;
	default:
		return READING_OK;
	}
}

/* A meter fills its mirror by Write Attributes, which no one else sends to this cluster. */
static void note_initialisation(const struct zcl_address *source, const struct zcl_frame *frame,
                                struct reading *out, size_t *count)
{
	struct reading reading = {.obis = READING_MIRROR, .unit = READING_MIRROR_FILLED};

	if (source->cluster == ZCL_METERING && zcl_writes_attributes(frame) && *count < READING_LIMIT)
		add_reading(source, reading, out, count);
}

enum reading_status reading_decode_zcl(struct decoder *decoder, const struct raw_telegram *telegram,
                                       struct reading *out, size_t *count)
{
	struct metering_traits traits = {.unit = {READING_UNSAID, READING_UNSAID_FLOW}};
	struct zcl_address source;
	struct zcl_frame frame;
	struct zcl_attribute attribute;
	enum reading_status status;

	(void)decoder;
	*count = 0;
	if (!zcl_address_read(telegram->address, telegram->address_size, &source))
		return READING_BAD_ADDRESS;
	if (!zcl_read(telegram->bytes, telegram->size, &frame))
		return READING_MALFORMED;
	if (frame.type == ZCL_CLUSTER_SPECIFIC && source.cluster == ZCL_METERING)
		return read_mirror(&source, &frame, out, count);
	if (!zcl_carries_attributes(&frame))
		return READING_OK;
	status = gather_traits(frame, &traits);
	if (status != READING_OK || frame.manufacturer_specific)
		return status;
	while (zcl_next(&frame, &attribute) == ZCL_ATTRIBUTE) {
		struct reading reading = {.device_size = 0};
		bool ours = source.cluster == ZCL_METERING ? metering_reading(&attribute, &traits, &reading)
		                                           : source.cluster == ZCL_POWER_CONFIGURATION &&
		                                                 battery_reading(&attribute, &reading);

		if (!ours)
			continue;
		if (*count == READING_LIMIT) {
			*count = 0;
			return READING_TOO_MANY;
		}
		add_reading(&source, reading, out, count);
	}
	if (*count == 0 && source.cluster == ZCL_METERING && traits.medium != MEDIUM_OTHER &&
	    (traits.multiplier || traits.divisor || says_unit(&traits)))
		add_reading(&source, scale_reading(&traits), out, count);
	note_initialisation(&source, &frame, out, count);
	return READING_OK;
}
