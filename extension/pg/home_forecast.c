/* See home_forecast.h; and its SQL functions. */
#include "home_forecast.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(smarthg_eumf_k);
PG_FUNCTION_INFO_V1(smarthg_home_forecast);
PG_FUNCTION_INFO_V1(smarthg_calendar_phases);

static const char *const HOME_QUERY =
    "SELECT h.time_zone, h.price_area_id, smarthg.standard_series(h.household_type, $2) "
    "FROM smarthg.home h WHERE h.home_id = $1";

static const char *const HOLIDAYS_QUERY =
    "SELECT (d.day::timestamp AT TIME ZONE $2), ((d.day + 1)::timestamp AT TIME ZONE $2) "
    "FROM smarthg.holiday d WHERE d.price_area_id = $1 "
    "AND d.day BETWEEN ($3 AT TIME ZONE $2)::date AND ($4 AT TIME ZONE $2)::date";

static const char *const TEMPERATURE_QUERY =
    "SELECT smarthg.temperature_series($1, $2, $3, $4, $5)";

static Datum found(int column, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, null);
}

/* A float8[] of so many elements as doubles, NAN for null; NULL where it is another. */
static double *doubles_of(Datum array, int count)
{
	Datum *values;
	bool *nulls;
	int length;
	double *series;

	deconstruct_array(DatumGetArrayTypeP(array), FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE,
	                  &values, &nulls, &length);
	if (length != count)
		return NULL;
	series = palloc(sizeof(double) * count);
	for (int i = 0; i < count; i++)
		series[i] = nulls[i] ? NAN : DatumGetFloat8(values[i]);
	return series;
}

void read_calendar_phases(int64 price_area_id, const slot_range *range, const char *zone,
                          int *phases)
{
	static SPIPlanPtr plan;
	Oid types[4] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	TimestampTz end = range->start + range->count * range->slot_us;
	Datum values[4] = {Int64GetDatum(price_area_id), CStringGetTextDatum(zone),
	                   TimestampTzGetDatum(range->start), TimestampTzGetDatum(end)};
	int per_day = (int)(USECS_PER_DAY / range->slot_us);

	read_local_phases(range, zone, phases);
	if (SPI_execute_plan(kept_plan(&plan, HOLIDAYS_QUERY, 4, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "holidays cannot be read");
	for (uint64 row = 0; row < SPI_processed; row++) {
		bool null;
		HeapTuple tuple = SPI_tuptable->vals[row];
		TimestampTz from =
		    DatumGetTimestampTz(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &null));
		TimestampTz until =
		    DatumGetTimestampTz(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &null));
		int64 first = Max((from - range->start + range->slot_us - 1) / range->slot_us, 0);

		for (int64 i = first; i < range->count && range->start + i * range->slot_us < until; i++)
			phases[i] = 6 * per_day + phases[i] % per_day;
	}
}

/* An area's temperature as known at a moment; the last answer is kept, as a fleet's homes share it
 * for as long as one statement runs. NULL: none. */
static const double *read_temperature(int64 price_area_id, const slot_range *range, TimestampTz at)
{
	static area_key known;
	static double *answer;
	static SPIPlanPtr plan;
	Oid types[5] = {INT8OID, TIMESTAMPTZOID, INT4OID, INTERVALOID, TIMESTAMPTZOID};
	Interval length = {.time = range->slot_us};
	Datum values[5] = {Int64GetDatum(price_area_id), TimestampTzGetDatum(range->start),
	                   Int32GetDatum(range->count), IntervalPGetDatum(&length),
	                   TimestampTzGetDatum(at)};
	area_key key = area_key_of(price_area_id, range, at);
	MemoryContext callers;
	Datum series;
	bool null;

	if (memcmp(&key, &known, sizeof(key)) == 0)
		return answer;
	memset(&known, 0, sizeof(known));
	if (answer)
		pfree(answer);
	answer = NULL;
	if (SPI_execute_plan(kept_plan(&plan, TEMPERATURE_QUERY, 5, types), values, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "temperature cannot be read");
	series = found(1, &null);
	if (!null) {
		callers = MemoryContextSwitchTo(TopMemoryContext);
		answer = doubles_of(series, range->count);
		MemoryContextSwitchTo(callers);
	}
	known = key;
	return answer;
}

static void make_room(eumf_k_forecast *f, int count, bool quantiles)
{
	double *room = palloc0(sizeof(double) * count * (quantiles ? 4 : 1));

	*f = (eumf_k_forecast){.mean_kw = room, .model = EUMF_K_STANDARD};
	if (!quantiles)
		return;
	f->q10_kw = room + count;
	f->q50_kw = room + 2 * count;
	f->q90_kw = room + 3 * count;
}

static void forecast_kind(eumf_k_input *in, eumf_k_kind kind, const double *history_kw,
                          eumf_k_forecast *f)
{
	outcome failed;

	in->kind = kind;
	in->history_kw = history_kw;
	if (eumf_k(in, f, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
}

/* The home's zone and area; its standard profile goes into the input. */
static char *read_home(int64 home_id, eumf_k_input *in, int64 *price_area_id)
{
	static SPIPlanPtr plan;
	Oid types[2] = {INT8OID, INT4OID};
	Datum values[2] = {Int64GetDatum(home_id), Int32GetDatum(in->slots_per_day)};
	Datum standard;
	bool null;

	if (SPI_execute_plan(kept_plan(&plan, HOME_QUERY, 2, types), values, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "home cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("home " INT64_FORMAT " does not exist", home_id)));
	*price_area_id = DatumGetInt64(found(2, &null));
	standard = found(3, &null);
	in->standard_kw = null ? NULL : doubles_of(standard, 7 * in->slots_per_day);
	return TextDatumGetCString(found(1, &null));
}

void forecast_home(const forecast_request *request, home_forecast *f)
{
	const slot_range *range = &request->range;
	const int past = request->past, count = range->count;
	slot_range history = {range->start - past * range->slot_us, range->slot_us, past};
	slot_range all = {history.start, range->slot_us, past + count};
	double *known = palloc_extended(sizeof(double) * 2 * Max(past, 1), MCXT_ALLOC_HUGE);
	int *phases = palloc_extended(sizeof(int) * all.count, MCXT_ALLOC_HUGE);
	eumf_k_input in = {.slots_per_day = (int)(USECS_PER_DAY / range->slot_us),
	                   .history = past,
	                   .history_phase = phases,
	                   .horizon = count,
	                   .horizon_phase = phases + past,
	                   .method = request->method};
	int64 price_area_id;
	char *zone = read_home(request->home_id, &in, &price_area_id);

	read_history_until(request->home_id, &history, request->at, known, known + past, &f->produces);
	read_local_phases(&all, zone, phases);
	f->phase = phases[past];
	read_calendar_phases(price_area_id, &all, zone, phases);
	in.temperature_c = read_temperature(price_area_id, &all, request->at);
	in.horizon_temperature_c = in.temperature_c ? in.temperature_c + past : NULL;
	f->history_demand_kw = known;
	f->history_production_kw = known + past;
	make_room(&f->demand, count, request->quantiles);
	make_room(&f->production, count, request->quantiles);
	forecast_kind(&in, EUMF_K_DEMAND, known, &f->demand);
	if (f->produces)
		forecast_kind(&in, EUMF_K_PRODUCTION, known + past, &f->production);
	f->demand_model = eumf_k_model_name(f->demand.model);
	f->production_model = f->produces ? eumf_k_model_name(f->production.model) : "none";
}

/* What (home_id, at, slots, slot_length, history) ask for. */
static forecast_request request_of(FunctionCallInfo fcinfo)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(3));
	const Interval *history = PG_GETARG_INTERVAL_P(4);
	int64 history_us = history->time + history->day * USECS_PER_DAY;
	int slots = PG_GETARG_INT32(2);
	forecast_request request = {.home_id = PG_GETARG_INT64(0), .at = at, .quantiles = true};

	check_slot_length(slot_us);
	if (slots < 1 || slots > 10000 || history->month != 0 || history_us < 0 ||
	    history_us / slot_us > 1000000 || TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a forecast of %d slots is not possible", slots),
		                errhint("Ask for 1 to 10000 slots at a finite time, from a history of "
		                        "days or hours.")));
	/* The slot that holds the moment is the first to be forecast; all before it are complete. */
	request.range = (slot_range){at - ((at % slot_us) + slot_us) % slot_us, slot_us, slots};
	request.past = (int)((history_us + slot_us - 1) / slot_us);
	if (PG_NARGS() > 5) {
		char *method = text_to_cstring(PG_GETARG_TEXT_PP(5));

		request.method = eumf_k_method_of(method);
		if (request.method == EUMF_K_METHODS)
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			         errmsg("method \"%s\" is unknown", method),
			         errhint("Methods are combined, last_day, last_week, all_days, same_weekdays, "
			                 "like_days, smoothing and regression.")));
	}
	return request;
}

Datum smarthg_eumf_k(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	forecast_request request;
	home_forecast f;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	request = request_of(fcinfo);
	forecast_home(&request, &f);
	for (int h = 0; h < request.range.count; h++) {
		result_row row = {.columns = 0};

		put(&row, TimestampTzGetDatum(request.range.start + h * request.range.slot_us), false);
		put_number(&row, f.demand.mean_kw[h]);
		put_number(&row, f.demand.q10_kw[h]);
		put_number(&row, f.demand.q50_kw[h]);
		put_number(&row, f.demand.q90_kw[h]);
		put_number(&row, f.production.mean_kw[h]);
		put(&row, CStringGetTextDatum(f.demand_model), false);
		put(&row, CStringGetTextDatum(f.production_model), false);
		put_number(&row, f.production.q10_kw[h]);
		put_number(&row, f.production.q50_kw[h]);
		put_number(&row, f.production.q90_kw[h]);
		tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
	}
	SPI_finish();
	return (Datum)0;
}

/* The method that weighs most. */
static const char *leading_method(const eumf_k_forecast *f)
{
	int best = EUMF_K_LAST_DAY;

	for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++)
		if (f->weight[method] > f->weight[best])
			best = method;
	return eumf_k_method_name(best);
}

Datum smarthg_home_forecast(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	forecast_request request;
	result_row row = {.columns = 0};
	home_forecast f;
	Datum result;
	int slots;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	request = request_of(fcinfo);
	slots = request.range.count;
	forecast_home(&request, &f);
	put(&row, Int64GetDatum(request.home_id), false);
	put(&row, TimestampTzGetDatum(request.range.start), false);
	put(&row, IntervalPGetDatum(PG_GETARG_INTERVAL_P(3)), false);
	put_series(&row, f.demand.mean_kw, slots);
	put_series(&row, f.demand.q10_kw, slots);
	put_series(&row, f.demand.q50_kw, slots);
	put_series(&row, f.demand.q90_kw, slots);
	put_series(&row, f.produces ? f.production.mean_kw : NULL, slots);
	put_series(&row, f.produces ? f.production.q10_kw : NULL, slots);
	put_series(&row, f.produces ? f.production.q50_kw : NULL, slots);
	put_series(&row, f.produces ? f.production.q90_kw : NULL, slots);
	put(&row, CStringGetTextDatum(f.demand_model), false);
	put(&row, CStringGetTextDatum(f.production_model), false);
	put(&row, CStringGetTextDatum(leading_method(&f.demand)), false);
	MemoryContextSwitchTo(callers);
	result = row_datum(fcinfo, &row);
	SPI_finish();
	PG_RETURN_DATUM(result);
}

Datum smarthg_calendar_phases(PG_FUNCTION_ARGS)
{
	slot_range range = {PG_GETARG_TIMESTAMPTZ(0), slot_length_us(PG_GETARG_INTERVAL_P(2)),
	                    PG_GETARG_INT32(1)};
	MemoryContext callers = CurrentMemoryContext;
	Datum *elements, result;
	int *phases;

	if (range.count < 0 || range.count > 1000000 || TIMESTAMP_NOT_FINITE(range.start))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("%d slots are not possible", range.count)));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	phases = palloc(sizeof(int) * Max(range.count, 1));
	elements = palloc(sizeof(Datum) * Max(range.count, 1));
	read_calendar_phases(PG_GETARG_INT64(4), &range, text_to_cstring(PG_GETARG_TEXT_PP(3)), phases);
	for (int i = 0; i < range.count; i++)
		elements[i] = Int32GetDatum(phases[i]);
	MemoryContextSwitchTo(callers);
	result =
	    PointerGetDatum(construct_array(elements, range.count, INT4OID, 4, true, TYPALIGN_INT));
	SPI_finish();
	PG_RETURN_DATUM(result);
}
