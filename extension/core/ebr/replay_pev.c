/*
 * The closed loop, a PEV at its plug: commands for both stores from what was known
 * then, the announced departure and never the real one; see replay_loop.h.
 *
 * As for a stored home both are planned together, as far as the announced departure,
 * with demand and unpublished prices expected at the mean of the last days at the
 * same time of day. The PEV's rule follows from that plan, the ESS's from scenarios;
 * each holds the other store at its plan.
 */
#include "pair.h"
#include "replay_loop.h"
#include "../forecast/price.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXPECTED_FROM_DAYS = 14, MOST_DAYS = 7, SERIES = 7, ANSWERS = 12 };

/* Arrays in the loop's room, [slots of MOST_DAYS] but for the prices, which begin
 * EXPECTED_FROM_DAYS earlier. */
typedef struct look_ahead {
	double *import, *export, *demand_kw, *low_kw, *high_kw, *penalty_low, *penalty_high, *sums;
	ebr_solution solution;
} look_ahead;

static size_t most_slots(const replay_loop *l)
{
	return (size_t)MOST_DAYS * (size_t)l->in->slots_per_day;
}

static size_t past_slots(const replay_loop *l)
{
	return (size_t)EXPECTED_FROM_DAYS * (size_t)l->in->slots_per_day;
}

bool replay_make_room(replay_loop *l)
{
	const size_t spd = (size_t)l->in->slots_per_day, most = most_slots(l), past = past_slots(l);

	if (l->in->stays == 0 || l->in->pev.capacity_kwh == 0)
		return true;
	l->numbers = malloc(((SERIES + ANSWERS) * most + 2 * past + 2 * spd) * sizeof(double));
	l->phases = malloc((past + most) * sizeof(int));
	for (size_t t = 0; l->phases && t < past + most; t++)
		l->phases[t] = (int)(t % spd);
	return l->numbers && l->phases;
}

static look_ahead take_room(const replay_loop *l)
{
	const size_t most = most_slots(l), past = past_slots(l);
	look_ahead a = {.import = NULL};
	ebr_solution *s = &a.solution;
	double *at = l->numbers;
	double **arrays[SERIES + ANSWERS - 2] = {&a.demand_kw,
	                                         &a.low_kw,
	                                         &a.high_kw,
	                                         &a.penalty_low,
	                                         &a.penalty_high,
	                                         &s->power_kw[EBR_ESS],
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

	for (int i = 0; i < SERIES + ANSWERS - 2; i++, at += most)
		*arrays[i] = at;
	a.import = at + past;
	a.export = a.import + most + past;
	a.sums = a.export + most;
	return a;
}

/* Published prices, and before them the days that others are expected from. */
static void read_prices(const replay_loop *l, const double *series, int slot, int known, int slots,
                        double *prices, double *sums)
{
	const int past = (int)past_slots(l);

	for (int t = -past; t < slots; t++)
		prices[t] = t < known && slot + t >= 0 ? series[slot + t] : NAN;
	price_expect(prices - past, l->phases, past, slots, l->in->slots_per_day, sums);
}

/* The day after the published ones is forecast better than by a mean. */
static void believe_forecast(const replay_loop *l, const ebr_outlook *outlook, int slots,
                             look_ahead *a)
{
	const int known = outlook->known_slots;

	for (int k = 0; outlook->forecast_eur_per_kwh && k < l->in->slots_per_day && known + k < slots;
	     k++) {
		double shift = outlook->forecast_eur_per_kwh[k] - a->import[known + k];

		a->import[known + k] += shift;
		if (l->in->export_eur_per_kwh)
			a->export[known + k] += shift;
	}
}

/* The mean of the last days at the same time of day, else that of all that was measured. */
static double expected_demand(const replay_loop *l, int slot)
{
	double sum = 0;
	int count = 0;

	for (int day = 1; day <= EXPECTED_FROM_DAYS; day++) {
		int then = slot - day * l->in->slots_per_day;

		if (then < 0 || isnan(l->in->net_kw[then]))
			continue;
		sum += l->in->net_kw[then];
		count++;
	}
	return count > 0 ? sum / count : l->measured > 0 ? l->demand_sum / l->measured : 0;
}

static void read_tube(const replay_loop *l, int slot, int slots, look_ahead *a,
                      ebr_problem *problem)
{
	const ebr_replay_input *in = l->in;

	if (problem->objective != EBR_ENERGY_CO2_DISTRIBUTION)
		return;
	for (int t = 0; t < slots; t++) {
		const bool inside = slot + t < in->slots;
		const double *low = in->penalty_low_eur_per_kwh, *high = in->penalty_high_eur_per_kwh;

		a->low_kw[t] = inside && in->profile_low_kw ? in->profile_low_kw[slot + t] : NAN;
		a->high_kw[t] = inside && in->profile_high_kw ? in->profile_high_kw[slot + t] : NAN;
		a->penalty_low[t] = inside && low ? low[slot + t] : 0;
		a->penalty_high[t] = inside && high ? high[slot + t] : 0;
	}
	problem->profile_low_kw = a->low_kw;
	problem->profile_high_kw = a->high_kw;
	problem->penalty_low_eur_per_kwh = a->penalty_low;
	problem->penalty_high_eur_per_kwh = a->penalty_high;
}

/* When it leaves as far as is known. One that is still there after that is charged as if it left
 * with the slot. */
static double announced(const ebr_replay_stay *stay, int slot)
{
	return stay->departs_at > fmax(stay->plugged_at, slot) ? stay->departs_at : slot + 1;
}

static void look_out_both(replay_loop *l, ebr_replay_way way, int slot, int stay, look_ahead *a,
                          ebr_problem *problem, ebr_outlook *outlook)
{
	const int most = (int)most_slots(l);
	double departs = announced(&l->stay[stay], slot) - slot;
	ebr_store *pev = &problem->store[EBR_PEV];

	replay_look_out(l, slot, problem, outlook);
	if (isfinite(departs))
		problem->slots = (int)fmax(problem->slots, fmin(ceil(departs), most));
	problem->slots = problem->slots < most ? problem->slots : most;
	if (outlook->known_slots > problem->slots) {
		outlook->known_slots = problem->slots;
		outlook->forecast_eur_per_kwh = NULL;
	}
	if (outlook->reveal_slot > outlook->known_slots)
		outlook->reveal_slot = outlook->known_slots;
	read_prices(l, l->in->import_eur_per_kwh, slot, outlook->known_slots, problem->slots, a->import,
	            a->sums);
	problem->energy_eur_per_kwh = a->import;
	if (l->in->export_eur_per_kwh) {
		read_prices(l, l->in->export_eur_per_kwh, slot, outlook->known_slots, problem->slots,
		            a->export, a->sums);
		problem->export_eur_per_kwh = a->export;
	}
	believe_forecast(l, outlook, problem->slots, a);
	for (int t = 0; t < problem->slots; t++)
		a->demand_kw[t] = t < l->in->slots_per_day ? expected_demand(l, slot + t)
		                                           : a->demand_kw[t - l->in->slots_per_day];
	problem->demand_kw = a->demand_kw;
	read_tube(l, slot, problem->slots, a, problem);
	problem->store[EBR_ESS].soc_kwh = l->soc[way];
	*pev = l->in->pev;
	pev->soc_kwh = l->pev_soc[way];
	pev->plugged_hours = departs * l->slot_hours;
	pev->target_kwh = l->stay[stay].target_kwh;
	pev->terminal_value_eur_per_kwh = NAN;
}

/* The plan of both, of which each rule needs the other store's, as good as the fast methods find
 * it; the PEV's rule with it. */
static outcome_status plan_both(const ebr_problem *problem, const ebr_limits *limits,
                                ebr_solution *solution, ebr_rule *pev_rule, outcome *out)
{
	ebr_curve curve[EBR_STORES];
	ebr_model model;
	outcome_status status;
	bool proved;

	memset(curve, 0, sizeof(curve));
	ebr_model_init(&model, problem, solution);
	if (model.store[EBR_ESS].active)
		status = ebr_plan_pair(&model, limits, solution, curve, &proved, out);
	else
		status = ebr_plan_single(&model, limits, solution, &curve[EBR_PEV], &proved, out);
	if (status == OUTCOME_OK)
		ebr_rule_from_curve(&model, EBR_PEV, &curve[EBR_PEV], pev_rule);
	for (int i = 0; i < EBR_STORES; i++)
		ebr_curve_free(&curve[i]);
	return status;
}

outcome_status replay_command_both(replay_loop *l, ebr_replay_way way, int slot, int stay,
                                   replay_command *command, outcome *out)
{
	look_ahead a = take_room(l);
	ebr_outlook outlook;
	ebr_problem problem;
	ebr_limits limits;
	outcome_status status = replay_remaining(l, &limits, out);

	if (status != OUTCOME_OK)
		return status;
	look_out_both(l, way, slot, stay, &a, &problem, &outlook);
	status = plan_both(&problem, &limits, &a.solution, &command->rule[EBR_PEV], out);
	if (status != OUTCOME_OK)
		return status;
	for (int i = 0; i < EBR_STORES; i++)
		command->planned_kw[i] = a.solution.power_kw[i][0];
	status = ebr_command_rule(&problem, EBR_ESS, a.solution.power_kw[EBR_PEV], &outlook, &limits,
	                          &command->rule[EBR_ESS], &command->expected_kw, out);
	command->expected_kw -= command->planned_kw[EBR_PEV];
	return status;
}

double replay_pev_power(const replay_loop *l, ebr_replay_way way, int slot, int stay,
                        const replay_command *command, double net_kw)
{
	const ebr_store *pev = &l->in->pev;
	const ebr_replay_stay *s = &l->stay[stay];
	double known = replay_share(s->plugged_at, announced(s, slot), slot);
	double real = replay_share(s->plugged_at, s->unplugged_at, slot);
	double power = ebr_rule_power(&command->rule[EBR_PEV], pev->capacity_kwh, pev->min_kw * known,
	                              pev->max_kw * known, pev->efficiency, l->pev_soc[way], net_kw,
	                              l->slot_hours);

	power = ebr_rule_step_power(power, pev->min_step_kw * known, pev->capacity_kwh, pev->efficiency,
	                            l->pev_soc[way], l->slot_hours);
	/* it ran as if it had all the time that was announced */
	return real < known ? power * real / known : power;
}
