/* Semi-continuous power (document 3.2): plans of stores that run at a least power or not at all are
 * those of the full model on GLPK, and every answer keeps the step. */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/fallback.h"
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/plan.h"
#include "../../extension/core/ebr/step.h"

static outcome_status plan(home *h, ebr_plan_method method, outcome *out)
{
	ebr_limits limits = {.seconds = 20};

	return ebr_plan_solve(&h->problem, method, &limits, &h->solution, NULL, NULL, out);
}

/* 5 kWh are due after four hours at 1.4 to 7 kW, the second and third cheapest. */
static void test_by_hand(void)
{
	outcome out;
	home h;

	home_open(&h, 6, 1);
	h.problem.store[EBR_PEV] = (ebr_store){.capacity_kwh = 40,
	                                       .max_kw = 7,
	                                       .efficiency = 1,
	                                       .soc_kwh = 10,
	                                       .plugged_hours = 4,
	                                       .target_kwh = 15,
	                                       .min_step_kw = 1.4};
	h.problem.contract_max_kw = 5;
	h.energy[1] = 0.1;
	h.energy[2] = 0.15;
	ok(plan(&h, EBR_PLAN_AUTO, &out) == OUTCOME_OK && h.solution.quality == EBR_OPTIMAL, "planned");
	close_to(h.solution.power_kw[EBR_PEV][1], 3.6, 1e-4,
	         "the cheapest hour leaves the next one its least power");
	close_to(h.solution.power_kw[EBR_PEV][2], 1.4, 1e-4, "which it runs at");
	close_to(h.solution.objective_eur - h.solution.baseline_eur, 0.36 + 0.21, 1e-4, "cost");
	h.problem.store[EBR_PEV].min_step_kw = 0;
	plan(&h, EBR_PLAN_AUTO, &out);
	close_to(h.solution.power_kw[EBR_PEV][2], 1, 1e-9, "without a step it runs at less");
	h.problem.store[EBR_PEV].min_step_kw = 7.1;
	ok(plan(&h, EBR_PLAN_AUTO, &out) == OUTCOME_BAD_INPUT && strstr(out.message, "pev_min_step_kw"),
	   "a step above the full power is refused");
	h.problem.store[EBR_PEV].min_step_kw = 7;
	ok(plan(&h, EBR_PLAN_AUTO, &out) == OUTCOME_OK && h.solution.power_kw[EBR_PEV][1] == 0 &&
	       h.solution.shortfall_kwh > 4.9 && h.solution.flags == EBR_VIOLATED_DEPARTURE,
	   "a contract below the least power comes before the departure");
	ebr_fallback(&h.problem, &h.solution);
	ok(h.solution.power_kw[EBR_PEV][0] == 0, "the cautious schedule runs at 0 rather than less");
	home_close(&h);
}

static void random_step(home *h, int i, uint64_t *seed)
{
	ebr_store *s = &h->problem.store[i];
	double most = s->min_kw < 0 ? fmin(s->max_kw, -s->min_kw) : s->max_kw;

	s->min_step_kw = most * between(seed, 0.05, 1);
}

static bool keeps_steps(const home *h, const ebr_model *m)
{
	return ebr_can_run(m, EBR_ESS, h->solution.power_kw[EBR_ESS]) &&
	       ebr_can_run(m, EBR_PEV, h->solution.power_kw[EBR_PEV]);
}

static void compare(const char *what, int homes, int slots, unsigned may, bool both, uint64_t *seed)
{
	int different = 0, broken = 0, unproved = 0, branched = 0, failed = 0;

	for (int k = 0; k < homes; k++) {
		home h;
		outcome out;
		double fast, reference;
		ebr_model m;

		home_random(&h, slots, may, seed);
		random_step(&h, may & HOME_PEV ? EBR_PEV : EBR_ESS, seed);
		if (both)
			random_step(&h, EBR_ESS, seed);
		failed += plan(&h, EBR_PLAN_AUTO, &out) != OUTCOME_OK;
		ebr_model_init(&m, &h.problem, &h.solution);
		fast = h.solution.objective_eur;
		unproved += fast - h.solution.bound_eur > 1e-6 * fmax(1, fabs(fast));
		broken += !keeps_steps(&h, &m);
		branched += h.solution.branched;
		failed += plan(&h, EBR_PLAN_MILP, &out) != OUTCOME_OK;
		reference = h.solution.objective_eur;
		broken += !keeps_steps(&h, &m);
		if (fabs(fast - reference) > 1e-6 * fmax(1, fabs(reference))) {
			printf("# %s, home %d: %.9f, GLPK %.9f\n", what, k, fast, reference);
			different++;
		}
		home_close(&h);
	}
	ok(failed == 0 && different == 0, "%s: %d plans cost what the full model's on GLPK cost", what,
	   homes);
	ok(unproved == 0, "%s: each is proved", what);
	ok(broken == 0, "%s: each keeps its step", what);
	ok(branched > 0 && branched < homes, "%s: the relaxation keeps it in some (%d), not in others",
	   what, homes - branched);
}

/* What was planned for another state of charge may not fit the store any more; where energy is paid
 * for being taken, it would even look cheap. */
static void test_previous_plan_must_fit(void)
{
	double before[3] = {5, 5, 5};
	outcome out;
	home h;

	home_open(&h, 3, 1);
	for (int t = 0; t < 3; t++)
		h.energy[t] = -0.1;
	h.problem.store[EBR_ESS] = (ebr_store){.capacity_kwh = 6,
	                                       .max_kw = 5,
	                                       .min_kw = -5,
	                                       .efficiency = 1,
	                                       .plugged_hours = INFINITY,
	                                       .target_kwh = NAN};
	h.problem.previous_kw[EBR_ESS] = before;
	plan(&h, EBR_PLAN_AUTO, &out);
	close_to(h.solution.soc_kwh[EBR_ESS][2] - h.problem.store[EBR_ESS].soc_kwh,
	         h.solution.power_kw[EBR_ESS][0] + h.solution.power_kw[EBR_ESS][1] +
	             h.solution.power_kw[EBR_ESS][2],
	         1e-9, "a previous plan that overfills the store is not taken up");
	home_close(&h);
}

int main(void)
{
	uint64_t seed = 20150902;

	printf("# seed %llu\n", (unsigned long long)seed);
	test_by_hand();
	compare("PEV alone", 120, 24, HOME_PEV, false, &seed);
	compare("PEV alone, prices below 0", 60, 16, HOME_PEV | HOME_NEGATIVE_PRICES, false, &seed);
	compare("ESS alone", 60, 12, HOME_ESS, false, &seed);
	compare("ESS and PEV", 80, 16, HOME_ESS | HOME_PEV, false, &seed);
	compare("a step each", 40, 10, HOME_ESS | HOME_PEV, true, &seed);
	test_previous_plan_must_fit();
	return tap_done();
}
