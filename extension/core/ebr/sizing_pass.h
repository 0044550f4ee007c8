/*
 * One pass over all slots for a given battery: the least cost of running it, how
 * it is run, and a plane below the cost of every battery; see sizing.h.
 */
#ifndef SMARTHG_EBR_SIZING_PASS_H
#define SMARTHG_EBR_SIZING_PASS_H

#include "sizing_model.h"

#include <stddef.h>

/* C, R and the stored energy at the span's start and end. */
enum { SIZING_CAPACITY, SIZING_POWER, SIZING_START, SIZING_VARIABLES };

/* Total cost of any battery x is at least constant + sum of slope[i] x[i]. */
typedef struct sizing_plane {
	double constant, slope[SIZING_VARIABLES];
} sizing_plane;

/* Buffers of the passes over one model, slots times 200 bytes and more where the battery is large;
 * nothing but the limits is shared between two of them. */
typedef struct sizing_pass {
	const sizing_model *model;
	const ebr_limits *limits;
	double deadline; /* of ebr_clock_seconds() */
	struct sizing_step *step;
	double *at_kwh, *worth;           /* value of stored energy in the slot at hand: pieces of */
	double *next_at_kwh, *next_worth; /* falling worth, EUR/kWh, from 0 to the capacity */
	int room;
	double *soc_kwh; /* slots + 1, where the last pass ran along */
	double *price;   /* EUR/kWh of stored energy in each slot */
	double *low, *high;
	int rotation; /* the cycle is cut before this slot of the model */
	size_t bytes;
} sizing_pass;

/* Errors: memory. Whatever comes back is to be closed. */
outcome_status sizing_pass_open(sizing_pass *pass, const sizing_model *model,
                                const ebr_limits *limits, double deadline, outcome *out);
void sizing_pass_close(sizing_pass *pass);

/* Runs a battery x over all slots; capacity and power must not be 0. *cost_eur is the least total
 * cost, purchase included, of the relaxation; *plane touches it there, but for rounding. Errors:
 * memory, time, interrupt. */
outcome_status sizing_pass_run(sizing_pass *pass, const double x[SIZING_VARIABLES],
                               double *cost_eur, sizing_plane *plane, outcome *out);

/* The cheapest schedule found for a battery that runs in one direction in each slot, into soc_kwh;
 * its cost of operation, EUR. Exact where the slots' cost is convex in one direction. */
outcome_status sizing_pass_run_strictly(sizing_pass *pass, const double x[SIZING_VARIABLES],
                                        double *operation_eur, outcome *out);

/* What operation costs, EUR, where the gains of soc_kwh are made in one direction. */
double sizing_strict_cost(const sizing_pass *pass, const double *soc_kwh);

/* Moves the cut of the cycle to where the last run is empty and stored energy loses most of its
 * worth; false where it stays. */
bool sizing_pass_rotate(sizing_pass *pass);

/* The model's slot that comes t slots after the cut. */
static inline int sizing_slot_after(const sizing_pass *pass, int t)
{
	int k = t + pass->rotation;

	return k < pass->model->slots ? k : k - pass->model->slots;
}

/* Power, kW, that gains so much in one slot in one direction. */
static inline double sizing_power_of_gain(const sizing_model *model, double gain_kwh)
{
	return (gain_kwh > 0 ? gain_kwh / model->root : gain_kwh * model->root) / model->hours;
}

#endif
