/* The door to EBR planning: the right method answers, every store gets its rule, the same input
 * gives the same plan, and errors pass through (DESIGN.md section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/plan.h"

static const ebr_limits no_limits;

static outcome_status plan(home *h, ebr_rule *rules, outcome *out)
{
	return ebr_plan_solve(&h->problem, EBR_PLAN_AUTO, &no_limits, &h->solution, &rules[EBR_ESS],
	                      &rules[EBR_PEV], out);
}

static void test_choice(void)
{
	home h;
	outcome out;
	ebr_rule rules[EBR_STORES];

	home_open(&h, 24, 1);
	for (int t = 0; t < 24; t++)
		h.energy[t] = t < 12 ? 0.1 : 0.3;
	ok(plan(&h, rules, &out) == OUTCOME_OK && h.solution.objective_eur == h.solution.baseline_eur,
	   "no store: the plan is the bill");
	ok(rules[EBR_ESS].export_kwh == 0 && rules[EBR_PEV].grid_charge_kwh == 0, "and idle rules");
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.81, 0, INFINITY, NAN, 0, 0};
	ok(plan(&h, rules, &out) == OUTCOME_OK && h.solution.method == EBR_BY_SINGLE,
	   "one store: value curves");
	close_to(h.solution.objective_eur, (12 + 10 / 0.9) * 0.1 + (12 - 9) * 0.3, 1e-9,
	         "one store: cost");
	h.problem.store[EBR_PEV] = (ebr_store){40, 0, 5, 1, 10, 12, 20, NAN, 0};
	ok(plan(&h, rules, &out) == OUTCOME_OK && h.solution.method == EBR_BY_PAIR &&
	       h.solution.quality == EBR_OPTIMAL,
	   "two stores: their network");
	close_to(h.solution.objective_eur, (12 + 10 / 0.9 + 10) * 0.1 + (12 - 9) * 0.3, 1e-9,
	         "two stores: cost");
	close_to(rules[EBR_PEV].discharge_kwh[0], 20, 1e-9,
	         "what the PEV is due at departure is not for the home");
	h.problem.store[EBR_PEV].capacity_kwh = 0;
	h.problem.store[EBR_ESS].soc_kwh = 10;
	h.energy[0] = h.energy[1] = -0.5;
	ok(plan(&h, rules, &out) == OUTCOME_OK && h.solution.method == EBR_BY_SINGLE &&
	       h.solution.quality == EBR_OPTIMAL,
	   "one store, not convex: still without GLPK");
	home_close(&h);
}

static double value_of(const ebr_curve *curve, double soc)
{
	double cost = 0;

	for (int k = 0; k < curve->segments && soc > curve->level_kwh[k]; k++)
		cost -= curve->value_eur_per_kwh[k] *
		        (fmin(soc, curve->level_kwh[k + 1]) - curve->level_kwh[k]);
	return cost;
}

/* What a power of one store costs in slot 0 and after, the other at its plan. */
static double cost_to_go(const ebr_model *m, const ebr_curve *curve, int i, double others,
                         double power)
{
	return ebr_slot_cost(m, 0, others + power) +
	       value_of(curve, m->store[i].soc_kwh + ebr_gain_of_power(m, i, power));
}

static void test_rules_of_two_stores(uint64_t *seed)
{
	int dearer = 0, failed = 0, checked = 0;

	for (int k = 0; k < 150; k++) {
		home h;
		outcome out;
		ebr_rule rules[EBR_STORES];
		ebr_model m;

		home_random(&h, 24, HOME_ESS | HOME_PEV, seed);
		failed += plan(&h, rules, &out) != OUTCOME_OK;
		ebr_model_init(&m, &h.problem, &h.solution);
		for (int i = 0; i < EBR_STORES; i++) {
			const ebr_store *s = &h.problem.store[i];
			const double *other = h.solution.power_kw[1 - i];
			double net = ebr_net_demand(&m, 0) + other[0], power, excess;
			ebr_curve curve;

			if (!m.store[i].active)
				continue;
			ebr_value_curve(&m, i, other, &no_limits, NULL, &excess, &curve, &out);
			power = ebr_rule_power(&rules[i], s->capacity_kwh, -ebr_discharge_limit(&m, i, 0),
			                       ebr_charge_limit(&m, i, 0), s->efficiency, s->soc_kwh, net,
			                       h.problem.slot_hours);
			if (excess == 0) {
				dearer += cost_to_go(&m, &curve, i, net, power) >
				          cost_to_go(&m, &curve, i, net, h.solution.power_kw[i][0]) + 1e-6;
				checked++;
			}
			ebr_curve_free(&curve);
		}
		home_close(&h);
	}
	ok(failed == 0 && dearer == 0 && checked > 200,
	   "two stores: each of %d rules costs what the plan costs, the other at its plan", checked);
}

static void test_same_plan_again(uint64_t *seed)
{
	int different = 0;

	for (int k = 0; k < 50; k++) {
		home h;
		outcome out;
		ebr_rule rules[EBR_STORES], again[EBR_STORES];
		double power[2 * 24] = {0};

		memset(rules, 0, sizeof(rules));
		memset(again, 0, sizeof(again));
		home_random(&h, 24, HOME_ESS | (k % 2 ? HOME_PEV | HOME_NEGATIVE_PRICES : 0), seed);
		plan(&h, rules, &out);
		for (int t = 0; t < h.problem.slots; t++) {
			power[t] = h.solution.power_kw[EBR_ESS][t];
			power[24 + t] = h.solution.power_kw[EBR_PEV][t];
		}
		plan(&h, again, &out);
		for (int t = 0; t < h.problem.slots; t++)
			different += power[t] != h.solution.power_kw[EBR_ESS][t] ||
			             power[24 + t] != h.solution.power_kw[EBR_PEV][t];
		different += memcmp(rules, again, sizeof(rules)) != 0;
		home_close(&h);
	}
	ok(different == 0, "same input, same plan and rules");
}

/* Four cheap hours, then a dear one that a store's energy is for: when it is charged is all the
 * same. */
static void test_previous_plan_settles_ties(void)
{
	double before[8] = {0, 0, 4, 0, 0, 0, -3.6, 0}, away[8] = {0};
	outcome out;
	home h;

	home_open(&h, 8, 1);
	h.energy[6] = 0.6;
	h.demand[6] = 5;
	h.problem.store[EBR_ESS] = (ebr_store){4, -5, 5, 0.81, 0.4, INFINITY, NAN, 0, 0};
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	ok(ebr_changed_slots(&h.problem, &h.solution) == -1, "no previous plan: nothing to compare");
	ok(h.solution.power_kw[EBR_ESS][2] < 3.9, "left to itself it charges in another hour");
	h.problem.previous_kw[EBR_ESS] = before;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	close_to(h.solution.power_kw[EBR_ESS][2], 4, 1e-9, "the hour planned before is kept");
	ok(ebr_changed_slots(&h.problem, &h.solution) == 0, "no command has changed");
	h.demand[6] = 4.9;
	h.demand[0] = 1.3;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	ok(ebr_changed_slots(&h.problem, &h.solution) == 0, "nor by a forecast a little different");
	h.problem.store[EBR_PEV] = (ebr_store){10, 0, 2, 1, 6, 5, NAN, NAN, 0};
	h.problem.previous_kw[EBR_PEV] = away;
	away[1] = away[4] = 2;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	ok(h.solution.method == EBR_BY_PAIR && ebr_changed_slots(&h.problem, &h.solution) == 0,
	   "both stores keep their hours");
	h.energy[2] = 0.3;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	ok(h.solution.power_kw[EBR_ESS][2] < 1e-9 && ebr_changed_slots(&h.problem, &h.solution) >= 2,
	   "but not where another hour is cheaper");
	before[7] = NAN;
	h.energy[2] = 0.2;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	ok(ebr_changed_slots(&h.problem, &h.solution) == 0, "a slot without a plan is free");
	home_close(&h);
}

/* Replans each home after its forecast has changed a little, with and without the plan before. */
static void test_stability(uint64_t *seed)
{
	static const unsigned kinds[] = {HOME_ESS, HOME_PEV, HOME_ESS | HOME_PEV,
	                                 HOME_ESS | HOME_NEGATIVE_PRICES,
	                                 HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES};
	int unchanged = 0, dearer = 0, with = 0, without = 0, homes = 300;

	for (int k = 0; k < homes; k++) {
		home h;
		outcome out;
		double before[EBR_STORES][48], objective;

		home_random(&h, 48, kinds[k % 5], seed);
		plan(&h, (ebr_rule[EBR_STORES]){{0}}, &out);
		for (int i = 0; i < EBR_STORES; i++) {
			memcpy(before[i], h.solution.power_kw[i], sizeof(double) * (size_t)h.problem.slots);
			h.problem.previous_kw[i] = before[i];
		}
		plan(&h, (ebr_rule[EBR_STORES]){{0}}, &out);
		unchanged += ebr_changed_slots(&h.problem, &h.solution) == 0;
		for (int t = 0; t < h.problem.slots; t++)
			h.demand[t] *= between(seed, 0.99, 1.01);
		plan(&h, (ebr_rule[EBR_STORES]){{0}}, &out);
		with += ebr_changed_slots(&h.problem, &h.solution);
		objective = h.solution.objective_eur;
		h.problem.previous_kw[EBR_ESS] = h.problem.previous_kw[EBR_PEV] = NULL;
		plan(&h, (ebr_rule[EBR_STORES]){{0}}, &out);
		for (int i = 0; i < EBR_STORES; i++)
			h.problem.previous_kw[i] = before[i];
		without += ebr_changed_slots(&h.problem, &h.solution);
		dearer +=
		    objective > h.solution.objective_eur + 1e-6 * fmax(1, fabs(h.solution.objective_eur));
		home_close(&h);
	}
	ok(unchanged == homes, "the same forecast again gives the same plan (%d of %d)", unchanged,
	   homes);
	ok(dearer == 0, "preferring the plan before costs nothing");
	ok(with <= without, "and changes no more commands: %d instead of %d", with, without);
}

static bool say_yes(void *argument)
{
	(void)argument;
	return true;
}

static void test_errors(void)
{
	home h;
	outcome out;
	ebr_limits stop = {.interrupted = say_yes};

	home_open(&h, 24, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.81, 0, INFINITY, NAN, 0, 0};
	ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &stop, &h.solution, NULL, NULL, &out) ==
	           OUTCOME_INTERRUPTED &&
	       out.status == OUTCOME_INTERRUPTED && out.message[0],
	   "an interrupt passes through with a message");
	h.demand[5] = NAN;
	ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out) ==
	           OUTCOME_BAD_INPUT &&
	       strstr(out.message, "demand_kw"),
	   "nonsense passes through by name");
	home_close(&h);
}

int main(void)
{
	uint64_t seed = 20150901;

	printf("# seed %llu\n", (unsigned long long)seed);
	test_choice();
	test_rules_of_two_stores(&seed);
	test_same_plan_again(&seed);
	test_previous_plan_settles_ties();
	test_stability(&seed);
	test_errors();
	return tap_done();
}
