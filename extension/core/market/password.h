/*
 * Passwords of the service market, hashed by scrypt (RFC 7914), which costs memory, and kept as one
 * text in the format of the Password Hashing Competition: $scrypt$ln=15,r=8,p=3$salt$hash, with
 * base64 without padding (document 5.1.2, DESIGN.md section 8).
 */
#ifndef SMARTHG_CORE_MARKET_PASSWORD_H
#define SMARTHG_CORE_MARKET_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "../outcome.h"

/* A hash takes 128 * r * 2^log2_n bytes of memory, p times over in time. */
typedef struct password_cost {
	int log2_n; /* 1 to 20 */
	int r;      /* 1 to 32 */
	int p;      /* 1 to 16 */
} password_cost;

/* Most memory that a hash may take, and most bytes of a password. */
enum { PASSWORD_MEMORY_MB = 256, PASSWORD_MOST = 1024, PASSWORD_TEXT_SIZE = 160 };

/* Fills text[PASSWORD_TEXT_SIZE] with the hash of a password under a new salt. Errors: the cost or
 * the password is out of bounds, no memory, OpenSSL's. */
outcome_status password_hash(const char *password, size_t length, const password_cost *cost,
                             char *text, outcome *out);

/* Whether the password is the one that text was made of. Errors: text is no such hash; as above. */
outcome_status password_matches(const char *password, size_t length, const char *text,
                                bool *matches, outcome *out);

#endif
