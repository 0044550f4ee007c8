/* Rows of issued_token, read past the transaction's snapshot: a token revoked is revoked at once.
 */
#include "token.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Columns of issued_token. */
enum {
	ISSUED_JTI = 1,
	ISSUED_SUB,
	ISSUED_CLIENT_ID,
	ISSUED_SCOPE,
	ISSUED_HOME_IDS,
	ISSUED_HISTORY_FROM,
	ISSUED_AT,
	ISSUED_NOT_BEFORE,
	ISSUED_EXPIRES_AT,
	ISSUED_REVOKED_AT
};

static void fill(HeapTuple tuple, TupleDesc shape, issued_token *row)
{
	Datum values[MOST_COLUMNS];
	bool nulls[MOST_COLUMNS];

	heap_deform_tuple(tuple, shape, values, nulls);
	row->jti = TextDatumGetCString(values[ISSUED_JTI - 1]);
	row->sub = TextDatumGetCString(values[ISSUED_SUB - 1]);
	row->client_id = TextDatumGetCString(values[ISSUED_CLIENT_ID - 1]);
	row->scope = TextDatumGetCString(values[ISSUED_SCOPE - 1]);
	row->home_ids =
	    nulls[ISSUED_HOME_IDS - 1] ? NULL : DatumGetArrayTypePCopy(values[ISSUED_HOME_IDS - 1]);
	row->history_from = nulls[ISSUED_HISTORY_FROM - 1]
	                        ? DT_NOBEGIN
	                        : DatumGetTimestampTz(values[ISSUED_HISTORY_FROM - 1]);
	row->not_before = DatumGetTimestampTz(values[ISSUED_NOT_BEFORE - 1]);
	row->expires_at = DatumGetTimestampTz(values[ISSUED_EXPIRES_AT - 1]);
	row->revoked = !nulls[ISSUED_REVOKED_AT - 1];
}

/* Without an SPI query or the caller's rights: policies ask for every statement. A catalog
 * snapshot is a fresh one, in parallel workers, too. */
bool issued_token_read(const char *jti, issued_token *row)
{
	Oid name = get_relname_relid("issued_token", get_namespace_oid("smarthg", false));
	Relation table = table_open(name, AccessShareLock);
	HeapTuple tuple;
	ScanKeyData key;
	SysScanDesc scan;
	bool found;

	ScanKeyInit(&key, ISSUED_JTI, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(jti));
	scan = systable_beginscan(table, RelationGetPrimaryKeyIndex(table), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		fill(tuple, RelationGetDescr(table), row);
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool issued_token_holds(const char *jti, issued_token *row)
{
	return issued_token_read(jti, row) && !row->revoked && GetCurrentTimestamp() < row->expires_at;
}
