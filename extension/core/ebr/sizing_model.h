/*
 * The slots that a sizing (sizing.h) is about, with gaps left out and prices
 * joined to the marginal cost of power, and the pieces of a slot's cost.
 */
#ifndef SMARTHG_EBR_SIZING_MODEL_H
#define SMARTHG_EBR_SIZING_MODEL_H

#include "model.h"
#include "sizing.h"

enum { SIZING_MAX_KINKS = 3, SIZING_MAX_PIECES = SIZING_MAX_KINKS + 3 };

/* Cost of battery power p in a slot, EUR/h: idle_eur at p = 0, and marginal[k] EUR/kWh below
 * at_kw[k], marginal[kinks] above the last; kinks and marginals rise. */
typedef struct sizing_slot {
	int kinks, index; /* of the slot in the problem's series */
	double idle_eur;
	double at_kw[SIZING_MAX_KINKS];
	double marginal[SIZING_MAX_KINKS + 1];
} sizing_slot;

typedef struct sizing_model {
	const ebr_sizing_problem *problem;
	int slots; /* that are billed */
	sizing_slot *slot;
	double hours, root;
	double capacity_cost, power_cost; /* of the span, EUR/kWh and EUR/kW */
	double recovery_factor, span_years;
	double baseline_eur;
	double mean_kw; /* of |net demand| */
	unsigned assumed;
	bool negative; /* some marginal price is */
} sizing_model;

/* Checks a problem; OUTCOME_BAD_INPUT with a message that names argument, value and slot. */
outcome_status sizing_check(const ebr_sizing_problem *problem, outcome *out);

/* Prepares a checked problem; to be freed by free(model->slot). Errors: no slot is known, memory.
 */
outcome_status sizing_model_open(sizing_model *model, const ebr_sizing_problem *problem,
                                 outcome *out);

/* A slot's cost, EUR/h, at battery power p, and its parts. */
double sizing_cost_at(const sizing_slot *slot, double power_kw);
typedef struct sizing_cost {
	double energy, co2, distribution;
} sizing_cost;
sizing_cost sizing_cost_parts(const sizing_model *model, const sizing_slot *slot, double power_kw);

/* The relaxed cost of changing the stored energy: pieces of rising slope, EUR/kWh, over lengths,
 * kWh, from full discharge on. */
typedef struct sizing_pieces {
	int count;
	double lowest_eur;                  /* cost of full discharge */
	double marginal_low, marginal_high; /* EUR/kWh of power at full discharge and full charge */
	double slope[SIZING_MAX_PIECES], length[SIZING_MAX_PIECES];
} sizing_pieces;

/* For power rate R. strict: the convex envelope of running in one direction only, instead of the
 * relaxation that may charge and discharge at once. */
void sizing_pieces_of(const sizing_model *model, const sizing_slot *slot, double rate_kw,
                      bool strict, sizing_pieces *pieces);

#endif
