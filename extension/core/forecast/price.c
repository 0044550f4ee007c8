/* See price.h. */
#include "price.h"

#include <math.h>

bool price_expect(double *prices, const int *phase, int past, int slots, int slots_per_day,
                  double *sums)
{
	double *count = sums + slots_per_day;
	bool gap = false;

	for (int i = 0; i < 2 * slots_per_day; i++)
		sums[i] = 0;
	for (int i = 0; i < past; i++) {
		if (!isnan(prices[i])) {
			sums[phase[i] % slots_per_day] += prices[i];
			count[phase[i] % slots_per_day]++;
		}
	}
	for (int i = past; i < past + slots; i++) {
		int time = phase[i] % slots_per_day;

		if (!isnan(prices[i]))
			continue;
		gap = true;
		if (count[time] > 0)
			prices[i] = sums[time] / count[time];
	}
	return gap;
}
