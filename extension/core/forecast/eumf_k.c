/* EUMF-K; see eumf_k.h. */
#include "eumf_k.h"
#include "experts.h"
#include "spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SLOTS = 1000000, CEILING_DAYS = 28 };

static const double MOST = 1e12; /* that a value can be */
static const double STANDARD_KW = 3500.0 / 8760;
static const double STANDARD_TRUST = 0.25; /* days of the standard that a home's level is weighed
                                              against */
static const double CEILING = 1.1;         /* of the highest production of the last weeks */

/* Share of the daily mean by hour of a standard household, mean 1: night, morning, evening. */
static const double STANDARD_SHAPE[24] = {0.63, 0.53, 0.48, 0.46, 0.47, 0.55, 0.82, 1.07,
                                          1.10, 1.04, 1.00, 1.04, 1.12, 1.04, 0.96, 0.96,
                                          1.06, 1.37, 1.65, 1.72, 1.57, 1.39, 1.12, 0.85};

static const char *const method_names[EUMF_K_METHODS] = {"combined",  "last_day",      "last_week",
                                                         "all_days",  "same_weekdays", "like_days",
                                                         "smoothing", "regression"};

const char *eumf_k_model_name(eumf_k_model model)
{
	static const char *const names[] = {"weekly", "daily", "level", "standard"};

	return names[model];
}

const char *eumf_k_method_name(eumf_k_method method)
{
	return method_names[method];
}

eumf_k_method eumf_k_method_of(const char *name)
{
	int method = 0;

	while (method < EUMF_K_METHODS && strcmp(name, method_names[method]) != 0)
		method++;
	return method;
}

static outcome_status check_phases(const char *name, const int *phase, int count, int phases,
                                   outcome *out)
{
	for (int t = 0; t < count; t++)
		if (phase[t] < 0 || phase[t] >= phases)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "%s of slot %d is %d, outside 0 to %d", name, t + 1, phase[t],
			                   phases - 1);
	return OUTCOME_OK;
}

static outcome_status check_values(const char *name, const double *value, int count, outcome *out)
{
	for (int t = 0; value && t < count; t++)
		if (fabs(value[t]) > MOST)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "%s of slot %d is %g", name,
			                   t + 1, value[t]);
	return OUTCOME_OK;
}

static outcome_status check(const eumf_k_input *in, outcome *out)
{
	const int phases = WEEKDAYS * in->slots_per_day;

	if (in->slots_per_day < 24 || in->slots_per_day > 1440 || in->horizon < 1 || in->history < 0 ||
	    in->horizon > MAX_SLOTS || in->history > MAX_SLOTS)
		return outcome_set(
		    out, OUTCOME_BAD_INPUT, NULL,
		    "A day has 24 to 1440 slots; 1 to 1000000 slots can be forecast from as many.",
		    "%d slots a day, %d of history and %d of horizon are no forecast", in->slots_per_day,
		    in->history, in->horizon);
	if (check_phases("history_phase", in->history_phase, in->history, phases, out) != OUTCOME_OK ||
	    check_phases("horizon_phase", in->horizon_phase, in->horizon, phases, out) != OUTCOME_OK ||
	    check_values("history_kw", in->history_kw, in->history, out) != OUTCOME_OK ||
	    check_values("standard_kw", in->standard_kw, phases, out) != OUTCOME_OK ||
	    check_values("temperature_c", in->temperature_c, in->history, out) != OUTCOME_OK ||
	    check_values("horizon_temperature_c", in->horizon_temperature_c, in->horizon, out) !=
	        OUTCOME_OK)
		return out->status;
	out->status = OUTCOME_OK;
	return OUTCOME_OK;
}

static double standard_kw(const eumf_k_input *in, int weekday, int slot)
{
	if (in->kind == EUMF_K_PRODUCTION)
		return 0;
	if (in->standard_kw)
		return fmax(in->standard_kw[weekday * in->slots_per_day + slot], 0);
	return STANDARD_KW * STANDARD_SHAPE[slot * 24 / in->slots_per_day];
}

/* The standard profile by place, scaled to what is known of the home. */
static void scale_standard(const eumf_k_input *in, const forecast_blocks *b, double *standard)
{
	const int n = b->slots;
	double mean = 0, own = 0, usual = 0, scale;

	for (int i = 0; i < WEEKDAYS * n; i++) {
		standard[i] = standard_kw(in, i / n, (i % n + b->first_slot) % n);
		mean += standard[i] / (WEEKDAYS * n);
	}
	for (int cell = 0; cell < b->blocks * n; cell++) {
		if (isnan(b->value[cell]))
			continue;
		own += b->value[cell];
		usual += standard[b->weekday[cell] * n + cell % n];
	}
	scale = usual > 0 ? (own + STANDARD_TRUST * n * mean) / (usual + STANDARD_TRUST * n * mean) : 1;
	for (int i = 0; i < WEEKDAYS * n; i++)
		standard[i] *= fmax(scale, 0);
}

static eumf_k_model model_of(const forecast_blocks *b)
{
	if (b->known >= 14 * b->slots)
		return EUMF_K_WEEKLY;
	if (b->known >= 2 * b->slots)
		return EUMF_K_DAILY;
	return b->known > 0 ? EUMF_K_LEVEL : EUMF_K_STANDARD;
}

/* By how much production has lately stayed within at about this time of day: none at night. */
static double ceiling(const forecast_blocks *b, int place)
{
	const int reach = b->slots / 24;
	double most = 0;

	for (int block = b->blocks - 1; block >= 0 && block >= b->blocks - CEILING_DAYS; block--)
		for (int k = place - reach; k <= place + reach; k++)
			most = fmax(most, b->value[block * b->slots + (k + b->slots) % b->slots]);
	return CEILING * most;
}

static void spread(const experts *all, const block_place *slot, double mean, double most,
                   spread_sample *room, double *q10, double *q50, double *q90)
{
	/* Nothing measured to go by: a household's hour is about this wide. */
	double quantile[SPREAD_QUANTILES] = {0.35 * mean, 0.8 * mean, 1.9 * mean};

	spread_find(all, slot, mean, room, quantile);
	*q10 = fmin(fmax(quantile[0], 0), most);
	*q50 = fmin(fmax(quantile[1], *q10), most);
	*q90 = fmin(fmax(quantile[2], *q50), most);
}

static void forecast_all(const eumf_k_input *in, experts *all, spread_sample *room,
                         eumf_k_forecast *forecast)
{
	const forecast_blocks *b = all->blocks;
	int fitted = 0;

	for (int h = 0; h < in->horizon; h++) {
		const block_place *slot = &b->coming[h];
		const int ahead = slot->ahead + b->late;
		const int lead = ahead < EXPERTS_MOST_LEAD ? ahead : EXPERTS_MOST_LEAD;
		const double most = in->kind == EUMF_K_PRODUCTION ? ceiling(b, slot->place) : INFINITY;
		double temperature = in->horizon_temperature_c ? in->horizon_temperature_c[h] : NAN;

		if (lead != fitted)
			experts_fit(all, lead, in->method);
		if (fitted == 0)
			memcpy(forecast->weight, all->weight, sizeof(all->weight));
		fitted = lead;
		forecast->mean_kw[h] = fmin(fmax(experts_expect(all, slot, temperature), 0), most);
		if (forecast->q10_kw)
			spread(all, slot, forecast->mean_kw[h], most, room, &forecast->q10_kw[h],
			       &forecast->q50_kw[h], &forecast->q90_kw[h]);
	}
}

outcome_status eumf_k(const eumf_k_input *in, eumf_k_forecast *forecast, outcome *out)
{
	forecast_blocks blocks;
	experts all;
	double *standard;
	spread_sample room[SPREAD_SAMPLES];
	bool enough;

	if (check(in, out) != OUTCOME_OK)
		return out->status;
	if (!blocks_cut(in, &blocks))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "out of memory in a forecast from %d slots", in->history);
	standard = malloc(WEEKDAYS * (size_t)blocks.slots * sizeof(double));
	enough = standard && experts_open(&all, &blocks, in->kind == EUMF_K_PRODUCTION, standard);
	if (enough) {
		scale_standard(in, &blocks, standard);
		forecast->model = model_of(&blocks);
		forecast_all(in, &all, room, forecast);
		experts_close(&all);
	}
	free(standard);
	blocks_free(&blocks);
	if (!enough)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "out of memory in a forecast from %d slots", in->history);
	return OUTCOME_OK;
}
