/*
 * How far a change of readings reaches into interval energy, and whether the readings at hand are
 * enough to compute it anew as from all of a register's (DESIGN.md section 6).
 */
#ifndef SMARTHG_INTERVAL_REACH_H
#define SMARTHG_INTERVAL_REACH_H

#include "interval_energy.h"

#include <stdbool.h>

/* Consecutive readings of a register, in strictly ascending time. */
typedef struct readings_at_hand {
	const register_reading *readings;
	int count;
	bool begins, ends; /* whether the register has none before, none after them */
	int64_t gap_limit_us;
} readings_at_hand;

/*
 * Widens [*from_us, *until_us], in which readings came, changed or went, to the times whose energy
 * that changes: a reading may make its neighbour a glitch or none, so that it is to the next one
 * beyond the neighbour that is no glitch. False where readings are lacking to tell.
 */
bool interval_reach(const readings_at_hand *hand, int64_t *from_us, int64_t *until_us);

/* Whether energy of [from_us, until_us) is the same from these as from all of the readings. */
bool interval_readings_suffice(const readings_at_hand *hand, int64_t from_us, int64_t until_us);

#endif
