/*
 * Access tokens as they travel: claims signed by the market controller (JWS of type "at+jwt"),
 * then encrypted to the database service (JWE of content "JWT"), so that the service that carries
 * one can neither read nor change it (DESIGN.md section 8).
 */
#ifndef SMARTHG_TOKEN_NESTED_H
#define SMARTHG_TOKEN_NESTED_H

#include "claims.h"
#include "compact.h"
#include "key.h"

/* Finds a key of the name that a header gives; NULL where there is none that may be used now. */
typedef const token_key *(*key_finder)(void *ring, bool signs, const char *kid);

/* What a token must be to be accepted. */
typedef struct token_rules {
	const char *issuer, *audience;
	int64_t now_s;
	key_finder find;
	void *ring;
} token_rules;

/* Writes a token of at most TOKEN_MOST characters. */
outcome_status nested_seal(const token_claims *claims, const token_key *signs,
                           const token_key *encrypts_to, char *text, size_t room, size_t *length,
                           outcome *out);

/* Verifies both layers and the claims. */
outcome_status nested_open(const char *text, size_t length, const token_rules *rules,
                           token_claims *claims, outcome *out);

#endif
