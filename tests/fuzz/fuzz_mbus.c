/*
 * Any bytes as what follows the link header of an M-Bus telegram, wired or
 * wireless, of whatever device: read within bounds. The first byte is the
 * device type, so that no length and checksum stand in the way of the records.
 */
#include "readings.h"

#include "../../bridge/codec/mbus_format.h"
#include "../../bridge/codec/mbus_layers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct meter_key *no_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct decoder decoder = {.key = no_key};
	static struct reading readings[READING_LIMIT];
	struct cursor above = cursor_over(bytes, size);
	uint8_t device[MBUS_DEVICE_SIZE] = {0};
	struct raw_telegram telegram = {.bytes = bytes, .size = size};
	size_t count;

	if (!decoder.formats)
		decoder.formats = mbus_formats_new();
	device[MBUS_DEVICE_SIZE - 1] = cursor_u8(&above);
	check_readings(mbus_read_layers(&decoder, device, above, readings, &count), readings, count);
	check_readings(reading_decode_wired_mbus(&decoder, &telegram, readings, &count), readings,
	               count);
	return 0;
}
