/*
 * The closed loop over real homes (homes.h; DESIGN.md section 3): what each way to
 * run a battery saves in percent of perfect foresight, without and with PV; the
 * solar home is shown beside. Slots with a gap in the recordings are neither
 * controlled nor billed.
 *
 * `bench_replay all` also varies battery, efficiency, slot length and span.
 */
#include "../../extension/core/ebr/replay.h"
#include "homes.h"

enum { WARM_UP_DAYS = 98 };

typedef struct setting {
	const char *name;
	double capacity_kwh, power_kw, efficiency;
	int slots_per_day;
	int first_day, days; /* from 2022-01-01 on */
} setting;

static void show_home(const setting *s, int home, bool with_sun, double *sum)
{
	span all = open_span(s->slots_per_day, s->first_day - WARM_UP_DAYS, s->days + WARM_UP_DAYS,
	                     home, with_sun);
	ebr_replay_input input = {.slots = all.slots,
	                          .first = WARM_UP_DAYS * s->slots_per_day,
	                          .slots_per_day = s->slots_per_day,
	                          .phase = all.phase,
	                          .net_kw = all.net_kw,
	                          .import_eur_per_kwh = all.import,
	                          .export_eur_per_kwh = all.export,
	                          .known_until = all.known_until,
	                          .contract_min_kw = -INFINITY,
	                          .contract_max_kw = INFINITY,
	                          .store = {s->capacity_kwh, -s->power_kw, s->power_kw, s->efficiency,
	                                    0, INFINITY, NAN, NAN}};
	ebr_limits limits = {0};
	ebr_replay_result r = {0};
	outcome out;

	if (ebr_replay(&input, &limits, &r, &out) != OUTCOME_OK) {
		printf("  home %d: %s\n", home + 1, out.message);
	} else {
		printf("  %s %d%s %6d %5d %9.2f %9.2f %8.2f %8.1f %8.1f %8.2f %7.0f %7.0f %8.0f\n",
		       home == SOLAR ? "solar" : "home ", home + 1, with_sun ? " PV" : "   ", r.billed,
		       r.skipped, r.cost_eur[EBR_REPLAY_NONE], r.cost_eur[EBR_REPLAY_PERFECT],
		       r.perfect_excess_eur, r.saving_percent[EBR_REPLAY_NAIVE],
		       r.saving_percent[EBR_REPLAY_SETPOINT], r.saving_percent[EBR_REPLAY_RULE],
		       r.cycles[EBR_REPLAY_RULE], r.cycles[EBR_REPLAY_PERFECT], 1e6 * r.seconds / r.billed);
		for (int way = 0; way < EBR_REPLAY_WAYS; way++)
			sum[way] += r.saving_percent[way];
	}
	fflush(stdout);
	close_span(&all);
}

static void show_setting(const setting *s)
{
	printf("%s: %g kWh, %g kW, efficiency %g, slots of %d min, %d days\n", s->name, s->capacity_kwh,
	       s->power_kw, s->efficiency, 1440 / s->slots_per_day, s->days);
	printf("  home       slots   gap  EUR none   perfect   (may -) %%: naive  setpoint   rule  "
	       "cycles perfect us/slot\n");
	for (int with_sun = 0; with_sun <= 1; with_sun++) {
		double sum[EBR_REPLAY_WAYS] = {0}, unused[EBR_REPLAY_WAYS] = {0};

		for (int home = 0; home < SOLAR; home++)
			show_home(s, home, with_sun, sum);
		printf("  mean of 5 %s: naive %.1f %%, set-point %.1f %%, rule %.2f %%\n",
		       with_sun ? "with PV" : "without PV", sum[EBR_REPLAY_NAIVE] / SOLAR,
		       sum[EBR_REPLAY_SETPOINT] / SOLAR, sum[EBR_REPLAY_RULE] / SOLAR);
		if (with_sun && s->first_day == 363)
			show_home(s, SOLAR, true, unused);
	}
}

int main(int count, char **arguments)
{
	static const setting settings[] = {
	    {"a year", 10, 5, 0.9, 24, 363, 364},         {"other months", 10, 5, 0.9, 24, 728, 244},
	    {"small battery", 5, 2.5, 0.9, 24, 363, 364}, {"large battery", 13.5, 5, 0.9, 24, 363, 364},
	    {"poor battery", 10, 5, 0.8, 24, 363, 364},   {"good battery", 10, 5, 0.95, 24, 363, 364},
	    {"half hours", 10, 5, 0.9, 48, 363, 364},
	};
	const int shown = count > 1 && strcmp(arguments[1], "all") == 0
	                      ? (int)(sizeof(settings) / sizeof(settings[0]))
	                      : 1;

	if (!read_homes())
		return 0;
	for (int k = 0; k < shown; k++)
		show_setting(&settings[k]);
	return 0;
}
