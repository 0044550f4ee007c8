/*
 * What net demand may come (scenario.h): draws from what was measured at the same
 * time of the last days, of which those count most that began like the present one.
 */
#ifndef SMARTHG_EBR_SCENARIO_DEMAND_H
#define SMARTHG_EBR_SCENARIO_DEMAND_H

#include "scenario.h"

enum {
	EBR_DEMAND_DAYS = 14, /* past days that demand is drawn from */
	EBR_DRAWS = 7,        /* most draws of a slot */
};

/* How unlike the last hours the same hours of each past day were; 1 on average. */
typedef struct ebr_past_days {
	double unlike[EBR_DEMAND_DAYS];
} ebr_past_days;

/* A value of a series of the outlook, in a slot counted from the coming one; NAN where it has none.
 */
static inline double ebr_past(const ebr_outlook *outlook, const double *series, int slot)
{
	return -slot <= outlook->history ? series[outlook->history + slot] : NAN;
}

/* Whether a slot, counted from the coming one, is on a Saturday or Sunday. */
bool ebr_is_weekend(const ebr_outlook *outlook, int slot);

void ebr_compare_days(const ebr_outlook *outlook, ebr_past_days *days);

/* Mean net demands, kW, of at most most parts of the distribution, each as likely as the others, of
 * a slot within a day from the coming one. Returns how many; 0 where nothing was measured. */
int ebr_draw_demand(const ebr_outlook *outlook, const ebr_past_days *days, int slot, int most,
                    double *draws);

#endif
