/*
 * Any bytes as a packed block of readings: read within bounds or refused; what is read, packed
 * again and read, is the same.
 */
#include <stdlib.h>

#include "../../extension/core/series/reading_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool same(const stored_reading *a, const stored_reading *b)
{
	return a->measured_us == b->measured_us && a->received_us == b->received_us &&
	       a->raw == b->raw && a->gateway_id == b->gateway_id && a->record_no == b->record_no &&
	       a->has_gateway == b->has_gateway && a->has_record == b->has_record;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	stored_reading *first, *second;
	uint8_t *block;
	size_t packed;
	int count, again;
	outcome out;

	if (reading_block_count(bytes, size, &count, &out) != OUTCOME_OK)
		return 0;
	first = malloc(sizeof(*first) * ((size_t)count + 1));
	second = malloc(sizeof(*second) * ((size_t)count + 1));
	block = malloc(reading_block_bound(count));
	if (reading_block_decode(bytes, size, first, count, &out) == OUTCOME_OK) {
		packed = reading_block_encode(first, count, block);
		if (packed > reading_block_bound(count) ||
		    reading_block_count(block, packed, &again, &out) != OUTCOME_OK || again != count ||
		    reading_block_decode(block, packed, second, count, &out) != OUTCOME_OK)
			abort();
		for (int i = 0; i < count; i++)
			if (!same(&first[i], &second[i]))
				abort();
	}
	free(first);
	free(second);
	free(block);
	return 0;
}
