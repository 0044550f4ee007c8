/*
 * Checks an EBR problem before it is planned (DESIGN.md section 3): nonsense is
 * an error that names the argument, its value and the slot; what a meter or a
 * market can leave out or get slightly wrong is not.
 */
#include "problem.h"

#include <math.h>
#include <stdio.h>

/* Beyond this nothing is a home's power, energy or price, and sums lose their cents. */
#define LARGEST 1e9

#define REQUIRE(condition, ...)                                                                    \
	do {                                                                                           \
		if (!(condition))                                                                          \
			return outcome_set(__VA_ARGS__);                                                       \
	} while (0)

static const char counted[] = "Slots are counted from 1.";

static bool usable(double value)
{
	return fabs(value) <= LARGEST;
}

/* Finite values; missing ones too where the series allows it. */
static outcome_status check_series(const char *name, const double *series, int slots, bool may_miss,
                                   double least, outcome *out)
{
	for (int t = 0; series && t < slots; t++) {
		if (may_miss && isnan(series[t]))
			continue;
		REQUIRE(usable(series[t]), out, OUTCOME_BAD_INPUT,
		        may_miss ? "A missing slot is NULL or NaN." : NULL, counted,
		        "%s is %g in slot %d, which is not a usable number", name, series[t], t + 1);
		REQUIRE(series[t] >= least, out, OUTCOME_BAD_INPUT, NULL, counted,
		        "%s is %g in slot %d, but must not be less than %g", name, series[t], t + 1, least);
	}
	return OUTCOME_OK;
}

static outcome_status check_profile(const ebr_problem *p, outcome *out)
{
	for (int t = 0; t < p->slots; t++) {
		double low = p->profile_low_kw ? p->profile_low_kw[t] : NAN;
		double high = p->profile_high_kw ? p->profile_high_kw[t] : NAN;

		REQUIRE(isnan(low) || low == -INFINITY || usable(low), out, OUTCOME_BAD_INPUT, NULL,
		        counted, "profile_low_kw is %g in slot %d, which is not a usable bound", low,
		        t + 1);
		REQUIRE(isnan(high) || high == INFINITY || usable(high), out, OUTCOME_BAD_INPUT, NULL,
		        counted, "profile_high_kw is %g in slot %d, which is not a usable bound", high,
		        t + 1);
		REQUIRE(isnan(low) || isnan(high) || low <= high, out, OUTCOME_BAD_INPUT, NULL, counted,
		        "profile_low_kw %g is above profile_high_kw %g in slot %d", low, high, t + 1);
	}
	return OUTCOME_OK;
}

static outcome_status check_all_series(const ebr_problem *p, outcome *out)
{
	const struct {
		const char *name;
		const double *series;
		bool may_miss;
		double least;
	} checks[] = {
	    {"demand_kw", p->demand_kw, false, -INFINITY},
	    {"production_kw", p->production_kw, false, -INFINITY},
	    {"energy_eur_per_kwh", p->energy_eur_per_kwh, true, -INFINITY},
	    {"export_eur_per_kwh", p->export_eur_per_kwh, true, -INFINITY},
	    {"co2_eur_per_kwh", p->co2_eur_per_kwh, true, -INFINITY},
	    {"penalty_low_eur_per_kwh", p->penalty_low_eur_per_kwh, false, 0},
	    {"penalty_high_eur_per_kwh", p->penalty_high_eur_per_kwh, false, 0},
	};

	REQUIRE(p->demand_kw, out, OUTCOME_BAD_INPUT, NULL, NULL, "demand_kw must be given");
	REQUIRE(p->energy_eur_per_kwh, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "energy_eur_per_kwh must be given");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		outcome_status status = check_series(checks[i].name, checks[i].series, p->slots,
		                                     checks[i].may_miss, checks[i].least, out);
		if (status != OUTCOME_OK)
			return status;
	}
	return check_profile(p, out);
}

/* Nothing but the capacity matters of a store that is not there, nor the state of one that is away.
 */
static outcome_status check_store(const char *name, const ebr_store *s, outcome *out)
{
	REQUIRE(s->capacity_kwh >= 0 && usable(s->capacity_kwh), out, OUTCOME_BAD_INPUT,
	        "Give 0 where there is no such store.", NULL,
	        "%s_capacity_kwh is %g, but must be a number not less than 0", name, s->capacity_kwh);
	if (s->capacity_kwh == 0)
		return OUTCOME_OK;
	REQUIRE(s->min_kw <= 0 && usable(s->min_kw), out, OUTCOME_BAD_INPUT,
	        "Discharging is negative: give -5 for 5 kW, or 0 for a store that only charges.", NULL,
	        "%s_min_kw is %g, but must be a number not greater than 0", name, s->min_kw);
	REQUIRE(s->max_kw >= 0 && usable(s->max_kw), out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "%s_max_kw is %g, but must be a number not less than 0", name, s->max_kw);
	REQUIRE(s->min_step_kw >= 0 && (s->max_kw == 0 || s->min_step_kw <= s->max_kw) &&
	            (s->min_kw == 0 || s->min_step_kw <= -s->min_kw),
	        out, OUTCOME_BAD_INPUT, "Give 0 for a store that runs at any power.", NULL,
	        "%s_min_step_kw is %g, but must be from 0 to the full power", name, s->min_step_kw);
	REQUIRE(s->efficiency >= 1e-3 && s->efficiency <= 1, out, OUTCOME_BAD_INPUT,
	        "The round-trip efficiency is a fraction: give 0.9 for 90 %.", NULL,
	        "%s_efficiency is %g, but must be from 0.001 to 1", name, s->efficiency);
	REQUIRE(s->plugged_hours >= 0, out, OUTCOME_BAD_INPUT,
	        "Give 0 where it is away, and infinity where its departure is not known.", NULL,
	        "%s_plugged_hours is %g, but must not be negative", name, s->plugged_hours);
	REQUIRE(isfinite(s->soc_kwh) || s->plugged_hours == 0, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "%s_soc_kwh is %g, which is not a usable number", name, s->soc_kwh);
	REQUIRE(isnan(s->target_kwh) || (s->target_kwh >= 0 && s->target_kwh <= s->capacity_kwh), out,
	        OUTCOME_BAD_INPUT, "Leave it out to ask for a full store.", NULL,
	        "%s_target_kwh is %g, but must be from 0 to the capacity %g", name, s->target_kwh,
	        s->capacity_kwh);
	REQUIRE(isnan(s->terminal_value_eur_per_kwh) || usable(s->terminal_value_eur_per_kwh), out,
	        OUTCOME_BAD_INPUT, "Leave it out to have the default rule.", NULL,
	        "%s_terminal_value_eur_per_kwh is %g, which is not a usable number", name,
	        s->terminal_value_eur_per_kwh);
	return OUTCOME_OK;
}

outcome_status ebr_check(const ebr_problem *p, outcome *out)
{
	outcome_status status;

	REQUIRE(p->slots >= 1 && p->slots <= EBR_MAX_SLOTS, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "there are %d slots, but must be from 1 to %d", p->slots, EBR_MAX_SLOTS);
	REQUIRE(p->slot_hours > 0 && p->slot_hours <= 24, out, OUTCOME_BAD_INPUT,
	        "Give 0.25 for quarters of an hour.", NULL,
	        "slot_hours is %g, but must be more than 0 and not more than 24", p->slot_hours);
	REQUIRE(p->objective >= EBR_ENERGY_CO2 && p->objective <= EBR_ENERGY_CO2_DISTRIBUTION, out,
	        OUTCOME_BAD_INPUT, NULL, NULL, "objective %d is not known", (int)p->objective);
	REQUIRE(p->contract_min_kw == -INFINITY || usable(p->contract_min_kw), out, OUTCOME_BAD_INPUT,
	        NULL, NULL, "contract_min_kw is %g, which is not a usable bound", p->contract_min_kw);
	REQUIRE(p->contract_max_kw == INFINITY || usable(p->contract_max_kw), out, OUTCOME_BAD_INPUT,
	        NULL, NULL, "contract_max_kw is %g, which is not a usable bound", p->contract_max_kw);
	REQUIRE(p->contract_min_kw <= p->contract_max_kw, out, OUTCOME_BAD_INPUT, NULL, NULL,
	        "contract_min_kw %g is above contract_max_kw %g", p->contract_min_kw,
	        p->contract_max_kw);
	status = check_all_series(p, out);
	if (status == OUTCOME_OK)
		status = check_store("ess", &p->store[EBR_ESS], out);
	if (status == OUTCOME_OK)
		status = check_store("pev", &p->store[EBR_PEV], out);
	return status;
}
