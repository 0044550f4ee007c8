/*
 * The part of EBR planning that no method may do its own way; see model.h.
 * Between the check of a problem and the method that solves it.
 */
#include "model.h"

#include <math.h>
#include <string.h>

#define NOISE        1e-9 /* kW, kWh: what a solver leaves behind where it means 0 */
#define WORTH_A_FLAG 1e-6 /* kW, kWh */

/* Slots in 24 hours, 0 where they do not fill a day exactly. */
static int slots_per_day(const ebr_problem *p)
{
	double slots = round(24 / p->slot_hours);

	return fabs(slots * p->slot_hours - 24) < 1e-6 ? (int)ebr_lesser(slots, EBR_MAX_SLOTS + 1) : 0;
}

/* Copies a series and fills its gaps; true if there was one. */
static bool fill(const ebr_problem *p, const double *series, double *filled)
{
	int day = slots_per_day(p), known = 0;
	double sum = 0;

	for (int t = 0; t < p->slots; t++) {
		if (!isnan(series[t])) {
			sum += series[t];
			known++;
		}
	}
	for (int t = 0; t < p->slots; t++) {
		int source = t;

		while (isnan(series[source]) && day > 0 && source >= day)
			source -= day;
		filled[t] = !isnan(series[source]) ? series[source] : known ? sum / known : 0;
	}
	return known < p->slots;
}

static bool misses(const double *series, int slots)
{
	for (int t = 0; series && t < slots; t++)
		if (isnan(series[t]))
			return true;
	return false;
}

unsigned ebr_fill_missing(const ebr_problem *p, double *energy, double *export_price, double *co2)
{
	unsigned flags = fill(p, p->energy_eur_per_kwh, energy) ? EBR_ASSUMED_ENERGY_PRICE : 0;

	for (int t = 0; t < p->slots; t++) {
		bool known = p->export_eur_per_kwh && !isnan(p->export_eur_per_kwh[t]);

		export_price[t] = known ? p->export_eur_per_kwh[t] : energy[t];
	}
	if (misses(p->export_eur_per_kwh, p->slots))
		flags |= EBR_ASSUMED_EXPORT_PRICE;
	memset(co2, 0, (size_t)p->slots * sizeof(*co2));
	if (p->co2_eur_per_kwh && fill(p, p->co2_eur_per_kwh, co2))
		flags |= EBR_ASSUMED_CO2_PRICE;
	if (misses(p->profile_low_kw, p->slots) || misses(p->profile_high_kw, p->slots))
		flags |= EBR_ASSUMED_PROFILE;
	return flags;
}

double ebr_import_price(const ebr_model *m, int t)
{
	return m->problem->objective == EBR_CO2 ? m->co2[t] : m->energy[t] + m->co2[t];
}

double ebr_export_price(const ebr_model *m, int t)
{
	return m->problem->objective == EBR_CO2 ? m->co2[t] : m->export[t] + m->co2[t];
}

double ebr_terminal_value(const ebr_model *m, int store)
{
	/* Cheapest in the closed loop, see tests/bench/bench_terminal.c: more hoards what sun and night
	 * will bring anyway, less empties the store for too little. */
	const double share_of_mean = 0.85;
	const ebr_problem *p = m->problem;
	const ebr_model_store *s = &m->store[store];
	double last = ebr_lesser(ebr_greater(round(24 / p->slot_hours), 1), p->slots), sum = 0;

	if (!s->active)
		return 0;
	if (!isnan(p->store[store].terminal_value_eur_per_kwh))
		return p->store[store].terminal_value_eur_per_kwh;
	if (s->plugged_slots <= p->slots)
		return 0;
	for (int t = p->slots - (int)last; t < p->slots; t++)
		sum += ebr_import_price(m, t);
	return share_of_mean * s->root * sum / last;
}

/* Tube bounds and penalties; a missing bound is none. */
static double tube_high(const ebr_problem *p, int t)
{
	return p->profile_high_kw && !isnan(p->profile_high_kw[t]) ? p->profile_high_kw[t] : INFINITY;
}

static double tube_low(const ebr_problem *p, int t)
{
	return p->profile_low_kw && !isnan(p->profile_low_kw[t]) ? p->profile_low_kw[t] : -INFINITY;
}

static double penalty(const double *series, int t)
{
	return series ? series[t] : 0;
}

static void init_store(ebr_model *m, int store)
{
	const ebr_problem *p = m->problem;
	const ebr_store *asked = &p->store[store];
	ebr_model_store *s = &m->store[store];
	double whole, beyond_hours;

	memset(s, 0, sizeof(*s));
	s->root = 1;
	s->departure_slot = -1;
	if (asked->capacity_kwh == 0)
		return;
	s->capacity_kwh = asked->capacity_kwh;
	s->root = sqrt(asked->efficiency);
	s->soc_kwh =
	    isnan(asked->soc_kwh) ? 0 : ebr_lesser(ebr_greater(asked->soc_kwh, 0), s->capacity_kwh);
	s->plugged_slots = asked->plugged_hours / p->slot_hours;
	whole = round(s->plugged_slots);
	if (fabs(s->plugged_slots - whole) < 1e-6)
		s->plugged_slots = whole;
	s->active = s->plugged_slots > 0;
	if (!s->active)
		return;
	if (s->soc_kwh != asked->soc_kwh)
		m->flags |= store == EBR_ESS ? EBR_ASSUMED_ESS_SOC : EBR_ASSUMED_PEV_SOC;
	if (isinf(s->plugged_slots))
		return;
	s->departure_slot = (int)ceil(ebr_lesser(s->plugged_slots, p->slots)) - 1;
	beyond_hours = ebr_greater(s->plugged_slots - p->slots, 0) * p->slot_hours;
	s->required_kwh = isnan(asked->target_kwh) ? s->capacity_kwh : asked->target_kwh;
	s->required_kwh = ebr_greater(s->required_kwh - beyond_hours * asked->max_kw * s->root, 0);
}

/*
 * Penalties that dominate, but no more than needed, so that a solver's relative
 * tolerance still resolves cents. No kWh at the grid is worth more than the
 * largest price P (tube and terminal value included). One kWh moved between slots
 * through the stores changes by a factor of at most F = 1 / (product of their
 * round-trip efficiencies), so a stored kWh is never worth more than P F, and one
 * kWh outside the contract never saves more than F kWh at departure. A margin of
 * 10 on both. F is capped, for stores that hardly deserve the name.
 */
static void init_penalties(ebr_model *m)
{
	const ebr_problem *p = m->problem;
	double dearest = 0, factor = 1;

	for (int t = 0; t < p->slots; t++) {
		double price = ebr_greater(fabs(ebr_import_price(m, t)), fabs(ebr_export_price(m, t)));

		if (m->tube)
			price +=
			    penalty(p->penalty_low_eur_per_kwh, t) + penalty(p->penalty_high_eur_per_kwh, t);
		dearest = ebr_greater(dearest, price);
	}
	for (int i = 0; i < EBR_STORES; i++) {
		if (!m->store[i].active)
			continue;
		factor /= m->store[i].root * m->store[i].root;
		dearest = ebr_greater(dearest, fabs(m->store[i].terminal_value));
	}
	factor = ebr_lesser(factor, 100);
	m->departure_penalty = 10 * factor * (dearest > 0 ? dearest : 1);
	m->contract_penalty = 10 * factor * m->departure_penalty;
}

void ebr_model_init(ebr_model *m, const ebr_problem *p, ebr_solution *solution)
{
	m->problem = p;
	m->flags = ebr_fill_missing(p, solution->energy_used_eur_per_kwh,
	                            solution->export_used_eur_per_kwh, solution->co2_used_eur_per_kwh);
	m->energy = solution->energy_used_eur_per_kwh;
	m->export = solution->export_used_eur_per_kwh;
	m->co2 = solution->co2_used_eur_per_kwh;
	m->tube = p->objective == EBR_ENERGY_CO2_DISTRIBUTION;
	for (int i = 0; i < EBR_STORES; i++) {
		init_store(m, i);
		m->store[i].terminal_value = ebr_terminal_value(m, i);
	}
	init_penalties(m);
}

/* Adds a kink where the marginal price rises by step (>= 0), or for the grid's own kink changes by
 * it. */
static void add_kink(ebr_slot_price *price, double at_kw, double step)
{
	int k = price->kinks++;

	for (; k > 0 && price->at_kw[k - 1] > at_kw; k--) {
		price->at_kw[k] = price->at_kw[k - 1];
		price->marginal[k + 1] = price->marginal[k] + step;
	}
	price->at_kw[k] = at_kw;
	price->marginal[k + 1] = price->marginal[k] + step;
}

void ebr_slot_prices(const ebr_model *m, int t, ebr_slot_price *price)
{
	const ebr_problem *p = m->problem;
	double low = m->tube ? tube_low(p, t) : -INFINITY, high = m->tube ? tube_high(p, t) : INFINITY;
	double below = isinf(low) ? 0 : penalty(p->penalty_low_eur_per_kwh, t);
	double above = isinf(high) ? 0 : penalty(p->penalty_high_eur_per_kwh, t);
	double import = ebr_import_price(m, t), export = ebr_export_price(m, t);
	bool contract_low = !isinf(p->contract_min_kw), contract_high = !isinf(p->contract_max_kw);

	price->kinks = 0;
	price->marginal[0] = export - below - (contract_low ? m->contract_penalty : 0);
	if (import != export)
		add_kink(price, 0, import - export);
	if (below > 0)
		add_kink(price, low, below);
	if (above > 0)
		add_kink(price, high, above);
	if (contract_low)
		add_kink(price, p->contract_min_kw, m->contract_penalty);
	if (contract_high)
		add_kink(price, p->contract_max_kw, m->contract_penalty);
}

static double clean(double value)
{
	return fabs(value) < NOISE ? 0 : value;
}

/* State of charge and shortfall of one store from its power. */
static void account_store(const ebr_model *m, int i, ebr_solution *s)
{
	const ebr_model_store *store = &m->store[i];
	double soc = store->soc_kwh, shortfall;

	for (int t = 0; t < m->problem->slots; t++) {
		double power = ebr_lesser(s->power_kw[i][t], ebr_charge_limit(m, i, t));

		power = clean(ebr_greater(power, -ebr_discharge_limit(m, i, t)));
		soc = ebr_lesser(ebr_greater(soc + ebr_gain_of_power(m, i, power), 0), store->capacity_kwh);
		soc = clean(soc);
		if (fabs(soc - store->capacity_kwh) < NOISE)
			soc = store->capacity_kwh;
		s->power_kw[i][t] = power;
		s->soc_kwh[i][t] = soc;
	}
	s->terminal_value_eur_per_kwh[i] = store->terminal_value;
	s->stored_value_eur += store->terminal_value * soc;
	if (store->departure_slot < 0)
		return;
	shortfall = clean(ebr_greater(store->required_kwh - s->soc_kwh[i][store->departure_slot], 0));
	s->shortfall_kwh += shortfall;
	s->penalty_eur += m->departure_penalty * shortfall;
	if (shortfall > WORTH_A_FLAG)
		s->flags |= EBR_VIOLATED_DEPARTURE;
}

static double energy_cost(const ebr_model *m, int t, double grid)
{
	return m->problem->slot_hours * (grid > 0 ? m->energy[t] : m->export[t]) * grid;
}

static double tube_cost(const ebr_model *m, int t, double grid)
{
	const ebr_problem *p = m->problem;

	return p->slot_hours *
	       (penalty(p->penalty_high_eur_per_kwh, t) * ebr_greater(grid - tube_high(p, t), 0) +
	        penalty(p->penalty_low_eur_per_kwh, t) * ebr_greater(tube_low(p, t) - grid, 0));
}

static double of_objective(const ebr_model *m, double energy, double co2, double distribution)
{
	if (m->problem->objective == EBR_CO2)
		return co2;
	return energy + co2 + (m->tube ? distribution : 0);
}

static double contract_cost(const ebr_model *m, double grid)
{
	return m->problem->slot_hours * m->contract_penalty *
	       (clean(ebr_greater(grid - m->problem->contract_max_kw, 0)) +
	        clean(ebr_greater(m->problem->contract_min_kw - grid, 0)));
}

/* What the objective charges for a slot, but for the contract. */
static double running_cost(const ebr_model *m, int t, double grid)
{
	return of_objective(m, energy_cost(m, t, grid), m->problem->slot_hours * m->co2[t] * grid,
	                    tube_cost(m, t, grid));
}

double ebr_slot_cost(const ebr_model *m, int t, double grid)
{
	return running_cost(m, t, grid) + contract_cost(m, grid);
}

static void account_slot(const ebr_model *m, int t, ebr_solution *s)
{
	const ebr_problem *p = m->problem;
	double idle = ebr_net_demand(m, t);
	double grid = clean(idle + s->power_kw[EBR_ESS][t] + s->power_kw[EBR_PEV][t]);

	s->grid_kw[t] = grid;
	s->outside_high_kw[t] = clean(ebr_greater(grid - tube_high(p, t), 0));
	s->outside_low_kw[t] = clean(ebr_greater(tube_low(p, t) - grid, 0));
	s->contract_high_kw[t] = clean(ebr_greater(grid - p->contract_max_kw, 0));
	s->contract_low_kw[t] = clean(ebr_greater(p->contract_min_kw - grid, 0));
	s->energy_eur += energy_cost(m, t, grid);
	s->co2_eur += p->slot_hours * m->co2[t] * grid;
	s->distribution_eur += tube_cost(m, t, grid);
	s->penalty_eur += contract_cost(m, grid);
	s->baseline_eur += running_cost(m, t, idle);
	if (s->outside_high_kw[t] > WORTH_A_FLAG || s->outside_low_kw[t] > WORTH_A_FLAG)
		s->flags |= EBR_OUTSIDE_PROFILE;
	if (s->contract_high_kw[t] > WORTH_A_FLAG)
		s->flags |= EBR_VIOLATED_CONTRACT_MAX;
	if (s->contract_low_kw[t] > WORTH_A_FLAG)
		s->flags |= EBR_VIOLATED_CONTRACT_MIN;
}

void ebr_account(const ebr_model *m, ebr_solution *s)
{
	s->flags = m->flags;
	s->energy_eur = s->co2_eur = s->distribution_eur = 0;
	s->stored_value_eur = s->shortfall_kwh = s->penalty_eur = s->baseline_eur = 0;
	for (int i = 0; i < EBR_STORES; i++)
		account_store(m, i, s);
	for (int t = 0; t < m->problem->slots; t++)
		account_slot(m, t, s);
	s->objective_eur = of_objective(m, s->energy_eur, s->co2_eur, s->distribution_eur) +
	                   s->penalty_eur - s->stored_value_eur;
}
