/*
 * Any bytes as an HTTP request: read within bounds, and once a head is complete
 * or refused, more bytes change nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "../../bridge/codec/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum http_progress whole, part;
	struct http_head head, earlier;

	whole = http_head_read(cursor_over(bytes, size), &head);
	if (whole == HTTP_COMPLETE && memchr(head.path, '\0', sizeof(head.path)) == NULL)
		abort();
	for (size_t i = 0; i < size; i++) {
		part = http_head_read(cursor_over(bytes, i), &earlier);
		if (part != HTTP_INCOMPLETE && part != whole)
			abort();
		if (part == HTTP_COMPLETE &&
		    (earlier.method != head.method || strcmp(earlier.path, head.path) != 0))
			abort();
	}
	return 0;
}
