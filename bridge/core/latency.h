/*
 * A histogram of durations with fixed bounds, as Prometheus wants it.
 */
#ifndef SMARTHG_BRIDGE_LATENCY_H
#define SMARTHG_BRIDGE_LATENCY_H

#include <stdint.h>

enum { LATENCY_BOUNDS = 11 };

static const int64_t latency_bounds_ms[LATENCY_BOUNDS] = {5,   10,   25,   50,    100,  200,
                                                          500, 1000, 5000, 20000, 60000};

/* Counts above the last bound are in `count` alone. */
struct latency {
	uint64_t within[LATENCY_BOUNDS]; /* so many up to the bound and above the one before it */
	uint64_t count;
	int64_t sum_ms, most_ms;
};

static inline void latency_add(struct latency *latency, int64_t ms)
{
	int bound = 0;

	while (bound < LATENCY_BOUNDS && ms > latency_bounds_ms[bound])
		bound++;
	if (bound < LATENCY_BOUNDS)
		latency->within[bound]++;
	latency->count++;
	latency->sum_ms += ms;
	latency->most_ms = ms > latency->most_ms ? ms : latency->most_ms;
}

/* The smallest bound that at least this share (0 to 1) of the durations keeps; -1: above all
 * bounds, or there are none. */
static inline int64_t latency_quantile_ms(const struct latency *latency, double share)
{
	uint64_t within = 0;

	for (int i = 0; i < LATENCY_BOUNDS; i++) {
		within += latency->within[i];
		if (latency->count > 0 && (double)within >= share * (double)latency->count)
			return latency_bounds_ms[i];
	}
	return -1;
}

#endif
