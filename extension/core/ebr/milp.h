/*
 * EBR planning as the mixed-integer linear programme of DESIGN.md section 3,
 * solved by GLPK: the reference that other methods are measured against, and
 * what decides where they leave a gap.
 */
#ifndef SMARTHG_EBR_MILP_H
#define SMARTHG_EBR_MILP_H

#include "model.h"

/* Solves a problem to proved optimality, the relaxation first. Anything but OUTCOME_OK leaves the
 * solution's numbers undefined and holds nothing: no memory, no hook, no GLPK environment. Not for
 * a thread that has GLPK objects of its own. */
outcome_status ebr_solve_milp(const ebr_problem *problem, const ebr_limits *limits,
                              ebr_solution *solution, outcome *out);

/* The same for a problem whose solution holds a plan (power_kw) and a bound (bound_eur, -INFINITY:
 * none) already: the answer is never worse. */
outcome_status ebr_improve_by_milp(const ebr_problem *problem, const ebr_limits *limits,
                                   ebr_solution *solution, outcome *out);

/* The same model with every integer variable handed to GLPK's branch and bound at once: slow, and
 * the yardstick of the tests. */
outcome_status ebr_solve_milp_plain(const ebr_problem *problem, const ebr_limits *limits,
                                    ebr_solution *solution, outcome *out);

#endif
