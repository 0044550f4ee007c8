/* Keys made, named and wrapped; see key.h. Public keys from outside are read in key_public.c. */
#include "key.h"

#include "aes_gcm.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

static const char *const names[KEY_ALGORITHMS] = {"ES256", "RS256", "ECDH-ES+A256KW"};

const char *key_algorithm_name(key_algorithm algorithm)
{
	return names[algorithm];
}

key_algorithm key_algorithm_of(const char *name)
{
	int i = 0;

	while (i < KEY_ALGORITHMS && strcmp(names[i], name) != 0)
		i++;
	return (key_algorithm)i;
}

static outcome_status failed(outcome *out, const char *what)
{
	ERR_clear_error();
	return outcome_set(out, OUTCOME_SOLVER_FAILED, NULL, "OpenSSL reported an error.", "%s", what);
}

outcome_status key_generate(key_algorithm algorithm, token_key *key, outcome *out)
{
	key->algorithm = algorithm;
	key->pkey = algorithm == KEY_RS256 ? EVP_RSA_gen(3072) : EVP_EC_gen("P-256");
	if (!key->pkey)
		return failed(out, "could not make a key");
	return key_thumbprint(key, key->kid, out);
}

void key_free(token_key *key)
{
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

outcome_status key_wrap(const token_key *key, const uint8_t by[INSTALLATION_KEY_BYTES],
                        uint8_t wrapped[KEY_WRAPPED_MOST], size_t *count, outcome *out)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
	unsigned char *der = NULL;
	int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
	bool done = length > 0 && length + AES_GCM_OVERHEAD <= KEY_WRAPPED_MOST &&
	            aes_gcm_box(by, der, (size_t)length, key->kid, strlen(key->kid), wrapped);

	*count = (size_t)length + AES_GCM_OVERHEAD;
	if (length > 0)
		OPENSSL_clear_free(der, (size_t)length);
	PKCS8_PRIV_KEY_INFO_free(info);
	return done ? OUTCOME_OK : failed(out, "could not wrap a private key");
}

outcome_status key_unwrap(const uint8_t *wrapped, size_t count,
                          const uint8_t by[INSTALLATION_KEY_BYTES], const char *kid,
                          key_algorithm algorithm, token_key *key, outcome *out)
{
	uint8_t der[KEY_WRAPPED_MOST];
	const unsigned char *next = der;

	*key = (token_key){.algorithm = algorithm};
	if (strlen(kid) >= KID_ROOM || count <= AES_GCM_OVERHEAD || count > sizeof(der) ||
	    !aes_gcm_unbox(by, wrapped, count, kid, strlen(kid), der)) {
		ERR_clear_error();
		return outcome_set(
		    out, OUTCOME_BAD_INPUT,
		    "Restore the key file that this key was made with, or retire the key and make another.",
		    "The key file is not the one that wrapped it.", "could not unwrap a private key");
	}
	strcpy(key->kid, kid);
	key->pkey = d2i_AutoPrivateKey(NULL, &next, (long)(count - AES_GCM_OVERHEAD));
	OPENSSL_cleanse(der, sizeof(der));
	return key->pkey ? OUTCOME_OK : failed(out, "could not read a private key");
}
