/*
 * Weighted means of what was measured at the same time of like days: recent days
 * weigh more, and days of the same weekday more than others of the same kind.
 */
#ifndef SMARTHG_FORECAST_LIKE_DAYS_H
#define SMARTHG_FORECAST_LIKE_DAYS_H

#include "blocks.h"

typedef struct like_days {
	int slots;
	double fading;     /* of a day's weight, by day */
	double other_day;  /* likeness of days of the same kind, of which the same weekday is 3 */
	double other_kind; /* likeness of working days and weekends: 1 where the sun, which knows no
	                      weekdays, makes all days alike */
	double *sum;       /* [WEEKDAYS][slots] */
	double *weight;    /* [WEEKDAYS][slots] */
} like_days;

/* room is for 2 * WEEKDAYS * slots values. */
void like_days_start(like_days *means, int slots, double half_life_days, double other_day,
                     double other_kind, double *room);

/* The next day: slots values, NAN is a gap, and their weekdays. */
void like_days_add(like_days *means, const double *value, const signed char *weekday);

/* The mean at a place of a day of a weekday; other is taken in with a weight, so that there is
 * always one. */
double like_days_mean(const like_days *means, int weekday, int place, double other, double weight);

/* How much a day weighs for one of a weekday. */
double like_days_likeness(double other_day, double other_kind, int weekday, int other);

#endif
