/*
 * The network of a home: built from the model, and what its prices prove; see
 * pair_network.h.
 */
#include "pair_network.h"
#include "value_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void read_bus(pair_network *n, int t)
{
	const ebr_model *m = n->model;
	pair_bus *b = &n->bus[t];
	double hours = m->problem->slot_hours, low, high;
	ebr_slot_price price;
	int k = 0;

	b->net_kw = low = high = ebr_net_demand(m, t);
	for (int i = 0; i < EBR_STORES; i++) {
		low -= ebr_discharge_limit(m, i, t);
		high += ebr_charge_limit(m, i, t);
	}
	ebr_slot_prices(m, t, &price);
	while (k < price.kinks && price.at_kw[k] <= low)
		k++;
	b->pieces = 0;
	b->slope[0] = hours * price.marginal[k];
	for (; k < price.kinks && price.at_kw[k] < high; k++) {
		double slope = hours * price.marginal[k + 1],
		       to = k + 1 < price.kinks ? ebr_lesser(price.at_kw[k + 1], high) : high;
		double at = price.at_kw[k];

		/* the greatest convex function below */
		if (to <= at)
			continue;
		while (slope <= b->slope[b->pieces]) {
			double start = b->pieces > 0 ? b->at_kw[b->pieces - 1] : low;

			slope = (b->slope[b->pieces] * (at - start) + slope * (to - at)) / (to - start);
			at = start;
			if (b->pieces == 0)
				break;
			b->pieces--;
		}
		if (at <= low) {
			b->slope[0] = slope;
		} else {
			b->at_kw[b->pieces++] = at;
			b->slope[b->pieces] = slope;
		}
	}
	b->pieces++;
}

static void read_store(pair_network *n, int i)
{
	const ebr_model *m = n->model;
	const ebr_model_store *from = &m->store[i];
	pair_store *s = &n->store[i];
	double value = from->terminal_value;

	s->capacity_kwh = from->capacity_kwh;
	s->soc_kwh = from->soc_kwh;
	s->gain_charge = ebr_gain_of_power(m, i, 1);
	s->gain_discharge = -ebr_gain_of_power(m, i, -1);
	s->slots = from->departure_slot >= 0 ? from->departure_slot + 1 : n->slots;
	s->end_pieces = 0;
	s->end_at[0] = 0;
	if (from->departure_slot >= 0 && from->required_kwh > 0) {
		s->end_slope[s->end_pieces++] = -value - m->departure_penalty;
		s->end_at[s->end_pieces] = from->required_kwh;
	}
	if (s->end_pieces == 0 || from->required_kwh < from->capacity_kwh) {
		s->end_slope[s->end_pieces++] = -value;
		s->end_at[s->end_pieces] = from->capacity_kwh;
	}
	for (int t = 0; t < s->slots; t++) {
		s->low_kw[t] = -ebr_discharge_limit(m, i, t);
		s->high_kw[t] = ebr_charge_limit(m, i, t);
	}
}

static bool allocate(pair_network *n)
{
	size_t slots = (size_t)n->slots, nodes = 3 * slots;
	double *at;
	int *mark;
	signed char *flag;

	n->bus = malloc(slots * sizeof(*n->bus));
	n->numbers = at = malloc((EBR_STORES * 7 * slots + nodes) * sizeof(*at));
	n->marks = mark = malloc((EBR_STORES * slots + 5 * nodes + 12 * slots + 4) * sizeof(*mark));
	n->flags = flag = malloc(EBR_STORES * 2 * slots);
	if (!n->bus || !at || !mark || !flag)
		return false;
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];
		double **arrays[] = {&s->low_kw,     &s->high_kw, &s->power_kw,  &s->level_kwh,
		                     &s->power_step, &s->worth,   &s->level_step};

		for (int k = 0; k < 7; k++, at += slots)
			*arrays[k] = at;
		s->block = mark;
		mark += slots;
		s->use = flag;
		s->carried = flag + slots;
		flag += 2 * slots;
	}
	n->value = at;
	n->first = mark;
	n->last = n->first + nodes;
	n->parent = n->last + nodes;
	n->closing = n->parent + nodes;
	n->queue = n->closing + nodes;
	/* a step runs down to a root at most six times, each time over a power at most once, and
	 * begins with an arc of its own or with that of a cycle */
	n->touched = n->queue + nodes;
	return true;
}

bool pair_network_open(pair_network *n, const ebr_model *m)
{
	memset(n, 0, sizeof(*n));
	n->model = m;
	n->slots = m->problem->slots;
	n->same_worth = 1e-13 * m->contract_penalty * m->problem->slot_hours;
	if (!allocate(n)) {
		pair_network_close(n);
		return false;
	}
	for (int t = 0; t < n->slots; t++)
		read_bus(n, t);
	for (int i = 0; i < EBR_STORES; i++)
		read_store(n, i);
	return true;
}

void pair_network_close(pair_network *n)
{
	free(n->bus);
	free(n->numbers);
	free(n->marks);
	free(n->flags);
}

/*
 * Lagrange: whatever the worths, the least that each bus, power and level could
 * cost by itself sum up to no more than any plan costs. Powers take their real
 * efficiency here, charging and discharging at once is not among them, and the
 * grid its real price, convex or not.
 */
static double least_of(double slope_below, double slope_above, double low, double high)
{
	return ebr_lesser(ebr_lesser(slope_below * low, slope_above * high), 0);
}

/* Least over grid power of its cost less its worth. */
static double bus_bound(const pair_network *n, int t)
{
	const pair_bus *b = &n->bus[t];
	double low = b->net_kw, high = low, least;

	for (int i = 0; i < EBR_STORES; i++) {
		low -= ebr_discharge_limit(n->model, i, t);
		high += ebr_charge_limit(n->model, i, t);
	}
	least = ebr_lesser(ebr_slot_cost(n->model, t, low) - b->worth * (low - b->net_kw),
	                   ebr_slot_cost(n->model, t, high) - b->worth * (high - b->net_kw));
	for (int k = 0; k < b->pieces - 1; k++)
		least = ebr_lesser(least, ebr_slot_cost(n->model, t, b->at_kw[k]) -
		                              b->worth * (b->at_kw[k] - b->net_kw));
	return least;
}

static double store_bound(const pair_network *n, const pair_store *s)
{
	double bound = 0, least = INFINITY;
	int end = s->slots - 1;

	if (end < 0)
		return 0;
	bound = -s->worth[0] * s->soc_kwh;
	for (int t = 0; t < s->slots; t++) {
		double bus = n->bus[t].worth, worth = s->worth[t];

		bound += least_of(bus - worth * s->gain_discharge, bus - worth * s->gain_charge,
		                  s->low_kw[t], s->high_kw[t]);
		if (t < end)
			bound += ebr_lesser((worth - s->worth[t + 1]) * s->capacity_kwh, 0);
	}
	for (int k = 0; k <= s->end_pieces; k++) {
		double cost = s->worth[end] * s->end_at[k];

		for (int j = 0; j < k; j++)
			cost += s->end_slope[j] * (s->end_at[j + 1] - s->end_at[j]);
		least = ebr_lesser(least, cost);
	}
	return bound + least;
}

double pair_network_bound(const pair_network *n)
{
	double bound = 0;

	for (int t = 0; t < n->slots; t++)
		bound += bus_bound(n, t);
	for (int i = 0; i < EBR_STORES; i++) {
		const ebr_model_store *store = &n->model->store[i];

		bound += store_bound(n, &n->store[i]);
		/* the end's cost was counted from an empty store */
		if (store->departure_slot >= 0)
			bound += n->model->departure_penalty * store->required_kwh;
	}
	return bound;
}

outcome_status pair_network_exact_bound(const pair_network *n, const ebr_limits *limits,
                                        double *bound, outcome *out)
{
	double *worth = n->value, eur; /* buses come first */
	bool finished = true;

	*bound = 0;
	for (int t = 0; t < n->slots; t++)
		*bound += bus_bound(n, t);
	for (int i = 0; i < EBR_STORES && finished; i++) {
		outcome_status status =
		    ebr_value_exact(n->model, i, NULL, worth, limits, NULL, &eur, &finished, out);

		if (status != OUTCOME_OK)
			return status;
		*bound = finished ? *bound + eur : -INFINITY;
	}
	return OUTCOME_OK;
}
