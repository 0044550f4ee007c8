/* Arrivals into stored readings, of different values for one time the last received; see
 * reading_block.h. */
#include "reading_block.h"

struct merge {
	reading_merge_result result;
	stored_reading *stored, *replaced;
};

static void note_change(struct merge *merge, const stored_reading *reading)
{
	reading_merge_result *result = &merge->result;

	if (!result->changed)
		result->changed_from_us = reading->measured_us;
	result->changed = true;
	result->changed_until_us = reading->measured_us;
	result->newest_raw = reading->raw;
}

/* All readings of one time: the one that is stored, if any, and those that arrived. */
static void settle_time(struct merge *merge, const stored_reading *old,
                        const stored_reading *arrivals, int count)
{
	const stored_reading *stands = old ? old : &arrivals[0];

	for (int i = old ? 0 : 1; i < count; i++) {
		const stored_reading *next = &arrivals[i];

		/* Of one value the last arrival too: what was received before it does not count any more.
		 */
		if (next->raw == stands->raw)
			stands = next->received_us > stands->received_us ? next : stands;
		else if (next->received_us < stands->received_us)
			merge->replaced[merge->result.replaced++] = *next;
		else {
			merge->replaced[merge->result.replaced++] = *stands;
			stands = next;
		}
	}
	merge->stored[merge->result.stored++] = *stands;
	if (stands != old)
		merge->result.rewritten = true;
	if (!old || stands->raw != old->raw)
		note_change(merge, stands);
}

reading_merge_result reading_merge(const stored_reading *old_readings, int old_count,
                                   const stored_reading *arrivals, int new_count,
                                   stored_reading *stored, stored_reading *replaced)
{
	struct merge merge = {.stored = stored, .replaced = replaced};
	int o = 0, n = 0;

	while (o < old_count || n < new_count) {
		const stored_reading *old = o < old_count ? &old_readings[o] : NULL;
		int same = 0;

		if (n == new_count || (old && old->measured_us < arrivals[n].measured_us)) {
			stored[merge.result.stored++] = *old;
			o++;
			continue;
		}
		if (old && old->measured_us > arrivals[n].measured_us)
			old = NULL;
		while (n + same < new_count && arrivals[n + same].measured_us == arrivals[n].measured_us)
			same++;
		settle_time(&merge, old, &arrivals[n], same);
		n += same;
		o += old ? 1 : 0;
	}
	return merge.result;
}
