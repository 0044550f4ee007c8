/*
 * Promises of the ZCL decoder: Smart Energy metering reports become OBIS
 * readings with the meter's own integers, invalid values and foreign attributes
 * become none, malformed frames are told apart from frames that are no readings,
 * and no bytes are read past the end. Frames captured from real devices are
 * compared where the shared data folder is present.
 */
#include "tap.h"
#include "zcl_decoding.h"

#include "../../bridge/codec/zcl.h"
#include "../../bridge/core/routing.h"

static bool is(size_t index, const char *obis, int64_t raw, const char *unit)
{
	return index < count && strcmp(readings[index].obis, obis) == 0 && readings[index].raw == raw &&
	       strcmp(readings[index].unit, unit) == 0;
}

static void test_electricity(void)
{
	ok(decode(ZCL_METERING, "08550a000025b20800000000") == READING_OK && count == 1 &&
	       is(0, "?1-0:1.8.0.255", 2226, "?"),
	   "a summation is what was delivered, of a medium and in a unit that other frames say");
	ok(readings[0].device_size == 8 &&
	       memcmp(readings[0].device, "\x00\x15\xbc\x00\x00\x00\x00\x42", 8) == 0 &&
	       readings[0].endpoint == 2 && readings[0].multiplier == 0 && readings[0].divisor == 0,
	   "device and endpoint come from the address, the scale is unknown where not said");
	decode(ZCL_METERING, "18010a0000256400000000000100250500000000000004"
	                     "2a18fcff010322010000020322e80300");
	ok(count == 3 && is(0, "?1-0:1.8.0.255", 100, "?") && is(1, "?1-0:2.8.0.255", 5, "?") &&
	       is(2, "?1-0:16.7.0.255", -1000, "?/h"),
	   "delivered, received and a negative demand in one report");
	ok(readings[0].multiplier == 1 && readings[0].divisor == 1000 && readings[2].divisor == 1000,
	   "multiplier and divisor hold for the whole frame, also for what stands before them");
	decode(ZCL_METERING, "18010a0001250100000000000101250200000000000201250300000000001d0125040000"
	                     "000000");
	ok(count == 4 && is(0, "?1-0:1.8.1.255", 1, "?") && is(1, "?1-0:2.8.1.255", 2, "?") &&
	       is(2, "?1-0:1.8.2.255", 3, "?") && is(3, "?1-0:2.8.15.255", 4, "?"),
	   "tiers are tariff registers");
	decode(ZCL_METERING, "18010a000025640000000000000330000603300000042a18fcff");
	ok(count == 2 && is(0, "1-0:1.8.0.255", 100, "kWh") && is(1, "1-0:16.7.0.255", -1000, "kW"),
	   "an electricity meter that says so counts kWh and kW");
}

static void test_other_media(void)
{
	decode(ZCL_METERING, "18010a000025e803000000000003300106033001");
	ok(count == 1 && is(0, "7-0:3.0.0.255", 1000, "m3"), "a gas meter's summation is a volume");
	decode(ZCL_METERING, "18010a00002501000000000006033002000330010100250500000000000004"
	                     "2a010000");
	ok(count == 1 && is(0, "8-0:1.0.0.255", 1, "m3"),
	   "a water meter has a volume, and neither export nor electric power");
	decode(ZCL_METERING, "18010a00002501000000000006033005");
	ok(count == 1 && is(0, "6-0:1.0.0.255", 1, "?"), "a heat meter's summation");
	decode(ZCL_METERING, "18010a00002501000000000006033080");
	ok(count == 1 && is(0, "7-0:3.0.0.255", 1, "?"), "a mirrored gas meter is a gas meter");
	decode(ZCL_METERING, "18010a000025010000000000060330040003300b");
	ok(count == 0, "a pressure meter is none of ours");
	decode(ZCL_METERING, "18010a00002534120000000000033080");
	ok(count == 1 && is(0, "?1-0:1.8.0.255", 1234, "kWh"), "a BCD unit is read as decimal digits");
	decode(ZCL_METERING, "18010a0000253a120000000000033080");
	ok(count == 1 && is(0, READING_SCALE, 1, "kWh"), "BCD with a digit above 9 is no reading");
	decode(ZCL_METERING, "18010a0000253a12000000000003307e");
	ok(count == 0, "an unknown unit gives no reading");
}

static void test_invalid_values(void)
{
	ok(decode(ZCL_METERING, "18010a000025ffffffffffff00042a000080") == READING_OK && count == 0,
	   "all ones of an unsigned and the lowest signed value are no readings");
	decode(ZCL_METERING, "18010a00002100800004297fff");
	ok(count == 2 && is(0, "?1-0:1.8.0.255", 0x8000, "?") &&
	       is(1, "?1-0:16.7.0.255", (int16_t)0xff7f, "?/h"),
	   "the type in the frame decides the width and the sign");
	decode(ZCL_METERING, "18010a0000250a0000000000010322000000020322ffffff");
	ok(count == 1 && readings[0].multiplier == 0 && readings[0].divisor == 0,
	   "a multiplier of 0 and an invalid divisor say nothing");
	ok(decode(ZCL_METERING, "18010a00003900000000") == READING_OK && count == 0,
	   "a summation of a type that is no integer is ignored");
}

static void test_snapshot_time(void)
{
	decode(ZCL_METERING, "18010a0700e28050ff270000250a000000000000042a010000");
	ok(count == 2 && readings[0].measured_ms == (INT64_C(0x27ff5080) + 946684800) * 1000,
	   "the snapshot time counts from 2000-01-01 and is the register's time");
	ok(readings[1].measured_ms == 0, "the demand has not the register's time");
	decode(ZCL_METERING, "18010a0700e2ffffffff0000250a0000000000");
	ok(count == 1 && readings[0].measured_ms == 0, "an invalid snapshot time is none");
}

static void test_scale_alone(void)
{
	/* Read Attributes Response: multiplier 1, divisor 100 (uint24 each). */
	decode(ZCL_METERING, "1802010103002201000002030022640000");
	ok(count == 1 && is(0, READING_SCALE, 0, READING_SCALE_UNIT) && readings[0].multiplier == 1 &&
	       readings[0].divisor == 100,
	   "a scale without a value is handed on as such");
	decode(ZCL_METERING, "1802010103002201000000000025640000000000");
	ok(count == 1 && is(0, "?1-0:1.8.0.255", 100, "?") && readings[0].multiplier == 1,
	   "a scale with a value belongs to the value");
	/* Write Attributes as a gas meter begins its mirror: cubic feet, divisor 100. */
	decode(ZCL_METERING, "18010200033002"
	                     "060330"
	                     "01"
	                     "020322640000");
	ok(count == 2 && is(0, READING_SCALE, 0, "ft3") && readings[0].divisor == 100,
	   "so is a unit, and by Write Attributes");
	decode(ZCL_METERING, "180102000330810603300"
	                     "1");
	ok(count == 2 && is(0, READING_SCALE, 1, "m3"), "with its decimal digits");
}

static void test_not_readings(void)
{
	ok(decode(ZCL_METERING, "1802078600080186000a0100000002") == READING_OK && count == 0,
	   "a configure reporting response is no reading and no error");
	ok(decode(ZCL_METERING, "18020b0a00") == READING_OK && count == 0,
	   "a default response is no reading and no error");
	ok(decode(ZCL_METERING, "1902000000") == READING_OK && count == 0,
	   "another cluster-specific command is no reading and no error");
	ok(decode(0x0405, "18920a0000213c18") == READING_OK && count == 0,
	   "another cluster's report is no reading and no error");
	ok(decode(ZCL_METERING, "1c1510010a000025b20800000000010322050000") == READING_OK && count == 0,
	   "with the manufacturer bit attribute ids mean something else");
	ok(decode(ZCL_METERING, "1801010000860102860000042501020304050600") == READING_MALFORMED,
	   "a read response that is cut short is malformed");
	decode(ZCL_METERING, "1801010000860004002a010000");
	ok(count == 1 && is(0, "?1-0:16.7.0.255", 1, "?/h"),
	   "in a read response, attributes with a bad status are passed over");
}

static void test_skipped_types(void)
{
	/* Every type of a size of its own before a summation, which must still be found. */
	static const char *const values[] = {
	    "00",
	    "0801",
	    "0f0102030405060708",
	    "1001",
	    "1b01020304",
	    "270102030405060708",
	    "2f0102030405060708",
	    "3001",
	    "310102",
	    "380102",
	    "3901020304",
	    "3a0102030405060708",
	    "4103010203",
	    "41ff",
	    "420161",
	    "43020001 02",
	    "43ffff",
	    "44010061",
	    "48200200 0102",
	    "4820ffff",
	    "484102000101020102",
	    "4c0200200141020102",
	    "4cffff",
	    "50210100 0102",
	    "510000ff",
	    "e001020304",
	    "e101020304",
	    "e201020304",
	    "e80102",
	    "e90102",
	    "ea01020304",
	    "f00102030405060708",
	    "f100112233445566778899aabbccddeeff",
	    "ff",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char hex[200], *end = hex + sprintf(hex, "18010a5555");

		for (const char *at = values[i]; *at; at++)
			if (*at != ' ')
				*end++ = *at;
		sprintf(end, "0000250a0000000000");
		ok(decode(ZCL_METERING, hex) == READING_OK && count == 1 &&
		       is(0, "?1-0:1.8.0.255", 10, "?"),
		   "a value of type 0x%.2s is passed over", values[i]);
	}
	ok(decode(ZCL_METERING, "18010a55550200") == READING_MALFORMED,
	   "a type that does not exist makes the frame malformed");
}

static void test_malformed(void)
{
	static const char whole[] = "18010a000025640000000000000004";
	bool refused = true;

	for (size_t bytes = 0; bytes < 12; bytes++) {
		char cut[64];

		snprintf(cut, sizeof(cut), "%.*s", (int)(2 * bytes), whole);
		/* A header alone is a report of nothing. */
		refused =
		    refused && (decode(ZCL_METERING, cut) == (bytes == 3 ? READING_OK : READING_MALFORMED));
	}
	ok(refused, "a report cut anywhere is malformed");
	struct raw_telegram stray = {(const uint8_t *)"short", NULL, 5, 0};
	ok(reading_decode_zcl(NULL, &stray, readings, &count) == READING_BAD_ADDRESS,
	   "an address that is not EUI-64, endpoint, profile and cluster is told");
	char many[6 + 200 * 8 + 1], *end = many + sprintf(many, "18010a");
	for (int i = 0; i < 200; i++)
		end += sprintf(end, "00002001");
	ok(decode(ZCL_METERING, many) == READING_TOO_MANY && count == 0,
	   "more readings than a batch can take in one frame are refused as a whole");
	/* Arrays nested deeper than the standard allows. */
	end = many + sprintf(many, "18010a5555");
	for (int i = 0; i < 40; i++)
		end += sprintf(end, "480100");
	ok(decode(ZCL_METERING, many) == READING_MALFORMED, "nesting without end is refused");
}

static void test_state_of_charge(void)
{
	decode(ZCL_POWER_CONFIGURATION, "18010a21002069");
	ok(count == 1 && is(0, "0-0:96.50.0.255", 0x69, "%") && readings[0].multiplier == 1 &&
	       readings[0].divisor == 2,
	   "a battery percentage counts half percents");
	decode(ZCL_POWER_CONFIGURATION, "18010a210020ff");
	ok(count == 0, "an unknown battery percentage is no reading");
	decode(ZCL_POWER_CONFIGURATION, "18010a210020c8");
	bool full = count == 1;
	decode(ZCL_POWER_CONFIGURATION, "18010a210020c9");
	ok(full && count == 0, "more than all of it is none");
	decode(ZCL_POWER_CONFIGURATION, "18010a210028fb");
	ok(count == 0, "nor is a negative one");
}

static const struct meter_key *no_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return NULL;
}

static void test_routing(void)
{
	static struct decoded decoded;
	uint8_t address[ZCL_ADDRESS_SIZE], telegram[32];
	struct writer writer = writer_over(address, sizeof(address));
	struct zcl_address source = {1, 1, 0x0109, ZCL_METERING};
	struct data_message data = {.record_no = 1,
	                            .gateway_ms = 1700000000000,
	                            .kind = KIND_ZCL,
	                            .address_size = sizeof(address),
	                            .address = address,
	                            .telegram = telegram};
	int64_t now_ms = INT64_C(1700000060000);

	zcl_address_write(&writer, &source);
	data.telegram_size = (uint16_t)from_hex("18010a0000250a0000000000", telegram);
	routing_decode(NULL, 1, &data, now_ms, &decoded);
	ok(!decoded.quarantine && decoded.count == 1 &&
	       decoded.readings[0].measured_ms == 1700000000000,
	   "a reading without a time of its own has the gateway's");
	data.gateway_ms = 0;
	routing_decode(NULL, 1, &data, now_ms, &decoded);
	ok(decoded.readings[0].measured_ms == now_ms, "and where that is unknown the reception's");
	data.gateway_ms = UINT64_MAX;
	routing_decode(NULL, 1, &data, now_ms, &decoded);
	ok(decoded.readings[0].measured_ms == now_ms, "an impossible gateway time is not believed");
	data.gateway_ms = UINT64_C(946684800000) + 86400000;
	routing_decode(NULL, 1, &data, now_ms, &decoded);
	ok(decoded.readings[0].measured_ms == now_ms,
	   "nor is that of a clock which began at 2000 with its power");
	data.gateway_ms = 1700000000000;
	/* ReadingSnapshotTime 0: the meter's clock was never set. */
	data.telegram_size = (uint16_t)from_hex("18010a0000250a0000000000"
	                                        "0700e200000000",
	                                        telegram);
	routing_decode(NULL, 1, &data, now_ms, &decoded);
	ok(decoded.count == 1 && decoded.readings[0].measured_ms == 1700000000000,
	   "for a meter whose clock was never set the gateway's time stands");
	/* An M-Bus meter's stored volume of 2005-01-31, and its present one. */
	struct decoder decoder = {.key = no_key};
	uint8_t bytes[64];
	data.kind = KIND_WIRELESS_MBUS;
	data.address_size = 0;
	data.telegram = bytes;
	data.telegram_size = (uint16_t)from_hex("1e44430478563412010778"
	                                        "0413e8030000"
	                                        "4413f4010000"
	                                        "426cbf01"
	                                        "2f2f2f2f",
	                                        bytes);
	routing_decode(&decoder, 3, &data, now_ms, &decoded);
	ok(!decoded.quarantine && decoded.count == 1 &&
	       strcmp(decoded.readings[0].obis, "8-0:1.0.0.255") == 0,
	   "a stored value of an impossible time is not one of now");
	data.kind = KIND_ZCL;
	data.address_size = sizeof(address);
	data.telegram = telegram;
	routing_decode(NULL, 3, &data, now_ms, &decoded);
	ok(decoded.quarantine && decoded.count == 0, "ZCL by another route goes to quarantine");
	data.kind = KIND_P1 + 1;
	routing_decode(NULL, 5, &data, now_ms, &decoded);
	ok(decoded.quarantine && decoded.count == 0, "an unknown kind goes to quarantine");
	data.kind = KIND_LOSS;
	routing_decode(NULL, 0, &data, now_ms, &decoded);
	ok(!decoded.quarantine && decoded.count == 0, "a loss is neither a reading nor an error");
}

/* Whether the text says name=number, with or without brackets behind the name. */
static bool expects(const char *text, const char *name, int64_t raw)
{
	const char *found = strstr(text, name), *equals = found ? strchr(found, '=') : NULL;

	return equals && strtoll(equals + 1, NULL, 10) == raw;
}

/* A captured frame: what the file expects of the two quantities must come out. */
static void check_captured(char *line)
{
	char *fields[5], *state = NULL;
	int n = 0;

	for (char *field = strtok_r(line, "\t\n", &state); field && n < 5;
	     field = strtok_r(NULL, "\t\n", &state))
		fields[n++] = field;
	if (n < 5)
		return;
	uint16_t cluster = strstr(fields[4], "cluster 0x") ? 0 : ZCL_METERING;
	bool good = decode(cluster, fields[3]) == READING_OK;
	size_t expected = 0;
	for (size_t i = 0; good && i < count; i++) {
		bool demand = strstr(readings[i].obis, "1-0:16.7.0.255") != NULL;

		good = expects(fields[4], demand ? "InstantaneousDemand" : "CurrentSummationDelivered",
		               readings[i].raw) ||
		       expects(fields[4], "0x0000 uint48", readings[i].raw);
	}
	expected +=
	    strstr(fields[4], "CurrentSummationDelivered") || strstr(fields[4], "0x0000 uint48");
	expected += strstr(fields[4], "InstantaneousDemand") != NULL;
	if (cluster == 0)
		expected = 0;
	ok(good && count == expected, "captured frame of %s", fields[0]);
}

static void test_captured(void)
{
	const char *folder = getenv("SMARTHG_DATA");
	char path[1000], line[2000];

	snprintf(path, sizeof(path), "%s/telegrams/zcl.tsv", folder ? folder : "../shared/data");
	FILE *file = fopen(path, "r");
	if (!file) {
		ok(true, "captured frames # SKIP the shared data folder is absent");
		return;
	}
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	while (fgets(line, sizeof(line), file))
		check_captured(line);
	fclose(file);
}

static void test_random_bytes(void)
{
	static const char seed_frame[] =
	    "18430a000025e7640000000000042aee360000021800000125ffffffffffff"
	    "4c020020014102010248200200010200042a010000";
	uint64_t state = 88172645463325252;
	int rounds = 100000, read = 0;
	uint8_t base[128];
	size_t base_size = from_hex(seed_frame, base);

	printf("# seed %llu\n", (unsigned long long)state);
	for (int round = 0; round < rounds; round++) {
		size_t size = base_size;
		uint8_t address[ZCL_ADDRESS_SIZE] = {[11] = 0x07, [12] = 0x02};

		for (int i = 0; i < 4; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			if (i == 3)
				size = 1 + state % base_size;
		}
		uint8_t *telegram = malloc(size);
		memcpy(telegram, base, size);
		for (int i = 0; i < 3; i++)
			telegram[(state >> 8 * i) % size] = (uint8_t)(state >> (24 + 8 * i));
		struct raw_telegram mutated = {address, telegram, sizeof(address), size};
		read += reading_decode_zcl(NULL, &mutated, readings, &count) == READING_OK;
		free(telegram);
	}
	ok(read > 0 && read < rounds, "%d mutated frames are read within bounds", rounds);
}

int main(void)
{
	test_electricity();
	test_other_media();
	test_invalid_values();
	test_snapshot_time();
	test_scale_alone();
	test_not_readings();
	test_skipped_types();
	test_malformed();
	test_state_of_charge();
	test_routing();
	test_captured();
	test_random_bytes();
	return tap_done();
}
