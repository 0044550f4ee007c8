/* Nested tokens (DESIGN.md section 8): what is sealed opens, and nothing else does. */
#include "../../extension/core/token/base64url.h"
#include "../../extension/core/token/jwe.h"
#include "../../extension/core/token/jws.h"
#include "../../extension/core/token/nested.h"
#include "tap.h"

#include <openssl/hmac.h>
#include <stdlib.h>

enum { JSON_MOST = 4096 };

static const int64_t NOW = 1800000000;

/* The market controller's key, the database service's, and a stranger's of each kind. */
static token_key signs, decrypts, other_signs, other_decrypts;

static const token_claims example = {.iss = "market",
                                     .sub = "owner-1",
                                     .aud = "database",
                                     .client_id = "service-1",
                                     .jti = "1",
                                     .scope = "read_mainmeter_hourly",
                                     .iat = 1799999990,
                                     .nbf = 1799999990,
                                     .exp = 1800003600};

static const token_key *find(void *ring, bool wants_signs, const char *kid)
{
	const token_key *key = wants_signs ? &signs : &decrypts;

	(void)ring;
	return strcmp(key->kid, kid) == 0 ? key : NULL;
}

static const token_rules rules = {
    .issuer = "market", .audience = "database", .now_s = NOW, .find = find};

static bool opens(const char *token, size_t length)
{
	token_claims claims;
	outcome out;

	return nested_open(token, length, &rules, &claims, &out) == OUTCOME_OK;
}

static bool opens_whole(const char *token)
{
	return opens(token, strlen(token));
}

/* Refused, and for this reason. */
static bool refused(const char *token, const char *reason)
{
	token_claims claims;
	outcome out = {.detail = ""};

	if (nested_open(token, strlen(token), &rules, &claims, &out) == OUTCOME_OK ||
	    !strstr(out.detail, reason)) {
		printf("# detail: %s\n", out.detail);
		return false;
	}
	return true;
}

static char *sealed(const token_claims *claims, const token_key *by, const token_key *to)
{
	static char token[TOKEN_MOST + 1];
	size_t length;
	outcome out;

	if (nested_seal(claims, by, to, token, sizeof(token), &length, &out) != OUTCOME_OK)
		abort();
	return token;
}

/* Any inner text, encrypted to the database service. */
static char *around(const char *inner)
{
	static char token[TOKEN_MOST + 1];
	size_t length;
	outcome out;

	if (jwe_encrypt(&decrypts, "JWT", inner, strlen(inner), token, sizeof(token), &length, &out) !=
	    OUTCOME_OK)
		abort();
	return token;
}

/* Claims as any JSON, rightly signed with the given typ, rightly encrypted. */
static char *of_json(const char *json, const char *typ)
{
	char inner[TOKEN_MOST + 1];
	size_t length;
	outcome out;

	if (jws_sign(&signs, typ, json, strlen(json), inner, sizeof(inner), &length, &out) !=
	    OUTCOME_OK)
		abort();
	return around(inner);
}

static void check_opens(void)
{
	token_claims claims;
	const char *token = sealed(&example, &signs, &decrypts);
	outcome out;

	ok(nested_open(token, strlen(token), &rules, &claims, &out) == OUTCOME_OK &&
	       memcmp(&claims.iat, &example.iat, 3 * sizeof(int64_t)) == 0 &&
	       strcmp(claims.scope, example.scope) == 0 && strcmp(claims.sub, example.sub) == 0 &&
	       strcmp(claims.client_id, example.client_id) == 0 && strcmp(claims.jti, example.jti) == 0,
	   "what is sealed opens with all its claims");
	ok(!strstr(token, "b3duZXIt") && !strstr(token, "owner"), "and is not to be read on the way");
}

static void check_flips(void)
{
	char token[TOKEN_MOST + 1], inner[TOKEN_MOST + 1];
	size_t length, json_length;
	char json[JSON_MOST];
	int accepted = 0;
	outcome out;

	strcpy(token, sealed(&example, &signs, &decrypts));
	length = strlen(token);
	for (size_t i = 0; i < length; i++)
		for (int bit = 0; bit < 8; bit++) {
			token[i] ^= (char)(1 << bit);
			accepted += opens(token, length);
			token[i] ^= (char)(1 << bit);
		}
	ok(accepted == 0 && opens(token, length), "of %zu flipped bits none is accepted", length * 8);
	claims_write(&example, json, sizeof(json), &json_length, &out);
	jws_sign(&signs, "at+jwt", json, json_length, inner, sizeof(inner), &length, &out);
	for (size_t i = 0; i < length; i++) {
		inner[i] ^= (char)(1 << i % 7);
		if (inner[i] != '\0')
			accepted += opens_whole(around(inner));
		inner[i] ^= (char)(1 << i % 7);
	}
	ok(accepted == 0 && opens_whole(around(inner)),
	   "nor one in any of %zu bytes of the inner token", length);
}

static void check_shapes(void)
{
	char token[TOKEN_MOST + 100];
	size_t length, accepted = 0;

	strcpy(token, sealed(&example, &signs, &decrypts));
	length = strlen(token);
	for (size_t i = 0; i < length; i++)
		accepted += opens(token, i);
	ok(accepted == 0, "of all beginnings of a token none is accepted");
	for (const char *more = "=. \nA"; *more; more++) {
		token[length] = *more;
		accepted += opens(token, length + 1);
	}
	ok(accepted == 0, "nor one with a padding, a dot, a space, a newline, a letter at its end");
	memset(token, 'A', sizeof(token));
	ok(!opens(token, TOKEN_MOST + 1), "nor one beyond the size limit");
	ok(refused("{\"payload\":\"e30\",\"signatures\":[]}", "compact form"),
	   "JSON serialisation is none");
}

static void check_keys(void)
{
	ok(refused(sealed(&example, &other_signs, &decrypts), "signed by no key"),
	   "a stranger's signature is refused");
	strcpy(other_signs.kid, signs.kid);
	ok(refused(sealed(&example, &other_signs, &decrypts), "signature is not right"),
	   "... under the name of the right key, too");
	ok(refused(sealed(&example, &signs, &other_decrypts), "to no key"),
	   "one that is encrypted to a stranger is refused");
	strcpy(other_decrypts.kid, decrypts.kid);
	ok(refused(sealed(&example, &signs, &other_decrypts), "could not be decrypted"),
	   "... under the name of the right key, too");
}

static void check_claims(void)
{
	token_claims claims = example;

	strcpy(claims.iss, "other");
	ok(refused(sealed(&claims, &signs, &decrypts), "another issuer"), "another issuer's");
	claims = example;
	strcpy(claims.aud, "other");
	ok(refused(sealed(&claims, &signs, &decrypts), "another audience"), "another audience's");
	claims = example;
	claims.exp = NOW;
	ok(refused(sealed(&claims, &signs, &decrypts), "expired"), "expired this second");
	claims.exp = NOW + 1;
	ok(opens_whole(sealed(&claims, &signs, &decrypts)), "not expired before");
	claims = example;
	claims.nbf = NOW + CLAIM_LEEWAY_S;
	ok(opens_whole(sealed(&claims, &signs, &decrypts)),
	   "the issuer's clock may be ahead by the leeway");
	claims.nbf++;
	ok(refused(sealed(&claims, &signs, &decrypts), "not hold yet"), "and no second more");
	claims = example;
	claims.iat = NOW + CLAIM_LEEWAY_S + 1;
	ok(refused(sealed(&claims, &signs, &decrypts), "not hold yet"), "issued in the future");
}

#define CLAIMS_BUT_AUD                                                                             \
	"\"iss\":\"market\",\"sub\":\"o\",\"client_id\":\"c\",\"scope\":\"read_home\",\"iat\":1,"      \
	"\"nbf\":1,\"exp\":1800003600,\"jti\":\"1\""

static void check_json(void)
{
	char deep[JSON_MOST];
	const char *token;

	token = of_json("{" CLAIMS_BUT_AUD ",\"aud\":\"database\",\"more\":[1]}", "at+jwt");
	ok(opens(token, strlen(token)), "claims that we do not know are passed over");
	token = of_json("{" CLAIMS_BUT_AUD ",\"aud\":[\"x\",\"database\"]}", "at+jwt");
	ok(opens(token, strlen(token)), "an audience may be one of several");
	ok(refused(of_json("{" CLAIMS_BUT_AUD ",\"aud\":[\"x\"]}", "at+jwt"), "audience"),
	   "but must be among them");
	ok(refused(of_json("{" CLAIMS_BUT_AUD "}", "at+jwt"), "A claim is missing"), "a missing claim");
	ok(refused(of_json("{" CLAIMS_BUT_AUD ",\"aud\":\"database\",\"sub\":\"p\"}", "at+jwt"),
	           "one value a name"),
	   "a claim twice");
	ok(refused(of_json("{" CLAIMS_BUT_AUD ",\"aud\":\"database\"} ", "JWT"), "another type"),
	   "a signed JWT that is no access token");
	ok(refused(of_json("{" CLAIMS_BUT_AUD ",\"aud\":\"database\"}", NULL), "another type"),
	   "one without a type");
	ok(refused(of_json("[" CLAIMS_BUT_AUD "]", "at+jwt"), "no JSON object"), "no object");
	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "{\"x\":", 5);
	deep[sizeof(deep) - 1] = '\0';
	ok(refused(of_json(deep, "at+jwt"), "no JSON object"), "JSON that is only deep");
}

/* An unsigned or wrongly signed inner token with this header. */
static char *with_header(const char *header, const char *hmac_key)
{
	static const char json[] = "{" CLAIMS_BUT_AUD ",\"aud\":\"database\"}";
	char inner[TOKEN_MOST + 1];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned count = 0;
	size_t length = 0;

	compact_add(inner, sizeof(inner), &length, false, header, strlen(header));
	compact_add(inner, sizeof(inner), &length, true, json, strlen(json));
	if (hmac_key)
		HMAC(EVP_sha256(), hmac_key, (int)strlen(hmac_key), (uint8_t *)inner, length, digest,
		     &count);
	compact_add(inner, sizeof(inner), &length, true, digest, count);
	return around(inner);
}

static void check_confusion(void)
{
	char header[HEADER_MOST], jwk[JWK_ROOM];
	outcome out;

	key_public_jwk(&signs, jwk, &out);
	snprintf(header, sizeof(header), "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
	         signs.kid);
	ok(refused(with_header(header, NULL), "not the signing key's"), "alg none");
	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
	         signs.kid);
	ok(refused(with_header(header, jwk), "not the signing key's"), "HS256 with the public key");
	snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
	         signs.kid);
	ok(refused(with_header(header, NULL), "not the signing key's"), "RS256 by an EC key");
	ok(refused(with_header("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", NULL), "signed by no key"),
	   "no kid");
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
	         signs.kid);
	ok(refused(with_header(header, NULL), "signature is not right"), "an empty signature");
	snprintf(header, sizeof(header),
	         "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", signs.kid);
	ok(refused(with_header(header, NULL), "extension"), "a critical extension");
	ok(refused(with_header("{\"alg\":\"ES256\",\"alg\":\"none\"}", NULL), "malformed"),
	   "a header member twice");
	ok(refused(with_header("{\"alg\":[\"ES256\"]}", NULL), "malformed"), "alg as a list");
}

/* A right token whose outer header is another: whatever comes after is refused by it. */
static char *outer_header(const char *header)
{
	static char token[2 * TOKEN_MOST];
	const char *rest = strchr(sealed(&example, &signs, &decrypts), '.');
	size_t length = 0;

	compact_add(token, sizeof(token), &length, false, header, strlen(header));
	strcpy(token + length, rest);
	return token;
}

static void check_outer_headers(void)
{
	static const char point[] = "\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
	                            "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	                            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}";
	char header[HEADER_MOST];

	ok(refused(outer_header("{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}"),
	           "compression"),
	   "a compressed JWE");
	snprintf(header, sizeof(header), "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"%s\"}",
	         decrypts.kid);
	ok(refused(outer_header(header), "encryption is not"), "another key agreement");
	snprintf(header, sizeof(header),
	         "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A128CBC-HS256\",\"kid\":\"%s\"}", decrypts.kid);
	ok(refused(outer_header(header), "encryption is not"), "another content encryption");
	snprintf(header, sizeof(header),
	         "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"kid\":\"%s\",%s}", decrypts.kid,
	         point);
	ok(refused(outer_header(header), "of another type"), "no nested token");
	snprintf(header, sizeof(header),
	         "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"%s\",%s}",
	         decrypts.kid, point);
	ok(refused(outer_header(header), "could not be decrypted"), "an ephemeral key off the curve");
	ok(key_of_point((const uint8_t *)"01234567890123456789012345678901",
	                (const uint8_t *)"01234567890123456789012345678901") == NULL,
	   "... is no key at all, so nothing is multiplied by it");
}

int main(void)
{
	outcome out;

	key_generate(KEY_ES256, &signs, &out);
	key_generate(KEY_ECDH_ES_A256KW, &decrypts, &out);
	key_generate(KEY_ES256, &other_signs, &out);
	key_generate(KEY_ECDH_ES_A256KW, &other_decrypts, &out);
	check_opens();
	check_flips();
	check_shapes();
	check_keys();
	check_claims();
	check_json();
	check_confusion();
	check_outer_headers();
	key_free(&signs);
	key_free(&decrypts);
	key_free(&other_signs);
	key_free(&other_decrypts);
	return tap_done();
}
