/*
 * UTF-8, UTF-16 in hexadecimal digits, and the default alphabet; see the header.
 */
#include "sms_text.h"

#define REPLACEMENT 0xfffdu

/* The next character; what is no UTF-8 counts as one U+FFFD a byte. */
static uint32_t next_character(struct cursor *text)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = cursor_u8(text);
	unsigned more = first < 0x80 ? 0 : first < 0xc2 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	struct cursor ahead = *text;
	uint32_t character = more == 0 ? first : first & (0x3fu >> more);

	if (more == 4 || first > 0xf4)
		return REPLACEMENT;
	for (unsigned i = 0; i < more; i++) {
		uint8_t byte = cursor_u8(&ahead);

		if (ahead.broken || (byte & 0xc0) != 0x80)
			return REPLACEMENT;
		character = character << 6 | (byte & 0x3f);
	}
	if (character < least[more] || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return REPLACEMENT;
	*text = ahead;
	return character;
}

/* Septets of a character in the default alphabet; 0: it is not in it. */
static unsigned septets_of(uint32_t character)
{
	static const uint16_t beyond_ascii[] = {
	    0xa3,  0xa5,  0xe8,  0xe9,  0xf9,  0xec,  0xf2,  0xc7,  0xd8,  0xf8, 0xc5, 0xe5, 0x394,
	    0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, 0xc6, 0xe6, 0xdf, 0xc9,
	    0xa4,  0xa1,  0xc4,  0xd6,  0xd1,  0xdc,  0xa7,  0xbf,  0xe4,  0xf6, 0xf1, 0xfc, 0xe0,
	};

	if (character == 0x20ac ||
	    (character != 0 && character < 0x80 && strchr("^{}\\[~]|", (int)character)))
		return 2;
	if ((character >= ' ' && character <= 'z' && character != '`') || character == '\n' ||
	    character == '\r')
		return 1;
	for (size_t i = 0; i < sizeof(beyond_ascii) / sizeof(beyond_ascii[0]); i++)
		if (character == beyond_ascii[i])
			return 1;
	return 0;
}

enum sms_alphabet sms_alphabet_of(const char *text)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	size_t septets = 0, units = 0;
	bool simple = true;

	while (cursor_left(&cursor) > 0) {
		uint32_t character = next_character(&cursor);
		unsigned own = septets_of(character);

		simple = simple && own > 0;
		septets += own;
		units += character > 0xffff ? 2 : 1;
	}
	if (simple && septets <= SMS_SEPTETS)
		return SMS_DEFAULT_ALPHABET;
	return units <= SMS_UNITS ? SMS_UCS2 : SMS_TOO_LONG;
}

static void write_unit(struct writer *out, uint32_t unit)
{
	static const char digits[] = "0123456789ABCDEF";

	for (int shift = 12; shift >= 0; shift -= 4)
		writer_be(out, (uint8_t)digits[unit >> shift & 15], 1);
}

bool sms_hex_write(const char *text, char *out, size_t size)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	struct writer writer = writer_over(out, size);

	while (cursor_left(&cursor) > 0) {
		uint32_t character = next_character(&cursor);

		if (character > 0xffff) {
			write_unit(&writer, 0xd800 + ((character - 0x10000) >> 10));
			character = 0xdc00 + ((character - 0x10000) & 0x3ff);
		}
		write_unit(&writer, character);
	}
	writer_be(&writer, 0, 1);
	return !writer.broken;
}

static bool read_unit(struct cursor *digits, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++) {
		uint8_t digit = cursor_u8(digits);

		if (digit >= '0' && digit <= '9')
			*unit = *unit << 4 | (uint32_t)(digit - '0');
		else if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
			*unit = *unit << 4 | (uint32_t)((digit | 32) - 'a' + 10);
		else
			return false;
	}
	return !digits->broken;
}

static void write_character(struct writer *out, uint32_t character)
{
	if (character < 0x80) {
		writer_be(out, character, 1);
	} else if (character < 0x800) {
		writer_be(out, 0xc080 | (character >> 6) << 8 | (character & 0x3f), 2);
	} else if (character < 0x10000) {
		writer_be(out,
		          0xe08080 | (character >> 12) << 16 | (character >> 6 & 0x3f) << 8 |
		              (character & 0x3f),
		          3);
	} else {
		writer_be(out,
		          0xf0808080 | (character >> 18) << 24 | (character >> 12 & 0x3f) << 16 |
		              (character >> 6 & 0x3f) << 8 | (character & 0x3f),
		          4);
	}
}

bool sms_hex_read(struct cursor digits, char *out, size_t size)
{
	struct writer writer = writer_over(out, size);

	while (cursor_left(&digits) > 0) {
		uint32_t unit, low;
		struct cursor ahead;

		if (!read_unit(&digits, &unit))
			return false;
		ahead = digits;
		if (unit >= 0xd800 && unit < 0xdc00 && read_unit(&ahead, &low) && low >= 0xdc00 &&
		    low < 0xe000) {
			unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
			digits = ahead;
		} else if (unit == 0 || (unit >= 0xd800 && unit < 0xe000)) {
			unit = REPLACEMENT;
		}
		write_character(&writer, unit);
	}
	writer_be(&writer, 0, 1);
	return !writer.broken;
}

bool sms_phone_valid(const char *phone)
{
	size_t digits = phone[0] == '+' ? strspn(phone + 1, "0123456789") : 0;

	return digits >= 4 && digits <= 15 && phone[digits + 1] == '\0';
}
