/* SQL binding of EBR planning and of the rule (core/ebr). */
#include "ebr.h"
#include "solve.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "../core/forecast/price_day.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_solve);
PG_FUNCTION_INFO_V1(smarthg_ebr_rule_power);

/* Arguments of ebr_solve by position. */
enum {
	ARG_DEMAND,
	ARG_ENERGY,
	ARG_PRODUCTION,
	ARG_EXPORT,
	ARG_CO2,
	ARG_PROFILE_LOW,
	ARG_PROFILE_HIGH,
	ARG_PENALTY_LOW,
	ARG_PENALTY_HIGH,
	ARG_SLOT_LENGTH,
	ARG_CONTRACT_MIN,
	ARG_CONTRACT_MAX,
	ARG_ESS_CAPACITY,
	ARG_ESS_MIN,
	ARG_ESS_MAX,
	ARG_ESS_EFFICIENCY,
	ARG_ESS_SOC,
	ARG_PEV_CAPACITY,
	ARG_PEV_MIN,
	ARG_PEV_MAX,
	ARG_PEV_EFFICIENCY,
	ARG_PEV_SOC,
	ARG_PEV_PLUGGED,
	ARG_PEV_TARGET,
	ARG_ESS_TERMINAL,
	ARG_PEV_TERMINAL,
	ARG_OBJECTIVE,
	ARG_METHOD,
	ARG_TIME_LIMIT,
	ARG_MEMORY_LIMIT,
	ARG_INCUMBENT,
	ARG_ALWAYS_ANSWER,
	ARG_HISTORY_NET,
	ARG_HISTORY_ENERGY,
	ARG_HISTORY_EXPORT,
	ARG_HISTORY_CO2,
	ARG_PHASE,
	ARG_KNOWN_SLOTS,
	ARG_REVEAL_SLOT,
	ARG_PREVIOUS_ESS,
	ARG_PREVIOUS_PEV,
	ARG_PEV_STEP,
	ARG_FORECAST,
};

/* Arguments of ebr_rule_power after levels, store and slot_length. */
enum { ARG_BANDS = 11, ARG_STEP };

static void read_stores(FunctionCallInfo fcinfo, ebr_problem *problem)
{
	problem->store[EBR_ESS] = (ebr_store){
	    .capacity_kwh = number_argument(fcinfo, ARG_ESS_CAPACITY, "ess_capacity_kwh", 0),
	    .min_kw = number_argument(fcinfo, ARG_ESS_MIN, "ess_min_kw", 0),
	    .max_kw = number_argument(fcinfo, ARG_ESS_MAX, "ess_max_kw", 0),
	    .efficiency = number_argument(fcinfo, ARG_ESS_EFFICIENCY, "ess_efficiency", 1),
	    .soc_kwh = number_argument(fcinfo, ARG_ESS_SOC, "ess_soc_kwh", 0),
	    .plugged_hours = INFINITY,
	    .target_kwh = NAN,
	    .terminal_value_eur_per_kwh =
	        number_argument(fcinfo, ARG_ESS_TERMINAL, "ess_terminal_value_eur_per_kwh", NAN),
	};
	problem->store[EBR_PEV] = (ebr_store){
	    .capacity_kwh = number_argument(fcinfo, ARG_PEV_CAPACITY, "pev_capacity_kwh", 0),
	    .min_kw = number_argument(fcinfo, ARG_PEV_MIN, "pev_min_kw", 0),
	    .max_kw = number_argument(fcinfo, ARG_PEV_MAX, "pev_max_kw", 0),
	    .efficiency = number_argument(fcinfo, ARG_PEV_EFFICIENCY, "pev_efficiency", 1),
	    .soc_kwh = number_argument(fcinfo, ARG_PEV_SOC, "pev_soc_kwh", 0),
	    .plugged_hours = number_argument(fcinfo, ARG_PEV_PLUGGED, "pev_plugged_hours", 0),
	    .target_kwh = number_argument(fcinfo, ARG_PEV_TARGET, "pev_target_kwh", NAN),
	    .terminal_value_eur_per_kwh =
	        number_argument(fcinfo, ARG_PEV_TERMINAL, "pev_terminal_value_eur_per_kwh", NAN),
	};
}

void ebr_problem_arguments(FunctionCallInfo fcinfo, ebr_problem *problem)
{
	int *slots = &problem->slots;

	*slots = -1;
	problem->demand_kw = series_argument(fcinfo, ARG_DEMAND, "demand_kw", slots, true, false);
	problem->energy_eur_per_kwh =
	    series_argument(fcinfo, ARG_ENERGY, "energy_eur_per_kwh", slots, true, true);
	problem->production_kw =
	    series_argument(fcinfo, ARG_PRODUCTION, "production_kw", slots, false, false);
	problem->export_eur_per_kwh =
	    series_argument(fcinfo, ARG_EXPORT, "export_eur_per_kwh", slots, false, true);
	problem->co2_eur_per_kwh =
	    series_argument(fcinfo, ARG_CO2, "co2_eur_per_kwh", slots, false, true);
	problem->profile_low_kw =
	    series_argument(fcinfo, ARG_PROFILE_LOW, "profile_low_kw", slots, false, true);
	problem->profile_high_kw =
	    series_argument(fcinfo, ARG_PROFILE_HIGH, "profile_high_kw", slots, false, true);
	problem->penalty_low_eur_per_kwh =
	    series_argument(fcinfo, ARG_PENALTY_LOW, "penalty_low_eur_per_kwh", slots, false, false);
	problem->penalty_high_eur_per_kwh =
	    series_argument(fcinfo, ARG_PENALTY_HIGH, "penalty_high_eur_per_kwh", slots, false, false);
	if (PG_ARGISNULL(ARG_SLOT_LENGTH))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("slot_length must not be null")));
	problem->slot_hours =
	    (double)slot_length_us(PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH)) / USECS_PER_HOUR;
	problem->contract_min_kw =
	    number_argument(fcinfo, ARG_CONTRACT_MIN, "contract_min_kw", -INFINITY);
	problem->contract_max_kw =
	    number_argument(fcinfo, ARG_CONTRACT_MAX, "contract_max_kw", INFINITY);
	problem->objective = objective_argument(fcinfo, ARG_OBJECTIVE,
	                                        problem->profile_low_kw || problem->profile_high_kw);
	problem->previous_kw[EBR_ESS] = problem->previous_kw[EBR_PEV] = NULL;
	read_stores(fcinfo, problem);
}

static void read_problem(FunctionCallInfo fcinfo, ebr_problem *problem)
{
	int *slots = &problem->slots;

	ebr_problem_arguments(fcinfo, problem);
	problem->previous_kw[EBR_ESS] =
	    series_argument(fcinfo, ARG_PREVIOUS_ESS, "previous_ess_kw", slots, false, true);
	problem->previous_kw[EBR_PEV] =
	    series_argument(fcinfo, ARG_PREVIOUS_PEV, "previous_pev_kw", slots, false, true);
	problem->store[EBR_PEV].min_step_kw =
	    number_argument(fcinfo, ARG_PEV_STEP, "pev_min_step_kw", 0);
}

static void read_limits(FunctionCallInfo fcinfo, ebr_limits *limits)
{
	limits->seconds = seconds_argument(fcinfo, ARG_TIME_LIMIT);
	limits->memory_mb = memory_argument(fcinfo, ARG_MEMORY_LIMIT);
	limits->interrupted = cancelled;
	limits->interrupted_argument = NULL;
	limits->accept_incumbent = !PG_ARGISNULL(ARG_INCUMBENT) && PG_GETARG_BOOL(ARG_INCUMBENT);
}

static Datum solution_datum(FunctionCallInfo fcinfo, int slots, const ebr_answer *answer)
{
	const ebr_solution *s = &answer->solution;
	const char *words[Max(MOST_ASSUMED, MOST_VIOLATED)];
	result_row row = {.columns = 0};

	put_costs(&row, s);
	put(&row, words_datum(words, assumed_words(s->flags, words)), false);
	put(&row, words_datum(words, violated_words(s->flags, words)), false);
	for (int i = EBR_ESS; i <= EBR_PEV; i++) {
		put_series(&row, s->power_kw[i], slots);
		put_series(&row, s->soc_kwh[i], slots);
	}
	put_series(&row, s->grid_kw, slots);
	put_series(&row, s->outside_high_kw, slots);
	put_series(&row, s->outside_low_kw, slots);
	put_series(&row, s->contract_high_kw, slots);
	put_series(&row, s->contract_low_kw, slots);
	put_series(&row, s->energy_used_eur_per_kwh, slots);
	put_series(&row, s->export_used_eur_per_kwh, slots);
	put_series(&row, s->co2_used_eur_per_kwh, slots);
	for (int i = EBR_ESS; i <= EBR_PEV; i++)
		put_levels(&row, &answer->rule[i], false);
	for (int i = EBR_ESS; i <= EBR_PEV; i++)
		put_bands(&row, &answer->rule[i], false);
	put(&row, Int32GetDatum(answer->changed_slots), answer->changed_slots < 0);
	return row_datum(fcinfo, &row);
}

/* The forecast of the day beyond publication, which counts where prices do. */
static const double *read_forecast(FunctionCallInfo fcinfo, const ebr_problem *problem,
                                   const ebr_outlook *outlook)
{
	int length = (1 + PRICE_DAY_BACK) * outlook->slots_per_day;
	double *forecast =
	    series_argument(fcinfo, ARG_FORECAST, "price_forecast_eur_per_kwh", &length, false, false);

	return problem->objective == EBR_CO2 ? NULL : forecast;
}

/* What is known beside the problem; false where the caller gave no history. */
static bool read_outlook(FunctionCallInfo fcinfo, const ebr_problem *problem, ebr_outlook *outlook)
{
	int length = -1;
	double *energy, *export, *co2;

	*outlook = (ebr_outlook){.slots_per_day = (int)lrint(24 / problem->slot_hours),
	                         .phase = PG_ARGISNULL(ARG_PHASE) ? 0 : PG_GETARG_INT32(ARG_PHASE),
	                         .known_slots = PG_ARGISNULL(ARG_KNOWN_SLOTS)
	                                            ? problem->slots
	                                            : PG_GETARG_INT32(ARG_KNOWN_SLOTS)};
	outlook->reveal_slot =
	    PG_ARGISNULL(ARG_REVEAL_SLOT) ? outlook->known_slots : PG_GETARG_INT32(ARG_REVEAL_SLOT);
	outlook->net_kw =
	    series_argument(fcinfo, ARG_HISTORY_NET, "history_net_kw", &length, false, true);
	if (outlook->net_kw == NULL)
		return false;
	energy = series_argument(fcinfo, ARG_HISTORY_ENERGY, "history_energy_eur_per_kwh", &length,
	                         true, true);
	export = series_argument(fcinfo, ARG_HISTORY_EXPORT, "history_export_eur_per_kwh", &length,
	                         false, true);
	co2 = series_argument(fcinfo, ARG_HISTORY_CO2, "history_co2_eur_per_kwh", &length, false, true);
	outlook->history = length;
	outlook->forecast_eur_per_kwh = read_forecast(fcinfo, problem, outlook);
	outlook->import_eur_per_kwh = history_prices(energy, co2, problem, length);
	outlook->export_eur_per_kwh = export ? history_prices(export, co2, problem, length) : NULL;
	return true;
}

Datum smarthg_ebr_solve(PG_FUNCTION_ARGS)
{
	static const char *const methods[] = {"auto", "milp", "fallback"};
	ebr_problem problem;
	ebr_answer answer;
	ebr_outlook outlook;
	ebr_limits limits;
	ebr_plan_method method;
	bool always = !PG_ARGISNULL(ARG_ALWAYS_ANSWER) && PG_GETARG_BOOL(ARG_ALWAYS_ANSWER), scenarios;

	read_problem(fcinfo, &problem);
	read_limits(fcinfo, &limits);
	method =
	    choice_argument(fcinfo, ARG_METHOD, "method", methods, lengthof(methods), EBR_PLAN_AUTO);
	scenarios =
	    problem.store[EBR_ESS].capacity_kwh != 0 && read_outlook(fcinfo, &problem, &outlook);
	answer_problem(&problem, method, &limits, always, scenarios ? &outlook : NULL, &answer);
	PG_RETURN_DATUM(solution_datum(fcinfo, problem.slots, &answer));
}

/* Bands as rows of (at_kw, charge_kwh, discharge_kwh), at_kw rising to infinity; false where they
 * are no such thing. */
static bool read_bands(ArrayType *array, ebr_rule *rule)
{
	Datum *values;
	bool *nulls;
	int count;

	if (ARR_NDIM(array) != 2 || ARR_DIMS(array)[1] != BAND_COLUMNS)
		return false;
	deconstruct_array(array, FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE, &values, &nulls,
	                  &count);
	rule->kinks = count / BAND_COLUMNS - 1;
	if (rule->kinks < 1 || rule->kinks > EBR_MAX_KINKS)
		return false;
	for (int k = 0; k < count; k++)
		if (nulls[k] || isnan(DatumGetFloat8(values[k])))
			return false;
	for (int k = 0; k <= rule->kinks; k++) {
		double at_kw = DatumGetFloat8(values[k * BAND_COLUMNS + BAND_AT]);

		rule->charge_kwh[k] = DatumGetFloat8(values[k * BAND_COLUMNS + BAND_CHARGE]);
		rule->discharge_kwh[k] = DatumGetFloat8(values[k * BAND_COLUMNS + BAND_DISCHARGE]);
		if (k == rule->kinks)
			return isinf(at_kw) && at_kw > 0;
		if (isinf(at_kw) || (k > 0 && at_kw < rule->at_kw[k - 1]))
			return false;
		rule->at_kw[k] = at_kw;
	}
	return false;
}

Datum smarthg_ebr_rule_power(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"grid_charge_kwh", "surplus_charge_kwh", "cover_demand_kwh",
	                                    "export_kwh",      "capacity_kwh",       "min_kw",
	                                    "max_kw",          "efficiency",         "soc_kwh",
	                                    "net_demand_kw"};
	double value[lengthof(names)], hours, step, power;
	ebr_rule rule;

	for (int i = 0; i < (int)lengthof(names) + 1; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	for (int i = 0; i < (int)lengthof(names); i++)
		value[i] = number_argument(fcinfo, i, names[i], NAN);
	if (value[4] < 0 || value[5] > 0 || value[6] < 0 || !(value[7] > 0 && value[7] <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("store is not possible"),
		                errdetail("Capacity and max_kw are at least 0, min_kw is at most 0, "
		                          "efficiency is in (0, 1].")));
	rule = (ebr_rule){.grid_charge_kwh = value[0],
	                  .surplus_charge_kwh = value[1],
	                  .cover_demand_kwh = value[2],
	                  .export_kwh = value[3]};
	if (!PG_ARGISNULL(ARG_BANDS) && !read_bands(PG_GETARG_ARRAYTYPE_P(ARG_BANDS), &rule))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bands are no rule"),
		         errdetail("They are 2 to %d rows of at_kw, charge_kwh and discharge_kwh, at_kw "
		                   "rising to infinity.",
		                   EBR_MAX_KINKS + 1)));
	hours = (double)slot_length_us(PG_GETARG_INTERVAL_P(10)) / USECS_PER_HOUR;
	step = number_argument(fcinfo, ARG_STEP, "min_step_kw", 0);
	if (step < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("min_step_kw must not be negative")));
	power =
	    ebr_rule_power(&rule, value[4], value[5], value[6], value[7], value[8], value[9], hours);
	PG_RETURN_FLOAT8(ebr_rule_step_power(power, step, value[4], value[7], value[8], hours));
}
