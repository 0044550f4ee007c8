/*
 * OBIS codes A-B:C.D.E.F (IEC 62056-61) as one number while a telegram is
 * decoded, six bytes from A in the highest.
 */
#ifndef SMARTHG_BRIDGE_OBIS_H
#define SMARTHG_BRIDGE_OBIS_H

#include "reading.h"

typedef uint64_t obis_code;

enum { OBIS_CURRENT = 255 }; /* F of a value that is no historical one */

static inline obis_code obis_of(unsigned a, unsigned b, unsigned c, unsigned d, unsigned e,
                                unsigned f)
{
	return (obis_code)a << 40 | (obis_code)b << 32 | (obis_code)c << 24 | d << 16 | e << 8 | f;
}

/* Writes the code as text. */
static inline void obis_text(obis_code code, char out[OBIS_SIZE])
{
	static const char separators[6] = {'-', ':', '.', '.', '.', '\0'};

	for (int i = 0; i < 6; i++) {
		unsigned number = code >> (40 - 8 * i) & 255;

		if (number >= 100)
			*out++ = (char)('0' + number / 100);
		if (number >= 10)
			*out++ = (char)('0' + number / 10 % 10);
		*out++ = (char)('0' + number % 10);
		*out++ = separators[i];
	}
}

#endif
