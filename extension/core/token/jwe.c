/* JWE in compact form; see jwe.h. */
#include "jwe.h"

#include "aes_gcm.h"
#include "base64url.h"
#include "json_object.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

enum { KEY_BYTES = 32, WRAPPED_BYTES = 40, PLAIN_MOST = TOKEN_MOST };

static const char algorithm[] = "ECDH-ES+A256KW";

static uint8_t *add_number(uint8_t *next, size_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*next++ = (uint8_t)(number >> shift);
	return next;
}

static uint8_t *add_field(uint8_t *next, const void *bytes, size_t count)
{
	next = add_number(next, count);
	if (count > 0)
		memcpy(next, bytes, count);
	return next + count;
}

bool jwe_derive(const uint8_t shared[P256_BYTES], const jwe_info *info, int bits, uint8_t key[32])
{
	uint8_t message[5 * 4 + P256_BYTES + JWE_ALGORITHM_MOST + 2 * JWE_INFO_MOST];
	uint8_t hash[EVP_MAX_MD_SIZE], *next = add_number(message, 1);
	bool done = false;

	if (strlen(info->algorithm) > JWE_ALGORITHM_MOST || info->apu_count > JWE_INFO_MOST ||
	    info->apv_count > JWE_INFO_MOST || bits > 256)
		return false;
	memcpy(next, shared, P256_BYTES);
	next = add_field(next + P256_BYTES, info->algorithm, strlen(info->algorithm));
	next = add_field(next, info->apu, info->apu_count);
	next = add_field(next, info->apv, info->apv_count);
	next = add_number(next, (size_t)bits);
	if (EVP_Digest(message, (size_t)(next - message), hash, NULL, EVP_sha256(), NULL) == 1) {
		memcpy(key, hash, (size_t)bits / 8);
		done = true;
	}
	OPENSSL_cleanse(message, sizeof(message));
	OPENSSL_cleanse(hash, sizeof(hash));
	return done;
}

/* The x of the product of one's private and the other's public key. The other's point is known to
 * be on the curve, and P-256 has no small subgroups, so OpenSSL's own check would cost a second
 * multiplication for nothing. */
static bool share(EVP_PKEY *own, EVP_PKEY *other, uint8_t shared[P256_BYTES])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
	size_t count = P256_BYTES;
	bool done = context && EVP_PKEY_derive_init(context) == 1 &&
	            EVP_PKEY_derive_set_peer_ex(context, other, 0) == 1 &&
	            EVP_PKEY_derive(context, shared, &count) == 1 && count == P256_BYTES;

	EVP_PKEY_CTX_free(context);
	return done;
}

/* AES key wrap (RFC 3394) of a content key, or back. */
static bool key_wrapping(bool wrap, const uint8_t by[KEY_BYTES], const uint8_t *from, int count,
                         uint8_t *to, int wanted)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int made = 0;
	bool done;

	if (cipher)
		EVP_CIPHER_CTX_set_flags(cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	done = cipher && EVP_CipherInit_ex(cipher, EVP_aes_256_wrap(), NULL, by, NULL, wrap) == 1 &&
	       EVP_CipherUpdate(cipher, to, &made, from, count) == 1 && made == wanted;
	EVP_CIPHER_CTX_free(cipher);
	return done;
}

static bool write_header(const token_key *key, const char *cty, EVP_PKEY *ephemeral,
                         char header[HEADER_MOST], size_t *length)
{
	char text_x[BASE64URL_LENGTH(P256_BYTES) + 1], text_y[BASE64URL_LENGTH(P256_BYTES) + 1];
	uint8_t x[P256_BYTES], y[P256_BYTES];

	if (!key_point(ephemeral, x, y))
		return false;
	base64url_encode(x, sizeof(x), text_x);
	base64url_encode(y, sizeof(y), text_y);
	return json_object_write(json_pack("{ss ss ss ss ss s{ss ss ss ss}}", "alg", algorithm, "enc",
	                                   "A256GCM", "kid", key->kid, "typ", "JWT", "cty", cty, "epk",
	                                   "kty", "EC", "crv", "P-256", "x", text_x, "y", text_y),
	                         header, HEADER_MOST, length);
}

outcome_status jwe_encrypt(const token_key *key, const char *cty, const void *plain, size_t count,
                           char *text, size_t room, size_t *length, outcome *out)
{
	EVP_PKEY *ephemeral = key->algorithm == KEY_ECDH_ES_A256KW ? EVP_EC_gen("P-256") : NULL;
	uint8_t shared[P256_BYTES], wrapping[KEY_BYTES], content_key[KEY_BYTES], wrapped[WRAPPED_BYTES];
	uint8_t iv[AES_GCM_IV], tag[AES_GCM_TAG], sealed[PLAIN_MOST];
	static const jwe_info info = {.algorithm = algorithm};
	char header[HEADER_MOST];
	size_t header_length;
	bool done;

	*length = 0;
	done =
	    ephemeral && count <= sizeof(sealed) &&
	    write_header(key, cty, ephemeral, header, &header_length) &&
	    share(ephemeral, key->pkey, shared) && jwe_derive(shared, &info, 256, wrapping) &&
	    RAND_priv_bytes(content_key, sizeof(content_key)) == 1 && RAND_bytes(iv, sizeof(iv)) == 1 &&
	    key_wrapping(true, wrapping, content_key, sizeof(content_key), wrapped, sizeof(wrapped)) &&
	    compact_add(text, room, length, false, header, header_length) &&
	    aes_gcm_seal(content_key, iv, text, *length, plain, count, sealed, tag) &&
	    compact_add(text, room, length, true, wrapped, sizeof(wrapped)) &&
	    compact_add(text, room, length, true, iv, sizeof(iv)) &&
	    compact_add(text, room, length, true, sealed, count) &&
	    compact_add(text, room, length, true, tag, sizeof(tag));
	EVP_PKEY_free(ephemeral);
	OPENSSL_cleanse(shared, sizeof(shared));
	OPENSSL_cleanse(wrapping, sizeof(wrapping));
	OPENSSL_cleanse(content_key, sizeof(content_key));
	if (!done) {
		ERR_clear_error();
		return outcome_set(out, OUTCOME_SOLVER_FAILED, NULL,
		                   "It is too long, or the key is not one to encrypt to.",
		                   "could not encrypt a token");
	}
	return OUTCOME_OK;
}

outcome_status jwe_open(const char *text, size_t length, jwe *opened, const char **kid,
                        outcome *out)
{
	opened->header = NULL;
	if (!compact_split(text, length, COMPACT_PARTS, opened->parts))
		return token_refuse(out, "It is no JWE in compact form, or too long.");
	opened->header = compact_header(&opened->parts[0], out);
	if (!opened->header)
		return OUTCOME_BAD_INPUT;
	*kid = json_member(opened->header, "kid");
	return OUTCOME_OK;
}

void jwe_close(jwe *opened)
{
	json_decref(opened->header);
	opened->header = NULL;
}

static bool read_info(const json_t *header, const char *name, uint8_t bytes[JWE_INFO_MOST],
                      size_t *count)
{
	const char *text = json_member(header, name);

	*count = 0;
	return !text || base64url_decode(text, strlen(text), bytes, JWE_INFO_MOST, count);
}

/* The key that wraps the content key, from the header's ephemeral key and one's own. */
static bool agree(const json_t *header, const token_key *key, uint8_t wrapping[KEY_BYTES])
{
	const json_t *epk = json_object_get(header, "epk");
	uint8_t x[P256_BYTES], y[P256_BYTES], shared[P256_BYTES];
	uint8_t apu[JWE_INFO_MOST], apv[JWE_INFO_MOST];
	jwe_info info = {.algorithm = algorithm, .apu = apu, .apv = apv};
	EVP_PKEY *ephemeral;
	bool done;

	if (!json_member_is(epk, "kty", "EC") || !json_member_is(epk, "crv", "P-256") ||
	    json_object_get(epk, "d") || !json_member_bytes(epk, "x", x, sizeof(x)) ||
	    !json_member_bytes(epk, "y", y, sizeof(y)) ||
	    !read_info(header, "apu", apu, &info.apu_count) ||
	    !read_info(header, "apv", apv, &info.apv_count))
		return false;
	ephemeral = key_of_point(x, y);
	done = ephemeral && share(key->pkey, ephemeral, shared) &&
	       jwe_derive(shared, &info, 256, wrapping);
	EVP_PKEY_free(ephemeral);
	OPENSSL_cleanse(shared, sizeof(shared));
	return done;
}

static bool decrypt(const jwe *opened, const token_key *key, uint8_t *plain, size_t room,
                    size_t *count)
{
	const compact_part *parts = opened->parts;
	uint8_t wrapping[KEY_BYTES], content_key[KEY_BYTES], wrapped[WRAPPED_BYTES];
	uint8_t iv[AES_GCM_IV], tag[AES_GCM_TAG], sealed[PLAIN_MOST];
	size_t wrapped_count, iv_count, tag_count;
	bool done =
	    base64url_decode(parts[1].text, parts[1].length, wrapped, sizeof(wrapped),
	                     &wrapped_count) &&
	    base64url_decode(parts[2].text, parts[2].length, iv, sizeof(iv), &iv_count) &&
	    base64url_decode(parts[3].text, parts[3].length, sealed, sizeof(sealed), count) &&
	    base64url_decode(parts[4].text, parts[4].length, tag, sizeof(tag), &tag_count) &&
	    wrapped_count == sizeof(wrapped) && iv_count == sizeof(iv) && tag_count == sizeof(tag) &&
	    *count <= room && agree(opened->header, key, wrapping) &&
	    key_wrapping(false, wrapping, wrapped, sizeof(wrapped), content_key, sizeof(content_key)) &&
	    aes_gcm_open(content_key, iv, parts[0].text, parts[0].length, sealed, *count, tag, plain);

	OPENSSL_cleanse(wrapping, sizeof(wrapping));
	OPENSSL_cleanse(content_key, sizeof(content_key));
	return done;
}

outcome_status jwe_decrypt(const jwe *opened, const token_key *key, const char *cty, uint8_t *plain,
                           size_t room, size_t *count, outcome *out)
{
	const json_t *header = opened->header;

	if (key->algorithm != KEY_ECDH_ES_A256KW || !json_member_is(header, "alg", algorithm) ||
	    !json_member_is(header, "enc", "A256GCM"))
		return token_refuse(out, "Its encryption is not ECDH-ES+A256KW with A256GCM.");
	if (json_object_get(header, "kid") && !json_member_is(header, "kid", key->kid))
		return token_refuse(out, "It is encrypted to another key.");
	if (cty && !json_member_is(header, "cty", cty))
		return token_refuse(out, "Its content is of another type.");
	if (!decrypt(opened, key, plain, room, count))
		return token_refuse(out, "It could not be decrypted.");
	return OUTCOME_OK;
}
