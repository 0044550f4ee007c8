/*
 * SQL binding of a home's history (core/series): reads the stored days of the home's registers
 * in one query and hands them to the core. Also local phases, which need the server's time zones.
 */
#include "home.h"
#include "energy.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "../core/series/home_history.h"

PG_FUNCTION_INFO_V1(smarthg_home_history);
PG_FUNCTION_INFO_V1(smarthg_local_phases);

static const int64 MAX_SLOTS = 1000000;

/* Every register of active energy that counts into a home's demand, to which the PEV belongs or not
 * ($4); days may be null. The columns of fixed length come first, where they are found fastest. */
enum { DAY_REGISTER = 1, DAY_DEMAND_SIGN, DAY_PRODUCTION_SIGN, DAY_DATE, DAY_BLOCK };

static const char *const DAYS_QUERY =
    "SELECT r.register_id, CASE m.kind WHEN 'main' THEN 1 ELSE -1 END"
    "   * CASE r.obis WHEN '1-0:1.8.0.255' THEN 1 ELSE -1 END,"
    "   CASE WHEN m.role <> 'production' THEN 0 WHEN r.obis = '1-0:1.8.0.255' THEN -1 ELSE 1 END,"
    "   d.day, d.block "
    "FROM smarthg.meter m "
    "JOIN smarthg.register r USING (meter_id) "
    "LEFT JOIN smarthg.energy_day d ON d.register_id = r.register_id AND d.day BETWEEN $2 AND $3 "
    "WHERE m.home_id = $1 AND m.commodity = 'electricity' "
    "AND r.obis IN ('1-0:1.8.0.255', '1-0:2.8.0.255') "
    "AND (m.kind = 'main' OR m.role <> 'consumption' AND (m.role <> 'pev' OR NOT $4))";

/* A length in the installation's settings; as in smarthg.settings() where nothing is set. */
static int64 setting_us(SPIPlanPtr *plan, const char *query, const char *name, int64 otherwise)
{
	bool null;

	if (SPI_execute_plan(kept_plan(plan, query, 0, NULL), NULL, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "settings cannot be read");
	if (SPI_processed == 0)
		return otherwise;
	return interval_us(
	    DatumGetIntervalP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null)),
	    name);
}

static int64 base_slot_us(void)
{
	static SPIPlanPtr plan;

	return setting_us(&plan, "SELECT base_slot FROM smarthg.installation", "base_slot",
	                  15 * USECS_PER_MINUTE);
}

static int64 interpolation_limit_us(void)
{
	static SPIPlanPtr plan;

	return setting_us(&plan, "SELECT interpolation_limit FROM smarthg.installation",
	                  "interpolation_limit", USECS_PER_HOUR);
}

void check_slot_length(int64 slot_us)
{
	int64 base_us = base_slot_us();

	if (slot_us > USECS_PER_HOUR || USECS_PER_DAY % slot_us != 0 || slot_us % base_us != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("slot length of %g minutes is not usable",
		                       (double)slot_us / USECS_PER_MINUTE),
		                errdetail("It must be a divisor of a day, at most 1 hour, and a multiple "
		                          "of the stored slots of %g minutes.",
		                          (double)base_us / USECS_PER_MINUTE)));
}

static slot_range range_argument(FunctionCallInfo fcinfo)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1), until = PG_GETARG_TIMESTAMPTZ(2);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(3));

	check_slot_length(slot_us);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) || until < from ||
	    from % slot_us != 0 || until % slot_us != 0 || (until - from) / slot_us > MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 0 to " INT64_FORMAT
		                       " whole slots aligned in UTC",
		                       MAX_SLOTS)));
	return (slot_range){from, slot_us, (int)((until - from) / slot_us)};
}

/* Adds one stored day of a register; what is only estimated counts as unknown, and what is
 * interpolated and ends after settled. */
static void add_day(home_history *history, TimestampTz start, int64 base_us, TimestampTz settled,
                    HeapTuple row, TupleDesc columns)
{
	static energy_slots slots;
	bool no_day, null;
	DateADT day = DatumGetDateADT(SPI_getbinval(row, columns, DAY_DATE, &no_day));

	if (no_day)
		return;
	unpack_energy(DatumGetByteaPP(SPI_getbinval(row, columns, DAY_BLOCK, &null)), &slots);
	for (int s = 0; s < slots.count; s++)
		if (slots.covered[s] == 0 || slots.quality[s] == INTERVAL_ESTIMATED ||
		    (slots.quality[s] == INTERVAL_INTERPOLATED &&
		     day * USECS_PER_DAY + (s + 1) * base_us > settled))
			slots.kwh[s] = NAN;
	home_history_add(history, (int)((day * USECS_PER_DAY - start) / base_us), slots.kwh,
	                 slots.count,
	                 DatumGetInt32(SPI_getbinval(row, columns, DAY_DEMAND_SIGN, &null)),
	                 DatumGetInt32(SPI_getbinval(row, columns, DAY_PRODUCTION_SIGN, &null)));
}

static DateADT day_of(TimestampTz at)
{
	return (DateADT)((at - (at % USECS_PER_DAY + USECS_PER_DAY) % USECS_PER_DAY) / USECS_PER_DAY);
}

static int64 register_of(HeapTuple row)
{
	bool null;

	return DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, DAY_REGISTER, &null));
}

static int compare_registers(const void *a, const void *b)
{
	int64 one = register_of(*(const HeapTuple *)a), other = register_of(*(const HeapTuple *)b);

	return one < other ? -1 : one > other;
}

/* The rows found, by register: sums must not depend on how the query was executed. Pointers are
 * sorted here, and seldom; the server would copy every row. */
static HeapTuple *rows_by_register(void)
{
	HeapTuple *rows = SPI_tuptable->vals;

	for (uint64 i = 1; i < SPI_processed; i++)
		if (register_of(rows[i]) < register_of(rows[i - 1])) {
			qsort(rows, SPI_processed, sizeof(HeapTuple), compare_registers);
			break;
		}
	return rows;
}

/* Until when slots of registers can be known at a moment; of a register that is not there, always.
 */
typedef struct settled_list {
	int64 *register_id;
	TimestampTz *until;
	int count;
} settled_list;

static const char *const SETTLED_QUERY =
    "SELECT r.register_id, coalesce((SELECT max(k.measured_at) "
    "  FROM smarthg.register_readings(r.register_id, $3, $2 + interval '1 us') AS k), $3) "
    "FROM smarthg.meter m JOIN smarthg.register r USING (meter_id) "
    "WHERE m.home_id = $1 AND m.commodity = 'electricity' "
    "AND r.obis IN ('1-0:1.8.0.255', '1-0:2.8.0.255')";

/* Between two readings, at most the limit apart, slots are interpolated from both: what ends after
 * the last reading by then tells of the next one. Where readings cannot be seen the limit does; as
 * of now there is no next one. */
static settled_list read_settled(int64 home_id, TimestampTz at)
{
	static SPIPlanPtr plan;
	Oid types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[3] = {Int64GetDatum(home_id), TimestampTzGetDatum(at),
	                   TimestampTzGetDatum(at - interpolation_limit_us())};
	settled_list list = {0};

	if (at >= GetCurrentTransactionStartTimestamp())
		return list;
	if (SPI_execute_plan(kept_plan(&plan, SETTLED_QUERY, 3, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "readings cannot be read");
	list.count = (int)SPI_processed;
	list.register_id = palloc(sizeof(int64) * Max(list.count, 1));
	list.until = palloc(sizeof(TimestampTz) * Max(list.count, 1));
	for (int i = 0; i < list.count; i++) {
		bool null;
		HeapTuple row = SPI_tuptable->vals[i];

		list.register_id[i] = register_of(row);
		list.until[i] = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &null));
	}
	return list;
}

static TimestampTz settled_until(const settled_list *list, int64 register_id)
{
	for (int i = 0; list && i < list->count; i++)
		if (list->register_id[i] == register_id)
			return list->until[i];
	return DT_NOEND;
}

/* Reads all days into the history; returns the number of registers. */
static int read_days(home_history *history, const slot_range *range, int64 base_us, int64 home_id,
                     const settled_list *settled, bool with_pev, bool *produces)
{
	static SPIPlanPtr plan;
	Oid types[4] = {INT8OID, DATEOID, DATEOID, BOOLOID};
	TimestampTz end = range->start + range->count * range->slot_us;
	Datum values[4] = {Int64GetDatum(home_id), DateADTGetDatum(day_of(range->start)),
	                   DateADTGetDatum(day_of(end)), BoolGetDatum(with_pev)};
	HeapTuple *rows;
	int registers = 0;

	if (SPI_execute_plan(kept_plan(&plan, DAYS_QUERY, 4, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "stored days cannot be read");
	*produces = false;
	rows = rows_by_register();
	for (uint64 i = 0; i < SPI_processed; i++) {
		bool null;

		if (i == 0 || register_of(rows[i]) != register_of(rows[i - 1]))
			registers++;
		if (DatumGetInt32(
		        SPI_getbinval(rows[i], SPI_tuptable->tupdesc, DAY_PRODUCTION_SIGN, &null)) != 0)
			*produces = true;
		add_day(history, range->start, base_us, settled_until(settled, register_of(rows[i])),
		        rows[i], SPI_tuptable->tupdesc);
	}
	return registers;
}

static void read_demand(int64 home_id, const slot_range *range, const settled_list *settled,
                        bool with_pev, double *demand_kw, double *production_kw, bool *produces)
{
	int64 base_us = base_slot_us();
	int base_per_slot = (int)(range->slot_us / base_us);
	int base_slots = range->count * base_per_slot;
	home_history history = {base_slots, palloc0(sizeof(double) * Max(base_slots, 1)),
	                        palloc0(sizeof(double) * Max(base_slots, 1)),
	                        palloc0(sizeof(int) * Max(base_slots, 1))};
	int registers = read_days(&history, range, base_us, home_id, settled, with_pev, produces);

	home_history_means(&history, registers, base_per_slot, (double)base_us / USECS_PER_HOUR,
	                   demand_kw, production_kw);
	pfree(history.demand_kwh);
	pfree(history.production_kwh);
	pfree(history.registers);
}

void read_history(int64 home_id, const slot_range *range, double *demand_kw, double *production_kw,
                  bool *produces)
{
	read_demand(home_id, range, NULL, false, demand_kw, production_kw, produces);
}

void read_history_until(int64 home_id, const slot_range *range, TimestampTz at, double *demand_kw,
                        double *production_kw, bool *produces)
{
	settled_list settled = read_settled(home_id, at);

	read_demand(home_id, range, &settled, false, demand_kw, production_kw, produces);
}

void read_history_with_pev(int64 home_id, const slot_range *range, double *demand_kw,
                           double *production_kw, bool *produces)
{
	read_demand(home_id, range, NULL, true, demand_kw, production_kw, produces);
}

Datum smarthg_home_history(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	TupleDesc columns;
	Datum row[3];
	bool nulls[3] = {false}, produces;
	slot_range range;
	double *demand_kw, *production_kw;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "home_history must return a row");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	range = range_argument(fcinfo);
	demand_kw = palloc(sizeof(double) * Max(range.count, 1));
	production_kw = palloc(sizeof(double) * Max(range.count, 1));
	read_history(PG_GETARG_INT64(0), &range, demand_kw, production_kw, &produces);

	MemoryContextSwitchTo(callers);
	row[0] = series_datum(demand_kw, range.count);
	row[1] = series_datum(production_kw, range.count);
	row[2] = BoolGetDatum(produces);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), row, nulls)));
}

static void compute_phases(const slot_range *range, pg_tz *zone, int *phases)
{
	for (int i = 0; i < range->count; i++) {
		struct pg_tm local;
		fsec_t fraction;
		int offset, weekday;
		int64 second;

		if (timestamp2tm(range->start + i * range->slot_us, &offset, &local, &fraction, NULL,
		                 zone) != 0)
			ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			                errmsg("timestamp out of range")));
		/* 0 is Monday, as in ISO 8601. */
		weekday = (j2day(date2j(local.tm_year, local.tm_mon, local.tm_mday)) + 6) % 7;
		second = ((weekday * 24 + local.tm_hour) * 60 + local.tm_min) * 60 + local.tm_sec;
		phases[i] = (int)(second * USECS_PER_SEC / range->slot_us);
	}
}

void read_local_phases(const slot_range *range, const char *name, int *phases)
{
	/* A fleet's homes ask for the same slots again and again: the last answer is kept. */
	static slot_range known;
	static pg_tz *known_zone;
	static int *known_phases;
	pg_tz *zone = pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("time zone \"%s\" not recognized", name)));
	if (known_phases == NULL || zone != known_zone || range->start != known.start ||
	    range->slot_us != known.slot_us || range->count > known.count) {
		if (known_phases != NULL)
			pfree(known_phases);
		known_phases = NULL;
		known_phases = MemoryContextAllocHuge(TopMemoryContext, sizeof(int) * Max(range->count, 1));
		known.count = 0;
		compute_phases(range, zone, known_phases);
		known = *range;
		known_zone = zone;
	}
	memcpy(phases, known_phases, sizeof(int) * range->count);
}

Datum smarthg_local_phases(PG_FUNCTION_ARGS)
{
	slot_range range = {PG_GETARG_TIMESTAMPTZ(0), slot_length_us(PG_GETARG_INTERVAL_P(2)),
	                    PG_GETARG_INT32(1)};
	Datum *elements;
	int *phases;

	if (range.count < 0 || range.count > MAX_SLOTS || TIMESTAMP_NOT_FINITE(range.start))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("local phases need a finite time and 0 to " INT64_FORMAT " slots",
		                       MAX_SLOTS)));
	phases = palloc(sizeof(int) * Max(range.count, 1));
	elements = palloc(sizeof(Datum) * Max(range.count, 1));
	read_local_phases(&range, text_to_cstring(PG_GETARG_TEXT_PP(3)), phases);
	for (int i = 0; i < range.count; i++)
		elements[i] = Int32GetDatum(phases[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, range.count, INT4OID, 4, true, TYPALIGN_INT));
}
