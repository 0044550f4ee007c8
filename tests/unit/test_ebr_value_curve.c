/* The exact single-store method costs what GLPK's optimum costs, and the value of stored energy is
 * what one more kWh saves (DESIGN.md section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/value_curve.h"

#include <time.h>

static const ebr_limits no_limits;

static void test_by_hand(void)
{
	home h;
	outcome out;
	ebr_curve curve;
	ebr_model m;
	bool applicable;
	double excess;

	home_open(&h, 2, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.81, 0, INFINITY, NAN, 0, 0};
	h.energy[0] = 0.1;
	h.energy[1] = 0.3;
	h.demand[1] = 2;
	h.problem.export_eur_per_kwh = h.export;
	ok(ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out) == OUTCOME_OK &&
	       applicable,
	   "arbitrage without export pay: applicable");
	close_to(h.solution.power_kw[EBR_ESS][0], 2 / 0.81, 1e-9, "stores what the dear slot needs");
	close_to(h.solution.power_kw[EBR_ESS][1], -2, 1e-9, "and covers it");
	ok(h.solution.quality == EBR_OPTIMAL && h.solution.method == EBR_BY_SINGLE &&
	       h.solution.bound_eur == h.solution.objective_eur,
	   "claims the optimum");
	ebr_model_init(&m, &h.problem, &h.solution);
	ebr_value_curve(&m, EBR_ESS, NULL, &no_limits, NULL, &excess, &curve, &out);
	ok(curve.segments == 2, "the value of stored energy has two pieces");
	close_to(curve.level_kwh[1], 2 / 0.9, 1e-12, "until the dear demand is covered");
	close_to(curve.value_eur_per_kwh[0], 0.27, 1e-12, "worth the dear price less the loss");
	close_to(curve.value_eur_per_kwh[1], 0, 1e-12, "then nothing");
	ebr_curve_free(&curve);
	h.energy[1] = 0.1;
	ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out);
	ok(h.solution.power_kw[EBR_ESS][0] == 0 && h.solution.power_kw[EBR_ESS][1] == 0,
	   "where nothing is to be gained the store is idle");
	h.problem.store[EBR_PEV] = h.problem.store[EBR_ESS];
	ok(ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out) == OUTCOME_OK &&
	       !applicable,
	   "two stores: not applicable");
	home_close(&h);
}

static void test_not_convex(void)
{
	home h;
	outcome out;
	bool applicable;

	home_open(&h, 2, 1);
	h.problem.store[EBR_ESS] = (ebr_store){4, -4, 4, 0.64, 4, INFINITY, NAN, 0, 0};
	h.energy[0] = -0.5;
	h.energy[1] = -0.5;
	ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out);
	ok(applicable, "a full store and negative prices: claimed");
	close_to(h.solution.objective_eur, -1 + 0.5 * 2.56 - 0.5 * 4, 1e-9,
	         "emptied to be filled again: it burns energy that is paid for");
	h.problem.store[EBR_ESS].soc_kwh = 0;
	h.energy[1] = 0.5;
	ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out);
	ok(applicable, "an empty one is simply filled: claimed");
	close_to(h.solution.objective_eur, -2.5 + 0.5 * (1 - 3.2 * 0.8), 1e-12, "and optimal");
	home_close(&h);
}

static void compare(const char *what, int count, int max_slots, unsigned may, uint64_t *seed,
                    double least_applicable)
{
	int wrong = 0, failed = 0, used = 0;

	for (int k = 0; k < count; k++) {
		home h;
		outcome out;
		bool applicable;
		double cost, bound;

		home_random(&h, max_slots, may, seed);
		failed +=
		    ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out) != OUTCOME_OK;
		cost = h.solution.objective_eur;
		bound = h.solution.bound_eur;
		failed += ebr_solve_milp(&h.problem, &no_limits, &h.solution, &out) != OUTCOME_OK;
		used += applicable;
		if ((applicable && fabs(cost - h.solution.objective_eur) >
		                       1e-6 * fmax(1, fabs(h.solution.objective_eur))) ||
		    bound > h.solution.objective_eur + 1e-6 * fmax(1, fabs(bound)) ||
		    cost < h.solution.objective_eur - 1e-6 * fmax(1, fabs(cost))) {
			printf("# %s %d: %.9g in [%.9g, %.9g]\n", what, k, h.solution.objective_eur, bound,
			       cost);
			wrong++;
		}
		home_close(&h);
	}
	ok(failed == 0 && wrong == 0, "%s: %d homes cost what GLPK says, the rest is bounded by it",
	   what, count);
	ok(used >= least_applicable * count, "%s: claimed %d of %d", what, used, count);
}

/* The slope of the optimum in the state of charge, by solving from both sides of a level. */
static void test_value_is_slope(void)
{
	uint64_t seed = 3;
	int wrong = 0, checked = 0;

	for (int k = 0; k < 200; k++) {
		home h;
		ebr_model m;
		ebr_curve curve;
		outcome out;
		double excess, cost[2];
		int piece;
		bool applicable;

		home_random(&h, 30, HOME_ESS | HOME_NO_BOUNDS, &seed);
		h.problem.store[EBR_ESS].terminal_value_eur_per_kwh = 0.2;
		ebr_model_init(&m, &h.problem, &h.solution);
		ebr_value_curve(&m, EBR_ESS, NULL, &no_limits, NULL, &excess, &curve, &out);
		for (int i = 0; i + 1 < curve.segments; i++)
			wrong += curve.value_eur_per_kwh[i] < curve.value_eur_per_kwh[i + 1] ||
			         curve.level_kwh[i] >= curve.level_kwh[i + 1];
		wrong += curve.level_kwh[0] != 0 ||
		         curve.level_kwh[curve.segments] != h.problem.store[EBR_ESS].capacity_kwh;
		piece = (int)(chance(&seed) * curve.segments);
		if (h.problem.slots > 1) {
			/* the same home from slot 1 on */
			h.problem.slots--;
			h.problem.demand_kw++;
			h.problem.production_kw++;
			h.problem.energy_eur_per_kwh++;
			if (h.problem.export_eur_per_kwh)
				h.problem.export_eur_per_kwh++;
			if (h.problem.co2_eur_per_kwh)
				h.problem.co2_eur_per_kwh++;
			for (int side = 0; side < 2; side++) {
				h.problem.store[EBR_ESS].soc_kwh = curve.level_kwh[piece + side];
				ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out);
				cost[side] = h.solution.objective_eur;
			}
			wrong += fabs(cost[0] - cost[1] -
			              curve.value_eur_per_kwh[piece] *
			                  (curve.level_kwh[piece + 1] - curve.level_kwh[piece])) > 1e-9;
			checked++;
		}
		ebr_curve_free(&curve);
		home_close(&h);
	}
	ok(wrong == 0 && checked > 150, "in %d homes the value of a piece is the cost it saves",
	   checked);
}

static bool say_yes(void *argument)
{
	(void)argument;
	return true;
}

static void test_limits(void)
{
	home h;
	outcome out;
	bool applicable;
	ebr_limits stop = {.interrupted = say_yes}, small = {.memory_mb = 1}, brief = {.seconds = 1e-9};

	home_open(&h, 10000, 0.25);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.81, 0, INFINITY, NAN, NAN, 0};
	for (int t = 0; t < 10000; t++)
		h.energy[t] = 0.2 + 0.1 * sin(t * 1.7);
	ok(ebr_solve_single(&h.problem, &stop, &h.solution, &applicable, &out) == OUTCOME_INTERRUPTED,
	   "interrupted");
	ok(ebr_solve_single(&h.problem, &small, &h.solution, &applicable, &out) == OUTCOME_MEMORY_LIMIT,
	   "memory limit");
	ok(ebr_solve_single(&h.problem, &brief, &h.solution, &applicable, &out) == OUTCOME_TIME_LIMIT,
	   "time limit");
	ok(ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out) == OUTCOME_OK &&
	       applicable,
	   "10,000 slots: solved");
	home_close(&h);
}

int main(void)
{
	uint64_t seed = 20150401;

	printf("# seed %llu\n", (unsigned long long)seed);
	test_by_hand();
	test_not_convex();
	compare("ESS", 400, 60, HOME_ESS, &seed, 1);
	compare("PEV", 300, 60, HOME_PEV, &seed, 1);
	compare("ESS without bounds", 200, 60, HOME_ESS | HOME_NO_BOUNDS, &seed, 1);
	compare("ESS, odd prices", 300, 24, HOME_ESS | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT, &seed,
	        1);
	test_value_is_slope();
	test_limits();
	return tap_done();
}
