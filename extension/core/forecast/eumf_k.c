/*
 * EUMF-K; see eumf_k.h. Each slot's base is a weighted mean of the same slot of past days: recent
 * days and like days of the week weigh more. The forecast is the base plus what the last day and
 * the last slot were off it, both fading with the lead. Quantiles are those of the past residuals
 * at about the same time of day.
 */
#include "eumf_k.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS = 7, MAX_SLOTS = 1000000 };

static const double HALF_LIFE_DAYS = 14; /* of a past day's weight */
static const double SAME_WEEKDAY = 3;    /* weights of days by likeness */
static const double SAME_DAY_CLASS = 1;  /* both working days, or both weekend */
static const double OTHER_DAY_CLASS = 0.3;
static const double LEVEL_SHARE = 0.3; /* of the last day's offset that is believed to stay */
static const double STANDARD_KW = 3500.0 / 8760;

/* Share of the daily mean by hour of a standard household, mean 1: night, morning, evening. */
static const double STANDARD_SHAPE[24] = {0.63, 0.53, 0.48, 0.46, 0.47, 0.55, 0.82, 1.07,
                                          1.10, 1.04, 1.00, 1.04, 1.12, 1.04, 0.96, 0.96,
                                          1.06, 1.37, 1.65, 1.72, 1.57, 1.39, 1.12, 0.85};

typedef struct seasons {
	int slots_per_day;
	double *sum, *weight; /* [DAYS][slots_per_day], weighted by recency */
	double *base;         /* [DAYS][slots_per_day] */
	double mean;          /* of all history */
	eumf_k_model model;
} seasons;

const char *eumf_k_model_name(eumf_k_model model)
{
	static const char *const names[] = {"weekly", "daily", "level", "standard"};

	return names[model];
}

static outcome_status check(const eumf_k_input *in, outcome *out)
{
	const int phases = DAYS * in->slots_per_day;

	if (in->slots_per_day < 24 || in->slots_per_day > 1440 || in->horizon < 1 || in->history < 0 ||
	    in->horizon > MAX_SLOTS || in->history > MAX_SLOTS)
		return outcome_set(
		    out, OUTCOME_BAD_INPUT, NULL,
		    "A day has 24 to 1440 slots; 1 to 1000000 slots can be forecast from as many.",
		    "%d slots a day, %d of history and %d of horizon are no forecast", in->slots_per_day,
		    in->history, in->horizon);
	for (int t = 0; t < in->history; t++) {
		if (in->history_phase[t] < 0 || in->history_phase[t] >= phases)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "history_phase of slot %d is %d, outside 0 to %d", t + 1,
			                   in->history_phase[t], phases - 1);
		if (isinf(in->history_kw[t]))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "history_kw of slot %d is infinite", t + 1);
	}
	for (int t = 0; t < in->horizon; t++)
		if (in->horizon_phase[t] < 0 || in->horizon_phase[t] >= phases)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "horizon_phase of slot %d is %d, outside 0 to %d", t + 1,
			                   in->horizon_phase[t], phases - 1);
	out->status = OUTCOME_OK;
	return OUTCOME_OK;
}

static double day_likeness(int day, int other)
{
	if (day == other)
		return SAME_WEEKDAY;
	return (day >= 5) == (other >= 5) ? SAME_DAY_CLASS : OTHER_DAY_CLASS;
}

/* Sums the history by slot of the week, and tells the model that it carries. */
static void gather(const eumf_k_input *in, seasons *all)
{
	double fading = pow(0.5, 1 / (HALF_LIFE_DAYS * in->slots_per_day)), total = 0, weight = 1;
	int known = 0;

	for (int t = in->history - 1; t >= 0; t--, weight *= fading) {
		if (isnan(in->history_kw[t]))
			continue;
		all->sum[in->history_phase[t]] += weight * in->history_kw[t];
		all->weight[in->history_phase[t]] += weight;
		total += in->history_kw[t];
		known++;
	}
	all->mean = known > 0 ? total / known : STANDARD_KW;
	if (known >= 14 * in->slots_per_day)
		all->model = EUMF_K_WEEKLY;
	else if (known >= 2 * in->slots_per_day)
		all->model = EUMF_K_DAILY;
	else
		all->model = known > 0 ? EUMF_K_LEVEL : EUMF_K_STANDARD;
}

static double standard_kw(const seasons *all, int slot)
{
	return all->mean * STANDARD_SHAPE[slot * 24 / all->slots_per_day];
}

/* The weighted mean of one slot of the day over the days of the week, seen from one day; the
 * standard profile counts as one faint day more, which fills slots never seen. */
static double raw_base(const seasons *all, int day, int slot)
{
	double sum = 0.05 * standard_kw(all, slot), weight = 0.05;

	if (all->model >= EUMF_K_LEVEL)
		return standard_kw(all, slot);
	for (int other = 0; other < DAYS; other++) {
		double likeness = all->model == EUMF_K_WEEKLY ? day_likeness(day, other) : 1;

		sum += likeness * all->sum[other * all->slots_per_day + slot];
		weight += likeness * all->weight[other * all->slots_per_day + slot];
	}
	return sum / weight;
}

/* Bases of all slots of the week, each smoothed a little with its neighbours in time. */
static void find_bases(seasons *all)
{
	const int n = all->slots_per_day;

	for (int day = 0; day < DAYS; day++) {
		for (int slot = 0; slot < n; slot++) {
			double here = raw_base(all, day, slot);
			double before = raw_base(all, day, slot > 0 ? slot - 1 : n - 1);
			double after = raw_base(all, day, slot + 1 < n ? slot + 1 : 0);

			all->base[day * n + slot] = 0.6 * here + 0.2 * (before + after);
		}
	}
}

/* How far the last slots were off their bases, and how long that lasts. */
typedef struct drift {
	double level, last, persistence;
} drift;

static drift find_drift(const eumf_k_input *in, const seasons *all)
{
	double square = 0, product = 0, previous = NAN, sum = 0;
	int recent = 0;
	drift found = {0, 0, 0};

	if (all->model >= EUMF_K_LEVEL)
		return found;
	for (int t = 0; t < in->history; t++) {
		double residual = in->history_kw[t] - all->base[in->history_phase[t]];

		if (!isnan(residual) && t >= in->history - in->slots_per_day) {
			sum += residual;
			recent++;
		}
		if (!isnan(residual) && !isnan(previous)) {
			square += previous * previous;
			product += previous * residual;
		}
		previous = residual;
	}
	if (recent > 0)
		found.level = LEVEL_SHARE * sum / in->slots_per_day;
	if (square > 0)
		found.persistence = fmin(fmax(product / square, 0), 0.95);
	if (!isnan(previous))
		found.last = previous - found.level;
	return found;
}

/* Moves the k-th smallest of the values to place k, none before it larger (Hoare's selection). */
static double select_value(double *values, int count, int k)
{
	int low = 0, high = count - 1;

	while (low < high) {
		double pivot = values[(low + high) / 2];
		int i = low, j = high;

		while (i <= j) {
			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i <= j) {
				double swap = values[i];

				values[i++] = values[j];
				values[j--] = swap;
			}
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break;
	}
	return values[k];
}

/* The p-quantile of the values, which are put in another order. */
static double quantile(double *values, int count, double p)
{
	double position = p * (count - 1);
	int below = (int)position;
	double value = select_value(values, count, below);

	if (below + 1 >= count)
		return value;
	return value + (position - below) * (select_value(values, count, below + 1) - value);
}

/* What the history was off its bases, by time of day. */
typedef struct residuals {
	int slots_per_day, days;
	double *by_slot; /* [slots_per_day][days] */
	int *count;      /* [slots_per_day] */
	double
	    *offsets;   /* [slots_per_day][3], quantiles of those within an hour; NAN until asked for */
	double *nearby; /* room for those within an hour */
} residuals;

static void gather_residuals(const eumf_k_input *in, const seasons *all, residuals *found)
{
	for (int t = 0; t < in->history && all->model < EUMF_K_LEVEL; t++) {
		int slot = in->history_phase[t] % in->slots_per_day;
		double residual = in->history_kw[t] - all->base[in->history_phase[t]];

		if (!isnan(residual) && found->count[slot] < found->days)
			found->by_slot[slot * found->days + found->count[slot]++] = residual;
	}
}

/* 10, 50 and 90 % of the residuals within an hour of a time of day; NULL where they are too few. */
static const double *residual_quantiles(const residuals *found, int slot)
{
	const int n = found->slots_per_day, reach = n / 24;
	double *offsets = found->offsets + 3 * slot;
	int count = 0;

	if (!isnan(offsets[0]))
		return offsets;
	for (int k = slot - reach; k <= slot + reach; k++) {
		int near = (k + n) % n;

		memcpy(found->nearby + count, found->by_slot + near * found->days,
		       sizeof(double) * (size_t)found->count[near]);
		count += found->count[near];
	}
	if (count < 10)
		return NULL;
	offsets[0] = quantile(found->nearby, count, 0.1);
	offsets[1] = quantile(found->nearby, count, 0.5);
	offsets[2] = quantile(found->nearby, count, 0.9);
	return offsets;
}

/* The quantiles of one forecast slot. */
static void spread(const residuals *found, int slot, double mean, double *q10, double *q50,
                   double *q90)
{
	/* Nothing measured to go by: a household's hour is about this wide. */
	const double wide[3] = {-0.65 * mean, -0.2 * mean, 0.9 * mean};
	const double *offsets = residual_quantiles(found, slot);

	if (!offsets)
		offsets = wide;
	*q10 = fmax(mean + offsets[0], 0);
	*q50 = fmax(mean + offsets[1], *q10);
	*q90 = fmax(mean + offsets[2], *q50);
}

static bool allocate(const eumf_k_input *in, seasons *all, residuals *found, double **room)
{
	const size_t day = (size_t)in->slots_per_day, phases = DAYS * day;
	const size_t reach = 2 * (day / 24) + 1;

	/* A time of day comes once a day, and once more where the clock is put back. */
	*found = (residuals){.slots_per_day = in->slots_per_day,
	                     .days = in->history / in->slots_per_day + 8};
	*room = calloc(3 * phases + (day + reach) * (size_t)found->days + 3 * day, sizeof(double));
	found->count = calloc(day, sizeof(int));
	if (!*room || !found->count) {
		free(*room);
		free(found->count);
		return false;
	}
	*all = (seasons){.slots_per_day = in->slots_per_day,
	                 .sum = *room,
	                 .weight = *room + phases,
	                 .base = *room + 2 * phases};
	found->by_slot = *room + 3 * phases;
	found->nearby = found->by_slot + day * (size_t)found->days;
	found->offsets = found->nearby + reach * (size_t)found->days;
	for (size_t i = 0; i < 3 * day; i++)
		found->offsets[i] = NAN;
	return true;
}

outcome_status eumf_k(const eumf_k_input *in, eumf_k_forecast *forecast, outcome *out)
{
	seasons all;
	residuals found;
	double *room;
	drift off;

	if (check(in, out) != OUTCOME_OK)
		return out->status;
	if (!allocate(in, &all, &found, &room))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "out of memory in a forecast from %d slots", in->history);
	gather(in, &all);
	find_bases(&all);
	if (forecast->q10_kw)
		gather_residuals(in, &all, &found);
	off = find_drift(in, &all);
	for (int h = 0; h < in->horizon; h++) {
		double lead_days = (double)(h + 1) / in->slots_per_day;
		double mean = all.base[in->horizon_phase[h]] + off.level * pow(0.7, lead_days) +
		              off.last * pow(off.persistence, h + 1);

		forecast->mean_kw[h] = fmax(mean, 0);
		if (!forecast->q10_kw)
			continue;
		spread(&found, in->horizon_phase[h] % in->slots_per_day, forecast->mean_kw[h],
		       &forecast->q10_kw[h], &forecast->q50_kw[h], &forecast->q90_kw[h]);
	}
	forecast->model = all.model;
	free(room);
	free(found.count);
	return OUTCOME_OK;
}
