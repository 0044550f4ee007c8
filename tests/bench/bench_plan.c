/*
 * Plans per second: the full model in GLPK beside the methods in use, in the
 * same run on the same homes (seasonal demand and PV, a day's price curve,
 * import dearer than export). A run that fails is counted and shown, not left
 * out; times are printed, never judged.
 */
#include "../unit/test_ebr_homes.h"
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/plan.h"

#include <stdio.h>
#include <time.h>

enum { HOMES = 20 };

typedef outcome_status (*method)(home *h, const ebr_limits *limits, outcome *out);

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static outcome_status by_plain(home *h, const ebr_limits *limits, outcome *out)
{
	return ebr_solve_milp_plain(&h->problem, limits, &h->solution, out);
}

static outcome_status by_milp(home *h, const ebr_limits *limits, outcome *out)
{
	return ebr_solve_milp(&h->problem, limits, &h->solution, out);
}

static outcome_status by_plan(home *h, const ebr_limits *limits, outcome *out)
{
	return ebr_plan_solve(&h->problem, EBR_PLAN_AUTO, limits, &h->solution, NULL, NULL, out);
}

static outcome_status by_plan_and_rules(home *h, const ebr_limits *limits, outcome *out)
{
	ebr_rule rules[EBR_STORES];

	return ebr_plan_solve(&h->problem, EBR_PLAN_AUTO, limits, &h->solution, &rules[0], &rules[1],
	                      out);
}

static void open_typical(home *h, int slots, double slot_hours, bool pev, uint64_t *seed)
{
	double sun = between(seed, 0, 5), offset = floor(between(seed, 0, 24));

	home_open(h, slots, slot_hours);
	for (int t = 0; t < slots; t++) {
		double hour = fmod(offset + t * slot_hours, 24);

		h->demand[t] = 0.3 + between(seed, 0, 0.5) + (hour > 17 && hour < 22 ? 1 : 0);
		h->production[t] = fmax(0, sun * sin((hour - 6) / 12 * M_PI)) * between(seed, 0.6, 1);
		h->export[t] = 0.08 + 0.05 * cos((hour - 19) / 12 * M_PI) + between(seed, -0.02, 0.02);
		h->energy[t] = h->export[t] + 0.15;
	}
	h->problem.production_kw = h->production;
	h->problem.export_eur_per_kwh = h->export;
	h->problem.contract_max_kw = 10;
	h->problem.store[EBR_ESS] =
	    (ebr_store){10, -5, 5, 0.9, between(seed, 0, 10), INFINITY, NAN, NAN};
	if (pev)
		h->problem.store[EBR_PEV] =
		    (ebr_store){50, -7, 7, 0.88, between(seed, 5, 30), between(seed, 4, 20), 40, NAN};
}

static void measure(const char *name, method solve, home *homes, double *objective)
{
	ebr_limits limits = {.seconds = 20};
	double started = now_seconds(), spent;
	int plans = 0, failed = 0, different = 0;

	do {
		for (int k = 0; k < HOMES; k++) {
			outcome out;

			if (solve(&homes[k], &limits, &out) != OUTCOME_OK)
				failed++;
			else if (isnan(objective[k]))
				objective[k] = homes[k].solution.objective_eur;
			else if (fabs(objective[k] - homes[k].solution.objective_eur) > 1e-6)
				different++;
			plans++;
		}
		spent = now_seconds() - started;
	} while (spent < 0.3);
	printf("  %-22s %10.1f us a plan %10.0f plans/s  failed %d, other cost %d of %d\n", name,
	       spent / plans * 1e6, plans / spent, failed, different, plans);
}

int main(void)
{
	const struct {
		int slots;
		double slot_hours;
	} horizons[] = {{24, 1}, {48, 1}, {96, 0.25}, {192, 0.25}};
	uint64_t seed = 42;

	for (int k = 0; k < 8; k++) {
		home homes[HOMES];
		double objective[HOMES];
		bool pev = k >= 4;

		printf("%s, %d slots of %g h\n", pev ? "ESS and PEV" : "ESS", horizons[k % 4].slots,
		       horizons[k % 4].slot_hours);
		for (int i = 0; i < HOMES; i++) {
			open_typical(&homes[i], horizons[k % 4].slots, horizons[k % 4].slot_hours, pev, &seed);
			objective[i] = NAN;
		}
		measure("GLPK, all binaries", by_plain, homes, objective);
		measure("GLPK, relaxation first", by_milp, homes, objective);
		measure("plan", by_plan, homes, objective);
		measure("plan and rules", by_plan_and_rules, homes, objective);
		for (int i = 0; i < HOMES; i++)
			home_close(&homes[i]);
	}
	return 0;
}
