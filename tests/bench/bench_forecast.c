/*
 * Forecasts of real homes (homes.h): 24 hours from each of 40 midnights a home, from
 * the eight weeks before it, by what a DSO would otherwise use and by EUMF-K. Errors
 * in kWh per hour: MAE (of EUMF-K's median), RMSE (of its mean), MASE (beside the
 * seasonal naive forecast of the history), pinball loss and coverage of 10 to 90 %.
 *
 * `bench_forecast all` takes every midnight, and other slot lengths; `bench_forecast
 * csv FILE` writes the origins for others to forecast (forecast.R).
 */
#include "../../extension/core/forecast/eumf_k.h"
#include "homes.h"

enum { HISTORY_DAYS = 56, ORIGINS = 40, MOST_PER_DAY = 96 };

enum {
	NAIVE_WEEK,
	NAIVE_DAY,
	SAME_WEEKDAYS,
	LAST_28,
	MEDIAN_28,
	SIMPLE,
	LIKE_DAYS = SIMPLE,
	SMOOTHING,
	REGRESSION,
	COMBINED,
	WAYS
};

static const char *const names[WAYS] = {
    "same hour of last week",  "same hour of yesterday",    "mean of 4 same weekdays",
    "mean of 28 days by hour", "median of 28 days by hour", "EUMF-K like days only",
    "EUMF-K smoothing only",   "EUMF-K regression only",    "EUMF-K"};

typedef struct score {
	int count;
	double absolute, square, pinball, inside, naive, seconds;
	int runs;
} score;

typedef struct setting {
	const char *name;
	int slots_per_day;
	int every; /* of the midnights; 0: ORIGINS a home */
	const double *series[HOMES];
	int homes;
	eumf_k_kind kind;
} setting;

static score scores[HOMES][WAYS];
static double slots[HALF_HOURS * 2]; /* a home's series on the slots of a setting, kWh */
static int slot_count, day_slots;

/* Local clocks are read as UTC+1 (data/README.md). */
static int phase_of(int slot)
{
	return (slot + day_slots / 24 + 5 * day_slots) % (7 * day_slots);
}

static void open_series(const double *half_hours, int slots_per_day)
{
	day_slots = slots_per_day;
	slot_count = HALF_HOURS / 48 * slots_per_day;
	for (int t = 0; t < slot_count; t++) {
		int k = (int)((int64_t)t * 48 / slots_per_day), halves = 48 / slots_per_day;

		slots[t] = 0;
		for (int j = 0; j < (halves > 0 ? halves : 1); j++)
			slots[t] += half_hours[k + j] / (halves > 0 ? halves : 1);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Middle or mean of the values so many slots apart before a slot. */
static double past(int slot, int apart, int count, bool middle)
{
	double known[64], sum = 0;
	int n = 0;

	for (int k = 1; k <= count; k++) {
		double value = slots[slot - k * apart];

		if (isnan(value))
			continue;
		known[n++] = value;
		sum += value;
	}
	if (n == 0)
		return NAN;
	if (!middle)
		return sum / n;
	qsort(known, (size_t)n, sizeof(double), ascending);
	return (known[(n - 1) / 2] + known[n / 2]) / 2;
}

/* By a simple way, of a slot; NAN where it knows nothing. */
static double simple(int way, int slot)
{
	switch (way) {
	case NAIVE_WEEK:
		return past(slot, 7 * day_slots, 1, false);
	case NAIVE_DAY:
		return past(slot, day_slots, 1, false);
	case SAME_WEEKDAYS:
		return past(slot, 7 * day_slots, 4, false);
	default:
		return past(slot, day_slots, 28, way == MEDIAN_28);
	}
}

/* Every slot of the day known and forecast by every simple way. */
static bool usable(int origin)
{
	int known = 0;

	for (int t = origin; t < origin + day_slots; t++) {
		if (isnan(slots[t]))
			return false;
		for (int way = 0; way < SIMPLE; way++)
			if (isnan(simple(way, t)))
				return false;
	}
	for (int t = origin - HISTORY_DAYS * day_slots; t < origin; t++)
		known += !isnan(slots[t]);
	return known > HISTORY_DAYS * day_slots * 9 / 10;
}

static double pinball(double share, double value, double quantile)
{
	return (value - quantile) * (value >= quantile ? share : share - 1);
}

static void eumf(int way, int origin, eumf_k_kind kind, eumf_k_forecast *f, score *s)
{
	static const eumf_k_method methods[WAYS] = {[LIKE_DAYS] = EUMF_K_LIKE_DAYS,
	                                            [SMOOTHING] = EUMF_K_SMOOTHING,
	                                            [REGRESSION] = EUMF_K_REGRESSION};
	static int phase[(HISTORY_DAYS + 2) * MOST_PER_DAY];
	const int history = HISTORY_DAYS * day_slots;
	eumf_k_input in = {.slots_per_day = day_slots,
	                   .history = history,
	                   .history_kw = slots + origin - history,
	                   .history_phase = phase,
	                   .horizon = 2 * day_slots,
	                   .horizon_phase = phase + history,
	                   .kind = kind,
	                   .method = methods[way]};
	clock_t started = clock();
	outcome out;

	for (int t = 0; t < history + 2 * day_slots; t++)
		phase[t] = phase_of(origin - history + t);
	if (eumf_k(&in, f, &out) != OUTCOME_OK) {
		printf("%s\n", out.message);
		exit(1);
	}
	s->seconds += (double)(clock() - started) / CLOCKS_PER_SEC;
	s->runs++;
}

static void try_origin(score *all, int origin, eumf_k_kind kind)
{
	static double room[4][2 * MOST_PER_DAY];
	eumf_k_forecast f = {
	    .mean_kw = room[0], .q10_kw = room[1], .q50_kw = room[2], .q90_kw = room[3]};
	double naive = 0;
	int pairs = 0;

	for (int t = origin - (HISTORY_DAYS - 7) * day_slots; t < origin; t++)
		if (!isnan(slots[t] - slots[t - 7 * day_slots])) {
			naive += fabs(slots[t] - slots[t - 7 * day_slots]);
			pairs++;
		}
	for (int way = 0; way < WAYS; way++) {
		score *s = &all[way];

		if (way >= SIMPLE)
			eumf(way, origin, kind, &f, s);
		for (int k = 0; k < day_slots; k++) {
			double value = slots[origin + k], guess = way < SIMPLE ? simple(way, origin + k) : 0;
			double mean = way < SIMPLE ? guess : room[0][k];
			double median = way < SIMPLE ? guess : room[2][k];

			s->absolute += fabs(value - median);
			s->square += (value - mean) * (value - mean);
			s->naive += naive / pairs;
			s->count++;
			if (way < SIMPLE)
				continue;
			s->pinball += (pinball(0.1, value, room[1][k]) + pinball(0.5, value, median) +
			               pinball(0.9, value, room[3][k])) /
			              3;
			s->inside += value >= room[1][k] && value <= room[3][k];
		}
	}
}

static int next_midnight(int slot)
{
	while (phase_of(slot) % day_slots != 0)
		slot++;
	return slot;
}

/* Calls back for each usable origin of the home whose series is open. */
static void each_origin(int every, void (*take)(int origin, void *), void *with)
{
	int first = 0, last = slot_count - 1, count;

	while (first < slot_count && isnan(slots[first]))
		first++;
	while (last > first && isnan(slots[last]))
		last--;
	first = next_midnight(first + HISTORY_DAYS * day_slots);
	count = every > 0 ? (last - first) / day_slots / every : ORIGINS;
	for (int k = 0; k < count; k++) {
		int days = every > 0 ? k * every
		                     : (int)((double)(last - day_slots - first) / day_slots * k / ORIGINS);

		if (usable(first + days * day_slots))
			take(first + days * day_slots, with);
	}
}

typedef struct scored_home {
	score *all;
	eumf_k_kind kind;
} scored_home;

static void take_score(int origin, void *with)
{
	const scored_home *home = with;

	try_origin(home->all, origin, home->kind);
}

static void print_score(const char *name, const score *s, bool intervals)
{
	printf("  %-28s MAE %.4f RMSE %.4f MASE %.3f", name, s->absolute / s->count,
	       sqrt(s->square / s->count), s->absolute / s->naive);
	if (intervals)
		printf(" pinball %.4f coverage %.1f %% %5.2f ms %6.0f homes/s", s->pinball / s->count,
		       100 * s->inside / s->count, 1e3 * s->seconds / s->runs, s->runs / s->seconds);
	printf("\n");
}

static void show(const setting *s)
{
	score total[WAYS] = {{0}};

	memset(scores, 0, sizeof(scores));
	printf("%s\n", s->name);
	for (int home = 0; home < s->homes; home++) {
		scored_home with = {scores[home], s->kind};
		double least_mae = INFINITY, least_rmse = INFINITY;
		const score *own = &scores[home][COMBINED];

		open_series(s->series[home], s->slots_per_day);
		each_origin(s->every, take_score, &with);
		for (int way = 0; way < WAYS; way++) {
			const score *from = &scores[home][way];
			score *to = &total[way];

			to->count += from->count;
			to->absolute += from->absolute;
			to->square += from->square;
			to->pinball += from->pinball;
			to->inside += from->inside;
			to->naive += from->naive;
			to->seconds += from->seconds;
			to->runs += from->runs;
			if (way < SIMPLE) {
				least_mae = fmin(least_mae, from->absolute / from->count);
				least_rmse = fmin(least_rmse, sqrt(from->square / from->count));
			}
		}
		printf("  home %d, %d origins: MAE %+.1f %%, RMSE %+.1f %% of the best simple way's, "
		       "coverage %.1f %%\n",
		       home + 1, own->runs, 100 * (own->absolute / own->count / least_mae - 1),
		       100 * (sqrt(own->square / own->count) / least_rmse - 1),
		       100 * own->inside / own->count);
	}
	for (int way = 0; way < WAYS; way++)
		print_score(names[way], &total[way], way >= SIMPLE);
}

static void write_origin(int origin, void *with)
{
	for (int t = origin - HISTORY_DAYS * 24; t < origin + 24; t++)
		fprintf(with, isnan(slots[t]) ? "%sNA" : "%s%.3f",
		        t > origin - HISTORY_DAYS * 24 ? "," : "", slots[t]);
	fprintf(with, "\n");
}

static int write_origins(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file) {
		perror(path);
		return 1;
	}
	for (int home = 0; home < SOLAR; home++) {
		open_series(demand[home], 24);
		each_origin(0, write_origin, file);
	}
	return fclose(file) == 0 ? 0 : 1;
}

int main(int count, char **arguments)
{
	const setting settings[] = {
	    {"five homes, hours, 40 midnights each",
	     24,
	     0,
	     {demand[0], demand[1], demand[2], demand[3], demand[4]},
	     SOLAR,
	     EUMF_K_DEMAND},
	    {"PV of the solar home, hours, every fourth day", 24, 4, {sun}, 1, EUMF_K_PRODUCTION},
	    {"five homes and the solar home, hours, every midnight",
	     24,
	     1,
	     {demand[0], demand[1], demand[2], demand[3], demand[4], demand[5]},
	     HOMES,
	     EUMF_K_DEMAND},
	    {"the same, half hours, every third midnight",
	     48,
	     3,
	     {demand[0], demand[1], demand[2], demand[3], demand[4], demand[5]},
	     HOMES,
	     EUMF_K_DEMAND},
	};
	const bool all = count > 1 && strcmp(arguments[1], "all") == 0;

	if (!read_homes())
		return 0;
	if (count > 2 && strcmp(arguments[1], "csv") == 0)
		return write_origins(arguments[2]);
	for (int k = 0; k < (all ? 4 : 2); k++)
		show(&settings[k]);
	return 0;
}
