/*
 * A histogram of latencies in microseconds, of fixed size: each power of two is
 * cut into 32 equal parts, so that a quantile is read 3 % too high at most.
 */
#ifndef SMARTHG_SIM_LATENCY_HISTOGRAM_H
#define SMARTHG_SIM_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PARTS = 32, HISTOGRAM_PART_BITS = 5, HISTOGRAM_CELLS = 32 * HISTOGRAM_PARTS };

struct latency_histogram {
	uint64_t cells[HISTOGRAM_CELLS];
	uint64_t count;
	int64_t most_us;
};

/* Values below 64 have a cell each; what is too long for the last cell goes there. */
static inline unsigned histogram_cell(int64_t us)
{
	uint64_t value = us > 0 ? (uint64_t)us : 0;
	unsigned shift = 0;

	while (value >> shift >= 2 * HISTOGRAM_PARTS)
		shift++;
	unsigned cell = (shift << HISTOGRAM_PART_BITS) + (unsigned)(value >> shift);
	return cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1;
}

/* The largest value that belongs into a cell. */
static inline int64_t histogram_upper_us(unsigned cell)
{
	unsigned shift = cell < 2 * HISTOGRAM_PARTS ? 0 : (cell >> HISTOGRAM_PART_BITS) - 1;
	int64_t part = (int64_t)cell - ((int64_t)shift << HISTOGRAM_PART_BITS);

	return ((part + 1) << shift) - 1;
}

/* `times` latencies of us each. */
static inline void histogram_add(struct latency_histogram *histogram, int64_t us, uint64_t times)
{
	histogram->cells[histogram_cell(us)] += times;
	histogram->count += times;
	histogram->most_us = us > histogram->most_us ? us : histogram->most_us;
}

/* What this share (0 to 1) of the latencies does not exceed; 0 where there are none. */
static inline int64_t histogram_quantile_us(const struct latency_histogram *histogram, double share)
{
	uint64_t within = 0;

	for (unsigned i = 0; i < HISTOGRAM_CELLS && histogram->count > 0; i++) {
		within += histogram->cells[i];
		if (within > 0 && (double)within >= share * (double)histogram->count)
			return histogram_upper_us(i) < histogram->most_us ? histogram_upper_us(i)
			                                                  : histogram->most_us;
	}
	return histogram->most_us;
}

#endif
