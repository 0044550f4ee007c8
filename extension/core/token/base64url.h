/*
 * Base64url without padding (RFC 4648 section 5 as RFC 7515 uses it), exact: one text has one
 * meaning, so that no byte of a token can be changed unnoticed.
 */
#ifndef SMARTHG_TOKEN_BASE64URL_H
#define SMARTHG_TOKEN_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that so many bytes take, without the terminating 0. */
#define BASE64URL_LENGTH(bytes) (((bytes)*4 + 2) / 3)

/* Most bytes that so many characters hold. */
#define BASE64URL_BYTES(length) ((length)*3 / 4)

/* Writes BASE64URL_LENGTH(count) characters and a 0; returns the length. */
size_t base64url_encode(const uint8_t *bytes, size_t count, char *text);

/* Decodes all of text into at most room bytes. False for any other character than the alphabet's,
 * padding included, for a length that no bytes have, for bits left over that are not 0. */
bool base64url_decode(const char *text, size_t length, uint8_t *bytes, size_t room, size_t *count);

#endif
