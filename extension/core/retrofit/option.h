/*
 * What a retrofit of a home would change, by its energy signature: better insulation (all losses
 * through the shell less by a share, so that the home needs that share of heat loss * (indoors -
 * outdoors) less), another heat supply or another COP. Base load stays with its carrier. Intervals
 * (90 %) hold the uncertainty of the signature, of the indoor temperature and of a heat pump's COP.
 */
#ifndef SMARTHG_RETROFIT_OPTION_H
#define SMARTHG_RETROFIT_OPTION_H

#include "signature.h"
#include "supply.h"

/* The weather and the prices of a span, a slot after another. */
typedef struct retrofit_span {
	int slots;
	double slot_hours;
	const double *temperature_c; /* NAN: not known, the slot is left out */
	const double *sun_kw_per_m2; /* NULL where the signature was estimated without */
	const double
	    *eur_per_kwh[ENERGY_CARRIERS]; /* NAN: not known, counted at the mean of the others */
	const double *grams_per_kwh[ENERGY_CARRIERS];
	heat_supply supply; /* the present one */
	double indoor_c, indoor_sd_k;
} retrofit_span;

typedef struct retrofit_option {
	double heat_loss_reduction; /* part of it, 0 to below 1 */
	bool replaces;              /* the supply, by: */
	heat_supply supply;
	double seasonal_cop; /* > 0: the curve is moved so that heat / electricity is this; else NAN */
	double cop_relative_sd;
} retrofit_option;

/* Over the span. */
typedef struct retrofit_result {
	estimate before_kwh, use_kwh; /* of the present carrier; of all carriers afterwards */
	estimate saving_kwh, saving_eur, saving_kg;
	double before_eur, before_kg;
	double seasonal_performance; /* heat per kWh of the carrier that makes it, afterwards */
	int slots;                   /* with a temperature */
	const char *reason;          /* why there is no answer; NULL: there is one */
} retrofit_result;

void retrofit_evaluate(const signature *s, const retrofit_span *span, const retrofit_option *option,
                       retrofit_result *result);

/* Use in each slot after the retrofit, mean kW, with the interval in which a measured one lies;
 * total over the slots in kWh. low_kw and high_kw may be NULL. */
void retrofit_predict(const signature *s, const retrofit_span *span, const retrofit_option *option,
                      double *use_kw, double *low_kw, double *high_kw, estimate *total_kwh);

#endif
