/*
 * Market prices, or another series of a bidding zone such as its carbon intensity,
 * of the days after those known (DESIGN.md section 3: beyond publication prices are
 * forecast too). Each hour of each day ahead has a regression on the days known, the
 * calendar and, where they are given, temperature and carbon intensity. Unless the mean
 * is asked for, it is fitted to small absolute errors, as prices have spikes.
 */
#ifndef SMARTHG_FORECAST_PRICE_DAYS_H
#define SMARTHG_FORECAST_PRICE_DAYS_H

#include "../outcome.h"

#include <stdbool.h>

enum {
	PRICE_DAYS_AHEAD = 7,  /* most days that are forecast */
	PRICE_DAYS_MOST = 760, /* days that are learnt from; older ones are not looked at */
	PRICE_DAYS_LEAST = 35, /* fewer known ones are no base for a forecast */
	PRICE_DAYS_HOURS = 24,
};

/* Local days of 24 hours, oldest first: that of 23 has a gap, the hour that comes twice is its
 * mean. NAN is not known: single hours are bridged, days with none are left out. */
typedef struct price_days_input {
	int days;                    /* known, the last complete */
	int ahead;                   /* to be forecast, 1 to PRICE_DAYS_AHEAD */
	const double *price;         /* [days][24] */
	const double *temperature_c; /* [days + ahead][24], as forecast for those ahead; NULL: none */
	const double *carbon_g_per_kwh; /* [days][24]; the last two, which are not measured yet, are
	                                   not looked at; NULL: none */
	const int *weekday;             /* [days + ahead], 0 Monday .. 6 Sunday; a holiday is a 6 */
	double least;                   /* that a price can be; -INFINITY for prices */
	bool (*interrupted)(void *);    /* NULL: never */
	bool squares;                   /* fit to square errors: for the mean, rather than the middle */
} price_days_input;

/* The caller's arrays [ahead][24]; q10 <= q50 <= q90, by errors on days that were not learnt from
 * (q50 is the same as the mean, which is the middle where absolute errors were fitted to);
 * they are not computed, which is half the work, where q10 is NULL. */
typedef struct price_days_forecast {
	double *mean, *q10, *q50, *q90;
	int back;     /* past days to tell about; 0: none */
	double *past; /* [back][24]: what a fit without them says of them a day ahead, latest first */
} price_days_forecast;

/* Errors: bad sizes, weekdays, values beyond 1e9, too few days known; out of memory; interrupted.
 */
outcome_status price_days(const price_days_input *input, price_days_forecast *forecast,
                          outcome *out);

#endif
