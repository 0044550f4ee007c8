/* Models as text: what is written has the optimum that is planned, for other solvers too; what is
 * read is solved, or refused with a reason, whatever it is (DESIGN.md section 3). */
#include "tap.h"
#include "test_ebr_homes.h"
#include "../../extension/core/ebr/milp.h"
#include "../../extension/core/ebr/model_text.h"
#include "../../extension/core/milp/model_solution.h"

#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static const solver_limits no_limits;
static const char *const format_names[] = {"lp", "mps"};

/* Every kind of home, with a least power in some. */
static void open_home(home *h, int k, uint64_t *seed)
{
	const unsigned may[] = {HOME_ESS, HOME_ESS | HOME_PEV, 0,
	                        HOME_ESS | HOME_PEV | HOME_NEGATIVE_PRICES | HOME_DEAR_EXPORT};
	ebr_store *pev;

	home_random(h, 12, may[k % 4], seed);
	pev = &h->problem.store[EBR_PEV];
	if (k % 3 == 0)
		pev->min_step_kw = 0.4 * fmin(pev->max_kw, pev->min_kw < 0 ? -pev->min_kw : pev->max_kw);
}

static void test_round_trip(void)
{
	uint64_t seed = 20260301;
	int failed = 0, different[2] = {0, 0}, count = 200;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int k = 0; k < count; k++) {
		home h;
		outcome out;

		open_home(&h, k, &seed);
		failed += ebr_solve_milp_plain(&h.problem, &no_limits, &h.solution, &out) != OUTCOME_OK;
		for (int f = MILP_LP; f <= MILP_MPS; f++) {
			double want = h.solution.objective_eur;
			milp_solution got;
			milp_text text;

			failed += ebr_model_text(&h.problem, f, &no_limits, &text, &out) != OUTCOME_OK;
			failed += milp_solve(text.bytes, text.length, f, &no_limits, &got, &out) != OUTCOME_OK;
			if (!(fabs(got.objective - want) <= 1e-6 * fmax(1, fabs(want)))) {
				printf("# home %d as %s: %.12g, want %.12g\n", k, format_names[f], got.objective,
				       want);
				different[f]++;
			}
			milp_solution_free(&got);
			free(text.bytes);
		}
		home_close(&h);
	}
	ok(failed == 0, "%d random homes are written, read and solved in both formats", count);
	ok(different[MILP_LP] == 0, "as LP text each has the optimum that is planned");
	ok(different[MILP_MPS] == 0, "and as MPS text");
}

/* The optimum that another program finds; NAN where it finds none. */
static double foreign_optimum(const char *command)
{
	FILE *answer = popen(command, "r");
	double value = NAN;

	if (answer) {
		if (fscanf(answer, "%lf", &value) != 1)
			value = NAN;
		pclose(answer);
	}
	return value;
}

static void test_foreign_solvers(void)
{
	static const struct {
		const char *name, *command[2];
	} solvers[] = {
	    {"glpsol",
	     {"glpsol --lp %1$s -w %1$s.out >%1$s.log && awk '$1 == \"s\" { print $NF }' %1$s.out",
	      "glpsol --freemps %1$s -w %1$s.out >%1$s.log && "
	      "awk '$1 == \"s\" { print $NF }' %1$s.out"}},
	    {"cbc",
	     {"cbc %1$s ratio 1e-9 solve | awk '/^(Objective value:|Optimal objective)/ { print $3 }'",
	      "cbc %1$s ratio 1e-9 solve | awk '/^(Objective value:|Optimal objective)/ { print $3 "
	      "}'"}},
	};
	char folder[] = "/tmp/model-text-XXXXXX", path[64], command[400];

	if (!mkdtemp(folder)) {
		ok(false, "a folder in /tmp");
		return;
	}
	for (int n = 0; n < 2; n++) {
		uint64_t seed = 11;
		int different = 0, count = 12;

		snprintf(command, sizeof(command), "command -v %s >/dev/null", solvers[n].name);
		if (system(command) != 0) {
			ok(true, "%s finds the planned optimum # SKIP it is not installed", solvers[n].name);
			continue;
		}
		for (int k = 0; k < count; k++) {
			int f = k % 2;
			home h;
			outcome out;
			milp_text text;
			FILE *file;
			double found;

			/* Two stores, and both sensible prices and others. */
			open_home(&h, k % 2 ? 3 : 1, &seed);
			ebr_solve_milp_plain(&h.problem, &no_limits, &h.solution, &out);
			ebr_model_text(&h.problem, f, &no_limits, &text, &out);
			snprintf(path, sizeof(path), "%s/model.%s", folder, format_names[f]);
			file = fopen(path, "w");
			if (file) {
				fwrite(text.bytes, 1, text.length, file);
				fclose(file);
			}
			snprintf(command, sizeof(command), solvers[n].command[f], path);
			found = foreign_optimum(command);
			if (!(fabs(found - h.solution.objective_eur) <= 1e-6 * fmax(1, fabs(found)))) {
				printf("# home %d as %s: %.12g, want %.12g\n", k, format_names[f], found,
				       h.solution.objective_eur);
				different++;
			}
			free(text.bytes);
			home_close(&h);
		}
		ok(different == 0, "%s finds the planned optimum of %d homes", solvers[n].name, count);
	}
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ok(system(command) == 0, "and nothing of it stays");
}

static outcome_status solve_text(const char *text, milp_format format, milp_solution *solution,
                                 outcome *out)
{
	outcome_status status = milp_solve(text, strlen(text), format, &no_limits, solution, out);

	if (status != OUTCOME_OK)
		printf("# %s: %s\n", out->message, out->detail);
	return status;
}

static void test_answers(void)
{
	milp_solution s;
	outcome out;

	solve_text("Maximize\n p: 3 x + 2 y\nSubject To\n a: x + y <= 4\n b: x + 3 y <= 6\n"
	           "Bounds\n x <= 3\nEnd\n",
	           MILP_LP, &s, &out);
	ok(s.status == MILP_OPTIMAL && s.variables == 2 && s.constraints == 2 &&
	       strcmp(s.objective_name, "p") == 0 && strcmp(s.items[1].name, "y") == 0,
	   "a linear programme has its variables and constraints");
	close_to(s.objective, 11, 1e-9, "its optimum");
	close_to(s.items[0].marginal + s.items[2].marginal + s.items[3].marginal, 3, 1e-9,
	         "and marginals that explain the value of x");
	milp_solution_free(&s);

	solve_text("NAME t\nROWS\n N cost\n G c1\nCOLUMNS\n x cost 2 c1 1\n y cost 3 c1 1\n"
	           "RHS\n RHS c1 5\nBOUNDS\n UP B x 4\nENDATA\n",
	           MILP_MPS, &s, &out);
	ok(s.status == MILP_OPTIMAL && s.constraints == 1, "MPS: the objective is no constraint");
	close_to(s.objective, 11, 1e-9, "MPS: optimum");
	milp_solution_free(&s);

	solve_text("Maximize\n x + y\nSubject To\n 2 x + 2 y <= 7\nBounds\n x <= 1.5\n -2.5 <= y\n"
	           "Generals\n x y\nEnd\n",
	           MILP_LP, &s, &out);
	ok(s.status == MILP_OPTIMAL && isnan(s.items[0].marginal),
	   "integer variables may have any bounds, and no marginals");
	close_to(s.objective, 3, 1e-9, "integer optimum");
	close_to(s.bound, 3, 1e-9, "and its proof");
	milp_solution_free(&s);
}

static void test_no_solution(void)
{
	static const struct {
		const char *what, *text;
		milp_status status;
	} cases[] = {
	    {"infeasible", "min x\nst\n x >= 2\n a: x + y <= 1\nend\n", MILP_INFEASIBLE},
	    {"bounds that exclude each other",
	     "min x\nst\n a: x + y <= 1\nbounds\n x >= 3\n x <= 2\nend\n", MILP_INFEASIBLE},
	    {"unbounded", "max x\nst\n a: x - y <= 1\nend\n", MILP_UNBOUNDED},
	    {"no integer between the bounds",
	     "min x\nst\n a: x + y <= 1\nbounds\n 0.2 <= x <= 0.8\ngenerals\n x\nend\n",
	     MILP_INFEASIBLE},
	    {"no integer point",
	     "min x\nst\n a: 2 x - 2 y = 1\nbounds\n x <= 9\n y <= 9\ngenerals\n x y\nend\n",
	     MILP_INFEASIBLE},
	    {"unbounded, but no integer point",
	     "max z\nst\n a: 2 x - 2 y = 1\nbounds\n x <= 9\n y <= 9\ngenerals\n x y\nend\n",
	     MILP_INFEASIBLE},
	    {"unbounded, with integer points",
	     "max z\nst\n a: 2 x - 2 y = 2\nbounds\n x <= 9\n y <= 9\ngenerals\n x y z\nend\n",
	     MILP_UNBOUNDED},
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
		milp_solution s;
		outcome out;

		ok(solve_text(cases[k].text, MILP_LP, &s, &out) == OUTCOME_OK &&
		       s.status == cases[k].status && !s.items && isnan(s.objective),
		   "an answer without a solution: %s", cases[k].what);
		milp_solution_free(&s);
	}
}

/* Whether a text is refused as no model, with a reason that can be shown. */
static bool refused(const char *text, size_t length, milp_format format, outcome *out)
{
	milp_solution s;
	bool bad = milp_solve(text, length, format, &no_limits, &s, out) == OUTCOME_BAD_INPUT;

	milp_solution_free(&s);
	for (const char *c = out->detail; bad && *c; c++)
		bad = *c >= ' ' && *c <= '~';
	return bad && out->detail[0] && out->message[0];
}

static void test_bad_texts(void)
{
	static const char lp[] = "min x\nst\n a: x + y >= 1\nend\n";
	static const char mps[] = "NAME t\nROWS\n N cost\n G c1\nCOLUMNS\n x cost 2 c1 1\n"
	                          "RHS\n RHS c1 5\nENDATA\n";
	const size_t million = 1000000;
	char *text = malloc(2 * million);
	uint64_t seed = 5;
	int solved = 0, accepted = 0;
	outcome out;

	if (!text)
		abort();
	ok(refused("", 0, MILP_LP, &out) && refused("", 0, MILP_MPS, &out), "an empty text");
	ok(refused("min x\nst\n a: x ?? 1\nend\n", 24, MILP_LP, &out) &&
	       strncmp(out.detail, "Line 3: ", 8) == 0,
	   "the detail has the line: %s", out.detail);
	ok(refused(lp, strlen(lp), MILP_MPS, &out) && refused(mps, strlen(mps), MILP_LP, &out),
	   "a model in the other format");
	for (size_t k = 0; k <= strlen(lp) - strlen("end\n"); k++)
		solved += !refused(lp, k, MILP_LP, &out);
	for (size_t k = 0; k < strlen(mps) - strlen("\n"); k++)
		solved += !refused(mps, k, MILP_MPS, &out);
	ok(solved == 0, "a model that is cut off anywhere");
	ok(refused("min x\nst\n a: 1e999 x >= 1\nend\n", 30, MILP_LP, &out), "a number out of range");
	for (int f = MILP_LP; f <= MILP_MPS; f++) {
		int header = snprintf(text, 100, f == MILP_LP ? "min\n" : "ROWS\n N cost\nCOLUMNS\n ");

		memset(text + header, 'x', million);
		ok(refused(text, (size_t)header + million, f, &out), "a name of a million letters: %s",
		   format_names[f]);
		for (int k = 0; k < 200; k++) {
			size_t length = (size_t)between(&seed, 1, 4000);

			for (size_t i = 0; i < length; i++)
				text[i] = (char)(unsigned char)between(&seed, 0, 256);
			accepted += !refused(text, length, f, &out);
		}
	}
	ok(accepted == 0, "400 texts of random bytes");
	ok(refused(text, (size_t)MILP_MAX_TEXT + 1, MILP_LP, &out), "more than 64 MB: %s", out.detail);
	free(text);
}

/* Numbers of absurd size get an answer or an error. */
static void test_extreme_numbers(void)
{
	static const char *const numbers[] = {"1e-300", "1e-30", "1e20", "1e100", "1e300"};
	solver_limits limits = {.seconds = 1, .memory_mb = 64};
	int count = (int)(sizeof(numbers) / sizeof(*numbers)), other = 0;
	char text[300];

	for (int k = 0; k < count * count * count; k++) {
		milp_solution s;
		outcome out;
		outcome_status status;

		snprintf(text, sizeof(text),
		         "min %s x + y\nst\n a: %s x + y >= %s\n b: x - %s y <= 3\nbounds\n y <= %s\n"
		         "generals\n %s\nend\n",
		         numbers[k % count], numbers[k / count % count], numbers[k / count / count],
		         numbers[k % count], numbers[k / count % count], k % 2 ? "x" : "y");
		status = milp_solve(text, strlen(text), MILP_LP, &limits, &s, &out);
		other +=
		    status != OUTCOME_OK && status != OUTCOME_SOLVER_FAILED && status != OUTCOME_TIME_LIMIT;
		milp_solution_free(&s);
	}
	ok(other == 0, "numbers from 1e-300 to 1e300 end in an answer or an error");
}

/* Market split, with slack: solutions are found at once, and the best is not proved in years. */
static char *hard_model(void)
{
	const int rows = 6, columns = 50;
	char *text = malloc(100000), *end = text;
	uint64_t seed = 3;

	if (!text)
		abort();
	end += sprintf(end, "min\n cost: over_1 + under_1");
	for (int i = 2; i <= rows; i++)
		end += sprintf(end, " + over_%d + under_%d", i, i);
	end += sprintf(end, "\nst\n");
	for (int i = 1; i <= rows; i++) {
		int sum = 0;

		end += sprintf(end, " row_%d: over_%d - under_%d", i, i, i);
		for (int j = 1; j <= columns; j++) {
			int weight = (int)between(&seed, 1, 100);

			sum += weight;
			end += sprintf(end, "\n + %d x_%d", weight, j);
		}
		end += sprintf(end, " = %d\n", sum / 2);
	}
	end += sprintf(end, "binaries\n");
	for (int j = 1; j <= columns; j++)
		end += sprintf(end, " x_%d\n", j);
	sprintf(end, "end\n");
	return text;
}

static bool say_yes(void *argument)
{
	return ++*(int *)argument > 20;
}

static void test_limits(void)
{
	char *hard = hard_model(), *large = malloc(8 << 20);
	solver_limits limits = {.seconds = 0.3};
	size_t length = strlen(hard), size;
	int polls = 0;
	milp_solution s;
	outcome out;

	if (!large)
		abort();
	ok(milp_solve(hard, length, MILP_LP, &limits, &s, &out) == OUTCOME_TIME_LIMIT,
	   "branch and bound ends at its time limit");
	milp_solution_free(&s);
	limits.accept_incumbent = true;
	ok(milp_solve(hard, length, MILP_LP, &limits, &s, &out) == OUTCOME_OK &&
	       s.status == MILP_FEASIBLE && s.items && s.bound < s.objective,
	   "or answers with its best solution and a bound, if that is wanted");
	milp_solution_free(&s);
	limits = (solver_limits){.interrupted = say_yes, .interrupted_argument = &polls};
	ok(milp_solve(hard, length, MILP_LP, &limits, &s, &out) == OUTCOME_INTERRUPTED,
	   "and is interrupted");
	milp_solution_free(&s);
	size = (size_t)sprintf(large, "min x_0\nst\n");
	for (int i = 0; size < (8 << 20) - 100; i++)
		size += (size_t)sprintf(large + size, "x_%d + x_%d >= 1\n", i, i + 1);
	size += (size_t)sprintf(large + size, "end\n");
	limits = (solver_limits){.memory_mb = 8};
	ok(milp_solve(large, size, MILP_LP, &limits, &s, &out) == OUTCOME_MEMORY_LIMIT,
	   "reading ends at its memory limit");
	milp_solution_free(&s);
	limits = (solver_limits){.seconds = 0.05};
	ok(milp_solve(large, size, MILP_LP, &limits, &s, &out) == OUTCOME_TIME_LIMIT,
	   "and at its time limit");
	milp_solution_free(&s);
	free(hard);
	free(large);
}

static long memory_pages(bool resident_only)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file) {
		if (fscanf(file, "%ld %ld", &size, &resident) != 2)
			size = resident = 0;
		fclose(file);
	}
	return resident_only ? resident : size;
}

static void test_failures_leave_nothing(void)
{
	static const char *const texts[] = {"min x\nst\n a: x ?? 1\nend\n", "min x\nst\n a: x >= 1\n",
	                                    "min 1e999 x", "ROWS\n N cost\n G c1\nCOLUMNS\n x c2 1\n"};
	FILE *in = stdin, *output = stdout;
	solver_limits small = {.memory_mb = 1};
	home h;
	outcome out;
	milp_text text;
	long before = 0;
	int failed = 0, count = 2000;

	home_open(&h, 4000, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.9, 5, INFINITY, NAN, NAN, 0};
	for (int k = 0; k < count; k++) {
		const char *bad = texts[k % 4];

		if (k == 100)
			before = memory_pages(true);
		failed += refused(bad, strlen(bad), k % 4 == 3 ? MILP_MPS : MILP_LP, &out);
		if (k % 100 == 0) {
			failed -=
			    ebr_model_text(&h.problem, MILP_LP, &small, &text, &out) != OUTCOME_MEMORY_LIMIT;
			free(text.bytes);
		}
	}
	ok(failed == count, "%d texts are refused, and models not written for lack of memory", count);
	ok(stdin == in && stdout == output, "the standard streams are what they were");
#ifdef SANITIZED
	ok(before > 0, "and LeakSanitizer looks for what they left # SKIP freed memory stays resident");
#else
	ok((memory_pages(true) - before) * sysconf(_SC_PAGESIZE) < 1 << 20,
	   "and the process has not grown");
#endif
	h.demand[3] = NAN;
	ok(ebr_model_text(&h.problem, MILP_LP, &no_limits, &text, &out) == OUTCOME_BAD_INPUT,
	   "nonsense is not written: %s", out.message);
	free(text.bytes);
	home_close(&h);
}

/* The machine's memory runs out, at another point each time. AddressSanitizer needs an address
 * space without limit. */
static void test_machine_out_of_memory(void)
{
#ifndef SANITIZED
	char *chain = malloc(1 << 20);
	int size, out_of_memory = 0, other = 0;
	home h;

	if (!chain)
		abort();
	size = sprintf(chain, "min x_0\nst\n");
	for (int i = 0; i < 20000; i++)
		size += sprintf(chain + size, " x_%d + x_%d >= 1\n", i, i + 1);
	size += sprintf(chain + size, "end\n");
	home_open(&h, 2000, 1);
	h.problem.store[EBR_ESS] = (ebr_store){10, -5, 5, 0.9, 5, INFINITY, NAN, NAN, 0};
	for (int k = 0; k < 80; k++) {
		rlim_t now = (rlim_t)memory_pages(false) * (rlim_t)sysconf(_SC_PAGESIZE);
		struct rlimit limit = {now + (rlim_t)k * 131072, RLIM_INFINITY};
		solver_limits brief = {.seconds = 0.02};
		outcome_status status[2];
		milp_solution s;
		milp_text text;
		outcome out;

		setrlimit(RLIMIT_AS, &limit);
		status[0] = milp_solve(chain, (size_t)size, MILP_LP, &brief, &s, &out);
		milp_solution_free(&s);
		status[1] = ebr_model_text(&h.problem, k % 2 ? MILP_MPS : MILP_LP, &no_limits, &text, &out);
		free(text.bytes);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_AS, &limit);
		for (int i = 0; i < 2; i++) {
			out_of_memory += status[i] == OUTCOME_MEMORY_LIMIT;
			other += status[i] != OUTCOME_MEMORY_LIMIT && status[i] != OUTCOME_OK &&
			         status[i] != OUTCOME_TIME_LIMIT;
		}
	}
	ok(out_of_memory > 0 && other == 0, "malloc failing %d times is a memory limit", out_of_memory);
	free(chain);
	home_close(&h);
#else
	ok(true, "malloc failing # SKIP needs a limited address space");
#endif
}

int main(void)
{
	test_round_trip();
	test_foreign_solvers();
	test_answers();
	test_no_solution();
	test_bad_texts();
	test_extreme_numbers();
	test_limits();
	test_failures_leave_nothing();
	test_machine_out_of_memory();
	return tap_done();
}
