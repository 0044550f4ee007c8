/* See price.h. */
#include "price.h"

#include <math.h>

bool price_expect(const double *past, int days, int slots_per_day, double *prices, int slots)
{
	bool gap = false;

	for (int n = 0; n < slots; n++) {
		double sum = 0;
		int known = 0;

		if (!isnan(prices[n]))
			continue;
		gap = true;
		for (int day = 0; day < days; day++) {
			double price = past[day * slots_per_day + n % slots_per_day];

			if (!isnan(price)) {
				sum += price;
				known++;
			}
		}
		if (known > 0)
			prices[n] = sum / known;
	}
	return gap;
}
