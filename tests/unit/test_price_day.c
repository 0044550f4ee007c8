/* The forecast of prices beyond publication (price_day.h): what it learns, and when it is silent.
 */
#include "../../extension/core/forecast/price_day.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>

enum { DAY = 24, DAYS = 120, MOST = 1440 };

static double prices[DAYS * DAY], forecast[(1 + PRICE_DAY_BACK) * DAY];

static uint64_t seed = 7;

static double noise(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0 - 0.5;
}

/* A market whose level wanders, with a shape of its own on weekends; day 0 is a Monday. */
static void make_market(void)
{
	double level = 0.1;

	for (int day = 0; day < DAYS; day++) {
		level = 0.1 + 0.9 * (level - 0.1) + 0.06 * noise();
		for (int hour = 0; hour < DAY; hour++)
			prices[day * DAY + hour] = level + 0.04 * sin(hour / 24.0 * 6.28318) -
			                           (day % 7 >= 5 ? 0.02 : 0) + 0.01 * noise();
	}
}

static double mean_of(const double *values, int count)
{
	double sum = 0;

	for (int i = 0; i < count; i++)
		sum += values[i] / count;
	return sum;
}

/* Root mean square error of the forecasts of many days, and of the mean of 14 days at the hour. */
static void beats_the_mean_of_the_days_before(void)
{
	double ours = 0, simple = 0;
	int count = 0;

	make_market();
	for (int day = 100; day < DAYS; day++) {
		if (!price_day_forecast(prices, day * DAY, DAY, day % 7, forecast))
			continue;
		for (int hour = 0; hour < DAY; hour++) {
			double mean = 0, truth = prices[day * DAY + hour];

			for (int k = 1; k <= 14; k++)
				mean += prices[(day - k) * DAY + hour] / 14;
			ours += pow(forecast[hour] - truth, 2);
			simple += pow(mean - truth, 2);
			count++;
		}
	}
	ok(count == (DAYS - 100) * DAY && ours < 0.7 * simple,
	   "errors on a wandering market are well below those of a mean (%.4f, %.4f EUR/kWh)",
	   sqrt(ours / count), sqrt(simple / count));
}

static void knows_nothing_later(void)
{
	static double again[(1 + PRICE_DAY_BACK) * DAY];
	bool same = true;

	make_market();
	price_day_forecast(prices, 110 * DAY, DAY, 110 % 7, forecast);
	for (int t = 110 * DAY; t < DAYS * DAY; t++)
		prices[t] = NAN;
	price_day_forecast(prices, 110 * DAY, DAY, 110 % 7, again);
	for (int k = 0; k < (1 + PRICE_DAY_BACK) * DAY; k++)
		same = same && forecast[k] == again[k];
	ok(same, "later prices change nothing");
}

static void past_forecasts_are_of_their_days(void)
{
	double error = 0, other = 0;

	make_market();
	price_day_forecast(prices, 110 * DAY, DAY, 110 % 7, forecast);
	for (int back = 1; back <= PRICE_DAY_BACK; back++) {
		error +=
		    fabs(mean_of(forecast + back * DAY, DAY) - mean_of(prices + (110 - back) * DAY, DAY));
		other +=
		    fabs(mean_of(forecast + back * DAY, DAY) - mean_of(prices + (105 - back) * DAY, DAY));
	}
	ok(error < 0.7 * other, "a forecast for a day before is that day's (%.3f, %.3f)", error, other);
}

/* The same market asked in its own currency, in cents, and in slots of a minute. */
static void units_and_slots_do_not_matter(void)
{
	static double minutes[DAYS * MOST], by_minute[(1 + PRICE_DAY_BACK) * MOST];
	static double cents[DAYS * DAY], by_cents[(1 + PRICE_DAY_BACK) * DAY];
	double off = 0, apart = 0;

	make_market();
	for (int t = 0; t < DAYS * DAY; t++)
		cents[t] = 100 * prices[t];
	for (int t = 0; t < DAYS * MOST; t++)
		minutes[t] = prices[t / 60];
	price_day_forecast(prices, DAYS * DAY, DAY, DAYS % 7, forecast);
	price_day_forecast(cents, DAYS * DAY, DAY, DAYS % 7, by_cents);
	ok(price_day_forecast(minutes, DAYS * MOST, MOST, DAYS % 7, by_minute),
	   "slots of a minute are forecast");
	for (int k = 0; k < DAY; k++) {
		off = fmax(off, fabs(by_cents[k] / 100 - forecast[k]));
		apart += fabs(by_minute[60 * k] - forecast[k]) / DAY;
	}
	ok(off < 1e-9, "the unit of money does not matter (%g)", off);
	ok(apart < 0.005, "nor, much, the length of slots (%g)", apart);
}

static void silent_without_ground(void)
{
	make_market();
	forecast[0] = -77;
	ok(!price_day_forecast(prices, 34 * DAY, DAY, 0, forecast) && forecast[0] == -77,
	   "four weeks and their week before are needed");
	ok(price_day_forecast(prices, 35 * DAY, DAY, 0, forecast), "and are enough");
	prices[100 * DAY] = NAN;
	ok(!price_day_forecast(prices, DAYS * DAY, DAY, 1, forecast),
	   "days before a gap are not learnt from");
	for (int t = 0; t < DAYS * DAY; t++)
		prices[t] = 0.2;
	ok(!price_day_forecast(prices, DAYS * DAY, DAY, 1, forecast),
	   "prices that never change need no forecast");
	ok(!price_day_forecast(prices, 0, DAY, 1, forecast), "nor does no history give one");
}

int main(void)
{
	beats_the_mean_of_the_days_before();
	knows_nothing_later();
	past_forecasts_are_of_their_days();
	units_and_slots_do_not_matter();
	silent_without_ground();
	return tap_done();
}
