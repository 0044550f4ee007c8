/*
 * See price_day.h. A ridge regression of each time of day's price, measured from the mean of the
 * week before, on what was known when the day before had been published.
 */
#include "price_day.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	WEEK = 7,
	MOST_TIMES = 96, /* of a day; shorter slots are forecast in groups */
	/* What a day's price is explained by: first what is the same for all its times ... */
	CONSTANT = 0,
	LEVEL,   /* mean of the day before */
	EVENING, /* mean of its last sixth */
	LAST,    /* its last price, */
	HIGHEST, /* highest */
	LOWEST,  /* and lowest */
	SATURDAY,
	SUNDAY,
	MONDAY,
	SHARED,
	/* ... then what is of the same time: a day, two and seven days before. */
	DAY_BEFORE = SHARED,
	TWO_BEFORE,
	WEEK_BEFORE,
	TERMS,
};

static const double HALF_LIFE_DAYS = 45; /* of a past day's weight */
static const double SHRINKAGE = 0.5;     /* in parts of what a price explains on average */

/* Days are counted back from the end of publication: day 0 is the last published, -1 to come. */
typedef struct fit {
	int times, days, fitted, weekday;
	double *price;            /* [days][times] */
	double *mean;             /* [days] */
	double scale;             /* how far prices are from the week's mean, root mean square */
	double (*shared)[SHARED]; /* [1 + fitted], from day -1 on */
	double products[SHARED][SHARED];
	double *weight; /* [fitted] */
} fit;

static double price(const fit *f, int day, int time)
{
	return f->price[day * f->times + time];
}

static double week_before(const fit *f, int day)
{
	double sum = 0;

	for (int k = 1; k <= WEEK; k++)
		sum += f->mean[day + k] / WEEK;
	return sum;
}

static int times_of(int slots_per_day)
{
	int times = slots_per_day < MOST_TIMES ? slots_per_day : MOST_TIMES;

	while (slots_per_day % times != 0)
		times--;
	return times;
}

/* Means of the groups of slots; stops at a gap. */
static int read_days(fit *f, const double *prices, int history, int slots_per_day)
{
	const int group = slots_per_day / f->times;
	int days = 0;

	while (days < PRICE_DAY_HISTORY && (days + 1) * slots_per_day <= history) {
		const double *day = prices + history - (days + 1) * slots_per_day;

		f->mean[days] = 0;
		for (int i = 0; i < f->times; i++) {
			double sum = 0;

			for (int k = 0; k < group; k++)
				sum += day[i * group + k];
			f->price[days * f->times + i] = sum / group;
			f->mean[days] += sum / slots_per_day;
		}
		if (isnan(f->mean[days]))
			break;
		days++;
	}
	return days;
}

static void measure_scale(fit *f)
{
	double sum = 0;

	for (int day = 0; day < f->fitted; day++)
		for (int i = 0; i < f->times; i++)
			sum += pow(price(f, day, i) - week_before(f, day), 2);
	f->scale = sqrt(sum / (f->fitted * f->times));
}

static void explain(const fit *f, int day, double *x)
{
	const int before = day + 1, evening = f->times - f->times / 6;
	const int weekday = ((f->weekday - before) % WEEK + WEEK) % WEEK;
	const double level = week_before(f, day);

	x[CONSTANT] = f->scale;
	x[LEVEL] = f->mean[before] - level;
	x[EVENING] = 0;
	x[HIGHEST] = x[LOWEST] = price(f, before, 0) - level;
	for (int i = 0; i < f->times; i++) {
		double p = price(f, before, i) - level;

		x[HIGHEST] = fmax(x[HIGHEST], p);
		x[LOWEST] = fmin(x[LOWEST], p);
		x[EVENING] += i >= evening ? p / (f->times - evening) : 0;
	}
	x[LAST] = price(f, before, f->times - 1) - level;
	x[SATURDAY] = weekday == 5 ? f->scale : 0;
	x[SUNDAY] = weekday == 6 ? f->scale : 0;
	x[MONDAY] = weekday == 0 ? f->scale : 0;
}

/* What all times of the day have in common is summed up once. */
static void prepare(fit *f)
{
	measure_scale(f);
	for (int day = -1; day < f->fitted; day++)
		explain(f, day, f->shared[1 + day]);
	for (int day = 0; day < f->fitted; day++) {
		const double *x = f->shared[1 + day];

		f->weight[day] = pow(0.5, day / HALF_LIFE_DAYS);
		for (int i = 0; i < SHARED; i++)
			for (int j = 0; j <= i; j++)
				f->products[i][j] += f->weight[day] * x[i] * x[j];
	}
}

static void explain_time(const fit *f, int day, int time, double *x)
{
	static const int back[] = {1, 2, WEEK};
	const double level = week_before(f, day);

	memcpy(x, f->shared[1 + day], SHARED * sizeof(double));
	for (int k = 0; k < TERMS - SHARED; k++)
		x[SHARED + k] = price(f, day + back[k], time) - level;
}

/* Solves a symmetric positive definite system given by its lower triangle, by Cholesky. */
static void solve(double a[TERMS][TERMS], double *b)
{
	for (int i = 0; i < TERMS; i++) {
		for (int j = 0; j <= i; j++) {
			double sum = a[i][j];

			for (int k = 0; k < j; k++)
				sum -= a[i][k] * a[j][k];
			a[i][j] = i == j ? sqrt(fmax(sum, 1e-300)) : sum / a[j][j];
		}
	}
	for (int i = 0; i < TERMS; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= a[i][k] * b[k];
		b[i] /= a[i][i];
	}
	for (int i = TERMS - 1; i >= 0; i--) {
		for (int k = i + 1; k < TERMS; k++)
			b[i] -= a[k][i] * b[k];
		b[i] /= a[i][i];
	}
}

/* Each term's weight in the price of a time of day. */
static void fit_time(const fit *f, int time, double *b)
{
	double a[TERMS][TERMS] = {{0}}, x[TERMS], shrinkage;

	memset(b, 0, TERMS * sizeof(double));
	for (int day = 0; day < f->fitted; day++) {
		double y = f->weight[day] * (price(f, day, time) - week_before(f, day));

		explain_time(f, day, time, x);
		for (int i = 0; i < TERMS; i++)
			b[i] += y * x[i];
		for (int i = SHARED; i < TERMS; i++)
			for (int j = 0; j <= i; j++)
				a[i][j] += f->weight[day] * x[i] * x[j];
	}
	for (int i = 0; i < SHARED; i++)
		memcpy(a[i], f->products[i], sizeof(f->products[i]));
	/* The constant's square is what a price explains if it is as far from the mean as usual. */
	shrinkage = SHRINKAGE * f->products[CONSTANT][CONSTANT];
	for (int i = 0; i < TERMS; i++)
		a[i][i] += (i == CONSTANT ? 1e-6 : 1) * shrinkage;
	solve(a, b);
}

static void forecast_all(const fit *f, int slots_per_day, double *forecast)
{
	const int group = slots_per_day / f->times;
	double b[TERMS], x[TERMS];

	for (int time = 0; time < f->times; time++) {
		fit_time(f, time, b);
		for (int day = -1; day < PRICE_DAY_BACK; day++) {
			double expected = week_before(f, day);

			explain_time(f, day, time, x);
			for (int i = 0; i < TERMS; i++)
				expected += b[i] * x[i];
			for (int k = 0; k < group; k++)
				forecast[(1 + day) * slots_per_day + time * group + k] = expected;
		}
	}
}

bool price_day_forecast(const double *prices, int history, int slots_per_day, int weekday,
                        double *forecast)
{
	const int times = times_of(slots_per_day);
	fit f = {.times = times, .weekday = weekday};
	double *room = malloc(sizeof(double) * (PRICE_DAY_HISTORY * (times + 1) + PRICE_DAY_FITTED) +
	                      (1 + PRICE_DAY_FITTED) * sizeof(*f.shared));
	bool enough;

	if (!room)
		return false;
	f.price = room;
	f.mean = f.price + PRICE_DAY_HISTORY * times;
	f.weight = f.mean + PRICE_DAY_HISTORY;
	f.shared = (double(*)[SHARED])(f.weight + PRICE_DAY_FITTED);
	f.days = read_days(&f, prices, history, slots_per_day);
	f.fitted = f.days - WEEK < PRICE_DAY_FITTED ? f.days - WEEK : PRICE_DAY_FITTED;
	enough = f.fitted >= PRICE_DAY_LEAST;
	if (enough) {
		prepare(&f);
		enough = f.scale > 0;
	}
	if (enough)
		forecast_all(&f, slots_per_day, forecast);
	free(room);
	return enough;
}
