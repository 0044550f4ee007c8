/*
 * JSON Web Encryption (RFC 7516), compact form: ECDH-ES+A256KW on P-256 (RFC 7518 section 4.6) with
 * A256GCM (section 5.3), and nothing else.
 */
#ifndef SMARTHG_TOKEN_JWE_H
#define SMARTHG_TOKEN_JWE_H

#include "compact.h"
#include "key.h"

enum { JWE_INFO_MOST = 64, JWE_ALGORITHM_MOST = 32 };

/* Encrypts to a public key; the header has alg, enc, kid, typ "JWT", cty, and epk. */
outcome_status jwe_encrypt(const token_key *key, const char *cty, const void *plain, size_t count,
                           char *text, size_t room, size_t *length, outcome *out);

/* A JWE taken apart. The parts point into its text; header is freed by jwe_close. */
typedef struct jwe {
	compact_part parts[COMPACT_PARTS];
	json_t *header;
} jwe;

/* On success kid is header's, or NULL. */
outcome_status jwe_open(const char *text, size_t length, jwe *opened, const char **kid,
                        outcome *out);
void jwe_close(jwe *opened);

/* Decrypts with the private key after checking alg, enc, kid where the header names one, and cty.
 * Whatever fails after the header is one and the same error. */
outcome_status jwe_decrypt(const jwe *opened, const token_key *key, const char *cty, uint8_t *plain,
                           size_t room, size_t *count, outcome *out);

/* The Concat KDF of RFC 7518 section 4.6.2 for derived keys of up to 256 bits. */
typedef struct jwe_info {
	const char *algorithm; /* enc for ECDH-ES itself, alg with key wrapping */
	const uint8_t *apu, *apv;
	size_t apu_count, apv_count; /* at most JWE_INFO_MOST each */
} jwe_info;

bool jwe_derive(const uint8_t shared[P256_BYTES], const jwe_info *info, int bits, uint8_t key[32]);

#endif
