/*
 * A hash table with open addressing, at most half full. A change of keys loads
 * a new table and drops the old one, so nothing is ever taken out.
 */
#include "meter_keys.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct entry {
	uint8_t device[MBUS_DEVICE_SIZE];
	struct meter_key key;
	bool used;
};

struct meter_keys {
	struct entry *entries;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

struct meter_keys *meter_keys_new(void)
{
	return calloc(1, sizeof(struct meter_keys));
}

static void free_entries(struct entry *entries, size_t capacity)
{
	if (entries)
		OPENSSL_cleanse(entries, capacity * sizeof(*entries));
	free(entries);
}

void meter_keys_free(struct meter_keys *keys)
{
	if (!keys)
		return;
	free_entries(keys->entries, keys->capacity);
	free(keys);
}

/* The device's entry, or the free one where it belongs. */
static struct entry *place(struct entry *entries, size_t capacity, const uint8_t *device)
{
	uint64_t hash;

	memcpy(&hash, device, sizeof(hash));
	hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	size_t slot = (hash >> 32) & (capacity - 1);
	while (entries[slot].used && memcmp(entries[slot].device, device, MBUS_DEVICE_SIZE) != 0)
		slot = (slot + 1) & (capacity - 1);
	return &entries[slot];
}

static bool grow(struct meter_keys *keys)
{
	size_t capacity = keys->capacity ? keys->capacity * 2 : 64;
	struct entry *entries = calloc(capacity, sizeof(*entries));

	if (!entries)
		return false;
	for (size_t i = 0; i < keys->capacity; i++)
		if (keys->entries[i].used)
			*place(entries, capacity, keys->entries[i].device) = keys->entries[i];
	free_entries(keys->entries, keys->capacity);
	keys->entries = entries;
	keys->capacity = capacity;
	return true;
}

bool meter_keys_put(struct meter_keys *keys, const uint8_t device[MBUS_DEVICE_SIZE],
                    const struct meter_key *key)
{
	struct entry *entry;

	if ((keys->count + 1) * 2 > keys->capacity && !grow(keys))
		return false;
	entry = place(keys->entries, keys->capacity, device);
	keys->count += !entry->used;
	entry->used = true;
	entry->key = *key;
	memcpy(entry->device, device, MBUS_DEVICE_SIZE);
	return true;
}

const struct meter_key *meter_keys_find(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	const struct meter_keys *keys = context;

	if (keys->count == 0)
		return NULL;
	const struct entry *entry = place(keys->entries, keys->capacity, device);
	return entry->used ? &entry->key : NULL;
}

size_t meter_keys_count(const struct meter_keys *keys)
{
	return keys->count;
}
