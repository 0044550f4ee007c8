/*
 * Any bytes as a part of a token, which the first byte says: the whole (T), the outer header with
 * the rest of a right token (H), the inner token rightly encrypted (I), the claims rightly signed
 * and encrypted (C), a public key (K). The keys are made at the start, so nothing but claims can be
 * right; whatever is refused has its reason, and claims that are accepted hold.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../extension/core/token/jwe.h"
#include "../../extension/core/token/jws.h"
#include "../../extension/core/token/nested.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static token_key signs, decrypts;

/* A header may name no key, so that any kid reaches the layer below. */
static const token_key *find(void *ring, bool wants_signs, const char *kid)
{
	(void)ring;
	(void)kid;
	return wants_signs ? &signs : &decrypts;
}

static const token_rules rules = {
    .issuer = "market", .audience = "database", .now_s = 1800000000, .find = find};

static bool opens(const char *token, size_t length, token_claims *claims)
{
	outcome out = {.detail = ""};

	if (nested_open(token, length, &rules, claims, &out) == OUTCOME_OK)
		return true;
	if (out.detail[0] == '\0')
		abort();
	return false;
}

static void check_header(const char *header, size_t size)
{
	static const token_claims right = {.iss = "market",
	                                   .sub = "o",
	                                   .aud = "database",
	                                   .client_id = "c",
	                                   .jti = "1",
	                                   .scope = "read_home",
	                                   .exp = 1800003600};
	char token[TOKEN_MOST + 1], other[TOKEN_MOST + 1];
	size_t length, other_length = 0;
	const char *rest;
	token_claims claims;
	outcome out;

	if (nested_seal(&right, &signs, &decrypts, token, sizeof(token), &length, &out) != OUTCOME_OK)
		abort();
	rest = strchr(token, '.');
	if (!compact_add(other, sizeof(other), &other_length, false, header, size) ||
	    other_length + strlen(rest) >= sizeof(other))
		return;
	strcpy(other + other_length, rest);
	if (opens(other, strlen(other), &claims))
		abort();
}

static void check_inner(const char *inner, size_t size)
{
	char token[TOKEN_MOST + 1];
	token_claims claims;
	size_t length;
	outcome out;

	if (jwe_encrypt(&decrypts, "JWT", inner, size, token, sizeof(token), &length, &out) ==
	        OUTCOME_OK &&
	    opens(token, length, &claims))
		abort();
}

static void check_claims(const char *json, size_t size)
{
	char inner[TOKEN_MOST + 1], token[TOKEN_MOST + 1];
	token_claims claims;
	size_t length;
	outcome out;

	if (jws_sign(&signs, "at+jwt", json, size, inner, sizeof(inner), &length, &out) != OUTCOME_OK ||
	    jwe_encrypt(&decrypts, "JWT", inner, length, token, sizeof(token), &length, &out) !=
	        OUTCOME_OK ||
	    !opens(token, length, &claims))
		return;
	if (strcmp(claims.iss, "market") != 0 || strcmp(claims.aud, "database") != 0 ||
	    claims.exp <= rules.now_s || claims.nbf > rules.now_s + CLAIM_LEEWAY_S ||
	    claims.sub[0] == '\0' || claims.jti[0] == '\0' || claims.scope[0] == '\0')
		abort();
}

static void check_key(const char *jwk, size_t size)
{
	token_key key, again;
	char written[JWK_ROOM];
	outcome out = {.detail = ""};

	if (key_from_jwk(jwk, size, &key, &out) != OUTCOME_OK) {
		if (out.detail[0] == '\0' || key.pkey)
			abort();
		return;
	}
	if (key_public_jwk(&key, written, &out) != OUTCOME_OK ||
	    key_from_jwk(written, strlen(written), &again, &out) != OUTCOME_OK ||
	    strcmp(key.kid, again.kid) != 0 || key.algorithm != again.algorithm)
		abort();
	key_free(&again);
	key_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes + 1;
	token_claims claims;
	outcome out;

	if (!signs.pkey && (key_generate(KEY_ES256, &signs, &out) != OUTCOME_OK ||
	                    key_generate(KEY_ECDH_ES_A256KW, &decrypts, &out) != OUTCOME_OK))
		abort();
	if (size == 0)
		return 0;
	if (bytes[0] == 'H')
		check_header(text, size - 1);
	else if (bytes[0] == 'I')
		check_inner(text, size - 1);
	else if (bytes[0] == 'C')
		check_claims(text, size - 1);
	else if (bytes[0] == 'K')
		check_key(text, size - 1);
	else if (opens(text, size - 1, &claims))
		abort();
	return 0;
}
