/*
 * Energy of base slots rolled up: to longer slots of the same UTC day, to the days of the home's
 * time zone, a row a month, and from these to its months, a row a year (DESIGN.md section 6). Only
 * what changed days reach is computed anew; of a month's other days, and a year's other months,
 * what is stored goes on.
 */
#include "energy.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(smarthg_energy_roll_up);

enum {
	ARG_CHANGED,
	ARG_DAYS,
	ARG_BLOCKS,
	ARG_DAILY_MONTHS,
	ARG_DAILY_BLOCKS,
	ARG_MONTHLY_YEARS,
	ARG_MONTHLY_BLOCKS,
	ARG_BASE_SLOT,
	ARG_TIME_ZONE,
};

enum { MONTHS = 12, DAYS_IN_MONTH_MOST = 31 };

/* The SQL type energy_granularity; those before daily are slots of a UTC day. */
enum granularity { DAILY = 4, MONTHLY, GRANULARITIES };

static const char *const granularity_names[] = {"5min",   "15min", "30min",
                                                "hourly", "daily", "monthly"};
static const int64 slot_us[] = {5 * USECS_PER_MINUTE, 15 * USECS_PER_MINUTE, 30 * USECS_PER_MINUTE,
                                USECS_PER_HOUR};

/* Packed slots by their first day, in ascending order. */
typedef struct packed_rows {
	DateADT *firsts;
	bytea **blocks;
	int count;
} packed_rows;

typedef struct rollup_work {
	ReturnSetInfo *result;
	const Datum *labels; /* of the granularities */
	packed_rows base, daily, monthly;
	int64 base_us;
	pg_tz *zone;
	energy_slots from, to, days, months; /* room to work in */
} rollup_work;

static DateADT *dates_argument(FunctionCallInfo fcinfo, int number, int *count)
{
	Datum *values;
	bool *nulls;
	DateADT *dates;

	*count = 0;
	if (PG_ARGISNULL(number))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), DATEOID, 4, true, TYPALIGN_INT, &values,
	                  &nulls, count);
	dates = palloc(sizeof(DateADT) * Max(*count, 1));
	for (int i = 0; i < *count; i++) {
		dates[i] = DatumGetDateADT(values[i]);
		if (nulls[i] || DATE_NOT_FINITE(dates[i]) || (i > 0 && dates[i] <= dates[i - 1]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("dates of a rollup must be finite and ascend")));
	}
	return dates;
}

static packed_rows rows_argument(FunctionCallInfo fcinfo, int number)
{
	packed_rows rows;
	Datum *values;
	bool *nulls;
	int count = 0;

	rows.firsts = dates_argument(fcinfo, number, &rows.count);
	if (!PG_ARGISNULL(number + 1))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(number + 1), BYTEAOID, -1, false, TYPALIGN_INT,
		                  &values, &nulls, &count);
	if (count != rows.count)
		ereport(ERROR,
		        (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("each packed row needs its date")));
	rows.blocks = palloc(sizeof(bytea *) * Max(count, 1));
	for (int i = 0; i < count; i++) {
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("packed rows must not be null")));
		rows.blocks[i] = DatumGetByteaPP(values[i]);
	}
	return rows;
}

/* The row that begins on a day into slots; where there is none, count slots of which nothing is
 * known. */
static void read_row(const packed_rows *rows, DateADT first, int count, energy_slots *slots)
{
	int low = 0, high = rows->count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (rows->firsts[middle] < first)
			low = middle + 1;
		else
			high = middle;
	}
	energy_slots_clear(slots, count);
	if (low == rows->count || rows->firsts[low] != first)
		return;
	unpack_energy(rows->blocks[low], slots);
	if (slots->count != count)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a packed row has %d slots instead of %d", slots->count, count)));
}

/* Looked up once a query. */
static const Datum *granularity_labels(FunctionCallInfo fcinfo, Oid type)
{
	Datum *labels = fcinfo->flinfo->fn_extra;

	if (labels)
		return labels;
	labels = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Datum) * GRANULARITIES);
	for (int g = 0; g < GRANULARITIES; g++)
		labels[g] = enum_label(type, granularity_names[g]);
	fcinfo->flinfo->fn_extra = labels;
	return labels;
}

static void put_rollup(rollup_work *work, int granularity, DateADT period,
                       const energy_slots *slots)
{
	enum { BLOCK = 2, COLUMNS };
	TupleDesc shape = work->result->setDesc;
	bool nulls[COLUMNS] = {false, false, !energy_slots_known(slots)};
	Datum row[COLUMNS] = {work->labels[granularity], DateADTGetDatum(period), (Datum)0};

	if (!nulls[BLOCK])
		row[BLOCK] = PointerGetDatum(pack_energy(slots));
	tuplestore_putvalues(work->result->setResult, shape, row, nulls);
}

static int base_slots(const rollup_work *work)
{
	return (int)(USECS_PER_DAY / work->base_us);
}

static void roll_up_day(rollup_work *work, DateADT day)
{
	read_row(&work->base, day, base_slots(work), &work->from);
	for (int g = 0; g < DAILY; g++) {
		int64 per = slot_us[g] / work->base_us;

		if (per < 2 || slot_us[g] % work->base_us != 0)
			continue;
		energy_slots_sum(&work->from, (int)per, &work->to);
		put_rollup(work, g, day, &work->to);
	}
}

/* The local day of a moment. */
static DateADT local_day(TimestampTz at, pg_tz *zone)
{
	struct pg_tm local;
	fsec_t fraction;
	int offset;

	if (timestamp2tm(at, &offset, &local, &fraction, NULL, zone) != 0)
		ereport(ERROR,
		        (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return (DateADT)(date2j(local.tm_year, local.tm_mon, local.tm_mday) - POSTGRES_EPOCH_JDATE);
}

static TimestampTz slot_at(const rollup_work *work, DateADT day, int slot)
{
	return (TimestampTz)day * USECS_PER_DAY + slot * work->base_us;
}

/* The first slot of [from, until) of a UTC day that is in another local day than slot from; until
 * where all are in one. */
static int next_local_day(const rollup_work *work, DateADT day, int from, int until)
{
	DateADT today = local_day(slot_at(work, day, from), work->zone);
	int low = from, high = until;

	if (local_day(slot_at(work, day, until - 1), work->zone) == today)
		return until;
	while (high - low > 1) {
		int middle = (low + high) / 2;

		if (local_day(slot_at(work, day, middle), work->zone) == today)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Adds those base slots of a UTC day to days of a month, its first day given, that are wanted. */
static void add_local(rollup_work *work, DateADT day, DateADT month, const bool *wanted)
{
	int slots = base_slots(work);

	read_row(&work->base, day, slots, &work->from);
	for (int first = 0, next; first < slots; first = next) {
		DateADT local = local_day(slot_at(work, day, first), work->zone);

		next = next_local_day(work, day, first, slots);
		if (local < month || local >= month + work->days.count || !wanted[local - month])
			continue;
		for (int s = first; s < next; s++)
			energy_slots_add(&work->days, local - month, &work->from, s);
	}
}

static DateADT month_of(DateADT day, int *year, int *month, int *days)
{
	int day_of_month;

	j2date(day + POSTGRES_EPOCH_JDATE, year, month, &day_of_month);
	*days = day_tab[isleap(*year)][*month - 1];
	return day - (day_of_month - 1);
}

/* Computes the wanted days of a month anew, into work->days. */
static void roll_up_month(rollup_work *work, DateADT month, int days, const bool *wanted)
{
	read_row(&work->daily, month, days, &work->days);
	for (int d = 0; d < days; d++) {
		if (!wanted[d])
			continue;
		work->days.kwh[d] = 0;
		work->days.covered[d] = 0;
		work->days.quality[d] = INTERVAL_MEASURED;
	}
	/* A local day lies in the UTC days of its number and beside it. */
	for (int d = -1; d <= days; d++)
		if ((d > 0 && wanted[d - 1]) || (d >= 0 && d < days && wanted[d]) ||
		    (d + 1 < days && wanted[d + 1]))
			add_local(work, month + d, month, wanted);
}

/* The local days that changed UTC days reach, in ascending order and each once; returns how many.
 */
static int local_days(const rollup_work *work, const DateADT *changed, int count, DateADT *local)
{
	int found = 0;

	for (int i = 0; i < count; i++)
		for (int first = 0; first < base_slots(work);
		     first = next_local_day(work, changed[i], first, base_slots(work))) {
			DateADT day = local_day(slot_at(work, changed[i], first), work->zone);

			if (found == 0 || day > local[found - 1])
				local[found++] = day;
		}
	return found;
}

/* Days of the home's time zone, then its months. */
static void roll_up_local(rollup_work *work, const DateADT *changed, int count)
{
	DateADT *local = palloc_extended(sizeof(DateADT) * 3 * ((Size)count + 1), MCXT_ALLOC_HUGE);
	int found = local_days(work, changed, count, local);
	int year, month, days;
	DateADT year_first = 0;
	bool year_open = false;

	for (int i = 0; i < found;) {
		bool wanted[DAYS_IN_MONTH_MOST] = {false};
		DateADT first = month_of(local[i], &year, &month, &days);
		DateADT its_year = (DateADT)(date2j(year, 1, 1) - POSTGRES_EPOCH_JDATE);

		CHECK_FOR_INTERRUPTS();
		for (; i < found && local[i] < first + days; i++)
			wanted[local[i] - first] = true;
		roll_up_month(work, first, days, wanted);
		put_rollup(work, DAILY, first, &work->days);
		if (year_open && its_year != year_first)
			put_rollup(work, MONTHLY, year_first, &work->months);
		if (!year_open || its_year != year_first)
			read_row(&work->monthly, its_year, MONTHS, &work->months);
		year_first = its_year;
		year_open = true;
		energy_slots_sum(&work->days, days, &work->to);
		work->months.kwh[month - 1] = work->to.kwh[0];
		work->months.covered[month - 1] = work->to.covered[0];
		work->months.quality[month - 1] = work->to.quality[0];
	}
	if (year_open)
		put_rollup(work, MONTHLY, year_first, &work->months);
}

Datum smarthg_energy_roll_up(PG_FUNCTION_ARGS)
{
	rollup_work *work = palloc(sizeof(*work));
	DateADT *changed;
	char *zone;
	int count;

	if (PG_ARGISNULL(ARG_BASE_SLOT) || PG_ARGISNULL(ARG_TIME_ZONE))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("base_slot and time_zone must not be null")));
	changed = dates_argument(fcinfo, ARG_CHANGED, &count);
	work->base = rows_argument(fcinfo, ARG_DAYS);
	work->daily = rows_argument(fcinfo, ARG_DAILY_MONTHS);
	work->monthly = rows_argument(fcinfo, ARG_MONTHLY_YEARS);
	work->base_us = slot_length_us(PG_GETARG_INTERVAL_P(ARG_BASE_SLOT));
	if (USECS_PER_DAY % work->base_us != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("base_slot must be a divisor of a day")));
	zone = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TIME_ZONE));
	work->zone = pg_tzset(zone);
	if (work->zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("time zone \"%s\" not recognized", zone)));
	InitMaterializedSRF(fcinfo, 0);
	work->result = (ReturnSetInfo *)fcinfo->resultinfo;
	work->labels = granularity_labels(fcinfo, TupleDescAttr(work->result->setDesc, 0)->atttypid);
	for (int i = 0; i < count; i++) {
		CHECK_FOR_INTERRUPTS();
		roll_up_day(work, changed[i]);
	}
	roll_up_local(work, changed, count);
	return (Datum)0;
}
