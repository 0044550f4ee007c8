/*
 * bridge_ingest_batch (DESIGN.md section 7). A gateway whose records
 * follow its mark without a gap, and whose readings all belong to registers that
 * are known to be plain, costs one update of its mark and one row for each
 * reading in the landing table. Its records that belong in quarantine do not
 * change that. All other gateways go the way of queries (bridge_ingest with
 * arrays), which decides everything, and so do all in a transaction that does not
 * see what others commit meanwhile: what is kept of registers is of the present,
 * and what such a transaction reads is not to be kept.
 */
#include "gateway_marks.h"
#include "plain_table.h"
#include "register_cache.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(smarthg_bridge_ingest_batch);

/* The most rows handed to the landing table at once, as COPY does. */
enum { LANDING_ROWS = 1000 };

enum landing_column {
	LANDING_REGISTER,
	LANDING_MEASURED,
	LANDING_RAW,
	LANDING_RECEIVED,
	LANDING_GATEWAY,
	LANDING_RECORD,
	LANDING_COLUMNS,
};

/* The landing table's own bounds of measured_at: 1970 up to 2200. */
static const int64 LANDING_FIRST_MS = 0, LANDING_UNTIL_MS = INT64CONST(7258118400000);

/* Readings that are not further ahead of their reception are not a day ahead, however long a day
 * is in the session's time zone. */
static const int64 SURELY_AHEAD_MS = 20 * INT64CONST(3600000);

enum { KIND_LOST = 0 }; /* a record that says which others were lost */

/* A gateway's part of the batch. */
typedef struct gateway_part {
	int64 gateway_id;
	int64 first_no, last_no;
	bool plain; /* else it goes the way of queries */
} gateway_part;

typedef struct batch_record {
	incoming_record in;
	int part;          /* of which gateway */
	int first_reading; /* its readings are in.readings */
	bool odd;          /* for the quarantine, though its gateway be plain */
} batch_record;

typedef struct batch_reading {
	incoming_reading_bytes in;
	known_register known;
} batch_reading;

typedef struct batch {
	batch_record *records;
	batch_reading *readings;
	gateway_part *parts;
	int record_count, reading_count, part_count;
	int record_room, reading_room;
} batch;

typedef struct part_entry {
	int64 gateway_id;
	int part;
	char status;
} part_entry;

#define SH_PREFIX       parts
#define SH_ELEMENT_TYPE part_entry
#define SH_KEY_TYPE     int64
#define SH_KEY          gateway_id
#define SH_HASH_KEY(table, key)                                                                    \
	((uint32)murmurhash32((uint32)(key) ^ (uint32)((uint64)(key) >> 32)))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE              static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static TimestampTz time_of(int64 ms)
{
	return (ms - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64)SECS_PER_DAY * 1000) * 1000;
}

/* Room for one more of an array that grows by half. */
static void *grown(void *array, int count, int *room, Size size)
{
	if (count < *room)
		return array;
	*room = *room + *room / 2 + 64;
	return array ? repalloc_huge(array, size * (Size)*room)
	             : palloc_extended(size * (Size)*room, MCXT_ALLOC_HUGE);
}

static void take_readings(batch *all, batch_record *record)
{
	incoming_bytes rest = record->in.rest;
	outcome failed;

	record->first_reading = all->reading_count;
	for (int i = 0; i < record->in.readings; i++) {
		all->readings =
		    grown(all->readings, all->reading_count, &all->reading_room, sizeof(*all->readings));
		if (incoming_reading_take(&rest, &all->readings[all->reading_count++].in, &failed) !=
		    OUTCOME_OK)
			raise_outcome(&failed);
	}
}

static void take_records(batch *all, incoming_bytes bytes)
{
	outcome failed;

	while (bytes.size > 0) {
		batch_record *record;

		CHECK_FOR_INTERRUPTS();
		all->records =
		    grown(all->records, all->record_count, &all->record_room, sizeof(*all->records));
		record = &all->records[all->record_count++];
		record->odd = false;
		if (incoming_record_take(&bytes, &record->in, &failed) != OUTCOME_OK)
			raise_outcome(&failed);
		take_readings(all, record);
	}
}

/* Tells the gateways apart; plain is one whose records are numbered without a gap. */
static void part_by_gateway(batch *all)
{
	parts_hash *known = parts_create(CurrentMemoryContext, 64, NULL);
	int room = 0, last = -1;

	for (int i = 0; i < all->record_count; i++) {
		batch_record *record = &all->records[i];
		int64 gateway_id = record->in.gateway_id;
		gateway_part *part;

		if (last < 0 || all->parts[last].gateway_id != gateway_id) {
			bool found;
			part_entry *entry = parts_insert(known, gateway_id, &found);

			if (!found) {
				all->parts = grown(all->parts, all->part_count, &room, sizeof(*all->parts));
				all->parts[all->part_count] = (gateway_part){
				    .gateway_id = gateway_id,
				    .first_no = record->in.record_no,
				    .last_no = record->in.record_no - 1,
				    .plain = record->in.record_no > 0,
				};
				entry->part = all->part_count++;
			}
			last = entry->part;
		}
		part = &all->parts[last];
		record->part = last;
		part->plain = part->plain && record->in.kind != KIND_LOST &&
		              record->in.record_no - 1 == part->last_no;
		part->last_no = record->in.record_no;
	}
}

static void resolve_registers(batch *all)
{
	unknown_register *unknown = NULL;
	int count = 0, room = 0;

	for (int i = 0; i < all->record_count; i++)
		for (int n = 0; n < all->records[i].in.readings; n++) {
			batch_reading *reading = &all->readings[all->records[i].first_reading + n];
			int64 gateway_id = all->records[i].in.gateway_id;

			if (register_cache_find(gateway_id, reading->in.identity, &reading->known))
				continue;
			unknown = grown(unknown, count, &room, sizeof(*unknown));
			unknown[count++] = (unknown_register){gateway_id, &reading->in, &reading->known};
		}
	if (count > 0)
		register_cache_load(unknown, count);
}

/* Whether a reading of a plain register can land without a look at anything else. */
static bool can_land(const batch_record *record, const batch_reading *reading, int64 age_us)
{
	const known_register *known = &reading->known;
	int64 late_ms = record->in.received_ms - reading->in.measured_ms;
	bool scaled = reading->in.multiplier > 0 && reading->in.divisor > 0;

	if (known->counts_up && reading->in.raw < 0)
		return false;
	if (late_ms > age_us / 1000 || late_ms < -SURELY_AHEAD_MS ||
	    reading->in.measured_ms < LANDING_FIRST_MS || reading->in.measured_ms >= LANDING_UNTIL_MS)
		return false;
	return !scaled ||
	       (reading->in.multiplier == known->multiplier && reading->in.divisor == known->divisor &&
	        time_of(reading->in.measured_ms) >= known->scale_from);
}

static void judge_record(batch *all, batch_record *record, int64 age_us)
{
	int unknown = 0, landing = 0;

	for (int i = 0; i < record->in.readings; i++) {
		const batch_reading *reading = &all->readings[record->first_reading + i];

		unknown += reading->known.standing == METER_UNKNOWN;
		landing += reading->known.standing == REGISTER_PLAIN && can_land(record, reading, age_us);
	}
	record->odd = record->in.has_reason || unknown > 0;
	if (record->in.has_reason ? record->in.readings > 0
	                          : landing < record->in.readings && unknown < record->in.readings)
		all->parts[record->part].plain = false;
}

static void judge(batch *all)
{
	int64 age_us = accepted_age_us();

	resolve_registers(all);
	for (int i = 0; i < all->record_count; i++)
		judge_record(all, &all->records[i], age_us);
}

/* Whether rows can be put into the landing table past the executor. */
static bool takes_rows(Relation landing)
{
	static const Oid types[LANDING_COLUMNS] = {INT8OID,        TIMESTAMPTZOID, INT8OID,
	                                           TIMESTAMPTZOID, INT8OID,        INT8OID};
	static const char *const checks[] = {"reading_landing_measured_at_check"}; /* see can_land */

	if (landing->rd_rel->relhasindex || landing->trigdesc ||
	    RelationGetDescr(landing)->natts != LANDING_COLUMNS)
		return false;
	for (int i = 0; i < LANDING_COLUMNS; i++)
		if (!column_is(landing, (AttrNumber)(i + 1), types[i]))
			return false;
	return table_is_plain(landing, ACL_INSERT, checks, lengthof(checks));
}

static int by_gateway(const void *left, const void *right)
{
	const gateway_part *a = *(gateway_part *const *)left, *b = *(gateway_part *const *)right;

	return a->gateway_id < b->gateway_id ? -1 : a->gateway_id > b->gateway_id;
}

/* The plain gateways in the order of their identifiers. */
static gateway_part **plain_parts(batch *all, int *count)
{
	gateway_part **plain = palloc(sizeof(*plain) * Max(all->part_count, 1));

	*count = 0;
	for (int i = 0; i < all->part_count; i++)
		if (all->parts[i].plain)
			plain[(*count)++] = &all->parts[i];
	qsort(plain, *count, sizeof(*plain), by_gateway);
	return plain;
}

/* The rest of the gateways are not plain, because their marks stand elsewhere. */
static void advance_marks(batch *all)
{
	int count;
	gateway_part **plain = plain_parts(all, &count);
	gateway_mark *marks = palloc(sizeof(*marks) * (Size)Max(count, 1));

	for (int i = 0; i < count; i++)
		marks[i] =
		    (gateway_mark){plain[i]->gateway_id, plain[i]->first_no, plain[i]->last_no, false};
	gateway_marks_move(marks, count);
	for (int i = 0; i < count; i++)
		plain[i]->plain = marks[i].moved;
}

static void land(Relation landing, TupleTableSlot **slots, int count)
{
	table_multi_insert(landing, slots, count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < count; i++)
		ExecClearTuple(slots[i]);
}

static void fill_slot(TupleTableSlot *slot, const batch_record *record,
                      const batch_reading *reading)
{
	memset(slot->tts_isnull, 0, sizeof(bool) * LANDING_COLUMNS);
	slot->tts_values[LANDING_REGISTER] = Int64GetDatum(reading->known.register_id);
	slot->tts_values[LANDING_MEASURED] = TimestampTzGetDatum(time_of(reading->in.measured_ms));
	slot->tts_values[LANDING_RAW] = Int64GetDatum(reading->in.raw);
	slot->tts_values[LANDING_RECEIVED] = TimestampTzGetDatum(time_of(record->in.received_ms));
	slot->tts_values[LANDING_GATEWAY] = Int64GetDatum(record->in.gateway_id);
	slot->tts_values[LANDING_RECORD] = Int64GetDatum(record->in.record_no);
	ExecStoreVirtualTuple(slot);
}

/* The readings of plain gateways' records, in the order of their arrival. */
static void land_readings(batch *all, Relation landing)
{
	/* A copy is not counted, slot by slot, among what the transaction holds. */
	TupleDesc columns = CreateTupleDescCopyConstr(RelationGetDescr(landing));
	TupleTableSlot **slots = palloc0(sizeof(*slots) * LANDING_ROWS);
	int count = 0;

	for (int i = 0; i < all->record_count; i++) {
		const batch_record *record = &all->records[i];

		if (!all->parts[record->part].plain || record->odd)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int n = 0; n < record->in.readings; n++) {
			if (!slots[count])
				slots[count] = MakeSingleTupleTableSlot(columns, table_slot_callbacks(landing));
			fill_slot(slots[count++], record, &all->readings[record->first_reading + n]);
			if (count == LANDING_ROWS) {
				land(landing, slots, count);
				count = 0;
			}
		}
	}
	if (count > 0)
		land(landing, slots, count);
	for (int i = 0; i < LANDING_ROWS && slots[i]; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
}

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

/* The odd records of plain gateways, or all records of the others, as arrays. */
static int records_as_arrays(const batch *all, bool of_plain, Datum arrays[ARRAYS])
{
	columns chosen = {0};

	for (int i = 0; i < ARRAYS; i++) {
		Size rows = Max(all->record_count, all->reading_count);

		chosen.values[i] = palloc_extended(sizeof(Datum) * rows, MCXT_ALLOC_HUGE);
		chosen.nulls[i] = palloc_extended(sizeof(bool) * rows, MCXT_ALLOC_HUGE);
	}
	for (int i = 0; i < all->record_count; i++) {
		const batch_record *record = &all->records[i];

		if (all->parts[record->part].plain == of_plain && (record->odd || !of_plain))
			add_record(&chosen, all, record);
	}
	for (int i = 0; i < ARRAYS && chosen.records > 0; i++)
		arrays[i] =
		    array_of(chosen.values[i], chosen.nulls[i],
		             i < RECORD_ARRAYS || i == ARRAYS - 1 ? chosen.records : chosen.readings,
		             get_element_type(array_types[i]));
	return chosen.records;
}

#define ALL_ARRAYS                                                                                 \
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"

static void keep_odd(const batch *all)
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

static void put_mark(ReturnSetInfo *result, Datum gateway_id, Datum mark)
{
	Datum values[] = {gateway_id, mark};
	bool nulls[lengthof(values)] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* All records of gateways that are not plain. */
static void ingest_others(const batch *all, ReturnSetInfo *result)
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

static int count_plain(const batch *all)
{
	int count = 0;

	for (int i = 0; i < all->part_count; i++)
		count += all->parts[i].plain;
	return count;
}

/* Whoever was waited for to move a mark may have changed what was read before. */
static void judge_moved(batch *all)
{
	int moved = count_plain(all);

	judge(all);
	if (count_plain(all) < moved)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("another session changed meters of the same gateway"),
		                errhint("The bridge sends the batch again.")));
}

static void go_quickly(batch *all, Relation landing)
{
	uint64 known = register_cache_generation();

	judge(all);
	advance_marks(all);
	if (register_cache_generation() != known)
		judge_moved(all);
	land_readings(all, landing);
}

static void ingest(batch *all, ReturnSetInfo *result)
{
	Relation landing =
	    table_open(get_relname_relid("reading_landing", get_namespace_oid("smarthg", false)),
	               RowExclusiveLock);

	part_by_gateway(all);
	if (!IsolationUsesXactSnapshot() && takes_rows(landing))
		go_quickly(all, landing);
	else
		for (int i = 0; i < all->part_count; i++)
			all->parts[i].plain = false;
	table_close(landing, NoLock);
	keep_odd(all);
	ingest_others(all, result);
	for (int i = 0; i < all->part_count; i++)
		if (all->parts[i].plain)
			put_mark(result, Int64GetDatum(all->parts[i].gateway_id),
			         Int64GetDatum(all->parts[i].last_no));
}

Datum smarthg_bridge_ingest_batch(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	batch all = {0};

	/* What goes past the executor would not be kept from it. */
	PreventCommandIfReadOnly("bridge_ingest_batch()");
	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	take_records(&all,
	             (incoming_bytes){(const uint8_t *)VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)});
	ingest(&all, (ReturnSetInfo *)fcinfo->resultinfo);
	SPI_finish();
	return (Datum)0;
}
