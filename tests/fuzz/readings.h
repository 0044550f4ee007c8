/*
 * What every decoder promises of any bytes: nothing but with success, and
 * readings that have a meter, a name, a unit and a scale.
 */
#ifndef SMARTHG_FUZZ_READINGS_H
#define SMARTHG_FUZZ_READINGS_H

#include <stdlib.h>

#include "../../bridge/codec/reading.h"

static inline void check_readings(enum reading_status status, const struct reading *readings,
                                  size_t count)
{
	if ((status != READING_OK) != (reading_status_text(status) != NULL) ||
	    (status != READING_OK && count > 0) || count > READING_LIMIT)
		abort();
	for (size_t i = 0; i < count; i++)
		if (readings[i].obis[0] == '\0' || !readings[i].unit || readings[i].multiplier <= 0 ||
		    readings[i].divisor <= 0 || readings[i].device_size == 0 ||
		    readings[i].device_size > DEVICE_SIZE)
			abort();
}

#endif
