/*
 * SQL binding of the closed-loop replay (core/ebr/replay): reads what was measured in a home and
 * what prices were published when, and compares the ways to run its battery over that time.
 */
#include "home.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "../core/ebr/replay.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_replay);

enum { MAX_REPLAY_SLOTS = 400000 };

/* Columns of HOME_QUERY. */
enum {
	HOME_ZONE = 1,
	HOME_AREA,
	HOME_CONTRACT_MIN,
	HOME_CONTRACT_MAX,
	HOME_IMPORT_MARKUP,
	HOME_EXPORT_MARKUP,
	HOME_CAPACITY,
	HOME_MIN,
	HOME_MAX,
	HOME_EFFICIENCY,
};

static const char *const HOME_QUERY =
    "SELECT h.time_zone, h.price_area_id, h.contract_min_kw, h.contract_max_kw,"
    "   coalesce(t.import_markup_eur_per_kwh, 0), coalesce(t.export_markup_eur_per_kwh, 0),"
    "   coalesce(e.capacity_kwh, 0), coalesce(e.min_kw, 0), coalesce(e.max_kw, 0),"
    "   coalesce(e.efficiency, 1) "
    "FROM smarthg.home h LEFT JOIN smarthg.tariff t USING (tariff_id) "
    "LEFT JOIN smarthg.ess e USING (home_id) WHERE h.home_id = $1";

static const char *const PRICES_QUERY =
    "SELECT slot_start, extract(epoch FROM slot_length)::float8, energy_eur_per_kwh, published_at "
    "FROM smarthg.market_price WHERE price_area_id = $1 "
    "AND slot_start > $2::timestamptz - interval '1 day' AND slot_start < $3 ORDER BY slot_start";

static const char *const CO2_QUERY =
    "SELECT slot_start, extract(epoch FROM slot_length)::float8, co2_eur_per_kwh "
    "FROM smarthg.co2_cost WHERE price_area_id = $1 "
    "AND slot_start > $2::timestamptz - interval '1 day' AND slot_start < $3";

static double column_number(int column)
{
	bool null;

	return DatumGetFloat8(
	    SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &null));
}

/* Reads the home and, where the caller did not give another, its battery; returns its area. */
static int64 read_home(FunctionCallInfo fcinfo, ebr_replay_input *in, char **zone,
                       double *import_markup, double *export_markup)
{
	static SPIPlanPtr plan;
	Oid type = INT8OID;
	Datum value = PG_GETARG_DATUM(0);
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, HOME_QUERY, 1, &type), &value, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "home cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("home " INT64_FORMAT " does not exist", PG_GETARG_INT64(0))));
	*zone = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, HOME_ZONE);
	*import_markup = column_number(HOME_IMPORT_MARKUP);
	*export_markup = column_number(HOME_EXPORT_MARKUP);
	in->contract_min_kw = column_number(HOME_CONTRACT_MIN);
	in->contract_max_kw = column_number(HOME_CONTRACT_MAX);
	in->store = (ebr_store){
	    .capacity_kwh =
	        number_argument(fcinfo, 4, "ess_capacity_kwh", column_number(HOME_CAPACITY)),
	    .min_kw = number_argument(fcinfo, 5, "ess_min_kw", column_number(HOME_MIN)),
	    .max_kw = number_argument(fcinfo, 6, "ess_max_kw", column_number(HOME_MAX)),
	    .efficiency = number_argument(fcinfo, 7, "ess_efficiency", column_number(HOME_EFFICIENCY)),
	    .plugged_hours = INFINITY,
	    .target_kwh = NAN,
	    .terminal_value_eur_per_kwh = NAN};
	return DatumGetInt64(
	    SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, HOME_AREA, &null));
}

static void query_area(SPIPlanPtr *kept, const char *query, int64 area, const slot_range *range)
{
	Oid types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[3] = {Int64GetDatum(area), TimestampTzGetDatum(range->start),
	                   TimestampTzGetDatum(range->start + range->count * range->slot_us)};

	if (SPI_execute_plan(kept_plan(kept, query, 3, types), values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "prices cannot be read");
}

/* Up to which slot prices were published at the start of each slot; the rows are those of
 * PRICES_QUERY, in time. A slot's own price counts as known. */
static int *publication(const slot_range *range)
{
	TimestampTz *published =
	    palloc_extended(sizeof(TimestampTz) * (range->count + 1), MCXT_ALLOC_HUGE);
	int *known_until = palloc_extended(sizeof(int) * Max(range->count, 1), MCXT_ALLOC_HUGE);
	int filled = 0, known = 0;
	TimestampTz last = DT_NOBEGIN;

	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc columns = SPI_tuptable->tupdesc;
		bool null;
		TimestampTz start = DatumGetTimestampTz(SPI_getbinval(row, columns, 1, &null));

		/* A slot without a price of its own is published with those before it. */
		for (; filled < range->count && range->start + filled * range->slot_us < start; filled++)
			published[filled] = last;
		last = Max(last, DatumGetTimestampTz(SPI_getbinval(row, columns, 4, &null)));
	}
	for (; filled < range->count; filled++)
		published[filled] = last;
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
	static SPIPlanPtr prices_plan, co2_plan;
	double *import, *export, *co2;

	query_area(&prices_plan, PRICES_QUERY, area, range);
	import = steps_on_slots(SPI_tuptable, SPI_processed, 3, range);
	in->known_until = publication(range);
	query_area(&co2_plan, CO2_QUERY, area, range);
	co2 = SPI_processed > 0 ? steps_on_slots(SPI_tuptable, SPI_processed, 3, range) : NULL;
	export = palloc_extended(sizeof(double) * Max(range->count, 1), MCXT_ALLOC_HUGE);
	for (int t = 0; t < range->count; t++) {
		double both = import[t] + (co2 && !isnan(co2[t]) ? co2[t] : 0);

		import[t] = both + import_markup;
		export[t] = both + export_markup;
	}
	in->import_eur_per_kwh = import;
	in->export_eur_per_kwh = export;
}

static slot_range range_arguments(FunctionCallInfo fcinfo, int *first)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1), until = PG_GETARG_TIMESTAMPTZ(2);
	int64 slot_us = interval_us(PG_GETARG_INTERVAL_P(3), "slot_length"), slots;

	check_slot_length(slot_us);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) || until <= from ||
	    from % slot_us != 0 || until % slot_us != 0 || (until - from) / slot_us > MAX_REPLAY_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 1 to %d whole slots aligned in UTC",
		                       MAX_REPLAY_SLOTS)));
	*first = (int)(EBR_OUTLOOK_DAYS * USECS_PER_DAY / slot_us);
	slots = (until - from) / slot_us;
	return (slot_range){from - *first * slot_us, slot_us, (int)slots + *first};
}

static void put_result(FunctionCallInfo fcinfo, const ebr_replay_result *result)
{
	static const char *const ways[EBR_REPLAY_WAYS] = {"no storage", "naive rule", "set-point",
	                                                  "rule", "perfect foresight"};
	ReturnSetInfo *rows = (ReturnSetInfo *)fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++) {
		Datum row[8] = {CStringGetTextDatum(ways[way]),
		                Float8GetDatum(result->bill_eur[way]),
		                Float8GetDatum(result->left_kwh[way]),
		                Float8GetDatum(result->cost_eur[way]),
		                Float8GetDatum(result->saving_percent[way]),
		                Float8GetDatum(result->cycles[way]),
		                Int32GetDatum(result->billed),
		                Int32GetDatum(result->skipped)};
		bool nulls[8] = {false};

		nulls[4] = isnan(result->saving_percent[way]);
		tuplestore_putvalues(rows->setResult, rows->setDesc, row, nulls);
	}
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

	for (int i = 0; i < 4; i++)
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
	read_history(PG_GETARG_INT64(0), &range, net, production, &produces);
	for (int t = 0; t < range.count; t++)
		net[t] -= production[t];
	in.net_kw = net;
	memset(&result, 0, sizeof(result));
	if (ebr_replay(&in, &limits, &result, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	SPI_finish();
	put_result(fcinfo, &result);
	return (Datum)0;
}
