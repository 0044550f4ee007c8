/*
 * Promises of the checksum and the cryptography below a SmartAMM session: the
 * published vectors come out (RFC 3720, RFC 5869, RFC 4231, the GCM
 * specification's test cases), and nothing altered passes.
 */
#include "hex.h"
#include "tap.h"

#include "../../bridge/codec/crc32c.h"
#include "../../bridge/core/security.h"

static bool equals_hex(const uint8_t *bytes, const char *text)
{
	uint8_t expected[256] = {0};
	size_t size = from_hex(text, expected);

	return memcmp(bytes, expected, size) == 0;
}

static void test_crc32c(void)
{
	static const uint8_t read_pdu[48] = {
	    0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
	    0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
	};
	uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	ok(crc32c(zeros, 32) == 0x8a9136aa, "CRC-32C of 32 bytes of zeros (RFC 3720 B.4)");
	ok(crc32c(ones, 32) == 0x62a8ab43, "CRC-32C of 32 bytes of ones (RFC 3720 B.4)");
	ok(crc32c(up, 32) == 0x46dd794e, "CRC-32C of incrementing bytes (RFC 3720 B.4)");
	ok(crc32c(down, 32) == 0x113fdb5c, "CRC-32C of decrementing bytes (RFC 3720 B.4)");
	ok(crc32c(read_pdu, 48) == 0xd9963a56, "CRC-32C of an iSCSI read PDU (RFC 3720 B.4)");
	ok(crc32c("123456789", 9) == 0xe3069283, "CRC-32C check value");
	ok(crc32c("", 0) == 0, "CRC-32C of nothing");
}

static void test_hkdf(void)
{
	uint8_t key[80], salt[80], info[80], out[96];

	memset(key, 0x0b, 22);
	from_hex("000102030405060708090a0b0c", salt);
	from_hex("f0f1f2f3f4f5f6f7f8f9", info);
	ok(security_hkdf(key, 22, salt, 13, info, 10, out, 42) &&
	       equals_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	                       "34007208d5b887185865"),
	   "HKDF-SHA-256, RFC 5869 A.1");
	for (int i = 0; i < 80; i++) {
		key[i] = (uint8_t)i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	ok(security_hkdf(key, 80, salt, 80, info, 80, out, 82) &&
	       equals_hex(out, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	                       "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	                       "cc30c58179ec3e87c14c01d5c1f3434f1d87"),
	   "HKDF-SHA-256, RFC 5869 A.2");
}

static void test_mac(void)
{
	struct link_key key = {.size = 20};
	uint8_t mac[MAC_SIZE];

	memset(key.bytes, 0x0b, 20);
	ok(security_mac(&key, "Hi ", (const uint8_t *)"There", 5, mac) &&
	       equals_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
	   "HMAC-SHA-256, RFC 4231 case 1");
	memcpy(key.bytes, "Jefe", 4);
	key.size = 4;
	ok(security_mac(&key, "what do ya want ", (const uint8_t *)"for nothing?", 12, mac) &&
	       equals_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
	   "HMAC-SHA-256, RFC 4231 case 2");
	ok(security_equal("abc", "abc", 3) && !security_equal("abc", "abd", 3),
	   "comparison in constant time tells equal from different");
}

struct gcm_case {
	const char *key, *nonce, *plain, *header, *sealed, *tag, *name;
};

/* Splits the vector's 12-byte nonce into our salt and sequence. */
static void test_gcm_case(const struct gcm_case *vector)
{
	uint8_t key[16], nonce[12], text[64], header[32], tag[16], computed[16];
	struct security_cipher seal, unseal;
	size_t size = from_hex(vector->plain, text), header_size = from_hex(vector->header, header);
	struct cursor sequence;

	from_hex(vector->key, key);
	from_hex(vector->nonce, nonce);
	from_hex(vector->tag, tag);
	sequence = cursor_over(nonce, sizeof(nonce));
	cursor_take(&sequence, SECURITY_SALT_SIZE);
	uint64_t number = cursor_u64(&sequence);

	ok(security_cipher_start(&seal, true, key, nonce) &&
	       security_cipher_start(&unseal, false, key, nonce),
	   "%s: ciphers start", vector->name);
	ok(security_seal(&seal, number, header, header_size, text, size, computed) &&
	       equals_hex(text, vector->sealed) && memcmp(computed, tag, 16) == 0,
	   "%s: cipher text and tag", vector->name);
	ok(security_unseal(&unseal, number, header, header_size, text, size, tag) &&
	       equals_hex(text, vector->plain),
	   "%s: decrypts to the plain text", vector->name);
	from_hex(vector->sealed, text);
	ok(!security_unseal(&unseal, number + 1, header, header_size, text, size, tag),
	   "%s: another sequence number is refused", vector->name);
	from_hex(vector->sealed, text);
	tag[15] ^= 1;
	ok(!security_unseal(&unseal, number, header, header_size, text, size, tag),
	   "%s: an altered tag is refused", vector->name);
	tag[15] ^= 1;
	if (header_size > 0) {
		header[0] ^= 1;
		ok(!security_unseal(&unseal, number, header, header_size, text, size, tag),
		   "%s: an altered header is refused", vector->name);
	}
	security_cipher_end(&seal);
	security_cipher_end(&unseal);
}

static void test_gcm(void)
{
	static const struct gcm_case cases[] = {
	    {"00000000000000000000000000000000", "000000000000000000000000", "", "", "",
	     "58e2fccefa7e3061367f1d57a4e7455a", "GCM test case 1"},
	    {"00000000000000000000000000000000", "000000000000000000000000",
	     "00000000000000000000000000000000", "", "0388dace60b6a392f328c2b971b2fe78",
	     "ab6e47d42cec13bdf53a67b21257bddf", "GCM test case 2"},
	    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	     "5bc94fbc3221a5db94fae95ae7121a47", "GCM test case 4"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_gcm_case(&cases[i]);
}

static void test_derive(void)
{
	struct link_key key = {.size = 16};
	struct session_keys keys, other;
	uint8_t client[NONCE_SIZE], server[NONCE_SIZE], expected[40], salt[32], info[16];

	for (int i = 0; i < 16; i++) {
		key.bytes[i] = (uint8_t)i;
		client[i] = salt[i] = (uint8_t)(0x20 + i);
		server[i] = salt[16 + i] = (uint8_t)(0x40 + i);
	}
	from_hex("53412f310015bc00000000010000000a", info);
	ok(security_derive(&key, client, server, 0x0015bc0000000001, 10, &keys) &&
	       security_hkdf(key.bytes, 16, salt, 32, info, 16, expected, 40) &&
	       memcmp(keys.client_key, expected, 16) == 0 &&
	       memcmp(keys.server_key, expected + 16, 16) == 0 &&
	       memcmp(keys.client_salt, expected + 32, 4) == 0 &&
	       memcmp(keys.server_salt, expected + 36, 4) == 0,
	   "session keys are HKDF's bytes: client key, server key, client salt, server salt");
	security_derive(&key, client, server, 0x0015bc0000000001, 11, &other);
	ok(memcmp(&keys, &other, sizeof(keys)) != 0, "another session number has other keys");
}

int main(void)
{
	test_crc32c();
	test_hkdf();
	test_mac();
	test_gcm();
	test_derive();
	return tap_done();
}
