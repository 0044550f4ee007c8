/* See plan.h. */
#include "plan.h"
#include "fallback.h"
#include "milp.h"

#include <stddef.h>

static outcome_status derive_rule(const ebr_model *m, int store, const ebr_limits *limits,
                                  const ebr_solution *solution, ebr_rule *rule, outcome *out)
{
	const double *other_kw = solution->power_kw[store == EBR_ESS ? EBR_PEV : EBR_ESS];
	outcome_status status;
	ebr_curve curve;
	double excess;

	if (!m->store[store].active) {
		ebr_rule_idle(m->store[store].capacity_kwh, rule);
		return OUTCOME_OK;
	}
	status = ebr_value_curve(m, store, other_kw, limits, NULL, &excess, &curve, out);
	if (status != OUTCOME_OK)
		return status;
	ebr_rule_from_curve(m, store, &curve, rule);
	ebr_curve_free(&curve);
	return OUTCOME_OK;
}

static outcome_status solve(const ebr_problem *problem, ebr_plan_method method,
                            const ebr_limits *limits, ebr_solution *solution, outcome *out)
{
	outcome_status status;
	bool applicable;

	if (method == EBR_PLAN_MILP)
		return ebr_solve_milp_plain(problem, limits, solution, out);
	if (method == EBR_PLAN_FALLBACK) {
		status = ebr_check(problem, out);
		if (status == OUTCOME_OK)
			ebr_fallback(problem, solution);
		return status;
	}
	status = ebr_solve_single(problem, limits, solution, &applicable, out);
	if (status == OUTCOME_OK && !applicable)
		status = ebr_solve_milp(problem, limits, solution, out);
	return status;
}

outcome_status ebr_plan_solve(const ebr_problem *problem, ebr_plan_method method,
                              const ebr_limits *limits, ebr_solution *solution, ebr_rule *rule_ess,
                              ebr_rule *rule_pev, outcome *out)
{
	ebr_rule *rules[EBR_STORES] = {rule_ess, rule_pev};
	outcome_status status = solve(problem, method, limits, solution, out);
	ebr_model model;

	if (status != OUTCOME_OK)
		return status;
	ebr_model_init(&model, problem, solution);
	for (int i = 0; i < EBR_STORES && status == OUTCOME_OK; i++)
		if (rules[i])
			status = derive_rule(&model, i, limits, solution, rules[i], out);
	return status;
}
