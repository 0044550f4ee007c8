/*
 * SQL binding's forecast of a stored home: EUMF-K on its history, with the
 * holidays and the temperature of its area and its standard profile.
 */
#ifndef SMARTHG_PG_HOME_FORECAST_H
#define SMARTHG_PG_HOME_FORECAST_H

#include "home.h"

#include "../core/forecast/eumf_k.h"

enum { FORECAST_HISTORY_DAYS = 56 };

/* What a forecast is asked for. */
typedef struct forecast_request {
	int64 home_id;
	TimestampTz at;   /* nothing published later is looked at */
	slot_range range; /* to be forecast; the history ends where it starts */
	int past;         /* slots of history */
	eumf_k_method method;
	bool quantiles;
} forecast_request;

/* Arrays of range.count values, in the current memory context; NULL quantiles where not wanted.
 * Production is 0, its model "none", where the home has none. */
typedef struct home_forecast {
	eumf_k_forecast demand, production;
	const char *demand_model, *production_model;
	const double *history_demand_kw, *history_production_kw; /* of the past slots; NAN: unknown */
	bool produces;
	int phase; /* of the first slot in the local week, holidays as they are */
} home_forecast;

/* Errors: 42704 unknown home, 22023 slots that cannot be forecast. Needs an SPI connection. */
extern void forecast_home(const forecast_request *request, home_forecast *forecast);

/* Slots of the local week, those of an area's holidays being of a Sunday. */
extern void read_calendar_phases(int64 price_area_id, const slot_range *range, const char *zone,
                                 int *phases);

#endif
