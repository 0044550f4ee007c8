/*
 * M-Bus telegrams made by the tests themselves: the way back from records to
 * frames, with checksums and encryption written here a second time.
 */
#ifndef SMARTHG_TEST_MBUS_WRITER_H
#define SMARTHG_TEST_MBUS_WRITER_H

#include <openssl/evp.h>

#include "hex.h"

#include "../../bridge/codec/cursor.h"
#include "../../bridge/codec/reading.h"

/* EN 13757-4 by its definition, bit by bit. */
static inline uint16_t crc_by_bits(const uint8_t *bytes, size_t size)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < 8 * size; i++) {
		uint32_t bit = bytes[i / 8] >> (7 - i % 8) & 1;
		crc = ((crc << 1) ^ ((crc >> 15 & 1) != bit ? 0x3d65 : 0)) & 0xffff;
	}
	return (uint16_t)(crc ^ 0xffff);
}

/* A meter's address as a link header has it: ABC 12345678, version 1, and this device type. */
static inline void write_link_address(struct writer *out, uint8_t device_type)
{
	writer_bytes(out, "\x43\x04\x78\x56\x34\x12\x01", 7);
	writer_u8(out, device_type);
}

static inline void device_of_type(uint8_t device_type, uint8_t device[MBUS_DEVICE_SIZE])
{
	memcpy(device, "\x12\x34\x56\x78\x04\x43\x01", 7);
	device[7] = device_type;
}

/* A wireless frame without checksums around what follows the link header. */
static inline size_t write_wireless(uint8_t *out, uint8_t device_type, const uint8_t *above,
                                    size_t size)
{
	struct writer writer = writer_over(out, 256);

	writer_u8(&writer, (uint8_t)(9 + size));
	writer_u8(&writer, 0x44);
	write_link_address(&writer, device_type);
	writer_bytes(&writer, above, size);
	return writer.at;
}

/* The same with the checksums of frame format A. */
static inline size_t write_format_a(uint8_t *out, const uint8_t *frame, size_t size)
{
	struct writer writer = writer_over(out, 400);

	for (size_t at = 0; at < size;) {
		size_t block = at == 0 ? 10 : size - at < 16 ? size - at : 16;

		writer_bytes(&writer, frame + at, block);
		writer_u16(&writer, crc_by_bits(frame + at, block));
		at += block;
	}
	return writer.at;
}

/* AES-128 of one block, by the other interface of the library than the decoder's. */
static inline void encrypt_block(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int done = 0;

	EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL);
	EVP_CIPHER_CTX_set_padding(context, 0);
	EVP_EncryptUpdate(context, out, &done, in, 16);
	EVP_CIPHER_CTX_free(context);
}

static inline void encrypt_cbc(const uint8_t key[16], const uint8_t iv[16], uint8_t *bytes,
                               size_t size)
{
	uint8_t block[16];

	memcpy(block, iv, 16);
	for (size_t at = 0; at + 16 <= size; at += 16) {
		for (int i = 0; i < 16; i++)
			block[i] ^= bytes[at + (size_t)i];
		encrypt_block(key, block, block);
		memcpy(bytes + at, block, 16);
	}
}

static inline void crypt_ctr(const uint8_t key[16], const uint8_t first[16], uint8_t *bytes,
                             size_t size)
{
	uint8_t counter[16], stream[16];

	memcpy(counter, first, 16);
	for (size_t at = 0; at < size; at++) {
		if (at % 16 == 0) {
			encrypt_block(key, counter, stream);
			counter[15]++;
		}
		bytes[at] ^= stream[at % 16];
	}
}

/* AES-CMAC by RFC 4493. */
static inline void mac_of(const uint8_t key[16], const uint8_t *bytes, size_t size, uint8_t mac[16])
{
	uint8_t sub[16] = {0}, block[16] = {0};
	size_t last = size == 0 ? 0 : (size - 1) / 16 * 16;
	bool whole = size > 0 && size % 16 == 0;

	encrypt_block(key, sub, sub);
	for (int times = whole ? 1 : 2; times > 0; times--) {
		uint8_t carry = sub[0] >> 7;
		for (int i = 0; i < 16; i++)
			sub[i] = (uint8_t)(sub[i] << 1 | (i < 15 ? sub[i + 1] >> 7 : 0));
		sub[15] ^= carry ? 0x87 : 0;
	}
	for (size_t at = 0; at < last; at++) {
		block[at % 16] ^= bytes[at];
		if (at % 16 == 15)
			encrypt_block(key, block, block);
	}
	for (size_t i = 0; i < 16; i++)
		block[i] ^= sub[i] ^ (last + i < size ? bytes[last + i] : last + i == size ? 0x80 : 0);
	encrypt_block(key, block, mac);
}

/* Records with filler before and up to whole blocks; their number. */
static inline size_t fill_blocks(const uint8_t *records, size_t size, uint8_t *out)
{
	size_t blocks = (size + 2 + 15) / 16;

	memset(out, 0x2f, blocks * 16);
	memcpy(out + 2, records, size);
	return blocks;
}

/* Short transport header in security mode 5 and the encrypted records. */
static inline size_t write_mode_5(uint8_t *out, const uint8_t key[16], uint8_t device_type,
                                  uint8_t access, const uint8_t *records, size_t size)
{
	struct writer writer = writer_over(out, 256);
	uint8_t plain[240], iv[16];
	struct writer first = writer_over(iv, 16);
	size_t blocks = fill_blocks(records, size, plain);

	write_link_address(&first, device_type);
	memset(iv + 8, access, 8);
	encrypt_cbc(key, iv, plain, blocks * 16);
	writer_u8(&writer, 0x7a);
	writer_u8(&writer, access);
	writer_u8(&writer, 0);
	writer_le(&writer, 0x0500 | blocks << 4, 2);
	writer_bytes(&writer, plain, blocks * 16);
	return writer.at;
}

/* Key derivation of OMS volume 2 for the message counter of write_authenticated. */
static inline void derive(const uint8_t key[16], uint8_t use, uint8_t derived[16])
{
	uint8_t input[16] = "\x00\xb3\x0a\x00\x00\x78\x56\x34\x12\7\7\7\7\7\7\7";

	input[0] = use;
	mac_of(key, input, 16, derived);
}

/* Authentication layer with an 8-byte code before this message. */
static inline size_t write_authenticated(uint8_t *out, const uint8_t key[16],
                                         const uint8_t *message, size_t size)
{
	static const uint8_t control_and_counter[5] = {0x25, 0xb3, 0x0a, 0, 0};
	uint8_t mac_key[16], mac[16], covered[300];
	struct writer text = writer_over(covered, sizeof(covered)), writer = writer_over(out, 256);

	derive(key, 1, mac_key);
	writer_bytes(&text, control_and_counter, 5);
	writer_bytes(&text, message, size);
	mac_of(mac_key, covered, text.at, mac);
	writer_bytes(&writer, "\x90\x0f\x00\x2c", 4);
	writer_bytes(&writer, control_and_counter, 5);
	writer_bytes(&writer, mac, 8);
	writer_bytes(&writer, message, size);
	return writer.at;
}

/* The same with a short transport header in security mode 7 and the encrypted records. */
static inline size_t write_mode_7(uint8_t *out, const uint8_t key[16], const uint8_t *records,
                                  size_t size)
{
	uint8_t encryption_key[16], iv[16] = {0}, plain[240], message[256];
	struct writer writer = writer_over(message, sizeof(message));
	size_t blocks = fill_blocks(records, size, plain);

	derive(key, 0, encryption_key);
	encrypt_cbc(encryption_key, iv, plain, blocks * 16);
	writer_bytes(&writer, "\x7a\x55\x00", 3);
	writer_le(&writer, 0x0700 | blocks << 4, 2);
	writer_u8(&writer, 0x10);
	writer_bytes(&writer, plain, blocks * 16);
	return write_authenticated(out, key, message, writer.at);
}

/* Extended link layer with a session number, counter mode, and this payload. */
static inline size_t write_session(uint8_t *out, const uint8_t key[16], uint8_t device_type,
                                   const uint8_t *payload, size_t size)
{
	static const uint8_t session[4] = {0x11, 0x22, 0x33, 0x24};
	struct writer writer = writer_over(out, 256);
	uint8_t first[16] = {0}, plain[256];
	struct writer block = writer_over(first, 16), text = writer_over(plain, sizeof(plain));

	write_link_address(&block, device_type);
	writer_u8(&block, 0x20);
	writer_bytes(&block, session, 4);
	writer_le(&text, crc_by_bits(payload, size), 2);
	writer_bytes(&text, payload, size);
	crypt_ctr(key, first, plain, text.at);
	writer_bytes(&writer, "\x8d\x20\x07", 3);
	writer_bytes(&writer, session, 4);
	writer_bytes(&writer, plain, text.at);
	return writer.at;
}

#endif
