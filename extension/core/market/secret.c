/* Random secrets and their digests by OpenSSL; see secret.h. */
#include "secret.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

enum { VERIFIER_LEAST = 43, VERIFIER_MOST = 128 };

static outcome_status openssl_failed(outcome *out, const char *what)
{
	return outcome_set(out, OUTCOME_SOLVER_FAILED, NULL, NULL, "OpenSSL could not %s", what);
}

static void exchange(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

outcome_status base64_write(const uint8_t *bytes, size_t length, base64_alphabet alphabet,
                            char *text, size_t size, outcome *out)
{
	size_t digits = (length * 4 + 2) / 3;

	if (length > 1024 || size < digits + 3)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "no room for so many bytes");
	EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	text[digits] = '\0';
	if (alphabet == BASE64_URL) {
		exchange(text, '+', '-');
		exchange(text, '/', '_');
	}
	return OUTCOME_OK;
}

static int digit_of(char c, base64_alphabet alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (alphabet == BASE64_URL ? '-' : '+'))
		return 62;
	return c == (alphabet == BASE64_URL ? '_' : '/') ? 63 : -1;
}

/* OpenSSL's decoder skips blanks and wants padding, which these texts do not have. */
bool base64_read(const char *text, size_t text_length, base64_alphabet alphabet, uint8_t *bytes,
                 size_t size, size_t *length)
{
	uint32_t held = 0;
	int bits = 0;

	*length = 0;
	if (text_length % 4 == 1)
		return false;
	for (size_t i = 0; i < text_length; i++) {
		int digit = digit_of(text[i], alphabet);

		if (digit < 0)
			return false;
		held = held << 6 | (uint32_t)digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (*length == size)
				return false;
			bytes[(*length)++] = (uint8_t)(held >> bits);
			held &= (1u << bits) - 1;
		}
	}
	/* Bits left over must be 0, so that a value has one text. */
	return held == 0;
}

outcome_status secret_bytes(uint8_t *bytes, size_t length, outcome *out)
{
	return RAND_bytes(bytes, (int)length) == 1 ? OUTCOME_OK : openssl_failed(out, "make a secret");
}

outcome_status secret_make(char *text, outcome *out)
{
	uint8_t bytes[SECRET_BYTES];
	char wide[SECRET_TEXT_SIZE + 2];

	if (secret_bytes(bytes, sizeof(bytes), out) != OUTCOME_OK ||
	    base64_write(bytes, sizeof(bytes), BASE64_URL, wide, sizeof(wide), out) != OUTCOME_OK)
		return out->status;
	memcpy(text, wide, SECRET_TEXT_SIZE);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(wide, sizeof(wide));
	return OUTCOME_OK;
}

outcome_status secret_digest(const char *secret, size_t length, uint8_t digest[SECRET_DIGEST_BYTES],
                             outcome *out)
{
	if (EVP_Digest(secret, length, digest, NULL, EVP_sha256(), NULL) != 1)
		return openssl_failed(out, "digest a secret");
	return OUTCOME_OK;
}

outcome_status secret_matches(const char *secret, size_t length, const uint8_t *digest,
                              size_t digest_length, bool *matches, outcome *out)
{
	uint8_t own[SECRET_DIGEST_BYTES];

	if (secret_digest(secret, length, own, out) != OUTCOME_OK)
		return out->status;
	*matches = digest_length == sizeof(own) && CRYPTO_memcmp(own, digest, sizeof(own)) == 0;
	return OUTCOME_OK;
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

outcome_status pkce_matches(const char *verifier, size_t length, const char *challenge,
                            size_t challenge_length, bool *matches, outcome *out)
{
	uint8_t digest[SECRET_DIGEST_BYTES], wanted[SECRET_DIGEST_BYTES];
	size_t wanted_length;

	*matches = false;
	if (length < VERIFIER_LEAST || length > VERIFIER_MOST)
		return OUTCOME_OK;
	for (size_t i = 0; i < length; i++)
		if (!is_unreserved(verifier[i]))
			return OUTCOME_OK;
	if (!base64_read(challenge, challenge_length, BASE64_URL, wanted, sizeof(wanted),
	                 &wanted_length) ||
	    wanted_length != sizeof(wanted))
		return OUTCOME_OK;
	if (secret_digest(verifier, length, digest, out) != OUTCOME_OK)
		return out->status;
	*matches = CRYPTO_memcmp(digest, wanted, sizeof(digest)) == 0;
	return OUTCOME_OK;
}
