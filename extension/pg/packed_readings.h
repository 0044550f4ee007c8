/* Packed readings and epochs of a register as SQL arguments, unpacked for core/series. */
#ifndef SMARTHG_PACKED_READINGS_H
#define SMARTHG_PACKED_READINGS_H

#include "binding.h"

#include "../core/series/interval_energy.h"

typedef struct packed_readings {
	register_reading *readings; /* in ascending time */
	int count;
	TimestampTz *epoch_from;
	register_epoch *epochs;
	int epoch_count;
} packed_readings;

/* Argument number first is bytea[] of packed readings in ascending time, the three after it the
 * epochs: timestamptz[], float8[] kWh a count, bigint[] modulus. Readings before the first epoch
 * have no scale and are left out. Errors: 22004, 2202E, 22023 not a block. */
extern void packed_readings_arguments(FunctionCallInfo fcinfo, int first, packed_readings *packed);

#endif
