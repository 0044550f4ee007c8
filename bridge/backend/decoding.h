/*
 * The decoders with what they need of the database: keys of meters, layouts of
 * compact frames; and the second look at what lacked one of them.
 */
#ifndef SMARTHG_BRIDGE_DECODING_H
#define SMARTHG_BRIDGE_DECODING_H

#include "../core/routing.h"
#include "control.h"

struct decoding;

/* NULL: no memory. */
struct decoding *decoding_new(struct control *control, const struct log *log);
/* Wipes all keys. */
void decoding_free(struct decoding *decoding);

/* Reads what the database knows: with every new connection, before gateways are let in. */
void decoding_load(struct decoding *decoding);
/* A notification came; false: on none of its channels. */
bool decoding_notified(struct decoding *decoding, const char *channel);

/* As routing_decode. */
void decoding_decode(struct decoding *decoding, uint8_t route, const struct data_message *data,
                     int64_t received_ms, struct decoded *out);

#endif
