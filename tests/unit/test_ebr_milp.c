/* The EBR model in GLPK: cases computed by hand, relaxation first equals the full model, limits
 * are kept, and failures leave nothing behind (DESIGN.md section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/milp.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static const ebr_limits no_limits;

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void solve(home *h, const char *what)
{
	outcome out = {0};

	if (!ok(ebr_solve_milp(&h->problem, &no_limits, &h->solution, &out) == OUTCOME_OK &&
	            h->solution.quality == EBR_OPTIMAL,
	        "%s: solved", what))
		printf("# %s\n", out.message);
}

static void test_arbitrage(void)
{
	home h;

	home_open(&h, 2, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.81, 0, INFINITY, NAN, 0, 0};
	h.energy[0] = 0.1;
	h.energy[1] = 0.3;
	h.demand[1] = 2;
	solve(&h, "arbitrage");
	close_to(h.solution.power_kw[EBR_ESS][0], 5, 1e-9, "arbitrage: charges 5 kW while cheap");
	close_to(h.solution.soc_kwh[EBR_ESS][0], 4.5, 1e-9, "arbitrage: 4.5 kWh arrive");
	close_to(h.solution.power_kw[EBR_ESS][1], -4.05, 1e-9, "arbitrage: 4.05 kW come back");
	close_to(h.solution.energy_eur, 0.6 - 2.05 * 0.3, 1e-9, "arbitrage: cost");
	close_to(h.solution.baseline_eur, 0.1 + 0.6, 1e-9, "arbitrage: cost without storage");
	h.energy[1] = 0.12;
	solve(&h, "poor arbitrage");
	close_to(h.solution.power_kw[EBR_ESS][0], 0, 1e-9,
	         "a spread of 20 %% does not pay at 81 %% efficiency");
	ok(!h.solution.branched, "non-negative prices need no branching");
	home_close(&h);
}

static void test_departure(void)
{
	home h;

	home_open(&h, 4, 1);
	h.problem.store[EBR_PEV] = (ebr_store){20, 0, 4, 1, 10, 2.5, 18, NAN, 0};
	h.energy[0] = 0.4;
	h.energy[3] = 0.01;
	solve(&h, "PEV");
	close_to(h.solution.power_kw[EBR_PEV][1], 4, 1e-9, "PEV: the cheap slots first");
	close_to(h.solution.power_kw[EBR_PEV][2], 2, 1e-9, "PEV: half a slot at half the mean power");
	close_to(h.solution.power_kw[EBR_PEV][0], 2, 1e-9, "PEV: the rest while dear");
	close_to(h.solution.soc_kwh[EBR_PEV][3], 18, 1e-9, "PEV: leaves with its target");
	ok(h.solution.flags == 0 && h.solution.shortfall_kwh == 0, "PEV: nothing violated");
	h.problem.store[EBR_PEV].target_kwh = NAN;
	h.problem.store[EBR_PEV].plugged_hours = 2;
	solve(&h, "PEV in a hurry");
	close_to(h.solution.shortfall_kwh, 2, 1e-9, "PEV in a hurry: shortfall against the target");
	ok(h.solution.flags == EBR_VIOLATED_DEPARTURE, "PEV in a hurry: flagged");
	h.problem.store[EBR_PEV].plugged_hours = 0;
	solve(&h, "PEV away");
	ok(h.solution.flags == 0 && h.solution.power_kw[EBR_PEV][0] == 0 &&
	       h.solution.shortfall_kwh == 0,
	   "PEV away: idle, nothing due");
	home_close(&h);
}

/* Paid to import: the relaxation burns energy by charging and discharging at once. */
static void test_negative_price(void)
{
	home h;

	home_open(&h, 2, 1);
	h.problem.store[EBR_ESS] = (ebr_store){4, -4, 4, 0.64, 4, INFINITY, NAN, 0, 0};
	h.energy[0] = -0.5;
	h.energy[1] = 0.01;
	solve(&h, "negative price");
	ok(h.solution.branched, "negative price: needs the integer variable");
	close_to(h.solution.power_kw[EBR_ESS][0], 0, 1e-9, "negative price: a full store stays full");
	close_to(h.solution.objective_eur, -0.5 + 0.01 - 3.2 * 0.01, 1e-9, "negative price: cost");
	h.energy[1] = -0.5;
	solve(&h, "two negative prices");
	close_to(h.solution.objective_eur, -1 + 0.5 * 2.56 - 0.5 * 4, 1e-9,
	         "two negative prices: emptying to fill again burns energy that is paid for");
	home_close(&h);
}

static void test_dear_export(void)
{
	home h;

	home_open(&h, 1, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 1, 5, INFINITY, NAN, 0.22, 0};
	h.problem.export_eur_per_kwh = h.export;
	h.export[0] = 0.3;
	solve(&h, "export dearer than import");
	close_to(h.solution.grid_kw[0], -4, 1e-9, "export dearer than import: sells");
	close_to(h.solution.objective_eur, -1.2, 1e-9, "export dearer than import: cost");
	home_close(&h);
}

/* Two days of evening peaks; what each scenario of document 3.2.4 may do. */
static void test_scenarios(void)
{
	const struct {
		const char *name;
		double ess_capacity, pev_capacity, pev_min;
	} scenarios[] = {
	    {"BU", 10, 0, 0}, {"BC", 10, 40, 0}, {"BD", 10, 40, -7},
	    {"PC", 0, 40, 0}, {"PD", 0, 40, -7},
	};
	double cost[5];

	for (int k = 0; k < 5; k++) {
		home h;
		bool discharges = false, charges_ess = false;

		home_open(&h, 48, 1);
		for (int t = 0; t < 48; t++)
			h.energy[t] = t % 24 >= 17 && t % 24 <= 21 ? 0.4 : 0.1;
		h.problem.store[EBR_ESS] =
		    (ebr_store){scenarios[k].ess_capacity, -5, 5, 0.9, 0, INFINITY, NAN, NAN, 0};
		h.problem.store[EBR_PEV] = (ebr_store){
		    scenarios[k].pev_capacity, scenarios[k].pev_min, 7, 0.9, 20, 30, 30, NAN, 0};
		solve(&h, scenarios[k].name);
		for (int t = 0; t < 48; t++) {
			discharges |= h.solution.power_kw[EBR_PEV][t] < -1e-6;
			charges_ess |= h.solution.power_kw[EBR_ESS][t] > 1e-6;
		}
		ok(discharges == (scenarios[k].pev_min < 0) &&
		       charges_ess == (scenarios[k].ess_capacity > 0),
		   "%s: each store does what it may", scenarios[k].name);
		ok(h.solution.flags == 0, "%s: the PEV leaves with its target", scenarios[k].name);
		cost[k] = h.solution.objective_eur;
		home_close(&h);
	}
	ok(cost[2] < cost[1] - 0.1 && cost[4] < cost[3] - 0.1 && cost[1] < cost[3] - 0.1,
	   "more control costs less: BD < BC, PD < PC, BC < PC");
}

static void test_objectives(void)
{
	home h;
	double by_objective[3];

	home_open(&h, 2, 1);
	h.problem.store[EBR_ESS] = (ebr_store){2, -2, 2, 1, 0, INFINITY, NAN, 0, 0};
	h.problem.co2_eur_per_kwh = h.co2;
	h.problem.profile_low_kw = h.low;
	h.problem.profile_high_kw = h.high;
	h.problem.penalty_low_eur_per_kwh = h.penalty_low;
	h.problem.penalty_high_eur_per_kwh = h.penalty_high;
	h.energy[0] = 0.1;
	h.energy[1] = 0.3;
	h.co2[0] = 0.05;
	h.co2[1] = 0.04;
	h.high[0] = h.high[1] = 1.5;
	h.penalty_high[0] = h.penalty_high[1] = 1;
	h.problem.contract_min_kw = 0;
	for (int k = 0; k < 3; k++) {
		h.problem.objective = (ebr_objective)k;
		solve(&h, "objective");
		by_objective[k] = h.solution.power_kw[EBR_ESS][0];
	}
	close_to(by_objective[EBR_ENERGY_CO2], 1, 1e-9, "energy_co2 shifts all of the dear demand");
	close_to(by_objective[EBR_CO2], 0, 1e-9, "co2 shifts nothing to the dirtier slot");
	close_to(by_objective[EBR_ENERGY_CO2_DISTRIBUTION], 0.5, 1e-9,
	         "energy_co2_distribution shifts what fits into the tube");
	home_close(&h);
}

static void test_always_answers(void)
{
	home h;

	home_open(&h, 3, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -2, 2, 1, 11, INFINITY, NAN, NAN, 0};
	h.problem.contract_max_kw = 4;
	h.problem.contract_min_kw = -1;
	h.demand[0] = 9;
	h.demand[1] = -9;
	solve(&h, "impossible contract");
	close_to(h.solution.contract_high_kw[0], 3, 1e-9, "impossible contract: as little as possible");
	close_to(h.solution.contract_low_kw[1], 6, 1e-9, "impossible contract: on both sides");
	ok(h.solution.flags ==
	       (EBR_VIOLATED_CONTRACT_MAX | EBR_VIOLATED_CONTRACT_MIN | EBR_ASSUMED_ESS_SOC),
	   "impossible contract: flagged, with the state of charge that was clamped");
	h.problem.slots = 1;
	h.problem.store[EBR_ESS].soc_kwh = -0.1;
	solve(&h, "horizon 1");
	close_to(h.solution.power_kw[EBR_ESS][0], 0, 1e-9, "horizon 1: an empty store cannot help");
	ok(h.solution.flags == (EBR_VIOLATED_CONTRACT_MAX | EBR_ASSUMED_ESS_SOC), "horizon 1: flagged");
	home_close(&h);
}

/* The penalties dominate in the stated order. */
static void test_dominance(void)
{
	home h;

	home_open(&h, 2, 1);
	h.problem.store[EBR_PEV] = (ebr_store){20, -5, 5, 0.9, 10, 2, NAN, NAN, 0};
	h.problem.contract_max_kw = 3;
	h.energy[0] = h.energy[1] = 5;
	solve(&h, "contract before departure");
	ok(h.solution.flags == EBR_VIOLATED_DEPARTURE, "the contract is kept before the departure");
	close_to(h.solution.grid_kw[1], 3, 1e-9, "and the departure before any price");
	home_close(&h);
}

static void test_equal_to_plain(void)
{
	const unsigned may[] = {HOME_ESS, HOME_ESS | HOME_PEV,
	                        HOME_ESS | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT,
	                        HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT};
	uint64_t seed = 20151101;
	int different = 0, failed = 0, branched = 0, beyond_bound = 0, count = 320;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int k = 0; k < count; k++) {
		home h;
		outcome out;
		double cost, bound;

		home_random(&h, k % 4 < 2 ? 24 : 12, may[k % 4], &seed);
		failed += ebr_solve_milp(&h.problem, &no_limits, &h.solution, &out) != OUTCOME_OK;
		cost = h.solution.objective_eur;
		bound = h.solution.bound_eur;
		branched += h.solution.branched;
		beyond_bound += cost - bound > 1e-6 * fmax(1, fabs(cost)) || bound > cost;
		failed += ebr_solve_milp_plain(&h.problem, &no_limits, &h.solution, &out) != OUTCOME_OK;
		if (fabs(h.solution.objective_eur - cost) > 1e-6 * fmax(1, fabs(cost))) {
			printf("# instance %d: %.9g, plain %.9g\n", k, cost, h.solution.objective_eur);
			different++;
		}
		home_close(&h);
	}
	ok(failed == 0, "all %d random homes solved both ways", count);
	ok(different == 0, "relaxation first costs what the full model costs");
	ok(beyond_bound == 0, "and proves it");
	ok(branched > 20 && branched < count, "%d of them needed integer variables", branched);
}

static bool say_yes(void *argument)
{
	return ++*(int *)argument > 0;
}

static bool after_a_while(void *argument)
{
	return now_seconds() >= *(double *)argument;
}

static void open_large(home *h, int slots, unsigned may)
{
	uint64_t seed = 7;

	home_random(h, 1, may, &seed);
	for (home_close(h);; home_close(h)) {
		home_random(h, slots, may, &seed);
		if (h->problem.slots > 0.95 * slots && h->problem.store[EBR_ESS].capacity_kwh > 5)
			break;
	}
	h->problem.store[EBR_PEV].plugged_hours = INFINITY;
}

/* Generous: what is promised is about 0.1 s on an idle machine, without sanitizers. */
static void test_limits(void)
{
	const struct {
		const char *what;
		int slots;
		unsigned may;
	} cases[] = {
	    {"branch and bound", 192, HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT},
	    {"simplex", 10000, HOME_ESS | HOME_PEV},
	};

	for (int k = 0; k < 2; k++) {
		home h;
		outcome out;
		double stop;
		ebr_limits limits = {.interrupted = after_a_while, .interrupted_argument = &stop};

		open_large(&h, cases[k].slots, cases[k].may);
		stop = now_seconds() + 0.3;
		ok(ebr_solve_milp(&h.problem, &limits, &h.solution, &out) == OUTCOME_INTERRUPTED,
		   "%s is interrupted", cases[k].what);
		limits = (ebr_limits){.seconds = 0.3};
		ok(ebr_solve_milp(&h.problem, &limits, &h.solution, &out) == OUTCOME_TIME_LIMIT,
		   "%s ends at its time limit", cases[k].what);
		limits = (ebr_limits){.memory_mb = k == 0 ? 1 : 16};
		ok(ebr_solve_milp(&h.problem, &limits, &h.solution, &out) == OUTCOME_MEMORY_LIMIT,
		   "%s ends at its memory limit", cases[k].what);
		limits = (ebr_limits){.seconds = 0.5, .accept_incumbent = true};
		if (k == 0) {
			ok(ebr_solve_milp(&h.problem, &limits, &h.solution, &out) == OUTCOME_OK &&
			       h.solution.quality == EBR_FEASIBLE &&
			       h.solution.bound_eur < h.solution.objective_eur &&
			       h.solution.bound_eur > -INFINITY,
			   "%s out of time: its best plan and a bound, if that is wanted", cases[k].what);
		}
		home_close(&h);
	}
}

static long memory_pages(bool resident_only)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file) {
		if (fscanf(file, "%ld %ld", &size, &resident) != 2)
			size = resident = 0;
		fclose(file);
	}
	return resident_only ? resident : size;
}

static void test_failures_leave_nothing(void)
{
	home h;
	outcome out;
	int polls = 0, interrupted = 0, out_of_memory = 0;
	ebr_limits stop = {.interrupted = say_yes, .interrupted_argument = &polls};
	ebr_limits small = {.memory_mb = 1};
	long before = 0;

	open_large(&h, 192, HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT);
	for (int k = 0; k < 500; k++) {
		if (k == 50)
			before = memory_pages(true);
		interrupted += ebr_solve_milp(&h.problem, &stop, &h.solution, &out) == OUTCOME_INTERRUPTED;
		out_of_memory +=
		    ebr_solve_milp(&h.problem, &small, &h.solution, &out) == OUTCOME_MEMORY_LIMIT;
	}
	ok(interrupted == 500 && out_of_memory == 500, "1,000 solves fail as they should");
#ifdef SANITIZED
	ok(before > 0, "and LeakSanitizer looks for what they left # SKIP freed memory stays resident");
#else
	ok((memory_pages(true) - before) * sysconf(_SC_PAGESIZE) < 8 << 20,
	   "and the process has not grown");
#endif
	h.problem.slots = 12;
	ok(ebr_solve_milp(&h.problem, &no_limits, &h.solution, &out) == OUTCOME_OK,
	   "and the next solve succeeds");
	h.demand[3] = NAN;
	ok(ebr_solve_milp(&h.problem, &no_limits, &h.solution, &out) == OUTCOME_BAD_INPUT,
	   "nonsense is refused before GLPK sees it");
	home_close(&h);
}

/* The machine's memory, not a limit of ours, runs out: at some point of the solve for each size.
 * AddressSanitizer needs an address space without limit. */
static void test_machine_out_of_memory(void)
{
#ifndef SANITIZED
	home h;
	outcome out;
	int out_of_memory = 0, other = 0;
	ebr_limits brief = {.seconds = 0.2};

	open_large(&h, 2000, HOME_ESS | HOME_PEV);
	for (int k = 0; k < 40; k++) {
		rlim_t now = (rlim_t)memory_pages(false) * (rlim_t)sysconf(_SC_PAGESIZE);
		struct rlimit limit = {now + (rlim_t)k * 131072, RLIM_INFINITY};
		outcome_status status;

		setrlimit(RLIMIT_AS, &limit);
		status = ebr_solve_milp(&h.problem, &brief, &h.solution, &out);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_AS, &limit);
		out_of_memory += status == OUTCOME_MEMORY_LIMIT;
		other +=
		    status != OUTCOME_MEMORY_LIMIT && status != OUTCOME_OK && status != OUTCOME_TIME_LIMIT;
	}
	ok(out_of_memory > 0 && other == 0, "malloc failing %d times is a memory limit", out_of_memory);
	home_close(&h);
#else
	ok(true, "malloc failing # SKIP needs a limited address space");
#endif
}

int main(void)
{
	test_arbitrage();
	test_departure();
	test_negative_price();
	test_dear_export();
	test_scenarios();
	test_objectives();
	test_always_answers();
	test_dominance();
	test_equal_to_plain();
	test_limits();
	test_failures_leave_nothing();
	test_machine_out_of_memory();
	return tap_done();
}
