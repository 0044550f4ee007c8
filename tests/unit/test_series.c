/* Interval energy, histories of homes, step functions on slots (DESIGN.md sections 3 and 6). */
#include "../../extension/core/series/home_history.h"
#include "../../extension/core/series/interval_energy.h"
#include "../../extension/core/series/reading_gaps.h"
#include "../../extension/core/series/slot_means.h"
#include "tap.h"

#include <stdlib.h>

static uint64_t seed = 20230517;

static uint32_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

enum { READINGS = 200, SLOT = 900, MODULUS = 100000 };

/* Readings at random times over the grid, one at each of its ends; the counter rolls over. */
static double random_history(register_reading *readings, int *count, int slots, bool roll)
{
	int64_t end = (int64_t)slots * SLOT, at = 0, total = next_random() % MODULUS, first = total;

	*count = 0;
	while (*count < READINGS) {
		readings[*count] = (register_reading){at, roll ? total % MODULUS : total, 0};
		++*count;
		if (at == end)
			break;
		at += 1 + next_random() % (3 * SLOT);
		if (at > end || *count == READINGS - 1)
			at = end;
		total += next_random() % (MODULUS / 8);
	}
	return (double)(total - first);
}

static void check_sums(void)
{
	register_reading readings[READINGS];
	double kwh[64];
	interval_quality quality[64];
	int wrong = 0;
	outcome out;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 2000; trial++) {
		int slots = 1 + (int)(next_random() % 64), count;
		double rise = random_history(readings, &count, slots, trial % 2 == 0), sum = 0;
		register_epoch epoch = {0.01, MODULUS};
		interval_grid grid = {0, SLOT, slots, 3600, 1000000, 1e30};

		if (interval_energy(readings, count, &epoch, 1, &grid, kwh, quality, &out) != OUTCOME_OK) {
			wrong++;
			continue;
		}
		for (int s = 0; s < slots; s++)
			sum += kwh[s];
		if (!(fabs(sum - rise * 0.01) <= 1e-9 * fmax(1, rise)))
			wrong++;
	}
	ok(wrong == 0, "2,000 random histories: the slots sum to the register's rise (%d wrong)",
	   wrong);
}

static void check_edges(void)
{
	register_reading readings[] = {{450, 0, 0}, {1350, 90, 0}, {2700, 225, 0}};
	register_epoch epochs[] = {{1, 0}, {0, 0}};
	interval_grid grid = {0, SLOT, 4, 3600, 1000000, 1e30};
	double kwh[4];
	interval_quality quality[4];
	outcome out;

	interval_energy(readings, 3, epochs, 1, &grid, kwh, quality, &out);
	ok(isnan(kwh[0]) && isnan(kwh[3]), "slots that are not covered entirely are not known");
	close_to(kwh[1], 45 + 45, 1e-12, "a slot takes its share of each pair of readings");
	ok(quality[1] == INTERVAL_INTERPOLATED && quality[2] == INTERVAL_INTERPOLATED,
	   "a boundary between readings is interpolated");
	interval_energy(readings, 0, epochs, 1, &grid, kwh, quality, &out);
	ok(isnan(kwh[1]), "no reading, no energy");
	ok(interval_energy(readings, 3, epochs, 2, &grid, kwh, quality, &out) == OUTCOME_BAD_INPUT,
	   "a scale of zero is refused: %s", out.message);
	ok(interval_energy(readings, 3, epochs, 0, &grid, kwh, quality, &out) == OUTCOME_BAD_INPUT,
	   "an epoch that is not there is refused: %s", out.message);
	readings[2].at_us = 1350;
	ok(interval_energy(readings, 3, epochs, 1, &grid, kwh, quality, &out) == OUTCOME_BAD_INPUT,
	   "two readings at one time are refused: %s", out.message);
	grid.slots = 0;
	ok(interval_energy(readings, 2, epochs, 1, &grid, kwh, quality, &out) == OUTCOME_BAD_INPUT,
	   "an empty grid is refused: %s", out.message);
}

static void check_faults(void)
{
	register_epoch epoch = {1, 0};
	interval_grid grid = {0, SLOT, 3, 3600, 1000000, 1e30};
	register_reading dip[] = {{0, 500, 0}, {900, 0, 0}, {1800, 560, 0}, {2700, 590, 0}};
	register_reading spike[] = {{0, 500, 0}, {900, INT64_MAX, 0}, {1800, 560, 0}, {2700, 590, 0}};
	register_reading last[] = {{0, 500, 0}, {900, 530, 0}, {1800, 560, 0}, {2700, INT64_MAX, 0}};
	register_reading ends[] = {{0, INT64_MIN, 0}, {2700, INT64_MAX, 0}};
	double kwh[3];
	interval_quality quality[3];
	outcome out;

	interval_energy(dip, 4, &epoch, 1, &grid, kwh, quality, &out);
	ok(kwh[0] == 30 && kwh[1] == 30 && kwh[2] == 30, "a single 0 among counts makes no energy");
	interval_energy(spike, 4, &epoch, 1, &grid, kwh, quality, &out);
	ok(kwh[0] == 30 && kwh[1] == 30 && kwh[2] == 30, "... nor does a single spike");
	grid.plausible_kw = 1e12;
	interval_energy(last, 4, &epoch, 1, &grid, kwh, quality, &out);
	ok(kwh[1] == 30 && isnan(kwh[2]), "a rise beyond what is plausible is no energy");
	grid.plausible_kw = 1e300;
	interval_energy(ends, 2, &epoch, 1, &grid, kwh, quality, &out);
	ok(kwh[0] > 0, "the widest difference does not overflow");
	grid.gap_limit_us = 800;
	interval_energy(dip, 4, &epoch, 1, &grid, kwh, quality, &out);
	ok(isnan(kwh[0]) && isnan(kwh[1]) && isnan(kwh[2]),
	   "over a gap beyond the limit nothing is known");
}

static void check_faults_told(void)
{
	const register_epoch epochs[] = {{1, 1000}, {1, 1000}};
	const register_reading readings[] = {
	    {0, 700, 0},    {900, 5, 0},    {1800, 720, 0}, {2700, 730, 0}, /* an outlier */
	    {3600, 10, 0},  {4500, 20, 0},                                  /* a reset */
	    {5400, 800, 0}, {6300, 810, 0},                                 /* a jump */
	    {7200, 760, 1}, {8100, 990, 1}, {9000, 5, 1},                   /* exchange, rollover */
	};
	const int count = (int)(sizeof(readings) / sizeof(readings[0]));
	register_faults faults = register_faults_of(readings, count, epochs, 1e10);

	ok(faults.outliers == 1 && faults.resets == 1 && faults.jumps == 0,
	   "outliers and resets are told from exchanges and rollovers");
	/* Times are microseconds here: 780 kWh in 900 us are 3.12e9 kW, 230 are 0.92e9. */
	ok(register_faults_of(readings, count, epochs, 3.2e9).jumps == 0 &&
	       register_faults_of(readings, count, epochs, 3e9).jumps == 1 &&
	       register_faults_of(readings, count, epochs, 9e8).jumps == 2,
	   "a jump is faster than is plausible");
	faults = register_faults_of(readings, 0, epochs, 1);
	ok(faults.outliers + faults.resets + faults.jumps == 0, "no reading, no fault");
}

static void check_gaps(void)
{
	const register_reading readings[] = {{0, 0, 0},  {10, 0, 0}, {20, 0, 0}, {50, 0, 0},
	                                     {60, 0, 0}, {74, 0, 0}, {90, 0, 0}, {100, 0, 0}};
	reading_gaps gaps;
	int64_t room[8];

	gaps = reading_gaps_of(readings, 8, room);
	ok(gaps.usual_us == 10 && gaps.gaps == 2 && gaps.missing == 3 && gaps.longest_us == 30 &&
	       gaps.longest_from_us == 20,
	   "gaps are what is longer than one and a half of the usual interval");
	gaps = reading_gaps_of(readings, 2, room);
	ok(gaps.usual_us == 10 && gaps.gaps == 0, "two readings have an interval and no gap");
	gaps = reading_gaps_of(readings, 1, room);
	ok(gaps.usual_us == 0 && gaps.gaps == 0, "one has none");
}

static void check_step_functions(void)
{
	const series_step hours[] = {{0, 3600, 1}, {3600, 3600, 3}, {7200, 3600, NAN}};
	double means[8], weights[8];

	slot_means(hours, 3, 0, 900, 8, means, weights);
	ok(means[0] == 1 && means[3] == 1 && means[4] == 3 && means[7] == 3,
	   "hourly prices hold in their quarters");
	slot_means(hours, 3, -1800, 7200, 3, means, weights);
	close_to(means[0], (1 * 3600 + 3 * 1800) / 5400.0, 1e-12,
	         "a slot of several steps has their mean, over the part that they cover");
	close_to(means[1], 3, 1e-12, "what is not known does not count");
	ok(isnan(means[2]), "a slot without a step is not known");
	slot_means(hours, 0, 0, 900, 1, means, weights);
	ok(isnan(means[0]), "no steps, nothing known");
}

static void check_home_history(void)
{
	double demand[4] = {0}, production[4] = {0}, demand_kw[2], production_kw[2];
	int registers[4] = {0};
	home_history history = {4, demand, production, registers};
	const double drawn[] = {9, 0.5, 0.5, 0.25, 0.25, 9}, produced[] = {1, 1, NAN, 1};

	home_history_add(&history, -1, drawn, 6, 1, 0);
	home_history_means(&history, 1, 2, 0.25, demand_kw, production_kw);
	ok(demand_kw[0] == 2 && demand_kw[1] == 1, "energy of quarters becomes mean power");
	home_history_add(&history, 0, produced, 4, 1, 1);
	home_history_means(&history, 2, 2, 0.25, demand_kw, production_kw);
	ok(demand_kw[0] == 6 && production_kw[0] == 4, "what is produced and not fed in is used");
	ok(isnan(demand_kw[1]) && isnan(production_kw[1]),
	   "where one register is not known, nothing is");
	home_history_means(&history, 0, 2, 0.25, demand_kw, production_kw);
	ok(isnan(demand_kw[0]), "a home without registers has no history");
}

int main(void)
{
	check_sums();
	check_edges();
	check_faults();
	check_faults_told();
	check_gaps();
	check_step_functions();
	check_home_history();
	return tap_done();
}
