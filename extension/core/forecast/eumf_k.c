/*
 * EUMF-K; see eumf_k.h. Each slot's base is a weighted mean of the same slot of past days: recent
 * days and like days of the week weigh more. The forecast is the base plus what the last day and
 * the last slot were off it, both fading with the lead. Quantiles are those of the past residuals
 * at about the same time of day.
 */
#include "eumf_k.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS = 7 };

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

	if (in->slots_per_day < 24 || in->slots_per_day > 1440 || in->horizon < 1 || in->history < 0)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "A day has 24 to 1440 slots, and at least one slot is to be forecast.",
		                   "%d slots a day, %d of history and %d of horizon are no forecast",
		                   in->slots_per_day, in->history, in->horizon);
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
	double fading = pow(0.5, 1 / (HALF_LIFE_DAYS * in->slots_per_day)), total = 0;
	int known = 0;

	for (int t = 0; t < in->history; t++) {
		double weight = pow(fading, in->history - 1 - t);

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

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The p-quantile of sorted values. */
static double quantile(const double *sorted, int count, double p)
{
	double position = p * (count - 1);
	int below = (int)position;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
}

/* Quantiles of one forecast slot, from residuals within an hour of the same time of day. */
static void spread(const eumf_k_input *in, const seasons *all, int slot, double mean,
                   double *residuals, double *q10, double *q50, double *q90)
{
	const int n = in->slots_per_day, reach = n / 24;
	int count = 0;

	for (int t = 0; t < in->history && all->model < EUMF_K_LEVEL; t++) {
		int apart = abs(in->history_phase[t] % n - slot);
		double residual = in->history_kw[t] - all->base[in->history_phase[t]];

		if ((apart <= reach || n - apart <= reach) && !isnan(residual))
			residuals[count++] = residual;
	}
	if (count < 10) {
		/* Nothing measured to go by: a household's hour is about this wide. */
		*q10 = 0.35 * mean;
		*q50 = 0.8 * mean;
		*q90 = 1.9 * mean;
		return;
	}
	qsort(residuals, (size_t)count, sizeof(double), ascending);
	*q10 = fmax(mean + quantile(residuals, count, 0.1), 0);
	*q50 = fmax(mean + quantile(residuals, count, 0.5), *q10);
	*q90 = fmax(mean + quantile(residuals, count, 0.9), *q50);
}

outcome_status eumf_k(const eumf_k_input *in, eumf_k_forecast *forecast, outcome *out)
{
	seasons all = {.slots_per_day = in->slots_per_day};
	size_t phases;
	double *room;

	if (check(in, out) != OUTCOME_OK)
		return out->status;
	phases = (size_t)(DAYS * in->slots_per_day);
	room = calloc(3 * phases + (size_t)in->history, sizeof(double));
	if (!room)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "out of memory in a forecast from %d slots", in->history);
	all.sum = room;
	all.weight = room + phases;
	all.base = room + 2 * phases;
	gather(in, &all);
	find_bases(&all);

	drift off = find_drift(in, &all);
	for (int h = 0; h < in->horizon; h++) {
		double lead_days = (double)(h + 1) / in->slots_per_day;
		double mean = all.base[in->horizon_phase[h]] + off.level * pow(0.7, lead_days) +
		              off.last * pow(off.persistence, h + 1);

		forecast->mean_kw[h] = fmax(mean, 0);
		spread(in, &all, in->horizon_phase[h] % in->slots_per_day, forecast->mean_kw[h],
		       room + 3 * phases, &forecast->q10_kw[h], &forecast->q50_kw[h], &forecast->q90_kw[h]);
	}
	forecast->model = all.model;
	free(room);
	return OUTCOME_OK;
}
