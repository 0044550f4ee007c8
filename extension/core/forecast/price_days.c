/* See price_days.h. */
#include "price_days.h"
#include "ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOURS = PRICE_DAYS_HOURS,
	WEEK = 7,
	LEVEL_DAYS = 28,  /* before the last known day that a sample looks back */
	ROUNDS = 3,       /* of fitting, each nearer to least absolute errors */
	JUDGED_DAYS = 90, /* most last days whose errors tell the spread */
	JUDGED_PART = 3,  /* the part of all days that they are at most */
	/* What a price is explained by, all measured from the mean of the last week known: of the last
	 * day known, the same for all hours ... */
	CONSTANT = 0,
	LAST_DAY,
	LAST_EVENING,
	LAST_HOUR,
	LAST_HIGHEST,
	LAST_LOWEST,
	MONTH,
	SATURDAY,
	SUNDAY,
	MONDAY,
	LAST_WEEKEND,
	WARMER,           /* day to forecast: than the last week, */
	WARMER_THAN_LAST, /* than the last day known; */
	WARMER_RANGE,     /* span of its temperature above that of the last week */
	CARBON,           /* of the last day known above that of the week before it */
	SHARED,
	/* ... and of the same hour. */
	HOUR_LAST = SHARED,
	HOUR_BEFORE,
	HOUR_WEEKS, /* one and two weeks before */
	HOUR_MEAN,  /* mean of the last week known */
	HOUR_WARMER,
	TERMS,
	CARBON_DELAY = 2, /* days from the last whose prices are known to the last measured */
};

static const double HALF_LIFE_DAYS = 365; /* of a sample's weight */
static const double NEIGHBOUR = 0.5;      /* weight of samples of the hour before and after */
static const double SHRINKAGE = 0.02, SHRINKAGE_DAYS = 8; /* SHRINKAGE + so many / days */
static const double NEAR = 0.3; /* errors below this part of the median count as squares */
static const double PRIOR_MEAN = 0.7, PRIOR_LAST = 0.2;
static const double OUTER = 0.9; /* and 1 less it: the outer quantiles */

typedef struct fit {
	const price_days_input *in;
	int days;        /* looked at, the last of those given */
	int lead, first; /* days ahead; first day that is explained */
	int learnt;      /* days before this one are learnt from */
	double *price;   /* [days][HOURS] */
	double *warmth;  /* [days + ahead][HOURS]; NAN */
	double *carbon;  /* [days] means; NAN */
	double *mean;    /* [days] */
	double *level;   /* [days + ahead]: where a day is measured from */
	double *term;    /* [days + ahead][HOURS][TERMS]; the first NAN: not to be explained */
	double *error;   /* [days][HOURS] */
	double *room;    /* [3 * JUDGED_DAYS + days] */
	ridge *sums;     /* [HOURS] */
	double coefficient[HOURS][TERMS];
	double *all;
} fit;

static double mean_of(const double *value, int count, int apart)
{
	double sum = 0;

	for (int i = 0; i < count; i++)
		sum += value[i * apart];
	return sum / count;
}

/* Single gaps take the mean of their neighbours in time. */
static void bridge(double *value, int count)
{
	for (int i = 1; i + 1 < count; i++)
		if (isnan(value[i]))
			value[i] = (value[i - 1] + value[i + 1]) / 2;
}

/* Longer ones repeat the week before. */
static void fill(double *value, int count)
{
	bridge(value, count);
	for (int i = WEEK * HOURS; i < count; i++)
		if (isnan(value[i]))
			value[i] = value[i - WEEK * HOURS];
}

static bool open_fit(const price_days_input *in, fit *f)
{
	const int days = in->days < PRICE_DAYS_MOST ? in->days : PRICE_DAYS_MOST;
	const size_t span = (size_t)(days + in->ahead);
	const size_t size = (size_t)days * (2 * HOURS + 3) + span * HOURS + span +
	                    span * HOURS * TERMS + 3 * JUDGED_DAYS + (size_t)days;
	const double *temperature = in->temperature_c;

	memset(f, 0, sizeof(*f));
	f->all = malloc(size * sizeof(double));
	f->sums = malloc(HOURS * sizeof(ridge));
	if (!f->all || !f->sums) {
		free(f->all);
		free(f->sums);
		return false;
	}
	f->in = in;
	f->days = days;
	f->price = f->all;
	f->error = f->price + days * HOURS;
	f->carbon = f->error + days * HOURS;
	f->mean = f->carbon + days;
	f->warmth = f->mean + days;
	f->level = f->warmth + span * HOURS;
	f->term = f->level + span;
	f->room = f->term + span * HOURS * TERMS;
	memcpy(f->price, in->price + (in->days - days) * HOURS, sizeof(double) * HOURS * (size_t)days);
	fill(f->price, days * HOURS);
	for (size_t i = 0; i < span * HOURS; i++)
		f->warmth[i] = temperature ? temperature[(size_t)(in->days - days) * HOURS + i] : NAN;
	bridge(f->warmth, (int)span * HOURS);
	for (int day = 0; day < days; day++) {
		f->mean[day] = mean_of(f->price + day * HOURS, HOURS, 1);
		f->carbon[day] =
		    in->carbon_g_per_kwh
		        ? mean_of(in->carbon_g_per_kwh + (in->days - days + day) * HOURS, HOURS, 1)
		        : NAN;
	}
	return true;
}

static int weekday(const fit *f, int day)
{
	return f->in->weekday[f->in->days - f->days + day];
}

static double or_zero(double value)
{
	return isnan(value) ? 0 : value;
}

static void explain_warmth(const fit *f, int day, int last, double *x)
{
	const double *now = f->warmth + day * HOURS, *week = f->warmth + (last - WEEK + 1) * HOURS;
	const double mean = mean_of(now, HOURS, 1);
	double most = -INFINITY, least = INFINITY, range = 0;

	x[WARMER] = or_zero(mean - mean_of(week, WEEK * HOURS, 1));
	x[WARMER_THAN_LAST] = or_zero(mean - mean_of(f->warmth + last * HOURS, HOURS, 1));
	for (int k = 0; k <= WEEK; k++) {
		const double *one = k < WEEK ? week + k * HOURS : now;

		most = -INFINITY, least = INFINITY;
		for (int hour = 0; hour < HOURS; hour++) {
			most = fmax(most, one[hour]);
			least = fmin(least, one[hour]);
		}
		range += (most - least) * (k < WEEK ? -1.0 / WEEK : 1);
	}
	x[WARMER_RANGE] = isfinite(range) ? range : 0;
}

static void explain_day(const fit *f, int day, int last, double *x)
{
	const double level = f->level[day], *price = f->price + last * HOURS;
	const int measured = last - CARBON_DELAY;

	x[CONSTANT] = 1;
	x[LAST_DAY] = f->mean[last] - level;
	x[LAST_EVENING] = mean_of(price + HOURS - 4, 4, 1) - level;
	x[LAST_HOUR] = price[HOURS - 1] - level;
	x[LAST_HIGHEST] = -INFINITY;
	x[LAST_LOWEST] = INFINITY;
	for (int hour = 0; hour < HOURS; hour++) {
		x[LAST_HIGHEST] = fmax(x[LAST_HIGHEST], price[hour] - level);
		x[LAST_LOWEST] = fmin(x[LAST_LOWEST], price[hour] - level);
	}
	x[MONTH] = mean_of(f->mean + last - LEVEL_DAYS + 1, LEVEL_DAYS, 1) - level;
	x[SATURDAY] = weekday(f, day) == 5;
	x[SUNDAY] = weekday(f, day) == 6;
	x[MONDAY] = weekday(f, day) == 0;
	x[LAST_WEEKEND] = weekday(f, last) >= 5;
	x[CARBON] = or_zero(f->carbon[measured] - mean_of(f->carbon + measured - WEEK + 1, WEEK, 1));
	explain_warmth(f, day, last, x);
}

static void explain_hour(const fit *f, int day, int last, int hour, double *x)
{
	const double level = f->level[day], *price = f->price + hour;
	const int week = day - WEEK, two = day - 2 * WEEK;

	x[HOUR_LAST] = price[last * HOURS] - level;
	x[HOUR_BEFORE] = price[(last - 1) * HOURS] - level;
	x[HOUR_WEEKS] = (price[week * HOURS] + price[two * HOURS]) / 2 - level;
	x[HOUR_MEAN] = mean_of(price + (last - WEEK + 1) * HOURS, WEEK, HOURS) - level;
	x[HOUR_WARMER] = or_zero(f->warmth[day * HOURS + hour] -
	                         mean_of(f->warmth + (last - WEEK + 1) * HOURS + hour, WEEK, HOURS));
}

/* Explains all days by what was known lead days before. */
static void explain(fit *f, int lead)
{
	f->lead = lead;
	f->first = LEVEL_DAYS + lead;
	for (int day = f->first; day < f->days + f->lead; day++) {
		const int last = day - lead;
		double *x = f->term + (size_t)day * HOURS * TERMS;

		f->level[day] = mean_of(f->mean + last - WEEK + 1, WEEK, 1);
		explain_day(f, day, last, x);
		for (int hour = HOURS - 1; hour >= 0; hour--) {
			if (hour > 0)
				memcpy(x + hour * TERMS, x, SHARED * sizeof(double));
			explain_hour(f, day, last, hour, x + hour * TERMS);
			for (int i = 1; i < TERMS; i++)
				if (isnan(x[hour * TERMS + i]))
					x[hour * TERMS] = NAN;
		}
	}
}

static const double *terms(const fit *f, int day, int hour)
{
	return f->term + ((size_t)day * HOURS + (size_t)hour) * TERMS;
}

static bool is_sample(const fit *f, int day, int hour)
{
	return !isnan(terms(f, day, hour)[CONSTANT]) && !isnan(f->price[day * HOURS + hour]);
}

static double expect(const fit *f, int day, int hour)
{
	const double *x = terms(f, day, hour);
	double sum = f->level[day];

	for (int i = 0; i < TERMS; i++)
		sum += f->coefficient[hour][i] * x[i];
	return sum;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Keeps the errors of an hour; returns the median of how far those learnt from are off. */
static double measure_errors(fit *f, int hour)
{
	int count = 0;

	for (int day = f->first; day < f->days; day++) {
		double *error = &f->error[day * HOURS + hour];

		*error =
		    is_sample(f, day, hour) ? f->price[day * HOURS + hour] - expect(f, day, hour) : NAN;
		if (!isnan(*error) && day < f->learnt)
			f->room[count++] = fabs(*error);
	}
	qsort(f->room, (size_t)count, sizeof(double), ascending);
	return count > 0 ? f->room[count / 2] : 0;
}

static void gather(fit *f, int hour, bool first_round)
{
	const double median = first_round ? 0 : measure_errors(f, hour);

	ridge_start(&f->sums[hour], TERMS);
	for (int day = f->first; day < f->learnt; day++) {
		double weight = pow(0.5, (f->days - day) / HALF_LIFE_DAYS);

		if (!is_sample(f, day, hour))
			continue;
		/* Squares weighed so are absolute values, but near 0. */
		if (median > 0)
			weight /= fmax(fabs(f->error[day * HOURS + hour]) / median, NEAR);
		ridge_add(&f->sums[hour], terms(f, day, hour), f->price[day * HOURS + hour] - f->level[day],
		          weight);
	}
}

static void solve_hour(fit *f, int hour, double shrinkage)
{
	double prior[TERMS] = {[HOUR_MEAN] = PRIOR_MEAN, [HOUR_LAST] = PRIOR_LAST}, held[TERMS];
	ridge pooled = f->sums[hour];

	for (int k = -1; k <= 1; k += 2) {
		const ridge *other = &f->sums[(hour + k + HOURS) % HOURS];

		for (int i = 0; i < TERMS; i++) {
			pooled.target[i] += NEIGHBOUR * other->target[i];
			for (int j = 0; j <= i; j++)
				pooled.product[i][j] += NEIGHBOUR * other->product[i][j];
		}
	}
	for (int i = 0; i < TERMS; i++)
		held[i] = i == CONSTANT ? 1e-6 : shrinkage;
	ridge_solve(&pooled, prior, held, f->coefficient[hour]);
}

static void learn(fit *f, int days)
{
	const double shrinkage = SHRINKAGE + SHRINKAGE_DAYS / fmax(days - f->first, 1);

	f->learnt = days;
	for (int round = 0; round < (f->in->squares ? 1 : ROUNDS); round++) {
		for (int hour = 0; hour < HOURS; hour++)
			gather(f, hour, round == 0);
		for (int hour = 0; hour < HOURS; hour++)
			solve_hour(f, hour, shrinkage);
	}
}

/* How far the outer quantiles are from the forecast, which is the middle: as errors were at about
 * this hour of the last days, which were not learnt from. So few days say too little of what is
 * rare, the less as they are alike: hence the conformal quantile of half as many. */
static void spread(fit *f, int hour, double *below, double *above)
{
	const int days = f->days - f->learnt;
	const double level = fmin(OUTER * (1 + 2.0 / days), 1);
	int count = 0;

	for (int day = f->learnt; day < f->days; day++)
		for (int k = -1; k <= 1; k++) {
			double error = f->error[day * HOURS + (hour + k + HOURS) % HOURS];

			if (!isnan(error))
				f->room[count++] = error;
		}
	qsort(f->room, (size_t)count, sizeof(double), ascending);
	*below = count > 0 ? fmin(f->room[(int)((1 - level) * (count - 1) + 0.5)], 0) : 0;
	*above = count > 0 ? fmax(f->room[(int)(level * (count - 1) + 0.5)], 0) : 0;
}

static void spread_all(fit *f, double *below, double *above)
{
	const int part = (f->days - f->first) / JUDGED_PART;

	learn(f, f->days - (part < JUDGED_DAYS ? part : JUDGED_DAYS));
	for (int hour = 0; hour < HOURS; hour++)
		measure_errors(f, hour);
	for (int hour = 0; hour < HOURS; hour++)
		spread(f, hour, &below[hour], &above[hour]);
}

static int count_samples(const fit *f)
{
	int samples = 0;

	for (int day = f->first; day < f->days; day++)
		samples += is_sample(f, day, 0);
	return samples;
}

/* What the fit says of the last days, which it has not learnt from; those that it knows nothing of
 * are as they were. */
static void look_back(const fit *f, price_days_forecast *forecast)
{
	for (int k = 0; k < forecast->back; k++) {
		const int day = f->days - 1 - k;

		for (int hour = 0; hour < HOURS; hour++)
			forecast->past[k * HOURS + hour] = day >= f->first && is_sample(f, day, hour)
			                                       ? expect(f, day, hour)
			                                       : f->price[day * HOURS + hour];
	}
}

static bool forecast_day(fit *f, int lead, price_days_forecast *forecast)
{
	const int day = f->days + lead - 1, at = (lead - 1) * HOURS;
	double below[HOURS], above[HOURS];

	explain(f, lead);
	if (count_samples(f) < PRICE_DAYS_LEAST - LEVEL_DAYS - PRICE_DAYS_AHEAD + 1)
		return false;
	if (forecast->q10)
		spread_all(f, below, above);
	if (lead == 1 && forecast->back > 0) {
		learn(f, f->days - forecast->back);
		look_back(f, forecast);
	}
	learn(f, f->days);
	for (int hour = 0; hour < HOURS; hour++) {
		if (isnan(terms(f, day, hour)[CONSTANT]))
			return false;
		forecast->mean[at + hour] = fmax(expect(f, day, hour), f->in->least);
		if (!forecast->q10)
			continue;
		forecast->q10[at + hour] = fmax(forecast->mean[at + hour] + below[hour], f->in->least);
		forecast->q50[at + hour] = forecast->mean[at + hour];
		forecast->q90[at + hour] = fmax(forecast->mean[at + hour] + above[hour], f->in->least);
	}
	return true;
}

/* Squares of more would drown the rest of a sum, or overflow. */
static const double LARGEST = 1e9;

static outcome_status check_series(const char *name, const double *value, int count, outcome *out)
{
	for (int i = 0; value && i < count; i++)
		if (fabs(value[i]) > LARGEST)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "%s of hour %d is beyond %g",
			                   name, i + 1, LARGEST);
	return OUTCOME_OK;
}

static outcome_status check(const price_days_input *in, outcome *out)
{
	if (in->ahead < 1 || in->ahead > PRICE_DAYS_AHEAD || in->days < 0)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "1 to 7 days can be forecast.",
		                   "%d days cannot be forecast from %d", in->ahead, in->days);
	if (in->days < PRICE_DAYS_LEAST)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "35 days are the least.",
		                   "%d days are no base for a forecast of prices", in->days);
	for (int day = 0; day < in->days + in->ahead; day++)
		if (in->weekday[day] < 0 || in->weekday[day] > 6)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
			                   "weekday %d of day %d is outside 0 to 6", in->weekday[day], day + 1);
	if (check_series("price", in->price, in->days * HOURS, out) != OUTCOME_OK ||
	    check_series("temperature_c", in->temperature_c, (in->days + in->ahead) * HOURS, out) !=
	        OUTCOME_OK ||
	    check_series("carbon_g_per_kwh", in->carbon_g_per_kwh, in->days * HOURS, out) != OUTCOME_OK)
		return out->status;
	out->status = OUTCOME_OK;
	return OUTCOME_OK;
}

outcome_status price_days(const price_days_input *in, price_days_forecast *forecast, outcome *out)
{
	bool enough = true, stopped = false;
	fit f;

	if (check(in, out) != OUTCOME_OK)
		return out->status;
	if (!open_fit(in, &f))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                   "out of memory in a forecast from %d days", in->days);
	for (int lead = 1; lead <= in->ahead && enough && !stopped; lead++) {
		enough = forecast_day(&f, lead, forecast);
		stopped = in->interrupted && in->interrupted(NULL);
	}
	free(f.all);
	free(f.sums);
	if (stopped)
		return outcome_set(out, OUTCOME_INTERRUPTED, NULL, NULL,
		                   "the forecast of prices was interrupted");
	if (!enough)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "The last four weeks must be known, and some before them.",
		                   "prices have too many gaps to be forecast");
	return OUTCOME_OK;
}
