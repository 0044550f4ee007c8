/* See fallback.h. */
#include "fallback.h"
#include "step.h"

#include <math.h>

/* The most that a store can charge, or discharge, in a slot without leaving [floor, ceiling]. */
static double room_to_charge(const ebr_model *m, int i, int t, double soc, double ceiling)
{
	return fmin(ebr_charge_limit(m, i, t), ebr_power_of_gain(m, i, fmax(ceiling - soc, 0)));
}

static double room_to_discharge(const ebr_model *m, int i, int t, double soc)
{
	return fmin(ebr_discharge_limit(m, i, t), -ebr_power_of_gain(m, i, -soc));
}

static double relief(const ebr_model *m, int t, double soc)
{
	const ebr_problem *p = m->problem;
	double net = ebr_net_demand(m, t);

	if (net > p->contract_max_kw)
		return -fmin(net - p->contract_max_kw, room_to_discharge(m, EBR_ESS, t, soc));
	if (net < p->contract_min_kw)
		return fmin(p->contract_min_kw - net,
		            room_to_charge(m, EBR_ESS, t, soc, m->store[EBR_ESS].capacity_kwh));
	return 0;
}

void ebr_fallback(const ebr_problem *p, ebr_solution *s)
{
	ebr_model model;
	double soc[EBR_STORES], wanted;

	ebr_model_init(&model, p, s);
	for (int i = 0; i < EBR_STORES; i++)
		soc[i] = model.store[i].soc_kwh;
	wanted = p->store[EBR_PEV].target_kwh;
	if (isnan(wanted) || isinf(p->store[EBR_PEV].plugged_hours))
		wanted = model.store[EBR_PEV].capacity_kwh;
	for (int t = 0; t < p->slots; t++) {
		double ess = relief(&model, t, soc[EBR_ESS]);
		double left = fmax(p->contract_max_kw - ebr_net_demand(&model, t) - ess, 0);
		double pev = fmin(left, room_to_charge(&model, EBR_PEV, t, soc[EBR_PEV], wanted));

		if (ebr_below_step(ess, ebr_step(&model, EBR_ESS, t)))
			ess = 0;
		if (ebr_below_step(pev, ebr_step(&model, EBR_PEV, t)))
			pev = 0;
		s->power_kw[EBR_ESS][t] = ess;
		s->power_kw[EBR_PEV][t] = pev;
		soc[EBR_ESS] += ebr_gain_of_power(&model, EBR_ESS, ess);
		soc[EBR_PEV] += ebr_gain_of_power(&model, EBR_PEV, pev);
	}
	ebr_account(&model, s);
	s->quality = EBR_FALLBACK;
	s->method = EBR_BY_FALLBACK;
	s->bound_eur = -INFINITY;
	s->seconds = 0;
	s->branched = false;
}
