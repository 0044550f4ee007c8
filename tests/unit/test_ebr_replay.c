/*
 * The replay: it bills what was measured, never looks ahead, keeps the store
 * inside its limits and orders the ways to run it as they must be.
 */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/replay.h"

#include <stdlib.h>

enum { DAY = 24, SLOTS = 20 * DAY, FIRST = 15 * DAY };

typedef struct record {
	double net[SLOTS], import[SLOTS], export[SLOTS];
	int known[SLOTS];
	double power[EBR_REPLAY_WAYS][SLOTS], soc[EBR_REPLAY_WAYS][SLOTS];
	ebr_rule rule[SLOTS];
	ebr_replay_input input;
	ebr_replay_result result;
} record;

/* Random demand and sun, prices published at 13:00 for the next day. */
static void open_record(record *r)
{
	uint64_t seed = 20;

	memset(r, 0, sizeof(*r));
	for (int t = 0; t < SLOTS; t++) {
		int hour = t % DAY;

		r->net[t] = between(&seed, 0.1, hour > 16 ? 2 : 0.8);
		r->net[t] -= hour > 8 && hour < 17 ? between(&seed, 0, 3) : 0;
		r->export[t] = 0.1 + 0.05 * cos((hour - 19) / 12.0 * M_PI) + between(&seed, -0.03, 0.03);
		r->import[t] = r->export[t] + 0.15;
		r->known[t] = t - hour + (hour >= 13 ? 2 : 1) * DAY;
	}
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		r->result.power_kw[way] = r->power[way];
		r->result.soc_kwh[way] = r->soc[way];
	}
	r->result.rule = r->rule;
	r->input = (ebr_replay_input){.slots = SLOTS,
	                              .first = FIRST,
	                              .slots_per_day = DAY,
	                              .net_kw = r->net,
	                              .import_eur_per_kwh = r->import,
	                              .export_eur_per_kwh = r->export,
	                              .known_until = r->known,
	                              .contract_min_kw = -INFINITY,
	                              .contract_max_kw = INFINITY,
	                              .store = {6, -2, 2.5, 0.9, 1, INFINITY, NAN, NAN, 0}};
}

static outcome_status replay(record *r)
{
	const ebr_limits limits = {0};
	outcome out;

	return ebr_replay(&r->input, &limits, &r->result, &out);
}

static void bills_add_up(void)
{
	static record r;
	double off = 0, worst = 0;

	open_record(&r);
	ok(replay(&r) == OUTCOME_OK, "a home is replayed");
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		double bill = 0, soc = 1;

		for (int t = 0; t < SLOTS - FIRST; t++) {
			double power = r.power[way][t], grid = r.net[FIRST + t] + power;

			bill += grid * (grid > 0 ? r.import : r.export)[FIRST + t];
			soc += power > 0 ? power * sqrt(0.9) : power / sqrt(0.9);
			off = fmax(off, fabs(soc - r.soc[way][t]));
			worst = fmax(worst, fmax(power - 2.5, -2 - power));
			worst = fmax(worst, fmax(soc - 6, -soc));
		}
		off = fmax(off, fabs(bill - r.result.bill_eur[way]));
		off = fmax(off, fabs(bill - r.result.left_eur_per_kwh * soc - r.result.cost_eur[way]));
	}
	ok(off < 1e-6, "bills and stored energy follow from the powers of every way (%g)", off);
	ok(worst < 1e-9, "no way leaves the store's limits (%g)", worst);
	ok(r.result.billed == SLOTS - FIRST && r.result.skipped == 0, "every slot is billed");
}

static void ways_are_in_order(void)
{
	static record r;
	const double *cost = r.result.cost_eur, *percent = r.result.saving_percent;

	open_record(&r);
	replay(&r);
	for (int way = 0; way < EBR_REPLAY_PERFECT; way++)
		ok(cost[EBR_REPLAY_PERFECT] <= cost[way] + 1e-9, "nothing beats perfect foresight (%d)",
		   way);
	ok(percent[EBR_REPLAY_RULE] > percent[EBR_REPLAY_SETPOINT], "the rule beats its set-point");
	ok(percent[EBR_REPLAY_RULE] > percent[EBR_REPLAY_NAIVE], "and the naive way");
	close_to(percent[EBR_REPLAY_NONE], 0, 1e-12, "no store saves nothing");
	close_to(percent[EBR_REPLAY_PERFECT], 100, 1e-12, "perfect foresight saves everything");
	close_to(r.result.perfect_excess_eur, 0, 1e-9, "perfect foresight is proved the best");
}

static bool same_rule(const ebr_rule *a, const ebr_rule *b)
{
	return a->grid_charge_kwh == b->grid_charge_kwh &&
	       a->surplus_charge_kwh == b->surplus_charge_kwh &&
	       a->cover_demand_kwh == b->cover_demand_kwh && a->export_kwh == b->export_kwh &&
	       a->kinks == b->kinks;
}

/* What is commanded in a slot may not change with anything that was not known at its start. */
static void nothing_ahead_is_read(void)
{
	static record whole, poisoned;
	int different = 0, moment = FIRST + 2 * DAY;

	open_record(&whole);
	replay(&whole);
	for (; moment < FIRST + 3 * DAY; moment += 5) {
		open_record(&poisoned);
		for (int t = moment; t < SLOTS; t++) {
			poisoned.net[t] = t > moment ? NAN : poisoned.net[t];
			if (t >= whole.known[moment])
				poisoned.import[t] = poisoned.export[t] = NAN;
		}
		if (replay(&poisoned) != OUTCOME_OK)
			different++;
		for (int t = FIRST; t <= moment; t++)
			if (!same_rule(&whole.rule[t - FIRST], &poisoned.rule[t - FIRST]) ||
			    whole.power[EBR_REPLAY_RULE][t - FIRST] !=
			        poisoned.power[EBR_REPLAY_RULE][t - FIRST] ||
			    whole.power[EBR_REPLAY_SETPOINT][t - FIRST] !=
			        poisoned.power[EBR_REPLAY_SETPOINT][t - FIRST])
				different++;
	}
	ok(different == 0, "commands are the same with everything later missing (%d differ)",
	   different);
	open_record(&poisoned);
	poisoned.net[moment] = 9;
	replay(&poisoned);
	ok(same_rule(&whole.rule[moment - FIRST], &poisoned.rule[moment - FIRST]),
	   "a slot's rule does not know the slot's own demand");
	different = 0;
	for (int k = moment + 1 - FIRST; k < SLOTS - FIRST; k++)
		different += !same_rule(&whole.rule[k], &poisoned.rule[k]);
	ok(different > 0, "later ones do (%d differ)", different);
}

static void gaps_are_skipped(void)
{
	static record r;
	int ran = 0;

	open_record(&r);
	for (int t = FIRST + 30; t < FIRST + 40; t++)
		r.net[t] = NAN;
	r.import[FIRST + 50] = r.export[FIRST + 50] = NAN;
	ok(replay(&r) == OUTCOME_OK, "a home with gaps is replayed");
	ok(r.result.skipped == 11 && r.result.billed == SLOTS - FIRST - 11, "gaps are not billed");
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		for (int t = 30; t < 40; t++)
			ran += r.power[way][t] != 0;
		ran += r.power[way][50] != 0;
	}
	ok(ran == 0, "nor is a store run in them");
}

/* Five months of quarter-hours are planned in parts. */
static void long_spans_are_planned(void)
{
	enum { QUARTERS = 96, LONG = 130 * QUARTERS };
	double *series = malloc(3 * LONG * sizeof(double)), bill = 0;
	ebr_replay_input input = {.slots = LONG,
	                          .first = LONG - 115 * QUARTERS,
	                          .slots_per_day = QUARTERS,
	                          .net_kw = series,
	                          .import_eur_per_kwh = series + LONG,
	                          .export_eur_per_kwh = series + 2 * LONG,
	                          .contract_min_kw = -INFINITY,
	                          .contract_max_kw = INFINITY,
	                          .store = {0, 0, 0, 1, 0, INFINITY, NAN, NAN, 0}};
	ebr_replay_result result = {0};
	const ebr_limits limits = {0};
	outcome out;

	for (int t = 0; t < LONG; t++) {
		series[t] = 1;
		series[LONG + t] = t % QUARTERS < 48 ? 0.1 : 0.3;
		series[2 * LONG + t] = 0;
		bill += t >= input.first ? series[LONG + t] / 4 : 0;
	}
	ok(ebr_replay(&input, &limits, &result, &out) == OUTCOME_OK, "a long span is replayed");
	close_to(result.cost_eur[EBR_REPLAY_PERFECT], bill, 1e-9, "every slot of it is billed once");
	ok(isnan(result.saving_percent[EBR_REPLAY_RULE]), "no store has no saving to compare");
	free(series);
}

static bool stop(void *argument)
{
	return --*(int *)argument < 0;
}

static void nonsense_and_limits(void)
{
	static record r;
	int polls = 100;
	const ebr_limits interrupt = {.interrupted = stop, .interrupted_argument = &polls};
	const ebr_limits hurry = {.seconds = 1e-4};
	outcome out;

	open_record(&r);
	ok(ebr_replay(&r.input, &interrupt, &r.result, &out) == OUTCOME_INTERRUPTED,
	   "a replay can be interrupted");
	ok(ebr_replay(&r.input, &hurry, &r.result, &out) == OUTCOME_TIME_LIMIT,
	   "a replay keeps its time limit");
	r.input.store.efficiency = 2;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "nonsense about the store is refused");
	open_record(&r);
	r.known[7] = 7;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "a slot whose price is never known is refused");
	open_record(&r);
	r.input.first = SLOTS;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "an empty replay is refused");
}

int main(void)
{
	bills_add_up();
	ways_are_in_order();
	nothing_ahead_is_read();
	gaps_are_skipped();
	long_spans_are_planned();
	nonsense_and_limits();
	return tap_done();
}
