/*
 * Promises of the P1 decoder: telegrams of DSMR 2.2, 4 and 5 and of other
 * countries after them come out as readings of the meter and its sub-meters,
 * each at its own time; nothing altered or cut off passes.
 */
#include <math.h>
#include <stdlib.h>

#include "tap.h"

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/reading.h"

static struct reading readings[READING_LIMIT];
static size_t count;

static enum reading_status decode(const char *text, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct raw_telegram telegram = {NULL, copy, 0, size};

	memcpy(copy, text, size);
	enum reading_status status = reading_decode_p1(NULL, &telegram, readings, &count);
	free(copy);
	return status;
}

/* The telegram of these lines with its checksum, in out; its size. */
static size_t seal(const char *lines, char *out, size_t size)
{
	snprintf(out, size, "/XYZ5METER-7\r\n\r\n%s!", lines);
	size_t covered = strlen(out);
	snprintf(out + covered, size - covered, "%04X\r\n", crc16_arc(out, covered));
	return strlen(out);
}

static enum reading_status decode_lines(const char *lines)
{
	static char text[8192];

	return decode(text, seal(lines, text, sizeof(text)));
}

static const struct reading *find(const char *obis, const char *device)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readings[i].obis, obis) == 0 && readings[i].device_size == strlen(device) &&
		    memcmp(readings[i].device, device, strlen(device)) == 0)
			return &readings[i];
	return NULL;
}

static bool has(const char *obis, const char *device, double value, const char *unit, int64_t ms)
{
	const struct reading *found = find(obis, device);

	return found && strcmp(found->unit, unit) == 0 && found->measured_ms == ms &&
	       fabs((double)found->raw * (double)found->multiplier / (double)found->divisor - value) <
	           1e-9 * fmax(1, value);
}

static const char dsmr_5[] =
    "1-3:0.2.8(50)\r\n0-0:1.0.0(240715120010S)\r\n0-0:96.1.1(4530303132)\r\n"
    "1-0:1.8.1(004567.123*kWh)\r\n1-0:1.8.2(001234.567*kWh)\r\n1-0:2.8.1(000000.000*kWh)\r\n"
    "1-0:2.8.2(000000.001*kWh)\r\n0-0:96.14.0(0002)\r\n1-0:1.7.0(01.193*kW)\r\n"
    "1-0:99.97.0(1)(0-0:96.7.19)(240115083848W)(0000002317*s)\r\n0-0:96.13.0()\r\n"
    "1-0:32.7.0(230.1*V)\r\n1-0:31.7.0(002*A)\r\n"
    "0-1:24.1.0(003)\r\n0-1:96.1.0(4730303138)\r\n0-1:24.2.1(240715120000S)(00123.456*m3)\r\n"
    "0-2:24.1.0(004)\r\n0-2:96.1.0(4830303138)\r\n0-2:24.2.1(240115115500W)(00001.800*GJ)\r\n";

static void test_dsmr_5(void)
{
	const int64_t noon = INT64_C(1721037610000); /* 2024-07-15 10:00:10 UTC */

	ok(decode_lines(dsmr_5) == READING_OK && count == 11, "a telegram of DSMR 5");
	ok(has("1-0:1.8.1.255", "E0012", 4567.123, "kWh", noon) &&
	       has("1-0:1.8.2.255", "E0012", 1234.567, "kWh", noon) &&
	       has("1-0:1.7.0.255", "E0012", 1.193, "kW", noon) &&
	       has("1-0:32.7.0.255", "E0012", 230.1, "V", noon) &&
	       has("1-0:31.7.0.255", "E0012", 2, "A", noon),
	   "the meter's lines under their codes, in summer time");
	ok(find("1-0:1.8.1.255", "E0012")->raw == 4567123, "counts as they were sent");
	ok(has("1-0:1.8.0.255", "E0012", 5801.690, "kWh", noon) &&
	       has("1-0:2.8.0.255", "E0012", 0.001, "kWh", noon),
	   "the total of both tariffs, which it does not send");
	ok(has("7-0:3.0.0.255", "G0018", 123.456, "m3", INT64_C(1721037600000)),
	   "its gas meter at that one's own time");
	ok(has("6-0:1.0.0.255", "H0018", 500, "kWh", INT64_C(1705316100000)),
	   "its heat meter, in winter time, GJ as kWh");
}

static void test_others(void)
{
	static const char dsmr_2[] =
	    "/ABC1\r\n\r\n0-0:96.1.1(39)\r\n1-0:1.8.1(00001.001*kWh)\r\n1-0:1.7.0(0000.98*kW)\r\n"
	    "0-0:17.0.0(0999.00*kW)\r\n0-1:96.1.0(3238)\r\n0-1:24.1.0(03)\r\n"
	    "0-1:24.3.0(120517020000)(08)(60)(1)(0-1:24.2.1)(m3)\r\n(00124.477)\r\n0-1:24.4.0(1)\r\n!"
	    "\r\n";

	ok(decode(dsmr_2, strlen(dsmr_2)) == READING_OK && count == 3 &&
	       has("1-0:1.8.1.255", "9", 1.001, "kWh", 0) && has("1-0:1.7.0.255", "9", 0.98, "kW", 0) &&
	       has("7-0:3.0.0.255", "28", 124.477, "m3", 0),
	   "a telegram of DSMR 2.2, without checksum; its gas time has no zone");
	ok(decode(dsmr_2, strlen(dsmr_2) - 3) == READING_MALFORMED, "it needs its end mark");
	ok(decode_lines(
	       "0-0:96.1.4(50217)\r\n0-0:96.1.1(3153)\r\n0-0:1.0.0(240115120000W)\r\n"
	       "1-0:1.6.0(240109134558W)(02.589*kW)\r\n"
	       "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(240101000000W)(231223192538W)(03.695*kW)\r\n"
	       "0-1:24.1.0(007)\r\n0-1:96.1.1(57)\r\n0-1:24.2.1(240115115500W)(00872.234*m3)\r\n") ==
	           READING_OK &&
	       count == 2 && has("1-0:1.6.0.255", "1S", 2.589, "kW", INT64_C(1704804358000)) &&
	       has("8-0:1.0.0.255", "W", 872.234, "m3", INT64_C(1705316100000)),
	   "a Belgian one, with the month's peak at its time and a water meter");
	ok(decode_lines("0-0:1.0.0(240115120000W)\r\n1-0:1.8.0(00006678.394*kWh)\r\n"
	                "1-0:1.7.0(0001.727*kW)\r\n1-0:3.7.0(0000.309*kvar)\r\n") == READING_OK &&
	       count == 3 &&
	       has("1-0:1.8.0.255", "XYZ5METER-7", 6678.394, "kWh", INT64_C(1705316400000)),
	   "a Swedish one, which has no equipment identifier, by its first line");
	ok(decode("/ABC1\r\n\r\n1-0:1.8.0(1*kWh)\r\n!\r\n", 29) == READING_OK &&
	       has("1-0:1.8.0.255", "ABC1", 1, "kWh", 0) &&
	       decode("/\r\n1-0:1.8.0(1*kWh)\r\n!\r\n", 25) == READING_MALFORMED,
	   "which is taken as it stands, and has to be there");
	ok(decode_lines("0-0:96.1.1(39)\r\n0-1:24.2.1(240115115500W)(00001.000*m3)\r\n"
	                "0-2:24.2.1(240115115500W)(00002.000*m3)\r\n") == READING_OK &&
	       count == 2 && readings[0].endpoint == 2 && readings[1].endpoint == 3 &&
	       find("7-0:3.0.0.255", "9"),
	   "sub-meters without identifiers are endpoints of the meter");
	ok(decode_lines(
	       "0-0:96.1.1(39)\r\n1-0:1.8.0*255(00000001*kWh)\r\n1-0:1.8.0(2)\r\n"
	       "1-0:1.8.0(*kWh)\r\n1-0:1.8.0(1.2.3*kWh)\r\n1-0:1.8.0(7*parsec)\r\n"
	       "1-0:1.8(7*kWh)\r\n1-0:900.8.0(7*kWh)\r\njust text\r\n1-0:2.8.0.255(7*kWh)\r\n") ==
	           READING_OK &&
	       count == 2 && has("1-0:1.8.0.255", "9", 1, "kWh", 0) &&
	       has("1-0:2.8.0.255", "9", 7, "kWh", 0),
	   "lines of another shape are no readings");
}

static void test_damage(void)
{
	static char text[4096];
	size_t size = seal(dsmr_5, text, sizeof(text)), covered = size - 6;
	bool refused = true, cut = true;

	for (size_t i = 0; i < 8 * covered; i++) {
		text[i / 8] ^= (char)(1 << i % 8);
		refused = refused && (decode(text, size) != READING_OK || count == 0);
		text[i / 8] ^= (char)(1 << i % 8);
	}
	ok(refused, "with any bit of it turned a telegram is refused");
	for (size_t left = 0; left < size - 2; left++)
		cut = cut && (decode(text, left) != READING_OK && count == 0);
	ok(cut, "and cut anywhere, also where only the checksum is gone");
	ok(decode_lines("0-0:96.1.1(39)\r\n0-0:1.0.0(241315120000W)\r\n1-0:1.8.0(1*kWh)\r\n") ==
	           READING_OK &&
	       has("1-0:1.8.0.255", "9", 1, "kWh", 0),
	   "an impossible time is none");
}

static void test_too_many(void)
{
	static char lines[16384];
	char *end = lines;

	for (int i = 0; i < 200; i++)
		end += sprintf(end, "1-%d:1.8.0(1*kWh)\r\n", i);
	ok(decode_lines(lines) == READING_TOO_MANY && count == 0,
	   "more readings than a batch can take in one telegram are refused as a whole");
}

int main(void)
{
	test_dsmr_5();
	test_others();
	test_damage();
	test_too_many();
	return tap_done();
}
