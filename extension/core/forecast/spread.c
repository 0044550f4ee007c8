/* See spread.h. */
#include "spread.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_SAMPLES = 10 };

static const double LEVELS[SPREAD_QUANTILES] = {0.1, 0.5, 0.9};
static const double HALF_LIFE_DAYS = 14;
static const double NEIGHBOUR = 0.6; /* weight of the hour, or half hour, before and after */
static const double NEARNESS = 1;    /* of expectations, in standard deviations of them */
static const double LEAST_WEIGHT = 0.02;
static const double OTHER_KIND = 0.3; /* likeness of working days and weekends */
static const double FOLLOWED = 0.1;   /* of how far the expectation is from that of a sample */

static int ascending(const void *a, const void *b)
{
	double x = ((const spread_sample *)a)->value, y = ((const spread_sample *)b)->value;

	return (x > y) - (x < y);
}

/* The values under which given shares of the weight are; samples are put in order. */
static void weigh_quantiles(spread_sample *sample, int count, double *quantile)
{
	double total = 0, below = 0, at = 0, value = 0;
	int k = 0;

	qsort(sample, (size_t)count, sizeof(*sample), ascending);
	for (int i = 0; i < count; i++)
		total += sample[i].weight;
	value = sample[0].value;
	for (int i = 0; i < count && k < SPREAD_QUANTILES; i++) {
		/* A sample stands in the middle of its weight; in between, the values are joined. */
		double next = (below + sample[i].weight / 2) / total;

		for (; k < SPREAD_QUANTILES && LEVELS[k] <= next; k++)
			quantile[k] = next > at
			                  ? value + (sample[i].value - value) * (LEVELS[k] - at) / (next - at)
			                  : sample[i].value;
		value = sample[i].value;
		at = next;
		below += sample[i].weight;
	}
	for (; k < SPREAD_QUANTILES; k++)
		quantile[k] = value;
}

/* Weighs samples by how near to the slot's their expectations were. */
static void prefer_near(const double *expected, double mean, spread_sample *sample, int count)
{
	double sum = 0, square = 0, width;

	for (int i = 0; i < count; i++) {
		sum += expected[i];
		square += expected[i] * expected[i];
	}
	width = NEARNESS * sqrt(fmax(square / count - sum / count * (sum / count), 0));
	for (int i = 0; i < count; i++) {
		double apart = width > 1e-9 * fabs(mean) ? (expected[i] - mean) / width : 0;

		sample[i].weight *= exp(-apart * apart / 2) + LEAST_WEIGHT;
	}
}

bool spread_find(const experts *all, const block_place *slot, double mean, spread_sample *sample,
                 double quantile[SPREAD_QUANTILES])
{
	const forecast_blocks *b = all->blocks;
	const int step = b->slots >= 48 ? b->slots / 48 : 1;
	double expected[SPREAD_SAMPLES], recency = 1;
	int count = 0;

	for (int block = b->blocks - 1; block >= all->first; block--) {
		recency *= pow(0.5, 1 / HALF_LIFE_DAYS);
		for (int k = -1; k <= 1; k++) {
			const int place = (slot->place + k * step + b->slots) % b->slots;
			const int cell = block * b->slots + place;

			if (isnan(b->value[cell]))
				continue;
			expected[count] = all->expected[cell];
			sample[count].value = b->value[cell] + FOLLOWED * (mean - expected[count]);
			sample[count].weight = recency * (k == 0 ? 1 : NEIGHBOUR) *
			                       sqrt(like_days_likeness(1, all->alike ? 1 : OTHER_KIND,
			                                               slot->weekday, b->weekday[cell]));
			count++;
		}
	}
	if (count < LEAST_SAMPLES)
		return false;
	prefer_near(expected, mean, sample, count);
	weigh_quantiles(sample, count, quantile);
	return true;
}
