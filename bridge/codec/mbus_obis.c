/*
 * Names by medium (EN 13757-1 for the codes, EN 13757-3 for device types), and
 * the scale of each value as a fraction of integers.
 */
#include "mbus_obis.h"

#include <math.h>

#include "calendar.h"

enum medium {
	MEDIUM_OTHER,
	MEDIUM_ELECTRICITY,
	MEDIUM_HCA,
	MEDIUM_COOLING,
	MEDIUM_HEAT,
	MEDIUM_GAS,
	MEDIUM_COLD_WATER,
	MEDIUM_HOT_WATER,
	MEDIA
};

enum {
	DEVICE_TYPE = 7,      /* where in a device's bytes */
	LAST_STORAGE = 99,    /* F names historical values up to here */
	LAST_PERIOD = 1,      /* the storage number of the newest of them */
	LAST_CHANNEL = 64,    /* B */
	LAST_TARIFF = 63,     /* E */
	MANUFACTURER_E = 128, /* and above: manufacturer's own */
	BACKWARD_C = 129,
	DATES = 64,
	EXPONENT_LIMIT = 14,
	REAL_DIGITS = 6, /* decimals that are kept of a real number */
};

#define REAL_LIMIT 9e12

static enum medium medium_of(uint8_t device_type)
{
	switch (device_type) {
	case 0x02:
		return MEDIUM_ELECTRICITY;
	case 0x03:
		return MEDIUM_GAS;
	case 0x04: /* heat, volume at outlet */
	case 0x0c: /* and at inlet */
	case 0x0d: /* heat and cooling */
		return MEDIUM_HEAT;
	case 0x06: /* warm water, hot water */
	case 0x15:
		return MEDIUM_HOT_WATER;
	case 0x07: /* water, cold water, waste water */
	case 0x16:
	case 0x28:
		return MEDIUM_COLD_WATER;
	case 0x08:
		return MEDIUM_HCA;
	case 0x0a: /* cooling, volume at outlet and at inlet */
	case 0x0b:
		return MEDIUM_COOLING;
	default:
		return MEDIUM_OTHER;
	}
}

static const uint8_t group_a[MEDIA] = {
    [MEDIUM_OTHER] = 15, [MEDIUM_ELECTRICITY] = 1, [MEDIUM_HCA] = 4,        [MEDIUM_COOLING] = 5,
    [MEDIUM_HEAT] = 6,   [MEDIUM_GAS] = 7,         [MEDIUM_COLD_WATER] = 8, [MEDIUM_HOT_WATER] = 9,
};

#define THERMAL_C                                                                                  \
	{                                                                                              \
		[MBUS_ENERGY] = 1, [MBUS_VOLUME] = 2, [MBUS_MASS] = 3, [MBUS_POWER] = 8,                   \
		[MBUS_VOLUME_FLOW] = 9, [MBUS_FLOW_TEMPERATURE] = 10, [MBUS_RETURN_TEMPERATURE] = 11,      \
		[MBUS_TEMPERATURE_DIFFERENCE] = 12                                                         \
	}
#define WATER_C                                                                                    \
	{                                                                                              \
		[MBUS_VOLUME] = 1, [MBUS_VOLUME_FLOW] = 2, [MBUS_FLOW_TEMPERATURE] = 3                     \
	}

/* C of a quantity; 0: none that is stored. */
static const uint8_t group_c[MEDIA][MBUS_QUANTITIES] = {
    [MEDIUM_OTHER] = THERMAL_C,
    [MEDIUM_ELECTRICITY] =
        {
            [MBUS_ENERGY] = 1,
            [MBUS_REACTIVE_ENERGY] = 3,
            [MBUS_APPARENT_ENERGY] = 9,
            [MBUS_POWER] = 1,
            [MBUS_REACTIVE_POWER] = 3,
            [MBUS_APPARENT_POWER] = 9,
            [MBUS_VOLTAGE] = 12,
            [MBUS_CURRENT] = 11,
            [MBUS_FREQUENCY] = 14,
        },
    [MEDIUM_HCA] = {[MBUS_HCA] = 1,
                    [MBUS_FLOW_TEMPERATURE] = 5,
                    [MBUS_RETURN_TEMPERATURE] = 6,
                    [MBUS_EXTERNAL_TEMPERATURE] = 7},
    [MEDIUM_COOLING] = THERMAL_C,
    [MEDIUM_HEAT] = THERMAL_C,
    [MEDIUM_GAS] = {[MBUS_VOLUME] = 3,
                    [MBUS_VOLUME_FLOW] = 43,
                    [MBUS_FLOW_TEMPERATURE] = 41,
                    [MBUS_PRESSURE] = 42},
    [MEDIUM_COLD_WATER] = WATER_C,
    [MEDIUM_HOT_WATER] = WATER_C,
};

static bool is_energy(enum mbus_quantity quantity)
{
	return quantity == MBUS_ENERGY || quantity == MBUS_REACTIVE_ENERGY ||
	       quantity == MBUS_APPARENT_ENERGY;
}

/* D: what is done with the quantity over time; -1 where nothing that has a name. */
static int group_d(const struct mbus_record *record, enum medium medium)
{
	bool counts = is_energy(record->quantity) || record->quantity == MBUS_VOLUME;

	if (record->function == MBUS_DURING_ERROR || (counts && record->function != MBUS_INSTANTANEOUS))
		return -1;
	if (medium == MEDIUM_ELECTRICITY) {
		if (is_energy(record->quantity))
			return 8;
		return record->function == MBUS_MAXIMUM ? 6 : record->function == MBUS_MINIMUM ? 3 : 7;
	}
	if (medium == MEDIUM_GAS && record->variant == MBUS_BASE_CONDITIONS)
		return 2;
	return record->function == MBUS_MAXIMUM ? 5 : record->function == MBUS_MINIMUM ? 4 : 0;
}

/* What a meter counts backward has a code, or a medium, of its own. */
static bool name_backward(const struct mbus_record *record, enum medium medium, unsigned *a,
                          unsigned *c)
{
	if (record->flow != MBUS_BACKWARD)
		return true;
	switch (medium) {
	case MEDIUM_ELECTRICITY:
		*c += 1;
		return is_energy(record->quantity) || record->quantity == MBUS_POWER ||
		       record->quantity == MBUS_REACTIVE_POWER || record->quantity == MBUS_APPARENT_POWER;
	case MEDIUM_HEAT: /* heat taken back is cooling */
		*a = group_a[MEDIUM_COOLING];
		return record->quantity == MBUS_ENERGY;
	case MEDIUM_GAS:
		*c = 6;
		return record->quantity == MBUS_VOLUME;
	default:
		*c = BACKWARD_C;
		return record->quantity == MBUS_VOLUME;
	}
}

/* Temperature and humidity around a device of whatever medium. */
static obis_code ambient(const struct mbus_record *record, unsigned f)
{
	if (record->function != MBUS_INSTANTANEOUS || record->tariff > 0 ||
	    record->variant != MBUS_PLAIN)
		return 0;
	if (record->quantity == MBUS_EXTERNAL_TEMPERATURE)
		return obis_of(0, record->subunit, 96, 9, 0, f);
	return record->quantity == MBUS_HUMIDITY ? obis_of(0, record->subunit, 96, 9, 2, f) : 0;
}

obis_code mbus_obis(const struct mbus_record *record, uint8_t device_type)
{
	enum medium medium = medium_of(device_type);
	/* A quantity that the medium has no name for goes by that of other media. */
	if (group_c[medium][record->quantity] == 0)
		medium = MEDIUM_OTHER;
	unsigned a = group_a[medium], c = group_c[medium][record->quantity];
	unsigned e = record->tariff,
	         f = record->storage == 0 ? OBIS_CURRENT : (unsigned)record->storage;
	int d = group_d(record, medium);

	if (record->variant == MBUS_ANOTHER || record->storage > LAST_STORAGE ||
	    record->subunit > LAST_CHANNEL || record->tariff > LAST_TARIFF || d < 0)
		return 0;
	if (c == 0)
		return ambient(record, f);
	if (!name_backward(record, medium, &a, &c))
		return 0;
	if (record->phase > 0) {
		if (medium != MEDIUM_ELECTRICITY)
			return 0;
		c += 20u * record->phase;
	}
	if (record->variant == MBUS_MANUFACTURER) {
		e = MANUFACTURER_E + record->manufacturer_code;
		if (record->tariff > 0 || e == OBIS_CURRENT)
			return 0;
	}
	return obis_of(a, record->subunit, c, (unsigned)d, e, f);
}

static int64_t power_of_ten(int exponent)
{
	static const int64_t powers[] = {
	    1,           10,           100,           1000,           10000,
	    100000,      1000000,      10000000,      100000000,      1000000000,
	    10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000};

	return powers[exponent];
}

static void reduce(int64_t *multiplier, int64_t *divisor)
{
	int64_t a = *multiplier, b = *divisor;

	while (b != 0) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	*multiplier /= a;
	*divisor /= a;
}

/* The value as an integer with its scale; false where it is none. A count of -1 is how meters
 * say that they have none. */
static bool take_value(const struct mbus_record *record, struct reading *out)
{
	int exponent = record->exponent;

	if (record->type == MBUS_REAL) {
		if (fabs(record->real) > REAL_LIMIT)
			return false;
		out->raw = llround(record->real * (double)power_of_ten(REAL_DIGITS));
		exponent -= REAL_DIGITS;
	} else if (record->type == MBUS_INTEGER) {
		if (record->integer == -1 &&
		    (record->quantity == MBUS_ENERGY || record->quantity == MBUS_VOLUME))
			return false;
		out->raw = record->integer;
	} else {
		return false;
	}
	if (exponent > EXPONENT_LIMIT || exponent < -EXPONENT_LIMIT)
		return false;
	out->multiplier = record->factor * power_of_ten(exponent > 0 ? exponent : 0);
	out->divisor = record->factor_divisor * power_of_ten(exponent < 0 ? -exponent : 0);
	if (record->factor != 1 || record->factor_divisor != 1)
		reduce(&out->multiplier, &out->divisor);
	return true;
}

struct dates {
	size_t count;
	struct {
		uint64_t storage;
		int64_t ms;
	} date[DATES];
};

static void note_date(const struct mbus_record *record, const struct calendar_zone *zone,
                      struct dates *dates)
{
	if (record->type != MBUS_TIME || record->storage == 0 || record->variant != MBUS_PLAIN ||
	    record->function != MBUS_INSTANTANEOUS || dates->count == DATES)
		return;
	dates->date[dates->count].storage = record->storage;
	dates->date[dates->count++].ms =
	    calendar_utc(zone, record->year, record->integer, record->summer);
}

/* Gives historical values their dates, and leaves out those without but the newest. */
static size_t date_readings(struct reading *readings, const obis_code *codes, size_t count,
                            const struct dates *dates)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned storage = codes[i] & 255;

		for (size_t n = 0; storage != OBIS_CURRENT && n < dates->count; n++)
			if (dates->date[n].storage == storage)
				readings[i].measured_ms = dates->date[n].ms;
		if (storage != OBIS_CURRENT && storage != LAST_PERIOD && readings[i].measured_ms == 0)
			continue;
		if (kept != i)
			readings[kept] = readings[i];
		kept++;
	}
	return kept;
}

static bool is_new(const obis_code *codes, size_t count, obis_code code)
{
	for (size_t i = 0; i < count; i++)
		if (codes[i] == code)
			return false;
	return true;
}

enum reading_status mbus_read_records(struct cursor *headers, struct cursor *values,
                                      const struct decoder *decoder, struct reading *out,
                                      size_t *count)
{
	obis_code codes[READING_LIMIT];
	struct dates dates = {.count = 0};
	struct mbus_record record;
	enum mbus_next next;
	size_t readings = 0;

	*count = 0;
	while ((next = mbus_next(headers, values, &record)) == MBUS_RECORD) {
		if (record.quantity == MBUS_DATE) {
			note_date(&record, decoder->zone, &dates);
			continue;
		}
		obis_code code = mbus_obis(&record, decoder->device[DEVICE_TYPE]);
		if (code == 0 || !is_new(codes, readings, code))
			continue;
		if (readings == READING_LIMIT)
			return READING_TOO_MANY;
		struct reading *reading = &out[readings];
		if (!take_value(&record, reading))
			continue;
		memcpy(reading->device, decoder->device, MBUS_DEVICE_SIZE);
		reading->device_size = MBUS_DEVICE_SIZE;
		reading->endpoint = ENDPOINT_ONLY;
		reading->unit = mbus_unit(record.quantity);
		reading->measured_ms = 0;
		obis_text(code, reading->obis);
		codes[readings++] = code;
	}
	if (next == MBUS_MALFORMED && readings == 0)
		return READING_MALFORMED;
	*count = date_readings(out, codes, readings, &dates);
	return READING_OK;
}
