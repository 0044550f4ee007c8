/*
 * The civil calendar for telegrams that say the time in it.
 */
#ifndef SMARTHG_BRIDGE_CALENDAR_H
#define SMARTHG_BRIDGE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

/* Days from 1970-01-01 to a date of the Gregorian calendar; a day beyond its month runs on into
 * the next. Counted in years that begin in March, so that leap days come last. */
static inline int64_t calendar_days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

static inline bool calendar_has(int year, int month, int day)
{
	return month >= 1 && month <= 12 && day >= 1 &&
	       calendar_days(year, month, day) <
	           calendar_days(month < 12 ? year : year + 1, month < 12 ? month + 1 : 1, 1);
}

enum { ZONE_FIRST_YEAR = 1980, ZONE_YEARS = 120 };

/* What clocks of a time zone are ahead of UTC, in seconds, year by year: in standard time, and in
 * summer time where the year has one (else the same). */
struct calendar_zone {
	int32_t standard_s[ZONE_YEARS], summer_s[ZONE_YEARS];
};

/* A local time of that year, in ms as if it were UTC, to UTC. The sender says whether it is summer
 * time, so that no hour is ambiguous. zone NULL: UTC. */
static inline int64_t calendar_utc(const struct calendar_zone *zone, int year, int64_t local_ms,
                                   bool summer)
{
	int at = year - ZONE_FIRST_YEAR;

	if (!zone)
		return local_ms;
	at = at < 0 ? 0 : at >= ZONE_YEARS ? ZONE_YEARS - 1 : at;
	return local_ms - INT64_C(1000) * (summer ? zone->summer_s : zone->standard_s)[at];
}

#endif
