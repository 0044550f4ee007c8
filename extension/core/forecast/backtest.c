/* See backtest.h. */
#include "backtest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEEK = 7, QUANTILES = 3 };

static const double LEVELS[QUANTILES] = {0.1, 0.5, 0.9};

static double pinball(double level, double value, double quantile)
{
	return (value - quantile) * (value >= quantile ? level : level - 1);
}

static bool is_naive(int method)
{
	return method == EUMF_K_LAST_DAY || method == EUMF_K_LAST_WEEK;
}

/* How far the same slots of successive weeks of a history are apart; NAN where none are known. */
static double naive_error(const eumf_k_input *in)
{
	const int week = WEEK * in->slots_per_day;
	double sum = 0;
	int count = 0;

	for (int t = week; t < in->history; t++) {
		double apart = fabs(in->history_kw[t] - in->history_kw[t - week]);

		if (isnan(apart))
			continue;
		sum += apart;
		count++;
	}
	return count > 0 ? sum / count : NAN;
}

static void score(const double *value, int count, int method, const eumf_k_forecast *f,
                  double naive, eumf_backtest_sums *sums)
{
	sums->origins++;
	for (int h = 0; h < count; h++) {
		const double quantile[QUANTILES] = {f->q10_kw[h], f->q50_kw[h], f->q90_kw[h]};
		double absolute;

		if (isnan(value[h]))
			continue;
		sums->slots++;
		absolute = fabs(value[h] - (is_naive(method) ? f->mean_kw[h] : quantile[1]));
		sums->absolute_kw += absolute;
		sums->square_kw2 += (value[h] - f->mean_kw[h]) * (value[h] - f->mean_kw[h]);
		for (int k = 0; k < QUANTILES; k++)
			sums->pinball_kw += pinball(LEVELS[k], value[h], quantile[k]) / QUANTILES;
		sums->inside += value[h] >= quantile[0] && value[h] <= quantile[2];
		/* Without two weeks there is nothing to measure by. */
		if (isnan(naive))
			continue;
		sums->scaled_kw += absolute;
		sums->naive_kw += naive;
	}
}

static outcome_status try_origin(const eumf_backtest_input *in, int origin, eumf_k_forecast *f,
                                 eumf_backtest_sums *sums, outcome *out)
{
	const int most = in->history_days * in->slots_per_day, history = most < origin ? most : origin;
	const int count = in->horizon < in->slots - origin ? in->horizon : in->slots - origin;
	eumf_k_input one = {.slots_per_day = in->slots_per_day,
	                    .history = history,
	                    .history_kw = in->series_kw + origin - history,
	                    .history_phase = in->phase + origin - history,
	                    .horizon = count,
	                    .horizon_phase = in->phase + origin,
	                    .kind = in->kind};
	const double naive = naive_error(&one);

	for (int method = 0; method < EUMF_K_METHODS; method++) {
		one.method = (eumf_k_method)method;
		if (eumf_k(&one, f, out) != OUTCOME_OK)
			return out->status;
		score(in->series_kw + origin, count, method, f, naive, &sums[method]);
	}
	return OUTCOME_OK;
}

outcome_status eumf_backtest(const eumf_backtest_input *in, eumf_backtest_sums *sums, outcome *out)
{
	eumf_k_forecast f;
	outcome_status status = OUTCOME_OK;

	memset(sums, 0, EUMF_K_METHODS * sizeof(*sums));
	if (in->slots_per_day < 24 || in->slots_per_day > 1440 || in->first < 0 ||
	    in->first >= in->slots || in->step < 1 || in->horizon < 1 || in->horizon > 1000000 ||
	    in->history_days < 0 || in->history_days > 1000)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "A day has 24 to 1440 slots; the first origin is in the series.",
		                   "origins from slot %d on, every %d, of %d slots are no backtest",
		                   in->first + 1, in->step, in->slots);
	f.mean_kw = malloc(4 * (size_t)in->horizon * sizeof(double));
	if (!f.mean_kw)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "the backtest ran out of memory");
	f.q10_kw = f.mean_kw + in->horizon;
	f.q50_kw = f.q10_kw + in->horizon;
	f.q90_kw = f.q50_kw + in->horizon;
	for (int origin = in->first; origin < in->slots && status == OUTCOME_OK; origin += in->step) {
		status = try_origin(in, origin, &f, sums, out);
		if (status == OUTCOME_OK && in->interrupted && in->interrupted(NULL))
			status =
			    outcome_set(out, OUTCOME_INTERRUPTED, NULL, NULL, "the backtest was interrupted");
		if (in->step > in->slots - origin)
			break;
	}
	free(f.mean_kw);
	out->status = status;
	return status;
}
