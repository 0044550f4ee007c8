/*
 * Step functions brought onto slots: prices, CO2 cost and power profiles come in
 * steps of their own length and are planned with in the planner's slots.
 */
#ifndef SMARTHG_SLOT_MEANS_H
#define SMARTHG_SLOT_MEANS_H

#include <stdint.h>

typedef struct series_step {
	int64_t start_us, length_us; /* half-open, length > 0 */
	double value;                /* NAN is not known */
} series_step;

/* means[slots] of slots of slot_us from start_us on: the mean over as much of the slot as steps
 * with a known value cover, NAN where none does. Steps in any order; where they overlap, each
 * counts for its length. weights[slots] is room to work in. */
void slot_means(const series_step *steps, int count, int64_t start_us, int64_t slot_us, int slots,
                double *means, double *weights);

#endif
