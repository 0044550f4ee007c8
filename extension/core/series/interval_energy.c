/*
 * Interval energy from cumulative registers; see interval_energy.h. Slots and readings are
 * walked once, side by side: a slot takes its share of every pair of neighbours that overlaps it.
 */
#include "interval_energy.h"

#include <math.h>
#include <stddef.h>

static const double US_PER_HOUR = 3600e6;

/* The rise between two readings of one epoch in counts; *reset where the counter started anew. */
static double counted(int64_t before, int64_t after, int64_t modulus, bool *reset)
{
	*reset = false;
	if (after >= before)
		return (double)after - (double)before;
	/* A counter that fell from its last quarter into its first one rolled over; elsewhere it was
	 * reset, and what it shows is at least what was used since. */
	if (modulus > 0 && before < modulus && before >= modulus - modulus / 4 && after >= 0 &&
	    after < modulus / 4)
		return (double)(modulus - before) + (double)after;
	*reset = true;
	return after > 0 ? (double)after : 0;
}

bool reading_is_glitch(const register_reading *readings, int count, int i)
{
	const register_reading *r = &readings[i];

	return i > 0 && i + 1 < count && r[-1].epoch == r->epoch && r->epoch == r[1].epoch &&
	       r[1].raw >= r[-1].raw && (r->raw < r[-1].raw || r->raw > r[1].raw);
}

/* The next reading after i that is no glitch, or count. */
static int next_reading(const register_reading *readings, int count, int i)
{
	do
		i++;
	while (reading_is_glitch(readings, count, i));
	return i;
}

/* Whether a register that rose by so many kWh rose faster than is plausible. */
static bool is_jump(const register_reading *a, const register_reading *b, double rise,
                    double plausible_kw)
{
	return rise > plausible_kw * (double)(b->at_us - a->at_us) / US_PER_HOUR;
}

register_faults register_faults_of(const register_reading *readings, int count,
                                   const register_epoch *epochs, double plausible_kw)
{
	register_faults faults = {0};

	for (int i = 0, next; (next = next_reading(readings, count, i)) < count; i = next) {
		const register_reading *a = &readings[i], *b = &readings[next];
		double rise;
		bool reset;

		faults.outliers += next - i - 1;
		if (a->epoch != b->epoch)
			continue;
		rise = epochs[a->epoch].kwh_per_count *
		       counted(a->raw, b->raw, epochs[a->epoch].modulus, &reset);
		faults.resets += reset ? 1 : 0;
		faults.jumps += is_jump(a, b, rise, plausible_kw) ? 1 : 0;
	}
	return faults;
}

static outcome_status check(const register_reading *readings, int count,
                            const register_epoch *epochs, int epoch_count,
                            const interval_grid *grid, outcome *out)
{
	if (grid->slots <= 0 || grid->slot_us <= 0 || grid->interpolation_limit_us <= 0 ||
	    grid->gap_limit_us <= 0 || !(grid->plausible_kw > 0))
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
		                   "slot length, number of slots and limits must be positive");
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
                                        bool reset)
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
		while (next_reading(readings, count, i) < count &&
		       readings[next_reading(readings, count, i)].at_us <= start)
			i = next_reading(readings, count, i);
		for (int k = i, next; (next = next_reading(readings, count, k)) < count; k = next) {
			const register_reading *a = &readings[k], *b = &readings[next];
			int64_t part_us = earlier(b->at_us, end) - later(a->at_us, start);
			interval_quality known;
			double rise;
			bool reset;

			if (a->at_us >= end)
				break;
			rise = epochs[a->epoch].kwh_per_count *
			       counted(a->raw, b->raw, epochs[a->epoch].modulus, &reset);
			if (a->epoch != b->epoch || part_us <= 0 || b->at_us - a->at_us > grid->gap_limit_us ||
			    is_jump(a, b, rise, grid->plausible_kw))
				continue;
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
