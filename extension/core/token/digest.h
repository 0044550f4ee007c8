/* SHA-256 of a token and HMAC-SHA-256 of an identity. */
#ifndef SMARTHG_TOKEN_DIGEST_H
#define SMARTHG_TOKEN_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

bool digest_of(const void *bytes, size_t count, uint8_t digest[DIGEST_BYTES]);
bool digest_keyed(const uint8_t key[DIGEST_BYTES], const void *bytes, size_t count,
                  uint8_t digest[DIGEST_BYTES]);

/* Compares in a time that does not depend on the bytes. */
bool digest_same(const void *a, const void *b, size_t count);

/* Bytes from OpenSSL's generator for secrets. */
bool digest_random(uint8_t *bytes, size_t count);

/* Overwrites a secret. */
void digest_wipe(void *bytes, size_t count);

#endif
