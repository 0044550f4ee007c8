/* Nested tokens; see nested.h. */
#include "nested.h"

#include "jwe.h"
#include "json_object.h"
#include "jws.h"

static const char signed_type[] = "at+jwt", content_type[] = "JWT";

outcome_status nested_seal(const token_claims *claims, const token_key *signs,
                           const token_key *encrypts_to, char *text, size_t room, size_t *length,
                           outcome *out)
{
	char json[JSON_OBJECT_MOST + 1], inner[TOKEN_MOST + 1];
	size_t json_length, inner_length;

	if (claims_write(claims, json, sizeof(json), &json_length, out) != OUTCOME_OK ||
	    jws_sign(signs, signed_type, json, json_length, inner, sizeof(inner), &inner_length, out) !=
	        OUTCOME_OK)
		return out->status;
	return jwe_encrypt(encrypts_to, content_type, inner, inner_length, text,
	                   room < TOKEN_MOST + 1 ? room : TOKEN_MOST + 1, length, out);
}

/* Decrypts the outer layer. */
static outcome_status open_outer(const char *text, size_t length, const token_rules *rules,
                                 uint8_t *inner, size_t room, size_t *count, outcome *out)
{
	const token_key *key = NULL;
	const char *kid;
	outcome_status status;
	jwe opened;

	status = jwe_open(text, length, &opened, &kid, out);
	if (status != OUTCOME_OK)
		return status;
	if (kid)
		key = rules->find(rules->ring, false, kid);
	status = key ? jwe_decrypt(&opened, key, content_type, inner, room, count, out)
	             : token_refuse(out, "It is encrypted to no key of this database.");
	jwe_close(&opened);
	return status;
}

/* Verifies the inner layer. */
static outcome_status open_inner(const char *text, size_t length, const token_rules *rules,
                                 uint8_t *json, size_t room, size_t *count, outcome *out)
{
	const token_key *key = NULL;
	const char *kid;
	outcome_status status;
	jws opened;

	status = jws_open(text, length, &opened, &kid, out);
	if (status != OUTCOME_OK)
		return status;
	if (kid)
		key = rules->find(rules->ring, true, kid);
	status = key ? jws_verify(&opened, key, signed_type, json, room, count, out)
	             : token_refuse(out, "It is signed by no key of the market controller.");
	jws_close(&opened);
	return status;
}

outcome_status nested_open(const char *text, size_t length, const token_rules *rules,
                           token_claims *claims, outcome *out)
{
	uint8_t inner[TOKEN_MOST], json[JSON_OBJECT_MOST];
	size_t inner_count, json_count;

	if (open_outer(text, length, rules, inner, sizeof(inner), &inner_count, out) != OUTCOME_OK ||
	    open_inner((const char *)inner, inner_count, rules, json, sizeof(json), &json_count, out) !=
	        OUTCOME_OK ||
	    claims_read(json, json_count, rules->audience, claims, out) != OUTCOME_OK)
		return out->status;
	return claims_check(claims, rules->issuer, rules->audience, rules->now_s, out);
}
