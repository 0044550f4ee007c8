/*
 * What JWS (RFC 7515) and JWE (RFC 7516) share: the compact serialisation, its bounds, and the
 * rules that hold for every protected header.
 */
#ifndef SMARTHG_TOKEN_COMPACT_H
#define SMARTHG_TOKEN_COMPACT_H

#include "../outcome.h"

#include <stdbool.h>
#include <stddef.h>

/* jansson's value, by name only: PostgreSQL has other functions of jansson's names. */
typedef struct json_t json_t;

enum {
	TOKEN_MOST = 8192,  /* most characters of a compact token */
	HEADER_MOST = 1024, /* most characters of an encoded header */
	COMPACT_PARTS = 5
};

typedef struct compact_part {
	const char *text;
	size_t length;
} compact_part;

/* Splits text at its dots into exactly so many parts. */
bool compact_split(const char *text, size_t length, int count, compact_part *parts);

/* Appends to text at *length: "." where dot is set, then base64url of count bytes. */
bool compact_add(char *text, size_t room, size_t *length, bool dot, const void *bytes,
                 size_t count);

/* A protected header, to be freed by json_decref. NULL, with *out set, where it is too long, no
 * JSON object with one value a name, has members with other types than the RFCs', compresses
 * (zip), or asks for an extension (crit, b64): we know none. */
json_t *compact_header(const compact_part *part, outcome *out);

/* How a token is refused: reason is a sentence without a word of the token. */
outcome_status token_refuse(outcome *out, const char *reason);

#endif
