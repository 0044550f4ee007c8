/* See slot_means.h. */
#include "slot_means.h"

#include <math.h>

void slot_means(const series_step *steps, int count, int64_t start_us, int64_t slot_us, int slots,
                double *means, double *weights)
{
	const int64_t end_us = start_us + slot_us * slots;

	for (int s = 0; s < slots; s++)
		means[s] = weights[s] = 0;
	for (int i = 0; i < count; i++) {
		int64_t from = steps[i].start_us > start_us ? steps[i].start_us : start_us;
		int64_t until = steps[i].start_us + steps[i].length_us;

		if (until > end_us)
			until = end_us;
		while (from < until && !isnan(steps[i].value)) {
			int s = (int)((from - start_us) / slot_us);
			int64_t slot_end = start_us + (s + 1) * slot_us;
			int64_t part_end = until < slot_end ? until : slot_end;

			means[s] += steps[i].value * (double)(part_end - from);
			weights[s] += (double)(part_end - from);
			from = part_end;
		}
	}
	for (int s = 0; s < slots; s++)
		means[s] = weights[s] > 0 ? means[s] / weights[s] : NAN;
}
