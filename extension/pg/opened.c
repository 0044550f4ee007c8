/*
 * The homes and registers that the present token opens, and from when on: what the policies of
 * readings and energy ask for once a statement (DESIGN.md section 8). In C, since a query of one
 * home takes hardly longer than a few calls of SQL functions would.
 */
#include "token.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/uuid.h"

#include "../core/token/scope.h"

PG_FUNCTION_INFO_V1(smarthg_token_homes);
PG_FUNCTION_INFO_V1(smarthg_token_registers);
PG_FUNCTION_INFO_V1(smarthg_token_history_from);
PG_FUNCTION_INFO_V1(smarthg_token_first_day);
PG_FUNCTION_INFO_V1(smarthg_token_first_local_day);
PG_FUNCTION_INFO_V1(smarthg_token_today);

/* Where the owner lives now, be the transaction older than a move: $1 sub, $2 the homes that the
 * token names, null for all. */
#define RESIDENCE "smarthg.account a JOIN smarthg.home_resident l USING (account_id) "
#define LIVES_THERE                                                                                \
	"a.sub = $1 AND l.since <= clock_timestamp() "                                                 \
	"AND (l.until IS NULL OR l.until > clock_timestamp()) "                                        \
	"AND ($2 IS NULL OR l.home_id = ANY ($2)) "

static const char *const HOMES_QUERY = "SELECT l.home_id FROM " RESIDENCE "WHERE " LIVES_THERE;

static const char *const REGISTERS_QUERY =
    "SELECT r.register_id FROM " RESIDENCE "JOIN smarthg.meter m USING (home_id) "
    "JOIN smarthg.register r USING (meter_id) WHERE " LIVES_THERE
    "AND smarthg.meter_resource(m.kind, m.role) = ANY ($3)";

/* $4 and $5: of how many sub-meters and appliances, null for all. */
static const char *const RANKED_QUERY =
    "SELECT r.register_id FROM " RESIDENCE "JOIN smarthg.meter m USING (home_id) "
    "JOIN smarthg.register r USING (meter_id) WHERE " LIVES_THERE
    "AND smarthg.meter_resource(m.kind, m.role) = ANY ($3) "
    "AND CASE smarthg.meter_resource(m.kind, m.role) "
    "WHEN 'submeter' THEN $4 IS NULL OR smarthg.meter_rank(m) <= $4 "
    "WHEN 'appliance' THEN $5 IS NULL OR smarthg.meter_rank(m) <= $5 ELSE true END";

static const char *const SINCE_QUERY = "SELECT max(l.since) FROM " RESIDENCE "WHERE " LIVES_THERE;

/* $3: the token's own limit. A day that has begun before it is not whole. */
static const char *const FIRST_DAY_QUERY =
    "SELECT max(CASE WHEN f.local = date_trunc('day', f.local) THEN f.local::date "
    "   ELSE f.local::date + 1 END) FROM " RESIDENCE
    "JOIN smarthg.home h USING (home_id), LATERAL (SELECT greatest(l.since, $3) AT TIME ZONE "
    "h.time_zone AS local) AS f WHERE " LIVES_THERE;

static const char *const TODAY_QUERY =
    "SELECT min((now() AT TIME ZONE h.time_zone)::date) FROM " RESIDENCE
    "JOIN smarthg.home h USING (home_id) WHERE " LIVES_THERE;

/* The owner that sub names; false where it names none. */
static bool owner_of(const issued_token *token, pg_uuid_t *owner)
{
	const char *at = token->sub;

	/* As the market writes it, so that uuid_in has nothing to complain of. */
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? at[i] != '-'
		         : !((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f')))
			return false;
	}
	if (at[36] != '\0')
		return false;
	*owner = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(at)));
	return true;
}

/* The names of the resources that are opened at a granularity, and the most of those that are
 * ranked; a home as a whole is its exchange with the grid, what it produces, what its stores take.
 */
static int opened_resources(const scope *granted, scope_granularity asked,
                            const char *names[2 * SCOPE_RESOURCES])
{
	static const scope_resource of_home[] = {SCOPE_MAINMETER, SCOPE_PRODUCTION, SCOPE_ESS,
	                                         SCOPE_PEV};
	int count = 0;

	for (int r = 0; r < SCOPE_RESOURCES; r++) {
		const scope_grant *grant = &granted->grants[SCOPE_READ][r];

		if (!grant->given || grant->granularity > asked)
			continue;
		names[count++] = scope_resource_name((scope_resource)r);
		for (size_t h = 0; r == SCOPE_HOME && h < lengthof(of_home); h++)
			names[count++] = scope_resource_name(of_home[h]);
	}
	return count;
}

static void run(SPIPlanPtr *kept, const char *query, int count, Oid *types, Datum *values,
                const char *nulls)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(kept_plan(kept, query, count, types), values, nulls, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "what a token opens cannot be read");
}

/* The query's first column as bigint[] in the caller's memory; ends the query. */
static Datum found_ids(MemoryContext caller)
{
	Datum *ids;
	Datum array;
	MemoryContext own = MemoryContextSwitchTo(caller);

	ids = palloc(sizeof(Datum) * Max(SPI_processed, 1));
	for (uint64 i = 0; i < SPI_processed; i++) {
		bool null;

		ids[i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null);
	}
	array = PointerGetDatum(
	    construct_array(ids, (int)SPI_processed, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	MemoryContextSwitchTo(own);
	SPI_finish();
	return array;
}

/* Whether something of a home is granted: a feeder and a price are nobody's. */
static bool opens_homes(const scope *granted)
{
	for (int a = 0; a < SCOPE_ACTIONS; a++)
		for (int r = 0; r < SCOPE_RESOURCES; r++)
			if (granted->grants[a][r].given && r != SCOPE_FEEDER && r != SCOPE_PRICE)
				return true;
	return false;
}

/* The present token, its owner and what it grants; false where nobody is named. */
static bool present_grants(issued_token *token, pg_uuid_t *owner, scope *granted)
{
	outcome out;

	if (!identity_row(token) || !owner_of(token, owner))
		return false;
	if (scope_parse(token->scope, strlen(token->scope), granted, &out) != OUTCOME_OK)
		raise_outcome(&out);
	return true;
}

Datum smarthg_token_homes(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr homes;
	Oid types[] = {UUIDOID, INT8ARRAYOID};
	Datum values[2];
	char nulls[] = "  ";
	issued_token token;
	pg_uuid_t owner;
	scope granted;

	if (!present_grants(&token, &owner, &granted) || !opens_homes(&granted))
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	values[0] = UUIDPGetDatum(&owner);
	values[1] = PointerGetDatum(token.home_ids);
	nulls[1] = token.home_ids ? ' ' : 'n';
	run(&homes, HOMES_QUERY, 2, types, values, nulls);
	PG_RETURN_DATUM(found_ids(fcinfo->flinfo->fn_mcxt));
}

Datum smarthg_token_registers(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr registers, ranked;
	Oid types[] = {UUIDOID, INT8ARRAYOID, TEXTARRAYOID, INT4OID, INT4OID};
	Datum values[5];
	char nulls[] = "     ";
	const char *names[2 * SCOPE_RESOURCES];
	scope_granularity asked = SCOPE_YEARLY;
	const scope_grant *submeters, *appliances;
	issued_token token;
	pg_uuid_t owner;
	scope granted;
	int count;

	if (!PG_ARGISNULL(0))
		asked = scope_granularity_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (asked == SCOPE_GRANULARITIES)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("granularity is not known")));
	if (!present_grants(&token, &owner, &granted))
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	count = opened_resources(&granted, asked, names);
	if (count == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	submeters = &granted.grants[SCOPE_READ][SCOPE_SUBMETER];
	appliances = &granted.grants[SCOPE_READ][SCOPE_APPLIANCE];
	values[0] = UUIDPGetDatum(&owner);
	values[1] = PointerGetDatum(token.home_ids);
	nulls[1] = token.home_ids ? ' ' : 'n';
	values[2] = words_datum(names, count);
	values[3] = Int32GetDatum(submeters->top);
	nulls[3] = submeters->top ? ' ' : 'n';
	values[4] = Int32GetDatum(appliances->top);
	nulls[4] = appliances->top ? ' ' : 'n';
	if (submeters->top || appliances->top)
		run(&ranked, RANKED_QUERY, 5, types, values, nulls);
	else
		run(&registers, REGISTERS_QUERY, 3, types, values, nulls);
	PG_RETURN_DATUM(found_ids(fcinfo->flinfo->fn_mcxt));
}

/* The one value that a query of the owner's residence has; false where it is null. */
static bool of_residence(SPIPlanPtr *kept, const char *query, const issued_token *token,
                         Datum *value)
{
	Oid types[] = {UUIDOID, INT8ARRAYOID, TIMESTAMPTZOID};
	Datum values[3];
	char nulls[] = "   ";
	pg_uuid_t owner;
	bool null;

	if (!owner_of(token, &owner))
		return false;
	values[2] = TimestampTzGetDatum(token->history_from);
	values[0] = UUIDPGetDatum(&owner);
	values[1] = PointerGetDatum(token->home_ids);
	nulls[1] = token->home_ids ? ' ' : 'n';
	run(kept, query, 3, types, values, nulls);
	*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	SPI_finish();
	return !null;
}

/* What was before the owner moved in belongs to whoever lived there before. */
static TimestampTz history_from(void)
{
	static SPIPlanPtr since;
	issued_token token;
	Datum moved_in;

	if (!identity_row(&token))
		return DT_NOEND;
	if (!of_residence(&since, SINCE_QUERY, &token, &moved_in))
		return token.history_from;
	return Max(token.history_from, DatumGetTimestampTz(moved_in));
}

Datum smarthg_token_first_local_day(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr first;
	issued_token token;
	Datum day;

	/* Who lives nowhere has no days. */
	if (!identity_row(&token) || !of_residence(&first, FIRST_DAY_QUERY, &token, &day))
		PG_RETURN_DATEADT(DATEVAL_NOEND);
	PG_RETURN_DATUM(day);
}

Datum smarthg_token_today(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr today;
	issued_token token;
	Datum day;

	if (!identity_row(&token) || !of_residence(&today, TODAY_QUERY, &token, &day))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(day);
}

Datum smarthg_token_history_from(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(history_from());
}

Datum smarthg_token_first_day(PG_FUNCTION_ARGS)
{
	TimestampTz from = history_from();

	if (TIMESTAMP_IS_NOBEGIN(from))
		PG_RETURN_DATEADT(DATEVAL_NOBEGIN);
	if (TIMESTAMP_IS_NOEND(from))
		PG_RETURN_DATEADT(DATEVAL_NOEND);
	/* The first whole day: days of 2000-01-01, rounded up. */
	PG_RETURN_DATEADT(
	    (DateADT)(from / USECS_PER_DAY + (from > 0 && from % USECS_PER_DAY != 0 ? 1 : 0)));
}
