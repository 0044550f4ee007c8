/*
 * Any bytes as a P1 telegram, and as the lines of one with the right checksum:
 * read within bounds.
 */
#include "readings.h"

#include <stdio.h>

#include "../../bridge/codec/crc16.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void decode(const uint8_t *bytes, size_t size)
{
	static struct reading readings[READING_LIMIT];
	struct raw_telegram telegram = {.bytes = bytes, .size = size};
	size_t count;

	check_readings(reading_decode_p1(NULL, &telegram, readings, &count), readings, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char mark[8];

	decode(bytes, size);
	uint8_t *sealed = malloc(size + 6);
	struct writer writer = writer_over(sealed, size + 6);
	writer_u8(&writer, '/');
	writer_bytes(&writer, bytes, size);
	writer_u8(&writer, '!');
	snprintf(mark, sizeof(mark), "%04X", crc16_arc(sealed, size + 2));
	writer_bytes(&writer, mark, 4);
	decode(sealed, writer.at);
	free(sealed);
	return 0;
}
