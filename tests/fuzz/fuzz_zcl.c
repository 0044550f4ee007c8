/*
 * Any bytes as a ZCL telegram of the two clusters that are decoded: read within
 * bounds, with readings that have a name and a unit, and the same readings a
 * second time; and a command of mirrors is the same once it was written again.
 */
#include <stdlib.h>

#include "../../bridge/codec/zcl_mirror.h"
#include "../../bridge/core/routing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void decode(uint16_t cluster, const uint8_t *bytes, size_t size, struct decoded *out)
{
	uint8_t address[ZCL_ADDRESS_SIZE];
	struct writer writer = writer_over(address, sizeof(address));
	struct zcl_address source = {1, 1, 0x0109, cluster};
	struct data_message data = {
	    .record_no = 1,
	    .kind = KIND_ZCL,
	    .address_size = sizeof(address),
	    .telegram_size = (uint16_t)size,
	    .address = address,
	    .telegram = bytes,
	};

	zcl_address_write(&writer, &source);
	routing_decode(NULL, 1, &data, INT64_C(1700000000000), out);
}

static void rewrite(const uint8_t *bytes, size_t size)
{
	uint8_t again[ZCL_MIRROR_FRAME_SIZE];
	struct writer writer = writer_over(again, sizeof(again));
	struct zcl_frame frame;
	struct zcl_mirror first, second;

	if (!zcl_read(bytes, size, &frame) || zcl_mirror_read(&frame, &first) != ZCL_MIRROR)
		return;
	zcl_mirror_write(&writer, &first, frame.sequence);
	if (writer.broken || !zcl_read(again, writer.at, &frame) ||
	    zcl_mirror_read(&frame, &second) != ZCL_MIRROR || second.command != first.command ||
	    (second.endpoint != first.endpoint && first.command != ZCL_MIRROR_REMOVE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct decoded first, second;
	static const uint16_t clusters[] = {ZCL_METERING, ZCL_POWER_CONFIGURATION};

	if (size > UINT16_MAX)
		return 0;
	rewrite(bytes, size);
	for (int i = 0; i < 2; i++) {
		decode(clusters[i], bytes, size, &first);
		decode(clusters[i], bytes, size, &second);
		if (first.count != second.count || first.quarantine != second.quarantine ||
		    (first.quarantine && first.count > 0))
			abort();
		for (size_t n = 0; n < first.count; n++)
			if (first.readings[n].obis[0] == '\0' || !first.readings[n].unit ||
			    first.readings[n].raw != second.readings[n].raw ||
			    first.readings[n].measured_ms <= 0)
				abort();
	}
	return 0;
}
