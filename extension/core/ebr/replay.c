/* See replay.h. */
#include "replay_loop.h"
#include "../forecast/price_day.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double *from_slot(const double *series, int slot)
{
	return series ? series + slot : NULL;
}

const double *replay_price_forecast(replay_loop *l, int known)
{
	const ebr_replay_input *in = l->in;
	const int week = 7 * in->slots_per_day;

	if (known != l->forecast_slot) {
		/* By its noon, which is the same day whatever the clocks were set to meanwhile. */
		int weekday = (in->phase + known + in->slots_per_day / 2) % week / in->slots_per_day;

		l->forecast_made = price_day_forecast(in->import_eur_per_kwh, known, in->slots_per_day,
		                                      weekday, l->forecast);
		l->forecast_slot = known;
	}
	return l->forecast_made ? l->forecast : NULL;
}

void replay_look_out(replay_loop *l, int slot, ebr_problem *problem, ebr_outlook *outlook)
{
	const ebr_replay_input *in = l->in;
	const int week = 7 * in->slots_per_day, back = EBR_OUTLOOK_DAYS * in->slots_per_day;
	const int history = slot < back ? slot : back;
	int known = in->known_until ? in->known_until[slot] : slot + 1, reveal = slot + 1;

	known = known < in->slots ? known : in->slots;
	while (reveal < known && in->known_until && in->known_until[reveal] <= in->known_until[slot])
		reveal++;
	for (int t = 0; t < known - slot; t++)
		l->expected_kw[t] = l->measured > 0 ? l->demand_sum / l->measured : 0;
	memset(problem, 0, sizeof(*problem));
	problem->slots = known - slot;
	problem->slot_hours = l->slot_hours;
	problem->demand_kw = l->expected_kw;
	problem->energy_eur_per_kwh = in->import_eur_per_kwh + slot;
	problem->export_eur_per_kwh = from_slot(in->export_eur_per_kwh, slot);
	problem->contract_min_kw = in->contract_min_kw;
	problem->contract_max_kw = in->contract_max_kw;
	if (in->profile_low_kw || in->profile_high_kw) {
		problem->objective = EBR_ENERGY_CO2_DISTRIBUTION;
		problem->profile_low_kw = from_slot(in->profile_low_kw, slot);
		problem->profile_high_kw = from_slot(in->profile_high_kw, slot);
		problem->penalty_low_eur_per_kwh = from_slot(in->penalty_low_eur_per_kwh, slot);
		problem->penalty_high_eur_per_kwh = from_slot(in->penalty_high_eur_per_kwh, slot);
	}
	problem->store[EBR_ESS] = in->store;
	problem->store[EBR_ESS].soc_kwh = l->soc[EBR_REPLAY_RULE];
	problem->store[EBR_ESS].plugged_hours = INFINITY;
	problem->store[EBR_ESS].terminal_value_eur_per_kwh = NAN;
	problem->store[EBR_PEV].efficiency = 1;
	*outlook = (ebr_outlook){
	    .slots_per_day = in->slots_per_day,
	    .history = history,
	    .net_kw = in->net_kw + slot - history,
	    .import_eur_per_kwh = in->import_eur_per_kwh + slot - history,
	    .export_eur_per_kwh = from_slot(in->export_eur_per_kwh, slot - history),
	    .phase = (in->phase + slot) % week,
	    .known_slots = known - slot,
	    .forecast_eur_per_kwh = replay_price_forecast(l, known),
	    .reveal_slot = reveal - slot,
	};
}

outcome_status replay_remaining(const replay_loop *l, ebr_limits *limits, outcome *out)
{
	*limits = *l->limits;
	limits->seconds = isinf(l->deadline) ? 0 : l->deadline - ebr_clock_seconds();
	if (!isinf(l->deadline) && limits->seconds <= 0)
		return outcome_set(out, OUTCOME_TIME_LIMIT, "Allow more time, or replay fewer slots.", NULL,
		                   "the replay did not end within %g seconds", l->limits->seconds);
	return OUTCOME_OK;
}

static double ess_power(const replay_loop *l, ebr_replay_way way, const ebr_rule *rule,
                        double net_kw)
{
	const ebr_store *s = &l->in->store;

	return ebr_rule_power(rule, s->capacity_kwh, s->min_kw, s->max_kw, s->efficiency, l->soc[way],
	                      net_kw, l->slot_hours);
}

/* The ESS alone: the rule does not depend on what is stored, so one serves both ways. */
static outcome_status command_ess(replay_loop *l, int slot, replay_command *command, outcome *out)
{
	ebr_outlook outlook;
	ebr_problem problem;
	ebr_limits limits;
	outcome_status status = replay_remaining(l, &limits, out);

	if (status != OUTCOME_OK)
		return status;
	replay_look_out(l, slot, &problem, &outlook);
	memset(command, 0, sizeof(*command));
	ebr_rule_idle(l->in->pev.capacity_kwh, &command->rule[EBR_PEV]);
	return ebr_command_rule(&problem, EBR_ESS, NULL, &outlook, &limits, &command->rule[EBR_ESS],
	                        &command->expected_kw, out);
}

static void run_uncontrolled(replay_loop *l, ebr_replay_way way, int slot, int first, int end)
{
	const double capacity = l->in->store.capacity_kwh, net_kw = l->in->net_kw[slot];
	const ebr_rule naive = {.surplus_charge_kwh = capacity, .export_kwh = capacity};
	double pev_kw = 0;

	for (int k = first; k < end; k++) {
		if (l->stay[k].plugged_at >= slot)
			replay_arrive(l, way, k);
		pev_kw += replay_run_pev(l, way, replay_at_once(l, way, k, slot));
		replay_leave(l, way, k, slot);
	}
	replay_execute(l, way, slot,
	               way == EBR_REPLAY_NONE ? 0 : ess_power(l, way, &naive, net_kw + pev_kw), pev_kw);
}

static void keep_rules(const replay_loop *l, int slot, const replay_command *ess,
                       const replay_command *pev)
{
	const int at = slot - l->in->first;

	if (l->result->rule)
		l->result->rule[at] = ess->rule[EBR_ESS];
	if (l->result->pev_rule)
		l->result->pev_rule[at] = pev->rule[EBR_PEV];
}

/* The PEV first, the ESS at its plan; then the ESS, beside what the PEV does. command holds what
 * the ESS has without a PEV, and is replaced for one that is there at the slot's start. */
static outcome_status run_controlled(replay_loop *l, ebr_replay_way way, int slot, int first,
                                     int end, replay_command command, outcome *out)
{
	const bool measures = way == EBR_REPLAY_RULE;
	replay_command pev = command;
	double pev_kw = 0, net_kw;

	for (int k = first; k < end; k++) {
		const bool comes = l->stay[k].plugged_at > slot;
		outcome_status status;

		if (l->stay[k].plugged_at >= slot)
			replay_arrive(l, way, k);
		status = replay_command_both(l, way, slot, k, &pev, out);
		if (status != OUTCOME_OK)
			return status;
		if (!comes)
			command = pev;
		net_kw = (measures ? l->in->net_kw[slot] : pev.expected_kw) + pev.planned_kw[EBR_ESS];
		pev_kw += replay_run_pev(l, way, replay_pev_power(l, way, slot, k, &pev, net_kw));
		replay_leave(l, way, k, slot);
	}
	net_kw =
	    measures ? l->in->net_kw[slot] + pev_kw : command.expected_kw + command.planned_kw[EBR_PEV];
	replay_execute(l, way, slot, ess_power(l, way, &command.rule[EBR_ESS], net_kw), pev_kw);
	if (measures)
		keep_rules(l, slot, &command, &pev);
	return OUTCOME_OK;
}

static outcome_status run_slot(replay_loop *l, int slot, int first, int end, outcome *out)
{
	replay_command command = {.expected_kw = 0};
	outcome_status status = OUTCOME_OK;

	/* A PEV that is there from the start brings a command for both. */
	if (first == end || l->stay[first].plugged_at > slot)
		status = command_ess(l, slot, &command, out);
	if (status != OUTCOME_OK)
		return status;
	run_uncontrolled(l, EBR_REPLAY_NONE, slot, first, end);
	run_uncontrolled(l, EBR_REPLAY_NAIVE, slot, first, end);
	status = run_controlled(l, EBR_REPLAY_SETPOINT, slot, first, end, command, out);
	if (status == OUTCOME_OK)
		status = run_controlled(l, EBR_REPLAY_RULE, slot, first, end, command, out);
	return status;
}

static void skip(replay_loop *l, int slot, int first, int end)
{
	replay_command idle = {.expected_kw = 0};

	for (int way = 0; way < EBR_REPLAY_PERFECT; way++) {
		for (int k = first; k < end; k++) {
			if (l->stay[k].plugged_at >= slot)
				replay_arrive(l, way, k);
			replay_leave(l, way, k, slot);
		}
		replay_execute(l, way, slot, 0, 0);
	}
	ebr_rule_idle(l->in->store.capacity_kwh, &idle.rule[EBR_ESS]);
	ebr_rule_idle(l->in->pev.capacity_kwh, &idle.rule[EBR_PEV]);
	keep_rules(l, slot, &idle, &idle);
	l->result->skipped++;
}

static outcome_status run_forward(replay_loop *l, outcome *out)
{
	int first = 0;

	for (int slot = 0; slot < l->in->slots; slot++) {
		const int end = replay_stays_of(l, slot, &first);
		outcome_status status = OUTCOME_OK;

		if (slot >= l->in->first && !replay_is_billed(l, slot))
			skip(l, slot, first, end);
		else if (slot >= l->in->first)
			status = run_slot(l, slot, first, end, out);
		if (status != OUTCOME_OK)
			return status;
		if (!isnan(l->in->net_kw[slot])) {
			l->demand_sum += l->in->net_kw[slot];
			l->measured++;
		}
	}
	return OUTCOME_OK;
}

static outcome_status check_series(const char *name, const double *series, int slots, outcome *out)
{
	for (int t = 0; series && t < slots; t++)
		if (isinf(series[t]))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "%s is infinite in slot %d", name, t + 1);
	return OUTCOME_OK;
}

static outcome_status check_tube(const ebr_replay_input *in, outcome *out)
{
	const double *low = in->profile_low_kw, *high = in->profile_high_kw;

	for (int t = 0; t < in->slots; t++) {
		if (low && high && low[t] > high[t])
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "profile_low_kw %g is above profile_high_kw %g in slot %d", low[t],
			                   high[t], t + 1);
		if ((in->penalty_low_eur_per_kwh && !(in->penalty_low_eur_per_kwh[t] >= 0)) ||
		    (in->penalty_high_eur_per_kwh && !(in->penalty_high_eur_per_kwh[t] >= 0)))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "a penalty is not a number of at least 0 in slot %d", t + 1);
	}
	if (check_series("profile_low_kw", low, in->slots, out) != OUTCOME_OK ||
	    check_series("profile_high_kw", high, in->slots, out) != OUTCOME_OK ||
	    check_series("penalty_low_eur_per_kwh", in->penalty_low_eur_per_kwh, in->slots, out) !=
	        OUTCOME_OK)
		return out->status;
	return check_series("penalty_high_eur_per_kwh", in->penalty_high_eur_per_kwh, in->slots, out);
}

static outcome_status check_stays(const ebr_replay_input *in, outcome *out)
{
	for (int k = 0; k < in->stays; k++) {
		const ebr_replay_stay *s = &in->stay[k];

		if (!isfinite(s->plugged_at) || !(s->unplugged_at >= s->plugged_at) ||
		    !(s->departs_at >= s->plugged_at) ||
		    (k > 0 && s->plugged_at < in->stay[k - 1].unplugged_at))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
			                   "It leaves no sooner than it came, and came after the one before "
			                   "had left.",
			                   "stay %d of the PEV, from slot %g to slot %g, is no stay", k + 1,
			                   s->plugged_at + 1, s->unplugged_at + 1);
		if (!isfinite(s->arrival_kwh) ||
		    (!isnan(s->target_kwh) &&
		     !(s->target_kwh >= 0 && s->target_kwh <= in->pev.capacity_kwh)))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
			                   "A target is from 0 to the capacity, or left out to ask for a full "
			                   "store.",
			                   "stay %d of the PEV arrives with %g kWh and wants %g kWh", k + 1,
			                   s->arrival_kwh, s->target_kwh);
	}
	return OUTCOME_OK;
}

static outcome_status check_home(const replay_loop *l, outcome *out)
{
	const ebr_replay_input *in = l->in;
	const double nothing = 0;
	ebr_problem problem = {.slots = 1,
	                       .slot_hours = l->slot_hours,
	                       .demand_kw = &nothing,
	                       .energy_eur_per_kwh = &nothing,
	                       .contract_min_kw = in->contract_min_kw,
	                       .contract_max_kw = in->contract_max_kw};

	if (in->slots_per_day < 24 || in->slots_per_day > 1440 || in->first < 0 ||
	    in->first >= in->slots || in->phase < 0 || in->phase >= 7 * in->slots_per_day)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "A day has 24 to 1440 slots, a phase is a slot of the week, and at "
		                   "least one slot is replayed.",
		                   "%d slots from slot %d on, %d a day, from phase %d on, are no replay",
		                   in->slots, in->first + 1, in->slots_per_day, in->phase);
	for (int t = 0; in->known_until && t < in->slots; t++)
		if (in->known_until[t] <= t || (t > 0 && in->known_until[t] < in->known_until[t - 1]))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "known_until is %d in slot %d: too early", in->known_until[t],
			                   t + 1);
	problem.store[EBR_ESS] = in->store;
	problem.store[EBR_ESS].plugged_hours = INFINITY;
	problem.store[EBR_PEV] = in->pev;
	problem.store[EBR_PEV].plugged_hours = INFINITY;
	problem.store[EBR_PEV].soc_kwh = 0;
	problem.store[EBR_PEV].target_kwh = problem.store[EBR_PEV].terminal_value_eur_per_kwh = NAN;
	if (check_series("net_kw", in->net_kw, in->slots, out) != OUTCOME_OK ||
	    check_series("import_eur_per_kwh", in->import_eur_per_kwh, in->slots, out) != OUTCOME_OK ||
	    check_series("export_eur_per_kwh", in->export_eur_per_kwh, in->slots, out) != OUTCOME_OK ||
	    check_series("co2_eur_per_kwh", in->co2_eur_per_kwh, in->slots, out) != OUTCOME_OK ||
	    check_tube(in, out) != OUTCOME_OK || check_stays(in, out) != OUTCOME_OK)
		return out->status;
	return ebr_check(&problem, out);
}

/* Keeps the caller's arrays. */
static void clear(ebr_replay_result *r)
{
	ebr_replay_result empty = {.rule = r->rule, .pev_rule = r->pev_rule};

	memcpy(empty.power_kw, r->power_kw, sizeof(empty.power_kw));
	memcpy(empty.soc_kwh, r->soc_kwh, sizeof(empty.soc_kwh));
	memcpy(empty.pev_power_kw, r->pev_power_kw, sizeof(empty.pev_power_kw));
	memcpy(empty.pev_soc_kwh, r->pev_soc_kwh, sizeof(empty.pev_soc_kwh));
	*r = empty;
}

/* The stays that are replayed. */
static void choose_stays(replay_loop *l)
{
	const ebr_replay_input *in = l->in;

	for (int k = 0; k < in->stays && in->pev.capacity_kwh > 0; k++) {
		ebr_replay_stay *s = &l->stay[l->stays];

		*s = in->stay[k];
		if (s->plugged_at < in->first || s->unplugged_at > in->slots ||
		    s->unplugged_at <= s->plugged_at)
			continue;
		if (isnan(s->target_kwh))
			s->target_kwh = in->pev.capacity_kwh;
		l->stays++;
	}
	l->result->stays = l->stays;
}

outcome_status ebr_replay(const ebr_replay_input *input, const ebr_limits *limits,
                          ebr_replay_result *result, outcome *out)
{
	const double started = ebr_clock_seconds();
	replay_loop l = {.in = input, .limits = limits, .result = result};
	outcome_status status;

	clear(result);
	l.deadline = limits->seconds > 0 ? started + limits->seconds : INFINITY;
	l.slot_hours = 24.0 / input->slots_per_day;
	status = check_home(&l, out);
	if (status != OUTCOME_OK)
		return status;
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		l.soc[way] = fmin(fmax(input->store.soc_kwh, 0), input->store.capacity_kwh);
	l.expected_kw = malloc((size_t)input->slots * sizeof(double));
	l.forecast =
	    malloc((size_t)(1 + PRICE_DAY_BACK) * (size_t)input->slots_per_day * sizeof(double));
	l.stay = calloc((size_t)input->stays + 1, sizeof(*l.stay));
	if (l.expected_kw && l.forecast && l.stay && replay_make_room(&l)) {
		choose_stays(&l);
		status = run_forward(&l, out);
	} else {
		status = outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the replay ran out of memory");
	}
	if (status == OUTCOME_OK)
		status = replay_plan_perfect(&l, out);
	free(l.expected_kw);
	free(l.forecast);
	free(l.stay);
	free(l.numbers);
	free(l.phases);
	if (status != OUTCOME_OK)
		return status;
	replay_sum_up(&l);
	result->seconds = ebr_clock_seconds() - started;
	return OUTCOME_OK;
}
