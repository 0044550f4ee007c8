/*
 * What the SQL bindings read of stored homes and areas. All functions need an
 * SPI connection, and allocate in the current memory context.
 */
#ifndef SMARTHG_PG_HOME_H
#define SMARTHG_PG_HOME_H

#include "binding.h"

/* A query of slots on the planner's grid: count slots of slot_us from start on. */
typedef struct slot_range {
	TimestampTz start;
	int64 slot_us;
	int count;
} slot_range;

/* Checks a slot length against the stored slots (DESIGN.md section 2). Error: 22023. */
extern void check_slot_length(int64 slot_us);

/* Demand and production of a home, kW, NAN where not known; arrays of range->count values. */
extern void read_history(int64 home_id, const slot_range *range, double *demand_kw,
                         double *production_kw, bool *produces);

/* The same where the PEV belongs to the demand. */
extern void read_history_with_pev(int64 home_id, const slot_range *range, double *demand_kw,
                                  double *production_kw, bool *produces);

/* Slots of the local week, 0 being Monday 00:00. Error: 22023 for an unknown zone. */
extern void read_local_phases(const slot_range *range, const char *zone, int *phases);

/* An area's prices for a range as known at a moment; the arrays live until the next call. */
enum { AREA_HISTORY_DAYS = 21 };

typedef struct area_prices {
	double *history_energy_eur_per_kwh; /* of the AREA_HISTORY_DAYS before; NAN: not known */
	double *history_co2_eur_per_kwh;    /* NULL: the area has no CO2 cost */
	double *energy_eur_per_kwh;         /* NAN where neither published nor expected */
	double *co2_eur_per_kwh;            /* NULL: the area has no CO2 cost */
	bool expected;                      /* some were not published yet */
	int known_slots;                    /* published without a gap, at least 1 */
	int reveal_slot;                    /* more are to be expected at its start, 1 .. known_slots */
} area_prices;

extern const area_prices *read_area_prices(int64 price_area_id, const slot_range *range,
                                           TimestampTz at);

/* Rows of start, length in seconds and value columns, as steps brought onto the range. */
extern double *steps_on_slots(SPITupleTable *rows, uint64 count, int value_column,
                              const slot_range *range);

#endif
