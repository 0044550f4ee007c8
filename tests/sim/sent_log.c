/*
 * The ring of runs; it grows to the number of runs in a window and is used again.
 */
#include "sent_log.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

static struct sent_run *run_at(const struct sent_log *log, size_t index)
{
	return &log->runs[(log->first + index) & (log->capacity - 1)];
}

static bool grow(struct sent_log *log)
{
	size_t capacity = log->capacity ? log->capacity * 2 : FIRST_CAPACITY;
	struct sent_run *larger = malloc(capacity * sizeof(*larger));

	if (!larger)
		return false;
	for (size_t i = 0; i < log->count; i++)
		larger[i] = *run_at(log, i);
	free(log->runs);
	*log = (struct sent_log){.runs = larger, .count = log->count, .capacity = capacity};
	return true;
}

void sent_log_add(struct sent_log *log, uint64_t last, int64_t at_us)
{
	if (log->count == log->capacity && !grow(log)) {
		if (log->count > 0)
			run_at(log, log->count - 1)->last = last;
		return;
	}
	*run_at(log, log->count++) = (struct sent_run){last, at_us};
}

const struct sent_run *sent_log_oldest(const struct sent_log *log)
{
	return log->count > 0 ? run_at(log, 0) : NULL;
}

void sent_log_drop_oldest(struct sent_log *log)
{
	log->first++;
	log->count--;
}

void sent_log_free(struct sent_log *log)
{
	free(log->runs);
	*log = (struct sent_log){0};
}
