/*
 * Promises about the clocks of meters: what they say in local time is the moment that was meant, in
 * the hours around a change of the clock too (EN 13757-3 types F, G and I; S and W of P1).
 */
#include "mbus_decoding.h"

#include "../../bridge/codec/p1_text.h"
#include "../../bridge/core/time_zone.h"

static struct calendar_zone copenhagen;

static void test_zones(void)
{
	static const struct {
		const char *name;
		int year;
		int32_t standard_s, summer_s;
	} zones[] = {
	    {"Europe/Copenhagen", 2023, 3600, 7200},  {"America/New_York", 2023, -18000, -14400},
	    {"Australia/Sydney", 2023, 36000, 39600}, {"Europe/Dublin", 2023, 0, 3600},
	    {"Asia/Kolkata", 2023, 19800, 19800},     {"Europe/Istanbul", 2015, 7200, 10800},
	    {"Europe/Istanbul", 2023, 10800, 10800},  {"UTC", 2023, 0, 0},
	};
	struct calendar_zone zone;

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		ok(time_zone_read(zones[i].name, &zone) &&
		       zone.standard_s[zones[i].year - ZONE_FIRST_YEAR] == zones[i].standard_s &&
		       zone.summer_s[zones[i].year - ZONE_FIRST_YEAR] == zones[i].summer_s,
		   "%s in %d", zones[i].name, zones[i].year);
	static const char *const unknown[] = {"", "Europe/Nowhere", "/etc/passwd", "../zoneinfo/UTC",
	                                      "tzdata.zi"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ok(!time_zone_known(unknown[i]) && !time_zone_read(unknown[i], &zone),
		   "\"%s\" is no time zone", unknown[i]);
	setenv("TZ", "Asia/Tokyo", 1);
	ok(time_zone_read("Europe/Copenhagen", &copenhagen) && strcmp(getenv("TZ"), "Asia/Tokyo") == 0,
	   "the process keeps its own time zone");
	unsetenv("TZ");
	ok(time_zone_read("Europe/Copenhagen", &copenhagen) && !getenv("TZ"), "or none");
}

/* A volume of storage number 1 and its date. */
static bool dated(const char *date, int64_t second)
{
	char hex[80] = "4413f4010000";

	strcat(hex, date);
	return decode_records(WATER, hex) == READING_OK && count == 1 &&
	       readings[0].measured_ms == second * 1000;
}

static void test_mbus(void)
{
	decoder.zone = &copenhagen;
	/* On 29 October 2023 02:30 came twice, on 26 March never. */
	ok(dated("446d1e82fd2a", 1698539400), "02:30 in summer time, before the clock goes back");
	ok(dated("446d1e02fd2a", 1698543000), "02:30 in standard time, after it went back");
	ok(dated("466d5e1e02fd2a00", 1698539430), "the same of type I, in summer time");
	ok(dated("466d1e1e02fd2a00", 1698543030), "and in standard time");
	ok(dated("446d1e83fa23", 1679794200), "03:30 in summer time, after the clock went on");
	ok(dated("446d1e02fa23", 1679794200), "which a clock without summer time calls 02:30");
	ok(dated("426ce127", 1688166000), "a day of type G begins in standard time");
	ok(dated("426cff2c", 1703977200) && dated("446d0000ff2c", 1703977200),
	   "the last day of a year too");
	decoder.zone = NULL;
	ok(dated("446d1e82fd2a", 1698546600) && dated("426ce127", 1688169600),
	   "without a time zone it is UTC");
}

static void test_bounds(void)
{
	struct calendar_zone zone;

	for (int i = 0; i < ZONE_YEARS; i++)
		zone.standard_s[i] = zone.summer_s[i] = i;
	ok(calendar_utc(&zone, 1800, 0, false) == 0 &&
	       calendar_utc(&zone, 9999, 0, true) == -1000 * (ZONE_YEARS - 1),
	   "years beyond those that are known are as the nearest");
}

static void test_p1(void)
{
	static const struct {
		const char *text;
		int64_t second;
	} times[] = {
	    {"231029023000S", 1698539400}, {"231029023000W", 1698543000}, {"230326033000S", 1679794200},
	    {"230326013000W", 1679790600}, {"231231235959W", 1704063599},
	};
	int64_t ms;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		ok(p1_time(cursor_over((const uint8_t *)times[i].text, 13), &ms) &&
		       ms == times[i].second * 1000,
		   "P1 says %s", times[i].text);
}

int main(void)
{
	static void (*const tests[])(void) = {test_zones, test_mbus, test_bounds, test_p1};

	return run_decoding(tests, sizeof(tests) / sizeof(tests[0]));
}
