/*
 * Telegrams as tests write them: text of hexadecimal digits.
 */
#ifndef SMARTHG_TEST_HEX_H
#define SMARTHG_TEST_HEX_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Hex text to bytes; their number. */
static inline size_t from_hex(const char *text, uint8_t *out)
{
	size_t count = strlen(text) / 2;

	for (size_t i = 0; i < count; i++) {
		unsigned byte = 0;
		sscanf(text + 2 * i, "%2x", &byte);
		out[i] = (uint8_t)byte;
	}
	return count;
}

#endif
