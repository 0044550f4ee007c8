/* Hashing and checking passwords by OpenSSL's scrypt; see password.h. */
#include "password.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "secret.h"

enum { SALT_BYTES = 16, SALT_MOST = 64, HASH_BYTES = 32, HASH_LEAST = 16, HASH_MOST = 64 };

typedef struct stored_hash {
	password_cost cost;
	uint8_t salt[SALT_MOST], hash[HASH_MOST];
	size_t salt_length, hash_length;
} stored_hash;

static outcome_status check_cost(const password_cost *cost, outcome *out)
{
	uint64_t memory = 0;

	if (cost->log2_n >= 1 && cost->log2_n <= 20 && cost->r >= 1 && cost->r <= 32 && cost->p >= 1 &&
	    cost->p <= 16)
		memory = (uint64_t)128 * (uint64_t)cost->r << cost->log2_n;
	if (memory == 0 || memory > (uint64_t)PASSWORD_MEMORY_MB << 20)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "The logarithm of N is from 1 to 20, r from 1 to 32, p from 1 to 16, and"
		                   " a hash takes at most 256 MB.",
		                   "cost of password hashing is out of bounds");
	return OUTCOME_OK;
}

static outcome_status scrypt(const char *password, size_t length, const stored_hash *stored,
                             uint8_t *hash, outcome *out)
{
	const password_cost *cost = &stored->cost;

	if (check_cost(cost, out) != OUTCOME_OK)
		return out->status;
	if (length > PASSWORD_MOST)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "a password has at most %d bytes",
		                   PASSWORD_MOST);
	/* OpenSSL counts the blocks of all p runs against the limit, in 32-bit words and bytes. */
	if (EVP_PBE_scrypt(password, length, stored->salt, stored->salt_length,
	                   (uint64_t)1 << cost->log2_n, (uint64_t)cost->r, (uint64_t)cost->p,
	                   (uint64_t)(PASSWORD_MEMORY_MB + 1) << 20, hash, stored->hash_length) != 1)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "OpenSSL could not hash a password");
	return OUTCOME_OK;
}

outcome_status password_hash(const char *password, size_t length, const password_cost *cost,
                             char *text, outcome *out)
{
	stored_hash made = {.cost = *cost, .salt_length = SALT_BYTES, .hash_length = HASH_BYTES};
	char salt[SALT_BYTES * 2], hash[HASH_BYTES * 2];

	if (secret_bytes(made.salt, SALT_BYTES, out) != OUTCOME_OK ||
	    scrypt(password, length, &made, made.hash, out) != OUTCOME_OK ||
	    base64_write(made.salt, SALT_BYTES, BASE64_STANDARD, salt, sizeof(salt), out) !=
	        OUTCOME_OK ||
	    base64_write(made.hash, HASH_BYTES, BASE64_STANDARD, hash, sizeof(hash), out) != OUTCOME_OK)
		return out->status;
	snprintf(text, PASSWORD_TEXT_SIZE, "$scrypt$ln=%d,r=%d,p=%d$%s$%s", cost->log2_n, cost->r,
	         cost->p, salt, hash);
	return OUTCOME_OK;
}

static bool read_hash(const char *text, stored_hash *stored)
{
	const char *salt, *dollar;
	int used = 0;

	/* Widths keep sscanf's numbers within an int. */
	if (strlen(text) >= PASSWORD_TEXT_SIZE * 2 ||
	    sscanf(text, "$scrypt$ln=%2d,r=%2d,p=%2d$%n", &stored->cost.log2_n, &stored->cost.r,
	           &stored->cost.p, &used) != 3 ||
	    used == 0)
		return false;
	salt = text + used;
	dollar = strchr(salt, '$');
	return dollar != NULL &&
	       base64_read(salt, (size_t)(dollar - salt), BASE64_STANDARD, stored->salt, SALT_MOST,
	                   &stored->salt_length) &&
	       base64_read(dollar + 1, strlen(dollar + 1), BASE64_STANDARD, stored->hash, HASH_MOST,
	                   &stored->hash_length) &&
	       stored->hash_length >= HASH_LEAST;
}

outcome_status password_matches(const char *password, size_t length, const char *text,
                                bool *matches, outcome *out)
{
	stored_hash stored;
	uint8_t hash[HASH_MOST];

	if (!read_hash(text, &stored))
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "stored password is no scrypt hash");
	if (scrypt(password, length, &stored, hash, out) != OUTCOME_OK)
		return out->status;
	*matches = CRYPTO_memcmp(hash, stored.hash, stored.hash_length) == 0;
	OPENSSL_cleanse(hash, sizeof(hash));
	return OUTCOME_OK;
}
