/*
 * SQL binding of a home's history (core/series): reads the stored days of the home's registers
 * in one query and hands them to the core. Also local phases, which need the server's time zones.
 */
#include "binding.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "../core/series/home_history.h"

PG_FUNCTION_INFO_V1(smarthg_home_history);
PG_FUNCTION_INFO_V1(smarthg_local_phases);

static const int64 MAX_SLOTS = 1000000;

/* The slots asked for, and how stored ones make them up. */
typedef struct history_grid {
	TimestampTz from, until;
	int64 slot_us, base_us;
	int slots, base_per_slot;
} history_grid;

/* Every register of active energy that counts into a home's demand; days may be null. */
static const char *const DAYS_QUERY =
    "SELECT d.day, d.energy_kwh, CASE m.kind WHEN 'main' THEN 1 ELSE -1 END"
    "   * CASE r.obis WHEN '1-0:1.8.0.255' THEN 1 ELSE -1 END,"
    "   CASE WHEN m.role <> 'production' THEN 0 WHEN r.obis = '1-0:1.8.0.255' THEN -1 ELSE 1 END,"
    "   r.register_id "
    "FROM smarthg.meter m "
    "JOIN smarthg.register r USING (meter_id) "
    "LEFT JOIN smarthg.energy_day d ON d.register_id = r.register_id AND d.day BETWEEN $2 AND $3 "
    "WHERE m.home_id = $1 AND m.commodity = 'electricity' "
    "AND r.obis IN ('1-0:1.8.0.255', '1-0:2.8.0.255') "
    "AND (m.kind = 'main' OR m.role <> 'consumption') ORDER BY r.register_id";

static SPIPlanPtr prepared(SPIPlanPtr *kept, const char *query, int count, Oid *types)
{
	if (*kept == NULL) {
		SPIPlanPtr plan = SPI_prepare(query, count, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		*kept = plan;
	}
	return *kept;
}

static int64 base_slot_us(void)
{
	static SPIPlanPtr plan;
	bool null;

	if (SPI_execute_plan(prepared(&plan, "SELECT (smarthg.settings()).base_slot", 0, NULL), NULL,
	                     NULL, true, 1) != SPI_OK_SELECT ||
	    SPI_processed != 1)
		elog(ERROR, "settings cannot be read");
	return interval_us(
	    DatumGetIntervalP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null)),
	    "base_slot");
}

static history_grid read_grid(FunctionCallInfo fcinfo)
{
	history_grid grid = {.from = PG_GETARG_TIMESTAMPTZ(1), .until = PG_GETARG_TIMESTAMPTZ(2)};

	grid.slot_us = interval_us(PG_GETARG_INTERVAL_P(3), "slot_length");
	grid.base_us = base_slot_us();
	if (grid.slot_us > USECS_PER_HOUR || USECS_PER_DAY % grid.slot_us != 0 ||
	    grid.slot_us % grid.base_us != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("slot length of %g minutes is not usable",
		                       (double)grid.slot_us / USECS_PER_MINUTE),
		                errdetail("It must be a divisor of a day, at most 1 hour, and a multiple "
		                          "of the stored slots of %g minutes.",
		                          (double)grid.base_us / USECS_PER_MINUTE)));
	if (TIMESTAMP_NOT_FINITE(grid.from) || TIMESTAMP_NOT_FINITE(grid.until) ||
	    grid.until < grid.from || grid.from % grid.slot_us != 0 || grid.until % grid.slot_us != 0 ||
	    (grid.until - grid.from) / grid.slot_us > MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 0 to " INT64_FORMAT
		                       " whole slots aligned in UTC",
		                       MAX_SLOTS)));
	grid.base_per_slot = (int)(grid.slot_us / grid.base_us);
	grid.slots = (int)((grid.until - grid.from) / grid.slot_us);
	return grid;
}

/* Adds one stored day of a register. */
static void add_day(home_history *history, const history_grid *grid, HeapTuple row,
                    TupleDesc columns)
{
	bool no_day, null;
	DateADT day = DatumGetDateADT(SPI_getbinval(row, columns, 1, &no_day));
	Datum *elements;
	bool *nulls;
	double *kwh;
	int count;

	if (no_day)
		return;
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, columns, 2, &null)), FLOAT8OID, 8,
	                  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, &nulls, &count);
	kwh = palloc(sizeof(double) * Max(count, 1));
	for (int i = 0; i < count; i++)
		kwh[i] = nulls[i] ? NAN : DatumGetFloat8(elements[i]);
	home_history_add(history, (int)((day * USECS_PER_DAY - grid->from) / grid->base_us), kwh, count,
	                 DatumGetInt32(SPI_getbinval(row, columns, 3, &null)),
	                 DatumGetInt32(SPI_getbinval(row, columns, 4, &null)));
	pfree(kwh);
	pfree(elements);
	pfree(nulls);
}

static DateADT day_of(TimestampTz at)
{
	return (DateADT)((at - (at % USECS_PER_DAY + USECS_PER_DAY) % USECS_PER_DAY) / USECS_PER_DAY);
}

/* Reads all days into the history; returns the number of registers. */
static int read_days(home_history *history, const history_grid *grid, int64 home_id, bool *produces)
{
	static SPIPlanPtr plan;
	Oid types[3] = {INT8OID, DATEOID, DATEOID};
	Datum values[3] = {Int64GetDatum(home_id), DateADTGetDatum(day_of(grid->from)),
	                   DateADTGetDatum(day_of(grid->until))};
	int64 previous = 0;
	int registers = 0;

	if (SPI_execute_plan(prepared(&plan, DAYS_QUERY, 3, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "stored days cannot be read");
	*produces = false;
	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc columns = SPI_tuptable->tupdesc;
		bool null;
		int64 register_id = DatumGetInt64(SPI_getbinval(row, columns, 5, &null));

		if (registers == 0 || register_id != previous)
			registers++;
		previous = register_id;
		if (DatumGetInt32(SPI_getbinval(row, columns, 4, &null)) != 0)
			*produces = true;
		add_day(history, grid, row, columns);
	}
	return registers;
}

Datum smarthg_home_history(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	TupleDesc columns;
	Datum row[3];
	bool nulls[3] = {false}, produces;
	home_history history;
	history_grid grid;
	double *demand_kw, *production_kw;
	int registers;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "home_history must return a row");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	grid = read_grid(fcinfo);
	history.base_slots = grid.slots * grid.base_per_slot;
	history.demand_kwh = palloc0(sizeof(double) * Max(history.base_slots, 1));
	history.production_kwh = palloc0(sizeof(double) * Max(history.base_slots, 1));
	history.registers = palloc0(sizeof(int) * Max(history.base_slots, 1));
	registers = read_days(&history, &grid, PG_GETARG_INT64(0), &produces);

	MemoryContextSwitchTo(callers);
	demand_kw = palloc(sizeof(double) * Max(grid.slots, 1));
	production_kw = palloc(sizeof(double) * Max(grid.slots, 1));
	home_history_means(&history, registers, grid.base_per_slot,
	                   (double)grid.base_us / USECS_PER_HOUR, demand_kw, production_kw);
	SPI_finish();
	row[0] = series_datum(demand_kw, grid.slots);
	row[1] = series_datum(production_kw, grid.slots);
	row[2] = BoolGetDatum(produces);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), row, nulls)));
}

Datum smarthg_local_phases(PG_FUNCTION_ARGS)
{
	TimestampTz first = PG_GETARG_TIMESTAMPTZ(0);
	int slots = PG_GETARG_INT32(1);
	int64 slot_us = interval_us(PG_GETARG_INTERVAL_P(2), "slot_length");
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(3));
	pg_tz *zone = pg_tzset(name);
	Datum *phases;

	if (zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("time zone \"%s\" not recognized", name)));
	if (slots < 0 || slots > MAX_SLOTS || TIMESTAMP_NOT_FINITE(first))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("local phases need a finite time and 0 to " INT64_FORMAT " slots",
		                       MAX_SLOTS)));
	phases = palloc(sizeof(Datum) * Max(slots, 1));
	for (int i = 0; i < slots; i++) {
		struct pg_tm local;
		fsec_t fraction;
		int offset, weekday;
		int64 second;

		if (timestamp2tm(first + i * slot_us, &offset, &local, &fraction, NULL, zone) != 0)
			ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			                errmsg("timestamp out of range")));
		/* 0 is Monday, as in ISO 8601. */
		weekday = (j2day(date2j(local.tm_year, local.tm_mon, local.tm_mday)) + 6) % 7;
		second = ((weekday * 24 + local.tm_hour) * 60 + local.tm_min) * 60 + local.tm_sec;
		phases[i] = Int32GetDatum((int32)(second * USECS_PER_SEC / slot_us));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(phases, slots, INT4OID, 4, true, TYPALIGN_INT));
}
