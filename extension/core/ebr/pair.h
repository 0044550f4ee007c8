/*
 * The exact method for two stores (DESIGN.md section 3): each is planned with the
 * other held at its plan, a simplex method on the network of both ends what that
 * leaves, and the prices that it ends with prove the plan.
 */
#ifndef SMARTHG_EBR_PAIR_H
#define SMARTHG_EBR_PAIR_H

#include "value_curve.h"

/* Plans a home with two active stores; curve (NULL: not wanted) gets the value of what each holds
 * at the end of slot 0 with the other at its plan, to be freed with ebr_curve_free(). *applicable
 * is false where the plan is not proved optimal: then it is EBR_FEASIBLE, with a bound. Fails on
 * time, memory and interrupt only. */
outcome_status ebr_plan_pair(const ebr_model *model, const ebr_limits *limits,
                             ebr_solution *solution, ebr_curve curve[EBR_STORES], bool *applicable,
                             outcome *out);

#endif
