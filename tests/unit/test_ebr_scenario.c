/*
 * Planning under uncertainty: where nothing is uncertain it is the exact value
 * curve, where something is it hedges, and it reads nothing that is not known.
 */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/scenario.h"
#include "../../extension/core/forecast/price_day.h"

#include <stdlib.h>

enum { DAY = 24, HISTORY = 21 * DAY, KNOWN = 30 };

/* A home of 21 days and the slots ahead whose prices are known. */
typedef struct moment {
	double net[HISTORY], import[HISTORY], export[HISTORY];
	double demand[KNOWN], energy[KNOWN], paid[KNOWN];
	ebr_problem problem;
	ebr_outlook outlook;
} moment;

/* The coming slot is the night's last cheap one. */
static int hour_of(int slot)
{
	return (slot + 5) % DAY;
}

static double daily_price(int slot)
{
	int hour = hour_of(slot);

	return hour < 6 ? 0.1 : hour >= 17 && hour < 21 ? 0.4 : 0.25;
}

/* Every day like the one before. */
static void open_moment(moment *m)
{
	memset(m, 0, sizeof(*m));
	for (int t = 0; t < HISTORY; t++) {
		m->net[t] = 0.5;
		m->import[t] = daily_price(t);
		m->export[t] = 0.02;
	}
	for (int t = 0; t < KNOWN; t++) {
		m->demand[t] = 0.5;
		m->energy[t] = daily_price(t);
		m->paid[t] = 0.02;
	}
	m->problem = (ebr_problem){.slots = KNOWN,
	                           .slot_hours = 1,
	                           .demand_kw = m->demand,
	                           .energy_eur_per_kwh = m->energy,
	                           .export_eur_per_kwh = m->paid,
	                           .contract_min_kw = -INFINITY,
	                           .contract_max_kw = INFINITY};
	m->problem.store[EBR_ESS] = (ebr_store){8, -2, 2, 0.81, 4, INFINITY, NAN, NAN, 0};
	m->problem.store[EBR_PEV] = (ebr_store){0, 0, 0, 1, 0, INFINITY, NAN, NAN, 0};
	m->outlook = (ebr_outlook){.slots_per_day = DAY,
	                           .history = HISTORY,
	                           .net_kw = m->net,
	                           .import_eur_per_kwh = m->import,
	                           .export_eur_per_kwh = m->export,
	                           .known_slots = KNOWN,
	                           .reveal_slot = 13};
}

static outcome_status rule_of(moment *m, ebr_rule *rule, double *expected_kw)
{
	const ebr_limits limits = {0};
	outcome out;

	return ebr_command_rule(&m->problem, EBR_ESS, NULL, &m->outlook, &limits, rule, expected_kw,
	                        &out);
}

/* Mean marginal value over a range of levels. */
static double mean_value(const ebr_curve *curve, double from, double to)
{
	double sum = 0;

	for (int k = 0; k < curve->segments; k++)
		sum += curve->value_eur_per_kwh[k] *
		       fmax(0, fmin(to, curve->level_kwh[k + 1]) - fmax(from, curve->level_kwh[k]));
	return sum / (to - from);
}

static void same_as_exact_without_uncertainty(void)
{
	enum { LONG = 10 * DAY };
	static moment m;
	ebr_curve drawn, exact;
	const ebr_limits limits = {0};
	double excess, off = 0;
	ebr_model model;
	outcome out;
	home h;

	open_moment(&m);
	home_open(&h, LONG, 1);
	for (int t = 0; t < LONG; t++) {
		h.demand[t] = 0.5;
		h.energy[t] = daily_price(t);
		h.export[t] = 0.02;
	}
	h.problem.export_eur_per_kwh = h.export;
	h.problem.store[EBR_ESS] = m.problem.store[EBR_ESS];
	ebr_model_init(&model, &h.problem, &h.solution);
	ebr_value_curve(&model, EBR_ESS, NULL, &limits, NULL, &excess, &exact, &out);
	home_close(&h);

	home_open(&h, KNOWN, 1);
	ebr_model_init(&model, &m.problem, &h.solution);
	ok(ebr_scenario_curve(&model, EBR_ESS, NULL, &m.outlook, &limits, &drawn, &out) == OUTCOME_OK,
	   "a scenario curve is found");
	for (double level = 0; level < 8; level += 1)
		off = fmax(
		    off, fabs(mean_value(&drawn, level, level + 1) - mean_value(&exact, level, level + 1)));
	ok(off < 0.01, "days that are all alike give the exact value curve, within the grid (%g)", off);
	for (int k = 1; k < drawn.segments; k++)
		off = fmax(off, drawn.value_eur_per_kwh[k] - drawn.value_eur_per_kwh[k - 1]);
	ok(off < 0.01, "values fall as more is stored");
	ebr_curve_free(&drawn);
	ebr_curve_free(&exact);
	home_close(&h);
}

static void uncertain_demand_is_hedged(void)
{
	static moment m;
	ebr_rule sure, unsure;

	/* Half an evening's peak every day, or all of it every other day. */
	open_moment(&m);
	for (int t = 0; t < HISTORY; t++)
		m.net[t] = hour_of(t) >= 17 && hour_of(t) < 21 ? 1 : 0;
	ok(rule_of(&m, &sure, NULL) == OUTCOME_OK, "a rule is found");
	for (int t = 0; t < HISTORY; t++)
		if (hour_of(t) >= 17 && hour_of(t) < 21)
			m.net[t] = t / DAY % 2 == 0 ? 2 : 0;
	ok(rule_of(&m, &unsure, NULL) == OUTCOME_OK, "a rule is found for uncertain demand");
	ok(unsure.grid_charge_kwh > sure.grid_charge_kwh + 0.5,
	   "more is stored for a peak of the same mean that may be higher (%g, %g kWh)",
	   unsure.grid_charge_kwh, sure.grid_charge_kwh);
}

static void dear_days_ahead_are_feared(void)
{
	static moment m;
	ebr_rule usual, feared;

	open_moment(&m);
	m.problem.slots = m.outlook.known_slots = m.outlook.reveal_slot = 1;
	for (int t = 0; t < HISTORY; t++)
		m.import[t] = 0.25;
	for (int t = 0; t < KNOWN; t++)
		m.energy[t] = 0.25;
	rule_of(&m, &usual, NULL);
	for (int t = 0; t < HISTORY; t++)
		if (t / DAY % 2 == 0)
			m.import[t] = 0.75;
	rule_of(&m, &feared, NULL);
	close_to(usual.grid_charge_kwh, 0, 1e-9, "steady prices: nothing is bought for later");
	ok(feared.grid_charge_kwh > 1, "prices that jump from day to day: something is (%g kWh)",
	   feared.grid_charge_kwh);
}

/* Steady prices; a dear day to come, which no past day was like, is forecast. */
static void forecasts_are_believed(void)
{
	static double forecast[(1 + PRICE_DAY_BACK) * DAY];
	static moment m;
	ebr_rule rule;

	open_moment(&m);
	m.problem.slots = m.outlook.known_slots = m.outlook.reveal_slot = 1;
	for (int t = 0; t < HISTORY; t++)
		m.import[t] = 0.25;
	for (int t = 0; t < KNOWN; t++)
		m.energy[t] = 0.25;
	for (int k = 0; k < (1 + PRICE_DAY_BACK) * DAY; k++)
		forecast[k] = k < DAY ? 0.5 : 0.25;
	m.outlook.forecast_eur_per_kwh = forecast;
	rule_of(&m, &rule, NULL);
	ok(rule.grid_charge_kwh > 1, "a dear day is forecast: it is stored for (%g kWh)",
	   rule.grid_charge_kwh);
	for (int k = 0; k < DAY; k++)
		forecast[k] = 0.25;
	rule_of(&m, &rule, NULL);
	close_to(rule.grid_charge_kwh, 0, 1e-9, "a usual one is: nothing is");
}

/* Every other day 2 kW from the coming slot on, the days between 0; the last hours tell which. */
static void days_like_the_present_count_most(void)
{
	static moment m;
	double expected = 0;
	ebr_rule rule;

	open_moment(&m);
	for (int t = 0; t < HISTORY; t++)
		m.net[t] = (t - HISTORY + 8 + 100 * DAY) / DAY % 2 == 0 ? 2 : 0;
	rule_of(&m, &rule, &expected);
	ok(expected > 1.5, "a day that begins like those of 2 kW is expected to be one (%g kW)",
	   expected);
	for (int t = HISTORY - 8; t < HISTORY; t++)
		m.net[t] = 2 - m.net[t];
	rule_of(&m, &rule, &expected);
	ok(expected < 0.5, "and one that begins like the others is not (%g kW)", expected);
}

static void little_history_is_enough(void)
{
	static moment m;
	double expected = 0;
	ebr_rule rule;

	open_moment(&m);
	ok(rule_of(&m, &rule, &expected) == OUTCOME_OK, "a rule is found");
	close_to(expected, 0.5, 1e-12, "the expected demand is the mean of the days before");
	m.outlook.history = 0;
	m.demand[0] = 3;
	ok(rule_of(&m, &rule, &expected) == OUTCOME_OK, "a rule is found without history");
	close_to(expected, 3, 1e-12, "the expected demand is then the problem's");
	ok(rule.grid_charge_kwh > 0, "and the known evening peak is stored for");
	for (int t = 0; t < HISTORY; t++)
		m.net[t] = m.import[t] = NAN;
	m.outlook.history = HISTORY;
	ok(rule_of(&m, &rule, &expected) == OUTCOME_OK, "a rule is found for a history of gaps");
	m.problem.slots = m.outlook.known_slots = m.outlook.reveal_slot = 1;
	ok(rule_of(&m, &rule, &expected) == OUTCOME_OK, "and with no price but the coming slot's");
}

static bool stop(void *argument)
{
	(void)argument;
	return true;
}

static void nonsense_and_limits(void)
{
	static moment m;
	ebr_rule rule;
	outcome out;
	const ebr_limits limits = {.interrupted = stop};

	open_moment(&m);
	m.outlook.known_slots = KNOWN + 1;
	ok(rule_of(&m, &rule, NULL) == OUTCOME_BAD_INPUT, "more known prices than slots are refused");
	open_moment(&m);
	m.net[3] = INFINITY;
	ok(rule_of(&m, &rule, NULL) == OUTCOME_BAD_INPUT, "infinite history is refused");
	open_moment(&m);
	ok(ebr_command_rule(&m.problem, EBR_ESS, NULL, &m.outlook, &limits, &rule, NULL, &out) ==
	       OUTCOME_INTERRUPTED,
	   "planning can be interrupted");
	m.problem.store[EBR_ESS].plugged_hours = 0;
	ok(rule_of(&m, &rule, NULL) == OUTCOME_OK && rule.export_kwh == 8 && rule.grid_charge_kwh == 0,
	   "a store that is away has the rule to do nothing");
}

int main(void)
{
	same_as_exact_without_uncertainty();
	uncertain_demand_is_hedged();
	dear_days_ahead_are_feared();
	forecasts_are_believed();
	days_like_the_present_count_most();
	little_history_is_enough();
	nonsense_and_limits();
	return tap_done();
}
