/* Compact serialisation and headers; see compact.h. */
#include "compact.h"

#include "base64url.h"
#include "json_object.h"

#include <openssl/err.h>
#include <string.h>

outcome_status token_refuse(outcome *out, const char *reason)
{
	ERR_clear_error();
	return outcome_set(out, OUTCOME_BAD_INPUT, NULL, reason, "token is not valid");
}

bool compact_split(const char *text, size_t length, int count, compact_part *parts)
{
	const char *end = text + length;

	if (length > TOKEN_MOST)
		return false;
	for (int i = 0; i < count; i++) {
		const char *dot = memchr(text, '.', (size_t)(end - text));

		if ((dot == NULL) != (i == count - 1))
			return false;
		parts[i] = (compact_part){text, (size_t)((dot ? dot : end) - text)};
		if (dot)
			text = dot + 1;
	}
	return true;
}

bool compact_add(char *text, size_t room, size_t *length, bool dot, const void *bytes, size_t count)
{
	if (count > room || *length + dot + BASE64URL_LENGTH(count) >= room)
		return false;
	if (dot)
		text[(*length)++] = '.';
	*length += base64url_encode(bytes, count, text + *length);
	return true;
}

json_t *compact_header(const compact_part *part, outcome *out)
{
	static const char *const texts[] = {"alg", "enc", "typ", "cty", "kid", "apu", "apv"};
	static const char *const refused[] = {"crit", "b64", "zip"};
	json_t *header =
	    part->length <= HEADER_MOST ? json_object_decode(part->text, part->length) : NULL;
	bool good = header != NULL;

	for (size_t i = 0; good && i < sizeof(texts) / sizeof(*texts); i++)
		good = !json_object_get(header, texts[i]) || json_member(header, texts[i]);
	for (size_t i = 0; good && i < sizeof(refused) / sizeof(*refused); i++)
		good = !json_object_get(header, refused[i]);
	if (!good) {
		json_decref(header);
		token_refuse(out, "A header is malformed, or asks for an extension or compression.");
		return NULL;
	}
	return header;
}
