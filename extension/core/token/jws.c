/* JWS in compact form; see jws.h. */
#include "jws.h"

#include "base64url.h"
#include "json_object.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

enum { SIGNATURE_MOST = 512, DER_MOST = 80 };

/* ECDSA in JWS is r and s side by side (RFC 7518 section 3.4); OpenSSL has them in DER. */
static bool sides_of_der(const uint8_t *der, size_t count, uint8_t sides[2 * P256_BYTES])
{
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)count);
	bool done = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), sides, P256_BYTES) == P256_BYTES &&
	            BN_bn2binpad(ECDSA_SIG_get0_s(pair), sides + P256_BYTES, P256_BYTES) == P256_BYTES;

	ECDSA_SIG_free(pair);
	return done;
}

static bool der_of_sides(const uint8_t sides[2 * P256_BYTES], uint8_t der[DER_MOST], size_t *count)
{
	BIGNUM *r = BN_bin2bn(sides, P256_BYTES, NULL);
	BIGNUM *s = BN_bin2bn(sides + P256_BYTES, P256_BYTES, NULL);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	uint8_t *next = der;
	int length;

	if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(pair);
		return false;
	}
	length = i2d_ECDSA_SIG(pair, NULL);
	if (length > 0 && length <= DER_MOST)
		i2d_ECDSA_SIG(pair, &next);
	*count = length > 0 ? (size_t)length : 0;
	ECDSA_SIG_free(pair);
	return length > 0 && length <= DER_MOST;
}

static bool sign(const token_key *key, const char *text, size_t length,
                 uint8_t signature[SIGNATURE_MOST], size_t *count)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t raw[SIGNATURE_MOST];
	size_t raw_count = sizeof(raw);
	bool done = digest && EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	            EVP_DigestSign(digest, raw, &raw_count, (const uint8_t *)text, length) == 1;

	EVP_MD_CTX_free(digest);
	if (!done)
		return false;
	if (key->algorithm == KEY_ES256) {
		*count = (size_t)2 * P256_BYTES;
		return sides_of_der(raw, raw_count, signature);
	}
	memcpy(signature, raw, raw_count);
	*count = raw_count;
	return true;
}

outcome_status jws_sign(const token_key *key, const char *typ, const void *payload, size_t count,
                        char *text, size_t room, size_t *length, outcome *out)
{
	json_t *members = json_pack("{ss ss ss*}", "alg", key_algorithm_name(key->algorithm), "kid",
	                            key->kid, "typ", typ);
	uint8_t signature[SIGNATURE_MOST];
	size_t header_length, signature_count;
	char header[HEADER_MOST];

	*length = 0;
	if (key->algorithm == KEY_ECDH_ES_A256KW ||
	    !json_object_write(members, header, sizeof(header), &header_length) ||
	    !compact_add(text, room, length, false, header, header_length) ||
	    !compact_add(text, room, length, true, payload, count) ||
	    !sign(key, text, *length, signature, &signature_count) ||
	    !compact_add(text, room, length, true, signature, signature_count)) {
		ERR_clear_error();
		return outcome_set(out, OUTCOME_SOLVER_FAILED, NULL,
		                   "It is too long, or the key is not one that signs.",
		                   "could not sign a token");
	}
	return OUTCOME_OK;
}

outcome_status jws_open(const char *text, size_t length, jws *opened, const char **kid,
                        outcome *out)
{
	opened->header = NULL;
	if (!compact_split(text, length, 3, opened->parts))
		return token_refuse(out, "It is no JWS in compact form, or too long.");
	opened->header = compact_header(&opened->parts[0], out);
	if (!opened->header)
		return OUTCOME_BAD_INPUT;
	*kid = json_member(opened->header, "kid");
	return OUTCOME_OK;
}

void jws_close(jws *opened)
{
	json_decref(opened->header);
	opened->header = NULL;
}

/* The signed text is header and payload with the dot between them, as received. */
static bool signature_fits(const jws *opened, const token_key *key)
{
	const compact_part *last = &opened->parts[2];
	size_t signed_length = (size_t)(last->text - opened->parts[0].text) - 1, count, der_count;
	uint8_t signature[SIGNATURE_MOST], der[DER_MOST];
	const uint8_t *checked = signature;
	EVP_MD_CTX *digest;
	bool fits;

	if (!base64url_decode(last->text, last->length, signature, sizeof(signature), &count))
		return false;
	if (key->algorithm == KEY_ES256) {
		if (count != 2 * P256_BYTES || !der_of_sides(signature, der, &der_count))
			return false;
		checked = der;
		count = der_count;
	}
	digest = EVP_MD_CTX_new();
	fits = digest && EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(digest, checked, count, (const uint8_t *)opened->parts[0].text,
	                        signed_length) == 1;
	EVP_MD_CTX_free(digest);
	ERR_clear_error();
	return fits;
}

outcome_status jws_verify(const jws *opened, const token_key *key, const char *typ,
                          uint8_t *payload, size_t room, size_t *count, outcome *out)
{
	const compact_part *body = &opened->parts[1];

	if (key->algorithm == KEY_ECDH_ES_A256KW ||
	    !json_member_is(opened->header, "alg", key_algorithm_name(key->algorithm)))
		return token_refuse(out, "Its algorithm is not the signing key's.");
	if (json_object_get(opened->header, "kid") && !json_member_is(opened->header, "kid", key->kid))
		return token_refuse(out, "It names another signing key.");
	if (typ && !json_member_is(opened->header, "typ", typ))
		return token_refuse(out, "It is of another type.");
	if (!signature_fits(opened, key))
		return token_refuse(out, "Its signature is not right.");
	if (!base64url_decode(body->text, body->length, payload, room, count))
		return token_refuse(out, "Its payload is malformed or too long.");
	return OUTCOME_OK;
}

outcome_status jws_verify_object(const char *text, size_t length, const token_key *key,
                                 uint8_t *payload, size_t room, size_t *count, outcome *out)
{
	outcome_status status;
	const char *kid;
	json_t *object;
	jws opened;

	status = jws_open(text, length, &opened, &kid, out);
	if (status != OUTCOME_OK)
		return status;
	status = jws_verify(&opened, key, NULL, payload, room, count, out);
	jws_close(&opened);
	if (status != OUTCOME_OK)
		return status;
	object = json_object_read((const char *)payload, *count);
	if (!object)
		return token_refuse(out, "Its payload is no JSON object with one value a name.");
	json_decref(object);
	return OUTCOME_OK;
}
