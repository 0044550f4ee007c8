/*
 * Lines of a modem; see the header.
 */
#include "at_line.h"

#include <time.h>

bool at_reader_next(struct at_reader *reader, struct cursor *input, struct cursor *line)
{
	while (cursor_left(input) > 0) {
		uint8_t byte = cursor_u8(input);
		bool prompt = byte == ' ' && reader->size == 1 && reader->bytes[0] == '>';

		if (byte == '\n' || byte == '\r' || prompt) {
			*line = cursor_over(reader->bytes, reader->overlong ? 0 : reader->size);
			reader->size = 0;
			reader->overlong = false;
			return true;
		}
		if (reader->size < sizeof(reader->bytes))
			reader->bytes[reader->size++] = byte;
		else
			reader->overlong = true;
	}
	return false;
}

/* Whether the line goes on with this text, which is then passed. */
static bool skip_text(struct cursor *line, const char *text)
{
	struct cursor ahead = *line;
	size_t length = strlen(text);
	const uint8_t *bytes = cursor_take(&ahead, length);

	if (!bytes || memcmp(bytes, text, length) != 0)
		return false;
	*line = ahead;
	return true;
}

/* The next field up to a comma outside quotes, without its quotes. */
static struct cursor next_field(struct cursor *line)
{
	struct cursor rest = *line;
	size_t start, end;
	bool quoted;

	while (skip_text(&rest, " "))
		;
	quoted = skip_text(&rest, "\"");
	start = end = rest.at;
	for (bool open = quoted; cursor_left(&rest) > 0;) {
		uint8_t byte = cursor_u8(&rest);

		if (open && byte == '"')
			open = false;
		else if (!open && byte == ',')
			break;
		else if (open || !quoted)
			end = rest.at;
	}
	*line = rest;
	struct cursor field = cursor_over(rest.bytes, end);
	field.at = start;
	return field;
}

/* A field's number; -1 where it is none. */
static int field_number(struct cursor field)
{
	int number = 0;

	if (cursor_left(&field) == 0 || cursor_left(&field) > 6)
		return -1;
	while (cursor_left(&field) > 0) {
		uint8_t digit = cursor_u8(&field);

		if (digit < '0' || digit > '9')
			return -1;
		number = number * 10 + (digit - '0');
	}
	return number;
}

static int two_digits(struct cursor *field)
{
	uint8_t tens = cursor_u8(field), ones = cursor_u8(field);

	if (field->broken || tens < '0' || tens > '9' || ones < '0' || ones > '9')
		field->broken = true;
	return field->broken ? 0 : (tens - '0') * 10 + (ones - '0');
}

/* "yy/MM/dd,hh:mm:ss+zz", zz in quarters of an hour; 0 where it is not that. */
static int64_t field_time_ms(struct cursor field)
{
	static const char between[] = "//,::";
	int part[6];
	struct tm utc = {.tm_isdst = 0};

	for (int i = 0; i < 6; i++) {
		part[i] = two_digits(&field);
		if (i < 5 && cursor_u8(&field) != (uint8_t)between[i])
			return 0;
	}
	uint8_t sign = cursor_u8(&field);
	int quarters = two_digits(&field);
	if (field.broken || cursor_left(&field) > 0 || (sign != '+' && sign != '-'))
		return 0;
	utc.tm_year = 100 + part[0];
	utc.tm_mon = part[1] - 1;
	utc.tm_mday = part[2];
	utc.tm_hour = part[3];
	utc.tm_min = part[4];
	utc.tm_sec = part[5];
	return ((int64_t)timegm(&utc) - (sign == '+' ? quarters : -quarters) * INT64_C(900)) * 1000;
}

/* A phone number, as it is or in digits of UCS2. */
static void field_phone(struct cursor field, char out[SMS_PHONE_SIZE])
{
	size_t length = cursor_left(&field);
	struct cursor digits = cursor_over(field.bytes + field.at, length);

	out[0] = '\0';
	if (length >= 8 && length % 4 == 0 && sms_hex_read(digits, out, SMS_PHONE_SIZE) &&
	    out[strspn(out, "+*#0123456789")] == '\0')
		return;
	if (length < SMS_PHONE_SIZE) {
		cursor_copy(&field, out, length);
		out[length] = '\0';
	} else {
		out[0] = '\0';
	}
}

/* +CDS: first octet, reference, [phone], [type], time, time, status (3GPP TS 23.040 9.2.3.15:
 * below 32 done, from 64 on given up, between them still trying). */
static void read_report(struct cursor line, struct at_line *out)
{
	int status = -1;

	next_field(&line);
	out->number = field_number(next_field(&line));
	while (cursor_left(&line) > 0)
		status = field_number(next_field(&line));
	out->delivered = status >= 0 && status < 32;
	out->failed = status >= 64;
}

/* Whether the next field is this text. */
static bool next_field_is(struct cursor *line, const char *text)
{
	struct cursor field = next_field(line);

	return cursor_left(&field) == strlen(text) && skip_text(&field, text);
}

static enum at_sim read_sim(struct cursor line)
{
	struct cursor again = line;

	return next_field_is(&line, "READY")      ? AT_SIM_READY
	       : next_field_is(&again, "SIM PIN") ? AT_SIM_PIN
	                                          : AT_SIM_LOCKED;
}

void at_line_read(struct cursor line, struct at_line *out)
{
	*out = (struct at_line){.kind = AT_OTHER, .number = -1, .of = -1};
	if (cursor_left(&line) == 0) {
		out->kind = AT_NOTHING;
	} else if (cursor_left(&line) == 1 && skip_text(&line, ">")) {
		out->kind = AT_PROMPT;
	} else if (cursor_left(&line) == 2 && skip_text(&line, "OK")) {
		out->kind = AT_OK;
	} else if (skip_text(&line, "+CMS ERROR:") || skip_text(&line, "+CME ERROR:")) {
		out->kind = AT_ERROR;
		out->number = field_number(next_field(&line));
	} else if (skip_text(&line, "ERROR")) {
		out->kind = AT_ERROR;
	} else if (skip_text(&line, "+CMTI:")) {
		out->kind = AT_NEW_MESSAGE;
		next_field(&line);
		out->number = field_number(next_field(&line));
	} else if (skip_text(&line, "+CMGS:")) {
		out->kind = AT_SENT;
		out->number = field_number(next_field(&line));
	} else if (skip_text(&line, "+CMGL:")) {
		out->kind = AT_LISTED;
		out->number = field_number(next_field(&line));
	} else if (skip_text(&line, "+CMGR:")) {
		out->kind = AT_MESSAGE;
		next_field(&line);
		field_phone(next_field(&line), out->phone);
		next_field(&line);
		out->sent_ms = field_time_ms(next_field(&line));
	} else if (skip_text(&line, "+CPIN:")) {
		out->kind = AT_SIM;
		out->sim = read_sim(line);
	} else if (skip_text(&line, "+CPINR:") && next_field_is(&line, "SIM PIN")) {
		out->kind = AT_SIM_TRIES;
		out->number = field_number(next_field(&line));
		out->of = field_number(next_field(&line));
	} else if (skip_text(&line, "+CDS:")) {
		out->kind = AT_REPORT;
		read_report(line, out);
	}
}
