/*
 * AES-128 as meters use it (EN 13757-3 and -4, OMS volume 2; IEC 62056-5-3): CBC
 * without padding, counter mode, CMAC and the keys derived with it, GCM. Wraps OpenSSL; one object
 * is used again for every telegram.
 */
#ifndef SMARTHG_BRIDGE_METER_CIPHER_H
#define SMARTHG_BRIDGE_METER_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METER_KEY_SIZE = 16, CIPHER_BLOCK_SIZE = 16 };

struct meter_cipher;

/* NULL: no memory. */
struct meter_cipher *meter_cipher_new(void);
/* Wipes what is left of keys. */
void meter_cipher_free(struct meter_cipher *cipher);

/* Decrypts size bytes, whole blocks, in place. false: OpenSSL failed, as below. */
bool meter_cipher_cbc(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t iv[CIPHER_BLOCK_SIZE], uint8_t *bytes, size_t size);

/* Decrypts any number of bytes in place, in counter mode from this first block. */
bool meter_cipher_ctr(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t first[CIPHER_BLOCK_SIZE], uint8_t *bytes, size_t size);

enum { GCM_NONCE_SIZE = 12 };

/* Decrypts in place by AES-GCM with a tag of tag_size bytes over also; *genuine: the tag is right,
 * else the bytes are not to be used. */
bool meter_cipher_gcm(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                      const uint8_t nonce[GCM_NONCE_SIZE], const uint8_t *also, size_t also_size,
                      uint8_t *bytes, size_t size, const uint8_t *tag, size_t tag_size,
                      bool *genuine);

/* AES-CMAC (RFC 4493). */
bool meter_cipher_cmac(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                       const uint8_t *bytes, size_t size, uint8_t mac[CIPHER_BLOCK_SIZE]);

/* What a derived key is for (OMS volume 2, key derivation function A). */
enum derived_key { KEY_ENCRYPTION_FROM_METER = 0x00, KEY_MAC_FROM_METER = 0x01 };

/* The key for one value of the meter's message counter; counter and identification as they stand
 * in the telegram, 4 bytes each. */
bool meter_cipher_derive(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                         enum derived_key use, const uint8_t *counter,
                         const uint8_t *identification, uint8_t derived[METER_KEY_SIZE]);

/* Names a key without telling it: equal for equal keys. */
bool meter_cipher_key_check(struct meter_cipher *cipher, const uint8_t key[METER_KEY_SIZE],
                            uint32_t *check);

#endif
