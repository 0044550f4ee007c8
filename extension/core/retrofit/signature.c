/* See signature.h. */
#include "signature.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEAST_KNOWN = 12,
	LEAST_SIDE = 4, /* observations on each side of a change point */
	CHANGE_POINTS = 20,
	ABSOLUTE_ROUNDS = 8,
	WIDTHS = 6,
};

static const double LEAST_SPREAD_K = 4; /* of temperature, 10 to 90 % */
static const double MOST_OUTLIERS = 0.25;
static const double MOST_UNCERTAIN = 0.5; /* half interval of the heat loss in parts of it */
static const double WIDTHS_K[WIDTHS] = {0, 1, 2, 3, 4, 6}; /* of the change point */
/* Starts of the sun's effect, K for each kW/m2. */
static const double SUN_STARTS[] = {0, 10, 20, 40};

/* Known observations, without the gaps. */
typedef struct known_slots {
	int count;
	double *use, *temperature, *sun, *performance, *residual;
	int *position;
	bool *kept;
	bool with_sun, line;
	double width_k;
	bool (*interrupted)(void *);
} known_slots;

static bool take_room(known_slots *k, int count)
{
	double *room = malloc(sizeof(double) * 5 * (count + 1));

	k->position = malloc(sizeof(int) * (count + 1));
	k->kept = malloc(sizeof(bool) * (count + 1));
	if (!room || !k->position || !k->kept) {
		free(room);
		return false;
	}
	k->use = room;
	k->temperature = room + count;
	k->sun = room + 2 * count;
	k->performance = room + 3 * count;
	k->residual = room + 4 * count;
	return true;
}

static void free_room(known_slots *k)
{
	free(k->use);
	free(k->position);
	free(k->kept);
}

static void take_known(const signature_input *in, known_slots *k)
{
	k->with_sun = in->sun_kw_per_m2 != NULL;
	for (int i = 0; i < in->count; i++) {
		double sun = k->with_sun ? in->sun_kw_per_m2[i] : 0;

		if (isnan(in->use_kw[i]) || isnan(in->temperature_c[i]) || isnan(sun))
			continue;
		k->use[k->count] = in->use_kw[i];
		k->temperature[k->count] = in->temperature_c[i];
		k->sun[k->count] = sun;
		k->performance[k->count] = in->performance[i];
		k->position[k->count++] = i;
	}
}

double signature_degrees(double degrees, double width_k, double *share)
{
	double z = degrees / width_k;

	if (width_k <= 0) {
		*share = degrees > 0;
		return fmax(degrees, 0);
	}
	*share = erfc(-z / sqrt(2)) / 2;
	return fmax(degrees * *share + width_k * exp(-z * z / 2) / sqrt(2 * M_PI), 0);
}

/* How far the base temperature is above outdoors and sun together. */
static double difference(const known_slots *k, int i, double base_temperature, double sun_k)
{
	return base_temperature - k->temperature[i] - sun_k * k->sun[i];
}

/* Heating degrees. */
static double degrees(const known_slots *k, int i, double base_temperature, double sun_k,
                      double *share)
{
	double d = difference(k, i, base_temperature, sun_k);

	*share = 1;
	return k->line ? d : signature_degrees(d, k->width_k, share);
}

/* The sun's parameter is in K for each kW/m2 here: aperture = heat loss * sun. */
static double expected_use(const void *data, int i, const double *p, double *gradient)
{
	const known_slots *k = data;
	const int sun = k->line ? 2 : SIGNATURE_SUN;
	double share;
	const double d = degrees(k, i, p[SIGNATURE_BASE_TEMPERATURE], k->with_sun ? p[sun] : 0, &share);
	const double rise = share * p[SIGNATURE_HEAT_LOSS] / k->performance[i];

	gradient[SIGNATURE_BASE_TEMPERATURE] = rise;
	gradient[SIGNATURE_HEAT_LOSS] = d / k->performance[i];
	if (!k->line)
		gradient[SIGNATURE_BASE_LOAD] = 1;
	if (k->with_sun)
		gradient[sun] = -rise * k->sun[i];
	return (k->line ? 0 : p[SIGNATURE_BASE_LOAD]) + p[SIGNATURE_HEAT_LOSS] * d / k->performance[i];
}

static int heated(const void *data, int i, const double *p)
{
	const known_slots *k = data;
	const int sun = k->line ? 2 : SIGNATURE_SUN;

	return difference(k, i, p[SIGNATURE_BASE_TEMPERATURE], k->with_sun ? p[sun] : 0) > 0;
}

/* Least absolute deviations of use = level * (line: 1 / performance, else 1) + slope * degrees at a
 * given change point; returns their mean. */
static double least_absolute(const known_slots *k, double base_temperature, double sun_k,
                             double *level, double *slope)
{
	double mean = INFINITY;

	*level = *slope = 0;
	for (int round = 0; round < ABSOLUTE_ROUNDS; round++) {
		double a = 0, b = 0, c = 0, u = 0, v = 0, sum = 0, floor = isinf(mean) ? 1 : 0.01 * mean;

		for (int i = 0; i < k->count; i++) {
			double share, x = degrees(k, i, base_temperature, sun_k, &share) / k->performance[i];
			double one = k->line ? 1 / k->performance[i] : 1;
			double far = fabs(k->use[i] - *level * one - *slope * x);
			double w = isinf(mean) ? 1 : 1 / fmax(far, fmax(floor, 1e-12));

			sum += far;
			a += w * one * one;
			b += w * one * x;
			c += w * x * x;
			u += w * one * k->use[i];
			v += w * x * k->use[i];
		}
		mean = round == 0 ? INFINITY : sum / k->count;
		if (a * c - b * b <= 1e-9 * a * c)
			return INFINITY;
		*level = (u * c - v * b) / (a * c - b * b);
		*slope = (v * a - u * b) / (a * c - b * b);
		if (round == 0)
			mean = sum / k->count;
	}
	return mean;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The best of many starts. */
static bool start(const known_slots *k, const double *sorted, double *p)
{
	const int points = k->line ? 1 : CHANGE_POINTS, suns = k->with_sun ? 4 : 1;
	const int sun_at = k->line ? 2 : SIGNATURE_SUN;
	double best = INFINITY;

	for (int point = 0; point < points; point++) {
		if (k->interrupted && k->interrupted(NULL))
			return false;
		for (int s = 0; s < suns; s++) {
			double share = (point + 1.0) / (CHANGE_POINTS + 1);
			double base = k->line ? 0 : sorted[(int)(share * k->count)], level, slope, mean;

			mean = least_absolute(k, base, SUN_STARTS[s], &level, &slope);
			if (!(mean < best) || !(slope > 0))
				continue;
			best = mean;
			p[SIGNATURE_HEAT_LOSS] = slope;
			p[SIGNATURE_BASE_TEMPERATURE] = k->line ? level / slope : base;
			if (!k->line)
				p[SIGNATURE_BASE_LOAD] = level;
			if (k->with_sun)
				p[sun_at] = SUN_STARTS[s];
		}
	}
	return best < INFINITY;
}

static bool fit_model(known_slots *k, bool line, const double *sorted, robust_fit *f)
{
	k->line = line;
	*f = (robust_fit){.count = k->count,
	                  .parameters = (line ? 2 : 3) + k->with_sun,
	                  .observed = k->use,
	                  .position = k->position,
	                  .model = expected_use,
	                  .group = line ? NULL : heated,
	                  .data = k,
	                  .kept = k->kept,
	                  .residual = k->residual};
	return start(k, sorted, f->parameter) && robust_regression(f) &&
	       f->parameter[SIGNATURE_HEAT_LOSS] > 0;
}

/* Sum of squares in which what lies far off counts no more than what lies at the edge. */
static double bounded_squares(const known_slots *k, double sd)
{
	double sum = 0;

	for (int i = 0; i < k->count; i++)
		sum += fmin(pow(k->residual[i], 2), 9 * sd * sd);
	return sum;
}

/* How many observations stand for themselves, their errors lasting as they do. */
static double alone(const known_slots *k, const robust_fit *f)
{
	return fmax(k->count * (1 - f->autocorrelation) / (1 + f->autocorrelation), 2);
}

/* That another width may be the right one makes the parameters less certain: adds how far its fit's
 * are from the chosen one's, as likely as its squares make it against all (Akaike weights). */
static void add_doubt(robust_fit *chosen, const robust_fit *fits, const double *squares,
                      double many)
{
	double weights = 0, least = INFINITY;

	for (int w = 0; w < WIDTHS; w++)
		least = fmin(least, squares[w]);
	for (int w = 0; w < WIDTHS; w++)
		weights += pow(least / squares[w], many / 2);
	for (int w = 0; w < WIDTHS; w++) {
		double weight = isinf(squares[w]) ? 0 : pow(least / squares[w], many / 2) / weights;

		for (int i = 0; i < chosen->parameters; i++)
			for (int j = 0; j < chosen->parameters; j++)
				chosen->covariance[i][j] += weight * (fits[w].parameter[i] - chosen->parameter[i]) *
				                            (fits[w].parameter[j] - chosen->parameter[j]);
	}
}

/* Fits a sharp and softer change points, and keeps the best: a soft one where it explains more than
 * one more parameter would by chance (AIC). */
static bool soften(known_slots *k, const double *sorted, robust_fit *bent)
{
	robust_fit fits[WIDTHS];
	double squares[WIDTHS], many;
	int chosen = 0;

	k->width_k = 0;
	if (!fit_model(k, false, sorted, &fits[0]))
		return false;
	many = alone(k, &fits[0]);
	squares[0] = bounded_squares(k, fits[0].sd) + DBL_MIN;
	for (int w = 1; w < WIDTHS; w++) {
		k->width_k = WIDTHS_K[w];
		fits[w] = fits[0];
		squares[w] = INFINITY;
		if (robust_regression(&fits[w]) && fits[w].parameter[SIGNATURE_HEAT_LOSS] > 0)
			squares[w] = bounded_squares(k, fits[0].sd) + DBL_MIN;
		if (squares[w] < squares[chosen] && many * log(squares[0] / squares[w]) > 2)
			chosen = w;
	}
	k->width_k = WIDTHS_K[chosen];
	*bent = fits[chosen];
	if (!robust_regression(bent) || !(bent->parameter[SIGNATURE_HEAT_LOSS] > 0))
		return false;
	add_doubt(bent, fits, squares, many);
	return true;
}

static int unheated(const known_slots *k, const robust_fit *f)
{
	int count = 0;

	for (int i = 0; i < k->count; i++)
		count += k->kept[i] && !heated(k, i, f->parameter);
	return count;
}

/* Chooses by how much better the change point explains, against what chance would give (BIC, with
 * as many observations as stand for themselves). */
static bool choose(known_slots *k, const double *sorted, robust_fit *f, signature *result)
{
	robust_fit line, bent;
	double line_squares = INFINITY, bent_squares, many;
	bool has_line = fit_model(k, true, sorted, &line), has_bent;
	int off;

	if (has_line)
		line_squares = bounded_squares(k, line.sd);
	has_bent = soften(k, sorted, &bent);
	off = has_bent ? unheated(k, &bent) : 0;
	if (has_bent && has_line) {
		bent_squares = bounded_squares(k, line.sd);
		many = alone(k, &bent);
		has_bent = off >= LEAST_SIDE && many * log(line_squares / bent_squares) > 2 * log(many);
	} else {
		has_bent = has_bent && off >= LEAST_SIDE;
	}
	result->model = has_bent ? SIGNATURE_CHANGE_POINT : SIGNATURE_LINE;
	result->reason[0] = '\0';
	if (!has_bent)
		snprintf(result->reason, sizeof(result->reason),
		         "no change point is seen: base load and base temperature are not told apart");
	if (has_bent)
		*f = bent;
	else
		has_line = fit_model(k, true, sorted, f);
	return has_bent || has_line;
}

static void refuse(signature *result, const char *reason)
{
	result->model = SIGNATURE_REFUSED;
	snprintf(result->reason, sizeof(result->reason), "%s", reason);
}

/* What follows from the parameters, with intervals. */
static void derive(const signature_input *in, const robust_fit *f, signature *s)
{
	const bool line = s->model == SIGNATURE_LINE;
	const int sun_at = line ? 2 : SIGNATURE_SUN;
	const double base = f->parameter[SIGNATURE_BASE_TEMPERATURE];
	const double loss = f->parameter[SIGNATURE_HEAT_LOSS];
	const estimate none = {NAN, NAN, NAN};
	const double of_loss[ROBUST_MOST] = {0, 1}, of_base[ROBUST_MOST] = {1},
	             of_load[ROBUST_MOST] = {0, 0, 1}, of_zero[ROBUST_MOST] = {loss, base},
	             of_gains[ROBUST_MOST] = {-loss, in->indoor_c - base};

	s->heat_loss_kw_per_k = robust_estimate(f, loss, of_loss, 0);
	s->heat_at_zero_kw = robust_estimate(f, loss * base, of_zero, 0);
	s->base_temperature_c = line ? none : robust_estimate(f, base, of_base, 0);
	s->base_load_kw =
	    line ? none : robust_estimate(f, f->parameter[SIGNATURE_BASE_LOAD], of_load, 0);
	s->internal_gains_kw = line ? none
	                            : robust_estimate(f, loss * (in->indoor_c - base), of_gains,
	                                              pow(loss * in->indoor_sd_k, 2));
	s->aperture_m2 = none;
	if (s->with_sun) {
		double of_sun[ROBUST_MOST] = {0, f->parameter[sun_at]};

		of_sun[sun_at] = loss;
		s->aperture_m2 = robust_estimate(f, loss * f->parameter[sun_at], of_sun, 0);
	}
}

static void judge(const signature_input *in, known_slots *k, const double *sorted, signature *s)
{
	robust_fit *f = &s->fit;
	estimate *loss = &s->heat_loss_kw_per_k;
	bool found;

	if (sorted[(int)(0.9 * (k->count - 1))] - sorted[(int)(0.1 * (k->count - 1))] <
	    LEAST_SPREAD_K) {
		refuse(s, "outdoor temperatures range over less than 4 K");
		return;
	}
	found = choose(k, sorted, f, s);
	if (!found && k->with_sun) {
		/* Sun that hardly changes, or only as the temperature does, has no part of its own. */
		k->with_sun = false;
		found = choose(k, sorted, f, s);
	}
	if (!found) {
		refuse(s, "use does not rise as it gets colder");
		return;
	}
	s->outliers = f->outliers;
	s->parameters = f->parameters;
	s->with_sun = k->with_sun;
	s->width_k = s->model == SIGNATURE_CHANGE_POINT ? k->width_k : 0;
	memcpy(s->parameter, f->parameter, sizeof(s->parameter));
	derive(in, f, s);
	if (s->outliers > MOST_OUTLIERS * k->count)
		refuse(s, "more than a quarter of the observations do not follow the others");
	else if (loss->value - loss->low > MOST_UNCERTAIN * loss->value)
		refuse(s, "the heat loss is uncertain by more than half of it");
}

static outcome_status check(const signature_input *in, outcome *out)
{
	for (int i = 0; i < in->count; i++)
		if (isinf(in->use_kw[i]) || isinf(in->temperature_c[i]) ||
		    (in->sun_kw_per_m2 && isinf(in->sun_kw_per_m2[i])) ||
		    !(in->performance[i] > 0 && in->performance[i] < 1000))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
			                   "Use, temperature and sun are finite, performance is positive.",
			                   "slot %d cannot be", i + 1);
	if (!isfinite(in->indoor_c) || !(in->indoor_sd_k >= 0 && in->indoor_sd_k < 100))
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
		                   "the indoor temperature and its deviation must be finite numbers");
	return OUTCOME_OK;
}

outcome_status signature_estimate(const signature_input *in, signature *result, outcome *out)
{
	known_slots k = {.count = 0, .interrupted = in->interrupted};
	double *sorted;

	memset(result, 0, sizeof(*result));
	if (check(in, out) != OUTCOME_OK)
		return out->status;
	sorted = malloc(sizeof(double) * (in->count + 1));
	if (!sorted || !take_room(&k, in->count)) {
		free(sorted);
		free_room(&k);
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "out of memory");
	}
	take_known(in, &k);
	result->known = k.count;
	memcpy(sorted, k.temperature, sizeof(double) * k.count);
	qsort(sorted, k.count, sizeof(*sorted), by_size);
	if (k.count < LEAST_KNOWN)
		refuse(result, "fewer than 12 observations with use and temperature");
	else
		judge(in, &k, sorted, result);
	free(sorted);
	free_room(&k);
	result->fit.observed = NULL;
	result->fit.position = NULL;
	result->fit.kept = NULL;
	result->fit.residual = NULL;
	result->fit.data = NULL;
	if (in->interrupted && in->interrupted(NULL))
		return outcome_set(out, OUTCOME_INTERRUPTED, NULL, NULL, "the estimate was interrupted");
	return OUTCOME_OK;
}

double signature_heat(const signature *s, const double *p, double temperature_c,
                      double sun_kw_per_m2, double reduction, double indoor_c)
{
	const int sun = s->model == SIGNATURE_LINE ? 2 : SIGNATURE_SUN;
	double d = p[SIGNATURE_BASE_TEMPERATURE] - temperature_c, share;

	if (s->with_sun)
		d -= p[sun] * sun_kw_per_m2;
	d = (d - reduction * (indoor_c - temperature_c)) / (1 - reduction);
	return (1 - reduction) * p[SIGNATURE_HEAT_LOSS] * signature_degrees(d, s->width_k, &share);
}
