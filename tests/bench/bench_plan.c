/*
 * Plans per second and core: the planner beside the full model in GLPK and in
 * CBC, in the same run on the same homes. One data set is generated, one is
 * real (SMARTHG_DATA or ../shared/data; left out where that is absent). A run
 * that fails or costs something else is counted and shown, not left out; times
 * are printed, never judged.
 */
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/milp_build.h"
#include "../../extension/core/ebr/plan.h"
#include "../unit/test_ebr_homes.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { HOMES = 20 };
enum { MOST_HALF_HOURS = 3 * 366 * 48, MOST_SESSIONS = 4000, REAL_HOMES = 5 };

#define SECONDS 5 /* each solve may take */

/* ---- real data: half hours from 2022-01-01 on, NAN where there is none ----
 */

typedef struct recorded {
	double demand_kw[REAL_HOMES][MOST_HALF_HOURS], production_kw[MOST_HALF_HOURS];
	double price[MOST_HALF_HOURS], co2[MOST_HALF_HOURS]; /* EUR/kWh */
	struct {
		double hours, kwh;
	} session[MOST_SESSIONS];
	int sessions;
} recorded;

static const char *data_folder(void)
{
	const char *folder = getenv("SMARTHG_DATA");

	return folder ? folder : "../shared/data";
}

static FILE *open_series(const char *name)
{
	char path[600], command[700];

	snprintf(path, sizeof(path), "%s/series/%s", data_folder(), name);
	if (access(path, R_OK) != 0)
		return NULL;
	snprintf(command, sizeof(command), "zcat '%s'", path);
	return popen(command, "r");
}

/* Seconds of "2022-08-12T07:00" since 2022-01-01, UTC. */
static double moment(const char *text)
{
	struct tm tm = {0}, start = {.tm_year = 122, .tm_mday = 1};

	if (sscanf(text, "%d-%d-%dT%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
	           &tm.tm_min) != 5)
		return NAN;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return difftime(timegm(&tm), timegm(&start));
}

static int half_hour(const char *text)
{
	double slot = moment(text) / 1800;

	return slot >= 0 && slot < MOST_HALF_HOURS - 1 ? (int)slot : -1;
}

static void read_line(recorded *r, int file, const char *line)
{
	char first[40], second[40];
	double a, b;
	int slot, number;

	if (file == 0 && sscanf(line, "home%d,%39[^,],%lf", &number, first, &a) == 3) {
		slot = half_hour(first);
		if (slot >= 0 && number >= 1 && number <= REAL_HOMES)
			r->demand_kw[number - 1][slot] = 2 * a;
	} else if (file == 1 && sscanf(line, "%39[^,],%lf,%lf", first, &a, &b) == 3) {
		slot = half_hour(first);
		if (slot >= 0)
			r->production_kw[slot] = b;
	} else if (file == 2 && sscanf(line, "%39[^,],%lf,%lf", first, &a, &b) == 3) {
		slot = half_hour(first);
		if (slot >= 0) {
			r->price[slot] = r->price[slot + 1] = a / 1000;
			r->co2[slot] = r->co2[slot + 1] = b * 80e-6; /* 80 EUR a tonne */
		}
	} else if (file == 3 && r->sessions < MOST_SESSIONS &&
	           sscanf(line, "%*[^,],%39[^,],%39[^,],%lf", first, second, &a) == 3) {
		r->session[r->sessions].hours = (moment(second) - moment(first)) / 3600;
		r->session[r->sessions++].kwh = a;
	}
}

static recorded *read_recorded(void)
{
	const char *const names[] = {"homes_30min.csv.gz", "solar_home_30min.csv.gz",
	                             "market_hourly.csv.gz", "pev_sessions.csv.gz"};
	recorded *r = malloc(sizeof(*r));
	char line[200];

	if (!r)
		abort();
	for (double *x = &r->demand_kw[0][0]; x < &r->co2[0] + MOST_HALF_HOURS; x++)
		*x = NAN;
	r->sessions = 0;
	for (int k = 0; k < 4; k++) {
		FILE *file = open_series(names[k]);

		if (!file) {
			free(r);
			return NULL;
		}
		while (fgets(line, sizeof(line), file))
			read_line(r, k, line);
		pclose(file);
	}
	return r;
}

/* ---- homes ---- */

static void equip(home *h, bool pev, double hours, double kwh, uint64_t *seed)
{
	h->problem.production_kw = h->production;
	h->problem.export_eur_per_kwh = h->export;
	h->problem.store[EBR_ESS] =
	    (ebr_store){10, -5, 5, 0.9, between(seed, 0, 10), INFINITY, NAN, NAN, 0};
	if (pev)
		h->problem.store[EBR_PEV] =
		    (ebr_store){50, -7, 7, 0.88, fmax(40 - kwh, 0), hours, 40, NAN, 0};
	if (chance(seed) > 1.0 / 3)
		return;
	h->problem.objective = EBR_ENERGY_CO2_DISTRIBUTION;
	h->problem.profile_low_kw = h->low;
	h->problem.profile_high_kw = h->high;
	h->problem.penalty_low_eur_per_kwh = h->penalty_low;
	h->problem.penalty_high_eur_per_kwh = h->penalty_high;
	for (int t = 0; t < h->problem.slots; t++) {
		h->low[t] = 0;
		h->high[t] = 1.5;
		h->penalty_low[t] = h->penalty_high[t] = 0.05;
	}
}

/* Seasonal demand and production, a day's price curve, import dearer than
 * export. */
static void open_generated(home *h, int slots, double slot_hours, bool pev, uint64_t *seed)
{
	double sun = between(seed, 0, 5), offset = floor(between(seed, 0, 24));

	home_open(h, slots, slot_hours);
	for (int t = 0; t < slots; t++) {
		double hour = fmod(offset + t * slot_hours, 24);

		h->demand[t] = 0.3 + between(seed, 0, 0.5) + (hour > 17 && hour < 22 ? 1 : 0);
		h->production[t] = fmax(0, sun * sin((hour - 6) / 12 * M_PI)) * between(seed, 0.6, 1);
		h->export[t] = 0.08 + 0.05 * cos((hour - 19) / 12 * M_PI) + between(seed, -0.02, 0.02);
		h->energy[t] = h->export[t] + 0.15;
	}
	h->problem.contract_max_kw = 10;
	equip(h, pev, between(seed, 4, 20), between(seed, 10, 35), seed);
}

/* A home at a moment from which on everything was recorded; import = spot +
 * 0.15, export = spot. */
static void open_recorded(home *h, int slots, double slot_hours, bool pev, const recorded *r,
                          uint64_t *seed)
{
	int session = (int)(chance(seed) * r->sessions);
	bool complete;

	home_open(h, slots, slot_hours);
	h->problem.co2_eur_per_kwh = h->co2;
	do {
		int from = (int)(chance(seed) * (MOST_HALF_HOURS - 200)),
		    number = (int)(chance(seed) * REAL_HOMES);

		complete = true;
		for (int t = 0; t < slots && complete; t++) {
			int at = from + (int)(2 * t * slot_hours);

			h->demand[t] = r->demand_kw[number][at];
			h->production[t] = r->production_kw[at];
			h->export[t] = r->price[at];
			h->energy[t] = r->price[at] + 0.15;
			h->co2[t] = r->co2[at];
			complete = isfinite(h->demand[t] + h->production[t] + h->export[t] + h->co2[t]);
		}
	} while (!complete);
	h->problem.contract_max_kw = 6;
	equip(h, pev, r->session[session].hours, r->session[session].kwh, seed);
}

/* ---- methods ---- */

typedef outcome_status (*method)(home *h, double *own_seconds);

static outcome_status by_plan(home *h, double *own_seconds)
{
	ebr_limits limits = {.seconds = SECONDS};
	outcome out;

	(void)own_seconds;
	return ebr_plan_solve(&h->problem, EBR_PLAN_AUTO, &limits, &h->solution, NULL, NULL, &out);
}

static outcome_status by_plan_and_rules(home *h, double *own_seconds)
{
	ebr_limits limits = {.seconds = SECONDS};
	ebr_rule rules[EBR_STORES];
	outcome out;

	(void)own_seconds;
	return ebr_plan_solve(&h->problem, EBR_PLAN_AUTO, &limits, &h->solution, &rules[0], &rules[1],
	                      &out);
}

static outcome_status by_milp(home *h, double *own_seconds)
{
	ebr_limits limits = {.seconds = SECONDS};
	outcome out;

	(void)own_seconds;
	return ebr_solve_milp(&h->problem, &limits, &h->solution, &out);
}

static outcome_status by_plain(home *h, double *own_seconds)
{
	ebr_limits limits = {.seconds = SECONDS};
	outcome out;

	(void)own_seconds;
	return ebr_solve_milp_plain(&h->problem, &limits, &h->solution, &out);
}

/* The full model as a file, with a column for the objective's constant. */
static void write_model(home *h, const char *path)
{
	size_t slots = (size_t)h->problem.slots, entries = slots * MILP_ENTRIES_PER_SLOT + 1;
	milp_matrix matrix = {0, malloc(entries * sizeof(int)), malloc(entries * sizeof(int)),
	                      malloc(entries * sizeof(double))};
	milp_slot *columns = calloc(slots, sizeof(*columns));
	glp_prob *lp = glp_create_prob();
	ebr_model model;
	int constant;

	if (!matrix.row || !matrix.column || !matrix.value || !columns)
		abort();
	ebr_model_init(&model, &h->problem, &h->solution);
	milp_build(lp, &model, &matrix, columns);
	for (int t = 0; t < h->problem.slots; t++) {
		for (int i = 0; i < EBR_STORES; i++)
			milp_forbid_store_overlap(lp, columns, t, i);
		milp_forbid_grid_overlap(lp, columns, t);
	}
	constant = glp_add_cols(lp, 1);
	glp_set_col_bnds(lp, constant, GLP_FX, 1, 1);
	glp_set_obj_coef(lp, constant, glp_get_obj_coef(lp, 0));
	glp_set_obj_coef(lp, 0, 0);
	glp_term_out(GLP_OFF);
	glp_write_lp(lp, NULL, path);
	glp_delete_prob(lp);
	glp_free_env();
	free(matrix.row);
	free(matrix.column);
	free(matrix.value);
	free(columns);
}

/* CBC on that file. Its own time leaves out the start of the process. */
static outcome_status by_cbc(home *h, double *own_seconds)
{
	char path[] = "/tmp/bench_plan_XXXXXX.lp", command[200], line[300];
	int file = mkstemps(path, 3);
	FILE *answer;
	double objective = NAN;

	if (file < 0)
		return OUTCOME_SOLVER_FAILED;
	close(file);
	write_model(h, path);
	snprintf(command, sizeof(command), "cbc %s sec %d ratio 0 allow 0 solve 2>&1", path, SECONDS);
	answer = popen(command, "r");
	while (answer && fgets(line, sizeof(line), answer)) {
		sscanf(line, "Objective value: %lf", &objective);
		sscanf(line, "Total time (CPU seconds): %lf", own_seconds);
	}
	if (answer)
		pclose(answer);
	unlink(path);
	h->solution.objective_eur = objective;
	return isnan(objective) ? OUTCOME_SOLVER_FAILED : OUTCOME_OK;
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

typedef struct result {
	double mean, median; /* seconds a plan */
} result;

static result summary(double *seconds, int count)
{
	result r = {0, 0};

	qsort(seconds, (size_t)count, sizeof(*seconds), by_value);
	for (int k = 0; k < count; k++)
		r.mean += seconds[k] / count;
	r.median = (seconds[(count - 1) / 2] + seconds[count / 2]) / 2;
	return r;
}

static void show(const char *name, result r, result ours, const char *remark)
{
	printf("  %-22s %10.1f %10.1f %9.0f %9.1f %8.1f  %s\n", name, r.median * 1e6, r.mean * 1e6,
	       1 / r.mean, r.median / ours.median, r.mean / ours.mean, remark);
	fflush(stdout);
}

static result measure(const char *name, method solve, home *homes, int count, double *objective,
                      const result *ours)
{
	double seconds[HOMES], own[HOMES];
	int failed = 0, different = 0;
	char remark[100] = "";
	result r;

	for (int k = 0; k < count; k++) {
		double started = ebr_clock_seconds(), spent;
		int plans = 0;
		bool solved = true;

		own[k] = NAN;
		do {
			solved = solve(&homes[k], &own[k]) == OUTCOME_OK && solved;
			plans++;
			spent = ebr_clock_seconds() - started;
		} while (spent < 0.004);
		seconds[k] = spent / plans;
		if (!solved)
			failed++;
		else if (isnan(objective[k]))
			objective[k] = homes[k].solution.objective_eur;
		else if (fabs(objective[k] - homes[k].solution.objective_eur) >
		         1e-6 * fmax(1, fabs(objective[k])))
			different++;
	}
	if (failed || different)
		snprintf(remark, sizeof(remark), "of %d: %d not solved in %d s, %d other cost", count,
		         failed, SECONDS, different);
	r = summary(seconds, count);
	show(name, r, ours ? *ours : r, remark);
	if (solve == by_cbc)
		show("CBC by its own clock", summary(own, count), *ours, "");
	return r;
}

int main(void)
{
	const struct {
		int slots;
		double slot_hours;
	} horizons[] = {{24, 1}, {48, 1}, {96, 0.25}, {192, 0.25}};
	bool cbc = system("command -v cbc >/dev/null") == 0;
	recorded *r = read_recorded();
	uint64_t seed = 42;

	printf("us a plan on one core, and how many times as long as the planner "
	       "takes\n");
	if (!r)
		printf("no recorded homes in %s: left out\n", data_folder());
	if (!cbc)
		printf("no cbc (Debian: coinor-cbc): left out\n");
	for (int k = 0; k < 16; k++) {
		home homes[HOMES];
		double objective[HOMES];
		int slots = horizons[k % 4].slots;
		double slot_hours = horizons[k % 4].slot_hours;
		bool pev = k / 4 % 2, real = k >= 8;
		result ours;

		if (real && !r)
			break;
		for (int i = 0; i < HOMES; i++) {
			objective[i] = NAN;
			if (real)
				open_recorded(&homes[i], slots, slot_hours, pev, r, &seed);
			else
				open_generated(&homes[i], slots, slot_hours, pev, &seed);
		}
		printf("\n%s homes, %s, %d slots of %g h\n  %-22s %10s %10s %9s %9s %8s\n",
		       real ? "recorded" : "generated", pev ? "ESS and PEV" : "ESS", slots, slot_hours, "",
		       "median us", "mean us", "plans/s", "median x", "mean x");
		ours = measure("plan", by_plan, homes, HOMES, objective, NULL);
		measure("plan and rules", by_plan_and_rules, homes, HOMES, objective, &ours);
		measure("GLPK, relaxation first", by_milp, homes, HOMES, objective, &ours);
		measure("GLPK, all binaries", by_plain, homes, HOMES, objective, &ours);
		if (cbc)
			measure("CBC and its process", by_cbc, homes, slots > 100 ? HOMES / 4 : HOMES / 2,
			        objective, &ours);
		for (int i = 0; i < HOMES; i++)
			home_close(&homes[i]);
	}
	free(r);
	return 0;
}
