/*
 * Energy of base slots rolled up: to longer slots of the same UTC day, a row a day, and to the
 * days, months and years of the home's time zone, a row each (DESIGN.md section 6). Only what
 * changed days reach is computed anew; of a month's other days, and a year's other months, what is
 * stored goes on.
 *
 * A slot within a day that still goes on is left out, and a day, month or year that does is marked:
 * whoever may see hours only could else tell quarters of an hour by looking again and again.
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
	ARG_DAILY_DAYS,
	ARG_DAILY_BLOCKS,
	ARG_MONTHLY_MONTHS,
	ARG_MONTHLY_BLOCKS,
	ARG_LAST_DAY,
	ARG_LAST_BLOCK,
	ARG_BASE_SLOT,
	ARG_TIME_ZONE,
};

enum { MONTHS = 12, DAYS_IN_MONTH_MOST = 31 };

/* The SQL type energy_granularity; those before daily are slots of a UTC day. */
enum granularity { DAILY = 4, MONTHLY, YEARLY, GRANULARITIES };

static const char *const granularity_names[] = {"5min",  "15min",   "30min", "hourly",
                                                "daily", "monthly", "yearly"};
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
	DateADT last_day; /* after it nothing is known of the register */
	DateADT today;    /* the local day of the end of its last known base slot */
	int64 base_us;
	pg_tz *zone;
	energy_slots from, to, one, days, months; /* room to work in */
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
                       const energy_slots *slots, bool is_over)
{
	enum { BLOCK = 2, IS_OVER, COLUMNS };
	TupleDesc shape = work->result->setDesc;
	bool nulls[COLUMNS] = {[BLOCK] = !energy_slots_known(slots)};
	Datum row[COLUMNS] = {work->labels[granularity],
	                      DateADTGetDatum(period), [IS_OVER] = BoolGetDatum(is_over)};

	if (!nulls[BLOCK])
		row[BLOCK] = PointerGetDatum(pack_energy(slots));
	tuplestore_putvalues(work->result->setResult, shape, row, nulls);
}

static int base_slots(const rollup_work *work)
{
	return (int)(USECS_PER_DAY / work->base_us);
}

/* The number of slots up to the last known one. */
static int known_slots(const energy_slots *base)
{
	int known = base->count;

	while (known > 0 && base->covered[known - 1] == 0)
		known--;
	return known;
}

/* Forgets the slots, of `per` base slots each, that go on after the last known base slot. */
static void forget_open(const energy_slots *base, int per, energy_slots *slots)
{
	for (int k = known_slots(base) / per; k < slots->count; k++)
		slots->covered[k] = 0;
}

static void roll_up_day(rollup_work *work, DateADT day)
{
	read_row(&work->base, day, base_slots(work), &work->from);
	for (int g = 0; g < DAILY; g++) {
		int64 per = slot_us[g] / work->base_us;

		if (per < 2 || slot_us[g] % work->base_us != 0)
			continue;
		energy_slots_sum(&work->from, (int)per, &work->to);
		if (day >= work->last_day)
			forget_open(&work->from, (int)per, &work->to);
		put_rollup(work, g, day, &work->to, true);
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

/* Stored rows of one slot each, consecutive days or months, into slots. */
static void read_single(rollup_work *work, const packed_rows *rows, DateADT first,
                        energy_slots *slots, int slot)
{
	read_row(rows, first, 1, &work->one);
	if (work->one.covered[0])
		energy_slots_add(slots, slot, &work->one, 0);
}

/* Slot number slot of slots as a row of its own, over where the next one begins by today. */
static void put_single(rollup_work *work, int granularity, DateADT period,
                       const energy_slots *slots, int slot, DateADT next)
{
	energy_slots_clear(&work->one, 1);
	if (slots->covered[slot])
		energy_slots_add(&work->one, 0, slots, slot);
	put_rollup(work, granularity, period, &work->one, work->today >= next);
}

/* Computes the wanted days of a month anew, puts them, and has all of it in work->days. */
static void roll_up_month(rollup_work *work, DateADT month, int days, const bool *wanted)
{
	energy_slots_clear(&work->days, days);
	for (int d = 0; d < days; d++)
		if (!wanted[d])
			read_single(work, &work->daily, month + d, &work->days, d);
	/* A local day lies in the UTC days of its number and beside it. */
	for (int d = -1; d <= days; d++)
		if ((d > 0 && wanted[d - 1]) || (d >= 0 && d < days && wanted[d]) ||
		    (d + 1 < days && wanted[d + 1]))
			add_local(work, month + d, month, wanted);
	for (int d = 0; d < days; d++)
		if (wanted[d])
			put_single(work, DAILY, month + d, &work->days, d, month + d + 1);
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

static DateADT month_first(int year, int month)
{
	return (DateADT)(date2j(year, month, 1) - POSTGRES_EPOCH_JDATE);
}

/* Days of the home's time zone, then its months and years. */
static void roll_up_local(rollup_work *work, const DateADT *changed, int count)
{
	DateADT *local = palloc_extended(sizeof(DateADT) * 3 * ((Size)count + 1), MCXT_ALLOC_HUGE);
	int found = local_days(work, changed, count, local);

	for (int i = 0; i < found;) {
		bool new_month[MONTHS] = {false};
		int this_year, year, month, days;

		(void)month_of(local[i], &this_year, &month, &days);
		energy_slots_clear(&work->months, MONTHS);
		while (i < found) {
			bool wanted[DAYS_IN_MONTH_MOST] = {false};
			DateADT first = month_of(local[i], &year, &month, &days);

			if (year != this_year)
				break;
			CHECK_FOR_INTERRUPTS();
			for (; i < found && local[i] < first + days; i++)
				wanted[local[i] - first] = true;
			roll_up_month(work, first, days, wanted);
			energy_slots_sum(&work->days, days, &work->to);
			put_single(work, MONTHLY, first, &work->to, 0, first + days);
			if (work->to.covered[0])
				energy_slots_add(&work->months, month - 1, &work->to, 0);
			new_month[month - 1] = true;
		}
		for (int m = 0; m < MONTHS; m++)
			if (!new_month[m])
				read_single(work, &work->monthly, month_first(this_year, m + 1), &work->months, m);
		energy_slots_sum(&work->months, MONTHS, &work->to);
		put_single(work, YEARLY, month_first(this_year, 1), &work->to, 0,
		           month_first(this_year + 1, 1));
	}
}

/* Takes from the base slots of the last day how far the register is known. */
static void last_known(FunctionCallInfo fcinfo, rollup_work *work)
{
	work->last_day = work->today = DATEVAL_NOBEGIN;
	if (PG_ARGISNULL(ARG_LAST_DAY) || PG_ARGISNULL(ARG_LAST_BLOCK))
		return;
	work->last_day = PG_GETARG_DATEADT(ARG_LAST_DAY);
	if (DATE_NOT_FINITE(work->last_day))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("the last day of a rollup must be finite")));
	unpack_energy(PG_GETARG_BYTEA_PP(ARG_LAST_BLOCK), &work->from);
	work->today = local_day(slot_at(work, work->last_day, known_slots(&work->from)), work->zone);
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
	work->daily = rows_argument(fcinfo, ARG_DAILY_DAYS);
	work->monthly = rows_argument(fcinfo, ARG_MONTHLY_MONTHS);
	work->base_us = slot_length_us(PG_GETARG_INTERVAL_P(ARG_BASE_SLOT));
	if (USECS_PER_DAY % work->base_us != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("base_slot must be a divisor of a day")));
	zone = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TIME_ZONE));
	work->zone = pg_tzset(zone);
	if (work->zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("time zone \"%s\" not recognized", zone)));
	last_known(fcinfo, work);
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
