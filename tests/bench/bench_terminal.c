/*
 * What a stored kWh should be worth at the horizon's end (DESIGN.md section 3): the
 * closed loop over real homes (homes.h) with rules that follow from plans of 48
 * hours, demand and prices beyond publication being expected at the mean of the same
 * hour of the last 14 days, under several rules for the terminal value. Saving in
 * percent of perfect foresight, mean of five homes; README says which was chosen.
 */
#include "../../extension/core/ebr/plan.h"
#include "homes.h"

enum {
	DAY = 24,
	EXPECTED_DAYS = 14,
	HORIZON = 48,
	FIRST_DAY = 363,
	DAYS = 364,
	SLOTS = DAYS * DAY
};

/* Of the horizon's last 24 import prices. */
typedef enum worth { NOTHING, LOWEST, MEDIAN, MEAN, HIGHEST } worth;

typedef struct terminal {
	const char *name;
	worth of;
	double factor;
} terminal;

static const ebr_store BATTERY = {10, -5, 5, 0.9, 0, INFINITY, NAN, NAN, 0};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double terminal_value(const terminal *rule, const double *import)
{
	double last[DAY], sum = 0;

	memcpy(last, import + HORIZON - DAY, sizeof(last));
	qsort(last, DAY, sizeof(double), ascending);
	for (int k = 0; k < DAY; k++)
		sum += last[k];
	switch (rule->of) {
	case LOWEST:
		return rule->factor * last[0];
	case MEDIAN:
		return rule->factor * (last[DAY / 2 - 1] + last[DAY / 2]) / 2;
	case MEAN:
		return rule->factor * sum / DAY;
	case HIGHEST:
		return rule->factor * last[DAY - 1];
	default:
		return 0;
	}
}

/* Mean at the same hour of the days before a slot. */
static double expected(const double *series, int before, int slot)
{
	double sum = 0;
	int count = 0;

	while (slot >= before)
		slot -= DAY;
	for (int k = 0; k < EXPECTED_DAYS && slot - k * DAY >= 0; k++) {
		if (isnan(series[slot - k * DAY]))
			continue;
		sum += series[slot - k * DAY];
		count++;
	}
	return count > 0 ? sum / count : 0;
}

typedef struct room {
	double demand[HORIZON], import[HORIZON], export[HORIZON], answer[14][HORIZON];
} room;

static ebr_solution solution_in(room *r)
{
	ebr_solution s = {.grid_kw = r->answer[4]};

	s.power_kw[EBR_ESS] = r->answer[0];
	s.power_kw[EBR_PEV] = r->answer[1];
	s.soc_kwh[EBR_ESS] = r->answer[2];
	s.soc_kwh[EBR_PEV] = r->answer[3];
	s.outside_high_kw = r->answer[5];
	s.outside_low_kw = r->answer[6];
	s.contract_high_kw = r->answer[7];
	s.contract_low_kw = r->answer[8];
	s.energy_used_eur_per_kwh = r->answer[9];
	s.export_used_eur_per_kwh = r->answer[10];
	s.co2_used_eur_per_kwh = r->answer[11];
	return s;
}

static double planned_power(const span *all, int slot, double soc, const terminal *terminal_rule)
{
	static room r;
	ebr_solution solution = solution_in(&r);
	const ebr_limits limits = {0};
	ebr_problem p = {.slots = HORIZON,
	                 .slot_hours = 1,
	                 .demand_kw = r.demand,
	                 .energy_eur_per_kwh = r.import,
	                 .export_eur_per_kwh = r.export,
	                 .contract_min_kw = -INFINITY,
	                 .contract_max_kw = INFINITY};
	const int known = all->known_until[slot];
	ebr_rule rule = {.kinks = 0};
	outcome out;

	for (int t = 0; t < HORIZON; t++) {
		bool published = slot + t < known && slot + t < all->slots;

		r.demand[t] = expected(all->net_kw, slot, slot + t);
		r.import[t] = published ? all->import[slot + t] : expected(all->import, known, slot + t);
		r.export[t] = published ? all->export[slot + t] : expected(all->export, known, slot + t);
	}
	p.store[EBR_ESS] = BATTERY;
	p.store[EBR_ESS].soc_kwh = soc;
	p.store[EBR_ESS].terminal_value_eur_per_kwh =
	    sqrt(BATTERY.efficiency) * terminal_value(terminal_rule, r.import);
	p.store[EBR_PEV].efficiency = 1;
	if (ebr_plan_solve(&p, EBR_PLAN_AUTO, &limits, &solution, &rule, NULL, &out) != OUTCOME_OK) {
		printf("%s\n", out.message);
		exit(1);
	}
	return ebr_rule_power(&rule, BATTERY.capacity_kwh, BATTERY.min_kw, BATTERY.max_kw,
	                      BATTERY.efficiency, soc, all->net_kw[slot], 1);
}

static bool is_billed(const span *all, int slot)
{
	return !isnan(all->net_kw[slot]) && !isnan(all->import[slot]);
}

static double bill(const span *all, int slot, double power_kw)
{
	double grid = all->net_kw[slot] + power_kw;

	return grid * (grid > 0 ? all->import[slot] : all->export[slot]);
}

/* Cost of the year under a rule; without a battery where there is none. */
static double replay(const span *all, int first, const terminal *terminal_rule)
{
	const double root = sqrt(BATTERY.efficiency);
	double soc = 0, cost = 0;

	for (int slot = first; slot < all->slots; slot++) {
		double power = 0;

		if (!is_billed(all, slot))
			continue;
		if (terminal_rule)
			power = planned_power(all, slot, soc, terminal_rule);
		cost += bill(all, slot, power);
		soc = fmin(fmax(soc + (power > 0 ? power * root : power / root), 0), BATTERY.capacity_kwh);
	}
	return cost;
}

/* Cost of the year had all been known. */
static double foresee(const span *all, int first)
{
	static double net[SLOTS], import[SLOTS], export[SLOTS], filled[3][SLOTS], power[SLOTS];
	ebr_solution solution = {.energy_used_eur_per_kwh = filled[0],
	                         .export_used_eur_per_kwh = filled[1],
	                         .co2_used_eur_per_kwh = filled[2]};
	double excess = 0, cost = 0;
	const ebr_limits limits = {0};
	ebr_problem p = {.slot_hours = 1,
	                 .demand_kw = net,
	                 .energy_eur_per_kwh = import,
	                 .export_eur_per_kwh = export,
	                 .contract_min_kw = -INFINITY,
	                 .contract_max_kw = INFINITY};
	ebr_model model;
	outcome out;

	for (int slot = first; slot < all->slots; slot++) {
		if (!is_billed(all, slot))
			continue;
		net[p.slots] = all->net_kw[slot];
		import[p.slots] = all->import[slot];
		export[p.slots++] = all->export[slot];
	}
	p.store[EBR_ESS] = BATTERY;
	p.store[EBR_ESS].terminal_value_eur_per_kwh = 0;
	p.store[EBR_PEV].efficiency = 1;
	ebr_model_init(&model, &p, &solution);
	ebr_value_curve(&model, EBR_ESS, NULL, &limits, power, &excess, NULL, &out);
	for (int t = 0; t < p.slots; t++)
		cost += (net[t] + power[t]) * (net[t] + power[t] > 0 ? import[t] : export[t]);
	return cost;
}

int main(void)
{
	static const terminal rules[] = {
	    {"nothing", NOTHING, 0},
	    {"sqrt(eff.) x lowest price of the last day", LOWEST, 1},
	    {"sqrt(eff.) x median", MEDIAN, 1},
	    {"sqrt(eff.) x 0.6 x mean", MEAN, 0.6},
	    {"sqrt(eff.) x 0.8 x mean", MEAN, 0.8},
	    {"sqrt(eff.) x 0.9 x mean", MEAN, 0.9},
	    {"sqrt(eff.) x mean", MEAN, 1},
	    {"sqrt(eff.) x 1.1 x mean", MEAN, 1.1},
	    {"sqrt(eff.) x highest", HIGHEST, 1},
	};
	enum { RULES = sizeof(rules) / sizeof(rules[0]), FIRST = EXPECTED_DAYS * DAY };
	double saved[RULES][2] = {{0}};

	if (!read_homes())
		return 0;
	for (int home = 0; home < SOLAR; home++) {
		for (int with_sun = 0; with_sun <= 1; with_sun++) {
			span all =
			    open_span(DAY, FIRST_DAY - EXPECTED_DAYS, DAYS + EXPECTED_DAYS, home, with_sun);
			double none = replay(&all, FIRST, NULL), perfect = foresee(&all, FIRST);

			for (int k = 0; k < RULES; k++)
				saved[k][with_sun] +=
				    100 * (none - replay(&all, FIRST, &rules[k])) / (none - perfect) / SOLAR;
			close_span(&all);
		}
	}
	printf("%-44s %12s %9s\n", "a stored kWh is worth at the horizon's end", "without PV %",
	       "with PV %");
	for (int k = 0; k < RULES; k++)
		printf("%-44s %12.1f %9.1f\n", rules[k].name, saved[k][0], saved[k][1]);
	return 0;
}
