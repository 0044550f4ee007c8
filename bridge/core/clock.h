/*
 * The two clocks of the event loop's side: wall time for what is recorded,
 * steady time for what is waited for. Coarse ones, since they are read for every
 * frame.
 */
#ifndef SMARTHG_BRIDGE_CLOCK_H
#define SMARTHG_BRIDGE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Milliseconds since 1970. */
static inline int64_t clock_wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME_COARSE);
}

/* Milliseconds since some moment, never set back. */
static inline int64_t clock_steady_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC_COARSE);
}

#endif
