/* See interval_reach.h. */
#include "interval_reach.h"

/*
 * Looks from reading i outwards, step -1 or 1, for one that is no glitch. Neighbours further from
 * origin_us than the gap limit make no energy, whatever they are. False where it lies beyond the
 * readings at hand.
 */
static bool find_solid(const readings_at_hand *hand, int i, int step, int64_t origin_us, int *solid,
                       bool *in_reach)
{
	*in_reach = true;
	for (;; i += step) {
		*solid = i;
		if (i < 0)
			return hand->begins;
		if (i >= hand->count)
			return hand->ends;
		*in_reach = (hand->readings[i].at_us - origin_us) * step <= hand->gap_limit_us;
		if (!*in_reach)
			return true;
		/* What the one at the edge is, its other neighbour tells. */
		if ((i == 0 && !hand->begins) || (i == hand->count - 1 && !hand->ends))
			return false;
		if (!reading_is_glitch(hand->readings, hand->count, i))
			return true;
	}
}

/* The number of readings before a moment, with those at it or without. */
static int readings_before(const readings_at_hand *hand, int64_t at_us, bool with)
{
	int low = 0, high = hand->count;

	while (low < high) {
		int middle = low + (high - low) / 2;
		int64_t here_us = hand->readings[middle].at_us;

		if (here_us < at_us || (with && here_us == at_us))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* From neighbour, the first unchanged reading, or beyond the end, to where energy changes. */
static bool widen(const readings_at_hand *hand, int neighbour, int step, int64_t *at_us)
{
	bool is_there = neighbour >= 0 && neighbour < hand->count, in_reach;
	int solid;

	if (!is_there)
		return step < 0 ? hand->begins : hand->ends;
	if (!find_solid(hand, neighbour + step, step, hand->readings[neighbour].at_us, &solid,
	                &in_reach))
		return false;
	if (!in_reach)
		solid = neighbour;
	if (solid < 0)
		solid = 0;
	if (solid >= hand->count)
		solid = hand->count - 1;
	*at_us = hand->readings[solid].at_us;
	return true;
}

bool interval_reach(const readings_at_hand *hand, int64_t *from_us, int64_t *until_us)
{
	int before = readings_before(hand, *from_us, false) - 1;
	int after = readings_before(hand, *until_us, true);

	return widen(hand, before, -1, from_us) && widen(hand, after, 1, until_us);
}

bool interval_readings_suffice(const readings_at_hand *hand, int64_t from_us, int64_t until_us)
{
	int solid;
	bool in_reach;

	return find_solid(hand, readings_before(hand, from_us, true) - 1, -1, from_us, &solid,
	                  &in_reach) &&
	       find_solid(hand, readings_before(hand, until_us, false), 1, until_us, &solid, &in_reach);
}
