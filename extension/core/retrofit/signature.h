/*
 * EUR-K (document chapter 1, Table 2.1): a home's energy signature. Mean use of a slot (a day, a
 * week) is
 *
 *     base load + max(0, heat loss * (base temperature - outdoors) - aperture * sun) / performance
 *
 * with a change point at the base temperature, above which nothing is heated. It may be soft, since
 * a day's mean temperature hides its colder and warmer hours, and rooms differ: max(0, d) is then
 * its mean over a normal spread of d, whose width is chosen among a few by fit. Where the slots do
 * not show the change point, the line below it is all that is known: base load and base temperature
 * are then told apart by nothing, and neither is given. Where they show no dependence on the
 * weather that could be relied on, the estimate is refused with the reason.
 */
#ifndef SMARTHG_SIGNATURE_H
#define SMARTHG_SIGNATURE_H

#include "../outcome.h"
#include "robust.h"

typedef enum signature_model {
	SIGNATURE_REFUSED,
	SIGNATURE_LINE,
	SIGNATURE_CHANGE_POINT
} signature_model;

/* Parameters of the model in robust_fit's order. A line has no base load, and its base temperature
 * is where it meets zero. */
enum { SIGNATURE_BASE_TEMPERATURE, SIGNATURE_HEAT_LOSS, SIGNATURE_BASE_LOAD, SIGNATURE_SUN };

typedef struct signature_input {
	int count;                    /* slots, one after another */
	const double *use_kw;         /* [count] mean, NAN: not known */
	const double *temperature_c;  /* [count] NAN: not known */
	const double *sun_kw_per_m2;  /* [count] NAN: not known; NULL: not looked at */
	const double *performance;    /* [count] heat per use, > 0 */
	double indoor_c, indoor_sd_k; /* indoor temperature and how well it is known */
	bool (*interrupted)(void *);  /* may be NULL */
} signature_input;

typedef struct signature {
	signature_model model;
	char reason[160]; /* of a refusal, or why there is no change point */
	int known, outliers;
	double parameter[ROBUST_MOST];
	int parameters; /* in use: 2 to 4 */
	bool with_sun;
	double width_k; /* standard deviation that softens the change point; 0: sharp */
	robust_fit fit; /* its arrays are gone: covariance, critical, sd ... remain */
	/* With 90 % intervals; value NAN where the model does not have it. */
	estimate heat_loss_kw_per_k, base_temperature_c, base_load_kw, aperture_m2, internal_gains_kw;
	estimate
	    heat_at_zero_kw; /* level of the line at 0 deg C, the change point's base load left out */
} signature;

/* max(0, degrees), or its mean over a normal spread of that width; *share of the slot is heated. */
double signature_degrees(double degrees, double width_k, double *share);

/* Errors: nonsense (infinite use, performance <= 0), out of memory, interrupted. A refusal is an
 * answer: OUTCOME_OK with model SIGNATURE_REFUSED. */
outcome_status signature_estimate(const signature_input *in, signature *result, outcome *out);

/* Heat made in a slot, kW, by parameters that may differ from the estimate's, when the losses are
 * less by a part (reduction) of heat loss * (indoors - outdoors); 0: as they are. */
double signature_heat(const signature *s, const double *parameter, double temperature_c,
                      double sun_kw_per_m2, double reduction, double indoor_c);

#endif
