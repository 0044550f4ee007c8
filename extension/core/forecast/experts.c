/* See experts.h. */
#include "experts.h"
#include "ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	JUDGED_DAYS = 14, /* last days that methods are weighted by */
	LEAST_DAYS = 7,   /* that are seen before the first is forecast */
	ALL_DAY = 0,
	EVENING,
	LAST_HOURS,
	SPANS,
};

static const double HALF_LIFE_DAYS[LIKE_FADINGS] = {14, 4, 40, 20, 30};
static const double OTHER_DAY[LIKE_FADINGS] = {1, 1, 1, 1, 0.01}; /* likeness of other days */
static const double OTHER_KIND[LIKE_FADINGS] = {0.3, 0.3, 0.02, 1, 0.003};
static const double SPAN_HOURS[SPANS] = {24, 8, 3};
static const double LAST_HOURS_LAST = 4;    /* hours in which the last hours' offset fades by e */
static const double FIT_HALF_LIFE = 30;     /* days, of a sample's weight */
static const double SHRINKAGE = 0.3;        /* towards the prior, after many days */
static const double SHRINKAGE_DAYS = 20;    /* after so many it is twice as strong */
static const double PRIOR_LEVEL = 0.2;      /* of the last day's offset that stays */
static const double STANDARD_DAYS = 3;      /* the standard profile counts as so many days, */
static const double STANDARD_HALF_LIFE = 4; /* halved each time so many more are known, */
static const double STANDARD_LEAST = 0.001; /* and fills what was never seen */
static const double JUDGEMENT = 6;          /* a method's weight: 1 / mean square error to this */
static const double REGRESSION_AHEAD = 5;   /* times that, as it has learnt from the others */
static const double DEGREES_FROM[DEGREES] = {15, 20}; /* deg C: heating below, cooling above */

bool experts_open(experts *all, const forecast_blocks *b, bool alike, const double *standard)
{
	const size_t slots = (size_t)b->slots, blocks = (size_t)b->blocks;
	const size_t state = 2 * WEEKDAYS * slots;
	const size_t size = blocks * slots * (TERMS + 1) + SPANS * blocks +
	                    (LIKE_FADINGS + DEGREES) * state + (1 + WEEKDAYS) * slots +
	                    LIKE_FADINGS * WEEKDAYS * slots;

	memset(all, 0, sizeof(*all));
	all->room = malloc(size * sizeof(double));
	if (!all->room)
		return false;
	all->blocks = b;
	all->alike = alike;
	all->standard = standard;
	all->term = all->room;
	all->expected = all->term + blocks * slots * TERMS;
	all->above = all->expected + blocks * slots;
	all->mean = all->above + SPANS * blocks;
	all->smoothed.daily = all->mean + LIKE_FADINGS * WEEKDAYS * slots;
	all->like[0].sum = all->smoothed.daily + (1 + WEEKDAYS) * slots;
	for (int i = 1; i < LIKE_FADINGS; i++)
		all->like[i].sum = all->like[i - 1].sum + state;
	all->degrees[0].sum = all->like[LIKE_FADINGS - 1].sum + state;
	for (int i = 1; i < DEGREES; i++)
		all->degrees[i].sum = all->degrees[i - 1].sum + state;
	return true;
}

void experts_close(experts *all)
{
	free(all->room);
}

static double degrees_of(int which, double temperature_c)
{
	double above = temperature_c - DEGREES_FROM[which];

	return isnan(above) ? NAN : fmax(which == 0 ? -above : above, 0);
}

/* Means of like days at all times of a weekday, by the state now. */
static const double *means(experts *all, int fading, int weekday)
{
	const int slots = all->blocks->slots;
	const double standard_days =
	    STANDARD_DAYS * pow(0.5, all->days / STANDARD_HALF_LIFE) + STANDARD_LEAST;

	if (!all->ready[weekday]) {
		for (int i = 0; i < LIKE_FADINGS; i++)
			for (int place = 0; place < slots; place++)
				all->mean[(i * WEEKDAYS + weekday) * slots + place] =
				    like_days_mean(&all->like[i], weekday, place,
				                   all->standard[weekday * slots + place], standard_days);
		all->ready[weekday] = true;
	}
	return all->mean + (fading * WEEKDAYS + weekday) * slots;
}

/* Smoothed with the neighbours in time: narrow within an hour before and after, else within two. */
static double smooth(const double *mean, int place, int slots, bool narrow)
{
	static const double far[] = {0.24, 0.18, 0.12, 0.08}, near[] = {0.6, 0.2};
	const int reach = narrow ? 1 : 3, step = slots >= 48 ? slots / 48 : 1;
	const double *weight = narrow ? near : far;
	double sum = weight[0] * mean[place];

	for (int k = 1; k <= reach; k++)
		sum += weight[k] * (mean[(place + k * step) % slots] +
		                    mean[(place - k * step % slots + slots) % slots]);
	return sum;
}

/* How far a block is above what like days before it let expect, on average of its last hours. */
static void measure(experts *all, int block)
{
	const int slots = all->blocks->slots;
	const double *value = all->blocks->value + block * slots;
	const signed char *weekday = all->blocks->weekday + block * slots;

	for (int span = 0; span < SPANS; span++) {
		double sum = 0;
		int known = 0;

		for (int place = slots - (int)(SPAN_HOURS[span] * slots / 24); place < slots; place++) {
			double above = value[place] - means(all, 0, weekday[place])[place];

			if (isnan(above))
				continue;
			sum += above;
			known++;
		}
		all->above[span * all->blocks->blocks + block] = known > 0 ? sum / known : 0;
	}
}

static void see(experts *all, int block)
{
	const int slots = all->blocks->slots;
	const double *value = all->blocks->value + block * slots;
	const signed char *weekday = all->blocks->weekday + block * slots;

	measure(all, block);
	for (int i = 0; i < LIKE_FADINGS; i++)
		like_days_add(&all->like[i], value, weekday);
	smoothing_add(&all->smoothed, value, weekday);
	for (int i = 0; i < DEGREES && all->blocks->temperature; i++) {
		/* What is expected is filled in last: until then it is room. */
		double *degrees = all->expected + block * slots;

		for (int place = 0; place < slots; place++)
			degrees[place] = degrees_of(i, all->blocks->temperature[block * slots + place]);
		like_days_add(&all->degrees[i], degrees, weekday);
	}
	for (int place = 0; place < slots; place++)
		if (!isnan(value[place])) {
			all->days++;
			break;
		}
	memset(all->ready, 0, sizeof(all->ready));
}

/* The last value at a place of a day of the weekday, or of any; else what is expected otherwise. */
static double last_value(const experts *all, int last, int weekday, int place, double otherwise)
{
	const forecast_blocks *b = all->blocks;

	for (int block = last; block >= 0 && block > last - 2 * WEEKDAYS; block--) {
		const int cell = block * b->slots + place;

		if (weekday < 0 || b->weekday[cell] == weekday)
			return isnan(b->value[cell]) ? otherwise : b->value[cell];
	}
	return otherwise;
}

static double level(const experts *all, int span, int last, int days)
{
	double sum = 0;

	for (int k = 0; k < days && last - k >= 0; k++)
		sum += all->above[span * all->blocks->blocks + last - k];
	return sum / days;
}

/* What is known of a slot lead days after the last block seen. */
static void explain(experts *all, int last, int lead, int weekday, int place, double temperature_c,
                    double *x)
{
	const int slots = all->blocks->slots;
	const double *like = means(all, 0, weekday);
	const double hours = 24.0 * (lead - 1) + (place + 0.5) * 24 / slots;

	x[TERM_LIKE] = smooth(like, place, slots, true);
	x[TERM_WIDE] = smooth(like, place, slots, false);
	x[TERM_QUICK] = means(all, 1, weekday)[place];
	x[TERM_SLOW] = means(all, 2, weekday)[place];
	x[TERM_ALL_DAYS] = means(all, 3, weekday)[place];
	x[TERM_SAME_DAYS] = means(all, 4, weekday)[place];
	x[TERM_LAST_DAY] = last_value(all, last, -1, place, x[TERM_LIKE]);
	x[TERM_LAST_WEEK] = last_value(all, last, weekday, place, x[TERM_LIKE]);
	x[TERM_SMOOTHING] = smoothing_expect(&all->smoothed, weekday, place);
	x[TERM_DAY_LEVEL] = level(all, ALL_DAY, last, 1);
	x[TERM_DAYS_LEVEL] = level(all, ALL_DAY, last, 3);
	x[TERM_WEEK_LEVEL] = level(all, ALL_DAY, last, 7);
	x[TERM_EVENING] = level(all, EVENING, last, 1);
	x[TERM_LAST_HOURS] = level(all, LAST_HOURS, last, 1) * exp(-hours / LAST_HOURS_LAST);
	for (int i = 0; i < DEGREES; i++) {
		double now = degrees_of(i, temperature_c);

		x[TERM_HEATING + i] =
		    all->blocks->temperature && !isnan(now)
		        ? now - like_days_mean(&all->degrees[i], weekday, place, now, 1e-3)
		        : 0;
	}
}

static double one_method(const experts *all, eumf_k_method method, const double *x)
{
	double sum = 0;

	switch (method) {
	case EUMF_K_LAST_DAY:
		return x[TERM_LAST_DAY];
	case EUMF_K_LAST_WEEK:
		return x[TERM_LAST_WEEK];
	case EUMF_K_ALL_DAYS:
		return x[TERM_ALL_DAYS];
	case EUMF_K_SAME_WEEKDAYS:
		return x[TERM_SAME_DAYS];
	case EUMF_K_LIKE_DAYS:
		return x[TERM_LIKE];
	case EUMF_K_SMOOTHING:
		return fmax(x[TERM_SMOOTHING], 0);
	default:
		for (int i = 0; i < TERMS; i++)
			sum += all->coefficient[i] * x[i];
		return fmax(sum, 0);
	}
}

static double combine(const experts *all, const double *x)
{
	double sum = 0;

	for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++)
		if (all->weight[method] > 0)
			sum += all->weight[method] * one_method(all, method, x);
	return sum;
}

/* Sees all blocks; each that is lead days after one seen is explained by what was known then. */
static void explain_past(experts *all)
{
	const forecast_blocks *b = all->blocks;

	all->days = 0;
	for (int i = 0; i < LIKE_FADINGS; i++)
		like_days_start(&all->like[i], b->slots, HALF_LIFE_DAYS[i], all->alike ? 1 : OTHER_DAY[i],
		                all->alike ? 1 : OTHER_KIND[i], all->like[i].sum);
	for (int i = 0; i < DEGREES; i++)
		like_days_start(&all->degrees[i], b->slots, HALF_LIFE_DAYS[0], 1, 1, all->degrees[i].sum);
	smoothing_start(&all->smoothed, b->slots, all->smoothed.daily);
	memset(all->ready, 0, sizeof(all->ready));
	for (int block = 0; block < b->blocks; block++) {
		const int target = block + all->lead;

		see(all, block);
		if (target < all->first || target >= b->blocks)
			continue;
		for (int place = 0; place < b->slots; place++) {
			const int cell = target * b->slots + place;

			explain(all, block, all->lead, b->weekday[cell], place,
			        b->temperature ? b->temperature[cell] : NAN, all->term + cell * TERMS);
		}
	}
}

static void solve(experts *all, const ridge *sums, double days)
{
	double prior[TERMS] = {0}, shrinkage[TERMS];

	prior[TERM_LIKE] = 1;
	prior[TERM_DAY_LEVEL] = PRIOR_LEVEL;
	for (int i = 0; i < TERMS; i++)
		shrinkage[i] = SHRINKAGE * (1 + SHRINKAGE_DAYS / fmax(days, 0.1));
	ridge_solve(sums, prior, shrinkage, all->coefficient);
}

static void judge(const experts *all, int block, double *square)
{
	const int slots = all->blocks->slots;

	for (int cell = block * slots; cell < (block + 1) * slots; cell++) {
		if (isnan(all->blocks->value[cell]))
			continue;
		for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++) {
			double error =
			    one_method(all, method, all->term + cell * TERMS) - all->blocks->value[cell];

			square[method] += error * error;
		}
	}
}

static void weigh(experts *all, const double *square)
{
	double least = INFINITY, total = 0;

	memset(all->weight, 0, sizeof(all->weight));
	for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++)
		least = fmin(least, square[method]);
	if (!(least > 0)) {
		all->weight[EUMF_K_REGRESSION] = 1;
		return;
	}
	for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++) {
		all->weight[method] = pow(least / square[method], JUDGEMENT);
		if (method == EUMF_K_REGRESSION)
			all->weight[method] *= REGRESSION_AHEAD;
		total += all->weight[method];
	}
	for (int method = EUMF_K_LAST_DAY; method < EUMF_K_METHODS; method++)
		all->weight[method] /= total;
}

/* Fits the regression block by block; those of the last two weeks are forecast before they are
 * learnt from. */
static void learn(experts *all, eumf_k_method method)
{
	const forecast_blocks *b = all->blocks;
	const int judged = b->blocks - JUDGED_DAYS > all->first + LEAST_DAYS ? b->blocks - JUDGED_DAYS
	                                                                     : all->first + LEAST_DAYS;
	double square[EUMF_K_METHODS] = {0}, days = 0;
	ridge sums;

	ridge_start(&sums, TERMS);
	for (int block = all->first; block < b->blocks; block++) {
		const double weight = pow(0.5, (b->blocks - block) / FIT_HALF_LIFE);

		if (block >= judged && (block - judged) % WEEKDAYS == 0)
			solve(all, &sums, days);
		if (block >= judged)
			judge(all, block, square);
		for (int cell = block * b->slots; cell < (block + 1) * b->slots; cell++) {
			if (isnan(b->value[cell]))
				continue;
			ridge_add(&sums, all->term + cell * TERMS, b->value[cell], weight);
			days += weight / b->slots;
		}
	}
	solve(all, &sums, days);
	weigh(all, square);
	if (method != EUMF_K_COMBINED) {
		memset(all->weight, 0, sizeof(all->weight));
		all->weight[method] = 1;
	}
}

void experts_fit(experts *all, int lead, eumf_k_method method)
{
	const forecast_blocks *b = all->blocks;

	all->lead = lead;
	all->first = LEAST_DAYS + lead < b->blocks ? LEAST_DAYS + lead : b->blocks;
	explain_past(all);
	learn(all, method);
	for (int cell = all->first * b->slots; cell < b->blocks * b->slots; cell++)
		all->expected[cell] = combine(all, all->term + cell * TERMS);
}

double experts_expect(experts *all, const block_place *slot, double temperature_c)
{
	const forecast_blocks *b = all->blocks;
	double x[TERMS];

	explain(all, b->blocks - 1, slot->ahead + b->late, slot->weekday, slot->place, temperature_c,
	        x);
	return combine(all, x);
}
