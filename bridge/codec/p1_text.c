/*
 * Reading P1 text through cursors, between a telegram and codec/reading_p1.
 */
#include "p1_text.h"

#include "calendar.h"

enum { NUMBER_DIGITS = 18 };

struct cursor p1_until(struct cursor *text, char end)
{
	struct cursor rest = *text;
	size_t left = cursor_left(&rest);
	const uint8_t *bytes = cursor_take(&rest, left);
	const uint8_t *found = bytes ? memchr(bytes, end, left) : NULL;
	size_t size = found ? (size_t)(found - bytes) : left;
	struct cursor taken = cursor_over(cursor_take(text, size), size);
	if (cursor_left(text) > 0)
		cursor_u8(text);
	return taken;
}

bool p1_line(struct cursor *text, struct cursor *line)
{
	if (cursor_left(text) == 0)
		return false;
	*line = p1_until(text, '\n');
	*line = p1_until(line, '\r');
	return true;
}

static bool decimal(struct cursor text, unsigned *number)
{
	size_t size = cursor_left(&text);

	*number = 0;
	for (size_t i = 0; i < size; i++) {
		unsigned digit = (unsigned)cursor_u8(&text) - '0';

		if (digit > 9)
			return false;
		*number = *number * 10 + digit;
	}
	return size >= 1 && size <= 3 && *number <= 255;
}

bool p1_code(struct cursor *line, obis_code *code)
{
	static const char separators[] = {'-', ':', '.', '.'};
	struct cursor rest = *line, text = p1_until(&rest, '(');
	struct cursor values = *line;
	unsigned part[6];

	cursor_take(&values, text.size);
	for (int i = 0; i < 4; i++) {
		struct cursor before = text, one = p1_until(&text, separators[i]);

		if (one.size == before.size - before.at || !decimal(one, &part[i]))
			return false;
	}
	/* F behind a point, or as IEC 62056-61 has it behind an asterisk. */
	struct cursor last = p1_until(&text, '.');
	struct cursor f = cursor_left(&text) > 0 ? text : last;
	if (cursor_left(&text) == 0)
		last = p1_until(&f, '*');
	if (cursor_left(&f) == 0)
		f = cursor_over("255", 3);
	if (!decimal(last, &part[4]) || !decimal(f, &part[5]))
		return false;
	*code = obis_of(part[0], part[1], part[2], part[3], part[4], part[5]);
	*line = values;
	return true;
}

bool p1_value(struct cursor *line, struct cursor *value)
{
	if (cursor_left(line) == 0 || cursor_u8(line) != '(')
		return false;
	*value = p1_until(line, ')');
	return true;
}

bool p1_number(struct cursor text, int64_t *number, int64_t *divisor)
{
	size_t size = cursor_left(&text), digits = 0;
	bool negative = false, point = false;

	*number = 0;
	*divisor = 1;
	for (size_t i = 0; i < size; i++) {
		uint8_t character = cursor_u8(&text);

		if (character == '-' && i == 0) {
			negative = true;
		} else if (character == '.' && !point) {
			point = true;
		} else if (character >= '0' && character <= '9' && digits < NUMBER_DIGITS) {
			*number = *number * 10 + character - '0';
			digits++;
			if (point)
				*divisor *= 10;
		} else {
			return false;
		}
	}
	if (negative)
		*number = -*number;
	return digits > 0;
}

bool p1_time(struct cursor text, int64_t *ms)
{
	int part[6];

	if (cursor_left(&text) != 13)
		return false;
	for (int i = 0; i < 6; i++) {
		unsigned tens = (unsigned)cursor_u8(&text) - '0', ones = (unsigned)cursor_u8(&text) - '0';

		if (tens > 9 || ones > 9)
			return false;
		part[i] = (int)(tens * 10 + ones);
	}
	uint8_t season = cursor_u8(&text);
	if ((season != 'S' && season != 'W') || !calendar_has(2000 + part[0], part[1], part[2]) ||
	    part[3] > 23 || part[4] > 59 || part[5] > 59)
		return false;
	*ms = (calendar_days(2000 + part[0], part[1], part[2]) * 86400 +
	       (part[3] - (season == 'S' ? 2 : 1)) * 3600 + part[4] * 60 + part[5]) *
	      1000;
	return true;
}

bool p1_equals(struct cursor text, const char *other)
{
	size_t size = cursor_left(&text);
	const uint8_t *bytes = cursor_take(&text, size);

	return size == strlen(other) && (size == 0 || memcmp(bytes, other, size) == 0);
}

int p1_hex_digit(uint8_t character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	return -1;
}

uint8_t p1_characters(struct cursor text, uint8_t out[DEVICE_SIZE])
{
	size_t size = cursor_left(&text);

	if (size > DEVICE_SIZE)
		return 0;
	cursor_copy(&text, out, size);
	return (uint8_t)size;
}

uint8_t p1_identifier(struct cursor text, uint8_t out[DEVICE_SIZE])
{
	struct cursor plain = text;
	size_t size = cursor_left(&text);
	bool is_hex = size > 0 && size % 2 == 0 && size / 2 <= DEVICE_SIZE;

	for (size_t i = 0; is_hex && i < size / 2; i++) {
		int high = p1_hex_digit(cursor_u8(&text)), low = p1_hex_digit(cursor_u8(&text));

		is_hex = high >= 0 && low >= 0;
		out[i] = (uint8_t)(high * 16 + low);
	}
	return is_hex ? (uint8_t)(size / 2) : p1_characters(plain, out);
}
