/*
 * What a caller lets a computation use: time, memory, and the right to be
 * interrupted. Every method of core that can take long watches them.
 */
#ifndef SMARTHG_CORE_LIMITS_H
#define SMARTHG_CORE_LIMITS_H

#include <stdbool.h>

typedef struct solver_limits {
	double seconds;              /* time for the solver; <= 0: none */
	int memory_mb;               /* memory for the solver, watched every few ms; <= 0: none */
	bool (*interrupted)(void *); /* polled every few ms; true stops the solver; may be NULL */
	void *interrupted_argument;
	bool accept_incumbent; /* out of time: answer with the best solution so far */
} solver_limits;

/* Seconds of a clock that only goes forward; what time limits are measured by. */
double clock_seconds(void);

#endif
