/*
 * Keys of tokens: made, read from JWK (RFC 7517) and PEM, named by their thumbprint (RFC 7638),
 * and wrapped so that a private key leaves the process only under the installation's key. Kept as
 * OpenSSL's own objects, parsed once: that is what makes verifying fast.
 */
#ifndef SMARTHG_TOKEN_KEY_H
#define SMARTHG_TOKEN_KEY_H

#include "../outcome.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum key_algorithm {
	KEY_ES256,          /* signs: ECDSA on P-256 with SHA-256 */
	KEY_RS256,          /* signs: RSASSA-PKCS1-v1_5 with SHA-256, 2048 to 4096 bits */
	KEY_ECDH_ES_A256KW, /* is encrypted to: ECDH-ES on P-256 with A256KW */
	KEY_ALGORITHMS
} key_algorithm;

enum {
	KID_ROOM = 129,  /* most characters of a key's name, and a 0 */
	JWK_ROOM = 1800, /* a public JWK of the largest key, and a 0 */
	KEY_WRAPPED_MOST = 3000,
	INSTALLATION_KEY_BYTES = 32,
	P256_BYTES = 32
};

typedef struct token_key {
	char kid[KID_ROOM];
	key_algorithm algorithm;
	EVP_PKEY *pkey; /* NULL: no key here */
} token_key;

/* "ES256" ...; KEY_ALGORITHMS where a name is none of them. */
const char *key_algorithm_name(key_algorithm algorithm);
key_algorithm key_algorithm_of(const char *name);

/* A new key pair, named by its thumbprint. */
outcome_status key_generate(key_algorithm algorithm, token_key *key, outcome *out);

/* A public key for signatures, or of alg "ECDH-ES+A256KW". Its name is the JWK's kid, else its
 * thumbprint. Errors: private or symmetric members, other curves and kinds, points off the curve,
 * weak RSA keys, use and alg that contradict it. */
outcome_status key_from_jwk(const char *json, size_t length, token_key *key, outcome *out);

/* The same of a PEM "PUBLIC KEY" (SubjectPublicKeyInfo). */
outcome_status key_from_pem(const char *pem, size_t length, token_key *key, outcome *out);

/* The name that RFC 7638 gives a key: base64url of the SHA-256 of its public members. */
outcome_status key_thumbprint(const token_key *key, char kid[KID_ROOM], outcome *out);

/* A P-256 public key of its coordinates; NULL where they are no point of the curve. */
EVP_PKEY *key_of_point(const uint8_t x[P256_BYTES], const uint8_t y[P256_BYTES]);
bool key_point(EVP_PKEY *pkey, uint8_t x[P256_BYTES], uint8_t y[P256_BYTES]);

/* The public part as a JWK with kid, alg and use. */
outcome_status key_public_jwk(const token_key *key, char jwk[JWK_ROOM], outcome *out);

/* The private key under AES-256-GCM, bound to its kid; *count bytes of wrapped. */
outcome_status key_wrap(const token_key *key, const uint8_t by[INSTALLATION_KEY_BYTES],
                        uint8_t wrapped[KEY_WRAPPED_MOST], size_t *count, outcome *out);
outcome_status key_unwrap(const uint8_t *wrapped, size_t count,
                          const uint8_t by[INSTALLATION_KEY_BYTES], const char *kid,
                          key_algorithm algorithm, token_key *key, outcome *out);

void key_free(token_key *key);

#endif
