/* See smoothing.h. */
#include "smoothing.h"

#include <math.h>

static const double LEVEL_GAIN = 0.3; /* of a day's errors */
static const double DAILY_GAIN = 0.12;
static const double WEEKLY_GAIN = 0.1;

void smoothing_start(smoothing *s, int slots, double *room)
{
	*s = (smoothing){.slots = slots, .daily = room, .weekly = room + slots};
	for (int i = 0; i < (1 + WEEKDAYS) * slots; i++)
		room[i] = 0;
}

double smoothing_expect(const smoothing *s, int weekday, int place)
{
	return s->level + s->daily[place] + s->weekly[weekday * s->slots + place];
}

void smoothing_add(smoothing *s, const double *value, const signed char *weekday)
{
	/* The first days are learnt faster: a mean of so many until it fades. */
	const double first = 1.0 / ++s->days, level_gain = fmax(LEVEL_GAIN, first) / s->slots;
	const double daily_gain = fmax(DAILY_GAIN, first);

	for (int place = 0; place < s->slots; place++) {
		double error = value[place] - smoothing_expect(s, weekday[place], place);

		if (isnan(error))
			continue;
		s->level += level_gain * error;
		s->daily[place] += daily_gain * error;
		if (s->days > WEEKDAYS)
			s->weekly[weekday[place] * s->slots + place] += WEEKLY_GAIN * error;
	}
}
