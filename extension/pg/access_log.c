/*
 * The access log (DESIGN.md section 8): one row for a token and an hour in which it was used. The
 * row is written frozen, as COPY FREEZE does, so that it stays whatever becomes of the transaction:
 * a service that rolls back, or says it only reads, is in the log all the same. It is on disk
 * before anything is read, since nothing else would flush it where the transaction is rolled back.
 * For that reason the backend may remember what it has written, and a token in steady use costs a
 * comparison.
 */
#include "access_log.h"
#include "token.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
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

/* By a fresh snapshot and without the caller's rights, as issued_token is read. */
static bool is_logged(Relation log, Oid index, const char *jti, TimestampTz hour)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool found;

	ScanKeyInit(&keys[0], COLUMN_JTI + 1, BTEqualStrategyNumber, F_TEXTEQ,
	            CStringGetTextDatum(jti));
	ScanKeyInit(&keys[1], COLUMN_HOUR + 1, BTEqualStrategyNumber, F_TIMESTAMPTZ_EQ,
	            TimestampTzGetDatum(hour));
	scan = systable_beginscan(log, index, true, NULL, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	return found;
}

static void insert_row(Relation log, Datum *values)
{
	EState *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *row = table_slot_create(log, NULL);

	InitResultRelInfo(target, log, 1, NULL, 0);
	ExecOpenIndices(target, false);
	memcpy(row->tts_values, values, sizeof(Datum) * COLUMNS);
	memset(row->tts_isnull, 0, sizeof(bool) * COLUMNS);
	ExecStoreVirtualTuple(row);
	table_tuple_insert(log, row, GetCurrentCommandId(true), TABLE_INSERT_FROZEN, NULL);
	insert_index_tuples(target, row, estate);
	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(row);
	FreeExecutorState(estate);
	XLogFlush(XactLastRecEnd);
}

/* Unique the row is not, for the sake of not waiting: transactions that begin to use a token at
 * once may write one each. */
static void note(const issued_token *token, TimestampTz now, TimestampTz hour)
{
	Oid schema = get_namespace_oid("smarthg", false);
	Relation log = table_open(get_relname_relid("access_log", schema), RowExclusiveLock);
	Datum values[COLUMNS];

	if (RelationGetNumberOfAttributes(log) != COLUMNS)
		elog(ERROR, "access_log has not the columns that are written");
	values[COLUMN_HOUR] = TimestampTzGetDatum(hour);
	values[COLUMN_AT] = TimestampTzGetDatum(now);
	values[COLUMN_JTI] = CStringGetTextDatum(token->jti);
	values[COLUMN_SUB] = CStringGetTextDatum(token->sub);
	values[COLUMN_CLIENT] = CStringGetTextDatum(token->client_id);
	values[COLUMN_SCOPE] = CStringGetTextDatum(token->scope);
	if (!is_logged(log, get_relname_relid("access_log_jti", schema), token->jti, hour))
		insert_row(log, values);
	table_close(log, RowExclusiveLock);
}

void note_access(const char *jti)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz hour = now - ((now % USECS_PER_HOUR) + USECS_PER_HOUR) % USECS_PER_HOUR;
	size_t length = strlen(jti);
	noted_token *slot = &noted[hash_bytes((const unsigned char *)jti, (int)length) % NOTED_SLOTS];
	issued_token token;

	if (slot->hour == hour && strcmp(slot->jti, jti) == 0)
		return;
	if (!issued_token_holds(jti, &token))
		return;
	if (RecoveryInProgress())
		/* A standby writes no table; its server log has the use. */
		ereport(LOG, (errmsg("token \"%s\" was used", jti), errhidestmt(true)));
	else
		note(&token, now, hour);
	if (length < NOTED_LENGTH) {
		strlcpy(slot->jti, jti, NOTED_LENGTH);
		slot->hour = hour;
	}
}

static ExecutorStart_hook_type start_before;

/* Who authenticated for the session does so once, so its statements note the use: before they run
 * in parallel, when nothing may be written. */
static void note_and_start(QueryDesc *query, int flags)
{
	const char *jti = IsInParallelMode() ? NULL : identity_of_session();

	if (jti)
		note_access(jti);
	if (start_before)
		start_before(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

void access_log_begin(void)
{
	start_before = ExecutorStart_hook;
	ExecutorStart_hook = note_and_start;
}

Datum smarthg_note_access(PG_FUNCTION_ARGS)
{
	note_access(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}
