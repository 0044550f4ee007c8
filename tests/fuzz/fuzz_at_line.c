/*
 * Any bytes as what a modem says: read within bounds, the same lines in whatever
 * pieces the bytes arrive, and a text that passes the modem and back unharmed.
 */
#include <stdlib.h>
#include <string.h>

#include "../../bridge/core/at_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A checksum of what is told of the bytes, given in pieces of this size. */
static uint64_t told(const uint8_t *bytes, size_t size, size_t piece)
{
	struct at_reader reader = {.size = 0};
	uint64_t sum = 0;

	for (size_t at = 0; at < size; at += piece) {
		struct cursor input = cursor_over(bytes + at, size - at < piece ? size - at : piece),
		              bytes_of;

		while (at_reader_next(&reader, &input, &bytes_of)) {
			struct at_line line;

			at_line_read(bytes_of, &line);
			sum = sum * 31 + (uint64_t)line.kind * 1000003 + (uint64_t)line.number +
			      (uint64_t)line.sent_ms + (uint64_t)line.sim * 31 + (uint64_t)line.of +
			      strlen(line.phone) * 7;
		}
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char text[400], digits[4 * sizeof(text) + 1], back[sizeof(digits)], again[sizeof(digits)];
	size_t length = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	if (size > 0 && told(bytes, size, 1) != told(bytes, size, size))
		abort();
	memcpy(text, bytes, length);
	text[length] = '\0';
	sms_alphabet_of(text);
	/* Once read back, a text is UTF-8, and stays as it is. */
	if (!sms_hex_write(text, digits, sizeof(digits)) ||
	    !sms_hex_read(cursor_over(digits, strlen(digits)), back, sizeof(back)) ||
	    strlen(back) > 3 * strlen(text))
		abort();
	if (strlen(back) < sizeof(text) &&
	    (!sms_hex_write(back, digits, sizeof(digits)) ||
	     !sms_hex_read(cursor_over(digits, strlen(digits)), again, sizeof(again)) ||
	     strcmp(back, again) != 0))
		abort();
	sms_hex_read(cursor_over(bytes, size), back, sizeof(back));
	return 0;
}
