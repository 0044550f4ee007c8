/* How far changed readings reach, and how many are enough (DESIGN.md section 6). */
#include "../../extension/core/series/interval_reach.h"
#include "tap.h"

#include <stdlib.h>

enum { SLOT = 10, SLOTS = 60, READINGS_MOST = 40, TRIALS = 200000 };

static const register_epoch epochs[] = {{1, 0}, {1, 0}};
static uint64_t seed = 20240324;

static uint32_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* A counter read at odd times, every third reading out of line on average, now and then exchanged.
 */
static int random_readings(register_reading *readings)
{
	int count = (int)(next_random() % READINGS_MOST), epoch_from = (int)(next_random() % 80);
	int64_t at = next_random() % SLOT, raw = 0;

	for (int i = 0; i < count; i++) {
		at += 1 + next_random() % (2 * SLOT);
		raw += next_random() % 20;
		readings[i] = (register_reading){at, raw + (next_random() % 3 ? 0 : next_random() % 200),
		                                 i >= epoch_from};
	}
	return count;
}

/* Changes or removes the readings of [from, until]; returns how many are left. */
static int change(register_reading *readings, int count, int64_t from, int64_t until)
{
	bool remove = next_random() % 2;
	int left = 0;

	for (int i = 0; i < count; i++) {
		bool within = readings[i].at_us >= from && readings[i].at_us <= until;

		if (within && remove)
			continue;
		readings[left] = readings[i];
		readings[left++].raw += within ? (int64_t)(next_random() % 300) - 150 : 0;
	}
	return left;
}

static void energy_of(const register_reading *readings, int count, int64_t gap_limit, double *kwh)
{
	interval_grid grid = {0, SLOT, SLOTS, 15, gap_limit, 1e30};
	interval_quality quality[SLOTS];
	outcome out;

	if (interval_energy(readings, count, epochs, 2, &grid, kwh, quality, &out) != OUTCOME_OK)
		abort();
}

static bool alike(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) < 1e-9;
}

static void check_reach(void)
{
	register_reading before[READINGS_MOST], after[READINGS_MOST];
	double old[SLOTS], new[SLOTS], part[SLOTS];
	int missed = 0, differing = 0, enough = 0;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < TRIALS; trial++) {
		int count = random_readings(before), left, first, taken;
		int64_t from = next_random() % (SLOT * SLOTS), until = from + next_random() % (5 * SLOT);
		int64_t gap_limit = trial % 2 ? 50 : 1000, reach_from = from, reach_until = until;
		readings_at_hand all, hand;

		memcpy(after, before, sizeof(after));
		left = change(after, count, from, until);
		energy_of(before, count, gap_limit, old);
		energy_of(after, left, gap_limit, new);
		all = (readings_at_hand){after, left, true, true, gap_limit};
		missed += !interval_reach(&all, &reach_from, &reach_until);
		for (int s = 0; s < SLOTS; s++)
			missed +=
			    !alike(old[s], new[s]) && (reach_until <= s * SLOT || reach_from >= (s + 1) * SLOT);

		first = (int)(next_random() % (left + 1));
		taken = (int)(next_random() % (left - first + 1));
		hand =
		    (readings_at_hand){after + first, taken, first == 0, first + taken == left, gap_limit};
		if (interval_reach(&hand, &from, &until)) {
			enough++;
			missed += from > reach_from || until < reach_until;
		}
		from = (int64_t)(next_random() % SLOTS) * SLOT;
		until = from + 5 * SLOT;
		if (!interval_readings_suffice(&hand, from, until))
			continue;
		energy_of(hand.readings, hand.count, gap_limit, part);
		for (int s = (int)(from / SLOT); s < SLOTS && s * SLOT < until; s++)
			differing += !alike(new[s], part[s]);
	}
	ok(missed == 0, "a change changes energy nowhere beyond where it is said to reach (%d missed)",
	   missed);
	ok(enough > TRIALS / 100, "... which some of the readings are enough to tell (%d times)",
	   enough);
	ok(differing == 0, "where some are enough, energy is that of all (%d slots differ)", differing);
}

int main(void)
{
	check_reach();
	return tap_done();
}
