/*
 * Rows of keys to a table that takes the old one's place when it is whole. Keys
 * pass through here and are wiped from what this file allocated.
 */
#include "key_ring.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct key_ring {
	struct control *control;
	struct meter_cipher *cipher;
	struct meter_keys *keys;
	void (*loaded)(void *context);
	void *context;
	const struct log *log;
	bool reading; /* a statement is queued */
	bool again;   /* something changed meanwhile */
};

struct key_ring *key_ring_new(struct control *control, struct meter_cipher *cipher,
                              void (*loaded)(void *context), void *context, const struct log *log)
{
	struct key_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	*ring = (struct key_ring){.control = control,
	                          .cipher = cipher,
	                          .keys = meter_keys_new(),
	                          .loaded = loaded,
	                          .context = context,
	                          .log = log};
	if (!ring->keys) {
		free(ring);
		return NULL;
	}
	return ring;
}

void key_ring_free(struct key_ring *ring)
{
	if (!ring)
		return;
	meter_keys_free(ring->keys);
	free(ring);
}

/* Copies a bytea of a text result where it has this size. */
static bool take_bytes(const PGresult *result, int row, int column, uint8_t *out, size_t wanted)
{
	size_t size = 0;
	unsigned char *bytes =
	    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, column), &size);
	bool fits = bytes && size == wanted;

	if (fits)
		memcpy(out, bytes, size);
	if (bytes)
		OPENSSL_cleanse(bytes, size);
	PQfreemem(bytes);
	return fits;
}

/* NULL: no memory. */
static struct meter_keys *take_rows(struct meter_cipher *cipher, const PGresult *result)
{
	struct meter_keys *keys = meter_keys_new();
	uint8_t device[MBUS_DEVICE_SIZE];
	struct meter_key key = {.clear_accepted = false};
	bool taken = keys != NULL;

	for (int row = 0; taken && row < PQntuples(result); row++) {
		key.clear_accepted = PQgetvalue(result, row, 2)[0] == 't';
		key.has_authentication = !PQgetisnull(result, row, 3);
		OPENSSL_cleanse(key.authentication, sizeof(key.authentication));
		taken = take_bytes(result, row, 0, device, sizeof(device)) &&
		        take_bytes(result, row, 1, key.bytes, sizeof(key.bytes)) &&
		        (!key.has_authentication ||
		         take_bytes(result, row, 3, key.authentication, sizeof(key.authentication))) &&
		        meter_cipher_key_check(cipher, key.bytes, &key.check) &&
		        meter_keys_put(keys, device, &key);
	}
	OPENSSL_cleanse(&key, sizeof(key));
	if (taken)
		return keys;
	meter_keys_free(keys);
	return NULL;
}

static void on_rows(void *context, const PGresult *result)
{
	struct key_ring *ring = context;
	struct meter_keys *keys = database_succeeded(result) ? take_rows(ring->cipher, result) : NULL;

	ring->reading = false;
	if (keys) {
		meter_keys_free(ring->keys);
		ring->keys = keys;
		log_line(ring->log, LOG_INFO, "meter keys loaded", "keys=%zu", meter_keys_count(keys));
		ring->loaded(ring->context);
	} else if (database_succeeded(result)) {
		log_line(ring->log, LOG_ERROR, "meter keys not loaded", "reason=\"out of memory\"");
	}
	if (ring->again)
		key_ring_load(ring);
}

void key_ring_load(struct key_ring *ring)
{
	ring->again = ring->reading;
	if (!ring->reading)
		ring->reading =
		    control_push(ring->control,
		                 "SELECT device_address, key, clear_accepted, authentication_key "
		                 "FROM smarthg.bridge_meter_keys()",
		                 0, NULL, on_rows, ring);
}

const struct meter_key *key_ring_find(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	const struct key_ring *ring = context;

	return meter_keys_find(ring->keys, device);
}
