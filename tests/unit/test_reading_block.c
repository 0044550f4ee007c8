/* Readings packed into blocks, and arrivals in any order merged into them (DESIGN.md section 6). */
#include "../../extension/core/series/interval_energy.h"
#include "../../extension/core/series/reading_block.h"
#include "tap.h"

#include <stdlib.h>

enum { MOST = 256, DAY_READINGS = 96 };

static const int64_t SECOND_US = 1000000, SLOT_US = 900 * INT64_C(1000000);
static uint64_t seed = 20230518;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 33;
}

static int64_t wild_number(void)
{
	uint64_t wide = next_random() << 33 ^ next_random() << 10 ^ next_random();

	return (int64_t)(wide >> next_random() % 64) * (next_random() % 2 ? 1 : -1);
}

static bool same(const stored_reading *a, const stored_reading *b)
{
	return a->measured_us == b->measured_us && a->received_us == b->received_us &&
	       a->raw == b->raw && a->gateway_id == b->gateway_id && a->record_no == b->record_no &&
	       a->has_gateway == b->has_gateway && a->has_record == b->has_record;
}

static stored_reading wild_reading(void)
{
	stored_reading reading = {.measured_us = wild_number(), .received_us = wild_number()};

	reading.raw = next_random() % 8 ? wild_number() : INT64_MIN;
	reading.has_gateway = next_random() % 2;
	reading.has_record = next_random() % 2;
	reading.gateway_id = reading.has_gateway ? wild_number() : 0;
	reading.record_no = reading.has_record ? wild_number() : 0;
	return reading;
}

static void check_round_trip(void)
{
	static stored_reading readings[MOST], back[MOST];
	int wrong = 0, count;
	outcome out;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 5000; trial++) {
		int wanted = (int)(next_random() % MOST);
		uint8_t *block = malloc(reading_block_bound(wanted));
		size_t size;

		for (int i = 0; i < wanted; i++)
			readings[i] = wild_reading();
		size = reading_block_encode(readings, wanted, block);
		if (size > reading_block_bound(wanted) ||
		    reading_block_count(block, size, &count, &out) != OUTCOME_OK || count != wanted ||
		    reading_block_decode(block, size, back, count, &out) != OUTCOME_OK)
			wrong++;
		else
			for (int i = 0; i < wanted; i++)
				wrong += !same(&readings[i], &back[i]);
		free(block);
	}
	ok(wrong == 0, "5,000 blocks of any numbers come back as they were (%d wrong)", wrong);
}

/* A day as a gateway sends it: even times, a counter that rises, arrivals some seconds later. */
static void regular_day(stored_reading *readings, int64_t wh_most)
{
	int64_t raw = 12345678;

	for (int i = 0; i < DAY_READINGS; i++) {
		raw += (int64_t)next_random() % wh_most;
		readings[i] = (stored_reading){.measured_us = 800000000000000 + i * SLOT_US,
		                               .raw = raw,
		                               .gateway_id = INT64_C(3) << 40 | 4711,
		                               .record_no = 100000 + 2 * i,
		                               .has_gateway = true,
		                               .has_record = true};
		readings[i].received_us =
		    readings[i].measured_us + 1000 * (int64_t)(500 + next_random() % 3000);
	}
}

static void check_size(void)
{
	stored_reading readings[DAY_READINGS];
	uint8_t block[DAY_READINGS * 60];
	double size;

	regular_day(readings, 500);
	size = (double)reading_block_encode(readings, DAY_READINGS, block);
	ok(size / DAY_READINGS <= 6, "a regular reading takes %.2f bytes, 6 at most",
	   size / DAY_READINGS);
}

static void check_hostile(void)
{
	stored_reading readings[DAY_READINGS], back[DAY_READINGS];
	uint8_t block[DAY_READINGS * 60], *cut;
	size_t size;
	int accepted = 0, count;
	outcome out;

	regular_day(readings, 500);
	size = reading_block_encode(readings, DAY_READINGS, block);
	for (size_t short_size = 0; short_size < size; short_size++) {
		/* A block of its own, so that the sanitizer sees a read beyond it. */
		cut = malloc(short_size + 1);
		memcpy(cut, block, short_size);
		if (reading_block_count(cut, short_size, &count, &out) == OUTCOME_OK &&
		    reading_block_decode(cut, short_size, back, count, &out) == OUTCOME_OK)
			accepted++;
		free(cut);
	}
	ok(accepted == 0, "a block that is cut anywhere is refused: %s", out.message);
	for (int trial = 0; trial < 20000; trial++) {
		cut = malloc(size);
		memcpy(cut, block, size);
		for (int i = 0; i < 3; i++)
			cut[next_random() % size] = (uint8_t)next_random();
		if (reading_block_count(cut, size, &count, &out) == OUTCOME_OK && count <= DAY_READINGS)
			reading_block_decode(cut, size, back, count, &out);
		free(cut);
	}
	ok(true, "20,000 blocks with wrong bytes are read without harm");
	block[0] = 2;
	ok(reading_block_count(block, size, &count, &out) == OUTCOME_BAD_INPUT,
	   "another version is refused");
}

static int by_time(const void *left, const void *right)
{
	const stored_reading *a = left, *b = right;

	if (a->measured_us != b->measured_us)
		return a->measured_us < b->measured_us ? -1 : 1;
	return a->received_us < b->received_us ? -1 : a->received_us > b->received_us;
}

static void shuffle(stored_reading *readings, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int j = (int)(next_random() % (uint64_t)(i + 1));
		stored_reading kept = readings[i];

		readings[i] = readings[j];
		readings[j] = kept;
	}
}

/* Merges arrivals in batches of random size into stored; returns how many are stored. */
static int merge_in_batches(const stored_reading *arrivals, int count, stored_reading *stored,
                            int *replaced_count, bool *changes_told)
{
	stored_reading batch[MOST], next[2 * MOST], replaced[2 * MOST];
	int have = 0;

	*replaced_count = 0;
	for (int done = 0, size; done < count; done += size) {
		reading_merge_result result;

		size = 1 + (int)(next_random() % 40);
		size = size > count - done ? count - done : size;
		memcpy(batch, arrivals + done, (size_t)size * sizeof(*batch));
		qsort(batch, (size_t)size, sizeof(*batch), by_time);
		result = reading_merge(stored, have, batch, size, next, replaced);
		*replaced_count += result.replaced;
		if (result.rewritten !=
		    (result.stored != have || memcmp(next, stored, (size_t)have * sizeof(*next)) != 0))
			*changes_told = false;
		have = result.stored;
		memcpy(stored, next, (size_t)have * sizeof(*next));
	}
	return have;
}

static bool same_counts(const stored_reading *a, const stored_reading *b, int count)
{
	for (int i = 0; i < count; i++)
		if (a[i].measured_us != b[i].measured_us || a[i].raw != b[i].raw ||
		    a[i].received_us != b[i].received_us)
			return false;
	return true;
}

/* Up to 60 times with one to four values each, also one that comes again after another, of which
 * the last received stands. */
static int random_arrivals(stored_reading *arrivals, stored_reading *truth, int *times)
{
	int count = 0;

	*times = 1 + (int)(next_random() % 60);
	for (int t = 0; t < *times; t++) {
		int values = 1 + (next_random() % 4 == 0) + 2 * (next_random() % 8 == 0);

		for (int v = 0; v < values; v++) {
			truth[t] = (stored_reading){.measured_us = t * SLOT_US,
			                            .received_us = t * SLOT_US + v * SECOND_US,
			                            .raw = 10 * t + (int64_t)next_random() % 3};
			arrivals[count++] = truth[t];
		}
	}
	return count;
}

static void check_merge(void)
{
	static stored_reading arrivals[MOST], truth[MOST], stored[2 * MOST];
	int wrong = 0, lost = 0;
	bool changes_told = true;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 5000; trial++) {
		int times, replaced, more, count = random_arrivals(arrivals, truth, &times);
		int have;

		shuffle(arrivals, count);
		have = merge_in_batches(arrivals, count, stored, &replaced, &changes_told);
		if (have != times || !same_counts(stored, truth, times))
			wrong++;
		if (have + replaced > count)
			lost++;
		/* All of it again, as after a restore: nothing is new but values that came and went. */
		qsort(arrivals, (size_t)count, sizeof(*arrivals), by_time);
		have = merge_in_batches(arrivals, count, stored, &more, &changes_told);
		if (have != times || !same_counts(stored, truth, times))
			wrong++;
	}
	ok(wrong == 0,
	   "5,000 times readings and corrections in any order and batches: each time once, with the "
	   "value received last, and when (%d wrong)",
	   wrong);
	ok(lost == 0, "no value is told twice");
	ok(changes_told, "a merge tells whether it changed anything");
}

static void check_history(void)
{
	const stored_reading old[] = {{.measured_us = 5, .raw = 1, .received_us = 10}};
	const stored_reading arrivals[] = {{.measured_us = 5, .raw = 2, .received_us = 20},
	                                   {.measured_us = 5, .raw = 2, .received_us = 30},
	                                   {.measured_us = 5, .raw = 1, .received_us = 40},
	                                   {.measured_us = 9, .raw = 7, .received_us = 40}};
	stored_reading stored[8], replaced[8];
	reading_merge_result result = reading_merge(old, 1, arrivals, 4, stored, replaced);

	ok(result.stored == 2 && stored[0].raw == 1 && stored[0].received_us == 40 &&
	       result.replaced == 2 && replaced[0].raw == 1 && replaced[1].raw == 2,
	   "a value that comes back is stored anew, both before it are history");
	ok(result.rewritten && result.changed_from_us == 9 && result.changed_until_us == 9 &&
	       result.newest_raw == 7,
	   "what changed is told: a value that came back is what it was");
	result = reading_merge(stored, 2, old, 1, stored + 4, replaced);
	ok(result.stored == 2 && result.replaced == 0 && !result.changed && !result.rewritten,
	   "the same value of before again changes nothing");
	result = reading_merge(stored, 2, arrivals, 1, stored + 4, replaced);
	ok(!result.changed && result.replaced == 1 && replaced[0].raw == 2,
	   "a value received before the one that stands goes to history");
}

/* What a meter really did: its energy in counts at each reading, epochs, and what it showed. */
enum { EPOCHS = 4, MODULUS = 1000000 };
enum happening { PLAIN, EXCHANGE, RESET, OUTLIER };

struct truth {
	stored_reading shown[MOST];
	int64_t used[MOST]; /* counts since the beginning, all meters together */
	int epoch[MOST];
	enum happening what[MOST];
	int count, epochs;
};

/* Something that can be told from all else: resets fall from far below the modulus, outliers lie
 * far from what comes before and after. */
static enum happening random_happening(int64_t shows, int epoch)
{
	switch (next_random() % 50) {
	case 0:
		return epoch + 1 < EPOCHS ? EXCHANGE : PLAIN;
	case 1:
		return shows > 100000 && shows < 700000 ? RESET : PLAIN;
	case 2:
		return shows > 20000 && shows < 950000 ? OUTLIER : PLAIN;
	default:
		return PLAIN;
	}
}

/* A register over some days: readings at whole slots but for gaps, with rollovers, exchanges,
 * resets and outliers, after each of which it counts on for a while. */
static void random_truth(struct truth *truth, int slots)
{
	int64_t shows = (int64_t)next_random() % MODULUS, used = 0;
	int epoch = 0, calm = 0;

	truth->count = 0;
	for (int s = 0; s <= slots; s++) {
		enum happening what = calm >= 3 && s < slots - 3 ? random_happening(shows, epoch) : PLAIN;
		int64_t rise = (int64_t)next_random() % 2000, show;

		used += rise;
		if (what == PLAIN && calm >= 3 && s < slots && next_random() % 5 == 0) {
			shows = (shows + rise) % MODULUS;
			continue;
		}
		if (what == EXCHANGE)
			epoch++;
		if (what == EXCHANGE || what == RESET) {
			/* What was used since the reading before is not known, or only from the reset on. */
			shows = rise;
			used = truth->used[truth->count - 1] + rise;
		} else {
			shows = (shows + rise) % MODULUS;
		}
		show = what != OUTLIER ? shows : next_random() % 2 ? 999000 : (int64_t)next_random() % 2000;
		truth->shown[truth->count] = (stored_reading){.measured_us = s * SLOT_US, .raw = show};
		truth->used[truth->count] = used;
		truth->epoch[truth->count] = epoch;
		truth->what[truth->count] = what;
		truth->count++;
		calm = what == PLAIN ? calm + 1 : 0;
	}
	truth->epochs = epoch + 1;
}

/* Each value of the truth, some after a wrong one, some twice, in random order of arrival. */
static int arrivals_of(const struct truth *truth, stored_reading *arrivals)
{
	int count = 0;

	for (int i = 0; i < truth->count; i++) {
		stored_reading value = truth->shown[i];

		value.received_us = value.measured_us + 2 * SECOND_US;
		arrivals[count++] = value;
		if (next_random() % 8 == 0)
			arrivals[count++] = value;
		if (next_random() % 8 == 0) {
			value.received_us -= SECOND_US;
			value.raw = (int64_t)next_random() % MODULUS;
			arrivals[count++] = value;
		}
	}
	shuffle(arrivals, count);
	return count;
}

/* The energy of the slots between readings that belong together against what was used. */
static bool energy_is_right(const struct truth *truth, const stored_reading *stored, int slots)
{
	register_reading readings[MOST];
	register_epoch epochs[EPOCHS];
	interval_grid grid = {0, SLOT_US, slots, 4 * SLOT_US, 400 * SLOT_US, 1e30};
	double kwh[MOST];
	interval_quality quality[MOST];
	outcome out;

	for (int e = 0; e < EPOCHS; e++)
		epochs[e] = (register_epoch){0.001, MODULUS};
	for (int i = 0; i < truth->count; i++)
		readings[i] = (register_reading){stored[i].measured_us, stored[i].raw, truth->epoch[i]};
	if (interval_energy(readings, truth->count, epochs, EPOCHS, &grid, kwh, quality, &out) !=
	    OUTCOME_OK)
		return false;
	for (int i = 1, last = 0; i < truth->count; i++) {
		int first = (int)(stored[last].measured_us / SLOT_US);
		int until = (int)(stored[i].measured_us / SLOT_US);
		interval_quality known = truth->what[i] == RESET || until - first > 4 ? INTERVAL_ESTIMATED
		                         : until - first > 1 ? INTERVAL_INTERPOLATED
		                                             : INTERVAL_MEASURED;
		double sum = 0, rise = 0.001 * (double)(truth->used[i] - truth->used[last]);

		if (truth->what[i] == OUTLIER)
			continue;
		for (int s = first; s < until; s++) {
			sum += kwh[s];
			if (truth->what[i] != EXCHANGE && quality[s] != known)
				return false;
		}
		if (truth->what[i] == EXCHANGE ? !isnan(sum) : !(fabs(sum - rise) < 1e-9))
			return false;
		last = i;
	}
	return true;
}

static void check_energy(void)
{
	static stored_reading arrivals[3 * MOST], stored[2 * MOST];
	static struct truth truth;
	int wrong = 0;
	bool changes_told = true;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 5000; trial++) {
		int slots = 1 + (int)(next_random() % 100), replaced;
		int count;

		random_truth(&truth, slots);
		count = arrivals_of(&truth, arrivals);
		if (merge_in_batches(arrivals, count, stored, &replaced, &changes_told) != truth.count ||
		    !energy_is_right(&truth, stored, slots))
			wrong++;
	}
	ok(wrong == 0,
	   "5,000 registers with rollovers, exchanges, resets, outliers, gaps, duplicates and "
	   "corrections, arriving in any order: between two good readings the slots sum to what was "
	   "used, and say how well it is known (%d wrong)",
	   wrong);
}

int main(void)
{
	check_round_trip();
	check_size();
	check_hostile();
	check_merge();
	check_history();
	check_energy();
	return tap_done();
}
