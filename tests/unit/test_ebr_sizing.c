/*
 * Sizing (extension/core/ebr/sizing.h): equal to its LP on GLPK on random homes
 * of every kind, and right where the answer can be computed by hand.
 * An argument is the number of random homes.
 */
#include "../../extension/core/ebr/sizing.h"
#include "test_ebr_homes.h"
#include "tap.h"

#include <glpk.h>

/* The same series as the planner's test homes. */
typedef struct sized {
	home h;
	ebr_sizing_problem problem;
	ebr_sizing_result result;
	outcome out;
} sized;

static void open_sized(sized *s, int slots, double slot_hours)
{
	home_open(&s->h, slots, slot_hours);
	s->problem = (ebr_sizing_problem){.slots = slots,
	                                  .slot_hours = slot_hours,
	                                  .demand_kw = s->h.demand,
	                                  .energy_eur_per_kwh = s->h.energy,
	                                  .lifetime_years = NAN,
	                                  .efficiency = 0.9,
	                                  .capacity_max_kwh = INFINITY,
	                                  .power_max_kw = INFINITY};
}

static outcome_status size(sized *s)
{
	ebr_limits limits = {0};

	return ebr_size(&s->problem, &limits, NULL, &s->result, &s->out);
}

static double by_lp(const ebr_sizing_problem *problem)
{
	glp_prob *lp;
	glp_smcp parameters;
	outcome out;
	double cost = NAN;

	glp_term_out(GLP_OFF);
	if (ebr_sizing_lp(problem, &lp, &out) != OUTCOME_OK)
		return NAN;
	glp_init_smcp(&parameters);
	parameters.meth = GLP_DUALP;
	parameters.presolve = GLP_ON;
	if (glp_simplex(lp, &parameters) == 0 && glp_get_status(lp) == GLP_OPT)
		cost = glp_get_obj_val(lp);
	glp_delete_prob(lp);
	glp_free_env();
	return cost;
}

/* ---- by hand ---- */

static void test_two_slots(void)
{
	sized s;

	/* 1 kWh bought at 0.10 instead of 0.50, capacity 0.1 EUR/kWh, power 0.05 EUR/kW: pays until
	 * the demand of 1 kWh is covered. */
	open_sized(&s, 2, 1);
	s.problem.efficiency = 1;
	s.h.energy[0] = 0.1;
	s.h.energy[1] = 0.5;
	s.h.export[0] = s.h.export[1] = 0;
	s.problem.export_eur_per_kwh = s.h.export;
	s.problem.capacity_eur_per_kwh = 0.1;
	s.problem.power_eur_per_kw = 0.05;
	ok(size(&s) == OUTCOME_OK, "two slots are sized");
	close_to(s.result.capacity_kwh, 1, 1e-6, "the battery holds what the dear slot needs");
	close_to(s.result.power_kw, 1, 1e-6, "... and delivers it");
	close_to(s.result.cost_eur, 0.35, 1e-6, "... at the cost computed by hand");
	close_to(s.result.investment_eur, 0.15, 1e-6, "... of which so much is investment");
	close_to(s.result.purchase_eur, 0.15, 1e-6, "... which is the purchase without a lifetime");
	close_to(s.result.baseline_eur, 0.6, 1e-9, "the cost without a battery is reported");
	close_to(s.result.saving_eur, 0.25, 1e-6, "... and what is saved");
	close_to(s.result.saving_eur_per_year * 2 / EBR_HOURS_PER_YEAR, 0.4, 1e-6,
	         "... and what operation saves, by the year");
	close_to(s.result.payback_years * EBR_HOURS_PER_YEAR / 2, 0.375, 1e-6, "... and the payback");
	ok(s.result.quality == EBR_SIZING_OPTIMAL, "it is proved the best");
	close_to(s.result.cycles, 1, 1e-6, "one cycle");

	s.problem.capacity_eur_per_kwh = 0.36;
	ok(size(&s) == OUTCOME_OK && s.result.capacity_kwh == 0 && s.result.power_kw == 0,
	   "a battery that costs more than it saves is none");
	close_to(s.result.cost_eur, 0.6, 1e-9, "... and costs nothing");
	ok(s.result.saving_eur == 0 && s.result.quality == EBR_SIZING_OPTIMAL, "... which is proved");
	home_close(&s.h);
}

static void test_annuity(void)
{
	sized s;

	open_sized(&s, 8766, 1);
	for (int t = 0; t < 8766; t++)
		s.h.energy[t] = t % 2 ? 0.5 : 0.1;
	s.h.export[0] = 0;
	s.problem.export_eur_per_kwh = s.h.export;
	s.problem.efficiency = 1;
	s.problem.capacity_eur_per_kwh = 300;
	s.problem.power_eur_per_kw = 100;
	s.problem.lifetime_years = 10;
	s.problem.discount_rate = 0.05;
	ok(size(&s) == OUTCOME_OK, "a year with an annuity is sized");
	close_to(s.result.recovery_factor, 0.129504574965, 1e-9, "the capital recovery factor");
	close_to(s.result.span_years, 1, 1e-12, "8766 h are a year");
	close_to(s.result.investment_eur, 0.129504574965 * s.result.purchase_eur, 1e-9,
	         "the span bears a year's share of the purchase");
	close_to(s.result.capacity_kwh, 1, 1e-6, "the battery covers the dear hours");
	close_to(s.result.saving_eur_per_year, 4383 * 0.4, 1e-6, "saving a year");
	close_to(s.result.payback_years, 400 / (4383 * 0.4), 1e-6, "payback of 400 EUR");
	s.problem.discount_rate = 0;
	ok(size(&s) == OUTCOME_OK && fabs(s.result.recovery_factor - 0.1) < 1e-12,
	   "without interest the purchase is spread evenly");
	home_close(&s.h);
}

static void test_edges(void)
{
	sized s;

	open_sized(&s, 24, 1);
	for (int t = 0; t < 24; t++) {
		s.h.demand[t] = 0;
		s.h.energy[t] = 0.1 + 0.01 * t;
		s.h.export[t] = 0;
	}
	s.problem.export_eur_per_kwh = s.h.export;
	ok(size(&s) == OUTCOME_OK && fabs(s.result.cost_eur) < 1e-9,
	   "nothing to save without demand, even with a free battery");
	s.h.demand[23] = 2;
	ok(size(&s) == OUTCOME_OK, "a free battery has a size all the same");
	close_to(s.result.cost_eur, 0.1 * 2 / 0.9, 1e-6, "... and buys all in the cheapest slot");
	s.problem.export_eur_per_kwh = NULL;
	ok(size(&s) == OUTCOME_BAD_INPUT, "a free battery that trades without limit is refused");
	ok(strstr(s.out.hint, "capacity_max_kwh") || strstr(s.out.hint, "power_max_kw"),
	   "... with the bound that is missing");
	s.problem.capacity_max_kwh = 10;
	s.problem.power_max_kw = 3;
	ok(size(&s) == OUTCOME_OK, "... and sized with it");
	close_to(s.result.cost_eur, by_lp(&s.problem), 1e-6, "... as by the LP");
	s.problem.power_max_kw = 0;
	ok(size(&s) == OUTCOME_OK && s.result.power_kw == 0 &&
	       s.result.cost_eur == s.result.baseline_eur,
	   "no power, no battery");
	home_close(&s.h);
}

static void test_gaps(void)
{
	sized s, t;

	open_sized(&s, 50, 1);
	open_sized(&t, 48, 1);
	for (int i = 0; i < 50; i++)
		s.h.energy[i] = i % 7 * 0.1;
	for (int i = 0; i < 48; i++)
		t.h.energy[i] = s.h.energy[i < 10 ? i : i < 20 ? i + 1 : i + 2];
	s.h.demand[10] = NAN;
	s.h.energy[21] = NAN;
	s.problem.capacity_eur_per_kwh = t.problem.capacity_eur_per_kwh = 0.2;
	s.problem.power_max_kw = t.problem.power_max_kw = 1;
	ok(size(&s) == OUTCOME_OK && size(&t) == OUTCOME_OK, "series with gaps are sized");
	close_to(s.result.cost_eur, t.result.cost_eur, 1e-12, "... as if the slots were not there");
	ok(s.result.slots_billed == 48 && s.result.slots_skipped == 2 &&
	       (s.result.assumed & EBR_SIZING_SKIPPED),
	   "... and say how many");
	for (int i = 0; i < 50; i++)
		s.h.demand[i] = NAN;
	ok(size(&s) == OUTCOME_BAD_INPUT, "a series of gaps is refused");
	home_close(&s.h);
	home_close(&t.h);
}

static void test_one_price(void)
{
	sized s;

	open_sized(&s, 4, 1);
	for (int t = 0; t < 4; t++) {
		s.h.energy[t] = 0.1 * (t + 1);
		s.h.export[t] = 0.9;
	}
	s.problem.export_eur_per_kwh = s.h.export;
	s.problem.capacity_max_kwh = 2;
	s.problem.power_max_kw = 0.5;
	ok(size(&s) == OUTCOME_OK && (s.result.assumed & EBR_SIZING_ONE_PRICE),
	   "export paid better than import is said to be one price");
	close_to(s.result.cost_eur, by_lp(&s.problem), 1e-9, "... and sized as by the LP");
	home_close(&s.h);
}

static void refused(sized *s, double *value, double bad, const char *word)
{
	double kept = *value;

	*value = bad;
	ok(size(s) == OUTCOME_BAD_INPUT && strstr(s->out.message, word), "%s %g is refused", word, bad);
	*value = kept;
}

static void test_bad_input(void)
{
	sized s;

	open_sized(&s, 4, 1);
	s.problem.production_kw = s.h.production;
	refused(&s, &s.problem.slot_hours, 0, "slot_hours");
	refused(&s, &s.problem.capacity_eur_per_kwh, -1, "capacity_eur_per_kwh");
	refused(&s, &s.problem.capacity_eur_per_kwh, NAN, "capacity_eur_per_kwh");
	refused(&s, &s.problem.power_eur_per_kw, INFINITY, "power_eur_per_kw");
	refused(&s, &s.problem.lifetime_years, 0, "lifetime_years");
	refused(&s, &s.problem.discount_rate, -0.1, "discount_rate");
	refused(&s, &s.problem.efficiency, 0, "efficiency");
	refused(&s, &s.problem.efficiency, 1.1, "efficiency");
	refused(&s, &s.problem.capacity_min_kwh, -1, "capacity_min_kwh");
	refused(&s, &s.problem.capacity_max_kwh, NAN, "capacity_max_kwh");
	refused(&s, &s.problem.power_max_kw, -1, "power_max_kw");
	refused(&s, &s.h.demand[2], INFINITY, "slot 3");
	refused(&s, &s.h.energy[1], 1e10, "slot 2");
	home_close(&s.h);
}

static bool at_once(void *unused)
{
	(void)unused;
	return true;
}

static void test_limits(void)
{
	ebr_limits late = {.seconds = 1e-9}, small = {.memory_mb = 1},
	           stopped = {.interrupted = at_once};
	sized s;
	uint64_t seed = 5;

	open_sized(&s, 8760, 1);
	for (int t = 0; t < 8760; t++)
		s.h.energy[t] = between(&seed, 0.1, 0.4);
	s.problem.capacity_eur_per_kwh = 100;
	s.problem.power_eur_per_kw = 50;
	ok(ebr_size(&s.problem, &late, NULL, &s.result, &s.out) == OUTCOME_TIME_LIMIT,
	   "the time limit ends it");
	ok(ebr_size(&s.problem, &small, NULL, &s.result, &s.out) == OUTCOME_MEMORY_LIMIT,
	   "the memory limit ends it");
	ok(ebr_size(&s.problem, &stopped, NULL, &s.result, &s.out) == OUTCOME_INTERRUPTED,
	   "an interrupt ends it");
	late.accept_incumbent = true;
	ok(ebr_size(&s.problem, &late, NULL, &s.result, &s.out) == OUTCOME_OK &&
	       s.result.quality == EBR_SIZING_FEASIBLE,
	   "out of time, the best so far is an answer");
	home_close(&s.h);
}

/* ---- at random ---- */

/* A home of any kind: the bits of kind say which. */
static void open_random(sized *s, int slots, unsigned kind, uint64_t *seed)
{
	double hours = kind & 1 ? 0.25 : 1, dearness = between(seed, 0, 1) * slots * hours / 24;
	double level = kind & 2 ? between(seed, -0.1, 0.1) : 0.2, markup = between(seed, 0, 0.2);

	open_sized(s, slots, hours);
	for (int t = 0; t < slots; t++) {
		double hour = fmod(t * hours, 24);

		s->h.demand[t] = 0.2 + between(seed, 0, 1) + (hour > 17 && hour < 22 ? 1 : 0);
		s->h.production[t] = fmax(0, 3 * sin((hour - 6) / 12 * M_PI)) * between(seed, 0.2, 1);
		s->h.energy[t] = level + 0.1 * cos((hour - 19) / 12 * M_PI) + between(seed, -0.05, 0.05);
		s->h.export[t] = s->h.energy[t] - (kind & 4 ? markup : 0) * between(seed, 0.5, 1);
		s->h.co2[t] = between(seed, 0, 0.05);
		s->h.low[t] = between(seed, -1, 0.5);
		s->h.high[t] = s->h.low[t] + between(seed, 0, 1.5);
		s->h.penalty_low[t] = between(seed, 0, 0.1);
		s->h.penalty_high[t] = between(seed, 0, 0.2);
		if (kind & 64) { /* round numbers: many ties */
			s->h.demand[t] = round(2 * s->h.demand[t]) / 2;
			s->h.energy[t] = round(20 * s->h.energy[t]) / 20;
			s->h.export[t] = fmin(round(20 * s->h.export[t]) / 20, s->h.energy[t]);
		}
	}
	s->problem.export_eur_per_kwh = s->h.export;
	if (kind & 8)
		s->problem.production_kw = s->h.production;
	if (kind & 16)
		s->problem.co2_eur_per_kwh = s->h.co2;
	if (kind & 32) {
		s->problem.objective = EBR_ENERGY_CO2_DISTRIBUTION;
		s->problem.profile_low_kw = s->h.low;
		s->problem.profile_high_kw = s->h.high;
		s->problem.penalty_low_eur_per_kwh = s->h.penalty_low;
		s->problem.penalty_high_eur_per_kwh = s->h.penalty_high;
	}
	s->problem.capacity_eur_per_kwh = kind & 128 ? 0 : between(seed, 0, 0.15) * dearness;
	s->problem.power_eur_per_kw = kind & 256 ? 0 : between(seed, 0, 0.2) * dearness;
	s->problem.efficiency = chance(seed) < 0.2 ? 1 : between(seed, 0.5, 1);
	s->problem.capacity_max_kwh = kind & 512 ? between(seed, 0.5, 5) : 50;
	s->problem.power_max_kw = kind & 512 ? between(seed, 0.2, 2) : 20;
	if (chance(seed) < 0.2)
		s->problem.capacity_min_kwh = between(seed, 0, 1) * s->problem.capacity_max_kwh;
	if (chance(seed) < 0.2)
		s->problem.power_min_kw = between(seed, 0, 1) * s->problem.power_max_kw;
	if (chance(seed) < 0.1)
		s->problem.capacity_min_kwh = s->problem.capacity_max_kwh;
	if (chance(seed) < 0.1)
		s->problem.power_min_kw = s->problem.power_max_kw;
}

/* The cost of a schedule by its levels alone. */
static double cost_of_levels(const ebr_sizing_problem *p, const ebr_sizing_result *r,
                             const double *soc, bool *kept)
{
	double total = r->investment_eur, root = sqrt(p->efficiency), before = soc[p->slots - 1];

	for (int t = 0; t < p->slots; t++) {
		double gain = soc[t] - before, grid, import = p->energy_eur_per_kwh[t];
		double power = (gain > 0 ? gain / root : gain * root) / p->slot_hours;
		double co2 = p->co2_eur_per_kwh ? p->co2_eur_per_kwh[t] : 0;

		grid = p->demand_kw[t] - (p->production_kw ? p->production_kw[t] : 0) + power;
		total += p->slot_hours * grid * ((grid > 0 ? import : p->export_eur_per_kwh[t]) + co2);
		if (p->objective == EBR_ENERGY_CO2_DISTRIBUTION)
			total += p->slot_hours *
			         (p->penalty_low_eur_per_kwh[t] * fmax(p->profile_low_kw[t] - grid, 0) +
			          p->penalty_high_eur_per_kwh[t] * fmax(grid - p->profile_high_kw[t], 0));
		*kept = *kept && fabs(power) <= r->power_kw + 1e-6 && soc[t] >= -1e-9 &&
		        soc[t] <= r->capacity_kwh + 1e-9;
		before = soc[t];
	}
	return total;
}

typedef struct tally {
	int homes, relaxed, unproved, broken, passes, most_passes;
	double worst;
} tally;

static void try_home(tally *all, int slots, unsigned kind, uint64_t *seed)
{
	uint64_t began = *seed;
	double *soc = malloc((size_t)slots * sizeof(*soc)), want, got, off;
	ebr_limits limits = {0};
	bool kept = true;
	sized s;

	open_random(&s, slots, kind, seed);
	if (!soc || ebr_size(&s.problem, &limits, soc, &s.result, &s.out) != OUTCOME_OK) {
		printf("# seed %llu: %s\n", (unsigned long long)began, s.out.message);
		all->broken++;
	} else {
		want = by_lp(&s.problem);
		off = fabs(s.result.relaxed_eur - want) / fmax(fabs(want), 0.1);
		got = cost_of_levels(&s.problem, &s.result, soc, &kept);
		all->homes++;
		all->relaxed += s.result.quality == EBR_SIZING_RELAXED;
		all->passes += s.result.passes;
		all->most_passes = s.result.passes > all->most_passes ? s.result.passes : all->most_passes;
		all->worst = fmax(all->worst, off);
		if (!(off <= 1e-6) || s.result.quality == EBR_SIZING_FEASIBLE) {
			printf("# seed %llu kind %u: %d slots, got %.12g, bound %.12g, LP %.12g, %d passes\n",
			       (unsigned long long)began, kind, slots, s.result.relaxed_eur, s.result.bound_eur,
			       want, s.result.passes);
			all->unproved++;
		}
		if (!kept || !(fabs(got - s.result.cost_eur) <= 1e-7 * fmax(1, fabs(got))) ||
		    s.result.bound_eur > want + 1e-8 * fmax(1, fabs(want)) ||
		    s.result.relaxed_eur > s.result.cost_eur + 1e-9 * fmax(1, fabs(got))) {
			printf("# seed %llu kind %u: cost %.12g, by its levels %.12g, bound %.12g, LP %.12g\n",
			       (unsigned long long)began, kind, s.result.cost_eur, got, s.result.bound_eur,
			       want);
			all->broken++;
		}
	}
	free(soc);
	home_close(&s.h);
}

static void test_random(int homes)
{
	uint64_t seed = 20240611;
	tally all = {0};

	printf("# seed %llu\n", (unsigned long long)seed);
	/* 619 is prime to 1024: all kinds come */
	for (int k = 0; k < homes; k++)
		try_home(&all, 1 + (int)(chance(&seed) * 120), (unsigned)k * 619 % 1024, &seed);
	for (int k = 0; k < homes / 20; k++)
		try_home(&all, 200 + (int)(chance(&seed) * 400), (unsigned)(37 * k) % 1024, &seed);
	for (unsigned kind = 0; kind < 3; kind++)
		try_home(&all, 2000, 12 + 17 * kind, &seed);
	/* long enough to begin with a sample */
	try_home(&all, 3200, 12, &seed);
	printf("# %d homes, %d with overlap, %.1f passes in the mean and %d at most, worst %.2g\n",
	       all.homes, all.relaxed, (double)all.passes / all.homes, all.most_passes, all.worst);
	ok(all.unproved == 0, "%d random homes cost what the LP says", all.homes);
	ok(all.broken == 0, "... their schedules keep to the battery and cost what is said");
	ok(all.relaxed > 0, "... and some overlap");
}

int main(int count, char **arguments)
{
	test_two_slots();
	test_annuity();
	test_edges();
	test_gaps();
	test_one_price();
	test_bad_input();
	test_limits();
	test_random(count > 1 ? atoi(arguments[1]) : 600);
	return tap_done();
}
