/*
 * The routing dispatcher (document 4.1.2.1): a gateway's sub-modules, one for
 * each route, each with the kind of telegram that it forwards and its decoder.
 */
#ifndef SMARTHG_BRIDGE_ROUTING_H
#define SMARTHG_BRIDGE_ROUTING_H

#include "../codec/messages.h"
#include "../codec/reading.h"

enum { ROUTE_ANY = 0xff };

/* What became of a telegram. */
struct decoded {
	const char *quarantine; /* why it could not be decoded (static text), or NULL */
	bool lacks_key;         /* which the key of this M-Bus device may change */
	uint8_t device[MBUS_DEVICE_SIZE];
	int64_t heard_ms; /* by its gateway: that one's time where it can be, or that of reception */
	struct meter_counter counter; /* of a radio telegram that was decoded; COUNTER_NONE: none */
	bool replayed;                /* said by backend/counters, which quarantines it then */
	size_t count;
	struct reading readings[READING_LIMIT];
};

/* Decodes a DATA record by its route and kind; with route ROUTE_ANY by its kind alone. Readings
 * without a time of their own, or with an impossible one, get the gateway's, and where that is
 * unknown or impossible too the time of reception; all in ms since 1970. */
void routing_decode(struct decoder *decoder, uint8_t route, const struct data_message *data,
                    int64_t received_ms, struct decoded *out);

#endif
