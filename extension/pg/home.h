/*
 * What the SQL bindings read of stored homes and areas. All functions need an
 * SPI connection, and allocate in the current memory context.
 */
#ifndef SMARTHG_PG_HOME_H
#define SMARTHG_PG_HOME_H

#include "binding.h"

#include "../core/ebr/problem.h"

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

/* The same without what may have been interpolated towards a reading later than a moment. */
extern void read_history_until(int64 home_id, const slot_range *range, TimestampTz at,
                               double *demand_kw, double *production_kw, bool *produces);

/* read_history where the PEV belongs to the demand. */
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
	double *forecast_eur_per_kwh; /* of the day after known_slots and, as it would have been, of
	                                 days before it, see price_day.h; NULL: none */
	bool *published;              /* of the slots of energy_eur_per_kwh */
	bool expected;                /* some were not published yet */
	int known_slots;              /* published without a gap, at least 1 */
	int reveal_slot;              /* more are to be expected at its start, 1 .. known_slots */
} area_prices;

/* What an answer about an area depends on, as long as what is visible does not change. */
typedef struct area_key {
	int64 price_area_id;
	TimestampTz start, at;
	int64 slot_us;
	int slots;
	/* A transaction that ends moves xmax on or leaves the snapshot's lists: where limits and
	 * lengths are the same, so is what is visible. */
	TransactionId xmin, xmax;
	uint32 running, running_children;
	CommandId command;
	LocalTransactionId transaction;
	SubTransactionId subtransaction; /* one's own that are rolled back are in no list */
} area_key;

extern area_key area_key_of(int64 price_area_id, const slot_range *range, TimestampTz at);

extern const area_prices *read_area_prices(int64 price_area_id, const slot_range *range,
                                           TimestampTz at);

/* Finds what was published of an area's prices and CO2 cost until a moment, for a range: rows of
 * start, length in seconds, value and, for prices, when published, in no order. */
extern void query_area_prices(int64 price_area_id, TimestampTz at, const slot_range *range);
extern void query_area_co2(int64 price_area_id, TimestampTz at, const slot_range *range);

/* A home's power profile on slots, in this order; false where there is none, and then the series
 * are not touched. Bounds are NAN, penalties 0, where a slot has no tube. */
enum { PROFILE_LOW, PROFILE_HIGH, PENALTY_LOW, PENALTY_HIGH, PROFILE_SERIES };

extern bool read_profile(int64 home_id, const slot_range *range, double *series[PROFILE_SERIES]);

/* A store of a home; one of capacity 0 where the home has none. */
typedef struct home_store {
	bool none;
	Datum row;      /* of table ess or pev, as found */
	ebr_store plan; /* its limits; state of charge, stay and target are left to the planner */
	double soc_kwh; /* last measured, NAN: not known, or a vehicle that is away */
} home_store;

enum { MOST_HOME_ASSUMPTIONS = 3 };

/* What the planner knows of a home at a moment. Series have range.count values, those of the
 * history one for each of the recent slots before; NAN is not known. */
typedef struct home_known {
	int64 home_id;
	TimestampTz at;
	Interval *slot_length;
	slot_range range;
	double *demand_kw;
	double *production_kw;
	double *energy_eur_per_kwh;
	double *export_eur_per_kwh;
	const double *co2_eur_per_kwh;   /* NULL: none */
	double *profile[PROFILE_SERIES]; /* NULL: none */
	double contract_min_kw;
	double contract_max_kw;
	home_store store[EBR_STORES];
	double plugged_hours; /* of the PEV, from the first slot's start; NAN: away */
	double target_kwh;    /* NAN: full */
	const char *demand_model;
	const char *assumed[MOST_HOME_ASSUMPTIONS];
	int assumptions;
	int recent;
	double *history_net_kw;
	double *history_energy_eur_per_kwh;
	double *history_export_eur_per_kwh;
	const double *history_co2_eur_per_kwh; /* NULL: none */
	int phase;                             /* of the first slot in the local week */
	int known_slots, reveal_slot;          /* as in area_prices */
	const double *forecast_eur_per_kwh;    /* the same */
	double *previous_kw[EBR_STORES];       /* by the plan before; NULL: there was none */
} home_known;

/* What lives as long as the SPI connection, or until the next area is read. Errors: 42704 unknown
 * home, 22023 a time, number or length of slots that cannot be planned. */
extern void read_home_known(int64 home_id, TimestampTz at, int slots, Interval *slot_length,
                            home_known *known);

/* Rows of start, length in seconds and value columns, as steps brought onto the range. */
extern double *steps_on_slots(SPITupleTable *rows, uint64 count, int value_column,
                              const slot_range *range);

#endif
