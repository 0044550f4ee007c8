/*
 * Promises of the table of meter keys: each device has the key that was put
 * last, among many, and no other device has one.
 */
#include "tap.h"

#include "../../bridge/core/meter_keys.h"

static void device_number(unsigned number, uint8_t device[MBUS_DEVICE_SIZE])
{
	struct writer writer = writer_over(device, MBUS_DEVICE_SIZE);

	writer_be(&writer, number, 4);
	writer_be(&writer, 0x04430107, 4);
}

int main(void)
{
	enum { DEVICES = 20000 };
	struct meter_keys *keys = meter_keys_new();
	uint8_t device[MBUS_DEVICE_SIZE];
	bool right = true;

	device_number(1, device);
	ok(!meter_keys_find(keys, device), "an empty table has no key");
	for (unsigned i = 0; i < 2 * DEVICES; i++) {
		struct meter_key key = {.bytes = {(uint8_t)(i / DEVICES)}, .clear_accepted = i % 2};
		struct writer writer = writer_over(key.bytes + 1, 4);

		writer_be(&writer, i % DEVICES, 4);
		device_number(i % DEVICES, device);
		right = right && meter_keys_put(keys, device, &key);
	}
	ok(right && meter_keys_count(keys) == DEVICES, "%d devices have a key, put twice", DEVICES);
	for (unsigned i = 0; i < DEVICES; i++) {
		device_number(i, device);
		const struct meter_key *key = meter_keys_find(keys, device);
		struct cursor number = cursor_over(key ? key->bytes + 1 : NULL, key ? 4 : 0);

		right = right && key && key->bytes[0] == 1 && cursor_be(&number, 4) == i &&
		        key->clear_accepted == i % 2;
	}
	ok(right, "each its own, the last one");
	for (unsigned i = DEVICES; i < 2 * DEVICES; i++) {
		device_number(i, device);
		right = right && !meter_keys_find(keys, device);
	}
	ok(right, "no other device has one");
	meter_keys_free(keys);
	return tap_done();
}
