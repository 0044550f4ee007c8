/*
 * How regularly a register was read: its usual interval and where readings are
 * missing (DESIGN.md section 6).
 */
#ifndef SMARTHG_READING_GAPS_H
#define SMARTHG_READING_GAPS_H

#include "interval_energy.h"

#include <stdint.h>

typedef struct reading_gaps {
	int64_t usual_us; /* median distance of neighbours; 0: fewer than two readings */
	int gaps;         /* neighbours further apart than one and a half of that */
	int64_t missing;  /* readings that would have fitted into them */
	int64_t longest_us, longest_from_us; /* 0 where there is no gap */
} reading_gaps;

/* Looks through readings in ascending time; room[count] is room to work in. */
reading_gaps reading_gaps_of(const register_reading *readings, int count, int64_t *room);

#endif
