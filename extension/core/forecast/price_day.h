/*
 * Market prices of the day after the published ones (DESIGN.md section 3: beyond
 * publication prices are forecast too): a regression for each time of day on the
 * days before, fitted anew on the last weeks. It also says what it would have
 * forecast for those days, so that its errors are known as whole days: prices to
 * plan with are those of a past day, moved by how the two forecasts differ.
 */
#ifndef SMARTHG_FORECAST_PRICE_DAY_H
#define SMARTHG_FORECAST_PRICE_DAY_H

#include <stdbool.h>

enum {
	PRICE_DAY_BACK = 14,    /* past days that are forecast too */
	PRICE_DAY_HISTORY = 97, /* most days that are looked at */
};

/* prices_eur_per_kwh holds history slots up to the end of publication, oldest first; slots_per_day
 * of them are a day, and NAN is not known: days before a gap are not learnt from. weekday (0
 * Monday .. 6 Sunday) is that of the day to come. Writes (1 + PRICE_DAY_BACK) * slots_per_day
 * prices: the day to come, then the forecasts for the days before it, latest first. Returns false,
 * and writes nothing, where there are too few days, or no memory. */
bool price_day_forecast(const double *prices_eur_per_kwh, int history, int slots_per_day,
                        int weekday, double *forecast_eur_per_kwh);

/* The same of so many days (1 to PRICE_DAYS_AHEAD) to come, without those before: writes ahead *
 * slots_per_day prices. */
bool price_next_days(const double *prices_eur_per_kwh, int history, int slots_per_day, int weekday,
                     int ahead, double *forecast_eur_per_kwh);

#endif
