/*
 * A batch moves up to a thousand marks: past the executor that takes a third of
 * the time. Where the table has triggers that should hear of it, or anything else
 * that the executor would heed, no mark moves here and the caller goes the way of
 * queries.
 */
#include "gateway_marks.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "plain_table.h"
#include "register_cache.h"

/* Of the gateways, those with records committed ahead of their mark, in ascending order. */
static uint64 find_ahead(const gateway_mark *marks, int count)
{
	static SPIPlanPtr any_plan, plan;
	Oid type = INT8ARRAYOID;
	Datum *ids, array;

	/* Nearly always there are none at all. */
	if (SPI_execute_plan(
	        kept_plan(&any_plan, "SELECT FROM smarthg.gateway_record_ahead LIMIT 1", 0, NULL), NULL,
	        NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "records ahead cannot be read");
	if (SPI_processed == 0)
		return 0;
	ids = palloc(sizeof(Datum) * (Size)count);
	for (int i = 0; i < count; i++)
		ids[i] = Int64GetDatum(marks[i].gateway_id);
	array = array_of(ids, NULL, count, INT8OID);
	if (SPI_execute_plan(
	        kept_plan(&plan,
	                  "SELECT DISTINCT a.gateway_id FROM smarthg.gateway_record_ahead a "
	                  "WHERE a.gateway_id = ANY ($1) ORDER BY 1",
	                  1, &type),
	        &array, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "records ahead cannot be read");
	return SPI_processed;
}

static int64 found_id(uint64 row)
{
	bool null;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &null));
}

static bool hears_of_moves(const Trigger *trigger, AttrNumber mark, AttrNumber ingested)
{
	bool named = trigger->tgnattr == 0;

	for (int i = 0; i < trigger->tgnattr; i++)
		named = named || trigger->tgattr[i] == mark || trigger->tgattr[i] == ingested;
	/* Internal ones look at keys. */
	return !trigger->tgisinternal && TRIGGER_FOR_UPDATE(trigger->tgtype) && named;
}

/* Rows keep to these checks: a mark moves to a positive number only. */
static const char *const kept_checks[] = {"gateway_eui64_check", "gateway_link_key_check",
                                          "gateway_key_id_check",
                                          "gateway_committed_record_no_check"};

static bool takes_moves(Relation gateway)
{
	const TriggerDesc *triggers = gateway->trigdesc;
	AttrNumber mark = get_attnum(RelationGetRelid(gateway), "committed_record_no");
	AttrNumber ingested = get_attnum(RelationGetRelid(gateway), "last_ingest_at");

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (hears_of_moves(&triggers->triggers[i], mark, ingested))
			return false;
	return table_is_plain(gateway, ACL_UPDATE, kept_checks, lengthof(kept_checks)) &&
	       column_is(gateway, mark, INT8OID) && column_is(gateway, ingested, TIMESTAMPTZOID);
}

/* The index of the primary key, where that is the identifier alone; else none. */
static Oid index_by_id(Relation gateway)
{
	Oid relid = RelationGetPrimaryKeyIndex(gateway);
	Relation index;
	bool by_id;

	if (!OidIsValid(relid))
		return InvalidOid;
	index = index_open(relid, AccessShareLock);
	by_id =
	    index->rd_index->indnkeyatts == 1 &&
	    index->rd_index->indkey.values[0] == get_attnum(RelationGetRelid(gateway), "gateway_id") &&
	    column_is(gateway, index->rd_index->indkey.values[0], INT8OID);
	index_close(index, NoLock);
	return by_id ? relid : InvalidOid;
}

enum { MOST_TRIES = 10 };

/* What moving takes, opened once for all marks. */
typedef struct mover {
	Relation gateway, index;
	IndexScanDesc scan;
	Snapshot snapshot;
	TupleTableSlot *old, *new;
	ResultRelInfo *target;
	EState *estate;
	AttrNumber mark, ingested;
	CommandId command;
	TimestampTz now;
} mover;

static void begin_scan(mover *move)
{
	move->snapshot = RegisterSnapshot(GetLatestSnapshot());
	move->scan = index_beginscan(move->gateway, move->index, move->snapshot, 1, 0);
}

static void end_scan(mover *move)
{
	ExecClearTuple(move->old);
	index_endscan(move->scan);
	UnregisterSnapshot(move->snapshot);
}

static void begin(mover *move, Relation gateway, Oid index)
{
	Oid relid = RelationGetRelid(gateway);

	/* A table that is published must have what tells its rows apart. */
	CheckCmdReplicaIdentity(gateway, CMD_UPDATE);
	CommandCounterIncrement();
	*move = (mover){.gateway = gateway};
	move->mark = get_attnum(relid, "committed_record_no");
	move->ingested = get_attnum(relid, "last_ingest_at");
	move->index = index_open(index, AccessShareLock);
	begin_scan(move);
	move->old = table_slot_create(gateway, NULL);
	move->new = table_slot_create(gateway, NULL);
	move->estate = CreateExecutorState();
	move->target = makeNode(ResultRelInfo);
	InitResultRelInfo(move->target, gateway, 1, NULL, 0);
	ExecOpenIndices(move->target, false);
	move->command = GetCurrentCommandId(true);
	move->now = GetCurrentTimestamp();
}

static void end(mover *move)
{
	ExecCloseIndices(move->target);
	FreeExecutorState(move->estate);
	end_scan(move);
	ExecDropSingleTupleTableSlot(move->new);
	ExecDropSingleTupleTableSlot(move->old);
	index_close(move->index, AccessShareLock);
	CommandCounterIncrement();
}

/* The gateway's row as the snapshot sees it, in old. */
static bool find_row(mover *move, int64 gateway_id)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(gateway_id));
	index_rescan(move->scan, &key, 1, NULL, 0);
	return index_getnext_slot(move->scan, ForwardScanDirection, move->old);
}

static void fill_new(mover *move, int64 last_no)
{
	Size columns = (Size)RelationGetDescr(move->gateway)->natts;

	slot_getallattrs(move->old);
	ExecClearTuple(move->new);
	memcpy(move->new->tts_values, move->old->tts_values, sizeof(Datum) * columns);
	memcpy(move->new->tts_isnull, move->old->tts_isnull, sizeof(bool) * columns);
	move->new->tts_values[move->mark - 1] = Int64GetDatum(last_no);
	move->new->tts_values[move->ingested - 1] = TimestampTzGetDatum(move->now);
	move->new->tts_isnull[move->ingested - 1] = false;
	ExecStoreVirtualTuple(move->new);
}

/* TM_Ok: moved; TM_Updated: another session has changed the row since the snapshot; else it stays
 * as it is. */
static TM_Result try_move(mover *move, const gateway_mark *mark)
{
	TM_FailureData failure;
	LockTupleMode lock;
	updated_indexes indexes;
	TM_Result result;
	bool null;

	if (!find_row(move, mark->gateway_id) ||
	    DatumGetInt64(slot_getattr(move->old, move->mark, &null)) != mark->first_no - 1)
		return TM_Invisible;
	fill_new(move, mark->last_no);
	result = table_tuple_update(move->gateway, &move->old->tts_tid, move->new, move->command,
	                            move->snapshot, InvalidSnapshot, true, &failure, &lock, &indexes);
	if (result == TM_Ok && needs_index_tuples(indexes))
		insert_index_tuples(move->target, move->new, move->estate);
	return result;
}

/* What else changes in a gateway, as its being online, does not keep its mark from moving: the row
 * is looked at anew, in its turn, so that gateways are locked in ascending order. */
static bool move_one(mover *move, const gateway_mark *mark)
{
	TM_Result result = try_move(move, mark);

	for (int tries = 1; result == TM_Updated && tries < MOST_TRIES; tries++) {
		end_scan(move);
		begin_scan(move);
		result = try_move(move, mark);
	}
	return result == TM_Ok;
}

/* Gateways with records ahead are not for here. */
static void leave_out_ahead(const gateway_mark *marks, int count, bool *left_out)
{
	uint64 ahead = find_ahead(marks, count), row = 0;

	for (int i = 0; i < count; i++) {
		while (row < ahead && found_id(row) < marks[i].gateway_id)
			row++;
		left_out[i] = row < ahead && found_id(row) == marks[i].gateway_id;
	}
}

void gateway_marks_move(gateway_mark *marks, int count)
{
	Oid relid = get_relname_relid("gateway", get_namespace_oid("smarthg", false));
	Relation gateway = table_open(relid, RowExclusiveLock);
	bool *left_out = palloc0(sizeof(bool) * (Size)Max(count, 1));
	mover move;
	Oid index;

	for (int i = 0; i < count; i++)
		marks[i].moved = false;
	if (count > 0 && takes_moves(gateway) && OidIsValid(index = index_by_id(gateway))) {
		leave_out_ahead(marks, count, left_out);
		begin(&move, gateway, index);
		for (int i = 0; i < count; i++) {
			CHECK_FOR_INTERRUPTS();
			if (!left_out[i])
				marks[i].moved = move_one(&move, &marks[i]);
		}
		end(&move);
		/* Where a move had to wait for another session, that may have come between. */
		leave_out_ahead(marks, count, left_out);
		for (int i = 0; i < count; i++)
			if (marks[i].moved && left_out[i])
				ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				                errmsg("another session stores records of the same gateway"),
				                errhint("The bridge sends the batch again.")));
	}
	table_close(gateway, NoLock);
}
