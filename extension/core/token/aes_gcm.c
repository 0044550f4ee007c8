/* AES-256-GCM; see aes_gcm.h. */
#include "aes_gcm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

bool aes_gcm_seal(const uint8_t key[AES_GCM_KEY], const uint8_t iv[AES_GCM_IV], const void *aad,
                  size_t aad_count, const uint8_t *plain, size_t count, uint8_t *sealed,
                  uint8_t tag[AES_GCM_TAG])
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int made;
	bool done = cipher && EVP_EncryptInit_ex2(cipher, EVP_aes_256_gcm(), key, iv, NULL) == 1 &&
	            EVP_EncryptUpdate(cipher, NULL, &made, aad, (int)aad_count) == 1 &&
	            EVP_EncryptUpdate(cipher, sealed, &made, plain, (int)count) == 1 &&
	            EVP_EncryptFinal_ex(cipher, sealed + made, &made) == 1 &&
	            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG, tag) == 1;

	EVP_CIPHER_CTX_free(cipher);
	return done;
}

bool aes_gcm_open(const uint8_t key[AES_GCM_KEY], const uint8_t iv[AES_GCM_IV], const void *aad,
                  size_t aad_count, const uint8_t *sealed, size_t count,
                  const uint8_t tag[AES_GCM_TAG], uint8_t *plain)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int made;
	bool done = cipher && EVP_DecryptInit_ex2(cipher, EVP_aes_256_gcm(), key, iv, NULL) == 1 &&
	            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AES_GCM_TAG, (void *)tag) == 1 &&
	            EVP_DecryptUpdate(cipher, NULL, &made, aad, (int)aad_count) == 1 &&
	            EVP_DecryptUpdate(cipher, plain, &made, sealed, (int)count) == 1 &&
	            EVP_DecryptFinal_ex(cipher, plain + made, &made) == 1;

	EVP_CIPHER_CTX_free(cipher);
	if (!done)
		OPENSSL_cleanse(plain, count);
	return done;
}

bool aes_gcm_box(const uint8_t key[AES_GCM_KEY], const uint8_t *plain, size_t count,
                 const void *aad, size_t aad_count, uint8_t *box)
{
	return RAND_bytes(box, AES_GCM_IV) == 1 &&
	       aes_gcm_seal(key, box, aad, aad_count, plain, count, box + AES_GCM_OVERHEAD,
	                    box + AES_GCM_IV);
}

bool aes_gcm_unbox(const uint8_t key[AES_GCM_KEY], const uint8_t *box, size_t count,
                   const void *aad, size_t aad_count, uint8_t *plain)
{
	return count >= AES_GCM_OVERHEAD &&
	       aes_gcm_open(key, box, aad, aad_count, box + AES_GCM_OVERHEAD, count - AES_GCM_OVERHEAD,
	                    box + AES_GCM_IV, plain);
}
