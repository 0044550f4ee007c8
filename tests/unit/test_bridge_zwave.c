/*
 * Promises of the Z-Wave decoder: Meter Reports of versions 1 to 6 become OBIS
 * readings with the meter's own integers, previous values are readings of an
 * earlier time, what is no meter's report is none, and no bytes are read past the
 * end. The reports are written by hand from the specification's layout.
 */
#include <stdlib.h>

#include "../../bridge/core/routing.h"
#include "hex.h"
#include "tap.h"

static struct reading readings[READING_LIMIT];
static size_t count;

/* Decodes a command of an address, both in hex, with the bytes on the heap. */
static enum reading_status decode_of(const char *address_hex, const char *hex)
{
	uint8_t *address = malloc(strlen(address_hex) / 2 + 1), *telegram = malloc(strlen(hex) / 2 + 1);
	struct raw_telegram whole = {
	    .address = address,
	    .bytes = telegram,
	    .address_size = from_hex(address_hex, address),
	    .size = from_hex(hex, telegram),
	};

	/* No room behind, so that the sanitizer sees a read past the end. */
	telegram = whole.size > 0 ? realloc(telegram, whole.size) : telegram;
	whole.bytes = telegram;
	enum reading_status status = reading_decode_zwave(NULL, &whole, readings, &count);
	free(address);
	free(telegram);
	return status;
}

static enum reading_status decode(const char *hex)
{
	return decode_of("05", hex);
}

static bool is(size_t index, const char *obis, int64_t raw, int64_t divisor, const char *unit)
{
	return index < count && strcmp(readings[index].obis, obis) == 0 && readings[index].raw == raw &&
	       readings[index].multiplier == 1 && readings[index].divisor == divisor &&
	       strcmp(readings[index].unit, unit) == 0;
}

static void test_versions(void)
{
	/* Version 1: electric, precision 3, scale kWh, size 4, 123456. */
	ok(decode("320201640001e240") == READING_OK && count == 1 &&
	       is(0, "1-0:1.8.0.255", 123456, 1000, "kWh") && readings[0].measured_ms == 0,
	   "version 1: energy with three decimals");
	/* Version 2: import, precision 2, size 4, 1000; 900 s ago 990. */
	ok(decode("32022144000003e80384000003de") == READING_OK && count == 2 &&
	       is(0, "1-0:1.8.0.255", 1000, 100, "kWh") && is(1, "1-0:1.8.0.255", 990, 100, "kWh") &&
	       readings[0].measured_ms == 0 && readings[1].measured_ms == -900000,
	   "version 2: a previous value is a reading of an earlier time");
	ok(decode("32022144000003e80000") == READING_OK && count == 1,
	   "no time since the previous value: there is none");
	ok(decode("32022144000003e8ffff000003de") == READING_OK && count == 1 &&
	       decode("32022144000003e8ffff") == READING_OK && count == 1,
	   "an unknown time: it is no reading, and need not be there");
	ok(decode("32022144000003e80000000003de") == READING_OK && count == 1,
	   "one without a time is passed over");
	/* Version 3: scale 4 (V) has its highest bit in the first byte; precision 1, size 2, 2301. */
	ok(decode("3202a12208fd0000") == READING_OK && count == 1 &&
	       is(0, "1-0:12.7.0.255", 2301, 10, "V"),
	   "version 3: the scale's bit 2 is that of the first byte");
	/* Version 4: scale 7, then scale 2 behind the time; and behind a previous value. */
	ok(decode("3202a11a0123000000") == READING_OK && count == 1 &&
	       is(0, "1-0:3.7.0.255", 0x123, 1, "kvar"),
	   "version 4: scale 2 names reactive power");
	ok(decode("3202a11a0123003c012001") == READING_OK && count == 2 &&
	       is(0, "1-0:3.8.0.255", 0x123, 1, "kvarh") && is(1, "1-0:3.8.0.255", 0x120, 1, "kvarh") &&
	       readings[1].measured_ms == -60000,
	   "and reactive energy, behind a previous value");
	ok(decode("3202a11a0123ffff000001") == READING_OK && count == 1 &&
	       is(0, "1-0:3.8.0.255", 0x123, 1, "kvarh") &&
	       decode("3202a11a0123ffff01") == READING_OK && count == 1 &&
	       is(0, "1-0:3.8.0.255", 0x123, 1, "kvarh"),
	   "also where the time is unknown, with the value or without");
	ok(decode("32022144000003e80384") == READING_MALFORMED,
	   "a time without its value is malformed");
	ok(decode("3202a11a01230000") == READING_MALFORMED, "scale 7 without scale 2 is malformed");
	ok(decode("3202a11a0123000002") == READING_OK && count == 0,
	   "a scale 2 to come is none of ours");
	ok(decode("32022144000003e8000000") == READING_OK && count == 1,
	   "version 4 and above: a scale 2 that is not needed is ignored");
}

static void test_quantities(void)
{
	static const struct {
		const char *hex, *obis, *unit;
		int64_t raw, divisor;
	} known[] = {
	    {"320221010a0000", "1-0:1.8.0.255", "kWh", 10, 1},
	    {"320241010a0000", "1-0:2.8.0.255", "kWh", 10, 1},
	    {"320221090a0000", "1-0:9.8.0.255", "kVAh", 10, 1},
	    {"320241090a0000", "1-0:10.8.0.255", "kVAh", 10, 1},
	    {"320201310a0000", "1-0:16.7.0.255", "kW", 10, 10000},
	    {"320221310a0000", "1-0:1.7.0.255", "kW", 10, 10000},
	    {"320241310a0000", "1-0:2.7.0.255", "kW", 10, 10000},
	    {"320261310a0000", "1-0:16.7.0.255", "kW", 10, 10000},
	    {"3202a1690a0000", "1-0:11.7.0.255", "A", 10, 1000},
	    {"3202a151620000", "1-0:13.7.0.255", "1", 98, 100},
	    {"3202c1190a000000", "1-0:4.7.0.255", "kvar", 10, 1},
	    {"3202c1190a000001", "1-0:4.8.0.255", "kvarh", 10, 1},
	    {"320222610a0000", "7-0:3.0.0.255", "m3", 10, 1000},
	    {"320222090a0000", "7-0:3.0.0.255", "ft3", 10, 1},
	    {"320223010a0000", "8-0:1.0.0.255", "m3", 10, 1},
	    {"320223090a0000", "8-0:1.0.0.255", "ft3", 10, 1},
	    {"320223110a0000", "8-0:1.0.0.255", "US gl", 10, 1},
	    {"320224010a0000", "6-0:1.0.0.255", "kWh", 10, 1},
	    {"320225010a0000", "5-0:1.0.0.255", "kWh", 10, 1},
	};
	static const char *const unknown[] = {
	    "320221190a0000", /* pulses */
	    "320222110a0000", /* a scale that gas meters do not have */
	    "3202221a0a000000", "320223190a0000",
	    "320224090a0000",   "320226010a0000", /* another meter type */
	    "320242010a0000",                     /* gas given back */
	    "320261010a0000",                     /* energy of both directions in one */
	    "3202e1190a000001",                   /* scale 7 of both */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		ok(decode(known[i].hex) == READING_OK && count == 1 &&
		       is(0, known[i].obis, known[i].raw, known[i].divisor, known[i].unit),
		   "%s is %s in %s", known[i].hex, known[i].obis, known[i].unit);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ok(decode(unknown[i]) == READING_OK && count == 0, "%s is no reading", unknown[i]);
}

static void test_values(void)
{
	ok(decode("32020131ff0000") == READING_OK && is(0, "1-0:16.7.0.255", -1, 10000, "kW"),
	   "one byte is signed");
	ok(decode("32020132fffe0000") == READING_OK && is(0, "1-0:16.7.0.255", -2, 10000, "kW"),
	   "and so are two");
	ok(decode("32020134800000000000") == READING_OK &&
	       is(0, "1-0:16.7.0.255", INT32_MIN, 10000, "kW"),
	   "and four");
	ok(decode("320201f47fffffff0000") == READING_OK &&
	       is(0, "1-0:16.7.0.255", INT32_MAX, INT64_C(10000000000), "kW"),
	   "seven decimals of a watt");
	ok(decode("3202210300000a0000") == READING_MALFORMED &&
	       decode("32022100") == READING_MALFORMED &&
	       decode("320221050000000000") == READING_MALFORMED,
	   "values of other sizes do not exist");
}

static void test_addresses(void)
{
	ok(decode_of("05", "3202210105") == READING_OK && count == 1 && readings[0].device_size == 2 &&
	       memcmp(readings[0].device, "\x00\x05", 2) == 0 && readings[0].endpoint == 0,
	   "a node of one byte is a device of two, as a whole");
	ok(decode_of("0123", "3202210105") == READING_OK && count == 1 &&
	       memcmp(readings[0].device, "\x01\x23", 2) == 0 && readings[0].endpoint == 0,
	   "a node of two bytes");
	ok(decode_of("000502", "3202210105") == READING_OK && count == 1 &&
	       memcmp(readings[0].device, "\x00\x05", 2) == 0 && readings[0].endpoint == 2,
	   "a node and an endpoint");
	ok(decode_of("05", "600d03003202210105") == READING_OK && count == 1 &&
	       readings[0].endpoint == 3 && is(0, "1-0:1.8.0.255", 5, 1, "kWh"),
	   "an endpoint by Multi Channel encapsulation");
	ok(decode_of("000502", "600d83003202210105") == READING_OK && readings[0].endpoint == 3,
	   "which counts more than the address, without its reserved bit");
	ok(decode_of("05", "600d030032022141000000010e1000") == READING_OK && count == 1,
	   "bytes behind a report are not its own");
	static const char *const none[] = {"", "00", "e9", "0000", "0005ff", "00050203"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ok(decode_of(none[i], "3202210105") == READING_BAD_NODE && count == 0,
		   "\"%s\" is no address", none[i]);
}

static void test_others(void)
{
	ok(decode("200363") == READING_OK && count == 0 && decode("320421010000") == READING_OK &&
	       count == 0,
	   "commands of other classes, and other commands of meters, are no readings and no error");
	static const char whole[] = "600d030032022144000003e80384000003de";
	bool refused = true;
	for (size_t bytes = 0; bytes < sizeof(whole) / 2; bytes++) {
		char cut[64];

		snprintf(cut, sizeof(cut), "%.*s", (int)(2 * bytes), whole);
		/* A report may end behind its value, as one of version 1. */
		refused = refused && (decode(cut) == (bytes == 12 ? READING_OK : READING_MALFORMED));
	}
	ok(refused, "a report cut anywhere else is malformed");
}

static bool holds(const char *hex, uint8_t endpoint)
{
	return decode(hex) == READING_OK && count == 1 && is(0, "1-0:1.8.0.255", 5, 1, "kWh") &&
	       readings[0].endpoint == endpoint;
}

static void test_encapsulations(void)
{
	ok(holds("6006013202210105", 1), "Multi Instance, from before Multi Channel");
	ok(holds("6c0100053202210105", 0), "Supervision");
	ok(holds("6c01000532022101056677", 0), "which tells where the command ends");
	ok(decode("6c0100063202210105") == READING_MALFORMED, "and must not say more than there is");
	/* Basic Get, of which the checksum is in the specification's example. */
	ok(decode("560120024d26") == READING_OK && count == 0, "CRC-16 encapsulation");
	ok(holds("560132022101056107", 0), "with a report");
	ok(decode("560132022101056108") == READING_BAD_CHECKSUM && count == 0, "of a wrong checksum");
	ok(decode("5601000000") == READING_BAD_CHECKSUM && decode("560100") == READING_MALFORMED,
	   "and of none");
	ok(holds("5601600d03003202210105a6f1", 3), "in each other");
	ok(decode("600d0300600d0300600d0300600d0300600d03003202210105") == READING_UNSUPPORTED_CLASS &&
	       holds("600d0900600d0900600d0900600d02003202210105", 2),
	   "but not without end");
	static const char *const inside[] = {"8f0101053202210105", "988100000000", "98c100000000",
	                                     "9f0300000000",       "55c000000000", "55e700000000"};
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		ok(decode(inside[i]) == READING_UNSUPPORTED_CLASS && count == 0,
		   "%.4s: what may hold a report is not passed over", inside[i]);
	static const char *const others[] = {"6c020000ff00", "600901", "9840", "9f0100"};
	ok(decode(others[0]) == READING_OK && decode(others[1]) == READING_OK &&
	       decode(others[2]) == READING_OK && decode(others[3]) == READING_OK,
	   "other commands of these classes are none of ours");
}

static void test_routing(void)
{
	static struct decoded decoded;
	uint8_t address = 5, telegram[32];
	struct data_message data = {.record_no = 1,
	                            .gateway_ms = 1700000000000,
	                            .kind = KIND_ZWAVE,
	                            .address_size = 1,
	                            .address = &address,
	                            .telegram = telegram};

	data.telegram_size = (uint16_t)from_hex("32022144000003e80384000003de", telegram);
	routing_decode(NULL, 2, &data, INT64_C(1700000060000), &decoded);
	ok(!decoded.quarantine && decoded.count == 2 &&
	       decoded.readings[0].measured_ms == 1700000000000 &&
	       decoded.readings[1].measured_ms == 1700000000000 - 900000,
	   "times count from the gateway's");
	data.gateway_ms = 0;
	routing_decode(NULL, 2, &data, INT64_C(1700000060000), &decoded);
	ok(decoded.count == 2 && decoded.readings[1].measured_ms == 1700000060000 - 900000,
	   "and where that is unknown from the reception");
	routing_decode(NULL, 1, &data, INT64_C(1700000060000), &decoded);
	ok(decoded.quarantine && decoded.count == 0, "Z-Wave by another route goes to quarantine");
}

int main(void)
{
	test_versions();
	test_quantities();
	test_values();
	test_addresses();
	test_others();
	test_encapsulations();
	test_routing();
	return tap_done();
}
