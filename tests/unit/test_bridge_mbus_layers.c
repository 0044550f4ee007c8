/*
 * Promises of the layers of M-Bus around the records: frames with their
 * checksums, encryption and authentication (RFC 4493, OMS volume 2 annex N) and
 * compact frames are read as the tests' own writer meant them; nothing forged,
 * of another meter or cut off passes.
 */
#include "mbus_decoding.h"

static void test_cipher(void)
{
	uint8_t aes_key[16], message[64], mac[16], expected[16];

	from_hex("2b7e151628aed2a6abf7158809cf4f3c", aes_key);
	from_hex(
	    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a"
	    "0a52eff69f2445df4f9b17ad2b417be66c3710",
	    message);
	static const struct {
		size_t size;
		const char *mac;
	} cases[] = {{0, "bb1d6929e95937287fa37d129b756746"},
	             {16, "070a16b46b4d4144f79bdd9dd04a287c"},
	             {40, "dfa66747de9ae63030ca32611497c827"},
	             {64, "51f0bebf7e3b9d92fc49741779363cfe"}};
	for (int i = 0; i < 4; i++) {
		from_hex(cases[i].mac, expected);
		ok(meter_cipher_cmac(decoder.cipher, aes_key, message, cases[i].size, mac) &&
		       memcmp(mac, expected, 16) == 0,
		   "AES-CMAC of %zu bytes (RFC 4493)", cases[i].size);
	}
	from_hex("eccf39d475d730b8284fdfdc1995d52f", expected);
	ok(meter_cipher_derive(decoder.cipher, key.bytes, KEY_ENCRYPTION_FROM_METER,
	                       (const uint8_t *)"\xb3\x0a\x00\x00", (const uint8_t *)"\x78\x56\x34\x12",
	                       mac) &&
	       memcmp(mac, expected, 16) == 0,
	   "a derived encryption key (OMS volume 2 annex N)");
}

/* A frame of up to 126 bytes with the checksum of format B, which its length counts. */
static size_t write_format_b(uint8_t *out, const uint8_t *frame, size_t size)
{
	memcpy(out, frame, size);
	out[0] = (uint8_t)(size + 1);
	uint16_t crc = crc_by_bits(out, size);
	out[size] = (uint8_t)(crc >> 8);
	out[size + 1] = (uint8_t)crc;
	return size + 2;
}

static void test_link(void)
{
	uint8_t above[256], frame[256] = {0}, sent[400];
	size_t size = from_hex("7a010000000413d2040000046d0000010107fd0b0102030405060708", above);

	size = write_wireless(frame, WATER, above, size);
	ok(decode_frame(frame, size, false) == READING_OK && has("8-0:1.0.0.255", 1.234, "m3"),
	   "a frame whose checksums were taken out");
	size_t sent_size = write_format_a(sent, frame, size);
	ok(decode_frame(sent, sent_size, false) == READING_OK && has("8-0:1.0.0.255", 1.234, "m3"),
	   "a frame of format A");
	bool refused = true;
	for (size_t i = 0; i < 8 * sent_size; i++) {
		sent[i / 8] ^= (uint8_t)(1 << i % 8);
		refused = refused && decode_frame(sent, sent_size, false) != READING_OK;
		sent[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ok(refused, "with any bit of it turned it is refused");
	ok(decode_frame(sent, write_format_b(sent, frame, size), false) == READING_OK && count == 1 &&
	       has("8-0:1.0.0.255", 1.234, "m3"),
	   "a frame of format B");
	/* 160 bytes of format B are two parts. */
	memset(sent, 0x2f, sizeof(sent));
	memcpy(sent, frame, 21);
	sent[0] = 159;
	uint16_t crc = crc_by_bits(sent, 126);
	sent[126] = (uint8_t)(crc >> 8);
	sent[127] = (uint8_t)crc;
	memcpy(sent + 128, "\x04\x14\x01\x00\x00\x00", 6);
	memcpy(sent + 134, "\x04\x3b\xe8\x03\x00\x00", 6);
	crc = crc_by_bits(sent + 128, 30);
	sent[158] = (uint8_t)(crc >> 8);
	sent[159] = (uint8_t)crc;
	ok(decode_frame(sent, 160, false) == READING_OK && count == 2 &&
	       has("8-0:2.0.0.255", 1, "m3/h"),
	   "a long frame of format B, in two parts");
	ok(decode_frame(frame, size - 1, false) == READING_BAD_LENGTH &&
	       decode_frame(frame, 0, false) == READING_BAD_LENGTH &&
	       decode_frame((const uint8_t *)"\x05\x44\x01\x02\x03\x04", 6, false) ==
	           READING_BAD_LENGTH,
	   "a frame of another length than it says is told");
}

/* Frames without checksums whose last bytes are one all the same. */
static void test_chance_checksum(void)
{
	static const uint8_t chance_key[16] = {0x32, 0xd4, 0xee, 0x77, 0x0e, 0x8f, 0xc0, 0x2b,
	                                       0x9a, 0x65, 0xa6, 0xbf, 0x4b, 0x8d, 0x2b, 0xcd};
	uint8_t frame[256] = {0}, sent[300], above[256], records[16], payload[16];
	struct meter_key usual = key;
	size_t size = from_hex("2e4443049871000002027a2a0020054b293269dda8552cdc8d72bf3f981a3b7f4a1278d"
	                       "f8d1dd140d445100cc1e649",
	                       frame);

	ok(decode_frame(frame, size, false) == READING_NO_KEY,
	   "an encrypted one whose key is not known waits for it");
	memcpy(key.bytes, chance_key, sizeof(chance_key));
	key_known = true;
	ok(decode_frame(frame, size, false) == READING_OK && count == 4 &&
	       has("1-0:1.8.0.255", 7198.001, "kWh"),
	   "an encrypted one is read with its key");
	key = usual;
	key_known = false;
	/* The last record's upper bytes are the checksum. */
	size = write_wireless(frame, WATER, above, from_hex("7a01000000043be80300000413d204", above));
	size = write_format_b(sent, frame, size);
	ok(decode_frame(sent, size, false) == READING_OK && count == 2 && find("8-0:1.0.0.255"),
	   "one in clear keeps its last reading");

	/* Those of format B are still read, however they are protected. */
	size_t records_size = from_hex("0413d2040000", records);
	payload[0] = 0x78;
	memcpy(payload + 1, records, records_size);
	key_known = true;
	for (int mode = 0; mode < 3; mode++) {
		size = mode == 0   ? write_mode_5(above, key.bytes, WATER, 0x2a, records, records_size)
		       : mode == 1 ? write_mode_7(above, key.bytes, records, records_size)
		                   : write_session(above, key.bytes, WATER, payload, records_size + 1);
		size = write_format_b(sent, frame, write_wireless(frame, WATER, above, size));
		ok(decode_frame(sent, size, false) == READING_OK && count == 1 &&
		       has("8-0:1.0.0.255", 1.234, "m3"),
		   "an encrypted frame of format B (%d)", mode);
	}
	key_known = false;
}

static void test_security(void)
{
	static const char hex[] = "0413d2040000027a0100";
	uint8_t records[64], above[256], payload[64], message_5[256];
	size_t records_size = from_hex(hex, records), size;

	payload[0] = 0x78;
	memcpy(payload + 1, records, records_size);
	static const char *const names[] = {"mode 5", "mode 7", "the extended link layer's"};
	for (int mode = 0; mode < 3; mode++) {
		size = mode == 0   ? write_mode_5(above, key.bytes, WATER, 0x2a, records, records_size)
		       : mode == 1 ? write_mode_7(above, key.bytes, records, records_size)
		                   : write_session(above, key.bytes, WATER, payload, records_size + 1);
		key_known = true;
		ok(decode_above(WATER, above, size) == READING_OK && count == 1 &&
		       has("8-0:1.0.0.255", 1.234, "m3"),
		   "%s encryption", names[mode]);
		key.bytes[5] ^= 1;
		enum reading_status wrong = decode_above(WATER, above, size);
		ok(reading_lacks_key(wrong) && wrong != READING_NO_KEY && count == 0,
		   "%s with another key is told", names[mode]);
		key.bytes[5] ^= 1;
		key_known = false;
		ok(decode_above(WATER, above, size) == READING_NO_KEY && count == 0,
		   "%s without a key is told", names[mode]);
		uint8_t device[MBUS_DEVICE_SIZE];
		device_of_type(WATER, device);
		ok(memcmp(decoder.device, device, MBUS_DEVICE_SIZE) == 0, "and whose key it is");
	}
	key_known = true;
	size = write_mode_7(above, key.bytes, records, records_size);
	bool refused = true;
	/* From the message counter on: the length and presence of fields is what it is. */
	for (size_t i = 8 * 5; i < 8 * size; i++) {
		above[i / 8] ^= (uint8_t)(1 << i % 8);
		refused = refused && (decode_above(WATER, above, size) != READING_OK || count == 0);
		above[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ok(refused, "an authenticated telegram with any bit turned is refused");
	uint8_t message[32];
	size_t message_size = from_hex("7a010000000413d2040000", message);
	size = write_authenticated(above, key.bytes, message, message_size);
	ok(decode_above(WATER, above, size) == READING_OK && has("8-0:1.0.0.255", 1.234, "m3"),
	   "one that is authenticated and not encrypted is read");
	above[size - 1] ^= 1;
	ok(decode_above(WATER, above, size) == READING_FORGED, "as long as it is what it was");
	size = write_mode_5(message_5, key.bytes, WATER, 0x2a, records, records_size);
	size = write_authenticated(above, key.bytes, message_5, size);
	above[5] ^= 1;
	ok(decode_above(WATER, above, size) == READING_FORGED,
	   "in mode 5 an authentication code counts too");
	ok(decode_records(WATER, hex) == READING_NOT_ENCRYPTED && count == 0,
	   "a meter with a key is not believed in clear");
	size = from_hex("7a2a001005"
	                "2f2f0413d20400002f2f2f2f2f2f2f2f",
	                above);
	ok(decode_above(WATER, above, size) == READING_WRONG_KEY,
	   "nor where it only says that it is encrypted");
	key.clear_accepted = true;
	ok(decode_above(WATER, above, size) == READING_OK && count == 1 &&
	       decode_records(WATER, hex) == READING_OK && count == 1,
	   "unless its key's row accepts that");
	key.clear_accepted = false;
	key_known = false;
	ok(decode_above(WATER, above, size) == READING_OK && count == 1,
	   "what was decrypted before it came is read");
	above[4] = 0x0d; /* mode 13 */
	ok(decode_above(WATER, above, size) == READING_UNSUPPORTED_SECURITY,
	   "a mode that is not supported is told");
	above[4] = 5;
	ok(decode_above(WATER, above, size - 1) == READING_MALFORMED,
	   "more encrypted blocks than there are bytes are refused");
}

static bool counts(enum meter_counter_kind kind, uint32_t value)
{
	uint8_t device[MBUS_DEVICE_SIZE];

	device_of_type(WATER, device);
	return decoder.counter.kind == kind &&
	       (kind == COUNTER_NONE ||
	        (decoder.counter.value == value && decoder.counter.key_check == key.check &&
	         memcmp(decoder.counter.device, device, MBUS_DEVICE_SIZE) == 0));
}

static void test_counters(void)
{
	uint8_t records[64], above[256], payload[64];
	size_t records_size = from_hex("0413d2040000027a0100", records), size;
	uint32_t check = 0, other = 0;

	ok(meter_cipher_key_check(decoder.cipher, key.bytes, &key.check), "a key has a name");
	key.bytes[15] ^= 1;
	meter_cipher_key_check(decoder.cipher, key.bytes, &other);
	key.bytes[15] ^= 1;
	meter_cipher_key_check(decoder.cipher, key.bytes, &check);
	ok(check == key.check && other != key.check, "the same again, and another key another");
	key_known = true;
	size = write_mode_7(above, key.bytes, records, records_size);
	ok(decode_above(WATER, above, size) == READING_OK && counts(COUNTER_MESSAGE, 0x0ab3),
	   "an authenticated telegram has its message counter");
	above[size - 1] ^= 1;
	ok(decode_above(WATER, above, size) == READING_FORGED && counts(COUNTER_NONE, 0),
	   "a forged one has none");
	above[size - 1] ^= 1;
	decode_above(WATER, above, size);
	decode_above(WATER, above, 0);
	ok(counts(COUNTER_NONE, 0), "nor has the telegram after it");
	payload[0] = 0x78;
	memcpy(payload + 1, records, records_size);
	size = write_session(above, key.bytes, WATER, payload, records_size + 1);
	ok(decode_above(WATER, above, size) == READING_OK && counts(COUNTER_SESSION, 0x04332211),
	   "one of an encrypted session has its time and number");
	above[6] ^= 1;
	ok(decode_above(WATER, above, size) == READING_WRONG_KEY && counts(COUNTER_NONE, 0),
	   "where it decrypts");
	size = write_mode_5(above, key.bytes, WATER, 0x2a, records, records_size);
	ok(decode_above(WATER, above, size) == READING_OK && counts(COUNTER_NONE, 0),
	   "one in mode 5 has no counter, only an access number");
	key.clear_accepted = true;
	uint16_t crc = crc_by_bits(payload, records_size + 1);
	size = from_hex("8d200711223324", above);
	above[size++] = (uint8_t)crc;
	above[size++] = (uint8_t)(crc >> 8);
	memcpy(above + size, payload, records_size + 1);
	ok(decode_above(WATER, above, size + records_size + 1) == READING_OK && counts(COUNTER_NONE, 0),
	   "one that came decrypted proves nothing");
	key_known = key.clear_accepted = false;
}

static void test_fragments(void)
{
	uint8_t above[64];

	ok(decode_above(WATER, above, from_hex("900201407a0100000004130100", above)) ==
	           READING_FRAGMENT &&
	       count == 0,
	   "the first fragment of a message is told");
	ok(decode_above(WATER, above, from_hex("9002020000000000", above)) == READING_FRAGMENT &&
	       count == 0,
	   "and the last one");
	ok(decode_above(WATER, above, from_hex("900201007a010000000413d2040000", above)) ==
	           READING_OK &&
	       has("8-0:1.0.0.255", 1.234, "m3"),
	   "a message that is its own only fragment is read");
}

static void test_extended_link_layers(void)
{
	uint8_t above[128], payload[32];
	size_t size, payload_size = from_hex("780413d2040000", payload);
	static const char *const headers[] = {"8c2001", "8e200143047856341201ff", "86200100",
	                                      "862001194304785634120107123456"};
	static const char *const names[] = {"I", "III", "V, short", "V with receiver, delay and level"};

	for (int i = 0; i < 4; i++) {
		size = from_hex(headers[i], above);
		memcpy(above + size, payload, payload_size);
		ok(decode_above(WATER, above, size + payload_size) == READING_OK &&
		       has("8-0:1.0.0.255", 1.234, "m3"),
		   "extended link layer %s", names[i]);
	}
	size = from_hex("8f20014304785634120107"
	                "00000000",
	                above);
	uint16_t crc = crc_by_bits(payload, payload_size);
	above[size++] = (uint8_t)crc;
	above[size++] = (uint8_t)(crc >> 8);
	memcpy(above + size, payload, payload_size);
	ok(decode_above(WATER, above, size + payload_size) == READING_OK &&
	       has("8-0:1.0.0.255", 1.234, "m3"),
	   "extended link layer IV, its session not encrypted");
	above[size + 3] ^= 1;
	ok(decode_above(WATER, above, size + payload_size) == READING_BAD_CHECKSUM,
	   "whose payload's checksum counts");
}

static void test_compact(void)
{
	static const char blocks[] = "02ff2004134413", full[] = "02ff20710004130819000044130819"
	                                                        "0000";
	uint8_t headers[16], records[64], above[128];
	size_t headers_size = from_hex(blocks, headers), records_size = from_hex(full, records);
	uint16_t signature = crc_by_bits(headers, headers_size),
	         crc = crc_by_bits(records, records_size);
	char compact[64];

	snprintf(compact, sizeof(compact),
	         "79%02x%02x%02x%02x7100081900000819"
	         "0000",
	         signature & 255, signature >> 8, crc & 255, crc >> 8);
	ok(decode_above(WATER, above, from_hex(compact, above)) == READING_UNKNOWN_FORMAT && count == 0,
	   "a compact frame whose layout was not seen is told");
	above[0] = 0x69;
	above[1] = (uint8_t)headers_size;
	above[2] = (uint8_t)signature;
	above[3] = (uint8_t)(signature >> 8);
	memcpy(above + 4, headers, headers_size);
	ok(decode_above(WATER, above, 4 + headers_size) == READING_OK && count == 0,
	   "a format frame has no readings");
	uint8_t frame[64];
	size_t compact_size = from_hex(compact, frame);
	ok(decode_above(WATER, frame, compact_size) == READING_UNKNOWN_FORMAT,
	   "and teaches nothing where it comes in clear from a meter without a key");
	key_known = key.clear_accepted = true;
	decode_above(WATER, above, 4 + headers_size);
	key_known = key.clear_accepted = false;
	ok(decode_above(GAS, frame, compact_size) == READING_UNKNOWN_FORMAT,
	   "a layout is for meters of its kind");
	ok(decode_above(WATER, above, from_hex(compact, above)) == READING_OK && count == 2 &&
	       has("8-0:1.0.0.255", 6.408, "m3") && has("8-0:1.0.0.1", 6.408, "m3"),
	   "but the compact frame of its layout is read then");
	above[8] ^= 1;
	ok(decode_above(WATER, above, strlen(compact) / 2) == READING_BAD_CHECKSUM && count == 0,
	   "where the full frame's checksum comes out");
	struct mbus_formats *formats = mbus_formats_new();
	struct mbus_layout layout;
	struct cursor found;
	mbus_formats_learn(formats, 1, cursor_over(records, records_size), true);
	ok(mbus_formats_find(formats, 1, signature, &found) && cursor_left(&found) == headers_size,
	   "a full frame teaches its layout");
	bool told = mbus_formats_take_new(formats, &layout);
	mbus_formats_learn(formats, 1, cursor_over(records, records_size), true);
	ok(told && layout.kind == 1 && layout.signature == signature && layout.protected &&
	       !mbus_formats_take_new(formats, &layout),
	   "which is told once");
	for (int i = 0; i < 1000; i++) {
		uint8_t other[] = {0x04, 0x13, 0x84, 0x10, 0x13, (uint8_t)(i & 3), 0x02, (uint8_t)(i >> 2)};
		mbus_formats_put(formats, 1, crc_by_bits(other, sizeof(other)),
		                 cursor_over(other, sizeof(other)), true);
	}
	ok(!mbus_formats_find(formats, 1, signature, &found),
	   "as many as are kept; then the oldest goes");
	mbus_formats_free(formats);
}

/* Puts layouts that nobody has, of so many kinds in turn. */
static void flood(struct mbus_formats *formats, uint32_t kinds, bool protected)
{
	for (int i = 0; i < 4000; i++) {
		uint8_t other[] = {0x04, 0x13, 0x84, 0x10, 0x13, (uint8_t)(i & 3), 0x02, (uint8_t)(i >> 2)};
		mbus_formats_put(formats, 2 + (uint32_t)i % kinds, crc_by_bits(other, sizeof(other)),
		                 cursor_over(other, sizeof(other)), protected);
	}
}

static void test_layout_flood(void)
{
	static const uint8_t blocks[8] = {0x04, 0x03, 0x04, 0x14, 0x02, 0x2b, 0x02, 0x5b};
	struct mbus_formats *formats = mbus_formats_new();
	uint16_t signature = crc_by_bits(blocks, 8);
	struct cursor found;

	mbus_formats_put(formats, 1, signature, cursor_over(blocks, 8), true);
	flood(formats, 1, true);
	ok(mbus_formats_find(formats, 1, signature, &found),
	   "one kind's layouts, many as they be, leave another's alone");
	flood(formats, 100, false);
	ok(mbus_formats_find(formats, 1, signature, &found), "and those in clear a protected one");
	flood(formats, 100, true);
	ok(!mbus_formats_find(formats, 1, signature, &found), "which makes room for its like");
	mbus_formats_free(formats);
}

/* Other blocks of the same length and signature. */
static void collide(const uint8_t *blocks, uint8_t *out)
{
	memcpy(out, blocks, 8);
	for (unsigned i = 1; crc_by_bits(out, 8) != crc_by_bits(blocks, 8) || i == 1; i++) {
		out[3] = (uint8_t)(i & 0x7f);
		out[5] = (uint8_t)(i >> 7 & 0x7f);
		out[7] = (uint8_t)(i >> 14 & 0x7f);
		if (memcmp(out, blocks, 8) == 0)
			out[0] ^= 1;
	}
}

static void test_layout_collision(void)
{
	static const uint8_t blocks[8] = {0x04, 0x03, 0x04, 0x14, 0x02, 0x2b, 0x02, 0x5b};
	struct mbus_formats *formats = mbus_formats_new();
	uint16_t signature = crc_by_bits(blocks, 8);
	struct cursor found;
	uint8_t forged[8];

	collide(blocks, forged);
	mbus_formats_put(formats, 1, signature, cursor_over(blocks, 8), false);
	bool put = mbus_formats_put(formats, 1, signature, cursor_over(forged, 8), false);
	ok(put && mbus_formats_find(formats, 1, signature, &found) &&
	       memcmp(found.bytes, blocks, 8) == 0,
	   "a layout in clear does not take the place of another of its signature");
	mbus_formats_put(formats, 1, signature, cursor_over(forged, 8), true);
	ok(mbus_formats_find(formats, 1, signature, &found) && memcmp(found.bytes, forged, 8) == 0,
	   "a protected one does");
	mbus_formats_put(formats, 1, signature, cursor_over(blocks, 8), true);
	ok(mbus_formats_find(formats, 1, signature, &found) && memcmp(found.bytes, forged, 8) == 0,
	   "but not another protected one's: who has a key of a meter could name what others send");
	mbus_formats_free(formats);
}

static void test_other_meter(void)
{
	uint8_t payload[64], above[256];
	/* Long header of another meter, ABC 87654321, with an energy in clear. */
	size_t size = from_hex("72214365874304010701000000"
	                       "0403e8030000",
	                       payload);

	key_known = true;
	size = write_session(above, key.bytes, ELECTRICITY, payload, size);
	ok(decode_above(ELECTRICITY, above, size) == READING_NOT_ENCRYPTED && count == 0,
	   "a meter's key does not speak for another meter that has one");
	size = from_hex("72785634124304010201000000"
	                "0403e8030000",
	                payload);
	size = write_session(above, key.bytes, ELECTRICITY, payload, size);
	ok(decode_above(ELECTRICITY, above, size) == READING_OK && count == 1,
	   "but for the same meter in a long header");
	key_known = false;
}

static void test_clear_tail(void)
{
	uint8_t records[64], above[256];
	size_t size =
	    write_mode_5(above, key.bytes, WATER, 7, records, from_hex("0413d2040000", records));

	key_known = true;
	ok(decode_above(WATER, above, size) == READING_OK && count == 1, "an encrypted block");
	size_t tail = from_hex("0406ffe0f505", above + size);
	ok(decode_above(WATER, above, size + tail) == READING_OK && count == 1 &&
	       has("8-0:1.0.0.255", 1.234, "m3"),
	   "records in clear behind encrypted ones are not believed");
	key.clear_accepted = true;
	ok(decode_above(WATER, above, size + tail) == READING_OK && count == 2,
	   "unless the meter is believed in clear");
	key.clear_accepted = false;
	memset(above + size, 0x2f, tail);
	ok(decode_above(WATER, above, size + tail) == READING_OK && count == 1,
	   "filler behind them is nothing");
	key_known = false;
}

static void test_cuts(void)
{
	uint8_t records[64], above[256], frame[256] = {0};
	size_t size = write_mode_7(above, key.bytes, records,
	                           from_hex("0413d20400004413f4010000426c3f3c", records));

	size = write_wireless(frame, WATER, above, size);
	key_known = true;
	bool whole = decode_frame(frame, size, false) == READING_OK && count == 2, cut = true;
	for (size_t left = 11; left < size; left++) {
		frame[0] = (uint8_t)(left - 1);
		cut = cut && (decode_frame(frame, left, false) != READING_OK && count == 0);
	}
	ok(whole && cut, "an authenticated telegram cut anywhere has no readings");
	key_known = false;
}

int main(void)
{
	static void (*const tests[])(void) = {
	    test_cipher,
	    test_link,
	    test_chance_checksum,
	    test_security,
	    test_counters,
	    test_fragments,
	    test_extended_link_layers,
	    test_compact,
	    test_layout_collision,
	    test_layout_flood,
	    test_other_meter,
	    test_clear_tail,
	    test_cuts,
	};

	return run_decoding(tests, sizeof(tests) / sizeof(tests[0]));
}
