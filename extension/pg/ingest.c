/*
 * bridge_ingest_batch (DESIGN.md section 7). A gateway whose records follow its
 * mark without a gap, and whose readings all belong to registers that are known
 * to be plain, costs one update of its mark and one row for each reading in the
 * landing table. Its records that belong in quarantine do not change that. All
 * other gateways go the way of queries (bridge_ingest with arrays), which decides
 * everything, and so do all in a transaction that does not see what others commit
 * meanwhile: what is kept of registers is of the present, and what such a
 * transaction reads is not to be kept.
 */
#include "gateway_marks.h"
#include "ingest_batch.h"
#include "plain_table.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
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

	if (!IsolationUsesXactSnapshot() && takes_rows(landing))
		go_quickly(all, landing);
	else
		for (int i = 0; i < all->part_count; i++)
			all->parts[i].plain = false;
	table_close(landing, NoLock);
	batch_keep_odd(all);
	batch_ingest_others(all, result);
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
	batch_take(&all,
	           (incoming_bytes){(const uint8_t *)VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)});
	ingest(&all, (ReturnSetInfo *)fcinfo->resultinfo);
	SPI_finish();
	return (Datum)0;
}
