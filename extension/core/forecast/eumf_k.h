/*
 * EUMF-K: short-term forecast of a home's demand or production for control
 * (document 3.2.2, DESIGN.md section 5): the next N slots from the last M, from
 * nothing later than the origin. Several methods are fitted to the home and
 * combined by how well each forecast its last two weeks; where history is short
 * a standard profile stands in for it, less and less as days come.
 */
#ifndef SMARTHG_EUMF_K_H
#define SMARTHG_EUMF_K_H

#include "../outcome.h"

/* Which model the history carried, from the richest to the poorest. */
typedef enum eumf_k_model {
	EUMF_K_WEEKLY,   /* days of the week told apart: two weeks of history or more */
	EUMF_K_DAILY,    /* hours of the day told apart: two days or more */
	EUMF_K_LEVEL,    /* the standard profile scaled to what is known of the home */
	EUMF_K_STANDARD, /* no history: the standard profile */
} eumf_k_model;

/* How the mean is found. */
typedef enum eumf_k_method {
	EUMF_K_COMBINED,      /* of all others, by their errors in the last two weeks */
	EUMF_K_LAST_DAY,      /* seasonal naive: the same time of the last day known */
	EUMF_K_LAST_WEEK,     /* of the last such weekday known */
	EUMF_K_ALL_DAYS,      /* mean of the same time of the last days, whatever they are */
	EUMF_K_SAME_WEEKDAYS, /* ... of the same weekday */
	EUMF_K_LIKE_DAYS,     /* mean of the same time of like days */
	EUMF_K_SMOOTHING,     /* exponential smoothing with daily and weekly seasons */
	EUMF_K_REGRESSION,    /* ridge regression on the others, levels and temperature */
	EUMF_K_METHODS,
} eumf_k_method;

typedef enum eumf_k_kind { EUMF_K_DEMAND, EUMF_K_PRODUCTION } eumf_k_kind;

/* Phases are slots of the local week: 0 is Monday 00:00, below 7 * slots_per_day. The caller
 * derives them from the calendar, so days of 23 and 25 hours need no care here; a holiday is
 * given the phases of a Sunday. */
typedef struct eumf_k_input {
	int slots_per_day;        /* 24 for hours, 96 for quarters ... */
	int history;              /* M */
	const double *history_kw; /* oldest first, the last just before the origin; NAN is a gap */
	const int *history_phase;
	int horizon; /* N */
	const int *horizon_phase;
	eumf_k_kind kind;
	eumf_k_method method;
	const double *standard_kw;           /* [7 * slots_per_day] by phase; NULL: 3,500 kWh a year */
	const double *temperature_c;         /* of the history, NAN: not known; NULL: none */
	const double *horizon_temperature_c; /* as forecast at the origin; NULL: none */
} eumf_k_input;

/* Arrays of N values, the caller's. 0 <= q10 <= q50 <= q90; quantiles are not computed, which is
 * most of the work, where q10_kw is NULL. */
typedef struct eumf_k_forecast {
	double *mean_kw, *q10_kw, *q50_kw, *q90_kw;
	eumf_k_model model;
	double weight[EUMF_K_METHODS]; /* of each method in the first slots' combination */
} eumf_k_forecast;

/* Errors: sizes not positive, phases out of range, values beyond 1e12; out of memory. */
outcome_status eumf_k(const eumf_k_input *input, eumf_k_forecast *forecast, outcome *out);

/* Names in SQL; eumf_k_method_of() returns EUMF_K_METHODS for an unknown one. */
const char *eumf_k_model_name(eumf_k_model model);
const char *eumf_k_method_name(eumf_k_method method);
eumf_k_method eumf_k_method_of(const char *name);

#endif
