/*
 * Interval energy from cumulative registers; see interval_energy.h. Slots and readings are
 * walked once, side by side: a slot takes its share of every pair of neighbours that overlaps it.
 */
#include "interval_energy.h"

#include <math.h>
#include <stddef.h>

/* The rise between two readings of one epoch in counts; *reset where the counter started anew. */
static int64_t counted(int64_t before, int64_t after, int64_t modulus, int *reset)
{
	*reset = 0;
	if (after >= before)
		return after - before;
	/* A counter that fell from its last quarter into its first one rolled over; elsewhere it was
	 * reset, and what it shows is at least what was used since. */
	if (modulus > 0 && before < modulus && before >= modulus - modulus / 4 && after < modulus / 4)
		return modulus - before + after;
	*reset = 1;
	return after > 0 ? after : 0;
}

static outcome_status check(const register_reading *readings, int count,
                            const register_epoch *epochs, int epoch_count,
                            const interval_grid *grid, outcome *out)
{
	if (grid->slots <= 0 || grid->slot_us <= 0 || grid->interpolation_limit_us <= 0)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
		                   "slot length, number of slots and interpolation limit must be positive");
	for (int e = 0; e < epoch_count; e++)
		if (!(epochs[e].kwh_per_count > 0) || !isfinite(epochs[e].kwh_per_count) ||
		    epochs[e].modulus < 0)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "register epoch %d needs a positive scale and no negative modulus",
			                   e + 1);
	for (int i = 0; i < count; i++) {
		if (readings[i].epoch < 0 || readings[i].epoch >= epoch_count)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "reading %d belongs to no register epoch", i + 1);
		if (i > 0 && readings[i].at_us <= readings[i - 1].at_us)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "readings must be in strictly ascending time, reading %d is not",
			                   i + 1);
	}
	out->status = OUTCOME_OK;
	return OUTCOME_OK;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How well the part of a slot between two readings is known. */
static interval_quality quality_between(const register_reading *a, const register_reading *b,
                                        int64_t slot_start, int64_t slot_end, int64_t limit_us,
                                        int reset)
{
	if (reset)
		return INTERVAL_ESTIMATED;
	if (a->at_us >= slot_start && b->at_us <= slot_end)
		return INTERVAL_MEASURED;
	return b->at_us - a->at_us > limit_us ? INTERVAL_ESTIMATED : INTERVAL_INTERPOLATED;
}

outcome_status interval_energy(const register_reading *readings, int count,
                               const register_epoch *epochs, int epoch_count,
                               const interval_grid *grid, double *kwh, interval_quality *quality,
                               outcome *out)
{
	int i = 0; /* the pair of readings i, i + 1; slots and pairs both ascend */

	if (check(readings, count, epochs, epoch_count, grid, out) != OUTCOME_OK)
		return out->status;
	for (int s = 0; s < grid->slots; s++) {
		const int64_t start = grid->start_us + s * grid->slot_us, end = start + grid->slot_us;
		int64_t covered_us = 0;

		kwh[s] = 0;
		quality[s] = INTERVAL_MEASURED;
		while (i + 1 < count && readings[i + 1].at_us <= start)
			i++;
		for (int k = i; k + 1 < count && readings[k].at_us < end; k++) {
			const register_reading *a = &readings[k], *b = &readings[k + 1];
			int64_t part_us = earlier(b->at_us, end) - later(a->at_us, start);
			interval_quality known;
			double rise;
			int reset;

			if (a->epoch != b->epoch)
				continue;
			rise = epochs[a->epoch].kwh_per_count *
			       (double)counted(a->raw, b->raw, epochs[a->epoch].modulus, &reset);
			kwh[s] += rise * ((double)part_us / (double)(b->at_us - a->at_us));
			covered_us += part_us;
			known = quality_between(a, b, start, end, grid->interpolation_limit_us, reset);
			if (known > quality[s])
				quality[s] = known;
		}
		if (covered_us < grid->slot_us)
			kwh[s] = NAN;
	}
	return OUTCOME_OK;
}
