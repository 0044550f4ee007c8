/*
 * Promises of the M-Bus record decoders: published vectors come out (OMS volume
 * 2 annex N, CRC catalogue), and what the tests' own writer makes of records is
 * read as it was meant; nothing altered passes.
 */
#include "mbus_decoding.h"

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/mbus_record.h"

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
	static void (*const tests[])(void) = {test_checksums, test_published,  test_wired,
	                                      test_fixed,     test_data_types, test_names,
	                                      test_history,   test_mutations};

	return run_decoding(tests, sizeof(tests) / sizeof(tests[0]));
}
