/*
 * Whose token speaks: kept in the setting smarthg.identity, because settings are copied to parallel
 * workers and go back with a transaction or savepoint, which variables of C do not.
 *
 * Its value cannot be forged. The context is SUSET, and its check hook refuses any value that this
 * file does not set itself, a superuser's included; and the value carries a MAC by a key that is
 * derived from the installation's, over what it holds for: this server process (a worker asks for
 * its leader), since this start of the server, in this database, and, unless it is the session's,
 * in this transaction. The value names the token only; everything else is in its row of
 * issued_token.
 */
#include "token.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "../core/token/base64url.h"
#include "../core/token/digest.h"
#include "../core/token/scope.h"

PG_FUNCTION_INFO_V1(smarthg_current_token);
PG_FUNCTION_INFO_V1(smarthg_token_allows);
PG_FUNCTION_INFO_V1(smarthg_token_finest);
PG_FUNCTION_INFO_V1(smarthg_token_top);
PG_FUNCTION_INFO_V1(smarthg_logout);

enum { MAC_LENGTH = 43, VALUE_ROOM = 1 + MAC_LENGTH + CLAIM_ROOM };

/* "t" for a transaction's or "s" for a session's, the MAC, the token's jti. */
static char *identity_setting;
static bool setting_identity;

static bool check_identity(char **value, void **extra pg_attribute_unused(),
                           GucSource source pg_attribute_unused())
{
	if (**value == '\0' || setting_identity || InitializingParallelWorker)
		return true;
	GUC_check_errdetail("Only the function authenticate sets it.");
	return false;
}

void token_identity_settings(void)
{
	DefineCustomStringVariable("smarthg.identity", "The token that authenticate has verified.",
	                           NULL, &identity_setting, "", PGC_SUSET,
	                           GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE |
	                               GUC_DISALLOW_IN_FILE,
	                           check_identity, NULL, NULL);
}

/* What the value holds for, and its MAC. */
static void identity_mac(char kind, const char *jti, char mac[MAC_LENGTH + 1])
{
	struct {
		char jti[CLAIM_ROOM];
		TimestampTz server_start, transaction_start;
		int64 process, database, kind;
	} bound;
	uint8_t digest[DIGEST_BYTES];

	memset(&bound, 0, sizeof(bound));
	strlcpy(bound.jti, jti, sizeof(bound.jti));
	bound.server_start = PgStartTime;
	bound.transaction_start = kind == 't' ? GetCurrentTransactionStartTimestamp() : 0;
	bound.process = MyProc->lockGroupLeader ? MyProc->lockGroupLeader->pid : MyProcPid;
	bound.database = MyDatabaseId;
	bound.kind = kind;
	if (!digest_keyed(identity_key(), &bound, sizeof(bound), digest))
		elog(ERROR, "could not compute a MAC");
	base64url_encode(digest, sizeof(digest), mac);
}

/* The last value that was found right, and the transaction that it was in. */
static char known[VALUE_ROOM];
static TimestampTz known_start;

/* The jti of the present identity; NULL where there is none. */
static const char *identity_jti(void)
{
	TimestampTz start = GetCurrentTransactionStartTimestamp();
	const char *value = identity_setting, *jti;
	char mac[MAC_LENGTH + 1];

	if (value == NULL || strlen(value) <= 1 + MAC_LENGTH || strlen(value) >= VALUE_ROOM)
		return NULL;
	jti = value + 1 + MAC_LENGTH;
	if (start == known_start && strcmp(value, known) == 0)
		return jti;
	if (value[0] != 't' && value[0] != 's')
		return NULL;
	identity_mac(value[0], jti, mac);
	if (!digest_same(mac, value + 1, MAC_LENGTH))
		return NULL;
	strlcpy(known, value, sizeof(known));
	known_start = start;
	return jti;
}

static void set_setting(const char *value, bool for_session)
{
	setting_identity = true;
	PG_TRY();
	{
		set_config_option("smarthg.identity", value, PGC_SUSET, PGC_S_SESSION,
		                  for_session ? GUC_ACTION_SET : GUC_ACTION_LOCAL, true, ERROR, false);
	}
	PG_FINALLY();
	{
		setting_identity = false;
	}
	PG_END_TRY();
}

bool identity_set(const char *jti, bool for_session)
{
	const char *present = identity_jti();
	char mac[MAC_LENGTH + 1];
	char value[VALUE_ROOM];

	if (present && strcmp(present, jti) == 0 && (identity_setting[0] == 's') == for_session)
		return false;
	identity_mac(for_session ? 's' : 't', jti, mac);
	snprintf(value, sizeof(value), "%c%s%s", for_session ? 's' : 't', mac, jti);
	set_setting(value, for_session);
	strlcpy(known, value, sizeof(known));
	known_start = GetCurrentTransactionStartTimestamp();
	return true;
}

bool identity_row(issued_token *row)
{
	const char *jti = identity_jti();

	return jti && issued_token_holds(jti, row);
}

const char *identity_of_session(void)
{
	const char *jti = identity_jti();

	return jti && identity_setting[0] == 's' ? jti : NULL;
}

Datum smarthg_logout(PG_FUNCTION_ARGS)
{
	set_setting("", true);
	PG_RETURN_VOID();
}

static Datum scope_words(char *scope_text)
{
	const char *words[SCOPE_TEXT_ROOM / 2];
	int count = 0;

	for (char *word = strtok(scope_text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	return words_datum(words, count);
}

Datum smarthg_current_token(PG_FUNCTION_ARGS)
{
	result_row row = {.columns = 0};
	issued_token token = {.jti = NULL};
	bool none = !identity_row(&token);

	put(&row, none ? (Datum)0 : CStringGetTextDatum(token.jti), none);
	put(&row, none ? (Datum)0 : CStringGetTextDatum(token.sub), none);
	put(&row, none ? (Datum)0 : CStringGetTextDatum(token.client_id), none);
	put(&row, none ? (Datum)0 : scope_words(token.scope), none);
	put(&row, PointerGetDatum(token.home_ids), none || !token.home_ids);
	put(&row, TimestampTzGetDatum(token.history_from), none || token.history_from == DT_NOBEGIN);
	put(&row, TimestampTzGetDatum(token.expires_at), none);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

/* What the present identity is granted; false where there is none. */
static bool present_scope(scope *granted)
{
	issued_token token;
	outcome failed;

	if (!identity_row(&token))
		return false;
	if (scope_parse(token.scope, strlen(token.scope), granted, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	return true;
}

static scope_resource resource_argument(FunctionCallInfo fcinfo, int number)
{
	scope_resource resource = scope_resource_of(text_to_cstring(PG_GETARG_TEXT_PP(number)));

	if (resource == SCOPE_RESOURCES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("resource is not known")));
	return resource;
}

Datum smarthg_token_allows(PG_FUNCTION_ARGS)
{
	scope_grant asked = {.given = true, .granularity = SCOPE_NO_GRANULARITY};
	const scope_grant *grant;
	scope_action action;
	scope_resource resource;
	scope granted;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	action = scope_action_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (action == SCOPE_ACTIONS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("action is not known"),
		                errhint("It is read or write.")));
	resource = resource_argument(fcinfo, 1);
	if (!PG_ARGISNULL(2)) {
		asked.granularity = scope_granularity_of(text_to_cstring(PG_GETARG_TEXT_PP(2)));
		if (asked.granularity == SCOPE_GRANULARITIES)
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("granularity is not known")));
	}
	if (!present_scope(&granted))
		PG_RETURN_BOOL(false);
	grant = &granted.grants[action][resource];
	PG_RETURN_BOOL(grant->given && grant->granularity <= asked.granularity);
}

/* What the present identity may read of a resource; NULL where it is nothing. */
static const scope_grant *read_grant(FunctionCallInfo fcinfo, scope *granted)
{
	scope_resource resource = resource_argument(fcinfo, 0);
	const scope_grant *grant = &granted->grants[SCOPE_READ][resource];

	return present_scope(granted) && grant->given ? grant : NULL;
}

Datum smarthg_token_finest(PG_FUNCTION_ARGS)
{
	scope granted;
	const scope_grant *grant = read_grant(fcinfo, &granted);

	if (!grant || grant->granularity == SCOPE_NO_GRANULARITY)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(scope_granularity_name(grant->granularity)));
}

Datum smarthg_token_top(PG_FUNCTION_ARGS)
{
	scope granted;
	const scope_grant *grant = read_grant(fcinfo, &granted);

	if (!grant)
		PG_RETURN_INT32(0);
	if (grant->top == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(grant->top);
}
