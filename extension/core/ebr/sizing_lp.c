/*
 * A sizing (sizing.h) as one linear programme for GLPK: what the method is tested
 * against, what the benchmark gives to other solvers, and what can be written to
 * a file.
 *
 * Columns: C, R; of each billed slot t its level at the end s<t>, charge c<t>,
 * discharge d<t>, and for each kink of its cost the power above it, k<t>_<i>. The
 * marginal price below all kinks is on charge and discharge, each kink's rise on
 * its own column. Rows: level, c <= R, d <= R, s <= C, power above a kink.
 */
#include "sizing_lp.h"

#include <glpk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 1, POWER = 2, BOUNDS = 2, ENTRIES_PER_SLOT = 4 + 6 + 3 * SIZING_MAX_KINKS };

typedef sizing_lp_matrix matrix;

static int add_column(glp_prob *lp, const char *kind, int slot, double cost)
{
	int column = glp_add_cols(lp, 1);
	char name[40];

	snprintf(name, sizeof(name), "%s%d", kind, slot);
	glp_set_col_name(lp, column, name);
	glp_set_col_bnds(lp, column, GLP_LO, 0, 0);
	glp_set_obj_coef(lp, column, cost);
	return column;
}

static int add_row(glp_prob *lp, const char *kind, int slot, int type, double right)
{
	int row = glp_add_rows(lp, 1);
	char name[40];

	snprintf(name, sizeof(name), "%s%d", kind, slot);
	glp_set_row_name(lp, row, name);
	glp_set_row_bnds(lp, row, type, right, right);
	return row;
}

static void add_entry(matrix *a, int row, int column, double value)
{
	int k = ++a->count;

	a->row[k] = row;
	a->column[k] = column;
	a->value[k] = value;
}

static void add_bound(glp_prob *lp, matrix *a, const char *kind, int slot, int column, int bound)
{
	int row = add_row(lp, kind, slot, GLP_UP, 0);

	add_entry(a, row, column, 1);
	add_entry(a, row, bound, -1);
}

/* Adds a slot, given the columns of its level and of the level before. */
static void add_slot(glp_prob *lp, matrix *a, const sizing_model *m, int t, int level, int before)
{
	const sizing_slot *s = &m->slot[t];
	double constant = s->idle_eur, cost = m->hours * s->marginal[0];
	int charge = add_column(lp, "c", t + 1, cost), discharge = add_column(lp, "d", t + 1, -cost);
	int balance = add_row(lp, "level", t + 1, GLP_FX, 0);

	add_entry(a, balance, level, 1);
	if (before != level)
		add_entry(a, balance, before, -1);
	else /* one slot only: it ends as it began */
		a->value[a->count] = 0;
	add_entry(a, balance, charge, -m->hours * m->root);
	add_entry(a, balance, discharge, m->hours / m->root);
	add_bound(lp, a, "charge", t + 1, charge, POWER);
	add_bound(lp, a, "discharge", t + 1, discharge, POWER);
	add_bound(lp, a, "full", t + 1, level, CAPACITY);
	for (int k = 0; k < s->kinks; k++) {
		double rise = s->marginal[k + 1] - s->marginal[k];
		char kind[30];
		int above, row;

		snprintf(kind, sizeof(kind), "k%d_", t + 1);
		above = add_column(lp, kind, k + 1, m->hours * rise);
		snprintf(kind, sizeof(kind), "kink%d_", t + 1);
		row = add_row(lp, kind, k + 1, GLP_LO, -s->at_kw[k]);
		add_entry(a, row, above, 1);
		add_entry(a, row, charge, -1);
		add_entry(a, row, discharge, 1);
		constant -= rise * ebr_greater(-s->at_kw[k], 0);
	}
	glp_set_obj_coef(lp, 0, glp_get_obj_coef(lp, 0) + m->hours * constant);
}

static void set_bounds(glp_prob *lp, int column, double low, double high)
{
	glp_set_col_bnds(lp, column, low == high ? GLP_FX : isinf(high) ? GLP_LO : GLP_DB, low, high);
}

static void build(glp_prob *lp, matrix *a, const sizing_model *m)
{
	const ebr_sizing_problem *p = m->problem;
	int first;

	glp_set_prob_name(lp, "sizing");
	glp_set_obj_dir(lp, GLP_MIN);
	glp_set_obj_name(lp, "cost");
	glp_add_cols(lp, BOUNDS);
	glp_set_col_name(lp, CAPACITY, "C");
	glp_set_col_name(lp, POWER, "R");
	set_bounds(lp, CAPACITY, p->capacity_min_kwh, p->capacity_max_kwh);
	set_bounds(lp, POWER, p->power_min_kw, p->power_max_kw);
	glp_set_obj_coef(lp, CAPACITY, m->capacity_cost);
	glp_set_obj_coef(lp, POWER, m->power_cost);
	first = glp_get_num_cols(lp) + 1;
	for (int t = 0; t < m->slots; t++)
		add_column(lp, "s", t + 1, 0);
	for (int t = 0; t < m->slots; t++)
		add_slot(lp, a, m, t, first + t, first + (t > 0 ? t : m->slots) - 1);
	glp_load_matrix(lp, a->count, a->row, a->column, a->value);
}

outcome_status sizing_lp_open(sizing_lp *l, const ebr_sizing_problem *p, outcome *out)
{
	size_t entries;

	memset(l, 0, sizeof(*l));
	if (sizing_check(p, out) != OUTCOME_OK || sizing_model_open(&l->model, p, out) != OUTCOME_OK)
		return out->status;
	entries = (size_t)l->model.slots * ENTRIES_PER_SLOT + 1;
	l->matrix.row = malloc(entries * sizeof(int));
	l->matrix.column = malloc(entries * sizeof(int));
	l->matrix.value = malloc(entries * sizeof(double));
	out->status = OUTCOME_OK;
	if (!l->matrix.row || !l->matrix.column || !l->matrix.value) {
		sizing_lp_close(l);
		outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "sizing ran out of memory");
	}
	return out->status;
}

glp_prob *sizing_lp_build(sizing_lp *l)
{
	glp_prob *lp = glp_create_prob();

	build(lp, &l->matrix, &l->model);
	return lp;
}

void sizing_lp_close(sizing_lp *l)
{
	free(l->matrix.row);
	free(l->matrix.column);
	free(l->matrix.value);
	free(l->model.slot);
	memset(l, 0, sizeof(*l));
}

outcome_status ebr_sizing_lp(const ebr_sizing_problem *p, glp_prob **lp, outcome *out)
{
	sizing_lp l;

	if (sizing_lp_open(&l, p, out) == OUTCOME_OK) {
		*lp = sizing_lp_build(&l);
		sizing_lp_close(&l);
	}
	return out->status;
}
