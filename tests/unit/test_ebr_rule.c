/* A command as a rule: executed on the forecast it costs what the plan costs, executed on any other
 * net demand it is the best that the store can do, and it never leaves its limits (DESIGN.md
 * section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/rule.h"

static const ebr_limits no_limits;

/* Cost from the end of slot 0 on relative to an empty store. */
static double value_of(const ebr_curve *curve, double soc)
{
	double cost = 0;

	for (int k = 0; k < curve->segments && soc > curve->level_kwh[k]; k++)
		cost -= curve->value_eur_per_kwh[k] *
		        (fmin(soc, curve->level_kwh[k + 1]) - curve->level_kwh[k]);
	return cost;
}

static double cost_to_go(const ebr_model *m, const ebr_curve *curve, double net, double power)
{
	double soc = m->store[EBR_ESS].soc_kwh + ebr_gain_of_power(m, EBR_ESS, power);

	return ebr_slot_cost(m, 0, net + power) + value_of(curve, soc);
}

/* Costs of all powers that the store can run at, on a fine grid and where the cost has kinks. */
static double least_cost(const ebr_model *m, const ebr_curve *curve, double net)
{
	const ebr_model_store *s = &m->store[EBR_ESS];
	double low =
	    fmax(-ebr_discharge_limit(m, EBR_ESS, 0), ebr_power_of_gain(m, EBR_ESS, -s->soc_kwh));
	double high = fmin(ebr_charge_limit(m, EBR_ESS, 0),
	                   ebr_power_of_gain(m, EBR_ESS, s->capacity_kwh - s->soc_kwh));
	double least = fmin(cost_to_go(m, curve, net, 0), cost_to_go(m, curve, net, high));
	ebr_slot_price price;

	for (int k = 0; k < 1000; k++)
		least = fmin(least, cost_to_go(m, curve, net, low + (high - low) * k / 1000));
	for (int k = 0; k <= curve->segments; k++) {
		double power = ebr_power_of_gain(m, EBR_ESS, curve->level_kwh[k] - s->soc_kwh);

		if (power >= low && power <= high)
			least = fmin(least, cost_to_go(m, curve, net, power));
	}
	ebr_slot_prices(m, 0, &price);
	for (int k = 0; k < price.kinks; k++)
		if (price.at_kw[k] - net >= low && price.at_kw[k] - net <= high)
			least = fmin(least, cost_to_go(m, curve, net, price.at_kw[k] - net));
	return least;
}

/* Is every price that the store can reach non-negative and rising? Else the slot is not convex, and
 * the rule only sensible. */
static bool convex(const ebr_model *m, double net)
{
	double low = net - ebr_discharge_limit(m, EBR_ESS, 0);
	double high = net + ebr_charge_limit(m, EBR_ESS, 0);
	ebr_slot_price price;

	ebr_slot_prices(m, 0, &price);
	for (int k = 0; k <= price.kinks; k++) {
		if ((k < price.kinks && price.at_kw[k] < low) || (k > 0 && price.at_kw[k - 1] > high))
			continue;
		if (price.marginal[k] < 0 || (k > 0 && price.marginal[k] < price.marginal[k - 1]))
			return false;
	}
	return true;
}

static double execute(const ebr_problem *p, const ebr_rule *rule, double soc, double net)
{
	const ebr_store *s = &p->store[EBR_ESS];

	return ebr_rule_power(rule, s->capacity_kwh, s->min_kw, s->max_kw, s->efficiency, soc, net,
	                      p->slot_hours);
}

static void test_random(const char *what, unsigned may, uint64_t *seed)
{
	int planned = 0, dearer_than_plan = 0, not_best = 0, measured = 0, disordered = 0;
	int sensible = 0, not_convex = 0;

	for (int k = 0; k < 300; k++) {
		home h;
		ebr_model m;
		ebr_curve curve;
		ebr_rule rule;
		outcome out;
		double excess, cost, forecast;
		bool applicable;

		home_random(&h, 30, may, seed);
		ebr_solve_single(&h.problem, &no_limits, &h.solution, &applicable, &out);
		ebr_model_init(&m, &h.problem, &h.solution);
		ebr_value_curve(&m, EBR_ESS, NULL, &no_limits, NULL, &excess, &curve, &out);
		ebr_rule_from_curve(&m, EBR_ESS, &curve, &rule);
		disordered += rule.grid_charge_kwh > rule.surplus_charge_kwh ||
		              rule.cover_demand_kwh > rule.export_kwh ||
		              rule.surplus_charge_kwh > rule.export_kwh ||
		              rule.grid_charge_kwh > rule.cover_demand_kwh;
		forecast = ebr_net_demand(&m, 0);
		if (applicable && excess == 0) {
			double power = h.solution.power_kw[EBR_ESS][0];

			cost = cost_to_go(&m, &curve, forecast,
			                  execute(&h.problem, &rule, m.store[EBR_ESS].soc_kwh, forecast));
			dearer_than_plan += cost > cost_to_go(&m, &curve, forecast, power) + 1e-6;
			planned++;
		}
		for (int i = 0; i < 10 && applicable && excess == 0; i++) {
			double net = i == 0 ? 0 : between(seed, -8, 8);

			cost = cost_to_go(&m, &curve, net,
			                  execute(&h.problem, &rule, m.store[EBR_ESS].soc_kwh, net));
			if (convex(&m, net)) {
				not_best += fabs(cost - least_cost(&m, &curve, net)) > 1e-6 * fmax(1, fabs(cost));
				measured++;
			} else {
				sensible += cost <= cost_to_go(&m, &curve, net, 0) + 1e-6;
				not_convex++;
			}
		}
		ebr_curve_free(&curve);
		home_close(&h);
	}
	ok(dearer_than_plan == 0 && planned > 250, "%s: on the forecast %d rules cost what plans cost",
	   what, planned);
	ok(not_best == 0 && measured > 1500, "%s: on %d other net demands they are the best there is",
	   what, measured);
	ok(sensible == not_convex, "%s: on %d where prices are not convex, better than idle", what,
	   not_convex);
	ok(disordered == 0, "%s: the levels are in order", what);
}

static void test_limits_kept(uint64_t *seed)
{
	int outside = 0;

	for (int k = 0; k < 20000; k++) {
		ebr_store s = {between(seed, 0.1, 10),
		               -between(seed, 0, 5),
		               between(seed, 0, 5),
		               between(seed, 0.3, 1),
		               between(seed, -1, 11),
		               INFINITY,
		               NAN,
		               NAN,
		               0};
		ebr_rule rule = {between(seed, -1, 11),
		                 between(seed, -1, 11),
		                 between(seed, -1, 11),
		                 between(seed, -1, 11),
		                 0,
		                 {0},
		                 {0},
		                 {0}};
		double soc = fmin(fmax(s.soc_kwh, 0), s.capacity_kwh), root = sqrt(s.efficiency);
		double power = ebr_rule_power(&rule, s.capacity_kwh, s.min_kw, s.max_kw, s.efficiency,
		                              s.soc_kwh, between(seed, -8, 8), 0.5);

		soc += 0.5 * (power > 0 ? power * root : power / root);
		outside +=
		    power < s.min_kw || power > s.max_kw || soc < -1e-9 || soc > s.capacity_kwh + 1e-9;
	}
	ok(outside == 0, "any rule at all stays inside power and capacity");
}

static void test_by_hand(void)
{
	ebr_rule rule = {2, 6, 4, 8, 0, {0}, {0}, {0}};

	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 1, 3, 1), 1, 1e-12, "from the grid to its level");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 3, -2, 1), 2, 1e-12, "the surplus, no more");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 3, -4, 1), 3, 1e-12, "surplus up to its level");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 3, 2, 1), 0, 1e-12, "demand is not covered yet");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 7, 2, 1), -2, 1e-12, "demand is covered");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 7, 9, 1), -3, 1e-12, "down to its level");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, 10, 0.5, 1), -2, 1e-12, "the excess is exported");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 0.25, 1, 3, 1), 2, 1e-12, "losses are counted");
	close_to(ebr_rule_power(&rule, 10, -5, 5, 1, NAN, 3, 1), 0, 0, "nothing measured: idle");
	ebr_rule_idle(10, &rule);
	ok(ebr_rule_power(&rule, 10, -5, 5, 1, 5, 3, 1) == 0 &&
	       ebr_rule_power(&rule, 10, -5, 5, 1, 5, -3, 1) == 0,
	   "the idle rule is idle");
}

/* What the rule of a PEV with a least power of 1.4 kW and 8 kWh missing does, cheap hour first. */
static double first_power(double soc_kwh, double plugged_hours)
{
	ebr_curve curve;
	ebr_model model;
	ebr_rule rule;
	outcome out;
	double excess, power = NAN;
	home h;

	home_open(&h, 4, 1);
	h.energy[0] = 0.1;
	h.problem.store[EBR_PEV] =
	    (ebr_store){40, 0, 7.4, 1, soc_kwh, plugged_hours, NAN, NAN, .min_step_kw = 1.4};
	ebr_model_init(&model, &h.problem, &h.solution);
	if (ebr_value_curve(&model, EBR_PEV, NULL, &no_limits, NULL, &excess, &curve, &out) ==
	    OUTCOME_OK) {
		ebr_rule_from_curve(&model, EBR_PEV, &curve, &rule);
		power = ebr_rule_power(&rule, 40, 0, 7.4, 1, soc_kwh, 1, 1);
		ebr_curve_free(&curve);
	}
	home_close(&h);
	return power;
}

static void test_dead_end(void)
{
	close_to(first_power(32, 3), 6.6, 1e-9, "a rest is left that the least power can charge");
	close_to(first_power(33, 3), 7, 1e-9, "none where one slot is enough");
	close_to(first_power(30, 3), 7.4, 1e-9, "nor where more is left anyway");
	close_to(first_power(32, 1), 7.4, 1e-9, "nor in the last slot");
}

int main(void)
{
	uint64_t seed = 20150601;

	printf("# seed %llu\n", (unsigned long long)seed);
	test_by_hand();
	test_dead_end();
	test_limits_kept(&seed);
	test_random("import and export", HOME_ESS | HOME_NO_BOUNDS, &seed);
	test_random("tube and contract", HOME_ESS, &seed);
	return tap_done();
}
