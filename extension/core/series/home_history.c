/* See home_history.h. */
#include "home_history.h"

#include <math.h>

void home_history_add(home_history *history, int first, const double *kwh, int count,
                      double demand_sign, double production_sign)
{
	for (int i = first < 0 ? -first : 0; i < count && first + i < history->base_slots; i++) {
		if (isnan(kwh[i]))
			continue;
		history->demand_kwh[first + i] += demand_sign * kwh[i];
		history->production_kwh[first + i] += production_sign * kwh[i];
		history->registers[first + i]++;
	}
}

void home_history_means(const home_history *history, int registers, int base_per_slot,
                        double base_hours, double *demand_kw, double *production_kw)
{
	for (int s = 0; s < history->base_slots / base_per_slot; s++) {
		double demand = 0, production = 0;

		for (int i = s * base_per_slot; i < (s + 1) * base_per_slot; i++) {
			if (history->registers[i] < registers || registers == 0)
				demand = NAN;
			demand += history->demand_kwh[i];
			production += history->production_kwh[i];
		}
		demand_kw[s] = demand / (base_per_slot * base_hours);
		production_kw[s] = isnan(demand) ? NAN : production / (base_per_slot * base_hours);
	}
}
