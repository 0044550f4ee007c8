/* Energy of slots packed into blocks, and summed to longer ones (DESIGN.md section 6). */
#include "../../extension/core/series/energy_block.h"
#include "tap.h"

#include <stdlib.h>

enum { DAY = 96 };

static uint64_t seed = 20230519;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 33;
}

/* Slots known in runs, as meters are: numbers of counts of a scale, or any. */
static void random_slots(energy_slots *slots, double scale)
{
	int quality = 0, covered = 1;

	energy_slots_clear(slots, (int)(next_random() % (ENERGY_SLOTS_MOST + 1)));
	for (int s = 0; s < slots->count; s++) {
		if (next_random() % 20 == 0) {
			quality = (int)(next_random() % 3);
			covered = (int)(next_random() % 5);
		}
		slots->covered[s] = covered;
		if (covered == 0)
			continue;
		slots->quality[s] = (uint8_t)quality;
		slots->kwh[s] = scale > 0 ? scale * (double)(next_random() % 2000)
		                          : (double)next_random() / 1e9 * (next_random() % 9 ? 1 : -1);
	}
}

static bool same(const energy_slots *a, const energy_slots *b, double tolerance)
{
	if (a->count != b->count)
		return false;
	for (int s = 0; s < a->count; s++)
		if (a->covered[s] != b->covered[s] || a->quality[s] != b->quality[s] ||
		    !(fabs(a->kwh[s] - b->kwh[s]) <= tolerance))
			return false;
	return true;
}

/* Through a block of exactly its size, so that the sanitizer sees a read beyond it. */
static bool round_trip(const energy_slots *slots, energy_slots *back, size_t *size)
{
	uint8_t *block = malloc(energy_block_bound(slots->count)), *exact;
	outcome out;
	bool read;

	*size = energy_block_encode(slots, block);
	exact = malloc(*size);
	memcpy(exact, block, *size);
	read = *size <= energy_block_bound(slots->count) &&
	       energy_block_decode(exact, *size, back, &out) == OUTCOME_OK;
	free(block);
	free(exact);
	return read;
}

static void check_round_trip(void)
{
	static const double scales[] = {0.001, 0.01, 1, 1e-6, 1.0 / 3600, 0};
	static energy_slots slots, back, again;
	int wrong = 0, unstable = 0;
	size_t size;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 3000; trial++) {
		random_slots(&slots, scales[trial % 6]);
		wrong += !round_trip(&slots, &back, &size) || !same(&slots, &back, 5.1e-10);
		unstable += !round_trip(&back, &again, &size) || !same(&back, &again, 0);
	}
	ok(wrong == 0,
	   "3,000 blocks of any energy come back to 1e-9 kWh, as well known as they were "
	   "(%d wrong)",
	   wrong);
	ok(unstable == 0, "what came back is packed to the same again (%d not)", unstable);
}

static void check_large(void)
{
	static energy_slots slots, back;
	size_t size;

	energy_slots_clear(&slots, 3);
	for (int s = 0; s < 3; s++)
		slots.covered[s] = 1;
	slots.kwh[0] = 1.0 / 3;
	slots.kwh[1] = 1e300;
	slots.kwh[2] = -4e9 / 3;
	ok(round_trip(&slots, &back, &size) && same(&slots, &back, 0),
	   "values too large for nine decimals are kept as they are");
	slots.kwh[1] = 1e15;
	slots.kwh[2] = 0;
	ok(round_trip(&slots, &back, &size) && same(&slots, &back, 0),
	   "... also where each alone would have its decimals");
}

static void check_year(void)
{
	enum { LEAP_YEAR = 366, MINUTES = 1440 };
	static energy_slots day, year, back;
	size_t size;

	energy_slots_clear(&day, 1);
	day.covered[0] = MINUTES;
	energy_slots_clear(&year, 1);
	for (int d = 0; d < LEAP_YEAR; d++)
		energy_slots_add(&year, 0, &day, 0);
	ok(round_trip(&year, &back, &size) && back.covered[0] == LEAP_YEAR * MINUTES,
	   "a leap year of minutes is covered entirely: %d", back.covered[0]);
}

static void check_size(void)
{
	static energy_slots slots, back;
	size_t size;

	energy_slots_clear(&slots, DAY);
	for (int s = 0; s < DAY; s++) {
		slots.covered[s] = 1;
		slots.kwh[s] = 0.001 * (double)(next_random() % 500);
	}
	round_trip(&slots, &back, &size);
	ok(size <= 2 * DAY + 8, "a day of quarters in Wh takes %zu bytes, 2 a slot at most", size);
	ok(back.kwh[7] == round(1000 * slots.kwh[7]) / 1000, "... and comes back as plain decimals");
	energy_slots_clear(&slots, DAY);
	round_trip(&slots, &back, &size);
	ok(size <= 8 && !energy_slots_known(&back), "a day of which nothing is known takes %zu", size);
}

static void check_hostile(void)
{
	static energy_slots slots, back;
	uint8_t block[20000];
	size_t size;
	int accepted = 0, wild = 0;
	outcome out;

	random_slots(&slots, 0.001);
	size = energy_block_encode(&slots, block);
	for (size_t short_size = 0; short_size < size; short_size++) {
		uint8_t *cut = malloc(short_size + 1);

		memcpy(cut, block, short_size);
		accepted += energy_block_decode(cut, short_size, &back, &out) == OUTCOME_OK;
		free(cut);
	}
	ok(accepted == 0, "a block that is cut anywhere is refused: %s", out.message);
	for (int trial = 0; trial < 20000; trial++) {
		uint8_t *cut = malloc(size);

		memcpy(cut, block, size);
		for (int i = 0; i < 3; i++)
			cut[next_random() % (i == 0 ? 20 : size)] = (uint8_t)next_random();
		if (energy_block_decode(cut, size, &back, &out) == OUTCOME_OK)
			for (int s = 0; s < back.count; s++)
				wild += !isfinite(back.kwh[s]) || back.quality[s] > INTERVAL_ESTIMATED;
		free(cut);
	}
	ok(wild == 0, "20,000 blocks with wrong bytes are refused or have sane slots");
	block[0] = 2;
	ok(energy_block_decode(block, size, &back, &out) == OUTCOME_BAD_INPUT,
	   "another version is refused");
}

/* Sums of what was packed are whole numbers of the same unit: packed again, nothing is lost. */
static void check_sums(void)
{
	static energy_slots slots, sums, back;
	int wrong = 0;
	size_t size;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 1000; trial++) {
		int per = 1 + (int)(next_random() % 48);

		random_slots(&slots, 0.001);
		energy_slots_sum(&slots, per, &sums);
		if (sums.count != slots.count / per || !round_trip(&sums, &back, &size))
			wrong++;
		for (int s = 0; s < sums.count; s++) {
			int64_t wh = 0;
			int covered = 0, quality = 0;

			for (int i = s * per; i < (s + 1) * per; i++) {
				wh += slots.covered[i] > 0 ? (int64_t)round(1000 * slots.kwh[i]) : 0;
				covered += slots.covered[i];
				if (slots.covered[i] > 0 && slots.quality[i] > quality)
					quality = slots.quality[i];
			}
			wrong += back.kwh[s] != (double)wh / 1000 || back.covered[s] != covered ||
			         back.quality[s] != quality;
		}
	}
	ok(wrong == 0,
	   "1,000 times longer slots have the exact sum of their parts, their coverage and the worst "
	   "quality (%d wrong)",
	   wrong);
}

int main(void)
{
	check_round_trip();
	check_large();
	check_year();
	check_size();
	check_hostile();
	check_sums();
	return tap_done();
}
