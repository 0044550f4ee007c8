/*
 * Input of a sizing, see sizing_model.h.
 *
 * A slot's relaxed cost of gaining g kWh lets charge x+ and discharge x- run
 * together. The points (g, p = x+ - x-) that are possible form a parallelogram
 * with the corners full discharge, nothing, full charge, and both at full power.
 * Where power costs money the least p for a gain is best (the edge through
 * nothing), where it is paid for the most (the edge through both), and where its
 * marginal cost changes sign in between p stays there while g moves on freely.
 * So every piece of constant marginal price has its slope and its length in g on
 * one of the two edges, and what is missing to the full length is a piece of
 * slope 0.
 */
#include "sizing_model.h"

#include <stdio.h>
#include <stdlib.h>

#define LARGEST 1e9

#define REQUIRE(condition, ...)                                                                    \
	do {                                                                                           \
		if (!(condition))                                                                          \
			return outcome_set(__VA_ARGS__);                                                       \
	} while (0)

static const char counted[] = "Slots are counted from 1.";

static outcome_status check_series(const char *name, const double *series, int slots, double least,
                                   bool infinite, outcome *out)
{
	for (int t = 0; series && t < slots; t++) {
		if (isnan(series[t]) || (infinite && isinf(series[t])))
			continue;
		REQUIRE(fabs(series[t]) <= LARGEST, out, OUTCOME_BAD_INPUT,
		        "A value that is not known is NULL or NaN.", counted,
		        "%s is %g in slot %d, which is not a usable number", name, series[t], t + 1);
		REQUIRE(series[t] >= least, out, OUTCOME_BAD_INPUT, NULL, counted,
		        "%s is %g in slot %d, but must not be less than %g", name, series[t], t + 1, least);
	}
	return OUTCOME_OK;
}

static outcome_status check_all_series(const ebr_sizing_problem *p, outcome *out)
{
	const struct {
		const char *name;
		const double *series;
		double least;
		bool infinite;
	} checks[] = {
	    {"demand_kw", p->demand_kw, -INFINITY, false},
	    {"production_kw", p->production_kw, -INFINITY, false},
	    {"energy_eur_per_kwh", p->energy_eur_per_kwh, -INFINITY, false},
	    {"export_eur_per_kwh", p->export_eur_per_kwh, -INFINITY, false},
	    {"co2_eur_per_kwh", p->co2_eur_per_kwh, -INFINITY, false},
	    {"profile_low_kw", p->profile_low_kw, -INFINITY, true},
	    {"profile_high_kw", p->profile_high_kw, -INFINITY, true},
	    {"penalty_low_eur_per_kwh", p->penalty_low_eur_per_kwh, 0, false},
	    {"penalty_high_eur_per_kwh", p->penalty_high_eur_per_kwh, 0, false},
	};

	REQUIRE(p->demand_kw && p->energy_eur_per_kwh, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "demand_kw and energy_eur_per_kwh must be given");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (check_series(checks[i].name, checks[i].series, p->slots, checks[i].least,
		                 checks[i].infinite, out) != OUTCOME_OK)
			return out->status;
	for (int t = 0; t < p->slots; t++)
		REQUIRE(!(p->profile_low_kw && p->profile_low_kw[t] == INFINITY) &&
		            !(p->profile_high_kw && p->profile_high_kw[t] == -INFINITY),
		        out, OUTCOME_BAD_INPUT, "Where there is no bound, it is null.", counted,
		        "the profile cannot be kept in slot %d: its bound is infinite on the wrong side",
		        t + 1);
	for (int t = 0; p->profile_low_kw && p->profile_high_kw && t < p->slots; t++)
		REQUIRE(!(p->profile_low_kw[t] > p->profile_high_kw[t]), out, OUTCOME_BAD_INPUT, NULL,
		        counted, "profile_low_kw %g is above profile_high_kw %g in slot %d",
		        p->profile_low_kw[t], p->profile_high_kw[t], t + 1);
	return OUTCOME_OK;
}

static outcome_status check_range(const char *name, const char *unit, double low, double high,
                                  outcome *out)
{
	REQUIRE(low >= 0 && low <= LARGEST, out, OUTCOME_BAD_INPUT, "Give 0 where any will do.", NULL,
	        "%s_min_%s is %g, but must be a number not less than 0", name, unit, low);
	REQUIRE(high >= low, out, OUTCOME_BAD_INPUT, "Give infinity where any will do.", NULL,
	        "%s_max_%s is %g, but must not be less than %s_min_%s, %g", name, unit, high, name,
	        unit, low);
	return OUTCOME_OK;
}

outcome_status sizing_check(const ebr_sizing_problem *p, outcome *out)
{
	REQUIRE(p->slots >= 1 && p->slots <= EBR_SIZING_MAX_SLOTS, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "there are %d slots, but must be from 1 to %d", p->slots, EBR_SIZING_MAX_SLOTS);
	REQUIRE(p->slot_hours > 0 && p->slot_hours <= 24, out, OUTCOME_BAD_INPUT,
	        "Give 0.25 for quarters of an hour.", NULL,
	        "slot_hours is %g, but must be more than 0 and not more than 24", p->slot_hours);
	REQUIRE(p->objective >= EBR_ENERGY_CO2 && p->objective <= EBR_ENERGY_CO2_DISTRIBUTION, out,
	        OUTCOME_BAD_INPUT, NULL, NULL, "objective %d is not known", (int)p->objective);
	REQUIRE(p->capacity_eur_per_kwh >= 0 && p->capacity_eur_per_kwh <= LARGEST, out,
	        OUTCOME_BAD_INPUT, NULL, NULL,
	        "capacity_eur_per_kwh is %g, but must be a number not less than 0",
	        p->capacity_eur_per_kwh);
	REQUIRE(p->power_eur_per_kw >= 0 && p->power_eur_per_kw <= LARGEST, out, OUTCOME_BAD_INPUT,
	        NULL, NULL, "power_eur_per_kw is %g, but must be a number not less than 0",
	        p->power_eur_per_kw);
	REQUIRE(isnan(p->lifetime_years) || (p->lifetime_years > 0 && p->lifetime_years <= 1000), out,
	        OUTCOME_BAD_INPUT, "Leave it out to have the span pay for the whole purchase.", NULL,
	        "lifetime_years is %g, but must be more than 0 and not more than 1000",
	        p->lifetime_years);
	REQUIRE(p->discount_rate >= 0 && p->discount_rate <= 10, out, OUTCOME_BAD_INPUT,
	        "The rate is a fraction a year: give 0.05 for 5 %.", NULL,
	        "discount_rate is %g, but must be from 0 to 10", p->discount_rate);
	REQUIRE(p->efficiency >= 1e-3 && p->efficiency <= 1, out, OUTCOME_BAD_INPUT,
	        "The round-trip efficiency is a fraction: give 0.9 for 90 %.", NULL,
	        "efficiency is %g, but must be from 0.001 to 1", p->efficiency);
	if (check_range("capacity", "kwh", p->capacity_min_kwh, p->capacity_max_kwh, out) !=
	        OUTCOME_OK ||
	    check_range("power", "kw", p->power_min_kw, p->power_max_kw, out) != OUTCOME_OK)
		return out->status;
	return check_all_series(p, out);
}

static double value_or(const double *series, int t, double otherwise)
{
	return series && !isnan(series[t]) ? series[t] : otherwise;
}

/* Import and export price of a slot as the objective counts them. */
static void prices_of(const sizing_model *m, int t, double net, double *import, double *export)
{
	const ebr_sizing_problem *p = m->problem;
	double co2 = value_or(p->co2_eur_per_kwh, t, 0), energy = p->energy_eur_per_kwh[t];

	*import = energy;
	*export = value_or(p->export_eur_per_kwh, t, energy);
	if (*export > *import)
		*import = *export = net < 0 ? *export : *import;
	if (p->objective == EBR_CO2)
		*import = *export = 0;
	*import += co2;
	*export += co2;
}

static void add_kink(sizing_slot *s, double at_kw, double step)
{
	int k = s->kinks++;

	for (; k > 0 && s->at_kw[k - 1] > at_kw; k--) {
		s->at_kw[k] = s->at_kw[k - 1];
		s->marginal[k + 1] = s->marginal[k] + step;
	}
	s->at_kw[k] = at_kw;
	s->marginal[k + 1] = s->marginal[k] + step;
}

static bool known(const ebr_sizing_problem *p, int t)
{
	return !isnan(p->demand_kw[t]) && !isnan(p->energy_eur_per_kwh[t]) &&
	       !(p->production_kw && isnan(p->production_kw[t]));
}

static double net_of(const ebr_sizing_problem *p, int t)
{
	return p->demand_kw[t] - (p->production_kw ? p->production_kw[t] : 0);
}

static void fill_slot(sizing_model *m, sizing_slot *s, int t)
{
	const ebr_sizing_problem *p = m->problem;
	double net = net_of(p, t), import, export;
	bool tube = p->objective == EBR_ENERGY_CO2_DISTRIBUTION;
	double low = tube ? value_or(p->profile_low_kw, t, -INFINITY) : -INFINITY;
	double high = tube ? value_or(p->profile_high_kw, t, INFINITY) : INFINITY;
	double below = isinf(low) ? 0 : value_or(p->penalty_low_eur_per_kwh, t, 0);
	double above = isinf(high) ? 0 : value_or(p->penalty_high_eur_per_kwh, t, 0);

	prices_of(m, t, net, &import, &export);
	*s = (sizing_slot){.index = t};
	s->marginal[0] = export - below;
	if (import != export)
		add_kink(s, -net, import - export);
	if (below > 0)
		add_kink(s, low - net, below);
	if (above > 0)
		add_kink(s, high - net, above);
	s->idle_eur = (net > 0 ? import : export) * net + below * ebr_greater(low - net, 0) +
	              above * ebr_greater(net - high, 0);
	m->negative = m->negative || s->marginal[0] < 0;
	m->mean_kw += fabs(net);
	m->baseline_eur += m->hours * s->idle_eur;
}

static unsigned assumptions(const ebr_sizing_problem *p, int t)
{
	unsigned assumed = 0;

	if (p->export_eur_per_kwh && isnan(p->export_eur_per_kwh[t]))
		assumed |= EBR_SIZING_EXPORT_PRICE;
	if (p->export_eur_per_kwh && p->export_eur_per_kwh[t] > p->energy_eur_per_kwh[t])
		assumed |= EBR_SIZING_ONE_PRICE;
	if (p->co2_eur_per_kwh && isnan(p->co2_eur_per_kwh[t]))
		assumed |= EBR_SIZING_CO2_PRICE;
	if ((p->profile_low_kw && isnan(p->profile_low_kw[t])) ||
	    (p->profile_high_kw && isnan(p->profile_high_kw[t])))
		assumed |= EBR_SIZING_PROFILE;
	return assumed;
}

/* The share of the purchase that a year has to bear; an annuity where a lifetime is given. */
static double recovery_factor(const ebr_sizing_problem *p, double span_years)
{
	if (isnan(p->lifetime_years))
		return 1 / span_years;
	if (p->discount_rate == 0)
		return 1 / p->lifetime_years;
	return p->discount_rate / -expm1(-p->lifetime_years * log1p(p->discount_rate));
}

outcome_status sizing_model_open(sizing_model *m, const ebr_sizing_problem *p, outcome *out)
{
	double share;

	*m = (sizing_model){.problem = p, .hours = p->slot_hours, .root = sqrt(p->efficiency)};
	m->slot = malloc((size_t)p->slots * sizeof(*m->slot));
	if (!m->slot)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "sizing ran out of memory");
	for (int t = 0; t < p->slots; t++) {
		if (!known(p, t)) {
			m->assumed |= EBR_SIZING_SKIPPED;
			continue;
		}
		m->assumed |= assumptions(p, t);
		fill_slot(m, &m->slot[m->slots++], t);
	}
	if (m->slots == 0) {
		free(m->slot);
		m->slot = NULL;
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "A slot can be billed where demand, production and price are known.",
		                   "none of the %d slots can be billed", p->slots);
	}
	m->mean_kw /= m->slots;
	m->span_years = m->slots * m->hours / EBR_HOURS_PER_YEAR;
	m->recovery_factor = recovery_factor(p, m->span_years);
	share = m->recovery_factor * m->span_years;
	m->capacity_cost = share * p->capacity_eur_per_kwh;
	m->power_cost = share * p->power_eur_per_kw;
	return OUTCOME_OK;
}

double sizing_cost_at(const sizing_slot *s, double power)
{
	double cost = s->idle_eur, at = 0;
	int k = 0;

	if (power >= 0) {
		while (k < s->kinks && s->at_kw[k] <= 0)
			k++;
		for (; k < s->kinks && s->at_kw[k] < power; at = s->at_kw[k], k++)
			cost += s->marginal[k] * (s->at_kw[k] - at);
		return cost + s->marginal[k] * (power - at);
	}
	k = s->kinks;
	while (k > 0 && s->at_kw[k - 1] >= 0)
		k--;
	for (; k > 0 && s->at_kw[k - 1] > power; at = s->at_kw[k - 1], k--)
		cost -= s->marginal[k] * (at - s->at_kw[k - 1]);
	return cost - s->marginal[k] * (at - power);
}

sizing_cost sizing_cost_parts(const sizing_model *m, const sizing_slot *s, double power)
{
	const ebr_sizing_problem *p = m->problem;
	int t = s->index;
	double net = net_of(p, t), grid = net + power;
	double low = value_or(p->profile_low_kw, t, -INFINITY);
	double high = value_or(p->profile_high_kw, t, INFINITY);
	double import = p->energy_eur_per_kwh[t];
	double export = value_or(p->export_eur_per_kwh, t, import);
	sizing_cost cost = {.co2 = value_or(p->co2_eur_per_kwh, t, 0) * grid};

	if (export > import)
		import = export = net < 0 ? export : import;
	cost.energy = (grid > 0 ? import : export) * grid;
	if (low > grid)
		cost.distribution += value_or(p->penalty_low_eur_per_kwh, t, 0) * (low - grid);
	if (high < grid)
		cost.distribution += value_or(p->penalty_high_eur_per_kwh, t, 0) * (grid - high);
	return cost;
}

static void add_piece(sizing_pieces *to, double slope, double length, bool strict)
{
	int n = to->count;

	if (length <= 0)
		return;
	/* In one direction only, slopes may fall at idle: pooled, they are the envelope. */
	while (n > 0 && (to->slope[n - 1] == slope || (strict && to->slope[n - 1] > slope))) {
		n--;
		if (to->slope[n] != slope)
			slope = (to->slope[n] * to->length[n] + slope * length) / (to->length[n] + length);
		length += to->length[n];
	}
	to->slope[n] = slope;
	to->length[n] = length;
	to->count = n + 1;
}

void sizing_pieces_of(const sizing_model *m, const sizing_slot *s, double rate, bool strict,
                      sizing_pieces *to)
{
	double root = m->root, hours = m->hours, power = -rate;
	bool free = strict; /* the piece of slope 0 is there */
	int k = 0;

	while (k < s->kinks && s->at_kw[k] <= power)
		k++;
	to->count = 0;
	to->lowest_eur = hours * sizing_cost_at(s, power);
	to->marginal_low = s->marginal[k];
	while (power < rate) {
		double end = k < s->kinks ? ebr_lesser(s->at_kw[k], rate) : rate;
		double price = s->marginal[k], stretch;

		if (power < 0 && end > 0)
			end = 0;
		if (price >= 0 && !free) {
			free = true;
			add_piece(to, 0, hours * (rate - fabs(power)) * (1 / root - root), strict);
		}
		/* stored kWh by kWh of power; on the edge of full power it is the other way round */
		stretch = (power < 0) == (price >= 0 || strict) ? 1 / root : root;
		add_piece(to, price / stretch, hours * stretch * (end - power), strict);
		power = end;
		to->marginal_high = price;
		while (k < s->kinks && s->at_kw[k] <= power)
			k++;
	}
}
