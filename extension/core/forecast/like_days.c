/* See like_days.h. */
#include "like_days.h"

#include <math.h>

static const double SAME_WEEKDAY = 3;

double like_days_likeness(double other_day, double other_kind, int weekday, int other)
{
	if ((weekday >= 5) != (other >= 5))
		return other_kind;
	return weekday == other && other_kind < other_day ? SAME_WEEKDAY : other_day;
}

void like_days_start(like_days *m, int slots, double half_life_days, double other_day,
                     double other_kind, double *room)
{
	*m = (like_days){.slots = slots,
	                 .fading = pow(0.5, 1 / half_life_days),
	                 .other_day = other_day,
	                 .other_kind = other_kind,
	                 .sum = room,
	                 .weight = room + WEEKDAYS * slots};
	for (int i = 0; i < 2 * WEEKDAYS * slots; i++)
		room[i] = 0;
}

void like_days_add(like_days *m, const double *value, const signed char *weekday)
{
	for (int i = 0; i < 2 * WEEKDAYS * m->slots; i++)
		m->sum[i] *= m->fading;
	for (int place = 0; place < m->slots; place++) {
		int cell = weekday[place] * m->slots + place;

		if (isnan(value[place]))
			continue;
		m->sum[cell] += value[place];
		m->weight[cell] += 1;
	}
}

double like_days_mean(const like_days *m, int weekday, int place, double other, double weight)
{
	double sum = weight * other, total = weight;

	for (int day = 0; day < WEEKDAYS; day++) {
		double likeness = like_days_likeness(m->other_day, m->other_kind, weekday, day);

		sum += likeness * m->sum[day * m->slots + place];
		total += likeness * m->weight[day * m->slots + place];
	}
	return sum / total;
}
