/*
 * Semi-continuous power (document 3.2): a charger that runs at 0 or at least at its
 * smallest power, such as 1.4 to 7.4 kW. The fast methods plan without it; where
 * their plan keeps it all the same it is optimal, else it is rounded here, and
 * milp.c goes on from there.
 */
#ifndef SMARTHG_EBR_STEP_H
#define SMARTHG_EBR_STEP_H

#include "model.h"

/* The least mean kW, charged or discharged, of a slot in which the store runs; a store that leaves
 * within the slot runs for all of its share. */
static inline double ebr_step(const ebr_model *model, int store, int slot)
{
	return model->problem->store[store].min_step_kw * ebr_plugged_share(&model->store[store], slot);
}

/* A power between 0 and the step. */
static inline bool ebr_below_step(double power_kw, double step_kw)
{
	return fabs(power_kw) > 1e-9 && fabs(power_kw) < step_kw * (1 - 2e-5);
}

/* Whether an active store's power is between 0 and the step in some slot. */
bool ebr_breaks_steps(const ebr_model *model, int store, const double *power_kw);

/* Whether a schedule of an active store keeps its limits, steps and range of energy. */
bool ebr_can_run(const ebr_model *model, int store, const double *power_kw);

/* Rounds the powers of every store that breaks its steps, so that each stays near the stored energy
 * that was planned; of rounding to the nearer power, up and down the cheapest is kept. The
 * solution is accounted for. */
void ebr_keep_steps(const ebr_model *model, ebr_solution *solution);

#endif
