/*
 * Two stores, see pair.h.
 *
 * Planning each store in turn never makes the plan dearer, and often ends close
 * to the optimum, so the simplex method has few arcs left to change. Whatever it
 * ends with, its worth of power in each slot and of energy in each store prove a
 * bound (Lagrange), and a plan that costs as much is optimal: a slot with a
 * negative price, where the network is not convex, needs no more attention than
 * that. Planning each in turn once more settles ties: each store is as idle as the
 * optimum allows.
 */
#include "pair.h"
#include "pair_network.h"
#include "value_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP 1e-7 /* relative: cost and bound that close are equal */

/* What of the limits is left for one more step. */
static ebr_limits left(const ebr_limits *limits, double deadline)
{
	ebr_limits rest = *limits;

	if (limits->seconds > 0)
		rest.seconds = fmax(deadline - ebr_clock_seconds(), 1e-9);
	return rest;
}

/* Plans one store, the other at its plan; kept where it costs no more. */
static outcome_status plan_one(const ebr_model *m, int i, const ebr_limits *limits, double deadline,
                               bool exactly, ebr_solution *solution, double *power_kw,
                               ebr_curve *curve, outcome *out)
{
	size_t bytes = (size_t)m->problem->slots * sizeof(double);
	double before = solution->objective_eur, unused;
	const double *other_kw = solution->power_kw[1 - i];
	ebr_limits rest = left(limits, deadline);
	bool finished = true;
	outcome_status status =
	    exactly ? ebr_value_exact(m, i, other_kw, NULL, &rest, power_kw, &unused, &finished, out)
	            : ebr_value_curve(m, i, other_kw, &rest, power_kw, &unused, curve, out);

	if (status != OUTCOME_OK || !finished)
		return status;
	for (int t = 0; t < m->problem->slots; t++) {
		double kept = solution->power_kw[i][t];

		solution->power_kw[i][t] = power_kw[t];
		power_kw[t] = kept;
	}
	ebr_account(m, solution);
	if (solution->objective_eur > before + 1e-12 * fmax(1, fabs(before))) {
		memcpy(solution->power_kw[i], power_kw, bytes);
		ebr_account(m, solution);
	}
	return OUTCOME_OK;
}

static outcome_status improve(const ebr_model *m, const ebr_limits *limits, double deadline,
                              bool exact_bound, ebr_solution *solution, double *scratch_kw,
                              outcome *out)
{
	size_t slots = (size_t)m->problem->slots;
	double before = solution->objective_eur, bound;
	pair_network net;
	outcome_status status;

	if (!pair_network_open(&net, m))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT,
		                   "Allow more memory, fewer slots or longer ones.", NULL,
		                   "planning %d slots ran out of memory", m->problem->slots);
	for (size_t i = 0; i < EBR_STORES; i++)
		memcpy(scratch_kw + i * slots, solution->power_kw[i], slots * sizeof(double));
	status = pair_network_solve(&net, solution->power_kw, limits, deadline);
	ebr_account(m, solution);
	if (solution->objective_eur > before) {
		for (size_t i = 0; i < EBR_STORES; i++)
			memcpy(solution->power_kw[i], scratch_kw + i * slots, slots * sizeof(double));
		ebr_account(m, solution);
	}
	solution->bound_eur = fmax(solution->bound_eur, pair_network_bound(&net));
	if (status == OUTCOME_OK && exact_bound) {
		ebr_limits rest = left(limits, deadline);

		status = pair_network_exact_bound(&net, &rest, &bound, out);
		if (status == OUTCOME_OK)
			solution->bound_eur = fmax(solution->bound_eur, bound);
	}
	pair_network_close(&net);
	if (status == OUTCOME_INTERRUPTED)
		return outcome_set(out, status, NULL, NULL, "planning was interrupted");
	if (status == OUTCOME_TIME_LIMIT && !limits->accept_incumbent)
		return outcome_set(out, status, NULL, NULL, "planning ran out of time");
	return status == OUTCOME_TIME_LIMIT ? OUTCOME_OK : status;
}

static bool proved(const ebr_solution *solution)
{
	return solution->objective_eur - solution->bound_eur <=
	       GAP * fmax(1, fabs(solution->objective_eur));
}

/* Where the network is not convex: each store in turn is planned exactly until that saves nothing
 * more, then the network once more from there. */
static outcome_status improve_exactly(const ebr_model *m, const ebr_limits *limits, double deadline,
                                      ebr_solution *solution, double *power_kw, outcome *out)
{
	outcome_status status = OUTCOME_OK;

	for (int round = 0; round < 2 && status == OUTCOME_OK && !proved(solution); round++) {
		double before = INFINITY;

		while (status == OUTCOME_OK && before - solution->objective_eur > GAP) {
			before = solution->objective_eur;
			for (int i = 0; i < EBR_STORES && status == OUTCOME_OK; i++)
				status = plan_one(m, i, limits, deadline, true, solution, power_kw, NULL, out);
		}
		if (status == OUTCOME_OK)
			status = improve(m, limits, deadline, true, solution, power_kw, out);
	}
	return status;
}

static outcome_status plan_both(const ebr_model *m, const ebr_limits *limits, double deadline,
                                ebr_solution *solution, double *power_kw,
                                ebr_curve curve[EBR_STORES], outcome *out)
{
	outcome_status status;

	status = plan_one(m, EBR_PEV, limits, deadline, false, solution, power_kw, NULL, out);
	if (status == OUTCOME_OK)
		status = plan_one(m, EBR_ESS, limits, deadline, false, solution, power_kw, NULL, out);
	if (status == OUTCOME_OK)
		status = improve(m, limits, deadline, false, solution, power_kw, out);
	if (status == OUTCOME_OK && !proved(solution))
		status = improve_exactly(m, limits, deadline, solution, power_kw, out);
	if (status == OUTCOME_OK)
		status = plan_one(m, EBR_PEV, limits, deadline, false, solution, power_kw, NULL, out);
	if (status == OUTCOME_OK)
		status = plan_one(m, EBR_ESS, limits, deadline, false, solution, power_kw,
		                  curve ? &curve[EBR_ESS] : NULL, out);
	if (status == OUTCOME_OK && curve) {
		ebr_limits rest = left(limits, deadline);
		double excess;

		status = ebr_value_curve(m, EBR_PEV, solution->power_kw[EBR_ESS], &rest, NULL, &excess,
		                         &curve[EBR_PEV], out);
	}
	return status;
}

outcome_status ebr_plan_pair(const ebr_model *m, const ebr_limits *limits, ebr_solution *solution,
                             ebr_curve curve[EBR_STORES], bool *applicable, outcome *out)
{
	double started = ebr_clock_seconds();
	double deadline = limits->seconds > 0 ? started + limits->seconds : INFINITY;
	double *power_kw = malloc(EBR_STORES * (size_t)m->problem->slots * sizeof(double));
	outcome_status status = OUTCOME_MEMORY_LIMIT;

	*applicable = false;
	if (curve)
		memset(curve, 0, EBR_STORES * sizeof(*curve));
	for (int i = 0; i < EBR_STORES; i++)
		memset(solution->power_kw[i], 0, (size_t)m->problem->slots * sizeof(double));
	ebr_account(m, solution);
	solution->bound_eur = -INFINITY;
	if (power_kw)
		status = plan_both(m, limits, deadline, solution, power_kw, curve, out);
	else
		outcome_set(out, status, NULL, NULL, "planning ran out of memory");
	free(power_kw);
	if (status != OUTCOME_OK) {
		for (int i = 0; curve && i < EBR_STORES; i++)
			ebr_curve_free(&curve[i]);
		return status;
	}
	*applicable = proved(solution);
	solution->bound_eur = fmin(solution->bound_eur, solution->objective_eur);
	solution->quality = *applicable ? EBR_OPTIMAL : EBR_FEASIBLE;
	solution->method = EBR_BY_PAIR;
	solution->branched = false;
	solution->seconds = ebr_clock_seconds() - started;
	return OUTCOME_OK;
}
