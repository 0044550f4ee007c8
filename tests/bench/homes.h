/*
 * The real homes that benchmarks replay: five homes and the solar home in half
 * hours, market prices, and charging sessions, from the folder SMARTHG_DATA, else
 * ../shared/data. Homes that have no PV of their own are given that of the solar
 * home, scaled to their consumption of the year. Import at the day-ahead price +
 * 0.15 EUR/kWh, export at the day-ahead price, which is known to the end of the next
 * local day from 12:45 on.
 */
#ifndef SMARTHG_BENCH_HOMES_H
#define SMARTHG_BENCH_HOMES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOMES = 6,
	SOLAR = 5, /* the home with PV of its own */
	HALF_HOURS = 3 * 366 * 48,
	PV_YEAR = 364 * 48,
	MOST_SESSIONS = 1000,
};

typedef struct charging_session {
	double from, until; /* hours from epoch */
	double kwh;         /* drawn */
} charging_session;

/* Mean kW and EUR/kWh of half-hours from epoch on; NAN where there is no recording. */
static double demand[HOMES][HALF_HOURS], sun[HALF_HOURS], spot[HALF_HOURS];
static double carbon_g_per_kwh[HALF_HOURS], temperature_c[HALF_HOURS];
static charging_session sessions[SOLAR][MOST_SESSIONS];
static int session_count[SOLAR];
static time_t epoch; /* 2022-01-01, UTC */

static time_t seconds_of(const char *text)
{
	struct tm at = {0};

	if (sscanf(text, "%d-%d-%dT%d:%d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
	           &at.tm_min) != 5)
		return -1;
	at.tm_year -= 1900;
	at.tm_mon--;
	return timegm(&at);
}

/* The half-hour that a line's time falls in, or -1. */
static int half_hour(const char *text)
{
	time_t at = seconds_of(text);

	return at >= epoch && at < epoch + HALF_HOURS * 1800L ? (int)((at - epoch) / 1800) : -1;
}

static void take_home(const char *line)
{
	char at[32];
	double kwh;
	int number, k;

	if (sscanf(line, "home%d,%31[^,],%lf", &number, at, &kwh) == 3 && number >= 1 &&
	    number <= SOLAR && (k = half_hour(at)) >= 0)
		demand[number - 1][k] = 2 * kwh;
}

static void take_solar(const char *line)
{
	char at[32];
	double used, produced;
	int k;

	if (sscanf(line, "%31[^,],%lf,%lf", at, &used, &produced) == 3 && (k = half_hour(at)) >= 0) {
		demand[SOLAR][k] = used;
		sun[k] = produced;
	}
}

static double number_or_gap(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	return end > text ? value : NAN;
}

static void take_market(const char *line)
{
	const char *price = strchr(line, ','), *co2 = price ? strchr(price + 1, ',') : NULL;
	const char *warmth = co2 ? strchr(co2 + 1, ',') : NULL;
	int k = half_hour(line);

	if (!warmth || k < 0)
		return;
	spot[k] = spot[k + 1] = number_or_gap(price + 1) / 1000;
	carbon_g_per_kwh[k] = carbon_g_per_kwh[k + 1] = number_or_gap(co2 + 1);
	temperature_c[k] = temperature_c[k + 1] = number_or_gap(warmth + 1);
}

static void take_session(const char *line)
{
	char from[32], until[32];
	double kwh;
	int number;

	if (sscanf(line, "pev%d,%31[^,],%31[^,],%lf", &number, from, until, &kwh) == 4 && number >= 1 &&
	    number <= SOLAR && session_count[number - 1] < MOST_SESSIONS)
		sessions[number - 1][session_count[number - 1]++] =
		    (charging_session){(double)(seconds_of(from) - epoch) / 3600,
		                       (double)(seconds_of(until) - epoch) / 3600, kwh};
}

static bool read_lines(const char *name, void (*take)(const char *))
{
	const char *folder = getenv("SMARTHG_DATA");
	char command[1024], line[256];
	int lines = 0;
	FILE *file;

	snprintf(command, sizeof(command), "zcat '%s/series/%s' 2>/dev/null",
	         folder ? folder : "../shared/data", name);
	file = popen(command, "r");
	while (file && fgets(line, sizeof(line), file)) {
		take(line);
		lines++;
	}
	if (file)
		pclose(file);
	return lines > 1;
}

/* Says so where the series are not there. */
static bool read_homes(void)
{
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	epoch = seconds_of("2022-01-01T00:00");
	for (int k = 0; k < HALF_HOURS; k++) {
		sun[k] = spot[k] = carbon_g_per_kwh[k] = temperature_c[k] = NAN;
		for (int h = 0; h < HOMES; h++)
			demand[h][k] = NAN;
	}
	if (read_lines("homes_30min.csv.gz", take_home) &&
	    read_lines("solar_home_30min.csv.gz", take_solar) &&
	    read_lines("market_hourly.csv.gz", take_market) &&
	    read_lines("pev_sessions.csv.gz", take_session))
		return true;
	printf("skipped: no series in SMARTHG_DATA or ../shared/data\n");
	return false;
}

/* The one year of PV, repeated. */
static double production(int k)
{
	for (int at = k % PV_YEAR; at < HALF_HOURS; at += PV_YEAR)
		if (!isnan(sun[at]))
			return sun[at];
	return 0;
}

/* So that the PV of a year is as much as the home uses in it. */
static double scale_of_sun(int home)
{
	double used = 0, produced = 0;

	for (int k = 0; k < HALF_HOURS; k++) {
		if (isnan(demand[home][k]))
			continue;
		used += demand[home][k];
		produced += production(k);
	}
	return home == SOLAR ? 1 : used / produced;
}

/* A home's slots from a day on, days counted from epoch. */
typedef struct span {
	int slots, phase; /* of the first slot in the local week */
	double *net_kw, *import, *export;
	int *known_until; /* as in replay.h */
} span;

/* Slots before the end of the local day, or of the next one after 12:45. */
static int published_until(int slots_per_day, time_t from, int slot)
{
	time_t at = from + (time_t)slot * (86400 / slots_per_day);
	struct tm local;

	localtime_r(&at, &local);
	local.tm_mday += 60 * local.tm_hour + local.tm_min >= 12 * 60 + 45 ? 2 : 1;
	local.tm_hour = local.tm_min = local.tm_sec = 0;
	local.tm_isdst = -1;
	return (int)((mktime(&local) - from) / (86400 / slots_per_day));
}

__attribute__((unused)) static span open_span(int slots_per_day, int first_day, int days, int home,
                                              bool with_sun)
{
	const int first = first_day * 48, halves = slots_per_day < 48 ? 48 / slots_per_day : 1;
	const double sun_scale = with_sun ? scale_of_sun(home) : 0;
	time_t from = epoch + first * 1800L;
	span all = {.slots = days * slots_per_day};
	struct tm local;

	all.net_kw = malloc(3 * (size_t)all.slots * sizeof(double));
	all.known_until = malloc((size_t)all.slots * sizeof(int));
	if (!all.net_kw || !all.known_until)
		abort();
	all.import = all.net_kw + all.slots;
	all.export = all.import + all.slots;
	localtime_r(&from, &local);
	all.phase = ((local.tm_wday + 6) % 7 * 24 + local.tm_hour) * slots_per_day / 24;
	for (int t = 0; t < all.slots; t++) {
		int k = first + (int)((int64_t)t * 48 / slots_per_day);

		all.net_kw[t] = 0;
		for (int j = k; j < k + halves; j++)
			all.net_kw[t] +=
			    (demand[home][j] - (with_sun ? sun_scale * production(j) : 0)) / halves;
		all.export[t] = spot[k];
		all.import[t] = spot[k] + 0.15;
		all.known_until[t] = published_until(slots_per_day, from, t);
	}
	return all;
}

__attribute__((unused)) static void close_span(span *all)
{
	free(all->net_kw);
	free(all->known_until);
}

#endif
