/*
 * SQL binding of dimensioning (core/ebr/sizing): from arrays, and what it needs to know of a stored
 * home. Homes, products, surfaces and frontiers are statements over these two in sql/78.
 */
#include "home.h"
#include "model_text.h"
#include "solve.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "../core/ebr/sizing.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_dimension_series);
PG_FUNCTION_INFO_V1(smarthg_ebr_dimension_input);
PG_FUNCTION_INFO_V1(smarthg_ebr_dimension_model_text_series);

/* Arguments of ebr_dimension_series by position. */
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
	ARG_CAPACITY_COST,
	ARG_POWER_COST,
	ARG_LIFETIME,
	ARG_DISCOUNT,
	ARG_EFFICIENCY,
	ARG_CAPACITY_MIN,
	ARG_CAPACITY_MAX,
	ARG_POWER_MIN,
	ARG_POWER_MAX,
	ARG_OBJECTIVE,
	ARG_TIME_LIMIT,
	ARG_MEMORY_LIMIT,
	ARG_INCUMBENT,
	ARG_ERROR_AS_STATUS,
};

/* The argument of ebr_dimension_model_text_series after those of the problem. */
enum { ARG_FORMAT = ARG_OBJECTIVE + 1 };

static const char *const HOME_QUERY =
    "SELECT h.price_area_id, coalesce(t.import_markup_eur_per_kwh, 0),"
    "   coalesce(t.export_markup_eur_per_kwh, 0) "
    "FROM smarthg.home h LEFT JOIN smarthg.tariff t USING (tariff_id) WHERE h.home_id = $1";

/* ---- from arrays ---- */

static void read_series(FunctionCallInfo fcinfo, ebr_sizing_problem *p)
{
	int *slots = &p->slots;

	*slots = -1;
	p->demand_kw = series_argument(fcinfo, ARG_DEMAND, "demand_kw", slots, true, true);
	p->energy_eur_per_kwh =
	    series_argument(fcinfo, ARG_ENERGY, "energy_eur_per_kwh", slots, true, true);
	p->production_kw = series_argument(fcinfo, ARG_PRODUCTION, "production_kw", slots, false, true);
	p->export_eur_per_kwh =
	    series_argument(fcinfo, ARG_EXPORT, "export_eur_per_kwh", slots, false, true);
	p->co2_eur_per_kwh = series_argument(fcinfo, ARG_CO2, "co2_eur_per_kwh", slots, false, true);
	p->profile_low_kw =
	    series_argument(fcinfo, ARG_PROFILE_LOW, "profile_low_kw", slots, false, true);
	p->profile_high_kw =
	    series_argument(fcinfo, ARG_PROFILE_HIGH, "profile_high_kw", slots, false, true);
	p->penalty_low_eur_per_kwh =
	    series_argument(fcinfo, ARG_PENALTY_LOW, "penalty_low_eur_per_kwh", slots, false, true);
	p->penalty_high_eur_per_kwh =
	    series_argument(fcinfo, ARG_PENALTY_HIGH, "penalty_high_eur_per_kwh", slots, false, true);
}

/* A battery that was not priced is not a free one. */
static double cost_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("%s must not be null", name), errhint("Give 0 for no cost.")));
	return number_argument(fcinfo, number, name, 0);
}

static void read_problem(FunctionCallInfo fcinfo, ebr_sizing_problem *p)
{
	read_series(fcinfo, p);
	if (PG_ARGISNULL(ARG_SLOT_LENGTH))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("slot_length must not be null")));
	p->slot_hours = (double)slot_length_us(PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH)) / USECS_PER_HOUR;
	p->capacity_eur_per_kwh = cost_argument(fcinfo, ARG_CAPACITY_COST, "capacity_eur_per_kwh");
	p->power_eur_per_kw = cost_argument(fcinfo, ARG_POWER_COST, "power_eur_per_kw");
	p->lifetime_years = number_argument(fcinfo, ARG_LIFETIME, "lifetime_years", NAN);
	p->discount_rate = number_argument(fcinfo, ARG_DISCOUNT, "discount_rate", 0);
	p->efficiency = number_argument(fcinfo, ARG_EFFICIENCY, "efficiency", 0.9);
	p->capacity_min_kwh = number_argument(fcinfo, ARG_CAPACITY_MIN, "capacity_min_kwh", 0);
	p->capacity_max_kwh = number_argument(fcinfo, ARG_CAPACITY_MAX, "capacity_max_kwh", INFINITY);
	p->power_min_kw = number_argument(fcinfo, ARG_POWER_MIN, "power_min_kw", 0);
	p->power_max_kw = number_argument(fcinfo, ARG_POWER_MAX, "power_max_kw", INFINITY);
	p->objective =
	    objective_argument(fcinfo, ARG_OBJECTIVE, p->profile_low_kw || p->profile_high_kw);
}

static void read_limits(FunctionCallInfo fcinfo, ebr_limits *limits)
{
	limits->seconds = seconds_argument(fcinfo, ARG_TIME_LIMIT);
	limits->memory_mb = memory_argument(fcinfo, ARG_MEMORY_LIMIT);
	limits->interrupted = cancelled;
	limits->accept_incumbent = !PG_ARGISNULL(ARG_INCUMBENT) && PG_GETARG_BOOL(ARG_INCUMBENT);
}

static Datum assumed_datum(unsigned assumed)
{
	static const char *const names[] = {"slots_skipped", "export_price", "co2_price", "profile",
	                                    "one_price"};
	const char *words[lengthof(names)];
	int found = 0;

	for (int i = 0; i < (int)lengthof(names); i++)
		if (assumed & (1u << i))
			words[found++] = names[i];
	return words_datum(words, found);
}

/* The numbers of a result, in the order of ebr_dimension_result; null where not done. */
static void put_numbers(result_row *row, const ebr_sizing_result *r, bool done)
{
	const bool bounded = !isinf(r->bound_eur);
	const double number[] = {
	    r->capacity_kwh,
	    r->power_kw,
	    r->cost_eur,
	    bounded ? r->bound_eur : NAN,
	    bounded ? (r->cost_eur - r->bound_eur) / fmax(fabs(r->cost_eur), 0.1) : NAN,
	    r->relaxed_eur,
	    r->investment_eur,
	    r->energy_eur,
	    r->co2_eur,
	    r->distribution_eur,
	    r->baseline_eur,
	    r->saving_eur,
	    r->purchase_eur,
	    r->saving_eur_per_year,
	    isinf(r->payback_years) ? NAN : r->payback_years,
	    r->recovery_factor,
	    r->span_years,
	    r->cycles,
	    r->start_kwh,
	    r->seconds,
	};

	for (int i = 0; i < (int)lengthof(number); i++)
		put_number(row, done ? number[i] : NAN);
}

static Datum result_datum(FunctionCallInfo fcinfo, const ebr_sizing_result *r,
                          const outcome *failed)
{
	static const char *const qualities[] = {"optimal", "relaxed", "feasible"};
	bool done = failed->status == OUTCOME_OK;
	bool overlaps = done && r->cost_eur > r->relaxed_eur + 1e-9 * fmax(1, fabs(r->cost_eur));
	result_row row = {.columns = 0};

	put(&row, CStringGetTextDatum(done ? qualities[r->quality] : "failed"), false);
	put_numbers(&row, r, done);
	put(&row, Int32GetDatum(r->passes), !done);
	put(&row, Int32GetDatum(r->slots_billed), !done);
	put(&row, Int32GetDatum(r->slots_skipped), !done);
	put(&row, BoolGetDatum(overlaps), !done);
	put(&row, done ? assumed_datum(r->assumed) : (Datum)0, !done);
	put(&row, done ? (Datum)0 : CStringGetTextDatum(failed->message), done);
	return row_datum(fcinfo, &row);
}

Datum smarthg_ebr_dimension_series(PG_FUNCTION_ARGS)
{
	ebr_sizing_problem problem = {.slots = 0};
	ebr_limits limits = {.seconds = 0};
	ebr_sizing_result result;
	outcome failed;
	bool as_status = !PG_ARGISNULL(ARG_ERROR_AS_STATUS) && PG_GETARG_BOOL(ARG_ERROR_AS_STATUS);

	read_problem(fcinfo, &problem);
	read_limits(fcinfo, &limits);
	if (ebr_size(&problem, &limits, NULL, &result, &failed) != OUTCOME_OK &&
	    !(as_status && failed.status != OUTCOME_INTERRUPTED))
		raise_outcome(&failed);
	PG_RETURN_DATUM(result_datum(fcinfo, &result, &failed));
}

static outcome_status write_sizing(const void *problem, milp_format format,
                                   const solver_limits *limits, milp_text *model, outcome *failed)
{
	return ebr_sizing_model_text(problem, format, limits, model, failed);
}

Datum smarthg_ebr_dimension_model_text_series(PG_FUNCTION_ARGS)
{
	ebr_sizing_problem problem = {.slots = 0};
	milp_format format = format_argument(fcinfo, ARG_FORMAT);

	read_problem(fcinfo, &problem);
	PG_RETURN_TEXT_P(model_text(write_sizing, &problem, format));
}

/* ---- of a stored home ---- */

static slot_range range_arguments(FunctionCallInfo fcinfo)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1), until = PG_GETARG_TIMESTAMPTZ(2);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(3));

	check_slot_length(slot_us);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) || until <= from ||
	    from % slot_us != 0 || until % slot_us != 0 ||
	    (until - from) / slot_us > EBR_SIZING_MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 1 to %d whole slots aligned in UTC",
		                       EBR_SIZING_MAX_SLOTS)));
	return (slot_range){from, slot_us, (int)((until - from) / slot_us)};
}

static int64 read_home(int64 home_id, double *import_markup, double *export_markup)
{
	static SPIPlanPtr plan;
	Oid type = INT8OID;
	Datum value = Int64GetDatum(home_id);
	HeapTuple row;
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, HOME_QUERY, 1, &type), &value, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "home cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("home " INT64_FORMAT " does not exist", home_id)));
	row = SPI_tuptable->vals[0];
	*import_markup = DatumGetFloat8(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &null));
	*export_markup = DatumGetFloat8(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &null));
	return DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null));
}

static void put_prices(result_row *row, int64 area, const slot_range *range, double import_markup,
                       double export_markup)
{
	double *energy, *export;

	query_area_prices(area, DT_NOEND, range);
	energy = steps_on_slots(SPI_tuptable, SPI_processed, 3, range);
	export = palloc_extended(sizeof(double) * range->count, MCXT_ALLOC_HUGE);
	for (int t = 0; t < range->count; t++) {
		export[t] = energy[t] + export_markup;
		energy[t] += import_markup;
	}
	put_series(row, energy, range->count);
	put_series(row, export, range->count);
	query_area_co2(area, DT_NOEND, range);
	put_series(row,
	           SPI_processed > 0 ? steps_on_slots(SPI_tuptable, SPI_processed, 3, range) : NULL,
	           range->count);
}

static void put_profile(result_row *row, int64 home_id, const slot_range *range)
{
	double *series[PROFILE_SERIES] = {NULL};

	read_profile(home_id, range, series);
	for (int k = 0; k < PROFILE_SERIES; k++)
		put_series(row, series[k], range->count);
}

static void put_history(result_row *row, int64 home_id, const slot_range *range)
{
	double *demand = palloc_extended(sizeof(double) * 2 * range->count, MCXT_ALLOC_HUGE);
	bool produces;

	read_history_with_pev(home_id, range, demand, demand + range->count, &produces);
	put_series(row, demand, range->count);
	put_series(row, produces ? demand + range->count : NULL, range->count);
}

Datum smarthg_ebr_dimension_input(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	result_row row = {.columns = 0};
	double import_markup, export_markup;
	slot_range range;
	int64 area;
	Datum result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	range = range_arguments(fcinfo);
	area = read_home(PG_GETARG_INT64(0), &import_markup, &export_markup);
	/* until_slot is the arrays' length. */
	put(&row, PG_GETARG_DATUM(0), false);
	put(&row, PG_GETARG_DATUM(1), false);
	put(&row, PG_GETARG_DATUM(3), false);
	put_history(&row, PG_GETARG_INT64(0), &range);
	put_prices(&row, area, &range, import_markup, export_markup);
	put_profile(&row, PG_GETARG_INT64(0), &range);
	/* All that SPI allocated goes with its connection; the answer is made outside of it. */
	MemoryContextSwitchTo(callers);
	result = row_datum(fcinfo, &row);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
