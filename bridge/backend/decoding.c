/*
 * Puts the key ring, the layouts and the second look together around one
 * decoder.
 */
#include "decoding.h"

#include <stdlib.h>

#include "key_ring.h"
#include "layouts.h"
#include "second_look.h"

struct decoding {
	struct decoder decoder;
	struct key_ring *key_ring;
	struct layouts *layouts;
	struct second_look *second_look;
};

static void on_keys_loaded(void *context)
{
	struct decoding *decoding = context;

	second_look_begin(decoding->second_look);
}

struct decoding *decoding_new(struct control *control, const struct log *log)
{
	struct decoding *decoding = calloc(1, sizeof(*decoding));

	if (!decoding)
		return NULL;
	decoding->key_ring = key_ring_new(control, on_keys_loaded, decoding, log);
	decoding->decoder = (struct decoder){.cipher = meter_cipher_new(),
	                                     .formats = mbus_formats_new(),
	                                     .key = key_ring_find,
	                                     .context = decoding->key_ring};
	decoding->layouts = layouts_new(control, decoding->decoder.formats);
	decoding->second_look = second_look_new(control, &decoding->decoder, log);
	if (!decoding->key_ring || !decoding->decoder.cipher || !decoding->decoder.formats ||
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
	key_ring_free(decoding->key_ring);
	meter_cipher_free(decoding->decoder.cipher);
	mbus_formats_free(decoding->decoder.formats);
	free(decoding);
}

void decoding_load(struct decoding *decoding)
{
	layouts_load(decoding->layouts);
	key_ring_load(decoding->key_ring);
}

bool decoding_notified(struct decoding *decoding, const char *channel)
{
	if (strcmp(channel, "smarthg_meter_key") == 0)
		key_ring_load(decoding->key_ring);
	else if (strcmp(channel, "smarthg_quarantine") == 0)
		second_look_begin(decoding->second_look);
	else
		return false;
	return true;
}

void decoding_decode(struct decoding *decoding, uint8_t route, const struct data_message *data,
                     int64_t received_ms, struct decoded *out)
{
	routing_decode(&decoding->decoder, route, data, received_ms, out);
	layouts_keep(decoding->layouts);
}
