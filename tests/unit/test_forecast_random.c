/* Whatever the history, EUMF-K answers finite quantiles in order; its backtest looks at nothing
 * later than an origin; PV, holidays, temperature and standard profiles are used (DESIGN.md
 * section 5). */
#include "../../extension/core/forecast/backtest.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>

enum { DAY = 24, WEEK = 7 * DAY, MOST = 100 * 288, HORIZON = 3 * 288 };

static double history[MOST + HORIZON], temperature[MOST + HORIZON], room[4][HORIZON];
static int phase[MOST + HORIZON];
static eumf_k_forecast forecast = {
    .mean_kw = room[0], .q10_kw = room[1], .q50_kw = room[2], .q90_kw = room[3]};
static outcome out;

static uint64_t seed = 20231;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static int below(int n)
{
	return (int)(uniform() * n);
}

static bool orderly(int horizon)
{
	for (int h = 0; h < horizon; h++)
		if (!isfinite(room[0][h]) || !isfinite(room[3][h]) || room[0][h] < 0 || room[1][h] < 0 ||
		    room[1][h] > room[2][h] || room[2][h] > room[3][h])
			return false;
	return true;
}

static double odd_value(int kind, int t)
{
	switch (kind) {
	case 0:
		return 0;
	case 1:
		return 0.3;
	case 2:
		return 1e300 * uniform();
	case 3:
		return t % 97 == 0 ? 1e6 : 0;
	case 4:
		return uniform() < 0.95 ? NAN : uniform();
	case 5:
		return uniform() - 0.5;
	case 6:
		return 1e-300 * uniform();
	default:
		return uniform() < 0.2 ? NAN : -log(uniform() + 1e-9);
	}
}

/* Clocks are put forward or back once a history, or phases make no sense at all. */
static void number_slots(int slots, int per_day)
{
	const int change = below(slots + 1), by = (below(3) - 1) * per_day / 24;
	const bool nonsense = below(10) == 0;
	int now = below(7 * per_day);

	for (int t = 0; t < slots; t++) {
		phase[t] = nonsense ? below(7 * per_day) : now;
		now = (now + 1 + (t == change ? by : 0) + 7 * per_day) % (7 * per_day);
	}
}

static void check_random(void)
{
	static const int lengths[] = {24, 48, 96, 288};
	int wrong = 0;

	for (int trial = 0; trial < 400; trial++) {
		const int per_day = lengths[below(4)], horizon = 1 + below(3 * per_day);
		const int length = below(10) == 0 ? below(30) : below((per_day > 96 ? 20 : 90) * per_day);
		const int kind = below(8);
		eumf_k_input in = {.slots_per_day = per_day,
		                   .history = length,
		                   .history_kw = history,
		                   .history_phase = phase,
		                   .horizon = horizon,
		                   .horizon_phase = phase + length,
		                   .kind = (eumf_k_kind)below(2),
		                   .method = (eumf_k_method)below(EUMF_K_METHODS),
		                   .temperature_c = below(2) ? temperature : NULL,
		                   .horizon_temperature_c = temperature + length};

		number_slots(length + horizon, per_day);
		for (int t = 0; t < length + horizon; t++) {
			history[t] = odd_value(kind, t);
			temperature[t] = uniform() < 0.1 ? NAN : 60 * uniform() - 20;
		}
		if (kind == 2)
			for (int t = 0; t < length; t++)
				history[t] *= 1e-291; /* a thousand million kW */
		if (eumf_k(&in, &forecast, &out) != OUTCOME_OK || !orderly(horizon)) {
			printf("# trial %d: %d slots a day, %d of history of kind %d, method %d\n", trial,
			       per_day, length, kind, in.method);
			wrong++;
		}
	}
	ok(wrong == 0, "400 odd histories give finite quantiles in order, %d do not", wrong);
}

static void make_household(int slots)
{
	for (int t = 0; t < slots; t++) {
		phase[t] = t % WEEK;
		history[t] = 0.2 + exp(-pow((t % DAY - 19) / 2.0, 2)) + (t / DAY % 7 >= 5 ? 0.4 : 0) +
		             0.2 * uniform();
	}
}

static eumf_k_input household(int days)
{
	return (eumf_k_input){.slots_per_day = DAY,
	                      .history = days * DAY,
	                      .history_kw = history,
	                      .history_phase = phase,
	                      .horizon = DAY,
	                      .horizon_phase = phase + days * DAY};
}

static double mean_of(const double *value)
{
	double sum = 0;

	for (int h = 0; h < DAY; h++)
		sum += value[h] / DAY;
	return sum;
}

static void check_backtest(void)
{
	eumf_backtest_input in = {.slots = 57 * DAY,
	                          .slots_per_day = DAY,
	                          .series_kw = history,
	                          .phase = phase,
	                          .first = 56 * DAY,
	                          .step = DAY,
	                          .horizon = DAY,
	                          .history_days = 56};
	eumf_backtest_sums as_was[EUMF_K_METHODS], raised[EUMF_K_METHODS], none[EUMF_K_METHODS];
	double error = 0;
	int wrong = 0;

	make_household(70 * DAY);
	eumf_backtest(&in, as_was, &out);
	for (int t = 56 * DAY; t < 57 * DAY; t++)
		error += fabs(history[t] - history[t - WEEK]);
	close_to(as_was[EUMF_K_LAST_WEEK].absolute_kw, error, 1e-12,
	         "the error of last week is what it is");
	ok(as_was[EUMF_K_COMBINED].absolute_kw < error && as_was[EUMF_K_COMBINED].slots == DAY,
	   "EUMF-K's is less");
	for (int t = 56 * DAY; t < 57 * DAY; t++)
		history[t] += 1000;
	eumf_backtest(&in, raised, &out);
	for (int t = 56 * DAY; t < 57 * DAY; t++)
		history[t] -= 1000;
	eumf_backtest(&in, as_was, &out);
	for (int method = 0; method < EUMF_K_METHODS; method++) {
		double above = 0; /* of what was, signed: the median's error is counted both ways */

		eumf_k_input one = household(56);
		one.method = (eumf_k_method)method;
		eumf_k(&one, &forecast, &out);
		for (int h = 0; h < DAY; h++)
			above +=
			    1000 + history[56 * DAY + h] -
			    (method == EUMF_K_LAST_DAY || method == EUMF_K_LAST_WEEK ? room[0][h] : room[2][h]);
		wrong += fabs(above - raised[method].absolute_kw) > 1e-6;
	}
	ok(wrong == 0, "a forecast is the same whatever comes after its origin");
	for (int t = 56 * DAY; t < 70 * DAY; t++)
		history[t] = NAN;
	in.slots = 70 * DAY;
	in.first = 56 * DAY;
	in.step = 100 * DAY;
	ok(eumf_backtest(&in, none, &out) == OUTCOME_OK && none[0].slots == 0 && none[0].origins == 1,
	   "slots that were not measured are not judged");
	in.first = in.slots;
	ok(eumf_backtest(&in, none, &out) == OUTCOME_BAD_INPUT, "no origin is refused: %s",
	   out.message);
}

static void check_days_of_other_kinds(void)
{
	eumf_k_input in;
	int sunday[DAY];
	double thursday;

	make_household(60 * DAY);
	in = household(52); /* until a Wednesday */
	eumf_k(&in, &forecast, &out);
	thursday = mean_of(room[0]);
	for (int h = 0; h < DAY; h++)
		sunday[h] = 6 * DAY + h;
	in.horizon_phase = sunday;
	eumf_k(&in, &forecast, &out);
	ok(mean_of(room[0]) > thursday + 0.25, "a holiday is forecast as a Sunday (%.2f, %.2f kW)",
	   mean_of(room[0]), thursday);
	in = household(52);
	for (int t = 50 * DAY; t < 52 * DAY; t++)
		history[t] = NAN;
	eumf_k(&in, &forecast, &out);
	ok(fabs(mean_of(room[0]) - thursday) < 0.06,
	   "two days that a meter has not reported yet do not matter much");
}

/* Heated when it is cold, which it is by spells. */
static void check_temperature(void)
{
	double level = 10, without, with;
	eumf_k_input in;

	make_household(57 * DAY);
	for (int day = 0; day < 57; day++) {
		level = day == 56 ? -8 : 10 + 0.7 * (level - 10) + 6 * (uniform() - 0.5);
		for (int t = day * DAY; t < (day + 1) * DAY; t++) {
			temperature[t] = level;
			history[t] += 0.1 * fmax(15 - level, 0);
		}
	}
	in = household(56);
	eumf_k(&in, &forecast, &out);
	without = mean_of(history + 56 * DAY) - mean_of(room[0]);
	in.temperature_c = temperature;
	in.horizon_temperature_c = temperature + 56 * DAY;
	eumf_k(&in, &forecast, &out);
	with = mean_of(history + 56 * DAY) - mean_of(room[0]);
	ok(fabs(with) < 0.5 * fabs(without),
	   "a cold day that is foreseen is heated (%.2f, %.2f kW off)", with, without);
}

static void check_standard(void)
{
	static const int days[] = {1, 7, 28};
	double standard[WEEK], at_night[3];
	eumf_k_input in;

	make_household(60 * DAY);
	for (int k = 0; k < WEEK; k++)
		standard[k] = k % DAY == 3 ? 2 : 0.3;
	in = household(0);
	in.standard_kw = standard;
	eumf_k(&in, &forecast, &out);
	close_to(room[0][3], 2, 0.35, "without history the standard profile is the forecast");
	for (int k = 0; k < 3; k++) {
		in = household(days[k]);
		in.standard_kw = standard;
		eumf_k(&in, &forecast, &out);
		at_night[k] = room[0][3];
	}
	ok(at_night[0] > at_night[1] && at_night[1] > at_night[2] && at_night[2] < 0.5,
	   "it wears off as days come: %.2f, %.2f, %.2f kW after 1, 7, 28", at_night[0], at_night[1],
	   at_night[2]);
}

static void check_production(void)
{
	eumf_k_input in;
	int wrong = 0;

	history[0] = 1e13;
	in = household(56);
	ok(eumf_k(&in, &forecast, &out) == OUTCOME_BAD_INPUT, "more than can be is refused: %s",
	   out.message);
	make_household(60 * DAY);
	for (int t = 0; t < 60 * DAY; t++)
		history[t] = fmax(0, 3 * cos((t % DAY - 12) / 24.0 * 6.2832)) * uniform();
	in = household(56);
	in.kind = EUMF_K_PRODUCTION;
	eumf_k(&in, &forecast, &out);
	for (int h = 0; h < DAY; h++)
		wrong += (h < 5 || h > 19) && room[3][h] > 0;
	ok(wrong == 0 && room[0][12] > 1 && room[3][12] < 3.4,
	   "the sun shines by day, and no more than it did (%.2f kW)", room[0][12]);
}

int main(void)
{
	printf("# seed %llu\n", (unsigned long long)seed);
	check_random();
	check_backtest();
	check_days_of_other_kinds();
	check_temperature();
	check_standard();
	check_production();
	ok(eumf_k_method_of("regression") == EUMF_K_REGRESSION &&
	       eumf_k_method_of("magic") == EUMF_K_METHODS,
	   "methods have names");
	return tap_done();
}
