/*
 * The security manager's cryptography (DESIGN.md section 7): session keys by
 * HKDF-SHA-256 (RFC 5869), handshake proofs by HMAC-SHA-256, frames by
 * AES-128-GCM (NIST SP 800-38D) with nonce = 4-byte salt | 8-byte sequence.
 * Both roles use it: the bridge, and the gateway's side in the simulator.
 */
#ifndef SMARTHG_BRIDGE_SECURITY_H
#define SMARTHG_BRIDGE_SECURITY_H

#include <openssl/evp.h>

#include "../codec/messages.h"

enum {
	LINK_KEY_MIN = 16,
	LINK_KEY_MAX = 64,
	SECURITY_KEY_SIZE = 16,
	SECURITY_SALT_SIZE = 4,
	SECURITY_TAG_SIZE = 16,
};

struct link_key {
	uint8_t bytes[LINK_KEY_MAX];
	size_t size; /* 0: no key */
};

struct session_keys {
	uint8_t client_key[SECURITY_KEY_SIZE], server_key[SECURITY_KEY_SIZE];
	uint8_t client_salt[SECURITY_SALT_SIZE], server_salt[SECURITY_SALT_SIZE];
};

/* One direction of an encrypted session. */
struct security_cipher {
	EVP_CIPHER_CTX *context; /* NULL: not in use */
	uint8_t salt[SECURITY_SALT_SIZE];
	bool sealing;
};

/* n random bytes; false where the generator failed. */
bool security_random(void *out, size_t n);

/* HKDF-SHA-256 into out (size bytes). */
bool security_hkdf(const uint8_t *key, size_t key_size, const uint8_t *salt, size_t salt_size,
                   const uint8_t *info, size_t info_size, uint8_t *out, size_t size);

/* The keys of one session. */
bool security_derive(const struct link_key *link_key, const uint8_t client_nonce[NONCE_SIZE],
                     const uint8_t server_nonce[NONCE_SIZE], uint64_t gateway, uint32_t session,
                     struct session_keys *out);

/* HMAC-SHA-256 over label (without its NUL) and the transcript. */
bool security_mac(const struct link_key *link_key, const char *label, const uint8_t *transcript,
                  size_t size, uint8_t out[MAC_SIZE]);

/* Equality in constant time. */
bool security_equal(const void *a, const void *b, size_t n);

/* Overwrites secrets in a way that the compiler keeps. */
void security_wipe(void *secret, size_t n);

/* Makes one direction ready; on false nothing is held. */
bool security_cipher_start(struct security_cipher *cipher, bool sealing,
                           const uint8_t key[SECURITY_KEY_SIZE],
                           const uint8_t salt[SECURITY_SALT_SIZE]);
void security_cipher_end(struct security_cipher *cipher);

/* Encrypts the payload in place and writes its tag. */
bool security_seal(struct security_cipher *cipher, uint64_t sequence, const uint8_t *header,
                   size_t header_size, uint8_t *payload, size_t size,
                   uint8_t tag[SECURITY_TAG_SIZE]);

/* Decrypts in place; false where the tag is wrong (the payload is then worthless). */
bool security_unseal(struct security_cipher *cipher, uint64_t sequence, const uint8_t *header,
                     size_t header_size, uint8_t *payload, size_t size,
                     const uint8_t tag[SECURITY_TAG_SIZE]);

#endif
