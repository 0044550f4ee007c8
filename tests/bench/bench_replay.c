/*
 * The closed loop over real homes (DESIGN.md section 3): what each way to run a
 * battery saves in percent of perfect foresight, without and with PV. Five homes
 * that have no PV of their own are given that of the solar home, scaled to their
 * consumption of the year; the solar home is shown beside. Import at the
 * day-ahead price + 0.15 EUR/kWh, export at the day-ahead price, which is known to
 * the end of the next local day from 12:45 on. Slots with a gap in the
 * recordings are neither controlled nor billed.
 *
 * `bench_replay all` also varies battery, efficiency, slot length and span. Data:
 * the folder SMARTHG_DATA, else ../shared/data.
 */
#include "../../extension/core/ebr/replay.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOMES = 6, SOLAR = 5, HALF_HOURS = 3 * 366 * 48, PV_YEAR = 364 * 48, WARM_UP_DAYS = 98 };

typedef struct setting {
	const char *name;
	double capacity_kwh, power_kw, efficiency;
	int slots_per_day;
	int first_day, days; /* from 2022-01-01 on */
} setting;

/* Half-hours from the first on; NAN where there is no recording. */
static double demand[HOMES][HALF_HOURS], sun[HALF_HOURS], spot[HALF_HOURS];
static time_t epoch;

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

static void take_market(const char *line)
{
	char at[32];
	double price;
	int k;

	if (sscanf(line, "%31[^,],%lf", at, &price) == 2 && (k = half_hour(at)) >= 0)
		spot[k] = spot[k + 1] = price / 1000;
}

static bool read_lines(const char *folder, const char *name, void (*take)(const char *))
{
	char command[1024], line[256];
	int lines = 0;
	FILE *file;

	snprintf(command, sizeof(command), "zcat '%s/series/%s' 2>/dev/null", folder, name);
	file = popen(command, "r");
	while (file && fgets(line, sizeof(line), file)) {
		take(line);
		lines++;
	}
	if (file)
		pclose(file);
	return lines > 1;
}

static bool read_all(void)
{
	const char *folder = getenv("SMARTHG_DATA");

	folder = folder ? folder : "../shared/data";
	for (int k = 0; k < HALF_HOURS; k++) {
		sun[k] = spot[k] = NAN;
		for (int h = 0; h < HOMES; h++)
			demand[h][k] = NAN;
	}
	return read_lines(folder, "homes_30min.csv.gz", take_home) &&
	       read_lines(folder, "solar_home_30min.csv.gz", take_solar) &&
	       read_lines(folder, "market_hourly.csv.gz", take_market);
}

/* The one year of PV, repeated. */
static double production(int k)
{
	for (int at = k % PV_YEAR; at < HALF_HOURS; at += PV_YEAR)
		if (!isnan(sun[at]))
			return sun[at];
	return 0;
}

typedef struct span {
	int slots;
	double *net_kw, *import, *export;
	int *known_until, phase;
} span;

/* Slots before the end of the local day, or of the next one after 12:45. */
static int published_until(const setting *s, time_t from, int slot)
{
	time_t at = from + (time_t)slot * (86400 / s->slots_per_day);
	struct tm local;

	localtime_r(&at, &local);
	local.tm_mday += 60 * local.tm_hour + local.tm_min >= 12 * 60 + 45 ? 2 : 1;
	local.tm_hour = local.tm_min = local.tm_sec = 0;
	local.tm_isdst = -1;
	return (int)((mktime(&local) - from) / (86400 / s->slots_per_day));
}

static span open_span(const setting *s, int home, double sun_scale)
{
	const int first = (s->first_day - WARM_UP_DAYS) * 48;
	time_t from = epoch + first * 1800L;
	span all = {.slots = (s->days + WARM_UP_DAYS) * s->slots_per_day};
	struct tm local;

	all.net_kw = malloc(3 * (size_t)all.slots * sizeof(double));
	all.known_until = malloc((size_t)all.slots * sizeof(int));
	if (!all.net_kw || !all.known_until)
		abort();
	all.import = all.net_kw + all.slots;
	all.export = all.import + all.slots;
	localtime_r(&from, &local);
	all.phase = ((local.tm_wday + 6) % 7 * 24 + local.tm_hour) * s->slots_per_day / 24;
	for (int t = 0; t < all.slots; t++) {
		int k = first + (int)((int64_t)t * 48 / s->slots_per_day);
		int halves = s->slots_per_day < 48 ? 48 / s->slots_per_day : 1;

		all.net_kw[t] = 0;
		for (int j = k; j < k + halves; j++)
			all.net_kw[t] +=
			    (demand[home][j] - (sun_scale > 0 ? sun_scale * production(j) : 0)) / halves;
		all.export[t] = spot[k];
		all.import[t] = spot[k] + 0.15;
		all.known_until[t] = published_until(s, from, t);
	}
	return all;
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

static void show_home(const setting *s, int home, bool with_sun, double *sum)
{
	span all = open_span(s, home, with_sun ? scale_of_sun(home) : 0);
	ebr_replay_input input = {.slots = all.slots,
	                          .first = WARM_UP_DAYS * s->slots_per_day,
	                          .slots_per_day = s->slots_per_day,
	                          .phase = all.phase,
	                          .net_kw = all.net_kw,
	                          .import_eur_per_kwh = all.import,
	                          .export_eur_per_kwh = all.export,
	                          .known_until = all.known_until,
	                          .contract_min_kw = -INFINITY,
	                          .contract_max_kw = INFINITY,
	                          .store = {s->capacity_kwh, -s->power_kw, s->power_kw, s->efficiency,
	                                    0, INFINITY, NAN, NAN}};
	ebr_limits limits = {0};
	ebr_replay_result r = {0};
	outcome out;

	if (ebr_replay(&input, &limits, &r, &out) != OUTCOME_OK) {
		printf("  home %d: %s\n", home + 1, out.message);
	} else {
		printf("  %s %d%s %6d %5d %9.2f %9.2f %8.2f %8.1f %8.1f %8.2f %7.0f %7.0f %8.0f\n",
		       home == SOLAR ? "solar" : "home ", home + 1, with_sun ? " PV" : "   ", r.billed,
		       r.skipped, r.cost_eur[EBR_REPLAY_NONE], r.cost_eur[EBR_REPLAY_PERFECT],
		       r.perfect_excess_eur, r.saving_percent[EBR_REPLAY_NAIVE],
		       r.saving_percent[EBR_REPLAY_SETPOINT], r.saving_percent[EBR_REPLAY_RULE],
		       r.cycles[EBR_REPLAY_RULE], r.cycles[EBR_REPLAY_PERFECT], 1e6 * r.seconds / r.billed);
		for (int way = 0; way < EBR_REPLAY_WAYS; way++)
			sum[way] += r.saving_percent[way];
	}
	fflush(stdout);
	free(all.net_kw);
	free(all.known_until);
}

static void show_setting(const setting *s)
{
	printf("%s: %g kWh, %g kW, efficiency %g, slots of %d min, %d days\n", s->name, s->capacity_kwh,
	       s->power_kw, s->efficiency, 1440 / s->slots_per_day, s->days);
	printf("  home       slots   gap  EUR none   perfect   (may -) %%: naive  setpoint   rule  "
	       "cycles perfect us/slot\n");
	for (int with_sun = 0; with_sun <= 1; with_sun++) {
		double sum[EBR_REPLAY_WAYS] = {0}, unused[EBR_REPLAY_WAYS] = {0};

		for (int home = 0; home < SOLAR; home++)
			show_home(s, home, with_sun, sum);
		printf("  mean of 5 %s: naive %.1f %%, set-point %.1f %%, rule %.2f %%\n",
		       with_sun ? "with PV" : "without PV", sum[EBR_REPLAY_NAIVE] / SOLAR,
		       sum[EBR_REPLAY_SETPOINT] / SOLAR, sum[EBR_REPLAY_RULE] / SOLAR);
		if (with_sun && s->first_day == 363)
			show_home(s, SOLAR, true, unused);
	}
}

int main(int count, char **arguments)
{
	static const setting settings[] = {
	    {"a year", 10, 5, 0.9, 24, 363, 364},         {"other months", 10, 5, 0.9, 24, 728, 244},
	    {"small battery", 5, 2.5, 0.9, 24, 363, 364}, {"large battery", 13.5, 5, 0.9, 24, 363, 364},
	    {"poor battery", 10, 5, 0.8, 24, 363, 364},   {"good battery", 10, 5, 0.95, 24, 363, 364},
	    {"half hours", 10, 5, 0.9, 48, 363, 364},
	};
	const int shown = count > 1 && strcmp(arguments[1], "all") == 0
	                      ? (int)(sizeof(settings) / sizeof(settings[0]))
	                      : 1;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	epoch = seconds_of("2022-01-01T00:00");
	if (!read_all()) {
		printf("skipped: no series in SMARTHG_DATA or ../shared/data\n");
		return 0;
	}
	for (int k = 0; k < shown; k++)
		show_setting(&settings[k]);
	return 0;
}
