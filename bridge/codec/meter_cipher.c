/*
 * The ciphers through OpenSSL's EVP. Contexts are made once: making them costs
 * more than a telegram's few blocks.
 */
#include "meter_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct meter_cipher {
	EVP_CIPHER *cbc_method, *ctr_method, *gcm_method;
	EVP_CIPHER_CTX *cbc, *ctr, *gcm;
	EVP_MAC *cmac_method;
	EVP_MAC_CTX *cmac;
};

static bool start(struct meter_cipher *cipher)
{
	char name[] = "AES-128-CBC";
	OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
	                           OSSL_PARAM_construct_end()};

	cipher->cbc_method = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	cipher->ctr_method = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	cipher->gcm_method = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	cipher->cmac_method = EVP_MAC_fetch(NULL, "CMAC", NULL);
	cipher->cbc = EVP_CIPHER_CTX_new();
	cipher->ctr = EVP_CIPHER_CTX_new();
	cipher->gcm = EVP_CIPHER_CTX_new();
	cipher->cmac = cipher->cmac_method ? EVP_MAC_CTX_new(cipher->cmac_method) : NULL;
	return cipher->cbc_method && cipher->ctr_method && cipher->gcm_method && cipher->cbc &&
	       cipher->ctr && cipher->gcm && cipher->cmac &&
	       EVP_DecryptInit_ex2(cipher->gcm, cipher->gcm_method, NULL, NULL, NULL) == 1 &&
	       EVP_DecryptInit_ex2(cipher->cbc, cipher->cbc_method, NULL, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(cipher->cbc, 0) == 1 &&
	       EVP_DecryptInit_ex2(cipher->ctr, cipher->ctr_method, NULL, NULL, NULL) == 1 &&
	       EVP_MAC_CTX_set_params(cipher->cmac, parameters) == 1;
}

struct meter_cipher *meter_cipher_new(void)
{
	struct meter_cipher *cipher = calloc(1, sizeof(*cipher));

	if (cipher && !start(cipher)) {
		meter_cipher_free(cipher);
		return NULL;
	}
	return cipher;
}

void meter_cipher_free(struct meter_cipher *cipher)
{
	if (!cipher)
		return;
	EVP_CIPHER_CTX_free(cipher->cbc);
	EVP_CIPHER_CTX_free(cipher->ctr);
	EVP_CIPHER_CTX_free(cipher->gcm);
	EVP_CIPHER_free(cipher->gcm_method);
	EVP_CIPHER_free(cipher->cbc_method);
	EVP_CIPHER_free(cipher->ctr_method);
	EVP_MAC_CTX_free(cipher->cmac);
	EVP_MAC_free(cipher->cmac_method);
	free(cipher);
}

static bool decrypt(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *iv, uint8_t *bytes,
                    size_t size)
{
	int done = 0;

	return EVP_DecryptInit_ex2(context, NULL, key, iv, NULL) == 1 &&
	       EVP_DecryptUpdate(context, bytes, &done, bytes, (int)size) == 1 && done == (int)size;
}

bool meter_cipher_cbc(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t iv[CIPHER_BLOCK_SIZE], uint8_t *bytes, size_t size)
{
	return size % CIPHER_BLOCK_SIZE == 0 && decrypt(cipher->cbc, key, iv, bytes, size);
}

bool meter_cipher_ctr(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t first[CIPHER_BLOCK_SIZE], uint8_t *bytes, size_t size)
{
	return decrypt(cipher->ctr, key, first, bytes, size);
}

bool meter_cipher_gcm(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t nonce[GCM_NONCE_SIZE], const uint8_t *also, size_t also_size,
                      uint8_t *bytes, size_t size, const uint8_t *tag, size_t tag_size,
                      bool *genuine)
{
	uint8_t wanted[CIPHER_BLOCK_SIZE], rest[CIPHER_BLOCK_SIZE];
	int done = 0;

	*genuine = false;
	if (tag_size > sizeof(wanted))
		return false;
	memcpy(wanted, tag, tag_size);
	if (EVP_DecryptInit_ex2(cipher->gcm, NULL, key, nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(cipher->gcm, NULL, &done, also, (int)also_size) != 1 ||
	    EVP_DecryptUpdate(cipher->gcm, bytes, &done, bytes, (int)size) != 1 || done != (int)size ||
	    EVP_CIPHER_CTX_ctrl(cipher->gcm, EVP_CTRL_AEAD_SET_TAG, (int)tag_size, wanted) != 1)
		return false;
	*genuine = EVP_DecryptFinal_ex(cipher->gcm, rest, &done) == 1;
	return true;
}

bool meter_cipher_cmac(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                       const uint8_t *bytes, size_t size, uint8_t mac[CIPHER_BLOCK_SIZE])
{
	size_t done = 0;

	return EVP_MAC_init(cipher->cmac, key, METER_KEY_SIZE, NULL) == 1 &&
	       EVP_MAC_update(cipher->cmac, bytes, size) == 1 &&
	       EVP_MAC_final(cipher->cmac, mac, &done, CIPHER_BLOCK_SIZE) == 1 &&
	       done == CIPHER_BLOCK_SIZE;
}

bool meter_cipher_derive(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                         enum derived_key use, const uint8_t *counter,
                         const uint8_t *identification, uint8_t derived[METER_KEY_SIZE])
{
	uint8_t input[CIPHER_BLOCK_SIZE];

	input[0] = (uint8_t)use;
	memcpy(input + 1, counter, 4);
	memcpy(input + 5, identification, 4);
	memset(input + 9, 7, 7);
	return meter_cipher_cmac(cipher, key, input, sizeof(input), derived);
}

/* The code of a block of zeros, which no derivation has as its input. */
bool meter_cipher_key_check(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                            uint32_t *check)
{
	static const uint8_t zeros[CIPHER_BLOCK_SIZE];
	uint8_t mac[CIPHER_BLOCK_SIZE];

	if (!meter_cipher_cmac(cipher, key, zeros, sizeof(zeros), mac))
		return false;
	*check = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	return true;
}
