/*
 * Exponential smoothing with a level, a daily and a weekly season, all additive
 * (Holt-Winters with two seasons, without trend).
 */
#ifndef SMARTHG_FORECAST_SMOOTHING_H
#define SMARTHG_FORECAST_SMOOTHING_H

#include "blocks.h"

typedef struct smoothing {
	int slots, days;
	double level;
	double *daily;  /* [slots] */
	double *weekly; /* [WEEKDAYS][slots] */
} smoothing;

/* room is for (1 + WEEKDAYS) * slots values. */
void smoothing_start(smoothing *state, int slots, double *room);

/* The next day, as in like_days_add(). */
void smoothing_add(smoothing *state, const double *value, const signed char *weekday);

double smoothing_expect(const smoothing *state, int weekday, int place);

#endif
