/* See replay.h. */
#include "replay.h"
#include "../forecast/price_day.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OVERLAP_DAYS = 14 };

typedef struct loop {
	const ebr_replay_input *in;
	const ebr_limits *limits;
	ebr_replay_result *result;
	double deadline, slot_hours, root;
	double soc[EBR_REPLAY_WAYS];
	double demand_sum; /* of the slots measured so far */
	int measured;
	double *expected_kw; /* [slots]: their mean, for times of day never seen */
	double *forecast;    /* of prices after those known until forecast_slot, see price_day.h */
	int forecast_slot;
	bool forecast_made;
} loop;

static double export_price(const loop *l, int slot)
{
	return l->in->export_eur_per_kwh ? l->in->export_eur_per_kwh[slot]
	                                 : l->in->import_eur_per_kwh[slot];
}

static bool is_billed(const loop *l, int slot)
{
	return !isnan(l->in->net_kw[slot]) && !isnan(l->in->import_eur_per_kwh[slot]) &&
	       !isnan(export_price(l, slot));
}

static void execute(loop *l, ebr_replay_way way, int slot, double power_kw)
{
	const ebr_store *store = &l->in->store;
	ebr_replay_result *r = l->result;
	double gain = l->slot_hours * (power_kw > 0 ? power_kw * l->root : power_kw / l->root);

	if (is_billed(l, slot)) {
		double grid = l->in->net_kw[slot] + power_kw;
		double price = grid > 0 ? l->in->import_eur_per_kwh[slot] : export_price(l, slot);

		r->bill_eur[way] += l->slot_hours * price * grid;
		if (store->capacity_kwh > 0)
			r->cycles[way] += fmax(gain, 0) / store->capacity_kwh;
		l->soc[way] = fmin(fmax(l->soc[way] + gain, 0), store->capacity_kwh);
	}
	if (r->power_kw[way])
		r->power_kw[way][slot - l->in->first] = power_kw;
	if (r->soc_kwh[way])
		r->soc_kwh[way][slot - l->in->first] = l->soc[way];
}

static double power_of_rule(const loop *l, ebr_replay_way way, const ebr_rule *rule, double net_kw)
{
	const ebr_store *s = &l->in->store;

	return ebr_rule_power(rule, s->capacity_kwh, s->min_kw, s->max_kw, s->efficiency, l->soc[way],
	                      net_kw, l->slot_hours);
}

/* The forecast of the day after the slots whose prices are known; made anew when more are. */
static const double *price_forecast(loop *l, int known)
{
	const ebr_replay_input *in = l->in;
	const int week = 7 * in->slots_per_day;

	if (known != l->forecast_slot) {
		int weekday = (in->phase + known) % week / in->slots_per_day;

		l->forecast_made = price_day_forecast(in->import_eur_per_kwh, known, in->slots_per_day,
		                                      weekday, l->forecast);
		l->forecast_slot = known;
	}
	return l->forecast_made ? l->forecast : NULL;
}

/* The problem as it stands at a slot's start, and what is known beside it. */
static void look_out(loop *l, int slot, ebr_problem *problem, ebr_outlook *outlook)
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
	problem->export_eur_per_kwh = in->export_eur_per_kwh ? in->export_eur_per_kwh + slot : NULL;
	problem->contract_min_kw = in->contract_min_kw;
	problem->contract_max_kw = in->contract_max_kw;
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
	    .export_eur_per_kwh =
	        in->export_eur_per_kwh ? in->export_eur_per_kwh + slot - history : NULL,
	    .phase = (in->phase + slot) % week,
	    .known_slots = known - slot,
	    .forecast_eur_per_kwh = price_forecast(l, known),
	    .reveal_slot = reveal - slot,
	};
}

static outcome_status remaining(const loop *l, ebr_limits *limits, outcome *out)
{
	*limits = *l->limits;
	limits->seconds = isinf(l->deadline) ? 0 : l->deadline - ebr_clock_seconds();
	if (!isinf(l->deadline) && limits->seconds <= 0)
		return outcome_set(out, OUTCOME_TIME_LIMIT, "Allow more time, or replay fewer slots.", NULL,
		                   "the replay did not end within %g seconds", l->limits->seconds);
	return OUTCOME_OK;
}

static outcome_status command_and_execute(loop *l, int slot, outcome *out)
{
	const double capacity = l->in->store.capacity_kwh;
	const ebr_rule naive = {.surplus_charge_kwh = capacity, .export_kwh = capacity};
	const double net_kw = l->in->net_kw[slot];
	double expected_kw;
	ebr_outlook outlook;
	ebr_problem problem;
	ebr_limits limits;
	ebr_rule rule;
	outcome_status status = remaining(l, &limits, out);

	if (status != OUTCOME_OK)
		return status;
	look_out(l, slot, &problem, &outlook);
	status = ebr_command_rule(&problem, EBR_ESS, NULL, &outlook, &limits, &rule, &expected_kw, out);
	if (status != OUTCOME_OK)
		return status;
	execute(l, EBR_REPLAY_NONE, slot, 0);
	execute(l, EBR_REPLAY_NAIVE, slot, power_of_rule(l, EBR_REPLAY_NAIVE, &naive, net_kw));
	execute(l, EBR_REPLAY_SETPOINT, slot,
	        power_of_rule(l, EBR_REPLAY_SETPOINT, &rule, expected_kw));
	execute(l, EBR_REPLAY_RULE, slot, power_of_rule(l, EBR_REPLAY_RULE, &rule, net_kw));
	if (l->result->rule)
		l->result->rule[slot - l->in->first] = rule;
	return OUTCOME_OK;
}

static void skip(loop *l, int slot)
{
	for (int way = 0; way < EBR_REPLAY_PERFECT; way++)
		execute(l, way, slot, 0);
	if (l->result->rule)
		ebr_rule_idle(l->in->store.capacity_kwh, &l->result->rule[slot - l->in->first]);
	l->result->skipped++;
}

static outcome_status run_forward(loop *l, outcome *out)
{
	for (int slot = 0; slot < l->in->slots; slot++) {
		outcome_status status = OUTCOME_OK;

		if (slot >= l->in->first && !is_billed(l, slot))
			skip(l, slot);
		else if (slot >= l->in->first)
			status = command_and_execute(l, slot, out);
		if (status != OUTCOME_OK)
			return status;
		if (!isnan(l->in->net_kw[slot])) {
			l->demand_sum += l->in->net_kw[slot];
			l->measured++;
		}
	}
	return OUTCOME_OK;
}

/* The slots that are billed, one after the other. */
typedef struct record {
	int slots;
	double *net_kw, *import, *export, *co2, *power_kw;
} record;

/* Plans one part of the record from what is stored at its start. */
static outcome_status plan_part(loop *l, const record *r, int from, int slots, double *left_eur,
                                double *excess_eur, outcome *out)
{
	ebr_problem problem = {.slots = slots,
	                       .slot_hours = l->slot_hours,
	                       .demand_kw = r->net_kw + from,
	                       .energy_eur_per_kwh = r->import + from,
	                       .export_eur_per_kwh = r->export + from,
	                       .contract_min_kw = l->in->contract_min_kw,
	                       .contract_max_kw = l->in->contract_max_kw};
	ebr_solution solution = {.energy_used_eur_per_kwh = r->import + from,
	                         .export_used_eur_per_kwh = r->export + from,
	                         .co2_used_eur_per_kwh = r->co2 + from};
	ebr_limits limits;
	ebr_model model;
	outcome_status status = remaining(l, &limits, out);

	problem.store[EBR_ESS] = l->in->store;
	problem.store[EBR_ESS].soc_kwh = l->soc[EBR_REPLAY_PERFECT];
	problem.store[EBR_ESS].plugged_hours = INFINITY;
	problem.store[EBR_PEV].efficiency = 1;
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

static void execute_record(loop *l, const record *r, int *slot, int *done, int until)
{
	while (*slot < l->in->slots && (*done < until || until == r->slots)) {
		double power_kw = is_billed(l, *slot) ? r->power_kw[(*done)++] : 0;

		execute(l, EBR_REPLAY_PERFECT, (*slot)++, power_kw);
	}
}

static outcome_status run_perfect(loop *l, const record *r, outcome *out)
{
	const int overlap = OVERLAP_DAYS * l->in->slots_per_day;
	int slot = l->in->first, done = 0, until;

	do {
		int most = overlap < EBR_MAX_SLOTS / 2 ? overlap : EBR_MAX_SLOTS / 2;
		int part = r->slots - done < EBR_MAX_SLOTS ? r->slots - done : EBR_MAX_SLOTS;
		double excess;
		outcome_status status =
		    part > 0 ? plan_part(l, r, done, part, &l->result->left_eur_per_kwh, &excess, out)
		             : OUTCOME_OK;

		if (status != OUTCOME_OK)
			return status;
		l->result->perfect_excess_eur += part > 0 ? fmax(excess, 0) : 0;
		until = done + part == r->slots ? r->slots : done + part - most;
		execute_record(l, r, &slot, &done, until);
	} while (until < r->slots);
	return OUTCOME_OK;
}

static outcome_status plan_perfect(loop *l, outcome *out)
{
	const size_t room = (size_t)(l->in->slots - l->in->first);
	double *memory = malloc(5 * room * sizeof(double));
	record r = {.net_kw = memory};
	outcome_status status;

	if (!memory)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the replay ran out of memory");
	r.import = memory + room;
	r.export = memory + 2 * room;
	r.co2 = memory + 3 * room;
	r.power_kw = memory + 4 * room;
	for (int slot = l->in->first; slot < l->in->slots; slot++) {
		if (!is_billed(l, slot))
			continue;
		r.net_kw[r.slots] = l->in->net_kw[slot];
		r.import[r.slots] = l->in->import_eur_per_kwh[slot];
		r.export[r.slots++] = export_price(l, slot);
	}
	l->result->billed = r.slots;
	status = run_perfect(l, &r, out);
	free(memory);
	return status;
}

static outcome_status check_series(const char *name, const double *series, int slots, outcome *out)
{
	for (int t = 0; t < slots; t++)
		if (isinf(series[t]))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "%s is infinite in slot %d", name, t + 1);
	return OUTCOME_OK;
}

static outcome_status check(const loop *l, outcome *out)
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
	problem.store[EBR_PEV].efficiency = 1;
	if (check_series("net_kw", in->net_kw, in->slots, out) != OUTCOME_OK ||
	    check_series("import_eur_per_kwh", in->import_eur_per_kwh, in->slots, out) != OUTCOME_OK ||
	    (in->export_eur_per_kwh &&
	     check_series("export_eur_per_kwh", in->export_eur_per_kwh, in->slots, out) != OUTCOME_OK))
		return out->status;
	return ebr_check(&problem, out);
}

static void sum_up(const loop *l)
{
	ebr_replay_result *r = l->result;
	double most;

	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		r->left_kwh[way] = l->soc[way];
		r->cost_eur[way] = r->bill_eur[way] - r->left_eur_per_kwh * l->soc[way];
	}
	most = r->cost_eur[EBR_REPLAY_NONE] - r->cost_eur[EBR_REPLAY_PERFECT];
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		r->saving_percent[way] =
		    most > 1e-9 ? 100 * (r->cost_eur[EBR_REPLAY_NONE] - r->cost_eur[way]) / most : NAN;
}

/* Keeps the caller's arrays. */
static void clear(ebr_replay_result *r)
{
	ebr_replay_result empty = {.rule = r->rule};

	memcpy(empty.power_kw, r->power_kw, sizeof(empty.power_kw));
	memcpy(empty.soc_kwh, r->soc_kwh, sizeof(empty.soc_kwh));
	*r = empty;
}

outcome_status ebr_replay(const ebr_replay_input *input, const ebr_limits *limits,
                          ebr_replay_result *result, outcome *out)
{
	const double started = ebr_clock_seconds();
	loop l = {.in = input, .limits = limits, .result = result};
	outcome_status status;

	clear(result);
	l.deadline = limits->seconds > 0 ? started + limits->seconds : INFINITY;
	l.slot_hours = 24.0 / input->slots_per_day;
	status = check(&l, out);
	if (status != OUTCOME_OK)
		return status;
	l.root = sqrt(input->store.efficiency);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		l.soc[way] = fmin(fmax(input->store.soc_kwh, 0), input->store.capacity_kwh);
	l.expected_kw = malloc((size_t)input->slots * sizeof(double));
	l.forecast =
	    malloc((size_t)(1 + PRICE_DAY_BACK) * (size_t)input->slots_per_day * sizeof(double));
	if (!l.expected_kw || !l.forecast)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the replay ran out of memory");
	status = run_forward(&l, out);
	free(l.expected_kw);
	free(l.forecast);
	if (status == OUTCOME_OK)
		status = plan_perfect(&l, out);
	if (status != OUTCOME_OK)
		return status;
	sum_up(&l);
	result->seconds = ebr_clock_seconds() - started;
	return OUTCOME_OK;
}
