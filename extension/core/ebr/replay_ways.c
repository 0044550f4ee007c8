/*
 * The closed loop, execution: what a way does to its stores and what it costs; see
 * replay_loop.h.
 */
#include "replay_loop.h"

#include <math.h>

double replay_export_price(const replay_loop *l, int slot)
{
	return l->in->export_eur_per_kwh ? l->in->export_eur_per_kwh[slot]
	                                 : l->in->import_eur_per_kwh[slot];
}

bool replay_is_billed(const replay_loop *l, int slot)
{
	return !isnan(l->in->net_kw[slot]) && !isnan(l->in->import_eur_per_kwh[slot]) &&
	       !isnan(replay_export_price(l, slot));
}

int replay_stays_of(const replay_loop *l, int slot, int *first)
{
	int end = *first;

	while (*first < l->stays && l->stay[*first].unplugged_at <= slot)
		++*first;
	for (end = *first; end < l->stays && l->stay[end].plugged_at < slot + 1;)
		end++;
	return end;
}

static double gain_of(const ebr_store *store, double slot_hours, double power_kw)
{
	double root = sqrt(store->efficiency);

	return slot_hours * (power_kw > 0 ? power_kw * root : power_kw / root);
}

void replay_arrive(replay_loop *l, ebr_replay_way way, int stay)
{
	l->pev_soc[way] = fmin(fmax(l->stay[stay].arrival_kwh, 0), l->in->pev.capacity_kwh);
}

double replay_run_pev(replay_loop *l, ebr_replay_way way, double power_kw)
{
	const ebr_store *pev = &l->in->pev;
	double soc = l->pev_soc[way] + gain_of(pev, l->slot_hours, power_kw);

	l->pev_soc[way] = fmin(fmax(soc, 0), pev->capacity_kwh);
	return power_kw;
}

static double value_or(const double *series, int slot, double otherwise)
{
	return series && !isnan(series[slot]) ? series[slot] : otherwise;
}

/* EUR that one more kWh in the PEV could have cost at most in a stay. */
static double dearest(const replay_loop *l, const ebr_replay_stay *stay)
{
	double most = 0;

	for (int t = (int)stay->plugged_at; t < stay->unplugged_at; t++)
		if (replay_is_billed(l, t))
			most = fmax(most, l->in->import_eur_per_kwh[t] +
			                      value_or(l->in->penalty_high_eur_per_kwh, t, 0));
	return most / sqrt(l->in->pev.efficiency);
}

void replay_leave(replay_loop *l, ebr_replay_way way, int stay, int slot)
{
	const ebr_replay_stay *s = &l->stay[stay];
	double missed = s->target_kwh - l->pev_soc[way];

	if (s->unplugged_at > slot + 1 || missed < 1e-9)
		return;
	l->result->missed_kwh[way] += missed;
	l->result->missed_eur[way] += missed * dearest(l, s);
}

double replay_at_once(const replay_loop *l, ebr_replay_way way, int stay, int slot)
{
	const ebr_replay_stay *s = &l->stay[stay];
	const double most = l->in->pev.max_kw * replay_share(s->plugged_at, s->unplugged_at, slot);
	double wanted = s->target_kwh - l->pev_soc[way];

	return fmin(most, fmax(wanted, 0) / (sqrt(l->in->pev.efficiency) * l->slot_hours));
}

static void bill(replay_loop *l, ebr_replay_way way, int slot, double grid)
{
	const ebr_replay_input *in = l->in;
	ebr_replay_result *r = l->result;
	double price = grid > 0 ? in->import_eur_per_kwh[slot] : replay_export_price(l, slot);
	double above = fmax(grid - value_or(in->profile_high_kw, slot, INFINITY), 0);
	double below = fmax(value_or(in->profile_low_kw, slot, -INFINITY) - grid, 0);

	r->bill_eur[way] += l->slot_hours * price * grid;
	r->co2_eur[way] += l->slot_hours * value_or(in->co2_eur_per_kwh, slot, 0) * grid;
	r->outside_kwh[way] += l->slot_hours * (above + below);
	r->distribution_eur[way] +=
	    l->slot_hours * (above * value_or(in->penalty_high_eur_per_kwh, slot, 0) +
	                     below * value_or(in->penalty_low_eur_per_kwh, slot, 0));
	r->contract_kwh[way] +=
	    l->slot_hours * (fmax(grid - in->contract_max_kw, 0) + fmax(in->contract_min_kw - grid, 0));
}

void replay_execute(replay_loop *l, ebr_replay_way way, int slot, double ess_kw, double pev_kw)
{
	const ebr_store *store = &l->in->store;
	ebr_replay_result *r = l->result;
	const int at = slot - l->in->first;
	double gain = gain_of(store, l->slot_hours, ess_kw);

	if (replay_is_billed(l, slot)) {
		bill(l, way, slot, l->in->net_kw[slot] + ess_kw + pev_kw);
		if (store->capacity_kwh > 0)
			r->cycles[way] += fmax(gain, 0) / store->capacity_kwh;
		l->soc[way] = fmin(fmax(l->soc[way] + gain, 0), store->capacity_kwh);
	}
	if (r->power_kw[way])
		r->power_kw[way][at] = ess_kw;
	if (r->soc_kwh[way])
		r->soc_kwh[way][at] = l->soc[way];
	if (r->pev_power_kw[way])
		r->pev_power_kw[way][at] = pev_kw;
	if (r->pev_soc_kwh[way])
		r->pev_soc_kwh[way][at] = l->pev_soc[way];
}

void replay_sum_up(const replay_loop *l)
{
	ebr_replay_result *r = l->result;
	double most;

	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		r->left_kwh[way] = l->soc[way];
		r->bill_eur[way] += r->distribution_eur[way];
		r->cost_eur[way] =
		    r->bill_eur[way] + r->missed_eur[way] - r->left_eur_per_kwh * l->soc[way];
	}
	most = r->cost_eur[EBR_REPLAY_NONE] - r->cost_eur[EBR_REPLAY_PERFECT];
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		r->saving_percent[way] =
		    most > 1e-9 ? 100 * (r->cost_eur[EBR_REPLAY_NONE] - r->cost_eur[way]) / most : NAN;
}
