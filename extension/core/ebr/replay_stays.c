/*
 * The closed loop, perfect foresight for an ESS and the stays of a PEV; see
 * replay_loop.h.
 *
 * The methods for two stores know one stay, so each stay is planned with the ESS in
 * a window around it, the ESS held at both ends to what it has there and the other
 * stays at their plans; then the ESS alone for the whole part; and again until that
 * saves nothing more.
 */
#include "pair.h"
#include "replay_foresight.h"
#include "step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 8, ANSWERS = 12 };
#define WORTH_A_ROUND 1e-4 /* EUR */

bool foresight_is_away(const foresight_part *p, int stay)
{
	const replay_planned_stay *s = &p->stays[stay];

	return s->end <= s->first || s->until <= p->from || s->from >= p->from + p->slots;
}

/* Where a stay's power in a slot of the record is kept. */
static double *power_of(const foresight_part *p, int stay, int slot)
{
	replay_planned_stay *s = &p->stays[stay];

	return slot >= s->first && slot < s->end ? &s->power_kw[slot - s->first] : NULL;
}

static void give_room(const foresight_part *p, ebr_solution *s)
{
	double **arrays[ANSWERS] = {&s->power_kw[EBR_ESS],
	                            &s->power_kw[EBR_PEV],
	                            &s->soc_kwh[EBR_ESS],
	                            &s->soc_kwh[EBR_PEV],
	                            &s->grid_kw,
	                            &s->outside_high_kw,
	                            &s->outside_low_kw,
	                            &s->contract_high_kw,
	                            &s->contract_low_kw,
	                            &s->energy_used_eur_per_kwh,
	                            &s->export_used_eur_per_kwh,
	                            &s->co2_used_eur_per_kwh};

	memset(s, 0, sizeof(*s));
	for (int k = 0; k < ANSWERS; k++)
		*arrays[k] = p->answers + (size_t)k * (size_t)p->slots;
}

static bool open_part(foresight_part *p, const replay_record *record, int from, int slots)
{
	double *room = calloc((size_t)(3 + 2 * ANSWERS) * (size_t)slots, sizeof(double));
	replay_loop *l = p->loop;

	if (!room)
		return false;
	p->ess_kw = record->power_kw + from;
	p->pev_kw = record->pev_kw + from;
	p->ess_soc = room;
	p->worth = room + slots;
	p->demand_kw = room + 2 * slots;
	p->answers = room + 3 * slots;
	p->whole = replay_part(l, record, from, slots);
	/* a store that cannot act stands for none */
	p->ess = (ebr_store){1, 0, 0, 1, 0, INFINITY, NAN, 0, 0};
	if (l->in->store.capacity_kwh > 0) {
		p->ess = l->in->store;
		p->ess.soc_kwh = l->soc[EBR_REPLAY_PERFECT];
		p->ess.plugged_hours = INFINITY;
		p->ess.min_step_kw = 0;
	}
	p->whole.store[EBR_ESS] = p->ess;
	p->whole.store[EBR_PEV] = l->in->pev;
	p->whole.store[EBR_PEV].plugged_hours = INFINITY;
	p->whole.store[EBR_PEV].soc_kwh = 0;
	p->whole.store[EBR_PEV].target_kwh = p->whole.store[EBR_PEV].terminal_value_eur_per_kwh = NAN;
	give_room(p, &p->solution);
	p->answers += (size_t)ANSWERS * (size_t)slots;
	ebr_model_init(&p->model, &p->whole, &p->solution);
	p->ess.terminal_value_eur_per_kwh = p->model.store[EBR_ESS].terminal_value;
	return true;
}

/* What the ESS has at the start of each slot. */
static void follow_ess(foresight_part *p)
{
	double soc = p->ess.soc_kwh;

	for (int t = 0; t < p->slots; t++) {
		p->ess_soc[t] = soc;
		soc += ebr_gain_of_power(&p->model, EBR_ESS, p->ess_kw[t]);
		soc = fmin(fmax(soc, 0), p->ess.capacity_kwh);
	}
}

void foresight_open_window(foresight_part *p, int stay, int from, int end, bool with_ess,
                           foresight_window *w)
{
	const replay_planned_stay *s = &p->stays[stay];
	replay_loop *l = p->loop;
	const int start = p->from + from; /* in the record */
	ebr_store *ess, *pev;

	w->from = from;
	w->slots = end - from;
	w->problem = replay_part(l, p->record, start, w->slots);
	ess = &w->problem.store[EBR_ESS];
	pev = &w->problem.store[EBR_PEV];
	for (int t = from; t < end; t++) {
		const double *own = power_of(p, stay, p->from + t);

		p->demand_kw[t] = p->record->net_kw[p->from + t] + p->pev_kw[t] - (own ? *own : 0) +
		                  (with_ess ? 0 : p->ess_kw[t]);
	}
	w->problem.demand_kw = p->demand_kw + from;
	if (with_ess) {
		*ess = p->ess;
		ess->soc_kwh = p->ess_soc[from];
		if (end < p->slots) {
			ess->plugged_hours = w->slots * l->slot_hours;
			ess->target_kwh = p->ess_soc[end];
			ess->terminal_value_eur_per_kwh = NAN;
		}
	}
	*pev = l->in->pev;
	pev->min_step_kw = 0;
	pev->soc_kwh = s->from < p->from ? l->pev_soc[EBR_REPLAY_PERFECT] : l->stay[stay].arrival_kwh;
	pev->plugged_hours = (s->until - start) * l->slot_hours;
	pev->target_kwh = l->stay[stay].target_kwh;
	pev->terminal_value_eur_per_kwh =
	    s->until > p->from + p->slots ? p->model.store[EBR_PEV].terminal_value : 0;
	give_room(p, &w->solution);
	ebr_model_init(&w->model, &w->problem, &w->solution);
	w->model.store[EBR_PEV].arrival_slots = fmax(s->from - start, 0);
	w->model.departure_penalty = p->model.departure_penalty;
	w->model.contract_penalty = p->model.contract_penalty;
}

void foresight_open_stay(foresight_part *p, int stay, bool with_ess, foresight_window *w)
{
	const replay_planned_stay *s = &p->stays[stay];
	const int margin = with_ess ? FORESIGHT_MARGIN_DAYS * p->loop->in->slots_per_day : 0;

	foresight_open_window(p, stay, foresight_clip(s->first - margin - p->from, 0, p->slots),
	                      foresight_clip(s->end + margin - p->from, 0, p->slots), with_ess, w);
}

/* Takes up a window's plan, or leaves it. */
static void keep_window(foresight_part *p, int stay, const foresight_window *w, bool with_ess)
{
	for (int t = 0; t < w->slots; t++) {
		double *own = power_of(p, stay, p->from + w->from + t);

		if (own) {
			p->pev_kw[w->from + t] += w->solution.power_kw[EBR_PEV][t] - *own;
			*own = w->solution.power_kw[EBR_PEV][t];
		}
		if (with_ess)
			p->ess_kw[w->from + t] = w->solution.power_kw[EBR_ESS][t];
	}
	if (with_ess)
		follow_ess(p);
}

double foresight_cost(foresight_part *p, int stay, foresight_window *w)
{
	for (int t = 0; t < w->slots; t++) {
		const double *own = power_of(p, stay, p->from + w->from + t);

		w->solution.power_kw[EBR_PEV][t] = own ? *own : 0;
		w->solution.power_kw[EBR_ESS][t] =
		    w->model.store[EBR_ESS].active ? p->ess_kw[w->from + t] : 0;
	}
	ebr_account(&w->model, &w->solution);
	return w->solution.objective_eur;
}

static outcome_status plan_stay(foresight_part *p, int stay, bool with_ess, outcome *out)
{
	ebr_limits limits;
	double before, excess;
	bool proved;
	foresight_window w;
	outcome_status status = replay_remaining(p->loop, &limits, out);

	if (status != OUTCOME_OK)
		return status;
	foresight_open_stay(p, stay, with_ess, &w);
	before = foresight_cost(p, stay, &w);
	if (with_ess)
		status = ebr_plan_pair(&w.model, &limits, &w.solution, NULL, &proved, out);
	else
		status = ebr_value_curve(&w.model, EBR_PEV, NULL, &limits, w.solution.power_kw[EBR_PEV],
		                         &excess, NULL, out);
	if (status != OUTCOME_OK)
		return status;
	ebr_account(&w.model, &w.solution);
	if (!with_ess || w.solution.objective_eur < before)
		keep_window(p, stay, &w, with_ess);
	return OUTCOME_OK;
}

/* What the PEV lacks on leaving costs; where the part ends before that, what it lacks of what it
 * needs by then, less the worth of what it has. */
static double end_cost(const foresight_part *p, int stay)
{
	const replay_planned_stay *s = &p->stays[stay];
	const replay_loop *l = p->loop;
	const ebr_store *pev = &l->in->pev;
	const int end = p->from + p->slots;
	double soc = s->from < p->from ? l->pev_soc[EBR_REPLAY_PERFECT] : l->stay[stay].arrival_kwh;
	double later = fmax(s->until - end, 0) * ebr_gain_of_power(&p->model, EBR_PEV, pev->max_kw);
	double worth = later > 0 ? p->model.store[EBR_PEV].terminal_value : 0;

	soc = fmin(fmax(soc, 0), pev->capacity_kwh);
	for (int t = foresight_clip(s->first, p->from, end); t < foresight_clip(s->end, p->from, end);
	     t++)
		soc += ebr_gain_of_power(&p->model, EBR_PEV, *power_of(p, stay, t));
	return p->model.departure_penalty * fmax(l->stay[stay].target_kwh - later - soc, 0) -
	       worth * soc;
}

/* What the plan costs as the bound counts it. */
static double cost_of(foresight_part *p)
{
	double end = p->ess.soc_kwh, cost = 0;

	for (int t = 0; t < p->slots; t++) {
		cost += ebr_slot_cost(&p->model, t,
		                      p->record->net_kw[p->from + t] + p->ess_kw[t] + p->pev_kw[t]);
		end += ebr_gain_of_power(&p->model, EBR_ESS, p->ess_kw[t]);
	}
	for (int k = p->first_stay; k < p->end_stay; k++)
		if (!foresight_is_away(p, k))
			cost += end_cost(p, k);
	return cost - p->ess.terminal_value_eur_per_kwh * end;
}

/* The ESS alone for the whole part; kept where it costs no more. */
static outcome_status plan_ess(foresight_part *p, outcome *out)
{
	const size_t bytes = (size_t)p->slots * sizeof(double);
	double before = cost_of(p), excess, *kept = p->answers, *planned = p->answers + p->slots;
	ebr_limits limits;
	outcome_status status = replay_remaining(p->loop, &limits, out);

	if (status == OUTCOME_OK)
		status =
		    ebr_value_curve(&p->model, EBR_ESS, p->pev_kw, &limits, planned, &excess, NULL, out);
	if (status != OUTCOME_OK)
		return status;
	memcpy(kept, p->ess_kw, bytes);
	memcpy(p->ess_kw, planned, bytes);
	if (cost_of(p) > before)
		memcpy(p->ess_kw, kept, bytes);
	follow_ess(p);
	return OUTCOME_OK;
}

static outcome_status improve(foresight_part *p, outcome *out)
{
	outcome_status status = OUTCOME_OK;
	double before = INFINITY, cost = cost_of(p);

	for (int round = 0; round < MOST_ROUNDS && before - cost > WORTH_A_ROUND; round++) {
		before = cost;
		for (int k = p->first_stay; k < p->end_stay && status == OUTCOME_OK; k++)
			if (!foresight_is_away(p, k))
				status = plan_stay(p, k, true, out);
		if (status == OUTCOME_OK)
			status = plan_ess(p, out);
		if (status != OUTCOME_OK)
			return status;
		cost = cost_of(p);
	}
	return status;
}

/* Moves energy of a window's PEV from one slot into another, so that the power of the first is 0 or
 * that of the second at least the step; false where that does not go. */
static bool move_power(foresight_window *w, int from, int to)
{
	double *power_kw = w->solution.power_kw[EBR_PEV];
	double low = ebr_step(&w->model, EBR_PEV, to), moved = power_kw[from];

	if (ebr_below_step(power_kw[to], low))
		moved = low - power_kw[to];
	power_kw[from] -= moved;
	power_kw[to] += moved;
	return !ebr_below_step(power_kw[from], ebr_step(&w->model, EBR_PEV, from)) &&
	       power_kw[from] >= 0 && power_kw[to] <= ebr_charge_limit(&w->model, EBR_PEV, to);
}

/* Has a slot in which the PEV charges at less than its least power charge more or not at all, for
 * some in another: the cheapest change. kept_kw is room. */
static void mend_slot(foresight_window *w, int slot, double *kept_kw)
{
	const size_t bytes = (size_t)w->slots * sizeof(double);
	double *power_kw = w->solution.power_kw[EBR_PEV], least = INFINITY;
	int from = -1, to = -1;

	memcpy(kept_kw, power_kw, bytes);
	for (int k = 0; k < 2 * w->slots; k++) {
		int other = k / 2, source = k % 2 ? slot : other, sink = k % 2 ? other : slot;
		bool possible = other != slot && power_kw[other] > 0 && move_power(w, source, sink);

		if (possible) {
			ebr_account(&w->model, &w->solution);
			if (w->solution.objective_eur < least) {
				least = w->solution.objective_eur;
				from = source;
				to = sink;
			}
		}
		memcpy(power_kw, kept_kw, bytes);
	}
	if (from >= 0)
		move_power(w, from, to);
}

/* A PEV with a least power does what is nearest to its plan. */
static void keep_steps(foresight_part *p, int stay)
{
	double *kept_kw = p->worth; /* not needed any more */
	foresight_window w;

	foresight_open_stay(p, stay, false, &w);
	w.problem.store[EBR_PEV].min_step_kw = p->loop->in->pev.min_step_kw;
	foresight_cost(p, stay, &w);
	for (int t = 0; t < w.slots; t++)
		if (w.solution.power_kw[EBR_PEV][t] > 0 &&
		    ebr_below_step(w.solution.power_kw[EBR_PEV][t], ebr_step(&w.model, EBR_PEV, t)))
			mend_slot(&w, t, kept_kw);
	ebr_keep_steps(&w.model, &w.solution);
	keep_window(p, stay, &w, false);
}

static outcome_status plan(foresight_part *p, double *excess_eur, outcome *out)
{
	outcome_status status = OUTCOME_OK;
	bool any = false;
	double bound;

	memset(p->ess_kw, 0, (size_t)p->slots * sizeof(double));
	memset(p->pev_kw, 0, (size_t)p->slots * sizeof(double));
	for (int k = p->first_stay; k < p->end_stay && status == OUTCOME_OK; k++) {
		replay_planned_stay *s = &p->stays[k];

		if (foresight_is_away(p, k))
			continue;
		any = true;
		memset(s->power_kw, 0, (size_t)(s->end - s->first) * sizeof(double));
		status = plan_stay(p, k, false, out);
	}
	if (status == OUTCOME_OK)
		status = plan_ess(p, out);
	if (!any || status != OUTCOME_OK) {
		*excess_eur = 0;
		return status;
	}
	status = improve(p, out);
	if (status == OUTCOME_OK)
		status = foresight_bound(p, &bound, out);
	if (status == OUTCOME_OK && p->loop->in->pev.min_step_kw > 0) {
		for (int k = p->first_stay; k < p->end_stay; k++)
			if (!foresight_is_away(p, k))
				keep_steps(p, k);
		status = plan_ess(p, out);
	}
	*excess_eur = status == OUTCOME_OK ? cost_of(p) - bound : 0;
	return status;
}

outcome_status replay_plan_stays(replay_loop *l, const replay_record *record,
                                 replay_planned_stay *stays, int from, int slots, double *left_eur,
                                 double *excess_eur, outcome *out)
{
	foresight_part p = {.loop = l,
	                    .record = record,
	                    .stays = stays,
	                    .from = from,
	                    .slots = slots,
	                    .end_stay = l->stays};
	outcome_status status;

	if (!open_part(&p, record, from, slots))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the replay ran out of memory");
	*left_eur = p.ess.terminal_value_eur_per_kwh;
	status = plan(&p, excess_eur, out);
	free(p.ess_soc);
	return status;
}
