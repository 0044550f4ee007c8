/* The EBR problem: nonsense is refused by name, what is missing is filled and flagged, money is
 * counted right, and the fallback answers (DESIGN.md section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/fallback.h"

static void give_ess(home *h)
{
	h->problem.store[EBR_ESS] = (ebr_store){10, -5, 4, 0.81, 2, INFINITY, NAN, NAN, 0};
}

/* A home that passes, with every series given. */
static void open_full(home *h)
{
	home_open(h, 3, 1);
	give_ess(h);
	h->problem.store[EBR_PEV] = (ebr_store){40, 0, 11, 0.9, 20, 2, 30, NAN, 0};
	h->problem.production_kw = h->production;
	h->problem.export_eur_per_kwh = h->export;
	h->problem.co2_eur_per_kwh = h->co2;
	h->problem.profile_low_kw = h->low;
	h->problem.profile_high_kw = h->high;
	h->problem.penalty_low_eur_per_kwh = h->penalty_low;
	h->problem.penalty_high_eur_per_kwh = h->penalty_high;
}

static void refused(const home *h, const char *message)
{
	outcome out = {0};
	outcome_status status = ebr_check(&h->problem, &out);

	if (!ok(status == OUTCOME_BAD_INPUT && strcmp(out.message, message) == 0, "refused: %s",
	        message))
		printf("# got %d: %s\n", status, out.message);
}

/* Sets one number to nonsense, expects the message, puts it back. */
static void refused_with(home *h, double *place, double value, const char *message)
{
	double before = *place;

	*place = value;
	refused(h, message);
	*place = before;
}

static void test_nonsense_in_series(void)
{
	home h;
	outcome out;

	open_full(&h);
	ok(ebr_check(&h.problem, &out) == OUTCOME_OK, "a full problem passes");
	refused_with(&h, &h.demand[1], NAN, "demand_kw is nan in slot 2, which is not a usable number");
	refused_with(&h, &h.demand[2], INFINITY,
	             "demand_kw is inf in slot 3, which is not a usable number");
	refused_with(&h, &h.production[0], NAN,
	             "production_kw is nan in slot 1, which is not a usable number");
	refused_with(&h, &h.energy[0], INFINITY,
	             "energy_eur_per_kwh is inf in slot 1, which is not a usable number");
	refused_with(&h, &h.export[0], -INFINITY,
	             "export_eur_per_kwh is -inf in slot 1, which is not a usable number");
	refused_with(&h, &h.co2[0], 1e300,
	             "co2_eur_per_kwh is 1e+300 in slot 1, which is not a usable number");
	refused_with(&h, &h.low[1], 5, "profile_low_kw 5 is above profile_high_kw 0 in slot 2");
	refused_with(&h, &h.low[1], INFINITY,
	             "profile_low_kw is inf in slot 2, which is not a usable bound");
	refused_with(&h, &h.high[1], -INFINITY,
	             "profile_high_kw is -inf in slot 2, which is not a usable bound");
	refused_with(&h, &h.penalty_low[1], -1,
	             "penalty_low_eur_per_kwh is -1 in slot 2, but must not be less than 0");
	refused_with(&h, &h.penalty_high[1], NAN,
	             "penalty_high_eur_per_kwh is nan in slot 2, which is not a usable number");
	h.energy[0] = h.export[0] = h.co2[1] = h.low[2] = h.high[2] = NAN;
	h.high[0] = INFINITY;
	h.low[0] = -INFINITY;
	ok(ebr_check(&h.problem, &out) == OUTCOME_OK, "missing and unbounded slots pass");
	h.problem.demand_kw = NULL;
	refused(&h, "demand_kw must be given");
	home_close(&h);
}

static void test_nonsense_in_numbers(void)
{
	home h;
	ebr_store *ess, *pev;
	outcome out;

	open_full(&h);
	ess = &h.problem.store[EBR_ESS];
	pev = &h.problem.store[EBR_PEV];
	refused_with(&h, &h.problem.slot_hours, 0,
	             "slot_hours is 0, but must be more than 0 and not more than 24");
	refused_with(&h, &h.problem.slot_hours, NAN,
	             "slot_hours is nan, but must be more than 0 and not more than 24");
	refused_with(&h, &h.problem.slot_hours, 25,
	             "slot_hours is 25, but must be more than 0 and not more than 24");
	refused_with(&h, &h.problem.contract_max_kw, NAN,
	             "contract_max_kw is nan, which is not a usable bound");
	refused_with(&h, &h.problem.contract_min_kw, INFINITY,
	             "contract_min_kw is inf, which is not a usable bound");
	h.problem.contract_max_kw = 1;
	refused_with(&h, &h.problem.contract_min_kw, 2, "contract_min_kw 2 is above contract_max_kw 1");
	refused_with(&h, &ess->capacity_kwh, -1,
	             "ess_capacity_kwh is -1, but must be a number not less than 0");
	refused_with(&h, &pev->capacity_kwh, INFINITY,
	             "pev_capacity_kwh is inf, but must be a number not less than 0");
	refused_with(&h, &ess->min_kw, 1, "ess_min_kw is 1, but must be a number not greater than 0");
	refused_with(&h, &ess->max_kw, -1, "ess_max_kw is -1, but must be a number not less than 0");
	refused_with(&h, &ess->max_kw, INFINITY,
	             "ess_max_kw is inf, but must be a number not less than 0");
	refused_with(&h, &ess->efficiency, 0, "ess_efficiency is 0, but must be from 0.001 to 1");
	refused_with(&h, &pev->efficiency, 1.01, "pev_efficiency is 1.01, but must be from 0.001 to 1");
	refused_with(&h, &ess->soc_kwh, NAN, "ess_soc_kwh is nan, which is not a usable number");
	refused_with(&h, &pev->plugged_hours, NAN,
	             "pev_plugged_hours is nan, but must not be negative");
	refused_with(&h, &pev->plugged_hours, -0.5,
	             "pev_plugged_hours is -0.5, but must not be negative");
	refused_with(&h, &pev->target_kwh, -1,
	             "pev_target_kwh is -1, but must be from 0 to the capacity 40");
	refused_with(&h, &pev->target_kwh, 40.1,
	             "pev_target_kwh is 40.1, but must be from 0 to the capacity 40");
	refused_with(&h, &ess->terminal_value_eur_per_kwh, INFINITY,
	             "ess_terminal_value_eur_per_kwh is inf, which is not a usable number");
	h.problem.slots = 0;
	refused(&h, "there are 0 slots, but must be from 1 to 10000");
	h.problem.slots = 10001;
	refused(&h, "there are 10001 slots, but must be from 1 to 10000");
	h.problem.slots = 3;
	pev->plugged_hours = 0;
	pev->soc_kwh = NAN;
	ok(ebr_check(&h.problem, &out) == OUTCOME_OK,
	   "the state of a vehicle that is away is not asked");
	home_close(&h);
}

static void test_filling(void)
{
	home h;
	double energy[30], export[30], co2[30];
	unsigned flags;

	home_open(&h, 30, 1);
	h.problem.export_eur_per_kwh = h.export;
	for (int t = 0; t < 30; t++)
		h.energy[t] = t < 2 ? 0.5 : 0.1;
	h.energy[25] = h.energy[3] = h.energy[27] = NAN;
	h.export[7] = NAN;
	flags = ebr_fill_missing(&h.problem, energy, export, co2);
	close_to(energy[25], 0.5, 0, "a missing price takes the one a day earlier");
	close_to(energy[3], (2 * 0.5 + 25 * 0.1) / 27, 1e-15,
	         "without an earlier day it takes the mean of the known ones");
	close_to(energy[27], energy[3], 0, "a filled price is not passed on as known");
	close_to(export[7], 0.1, 0, "a missing export price takes the energy price");
	close_to(export[8], 0, 0, "a known export price is kept");
	ok(flags == (EBR_ASSUMED_ENERGY_PRICE | EBR_ASSUMED_EXPORT_PRICE), "flags say what was filled");
	ok(co2[0] == 0 && co2[29] == 0, "no CO2 series is no CO2 price, without a flag");
	for (int t = 0; t < 30; t++)
		h.energy[t] = NAN;
	h.problem.co2_eur_per_kwh = h.co2;
	h.co2[4] = NAN;
	h.problem.profile_high_kw = h.high;
	h.high[2] = NAN;
	flags = ebr_fill_missing(&h.problem, energy, export, co2);
	ok(energy[12] == 0, "with no price at all it is 0");
	ok(flags == (EBR_ASSUMED_ENERGY_PRICE | EBR_ASSUMED_EXPORT_PRICE | EBR_ASSUMED_CO2_PRICE |
	             EBR_ASSUMED_PROFILE),
	   "CO2 and profile have their flags");
	home_close(&h);
}

static void test_accounting(void)
{
	home h;
	ebr_model m;
	ebr_solution *s = &h.solution;

	open_full(&h);
	h.problem.store[EBR_PEV].capacity_kwh = 0;
	h.problem.objective = EBR_ENERGY_CO2_DISTRIBUTION;
	h.problem.contract_max_kw = 4.5;
	h.production[1] = 3;
	for (int t = 0; t < 3; t++) {
		h.export[t] = 0.05;
		h.co2[t] = 0.01;
		h.low[t] = -1;
		h.high[t] = 2;
		h.penalty_low[t] = 0.3;
		h.penalty_high[t] = 0.4;
	}
	ebr_model_init(&m, &h.problem, s);
	s->power_kw[EBR_ESS][0] = 4;    /* grid 5; stored 2 + 3.6 */
	s->power_kw[EBR_ESS][1] = 0;    /* grid -2 */
	s->power_kw[EBR_ESS][2] = -0.9; /* grid 0.1; stored 4.6 */
	s->power_kw[EBR_PEV][0] = s->power_kw[EBR_PEV][1] = s->power_kw[EBR_PEV][2] = 7;
	ebr_account(&m, s);
	close_to(s->soc_kwh[EBR_ESS][0], 5.6, 1e-12, "charging loses the square root of 0.81");
	close_to(s->soc_kwh[EBR_ESS][2], 4.6, 1e-12, "discharging loses it again");
	ok(s->power_kw[EBR_PEV][1] == 0, "a store that does not exist is idle");
	close_to(s->grid_kw[1], -2, 1e-12, "grid is demand less production plus stores");
	close_to(s->energy_eur, 5 * 0.2 - 2 * 0.05 + 0.1 * 0.2, 1e-12, "import and export prices");
	close_to(s->co2_eur, 3.1 * 0.01, 1e-12, "CO2 is credited on export");
	close_to(s->distribution_eur, 3 * 0.4 + 1 * 0.3, 1e-12, "tube penalties on both sides");
	close_to(s->contract_high_kw[0], 0.5, 1e-12, "kW above the contract");
	close_to(s->penalty_eur, 0.5 * m.contract_penalty, 1e-9, "contract penalty");
	close_to(s->terminal_value_eur_per_kwh[EBR_ESS], 0.85 * 0.9 * 0.21, 1e-12,
	         "terminal value: 0.85 sqrt(efficiency) times the mean import price");
	close_to(s->stored_value_eur, 4.6 * 0.85 * 0.9 * 0.21, 1e-12, "stored value");
	close_to(s->objective_eur,
	         s->energy_eur + s->co2_eur + s->distribution_eur + s->penalty_eur -
	             s->stored_value_eur,
	         1e-12, "the objective is the sum of its parts");
	close_to(s->baseline_eur, 0.2 - 0.1 + 0.2 + 0 + 0.3, 1e-12, "baseline: stores idle");
	ok(s->flags == (EBR_OUTSIDE_PROFILE | EBR_VIOLATED_CONTRACT_MAX), "flags");
	home_close(&h);
}

static void test_departure_rules(void)
{
	home h;
	ebr_model m;

	home_open(&h, 4, 0.5);
	h.problem.store[EBR_PEV] = (ebr_store){40, -5, 10, 0.81, 20, 0.75, NAN, NAN, 0};
	ebr_model_init(&m, &h.problem, &h.solution);
	close_to(ebr_charge_limit(&m, EBR_PEV, 0), 10, 0, "plugged for the whole first slot");
	close_to(ebr_charge_limit(&m, EBR_PEV, 1), 5, 1e-12, "and half of the second");
	close_to(ebr_discharge_limit(&m, EBR_PEV, 2), 0, 0, "gone in the third");
	ok(m.store[EBR_PEV].departure_slot == 1 && m.store[EBR_PEV].required_kwh == 40,
	   "full by default at the end of its last slot");
	ok(m.store[EBR_PEV].terminal_value == 0, "worth nothing once it has left");
	h.problem.store[EBR_PEV].plugged_hours = 4;
	h.problem.store[EBR_PEV].target_kwh = 30;
	ebr_model_init(&m, &h.problem, &h.solution);
	ok(m.store[EBR_PEV].departure_slot == 3, "leaving after the horizon counts at its end");
	close_to(m.store[EBR_PEV].required_kwh, 30 - 2 * 10 * 0.9, 1e-12,
	         "less what can still be charged");
	close_to(m.store[EBR_PEV].terminal_value, 0.85 * 0.9 * 0.2, 1e-12, "and still worth something");
	h.problem.store[EBR_PEV].plugged_hours = 0;
	h.problem.store[EBR_PEV].soc_kwh = 99;
	ebr_model_init(&m, &h.problem, &h.solution);
	ok(!m.store[EBR_PEV].active && m.store[EBR_PEV].departure_slot == -1 && m.flags == 0,
	   "away: nothing to plan, nothing due, nothing assumed");
	home_close(&h);
}

static void test_fallback(void)
{
	home h;
	ebr_solution *s = &h.solution;

	home_open(&h, 4, 1);
	give_ess(&h);
	h.problem.store[EBR_PEV] = (ebr_store){40, -5, 4, 1, 20, 4, 27, NAN, 0};
	h.problem.contract_max_kw = 4;
	h.demand[1] = 5;
	ebr_fallback(&h.problem, s);
	close_to(s->power_kw[EBR_PEV][0], 3, 1e-12, "fallback: the PEV takes what the contract leaves");
	close_to(s->power_kw[EBR_ESS][1], -1, 1e-12, "fallback: the ESS relieves the contract");
	close_to(s->power_kw[EBR_PEV][3], 1, 1e-12, "fallback: the PEV stops at its target");
	ok(s->power_kw[EBR_ESS][0] == 0 && s->power_kw[EBR_ESS][3] == 0, "fallback: else idle");
	ok(s->quality == EBR_FALLBACK && s->bound_eur == -INFINITY && s->flags == 0,
	   "fallback: no claim of optimality, nothing violated");
	h.problem.contract_max_kw = 0.5;
	h.problem.contract_min_kw = 0.5;
	h.demand[0] = 30;
	h.demand[2] = -30;
	ebr_fallback(&h.problem, s);
	ok((s->flags & EBR_VIOLATED_CONTRACT_MAX) && (s->flags & EBR_VIOLATED_CONTRACT_MIN) &&
	       (s->flags & EBR_VIOLATED_DEPARTURE),
	   "fallback: what it cannot keep is flagged");
	home_close(&h);
}

int main(void)
{
	test_nonsense_in_series();
	test_nonsense_in_numbers();
	test_filling();
	test_accounting();
	test_departure_rules();
	test_fallback();
	return tap_done();
}
