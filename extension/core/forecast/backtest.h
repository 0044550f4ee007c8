/*
 * Backtest of EUMF-K on a recorded series: what each method would have forecast at
 * rolling origins, from the days before each of them alone.
 */
#ifndef SMARTHG_FORECAST_BACKTEST_H
#define SMARTHG_FORECAST_BACKTEST_H

#include "eumf_k.h"

#include <stdbool.h>

typedef struct eumf_backtest_input {
	int slots, slots_per_day;
	const double *series_kw; /* NAN is a gap */
	const int *phase;        /* as in eumf_k.h */
	int first, step;         /* origins are the slots first, first + step ... */
	int horizon;             /* slots forecast from each; those inside the series count */
	int history_days;        /* that each forecast is made from */
	eumf_k_kind kind;
	bool (*interrupted)(void *); /* NULL: never */
} eumf_backtest_input;

/* Sums over the known slots forecast. */
typedef struct eumf_backtest_sums {
	int origins, slots, inside; /* inside of the outer quantiles */
	double absolute_kw;         /* errors of the median; of the naive methods: of the forecast */
	double square_kw2;          /* errors of the mean */
	double pinball_kw;          /* mean of the losses of the three quantiles */
	double scaled_kw;           /* absolute_kw of the slots that naive_kw is summed over */
	double naive_kw; /* mean absolute error of the weekly naive forecast of the origin's history */
} eumf_backtest_sums;

/* sums is [EUMF_K_METHODS]. Errors: as eumf_k(); no origin; interrupted. */
outcome_status eumf_backtest(const eumf_backtest_input *input, eumf_backtest_sums *sums,
                             outcome *out);

#endif
