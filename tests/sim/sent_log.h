/*
 * When records not yet acknowledged were handed to the socket: a queue of runs
 * of records that went out together.
 */
#ifndef SMARTHG_SIM_SENT_LOG_H
#define SMARTHG_SIM_SENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sent_run {
	uint64_t last; /* number of its last record; the first follows the run before */
	int64_t at_us;
};

struct sent_log {
	struct sent_run *runs; /* a ring; capacity is a power of two, or 0 */
	size_t first, count, capacity;
};

/* Adds a run; where memory is short, its records count as sent with the run before. */
void sent_log_add(struct sent_log *log, uint64_t last, int64_t at_us);

/* The oldest run; NULL: none. */
const struct sent_run *sent_log_oldest(const struct sent_log *log);
void sent_log_drop_oldest(struct sent_log *log);

void sent_log_free(struct sent_log *log);

#endif
