/* SQL binding of how well a register is read: gaps, faults, slots that are known (core/series). */
#include "energy.h"
#include "packed_readings.h"

#include "../core/series/reading_gaps.h"

PG_FUNCTION_INFO_V1(smarthg_reading_quality_series);
PG_FUNCTION_INFO_V1(smarthg_energy_slots_measured);

static void put_interval(result_row *row, int64 us, bool null)
{
	Interval *interval = palloc0(sizeof(*interval));

	interval->time = us;
	put(row, IntervalPGetDatum(interval), null);
}

Datum smarthg_reading_quality_series(PG_FUNCTION_ARGS)
{
	enum { ARG_FROM = 4, ARG_UNTIL, ARG_PLAUSIBLE_KW, ARG_CUMULATIVE };
	packed_readings packed;
	reading_gaps gaps;
	register_faults faults;
	result_row row = {.columns = 0};
	bool cumulative;
	int count = 0;

	for (int i = 1; i <= ARG_CUMULATIVE; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("epochs, range, plausible_kw and cumulative must not be null")));
	packed_readings_arguments(fcinfo, 0, &packed);
	for (int i = 0; i < packed.count; i++)
		if (packed.readings[i].at_us >= PG_GETARG_TIMESTAMPTZ(ARG_FROM) &&
		    packed.readings[i].at_us < PG_GETARG_TIMESTAMPTZ(ARG_UNTIL))
			packed.readings[count++] = packed.readings[i];
	cumulative = PG_GETARG_BOOL(ARG_CUMULATIVE);
	gaps = reading_gaps_of(packed.readings, count,
	                       palloc_extended(sizeof(int64) * ((Size)count + 1), MCXT_ALLOC_HUGE));
	faults = register_faults_of(packed.readings, count, packed.epochs,
	                            number_argument(fcinfo, ARG_PLAUSIBLE_KW, "plausible_kw", 0));
	put(&row, Int32GetDatum(count), false);
	put_interval(&row, gaps.usual_us, gaps.usual_us == 0);
	put(&row, Int32GetDatum(gaps.gaps), false);
	put(&row, Int64GetDatum(gaps.missing), false);
	put_interval(&row, gaps.longest_us, gaps.gaps == 0);
	put(&row, TimestampTzGetDatum(gaps.longest_from_us), gaps.gaps == 0);
	put(&row, Int32GetDatum(faults.outliers), !cumulative);
	put(&row, Int32GetDatum(faults.resets), !cumulative);
	put(&row, Int32GetDatum(faults.jumps), !cumulative);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

Datum smarthg_energy_slots_measured(PG_FUNCTION_ARGS)
{
	energy_slots *slots = palloc(sizeof(*slots));
	int from = Max(PG_GETARG_INT32(1), 0), until = PG_GETARG_INT32(2), measured = 0;

	unpack_energy(PG_GETARG_BYTEA_PP(0), slots);
	for (int s = from; s < Min(until, slots->count); s++)
		measured += slots->covered[s] > 0 && slots->quality[s] != INTERVAL_ESTIMATED ? 1 : 0;
	pfree(slots);
	PG_RETURN_INT32(measured);
}
