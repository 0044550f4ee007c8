/*
 * Promises of the M-Bus decoders: published vectors come out (OMS volume 2
 * annex N, RFC 4493, CRC catalogue), and what the tests' own writer makes of
 * records, checksums and encryption is read as it was meant; nothing altered,
 * forged or cut off passes.
 */
#include <stdlib.h>

#include "mbus_writer.h"
#include "tap.h"

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/mbus_format.h"
#include "../../bridge/codec/mbus_record.h"

enum { ELECTRICITY = 2, GAS = 3, HEAT = 4, WATER = 7, ROOM = 0x1b };

static struct reading readings[READING_LIMIT];
static size_t count;
static struct meter_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, false};
static bool key_known;

static const struct meter_key *find_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return key_known ? &key : NULL;
}

static struct decoder decoder = {.key = find_key};

/* Decodes a copy on the heap, so that a read past its end is caught. */
static enum reading_status decode_frame(const uint8_t *frame, size_t size, bool wired)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct raw_telegram telegram = {NULL, copy, 0, size};

	memcpy(copy, frame, size);
	enum reading_status status =
	    wired ? reading_decode_wired_mbus(&decoder, &telegram, readings, &count)
	          : reading_decode_wireless_mbus(&decoder, &telegram, readings, &count);
	free(copy);
	return status;
}

static enum reading_status decode_above(uint8_t device_type, const uint8_t *above, size_t size)
{
	uint8_t frame[256] = {0};

	return decode_frame(frame, write_wireless(frame, device_type, above, size), false);
}

/* Records in hexadecimal digits behind a short header without encryption. */
static enum reading_status decode_records(uint8_t device_type, const char *hex)
{
	uint8_t above[256];
	size_t header = from_hex("7a01000000", above);

	return decode_above(device_type, above, header + from_hex(hex, above + header));
}

static double value_of(const struct reading *reading)
{
	return (double)reading->raw * (double)reading->multiplier / (double)reading->divisor;
}

static const struct reading *find(const char *obis)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readings[i].obis, obis) == 0)
			return &readings[i];
	return NULL;
}

static bool has(const char *obis, double value, const char *unit)
{
	const struct reading *found = find(obis);

	return found && fabs(value_of(found) - value) <= 1e-12 * fmax(1, fabs(value)) &&
	       strcmp(found->unit, unit) == 0;
}

/* Whether these records of a device are this one reading. */
static bool reads(uint8_t device_type, const char *hex, const char *obis, double value,
                  const char *unit)
{
	return decode_records(device_type, hex) == READING_OK && count == 1 && has(obis, value, unit);
}

static bool reads_nothing(uint8_t device_type, const char *hex)
{
	return decode_records(device_type, hex) == READING_OK && count == 0;
}

static void test_checksums(void)
{
	uint8_t bytes[64];
	bool equal = true;

	ok(crc16_en13757("123456789", 9) == 0xc2b7, "CRC-16/EN-13757 check value");
	ok(crc16_arc("123456789", 9) == 0xbb3d, "CRC-16/ARC check value");
	for (size_t size = 0; size < sizeof(bytes); size++) {
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(size * 37 + i * i * 11);
		equal = equal && crc16_en13757(bytes, size) == crc_by_bits(bytes, size);
	}
	ok(equal, "the table gives what the polynomial gives, at even and odd lengths");
}

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

static void test_published(void)
{
	static const char wireless[] = "2e4493157856341233037a2a0020255923c95aaa26d1b2e7493b013ec4a6f6d"
	                               "3529b520edff0ea6defc99d6d69ebf3";
	static const char wired[] =
	    "6820206808fd7278563412931533032a0000000c1427048502046d32371f1502fd1700008916";
	struct meter_key kept = key;
	uint8_t frame[64] = {0};

	from_hex("0102030405060708090a0b0c0d0e0f11", key.bytes);
	key_known = true;
	ok(decode_frame(frame, from_hex(wireless, frame), false) == READING_OK && count == 1 &&
	       has("7-0:3.0.0.255", 28504.27, "m3"),
	   "the gas meter of OMS annex N in security mode 5");
	ok(readings[0].device_size == 8 &&
	       memcmp(readings[0].device, "\x12\x34\x56\x78\x15\x93\x33\x03", 8) == 0 &&
	       readings[0].endpoint == ENDPOINT_ONLY,
	   "its device is number, manufacturer, version and type");
	key_known = false;
	ok(decode_frame(frame, from_hex(wired, frame), true) == READING_OK && count == 1 &&
	       has("7-0:3.0.0.255", 28504.27, "m3") && readings[0].raw == 2850427,
	   "the same meter by wire, its count as it was sent");
	key = kept;
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
	memcpy(sent, frame, size);
	sent[0] = (uint8_t)(size + 1); /* the two checksum bytes count */
	uint16_t crc = crc_by_bits(sent, size);
	sent[size] = (uint8_t)(crc >> 8);
	sent[size + 1] = (uint8_t)crc;
	ok(decode_frame(sent, size + 2, false) == READING_OK && count == 1 &&
	       has("8-0:1.0.0.255", 1.234, "m3"),
	   "a frame of format B");
	/* 160 bytes of format B are two parts. */
	memset(sent, 0x2f, sizeof(sent));
	memcpy(sent, frame, 21);
	sent[0] = 159;
	crc = crc_by_bits(sent, 126);
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

static void test_wired(void)
{
	static const char sound[] = "6815156808027278563412430401070100000004130a0000002f";
	uint8_t frame[64] = {0};
	size_t size = from_hex(sound, frame);
	uint8_t sum = 0;

	for (size_t i = 4; i < 25; i++)
		sum = (uint8_t)(sum + frame[i]);
	frame[25] = sum;
	frame[26] = 0x16;
	size = 27;
	ok(decode_frame(frame, size, true) == READING_OK && has("8-0:1.0.0.255", 0.01, "m3"),
	   "a long frame");
	frame[25]++;
	ok(decode_frame(frame, size, true) == READING_BAD_CHECKSUM, "its checksum counts");
	frame[25]--;
	frame[26] = 0x17;
	ok(decode_frame(frame, size, true) != READING_OK, "and its end");
	ok(decode_frame(frame, 0, true) != READING_OK && decode_frame(frame, 5, true) != READING_OK,
	   "one that is cut off is refused");
	ok(decode_frame((const uint8_t *)"\xe5", 1, true) == READING_OK && count == 0,
	   "an acknowledgement is nothing");
	ok(decode_frame((const uint8_t *)"\x10\x40\x01\x41\x16", 5, true) == READING_OK && count == 0,
	   "nor is a short frame");
	ok(decode_frame((const uint8_t *)"\x10\x40\x01\x42\x16", 5, true) == READING_BAD_CHECKSUM,
	   "whose checksum counts too");
}

/* A long frame with the fixed data structure in it; status, units and counters in digits. */
static enum reading_status decode_fixed(const char *hex)
{
	uint8_t frame[64] = {0};
	size_t size = from_hex("68131368080173785634120a", frame);
	uint8_t sum = 0;

	size += from_hex(hex, frame + size);
	for (size_t i = 4; i < size; i++)
		sum = (uint8_t)(sum + frame[i]);
	frame[size++] = sum;
	frame[size++] = 0x16;
	return decode_frame(frame, size, true);
}

static void test_fixed(void)
{
	ok(decode_fixed("0005693165000069000000") == READING_OK && count == 2 &&
	       has("6-0:1.0.0.255", 6531, "kWh") && has("6-0:2.0.0.255", 0.069, "m3"),
	   "the fixed data structure, in digits");
	ok(memcmp(readings[0].device, "\x12\x34\x56\x78\0\0\0\x04", 8) == 0,
	   "its device has no manufacturer and version");
	ok(decode_fixed("01e97e0100000035010000") == READING_OK && count == 2 &&
	       has("8-0:1.0.0.255", 0.001, "m3") && has("8-0:1.0.0.1", 0.309, "m3"),
	   "in binary, the second counter being the first one's at the fixed date");
	ok(decode_fixed("00913f1200000034000000") == READING_OK && count == 1 &&
	       has("1-0:1.8.0.255", 12 * 1e6 / 3.6e3, "kWh"),
	   "a unit of many powers of ten, and a counter without unit");
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

static void test_data_types(void)
{
	ok(reads(HEAT, "01067f", "6-0:1.0.0.255", 127, "kWh"), "8-bit integer");
	ok(reads(HEAT, "0206ff7f", "6-0:1.0.0.255", 32767, "kWh"), "16 bits");
	ok(reads(HEAT, "0306010203", "6-0:1.0.0.255", 0x030201, "kWh"), "24 bits");
	ok(reads(HEAT, "042bf0d8ffff", "6-0:8.0.0.255", -10, "kW"), "32 bits, negative");
	ok(reads(HEAT, "0606010203040506", "6-0:1.0.0.255", 6618611909121.0, "kWh"), "48 bits");
	ok(reads(HEAT, "07030100000000000001", "6-0:1.0.0.255", 72057594037927937.0 / 1000, "kWh"),
	   "64 bits");
	ok(reads(HEAT, "090699", "6-0:1.0.0.255", 99, "kWh"), "2 digits");
	ok(reads(HEAT, "0a063412", "6-0:1.0.0.255", 1234, "kWh"), "4 digits");
	ok(reads(HEAT, "0b2d0200f0", "6-0:8.0.0.255", -0.2, "kW"), "6 digits, negative");
	ok(reads(HEAT, "0c0678563412", "6-0:1.0.0.255", 12345678, "kWh"), "8 digits");
	ok(reads(HEAT, "0e06129078563412", "6-0:1.0.0.255", 123456789012.0, "kWh"), "12 digits");
	ok(reads(HEAT, "055b00005c42", "6-0:10.0.0.255", 55, "degC"), "a real number");
	ok(reads_nothing(HEAT, "0d06c33412ab"), "digits that are none are no value");
	ok(reads(HEAT, "0d06c23412", "6-0:1.0.0.255", 1234, "kWh"), "digits of variable length");
	ok(reads(HEAT, "0d2bd134", "6-0:8.0.0.255", -0.034, "kW"), "negative ones");
	ok(reads(HEAT, "0d06e4d2040000", "6-0:1.0.0.255", 1234, "kWh"), "a number of variable length");
	ok(reads(HEAT,
	         "0d7803414243"
	         "0406d2040000",
	         "6-0:1.0.0.255", 1234, "kWh"),
	   "text is passed over");
	ok(reads_nothing(HEAT, "040600000080") && reads_nothing(HEAT, "055b0000c07f") &&
	       reads_nothing(HEAT, "0c06aaaaaaaa") && reads_nothing(WATER, "0413ffffffff") &&
	       reads_nothing(HEAT, "0006") && reads_nothing(HEAT, "0d06c0") &&
	       reads_nothing(HEAT, "0d06d0") && reads_nothing(HEAT, "0806"),
	   "what means that there is no value is none");
	ok(reads(HEAT, "2f2f0406010000002f2f", "6-0:1.0.0.255", 1, "kWh"), "filler is passed over");
	ok(reads(HEAT, "0406010000000f0406020000", "6-0:1.0.0.255", 1, "kWh") &&
	       reads(HEAT, "0406010000001f041302", "6-0:1.0.0.255", 1, "kWh"),
	   "what follows the manufacturer's mark is its own");
	ok(reads(HEAT, "040601000000041302", "6-0:1.0.0.255", 1, "kWh"),
	   "records before one that is cut off count");
	ok(decode_records(HEAT, "041302") == READING_MALFORMED &&
	       decode_records(HEAT, "3f06") == READING_MALFORMED &&
	       decode_records(HEAT, "0d06ff") == READING_MALFORMED,
	   "a telegram of nothing else is malformed");
}

static void test_names(void)
{
	static const struct {
		uint8_t device_type;
		const char *record, *obis;
		double value;
		const char *unit;
	} cases[] = {
	    {ELECTRICITY, "0403e8030000", "1-0:1.8.0.255", 1, "kWh"},
	    {ELECTRICITY, "8410030a000000", "1-0:1.8.1.255", 0.01, "kWh"},
	    {ELECTRICITY, "848010030a000000", "1-0:1.8.4.255", 0.01, "kWh"},
	    {ELECTRICITY, "844003e8030000", "1-1:1.8.0.255", 1, "kWh"},
	    {ELECTRICITY, "04833ce8030000", "1-0:2.8.0.255", 1, "kWh"},
	    {ELECTRICITY, "042be8030000", "1-0:1.7.0.255", 1, "kW"},
	    {ELECTRICITY, "04ab3ce8030000", "1-0:2.7.0.255", 1, "kW"},
	    {ELECTRICITY, "142be8030000", "1-0:1.6.0.255", 1, "kW"},
	    {ELECTRICITY, "242be8030000", "1-0:1.3.0.255", 1, "kW"},
	    {ELECTRICITY, "04fb820064000000", "1-0:3.8.0.255", 100, "kvarh"},
	    {ELECTRICITY, "02fdc8fc01fc08", "1-0:32.7.0.255", 230, "V"},
	    {ELECTRICITY, "02fd48fc08", "1-0:12.7.0.255", 230, "V"},
	    {ELECTRICITY, "02fdd9fc03e803", "1-0:71.7.0.255", 1, "A"},
	    {ELECTRICITY, "02fb2d8813", "1-0:14.7.0.255", 50, "Hz"},
	    {ELECTRICITY, "0483ff01e8030000", "1-0:1.8.129.255", 1, "kWh"},
	    {ELECTRICITY, "04837de8030000", "1-0:1.8.0.255", 1000, "kWh"},
	    {ELECTRICITY, "0483730a000000", "1-0:1.8.0.255", 0.00001, "kWh"},
	    {GAS, "0413e8030000", "7-0:3.0.0.255", 1, "m3"},
	    {GAS, "04933ee8030000", "7-0:3.2.0.255", 1, "m3"},
	    {GAS, "04933ae8030000", "7-0:3.0.0.255", 1, "m3"},
	    {GAS, "04933ce8030000", "7-0:6.0.0.255", 1, "m3"},
	    {HEAT, "040e24000000", "6-0:1.0.0.255", 10, "kWh"},
	    {HEAT, "04fb0802000000", "6-0:1.0.0.255", 55.0 + 5.0 / 9, "kWh"},
	    {HEAT, "04fb0d01000000", "6-0:1.0.0.255", 1.163, "kWh"},
	    {HEAT, "04fb0005000000", "6-0:1.0.0.255", 500, "kWh"},
	    {HEAT, "04863ce8030000", "5-0:1.0.0.255", 1000, "kWh"},
	    {HEAT, "0415e8030000", "6-0:2.0.0.255", 100, "m3"},
	    {HEAT, "043be8030000", "6-0:9.0.0.255", 1, "m3/h"},
	    {HEAT, "0444e8030000", "6-0:9.0.0.255", 60, "m3/h"},
	    {HEAT, "024ee803", "6-0:9.0.0.255", 3600, "m3/h"},
	    {HEAT, "025b3700", "6-0:10.0.0.255", 55, "degC"},
	    {HEAT, "025e7701", "6-0:11.0.0.255", 37.5, "degC"},
	    {HEAT, "0261d204", "6-0:12.0.0.255", 12.34, "K"},
	    {WATER, "0413e8030000", "8-0:1.0.0.255", 1, "m3"},
	    {WATER, "04933ce8030000", "8-0:129.0.0.255", 1, "m3"},
	    {0x06, "0413e8030000", "9-0:1.0.0.255", 1, "m3"},
	    {0x0a, "0406e8030000", "5-0:1.0.0.255", 1000, "kWh"},
	    {0x08, "036e0a0000", "4-0:1.0.0.255", 10, "HCA"},
	    {0x60, "0413e8030000", "15-0:2.0.0.255", 1, "m3"},
	    {ROOM, "02652708", "0-0:96.9.0.255", 20.87, "degC"},
	    {ROOM, "02fb1a0902", "0-0:96.9.2.255", 52.1, "%RH"},
	    {ROOM, "02fc03485225740902", "0-0:96.9.2.255", 5.21, "%RH"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(reads(cases[i].device_type, cases[i].record, cases[i].obis, cases[i].value,
		         cases[i].unit),
		   "%s of device type %02x is %s", cases[i].record, cases[i].device_type, cases[i].obis);
	ok(reads_nothing(WATER, "0493690a000000") && reads_nothing(WATER, "0493220a000000") &&
	       reads_nothing(WATER, "04937e0a000000") && reads_nothing(WATER, "3413e8030000") &&
	       reads_nothing(WATER, "04ff0701000000") && reads_nothing(WATER, "0493150a000000"),
	   "leaks, increments, future values, errors and the unknown are no readings");
	ok(decode_records(WATER, "0413e80300000413d0070000") == READING_OK && count == 1 &&
	       readings[0].raw == 1000,
	   "of records by the same name the first counts");
}

static void test_history(void)
{
	ok(decode_records(WATER,
	                  "0413e80300004413f4010000426c3f3c8401130a000000c4011314000000c2016c3e3c") ==
	           READING_OK &&
	       count == 3 && has("8-0:1.0.0.255", 1, "m3") && has("8-0:1.0.0.1", 0.5, "m3") &&
	       has("8-0:1.0.0.3", 0.02, "m3") && !find("8-0:1.0.0.2"),
	   "historical values are named by their storage number; one without a date is left out");
	ok(find("8-0:1.0.0.255")->measured_ms == 0 &&
	       find("8-0:1.0.0.1")->measured_ms == INT64_C(1767139200000) &&
	       find("8-0:1.0.0.3")->measured_ms == INT64_C(1767052800000),
	   "and have their dates");
	ok(decode_records(WATER, "4413f4010000426cffff") == READING_OK && count == 1 &&
	       readings[0].measured_ms == 0,
	   "the newest is read without one");
	static const struct {
		const char *hex;
		int64_t ms;
	} times[] = {
	    {"4413f4010000446d32371f15", INT64_C(1212277800000)},     /* 2008-05-31 23:50 */
	    {"4413f4010000466d1e32371f1500", INT64_C(1212277830000)}, /* :30 */
	    {"4413f4010000446db2371f15", 0},                          /* marked invalid */
	    {"4413f4010000446d3c371f15", 0},                          /* minute 60 */
	    {"4413f4010000426c6120", 0},                              /* month 0 */
	    {"4413f4010000426c3f32", 0},                              /* 31 February */
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		ok(decode_records(WATER, times[i].hex) == READING_OK && count == 1 &&
		       readings[0].measured_ms == times[i].ms,
		   "time of type %s", times[i].hex + 12);
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

static void test_mutations(void)
{
	static const char *const seeds[] = {
	    "7a010000000406a1b201004406a0860100426cff2c046d1e2a5c3b0d780341424304fb82753f000000",
	    "8c2001900f002c25b30a000001020304050607087a550020071004",
	    "8d200711223304abcd780413d2040000",
	    "72785634124304010701000000841001130500000002fdc8fc01fc080f0102",
	};
	uint64_t state = 88172645463325252u;
	int read = 0, rounds = 20000;

	printf("# seed %llu\n", (unsigned long long)state);
	for (int round = 0; round < rounds; round++) {
		uint8_t above[256];
		size_t size = from_hex(seeds[round % 4], above);

		for (int i = 0; i < 3; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			above[(state >> 8) % size] = (uint8_t)state;
		}
		read += decode_above((uint8_t)(state >> 40 & 15), above, size) == READING_OK;
	}
	ok(read > 0 && read < rounds, "%d mutated telegrams are read within bounds", rounds);
}

int main(void)
{
	decoder.cipher = meter_cipher_new();
	decoder.formats = mbus_formats_new();
	test_checksums();
	test_cipher();
	test_published();
	test_link();
	test_wired();
	test_fixed();
	test_security();
	test_extended_link_layers();
	test_data_types();
	test_names();
	test_history();
	test_compact();
	test_layout_collision();
	test_other_meter();
	test_clear_tail();
	test_cuts();
	test_mutations();
	meter_cipher_free(decoder.cipher);
	mbus_formats_free(decoder.formats);
	return tap_done();
}
