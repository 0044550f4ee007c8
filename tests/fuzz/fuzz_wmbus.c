/*
 * Any bytes as a wireless M-Bus telegram, in each frame format and through all
 * layers: read within bounds. What its counter is, if it has one, is judged
 * without harm, and is none where the telegram was not proved.
 */
#include "readings.h"

#include "../../bridge/codec/calendar.h"
#include "../../bridge/codec/mbus_format.h"
#include "../../bridge/core/freshness.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct meter_key key;
static bool key_known;

static const struct meter_key *find_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return key_known ? &key : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct calendar_zone zone;
	static struct decoder decoder = {.key = find_key, .zone = &zone};
	static struct freshness *freshness;
	static struct reading readings[READING_LIMIT];
	struct raw_telegram telegram = {.bytes = bytes, .size = size};
	size_t count;

	if (!decoder.cipher) {
		decoder.cipher = meter_cipher_new();
		decoder.formats = mbus_formats_new();
		freshness = freshness_new();
	}
	/* Without a key, with one, and with one that is not insisted on. */
	for (int i = 0; i < 3; i++) {
		key_known = i > 0;
		key.clear_accepted = i > 1;
		check_readings(reading_decode_wireless_mbus(&decoder, &telegram, readings, &count),
		               readings, count);
		if (!key_known && decoder.counter.kind != COUNTER_NONE)
			abort();
		if (decoder.counter.kind != COUNTER_NONE)
			freshness_accepts(freshness, 1, &decoder.counter, (int64_t)size * 1000, 0);
	}
	return 0;
}
