/*
 * Interval energy: the energy of half-open slots from the readings of a
 * cumulative register (DESIGN.md section 6). Between two neighbouring readings
 * the counter is taken to rise evenly.
 */
#ifndef SMARTHG_INTERVAL_ENERGY_H
#define SMARTHG_INTERVAL_ENERGY_H

#include "../outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* How well a slot is known; of several parts the worst counts. */
typedef enum interval_quality {
	INTERVAL_MEASURED,     /* readings at both of its boundaries */
	INTERVAL_INTERPOLATED, /* a boundary lies between two readings near each other */
	INTERVAL_ESTIMATED,    /* ... far from each other, or the counter was reset */
} interval_quality;

/* One reading. Readings of one epoch share scale and modulus; epochs are never differenced. */
typedef struct register_reading {
	int64_t at_us; /* microseconds, any origin */
	int64_t raw;   /* counts */
	int32_t epoch; /* index into the epochs */
} register_reading;

typedef struct register_epoch {
	double kwh_per_count;
	int64_t modulus; /* the counter rolls over to 0 here; 0: unknown */
} register_epoch;

typedef struct interval_grid {
	int64_t start_us; /* start of slot 0 */
	int64_t slot_us;
	int slots;
	int64_t interpolation_limit_us; /* readings further apart make estimated slots */
	int64_t gap_limit_us;           /* readings further apart make none */
	double plausible_kw;            /* a register that rises faster makes none */
} interval_grid;

/*
 * Fills kwh[slots] and quality[slots] from readings in strictly ascending time. A slot that the
 * readings do not cover entirely gets kwh NAN. For slots covered the sum is the register's rise.
 * A single reading out of line with both of its neighbours, which agree with one another, is
 * passed over. Errors: readings not ascending, epoch index out of range, empty grid, scale not
 * positive.
 */
outcome_status interval_energy(const register_reading *readings, int count,
                               const register_epoch *epochs, int epoch_count,
                               const interval_grid *grid, double *kwh, interval_quality *quality,
                               outcome *out);

/* Whether reading i is a glitch: it lies below the one before or above the one after, while those
 * two agree. The first and the last are none. */
bool reading_is_glitch(const register_reading *readings, int count, int i);

/* What readings show that is no plain counting on. */
typedef struct register_faults {
	int outliers; /* single readings passed over */
	int resets;   /* the counter started anew */
	int jumps;    /* a rise faster than is plausible, of which no energy is made */
} register_faults;

/* Counts them in readings as interval_energy takes them. */
register_faults register_faults_of(const register_reading *readings, int count,
                                   const register_epoch *epochs, double plausible_kw);

#endif
