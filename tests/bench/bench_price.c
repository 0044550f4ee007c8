/*
 * Forecasts of the market prices (homes.h) of the first, second, third and fourth
 * day after those known, for every day of 2024 (a year as argument takes another):
 * MAE in EUR/MWh of simple ways, of price_day_forecast() (first day only) and of
 * price_days() without and with temperature (the target day's as measured: a
 * weather forecast would be a little worse) and carbon intensity (two days old).
 */
#include "../../extension/core/forecast/price_day.h"
#include "../../extension/core/forecast/price_days.h"
#include "homes.h"

enum { AHEAD = 4, DAYS = HALF_HOURS / 48, HOURS = 24, LEAST_PAST = 100 };

enum {
	LAST_WEEK,
	MEAN_WEEK,
	LAST_DAY,
	REGRESSION_DAY,
	PRICES_ALONE,
	LAST_QUARTER,
	EVERYTHING,
	WAYS
};

static const char *const names[WAYS] = {"same hour of the week before",
                                        "mean of the last 7 days by hour",
                                        "last known day",
                                        "price_day_forecast (97 days)",
                                        "price_days, prices alone",
                                        "price_days, from the last 97 days",
                                        "price_days"};

static double price[DAYS * HOURS], carbon[DAYS * HOURS], warmth[DAYS * HOURS];
static int weekdays[DAYS];

/* Easter Sunday's day of the year, from 0 (the anonymous Gregorian computus). */
static int easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100,
	    h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
	int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7, m = (a + 11 * h + 22 * l) / 451;
	struct tm day = {.tm_year = year - 1900,
	                 .tm_mon = (h + l - 7 * m + 114) / 31 - 1,
	                 .tm_mday = (h + l - 7 * m + 114) % 31 + 1};

	timegm(&day);
	return day.tm_yday;
}

static bool is_holiday(const struct tm *day)
{
	static const int fixed[][2] = {{0, 1}, {4, 1}, {9, 3}, {11, 25}, {11, 26}};
	static const int moving[] = {-2, 1, 39, 50}; /* days after Easter */
	const int sunday = easter(day->tm_year + 1900);

	for (int k = 0; k < 5; k++)
		if (day->tm_mon == fixed[k][0] && day->tm_mday == fixed[k][1])
			return true;
	for (int k = 0; k < 4; k++)
		if (day->tm_yday == sunday + moving[k])
			return true;
	return false;
}

/* Local days from the first of 2022 on. */
static void cut_days(void)
{
	for (int i = 0; i < DAYS * HOURS; i++)
		price[i] = carbon[i] = warmth[i] = NAN;
	for (int k = 0; k < HALF_HOURS; k += 2) {
		time_t at = epoch + k * 1800L;
		struct tm local;
		int cell;

		localtime_r(&at, &local);
		cell = ((local.tm_year - 122) * 365 + (local.tm_year > 124) + local.tm_yday) * HOURS +
		       local.tm_hour;
		if (cell < 0 || cell >= DAYS * HOURS)
			continue;
		price[cell] = isnan(price[cell]) ? 1000 * spot[k] : (price[cell] + 1000 * spot[k]) / 2;
		carbon[cell] = carbon_g_per_kwh[k];
		warmth[cell] = temperature_c[k];
		weekdays[cell / HOURS] = is_holiday(&local) ? 6 : (local.tm_wday + 6) % 7;
	}
	for (int i = 1; i < DAYS * HOURS; i++) {
		price[i] = isnan(price[i]) ? price[i - 1] : price[i];
		carbon[i] = isnan(carbon[i]) ? carbon[i - 1] : carbon[i];
		warmth[i] = isnan(warmth[i]) ? warmth[i - 1] : warmth[i];
	}
}

static double simple(int way, int last, int ahead, int hour)
{
	double sum = 0;

	if (way == LAST_WEEK)
		return price[(last + ahead - 7) * HOURS + hour];
	if (way == LAST_DAY)
		return price[last * HOURS + hour];
	for (int k = 0; k < 7; k++)
		sum += price[(last - k) * HOURS + hour] / 7;
	return sum;
}

static void forecast(int way, int last, double mean[AHEAD * HOURS], double *q10, double *q50,
                     double *q90)
{
	static double back[(1 + PRICE_DAY_BACK) * HOURS];
	const int from = way == LAST_QUARTER ? last + 1 - PRICE_DAY_HISTORY : 0;
	price_days_input in = {.days = last + 1 - from,
	                       .ahead = last + 1 + AHEAD <= DAYS ? AHEAD : DAYS - last - 1,
	                       .price = price + from * HOURS,
	                       .weekday = weekdays + from,
	                       .least = -INFINITY};
	price_days_forecast f = {.mean = mean, .q10 = q10, .q50 = q50, .q90 = q90};
	outcome out;

	for (int i = 0; i < AHEAD * HOURS; i++)
		mean[i] = NAN;
	if (way <= LAST_DAY) {
		for (int i = 0; i < AHEAD * HOURS; i++)
			mean[i] = simple(way, last, 1 + i / HOURS, i % HOURS);
		return;
	}
	if (way == REGRESSION_DAY) {
		if (price_day_forecast(price, (last + 1) * HOURS, HOURS, weekdays[last + 1], back))
			memcpy(mean, back, HOURS * sizeof(double));
		return;
	}
	if (way != PRICES_ALONE) {
		in.temperature_c = warmth + from * HOURS;
		in.carbon_g_per_kwh = carbon + from * HOURS;
	}
	if (price_days(&in, &f, &out) != OUTCOME_OK)
		printf("%s\n", out.message);
}

static void show(int way, int first, int end)
{
	static double q[4][AHEAD * HOURS];
	double sum[AHEAD] = {0}, inside[AHEAD] = {0}, started = (double)clock() / CLOCKS_PER_SEC;
	int count[AHEAD] = {0}, runs = 0;

	for (int last = first - AHEAD; last < end - 1; last++, runs++) {
		forecast(way, last, q[0], q[1], q[2], q[3]);
		for (int i = 0; i < AHEAD * HOURS; i++) {
			const int ahead = i / HOURS, day = last + 1 + ahead;
			double value = day < end && day >= first ? price[(last + 1) * HOURS + i] : NAN;

			if (isnan(value - q[0][i]))
				continue;
			sum[ahead] += fabs(value - q[way > REGRESSION_DAY ? 2 : 0][i]);
			inside[ahead] += value >= q[1][i] && value <= q[3][i];
			count[ahead]++;
		}
	}
	printf("  %-34s", names[way]);
	for (int k = 0; k < AHEAD && count[k] > 0; k++)
		printf(" %5.1f", sum[k] / count[k]);
	if (way > REGRESSION_DAY)
		printf("   coverage %2.0f %2.0f %2.0f %2.0f %%, %.0f ms", 100 * inside[0] / count[0],
		       100 * inside[1] / count[1], 100 * inside[2] / count[2], 100 * inside[3] / count[3],
		       1e3 * ((double)clock() / CLOCKS_PER_SEC - started) / runs);
	printf("\n");
	fflush(stdout);
}

int main(int count, char **arguments)
{
	const int year = count > 1 ? atoi(arguments[1]) : 2024;
	const int first = year == 2023 ? 365 : 730;

	if (!read_homes())
		return 0;
	cut_days();
	printf("day-ahead prices of %d, MAE in EUR/MWh 1, 2, 3, 4 days beyond the last known one\n",
	       first == 365 ? 2023 : 2024);
	for (int way = 0; way < WAYS; way++)
		show(way, first, first == 365 ? 730 : DAYS);
	return 0;
}
