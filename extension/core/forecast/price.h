/*
 * Market prices beyond publication (DESIGN.md section 3: prices are forecast
 * too): what is not published is expected at the mean of the same time of the
 * days before.
 */
#ifndef SMARTHG_FORECAST_PRICE_H
#define SMARTHG_FORECAST_PRICE_H

#include <stdbool.h>

/* prices holds past slots, then those to plan with; NAN is not known. phase is each slot's number
 * in its local day or week, so that days of 23 and 25 hours need no care here; slots_per_day of
 * them are a day. Fills the gaps after the past; one stays NAN where no day of the past knows its
 * time. Returns whether there was a gap; sums[2 * slots_per_day] is room to work in. */
bool price_expect(double *prices, const int *phase, int past, int slots, int slots_per_day,
                  double *sums);

#endif
