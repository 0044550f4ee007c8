/* Claims read, written and checked; see claims.h. */
#include "claims.h"

#include "compact.h"
#include "json_object.h"

#include <string.h>

outcome_status claims_write(const token_claims *claims, char *text, size_t room, size_t *length,
                            outcome *out)
{
	json_t *object = json_pack(
	    "{ss ss ss ss ss sI sI sI ss}", "iss", claims->iss, "sub", claims->sub, "aud", claims->aud,
	    "client_id", claims->client_id, "scope", claims->scope, "iat", (json_int_t)claims->iat,
	    "nbf", (json_int_t)claims->nbf, "exp", (json_int_t)claims->exp, "jti", claims->jti);

	if (!json_object_write(object, text, room, length))
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "They are too long together, or not in UTF-8.",
		                   "could not write the claims of a token");
	return OUTCOME_OK;
}

static bool copy_text(const json_t *value, char *copy, size_t room)
{
	const char *text = json_string_value(value);

	if (!text || text[0] == '\0' || strlen(text) >= room)
		return false;
	strcpy(copy, text);
	return true;
}

/* RFC 7519 allows fractions of seconds; we cut them, which ends a token early, never late. */
static bool copy_time(const json_t *value, int64_t *time)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= 0 && number < 1e12))
		return false;
	*time = (int64_t)number;
	return true;
}

static bool copy_audience(const json_t *value, const char *audience, char *copy)
{
	size_t i;
	json_t *one;

	if (!json_is_array(value))
		return copy_text(value, copy, CLAIM_ROOM);
	json_array_foreach((json_t *)value, i, one)
	{
		if (!copy_text(one, copy, CLAIM_ROOM))
			return false;
		if (strcmp(copy, audience) == 0)
			return true;
	}
	return false;
}

outcome_status claims_read(const void *json, size_t count, const char *audience,
                           token_claims *claims, outcome *out)
{
	json_t *object = json_object_read(json, count);
	bool good;

	if (!object)
		return token_refuse(out, "Its claims are no JSON object with one value a name.");
	good = copy_text(json_object_get(object, "iss"), claims->iss, CLAIM_ROOM) &&
	       copy_text(json_object_get(object, "sub"), claims->sub, CLAIM_ROOM) &&
	       copy_audience(json_object_get(object, "aud"), audience, claims->aud) &&
	       copy_text(json_object_get(object, "client_id"), claims->client_id, CLAIM_ROOM) &&
	       copy_text(json_object_get(object, "jti"), claims->jti, CLAIM_ROOM) &&
	       copy_text(json_object_get(object, "scope"), claims->scope, CLAIM_SCOPE_ROOM) &&
	       copy_time(json_object_get(object, "iat"), &claims->iat) &&
	       copy_time(json_object_get(object, "nbf"), &claims->nbf) &&
	       copy_time(json_object_get(object, "exp"), &claims->exp);
	json_decref(object);
	if (!good)
		return token_refuse(out,
		                    "A claim is missing, malformed, too long, or for another audience.");
	return OUTCOME_OK;
}

outcome_status claims_check(const token_claims *claims, const char *issuer, const char *audience,
                            int64_t now_s, outcome *out)
{
	if (strcmp(claims->iss, issuer) != 0)
		return token_refuse(out, "It is from another issuer.");
	if (strcmp(claims->aud, audience) != 0)
		return token_refuse(out, "It is for another audience.");
	if (claims->nbf - CLAIM_LEEWAY_S > now_s || claims->iat - CLAIM_LEEWAY_S > now_s)
		return token_refuse(out, "It does not hold yet.");
	if (claims->exp <= now_s)
		return token_refuse(out, "It has expired.");
	return OUTCOME_OK;
}
