/* The reader of urlencoded parameters; see form.h. */
#include "form.h"

#include <stdbool.h>
#include <string.h>

/* Reads ahead of where it writes: an escape takes three bytes and gives one. */
typedef struct form_cursor {
	char *bytes;
	size_t at, end, written;
} form_cursor;

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character at the cursor, decoded; -1: not one. */
static int take_character(form_cursor *cursor)
{
	char c = cursor->bytes[cursor->at++];
	int high, low;

	if (c == '+')
		return ' ';
	if (c != '%')
		return c == '\0' ? -1 : (unsigned char)c;
	if (cursor->end - cursor->at < 2)
		return -1;
	high = hex_digit(cursor->bytes[cursor->at]);
	low = hex_digit(cursor->bytes[cursor->at + 1]);
	cursor->at += 2;
	return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

/* The text up to a & or, in a name, a =, which is passed over; *stopped is that character, 0 at
 * the end. False: a character is none. */
static bool take_text(form_cursor *cursor, bool is_name, form_text *text, char *stopped)
{
	text->bytes = cursor->bytes + cursor->written;
	text->length = 0;
	*stopped = '\0';
	while (cursor->at < cursor->end) {
		char next = cursor->bytes[cursor->at];
		int decoded;

		if (next == '&' || (is_name && next == '=')) {
			*stopped = next;
			cursor->at++;
			return true;
		}
		decoded = take_character(cursor);
		if (decoded < 0)
			return false;
		cursor->bytes[cursor->written++] = (char)decoded;
		text->length++;
	}
	return true;
}

static bool same_text(form_text a, form_text b)
{
	return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

outcome_status form_read(char *bytes, size_t length, form *read, outcome *out)
{
	form_cursor cursor = {.bytes = bytes, .end = length};

	read->count = 0;
	if (length > FORM_MOST_BYTES)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "form has more than %d bytes",
		                   FORM_MOST_BYTES);
	while (cursor.at < cursor.end) {
		form_field field = {{"", 0}, {"", 0}};
		char stopped;

		if (!take_text(&cursor, true, &field.name, &stopped) ||
		    (stopped == '=' && !take_text(&cursor, false, &field.value, &stopped)))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "form has an invalid escape");
		if (field.name.length == 0 && field.value.length == 0)
			continue;
		if (field.name.length == 0)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "form has a value without name");
		for (int i = 0; i < read->count; i++)
			if (same_text(read->fields[i].name, field.name))
				return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "form has a name twice");
		if (read->count == FORM_MOST_FIELDS)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "form has more than %d fields",
			                   FORM_MOST_FIELDS);
		read->fields[read->count++] = field;
	}
	return OUTCOME_OK;
}
