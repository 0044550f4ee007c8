/*
 * Solves the EBR model with GLPK (DESIGN.md section 3): the relaxation first,
 * integer variables only where it overlaps charge and discharge, or import and
 * export.
 *
 * Why that is exact: leaving integer variables out enlarges the set of feasible
 * schedules, so the optimum of such a model is a lower bound of the full one.
 * A schedule without overlap is feasible in the full model, and its cost there
 * is what ebr_account() says. Whenever the two meet, the schedule is optimal.
 * Each round adds at least one of finitely many integer variables, so they do.
 * Before a round, overlap is removed by running each store at the one power that
 * has the same effect on its state: often as cheap, then no round is needed.
 */
#include "milp.h"
#include "milp_build.h"
#include "step.h"
#include "../milp/guard.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OVERLAP_KW 1e-9
#define GAP        1e-7 /* relative: cost and bound that close are equal */

typedef struct session {
	const ebr_problem *problem;
	const ebr_limits *limits;
	ebr_solution *solution;
	ebr_model model;
	bool plain, begun; /* the solution holds a plan to begin with */
	glp_prob *lp;
	milp_matrix matrix;
	milp_slot *columns;
	double *best_kw; /* all slots of one store, then of the other */
	double best_eur, bound_eur;
	milp_guard guard;
} session;

typedef double (*column_value)(glp_prob *, int);

/* Solves the relaxation as it stands; a basis that turned out bad is replaced once. */
static void solve_relaxation(session *s, int method)
{
	int failure = guard_simplex(&s->guard, s->lp, method, GLP_OFF);

	guard_check_after(&s->guard, failure);
	if (failure != 0 || glp_get_status(s->lp) != GLP_OPT) {
		glp_std_basis(s->lp);
		failure = guard_simplex(&s->guard, s->lp, GLP_DUALP, GLP_ON);
		guard_check_after(&s->guard, failure);
	}
	if (failure != 0 || glp_get_status(s->lp) != GLP_OPT)
		guard_leave(&s->guard, OUTCOME_SOLVER_FAILED);
}

static bool overlaps(session *s, column_value value, int first, int second)
{
	return first && second && value(s->lp, first) > OVERLAP_KW && value(s->lp, second) > OVERLAP_KW;
}

/* The one power with the effect that a store's columns have on its state. */
static double net_power(session *s, column_value value, int t, int i)
{
	const milp_slot *slot = &s->columns[t];
	double charge = slot->charge[i] ? value(s->lp, slot->charge[i]) : 0;
	double discharge = slot->discharge[i] ? value(s->lp, slot->discharge[i]) : 0;

	if (!overlaps(s, value, slot->charge[i], slot->discharge[i]))
		return charge - discharge;
	return ebr_power_of_gain(&s->model, i,
	                         ebr_gain_of_power(&s->model, i, charge) +
	                             ebr_gain_of_power(&s->model, i, -discharge));
}

/* Keeps the solution's schedule, its steps kept, if it is the best so far. */
static void keep_best(session *s)
{
	int slots = s->problem->slots;

	ebr_keep_steps(&s->model, s->solution);
	if (s->solution->objective_eur >= s->best_eur)
		return;
	s->best_eur = s->solution->objective_eur;
	for (int i = 0; i < EBR_STORES; i++)
		memcpy(s->best_kw + (size_t)i * (size_t)slots, s->solution->power_kw[i],
		       (size_t)slots * sizeof(double));
}

static bool proved(const session *s)
{
	return s->best_eur - s->bound_eur <= GAP * fmax(1, fabs(s->best_eur));
}

/* Turns GLPK's point into a schedule without overlap. */
static void keep_schedule(session *s, column_value value)
{
	for (int t = 0; t < s->problem->slots; t++)
		for (int i = 0; i < EBR_STORES; i++)
			s->solution->power_kw[i][t] = net_power(s, value, t, i);
	keep_best(s);
}

/* Gives all slots of a store that breaks its steps their integer variables: given to some only,
 * the next plan breaks them in others. */
static void hold_steps(session *s, column_value value, int i)
{
	bool broken = false;

	for (int t = 0; t < s->problem->slots && !broken; t++)
		broken = ebr_below_step(net_power(s, value, t, i), ebr_step(&s->model, i, t));
	for (int t = 0; t < s->problem->slots && broken; t++)
		milp_hold_step(s->lp, s->columns, t, i, ebr_step(&s->model, i, t));
}

/* Gives every overlapping slot, and every store that breaks its steps, integer variables; false if
 * there was none to give. */
static bool forbid_overlaps(session *s, column_value value)
{
	int before = glp_get_num_int(s->lp);

	for (int i = 0; i < EBR_STORES; i++)
		hold_steps(s, value, i);

	for (int t = 0; t < s->problem->slots; t++) {
		milp_slot *slot = &s->columns[t];

		for (int i = 0; i < EBR_STORES; i++)
			if (overlaps(s, value, slot->charge[i], slot->discharge[i]))
				milp_forbid_store_overlap(s->lp, s->columns, t, i);
		if (overlaps(s, value, slot->import, slot->export))
			milp_forbid_grid_overlap(s->lp, s->columns, t);
	}
	return glp_get_num_int(s->lp) > before;
}

/* Called by branch and bound; looks at every point that it finds, or when plain at every one that
 * is a solution. */
static void on_node(glp_tree *tree, void *argument)
{
	session *s = argument;
	int reason = glp_ios_reason(tree), node;

	guard_check(&s->guard);
	if (reason != GLP_IBINGO && (s->plain || reason != GLP_IHEUR))
		return;
	keep_schedule(s, glp_get_col_prim);
	node = glp_ios_best_node(tree);
	if (node != 0)
		s->bound_eur = fmax(s->bound_eur, glp_ios_node_bound(tree, node));
	if (!s->plain && proved(s))
		glp_ios_terminate(tree);
}

static void branch(session *s)
{
	glp_iocp parameters;
	int failure;

	guard_intopt_parameters(&s->guard, &parameters);
	parameters.cb_func = on_node;
	parameters.cb_info = s;
	parameters.tol_int = 1e-7; /* a step that is short by more costs money */
	if (!s->plain) {
		/* few integer variables, many near ties: cuts and pseudo-costs pay */
		parameters.mip_gap = GAP / 10;
		parameters.br_tech = GLP_BR_PCH;
		parameters.mir_cuts = GLP_ON;
		parameters.gmi_cuts = GLP_ON;
	}
	failure = glp_intopt(s->lp, &parameters);
	guard_check_after(&s->guard, failure);
	if (failure == GLP_ESTOP && proved(s))
		return;
	if ((failure != 0 && failure != GLP_EMIPGAP) || glp_mip_status(s->lp) == GLP_UNDEF ||
	    glp_mip_status(s->lp) == GLP_NOFEAS)
		guard_leave(&s->guard, OUTCOME_SOLVER_FAILED);
	if (glp_mip_status(s->lp) == GLP_OPT)
		s->bound_eur = fmax(s->bound_eur, glp_mip_obj_val(s->lp));
	keep_schedule(s, glp_mip_col_val);
}

static void solve_rounds(session *s)
{
	column_value value = glp_get_col_prim;

	solve_relaxation(s, GLP_PRIMAL);
	s->bound_eur = fmax(s->bound_eur, glp_get_obj_val(s->lp));
	keep_schedule(s, value);
	while (!proved(s) && forbid_overlaps(s, value)) {
		s->solution->branched = true;
		solve_relaxation(s, GLP_DUALP);
		branch(s);
		value = glp_mip_col_val;
	}
}

static void solve_plain(session *s)
{
	milp_build_integers(s->lp, &s->model, s->columns);
	s->solution->branched = true;
	solve_relaxation(s, GLP_DUALP);
	s->bound_eur = glp_get_obj_val(s->lp);
	branch(s);
}

/* Everything that calls GLPK, below guard_run(). */
static void work(void *argument)
{
	session *s = argument;

	s->lp = glp_create_prob();
	milp_build(s->lp, &s->model, &s->matrix, s->columns);
	guard_check(&s->guard);
	if (s->plain)
		solve_plain(s);
	else
		solve_rounds(s);
}

static outcome_status complain(const session *s, outcome *out)
{
	outcome_status status = s->guard.status;

	switch (status) {
	case OUTCOME_INTERRUPTED:
		return outcome_set(out, status, NULL, NULL, "planning was interrupted");
	case OUTCOME_TIME_LIMIT:
		return outcome_set(out, status, "Allow more time, fewer slots or longer ones.", NULL,
		                   "planning did not end within %g seconds", s->limits->seconds);
	case OUTCOME_MEMORY_LIMIT:
		return outcome_set(out, status, "Allow more memory, fewer slots or longer ones.", NULL,
		                   "planning %d slots ran out of memory", s->problem->slots);
	default:
		return outcome_set(out, status, NULL, s->guard.complaint, "the solver failed");
	}
}

static outcome_status answer(session *s, double started, outcome *out)
{
	size_t slots = (size_t)s->problem->slots;
	bool in_time = s->guard.status == OUTCOME_OK;

	if (!in_time && !(s->guard.status == OUTCOME_TIME_LIMIT && s->limits->accept_incumbent &&
	                  s->best_eur < INFINITY))
		return complain(s, out);
	for (int i = 0; i < EBR_STORES; i++)
		memcpy(s->solution->power_kw[i], s->best_kw + (size_t)i * slots, slots * sizeof(double));
	ebr_account(&s->model, s->solution);
	s->solution->quality = in_time || proved(s) ? EBR_OPTIMAL : EBR_FEASIBLE;
	s->solution->method = EBR_BY_MILP;
	s->solution->bound_eur = fmin(s->bound_eur, s->best_eur);
	s->solution->seconds = ebr_clock_seconds() - started;
	return OUTCOME_OK;
}

static bool allocate(session *s)
{
	size_t slots = (size_t)s->problem->slots, entries = slots * MILP_ENTRIES_PER_SLOT + 1;

	s->matrix.row = malloc(entries * sizeof(int));
	s->matrix.column = malloc(entries * sizeof(int));
	s->matrix.value = malloc(entries * sizeof(double));
	s->columns = calloc(slots, sizeof(*s->columns));
	s->best_kw = malloc(EBR_STORES * slots * sizeof(double));
	return s->matrix.row && s->matrix.column && s->matrix.value && s->columns && s->best_kw;
}

static outcome_status solve(session *s, outcome *out)
{
	double started = ebr_clock_seconds();
	outcome_status status = ebr_check(s->problem, out);

	if (status != OUTCOME_OK)
		return status;
	guard_begin(&s->guard, s->limits);
	s->best_eur = INFINITY;
	s->bound_eur = -INFINITY;
	s->solution->branched = false;
	ebr_model_init(&s->model, s->problem, s->solution);
	if (allocate(s)) {
		if (s->begun) {
			s->bound_eur = s->solution->bound_eur;
			keep_best(s);
		}
		guard_run(&s->guard, work, s);
	} else {
		s->guard.status = OUTCOME_MEMORY_LIMIT;
	}
	status = answer(s, started, out);
	free(s->matrix.row);
	free(s->matrix.column);
	free(s->matrix.value);
	free(s->columns);
	free(s->best_kw);
	return status;
}

outcome_status ebr_solve_milp(const ebr_problem *problem, const ebr_limits *limits,
                              ebr_solution *solution, outcome *out)
{
	session s = {.problem = problem, .limits = limits, .solution = solution};

	return solve(&s, out);
}

outcome_status ebr_improve_by_milp(const ebr_problem *problem, const ebr_limits *limits,
                                   ebr_solution *solution, outcome *out)
{
	session s = {.problem = problem, .limits = limits, .solution = solution, .begun = true};

	return solve(&s, out);
}

outcome_status ebr_solve_milp_plain(const ebr_problem *problem, const ebr_limits *limits,
                                    ebr_solution *solution, outcome *out)
{
	session s = {.problem = problem, .limits = limits, .solution = solution, .plain = true};

	return solve(&s, out);
}
