/* Whatever method plans a home, the plan costs what the full MILP's optimum costs, on thousands of
 * random homes of every scenario of document 3.2.4; and two stores end in a clean, proved plan
 * (DESIGN.md section 3). A number as argument runs so many homes instead. */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/plan.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__)
enum { HOMES = 500 };
#else
enum { HOMES = 5000 };
#endif

static const ebr_limits no_limits;

enum { BU, BC, BD, PC, PD, SCENARIOS };

/* What a random home is varied by, on top of test_ebr_homes.h. */
enum {
	PLAIN,
	ODD_PRICES,
	TIGHT_CONTRACT,
	IMPOSSIBLE_CONTRACT,
	NARROW_TUBE,
	BRIEF_VISIT,
	LONG_HORIZON,
	VARIATIONS
};

static void vary(home *h, int variation, uint64_t *seed)
{
	ebr_problem *p = &h->problem;

	if (variation == TIGHT_CONTRACT) {
		p->contract_max_kw = between(seed, 0.2, 2);
		p->contract_min_kw = -between(seed, 0, 0.5);
	} else if (variation == IMPOSSIBLE_CONTRACT) {
		p->contract_max_kw = between(seed, -1, 0.5);
		p->contract_min_kw = p->contract_max_kw - (chance(seed) < 0.3 ? 0 : between(seed, 0, 1));
	} else if (variation == NARROW_TUBE) {
		p->objective = EBR_ENERGY_CO2_DISTRIBUTION;
		p->profile_low_kw = h->low;
		p->profile_high_kw = h->high;
		for (int t = 0; t < p->slots; t++)
			h->high[t] = h->low[t] + (chance(seed) < 0.5 ? 0 : between(seed, 0, 0.05));
	} else if (variation == BRIEF_VISIT) {
		p->store[EBR_PEV].plugged_hours =
		    chance(seed) < 0.5 ? 0 : p->slot_hours * between(seed, 0, 0.2);
	}
}

static void open_home(home *h, int k, uint64_t *seed)
{
	const unsigned stores[SCENARIOS] = {HOME_ESS, HOME_ESS | HOME_PEV, HOME_ESS | HOME_PEV,
	                                    HOME_PEV, HOME_PEV};
	int scenario = k % SCENARIOS, variation = k / SCENARIOS % VARIATIONS;
	unsigned may = stores[scenario];
	int slots = 24;

	if (variation == ODD_PRICES) {
		may |= HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT;
		slots = 10;
	} else if (variation == IMPOSSIBLE_CONTRACT) {
		slots = 10;
	} else if (variation == LONG_HORIZON) {
		slots = 192;
	} else if (chance(seed) < 0.15) {
		may |= HOME_NO_BOUNDS;
	}
	home_random(h, slots, may, seed);
	if (scenario == BC || scenario == PC)
		h->problem.store[EBR_PEV].min_kw = 0;
	vary(h, variation, seed);
}

/* The reference: all binaries at once, for long horizons relaxation first. */
static outcome_status reference(home *h, int k, outcome *out)
{
	ebr_limits limits = {.seconds = 5, .accept_incumbent = true};

	if (k / SCENARIOS % VARIATIONS == LONG_HORIZON)
		return ebr_solve_milp(&h->problem, &limits, &h->solution, out);
	return ebr_solve_milp_plain(&h->problem, &limits, &h->solution, out);
}

static void test_equal(int homes)
{
	static const char *const scenarios[SCENARIOS] = {"BU", "BC", "BD", "PC", "PD"};
	int different[SCENARIOS] = {0}, count[SCENARIOS] = {0}, by_glpk[SCENARIOS] = {0};
	int failed = 0, not_proved = 0, unsettled = 0;
	uint64_t seed = 20150302;

	printf("# seed %llu, %d homes\n", (unsigned long long)seed, homes);
	for (int k = 0; k < homes; k++) {
		ebr_limits limits = {.seconds = 5, .accept_incumbent = true};
		int scenario = k % SCENARIOS;
		double cost, bound, tolerance;
		bool proved;
		outcome out;
		home h;

		open_home(&h, k, &seed);
		failed += ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &limits, &h.solution, NULL, NULL,
		                         &out) != OUTCOME_OK;
		cost = h.solution.objective_eur;
		bound = h.solution.bound_eur;
		proved = h.solution.quality == EBR_OPTIMAL;
		tolerance = 1e-6 * fmax(1, fabs(cost));
		by_glpk[scenario] += h.solution.method == EBR_BY_MILP;
		not_proved += !proved;
		count[scenario]++;
		failed += reference(&h, k, &out) != OUTCOME_OK;
		unsettled += h.solution.quality != EBR_OPTIMAL;
		/* where a search ran out of time, what each proved must still hold for the other */
		if (cost < h.solution.bound_eur - tolerance ||
		    h.solution.objective_eur < bound - tolerance || (proved && cost - bound > tolerance)) {
			printf("# %s, home %d: %.9g in [%.9g, %.9g], reference %.9g\n", scenarios[scenario], k,
			       cost, bound, cost, h.solution.objective_eur);
			different[scenario]++;
		}
		home_close(&h);
	}
	for (int i = 0; i < SCENARIOS; i++)
		ok(different[i] == 0, "%s: %d homes cost what the MILP says, GLPK needed for %d of them",
		   scenarios[i], count[i], by_glpk[i]);
	ok(failed == 0, "all were planned");
	ok(not_proved + unsettled <= homes / 200,
	   "all but %d were proved optimal in 5 s, the reference left %d open", not_proved, unsettled);
}

/* Nothing to be gained by running: neither store runs. A tie between slots: one of them. */
static void test_ties(void)
{
	home h;
	outcome out;
	int running = 0;

	home_open(&h, 24, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 1, 5, INFINITY, NAN, 0.2, 0};
	h.problem.store[EBR_PEV] = (ebr_store){40, -7, 7, 1, 20, INFINITY, NAN, 0.2, 0};
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	for (int t = 0; t < 24; t++)
		running += h.solution.power_kw[0][t] != 0 || h.solution.power_kw[1][t] != 0;
	ok(running == 0, "without gain both stores are idle");
	h.problem.store[EBR_PEV].plugged_hours = 12;
	h.problem.store[EBR_PEV].target_kwh = 34;
	ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out);
	for (int t = 0; t < 24; t++)
		running += h.solution.power_kw[0][t] != 0 || h.solution.power_kw[1][t] != 0;
	ok(running == 2 && h.solution.soc_kwh[EBR_PEV][11] == 34,
	   "two full slots charge what is due, not a little in each");
	home_close(&h);
}

/* Each store alone is at its best, together they are not: the plan must see it. */
static void test_together(void)
{
	home h;
	outcome out;

	home_open(&h, 3, 1);
	h.problem.export_eur_per_kwh = h.export;
	h.demand[0] = 0;
	h.demand[1] = 4;
	h.demand[2] = 0;
	h.energy[0] = 0.5;
	h.energy[1] = 0.5;
	h.energy[2] = 0.1;
	h.problem.store[EBR_ESS] = (ebr_store){10, -4, 4, 1, 4, INFINITY, NAN, 0, 0};
	h.problem.store[EBR_PEV] = (ebr_store){10, 0, 4, 1, 0, 1, 4, NAN, 0};
	ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &no_limits, &h.solution, NULL, NULL, &out) ==
	           OUTCOME_OK &&
	       h.solution.method == EBR_BY_PAIR && h.solution.quality == EBR_OPTIMAL,
	   "two stores compete for what is stored: proved");
	close_to(h.solution.objective_eur, 2, 1e-9, "and one of them pays");
	close_to(h.solution.bound_eur, 2, 1e-9, "as the bound says");
	home_close(&h);
}

static bool say_yes(void *argument)
{
	(void)argument;
	return true;
}

static void test_limits(void)
{
	const struct {
		const char *what;
		unsigned may;
	} cases[] = {
	    {"convex", HOME_ESS | HOME_PEV},
	    {"odd prices", HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT},
	};

	for (int k = 0; k < 2; k++) {
		ebr_limits limits = {.interrupted = say_yes};
		uint64_t seed = 11;
		home h;
		outcome out;
		int failed = 0;

		do
			home_random(&h, 4000, cases[k].may, &seed);
		while (h.problem.slots < 3000 && (home_close(&h), true));
		h.problem.store[EBR_PEV].plugged_hours = INFINITY;
		ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &limits, &h.solution, NULL, NULL, &out) ==
		       OUTCOME_INTERRUPTED,
		   "%s: interrupted", cases[k].what);
		limits = (ebr_limits){.seconds = 0.002};
		ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &limits, &h.solution, NULL, NULL, &out) ==
		       OUTCOME_TIME_LIMIT,
		   "%s: out of time", cases[k].what);
		limits.accept_incumbent = true;
		for (limits.seconds = 1e-6; limits.seconds < 0.5; limits.seconds *= 4)
			failed += ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &limits, &h.solution, NULL, NULL,
			                         &out) != OUTCOME_OK ||
			          h.solution.bound_eur > h.solution.objective_eur;
		ok(failed == 0, "%s: there is a plan at any time limit, if that is wanted", cases[k].what);
		limits = (ebr_limits){.memory_mb = 1};
		ok(ebr_plan_solve(&h.problem, EBR_PLAN_AUTO, &limits, &h.solution, NULL, NULL, &out) ==
		       OUTCOME_MEMORY_LIMIT,
		   "%s: out of memory", cases[k].what);
		home_close(&h);
	}
}

int main(int arguments, char **argument)
{
	test_ties();
	test_together();
	test_limits();
	test_equal(arguments > 1 ? atoi(argument[1]) : HOMES);
	return tap_done();
}
