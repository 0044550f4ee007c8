/*
 * The decoders with what they need of the database: keys of meters, layouts of
 * compact frames, counters of telegrams; and the second look at what lacked one
 * of them.
 */
#ifndef SMARTHG_BRIDGE_DECODING_H
#define SMARTHG_BRIDGE_DECODING_H

#include <event2/event.h>

#include "../core/routing.h"
#include "control.h"

struct decoding;

/* meter_time_zone: of the clocks of M-Bus and DLMS meters, a known one. NULL: no memory. */
struct decoding *decoding_new(struct event_base *base, struct control *control,
                              const char *meter_time_zone, const struct log *log);
/* Wipes all keys. */
void decoding_free(struct decoding *decoding);

/* How much later than another telegram of a meter one with no higher counter may have been heard
 * without being a replay. To be called once before the first telegram, and again at will. */
void decoding_tolerate(struct decoding *decoding, int64_t replay_tolerance_ms);

/* Reads what the database knows: with every new connection, before gateways are let in. */
void decoding_load(struct decoding *decoding);
/* Writes what the next start should know. */
void decoding_save(struct decoding *decoding);
/* A notification came; false: on none of its channels. */
bool decoding_notified(struct decoding *decoding, const char *channel);

/* As routing_decode, of a record of this gateway; a replay goes to quarantine. */
void decoding_decode(struct decoding *decoding, int64_t gateway_id, uint8_t route,
                     const struct data_message *data, int64_t received_ms, struct decoded *out);

#endif
