/*
 * One step of stochastic dynamic programming over the energy stored, on a grid;
 * used by scenario.c alone.
 */
#ifndef SMARTHG_EBR_SCENARIO_GRID_H
#define SMARTHG_EBR_SCENARIO_GRID_H

#include "model.h"

enum { EBR_GRID_CELLS = 64 };

/* Least cost from a moment on by the energy stored, EUR, up to a constant; linear between nodes.
 * The last node is there twice, so that interpolation may read beyond it. */
typedef struct ebr_grid {
	double at[EBR_GRID_CELLS + 2];
} ebr_grid;

/* What the store can do in the slot. */
typedef struct ebr_grid_store {
	double cell_kwh, per_cell; /* capacity / EBR_GRID_CELLS, and 1 / that */
	double root;               /* square root of the round-trip efficiency */
	double slot_hours;
	double least_kw, most_kw; /* <= 0 and >= 0 */
} ebr_grid_store;

/* Turns the cost after a slot into the mean over its demands, each as likely, of the least cost
 * before it; the demand is seen before the store acts. Where a slot's cost is not convex its
 * envelope is used. */
void ebr_grid_step(const ebr_grid_store *store, const ebr_slot_price *price, const double *net_kw,
                   int demands, ebr_grid *cost);

#endif
