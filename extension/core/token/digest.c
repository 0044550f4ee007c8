/* Digests by OpenSSL; see digest.h. */
#include "digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

bool digest_of(const void *bytes, size_t count, uint8_t digest[DIGEST_BYTES])
{
	return EVP_Digest(bytes, count, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool digest_keyed(const uint8_t key[DIGEST_BYTES], const void *bytes, size_t count,
                  uint8_t digest[DIGEST_BYTES])
{
	return HMAC(EVP_sha256(), key, DIGEST_BYTES, bytes, count, digest, NULL) != NULL;
}

bool digest_same(const void *a, const void *b, size_t count)
{
	return CRYPTO_memcmp(a, b, count) == 0;
}

bool digest_random(uint8_t *bytes, size_t count)
{
	return RAND_priv_bytes(bytes, (int)count) == 1;
}

void digest_wipe(void *bytes, size_t count)
{
	OPENSSL_cleanse(bytes, count);
}
