/*
 * Regression that outliers do not bend, with the uncertainty of its parameters: least squares on
 * the observations that are not far from a robust start (beyond three standard deviations by the
 * median of absolute residuals, taken apart for each group), and a sandwich covariance that allows
 * for unequal variances and for errors that last from one observation to the next (Bartlett
 * weights, bandwidth by Andrews 1991; quantiles by Kiefer and Vogelsang 2005, which are wider the
 * fewer observations stand against that bandwidth).
 */
#ifndef SMARTHG_ROBUST_H
#define SMARTHG_ROBUST_H

#include <stdbool.h>

enum { ROBUST_MOST = 4 }; /* parameters */

/* A value with its 90 % interval. */
typedef struct estimate {
	double value, low, high;
} estimate;

/* What the model expects of observation i; writes its derivatives by the parameters. */
typedef double (*robust_model)(const void *data, int i, const double *parameter, double *gradient);

typedef struct robust_fit {
	/* The question. */
	int count, parameters;
	const double *observed; /* [count] */
	const int *position;    /* [count] when each was observed, in slots, rising */
	robust_model model;
	const void *data;
	int (*group)(const void *data, int i, const double *parameter); /* 0 or 1; NULL: one group */
	double parameter[ROBUST_MOST];                                  /* start, then estimate */
	/* The answer. */
	double covariance[ROBUST_MOST][ROBUST_MOST];
	double critical;        /* half a 90 % interval in standard errors */
	double sd;              /* of the kept residuals */
	double autocorrelation; /* of residuals one slot apart */
	double long_run_variance;
	int outliers;
	bool *kept; /* [count], the caller's room */
	double *residual;
} robust_fit;

/* Fits from the start in *f; kept and residual are the caller's. False where the observations do
 * not determine the parameters. */
bool robust_regression(robust_fit *f);

/* The estimate of a function of the parameters, given its value and derivatives by them, and the
 * variance that comes from elsewhere. */
estimate robust_estimate(const robust_fit *f, double value, const double *gradient,
                         double other_variance);

/* Solves a symmetric positive definite system in place, lower triangle given; false: it is not. */
bool robust_solve(int n, double a[ROBUST_MOST][ROBUST_MOST], double *b);

#endif
