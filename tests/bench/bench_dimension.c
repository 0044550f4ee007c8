/*
 * Sizing a battery beside glpsol and CBC on the same LP file, in the same run:
 * seconds, peak memory and ratios for 720, 2,190 and 8,760 hours and 35,040
 * quarters of an hour. Every solve is a process of its own, so that its peak
 * memory is its own. "own s" is what a program says of itself, which for CBC and
 * sizing is CPU time; "process s" is by the clock on the wall, with process and
 * file. The home is real (SMARTHG_DATA or ../shared/data), else made up. First
 * all homes, without and with PV, in this process. The largest comparison takes
 * CBC minutes and is made by `bench_dimension all` only.
 *
 * Import at the day-ahead price + 0.15 EUR/kWh, export at the day-ahead price;
 * 200 EUR/kWh and 60 EUR/kW over 15 years at 3 %. A gap in the recordings takes
 * the value of the day before.
 */
#include "../../extension/core/ebr/model.h"
#include "../../extension/core/ebr/sizing.h"

#include <fcntl.h>
#include <glpk.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOMES = 5, HALF_HOURS = 2 * 366 * 48, FIRST = 363 * 48, YEAR = 365 * 48, RUNS = 5 };
enum { GLPSOL_SECONDS = 300 };

static double demand[HOMES][HALF_HOURS], sun[HALF_HOURS], spot[HALF_HOURS];

/* Half-hours since 2022-01-01, or -1. */
static int half_hour(const char *text)
{
	struct tm at = {0}, start = {.tm_year = 122, .tm_mday = 1};
	double half;

	if (sscanf(text, "%d-%d-%dT%d:%d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
	           &at.tm_min) != 5)
		return -1;
	at.tm_year -= 1900;
	at.tm_mon--;
	half = difftime(timegm(&at), timegm(&start)) / 1800;
	return half >= 0 && half < HALF_HOURS - 1 ? (int)half : -1;
}

static void take_line(int file, const char *line)
{
	char at[40];
	double a, b;
	int number, k;

	if (file == 0 && sscanf(line, "home%d,%39[^,],%lf", &number, at, &a) == 3 && number >= 1 &&
	    number <= HOMES && (k = half_hour(at)) >= 0)
		demand[number - 1][k] = 2 * a;
	else if (file == 1 && sscanf(line, "%39[^,],%lf,%lf", at, &a, &b) == 3 &&
	         (k = half_hour(at)) >= 0)
		sun[k] = b;
	else if (file == 2 && sscanf(line, "%39[^,],%lf", at, &a) == 2 && (k = half_hour(at)) >= 0)
		spot[k] = spot[k + 1] = a / 1000;
}

/* A home from nothing where there is no recording. */
static void make_up(void)
{
	for (int k = 0; k < HALF_HOURS; k++) {
		double hour = k % 48 / 2.0, noise = fmod(k * 0.6180339887, 1);

		for (int h = 0; h < HOMES; h++)
			demand[h][k] = 0.3 + 0.4 * fmod(noise * (h + 3), 1) + (hour > 17 && hour < 22);
		sun[k] = fmax(0, 3 * sin((hour - 6) / 12 * M_PI)) * noise;
		spot[k] = 0.1 + 0.06 * cos((hour - 19) / 12 * M_PI) + 0.04 * noise;
	}
}

static void fill_gaps(double *series)
{
	for (int k = 0; k < HALF_HOURS; k++)
		if (isnan(series[k]))
			series[k] = k >= 48 ? series[k - 48] : 0;
}

static bool read_all(void)
{
	static const char *const names[] = {"homes_30min.csv.gz", "solar_home_30min.csv.gz",
	                                    "market_hourly.csv.gz"};
	const char *folder = getenv("SMARTHG_DATA");
	char command[1000], line[256];
	int lines = 0;

	for (double *x = &demand[0][0]; x < &demand[0][0] + HOMES * HALF_HOURS; x++)
		*x = NAN;
	for (int k = 0; k < HALF_HOURS; k++)
		sun[k] = spot[k] = NAN;
	for (int f = 0; f < 3; f++) {
		FILE *file;

		snprintf(command, sizeof(command), "zcat '%s/series/%s' 2>/dev/null",
		         folder ? folder : "../shared/data", names[f]);
		file = popen(command, "r");
		for (; file && fgets(line, sizeof(line), file); lines++)
			take_line(f, line);
		if (file)
			pclose(file);
	}
	if (lines < 100) {
		make_up();
		return false;
	}
	for (int h = 0; h < HOMES; h++)
		fill_gaps(demand[h]);
	fill_gaps(sun);
	fill_gaps(spot);
	return true;
}

typedef struct span {
	ebr_sizing_problem problem;
	double *memory;
} span;

static span open_span(int home, bool with_sun, int slots, double slot_hours)
{
	double *d = malloc(4 * (size_t)slots * sizeof(double)), used = 0, produced = 0;
	double *p, *import, *export;
	span s = {.memory = d};

	if (!d)
		abort();
	p = d + slots;
	import = p + slots;
	export = import + slots;
	for (int k = FIRST; k < FIRST + YEAR && k < HALF_HOURS; k++) {
		used += demand[home][k];
		produced += sun[k];
	}
	for (int t = 0; t < slots; t++) {
		int k = FIRST + (int)(2 * t * slot_hours), halves = slot_hours > 0.5 ? 2 : 1;

		d[t] = (demand[home][k] + demand[home][k + halves - 1]) / 2;
		p[t] = with_sun ? (sun[k] + sun[k + halves - 1]) / 2 * used / produced : 0;
		export[t] = spot[k];
		import[t] = spot[k] + 0.15;
	}
	s.problem = (ebr_sizing_problem){.slots = slots,
	                                 .slot_hours = slot_hours,
	                                 .demand_kw = d,
	                                 .production_kw = p,
	                                 .energy_eur_per_kwh = import,
	                                 .export_eur_per_kwh = export,
	                                 .capacity_eur_per_kwh = 200,
	                                 .power_eur_per_kw = 60,
	                                 .lifetime_years = 15,
	                                 .discount_rate = 0.03,
	                                 .efficiency = 0.9,
	                                 .capacity_max_kwh = INFINITY,
	                                 .power_max_kw = INFINITY};
	return s;
}

/* The mean CPU seconds of a few sizings. */
static double size(const span *s, ebr_sizing_result *result)
{
	ebr_limits limits = {0};
	clock_t started = clock();
	outcome out;

	for (int k = 0; k < RUNS; k++) {
		if (ebr_size(&s->problem, &limits, NULL, result, &out) != OUTCOME_OK) {
			printf("  failed: %s\n", out.message);
			return NAN;
		}
	}
	return (double)(clock() - started) / CLOCKS_PER_SEC / RUNS;
}

/* ---- a process of its own ---- */

typedef struct measured {
	double objective, own_seconds, wall_seconds, peak_mb;
} measured;

/* Runs a program with its output in a file; reads what it says. */
static measured run(char *const *arguments, const char *output, const char *const formats[2])
{
	measured m = {NAN, NAN, NAN, NAN};
	double started = ebr_clock_seconds();
	struct rusage usage;
	char line[400];
	FILE *file;
	pid_t child = fork();

	if (child == 0) {
		int to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(to, 1);
		dup2(to, 2);
		execvp(arguments[0], arguments);
		_exit(127);
	}
	if (child < 0 || wait4(child, NULL, 0, &usage) < 0)
		return m;
	m.wall_seconds = ebr_clock_seconds() - started;
	m.peak_mb = (double)usage.ru_maxrss / 1024;
	file = fopen(output, "r");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, formats[0], &m.objective);
		sscanf(line, formats[1], &m.own_seconds);
	}
	if (file)
		fclose(file);
	return m;
}

static void show(const char *name, measured m, measured ours)
{
	printf("  %-8s %14.6f %10.4f %9.3f %8.1f %9.1f %8.1e\n", name, m.objective, m.own_seconds,
	       m.wall_seconds, m.peak_mb, m.own_seconds / ours.own_seconds,
	       (m.objective - ours.objective) / ours.objective);
	fflush(stdout);
}

/* The objective's constant goes to a column of its own: not every reader knows one. */
static void write_lp(const span *s, const char *path)
{
	glp_prob *lp;
	outcome out;
	int one;

	if (ebr_sizing_lp(&s->problem, &lp, &out) != OUTCOME_OK)
		abort();
	one = glp_add_cols(lp, 1);
	glp_set_col_name(lp, one, "one");
	glp_set_col_bnds(lp, one, GLP_FX, 1, 1);
	glp_set_obj_coef(lp, one, glp_get_obj_coef(lp, 0));
	glp_set_obj_coef(lp, 0, 0);
	glp_term_out(GLP_OFF);
	glp_write_lp(lp, NULL, path);
	glp_delete_prob(lp);
	glp_free_env();
}

static void compare(int slots, double slot_hours, const char *self)
{
	char lp[] = "/tmp/bench_dimension_XXXXXX.lp", output[] = "/tmp/bench_dimension_XXXXXX.out";
	char count[20], length[20];
	static const char *const of_ours[2] = {"cost %lf", "seconds %lf"};
	static const char *const of_glpsol[2] = {"Objective: cost = %lf", "Time used: %lf"};
	static const char *const of_cbc[2] = {"Optimal objective %lf", "Total time (CPU seconds): %lf"};
	char *const size_it[] = {(char *)self, "one", count, length, NULL};
	char *const glpsol[] = {"glpsol", "--lp", lp, "--tmlim", "300", "-o", "/dev/stdout", NULL};
	char *const cbc[] = {"cbc", lp, "solve", NULL};
	int lp_file = mkstemps(lp, 3), output_file = mkstemps(output, 4);
	measured ours;
	span s = open_span(0, false, slots, slot_hours);

	if (lp_file < 0 || output_file < 0)
		abort();
	close(lp_file);
	close(output_file);
	snprintf(count, sizeof(count), "%d", slots);
	snprintf(length, sizeof(length), "%g", slot_hours);
	write_lp(&s, lp);
	printf("\n%d slots of %g h\n  %-8s %14s %10s %9s %8s %9s %8s\n", slots, slot_hours, "",
	       "cost EUR", "own s", "process s", "peak MB", "x sizing", "cost -");
	ours = run(size_it, output, of_ours);
	show("sizing", ours, ours);
	show("cbc", run(cbc, output, of_cbc), ours);
	if (slots <= 8760)
		show("glpsol", run(glpsol, output, of_glpsol), ours);
	else
		printf("  glpsol   left out: more than %d s\n", GLPSOL_SECONDS);
	unlink(lp);
	unlink(output);
	free(s.memory);
}

static void size_all(int slots, double slot_hours)
{
	printf("\nall homes, %d slots of %g h\n  %-10s %8s %8s %10s %10s %8s %7s %8s\n", slots,
	       slot_hours, "", "kWh", "kW", "cost EUR", "saved EUR", "gap", "passes", "CPU s");
	for (int k = 0; k < 2 * HOMES; k++) {
		span s = open_span(k % HOMES, k >= HOMES, slots, slot_hours);
		ebr_sizing_result r;
		double seconds = size(&s, &r);

		printf("  home %d%s %8.3f %8.3f %10.2f %10.2f %8.1e %7d %8.4f%s\n", k % HOMES + 1,
		       k >= HOMES ? " PV" : "   ", r.capacity_kwh, r.power_kw, r.cost_eur, r.saving_eur,
		       (r.cost_eur - r.bound_eur) / r.cost_eur, r.passes, seconds,
		       r.quality == EBR_SIZING_OPTIMAL ? "" : " overlap");
		fflush(stdout);
		free(s.memory);
	}
}

int main(int count, char **arguments)
{
	static const struct {
		int slots;
		double slot_hours;
	} spans[] = {{720, 1}, {2190, 1}, {8760, 1}, {35040, 0.25}};
	bool real = read_all();

	if (count == 4 && strcmp(arguments[1], "one") == 0) {
		span s = open_span(0, false, atoi(arguments[2]), atof(arguments[3]));
		ebr_sizing_result r;
		double seconds = size(&s, &r);

		printf("cost %.9f\nseconds %.6f\n", r.relaxed_eur, seconds);
		free(s.memory);
		return 0;
	}
	printf("%s home; a process reads the recordings too\n", real ? "recorded" : "made-up");
	for (int k = 2; k < 4; k++)
		size_all(spans[k].slots, spans[k].slot_hours);
	if (system("command -v cbc >/dev/null && command -v glpsol >/dev/null") != 0) {
		printf("no cbc or glpsol (Debian: coinor-cbc, glpk-utils): comparison left out\n");
		return 0;
	}
	for (int k = 0; k < (count == 2 && strcmp(arguments[1], "all") == 0 ? 4 : 3); k++)
		compare(spans[k].slots, spans[k].slot_hours, "/proc/self/exe");
	return 0;
}
