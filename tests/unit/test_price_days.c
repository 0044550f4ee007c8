/* Prices of the days beyond publication (price_days.h): what is learnt, by whom, how sure, and what
 * is refused. */
#include "../../extension/core/forecast/price_day.h"
#include "../../extension/core/forecast/price_days.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>

enum { HOURS = 24, DAYS = 420, AHEAD = 4 };

static double price[DAYS * HOURS], warmth[(DAYS + AHEAD) * HOURS], carbon[DAYS * HOURS];
static int weekday[DAYS + AHEAD];
static double room[4][PRICE_DAYS_AHEAD * HOURS];
static price_days_forecast forecast = {
    .mean = room[0], .q10 = room[1], .q50 = room[2], .q90 = room[3]};
static outcome out;

static uint64_t seed = 11;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* Evening peaks, cheap weekends, a level that wanders and falls with warmth, now and then a spike.
 */
static void make_market(void)
{
	double level = 80, mild = 10;

	for (int day = 0; day < DAYS + AHEAD; day++) {
		weekday[day] = day % 7;
		level = 80 + 0.8 * (level - 80) + 30 * (uniform() - 0.5);
		mild = 10 + 0.7 * (mild - 10) + 10 * (uniform() - 0.5);
		for (int hour = 0; hour < HOURS; hour++) {
			warmth[day * HOURS + hour] = mild + 3 * sin(hour / 24.0 * 6.28);
			if (day >= DAYS)
				continue;
			price[day * HOURS + hour] =
			    level - 4 * (mild - 10) + 40 * exp(-pow((hour - 19) / 2.0, 2)) -
			    (day % 7 >= 5 ? 25 : 0) + 10 * (uniform() - 0.5) + (uniform() < 0.004 ? 600 : 0);
			carbon[day * HOURS + hour] = 300;
		}
	}
}

static price_days_input market(int days, bool with_warmth)
{
	return (price_days_input){.days = days,
	                          .ahead = AHEAD,
	                          .price = price,
	                          .temperature_c = with_warmth ? warmth : NULL,
	                          .carbon_g_per_kwh = with_warmth ? carbon : NULL,
	                          .weekday = weekday,
	                          .least = -INFINITY};
}

typedef struct found {
	double error, week, inside;
} found;

/* Of the days after each of some, a day ahead. */
static found try_days(bool with_warmth)
{
	found sum = {0, 0, 0};
	int count = 0;

	for (int days = 300; days + AHEAD <= DAYS; days += 5) {
		price_days_input in = market(days, with_warmth);

		if (price_days(&in, &forecast, &out) != OUTCOME_OK) {
			printf("# %s\n", out.message);
			return (found){NAN, NAN, NAN};
		}
		for (int i = 0; i < AHEAD * HOURS; i++, count++) {
			double value = price[days * HOURS + i];

			sum.error += fabs(value - room[0][i]);
			sum.week += fabs(value - price[(days - 7) * HOURS + i]);
			sum.inside += value >= room[1][i] && value <= room[3][i];
		}
	}
	return (found){sum.error / count, sum.week / count, sum.inside / count};
}

static bool orderly(int ahead)
{
	for (int i = 0; i < ahead * HOURS; i++)
		if (!isfinite(room[0][i]) || !(room[1][i] <= room[2][i]) || !(room[2][i] <= room[3][i]) ||
		    !isfinite(room[1][i]) || !isfinite(room[3][i]))
			return false;
	return true;
}

static void check_random(void)
{
	int wrong = 0, made = 0;

	for (int trial = 0; trial < 60; trial++) {
		const int kind = trial % 6, days = 35 + (int)(uniform() * 100);
		price_days_input in = market(days, trial % 2);

		in.ahead = 1 + (int)(uniform() * PRICE_DAYS_AHEAD);
		if (in.ahead > AHEAD && in.temperature_c)
			in.ahead = AHEAD;
		for (int i = 0; i < days * HOURS; i++)
			price[i] = kind == 0   ? 0
			           : kind == 1 ? 5
			           : kind == 2 ? 1e9 * (uniform() - 0.5)
			           : kind == 3 ? (uniform() < 0.1 ? NAN : uniform())
			           : kind == 4 ? (i / HOURS % 9 == 3 ? NAN : uniform())
			                       : (i % 50 == 0 ? 1e6 : -1e-9);
		for (int day = 0; day < days + in.ahead; day++)
			weekday[day % (DAYS + AHEAD)] = day % 7;
		if (price_days(&in, &forecast, &out) != OUTCOME_OK)
			continue;
		made++;
		wrong += !orderly(in.ahead);
	}
	ok(wrong == 0 && made > 40, "odd prices give finite quantiles in order (%d of %d do not)",
	   wrong, made);
}

int main(void)
{
	price_days_input in;
	found alone, warm;
	double before, next[AHEAD * 4 * HOURS], quarters[100 * 4 * HOURS];

	printf("# seed %llu\n", (unsigned long long)seed);
	make_market();
	alone = try_days(false);
	warm = try_days(true);
	ok(alone.error < 0.75 * alone.week, "errors are well below those of a week before (%.1f, %.1f)",
	   alone.error, alone.week);
	ok(warm.error < 0.9 * alone.error, "temperature that is foreseen helps (%.1f)", warm.error);
	ok(warm.inside > 0.7 && warm.inside < 0.9, "four in five prices are inside (%.0f %%)",
	   100 * warm.inside);

	in = market(300, true);
	price_days(&in, &forecast, &out);
	before = room[0][30];
	for (int i = 299 * HOURS; i < DAYS * HOURS; i++)
		carbon[i] = NAN;
	for (int i = 300 * HOURS; i < DAYS * HOURS; i++)
		price[i] = NAN;
	price_days(&in, &forecast, &out);
	ok(room[0][30] == before, "neither later prices nor the last days' carbon intensity matter");
	forecast.q10 = NULL;
	price_days(&in, &forecast, &out);
	ok(room[0][30] == before, "nor whether quantiles are asked for");
	forecast.q10 = room[1];
	in.least = 1000;
	price_days(&in, &forecast, &out);
	ok(room[1][0] == 1000 && room[0][0] == 1000, "nothing is below what is possible");
	in = market(300, false);
	price[250 * HOURS + 3] = NAN;
	for (int i = 260 * HOURS; i < 261 * HOURS; i++)
		price[i] = NAN;
	ok(price_days(&in, &forecast, &out) == OUTCOME_OK && orderly(AHEAD),
	   "an hour and a day that are missing do not hinder");

	make_market();
	for (int i = 0; i < 100 * 4 * HOURS; i++)
		quarters[i] = price[i / 4] + (i % 4) - 1.5;
	ok(price_next_days(quarters, 100 * 4 * HOURS, 4 * HOURS, 100 % 7, AHEAD, next) &&
	       fabs(next[43] - next[40] - 3) < 1e-6,
	   "quarters of an hour keep their shape within it");
	in = market(34, false);
	ok(price_days(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "too few days are refused: %s",
	   out.message);
	in = market(300, false);
	in.ahead = 8;
	ok(price_days(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "too many ahead are refused: %s",
	   out.message);
	in = market(300, false);
	price[7] = INFINITY;
	ok(price_days(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "infinite prices are refused: %s",
	   out.message);
	check_random();
	return tap_done();
}
