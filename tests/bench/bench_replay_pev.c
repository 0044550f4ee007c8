/*
 * The closed loop over real homes with real cars (DESIGN.md section 3): the five
 * homes of bench_replay.c, one resident's charging sessions each, for a year of
 * hours, with a battery of 10 kWh and 5 kW and without one. A car charges at 7.4 kW;
 * it arrives with what it was charged by missing, and is wanted full. Saving is
 * against no storage, with the car charged at once on arrival, in percent of that
 * of perfect foresight.
 *
 * `bench_replay_pev all` also varies what the car can do, adds PV, and lets a third
 * of the departures come up to three hours sooner or later than announced. Data: the folder
 * SMARTHG_DATA, else ../shared/data.
 */
#include "../../extension/core/ebr/replay.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOMES = 5,
	HOURS = 3 * 366 * 24,
	PV_YEAR = 364 * 24,
	DAY = 24,
	WARM_UP = 28 * DAY,
	FIRST = 363 * DAY, /* from 2022-01-01 on */
	YEAR = 364 * DAY,
	SPAN = WARM_UP + YEAR,
	MOST_STAYS = 1000,
};

typedef struct setting {
	const char *name;
	double ess_kwh, pev_min_kw, pev_step_kw;
	bool with_sun, vague;
} setting;

typedef struct session {
	double from, until, kwh; /* in hours from epoch */
} session;

/* Mean kW and EUR/kWh of each hour; NAN where there is no recording. */
static double demand[HOMES][HOURS], sun[HOURS], spot[HOURS];
static session sessions[HOMES][MOST_STAYS];
static int session_count[HOMES];
static time_t epoch;

static double hours_of(const char *text)
{
	struct tm at = {0};

	if (sscanf(text, "%d-%d-%dT%d:%d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
	           &at.tm_min) != 5)
		return -1;
	at.tm_year -= 1900;
	at.tm_mon--;
	return (double)(timegm(&at) - epoch) / 3600;
}

/* Adds half an hour to its hour; both halves must be there. */
static void add_half(double *series, const char *text, double half)
{
	double at = hours_of(text);

	if (at < 0 || at >= HOURS)
		return;
	if (at == floor(at))
		series[(int)at] = half;
	else
		series[(int)at] += half;
}

static void take_home(const char *line)
{
	char at[32];
	double kwh;
	int number;

	if (sscanf(line, "home%d,%31[^,],%lf", &number, at, &kwh) == 3 && number >= 1 &&
	    number <= HOMES)
		add_half(demand[number - 1], at, kwh);
}

static void take_sun(const char *line)
{
	char at[32];
	double used, produced;

	if (sscanf(line, "%31[^,],%lf,%lf", at, &used, &produced) == 3)
		add_half(sun, at, produced / 2);
}

static void take_market(const char *line)
{
	char at[32];
	double price, hour;

	if (sscanf(line, "%31[^,],%lf", at, &price) == 2 && (hour = hours_of(at)) >= 0 && hour < HOURS)
		spot[(int)hour] = price / 1000;
}

static void take_session(const char *line)
{
	char from[32], until[32];
	double kwh;
	int number;

	if (sscanf(line, "pev%d,%31[^,],%31[^,],%lf", &number, from, until, &kwh) == 4 && number >= 1 &&
	    number <= HOMES && session_count[number - 1] < MOST_STAYS)
		sessions[number - 1][session_count[number - 1]++] =
		    (session){hours_of(from), hours_of(until), kwh};
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
	for (int t = 0; t < HOURS; t++) {
		sun[t] = spot[t] = NAN;
		for (int h = 0; h < HOMES; h++)
			demand[h][t] = NAN;
	}
	return read_lines(folder, "homes_30min.csv.gz", take_home) &&
	       read_lines(folder, "solar_home_30min.csv.gz", take_sun) &&
	       read_lines(folder, "market_hourly.csv.gz", take_market) &&
	       read_lines(folder, "pev_sessions.csv.gz", take_session);
}

/* The one year of PV, repeated. */
static double production(int t)
{
	for (int at = t % PV_YEAR; at < HOURS; at += PV_YEAR)
		if (!isnan(sun[at]))
			return sun[at];
	return 0;
}

/* So that the PV of a year is as much as the home uses in it. */
static double scale_of_sun(int home)
{
	double used = 0, produced = 0;

	for (int t = 0; t < HOURS; t++) {
		if (isnan(demand[home][t]))
			continue;
		used += demand[home][t];
		produced += production(t);
	}
	return used / produced;
}

/* Hours before the end of the local day, or of the next one after 12:45. */
static int published_until(time_t from, int slot)
{
	time_t at = from + slot * 3600L;
	struct tm local;

	localtime_r(&at, &local);
	local.tm_mday += local.tm_hour >= 13 ? 2 : 1;
	local.tm_hour = local.tm_min = local.tm_sec = 0;
	local.tm_isdst = -1;
	return (int)((mktime(&local) - from) / 3600);
}

static uint32_t next_random(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

static double capacity_for(int home)
{
	double most = 0;

	for (int k = 0; k < session_count[home]; k++)
		most = fmax(most, sessions[home][k].kwh);
	return most > 40 ? ceil(most) : 40;
}

/* Stays in slots of the span; returns how many. */
static int place_stays(int home, const ebr_store *pev, bool vague, ebr_replay_stay *stays)
{
	const int start = FIRST - WARM_UP;
	uint32_t random = 1;
	int count = 0;

	for (int k = 0; k < session_count[home]; k++) {
		const session *s = &sessions[home][k];
		double missing = s->kwh * sqrt(pev->efficiency), announced = s->until;

		if (vague && next_random(&random) >> 16 < 21845)
			announced += 6.0 * (next_random(&random) >> 16) / 65536 - 3;
		if (s->from < FIRST || s->until > FIRST + YEAR ||
		    (count > 0 && s->from - start < stays[count - 1].unplugged_at))
			continue;
		stays[count++] = (ebr_replay_stay){s->from - start, fmax(announced, s->from) - start,
		                                   s->until - start, pev->capacity_kwh - missing, NAN};
	}
	return count;
}

static void show_home(const setting *s, int home, double *sum)
{
	static double net[SPAN], import[SPAN], export[SPAN];
	static int known[SPAN];
	static ebr_replay_stay stays[MOST_STAYS];
	const int start = FIRST - WARM_UP;
	const time_t from = epoch + start * 3600L;
	const double scale = s->with_sun ? scale_of_sun(home) : 0;
	ebr_replay_input input = {
	    .slots = SPAN,
	    .first = WARM_UP,
	    .slots_per_day = DAY,
	    .net_kw = net,
	    .import_eur_per_kwh = import,
	    .export_eur_per_kwh = export,
	    .known_until = known,
	    .contract_min_kw = -INFINITY,
	    .contract_max_kw = INFINITY,
	    .store = {s->ess_kwh, -s->ess_kwh / 2, s->ess_kwh / 2, 0.9, 0, INFINITY, NAN, NAN, 0},
	    .pev = {capacity_for(home), s->pev_min_kw, 7.4, 0.9, 0, INFINITY, NAN, NAN, s->pev_step_kw},
	    .stay = stays};
	ebr_limits limits = {0};
	ebr_replay_result r = {0};
	struct tm local;
	outcome out;

	localtime_r(&from, &local);
	input.phase = (local.tm_wday + 6) % 7 * 24 + local.tm_hour;
	for (int t = 0; t < SPAN; t++) {
		net[t] = demand[home][start + t] - (scale > 0 ? scale * production(start + t) : 0);
		export[t] = spot[start + t];
		import[t] = spot[start + t] + 0.15;
		known[t] = published_until(from, t);
	}
	input.stays = place_stays(home, &input.pev, s->vague, stays);
	if (ebr_replay(&input, &limits, &r, &out) != OUTCOME_OK) {
		printf("  home %d: %s\n", home + 1, out.message);
		return;
	}
	printf("  home %d %5d %4d %9.2f %9.2f %7.2f %7.1f %8.1f %7.2f  %7.1f %7.1f %7.1f %7.1f %7.0f\n",
	       home + 1, r.billed, r.stays, r.cost_eur[EBR_REPLAY_NONE], r.cost_eur[EBR_REPLAY_PERFECT],
	       r.perfect_excess_eur, r.saving_percent[EBR_REPLAY_NAIVE],
	       r.saving_percent[EBR_REPLAY_SETPOINT], r.saving_percent[EBR_REPLAY_RULE],
	       r.missed_kwh[EBR_REPLAY_NONE], r.missed_kwh[EBR_REPLAY_SETPOINT],
	       r.missed_kwh[EBR_REPLAY_RULE], r.missed_kwh[EBR_REPLAY_PERFECT],
	       1e6 * r.seconds / r.billed);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		sum[way] += r.saving_percent[way];
	fflush(stdout);
}

static void show_setting(const setting *s)
{
	double sum[EBR_REPLAY_WAYS] = {0};

	printf("%s: battery %g kWh, car %g to 7.4 kW, at least %g kW\n", s->name, s->ess_kwh,
	       s->pev_min_kw, s->pev_step_kw);
	printf(
	    "  home   slots stay  EUR none   perfect  (may -) %%:naive setpoint    rule  kWh missed: "
	    "none setpoint rule perfect us/slot\n");
	for (int home = 0; home < HOMES; home++)
		show_home(s, home, sum);
	printf("  mean: naive %.1f %%, set-point %.1f %%, rule %.2f %%\n",
	       sum[EBR_REPLAY_NAIVE] / HOMES, sum[EBR_REPLAY_SETPOINT] / HOMES,
	       sum[EBR_REPLAY_RULE] / HOMES);
}

int main(int count, char **arguments)
{
	static const setting settings[] = {
	    {"car and battery", 10, 0, 0, false, false},
	    {"least power", 10, 0, 1.4, false, false},
	    {"discharge", 10, -7.4, 0, false, false},
	    {"discharge and least power", 10, -7.4, 1.4, false, false},
	    {"car alone", 0, 0, 0, false, false},
	    {"with PV", 10, 0, 0, true, false},
	    {"with PV, discharge", 10, -7.4, 0, true, false},
	    {"departures not as announced", 10, 0, 0, false, true},
	    {"discharge, departures not as announced", 10, -7.4, 0, false, true},
	};
	const bool all = count > 1 && strcmp(arguments[1], "all") == 0;
	const int shown = all ? (int)(sizeof(settings) / sizeof(settings[0])) : 4;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	{
		struct tm first = {.tm_year = 122, .tm_mday = 1};

		epoch = timegm(&first);
	}
	if (!read_all()) {
		printf("skipped: no series in SMARTHG_DATA or ../shared/data\n");
		return 0;
	}
	for (int k = 0; k < shown; k++)
		show_setting(&settings[k]);
	return 0;
}
