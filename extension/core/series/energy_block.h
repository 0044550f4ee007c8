/*
 * Energy of consecutive slots packed into bytes: the stored form of a register's
 * day in base slots, of its day in hours, its month in days (DESIGN.md section 6).
 * A register counts whole decimal parts of a kWh nearly always, so that a slot of
 * a quarter of an hour takes 1 to 2 bytes, and how well slots are known is told
 * once for all that are alike.
 *
 *   block = version 1, decimals, number of slots, run..., value of each known slot
 *   run   = length * 4 + quality, covered; as varints, up to the number of slots
 *   value = kWh in units of 10^-decimals as signed varint; 8 bytes of IEEE 754, the lowest
 *           first, where decimals is 255
 */
#ifndef SMARTHG_ENERGY_BLOCK_H
#define SMARTHG_ENERGY_BLOCK_H

#include "../outcome.h"
#include "interval_energy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A day of minutes. */
enum { ENERGY_SLOTS_MOST = 1440 };

typedef struct energy_slots {
	int count;
	double kwh[ENERGY_SLOTS_MOST];      /* of the part that is covered; 0 where nothing is */
	int32_t covered[ENERGY_SLOTS_MOST]; /* base slots known, out of which it is made */
	uint8_t quality[ENERGY_SLOTS_MOST]; /* enum interval_quality, the worst of them */
} energy_slots;

/* So many slots of which nothing is known. */
void energy_slots_clear(energy_slots *slots, int count);

/* Adds slot number from_slot of from to slot number slot of slots. */
void energy_slots_add(energy_slots *slots, int slot, const energy_slots *from, int from_slot);

/* Whether anything is known. */
bool energy_slots_known(const energy_slots *slots);

/* Sums each `per` slots, the first ones first, into one. */
void energy_slots_sum(const energy_slots *from, int per, energy_slots *to);

/* The most bytes that count slots can take. */
size_t energy_block_bound(int count);

/*
 * Packs slots; returns the bytes written to block[energy_block_bound(count)]. What is read back
 * is a decimal number of up to 9 places that differs from kwh by 5e-10 at most, or kwh itself where
 * it is too large for that.
 */
size_t energy_block_encode(const energy_slots *slots, uint8_t *block);

/* Unpacks a block. Errors: not a block. */
outcome_status energy_block_decode(const uint8_t *block, size_t size, energy_slots *slots,
                                   outcome *out);

#endif
