/*
 * One door to EBR planning (DESIGN.md section 3): chooses the method and
 * derives the rules that go with the plan.
 */
#ifndef SMARTHG_EBR_PLAN_H
#define SMARTHG_EBR_PLAN_H

#include "rule.h"

typedef enum ebr_plan_method {
	EBR_PLAN_AUTO,     /* the fastest that proves its answer */
	EBR_PLAN_MILP,     /* the full MILP on GLPK: the reference */
	EBR_PLAN_FALLBACK, /* no solver: see ebr_fallback() */
} ebr_plan_method;

/* Plans a home by a method, and derives the rule of each store for slot 0 (NULL: not wanted), the
 * other store held at its plan. Errors as in outcome.h; the solution is then undefined, and
 * ebr_fallback() still answers unless the input was bad. Where limits accept an incumbent,
 * EBR_PLAN_AUTO out of time answers with its best plan, or with that fallback where it has none. */
outcome_status ebr_plan_solve(const ebr_problem *problem, ebr_plan_method method,
                              const ebr_limits *limits, ebr_solution *solution, ebr_rule *rule_ess,
                              ebr_rule *rule_pev, outcome *out);

/* Slots in which a store's power differs from the previous plan's, of those that had one; -1
 * where there was no previous plan. */
int ebr_changed_slots(const ebr_problem *problem, const ebr_solution *solution);

#endif
