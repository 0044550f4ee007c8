/*
 * Market prices beyond publication (DESIGN.md section 3: prices are forecast
 * too): what is not published is expected at the mean of the same time of the
 * days before.
 */
#ifndef SMARTHG_FORECAST_PRICE_H
#define SMARTHG_FORECAST_PRICE_H

#include <stdbool.h>

/* past holds the slots of whole days just before the first of prices, oldest first; NAN is not
 * known in both. Fills the gaps of prices; one stays NAN where no day before knows its time.
 * Returns whether there was a gap. */
bool price_expect(const double *past, int days, int slots_per_day, double *prices, int slots);

#endif
