/*
 * JSON Web Signature (RFC 7515), compact form: ES256 and RS256 (RFC 7518 sections 3.3, 3.4). The
 * key alone says which algorithm is right; a header that names another is refused, so there is no
 * "none", and no HMAC with a public key.
 */
#ifndef SMARTHG_TOKEN_JWS_H
#define SMARTHG_TOKEN_JWS_H

#include "compact.h"
#include "key.h"

/* Signs payload; the header has alg, kid and typ (NULL: none). text ends with a 0. */
outcome_status jws_sign(const token_key *key, const char *typ, const void *payload, size_t count,
                        char *text, size_t room, size_t *length, outcome *out);

/* A JWS taken apart. The parts point into its text; header is freed by jws_close. */
typedef struct jws {
	compact_part parts[3];
	json_t *header;
} jws;

/* On success kid is header's, or NULL. */
outcome_status jws_open(const char *text, size_t length, jws *opened, const char **kid,
                        outcome *out);
void jws_close(jws *opened);

/* Checks alg, kid where the header names one, typ (NULL: any), and the signature; then decodes the
 * payload. */
outcome_status jws_verify(const jws *opened, const token_key *key, const char *typ,
                          uint8_t *payload, size_t room, size_t *count, outcome *out);

/* The same of a text by one key, for any typ; the payload must be a JSON object with one value a
 * name. */
outcome_status jws_verify_object(const char *text, size_t length, const token_key *key,
                                 uint8_t *payload, size_t room, size_t *count, outcome *out);

#endif
