/*
 * JSON objects from outside (JOSE headers, claims, keys) and the few that we write, by jansson:
 * bounded, one value a name, no text after the end.
 */
#ifndef SMARTHG_TOKEN_JSON_OBJECT_H
#define SMARTHG_TOKEN_JSON_OBJECT_H

#include "../outcome.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_OBJECT_MOST = 4096 };

/* The object, to be freed by json_decref; NULL where the text is no single object, names a member
 * twice, or is longer than JSON_OBJECT_MOST. */
json_t *json_object_read(const char *text, size_t length);

/* The same of base64url. */
json_t *json_object_decode(const char *text, size_t length);

/* A string member; NULL where it is absent or no string. */
const char *json_member(const json_t *object, const char *name);

/* A member of base64url that decodes to exactly count bytes. */
bool json_member_bytes(const json_t *object, const char *name, uint8_t *bytes, size_t count);

/* Whether a string member says this. */
bool json_member_is(const json_t *object, const char *name, const char *wanted);

/* The object as compact JSON in text; false where it does not fit. Frees the object, NULL too. */
bool json_object_write(json_t *object, char *text, size_t room, size_t *length);

#endif
