/*
 * Any bytes as a recorded line of traffic: read within bounds, and written again
 * what was read is the same frame.
 */
#include <stdlib.h>
#include <string.h>

#include "../../bridge/core/traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static uint8_t payload[256], again_payload[256];
	static char line[128 + 2 * sizeof(payload)];
	char text[1024];
	struct traffic first, again;
	size_t length = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, bytes, length);
	text[length] = '\0';
	if (!traffic_read(text, &first, payload, sizeof(payload)))
		return 0;
	traffic_write(&first, line, sizeof(line));
	if (!traffic_read(line, &again, again_payload, sizeof(again_payload)) ||
	    again.gateway != first.gateway || again.type != first.type ||
	    again.outgoing != first.outgoing || again.size != first.size ||
	    (first.payload && memcmp(payload, again_payload, first.size) != 0))
		abort();
	return 0;
}
