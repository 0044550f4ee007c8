/*
 * Models as text: CPLEX LP, or MPS in free format, by GLPK's own readers and
 * writers. That is how a model leaves the database, for another solver to check
 * an optimum, and how an analyst's own model comes in.
 *
 * GLPK reads and writes files by name, but takes /dev/stdin and /dev/stdout for
 * the C library's streams, whatever those are: ours are in memory, and watch the
 * limits while GLPK, which does not look at them here, works.
 */
#ifndef SMARTHG_MILP_MODEL_TEXT_H
#define SMARTHG_MILP_MODEL_TEXT_H

#include "guard.h"

#include <stddef.h>

typedef enum milp_format {
	MILP_LP,  /* CPLEX LP; numbers have 15 digits */
	MILP_MPS, /* free MPS; numbers have up to 10 digits, which is GLPK's way */
} milp_format;

/* What texts may have. */
enum {
	MILP_MAX_TEXT = 64 << 20, /* bytes */
	MILP_MAX_LINES = 500000,  /* rows, and columns */
	MILP_MAX_ENTRIES = 10000000,
};

typedef struct milp_text {
	char *bytes; /* malloc'd; not terminated */
	size_t length, room;
} milp_text;

/* Builds the model to be written, below guard_run(). */
typedef glp_prob *(*milp_builder)(milp_guard *guard, void *argument);

/* Writes the model that build makes as a text, which the caller frees whatever happens. Neither
 * format has a constant in the objective that all programs understand, so that one becomes the cost
 * of a column objective_constant that is 1. Errors: those of the limits, of build, and of GLPK. */
outcome_status milp_write(milp_builder build, void *argument, milp_format format,
                          const solver_limits *limits, milp_text *text, outcome *out);

typedef struct milp_source {
	const char *bytes;
	size_t length, at;
	milp_guard *guard;
	outcome_status status;
} milp_source;

/* Below guard_run(): reads the source's text into a problem, or leaves with OUTCOME_BAD_INPUT. The
 * source has to outlive guard_run(). */
void milp_read(milp_source *source, milp_format format, glp_prob *lp);

/* GLPK's last line as a sentence for people: printable, without the name of a stream. */
void milp_complaint(const milp_guard *guard, char *sentence, size_t size);

#endif
