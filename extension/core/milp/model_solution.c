/*
 * See model_solution.h. First the relaxation by the simplex method without the
 * presolver, which cannot tell an unbounded model from an infeasible one; then,
 * where there are integer variables, branch and bound with cuts.
 *
 * Where the relaxation is unbounded a model with integer variables is unbounded
 * too, or infeasible (its numbers are rational); without its objective, branch
 * and bound tells which.
 */
#include "model_solution.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct session {
	milp_source source;
	milp_format format;
	milp_solution *solution;
	glp_prob *lp;
	bool reading;
	bool settling; /* whether there is any solution, without the objective */
	bool found;    /* the items hold a solution */
	const char *too_large;
	milp_guard guard;
} session;

static void check_size(session *s)
{
	if (glp_get_num_rows(s->lp) > MILP_MAX_LINES)
		s->too_large = "constraints";
	else if (glp_get_num_cols(s->lp) > MILP_MAX_LINES)
		s->too_large = "variables";
	else if (glp_get_num_nz(s->lp) > MILP_MAX_ENTRIES)
		s->too_large = "coefficients";
	if (s->too_large)
		guard_leave(&s->guard, OUTCOME_BAD_INPUT);
}

/* What a bound may be off by and still be meant as a whole number. */
static double slack(double bound)
{
	return fmin(1e-9 * fmax(1, fabs(bound)), 1e-6);
}

/* GLPK wants bounds that integer variables can take; an absent one is +-DBL_MAX. */
static void round_bounds(glp_prob *lp, int column, double *low, double *high)
{
	if (glp_get_col_kind(lp, column) == GLP_CV)
		return;
	if (*low != -DBL_MAX)
		*low = ceil(*low - slack(*low));
	if (*high != DBL_MAX)
		*high = floor(*high + slack(*high));
}

static int bounds_type(double low, double high)
{
	if (low == high)
		return GLP_FX;
	if (low == -DBL_MAX)
		return high == DBL_MAX ? GLP_FR : GLP_UP;
	return high == DBL_MAX ? GLP_LO : GLP_DB;
}

/* False where a variable or constraint has no value to take. */
static bool tidy_bounds(session *s)
{
	for (int i = 1; i <= glp_get_num_rows(s->lp); i++) {
		double low = glp_get_row_lb(s->lp, i), high = glp_get_row_ub(s->lp, i);

		if (low > high)
			return false;
		glp_set_row_bnds(s->lp, i, bounds_type(low, high), low, high);
	}
	for (int j = 1; j <= glp_get_num_cols(s->lp); j++) {
		double low = glp_get_col_lb(s->lp, j), high = glp_get_col_ub(s->lp, j);

		round_bounds(s->lp, j, &low, &high);
		if (low > high)
			return false;
		glp_set_col_bnds(s->lp, j, bounds_type(low, high), low, high);
	}
	return true;
}

/* Copies a name behind those that are there already. */
static const char *keep_name(char **end, const char *name)
{
	char *kept = *end;

	if (!name)
		return NULL;
	*end += strlen(strcpy(kept, name)) + 1;
	return kept;
}

static size_t name_size(const char *name)
{
	return name ? strlen(name) + 1 : 0;
}

/* Makes room for a solution, with the names. */
static void make_items(session *s)
{
	milp_solution *solution = s->solution;
	int variables = glp_get_num_cols(s->lp), constraints = glp_get_num_rows(s->lp);
	size_t size = 1 + name_size(glp_get_obj_name(s->lp));
	milp_item *item;
	char *end;

	for (int j = 1; j <= variables; j++)
		size += name_size(glp_get_col_name(s->lp, j));
	for (int i = 1; i <= constraints; i++)
		size += name_size(glp_get_row_name(s->lp, i));
	end = solution->names = malloc(size);
	item = solution->items = calloc((size_t)variables + (size_t)constraints + 1, sizeof(*item));
	if (!end || !item)
		guard_leave(&s->guard, OUTCOME_MEMORY_LIMIT);
	solution->variables = variables;
	solution->constraints = constraints;
	solution->objective_name = keep_name(&end, glp_get_obj_name(s->lp));
	for (int j = 1; j <= variables; j++, item++)
		*item = (milp_item){keep_name(&end, glp_get_col_name(s->lp, j)), 0, NAN};
	for (int i = 1; i <= constraints; i++, item++)
		*item = (milp_item){keep_name(&end, glp_get_row_name(s->lp, i)), 0, NAN};
}

typedef double (*line_value)(glp_prob *, int);

static void keep_values(session *s, double objective, line_value of_column, line_value of_row)
{
	milp_item *item = s->solution->items;

	s->solution->objective = objective;
	for (int j = 1; j <= s->solution->variables; j++)
		item++->value = of_column(s->lp, j);
	for (int i = 1; i <= s->solution->constraints; i++)
		item++->value = of_row(s->lp, i);
	s->found = true;
}

static void keep_marginals(session *s)
{
	milp_item *item = s->solution->items;

	for (int j = 1; j <= s->solution->variables; j++)
		item++->marginal = glp_get_col_dual(s->lp, j);
	for (int i = 1; i <= s->solution->constraints; i++)
		item++->marginal = glp_get_row_dual(s->lp, i);
}

/* GLP_OPT, GLP_NOFEAS or GLP_UNBND, proved; a basis that turned out bad is replaced once. */
static int solve_relaxation(session *s)
{
	int failure, status;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (attempt == 0)
			glp_adv_basis(s->lp, 0);
		else
			glp_std_basis(s->lp);
		guard_check(&s->guard);
		failure = guard_simplex(&s->guard, s->lp, attempt == 0 ? GLP_PRIMAL : GLP_DUALP, GLP_OFF);
		guard_check_after(&s->guard, failure);
		status = glp_get_status(s->lp);
		if (failure == 0 && (status == GLP_OPT || status == GLP_NOFEAS || status == GLP_UNBND))
			return status;
	}
	guard_leave(&s->guard, OUTCOME_SOLVER_FAILED);
}

static void on_node(glp_tree *tree, void *argument)
{
	session *s = argument;
	int node;

	guard_check(&s->guard);
	if (s->settling)
		return;
	node = glp_ios_best_node(tree);
	if (node != 0)
		s->solution->bound = glp_ios_node_bound(tree, node);
	if (glp_ios_reason(tree) == GLP_IBINGO)
		keep_values(s, glp_get_obj_val(s->lp), glp_get_col_prim, glp_get_row_prim);
}

/* GLP_OPT or GLP_NOFEAS, proved. */
static int branch(session *s)
{
	glp_iocp parameters;
	int failure, status;

	guard_intopt_parameters(&s->guard, &parameters);
	parameters.cb_func = on_node;
	parameters.cb_info = s;
	parameters.mir_cuts = GLP_ON;
	parameters.gmi_cuts = GLP_ON;
	failure = glp_intopt(s->lp, &parameters);
	guard_check_after(&s->guard, failure);
	status = glp_mip_status(s->lp);
	if (failure != 0 || (status != GLP_OPT && status != GLP_NOFEAS))
		guard_leave(&s->guard, OUTCOME_SOLVER_FAILED);
	return status;
}

static milp_status whether_unbounded(session *s)
{
	if (glp_get_num_int(s->lp) == 0)
		return MILP_UNBOUNDED;
	s->settling = true;
	for (int j = 0; j <= glp_get_num_cols(s->lp); j++)
		glp_set_obj_coef(s->lp, j, 0);
	if (solve_relaxation(s) != GLP_OPT)
		guard_leave(&s->guard, OUTCOME_SOLVER_FAILED);
	return branch(s) == GLP_OPT ? MILP_UNBOUNDED : MILP_INFEASIBLE;
}

static milp_status solve(session *s)
{
	int relaxed;

	if (!tidy_bounds(s))
		return MILP_INFEASIBLE;
	guard_check(&s->guard);
	glp_scale_prob(s->lp, GLP_SF_AUTO);
	relaxed = solve_relaxation(s);
	if (relaxed == GLP_NOFEAS)
		return MILP_INFEASIBLE;
	if (relaxed == GLP_UNBND)
		return whether_unbounded(s);
	s->solution->bound = glp_get_obj_val(s->lp);
	if (glp_get_num_int(s->lp) == 0) {
		keep_values(s, glp_get_obj_val(s->lp), glp_get_col_prim, glp_get_row_prim);
		keep_marginals(s);
		return MILP_OPTIMAL;
	}
	if (branch(s) == GLP_NOFEAS)
		return MILP_INFEASIBLE;
	keep_values(s, glp_mip_obj_val(s->lp), glp_mip_col_val, glp_mip_row_val);
	s->solution->bound = s->solution->objective;
	return MILP_OPTIMAL;
}

static void work(void *argument)
{
	session *s = argument;

	s->lp = glp_create_prob();
	milp_read(&s->source, s->format, s->lp);
	check_size(s);
	s->reading = false;
	make_items(s);
	guard_check(&s->guard);
	s->solution->status = solve(s);
}

static outcome_status complain(const session *s, outcome_status status, outcome *out)
{
	char detail[sizeof(out->detail)];

	milp_complaint(&s->guard, detail, sizeof(detail));
	switch (status) {
	case OUTCOME_INTERRUPTED:
		return outcome_set(out, status, NULL, NULL, "solving was interrupted");
	case OUTCOME_TIME_LIMIT:
		return outcome_set(out, status, "Allow more time, or accept the best solution so far.",
		                   NULL, "solving did not end within %g seconds", s->guard.limits->seconds);
	case OUTCOME_MEMORY_LIMIT:
		return outcome_set(out, status, "Allow more memory, or make the model smaller.", NULL,
		                   "solving the model ran out of memory");
	case OUTCOME_BAD_INPUT:
		if (s->too_large) {
			snprintf(detail, sizeof(detail), "A model has at most %d %s.",
			         strcmp(s->too_large, "coefficients") == 0 ? MILP_MAX_ENTRIES : MILP_MAX_LINES,
			         s->too_large);
			return outcome_set(out, status, NULL, detail, "model is too large");
		}
		return outcome_set(out, status, "The formats are lp, for CPLEX LP, and mps, for free MPS.",
		                   detail, "model is not in %s format",
		                   s->format == MILP_LP ? "CPLEX LP" : "free MPS");
	default:
		return outcome_set(out, status, "Numbers of very different size may be the reason.", detail,
		                   "the solver failed");
	}
}

static void forget_items(milp_solution *solution)
{
	free(solution->items);
	solution->items = NULL;
	solution->objective = solution->bound = NAN;
}

outcome_status milp_solve(const char *text, size_t length, milp_format format,
                          const solver_limits *limits, milp_solution *solution, outcome *out)
{
	session s = {.source = {.bytes = text, .length = length},
	             .format = format,
	             .solution = solution,
	             .reading = true};
	outcome_status status;

	memset(solution, 0, sizeof(*solution));
	if (length > MILP_MAX_TEXT)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "A model has at most 64 MB.",
		                   "model is too large");
	s.source.guard = &s.guard;
	guard_begin(&s.guard, limits);
	status = guard_run(&s.guard, work, &s);
	/* Where GLPK's reader breaks down, the text was the reason. */
	if (status == OUTCOME_SOLVER_FAILED && s.reading)
		status = OUTCOME_BAD_INPUT;
	if (status == OUTCOME_TIME_LIMIT && s.found && limits->accept_incumbent) {
		solution->status = MILP_FEASIBLE;
		status = OUTCOME_OK;
	}
	if (status != OUTCOME_OK)
		return complain(&s, status, out);
	if (!s.found)
		forget_items(solution);
	return OUTCOME_OK;
}

void milp_solution_free(milp_solution *solution)
{
	free(solution->items);
	free(solution->names);
	memset(solution, 0, sizeof(*solution));
}
