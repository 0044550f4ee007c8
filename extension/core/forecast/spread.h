/*
 * How far a slot may be from its forecast: quantiles of what was measured at about
 * the same time of past days when about as much was expected, so many days ahead.
 */
#ifndef SMARTHG_FORECAST_SPREAD_H
#define SMARTHG_FORECAST_SPREAD_H

#include "experts.h"

enum { SPREAD_QUANTILES = 3 }; /* 10, 50 and 90 % */

typedef struct spread_sample {
	double value, weight;
} spread_sample;

/* Room for the samples of one slot. */
enum { SPREAD_SAMPLES = 3 * BLOCKS_MOST };

/* Quantiles of a slot of which mean is expected; fitted as experts_fit() last did. False where too
 * few days are known. */
bool spread_find(const experts *all, const block_place *slot, double mean, spread_sample *room,
                 double quantile[SPREAD_QUANTILES]);

#endif
