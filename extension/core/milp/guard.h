/*
 * GLPK held on a leash: whatever it is asked to do below guard_run() ends there,
 * in a status, and leaves nothing behind.
 *
 * GLPK calls abort() on errors, running out of memory included, unless its error
 * hook jumps out. Everything is therefore done below one setjmp() in guard_run(),
 * and whatever happens the environment, which owns all of GLPK's memory and
 * hooks, is freed there. The terminal hook, which GLPK calls every millisecond
 * of simplex, keeps GLPK silent and watches the clock, the memory in use and the
 * caller's interrupt.
 */
#ifndef SMARTHG_MILP_GUARD_H
#define SMARTHG_MILP_GUARD_H

#include "../limits.h"
#include "../outcome.h"

#include <glpk.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct milp_guard {
	const solver_limits *limits;
	double deadline; /* of clock_seconds() */
	bool short_of_memory;
	bool no_end;         /* GLPK missed the end of a model's text */
	bool unfinished;     /* the line of complaint has not ended yet */
	char complaint[300]; /* the last line that GLPK said */
	FILE **standard, *kept, *lent;
	outcome_status status;
	jmp_buf escape;
} milp_guard;

/* Starts the clock. */
void guard_begin(milp_guard *guard, const solver_limits *limits);

/* Runs work and leaves no trace of GLPK: no memory, no hook, no environment. Not for a thread that
 * has GLPK objects of its own. Memory that work gets elsewhere has to be in reach of the caller. */
outcome_status guard_run(milp_guard *guard, void (*work)(void *), void *argument);

/* The rest is for use below guard_run(). */

/* Ends the run. */
void guard_leave(milp_guard *guard, outcome_status status) __attribute__((noreturn));

/* What the limits say now. */
outcome_status guard_watch(const milp_guard *guard);

/* Ends the run where a limit is reached. */
void guard_check(milp_guard *guard);

/* Ends the run where a limit is reached, or GLPK returned that its time is up. */
void guard_check_after(milp_guard *guard, int failure);

/* Lends a stream as standard input or output, the only ones that GLPK reads and writes without a
 * file. Given back it is closed, and standard is what it was; false where it had an error. A run
 * that ends early gives it back, too. */
void guard_lend(milp_guard *guard, FILE **standard, FILE *stream);
bool guard_give_back(milp_guard *guard);

/* glp_simplex() by a method (GLP_PRIMAL ...), watched. */
int guard_simplex(milp_guard *guard, glp_prob *lp, int method, int presolve);

/* GLPK's own parameters of glp_intopt(), watched as long as the callback calls guard_check(). */
void guard_intopt_parameters(const milp_guard *guard, glp_iocp *parameters);

#endif
