/*
 * EUR-K on a real retrofit: a house's weekly gas use 26 weeks before and 30 weeks after its cavity
 * walls were insulated (folder SMARTHG_DATA, else ../shared/data; skipped, visibly, where it is not
 * there). Told the weeks before and the loss reduction alone, the weeks after are predicted.
 */
#include "../../extension/core/retrofit/option.h"
#include "tap.h"

#include <stdlib.h>

enum { MOST_WEEKS = 60 };

/* Weekly means in 1000 cubic feet: the model's unit of power is that of its input. */
typedef struct weeks {
	int count;
	double use[MOST_WEEKS], temperature[MOST_WEEKS], performance[MOST_WEEKS];
} weeks;

static bool read_weeks(weeks *before, weeks *after)
{
	const char *folder = getenv("SMARTHG_DATA");
	char path[1000], line[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/series/insulation_gas_weekly.csv",
	         folder ? folder : "../shared/data");
	file = fopen(path, "r");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		char period[20];
		double temperature, use;
		weeks *w;

		if (sscanf(line, "%19[a-z],%lf,%lf", period, &temperature, &use) != 3)
			continue;
		w = strcmp(period, "before") == 0 ? before : after;
		if (w->count == MOST_WEEKS)
			continue;
		w->temperature[w->count] = temperature;
		w->performance[w->count] = 1;
		w->use[w->count++] = use;
	}
	fclose(file);
	return true;
}

static signature estimate_weeks(const weeks *w)
{
	signature_input in = {.count = w->count,
	                      .use_kw = w->use,
	                      .temperature_c = w->temperature,
	                      .performance = w->performance,
	                      .indoor_c = 20,
	                      .indoor_sd_k = 1};
	signature s;
	outcome failed;

	if (signature_estimate(&in, &s, &failed) != OUTCOME_OK)
		printf("# %s\n", failed.message);
	return s;
}

static void print_line(const char *when, const weeks *w, const signature *s)
{
	estimate a = s->heat_at_zero_kw, b = s->heat_loss_kw_per_k;

	printf("# %s (%d weeks): %.3f [%.3f, %.3f] at 0 deg C, slope %.4f [%.4f, %.4f] a degree, %d "
	       "outliers; %s\n",
	       when, w->count, a.value, a.low, a.high, -b.value, -b.high, -b.low, s->outliers,
	       s->reason);
}

static void predict_after(const weeks *after, const signature *before)
{
	double use[MOST_WEEKS], low[MOST_WEEKS], high[MOST_WEEKS], measured = 0, absolute = 0,
	                                                           untold = 0;
	const double told = 0.29;
	retrofit_span span = {.slots = after->count,
	                      .slot_hours = 1,
	                      .temperature_c = after->temperature,
	                      .supply = heat_supply_default(SOURCE_HEAT),
	                      .indoor_c = 20,
	                      .indoor_sd_k = 1};
	retrofit_option option = {.heat_loss_reduction = told, .seasonal_cop = NAN};
	estimate total, same;
	int inside = 0;

	retrofit_predict(before, &span, &(retrofit_option){.seasonal_cop = NAN}, use, NULL, NULL,
	                 &same);
	for (int i = 0; i < after->count; i++)
		untold += fabs(use[i] - after->use[i]) / after->count;
	retrofit_predict(before, &span, &option, use, low, high, &total);
	for (int i = 0; i < after->count; i++) {
		measured += after->use[i];
		absolute += fabs(use[i] - after->use[i]) / after->count;
		inside += low[i] <= after->use[i] && after->use[i] <= high[i];
	}
	printf("# %d weeks after, told %.0f %% less heat loss, indoors 20 +- 1 deg C: predicted %.1f "
	       "[%.1f, %.1f], measured %.1f (%+.1f %%); mean absolute error a week %.3f (%.1f %%), %d "
	       "weeks inside their 90 %% intervals\n",
	       after->count, 100 * told, total.value, total.low, total.high, measured,
	       100 * (total.value / measured - 1), absolute, 100 * absolute * after->count / measured,
	       inside);
	printf(
	    "# baseline, not told of the insulation: predicted %.1f (%+.1f %%), mean absolute error a "
	    "week %.3f\n",
	    same.value, 100 * (same.value / measured - 1), untold);
	ok(total.low <= measured && measured <= total.high,
	   "the use of the weeks after lies in its predicted interval");
	ok(inside >= 0.8 * after->count, "and that of most weeks in theirs");
	ok(absolute < untold / 2,
	   "the error is less than half of that without knowing of the retrofit");
}

int main(void)
{
	weeks before = {0}, after = {0};
	signature first, second;

	if (!read_weeks(&before, &after)) {
		printf(
		    "ok 1 # SKIP no insulation_gas_weekly.csv in $SMARTHG_DATA or ../shared/data/series\n"
		    "1..1\n");
		return 0;
	}
	first = estimate_weeks(&before);
	second = estimate_weeks(&after);
	print_line("before", &before, &first);
	print_line("after", &after, &second);
	ok(fabs(first.heat_at_zero_kw.value - 6.85) < 0.01 &&
	       fabs(second.heat_at_zero_kw.value - 4.72) < 0.01,
	   "levels at 0 deg C are 6.85 before and 4.72 after");
	ok(fabs(first.heat_loss_kw_per_k.value - 0.393) < 0.001 &&
	       fabs(second.heat_loss_kw_per_k.value - 0.278) < 0.001,
	   "slopes are -0.393 and -0.278 a degree");
	predict_after(&after, &first);
	return tap_done();
}
