/*
 * What stored energy is worth: the exact value function of one store while the
 * rest of the home keeps to its plan, slot by slot backwards (DESIGN.md section
 * 3). It gives the optimal plan of a home with one store without a solver, and
 * the levels of the rule (rule.h) for any home.
 */
#ifndef SMARTHG_EBR_VALUE_CURVE_H
#define SMARTHG_EBR_VALUE_CURVE_H

#include "model.h"

/* Marginal value of stored energy: value[k] EUR/kWh holds from level_kwh[k] to level_kwh[k + 1];
 * levels rise from 0 to the capacity, values fall. */
typedef struct ebr_curve {
	int segments;
	double *level_kwh; /* segments + 1 */
	double *value_eur_per_kwh;
} ebr_curve;

void ebr_curve_free(ebr_curve *curve);

/* Plans one active store while the other runs at other_kw (NULL: 0). Into power_kw (NULL: not
 * wanted) goes the plan, into curve (NULL: not wanted; to be freed with ebr_curve_free()) the value
 * of stored energy at the end of slot 0. Where a slot's cost is not convex in the stored energy
 * (negative prices, export dearer than import) its convex envelope is used; *excess_eur is what the
 * plan costs more than the envelope says, 0 where the plan is optimal and the curve exact along
 * it. Of equally good powers the one nearest to the previous plan's, else to idle, is taken. Fails
 * on time, memory and interrupt only. */
outcome_status ebr_value_curve(const ebr_model *model, int store, const double *other_kw,
                               const ebr_limits *limits, double *power_kw, double *excess_eur,
                               ebr_curve *curve, outcome *out);

/* Plans a home with at most one active store; the curve as above, empty where there is none. The
 * solution is a plan with a bound also where *applicable is false, but for two active stores: then
 * there is none. */
outcome_status ebr_plan_single(const ebr_model *model, const ebr_limits *limits,
                               ebr_solution *solution, ebr_curve *curve, bool *applicable,
                               outcome *out);

/* Solves a problem with at most one active store exactly. *applicable is false, with OUTCOME_OK and
 * no solution, where there are two, or where the envelope does not prove the plan optimal. */
outcome_status ebr_solve_single(const ebr_problem *problem, const ebr_limits *limits,
                                ebr_solution *solution, bool *applicable, outcome *out);

#endif
