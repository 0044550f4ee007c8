/*
 * The replay with a PEV: commands know what was announced and never what came,
 * limits, steps and targets are kept, bills follow from the powers, and nothing beats
 * perfect foresight by more than it says.
 */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/replay.h"

#include <stdlib.h>

enum { DAY = 24, SLOTS = 22 * DAY, FIRST = 15 * DAY, REPLAYED = SLOTS - FIRST, MOST_STAYS = 40 };

typedef struct record {
	double net[SLOTS], import[SLOTS], export[SLOTS], co2[SLOTS];
	double low[SLOTS], high[SLOTS], penalty[SLOTS];
	int known[SLOTS];
	ebr_replay_stay stay[MOST_STAYS];
	double power[EBR_REPLAY_WAYS][SLOTS], soc[EBR_REPLAY_WAYS][SLOTS];
	double pev_power[EBR_REPLAY_WAYS][SLOTS], pev_soc[EBR_REPLAY_WAYS][SLOTS];
	ebr_rule rule[SLOTS], pev_rule[SLOTS];
	ebr_replay_input input;
	ebr_replay_result result;
} record;

/* A home with both stores and one stay a night, punctual, from 17:30 to 7:15. */
static void open_record(record *r, uint64_t seed)
{
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
		r->result.pev_power_kw[way] = r->pev_power[way];
		r->result.pev_soc_kwh[way] = r->pev_soc[way];
	}
	r->result.rule = r->rule;
	r->result.pev_rule = r->pev_rule;
	r->input = (ebr_replay_input){.slots = SLOTS,
	                              .first = FIRST,
	                              .slots_per_day = DAY,
	                              .net_kw = r->net,
	                              .import_eur_per_kwh = r->import,
	                              .export_eur_per_kwh = r->export,
	                              .known_until = r->known,
	                              .contract_min_kw = -INFINITY,
	                              .contract_max_kw = INFINITY,
	                              .store = {6, -2, 2.5, 0.9, 1, INFINITY, NAN, NAN, 0},
	                              .pev = {40, 0, 7.4, 0.9, 0, INFINITY, NAN, NAN, 0},
	                              .stay = r->stay};
	for (int day = 0; day < REPLAYED / DAY - 1; day++) {
		double start = FIRST + day * DAY + 17.5;

		r->stay[r->input.stays++] =
		    (ebr_replay_stay){start, start + 13.75, start + 13.75, between(&seed, 22, 36), NAN};
	}
}

static outcome_status replay(record *r)
{
	const ebr_limits limits = {0};
	outcome out = {.message = ""};
	outcome_status status = ebr_replay(&r->input, &limits, &r->result, &out);

	if (status != OUTCOME_OK)
		printf("# %s\n", out.message);
	return status;
}

/* Stays of any length, punctual or not, some within a slot, several in one. */
static void random_stays(record *r, bool punctual, uint64_t *seed)
{
	double at = FIRST + between(seed, -3, 6);

	for (r->input.stays = 0; r->input.stays < MOST_STAYS && at < SLOTS;) {
		double stays = chance(seed) < 0.3 ? between(seed, 0.1, 2) : between(seed, 2, 30);
		ebr_replay_stay *s = &r->stay[r->input.stays++];

		*s = (ebr_replay_stay){at, at + stays, at + stays, between(seed, -1, 40),
		                       chance(seed) < 0.5 ? NAN : between(seed, 10, 40)};
		if (!punctual && chance(seed) < 0.5)
			s->departs_at = chance(seed) < 0.2 ? INFINITY : at + stays * between(seed, 0, 2);
		at = s->unplugged_at + (chance(seed) < 0.2 ? between(seed, 0, 0.4) : between(seed, 1, 20));
	}
}

static bool same_command(const record *a, const record *b, int k)
{
	const ebr_rule *x = &a->pev_rule[k], *y = &b->pev_rule[k];
	bool same = x->grid_charge_kwh == y->grid_charge_kwh &&
	            x->surplus_charge_kwh == y->surplus_charge_kwh &&
	            x->cover_demand_kwh == y->cover_demand_kwh && x->export_kwh == y->export_kwh;

	x = &a->rule[k];
	y = &b->rule[k];
	return same && x->grid_charge_kwh == y->grid_charge_kwh &&
	       x->cover_demand_kwh == y->cover_demand_kwh;
}

/* What is commanded in a slot may not change with anything that was not known at its start; what is
 * executed, only with what is measured in it. */
static void nothing_ahead_is_read(void)
{
	static record whole, poisoned;
	int different = 0, executed = 0, changed = 0;

	open_record(&whole, 20);
	whole.input.pev.min_kw = -5;
	ok(replay(&whole) == OUTCOME_OK, "a home with a PEV is replayed");
	for (int moment = FIRST + 16; moment < FIRST + 3 * DAY; moment += 3) {
		open_record(&poisoned, 20);
		poisoned.input.pev.min_kw = -5;
		for (int t = moment + 1; t < SLOTS; t++) {
			poisoned.net[t] = t % 2 ? NAN : 50;
			if (t >= whole.known[moment])
				poisoned.import[t] = poisoned.export[t] = t % 5 ? 7 : NAN;
		}
		for (int k = 0; k < poisoned.input.stays; k++) {
			ebr_replay_stay *s = &poisoned.stay[k];

			if (s->unplugged_at > moment + 1)
				s->unplugged_at = s->plugged_at > moment + 1 ? s->unplugged_at - 2 : moment + 1;
			if (s->plugged_at > moment + 1)
				s->arrival_kwh = 1;
		}
		replay(&poisoned);
		for (int k = 0; k <= moment - FIRST; k++) {
			different += !same_command(&whole, &poisoned, k);
			for (int way = EBR_REPLAY_SETPOINT; way <= EBR_REPLAY_RULE; way++)
				executed += whole.pev_power[way][k] != poisoned.pev_power[way][k] ||
				            whole.power[way][k] != poisoned.power[way][k];
		}
		for (int k = moment + 1 - FIRST; k < REPLAYED; k++)
			changed += !same_command(&whole, &poisoned, k);
	}
	ok(different == 0, "commands are the same whatever comes later (%d differ)", different);
	ok(executed == 0, "and so is what was done by then (%d differ)", executed);
	ok(changed > 0, "later commands do change");
}

/* The bill of a way from its powers. */
static double bill_of(const record *r, int way, double *outside_kwh)
{
	double bill = 0;

	*outside_kwh = 0;
	for (int t = FIRST; t < SLOTS; t++) {
		double grid = r->net[t] + r->power[way][t - FIRST] + r->pev_power[way][t - FIRST];
		double outside = fmax(grid - r->high[t], 0) + fmax(r->low[t] - grid, 0);

		bill += grid * (grid > 0 ? r->import : r->export)[t] + outside * r->penalty[t];
		*outside_kwh += outside;
	}
	return bill;
}

static void bills_add_up(void)
{
	static record r;
	double off = 0, contract_off = 0;

	open_record(&r, 21);
	for (int t = 0; t < SLOTS; t++) {
		r.low[t] = -1;
		r.high[t] = 3;
		r.penalty[t] = 0.2;
		r.co2[t] = 0.01 * (t % 7);
	}
	r.input.profile_low_kw = r.low;
	r.input.profile_high_kw = r.high;
	r.input.penalty_low_eur_per_kwh = r.input.penalty_high_eur_per_kwh = r.penalty;
	r.input.co2_eur_per_kwh = r.co2;
	r.input.contract_max_kw = 6;
	replay(&r);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		double outside, bill = bill_of(&r, way, &outside), contract = 0, co2 = 0;

		for (int k = 0; k < REPLAYED; k++) {
			double grid = r.net[FIRST + k] + r.power[way][k] + r.pev_power[way][k];

			contract += fmax(grid - 6, 0);
			co2 += r.co2[FIRST + k] * grid;
		}
		off = fmax(off, fabs(bill - r.result.bill_eur[way]));
		off = fmax(off, fabs(outside - r.result.outside_kwh[way]));
		off = fmax(off, fabs(0.2 * outside - r.result.distribution_eur[way]));
		off = fmax(off, fabs(co2 - r.result.co2_eur[way]));
		off = fmax(off, fabs(bill + r.result.missed_eur[way] -
		                     r.result.left_eur_per_kwh * r.result.left_kwh[way] -
		                     r.result.cost_eur[way]));
		contract_off = fmax(contract_off, fabs(contract - r.result.contract_kwh[way]));
	}
	ok(off < 1e-6, "bills, CO2 and penalties follow from the powers of every way (%g)", off);
	ok(contract_off < 1e-6, "and so does the energy outside the contract (%g)", contract_off);
	ok(r.result.contract_kwh[EBR_REPLAY_NONE] > 1, "charging at once breaks the contract");
	ok(r.result.contract_kwh[EBR_REPLAY_RULE] < 1e-6, "the rule does not (%g kWh)",
	   r.result.contract_kwh[EBR_REPLAY_RULE]);
	ok(r.result.distribution_eur[EBR_REPLAY_RULE] <
	       0.5 * r.result.distribution_eur[EBR_REPLAY_NONE],
	   "the rule minds the tube (%g of %g EUR)", r.result.distribution_eur[EBR_REPLAY_RULE],
	   r.result.distribution_eur[EBR_REPLAY_NONE]);
}

/* Power beyond what the PEV's plug, limits and step allow; stored energy beyond its capacity. */
static double worst_of(const record *r, int way)
{
	const ebr_store *pev = &r->input.pev;
	double worst = 0;

	for (int k = 0; k < REPLAYED; k++) {
		double power = r->pev_power[way][k], share = 0;

		for (int i = 0; i < r->input.stays; i++)
			if (r->stay[i].plugged_at >= FIRST && r->stay[i].unplugged_at <= SLOTS)
				share += fmax(fmin(r->stay[i].unplugged_at, FIRST + k + 1) -
				                  fmax(r->stay[i].plugged_at, FIRST + k),
				              0);
		worst = fmax(worst, fmax(power - pev->max_kw * share, pev->min_kw * share - power));
		worst = fmax(worst, fmax(r->pev_soc[way][k] - pev->capacity_kwh, -r->pev_soc[way][k]));
	}
	return worst;
}

static void limits_and_steps_are_kept(void)
{
	static record r;
	uint64_t seed = 22;
	double worst = 0, least = 0;
	int broken = 0, ran = 0;

	for (int number = 0; number < 12; number++) {
		open_record(&r, seed + (uint64_t)number);
		random_stays(&r, false, &seed);
		r.input.pev.min_kw = number % 2 ? -5 : 0;
		replay(&r);
		for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
			worst = fmax(worst, worst_of(&r, way));
			for (int k = 0; number % 2 == 0 && k < REPLAYED; k++)
				least = fmin(least, r.pev_power[way][k]);
		}
	}
	ok(worst < 1e-9, "no way leaves the plug's, the PEV's or its battery's limits (%g)", worst);
	ok(least == 0, "a PEV that may not is never discharged (%g)", least);
	for (int number = 0; number < 4; number++) {
		open_record(&r, 40 + (uint64_t)number);
		r.input.pev.min_step_kw = 1.4;
		r.input.pev.min_kw = number % 2 ? -5 : 0;
		for (int i = 0; i < r.input.stays; i++) {
			r.stay[i].plugged_at = floor(r.stay[i].plugged_at);
			r.stay[i].departs_at = r.stay[i].unplugged_at = ceil(r.stay[i].departs_at);
		}
		replay(&r);
		for (int way = EBR_REPLAY_SETPOINT; way <= EBR_REPLAY_PERFECT; way++)
			for (int k = 0; k < REPLAYED; k++) {
				ran += r.pev_power[way][k] != 0;
				broken += r.pev_power[way][k] != 0 && fabs(r.pev_power[way][k]) < 1.4 * (1 - 1e-4);
			}
	}
	ok(broken == 0 && ran > 100, "the least power is kept (%d of %d)", broken, ran);
}

static void targets_are_met(void)
{
	static record r;
	uint64_t seed = 23;
	double off = 0, possible = 0;

	open_record(&r, 23);
	replay(&r);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		off = fmax(off, r.result.missed_kwh[way]);
	ok(r.result.stays == 6 && off < 1e-6, "nights are long enough for every way (%g kWh)", off);
	off = 0;
	for (int number = 0; number < 12; number++) {
		open_record(&r, 50 + (uint64_t)number);
		random_stays(&r, true, &seed);
		r.input.pev.min_kw = number % 2 ? -5 : 0;
		replay(&r);
		possible += r.result.missed_kwh[EBR_REPLAY_NONE];
		for (int way = EBR_REPLAY_SETPOINT; way < EBR_REPLAY_WAYS; way++)
			off = fmax(off, fabs(r.result.missed_kwh[way] - r.result.missed_kwh[EBR_REPLAY_NONE]));
	}
	ok(off < 1e-6,
	   "who leaves as announced misses what could not be charged, no more (%g of %g kWh)", off,
	   possible);
}

static void early_and_overdue(void)
{
	static record r;
	double arrival, missed;

	open_record(&r, 24);
	r.input.stays = 1;
	r.stay[0].unplugged_at = r.stay[0].plugged_at + 1;
	arrival = r.stay[0].arrival_kwh;
	replay(&r);
	missed = 40 - arrival - 7.4 * sqrt(0.9);
	close_to(r.result.missed_kwh[EBR_REPLAY_NONE], fmax(missed, 0), 1e-9,
	         "one that leaves early lacks what it had no time for");
	ok(r.result.missed_kwh[EBR_REPLAY_RULE] >= fmax(missed, 0) - 1e-9, "and more by the rule");
	close_to(r.result.missed_kwh[EBR_REPLAY_PERFECT], fmax(missed, 0), 1e-9,
	         "foresight knew that it would");
	ok(r.result.cost_eur[EBR_REPLAY_PERFECT] <= r.result.cost_eur[EBR_REPLAY_RULE],
	   "what is missed saves nobody money");
	open_record(&r, 24);
	r.input.stays = 1;
	r.stay[0].departs_at = r.stay[0].plugged_at + 1;
	r.stay[0].arrival_kwh = 20;
	replay(&r);
	close_to(r.result.missed_kwh[EBR_REPLAY_RULE], 0, 1e-9, "one that is overdue is still charged");
	ok(r.pev_power[EBR_REPLAY_RULE][17] > 0 && r.pev_power[EBR_REPLAY_RULE][19] > 0,
	   "at once, as it may leave at any time");
	open_record(&r, 24);
	r.input.stays = 1;
	r.stay[0].arrival_kwh = 45;
	replay(&r);
	ok(r.pev_power[EBR_REPLAY_RULE][20] == 0 && r.pev_soc[EBR_REPLAY_RULE][20] == 40,
	   "one that arrives full, as read, is left alone");
}

static void foresight_is_best(void)
{
	static record r;
	uint64_t seed = 25;
	double worst = -INFINITY, excess = 0;

	for (int number = 0; number < 24; number++) {
		open_record(&r, 70 + (uint64_t)number);
		random_stays(&r, number % 3 == 0, &seed);
		r.input.pev.min_kw = number % 2 ? -5 : 0;
		r.input.pev.min_step_kw = number % 4 == 2 ? 1.4 : 0;
		if (number % 5 == 0)
			r.input.store.capacity_kwh = 0;
		for (int t = 0; number % 6 == 1 && t < SLOTS; t++) {
			r.import[t] -= 0.2;
			r.export[t] -= 0.2;
		}
		replay(&r);
		for (int way = 0; way < EBR_REPLAY_PERFECT; way++)
			worst = fmax(worst, r.result.cost_eur[EBR_REPLAY_PERFECT] - r.result.cost_eur[way] -
			                        r.result.perfect_excess_eur);
		if (r.input.pev.min_step_kw == 0 && number % 6 != 1)
			excess = fmax(excess, r.result.perfect_excess_eur);
	}
	ok(worst <= 1e-6, "nothing beats perfect foresight by more than it says (%g EUR)", worst);
	ok(excess < 0.1, "without least powers and prices below 0 it is proved to some cents (%g EUR)",
	   excess);
}

static void ess_alone_is_as_before(void)
{
	static record alone, with;
	int different = 0;

	open_record(&alone, 26);
	alone.input.stays = 0;
	alone.input.pev = (ebr_store){.capacity_kwh = 0};
	replay(&alone);
	open_record(&with, 26);
	with.stay[0] = (ebr_replay_stay){2, 9, 9, 30, NAN};
	with.stay[1] = (ebr_replay_stay){SLOTS - 3, SLOTS + 3, SLOTS + 3, 30, NAN};
	with.input.stays = 2;
	replay(&with);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		different += alone.result.cost_eur[way] != with.result.cost_eur[way];
		for (int k = 0; k < REPLAYED; k++)
			different += alone.power[way][k] != with.power[way][k];
	}
	ok(different == 0, "without a stay in the slots replayed the ESS does what it did (%d differ)",
	   different);
	ok(with.result.stays == 0, "stays that are not wholly inside are left out");
}

static void gaps_are_skipped(void)
{
	static record r;
	int ran = 0;

	open_record(&r, 27);
	for (int t = FIRST + 20; t < FIRST + 29; t++)
		r.net[t] = NAN;
	ok(replay(&r) == OUTCOME_OK, "gaps in a stay are replayed");
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		for (int k = 20; k < 29; k++)
			ran += r.pev_power[way][k] != 0;
	ok(ran == 0, "and no PEV charges in them");
	close_to(r.result.missed_kwh[EBR_REPLAY_PERFECT], r.result.missed_kwh[EBR_REPLAY_NONE], 1e-9,
	         "foresight uses the rest");
}

/* Four months of quarter-hours are planned in parts, and a stay may be in both. */
static void long_spans_are_planned(void)
{
	enum { QUARTERS = 96, LONG = 130 * QUARTERS, BEGIN = LONG - 120 * QUARTERS };
	double *series = malloc(3 * LONG * sizeof(double)), bill = 0;
	ebr_replay_stay stay[4] = {{0}};
	ebr_replay_input input = {.slots = LONG,
	                          .first = BEGIN,
	                          .slots_per_day = QUARTERS,
	                          .net_kw = series,
	                          .import_eur_per_kwh = series + LONG,
	                          .export_eur_per_kwh = series + 2 * LONG,
	                          .contract_min_kw = -INFINITY,
	                          .contract_max_kw = INFINITY,
	                          .store = {0, 0, 0, 1, 0, INFINITY, NAN, NAN, 0},
	                          .pev = {40, 0, 4, 1, 0, INFINITY, NAN, NAN, 0},
	                          .stays = 4,
	                          .stay = stay};
	ebr_replay_result result = {0};
	const ebr_limits limits = {0};
	outcome out;

	for (int t = 0; t < LONG; t++) {
		series[t] = 1;
		series[LONG + t] = t % QUARTERS < 48 ? 0.1 : 0.3;
		series[2 * LONG + t] = 0;
		bill += t >= input.first ? series[LONG + t] / 4 : 0;
	}
	/* across the end of what is executed of the first part, within the overlap, across its end */
	for (int k = 0; k < 4; k++) {
		double from = BEGIN + 10000 - (3 - k) * 7 * QUARTERS - 100.5;

		stay[k] = (ebr_replay_stay){from, from + 200, from + 200, 28, NAN};
	}
	ok(ebr_replay(&input, &limits, &result, &out) == OUTCOME_OK && result.stays == 4,
	   "a long span with a PEV is replayed");
	close_to(result.cost_eur[EBR_REPLAY_PERFECT], bill + 4 * 12 * 0.1, 1e-9,
	         "every stay of it is charged once, where it is cheap");
	close_to(result.perfect_excess_eur, 0, 1e-6, "and that is proved");
	free(series);
}

static void nonsense_is_refused(void)
{
	static record r;

	open_record(&r, 28);
	r.stay[1].plugged_at = r.stay[0].unplugged_at - 1;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "stays that overlap are refused");
	open_record(&r, 28);
	r.stay[0].arrival_kwh = NAN;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "a stay without a state of charge is refused");
	open_record(&r, 28);
	r.stay[0].target_kwh = 50;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "a target beyond the capacity is refused");
	open_record(&r, 28);
	r.input.pev.max_kw = -1;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "nonsense about the PEV is refused");
	open_record(&r, 28);
	r.input.profile_low_kw = r.net;
	r.input.profile_high_kw = r.export;
	ok(replay(&r) == OUTCOME_BAD_INPUT, "a tube upside down is refused");
}

static bool stop(void *argument)
{
	return --*(int *)argument < 0;
}

static void limits_are_kept(void)
{
	static record r;
	int ended = 0, polls;
	outcome out;

	for (int allowed = 1; allowed < 60000; allowed *= 4) {
		const ebr_limits interrupt = {.interrupted = stop, .interrupted_argument = &polls};
		outcome_status status;

		open_record(&r, 29);
		polls = allowed;
		status = ebr_replay(&r.input, &interrupt, &r.result, &out);
		ended += status == OUTCOME_INTERRUPTED || (status == OUTCOME_OK && polls >= 0);
	}
	ok(ended == 8, "a replay can be interrupted at any time (%d of 8)", ended);
	open_record(&r, 29);
	ok(ebr_replay(&r.input, &(ebr_limits){.seconds = 2e-3}, &r.result, &out) == OUTCOME_TIME_LIMIT,
	   "and keeps its time limit");
}

int main(void)
{
	nothing_ahead_is_read();
	bills_add_up();
	limits_and_steps_are_kept();
	targets_are_met();
	early_and_overdue();
	foresight_is_best();
	ess_alone_is_as_before();
	gaps_are_skipped();
	long_spans_are_planned();
	nonsense_is_refused();
	limits_are_kept();
	return tap_done();
}
