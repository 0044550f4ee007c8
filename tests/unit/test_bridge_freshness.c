/*
 * Promises of freshness: a telegram that was heard again is told, one that only came late is not;
 * nobody mutes a meter by what he sends, and no clock does.
 */
#include "tap.h"

#include "../../bridge/core/freshness.h"

enum { TOLERANCE_S = 120, T = 1700000000, METERS = 5000, GATEWAY = 1 };

static struct freshness *freshness;
static uint32_t key_check = 1;
static int64_t gateway = GATEWAY;

static struct meter_counter counter_of(int meter, uint32_t value)
{
	struct meter_counter counter = {
	    .kind = COUNTER_MESSAGE, .key_check = key_check, .value = value};

	memcpy(counter.device, &meter, sizeof(meter));
	return counter;
}

static bool accepts(int meter, uint32_t value, int64_t second)
{
	struct meter_counter counter = counter_of(meter, value);

	return freshness_accepts(freshness, gateway, &counter, second * 1000, TOLERANCE_S * 1000);
}

static void begin(void)
{
	freshness_free(freshness);
	freshness = freshness_new();
	key_check = 1;
}

static void test_replay(void)
{
	begin();
	ok(accepts(1, 10, T) && accepts(1, 11, T + 900), "counters that grow are fresh");
	ok(accepts(1, 11, T + 900 + TOLERANCE_S) && accepts(1, 11, T + 900 - TOLERANCE_S),
	   "the same telegram heard twice is, by a clock that was set by what is tolerated");
	ok(!accepts(1, 11, T + 901 + TOLERANCE_S), "heard again later it is a replay");
	ok(!accepts(1, 10, T + 901 + TOLERANCE_S) && !accepts(1, 0, T + 90000),
	   "and so is one with a lower counter");
	ok(accepts(2, 10, T + 90000), "another meter counts for itself");
	ok(accepts(1, 12, T + 90000), "a replay moves nothing: the next one is fresh");
	struct meter_counter session = counter_of(1, 5);
	session.kind = COUNTER_SESSION;
	ok(freshness_accepts(freshness, GATEWAY, &session, (T + 90000) * INT64_C(1000), 0),
	   "the two kinds of counters are counted apart");
	begin();
	for (uint32_t i = 0; i < 100; i++)
		accepts(1, i, T + i);
	bool walked = false;
	for (int64_t i = 1; i <= 20; i++)
		walked = walked || (accepts(1, 99, T + 99 + i * 100) && i > 1);
	ok(!walked, "replays within the tolerance do not walk on with it");
}

static void test_backlog(void)
{
	begin();
	accepts(1, 100, T);
	bool fresh = true;
	for (uint32_t i = 0; i < 50; i++)
		fresh = fresh && accepts(1, 40 + i, T - 54000 + 900 * (int64_t)i);
	ok(fresh, "a backlog that comes late is fresh: lower counters, heard earlier");
	ok(!accepts(1, 60, T - 5000), "but for a replay that was heard in the midst of it");
	for (uint32_t i = 0; i < 50; i++)
		fresh = fresh && accepts(1, 30 + i, T - 63000 + 900 * (int64_t)i);
	ok(fresh, "another backlog of the same time after it");
	bool walked = false;
	int64_t heard = T - 70000;
	accepts(1, 20, heard);
	accepts(1, 21, heard + 10);
	for (int i = 0; i < 20; i++) {
		heard += 100;
		walked = walked || (accepts(1, 20, heard) && i > 1);
		walked = walked || (accepts(1, 21, heard) && i > 1);
	}
	ok(!walked, "replays in a backlog do not walk on within the tolerance");
	ok(accepts(1, 101, T + 60), "and the meter goes on");
}

static void test_clocks(void)
{
	begin();
	accepts(1, 10, T);
	ok(accepts(1, 11, T - 3600), "a clock that is slow does not make a higher counter a replay");
	ok(accepts(1, 12, T + 3600) && accepts(1, 13, T + 10),
	   "nor does one that was ahead mute the meter");
	ok(!accepts(1, 12, T + 3600) && accepts(1, 12, T + 10), "what was heard last counts from then");
}

static void test_leaps(void)
{
	begin();
	accepts(1, 10, T);
	ok(accepts(1, 4000000000, T + 900), "a leap of the counter is fresh");
	ok(accepts(1, 11, T + 1800) && accepts(1, 12, T + 2700),
	   "but one that was guessed does not mute the meter");
	ok(!accepts(1, 11, T + 3600) && !accepts(1, 12, T + 3600), "which is protected on");
	ok(!accepts(1, 4000000000, T + 3600), "and the leap heard again is a replay");
	accepts(1, 3000000000, T + 3600);
	ok(accepts(1, 3000000001, T + 4500) && !accepts(1, 13, T + 4500 + TOLERANCE_S + 1),
	   "a second telegram there is believed");
	begin();
	accepts(1, 10, T);
	ok(accepts(1, 10 + 16 * 60 * 24 * 365, T + 86400 * 365) && !accepts(1, 11, T + 86400 * 366),
	   "what a meter counts in a year it may have counted");
	begin();
	accepts(1, UINT32_MAX - 1, T - 900);
	accepts(1, UINT32_MAX, T);
	ok(!accepts(1, UINT32_MAX, T + 900) && !accepts(1, 0, T + 900),
	   "the highest counter of all is followed by none");
}

static void test_first(void)
{
	begin();
	accepts(1, 4000000000, T);
	ok(accepts(1, 10, T + 900) && accepts(1, 11, T + 1800) && accepts(1, 12, T + 2700),
	   "a guess before a meter's first telegram does not mute it");
	ok(!accepts(1, 10, T + 3600) && !accepts(1, 11, T + 3600), "which is protected then");
	begin();
	accepts(1, 10, T);
	ok(!accepts(1, 10, T + 900), "the first telegram heard again is a replay all the same");
}

static void test_key(void)
{
	begin();
	accepts(1, 1000, T);
	key_check = 2;
	ok(accepts(1, 1, T + 900) && accepts(1, 2, T + 1800), "with a new key a meter begins anew");
	ok(!accepts(1, 1, T + 2700), "and is protected again");
}

/* What a gateway says of the time, or forwards of a meter, is its own affair. */
static void test_gateways(void)
{
	bool fresh = true;

	begin();
	accepts(1, 99, T - 60);
	for (uint32_t i = 0; i < 20; i++) {
		gateway = 2; /* tells each telegram first, as heard long before */
		fresh = fresh && accepts(1, 100 + i, T - 86400);
		gateway = GATEWAY;
		fresh = fresh && accepts(1, 100 + i, T + (int64_t)i * 60);
	}
	ok(fresh, "a gateway that antedates telegrams mutes no meter that another reads");
	gateway = 2; /* the meter's future, from its owner, who knows the key */
	accepts(1, 4000000000, T + 1200);
	accepts(1, 4000000001, T + 1200);
	gateway = GATEWAY;
	ok(accepts(1, 120, T + 1400) && accepts(1, 121, T + 1460), "nor does one that runs ahead");
	ok(!accepts(1, 119, T + 2000), "and what it says makes no replay fresh");
}

static int changed(struct freshness_mark *last)
{
	struct freshness_mark mark;
	size_t at = 0;
	int count = 0;

	for (; freshness_take(freshness, &at, &mark); count++)
		*last = mark;
	return count;
}

static void test_marks(void)
{
	struct freshness_mark mark = {0};
	bool right = true;

	begin();
	ok(changed(&mark) == 0, "nothing is to be kept at first");
	for (int i = 0; i < METERS; i++)
		accepts(i, 6, T + i - 10);
	ok(changed(&mark) == 0, "nor after a meter's first telegram");
	for (int i = 0; i < METERS; i++)
		accepts(i, 7, T + i);
	ok(freshness_count(freshness) == METERS && changed(&mark) == METERS && changed(&mark) == 0,
	   "%d meters are kept once", METERS);
	for (int i = 0; i < METERS; i++)
		right = right && !accepts(i, 7, T + i + 1000);
	ok(right && changed(&mark) == 0, "replays change none of them");
	accepts(42, 8, T + 1000);
	ok(changed(&mark) == 1 && mark.counter.value == 8 && mark.counter.key_check == 1 &&
	       mark.gateway_id == GATEWAY && mark.counter.kind == COUNTER_MESSAGE &&
	       mark.heard_ms == (T + 1000) * INT64_C(1000) &&
	       memcmp(mark.counter.device, counter_of(42, 0).device, MBUS_DEVICE_SIZE) == 0,
	   "a counter that moved is kept again");
	freshness_not_kept(freshness);
	ok(changed(&mark) == METERS, "what could not be kept is tried again");

	begin();
	mark = (struct freshness_mark){GATEWAY, counter_of(1, 50), T * INT64_C(1000)};
	freshness_load_begin(freshness);
	freshness_load_put(freshness, &mark);
	freshness_load_end(freshness);
	ok(!accepts(1, 50, T + 900) && !accepts(1, 49, T + 900) && accepts(1, 51, T + 900),
	   "the next start knows what was kept");
	accepts(2, 4, T - 900);
	accepts(2, 5, T);
	freshness_load_begin(freshness);
	freshness_load_put(freshness, &mark);
	freshness_load_end(freshness);
	ok(!accepts(1, 51, T + 1800), "and what is known better stays when it is read again");
	ok(!accepts(2, 5, T + 900), "also where it is not kept yet");
	changed(&mark);
	mark.counter = counter_of(1, 60);
	freshness_load_begin(freshness);
	freshness_load_put(freshness, &mark);
	freshness_load_end(freshness);
	ok(freshness_count(freshness) == 1 && accepts(2, 5, T + 900),
	   "a meter that is no longer kept is forgotten");
	ok(!accepts(1, 60, T + 9000), "a higher counter that another bridge kept counts");
	changed(&mark);
	freshness_load_begin(freshness);
	freshness_load_end(freshness);
	ok(freshness_count(freshness) == 1 && accepts(1, 1, T), "all that was kept may be");
}

/* By the rule alone, of honest meters and gateways: any order of arrival is accepted. */
static void test_honest(void)
{
	uint64_t state = 88172645463325252u;
	bool fresh = true;

	printf("# seed %llu\n", (unsigned long long)state);
	begin();
	for (int round = 0; round < 200000; round++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint32_t sent = (uint32_t)(state % 3000);
		int64_t error = (int64_t)(state >> 32) % (TOLERANCE_S + 1) - TOLERANCE_S / 2;

		fresh = fresh && accepts((int)(state >> 20 & 7), sent, T + (int64_t)sent * 20 + error);
	}
	ok(fresh, "no telegram of an honest meter is a replay, in whatever order it comes");
}

int main(void)
{
	test_replay();
	test_backlog();
	test_clocks();
	test_leaps();
	test_first();
	test_key();
	test_gateways();
	test_marks();
	test_honest();
	freshness_free(freshness);
	return tap_done();
}
