/*
 * Homes for the EBR tests and the planning benchmark: a plain one to vary by
 * hand, and random ones from a fixed seed.
 */
#ifndef SMARTHG_TEST_EBR_HOMES_H
#define SMARTHG_TEST_EBR_HOMES_H

#include "../../extension/core/ebr/model.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HOME_SERIES = 9, HOME_ANSWERS = 12 };

/* A problem with its series, and room for a solution. */
typedef struct home {
	ebr_problem problem;
	ebr_solution solution;
	double *demand, *production, *energy, *export, *co2, *low, *high, *penalty_low, *penalty_high;
	double *memory;
} home;

/* Both stores absent, demand 1 kW, price 0.2, nothing else, no contract. */
__attribute__((unused)) static void home_open(home *h, int slots, double slot_hours)
{
	double **series[] = {&h->demand, &h->production, &h->energy,      &h->export,      &h->co2,
	                     &h->low,    &h->high,       &h->penalty_low, &h->penalty_high};
	ebr_solution *s = &h->solution;
	double **answers[] = {&s->power_kw[0],
	                      &s->power_kw[1],
	                      &s->soc_kwh[0],
	                      &s->soc_kwh[1],
	                      &s->grid_kw,
	                      &s->outside_high_kw,
	                      &s->outside_low_kw,
	                      &s->contract_high_kw,
	                      &s->contract_low_kw,
	                      &s->energy_used_eur_per_kwh,
	                      &s->export_used_eur_per_kwh,
	                      &s->co2_used_eur_per_kwh};
	ebr_store absent = {0, 0, 0, 1, 0, INFINITY, NAN, NAN, 0};

	memset(h, 0, sizeof(*h));
	h->memory = calloc((size_t)slots * (HOME_SERIES + HOME_ANSWERS), sizeof(double));
	if (!h->memory)
		abort();
	for (int i = 0; i < HOME_SERIES; i++)
		*series[i] = h->memory + i * slots;
	for (int i = 0; i < HOME_ANSWERS; i++)
		*answers[i] = h->memory + (HOME_SERIES + i) * slots;
	for (int t = 0; t < slots; t++) {
		h->demand[t] = 1;
		h->energy[t] = 0.2;
	}
	h->problem.slots = slots;
	h->problem.slot_hours = slot_hours;
	h->problem.demand_kw = h->demand;
	h->problem.energy_eur_per_kwh = h->energy;
	h->problem.contract_min_kw = -INFINITY;
	h->problem.contract_max_kw = INFINITY;
	h->problem.store[EBR_ESS] = h->problem.store[EBR_PEV] = absent;
}

__attribute__((unused)) static void home_close(home *h)
{
	free(h->memory);
}

/* The same number from 0 (included) to 1 (not) on every machine. */
__attribute__((unused)) static double chance(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)((*state * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

__attribute__((unused)) static double between(uint64_t *state, double low, double high)
{
	return low + (high - low) * chance(state);
}

/* What a random home may have. */
enum {
	HOME_ESS = 1 << 0,
	HOME_PEV = 1 << 1,
	HOME_NEGATIVE_PRICES = 1 << 2,
	HOME_DEAR_EXPORT = 1 << 3, /* may pay more for export than for import */
	HOME_NO_BOUNDS = 1 << 4,   /* neither tube nor contract */
};

__attribute__((unused)) static void random_series(home *h, unsigned may, uint64_t *seed)
{
	double least = may & HOME_NEGATIVE_PRICES ? -0.15 : 0, steps = chance(seed) < 0.3 ? 4 : 1e6;
	double sun = chance(seed) < 0.6 ? between(seed, 0, 8) : 0;

	for (int t = 0; t < h->problem.slots; t++) {
		h->demand[t] = between(seed, 0, 1) + (chance(seed) < 0.2 ? between(seed, 0, 6) : 0);
		h->production[t] = fmax(0, sun * sin(t * 0.26) * between(seed, 0.5, 1));
		h->energy[t] = round(between(seed, least, 0.4) * steps * 10) / (steps * 10);
		h->export[t] = h->energy[t] * between(seed, 0, may & HOME_DEAR_EXPORT ? 1.4 : 1);
		if (h->energy[t] < 0 && !(may & HOME_DEAR_EXPORT))
			h->export[t] = h->energy[t] - between(seed, 0, 0.1);
		h->co2[t] = between(seed, 0, 0.05);
		h->low[t] = between(seed, -2, 1);
		h->high[t] = h->low[t] + (chance(seed) < 0.2 ? 0 : between(seed, 0, 2));
		h->penalty_low[t] = between(seed, 0, 0.3);
		h->penalty_high[t] = chance(seed) < 0.1 ? 0 : between(seed, 0, 0.5);
	}
}

__attribute__((unused)) static void random_store(home *h, int store, uint64_t *seed)
{
	ebr_store *s = &h->problem.store[store];
	double span = h->problem.slots * h->problem.slot_hours;

	s->capacity_kwh = between(seed, 0.5, 20);
	s->min_kw = chance(seed) < 0.2 ? 0 : -between(seed, 0.1, 6);
	s->max_kw = between(seed, 0.1, 8);
	s->efficiency = chance(seed) < 0.2 ? 1 : between(seed, 0.6, 0.99);
	s->soc_kwh = s->capacity_kwh * (chance(seed) < 0.2 ? round(chance(seed)) : chance(seed));
	s->plugged_hours = INFINITY;
	s->terminal_value_eur_per_kwh = chance(seed) < 0.7 ? NAN : between(seed, 0, 0.4);
	if (store == EBR_PEV && chance(seed) < 0.8) {
		s->plugged_hours = between(seed, 0, 1.4 * span);
		if (chance(seed) < 0.5)
			s->plugged_hours = round(s->plugged_hours);
		s->target_kwh = chance(seed) < 0.5 ? NAN : s->capacity_kwh * chance(seed);
	}
}

/* A random home of 1 .. max_slots slots. Close it with home_close(). */
__attribute__((unused)) static void home_random(home *h, int max_slots, unsigned may,
                                                uint64_t *seed)
{
	int slots = 1 + (int)(chance(seed) * max_slots);
	ebr_problem *p = &h->problem;

	home_open(h, slots, chance(seed) < 0.5 ? 1 : chance(seed) < 0.5 ? 0.5 : 0.25);
	random_series(h, may, seed);
	if (may & HOME_ESS)
		random_store(h, EBR_ESS, seed);
	if (may & HOME_PEV)
		random_store(h, EBR_PEV, seed);
	p->objective = (ebr_objective)(chance(seed) * 3);
	p->production_kw = h->production;
	p->export_eur_per_kwh = chance(seed) < 0.3 ? NULL : h->export;
	p->co2_eur_per_kwh = chance(seed) < 0.3 ? NULL : h->co2;
	if (may & HOME_NO_BOUNDS) {
		p->objective = p->objective == EBR_CO2 ? EBR_CO2 : EBR_ENERGY_CO2;
		return;
	}
	p->profile_low_kw = chance(seed) < 0.2 ? NULL : h->low;
	p->profile_high_kw = chance(seed) < 0.2 ? NULL : h->high;
	p->penalty_low_eur_per_kwh = h->penalty_low;
	p->penalty_high_eur_per_kwh = h->penalty_high;
	if (chance(seed) < 0.5)
		p->contract_max_kw = between(seed, 0.5, 6);
	if (chance(seed) < 0.5)
		p->contract_min_kw = -between(seed, 0, 4);
}

#endif
