/* SQL binding of the service market's secrets, passwords and forms (core/market), and of tokens
 * that are encrypted to a service on delivery. */
#include "binding.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "../core/market/form.h"
#include "../core/market/password.h"
#include "../core/market/secret.h"
#include "../core/token/compact.h"
#include "../core/token/jwe.h"

PG_FUNCTION_INFO_V1(smarthg_password_hash);
PG_FUNCTION_INFO_V1(smarthg_password_matches);
PG_FUNCTION_INFO_V1(smarthg_random_secret);
PG_FUNCTION_INFO_V1(smarthg_secret_matches);
PG_FUNCTION_INFO_V1(smarthg_pkce_matches);
PG_FUNCTION_INFO_V1(smarthg_form_parameters);
PG_FUNCTION_INFO_V1(smarthg_token_wrap);

Datum smarthg_password_hash(PG_FUNCTION_ARGS)
{
	text *password = PG_GETARG_TEXT_PP(0);
	password_cost cost = {PG_GETARG_INT32(1), PG_GETARG_INT32(2), PG_GETARG_INT32(3)};
	char hash[PASSWORD_TEXT_SIZE];
	outcome failed;

	if (password_hash(VARDATA_ANY(password), VARSIZE_ANY_EXHDR(password), &cost, hash, &failed) !=
	    OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_TEXT_P(cstring_to_text(hash));
}

Datum smarthg_password_matches(PG_FUNCTION_ARGS)
{
	text *password = PG_GETARG_TEXT_PP(0);
	char *hash = text_to_cstring(PG_GETARG_TEXT_PP(1));
	outcome failed;
	bool matches;

	if (password_matches(VARDATA_ANY(password), VARSIZE_ANY_EXHDR(password), hash, &matches,
	                     &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_BOOL(matches);
}

Datum smarthg_random_secret(PG_FUNCTION_ARGS)
{
	char secret[SECRET_TEXT_SIZE];
	outcome failed;

	if (secret_make(secret, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_TEXT_P(cstring_to_text(secret));
}

Datum smarthg_secret_matches(PG_FUNCTION_ARGS)
{
	text *secret = PG_GETARG_TEXT_PP(0);
	bytea *digest = PG_GETARG_BYTEA_PP(1);
	outcome failed;
	bool matches;

	if (secret_matches(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret),
	                   (const uint8_t *)VARDATA_ANY(digest), VARSIZE_ANY_EXHDR(digest), &matches,
	                   &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_BOOL(matches);
}

Datum smarthg_pkce_matches(PG_FUNCTION_ARGS)
{
	text *verifier = PG_GETARG_TEXT_PP(0), *challenge = PG_GETARG_TEXT_PP(1);
	outcome failed;
	bool matches;

	if (pkce_matches(VARDATA_ANY(verifier), VARSIZE_ANY_EXHDR(verifier), VARDATA_ANY(challenge),
	                 VARSIZE_ANY_EXHDR(challenge), &matches, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_BOOL(matches);
}

/* A decoded text of the form, which is UTF-8, in the database's encoding. */
static void push_text(JsonbParseState **state, JsonbIteratorToken token, form_text decoded)
{
	char *converted =
	    pg_any_to_server(pnstrdup(decoded.bytes, decoded.length), (int)decoded.length, PG_UTF8);
	JsonbValue value = {.type = jbvString};

	value.val.string.val = converted;
	value.val.string.len = (int)strlen(converted);
	pushJsonbValue(state, token, &value);
}

Datum smarthg_form_parameters(PG_FUNCTION_ARGS)
{
	text *bytes = PG_GETARG_TEXT_P_COPY(0);
	JsonbParseState *state = NULL;
	form *read = palloc(sizeof(*read));
	outcome failed;

	if (form_read(VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, read, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < read->count; i++) {
		push_text(&state, WJB_KEY, read->fields[i].name);
		push_text(&state, WJB_VALUE, read->fields[i].value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum smarthg_token_wrap(PG_FUNCTION_ARGS)
{
	text *token = PG_GETARG_TEXT_PP(0);
	Jsonb *jwk = PG_GETARG_JSONB_P(1);
	char *key_text = JsonbToCString(NULL, &jwk->root, VARSIZE(jwk));
	char wrapped[TOKEN_MOST + 1];
	outcome_status status;
	outcome failed;
	token_key key;
	size_t length;

	if (key_from_jwk(key_text, strlen(key_text), &key, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	status = jwe_encrypt(&key, "JWT", VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), wrapped,
	                     TOKEN_MOST, &length, &failed);
	key_free(&key);
	if (status != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(wrapped, (int)length));
}
