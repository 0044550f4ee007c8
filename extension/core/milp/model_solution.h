/*
 * Solves any small model that comes as a text (see model_text.h), with GLPK:
 * what an analyst asks of it is an answer for each variable and constraint, or
 * why there is none.
 */
#ifndef SMARTHG_MILP_MODEL_SOLUTION_H
#define SMARTHG_MILP_MODEL_SOLUTION_H

#include "model_text.h"

typedef enum milp_status {
	MILP_OPTIMAL,
	MILP_FEASIBLE,   /* out of time with an accepted incumbent; bound tells the gap */
	MILP_INFEASIBLE, /* proved: nothing satisfies all constraints */
	MILP_UNBOUNDED,  /* proved: the objective has no limit */
} milp_status;

typedef struct milp_item {
	const char *name; /* NULL: none */
	double value;     /* of a variable, or of a constraint's left side */
	double marginal;  /* reduced cost, or dual value; NAN in a model with integer variables */
} milp_item;

typedef struct milp_solution {
	milp_status status;
	const char *objective_name; /* NULL: none */
	double objective, bound;    /* NAN where infeasible or unbounded */
	int variables, constraints;
	milp_item *items; /* the variables, then the constraints; NULL where there is no solution */
	char *names;
} milp_solution;

/* Reads and solves a model. A model without a solution is an answer, not an error. Errors:
 * OUTCOME_BAD_INPUT for what is no model or is too large, those of the limits, and
 * OUTCOME_SOLVER_FAILED; whatever happens milp_solution_free() has to follow. */
outcome_status milp_solve(const char *text, size_t length, milp_format format,
                          const solver_limits *limits, milp_solution *solution, outcome *out);

void milp_solution_free(milp_solution *solution);

#endif
