/* The way of queries: records of a batch as the arrays of bridge_ingest. */
#include "ingest_batch.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

/* The arrays of bridge_ingest, in its order. */
enum { RECORD_ARRAYS = 8, READING_ARRAYS = 9, ARRAYS = RECORD_ARRAYS + READING_ARRAYS + 1 };

static Oid array_types[ARRAYS] = {
    INT8ARRAYOID,  INT8ARRAYOID,        TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT2ARRAYOID,
    BYTEAARRAYOID, BYTEAARRAYOID,       TEXTARRAYOID,        INT4ARRAYOID,        BYTEAARRAYOID,
    INT2ARRAYOID,  TEXTARRAYOID,        TEXTARRAYOID,        INT8ARRAYOID,        INT8ARRAYOID,
    INT8ARRAYOID,  TIMESTAMPTZARRAYOID, BYTEAARRAYOID,
};

typedef struct columns {
	Datum *values[ARRAYS];
	bool *nulls[ARRAYS];
	int records, readings;
} columns;

static void set(columns *to, int column, int row, Datum value, bool null)
{
	to->values[column][row] = value;
	to->nulls[column][row] = null;
}

static void add_reading(columns *to, const incoming_reading_bytes *reading)
{
	int row = to->readings++;

	set(to, 8, row, Int32GetDatum(to->records), false);
	set(to, 9, row, bytea_of(reading->device), false);
	set(to, 10, row, Int16GetDatum(reading->endpoint), false);
	set(to, 11, row, text_of(reading->obis), false);
	set(to, 12, row, text_of(reading->unit), false);
	set(to, 13, row, Int64GetDatum(reading->raw), false);
	set(to, 14, row, Int64GetDatum(reading->multiplier), reading->multiplier <= 0);
	set(to, 15, row, Int64GetDatum(reading->divisor), reading->divisor <= 0);
	set(to, 16, row, TimestampTzGetDatum(time_of(reading->measured_ms)), false);
}

static void add_record(columns *to, const batch *all, const batch_record *record)
{
	const incoming_record *in = &record->in;
	incoming_bytes device = {in->device, in->device ? INCOMING_DEVICE_SIZE : 0};
	int row = to->records++;

	set(to, 0, row, Int64GetDatum(in->gateway_id), false);
	set(to, 1, row, Int64GetDatum(in->record_no), false);
	set(to, 2, row, TimestampTzGetDatum(time_of(in->gateway_ms)), in->gateway_ms == 0);
	set(to, 3, row, TimestampTzGetDatum(time_of(in->received_ms)), false);
	set(to, 4, row, Int16GetDatum(in->kind), false);
	set(to, 5, row, bytea_of(in->address), false);
	set(to, 6, row, bytea_of(in->telegram), false);
	set(to, 7, row, in->has_reason ? text_of(in->reason) : (Datum)0, !in->has_reason);
	set(to, 17, row, in->device ? bytea_of(device) : (Datum)0, !in->device);
	for (int i = 0; i < in->readings; i++)
		add_reading(to, &all->readings[record->first_reading + i].in);
}

/* Of plain gateways the odd records, of the others all. */
static bool is_chosen(const batch *all, const batch_record *record, bool of_plain)
{
	return all->parts[record->part].plain == of_plain && (record->odd || !of_plain);
}

/* The chosen records as arrays; nearly always there are none. */
static int records_as_arrays(const batch *all, bool of_plain, Datum arrays[ARRAYS])
{
	columns chosen = {0};
	int first = 0;

	while (first < all->record_count && !is_chosen(all, &all->records[first], of_plain))
		first++;
	if (first == all->record_count)
		return 0;
	for (int i = 0; i < ARRAYS; i++) {
		Size rows = Max(all->record_count, all->reading_count);

		chosen.values[i] = palloc_extended(sizeof(Datum) * rows, MCXT_ALLOC_HUGE);
		chosen.nulls[i] = palloc_extended(sizeof(bool) * rows, MCXT_ALLOC_HUGE);
	}
	for (int i = first; i < all->record_count; i++)
		if (is_chosen(all, &all->records[i], of_plain))
			add_record(&chosen, all, &all->records[i]);
	for (int i = 0; i < ARRAYS; i++)
		arrays[i] =
		    array_of(chosen.values[i], chosen.nulls[i],
		             i < RECORD_ARRAYS || i == ARRAYS - 1 ? chosen.records : chosen.readings,
		             get_element_type(array_types[i]));
	return chosen.records;
}

#define ALL_ARRAYS                                                                                 \
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"

void batch_keep_odd(const batch *all)
{
	static SPIPlanPtr plan;
	Datum arrays[ARRAYS];

	if (records_as_arrays(all, true, arrays) == 0)
		return;
	if (SPI_execute_plan(
	        kept_plan(&plan, "SELECT smarthg.ingest_records" ALL_ARRAYS, ARRAYS, array_types),
	        arrays, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "records cannot be kept");
}

void put_mark(ReturnSetInfo *result, Datum gateway_id, Datum mark)
{
	Datum values[] = {gateway_id, mark};
	bool nulls[lengthof(values)] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void batch_ingest_others(const batch *all, ReturnSetInfo *result)
{
	static SPIPlanPtr plan;
	Datum arrays[ARRAYS];
	bool null;

	if (records_as_arrays(all, false, arrays) == 0)
		return;
	if (SPI_execute_plan(kept_plan(&plan,
	                               "SELECT b.gateway_id, b.committed_record_no "
	                               "FROM smarthg.bridge_ingest" ALL_ARRAYS " AS b",
	                               ARRAYS, array_types),
	                     arrays, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "records cannot be stored");
	for (uint64 i = 0; i < SPI_processed; i++)
		put_mark(result, SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null),
		         SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &null));
}
