/*
 * SQL binding of the closed-loop replay (core/ebr/replay): reads what was measured in a home, when
 * its vehicle was plugged in and what prices were published when, and compares the ways to run its
 * stores over that time.
 */
#include "home.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "../core/ebr/replay.h"
#include "../core/forecast/price_day.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_replay);

enum { MAX_REPLAY_SLOTS = 400000, REPLAY_COLUMNS = 18 };

/* Arguments. */
enum {
	ARG_HOME,
	ARG_FROM,
	ARG_UNTIL,
	ARG_SLOT_LENGTH,
	ARG_ESS_CAPACITY,
	ARG_ESS_MIN,
	ARG_ESS_MAX,
	ARG_ESS_EFFICIENCY,
	ARG_WITH_PEV,
};

/* Columns of HOME_QUERY. */
enum {
	HOME_ZONE = 1,
	HOME_AREA,
	HOME_CONTRACT_MIN,
	HOME_CONTRACT_MAX,
	HOME_IMPORT_MARKUP,
	HOME_EXPORT_MARKUP,
	HOME_ESS_CAPACITY,
	HOME_ESS_MIN,
	HOME_ESS_MAX,
	HOME_ESS_EFFICIENCY,
	HOME_PEV_CAPACITY,
	HOME_PEV_MIN,
	HOME_PEV_MAX,
	HOME_PEV_EFFICIENCY,
	HOME_PEV_STEP,
};

static const char *const HOME_QUERY =
    "SELECT h.time_zone, h.price_area_id, h.contract_min_kw, h.contract_max_kw,"
    "   coalesce(t.import_markup_eur_per_kwh, 0), coalesce(t.export_markup_eur_per_kwh, 0),"
    "   coalesce(e.capacity_kwh, 0), coalesce(e.min_kw, 0), coalesce(e.max_kw, 0),"
    "   coalesce(e.efficiency, 1), coalesce(p.capacity_kwh, 0), coalesce(p.min_kw, 0),"
    "   coalesce(p.max_kw, 0), coalesce(p.efficiency, 1), coalesce(p.min_step_kw, 0) "
    "FROM smarthg.home h LEFT JOIN smarthg.tariff t USING (tariff_id) "
    "LEFT JOIN smarthg.ess e USING (home_id) LEFT JOIN smarthg.pev p USING (home_id) "
    "WHERE h.home_id = $1";

/* Stays that ended within the range and whose state of charge on arrival is known. */
static const char *const STAYS_QUERY =
    "SELECT plugged_at, departs_at, unplugged_at, arrival, target FROM ("
    "   SELECT s.plugged_at, s.departs_at, s.unplugged_at, s.target_soc_kwh AS target,"
    "      coalesce(s.arrival_soc_kwh, (SELECT v.soc_kwh FROM smarthg.pev_state v"
    "         WHERE v.home_id = s.home_id AND v.measured_at BETWEEN s.plugged_at"
    "            AND least(s.unplugged_at, s.plugged_at + interval '15 minutes')"
    "         ORDER BY v.measured_at LIMIT 1)) AS arrival"
    "   FROM smarthg.pev_session s WHERE s.home_id = $1 AND s.plugged_at >= $2"
    "   AND s.unplugged_at <= $3 AND s.unplugged_at > s.plugged_at) AS stay "
    "WHERE arrival IS NOT NULL ORDER BY plugged_at";

static double column_number(int column)
{
	bool null;

	return DatumGetFloat8(
	    SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &null));
}

/* The home's battery, or the one that the caller gave. */
static ebr_store ess_of(FunctionCallInfo fcinfo)
{
	return (ebr_store){
	    .capacity_kwh = number_argument(fcinfo, ARG_ESS_CAPACITY, "ess_capacity_kwh",
	                                    column_number(HOME_ESS_CAPACITY)),
	    .min_kw = number_argument(fcinfo, ARG_ESS_MIN, "ess_min_kw", column_number(HOME_ESS_MIN)),
	    .max_kw = number_argument(fcinfo, ARG_ESS_MAX, "ess_max_kw", column_number(HOME_ESS_MAX)),
	    .efficiency = number_argument(fcinfo, ARG_ESS_EFFICIENCY, "ess_efficiency",
	                                  column_number(HOME_ESS_EFFICIENCY)),
	    .plugged_hours = INFINITY,
	    .target_kwh = NAN,
	    .terminal_value_eur_per_kwh = NAN};
}

static ebr_store pev_of_home(void)
{
	return (ebr_store){.capacity_kwh = column_number(HOME_PEV_CAPACITY),
	                   .min_kw = column_number(HOME_PEV_MIN),
	                   .max_kw = column_number(HOME_PEV_MAX),
	                   .efficiency = column_number(HOME_PEV_EFFICIENCY),
	                   .min_step_kw = column_number(HOME_PEV_STEP)};
}

/* Reads the home and its stores; returns its area. */
static int64 read_home(FunctionCallInfo fcinfo, ebr_replay_input *in, char **zone,
                       double *import_markup, double *export_markup)
{
	static SPIPlanPtr plan;
	Oid type = INT8OID;
	Datum value = PG_GETARG_DATUM(ARG_HOME);
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, HOME_QUERY, 1, &type), &value, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "home cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("home " INT64_FORMAT " does not exist", PG_GETARG_INT64(ARG_HOME))));
	*zone = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, HOME_ZONE);
	*import_markup = column_number(HOME_IMPORT_MARKUP);
	*export_markup = column_number(HOME_EXPORT_MARKUP);
	in->contract_min_kw = column_number(HOME_CONTRACT_MIN);
	in->contract_max_kw = column_number(HOME_CONTRACT_MAX);
	in->store = ess_of(fcinfo);
	if (PG_ARGISNULL(ARG_WITH_PEV) || PG_GETARG_BOOL(ARG_WITH_PEV))
		in->pev = pev_of_home();
	return DatumGetInt64(
	    SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, HOME_AREA, &null));
}

/* A column of a stay in slots of the range. */
static double stay_time(HeapTuple row, TupleDesc columns, int column, const slot_range *range)
{
	bool null;
	TimestampTz time = DatumGetTimestampTz(SPI_getbinval(row, columns, column, &null));

	return TIMESTAMP_IS_NOEND(time) ? INFINITY
	                                : (double)(time - range->start) / (double)range->slot_us;
}

static double stay_number(HeapTuple row, TupleDesc columns, int column, double for_null)
{
	bool null;
	Datum value = SPI_getbinval(row, columns, column, &null);

	return null ? for_null : DatumGetFloat8(value);
}

/* The vehicle's stays. One that begins before the one before had ended is no record of a stay, and
 * is left out. */
static void read_stays(int64 home_id, const slot_range *range, ebr_replay_input *in)
{
	static SPIPlanPtr plan;
	Oid types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[3] = {Int64GetDatum(home_id),
	                   TimestampTzGetDatum(range->start + in->first * range->slot_us),
	                   TimestampTzGetDatum(range->start + range->count * range->slot_us)};
	ebr_replay_stay *stays;

	if (in->pev.capacity_kwh == 0)
		return;
	if (SPI_execute_plan(kept_plan(&plan, STAYS_QUERY, 3, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "stays cannot be read");
	stays = palloc_extended(sizeof(*stays) * Max(SPI_processed, 1), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc columns = SPI_tuptable->tupdesc;
		ebr_replay_stay *s = &stays[in->stays];

		s->plugged_at = stay_time(row, columns, 1, range);
		s->departs_at = stay_time(row, columns, 2, range);
		s->unplugged_at = stay_time(row, columns, 3, range);
		s->arrival_kwh = stay_number(row, columns, 4, 0);
		s->target_kwh =
		    Min(stay_number(row, columns, 5, in->pev.capacity_kwh), in->pev.capacity_kwh);
		if (in->stays == 0 || s->plugged_at >= stays[in->stays - 1].unplugged_at)
			in->stays++;
	}
	in->stay = stays;
}

static void read_tube(int64 home_id, const slot_range *range, ebr_replay_input *in)
{
	double *series[PROFILE_SERIES];

	if (!read_profile(home_id, range, series))
		return;
	in->profile_low_kw = series[PROFILE_LOW];
	in->profile_high_kw = series[PROFILE_HIGH];
	in->penalty_low_eur_per_kwh = series[PENALTY_LOW];
	in->penalty_high_eur_per_kwh = series[PENALTY_HIGH];
}

/* Up to which slot prices were published at the start of each slot, by the prices just queried. A
 * slot's own price counts as known, so that a late correction hides none that comes after it; a
 * slot without a price is published with the one before it. */
static int *publication(const slot_range *range)
{
	TimestampTz *published =
	    palloc_extended(sizeof(TimestampTz) * (range->count + 1), MCXT_ALLOC_HUGE);
	int *known_until = palloc_extended(sizeof(int) * Max(range->count, 1), MCXT_ALLOC_HUGE);
	int known = 0;

	for (int t = 0; t < range->count; t++)
		published[t] = DT_NOBEGIN;
	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc columns = SPI_tuptable->tupdesc;
		bool null;
		TimestampTz start = DatumGetTimestampTz(SPI_getbinval(row, columns, 1, &null));
		int64 slot = Max((start - range->start + range->slot_us - 1) / range->slot_us, 0);

		if (slot < range->count)
			published[slot] =
			    Max(published[slot], DatumGetTimestampTz(SPI_getbinval(row, columns, 4, &null)));
	}
	for (int t = 1; t < range->count; t++)
		if (published[t] == DT_NOBEGIN)
			published[t] = published[t - 1];
	for (int t = 0; t < range->count; t++) {
		TimestampTz now = range->start + t * range->slot_us;

		while (known < range->count && published[known] <= now)
			known++;
		known = Max(known, t + 1);
		known_until[t] = known;
	}
	return known_until;
}

/* Import and export prices as the objective energy_co2 counts them. */
static void read_prices(ebr_replay_input *in, int64 area, const slot_range *range,
                        double import_markup, double export_markup)
{
	double *import, *export, *co2;

	query_area_prices(area, DT_NOEND, range);
	import = steps_on_slots(SPI_tuptable, SPI_processed, 3, range);
	in->known_until = publication(range);
	query_area_co2(area, DT_NOEND, range);
	co2 = SPI_processed > 0 ? steps_on_slots(SPI_tuptable, SPI_processed, 3, range) : NULL;
	export = palloc_extended(sizeof(double) * Max(range->count, 1), MCXT_ALLOC_HUGE);
	for (int t = 0; t < range->count; t++) {
		double both = import[t] + (co2 && !isnan(co2[t]) ? co2[t] : 0);

		import[t] = both + import_markup;
		export[t] = both + export_markup;
	}
	in->import_eur_per_kwh = import;
	in->export_eur_per_kwh = export;
	in->co2_eur_per_kwh = co2;
}

static slot_range range_arguments(FunctionCallInfo fcinfo, int *first)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(ARG_FROM), until = PG_GETARG_TIMESTAMPTZ(ARG_UNTIL);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH)), slots;

	check_slot_length(slot_us);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) || until <= from ||
	    from % slot_us != 0 || until % slot_us != 0 || (until - from) / slot_us > MAX_REPLAY_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 1 to %d whole slots aligned in UTC",
		                       MAX_REPLAY_SLOTS)));
	*first = (int)(PRICE_DAY_HISTORY * USECS_PER_DAY / slot_us);
	slots = (until - from) / slot_us;
	return (slot_range){from - *first * slot_us, slot_us, (int)slots + *first};
}

static void put_way(const ebr_replay_result *r, ebr_replay_way way, ReturnSetInfo *rows)
{
	static const char *const ways[EBR_REPLAY_WAYS] = {"no storage", "naive rule", "set-point",
	                                                  "rule", "perfect foresight"};
	const double energy = r->bill_eur[way] - r->co2_eur[way] - r->distribution_eur[way];
	const double left = r->left_eur_per_kwh * r->left_kwh[way];
	const double numbers[] = {energy,
	                          r->co2_eur[way],
	                          r->distribution_eur[way],
	                          r->bill_eur[way],
	                          r->missed_kwh[way],
	                          r->missed_eur[way],
	                          r->left_kwh[way],
	                          left,
	                          r->cost_eur[way],
	                          r->saving_percent[way],
	                          way == EBR_REPLAY_PERFECT ? r->perfect_excess_eur : NAN,
	                          r->outside_kwh[way],
	                          r->contract_kwh[way],
	                          r->cycles[way]};
	const int counts[] = {r->billed, r->skipped, r->stays};
	Datum row[REPLAY_COLUMNS];
	bool nulls[REPLAY_COLUMNS] = {false};
	int n = 0;

	row[n++] = CStringGetTextDatum(ways[way]);
	for (int k = 0; k < (int)lengthof(numbers); k++) {
		nulls[n] = isnan(numbers[k]);
		row[n++] = Float8GetDatum(numbers[k]);
	}
	for (int k = 0; k < (int)lengthof(counts); k++)
		row[n++] = Int32GetDatum(counts[k]);
	Assert(n == REPLAY_COLUMNS);
	tuplestore_putvalues(rows->setResult, rows->setDesc, row, nulls);
}

static void put_result(FunctionCallInfo fcinfo, const ebr_replay_result *result)
{
	InitMaterializedSRF(fcinfo, 0);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		put_way(result, way, (ReturnSetInfo *)fcinfo->resultinfo);
}

Datum smarthg_ebr_replay(PG_FUNCTION_ARGS)
{
	ebr_replay_input in = {.slots = 0};
	ebr_replay_result result;
	ebr_limits limits = {.interrupted = cancelled};
	slot_range range;
	double *net, *production, import_markup, export_markup;
	int64 area;
	char *zone;
	int phase;
	bool produces;
	outcome failed;

	for (int i = ARG_HOME; i <= ARG_SLOT_LENGTH; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("home, range and slot length must not be null")));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	range = range_arguments(fcinfo, &in.first);
	in.slots = range.count;
	in.slots_per_day = (int)(USECS_PER_DAY / range.slot_us);
	area = read_home(fcinfo, &in, &zone, &import_markup, &export_markup);
	read_prices(&in, area, &range, import_markup, export_markup);
	read_local_phases(&(slot_range){range.start, range.slot_us, 1}, zone, &phase);
	in.phase = phase;
	net = palloc_extended(sizeof(double) * 2 * range.count, MCXT_ALLOC_HUGE);
	production = net + range.count;
	read_history(PG_GETARG_INT64(ARG_HOME), &range, net, production, &produces);
	for (int t = 0; t < range.count; t++)
		net[t] -= production[t];
	in.net_kw = net;
	read_tube(PG_GETARG_INT64(ARG_HOME), &range, &in);
	read_stays(PG_GETARG_INT64(ARG_HOME), &range, &in);
	memset(&result, 0, sizeof(result));
	if (ebr_replay(&in, &limits, &result, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	SPI_finish();
	put_result(fcinfo, &result);
	return (Datum)0;
}
