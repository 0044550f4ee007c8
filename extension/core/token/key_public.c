/* Public keys in and out: JWK, PEM, thumbprints; see key.h. */
#include "key.h"

#include "base64url.h"
#include "json_object.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { RSA_LEAST_BITS = 2048, RSA_MOST_BITS = 4096, RSA_MOST_BYTES = RSA_MOST_BITS / 8 };

static outcome_status refuse(outcome *out, const char *reason)
{
	ERR_clear_error();
	return outcome_set(
	    out, OUTCOME_BAD_INPUT,
	    "Give the public part of an EC key on P-256, or of an RSA key of 2048 to 4096 bits.",
	    reason, "public key is not usable");
}

/* Builds a key of parameters that it frees; NULL where they make none. */
static EVP_PKEY *key_of(const char *kind, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *pkey = NULL;

	if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	ERR_clear_error();
	return pkey;
}

EVP_PKEY *key_of_point(const uint8_t x[P256_BYTES], const uint8_t y[P256_BYTES])
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t point[1 + 2 * P256_BYTES] = {4};

	memcpy(point + 1, x, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, y, P256_BYTES);
	if (!build ||
	    !OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point))) {
		OSSL_PARAM_BLD_free(build);
		return NULL;
	}
	return key_of("EC", build);
}

bool key_point(EVP_PKEY *pkey, uint8_t x[P256_BYTES], uint8_t y[P256_BYTES])
{
	BIGNUM *number_x = NULL, *number_y = NULL;
	bool done = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &number_x) == 1 &&
	            EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &number_y) == 1 &&
	            BN_bn2binpad(number_x, x, P256_BYTES) == P256_BYTES &&
	            BN_bn2binpad(number_y, y, P256_BYTES) == P256_BYTES;

	BN_free(number_x);
	BN_free(number_y);
	return done;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
	uint8_t modulus[RSA_MOST_BYTES], exponent[8];
	const char *n = json_member(jwk, "n"), *e = json_member(jwk, "e");
	OSSL_PARAM_BLD *build = NULL;
	BIGNUM *number_n = NULL, *number_e = NULL;
	size_t n_count, e_count;
	EVP_PKEY *pkey = NULL;

	if (!n || !e || !base64url_decode(n, strlen(n), modulus, sizeof(modulus), &n_count) ||
	    !base64url_decode(e, strlen(e), exponent, sizeof(exponent), &e_count))
		return NULL;
	number_n = BN_bin2bn(modulus, (int)n_count, NULL);
	number_e = BN_bin2bn(exponent, (int)e_count, NULL);
	build = OSSL_PARAM_BLD_new();
	if (number_n && number_e && build &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, number_n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, number_e))
		pkey = key_of("RSA", build);
	else
		OSSL_PARAM_BLD_free(build);
	BN_free(number_n);
	BN_free(number_e);
	return pkey;
}

/* Whether this kind of key may sign or be encrypted to, and which algorithm it then has. */
static outcome_status settle_algorithm(token_key *key, const char *alg, const char *use,
                                       outcome *out)
{
	bool encrypts = alg ? strcmp(alg, "ECDH-ES+A256KW") == 0 : use && strcmp(use, "enc") == 0;
	BIGNUM *exponent = NULL;
	char group[32] = "";

	if (EVP_PKEY_is_a(key->pkey, "EC")) {
		key->algorithm = encrypts ? KEY_ECDH_ES_A256KW : KEY_ES256;
		if (EVP_PKEY_get_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group,
		                                   sizeof(group), NULL) != 1 ||
		    strcmp(group, "prime256v1") != 0)
			return refuse(out, "The curve is not P-256.");
	} else if (EVP_PKEY_is_a(key->pkey, "RSA")) {
		bool good;

		key->algorithm = KEY_RS256;
		good = EVP_PKEY_get_bits(key->pkey) >= RSA_LEAST_BITS &&
		       EVP_PKEY_get_bits(key->pkey) <= RSA_MOST_BITS &&
		       EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
		       BN_is_odd(exponent) && BN_num_bits(exponent) >= 17 && BN_num_bits(exponent) <= 64;
		BN_free(exponent);
		if (!good)
			return refuse(out, "The RSA key has too few or too many bits, or a weak exponent.");
	} else {
		return refuse(out, "The key is neither EC nor RSA.");
	}
	if (alg && strcmp(alg, key_algorithm_name(key->algorithm)) != 0)
		return refuse(out, "Its alg does not fit this kind of key.");
	if (use && strcmp(use, key->algorithm == KEY_ECDH_ES_A256KW ? "enc" : "sig") != 0)
		return refuse(out, "Its use does not fit its alg.");
	return OUTCOME_OK;
}

static outcome_status read_jwk(const json_t *jwk, token_key *key, outcome *out)
{
	static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
	static const char *const texts[] = {"kty", "crv", "kid", "alg", "use"};
	const char *kid = json_member(jwk, "kid");
	outcome_status status;

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		if (json_object_get(jwk, secrets[i]))
			return refuse(out, "It has private or secret members.");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (json_object_get(jwk, texts[i]) && !json_member(jwk, texts[i]))
			return refuse(out, "One of kty, crv, kid, alg, use is no text.");
	if (kid && (kid[0] == '\0' || strlen(kid) >= KID_ROOM))
		return refuse(out, "Its kid is empty or longer than 128 bytes.");
	if (json_member_is(jwk, "kty", "EC") && json_member_is(jwk, "crv", "P-256")) {
		uint8_t x[P256_BYTES], y[P256_BYTES];

		if (json_member_bytes(jwk, "x", x, sizeof(x)) && json_member_bytes(jwk, "y", y, sizeof(y)))
			key->pkey = key_of_point(x, y);
	} else if (json_member_is(jwk, "kty", "RSA")) {
		key->pkey = rsa_key(jwk);
	} else {
		return refuse(out, "Its kty and crv are neither EC on P-256 nor RSA.");
	}
	if (!key->pkey)
		return refuse(out, "Its numbers are missing, malformed, or no point of the curve.");
	status = settle_algorithm(key, json_member(jwk, "alg"), json_member(jwk, "use"), out);
	if (status != OUTCOME_OK)
		return status;
	if (!kid)
		return key_thumbprint(key, key->kid, out);
	strcpy(key->kid, kid);
	return OUTCOME_OK;
}

outcome_status key_from_jwk(const char *json, size_t length, token_key *key, outcome *out)
{
	json_t *jwk = json_object_read(json, length);
	outcome_status status;

	*key = (token_key){.pkey = NULL};
	if (!jwk)
		return refuse(out, "It is no JSON object with one value a name.");
	status = read_jwk(jwk, key, out);
	json_decref(jwk);
	if (status != OUTCOME_OK)
		key_free(key);
	return status;
}

outcome_status key_from_pem(const char *pem, size_t length, token_key *key, outcome *out)
{
	BIO *memory = length <= JSON_OBJECT_MOST ? BIO_new_mem_buf(pem, (int)length) : NULL;
	outcome_status status;

	*key = (token_key){.pkey = NULL};
	if (memory)
		key->pkey = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
	BIO_free(memory);
	if (!key->pkey)
		return refuse(out, "It is no PEM text of a PUBLIC KEY.");
	status = settle_algorithm(key, NULL, NULL, out);
	if (status == OUTCOME_OK)
		status = key_thumbprint(key, key->kid, out);
	if (status != OUTCOME_OK)
		key_free(key);
	return status;
}

/* The members that a key is, in the order of RFC 7638, which jansson keeps. */
static json_t *essence(const token_key *key)
{
	if (key->algorithm == KEY_RS256) {
		char text[2][BASE64URL_LENGTH(RSA_MOST_BYTES) + 1];
		static const char *const parameter[2] = {OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_N};

		for (int i = 0; i < 2; i++) {
			uint8_t bytes[RSA_MOST_BYTES];
			BIGNUM *number = NULL;
			int count = 0;

			if (EVP_PKEY_get_bn_param(key->pkey, parameter[i], &number) == 1 &&
			    BN_num_bytes(number) <= RSA_MOST_BYTES)
				count = BN_bn2bin(number, bytes);
			BN_free(number);
			base64url_encode(bytes, (size_t)count, text[i]);
		}
		return json_pack("{ss ss ss}", "e", text[0], "kty", "RSA", "n", text[1]);
	} else {
		char text_x[BASE64URL_LENGTH(P256_BYTES) + 1], text_y[BASE64URL_LENGTH(P256_BYTES) + 1];
		uint8_t x[P256_BYTES], y[P256_BYTES];

		if (!key_point(key->pkey, x, y))
			return NULL;
		base64url_encode(x, sizeof(x), text_x);
		base64url_encode(y, sizeof(y), text_y);
		return json_pack("{ss ss ss ss}", "crv", "P-256", "kty", "EC", "x", text_x, "y", text_y);
	}
}

outcome_status key_thumbprint(const token_key *key, char kid[KID_ROOM], outcome *out)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char text[JWK_ROOM];
	unsigned count;
	size_t length;

	if (!json_object_write(essence(key), text, sizeof(text), &length) ||
	    EVP_Digest(text, length, hash, &count, EVP_sha256(), NULL) != 1)
		return refuse(out, "Its thumbprint could not be computed.");
	base64url_encode(hash, count, kid);
	return OUTCOME_OK;
}

outcome_status key_public_jwk(const token_key *key, char jwk[JWK_ROOM], outcome *out)
{
	json_t *members = essence(key);
	size_t length;

	if (members) {
		json_object_set_new(members, "kid", json_string(key->kid));
		json_object_set_new(members, "alg", json_string(key_algorithm_name(key->algorithm)));
		json_object_set_new(members, "use",
		                    json_string(key->algorithm == KEY_ECDH_ES_A256KW ? "enc" : "sig"));
	}
	if (!json_object_write(members, jwk, JWK_ROOM, &length))
		return refuse(out, "It could not be written as a JWK.");
	return OUTCOME_OK;
}
