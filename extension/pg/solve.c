/* See solve.h. */
#include "solve.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

int choice_argument(FunctionCallInfo fcinfo, int number, const char *name, const char *const *words,
                    int count, int for_null)
{
	char *word;

	if (PG_ARGISNULL(number))
		return for_null;
	word = text_to_cstring(PG_GETARG_TEXT_PP(number));
	for (int i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s \"%s\" is not known", name, word),
	         errhint("It is one of: %s, %s, %s.", words[0], words[1], words[2])));
}

ebr_objective objective_argument(FunctionCallInfo fcinfo, int number, bool tube)
{
	static const char *const objectives[] = {"energy_co2", "co2", "energy_co2_distribution"};

	return choice_argument(fcinfo, number, "objective", objectives, lengthof(objectives),
	                       tube ? EBR_ENERGY_CO2_DISTRIBUTION : EBR_ENERGY_CO2);
}

double seconds_argument(FunctionCallInfo fcinfo, int number)
{
	if (PG_ARGISNULL(number))
		return 0;
	return (double)interval_us(PG_GETARG_INTERVAL_P(number), "time_limit") / USECS_PER_SEC;
}

static void allocate_solution(ebr_solution *solution, int slots)
{
	double **arrays[] = {&solution->power_kw[EBR_ESS],
	                     &solution->power_kw[EBR_PEV],
	                     &solution->soc_kwh[EBR_ESS],
	                     &solution->soc_kwh[EBR_PEV],
	                     &solution->grid_kw,
	                     &solution->outside_high_kw,
	                     &solution->outside_low_kw,
	                     &solution->contract_high_kw,
	                     &solution->contract_low_kw,
	                     &solution->energy_used_eur_per_kwh,
	                     &solution->export_used_eur_per_kwh,
	                     &solution->co2_used_eur_per_kwh};

	memset(solution, 0, sizeof(*solution));
	for (int i = 0; i < (int)lengthof(arrays); i++)
		*arrays[i] = palloc0(sizeof(double) * Max(slots, 1));
}

static outcome_status plan(const ebr_problem *problem, ebr_plan_method method,
                           const ebr_limits *limits, ebr_answer *answer, outcome *failed)
{
	return ebr_plan_solve(problem, method, limits, &answer->solution, &answer->rule[EBR_ESS],
	                      &answer->rule[EBR_PEV], failed);
}

/* The cautious schedule where the caller wants an answer all the same: not to bad input, not when
 * cancelled. It needs no solver, so neither limit holds. */
static bool answer_cautiously(const ebr_problem *problem, ebr_limits limits, ebr_answer *answer,
                              outcome *failed)
{
	if (failed->status == OUTCOME_BAD_INPUT || failed->status == OUTCOME_INTERRUPTED)
		return false;
	limits.seconds = 0;
	limits.memory_mb = 0;
	return plan(problem, EBR_PLAN_FALLBACK, &limits, answer, failed) == OUTCOME_OK;
}

/* Replaces the ESS's rule by that of the scenarios, the PEV held at its plan. A rule that does not
 * come in time leaves the one that follows from the plan. */
static void rule_from_scenarios(const ebr_problem *problem, const ebr_limits *limits,
                                const ebr_outlook *outlook, ebr_answer *answer)
{
	ebr_rule better;
	outcome failed;

	switch (ebr_command_rule(problem, EBR_ESS, answer->solution.power_kw[EBR_PEV], outlook, limits,
	                         &better, NULL, &failed)) {
	case OUTCOME_OK:
		answer->rule[EBR_ESS] = better;
		break;
	case OUTCOME_BAD_INPUT:
	case OUTCOME_INTERRUPTED:
		raise_outcome(&failed);
	default:
		break;
	}
}

void answer_problem(const ebr_problem *problem, ebr_plan_method method, const ebr_limits *limits,
                    bool always, const ebr_outlook *outlook, ebr_answer *answer)
{
	outcome failed;

	allocate_solution(&answer->solution, problem->slots);
	if (plan(problem, method, limits, answer, &failed) != OUTCOME_OK &&
	    !(always && answer_cautiously(problem, *limits, answer, &failed)))
		raise_outcome(&failed);
	if (outlook && problem->store[EBR_ESS].capacity_kwh != 0)
		rule_from_scenarios(problem, limits, outlook, answer);
	answer->changed_slots = ebr_changed_slots(problem, &answer->solution);
}

double *history_prices(const double *energy, const double *co2, const ebr_problem *problem,
                       int length)
{
	double *prices = palloc(sizeof(double) * Max(length, 1));

	for (int i = 0; i < length; i++)
		prices[i] = (problem->objective == EBR_CO2 ? 0 : energy[i]) + (co2 ? co2[i] : 0);
	return prices;
}

/* The words of those flags that are set. */
static int flag_words(unsigned flags, const unsigned *bits, const char *const *names, int count,
                      const char **list)
{
	int found = 0;

	for (int i = 0; i < count; i++)
		if (flags & bits[i])
			list[found++] = names[i];
	return found;
}

int assumed_words(unsigned flags, const char **list)
{
	static const unsigned bits[MOST_ASSUMED] = {EBR_ASSUMED_ESS_SOC,      EBR_ASSUMED_PEV_SOC,
	                                            EBR_ASSUMED_ENERGY_PRICE, EBR_ASSUMED_EXPORT_PRICE,
	                                            EBR_ASSUMED_CO2_PRICE,    EBR_ASSUMED_PROFILE};
	static const char *const names[MOST_ASSUMED] = {"ess_soc",      "pev_soc",   "energy_price",
	                                                "export_price", "co2_price", "profile"};

	return flag_words(flags, bits, names, MOST_ASSUMED, list);
}

int violated_words(unsigned flags, const char **list)
{
	static const unsigned bits[MOST_VIOLATED] = {EBR_VIOLATED_CONTRACT_MAX,
	                                             EBR_VIOLATED_CONTRACT_MIN, EBR_VIOLATED_DEPARTURE,
	                                             EBR_OUTSIDE_PROFILE};
	static const char *const names[MOST_VIOLATED] = {"contract_max", "contract_min", "departure",
	                                                 "profile"};

	return flag_words(flags, bits, names, MOST_VIOLATED, list);
}

void put_costs(result_row *row, const ebr_solution *s)
{
	static const char *const qualities[] = {"optimal", "feasible", "fallback"};
	bool bounded = isfinite(s->bound_eur);
	double gap = (s->objective_eur - s->bound_eur) / Max(1, fabs(s->objective_eur));

	put(row, CStringGetTextDatum(qualities[s->quality]), false);
	put(row, Float8GetDatum(s->objective_eur), false);
	put(row, Float8GetDatum(s->bound_eur), !bounded);
	put(row, Float8GetDatum(gap), !bounded);
	put(row, Float8GetDatum(s->seconds), false);
	put(row, Float8GetDatum(s->energy_eur), false);
	put(row, Float8GetDatum(s->co2_eur), false);
	put(row, Float8GetDatum(s->distribution_eur), false);
	put(row, Float8GetDatum(s->stored_value_eur), false);
	put(row, Float8GetDatum(s->penalty_eur), false);
	put(row, Float8GetDatum(s->baseline_eur), false);
	put(row, Float8GetDatum(s->shortfall_kwh), false);
}

void put_levels(result_row *row, const ebr_rule *rule, bool null)
{
	put(row, Float8GetDatum(rule->grid_charge_kwh), null);
	put(row, Float8GetDatum(rule->surplus_charge_kwh), null);
	put(row, Float8GetDatum(rule->cover_demand_kwh), null);
	put(row, Float8GetDatum(rule->export_kwh), null);
}

void put_bands(result_row *row, const ebr_rule *rule, bool null)
{
	int size[2] = {rule->kinks + 1, BAND_COLUMNS}, low[2] = {1, 1};
	Datum values[(EBR_MAX_KINKS + 1) * BAND_COLUMNS];

	if (null || ebr_rule_has_four_levels(rule)) {
		put(row, (Datum)0, true);
		return;
	}
	for (int k = 0; k <= rule->kinks; k++) {
		Datum *band = values + k * BAND_COLUMNS;

		band[BAND_AT] = Float8GetDatum(k < rule->kinks ? rule->at_kw[k] : INFINITY);
		band[BAND_CHARGE] = Float8GetDatum(rule->charge_kwh[k]);
		band[BAND_DISCHARGE] = Float8GetDatum(rule->discharge_kwh[k]);
	}
	put(row,
	    PointerGetDatum(construct_md_array(values, NULL, 2, size, low, FLOAT8OID, sizeof(float8),
	                                       true, TYPALIGN_DOUBLE)),
	    false);
}
