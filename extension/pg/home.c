/*
 * What the planner knows of a stored home at a moment (document 3.2.1): one query for the home and
 * its stores, one for its history, one for its profile, one for the plan before; prices are shared
 * by the homes of an area. Nothing later than the moment is looked at.
 */
#include "home.h"
#include "home_forecast.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/* Columns of HOME_QUERY; those of a store follow one another. */
enum {
	HOME_AREA = 1,
	HOME_CONTRACT_MIN,
	HOME_CONTRACT_MAX,
	HOME_IMPORT_MARKUP,
	HOME_EXPORT_MARKUP,
	HOME_ESS,
	HOME_ESS_SOC = HOME_ESS + 6,
	HOME_ESS_SOC_OLD,
	HOME_PEV,
	HOME_PEV_DEPARTS = HOME_PEV + 6,
	HOME_PEV_TARGET,
	HOME_PEV_SOC,
};

enum { STORE_ROW, STORE_CAPACITY, STORE_MIN, STORE_MAX, STORE_EFFICIENCY, STORE_STEP };

static const char *const HOME_QUERY =
    "SELECT h.price_area_id, h.contract_min_kw, h.contract_max_kw,"
    "   coalesce(t.import_markup_eur_per_kwh, 0), coalesce(t.export_markup_eur_per_kwh, 0),"
    "   e, e.capacity_kwh, e.min_kw, e.max_kw, e.efficiency, 0::float8, state.soc_kwh,"
    "   state.measured_at < $2 - interval '2 hours',"
    "   p, p.capacity_kwh, p.min_kw, p.max_kw, p.efficiency, p.min_step_kw, stay.departs_at,"
    "   least(stay.target_soc_kwh, p.capacity_kwh),"
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

/* The first row that a query found, until the next query. */
typedef struct found_row {
	HeapTuple tuple;
	TupleDesc columns;
} found_row;

static Datum found_value(const found_row *row, int column, bool *null)
{
	return SPI_getbinval(row->tuple, row->columns, column, null);
}

static double found_number(const found_row *row, int column)
{
	bool null;
	Datum value = found_value(row, column, &null);

	return null ? NAN : DatumGetFloat8(value);
}

static found_row read_home(int64 home_id, TimestampTz at)
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
	return (found_row){SPI_tuptable->vals[0], SPI_tuptable->tupdesc};
}

/* A store's row, and what of it the planner needs; a home that has none has one of capacity 0. */
static void take_store(home_store *store, const found_row *home, int column)
{
	store->row = found_value(home, column + STORE_ROW, &store->none);
	store->plan = (ebr_store){.efficiency = 1,
	                          .plugged_hours = INFINITY,
	                          .target_kwh = NAN,
	                          .terminal_value_eur_per_kwh = NAN};
	if (store->none)
		return;
	store->plan.capacity_kwh = found_number(home, column + STORE_CAPACITY);
	store->plan.min_kw = found_number(home, column + STORE_MIN);
	store->plan.max_kw = found_number(home, column + STORE_MAX);
	store->plan.efficiency = found_number(home, column + STORE_EFFICIENCY);
	store->plan.min_step_kw = found_number(home, column + STORE_STEP);
}

/* Hours that the PEV stays from the range's start; one that is still there after the hour it was
 * to leave is charged as if it left with the slot. NAN where it is away. */
static double plugged_hours(const found_row *home, const slot_range *range, TimestampTz at)
{
	bool away;
	TimestampTz departs = DatumGetTimestampTz(found_value(home, HOME_PEV_DEPARTS, &away));

	if (away)
		return NAN;
	if (TIMESTAMP_IS_NOEND(departs))
		return INFINITY;
	if (departs <= at)
		departs = range->start + range->slot_us;
	return (double)(departs - range->start) / USECS_PER_HOUR;
}

static void take_stores(home_known *known, const found_row *home)
{
	bool null;
	home_store *ess = &known->store[EBR_ESS], *pev = &known->store[EBR_PEV];

	take_store(ess, home, HOME_ESS);
	ess->soc_kwh = found_number(home, HOME_ESS_SOC);
	take_store(pev, home, HOME_PEV);
	known->plugged_hours = plugged_hours(home, &known->range, known->at);
	known->target_kwh = found_number(home, HOME_PEV_TARGET);
	pev->soc_kwh = isnan(known->plugged_hours) ? NAN : found_number(home, HOME_PEV_SOC);
	if (ess->plan.capacity_kwh > 0 && isnan(ess->soc_kwh))
		known->assumed[known->assumptions++] = "ess_soc_unknown";
	if (ess->plan.capacity_kwh > 0 && !isnan(ess->soc_kwh) &&
	    DatumGetBool(found_value(home, HOME_ESS_SOC_OLD, &null)))
		known->assumed[known->assumptions++] = "ess_soc_old";
	if (pev->plan.capacity_kwh > 0 && !isnan(known->plugged_hours) && isnan(pev->soc_kwh))
		known->assumed[known->assumptions++] = "pev_soc_unknown";
}

/* Demand and production to expect, and the net demand measured before. */
static void take_forecast(home_known *known)
{
	const slot_range *range = &known->range;
	const int past = (int)(FORECAST_HISTORY_DAYS * USECS_PER_DAY / range->slot_us);
	home_forecast forecast;

	forecast_home(
	    &(forecast_request){known->home_id, known->at, *range, past, EUMF_K_COMBINED, false},
	    &forecast);
	known->demand_kw = forecast.demand.mean_kw;
	known->production_kw = forecast.production.mean_kw;
	known->demand_model = forecast.demand_model;
	known->phase = forecast.phase;
	known->history_net_kw = palloc(sizeof(double) * known->recent);
	for (int i = 0; i < known->recent; i++) {
		int slot = past - known->recent + i;

		known->history_net_kw[i] =
		    forecast.history_demand_kw[slot] - forecast.history_production_kw[slot];
	}
}

/* A series of the previous plan, moved to the slots of this one; null where it is 0 throughout. */
static double *planned_before(Datum array, bool null, int planned, int passed, int count)
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
	return series;
}

/* What the ESS and the PEV were to do in these slots by the plan before. */
static void take_previous(home_known *known)
{
	static SPIPlanPtr plan;
	const slot_range *range = &known->range;
	Oid types[4] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INTERVALOID};
	Datum values[4] = {Int64GetDatum(known->home_id), TimestampTzGetDatum(range->start),
	                   TimestampTzGetDatum(known->at), IntervalPGetDatum(known->slot_length)};
	found_row row;
	int passed, planned;
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, PREVIOUS_QUERY, 4, types), values, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "previous plan cannot be read");
	if (SPI_processed == 0)
		return;
	row = (found_row){SPI_tuptable->vals[0], SPI_tuptable->tupdesc};
	passed =
	    (int)((range->start - DatumGetTimestampTz(found_value(&row, 1, &null))) / range->slot_us);
	planned = DatumGetInt32(found_value(&row, 2, &null));
	for (int i = 0; i < EBR_STORES; i++) {
		Datum array = found_value(&row, 3 + i, &null);

		known->previous_kw[i] = planned_before(array, null, planned, passed, range->count);
	}
}

/* Prices of the area with the home's markups, of the slots to plan and of the days before. */
static void take_prices(home_known *known, const found_row *home, const area_prices *area)
{
	const double import_markup = found_number(home, HOME_IMPORT_MARKUP);
	const double export_markup = found_number(home, HOME_EXPORT_MARKUP);
	const int count = known->range.count, recent = known->recent;
	double *series = palloc(sizeof(double) * 2 * (count + recent));

	known->energy_eur_per_kwh = series;
	known->export_eur_per_kwh = series + count;
	known->history_energy_eur_per_kwh = series + 2 * count;
	known->history_export_eur_per_kwh = series + 2 * count + recent;
	for (int i = 0; i < count; i++) {
		known->energy_eur_per_kwh[i] = area->energy_eur_per_kwh[i] + import_markup;
		known->export_eur_per_kwh[i] = area->energy_eur_per_kwh[i] + export_markup;
	}
	for (int i = 0; i < recent; i++) {
		known->history_energy_eur_per_kwh[i] = area->history_energy_eur_per_kwh[i] + import_markup;
		known->history_export_eur_per_kwh[i] = area->history_energy_eur_per_kwh[i] + export_markup;
	}
	known->co2_eur_per_kwh = area->co2_eur_per_kwh;
	known->history_co2_eur_per_kwh = area->history_co2_eur_per_kwh;
	known->known_slots = area->known_slots;
	known->reveal_slot = area->reveal_slot;
	known->forecast_eur_per_kwh = area->forecast_eur_per_kwh;
	if (area->expected)
		known->assumed[known->assumptions++] = "energy_price_forecast";
}

static slot_range planned_range(TimestampTz at, int slots, const Interval *slot_length)
{
	slot_range range = {.slot_us = slot_length_us(slot_length), .count = slots};

	check_slot_length(range.slot_us);
	if (TIMESTAMP_NOT_FINITE(at) || range.count < 1 || range.count > EBR_MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a plan needs a finite time and 1 to %d slots", EBR_MAX_SLOTS)));
	range.start = at - ((at % range.slot_us) + range.slot_us) % range.slot_us;
	return range;
}

void read_home_known(int64 home_id, TimestampTz at, int slots, Interval *slot_length,
                     home_known *known)
{
	found_row home;
	bool null;

	memset(known, 0, sizeof(*known));
	known->home_id = home_id;
	known->at = at;
	known->slot_length = slot_length;
	known->range = planned_range(at, slots, slot_length);
	known->recent = (int)(AREA_HISTORY_DAYS * USECS_PER_DAY / known->range.slot_us);
	home = read_home(home_id, at);
	known->contract_min_kw = found_number(&home, HOME_CONTRACT_MIN);
	known->contract_max_kw = found_number(&home, HOME_CONTRACT_MAX);
	take_prices(
	    known, &home,
	    read_area_prices(DatumGetInt64(found_value(&home, HOME_AREA, &null)), &known->range, at));
	take_stores(known, &home);
	take_forecast(known);
	read_profile(home_id, &known->range, known->profile);
	take_previous(known);
}
