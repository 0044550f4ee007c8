/*
 * Keys of M-Bus meters by their address, as the database has them. Filled by
 * backend/meter_keys, asked by the decoders.
 */
#ifndef SMARTHG_BRIDGE_METER_KEYS_H
#define SMARTHG_BRIDGE_METER_KEYS_H

#include "../codec/reading.h"

struct meter_keys;

/* Empty; NULL: no memory. */
struct meter_keys *meter_keys_new(void);
/* Wipes all keys. */
void meter_keys_free(struct meter_keys *keys);

/* Sets the key of a device. false: no memory. */
bool meter_keys_put(struct meter_keys *keys, const uint8_t device[MBUS_DEVICE_SIZE],
                    const struct meter_key *key);

/* NULL: none is known. As struct decoder wants it; context is the keys. */
const struct meter_key *meter_keys_find(void *context, const uint8_t device[MBUS_DEVICE_SIZE]);

size_t meter_keys_count(const struct meter_keys *keys);

#endif
