/*
 * The keys of M-Bus meters as smarthg.bridge_meter_keys gives them, for the
 * decoders: read at the start and on notification, all anew.
 */
#ifndef SMARTHG_BRIDGE_KEY_RING_H
#define SMARTHG_BRIDGE_KEY_RING_H

#include "../core/meter_keys.h"
#include "control.h"

struct key_ring;

/* loaded: the keys of the database are there, for the first time or changed. The cipher must
 * outlive it. NULL: no memory. */
struct key_ring *key_ring_new(struct control *control, struct meter_cipher *cipher,
                              void (*loaded)(void *context), void *context, const struct log *log);
/* Wipes all keys. */
void key_ring_free(struct key_ring *ring);

/* Reads them; requests that come meanwhile become one more reading. */
void key_ring_load(struct key_ring *ring);

/* As struct decoder wants it; context is the ring. */
const struct meter_key *key_ring_find(void *context, const uint8_t device[MBUS_DEVICE_SIZE]);

#endif
