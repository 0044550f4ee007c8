/*
 * SQL binding that gathers what the planner knows of a stored home at a moment (document 3.2.1):
 * one query for the home and its stores, one for its history, one for its profile; prices are
 * shared by the homes of an area. Nothing later than the moment is looked at.
 */
#include "home.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "../core/ebr/problem.h"
#include "../core/forecast/eumf_k.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_home_input);

enum { HISTORY_DAYS = 56, INPUT_COLUMNS = 31 };

/* Columns of HOME_QUERY. */
enum {
	HOME_ZONE = 1,
	HOME_AREA,
	HOME_CONTRACT_MIN,
	HOME_CONTRACT_MAX,
	HOME_IMPORT_MARKUP,
	HOME_EXPORT_MARKUP,
	HOME_ESS,
	HOME_ESS_CAPACITY,
	HOME_ESS_SOC,
	HOME_ESS_SOC_OLD,
	HOME_PEV,
	HOME_PEV_CAPACITY,
	HOME_PEV_DEPARTS,
	HOME_PEV_TARGET,
	HOME_PEV_SOC,
};

static const char *const HOME_QUERY =
    "SELECT h.time_zone, h.price_area_id, h.contract_min_kw, h.contract_max_kw,"
    "   coalesce(t.import_markup_eur_per_kwh, 0), coalesce(t.export_markup_eur_per_kwh, 0),"
    "   e, e.capacity_kwh, state.soc_kwh, state.measured_at < $2 - interval '2 hours',"
    "   p, p.capacity_kwh, stay.departs_at, least(stay.target_soc_kwh, p.capacity_kwh),"
    "   coalesce((SELECT v.soc_kwh FROM smarthg.pev_state v"
    "      WHERE v.home_id = h.home_id AND v.measured_at BETWEEN stay.plugged_at AND $2"
    "      ORDER BY v.measured_at DESC LIMIT 1), stay.arrival_soc_kwh) "
    "FROM smarthg.home h "
    "LEFT JOIN smarthg.tariff t USING (tariff_id) "
    "LEFT JOIN smarthg.ess e USING (home_id) "
    "LEFT JOIN smarthg.pev p USING (home_id) "
    "LEFT JOIN LATERAL (SELECT s.soc_kwh, s.measured_at FROM smarthg.ess_state s"
    "   WHERE s.home_id = h.home_id AND s.measured_at <= $2 ORDER BY s.measured_at DESC LIMIT 1)"
    "   AS state ON true "
    "LEFT JOIN LATERAL (SELECT s.plugged_at, s.departs_at, s.target_soc_kwh, s.arrival_soc_kwh"
    "   FROM smarthg.pev_session s WHERE s.home_id = h.home_id AND s.plugged_at <= $2"
    "   AND coalesce(s.unplugged_at, 'infinity') > $2 ORDER BY s.plugged_at DESC LIMIT 1) AS stay"
    "   ON true "
    "WHERE h.home_id = $1";

/* The plan that the one to be made replaces. */
static const char *const PREVIOUS_QUERY =
    "SELECT origin, slots, ess_kw, pev_kw FROM smarthg.plan WHERE home_id = $1 AND origin <= $2"
    " AND origin > $2 - slots * slot_length AND planned_at <= $3 AND slot_length = $4 "
    "ORDER BY origin DESC, planned_at DESC, made_at DESC LIMIT 1";

/* The row of ebr_input while it is filled, column by column. */
typedef struct input_row {
	Datum values[INPUT_COLUMNS];
	bool nulls[INPUT_COLUMNS];
	int columns;
} input_row;

static void put(input_row *row, Datum value, bool null)
{
	row->values[row->columns] = null ? (Datum)0 : value;
	row->nulls[row->columns++] = null;
}

static void put_series(input_row *row, const double *values, int count)
{
	put(row, values ? series_datum(values, count) : (Datum)0, values == NULL);
}

/* What HOME_QUERY found, copied out of SPI's memory where it is not a plain number. */
typedef struct home_row {
	HeapTuple tuple;
	TupleDesc columns;
} home_row;

static Datum home_value(const home_row *home, int column, bool *null)
{
	return SPI_getbinval(home->tuple, home->columns, column, null);
}

static double home_number(const home_row *home, int column)
{
	bool null;
	Datum value = home_value(home, column, &null);

	return null ? NAN : DatumGetFloat8(value);
}

static void put_number(input_row *row, double value)
{
	put(row, Float8GetDatum(value), isnan(value));
}

static void put_store(input_row *row, const home_row *home, int column)
{
	bool null;
	Datum store = home_value(home, column, &null);

	put(row, null ? (Datum)0 : datumCopy(store, false, -1), null);
}

static home_row read_home(int64 home_id, TimestampTz at)
{
	static SPIPlanPtr plan;
	Oid types[2] = {INT8OID, TIMESTAMPTZOID};
	Datum values[2] = {Int64GetDatum(home_id), TimestampTzGetDatum(at)};

	if (SPI_execute_plan(kept_plan(&plan, HOME_QUERY, 2, types), values, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "home cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("home " INT64_FORMAT " does not exist", home_id)));
	return (home_row){SPI_tuptable->vals[0], SPI_tuptable->tupdesc};
}

/* Forecasts demand and production into arrays of range->count values; net_kw gets the net demand
 * measured in the AREA_HISTORY_DAYS before, phase the local phase of the first slot. */
static const char *forecast(int64 home_id, const char *zone, const slot_range *range,
                            double *demand_kw, double *production_kw, double *net_kw, int *phase)
{
	int recent = (int)(AREA_HISTORY_DAYS * USECS_PER_DAY / range->slot_us);
	int past = (int)(HISTORY_DAYS * USECS_PER_DAY / range->slot_us);
	slot_range history = {range->start - HISTORY_DAYS * USECS_PER_DAY, range->slot_us, past};
	double *known = palloc(sizeof(double) * 2 * past);
	int *phases = palloc(sizeof(int) * (past + range->count));
	eumf_k_input in = {.slots_per_day = (int)(USECS_PER_DAY / range->slot_us),
	                   .history = past,
	                   .history_kw = known,
	                   .history_phase = phases,
	                   .horizon = range->count,
	                   .horizon_phase = phases + past};
	eumf_k_forecast out = {.mean_kw = demand_kw, .model = EUMF_K_STANDARD};
	outcome failed;
	bool produces;
	const char *model;

	read_history(home_id, &history, known, known + past, &produces);
	read_local_phases(&(slot_range){history.start, range->slot_us, past + range->count}, zone,
	                  phases);
	for (int i = 0; i < recent; i++)
		net_kw[i] = known[past - recent + i] - known[2 * past - recent + i];
	*phase = phases[past];
	if (eumf_k(&in, &out, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	model = eumf_k_model_name(out.model);
	in.history_kw = known + past;
	out.mean_kw = production_kw;
	memset(production_kw, 0, sizeof(double) * range->count);
	if (produces && eumf_k(&in, &out, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	return model;
}

/* The four series of the profile, or nulls where the home has none. */
static void put_profile(input_row *row, int64 home_id, const slot_range *range)
{
	double *series[PROFILE_SERIES] = {NULL};

	read_profile(home_id, range, series);
	for (int k = 0; k < PROFILE_SERIES; k++)
		put_series(row, series[k], range->count);
}

/* A series of the previous plan, moved to the slots of this one; null where it is 0 throughout. */
static void put_planned(input_row *row, Datum array, bool null, int planned, int passed, int count)
{
	double *series = palloc(sizeof(double) * count);
	Datum *values = NULL;
	bool *nulls = NULL;
	int length = planned;

	if (!null)
		deconstruct_array(DatumGetArrayTypeP(array), FLOAT8OID, sizeof(float8), true,
		                  TYPALIGN_DOUBLE, &values, &nulls, &length);
	for (int i = 0; i < count; i++) {
		int slot = passed + i;

		if (slot >= planned || slot >= length || (!null && nulls[slot]))
			series[i] = NAN;
		else
			series[i] = null ? 0 : DatumGetFloat8(values[slot]);
	}
	put_series(row, series, count);
}

/* What the ESS and the PEV were to do in these slots by the plan before. */
static void put_previous(input_row *row, int64 home_id, const slot_range *range, TimestampTz at,
                         Datum slot_length)
{
	static SPIPlanPtr plan;
	Oid types[4] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INTERVALOID};
	Datum values[4] = {Int64GetDatum(home_id), TimestampTzGetDatum(range->start),
	                   TimestampTzGetDatum(at), slot_length};
	HeapTuple tuple;
	TupleDesc columns;
	int passed, planned;
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, PREVIOUS_QUERY, 4, types), values, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "previous plan cannot be read");
	if (SPI_processed == 0) {
		put(row, (Datum)0, true);
		put(row, (Datum)0, true);
		return;
	}
	tuple = SPI_tuptable->vals[0];
	columns = SPI_tuptable->tupdesc;
	passed = (int)((range->start - DatumGetTimestampTz(SPI_getbinval(tuple, columns, 1, &null))) /
	               range->slot_us);
	planned = DatumGetInt32(SPI_getbinval(tuple, columns, 2, &null));
	for (int column = 3; column <= 4; column++) {
		Datum array = SPI_getbinval(tuple, columns, column, &null);

		put_planned(row, array, null, planned, passed, range->count);
	}
}

/* Hours that the PEV stays from the range's start; one that is still there after the hour it was
 * to leave is charged as if it left with the slot. NAN where it is away. */
static double plugged_hours(const home_row *home, const slot_range *range, TimestampTz at)
{
	bool away;
	TimestampTz departs = DatumGetTimestampTz(home_value(home, HOME_PEV_DEPARTS, &away));

	if (away)
		return NAN;
	if (TIMESTAMP_IS_NOEND(departs))
		return INFINITY;
	if (departs <= at)
		departs = range->start + range->slot_us;
	return (double)(departs - range->start) / USECS_PER_HOUR;
}

static slot_range planned_range(FunctionCallInfo fcinfo)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	slot_range range = {.slot_us = interval_us(PG_GETARG_INTERVAL_P(3), "slot_length"),
	                    .count = PG_GETARG_INT32(2)};

	check_slot_length(range.slot_us);
	if (TIMESTAMP_NOT_FINITE(at) || range.count < 1 || range.count > EBR_MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a plan needs a finite time and 1 to %d slots", EBR_MAX_SLOTS)));
	range.start = at - ((at % range.slot_us) + range.slot_us) % range.slot_us;
	return range;
}

static void put_input(input_row *row, int64 home_id, const slot_range *range, TimestampTz at)
{
	home_row home = read_home(home_id, at);
	bool null;
	char *zone = TextDatumGetCString(home_value(&home, HOME_ZONE, &null));
	const area_prices *area =
	    read_area_prices(DatumGetInt64(home_value(&home, HOME_AREA, &null)), range, at);
	double *series = palloc(sizeof(double) * 4 * range->count);
	double *demand = series, *production = series + range->count;
	double *import = series + 2 * range->count, *export = series + 3 * range->count;
	const double import_markup = home_number(&home, HOME_IMPORT_MARKUP);
	const double export_markup = home_number(&home, HOME_EXPORT_MARKUP);
	double stays = plugged_hours(&home, range, at);
	double ess_soc = home_number(&home, HOME_ESS_SOC), pev_soc = home_number(&home, HOME_PEV_SOC);
	int recent = (int)(AREA_HISTORY_DAYS * USECS_PER_DAY / range->slot_us), phase;
	double *past = palloc(sizeof(double) * 3 * recent);
	const char *model = forecast(home_id, zone, range, demand, production, past, &phase);
	const char *assumed[3];
	int assumptions = 0;

	for (int i = 0; i < range->count; i++) {
		import[i] = area->energy_eur_per_kwh[i] + import_markup;
		export[i] = area->energy_eur_per_kwh[i] + export_markup;
	}
	put_series(row, demand, range->count);
	put_series(row, production, range->count);
	put_series(row, import, range->count);
	put_series(row, export, range->count);
	put_series(row, area->co2_eur_per_kwh, range->count);
	put_profile(row, home_id, range);
	put_number(row, home_number(&home, HOME_CONTRACT_MIN));
	put_number(row, home_number(&home, HOME_CONTRACT_MAX));
	put_store(row, &home, HOME_ESS);
	put_number(row, ess_soc);
	put_store(row, &home, HOME_PEV);
	put_number(row, isnan(stays) ? NAN : pev_soc);
	put_number(row, stays);
	put_number(row, home_number(&home, HOME_PEV_TARGET));
	put(row, CStringGetTextDatum(model), false);
	if (area->expected)
		assumed[assumptions++] = "energy_price_forecast";
	if (home_number(&home, HOME_ESS_CAPACITY) > 0 && isnan(ess_soc))
		assumed[assumptions++] = "ess_soc_unknown";
	if (home_number(&home, HOME_ESS_CAPACITY) > 0 && !isnan(ess_soc) &&
	    DatumGetBool(home_value(&home, HOME_ESS_SOC_OLD, &null)))
		assumed[assumptions++] = "ess_soc_old";
	if (home_number(&home, HOME_PEV_CAPACITY) > 0 && !isnan(stays) && isnan(pev_soc))
		assumed[assumptions++] = "pev_soc_unknown";
	put(row, words_datum(assumed, assumptions), false);
	for (int i = 0; i < recent; i++) {
		past[recent + i] = area->history_energy_eur_per_kwh[i] + import_markup;
		past[2 * recent + i] = area->history_energy_eur_per_kwh[i] + export_markup;
	}
	put_series(row, past, recent);
	put_series(row, past + recent, recent);
	put_series(row, past + 2 * recent, recent);
	put_series(row, area->history_co2_eur_per_kwh, recent);
	put(row, Int32GetDatum(phase), false);
	put(row, Int32GetDatum(area->known_slots), false);
	put(row, Int32GetDatum(area->reveal_slot), false);
}

Datum smarthg_ebr_home_input(PG_FUNCTION_ARGS)
{
	input_row row = {.columns = 0};
	TupleDesc columns;
	slot_range range;
	HeapTuple tuple;
	Datum result;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "ebr_home_input must return ebr_input");
	columns = BlessTupleDesc(columns);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	range = planned_range(fcinfo);
	put(&row, Int64GetDatum(PG_GETARG_INT64(0)), false);
	put(&row, TimestampTzGetDatum(range.start), false);
	put(&row, PG_GETARG_DATUM(3), false);
	put_input(&row, PG_GETARG_INT64(0), &range, PG_GETARG_TIMESTAMPTZ(1));
	put_previous(&row, PG_GETARG_INT64(0), &range, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_DATUM(3));
	Assert(row.columns == columns->natts);
	/* All that SPI allocated goes with its connection; the answer is copied out first. */
	tuple = heap_form_tuple(columns, row.values, row.nulls);
	result = PointerGetDatum(SPI_returntuple(tuple, columns));
	SPI_finish();
	PG_RETURN_DATUM(result);
}
