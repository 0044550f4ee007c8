/* See scenario_demand.h. */
#include "scenario_demand.h"

#include <math.h>
#include <stdlib.h>

enum {
	COMPARED_HOURS = 7, /* that days are compared by, the last ones most */
	WEEK = 7,
};

static const double HOUR_BEFORE = 0.7;     /* weight of an hour to that of the one after it */
static const double LIKENESS = 3;          /* a day as unlike as usual has e^-LIKENESS of the weight
                                              of one that is the same */
static const double LIKENESS_HOURS = 24;   /* in which that wears off by e */
static const double OTHER_DAY_CLASS = 0.5; /* weight of weekend for working days and back */

typedef struct drawn {
	double net_kw, weight;
} drawn;

bool ebr_is_weekend(const ebr_outlook *outlook, int slot)
{
	const int week = WEEK * outlook->slots_per_day;
	int phase = ((outlook->phase + slot) % week + week) % week;

	return phase / outlook->slots_per_day >= 5;
}

/* Weighted mean distance of the last hours; NAN where nothing can be compared. */
static double distance(const ebr_outlook *o, int day)
{
	const int slots = COMPARED_HOURS * o->slots_per_day / 24;
	const double before = pow(HOUR_BEFORE, 24.0 / o->slots_per_day);
	double sum = 0, weight = 0, w = 1;

	for (int k = 1; k <= slots; k++, w *= before) {
		double apart =
		    fabs(ebr_past(o, o->net_kw, -k) - ebr_past(o, o->net_kw, -k - day * o->slots_per_day));

		if (isnan(apart))
			continue;
		sum += w * apart;
		weight += w;
	}
	return sum / weight;
}

void ebr_compare_days(const ebr_outlook *outlook, ebr_past_days *days)
{
	double mean = 0;
	int count = 0;

	for (int day = 1; day <= EBR_DEMAND_DAYS; day++) {
		double apart = distance(outlook, day);

		days->unlike[day - 1] = apart;
		if (isnan(apart))
			continue;
		mean += apart;
		count++;
	}
	for (int k = 0; k < EBR_DEMAND_DAYS; k++)
		days->unlike[k] = isnan(days->unlike[k]) || mean <= 0 ? 1 : days->unlike[k] * count / mean;
}

static int ascending(const void *a, const void *b)
{
	double x = ((const drawn *)a)->net_kw, y = ((const drawn *)b)->net_kw;

	return (x > y) - (x < y);
}

/* Cuts what was seen, in order, into parts of equal weight. */
static void average_parts(drawn *seen, double total, int parts, double *draws)
{
	int k = 0;

	for (int part = 0; part < parts; part++) {
		double wanted = total / parts, sum = 0, got = 0;

		for (;;) {
			double take = fmin(seen[k].weight, wanted - got);

			sum += take * seen[k].net_kw;
			got += take;
			seen[k].weight -= take;
			if (got >= wanted * (1 - 1e-12) || seen[k + 1].weight < 0)
				break;
			k++;
		}
		draws[part] = sum / got;
	}
}

int ebr_draw_demand(const ebr_outlook *o, const ebr_past_days *days, int slot, int most,
                    double *draws)
{
	const double ahead = exp(-slot * 24.0 / (o->slots_per_day * LIKENESS_HOURS));
	const bool weekend = ebr_is_weekend(o, slot);
	drawn seen[EBR_DEMAND_DAYS + 1];
	double total = 0;
	int count = 0, parts;

	for (int day = 1; day <= EBR_DEMAND_DAYS; day++) {
		const int past = slot - day * o->slots_per_day;
		double net = ebr_past(o, o->net_kw, past);

		if (isnan(net))
			continue;
		seen[count] = (drawn){net, exp(-LIKENESS * days->unlike[day - 1] * ahead)};
		if (ebr_is_weekend(o, past) != weekend)
			seen[count].weight *= OTHER_DAY_CLASS;
		total += seen[count++].weight;
	}
	if (count == 0)
		return 0;
	qsort(seen, (size_t)count, sizeof(drawn), ascending);
	seen[count].weight = -1;
	parts = count < most ? count : most;
	average_parts(seen, total, parts, draws);
	return parts;
}
