/* Any bytes as a batch of records: each part that is told lies within the bytes, or it is refused.
 */
#include <stdlib.h>

#include "../../extension/core/ingest/incoming_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void look(incoming_bytes part, const uint8_t *bytes, size_t size, uint64_t *sum)
{
	if (part.at < bytes || part.at + part.size > bytes + size)
		abort();
	for (size_t i = 0; i < part.size; i++)
		*sum += part.at[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	incoming_bytes batch = {bytes, size};
	incoming_record record;
	incoming_reading_bytes reading;
	volatile uint64_t all = 0;
	uint64_t sum = 0;
	outcome out;

	while (batch.size > 0 && incoming_record_take(&batch, &record, &out) == OUTCOME_OK) {
		look(record.address, bytes, size, &sum);
		look(record.telegram, bytes, size, &sum);
		look(record.reason, bytes, size, &sum);
		if (record.device)
			look((incoming_bytes){record.device, INCOMING_DEVICE_SIZE}, bytes, size, &sum);
		for (int i = 0; i < record.readings; i++) {
			if (incoming_reading_take(&record.rest, &reading, &out) != OUTCOME_OK)
				break;
			look(reading.identity, bytes, size, &sum);
			look(reading.device, bytes, size, &sum);
			look(reading.obis, bytes, size, &sum);
			look(reading.unit, bytes, size, &sum);
		}
	}
	all = sum;
	(void)all;
	return 0;
}
