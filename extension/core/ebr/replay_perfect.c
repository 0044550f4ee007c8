/*
 * The closed loop, perfect foresight: the whole record is planned at once, in parts
 * that overlap where it is too long for that; see replay_loop.h.
 */
#include "replay_loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OVERLAP_DAYS = 14 };

ebr_problem replay_part(const replay_loop *l, const replay_record *r, int from, int slots)
{
	const bool tube = r->profile_low_kw != NULL;
	ebr_problem problem = {.slots = slots,
	                       .slot_hours = l->slot_hours,
	                       .demand_kw = r->net_kw + from,
	                       .energy_eur_per_kwh = r->import + from,
	                       .export_eur_per_kwh = r->export + from,
	                       .contract_min_kw = l->in->contract_min_kw,
	                       .contract_max_kw = l->in->contract_max_kw};

	if (tube) {
		problem.objective = EBR_ENERGY_CO2_DISTRIBUTION;
		problem.profile_low_kw = r->profile_low_kw + from;
		problem.profile_high_kw = r->profile_high_kw + from;
		problem.penalty_low_eur_per_kwh = r->penalty_low + from;
		problem.penalty_high_eur_per_kwh = r->penalty_high + from;
	}
	problem.store[EBR_ESS].efficiency = problem.store[EBR_PEV].efficiency = 1;
	return problem;
}

/* Plans the ESS alone for one part of the record, from what is stored at its start. */
static outcome_status plan_part(replay_loop *l, const replay_record *r, int from, int slots,
                                double *left_eur, double *excess_eur, outcome *out)
{
	ebr_problem problem = replay_part(l, r, from, slots);
	ebr_solution solution = {.energy_used_eur_per_kwh = r->import + from,
	                         .export_used_eur_per_kwh = r->export + from,
	                         .co2_used_eur_per_kwh = r->none + from};
	ebr_limits limits;
	ebr_model model;
	outcome_status status = replay_remaining(l, &limits, out);

	problem.store[EBR_ESS] = l->in->store;
	problem.store[EBR_ESS].soc_kwh = l->soc[EBR_REPLAY_PERFECT];
	problem.store[EBR_ESS].plugged_hours = INFINITY;
	if (status != OUTCOME_OK)
		return status;
	ebr_model_init(&model, &problem, &solution);
	*left_eur = model.store[EBR_ESS].terminal_value;
	*excess_eur = 0;
	if (!model.store[EBR_ESS].active) {
		memset(r->power_kw + from, 0, (size_t)slots * sizeof(double));
		return OUTCOME_OK;
	}
	return ebr_value_curve(&model, EBR_ESS, NULL, &limits, r->power_kw + from, excess_eur, NULL,
	                       out);
}

/* Executes the record's slots up to one; the PEV's stays as they come. */
static void execute_record(replay_loop *l, const replay_record *r, const replay_planned_stay *stays,
                           int *slot, int *done, int *first_stay, int until)
{
	for (; *slot < l->in->slots && (*done < until || until == r->slots); ++*slot) {
		const bool billed = replay_is_billed(l, *slot);
		const int end = replay_stays_of(l, *slot, first_stay);
		double pev_kw = 0;

		for (int k = *first_stay; k < end; k++) {
			if (l->stay[k].plugged_at >= *slot)
				replay_arrive(l, EBR_REPLAY_PERFECT, k);
			if (billed && *done >= stays[k].first && *done < stays[k].end)
				pev_kw += replay_run_pev(l, EBR_REPLAY_PERFECT,
				                         stays[k].power_kw[*done - stays[k].first]);
			replay_leave(l, EBR_REPLAY_PERFECT, k, *slot);
		}
		replay_execute(l, EBR_REPLAY_PERFECT, *slot, billed ? r->power_kw[*done] : 0, pev_kw);
		*done += billed;
	}
}

static outcome_status run_perfect(replay_loop *l, const replay_record *r,
                                  replay_planned_stay *stays, outcome *out)
{
	const int overlap = OVERLAP_DAYS * l->in->slots_per_day;
	int slot = l->in->first, done = 0, first_stay = 0, until;
	double *left_eur = &l->result->left_eur_per_kwh;

	do {
		int most = overlap < EBR_MAX_SLOTS / 2 ? overlap : EBR_MAX_SLOTS / 2;
		int part = r->slots - done < EBR_MAX_SLOTS ? r->slots - done : EBR_MAX_SLOTS;
		double excess = 0;
		outcome_status status = OUTCOME_OK;

		if (part > 0 && l->stays > 0)
			status = replay_plan_stays(l, r, stays, done, part, left_eur, &excess, out);
		else if (part > 0)
			status = plan_part(l, r, done, part, left_eur, &excess, out);
		if (status != OUTCOME_OK)
			return status;
		l->result->perfect_excess_eur += fmax(excess, 0);
		until = done + part == r->slots ? r->slots : done + part - most;
		execute_record(l, r, stays, &slot, &done, &first_stay, until);
	} while (until < r->slots);
	return OUTCOME_OK;
}

static double or_none(const double *series, int slot, double none)
{
	return series && !isnan(series[slot]) ? series[slot] : none;
}

static void read_record(replay_loop *l, replay_record *r)
{
	const ebr_replay_input *in = l->in;

	for (int slot = in->first; slot < in->slots; slot++) {
		if (!replay_is_billed(l, slot))
			continue;
		r->net_kw[r->slots] = in->net_kw[slot];
		r->import[r->slots] = in->import_eur_per_kwh[slot];
		r->export[r->slots] = replay_export_price(l, slot);
		if (r->profile_low_kw) {
			r->profile_low_kw[r->slots] = or_none(in->profile_low_kw, slot, NAN);
			r->profile_high_kw[r->slots] = or_none(in->profile_high_kw, slot, NAN);
			r->penalty_low[r->slots] = or_none(in->penalty_low_eur_per_kwh, slot, 0);
			r->penalty_high[r->slots] = or_none(in->penalty_high_eur_per_kwh, slot, 0);
		}
		r->slots++;
	}
	l->result->billed = r->slots;
}

/* A time in slots of the record, which leaves out those that are not billed. */
static double place_in_record(const replay_loop *l, const int *before, double time)
{
	int slot = (int)time;
	double place = before[slot - l->in->first];

	return slot < l->in->slots && replay_is_billed(l, slot) ? place + (time - slot) : place;
}

/* Room for the powers of all stays; false: out of memory. */
static bool place_stays(replay_loop *l, replay_planned_stay *stays, double **room)
{
	const int slots = l->in->slots - l->in->first;
	int *before = malloc(((size_t)slots + 1) * sizeof(int));
	size_t wanted = 1;

	if (!before)
		return false;
	before[0] = 0;
	for (int t = 0; t < slots; t++)
		before[t + 1] = before[t] + replay_is_billed(l, l->in->first + t);
	for (int k = 0; k < l->stays; k++) {
		stays[k].from = place_in_record(l, before, l->stay[k].plugged_at);
		stays[k].until = place_in_record(l, before, l->stay[k].unplugged_at);
		stays[k].first = (int)stays[k].from;
		stays[k].end = stays[k].until > stays[k].from ? (int)ceil(stays[k].until) : stays[k].first;
		wanted += (size_t)(stays[k].end - stays[k].first);
	}
	free(before);
	*room = calloc(wanted, sizeof(double));
	if (!*room)
		return false;
	for (int k = 0, at = 0; k < l->stays; at += stays[k].end - stays[k].first, k++)
		stays[k].power_kw = *room + at;
	return true;
}

outcome_status replay_plan_perfect(replay_loop *l, outcome *out)
{
	const size_t room = (size_t)(l->in->slots - l->in->first);
	const bool tube = l->in->profile_low_kw || l->in->profile_high_kw;
	double *memory = calloc(room * (tube ? 10 : 6), sizeof(double)), *powers = NULL;
	replay_planned_stay *stays = calloc((size_t)l->stays + 1, sizeof(*stays));
	replay_record r = {.net_kw = memory};
	outcome_status status = OUTCOME_MEMORY_LIMIT;

	if (memory && stays && place_stays(l, stays, &powers)) {
		r.import = memory + room;
		r.export = memory + 2 * room;
		r.none = memory + 3 * room;
		r.power_kw = memory + 4 * room;
		r.pev_kw = memory + 5 * room;
		if (tube) {
			r.profile_low_kw = memory + 6 * room;
			r.profile_high_kw = memory + 7 * room;
			r.penalty_low = memory + 8 * room;
			r.penalty_high = memory + 9 * room;
		}
		read_record(l, &r);
		status = run_perfect(l, &r, stays, out);
	} else {
		outcome_set(out, status, NULL, NULL, "the replay ran out of memory");
	}
	free(powers);
	free(stays);
	free(memory);
	return status;
}
