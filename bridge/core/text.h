/*
 * Texts for people that had to be cut to a buffer's size, before they go on as
 * UTF-8 (RFC 3629): the database takes no half characters.
 */
#ifndef SMARTHG_BRIDGE_TEXT_H
#define SMARTHG_BRIDGE_TEXT_H

#include <stdint.h>
#include <string.h>

/* Takes the beginning of a character off the end, where the rest of it was cut away. */
static inline void text_trim(char *text)
{
	size_t size = strlen(text), at = size;
	uint8_t first;

	while (at > 0 && size - at < 3 && ((uint8_t)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at == 0)
		return;
	first = (uint8_t)text[at - 1];
	size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	if (size - at + 1 < wanted)
		text[at - 1] = '\0';
}

#endif
