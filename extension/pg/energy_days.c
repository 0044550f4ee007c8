/*
 * Interval energy of whole days from the packed readings of a register: what is computed anew
 * around readings that came or changed (DESIGN.md section 6).
 */
#include "energy.h"
#include "packed_readings.h"

#include "../core/series/interval_reach.h"

#include <math.h>

#include "utils/date.h"

PG_FUNCTION_INFO_V1(smarthg_interval_energy_days);

enum {
	ARG_BLOCKS,
	ARG_DIRTY_FROM = 4, /* after the epochs */
	ARG_DIRTY_UNTIL,
	ARG_SLOT_LENGTH,
	ARG_INTERPOLATION_LIMIT,
	ARG_GAP_LIMIT,
	ARG_PLAUSIBLE_KW,
	ARG_BEGINS,
	ARG_ENDS,
};

static const int MAX_DAYS = 100000;

static int64 day_of(TimestampTz at)
{
	int64 day = at / USECS_PER_DAY;

	return at % USECS_PER_DAY < 0 ? day - 1 : day;
}

/* The days that a change of readings in [from, until] reaches; false where readings are lacking to
 * tell, or to compute them. */
static bool days_reached(const readings_at_hand *hand, TimestampTz from, TimestampTz until,
                         int64 *first_day, int64 *last_day)
{
	if (!interval_reach(hand, &from, &until))
		return false;
	*first_day = day_of(from);
	*last_day = day_of(until);
	return interval_readings_suffice(hand, *first_day * USECS_PER_DAY,
	                                 (*last_day + 1) * USECS_PER_DAY);
}

static interval_grid grid_of(FunctionCallInfo fcinfo, int64 first_day, int64 last_day)
{
	interval_grid grid = {
	    .start_us = first_day * USECS_PER_DAY,
	    .slot_us = interval_us(PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH), "slot_length"),
	    .interpolation_limit_us =
	        interval_us(PG_GETARG_INTERVAL_P(ARG_INTERPOLATION_LIMIT), "interpolation_limit"),
	    .gap_limit_us = interval_us(PG_GETARG_INTERVAL_P(ARG_GAP_LIMIT), "gap_limit"),
	    .plausible_kw = number_argument(fcinfo, ARG_PLAUSIBLE_KW, "plausible_kw", 0),
	};

	if (grid.slot_us < USECS_PER_MINUTE || USECS_PER_DAY % grid.slot_us != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("slot_length must be a divisor of a day, a minute at least")));
	if (last_day - first_day >= MAX_DAYS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("more than %d days of interval energy", MAX_DAYS)));
	grid.slots = (int)((last_day - first_day + 1) * (USECS_PER_DAY / grid.slot_us));
	return grid;
}

/* A row for a day; its block is null where nothing is known of it. */
static void put_day(ReturnSetInfo *result, int64 day, const double *kwh,
                    const interval_quality *quality, energy_slots *slots, int count)
{
	bool nulls[2] = {false};
	Datum row[2] = {DateADTGetDatum((DateADT)day), (Datum)0};

	energy_slots_clear(slots, count);
	for (int s = 0; s < count; s++) {
		if (isnan(kwh[s]))
			continue;
		slots->kwh[s] = kwh[s];
		slots->covered[s] = 1;
		slots->quality[s] = (uint8_t)quality[s];
	}
	nulls[1] = !energy_slots_known(slots);
	if (!nulls[1])
		row[1] = PointerGetDatum(pack_energy(slots));
	tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
}

/* The row that tells that readings are lacking. */
static void put_lack(ReturnSetInfo *result)
{
	bool nulls[2] = {true, true};
	Datum row[2] = {(Datum)0, (Datum)0};

	tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
}

Datum smarthg_interval_energy_days(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(ARG_DIRTY_FROM);
	TimestampTz until = PG_GETARG_TIMESTAMPTZ(ARG_DIRTY_UNTIL);
	int64 first_day, last_day;
	interval_grid grid;
	interval_quality *quality;
	double *kwh;
	packed_readings work;
	readings_at_hand hand;
	energy_slots *slots = palloc(sizeof(*slots));
	outcome failed;
	int per_day;

	for (int i = ARG_BLOCKS + 1; i <= ARG_ENDS; i++)
		if (PG_ARGISNULL(i))
			ereport(
			    ERROR,
			    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			     errmsg("epochs, range, slot_length, limits, begins and ends must not be null")));
	packed_readings_arguments(fcinfo, ARG_BLOCKS, &work);
	InitMaterializedSRF(fcinfo, 0);
	/* An endless range is that of the readings. */
	if (work.count > 0 && TIMESTAMP_IS_NOBEGIN(from))
		from = Min(work.readings[0].at_us, until);
	if (work.count > 0 && TIMESTAMP_IS_NOEND(until))
		until = Max(work.readings[work.count - 1].at_us, from);
	if (work.count == 0 && (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until)))
		return (Datum)0;
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) || until < from)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("the range of changed readings must ascend")));
	hand = (readings_at_hand){work.readings, work.count, PG_GETARG_BOOL(ARG_BEGINS),
	                          PG_GETARG_BOOL(ARG_ENDS),
	                          interval_us(PG_GETARG_INTERVAL_P(ARG_GAP_LIMIT), "gap_limit")};
	if (!days_reached(&hand, from, until, &first_day, &last_day)) {
		put_lack(result);
		return (Datum)0;
	}
	grid = grid_of(fcinfo, first_day, last_day);
	kwh = palloc_extended(sizeof(double) * grid.slots, MCXT_ALLOC_HUGE);
	quality = palloc_extended(sizeof(interval_quality) * grid.slots, MCXT_ALLOC_HUGE);
	if (interval_energy(work.readings, work.count, work.epochs, work.epoch_count, &grid, kwh,
	                    quality, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	per_day = (int)(USECS_PER_DAY / grid.slot_us);
	for (int64 day = first_day; day <= last_day; day++)
		put_day(result, day, kwh + (day - first_day) * per_day,
		        quality + (day - first_day) * per_day, slots, per_day);
	return (Datum)0;
}
