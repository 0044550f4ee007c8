/*
 * The closed loop, perfect foresight for an ESS and the stays of a PEV: how far from
 * the best the plan may be; see replay_foresight.h.
 *
 * The worths of grid power that the windows around the stays end with prove it
 * (Lagrange): a bound is the least that each slot, the ESS and each stay could cost by
 * itself at those worths.
 */
#include "pair_network.h"
#include "replay_foresight.h"
#include "value_exact.h"

#include <math.h>
#include <stdlib.h>

/* What grid power is worth around a stay, by the window from the end of the one before to the start
 * of the next. */
static outcome_status find_worths(foresight_part *p, int stay, int from, int end, outcome *out)
{
	const int margin = FORESIGHT_MARGIN_DAYS * p->loop->in->slots_per_day;
	double *power_kw[EBR_STORES];
	pair_network net;
	ebr_limits limits;
	outcome_status status = replay_remaining(p->loop, &limits, out);
	foresight_window w;

	if (status != OUTCOME_OK)
		return status;
	foresight_open_window(p, stay, foresight_clip(from - margin, 0, p->slots),
	                      foresight_clip(end + margin, 0, p->slots), true, &w);
	foresight_cost(p, stay, &w);
	for (int i = 0; i < EBR_STORES; i++)
		power_kw[i] = w.solution.power_kw[i];
	if (!pair_network_open(&net, &w.model))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the replay ran out of memory");
	status = pair_network_solve(&net, power_kw, &limits, p->loop->deadline);
	for (int t = from; t < end; t++)
		p->worth[t] = net.bus[t - w.from].worth;
	pair_network_close(&net);
	return status == OUTCOME_OK ? status
	                            : outcome_set(out, status, NULL, NULL, "the replay was ended");
}

/* The least that a slot could cost less the worth of its power. */
static double least_of_slot(const foresight_part *p, int t)
{
	const double net = ebr_net_demand(&p->model, t);
	double low = net + p->ess.min_kw + p->loop->in->pev.min_kw;
	double high = net + p->ess.max_kw + p->loop->in->pev.max_kw, least;
	ebr_slot_price price;

	ebr_slot_prices(&p->model, t, &price);
	least = fmin(ebr_slot_cost(&p->model, t, low) - p->worth[t] * (low - net),
	             ebr_slot_cost(&p->model, t, high) - p->worth[t] * (high - net));
	for (int k = 0; k < price.kinks; k++)
		if (price.at_kw[k] > low && price.at_kw[k] < high)
			least = fmin(least, ebr_slot_cost(&p->model, t, price.at_kw[k]) -
			                        p->worth[t] * (price.at_kw[k] - net));
	return least;
}

/* The bound that the worths prove; -INFINITY where a store's least cost is not found in time. */
static outcome_status prove(foresight_part *p, double *bound, outcome *out)
{
	ebr_limits limits;
	bool finished = true;
	double eur = 0;
	outcome_status status = replay_remaining(p->loop, &limits, out);

	if (status == OUTCOME_OK)
		status = ebr_value_exact(&p->model, EBR_ESS, NULL, p->worth, &limits, NULL, &eur, &finished,
		                         out);
	*bound = finished ? eur : -INFINITY;
	for (int t = 0; t < p->slots; t++)
		*bound += least_of_slot(p, t);
	for (int k = p->first_stay; k < p->end_stay && status == OUTCOME_OK; k++) {
		foresight_window w;

		if (foresight_is_away(p, k))
			continue;
		foresight_open_stay(p, k, false, &w);
		status = ebr_value_exact(&w.model, EBR_PEV, NULL, p->worth + w.from, &limits, NULL, &eur,
		                         &finished, out);
		*bound += finished ? eur : -INFINITY;
	}
	return status;
}

outcome_status foresight_bound(foresight_part *p, double *bound, outcome *out)
{
	outcome_status status = OUTCOME_OK;
	int from = 0, last = -1;

	for (int k = p->first_stay; k < p->end_stay; k++)
		if (!foresight_is_away(p, k))
			last = k;
	for (int k = p->first_stay, next; k < p->end_stay && status == OUTCOME_OK; k = next) {
		int end = p->slots;

		for (next = k + 1; next < p->end_stay && foresight_is_away(p, next);)
			next++;
		if (foresight_is_away(p, k))
			continue;
		if (k != last)
			end = foresight_clip(p->stays[next].first - p->from, from, p->slots);
		if (end > from)
			status = find_worths(p, k, from, end, out);
		from = end > from ? end : from;
	}
	return status == OUTCOME_OK ? prove(p, bound, out) : status;
}
