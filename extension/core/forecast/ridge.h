/*
 * Ridge regression towards given weights, from normal equations that are summed
 * up sample by sample: what demand and price forecasts are fitted with.
 */
#ifndef SMARTHG_FORECAST_RIDGE_H
#define SMARTHG_FORECAST_RIDGE_H

enum { RIDGE_MOST = 40 };

typedef struct ridge {
	int terms;
	double product[RIDGE_MOST][RIDGE_MOST]; /* lower triangle */
	double target[RIDGE_MOST];
} ridge;

void ridge_start(ridge *sums, int terms);

/* One sample: terms x explain y; with a weight. */
void ridge_add(ridge *sums, const double *x, double y, double weight);

/* Weights b of the terms that explain the samples best, each held back to prior by shrinkage[i]
 * times the term's own sum of squares. A term that is 0 throughout keeps its prior. */
void ridge_solve(const ridge *sums, const double *prior, const double *shrinkage, double *b);

#endif
