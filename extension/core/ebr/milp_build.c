/*
 * The EBR model of DESIGN.md section 3 as rows and columns of GLPK. A slot whose
 * grid power has one price over all that the stores can do needs no column for
 * it: its cost goes to the powers of the stores, and the objective's constant.
 *
 * The starting basis is the idle schedule, so that the primal simplex begins at
 * a feasible point: states, the grid's sign in use and the violations that are
 * there anyway are basic.
 */
#include "milp_build.h"
#include "step.h"

#include <math.h>
#include <stdio.h>

typedef struct range {
	double low, high;
} range;

static const char *const store_names[EBR_STORES] = {"ess", "pev"};

enum { NO_STORE = -1, NAME_SIZE = 64 };

/* What, of which store, and the slot counted from 1. */
static void write_name(char *name, const char *what, int store, int t)
{
	if (store == NO_STORE)
		snprintf(name, NAME_SIZE, "%s_%d", what, t + 1);
	else
		snprintf(name, NAME_SIZE, "%s_%s_%d", what, store_names[store], t + 1);
}

/* A name for people; they see only a problem that has one itself. */
static int name_column(glp_prob *lp, int column, const char *what, int store, int t)
{
	char name[NAME_SIZE];

	if (glp_get_prob_name(lp)) {
		write_name(name, what, store, t);
		glp_set_col_name(lp, column, name);
	}
	return column;
}

static int name_row(glp_prob *lp, int row, const char *what, int store, int t)
{
	char name[NAME_SIZE];

	if (glp_get_prob_name(lp)) {
		write_name(name, what, store, t);
		glp_set_row_name(lp, row, name);
	}
	return row;
}

static int add_column(glp_prob *lp, double low, double high, double cost)
{
	int column = glp_add_cols(lp, 1);
	int type = low == high  ? GLP_FX
	           : isinf(low) ? (isinf(high) ? GLP_FR : GLP_UP)
	                        : (isinf(high) ? GLP_LO : GLP_DB);

	glp_set_col_bnds(lp, column, type, low, high);
	glp_set_obj_coef(lp, column, cost);
	return column;
}

static int add_row(glp_prob *lp, double low, double high)
{
	int row = glp_add_rows(lp, 1);
	int type = low == high ? GLP_FX : isinf(low) ? GLP_UP : isinf(high) ? GLP_LO : GLP_DB;

	glp_set_row_bnds(lp, row, type, low, high);
	return row;
}

static void add_entry(milp_matrix *matrix, int row, int column, double value)
{
	int k;

	if (column == 0)
		return;
	k = ++matrix->count;
	matrix->row[k] = row;
	matrix->column[k] = column;
	matrix->value[k] = value;
}

/* A row leaves the basis at a bound, and a column takes its place. */
static void exchange(glp_prob *lp, int row, int row_status, int column)
{
	glp_set_row_stat(lp, row, row_status);
	glp_set_col_stat(lp, column, GLP_BS);
}

static void add_cost(glp_prob *lp, int column, double cost)
{
	glp_set_obj_coef(lp, column, glp_get_obj_coef(lp, column) + cost);
}

/* Powers and state of one store in a slot. */
static void build_store(glp_prob *lp, const ebr_model *m, milp_matrix *matrix, milp_slot *columns,
                        int t, int i)
{
	const ebr_model_store *store = &m->store[i];
	milp_slot *slot = &columns[t];
	int before = t > 0 ? columns[t - 1].state[i] : 0, row;
	double charge = ebr_charge_limit(m, i, t), discharge = ebr_discharge_limit(m, i, t);

	slot->state[i] = before;
	if (before && charge == 0 && discharge == 0)
		return;
	slot->state[i] = add_column(lp, 0, store->capacity_kwh, 0);
	slot->charge[i] = charge > 0 ? add_column(lp, 0, charge, 0) : 0;
	slot->discharge[i] = discharge > 0 ? add_column(lp, 0, discharge, 0) : 0;
	row = add_row(lp, before ? 0 : store->soc_kwh, before ? 0 : store->soc_kwh);
	name_row(lp, row, "state", i, t);
	name_column(lp, slot->state[i], "soc", i, t);
	if (slot->charge[i])
		name_column(lp, slot->charge[i], "charge", i, t);
	if (slot->discharge[i])
		name_column(lp, slot->discharge[i], "discharge", i, t);
	add_entry(matrix, row, slot->state[i], 1);
	add_entry(matrix, row, before, -1);
	add_entry(matrix, row, slot->charge[i], -ebr_gain_of_power(m, i, 1));
	add_entry(matrix, row, slot->discharge[i], -ebr_gain_of_power(m, i, -1));
	exchange(lp, row, GLP_NS, slot->state[i]);
}

/* What is due at departure, and the worth of what is stored at the end. */
static void build_end(glp_prob *lp, const ebr_model *m, milp_matrix *matrix,
                      const milp_slot *columns, int i)
{
	const ebr_model_store *store = &m->store[i];

	add_cost(lp, columns[m->problem->slots - 1].state[i], -store->terminal_value);
	if (store->departure_slot >= 0 && store->required_kwh > 0) {
		int shortfall = add_column(lp, 0, store->required_kwh, m->departure_penalty);
		int row = add_row(lp, store->required_kwh, INFINITY);

		name_column(lp, shortfall, "shortfall", i, store->departure_slot);
		name_row(lp, row, "departure", i, store->departure_slot);
		add_entry(matrix, row, columns[store->departure_slot].state[i], 1);
		add_entry(matrix, row, shortfall, 1);
		if (store->soc_kwh < store->required_kwh)
			exchange(lp, row, GLP_NL, shortfall);
	}
}

typedef struct bound_names {
	const char *row, *below, *above;
} bound_names;

/* low <= g <= high, each side only if it can be left, and left at a penalty per kW. */
static void build_bound(glp_prob *lp, milp_matrix *matrix, const milp_slot *slot, range reach,
                        double idle_kw, range bound, range penalty, const bound_names *names, int t)
{
	bool low = bound.low > reach.low && penalty.low > 0;
	bool high = bound.high < reach.high && penalty.high > 0;
	int row, below, above;

	if (!low && !high)
		return;
	row = add_row(lp, low ? bound.low : -INFINITY, high ? bound.high : INFINITY);
	below = low ? add_column(lp, 0, INFINITY, penalty.low) : 0;
	above = high ? add_column(lp, 0, INFINITY, penalty.high) : 0;
	name_row(lp, row, names->row, NO_STORE, t);
	if (below)
		name_column(lp, below, names->below, NO_STORE, t);
	if (above)
		name_column(lp, above, names->above, NO_STORE, t);
	add_entry(matrix, row, slot->import, 1);
	add_entry(matrix, row, slot->export, -1);
	add_entry(matrix, row, below, 1);
	add_entry(matrix, row, above, -1);
	if (low && idle_kw < bound.low)
		exchange(lp, row, low && high && bound.low == bound.high ? GLP_NS : GLP_NL, below);
	else if (high && idle_kw > bound.high)
		exchange(lp, row, low && high && bound.low == bound.high ? GLP_NS : GLP_NU, above);
}

/* Columns and row of g where it has more than one price, and the bounds on it. */
static void build_grid(glp_prob *lp, const ebr_model *m, milp_matrix *matrix, milp_slot *slot,
                       int t, range reach)
{
	static const bound_names tube_names = {"profile", "below_profile", "above_profile"};
	static const bound_names contract_names = {"contract", "below_contract", "above_contract"};
	const ebr_problem *p = m->problem;
	double hours = p->slot_hours, idle_kw = ebr_net_demand(m, t);
	double import = ebr_import_price(m, t), export = ebr_export_price(m, t);
	bool open = import >= export; /* no gain from both at once: no bound needed */
	range tube = {-INFINITY, INFINITY}, tube_penalty = {0, 0};
	range contract = {p->contract_min_kw, p->contract_max_kw};
	range contract_penalty = {hours * m->contract_penalty, hours * m->contract_penalty};
	int row = name_row(lp, add_row(lp, idle_kw, idle_kw), "balance", NO_STORE, t);

	if (import == export) {
		slot->import = name_column(lp, add_column(lp, -INFINITY, INFINITY, hours * import), "grid",
		                           NO_STORE, t);
	} else {
		if (reach.high > 0)
			slot->import =
			    name_column(lp, add_column(lp, 0, open ? INFINITY : reach.high, hours * import),
			                "import", NO_STORE, t);
		if (reach.low < 0)
			slot->export =
			    name_column(lp, add_column(lp, 0, open ? INFINITY : -reach.low, -hours * export),
			                "export", NO_STORE, t);
	}
	add_entry(matrix, row, slot->import, 1);
	add_entry(matrix, row, slot->export, -1);
	for (int i = 0; i < EBR_STORES; i++) {
		add_entry(matrix, row, slot->charge[i], -1);
		add_entry(matrix, row, slot->discharge[i], 1);
	}
	exchange(lp, row, GLP_NS,
	         slot->import && (idle_kw > 0 || !slot->export) ? slot->import : slot->export);
	if (m->tube) {
		if (p->profile_low_kw && !isnan(p->profile_low_kw[t]))
			tube.low = p->profile_low_kw[t];
		if (p->profile_high_kw && !isnan(p->profile_high_kw[t]))
			tube.high = p->profile_high_kw[t];
		tube_penalty.low = p->penalty_low_eur_per_kwh ? hours * p->penalty_low_eur_per_kwh[t] : 0;
		tube_penalty.high =
		    p->penalty_high_eur_per_kwh ? hours * p->penalty_high_eur_per_kwh[t] : 0;
	}
	build_bound(lp, matrix, slot, reach, idle_kw, tube, tube_penalty, &tube_names, t);
	build_bound(lp, matrix, slot, reach, idle_kw, contract, contract_penalty, &contract_names, t);
}

static void build_slot(glp_prob *lp, const ebr_model *m, milp_matrix *matrix, milp_slot *slot,
                       int t)
{
	double idle_kw = ebr_net_demand(m, t), marginal, hours = m->problem->slot_hours;
	range reach = {idle_kw, idle_kw};
	ebr_slot_price price;
	int k = 0;

	for (int i = 0; i < EBR_STORES; i++) {
		reach.low -= ebr_discharge_limit(m, i, t);
		reach.high += ebr_charge_limit(m, i, t);
	}
	ebr_slot_prices(m, t, &price);
	while (k < price.kinks && price.at_kw[k] <= reach.low)
		k++;
	if (k < price.kinks && price.at_kw[k] < reach.high) {
		build_grid(lp, m, matrix, slot, t, reach);
		return;
	}
	marginal = hours * price.marginal[k];
	add_cost(lp, 0, ebr_slot_cost(m, t, idle_kw));
	for (int i = 0; i < EBR_STORES; i++) {
		if (slot->charge[i])
			add_cost(lp, slot->charge[i], marginal);
		if (slot->discharge[i])
			add_cost(lp, slot->discharge[i], -marginal);
	}
}

void milp_build(glp_prob *lp, const ebr_model *m, milp_matrix *matrix, milp_slot *columns)
{
	glp_set_obj_dir(lp, GLP_MIN);
	for (int t = 0; t < m->problem->slots; t++) {
		for (int i = 0; i < EBR_STORES; i++)
			if (m->store[i].active)
				build_store(lp, m, matrix, columns, t, i);
		build_slot(lp, m, matrix, &columns[t], t);
	}
	for (int i = 0; i < EBR_STORES; i++)
		if (m->store[i].active)
			build_end(lp, m, matrix, columns, i);
	glp_load_matrix(lp, matrix->count, matrix->row, matrix->column, matrix->value);
}

typedef struct either {
	const char *binary, *first, *second;
} either;

/* first <= its bound * b, second <= its bound * (1 - b), b binary */
static void forbid_both(glp_prob *lp, int first, int second, const either *names, int store, int t)
{
	double high_first = glp_get_col_ub(lp, first), high_second = glp_get_col_ub(lp, second);
	int binary = name_column(lp, add_column(lp, 0, 1, 0), names->binary, store, t);
	int column[3] = {0, first, binary};
	double value[3] = {0, 1, -high_first};
	int row;

	glp_set_col_kind(lp, binary, GLP_BV);
	row = name_row(lp, add_row(lp, -INFINITY, 0), names->first, store, t);
	glp_set_mat_row(lp, row, 2, column, value);
	column[1] = second;
	value[2] = high_second;
	row = name_row(lp, add_row(lp, -INFINITY, high_second), names->second, store, t);
	glp_set_mat_row(lp, row, 2, column, value);
}

void milp_forbid_store_overlap(glp_prob *lp, milp_slot *columns, int t, int i)
{
	static const either names = {"charges", "charge_only", "discharge_only"};
	milp_slot *slot = &columns[t];

	if (slot->store_binary[i] || !slot->charge[i] || !slot->discharge[i])
		return;
	slot->store_binary[i] = true;
	forbid_both(lp, slot->charge[i], slot->discharge[i], &names, i, t);
}

/* Where export pays no more than import both at once gain nothing; their columns have no bound. */
void milp_forbid_grid_overlap(glp_prob *lp, milp_slot *columns, int t)
{
	static const either names = {"imports", "import_only", "export_only"};
	milp_slot *slot = &columns[t];

	if (slot->grid_binary || !slot->import || !slot->export ||
	    glp_get_col_type(lp, slot->import) != GLP_DB)
		return;
	slot->grid_binary = true;
	forbid_both(lp, slot->import, slot->export, &names, NO_STORE, t);
}

/* step * b <= power <= its bound * b; returns b, binary. */
static int step_or_nothing(glp_prob *lp, int power, double step_kw, bool charge, int i, int t)
{
	const char *what = charge ? "charges" : "discharges";
	int column[3] = {0, power, name_column(lp, add_column(lp, 0, 1, 0), what, i, t)};
	double value[3] = {0, 1, -glp_get_col_ub(lp, power)};
	int row;

	glp_set_col_kind(lp, column[2], GLP_BV);
	what = charge ? "charge_only" : "discharge_only";
	row = name_row(lp, add_row(lp, -INFINITY, 0), what, i, t);
	glp_set_mat_row(lp, row, 2, column, value);
	value[2] = -step_kw;
	what = charge ? "charge_step" : "discharge_step";
	row = name_row(lp, add_row(lp, 0, INFINITY), what, i, t);
	glp_set_mat_row(lp, row, 2, column, value);
	return column[2];
}

void milp_hold_step(glp_prob *lp, milp_slot *columns, int t, int i, double step_kw)
{
	milp_slot *slot = &columns[t];
	int charges = 0, discharges = 0;

	if (slot->step_binary[i] || step_kw <= 0 || (!slot->charge[i] && !slot->discharge[i]))
		return;
	slot->step_binary[i] = true;
	if (slot->charge[i])
		charges = step_or_nothing(lp, slot->charge[i], step_kw, true, i, t);
	if (slot->discharge[i])
		discharges = step_or_nothing(lp, slot->discharge[i], step_kw, false, i, t);
	if (charges && discharges) {
		int column[3] = {0, charges, discharges};
		double value[3] = {0, 1, 1};
		int row = name_row(lp, add_row(lp, -INFINITY, 1), "not_both", i, t);

		slot->store_binary[i] = true;
		glp_set_mat_row(lp, row, 2, column, value);
	}
}

void milp_build_integers(glp_prob *lp, const ebr_model *m, milp_slot *columns)
{
	for (int i = 0; i < EBR_STORES; i++)
		for (int t = 0; t < m->problem->slots; t++)
			milp_hold_step(lp, columns, t, i, ebr_step(m, i, t));
	for (int t = 0; t < m->problem->slots; t++) {
		for (int i = 0; i < EBR_STORES; i++)
			milp_forbid_store_overlap(lp, columns, t, i);
		milp_forbid_grid_overlap(lp, columns, t);
	}
}
