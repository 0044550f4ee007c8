/* See reading_gaps.h. */
#include "reading_gaps.h"

#include <stdlib.h>

static int by_length(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return a < b ? -1 : a > b;
}

reading_gaps reading_gaps_of(const register_reading *readings, int count, int64_t *room)
{
	reading_gaps found = {0};

	if (count < 2)
		return found;
	for (int i = 1; i < count; i++)
		room[i - 1] = readings[i].at_us - readings[i - 1].at_us;
	qsort(room, (size_t)count - 1, sizeof(*room), by_length);
	found.usual_us = room[(count - 2) / 2];
	for (int i = 1; i < count; i++) {
		int64_t apart_us = readings[i].at_us - readings[i - 1].at_us;

		if (apart_us <= found.usual_us + found.usual_us / 2)
			continue;
		found.gaps++;
		found.missing += (apart_us + found.usual_us / 2) / found.usual_us - 1;
		if (apart_us > found.longest_us) {
			found.longest_us = apart_us;
			found.longest_from_us = readings[i - 1].at_us;
		}
	}
	return found;
}
