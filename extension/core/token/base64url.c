/* Exact base64url; see base64url.h. */
#include "base64url.h"

size_t base64url_encode(const uint8_t *bytes, size_t count, char *text)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned held = 0, bits = 0;
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		held = held << 8 | bytes[i];
		for (bits += 8; bits >= 6; bits -= 6)
			text[length++] = alphabet[held >> (bits - 6) & 63];
		held &= 63;
	}
	if (bits > 0)
		text[length++] = alphabet[held << (6 - bits) & 63];
	text[length] = '\0';
	return length;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(const char *text, size_t length, uint8_t *bytes, size_t room, size_t *count)
{
	unsigned held = 0, bits = 0;

	*count = 0;
	if (length % 4 == 1 || BASE64URL_BYTES(length) > room)
		return false;
	for (size_t i = 0; i < length; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return false;
		held = held << 6 | (unsigned)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[(*count)++] = (uint8_t)(held >> bits);
			held &= (1u << bits) - 1;
		}
	}
	return held == 0;
}
