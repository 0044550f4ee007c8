/*
 * The access log (DESIGN.md section 8): one row for a token and an hour in which it was used. The
 * row is written frozen, as COPY FREEZE does, so that it stays whatever becomes of the transaction:
 * a service that rolls back, or says it only reads, is in the log all the same. For that reason
 * the backend may remember what it has written, and a token in steady use costs a comparison.
 */
#include "binding.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(smarthg_note_access);

/* Columns of access_log, in their order. */
enum { COLUMN_HOUR, COLUMN_AT, COLUMN_JTI, COLUMN_SUB, COLUMN_CLIENT, COLUMN_SCOPE, COLUMNS };

/* What this backend has noted last; a slot is chosen by the token's hash. */
enum { NOTED_SLOTS = 64, NOTED_LENGTH = 64 };

typedef struct noted_token {
	char jti[NOTED_LENGTH];
	TimestampTz hour;
} noted_token;

static noted_token noted[NOTED_SLOTS];

static const char *const TOKEN_QUERY =
    "SELECT t.jti, t.sub, t.client_id, t.scope,"
    "   EXISTS (SELECT FROM smarthg.access_log a WHERE a.jti = t.jti AND a.hour = $2) "
    "FROM smarthg.issued_token t WHERE t.jti = $1";

static void insert_row(Datum *values)
{
	Oid schema = get_namespace_oid("smarthg", false);
	Relation log = table_open(get_relname_relid("access_log", schema), RowExclusiveLock);
	EState *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *row = table_slot_create(log, NULL);

	if (RelationGetNumberOfAttributes(log) != COLUMNS)
		elog(ERROR, "access_log has not the columns that are written");
	InitResultRelInfo(target, log, 1, NULL, 0);
	ExecOpenIndices(target, false);
	memcpy(row->tts_values, values, sizeof(Datum) * COLUMNS);
	memset(row->tts_isnull, 0, sizeof(bool) * COLUMNS);
	ExecStoreVirtualTuple(row);
	row->tts_tableOid = RelationGetRelid(log);
	table_tuple_insert(log, row, GetCurrentCommandId(true), TABLE_INSERT_FROZEN, NULL);
	if (target->ri_NumIndices > 0)
		ExecInsertIndexTuples(target, row, estate, false, false, NULL, NIL);
	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(row);
	FreeExecutorState(estate);
	table_close(log, RowExclusiveLock);
}

/* Writes the row unless one is there; unique it is not, for the sake of not waiting: transactions
 * that begin to use a token at once may write one each. */
static void note(Datum jti, TimestampTz now, TimestampTz hour)
{
	static SPIPlanPtr plan;
	Oid types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum arguments[] = {jti, TimestampTzGetDatum(hour)};

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(kept_plan(&plan, TOKEN_QUERY, 2, types), arguments, NULL, true, 1) !=
	    SPI_OK_SELECT)
		elog(ERROR, "the query of a token failed");
	if (SPI_processed == 1) {
		HeapTuple token = SPI_tuptable->vals[0];
		TupleDesc columns = SPI_tuptable->tupdesc;
		Datum values[COLUMNS];
		bool null;

		values[COLUMN_HOUR] = TimestampTzGetDatum(hour);
		values[COLUMN_AT] = TimestampTzGetDatum(now);
		values[COLUMN_JTI] = SPI_getbinval(token, columns, 1, &null);
		values[COLUMN_SUB] = SPI_getbinval(token, columns, 2, &null);
		values[COLUMN_CLIENT] = SPI_getbinval(token, columns, 3, &null);
		values[COLUMN_SCOPE] = SPI_getbinval(token, columns, 4, &null);
		if (!DatumGetBool(SPI_getbinval(token, columns, 5, &null)))
			insert_row(values);
	}
	SPI_finish();
}

Datum smarthg_note_access(PG_FUNCTION_ARGS)
{
	text *jti = PG_GETARG_TEXT_PP(0);
	int length = (int)VARSIZE_ANY_EXHDR(jti);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz hour = now - ((now % USECS_PER_HOUR) + USECS_PER_HOUR) % USECS_PER_HOUR;
	uint32 hash = hash_bytes((const unsigned char *)VARDATA_ANY(jti), length);
	noted_token *slot = &noted[hash % NOTED_SLOTS];

	if (length == 0 || length >= NOTED_LENGTH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("identifier of a token has 1 to %d bytes", NOTED_LENGTH - 1)));
	if (slot->hour == hour && strlen(slot->jti) == (size_t)length &&
	    memcmp(slot->jti, VARDATA_ANY(jti), length) == 0)
		PG_RETURN_VOID();
	if (RecoveryInProgress()) {
		/* A standby writes no table; its server log has the use. */
		ereport(LOG, (errmsg("token \"%s\" was used", text_to_cstring(jti)), errhidestmt(true)));
	} else {
		note(PointerGetDatum(jti), now, hour);
	}
	memcpy(slot->jti, VARDATA_ANY(jti), length);
	slot->jti[length] = '\0';
	slot->hour = hour;
	PG_RETURN_VOID();
}
