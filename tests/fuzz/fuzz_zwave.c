/*
 * Any bytes as a Z-Wave command from any node and endpoint: read within bounds,
 * with readings that have all they need, and previous values within their reach.
 * The first byte is the length of the address.
 */
#include "readings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct reading readings[READING_LIMIT];
	struct cursor input = cursor_over(bytes, size);
	struct raw_telegram telegram = {.address_size = cursor_u8(&input) & 3};
	size_t count;

	telegram.address = cursor_take(&input, telegram.address_size);
	telegram.size = cursor_left(&input);
	telegram.bytes = cursor_take(&input, telegram.size);
	if (input.broken)
		return 0;
	check_readings(reading_decode_zwave(NULL, &telegram, readings, &count), readings, count);
	for (size_t i = 0; i < count; i++)
		if (readings[i].measured_ms > 0 || readings[i].measured_ms < -READING_EARLIER_MS ||
		    (readings[i].measured_ms != 0) != (i == 1))
			abort();
	return 0;
}
