/* ZCL frames in hex to readings, for the tests of that decoder. */
#ifndef SMARTHG_ZCL_DECODING_H
#define SMARTHG_ZCL_DECODING_H

#include <stdlib.h>

#include "../../bridge/codec/reading.h"
#include "hex.h"

static struct reading readings[READING_LIMIT];
static size_t count;

/* Decodes a frame given in hex, spaces not allowed; the bytes are on the heap. */
static enum reading_status decode(uint16_t cluster, const char *hex)
{
	uint8_t address[ZCL_ADDRESS_SIZE], *telegram = malloc(strlen(hex) / 2 + 1);
	struct writer writer = writer_over(address, sizeof(address));
	struct zcl_address source = {0x0015bc0000000042, 2, 0x0109, cluster};
	size_t size = from_hex(hex, telegram);

	zcl_address_write(&writer, &source);
	struct raw_telegram whole = {address, telegram, sizeof(address), size};
	enum reading_status status = reading_decode_zcl(NULL, &whole, readings, &count);
	free(telegram);
	return status;
}

#endif
