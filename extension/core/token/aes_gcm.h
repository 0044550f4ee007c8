/* AES-256-GCM (NIST SP 800-38D) by OpenSSL, as JWE content encryption and as a box for keys. */
#ifndef SMARTHG_TOKEN_AES_GCM_H
#define SMARTHG_TOKEN_AES_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AES_GCM_KEY = 32, AES_GCM_IV = 12, AES_GCM_TAG = 16, AES_GCM_OVERHEAD = 28 };

/* Encrypts count bytes; sealed may be plain. */
bool aes_gcm_seal(const uint8_t key[AES_GCM_KEY], const uint8_t iv[AES_GCM_IV], const void *aad,
                  size_t aad_count, const uint8_t *plain, size_t count, uint8_t *sealed,
                  uint8_t tag[AES_GCM_TAG]);

/* Decrypts; false, and plain wiped, where the tag is not right. */
bool aes_gcm_open(const uint8_t key[AES_GCM_KEY], const uint8_t iv[AES_GCM_IV], const void *aad,
                  size_t aad_count, const uint8_t *sealed, size_t count,
                  const uint8_t tag[AES_GCM_TAG], uint8_t *plain);

/* A box is a random iv, the tag and count bytes; unbox takes the whole box's size. */
bool aes_gcm_box(const uint8_t key[AES_GCM_KEY], const uint8_t *plain, size_t count,
                 const void *aad, size_t aad_count, uint8_t *box);
bool aes_gcm_unbox(const uint8_t key[AES_GCM_KEY], const uint8_t *box, size_t count,
                   const void *aad, size_t aad_count, uint8_t *plain);

#endif
