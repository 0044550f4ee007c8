/*
 * The simulator's arithmetic: what it says of latency must hold of the latencies, and records at a
 * given speed must be due at equal distances, whoever sends them.
 */
#include "../sim/latency_histogram.h"
#include "../sim/pace.h"
#include "tap.h"

static struct latency_histogram histogram;

static void check_cells(void)
{
	unsigned cell = 0;
	bool gapless = true, inside = true, narrow = true;

	for (int64_t us = 0; us < 3000000; us++) {
		unsigned next = histogram_cell(us);

		gapless = gapless && (next == cell || next == cell + 1);
		cell = next;
		inside = inside && histogram_upper_us(cell) >= us;
		narrow = narrow && (double)histogram_upper_us(cell) <= (double)us * 1.032;
	}
	ok(gapless, "cells follow each other without a gap");
	ok(inside, "no latency is above the upper end of its cell");
	ok(narrow, "nor more than 3.2 %% below it");
	ok(histogram_cell(-5) == 0 && histogram_cell(INT64_MAX) == HISTOGRAM_CELLS - 1,
	   "what is outside goes to the first and the last cell");
}

static void check_quantiles(void)
{
	ok(histogram_quantile_us(&histogram, 0.5) == 0, "of no latencies the quantile is 0");
	for (int64_t us = 1; us <= 1000; us++)
		histogram_add(&histogram, us * 1000, 10);
	close_to((double)histogram_quantile_us(&histogram, 0.5), 500000, 0.032, "the median");
	ok(histogram_quantile_us(&histogram, 0.5) >= 500000, "is not too low");
	close_to((double)histogram_quantile_us(&histogram, 0.99), 990000, 0.032, "99 %%");
	ok(histogram_quantile_us(&histogram, 1) == 1000000 && histogram.count == 10000,
	   "all are within the longest, which is exact");
}

static void check_pace(void)
{
	const struct pace pace = {.per_second = 700, .start_us = 12345, .gateways = 3};
	bool even = true, shared = true, none_early = true;

	for (uint64_t n = 0; n < 5000; n++) {
		int64_t due_us = pace_time_us(&pace, n / 3, n % 3);
		uint64_t due = pace_due(&pace, due_us + 1);
		uint64_t all =
		    pace_share(&pace, due, 0) + pace_share(&pace, due, 1) + pace_share(&pace, due, 2);

		even = even && fabs((double)(due_us - 12345) - (double)n * 1e6 / 700) <= 1;
		shared = shared && due == n + 1 && all == due && pace_share(&pace, due, n % 3) == n / 3 + 1;
		none_early = none_early && pace_due(&pace, due_us - 2) <= n;
	}
	ok(even, "records are due at equal distances");
	ok(shared, "each when its time comes, the gateways in turn");
	ok(none_early, "and none earlier");
}

int main(void)
{
	check_cells();
	check_quantiles();
	check_pace();
	return tap_done();
}
