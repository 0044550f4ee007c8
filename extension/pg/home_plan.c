/*
 * SQL binding that plans a stored home in one go, from what is known of it (home.h) to the columns
 * of its plan and command, without composite values in between: what a fleet is planned with. It
 * answers as ebr_command does.
 */
#include "home.h"
#include "solve.h"

#include <math.h>

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_home_plan);

enum { ARG_HOME, ARG_AT, ARG_SLOTS, ARG_SLOT_LENGTH, ARG_OBJECTIVE, ARG_TIME_LIMIT };

static void state_problem(FunctionCallInfo fcinfo, const home_known *known, ebr_problem *problem)
{
	ebr_store *pev = &problem->store[EBR_PEV];

	*problem = (ebr_problem){
	    .slots = known->range.count,
	    .slot_hours = (double)known->range.slot_us / USECS_PER_HOUR,
	    .demand_kw = known->demand_kw,
	    .production_kw = known->production_kw,
	    .energy_eur_per_kwh = known->energy_eur_per_kwh,
	    .export_eur_per_kwh = known->export_eur_per_kwh,
	    .co2_eur_per_kwh = known->co2_eur_per_kwh,
	    .profile_low_kw = known->profile[PROFILE_LOW],
	    .profile_high_kw = known->profile[PROFILE_HIGH],
	    .penalty_low_eur_per_kwh = known->profile[PENALTY_LOW],
	    .penalty_high_eur_per_kwh = known->profile[PENALTY_HIGH],
	    .contract_min_kw = known->contract_min_kw,
	    .contract_max_kw = known->contract_max_kw,
	};
	for (int i = 0; i < EBR_STORES; i++) {
		problem->store[i] = known->store[i].plan;
		problem->store[i].soc_kwh = isnan(known->store[i].soc_kwh) ? 0 : known->store[i].soc_kwh;
		problem->previous_kw[i] = known->previous_kw[i];
	}
	pev->plugged_hours = isnan(known->plugged_hours) ? 0 : known->plugged_hours;
	pev->target_kwh = known->target_kwh;
	problem->objective = objective_argument(fcinfo, ARG_OBJECTIVE,
	                                        problem->profile_low_kw || problem->profile_high_kw);
}

static ebr_outlook outlook_of(const home_known *known, const ebr_problem *problem)
{
	return (ebr_outlook){
	    .slots_per_day = (int)lrint(24 / problem->slot_hours),
	    .history = known->recent,
	    .net_kw = known->history_net_kw,
	    .import_eur_per_kwh =
	        history_prices(known->history_energy_eur_per_kwh, known->history_co2_eur_per_kwh,
	                       problem, known->recent),
	    .export_eur_per_kwh =
	        history_prices(known->history_export_eur_per_kwh, known->history_co2_eur_per_kwh,
	                       problem, known->recent),
	    .phase = known->phase,
	    .known_slots = known->known_slots,
	    .forecast_eur_per_kwh = problem->objective == EBR_CO2 ? NULL : known->forecast_eur_per_kwh,
	    .reveal_slot = known->reveal_slot,
	};
}

/* A series that is 0 throughout is not kept. */
static void put_unless_zero(result_row *row, const double *values, int count)
{
	for (int i = 0; i < count; i++)
		if (values[i] != 0) {
			put_series(row, values, count);
			return;
		}
	put_series(row, NULL, count);
}

/* One that equals another is not kept either. */
static void put_unless_same(result_row *row, const double *values, const double *others, int count)
{
	for (int i = 0; i < count; i++)
		if (values[i] != others[i] && !(isnan(values[i]) && isnan(others[i]))) {
			put_series(row, values, count);
			return;
		}
	put_series(row, NULL, count);
}

static void put_words(result_row *row, const home_known *known, const ebr_solution *s)
{
	const char *words[MOST_HOME_ASSUMPTIONS + MOST_ASSUMED];
	int count = known->assumptions;

	memcpy(words, known->assumed, sizeof(char *) * count);
	count += assumed_words(s->flags, words + count);
	put(row, CStringGetTextDatum(known->demand_model), false);
	put(row, words_datum(words, count), false);
	count = violated_words(s->flags, words);
	put(row, words_datum(words, count), false);
}

static void put_plan(result_row *row, const home_known *known, const ebr_answer *answer)
{
	const ebr_solution *s = &answer->solution;
	const int slots = known->range.count;

	put(row, Int64GetDatum(known->home_id), false);
	put(row, TimestampTzGetDatum(known->range.start), false);
	put_costs(row, s);
	put(row, Int32GetDatum(answer->changed_slots), answer->changed_slots < 0);
	put_words(row, known, s);
	put_series(row, known->demand_kw, slots);
	put_unless_zero(row, known->production_kw, slots);
	put_series(row, s->energy_used_eur_per_kwh, slots);
	put_unless_same(row, s->export_used_eur_per_kwh, s->energy_used_eur_per_kwh, slots);
	put_unless_zero(row, s->co2_used_eur_per_kwh, slots);
	for (int i = 0; i < PROFILE_SERIES; i++)
		put_series(row, known->profile[i], slots);
	for (int i = 0; i < EBR_STORES; i++) {
		put_unless_zero(row, s->power_kw[i], slots);
		put_unless_zero(row, s->soc_kwh[i], slots);
	}
	put_series(row, s->grid_kw, slots);
	put_unless_zero(row, s->outside_high_kw, slots);
	put_unless_zero(row, s->outside_low_kw, slots);
	put_unless_zero(row, s->contract_high_kw, slots);
	put_unless_zero(row, s->contract_low_kw, slots);
}

/* Set-point and rule of each store that the home has and that is there. */
static void put_command(result_row *row, const home_known *known, const ebr_answer *answer)
{
	for (int i = 0; i < EBR_STORES; i++) {
		bool absent = !(known->store[i].plan.capacity_kwh > 0) ||
		              (i == EBR_PEV && !(known->plugged_hours > 0));

		put(row, Float8GetDatum(answer->solution.power_kw[i][0]), absent);
		put_levels(row, &answer->rule[i], absent);
		put_bands(row, &answer->rule[i], absent);
	}
}

Datum smarthg_ebr_home_plan(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	result_row row = {.columns = 0};
	home_known known;
	ebr_problem problem;
	ebr_outlook outlook;
	ebr_answer answer;
	ebr_limits limits = {
	    .memory_mb = SOLVER_MEMORY_MB, .interrupted = cancelled, .accept_incumbent = true};
	Datum result;

	for (int i = ARG_HOME; i <= ARG_SLOT_LENGTH; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("home, time and slots must not be null")));
	limits.seconds = seconds_argument(fcinfo, ARG_TIME_LIMIT);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_home_known(PG_GETARG_INT64(ARG_HOME), PG_GETARG_TIMESTAMPTZ(ARG_AT),
	                PG_GETARG_INT32(ARG_SLOTS), PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH), &known);
	state_problem(fcinfo, &known, &problem);
	outlook = outlook_of(&known, &problem);
	answer_problem(&problem, EBR_PLAN_AUTO, &limits, true, &outlook, &answer);
	put_plan(&row, &known, &answer);
	put_command(&row, &known, &answer);
	/* All that SPI allocated goes with its connection; the answer is made outside of it. */
	MemoryContextSwitchTo(callers);
	result = row_datum(fcinfo, &row);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
