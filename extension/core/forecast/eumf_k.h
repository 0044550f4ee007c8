/*
 * EUMF-K: short-term forecast of a home's demand for control (document 3.2.2,
 * DESIGN.md section 5): the next N slots from the last M, from nothing later
 * than the origin. It knows daily and weekly seasons and the recent level, and
 * falls back step by step where history is short.
 */
#ifndef SMARTHG_EUMF_K_H
#define SMARTHG_EUMF_K_H

#include "../outcome.h"

/* Which model the history carried, from the richest to the poorest. */
typedef enum eumf_k_model {
	EUMF_K_WEEKLY,   /* days of the week told apart: two weeks of history or more */
	EUMF_K_DAILY,    /* hours of the day told apart: two days or more */
	EUMF_K_LEVEL,    /* the standard profile scaled to the home's mean */
	EUMF_K_STANDARD, /* no history: a standard household of 3,500 kWh a year */
} eumf_k_model;

/* Phases are slots of the local week: 0 is Monday 00:00, below 7 * slots_per_day. The caller
 * derives them from the calendar, so days of 23 and 25 hours need no care here. */
typedef struct eumf_k_input {
	int slots_per_day;        /* 24 for hours, 96 for quarters ... */
	int history;              /* M */
	const double *history_kw; /* oldest first, the last just before the origin; NAN is a gap */
	const int *history_phase;
	int horizon; /* N */
	const int *horizon_phase;
} eumf_k_input;

/* Arrays of N values, the caller's. 0 <= q10 <= q50 <= q90; quantiles are not computed, which is
 * most of the work, where q10_kw is NULL. */
typedef struct eumf_k_forecast {
	double *mean_kw, *q10_kw, *q50_kw, *q90_kw;
	eumf_k_model model;
} eumf_k_forecast;

/* Errors: sizes not positive, phases out of range, infinite history; out of memory. */
outcome_status eumf_k(const eumf_k_input *input, eumf_k_forecast *forecast, outcome *out);

/* The model's name in SQL. */
const char *eumf_k_model_name(eumf_k_model model);

#endif
