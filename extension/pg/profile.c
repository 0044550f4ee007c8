/*
 * A home's power profile (document 3.2: the tube of the Demand Aware Price Policies) on the
 * planner's slots.
 */
#include "home.h"

#include <math.h>

#include "catalog/pg_type.h"

static const char *const PROFILE_QUERY =
    "SELECT slot_start, extract(epoch FROM slot_length)::float8, low_kw, high_kw,"
    "   penalty_low_eur_per_kwh, penalty_high_eur_per_kwh "
    "FROM smarthg.power_profile WHERE home_id = $1 "
    "AND slot_start > $2::timestamptz - interval '1 day' AND slot_start < $3";

bool read_profile(int64 home_id, const slot_range *range, double *series[PROFILE_SERIES])
{
	static SPIPlanPtr plan;
	Oid types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[3] = {Int64GetDatum(home_id), TimestampTzGetDatum(range->start),
	                   TimestampTzGetDatum(range->start + range->count * range->slot_us)};

	if (SPI_execute_plan(kept_plan(&plan, PROFILE_QUERY, 3, types), values, NULL, true, 0) !=
	    SPI_OK_SELECT)
		elog(ERROR, "power profile cannot be read");
	if (SPI_processed == 0)
		return false;
	for (int k = 0; k < PROFILE_SERIES; k++) {
		series[k] = steps_on_slots(SPI_tuptable, SPI_processed, 3 + k, range);
		for (int i = 0; k >= PENALTY_LOW && i < range->count; i++)
			if (isnan(series[k][i]))
				series[k][i] = 0;
	}
	return true;
}
