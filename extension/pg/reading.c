/* SQL binding of readings packed into the days of their registers (core/series/reading_block.h). */
#include "binding.h"

#include "storage/itemptr.h"

#include "../core/series/reading_block.h"

PG_FUNCTION_INFO_V1(smarthg_reading_pack_step);
PG_FUNCTION_INFO_V1(smarthg_reading_pack_end);
PG_FUNCTION_INFO_V1(smarthg_reading_merge);
PG_FUNCTION_INFO_V1(smarthg_reading_unpack);
PG_FUNCTION_INFO_V1(smarthg_reading_without);
PG_FUNCTION_INFO_V1(smarthg_reading_later);

/* More would not fit the largest block. */
static const int MAX_READINGS = 10000000;

/* Readings in the order in which the aggregate saw them. */
typedef struct arrival {
	stored_reading reading;
	uint64 place; /* in the landing table: of one moment the later is further on */
} arrival;

typedef struct pack_state {
	arrival *arrivals;
	int count, capacity;
} pack_state;

static pack_state *pack_begin(MemoryContext context)
{
	pack_state *state = MemoryContextAlloc(context, sizeof(*state));

	state->count = 0;
	state->capacity = 4;
	state->arrivals = MemoryContextAlloc(context, sizeof(arrival) * state->capacity);
	return state;
}

Datum smarthg_reading_pack_step(PG_FUNCTION_ARGS)
{
	pack_state *state = PG_ARGISNULL(0) ? NULL : (pack_state *)PG_GETARG_POINTER(0);
	MemoryContext context;
	ItemPointer place;
	arrival *next;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "reading_pack_step called outside an aggregate");
	if (!state)
		state = pack_begin(context);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(6))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("a reading needs its time, value, time of arrival and place")));
	if (state->count == MAX_READINGS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("more than %d readings in a block", MAX_READINGS)));
	if (state->count == state->capacity) {
		state->capacity *= 2;
		state->arrivals = repalloc_huge(state->arrivals, sizeof(arrival) * (Size)state->capacity);
	}
	place = (ItemPointer)PG_GETARG_POINTER(6);
	next = &state->arrivals[state->count++];
	next->place = (uint64)ItemPointerGetBlockNumberNoCheck(place) << 16 |
	              ItemPointerGetOffsetNumberNoCheck(place);
	next->reading.measured_us = PG_GETARG_TIMESTAMPTZ(1);
	next->reading.raw = PG_GETARG_INT64(2);
	next->reading.received_us = PG_GETARG_TIMESTAMPTZ(3);
	next->reading.has_gateway = !PG_ARGISNULL(4);
	next->reading.gateway_id = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4);
	next->reading.has_record = !PG_ARGISNULL(5);
	next->reading.record_no = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT64(5);
	PG_RETURN_POINTER(state);
}

static int by_time_and_arrival(const void *left, const void *right)
{
	const arrival *a = left, *b = right;

	if (a->reading.measured_us != b->reading.measured_us)
		return a->reading.measured_us < b->reading.measured_us ? -1 : 1;
	if (a->reading.received_us != b->reading.received_us)
		return a->reading.received_us < b->reading.received_us ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static bytea *block_of(const stored_reading *readings, int count)
{
	bytea *block = palloc_extended(VARHDRSZ + reading_block_bound(count), MCXT_ALLOC_HUGE);
	size_t size = reading_block_encode(readings, count, (uint8_t *)VARDATA(block));

	if (!AllocSizeIsValid(VARHDRSZ + size))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("%d readings do not fit a block", count)));
	SET_VARSIZE(block, VARHDRSZ + size);
	return block;
}

Datum smarthg_reading_pack_end(PG_FUNCTION_ARGS)
{
	pack_state *state = PG_ARGISNULL(0) ? NULL : (pack_state *)PG_GETARG_POINTER(0);
	stored_reading *readings;

	if (!state)
		PG_RETURN_NULL();
	qsort(state->arrivals, state->count, sizeof(arrival), by_time_and_arrival);
	readings = palloc_extended(sizeof(stored_reading) * state->count, MCXT_ALLOC_HUGE);
	for (int i = 0; i < state->count; i++)
		readings[i] = state->arrivals[i].reading;
	PG_RETURN_BYTEA_P(block_of(readings, state->count));
}

/* The readings of a block. */
static stored_reading *readings_of(bytea *block, int *count)
{
	const uint8_t *bytes = (const uint8_t *)VARDATA_ANY(block);
	size_t size = VARSIZE_ANY_EXHDR(block);
	stored_reading *readings;
	outcome failed;

	if (reading_block_count(bytes, size, count, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	readings = palloc_extended(sizeof(*readings) * ((Size)*count + 1), MCXT_ALLOC_HUGE);
	if (reading_block_decode(bytes, size, readings, *count, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	return readings;
}

Datum smarthg_reading_merge(PG_FUNCTION_ARGS)
{
	int old_count = 0, new_count;
	stored_reading *old = PG_ARGISNULL(0) ? NULL : readings_of(PG_GETARG_BYTEA_PP(0), &old_count);
	stored_reading *arrivals, *stored, *replaced;
	reading_merge_result merged;
	TupleDesc shape;
	bool nulls[8] = {false};
	Datum values[8];

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	arrivals = readings_of(PG_GETARG_BYTEA_PP(1), &new_count);
	stored = palloc_extended(sizeof(*stored) * ((Size)old_count + new_count + 1), MCXT_ALLOC_HUGE);
	replaced =
	    palloc_extended(sizeof(*replaced) * ((Size)old_count + new_count + 1), MCXT_ALLOC_HUGE);
	merged = reading_merge(old, old_count, arrivals, new_count, stored, replaced);
	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "reading_merge must return a row");
	values[0] = PointerGetDatum(block_of(stored, merged.stored));
	values[1] = Int32GetDatum(merged.stored);
	nulls[2] = merged.replaced == 0;
	values[2] = nulls[2] ? (Datum)0 : PointerGetDatum(block_of(replaced, merged.replaced));
	nulls[3] = nulls[4] = nulls[5] = !merged.changed;
	values[3] = TimestampTzGetDatum(merged.changed_from_us);
	values[4] = TimestampTzGetDatum(merged.changed_until_us);
	values[5] = Int64GetDatum(merged.newest_raw);
	values[6] = BoolGetDatum(merged.rewritten);
	values[7] = Int32GetDatum(old_count + new_count - merged.stored - merged.replaced);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(shape, values, nulls)));
}

Datum smarthg_reading_unpack(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	stored_reading *readings;
	int count;

	InitMaterializedSRF(fcinfo, 0);
	readings = readings_of(PG_GETARG_BYTEA_PP(0), &count);
	for (int i = 0; i < count; i++) {
		const stored_reading *r = &readings[i];
		Datum row[5] = {TimestampTzGetDatum(r->measured_us), Int64GetDatum(r->raw),
		                TimestampTzGetDatum(r->received_us), Int64GetDatum(r->gateway_id),
		                Int64GetDatum(r->record_no)};
		bool nulls[5] = {false, false, false, !r->has_gateway, !r->has_record};

		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum)0;
}

Datum smarthg_reading_without(PG_FUNCTION_ARGS)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1), until = PG_GETARG_TIMESTAMPTZ(2);
	stored_reading *readings;
	int count, kept = 0;

	readings = readings_of(PG_GETARG_BYTEA_PP(0), &count);
	for (int i = 0; i < count; i++)
		if (readings[i].measured_us < from || readings[i].measured_us >= until)
			readings[kept++] = readings[i];
	if (kept == 0)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(block_of(readings, kept));
}

Datum smarthg_reading_later(PG_FUNCTION_ARGS)
{
	TimestampTz measured = PG_GETARG_TIMESTAMPTZ(1), received = PG_GETARG_TIMESTAMPTZ(2);
	stored_reading *readings;
	bool later = false;
	int count;

	readings = readings_of(PG_GETARG_BYTEA_PP(0), &count);
	for (int i = 0; i < count; i++)
		if (readings[i].measured_us == measured && readings[i].received_us > received)
			later = true;
	pfree(readings);
	PG_RETURN_BOOL(later);
}
