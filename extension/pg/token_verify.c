/*
 * Tokens written, verified and taken as identity. A token that this backend has verified before is
 * known by its SHA-256: only its times, keys and row are looked at again.
 */
#include "token.h"
#include "access_log.h"
#include "conceal.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "../core/token/digest.h"
#include "../core/token/jws.h"

PG_FUNCTION_INFO_V1(smarthg_token_seal);
PG_FUNCTION_INFO_V1(smarthg_token_verify);
PG_FUNCTION_INFO_V1(smarthg_authenticate);
PG_FUNCTION_INFO_V1(smarthg_jws_verify);

/* At most 1024 tokens of 2.4 kB, in sets by the first byte of their digest. */
enum { CACHE_SETS = 256, CACHE_WAYS = 4 };

/* A token verified by the ring of this version, whose keys hold until then. */
typedef struct verified_token {
	uint8_t digest[DIGEST_BYTES];
	uint64 ring_version;
	TimestampTz keys_until;
	token_claims claims;
} verified_token;

static verified_token *cache[CACHE_SETS][CACHE_WAYS];

static char *issuer, *audience;
static bool session_identity = true;

void token_verify_settings(void)
{
	DefineCustomStringVariable("smarthg.token_issuer", "Claim iss of access tokens.", NULL, &issuer,
	                           "urn:smarthg:market", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("smarthg.token_audience", "Claim aud of access tokens.", NULL,
	                           &audience, "urn:smarthg:database", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smarthg.session_identity",
	                         "Whether an identity may last for a session.",
	                         "Off for roles that come through a pooler which lends a session to "
	                         "one client after the other.",
	                         &session_identity, true, PGC_SUSET, 0, NULL, NULL, NULL);
}

static int64 unix_seconds(TimestampTz at)
{
	return at / USECS_PER_SEC + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64)SECS_PER_DAY;
}

/* What looking keys up needs and finds. */
typedef struct finding {
	const key_ring *ring;
	TimestampTz now, keys_until;
} finding;

static const token_key *find_key(void *argument, bool signs, const char *kid)
{
	finding *found = argument;

	for (int i = 0; i < found->ring->count; i++) {
		const ring_key *key = &found->ring->keys[i];

		if (key->signs == signs && strcmp(key->key.kid, kid) == 0 &&
		    found->now < key->valid_until) {
			found->keys_until = Min(found->keys_until, key->valid_until);
			return &key->key;
		}
	}
	return NULL;
}

/* The token in the cache; NULL where it is not, or its keys have changed or ended since. */
static const verified_token *cached(const uint8_t digest[DIGEST_BYTES], const finding *found)
{
	for (int way = 0; way < CACHE_WAYS; way++) {
		const verified_token *known = cache[digest[0]][way];

		if (known && known->ring_version == found->ring->version &&
		    found->now < known->keys_until && memcmp(known->digest, digest, DIGEST_BYTES) == 0)
			return known;
	}
	return NULL;
}

/* A place for a token: one that is not in use, or void since the keys changed, or any. */
static verified_token *cache_place(const uint8_t digest[DIGEST_BYTES], uint64 ring_version)
{
	verified_token **place = &cache[digest[0]][digest[1] % CACHE_WAYS];

	for (int way = 0; way < CACHE_WAYS; way++)
		if (!cache[digest[0]][way] || cache[digest[0]][way]->ring_version != ring_version) {
			place = &cache[digest[0]][way];
			break;
		}
	if (!*place)
		*place = MemoryContextAlloc(TopMemoryContext, sizeof(**place));
	return *place;
}

/* The claims of a token whose layers are right; NULL, with *failed set, where they are not. */
static const token_claims *open_token(text *token, outcome *failed)
{
	const char *bytes = VARDATA_ANY(token);
	size_t length = VARSIZE_ANY_EXHDR(token);
	finding found = {.ring = token_ring(), .now = GetCurrentTimestamp(), .keys_until = DT_NOEND};
	token_rules rules = {.issuer = issuer,
	                     .audience = audience,
	                     .now_s = unix_seconds(found.now),
	                     .find = find_key,
	                     .ring = &found};
	uint8_t digest[DIGEST_BYTES];
	const verified_token *known;
	verified_token *place;
	token_claims claims;

	if (length > TOKEN_MOST || !digest_of(bytes, length, digest)) {
		token_refuse(failed, "It is too long.");
		return NULL;
	}
	known = cached(digest, &found);
	if (known)
		return claims_check(&known->claims, issuer, audience, rules.now_s, failed) == OUTCOME_OK
		           ? &known->claims
		           : NULL;
	if (nested_open(bytes, length, &rules, &claims, failed) != OUTCOME_OK)
		return NULL;
	place = cache_place(digest, found.ring->version);
	memcpy(place->digest, digest, sizeof(digest));
	place->ring_version = found.ring->version;
	place->keys_until = found.keys_until;
	place->claims = claims;
	return &place->claims;
}

/* The same, and issued here, not revoked, and as it was issued. */
static const token_claims *verify_token(text *token, outcome *failed)
{
	const token_claims *claims = open_token(token, failed);
	issued_token row;

	if (!claims)
		return NULL;
	if (!issued_token_read(claims->jti, &row) || strcmp(row.sub, claims->sub) != 0 ||
	    strcmp(row.client_id, claims->client_id) != 0 || strcmp(row.scope, claims->scope) != 0 ||
	    GetCurrentTimestamp() >= row.expires_at) {
		token_refuse(failed, "It is not a token that was issued here.");
		return NULL;
	}
	if (row.revoked) {
		token_refuse(failed, "It has been revoked.");
		return NULL;
	}
	return claims;
}

static void add_member(JsonbParseState **state, const char *name, JsonbValue *value)
{
	JsonbValue key = {.type = jbvString};

	key.val.string.val = (char *)name;
	key.val.string.len = (int)strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
	pushJsonbValue(state, WJB_VALUE, value);
}

static void add_text(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = pstrdup(text);
	value.val.string.len = (int)strlen(text);
	add_member(state, name, &value);
}

static void add_time(JsonbParseState **state, const char *name, int64 seconds)
{
	JsonbValue value = {.type = jbvNumeric};

	value.val.numeric = int64_to_numeric(seconds);
	add_member(state, name, &value);
}

static Datum claims_jsonb(const token_claims *claims, bool all)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	add_text(&state, "sub", claims->sub);
	add_text(&state, "client_id", claims->client_id);
	add_text(&state, "scope", claims->scope);
	add_text(&state, "jti", claims->jti);
	add_time(&state, "exp", claims->exp);
	if (all) {
		add_text(&state, "iss", claims->iss);
		add_text(&state, "aud", claims->aud);
		add_time(&state, "iat", claims->iat);
		add_time(&state, "nbf", claims->nbf);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* Whatever error is raised while a token is looked at: the statement and its context may hold the
 * token, so the log is not to have them. */
static void hide_statement(void *unused pg_attribute_unused())
{
	errhidestmt(true);
	errhidecontext(true);
}

static void keep_from_log(ErrorContextCallback *hiding)
{
	hiding->callback = hide_statement;
	hiding->arg = NULL;
	hiding->previous = error_context_stack;
	error_context_stack = hiding;
}

Datum smarthg_token_verify(PG_FUNCTION_ARGS)
{
	ErrorContextCallback hiding;
	const token_claims *claims;
	outcome failed;

	keep_from_log(&hiding);
	claims = verify_token(PG_GETARG_TEXT_PP(0), &failed);
	error_context_stack = hiding.previous;
	if (!claims)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(claims_jsonb(claims, true));
}

Datum smarthg_authenticate(PG_FUNCTION_ARGS)
{
	bool for_session = PG_GETARG_BOOL(1);
	ErrorContextCallback hiding;
	const token_claims *claims;
	outcome failed;

	conceal_statement();
	keep_from_log(&hiding);
	if (for_session && !session_identity)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		                errmsg("no identity may last for this session"),
		                errhint("Authenticate in each transaction.")));
	claims = verify_token(PG_GETARG_TEXT_PP(0), &failed);
	if (!claims)
		ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
		                errmsg("%s", failed.message), errdetail("%s", failed.detail)));
	if (identity_set(claims->jti, for_session))
		note_access(claims->jti);
	error_context_stack = hiding.previous;
	PG_RETURN_DATUM(claims_jsonb(claims, false));
}

static void copy_claim(FunctionCallInfo fcinfo, int number, char *claim, size_t room)
{
	text *value = PG_GETARG_TEXT_PP(number);

	if (VARSIZE_ANY_EXHDR(value) == 0 || VARSIZE_ANY_EXHDR(value) >= room)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a claim is empty or has more than %d bytes", (int)room - 1)));
	text_to_cstring_buffer(value, claim, room);
}

/* Arguments: jti, sub, client_id, scope, issued_at, not_before, expires_at. */
Datum smarthg_token_seal(PG_FUNCTION_ARGS)
{
	const ring_key *signs = issuing_key(true), *decrypts = issuing_key(false);
	char token[TOKEN_MOST + 1];
	token_claims claims;
	size_t length;
	outcome failed;

	strlcpy(claims.iss, issuer, sizeof(claims.iss));
	strlcpy(claims.aud, audience, sizeof(claims.aud));
	copy_claim(fcinfo, 0, claims.jti, sizeof(claims.jti));
	copy_claim(fcinfo, 1, claims.sub, sizeof(claims.sub));
	copy_claim(fcinfo, 2, claims.client_id, sizeof(claims.client_id));
	copy_claim(fcinfo, 3, claims.scope, sizeof(claims.scope));
	claims.iat = unix_seconds(PG_GETARG_TIMESTAMPTZ(4));
	claims.nbf = unix_seconds(PG_GETARG_TIMESTAMPTZ(5));
	claims.exp = unix_seconds(PG_GETARG_TIMESTAMPTZ(6));
	if (nested_seal(&claims, &signs->key, &decrypts->key, token, sizeof(token), &length, &failed) !=
	    OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(token, (int)length));
}

Datum smarthg_jws_verify(PG_FUNCTION_ARGS)
{
	text *token = PG_GETARG_TEXT_PP(0);
	Jsonb *jwk = PG_GETARG_JSONB_P(1);
	char *key_text = JsonbToCString(NULL, &jwk->root, VARSIZE(jwk));
	uint8_t payload[TOKEN_MOST + 1];
	outcome_status status;
	token_key key;
	size_t count;
	outcome failed;

	if (key_from_jwk(key_text, strlen(key_text), &key, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	status = jws_verify_object(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &key, payload,
	                           TOKEN_MOST, &count, &failed);
	key_free(&key);
	if (status != OUTCOME_OK)
		PG_RETURN_NULL();
	payload[count] = '\0';
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum((char *)payload)));
}
