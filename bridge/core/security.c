/*
 * The security manager's cryptography on OpenSSL 3's EVP interface; see the
 * header for the standards. The labels and the layout of the derived bytes are
 * fixed by the wire protocol (DESIGN.md section 7).
 */
#include "security.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

bool security_random(void *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1;
}

bool security_hkdf(const uint8_t *key, size_t key_size, const uint8_t *salt, size_t salt_size,
                   const uint8_t *info, size_t info_size, uint8_t *out, size_t size)
{
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_size),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_size),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_size),
	    OSSL_PARAM_construct_end(),
	};
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = hkdf ? EVP_KDF_CTX_new(hkdf) : NULL;
	bool derived = context && EVP_KDF_derive(context, out, size, parameters) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
	return derived;
}

bool security_derive(const struct link_key *link_key, const uint8_t client_nonce[NONCE_SIZE],
                     const uint8_t server_nonce[NONCE_SIZE], uint64_t gateway, uint32_t session,
                     struct session_keys *out)
{
	uint8_t salt_bytes[2 * NONCE_SIZE], info_bytes[16], derived[sizeof(*out)];
	struct writer salt = writer_over(salt_bytes, sizeof(salt_bytes));
	struct writer info = writer_over(info_bytes, sizeof(info_bytes));

	writer_bytes(&salt, client_nonce, NONCE_SIZE);
	writer_bytes(&salt, server_nonce, NONCE_SIZE);
	writer_bytes(&info, "SA/1", 4);
	writer_u64(&info, gateway);
	writer_u32(&info, session);
	if (!security_hkdf(link_key->bytes, link_key->size, salt_bytes, salt.at, info_bytes, info.at,
	                   derived, sizeof(derived)))
		return false;
	struct cursor cursor = cursor_over(derived, sizeof(derived));
	cursor_copy(&cursor, out->client_key, SECURITY_KEY_SIZE);
	cursor_copy(&cursor, out->server_key, SECURITY_KEY_SIZE);
	cursor_copy(&cursor, out->client_salt, SECURITY_SALT_SIZE);
	cursor_copy(&cursor, out->server_salt, SECURITY_SALT_SIZE);
	security_wipe(derived, sizeof(derived));
	return true;
}

bool security_mac(const struct link_key *link_key, const char *label, const uint8_t *transcript,
                  size_t size, uint8_t out[MAC_SIZE])
{
	uint8_t text[512];
	struct writer writer = writer_over(text, sizeof(text));
	unsigned int written = 0;

	writer_bytes(&writer, label, strlen(label));
	writer_bytes(&writer, transcript, size);
	return !writer.broken &&
	       HMAC(EVP_sha256(), link_key->bytes, (int)link_key->size, text, writer.at, out,
	            &written) != NULL &&
	       written == MAC_SIZE;
}

bool security_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void security_wipe(void *secret, size_t n)
{
	OPENSSL_cleanse(secret, n);
}

bool security_cipher_start(struct security_cipher *cipher, bool sealing,
                           const uint8_t key[SECURITY_KEY_SIZE],
                           const uint8_t salt[SECURITY_SALT_SIZE])
{
	cipher->context = EVP_CIPHER_CTX_new();
	cipher->sealing = sealing;
	memcpy(cipher->salt, salt, SECURITY_SALT_SIZE);
	if (cipher->context &&
	    EVP_CipherInit_ex(cipher->context, EVP_aes_128_gcm(), NULL, key, NULL, sealing) == 1)
		return true;
	security_cipher_end(cipher);
	return false;
}

void security_cipher_end(struct security_cipher *cipher)
{
	EVP_CIPHER_CTX_free(cipher->context);
	cipher->context = NULL;
	security_wipe(cipher->salt, SECURITY_SALT_SIZE);
}

/* Sets the nonce and passes header and payload through the cipher. */
static bool run_cipher(struct security_cipher *cipher, uint64_t sequence, const uint8_t *header,
                       size_t header_size, uint8_t *payload, size_t size)
{
	uint8_t nonce[12];
	struct writer writer = writer_over(nonce, sizeof(nonce));
	int length;

	writer_bytes(&writer, cipher->salt, SECURITY_SALT_SIZE);
	writer_u64(&writer, sequence);
	return EVP_CipherInit_ex(cipher->context, NULL, NULL, NULL, nonce, -1) == 1 &&
	       EVP_CipherUpdate(cipher->context, NULL, &length, header, (int)header_size) == 1 &&
	       (size == 0 ||
	        EVP_CipherUpdate(cipher->context, payload, &length, payload, (int)size) == 1);
}

bool security_seal(struct security_cipher *cipher, uint64_t sequence, const uint8_t *header,
                   size_t header_size, uint8_t *payload, size_t size,
                   uint8_t tag[SECURITY_TAG_SIZE])
{
	uint8_t rest[SECURITY_TAG_SIZE];
	int length;

	return cipher->context && cipher->sealing &&
	       run_cipher(cipher, sequence, header, header_size, payload, size) &&
	       EVP_CipherFinal_ex(cipher->context, rest, &length) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, SECURITY_TAG_SIZE, tag) == 1;
}

bool security_unseal(struct security_cipher *cipher, uint64_t sequence, const uint8_t *header,
                     size_t header_size, uint8_t *payload, size_t size,
                     const uint8_t tag[SECURITY_TAG_SIZE])
{
	uint8_t rest[SECURITY_TAG_SIZE];
	int length;

	return cipher->context && !cipher->sealing &&
	       run_cipher(cipher, sequence, header, header_size, payload, size) &&
	       EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, SECURITY_TAG_SIZE,
	                           (void *)tag) == 1 &&
	       EVP_CipherFinal_ex(cipher->context, rest, &length) == 1;
}
