/*
 * Nested tokens verified per second and core: ours beside libjose (both layers) and libjwt (the
 * signature alone; it has no encryption), on the same keys and claims in the same run, taking
 * turns.
 */
#include "../../extension/core/limits.h"
#include "../../extension/core/token/base64url.h"
#include "../../extension/core/token/jws.h"
#include "../../extension/core/token/nested.h"

#include <jose/b64.h>
#include <jose/jwe.h>
#include <jose/jws.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20, TURN = 50 };

static const token_claims claims = {.iss = "urn:smarthg:market",
                                    .sub = "4b2c1a90-6d3e-4a51-9c3f-1d2e3f405162",
                                    .aud = "urn:smarthg:database",
                                    .client_id = "service-1",
                                    .jti = "0c7f6a1e-8d2b-4c5a-9e1f-a1b2c3d4e5f6",
                                    .scope = "read_mainmeter_15min read_appliance_top3_daily",
                                    .exp = 4000000000};

static token_key signs, decrypts;
static char token[TOKEN_MOST + 1], plain_jws[TOKEN_MOST + 1], pem[1000];
static size_t token_length;
static json_t *sign_jwk, *decrypt_jwk;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static const token_key *find(void *ring, bool wants_signs, const char *kid)
{
	(void)ring;
	(void)kid;
	return wants_signs ? &signs : &decrypts;
}

static void by_us(void)
{
	static const token_rules rules = {.issuer = "urn:smarthg:market",
	                                  .audience = "urn:smarthg:database",
	                                  .now_s = 1800000000,
	                                  .find = find};
	token_claims found;
	outcome out;

	must(nested_open(token, token_length, &rules, &found, &out) == OUTCOME_OK, "our verification");
}

/* The compact form as the JSON that libjose works on. */
static json_t *members(char *text, const char *const *names, int count)
{
	json_t *object = json_object();

	for (int i = 0; i < count; i++) {
		char *dot = strchr(text, '.');

		if (dot)
			*dot = '\0';
		json_object_set_new(object, names[i], json_string(text));
		if (dot)
			text = dot + 1;
	}
	return object;
}

static void by_libjose(void)
{
	static const char *const outer_names[] = {"protected", "encrypted_key", "iv", "ciphertext",
	                                          "tag"};
	static const char *const inner_names[] = {"protected", "payload", "signature"};
	char copy[TOKEN_MOST + 1];
	json_t *outer, *inner;
	size_t count = 0; /* libjose appends at it */
	char *text;

	strcpy(copy, token);
	outer = members(copy, outer_names, 5);
	text = jose_jwe_dec(NULL, outer, NULL, decrypt_jwk, &count);
	must(text != NULL && count < sizeof(copy), "libjose's decryption");
	memcpy(copy, text, count);
	copy[count] = '\0';
	inner = members(copy, inner_names, 3);
	must(jose_jws_ver(NULL, inner, NULL, sign_jwk, false), "libjose's verification");
	free(text);
	json_decref(inner);
	json_decref(outer);
}

static void by_libjwt(void)
{
	jwt_t *jwt;

	must(jwt_decode(&jwt, plain_jws, (unsigned char *)pem, (int)strlen(pem)) == 0,
	     "libjwt's verification");
	jwt_free(jwt);
}

static json_t *jwk_of(const token_key *key, bool private)
{
	char text[JWK_ROOM];
	json_t *jwk;
	outcome out;

	must(key_public_jwk(key, text, &out) == OUTCOME_OK, "a JWK");
	jwk = json_loads(text, 0, NULL);
	if (private) {
		char encoded[BASE64URL_LENGTH(P256_BYTES) + 1];
		uint8_t bytes[P256_BYTES];
		BIGNUM *number = NULL;

		EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &number);
		BN_bn2binpad(number, bytes, sizeof(bytes));
		BN_free(number);
		base64url_encode(bytes, sizeof(bytes), encoded);
		json_object_set_new(jwk, "d", json_string(encoded));
		json_object_del(jwk, "use");
	}
	return jwk;
}

static void prepare(void)
{
	char json[4096];
	BIO *memory = BIO_new(BIO_s_mem());
	size_t length;
	outcome out;
	int count;

	must(key_generate(KEY_ES256, &signs, &out) == OUTCOME_OK &&
	         key_generate(KEY_ECDH_ES_A256KW, &decrypts, &out) == OUTCOME_OK &&
	         nested_seal(&claims, &signs, &decrypts, token, sizeof(token), &token_length, &out) ==
	             OUTCOME_OK &&
	         claims_write(&claims, json, sizeof(json), &length, &out) == OUTCOME_OK &&
	         jws_sign(&signs, "JWT", json, length, plain_jws, sizeof(plain_jws), &length, &out) ==
	             OUTCOME_OK,
	     "making tokens");
	PEM_write_bio_PUBKEY(memory, signs.pkey);
	count = BIO_read(memory, pem, sizeof(pem) - 1);
	must(count > 0, "a PEM");
	pem[count] = '\0';
	BIO_free(memory);
	sign_jwk = jwk_of(&signs, false);
	decrypt_jwk = jwk_of(&decrypts, true);
}

int main(void)
{
	static void (*const ways[])(void) = {by_us, by_libjose, by_libjwt};
	static const char *const names[] = {"ours, both layers", "libjose, both layers",
	                                    "libjwt, signature alone"};
	double spent[3] = {0};

	prepare();
	for (int round = 0; round < ROUNDS; round++)
		for (int way = 0; way < 3; way++) {
			double began = clock_seconds();

			for (int i = 0; i < TURN; i++)
				ways[way]();
			spent[way] += clock_seconds() - began;
		}
	for (int way = 0; way < 3; way++)
		printf("%-24s %8.1f us a token %8.0f tokens/s\n", names[way],
		       1e6 * spent[way] / (ROUNDS * TURN), ROUNDS * TURN / spent[way]);
	json_decref(sign_jwk);
	json_decref(decrypt_jwk);
	key_free(&signs);
	key_free(&decrypts);
	return 0;
}
