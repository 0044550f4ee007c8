/* EUMF-K: seasons, level, gaps, bounds (DESIGN.md section 5). */
#include "../../extension/core/forecast/eumf_k.h"
#include "../../extension/core/forecast/price.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>

enum { DAY = 24, WEEK = 7 * DAY, HISTORY = 8 * WEEK, HORIZON = 2 * DAY };

static double history[HISTORY];
static int history_phase[HISTORY], horizon_phase[HORIZON];
static double mean[HORIZON], q10[HORIZON], q50[HORIZON], q90[HORIZON];
static eumf_k_forecast forecast = {.mean_kw = mean, .q10_kw = q10, .q50_kw = q50, .q90_kw = q90};

static uint64_t seed = 42;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* A household with evening peaks, other weekends, noise; its level may change in the last days. */
static double truth(int t, double level)
{
	double evening = exp(-pow((t % DAY - 19) / 2.0, 2)), weekend = t / DAY % 7 >= 5 ? 0.3 : 0;

	return level * (0.2 + weekend + evening);
}

static eumf_k_input household(int length, double level_now)
{
	for (int t = 0; t < HISTORY; t++) {
		history[t] = truth(t, t >= HISTORY - DAY ? level_now : 1) + 0.1 * uniform();
		history_phase[t] = t % WEEK;
	}
	for (int h = 0; h < HORIZON; h++)
		horizon_phase[h] = (HISTORY + h) % WEEK;
	return (eumf_k_input){.slots_per_day = DAY,
	                      .history = length,
	                      .history_kw = history + HISTORY - length,
	                      .history_phase = history_phase + HISTORY - length,
	                      .horizon = HORIZON,
	                      .horizon_phase = horizon_phase};
}

static double error_of(double level)
{
	double error = 0;

	for (int h = 0; h < HORIZON; h++)
		error += fabs(mean[h] - truth(HISTORY + h, level) - 0.05) / HORIZON;
	return error;
}

static bool bounded(void)
{
	bool fine = true;

	for (int h = 0; h < HORIZON; h++)
		fine = fine && mean[h] >= 0 && q10[h] >= 0 && q10[h] <= q50[h] && q50[h] <= q90[h] &&
		       isfinite(q90[h]);
	return fine;
}

static void check_prices(void)
{
	double prices[] = {1, 2, 3, NAN, 5, NAN, NAN}, sums[4];
	const int phase[] = {0, 1, 0, 1, 0, 1, 0};

	ok(price_expect(prices, phase, 4, 3, 2, sums) && prices[4] == 5 && prices[5] == 2 &&
	       prices[6] == 2,
	   "a price that is not published is the mean of its time of day, as far as known");
	ok(!price_expect(prices, phase, 0, 3, 2, sums), "without gaps nothing is expected");
}

int main(void)
{
	eumf_k_input in;
	outcome out;
	double with_gaps, base;
	int wrong = 0;

	printf("# seed %llu\n", (unsigned long long)seed);
	in = household(HISTORY, 1);
	ok(eumf_k(&in, &forecast, &out) == OUTCOME_OK && forecast.model == EUMF_K_WEEKLY,
	   "eight weeks of hours make a weekly model");
	base = error_of(1);
	ok(base < 0.1, "a regular household is forecast to %.3f kW", base);
	ok(bounded(), "quantiles do not cross and are not negative");

	for (int t = 0; t < HISTORY; t++)
		if (uniform() < 0.3)
			history[t] = NAN;
	eumf_k(&in, &forecast, &out);
	with_gaps = error_of(1);
	ok(with_gaps < 1.5 * base + 0.02, "a third of gaps costs little: %.3f kW", with_gaps);

	in = household(HISTORY, 1.5);
	eumf_k(&in, &forecast, &out);
	ok(error_of(1.5) < 0.5 * 0.5 && mean[19] > truth(HISTORY + 19, 1) + 0.06,
	   "a changed level is followed in part");

	for (int length = 0; length <= 3 * WEEK; length += 7) {
		in = household(length, 1);
		if (eumf_k(&in, &forecast, &out) != OUTCOME_OK || !bounded())
			wrong++;
	}
	ok(wrong == 0, "every length of history gives a bounded forecast");

	in = household(0, 1);
	eumf_k(&in, &forecast, &out);
	ok(forecast.model == EUMF_K_STANDARD && mean[20] > mean[3],
	   "no history: the standard household");
	in = household(DAY, 1);
	history_phase[HISTORY - 1] = WEEK;
	ok(eumf_k(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "a wrong phase is refused: %s",
	   out.message);
	in = household(DAY, 1);
	history[HISTORY - 1] = INFINITY;
	ok(eumf_k(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "infinite demand is refused: %s",
	   out.message);
	in.slots_per_day = 0;
	ok(eumf_k(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "a day of no slots is refused: %s",
	   out.message);
	check_prices();
	return tap_done();
}
