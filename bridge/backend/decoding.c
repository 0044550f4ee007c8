/*
 * Puts the key ring, the layouts, the counters and the second look together
 * around one decoder.
 */
#include "decoding.h"

#include <stdlib.h>

#include "../core/time_zone.h"
#include "counters.h"
#include "key_ring.h"
#include "layouts.h"
#include "second_look.h"

struct decoding {
	struct decoder decoder;
	struct calendar_zone zone;
	struct counters *counters;
	struct key_ring *key_ring;
	struct layouts *layouts;
	struct second_look *second_look;
};

static void on_keys_loaded(void *context)
{
	struct decoding *decoding = context;

	second_look_begin(decoding->second_look);
}

struct decoding *decoding_new(struct event_base *base, struct control *control,
                              const char *meter_time_zone, const struct log *log)
{
	struct decoding *decoding = calloc(1, sizeof(*decoding));

	if (!decoding)
		return NULL;
	decoding->decoder = (struct decoder){.cipher = meter_cipher_new(),
	                                     .formats = mbus_formats_new(),
	                                     .key = key_ring_find,
	                                     .zone = &decoding->zone};
	decoding->key_ring =
	    key_ring_new(control, decoding->decoder.cipher, on_keys_loaded, decoding, log);
	decoding->decoder.context = decoding->key_ring;
	decoding->counters = counters_new(base, control);
	decoding->layouts = layouts_new(control, decoding->decoder.formats);
	decoding->second_look = second_look_new(control, &decoding->decoder, decoding->counters, log);
	if (!time_zone_read(meter_time_zone, &decoding->zone) || !decoding->key_ring ||
	    !decoding->counters || !decoding->decoder.cipher || !decoding->decoder.formats ||
	    !decoding->layouts || !decoding->second_look) {
		decoding_free(decoding);
		return NULL;
	}
	return decoding;
}

void decoding_free(struct decoding *decoding)
{
	if (!decoding)
		return;
	second_look_free(decoding->second_look);
	layouts_free(decoding->layouts);
	counters_free(decoding->counters);
	key_ring_free(decoding->key_ring);
	meter_cipher_free(decoding->decoder.cipher);
	mbus_formats_free(decoding->decoder.formats);
	free(decoding);
}

void decoding_tolerate(struct decoding *decoding, int64_t replay_tolerance_ms)
{
	counters_tolerate(decoding->counters, replay_tolerance_ms);
}

/* Counters come before keys, after which what waited is decoded again. */
static void load_keys(struct decoding *decoding)
{
	counters_load(decoding->counters);
	key_ring_load(decoding->key_ring);
}

void decoding_load(struct decoding *decoding)
{
	layouts_load(decoding->layouts);
	load_keys(decoding);
}

void decoding_save(struct decoding *decoding)
{
	counters_save(decoding->counters);
}

bool decoding_notified(struct decoding *decoding, const char *channel)
{
	if (strcmp(channel, "smarthg_meter_key") == 0)
		load_keys(decoding);
	else if (strcmp(channel, "smarthg_quarantine") == 0)
		second_look_begin(decoding->second_look);
	else
		return false;
	return true;
}

void decoding_decode(struct decoding *decoding, int64_t gateway_id, uint8_t route,
                     const struct data_message *data, int64_t received_ms, struct decoded *out)
{
	routing_decode(&decoding->decoder, route, data, received_ms, out);
	counters_check(decoding->counters, gateway_id, out);
	layouts_keep(decoding->layouts);
}
