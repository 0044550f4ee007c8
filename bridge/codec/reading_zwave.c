/*
 * Z-Wave Meter Reports to OBIS quantities (Silicon Labs' Z-Wave application
 * command class specification: Meter Command Class, versions 1 to 6; and what may
 * stand around a report: Multi Channel, Supervision and CRC-16 Encapsulation).
 *
 *     32 02 | scale bit 2, rate type (2 bits), meter type (5) |
 *     precision (3), scale bits 1 and 0, size (3) | value |
 *     from version 2: seconds since the previous value (2 bytes), and that value
 *     where they are not 0 | from version 4, where the scale is 7: scale 2
 *
 * Values are signed, the highest byte first. Of Z-Wave's watts kW are made by the
 * scale, as other decoders name power. Counts of pulses say nothing of what they
 * count and are no readings.
 */
#include <stdio.h>

#include "reading.h"

enum {
	CLASS_METER = 0x32,
	METER_REPORT = 0x02,
	ENDPOINT_MASK = 0x7f,
	LAYERS = 4,      /* encapsulations in each other at most */
	NODE_LAST = 232, /* of those of one byte */
	METER_TYPE_MASK = 0x1f,
	RATE_EXPORT = 2,
	RATE_BOTH = 3,
	SIZE_MASK = 0x07,
	SCALE_MORE = 7, /* the scale is in the byte `scale 2` */
	SCALES = 9,     /* scale 2 goes on behind 6 */
	DELTA_UNKNOWN = 0xffff,
};

/* Command class and command. */
enum encapsulation {
	TRANSPORT_FIRST_SEGMENT = 0x55c0, /* the lowest bits are a part of its size */
	TRANSPORT_LATER_SEGMENT = 0x55e0,
	CRC16_ENCAPSULATION = 0x5601,
	MULTI_INSTANCE_ENCAPSULATION = 0x6006,
	MULTI_CHANNEL_ENCAPSULATION = 0x600d,
	SUPERVISION_GET = 0x6c01,
	MULTI_COMMAND_ENCAPSULATION = 0x8f01,
	SECURITY_ENCAPSULATION = 0x9881,
	SECURITY_ENCAPSULATION_NONCE_GET = 0x98c1,
	SECURITY_2_ENCAPSULATION = 0x9f03,
};

enum { METER_ELECTRIC = 1, METER_GAS = 2, METER_WATER = 3, METER_HEATING = 4, METER_COOLING = 5 };

struct quantity {
	const char *unit; /* NULL: none of ours */
	/* OBIS codes without the last value group: of what is drawn, of what is given back where that
	 * has one, and of the sum of both where it is signed. */
	const char *drawn, *given, *sum;
	int16_t divisor; /* from the unit on the wire to `unit` */
};

static const struct quantity electric[SCALES] = {
    {"kWh", "1-0:1.8.0", "1-0:2.8.0", NULL, 1},
    {"kVAh", "1-0:9.8.0", "1-0:10.8.0", NULL, 1},
    {"kW", "1-0:1.7.0", "1-0:2.7.0", "1-0:16.7.0", 1000},
    {NULL, NULL, NULL, NULL, 1}, /* pulses */
    {"V", "1-0:12.7.0", "1-0:12.7.0", "1-0:12.7.0", 1},
    {"A", "1-0:11.7.0", "1-0:11.7.0", "1-0:11.7.0", 1},
    {"1", "1-0:13.7.0", "1-0:13.7.0", "1-0:13.7.0", 1}, /* power factor */
    {"kvar", "1-0:3.7.0", "1-0:4.7.0", NULL, 1},
    {"kvarh", "1-0:3.8.0", "1-0:4.8.0", NULL, 1},
};

static const struct quantity volumes[][3] = {
    {{"m3", "7-0:3.0.0", NULL, NULL, 1},
     {"ft3", "7-0:3.0.0", NULL, NULL, 1},
     {NULL, NULL, NULL, NULL, 1}},
    {{"m3", "8-0:1.0.0", NULL, NULL, 1},
     {"ft3", "8-0:1.0.0", NULL, NULL, 1},
     {"US gl", "8-0:1.0.0", NULL, NULL, 1}},
};

static const struct quantity heat = {"kWh", "6-0:1.0.0", NULL, NULL, 1};
static const struct quantity cooling = {"kWh", "5-0:1.0.0", NULL, NULL, 1};

/* What a meter of a type counts in a scale (0 to 6, then scale 2); NULL where none of ours. */
static const struct quantity *quantity_of(uint8_t meter, unsigned scale)
{
	if (meter == METER_ELECTRIC)
		return scale < SCALES && electric[scale].unit ? &electric[scale] : NULL;
	if ((meter == METER_GAS || meter == METER_WATER) && scale < 3)
		return volumes[meter - METER_GAS][scale].unit ? &volumes[meter - METER_GAS][scale] : NULL;
	if (meter == METER_HEATING && scale == 0)
		return &heat;
	return meter == METER_COOLING && scale == 0 ? &cooling : NULL;
}

static const char *code_of(const struct quantity *quantity, uint8_t rate)
{
	if (rate == RATE_EXPORT)
		return quantity->given;
	/* Power whose direction is not said may have either, by its sign. */
	return rate == RATE_BOTH || (rate == 0 && quantity->sum) ? quantity->sum : quantity->drawn;
}

/* The meter's device and endpoint; false where the address is none. */
static bool read_address(const struct raw_telegram *telegram, struct reading *out)
{
	struct cursor address = cursor_over(telegram->address, telegram->address_size);
	bool long_range = telegram->address_size > 1;
	uint16_t node = long_range ? cursor_u16(&address) : cursor_u8(&address);
	struct writer device = writer_over(out->device, sizeof(out->device));

	if (telegram->address_size == 3)
		out->endpoint = cursor_u8(&address);
	writer_u16(&device, node);
	out->device_size = ZWAVE_DEVICE_SIZE;
	return !address.broken && cursor_left(&address) == 0 && node > 0 &&
	       (long_range || node <= NODE_LAST) && out->endpoint <= ENDPOINT_MASK;
}

static int64_t read_signed(struct cursor *cursor, size_t size)
{
	uint64_t value = cursor_be(cursor, size), sign = UINT64_C(1) << (8 * size - 1);

	return (int64_t)(value ^ sign) - (int64_t)sign;
}

/* Goes on behind the value: how long ago the previous one was, that one, and the scale where it is
 * not known yet. Reports of version 1 end before. */
static bool read_rest(struct cursor *report, size_t size, unsigned *scale, unsigned *delta_s,
                      int64_t *previous)
{
	*delta_s = cursor_left(report) > 0 ? cursor_u16(report) : 0;
	/* A previous value without its time may be there or not. */
	bool has_previous = (*delta_s != 0 && *delta_s != DELTA_UNKNOWN) || cursor_left(report) > size;

	*previous = has_previous ? read_signed(report, size) : 0;
	if (*scale == SCALE_MORE)
		*scale += cursor_u8(report);
	return !report->broken;
}

/* Makes readings of a report behind its command; the first is filled with device and endpoint. */
static enum reading_status read_report(struct cursor report, struct reading *out, size_t *count)
{
	static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
	uint8_t properties = cursor_u8(&report), format = cursor_u8(&report);
	size_t size = format & SIZE_MASK;
	unsigned scale = (unsigned)(properties >> 7 << 2 | (format >> 3 & 3)), delta_s;
	uint8_t rate = properties >> 5 & 3;
	int64_t previous;

	if (size != 1 && size != 2 && size != 4)
		return READING_MALFORMED;
	out->raw = read_signed(&report, size);
	if (!read_rest(&report, size, &scale, &delta_s, &previous))
		return READING_MALFORMED;
	const struct quantity *quantity = quantity_of(properties & METER_TYPE_MASK, scale);
	const char *code = quantity ? code_of(quantity, rate) : NULL;
	if (!code)
		return READING_OK;
	snprintf(out->obis, OBIS_SIZE, "%s.255", code);
	out->unit = quantity->unit;
	out->multiplier = 1;
	out->divisor = powers[format >> 5] * quantity->divisor;
	*count = 1;
	if (delta_s == 0 || delta_s == DELTA_UNKNOWN)
		return READING_OK;
	out[1] = out[0];
	out[1].raw = previous;
	out[1].measured_ms = -(int64_t)delta_s * 1000;
	*count = 2;
	return READING_OK;
}

/* CRC-16 with polynomial 0x1021, initial value 0x1d0f. */
static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	unsigned crc = 0x1d0f;

	for (size_t i = 0; i < 8 * size; i++) {
		unsigned bit = bytes[i / 8] >> (7 - i % 8) & 1;

		crc = crc << 1 ^ ((crc >> 15 & 1) != bit ? 0x1021 : 0);
	}
	return (uint16_t)crc;
}

/* Cuts off the checksum at the end of a whole CRC-16 encapsulation. */
static enum reading_status check_crc(struct cursor whole, struct cursor *command)
{
	size_t size = cursor_left(&whole);
	const uint8_t *bytes = size >= 4 ? cursor_take(&whole, size - 2) : NULL;

	if (!bytes)
		return READING_MALFORMED;
	command->size -= 2;
	return checksum(bytes, size - 2) == cursor_u16(&whole) ? READING_OK : READING_BAD_CHECKSUM;
}

/* Takes one encapsulation off a command, whose class and number were read from it already; *found
 * tells whether there was one. */
static enum reading_status unwrap(struct cursor whole, uint8_t class, uint8_t number,
                                  struct cursor *command, uint8_t *endpoint, bool *found)
{
	const uint8_t *inner;
	size_t size;

	*found = true;
	switch (class << 8 | number) {
	case MULTI_CHANNEL_ENCAPSULATION:
		*endpoint = cursor_u8(command) & ENDPOINT_MASK;
		cursor_u8(command); /* of the receiver */
		return READING_OK;
	case MULTI_INSTANCE_ENCAPSULATION:
		*endpoint = cursor_u8(command) & ENDPOINT_MASK;
		return READING_OK;
	case SUPERVISION_GET:
		cursor_u8(command); /* its session */
		size = cursor_u8(command);
		inner = cursor_take(command, size);
		*command = cursor_over(inner, inner ? size : 0);
		return READING_OK;
	case CRC16_ENCAPSULATION:
		return check_crc(whole, command);
	case MULTI_COMMAND_ENCAPSULATION:
	case SECURITY_ENCAPSULATION:
	case SECURITY_ENCAPSULATION_NONCE_GET:
	case SECURITY_2_ENCAPSULATION:
		return READING_UNSUPPORTED_CLASS;
	default:
		*found = false;
		number &= 0xf8;
		return (class << 8 | number) == TRANSPORT_FIRST_SEGMENT ||
		               (class << 8 | number) == TRANSPORT_LATER_SEGMENT
		           ? READING_UNSUPPORTED_CLASS
		           : READING_OK;
	}
}

enum reading_status reading_decode_zwave(struct decoder *decoder,
                                         const struct raw_telegram *telegram, struct reading *out,
                                         size_t *count)
{
	struct cursor command = cursor_over(telegram->bytes, telegram->size);
	enum reading_status status = READING_OK;
	uint8_t class = 0, number = 0;
	bool wrapped = true;

	(void)decoder;
	*count = 0;
	out[0] = (struct reading){.measured_ms = 0};
	if (!read_address(telegram, out))
		return READING_BAD_NODE;
	for (int layer = 0; wrapped && status == READING_OK; layer++) {
		struct cursor whole = command;

		class = cursor_u8(&command);
		number = cursor_u8(&command);
		if (command.broken)
			return READING_MALFORMED;
		if (layer > LAYERS)
			return READING_UNSUPPORTED_CLASS;
		status = unwrap(whole, class, number, &command, &out->endpoint, &wrapped);
	}
	if (status != READING_OK || class != CLASS_METER || number != METER_REPORT)
		return status;
	return read_report(command, out, count);
}
