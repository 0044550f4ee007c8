/*
 * The methods of EUMF-K at one lead: each forecasts every past day from what was
 * known so many days before, and their combination is weighted by the errors of
 * the last of those days. One regression is among them, on what the others say
 * and on how far the last hours and days were off them.
 */
#ifndef SMARTHG_FORECAST_EXPERTS_H
#define SMARTHG_FORECAST_EXPERTS_H

#include "blocks.h"
#include "like_days.h"
#include "smoothing.h"

enum {
	EXPERTS_MOST_LEAD = 7, /* days ahead beyond which forecasts are fitted no more */
	/* What the regression explains a slot by. */
	TERM_LIKE = 0,   /* like days, a little smoothed in time */
	TERM_WIDE,       /* the same, smoothed more */
	TERM_QUICK,      /* like days that fade fast, not smoothed */
	TERM_SLOW,       /* ... slowly, of the same kind alone */
	TERM_ALL_DAYS,   /* all days, whatever they are */
	TERM_SAME_DAYS,  /* days of the same weekday alone */
	TERM_LAST_DAY,   /* the last day known */
	TERM_LAST_WEEK,  /* the last such weekday known */
	TERM_SMOOTHING,  /* exponential smoothing */
	TERM_DAY_LEVEL,  /* what the last day was above its like days, */
	TERM_DAYS_LEVEL, /* the last three, */
	TERM_WEEK_LEVEL, /* the last seven, */
	TERM_EVENING,    /* the last eight hours, */
	TERM_LAST_HOURS, /* the last three, fading with the lead */
	TERM_HEATING,    /* heating and cooling degrees above those of the last weeks */
	TERM_COOLING,
	TERMS,
	LIKE_FADINGS = 5,
	DEGREES = 2,
};

typedef struct experts {
	const forecast_blocks *blocks;
	bool alike;             /* weekdays do not matter */
	const double *standard; /* [WEEKDAYS][slots] by place */
	int lead;               /* days from the last known block to the one forecast */
	int first;              /* block that is the first to be forecast from those before */
	double *term;           /* [blocks][slots][TERMS] from first on */
	double *expected;       /* [blocks][slots] from first on: the combination */
	double coefficient[TERMS];
	double weight[EUMF_K_METHODS];
	/* State after the blocks seen so far. */
	like_days like[LIKE_FADINGS], degrees[DEGREES];
	smoothing smoothed;
	int days;      /* seen so far, that knew something */
	double *above; /* [3][blocks] above like days: all the day, its end, its very end */
	double *mean;  /* [LIKE_FADINGS][WEEKDAYS][slots] of the state; lazily: */
	bool ready[WEEKDAYS];
	double *room;
} experts;

/* Opens the methods for a history; to be closed by experts_close(). False: no memory. */
bool experts_open(experts *all, const forecast_blocks *blocks, bool alike, const double *standard);
void experts_close(experts *all);

/* Fits them at a lead of 1 to EXPERTS_MOST_LEAD; method is EUMF_K_COMBINED, or the one to use. */
void experts_fit(experts *all, int lead, eumf_k_method method);

/* The mean of a slot to come, after experts_fit(); temperature NAN: not known. */
double experts_expect(experts *all, const block_place *slot, double temperature_c);

#endif
