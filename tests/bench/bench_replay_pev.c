/*
 * The closed loop over real homes with real cars (DESIGN.md section 3): the five
 * homes of homes.h, one resident's charging sessions each, for a year of
 * hours, with a battery of 10 kWh and 5 kW and without one. A car charges at 7.4 kW;
 * it arrives with what it was charged by missing, and is wanted full. Saving is
 * against no storage, with the car charged at once on arrival, in percent of that
 * of perfect foresight.
 *
 * `bench_replay_pev all` also varies what the car can do, adds PV, and lets a third
 * of the departures come up to three hours sooner or later than announced.
 */
#include "../../extension/core/ebr/replay.h"
#include "homes.h"

enum {
	DAY = 24,
	WARM_UP_DAYS = 98,
	FIRST_DAY = 363, /* from 2022-01-01 on */
	DAYS = 364,
	START = (FIRST_DAY - WARM_UP_DAYS) * DAY,
	FIRST = FIRST_DAY * DAY,
	END = FIRST + DAYS * DAY,
};

typedef struct setting {
	const char *name;
	double ess_kwh, pev_min_kw, pev_step_kw;
	bool with_sun, vague;
} setting;

static uint32_t next_random(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

static double capacity_for(int home)
{
	double most = 0;

	for (int k = 0; k < session_count[home]; k++)
		most = fmax(most, sessions[home][k].kwh);
	return most > 40 ? ceil(most) : 40;
}

/* Stays in slots of the span; returns how many. */
static int place_stays(int home, const ebr_store *pev, bool vague, ebr_replay_stay *stays)
{
	uint32_t random = 1;
	int count = 0;

	for (int k = 0; k < session_count[home]; k++) {
		const charging_session *s = &sessions[home][k];
		double missing = s->kwh * sqrt(pev->efficiency), announced = s->until;

		if (vague && next_random(&random) >> 16 < 21845)
			announced += 6.0 * (next_random(&random) >> 16) / 65536 - 3;
		if (s->from < FIRST || s->until > END ||
		    (count > 0 && s->from - START < stays[count - 1].unplugged_at))
			continue;
		stays[count++] = (ebr_replay_stay){s->from - START, fmax(announced, s->from) - START,
		                                   s->until - START, pev->capacity_kwh - missing, NAN};
	}
	return count;
}

static void show_home(const setting *s, int home, double *sum)
{
	static ebr_replay_stay stays[MOST_SESSIONS];
	span all = open_span(DAY, FIRST_DAY - WARM_UP_DAYS, DAYS + WARM_UP_DAYS, home, s->with_sun);
	ebr_replay_input input = {
	    .slots = all.slots,
	    .first = WARM_UP_DAYS * DAY,
	    .slots_per_day = DAY,
	    .phase = all.phase,
	    .net_kw = all.net_kw,
	    .import_eur_per_kwh = all.import,
	    .export_eur_per_kwh = all.export,
	    .known_until = all.known_until,
	    .contract_min_kw = -INFINITY,
	    .contract_max_kw = INFINITY,
	    .store = {s->ess_kwh, -s->ess_kwh / 2, s->ess_kwh / 2, 0.9, 0, INFINITY, NAN, NAN, 0},
	    .pev = {capacity_for(home), s->pev_min_kw, 7.4, 0.9, 0, INFINITY, NAN, NAN, s->pev_step_kw},
	    .stay = stays};
	ebr_limits limits = {0};
	ebr_replay_result r = {0};
	outcome out;

	input.stays = place_stays(home, &input.pev, s->vague, stays);
	if (ebr_replay(&input, &limits, &r, &out) != OUTCOME_OK) {
		printf("  home %d: %s\n", home + 1, out.message);
		close_span(&all);
		return;
	}
	printf("  home %d %5d %4d %9.2f %9.2f %7.2f %7.1f %8.1f %7.2f  %7.1f %7.1f %7.1f %7.1f %7.0f\n",
	       home + 1, r.billed, r.stays, r.cost_eur[EBR_REPLAY_NONE], r.cost_eur[EBR_REPLAY_PERFECT],
	       r.perfect_excess_eur, r.saving_percent[EBR_REPLAY_NAIVE],
	       r.saving_percent[EBR_REPLAY_SETPOINT], r.saving_percent[EBR_REPLAY_RULE],
	       r.missed_kwh[EBR_REPLAY_NONE], r.missed_kwh[EBR_REPLAY_SETPOINT],
	       r.missed_kwh[EBR_REPLAY_RULE], r.missed_kwh[EBR_REPLAY_PERFECT],
	       1e6 * r.seconds / r.billed);
	for (int way = 0; way < EBR_REPLAY_WAYS; way++)
		sum[way] += r.saving_percent[way];
	fflush(stdout);
	close_span(&all);
}

static void show_setting(const setting *s)
{
	double sum[EBR_REPLAY_WAYS] = {0};

	printf("%s: battery %g kWh, car %g to 7.4 kW, at least %g kW\n", s->name, s->ess_kwh,
	       s->pev_min_kw, s->pev_step_kw);
	printf(
	    "  home   slots stay  EUR none   perfect  (may -) %%:naive setpoint    rule  kWh missed: "
	    "none setpoint rule perfect us/slot\n");
	for (int home = 0; home < SOLAR; home++)
		show_home(s, home, sum);
	printf("  mean: naive %.1f %%, set-point %.1f %%, rule %.2f %%\n",
	       sum[EBR_REPLAY_NAIVE] / SOLAR, sum[EBR_REPLAY_SETPOINT] / SOLAR,
	       sum[EBR_REPLAY_RULE] / SOLAR);
}

int main(int count, char **arguments)
{
	static const setting settings[] = {
	    {"car and battery", 10, 0, 0, false, false},
	    {"least power", 10, 0, 1.4, false, false},
	    {"discharge", 10, -7.4, 0, false, false},
	    {"discharge and least power", 10, -7.4, 1.4, false, false},
	    {"car alone", 0, 0, 0, false, false},
	    {"with PV", 10, 0, 0, true, false},
	    {"with PV, discharge", 10, -7.4, 0, true, false},
	    {"departures not as announced", 10, 0, 0, false, true},
	    {"discharge, departures not as announced", 10, -7.4, 0, false, true},
	};
	const bool all = count > 1 && strcmp(arguments[1], "all") == 0;
	const int shown = all ? (int)(sizeof(settings) / sizeof(settings[0])) : 4;

	if (!read_homes())
		return 0;
	for (int k = 0; k < shown; k++)
		show_setting(&settings[k]);
	return 0;
}
