/*
 * Any bytes as a packed block of energy: read within bounds or refused; what is read has sane
 * slots, and packed again and read it is the same.
 */
#include <math.h>
#include <stdlib.h>

#include "../../extension/core/series/energy_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static energy_slots first, second, sums;
	uint8_t *block;
	size_t packed;
	outcome out;

	if (energy_block_decode(bytes, size, &first, &out) != OUTCOME_OK) {
		if (out.message[0] == '\0')
			abort();
		return 0;
	}
	block = malloc(energy_block_bound(first.count));
	packed = energy_block_encode(&first, block);
	if (packed > energy_block_bound(first.count) ||
	    energy_block_decode(block, packed, &second, &out) != OUTCOME_OK ||
	    second.count != first.count)
		abort();
	for (int s = 0; s < first.count; s++)
		if (first.covered[s] != second.covered[s] || !isfinite(first.kwh[s]) ||
		    (first.covered[s] > 0 && first.quality[s] != second.quality[s]) ||
		    !(fabs(first.kwh[s] - second.kwh[s]) <= 1e-9))
			abort();
	energy_slots_sum(&first, 4, &sums);
	free(block);
	return 0;
}
