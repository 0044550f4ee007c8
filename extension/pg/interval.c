/* SQL binding of interval energy and of step functions on slots (core/series). */
#include "energy.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/int.h"

#include "../core/series/slot_means.h"

PG_FUNCTION_INFO_V1(smarthg_interval_energy_series);
PG_FUNCTION_INFO_V1(smarthg_slot_means);

static const int MAX_SLOTS = 10000000;

static register_reading *readings_argument(FunctionCallInfo fcinfo, int *count)
{
	bool *no_time, *no_count;
	Datum *times = elements_argument(fcinfo, 0, "measured_at", TIMESTAMPTZOID, count, &no_time);
	Datum *counts = elements_argument(fcinfo, 1, "raw_value", INT8OID, count, &no_count);
	int *epochs = integers_argument(fcinfo, 2, "epoch", count);
	register_reading *readings = palloc(sizeof(register_reading) * Max(*count, 1));

	if (no_time || no_count)
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		         errmsg("%s must not have null elements", no_time ? "measured_at" : "raw_value")));
	for (int i = 0; i < *count; i++) {
		readings[i].at_us = DatumGetTimestampTz(times[i]);
		readings[i].raw = DatumGetInt64(counts[i]);
		readings[i].epoch = epochs[i] - 1;
		if (TIMESTAMP_NOT_FINITE(readings[i].at_us))
			ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			                errmsg("measured_at must be finite, element %d is not", i + 1)));
	}
	return readings;
}

static register_epoch *epochs_argument(FunctionCallInfo fcinfo, int *count)
{
	bool *unknown;
	double *scales = series_argument(fcinfo, 3, "epoch_kwh_per_count", count, true, false);
	Datum *moduli = elements_argument(fcinfo, 4, "epoch_modulus", INT8OID, count, &unknown);
	register_epoch *epochs = palloc(sizeof(register_epoch) * Max(*count, 1));

	for (int i = 0; i < *count; i++) {
		epochs[i].kwh_per_count = scales[i];
		epochs[i].modulus = unknown && unknown[i] ? 0 : DatumGetInt64(moduli[i]);
	}
	return epochs;
}

static interval_grid grid_argument(FunctionCallInfo fcinfo)
{
	interval_grid grid;
	TimestampTz until;

	for (int i = 5; i <= 10; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("range, slot_length and limits must not be null")));
	grid.start_us = PG_GETARG_TIMESTAMPTZ(5);
	until = PG_GETARG_TIMESTAMPTZ(6);
	grid.slot_us = slot_length_us(PG_GETARG_INTERVAL_P(7));
	grid.interpolation_limit_us = interval_us(PG_GETARG_INTERVAL_P(8), "interpolation_limit");
	grid.gap_limit_us = interval_us(PG_GETARG_INTERVAL_P(9), "gap_limit");
	grid.plausible_kw = number_argument(fcinfo, 10, "plausible_kw", 0);
	if (TIMESTAMP_NOT_FINITE(grid.start_us) || TIMESTAMP_NOT_FINITE(until) ||
	    until <= grid.start_us || (until - grid.start_us) % grid.slot_us != 0 ||
	    (until - grid.start_us) / grid.slot_us > MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot to until_slot must be 1 to %d whole slots", MAX_SLOTS)));
	grid.slots = (int)((until - grid.start_us) / grid.slot_us);
	return grid;
}

Datum smarthg_interval_energy_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	int count = -1, epoch_count = -1;
	register_reading *readings = readings_argument(fcinfo, &count);
	register_epoch *epochs = epochs_argument(fcinfo, &epoch_count);
	interval_grid grid = grid_argument(fcinfo);
	double *kwh = palloc_extended(sizeof(double) * grid.slots, MCXT_ALLOC_HUGE);
	interval_quality *quality =
	    palloc_extended(sizeof(interval_quality) * grid.slots, MCXT_ALLOC_HUGE);
	Datum labels[3];
	outcome failed;

	if (interval_energy(readings, count, epochs, epoch_count, &grid, kwh, quality, &failed) !=
	    OUTCOME_OK)
		raise_outcome(&failed);
	InitMaterializedSRF(fcinfo, 0);
	quality_labels(TupleDescAttr(result->setDesc, 2)->atttypid, labels);
	for (int s = 0; s < grid.slots; s++) {
		Datum row[3] = {TimestampTzGetDatum(grid.start_us + s * grid.slot_us),
		                Float8GetDatum(kwh[s]), labels[quality[s]]};
		bool nulls[3] = {false};

		if (!isnan(kwh[s]))
			tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum)0;
}

Datum smarthg_slot_means(PG_FUNCTION_ARGS)
{
	int count = -1, slots = PG_GETARG_INT32(4);
	bool *no_start, *no_length;
	Datum *starts = elements_argument(fcinfo, 0, "step_start", TIMESTAMPTZOID, &count, &no_start);
	Datum *lengths = elements_argument(fcinfo, 1, "step_seconds", FLOAT8OID, &count, &no_length);
	double *values = series_argument(fcinfo, 2, "value", &count, true, true);
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(3);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(5)), end;
	series_step *steps = palloc(sizeof(series_step) * Max(count, 1));
	double *means, work = 0;

	if (slots < 0 || slots > MAX_SLOTS || TIMESTAMP_NOT_FINITE(from))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("from_slot must be finite, and slots 0 to %d", MAX_SLOTS)));
	if (pg_mul_s64_overflow(slots, slot_us, &end) || pg_add_s64_overflow(from, end, &end) ||
	    !IS_VALID_TIMESTAMP(end))
		ereport(ERROR,
		        (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range"),
		         errdetail("So many slots end later than a time can be.")));
	for (int i = 0; i < count; i++) {
		double seconds = no_length && no_length[i] ? NAN : DatumGetFloat8(lengths[i]);

		if ((no_start && no_start[i]) || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(starts[i])) ||
		    !(seconds > 0 && seconds <= 366 * SECS_PER_DAY))
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			         errmsg("step %d needs a finite start and a length of up to a year", i + 1)));
		steps[i].start_us = DatumGetTimestampTz(starts[i]);
		steps[i].length_us = (int64)(seconds * USECS_PER_SEC);
		steps[i].value = values[i];
		work += 1 + Min((double)slots, (double)steps[i].length_us / slot_us);
	}
	if (work > MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("steps cover more than %d slots", MAX_SLOTS)));
	means = palloc_extended(sizeof(double) * 2 * Max(slots, 1), MCXT_ALLOC_HUGE);
	slot_means(steps, count, from, slot_us, slots, means, means + slots);
	PG_RETURN_DATUM(series_datum(means, slots));
}
