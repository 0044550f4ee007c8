/*
 * The claims of an access token (RFC 7519, names of RFC 9068): who says whose data whom may touch
 * how, for whom it is meant and when. No personal data: sub is an opaque identifier.
 */
#ifndef SMARTHG_TOKEN_CLAIMS_H
#define SMARTHG_TOKEN_CLAIMS_H

#include "../outcome.h"

#include <stddef.h>
#include <stdint.h>

enum {
	CLAIM_ROOM = 256,        /* iss, sub, aud, client_id, jti: most bytes, and a 0 */
	CLAIM_SCOPE_ROOM = 1024, /* scope */
	CLAIM_LEEWAY_S = 30      /* how far the issuer's clock may be ahead */
};

typedef struct token_claims {
	char iss[CLAIM_ROOM], sub[CLAIM_ROOM], aud[CLAIM_ROOM], client_id[CLAIM_ROOM], jti[CLAIM_ROOM];
	char scope[CLAIM_SCOPE_ROOM];
	int64_t iat, nbf, exp; /* seconds since 1970 */
} token_claims;

/* The claims as JSON; text ends with a 0. Errors: they do not fit. */
outcome_status claims_write(const token_claims *claims, char *text, size_t room, size_t *length,
                            outcome *out);

/* Reads JSON; all claims above are required, others are passed over. aud may be a list: then the
 * claim is audience where that is in it. */
outcome_status claims_read(const void *json, size_t count, const char *audience,
                           token_claims *claims, outcome *out);

/* Whether they are issuer's, for audience, and hold at now_s: begun (with leeway), not expired. */
outcome_status claims_check(const token_claims *claims, const char *issuer, const char *audience,
                            int64_t now_s, outcome *out);

#endif
