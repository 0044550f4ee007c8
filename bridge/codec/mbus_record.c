/*
 * Data information blocks and the data of a record (EN 13757-3, clauses 6 and
 * annex A), between a telegram's layers and codec/mbus_obis.
 */
#include "mbus_record.h"

#include "calendar.h"

enum {
	EXTENSION = 0x80, /* a DIFE follows */
	DIFE_LIMIT = 10,
	DIF_MANUFACTURER = 0x0f, /* the rest is the manufacturer's own */
	DIF_MANUFACTURER_MORE = 0x1f,
	DIF_FILLER = 0x2f,
	DATA_SPECIAL = 0x0f,
	DATA_REAL = 5,
	DATA_SELECTION = 8, /* no data */
	DATA_VARIABLE = 13,
};

/* Data field of the DIF to bytes of data. */
static const uint8_t data_size[16] = {0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6, 0};

static void no_value(struct mbus_record *out)
{
	out->type = MBUS_NO_VALUE;
}

/* Type B: two's complement; the lowest number means invalid. */
static void read_integer(struct cursor *values, size_t size, struct mbus_record *out)
{
	uint64_t value = cursor_le(values, size);
	uint64_t sign = UINT64_C(1) << (8 * size - 1);

	out->type = value == sign ? MBUS_NO_VALUE : MBUS_INTEGER;
	out->integer = (int64_t)((value ^ sign) - sign);
}

/* Type A: digits from the last on; an F in the first place is a minus sign. */
static void read_bcd(struct cursor *values, size_t size, struct mbus_record *out)
{
	const uint8_t *bytes = cursor_take(values, size);
	int64_t number = 0;
	bool negative = bytes && size > 0 && bytes[size - 1] >> 4 == 15;

	out->type = bytes ? MBUS_INTEGER : MBUS_NO_VALUE;
	out->integer = 0;
	for (size_t i = size; bytes && i > 0; i--) {
		uint8_t high = bytes[i - 1] >> 4, low = bytes[i - 1] & 15;

		if (negative && i == size)
			high = 0;
		if (high > 9 || low > 9) {
			no_value(out);
			return;
		}
		number = number * 100 + high * 10 + low;
	}
	out->integer = negative ? -number : number;
}

static void read_real(struct cursor *values, struct mbus_record *out)
{
	uint32_t bits = (uint32_t)cursor_le(values, 4);
	float real;

	memcpy(&real, &bits, sizeof(real));
	/* Neither infinite nor no number: their exponent is all ones. */
	out->type = (bits >> 23 & 0xff) == 0xff ? MBUS_NO_VALUE : MBUS_REAL;
	out->real = real;
}

/* Day and month as in types F, G and I, two bytes. */
static bool read_day(struct cursor *values, int *year, int *month, int *day)
{
	uint8_t first = cursor_u8(values), second = cursor_u8(values);

	*day = first & 31;
	*month = second & 15;
	*year = (first >> 5) | (second >> 4 & 15) << 3;
	return *year <= 99;
}

/* Types G (2 bytes), F (4) and I (6). A year without its century, up to 80, is of ours. Types F and
 * I have a bit for summer time, unset in standard time and by clocks that know none. */
static void read_date(struct cursor *values, size_t size, struct mbus_record *out)
{
	int year, month, day, second = 0, minute = 0, hour = 0, century = 0;
	bool valid = true;

	out->summer = false;
	if (size == 6) {
		uint8_t second_byte = cursor_u8(values);

		second = second_byte & 63;
		out->summer = second_byte & 0x40;
	}
	if (size > 2) {
		uint8_t minute_byte = cursor_u8(values), hour_byte = cursor_u8(values);

		minute = minute_byte & 63;
		hour = hour_byte & 31;
		century = size == 4 ? hour_byte >> 5 & 3 : 0;
		out->summer = out->summer || (size == 4 && hour_byte & 0x80);
		valid = !(minute_byte & 0x80) && minute < 60 && hour < 24 && second < 60;
	}
	valid = read_day(values, &year, &month, &day) && valid;
	if (size == 6)
		cursor_u8(values); /* week, and by how much summer time differs */
	year += century > 0 || year > 80 ? 1900 + 100 * century : 2000;
	valid = valid && calendar_has(year, month, day);
	out->year = (int16_t)year;
	out->type = valid ? MBUS_TIME : MBUS_NO_VALUE;
	out->integer =
	    valid
	        ? (calendar_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * 1000
	        : 0;
}

/* The length byte says what the data are too. */
static void read_variable(struct cursor *values, struct mbus_record *out)
{
	uint8_t length = cursor_u8(values);
	size_t size = length;

	if (length == 0xc0 || length == 0xd0) {
		no_value(out);
		return;
	}
	if (length > 0xc0 && length <= 0xc9) {
		read_bcd(values, length - 0xc0u, out);
		return;
	}
	if (length > 0xd0 && length <= 0xd9) {
		read_bcd(values, length - 0xd0u, out);
		out->integer = -out->integer;
		return;
	}
	if (length > 0xe0 && length <= 0xe8) {
		read_integer(values, length - 0xe0u, out);
		return;
	}
	if (length >= 0xe0 && length <= 0xef)
		size = length - 0xe0u;
	else if (length >= 0xf0 && length <= 0xf4)
		size = (length - 0xecu) * 4u;
	else if (length == 0xf5)
		size = 48;
	else if (length == 0xf6)
		size = 64;
	else if (length >= 0xc0) {
		values->broken = true;
		return;
	}
	out->bytes = cursor_take(values, size);
	out->size = size;
	out->type = MBUS_BYTES;
}

static void read_data(struct cursor *values, uint8_t field, struct mbus_record *out)
{
	size_t size = data_size[field];

	if (field == DATA_VARIABLE)
		read_variable(values, out);
	else if (size == 0)
		no_value(out);
	else if (out->quantity == MBUS_DATE && (field == 2 || field == 4 || field == 6))
		read_date(values, size, out);
	else if (field == DATA_REAL)
		read_real(values, out);
	else if (field > DATA_SELECTION)
		read_bcd(values, size, out);
	else
		read_integer(values, size, out);
}

static void read_difes(struct cursor *headers, struct mbus_record *out)
{
	uint8_t dife = EXTENSION;

	for (unsigned i = 0; dife & EXTENSION; i++) {
		if (i == DIFE_LIMIT) {
			headers->broken = true;
			return;
		}
		dife = cursor_u8(headers);
		out->storage |= (uint64_t)(dife & 15) << (1 + 4 * i);
		out->tariff |= (uint32_t)(dife >> 4 & 3) << 2 * i;
		out->subunit |= (uint16_t)((dife >> 6 & 1) << i);
	}
}

enum mbus_next mbus_next(struct cursor *headers, struct cursor *values, struct mbus_record *out)
{
	uint8_t dif = DIF_FILLER;

	while (dif == DIF_FILLER) {
		if (cursor_left(headers) == 0)
			return MBUS_END;
		dif = cursor_u8(headers);
	}
	if ((dif & DATA_SPECIAL) == DATA_SPECIAL)
		return dif == DIF_MANUFACTURER || dif == DIF_MANUFACTURER_MORE ? MBUS_END : MBUS_MALFORMED;
	out->function = (enum mbus_function)(dif >> 4 & 3);
	out->storage = dif >> 6 & 1;
	out->tariff = 0;
	out->subunit = 0;
	if (dif & EXTENSION)
		read_difes(headers, out);
	mbus_value_block(headers, out);
	read_data(values, dif & 15, out);
	return headers->broken || values->broken ? MBUS_MALFORMED : MBUS_RECORD;
}
