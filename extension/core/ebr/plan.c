/* See plan.h. */
#include "plan.h"
#include "fallback.h"
#include "milp.h"
#include "pair.h"
#include "step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME_KW 1e-6 /* powers that close are the same command */

static outcome_status find_curve(const ebr_model *m, int store, const ebr_limits *limits,
                                 const ebr_solution *solution, ebr_curve *curve, outcome *out)
{
	double excess;

	return ebr_value_curve(m, store, solution->power_kw[1 - store], limits, NULL, &excess, curve,
	                       out);
}

static void forget(ebr_curve curve[EBR_STORES])
{
	for (int i = 0; i < EBR_STORES; i++)
		ebr_curve_free(&curve[i]);
}

/* GLPK, from the plan and bound that the solution holds, in the time that is left. */
static outcome_status improve(const ebr_model *m, const ebr_limits *limits, double started,
                              ebr_solution *solution, outcome *out)
{
	ebr_limits left = *limits;

	if (limits->seconds > 0)
		left.seconds = fmax(limits->seconds - (ebr_clock_seconds() - started), 1e-3);
	return ebr_improve_by_milp(m->problem, &left, solution, out);
}

/* The fastest method that proves its answer. The curves, where the method had them, go with it. */
static outcome_status choose(const ebr_model *m, const ebr_limits *limits, ebr_solution *solution,
                             ebr_curve *curve, outcome *out)
{
	bool two = m->store[EBR_ESS].active && m->store[EBR_PEV].active, proved;
	double started = ebr_clock_seconds();
	outcome_status status;

	if (two)
		status = ebr_plan_pair(m, limits, solution, curve, &proved, out);
	else
		status = ebr_plan_single(
		    m, limits, solution,
		    curve ? &curve[m->store[EBR_PEV].active ? EBR_PEV : EBR_ESS] : NULL, &proved, out);
	if (status == OUTCOME_OK && (ebr_breaks_steps(m, EBR_ESS, solution->power_kw[EBR_ESS]) ||
	                             ebr_breaks_steps(m, EBR_PEV, solution->power_kw[EBR_PEV]))) {
		ebr_keep_steps(m, solution);
		proved = false;
	}
	if (status == OUTCOME_OK && !proved) {
		if (curve)
			forget(curve);
		status = improve(m, limits, started, solution, out);
	}
	if (status == OUTCOME_TIME_LIMIT && limits->accept_incumbent) {
		ebr_fallback(m->problem, solution);
		status = OUTCOME_OK;
	}
	if (status == OUTCOME_TIME_LIMIT)
		outcome_set(out, status, "Allow more time, fewer slots or longer ones.", NULL,
		            "planning did not end within %g seconds", limits->seconds);
	solution->seconds = ebr_clock_seconds() - started;
	return status;
}

int ebr_changed_slots(const ebr_problem *problem, const ebr_solution *solution)
{
	int changed = 0;

	if (!problem->previous_kw[EBR_ESS] && !problem->previous_kw[EBR_PEV])
		return -1;
	for (int t = 0; t < problem->slots; t++) {
		bool same = true;

		for (int i = 0; i < EBR_STORES; i++) {
			const double *previous_kw = problem->previous_kw[i];

			if (previous_kw && fabs(solution->power_kw[i][t] - previous_kw[t]) > SAME_KW)
				same = false;
		}
		changed += !same;
	}
	return changed;
}

/* Takes up the previous plan where it is as good. That settles ties where no value curve did. */
static bool keep_previous(const ebr_model *m, ebr_solution *solution)
{
	const size_t slots = (size_t)m->problem->slots;
	const double *const *previous_kw = m->problem->previous_kw;
	double best = solution->objective_eur, *solved_kw;
	bool possible = true;

	if (ebr_changed_slots(m->problem, solution) <= 0)
		return false;
	solved_kw = malloc(EBR_STORES * slots * sizeof(double));
	if (!solved_kw)
		return false;
	for (int i = 0; i < EBR_STORES; i++) {
		memcpy(solved_kw + (size_t)i * slots, solution->power_kw[i], slots * sizeof(double));
		for (size_t t = 0; previous_kw[i] && t < slots; t++)
			if (!isnan(previous_kw[i][t]))
				solution->power_kw[i][t] = previous_kw[i][t];
	}
	for (int i = 0; i < EBR_STORES; i++)
		possible = possible && ebr_can_run(m, i, solution->power_kw[i]);
	ebr_account(m, solution);
	if (!possible || solution->objective_eur > best + 1e-9 * fmax(1, fabs(best))) {
		for (int i = 0; i < EBR_STORES; i++)
			memcpy(solution->power_kw[i], solved_kw + (size_t)i * slots, slots * sizeof(double));
		ebr_account(m, solution);
		best = NAN;
	}
	free(solved_kw);
	return !isnan(best);
}

static outcome_status solve(const ebr_model *m, ebr_plan_method method, const ebr_limits *limits,
                            ebr_solution *solution, ebr_curve *curve, outcome *out)
{
	if (method == EBR_PLAN_MILP)
		return ebr_solve_milp_plain(m->problem, limits, solution, out);
	if (method == EBR_PLAN_FALLBACK) {
		ebr_fallback(m->problem, solution);
		return OUTCOME_OK;
	}
	return choose(m, limits, solution, curve, out);
}

outcome_status ebr_plan_solve(const ebr_problem *problem, ebr_plan_method method,
                              const ebr_limits *limits, ebr_solution *solution, ebr_rule *rule_ess,
                              ebr_rule *rule_pev, outcome *out)
{
	ebr_rule *rules[EBR_STORES] = {rule_ess, rule_pev};
	ebr_curve curve[EBR_STORES];
	outcome_status status = ebr_check(problem, out);
	ebr_model model;

	if (status != OUTCOME_OK)
		return status;
	memset(curve, 0, sizeof(curve));
	ebr_model_init(&model, problem, solution);
	status = solve(&model, method, limits, solution, rule_ess || rule_pev ? curve : NULL, out);
	/* A rule holds the other store at its plan, so a new plan asks for new curves. */
	if (status == OUTCOME_OK && method == EBR_PLAN_AUTO && keep_previous(&model, solution))
		forget(curve);
	for (int i = 0; i < EBR_STORES && status == OUTCOME_OK; i++) {
		if (!rules[i])
			continue;
		if (!model.store[i].active) {
			ebr_rule_idle(model.store[i].capacity_kwh, rules[i]);
			continue;
		}
		if (!curve[i].level_kwh)
			status = find_curve(&model, i, limits, solution, &curve[i], out);
		if (status == OUTCOME_OK)
			ebr_rule_from_curve(&model, i, &curve[i], rules[i]);
	}
	forget(curve);
	return status;
}
