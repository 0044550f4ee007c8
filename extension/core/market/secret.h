/*
 * Secrets of the service market: random ones, their text forms, comparison in constant time, and
 * the code challenge of RFC 7636 (document 5.2.2, DESIGN.md section 8).
 */
#ifndef SMARTHG_CORE_MARKET_SECRET_H
#define SMARTHG_CORE_MARKET_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../outcome.h"

/* A random secret is 256 bits as base64url without padding. */
enum { SECRET_BYTES = 32, SECRET_TEXT_SIZE = 44, SECRET_DIGEST_BYTES = 32 };

/* Which characters stand for 62 and 63 (RFC 4648 sections 4 and 5). */
typedef enum base64_alphabet { BASE64_STANDARD, BASE64_URL } base64_alphabet;

/* Writes bytes as base64 without padding, with a final 0. Errors: size is too small for it and
 * three more characters. */
outcome_status base64_write(const uint8_t *bytes, size_t length, base64_alphabet alphabet,
                            char *text, size_t size, outcome *out);

/* Reads base64 without padding; *length is set. False: not base64, or more than size bytes. */
bool base64_read(const char *text, size_t text_length, base64_alphabet alphabet, uint8_t *bytes,
                 size_t size, size_t *length);

/* Fills text[SECRET_TEXT_SIZE] with a new secret, or bytes with random ones. Errors: the system
 * has no randomness. */
outcome_status secret_make(char *text, outcome *out);
outcome_status secret_bytes(uint8_t *bytes, size_t length, outcome *out);

/* SHA-256 of a secret: what is stored of it. Errors: OpenSSL's. */
outcome_status secret_digest(const char *secret, size_t length, uint8_t digest[SECRET_DIGEST_BYTES],
                             outcome *out);

/* Whether the secret has this digest, and whether the verifier, of the characters and length that
 * RFC 7636 section 4.1 allows, has this S256 challenge; both take the same time for any content. */
outcome_status secret_matches(const char *secret, size_t length, const uint8_t *digest,
                              size_t digest_length, bool *matches, outcome *out);
outcome_status pkce_matches(const char *verifier, size_t length, const char *challenge,
                            size_t challenge_length, bool *matches, outcome *out);

#endif
