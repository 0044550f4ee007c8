/*
 * Any bytes as a urlencoded form: read to fields that lie within it, each name once, none with a
 * 0 byte, or refused with a reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../extension/core/market/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_text(const char *copy, size_t size, form_text text)
{
	if (text.length == 0)
		return;
	if (text.bytes < copy || text.length > size || text.bytes + text.length > copy + size)
		abort();
	if (memchr(text.bytes, '\0', text.length))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);
	outcome out = {0};
	form read;

	if (copy == NULL)
		return 0;
	if (size)
		memcpy(copy, bytes, size);
	if (form_read(copy, size, &read, &out) != OUTCOME_OK) {
		if (out.message[0] == '\0')
			abort();
		free(copy);
		return 0;
	}
	for (int i = 0; i < read.count; i++) {
		const form_text *name = &read.fields[i].name;

		check_text(copy, size, *name);
		check_text(copy, size, read.fields[i].value);
		for (int j = 0; j < i; j++)
			if (read.fields[j].name.length == name->length &&
			    memcmp(read.fields[j].name.bytes, name->bytes, name->length) == 0)
				abort();
	}
	free(copy);
	return 0;
}
