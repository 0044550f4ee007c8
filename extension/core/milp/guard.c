/*
 * See guard.h.
 *
 * glp_mem_limit() is only the second line of defence: where it stops a block from
 * growing, GLPK 5.0 has already lost sight of the block and never frees it.
 */
#include "guard.h"

#include <limits.h>
#include <math.h>
#include <string.h>

void guard_begin(milp_guard *g, const solver_limits *limits)
{
	g->limits = limits;
	g->deadline = limits->seconds > 0 ? clock_seconds() + limits->seconds : INFINITY;
	g->short_of_memory = g->no_end = g->unfinished = false;
	g->complaint[0] = '\0';
	g->lent = NULL;
	g->status = OUTCOME_OK;
}

outcome_status guard_watch(const milp_guard *g)
{
	if (g->limits->interrupted && g->limits->interrupted(g->limits->interrupted_argument))
		return OUTCOME_INTERRUPTED;
	if (clock_seconds() >= g->deadline)
		return OUTCOME_TIME_LIMIT;
	if (g->limits->memory_mb > 0) {
		size_t used;

		glp_mem_usage(NULL, NULL, &used, NULL);
		if (used > (size_t)g->limits->memory_mb << 20)
			return OUTCOME_MEMORY_LIMIT;
	}
	return OUTCOME_OK;
}

void guard_leave(milp_guard *g, outcome_status status)
{
	g->status = status;
	longjmp(g->escape, 1);
}

void guard_check(milp_guard *g)
{
	outcome_status status = guard_watch(g);

	if (status != OUTCOME_OK)
		guard_leave(g, status);
}

void guard_check_after(milp_guard *g, int failure)
{
	guard_check(g);
	/* GLPK's clock may be a moment ahead of ours. */
	if (failure == GLP_ETMLIM)
		guard_leave(g, OUTCOME_TIME_LIMIT);
}

/* GLPK is about to abort(); its reasons came through the terminal hook. */
static void on_error(void *argument)
{
	milp_guard *g = argument;

	guard_leave(g, g->short_of_memory ? OUTCOME_MEMORY_LIMIT : OUTCOME_SOLVER_FAILED);
}

/* Keeps the last line, which may come in pieces. */
static void keep_line(milp_guard *g, const char *text)
{
	size_t length = g->unfinished ? strlen(g->complaint) : 0;

	snprintf(g->complaint + length, sizeof(g->complaint) - length, "%.*s", (int)strcspn(text, "\n"),
	         text);
	g->unfinished = strchr(text, '\n') == NULL;
}

/* Nonzero: GLPK prints nothing. */
static int on_output(void *argument, const char *text)
{
	milp_guard *g = argument;

	if (strstr(text, ": memory allocation") || strstr(text, ": no memory available"))
		g->short_of_memory = true;
	if (strstr(text, "'end' missing"))
		g->no_end = true;
	if (!strstr(text, "Error detected in file"))
		keep_line(g, text);
	guard_check(g);
	return 1;
}

void guard_lend(milp_guard *g, FILE **standard, FILE *stream)
{
	g->standard = standard;
	g->kept = *standard;
	g->lent = stream;
	*standard = stream;
}

bool guard_give_back(milp_guard *g)
{
	bool good;

	if (!g->lent)
		return true;
	*g->standard = g->kept;
	good = !ferror(g->lent);
	good = fclose(g->lent) == 0 && good;
	g->lent = NULL;
	return good;
}

/* The simplex method checks its own clock in every iteration, the hook only every millisecond. */
static int milliseconds_left(const milp_guard *g)
{
	double left = ceil((g->deadline - clock_seconds()) * 1000);

	return isinf(left) || left > INT_MAX ? INT_MAX : (int)fmax(left, 1);
}

int guard_simplex(milp_guard *g, glp_prob *lp, int method, int presolve)
{
	glp_smcp parameters;

	glp_init_smcp(&parameters);
	parameters.msg_lev = GLP_MSG_ALL;
	parameters.meth = method;
	parameters.presolve = presolve;
	parameters.out_frq = 1;
	parameters.out_dly = 0;
	parameters.tm_lim = milliseconds_left(g);
	return glp_simplex(lp, &parameters);
}

void guard_intopt_parameters(const milp_guard *g, glp_iocp *parameters)
{
	glp_init_iocp(parameters);
	parameters->msg_lev = GLP_MSG_ALL;
	parameters->out_frq = 1;
	parameters->out_dly = 0;
	parameters->tm_lim = milliseconds_left(g);
}

/* Out of reach of what GLPK allocates between two looks at the memory in use. */
static int memory_backstop_mb(const milp_guard *g)
{
	return (int)fmin(4.0 * g->limits->memory_mb + 64, 1 << 30);
}

/* No local variable here changes after setjmp(). */
outcome_status guard_run(milp_guard *g, void (*work)(void *), void *argument)
{
	int initialised = glp_init_env();

	if (initialised != 0) {
		strcpy(g->complaint, "GLPK cannot be initialised, or is already used in this thread");
		return g->status = initialised == 2 ? OUTCOME_MEMORY_LIMIT : OUTCOME_SOLVER_FAILED;
	}
	if (setjmp(g->escape) == 0) {
		glp_error_hook(on_error, g);
		glp_term_hook(on_output, g);
		if (g->limits->memory_mb > 0)
			glp_mem_limit(memory_backstop_mb(g));
		work(argument);
	}
	guard_give_back(g);
	glp_free_env();
	return g->status;
}
