/* See price_day.h. */
#include "price_day.h"
#include "price_days.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HOURS = PRICE_DAYS_HOURS, WEEK = 7, SHAPE_DAYS = 14 };

/* Means of the hours of days counted back from the end of publication, oldest first in hour; stops
 * at a gap. Returns how many days there are. */
static int read_hours(const double *prices, int history, int slots_per_day, double *hour)
{
	int days = 0;

	while (days < PRICE_DAY_HISTORY && (days + 1) * slots_per_day <= history) {
		const double *day = prices + history - (days + 1) * slots_per_day;
		double *means = hour + (PRICE_DAY_HISTORY - 1 - days) * HOURS, sum = 0;
		int count[HOURS] = {0};

		memset(means, 0, HOURS * sizeof(double));
		for (int i = 0; i < slots_per_day; i++) {
			means[i * HOURS / slots_per_day] += day[i];
			count[i * HOURS / slots_per_day]++;
		}
		for (int k = 0; k < HOURS; k++) {
			means[k] /= count[k];
			sum += means[k];
		}
		if (isnan(sum))
			break;
		days++;
	}
	return days;
}

static bool changes(const double *hour, int count)
{
	for (int i = 1; i < count; i++)
		if (hour[i] != hour[0])
			return true;
	return false;
}

/* How slots differ from their hour, on average of the last days. */
static void read_shape(const double *prices, int history, int slots_per_day, const double *hour,
                       double *shape)
{
	for (int i = 0; i < slots_per_day; i++) {
		shape[i] = 0;
		for (int day = 1; day <= SHAPE_DAYS && slots_per_day > HOURS; day++)
			shape[i] += (prices[history - day * slots_per_day + i] -
			             hour[(PRICE_DAY_HISTORY - day) * HOURS + i * HOURS / slots_per_day]) /
			            SHAPE_DAYS;
	}
}

static bool forecast_days(const double *prices, int history, int slots_per_day, int weekday,
                          int ahead, int back, double *forecast)
{
	double hour[PRICE_DAY_HISTORY * HOURS], told[(PRICE_DAYS_AHEAD + PRICE_DAY_BACK) * HOURS] = {0};
	int weekdays[PRICE_DAY_HISTORY + PRICE_DAYS_AHEAD];
	const int days = read_hours(prices, history, slots_per_day, hour);
	const double *known = hour + (PRICE_DAY_HISTORY - days) * HOURS;
	price_days_input in = {
	    .days = days, .ahead = ahead, .price = known, .weekday = weekdays, .least = -INFINITY};
	price_days_forecast f = {.mean = told, .back = back, .past = told + ahead * HOURS};
	double *shape = malloc(sizeof(double) * (size_t)slots_per_day);
	outcome out;
	bool enough;

	for (int day = 0; day < days + ahead; day++)
		weekdays[day] = ((weekday - days + day) % WEEK + WEEK) % WEEK;
	enough = shape && changes(known, days * HOURS) && price_days(&in, &f, &out) == OUTCOME_OK;
	if (enough) {
		read_shape(prices, history, slots_per_day, hour, shape);
		for (int i = 0; i < (ahead + back) * slots_per_day; i++)
			forecast[i] =
			    told[(int)((int64_t)i * HOURS / slots_per_day)] + shape[i % slots_per_day];
	}
	free(shape);
	return enough;
}

bool price_day_forecast(const double *prices, int history, int slots_per_day, int weekday,
                        double *forecast)
{
	return forecast_days(prices, history, slots_per_day, weekday, 1, PRICE_DAY_BACK, forecast);
}

bool price_next_days(const double *prices, int history, int slots_per_day, int weekday, int ahead,
                     double *forecast)
{
	return forecast_days(prices, history, slots_per_day, weekday, ahead, 0, forecast);
}
