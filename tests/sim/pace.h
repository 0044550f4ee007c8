/*
 * When records are due, where the simulator sends at a given speed: one after
 * the other at equal distances, the gateways in turn. A late simulator or a
 * bridge that stalls does not move what is due, so latency counted from there
 * shows every stall to all the records it held up.
 */
#ifndef SMARTHG_SIM_PACE_H
#define SMARTHG_SIM_PACE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct pace {
	double per_second; /* records of all gateways together */
	int64_t start_us;  /* when the first is due */
	size_t gateways;
};

/* Microseconds since some moment, never set back. */
static inline int64_t pace_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Records of all gateways that are due by now. */
static inline uint64_t pace_due(const struct pace *pace, int64_t now_us)
{
	if (now_us < pace->start_us)
		return 0;
	return (uint64_t)((double)(now_us - pace->start_us) * pace->per_second / 1e6) + 1;
}

/* How many of them are records of gateway `turn` (from 0). */
static inline uint64_t pace_share(const struct pace *pace, uint64_t due, size_t turn)
{
	return due > turn ? (due - turn - 1) / pace->gateways + 1 : 0;
}

/* When the gateway's record `index` (from 0) is due. */
static inline int64_t pace_time_us(const struct pace *pace, uint64_t index, size_t turn)
{
	double before = (double)index * (double)pace->gateways + (double)turn;

	return pace->start_us + (int64_t)(before / pace->per_second * 1e6);
}

#endif
