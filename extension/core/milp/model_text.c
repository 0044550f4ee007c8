/* See model_text.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fopencookie() */
#endif
#include "model_text.h"

#include <stdlib.h>
#include <string.h>

#define INPUT  "/dev/stdin"
#define OUTPUT "/dev/stdout"

typedef struct writing {
	milp_builder build;
	void *argument;
	milp_format format;
	milp_text *text;
	outcome_status status; /* of the stream */
	milp_guard guard;
} writing;

void milp_complaint(const milp_guard *g, char *sentence, size_t size)
{
	const char *line = g->complaint;
	size_t length;
	int number, skipped = 0;

	if (sscanf(line, INPUT ":%d: %n", &number, &skipped) == 1 && skipped > 0)
		snprintf(sentence, size - 1, "Line %d: %s", number > 0 ? number : 1, line + skipped);
	else
		snprintf(sentence, size - 1, "%s", line);
	length = strlen(sentence);
	for (size_t i = 0; i < length; i++)
		if (sentence[i] < ' ' || sentence[i] > '~')
			sentence[i] = '?';
	if (length > 0 && sentence[length - 1] != '.')
		strcpy(sentence + length, ".");
}

/* The streams' own functions; GLPK sees an error where they return 0 and -1. */
static ssize_t put(void *cookie, const char *bytes, size_t size)
{
	writing *w = cookie;
	milp_text *text = w->text;

	w->status = guard_watch(&w->guard);
	if (w->status != OUTCOME_OK)
		return 0;
	if (text->length + size > text->room) {
		size_t room = 2 * (text->length + size);
		char *grown = realloc(text->bytes, room);

		if (!grown) {
			w->status = OUTCOME_MEMORY_LIMIT;
			return 0;
		}
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->length, bytes, size);
	text->length += size;
	return (ssize_t)size;
}

static ssize_t get(void *cookie, char *bytes, size_t size)
{
	milp_source *s = cookie;
	size_t left = s->length - s->at;

	s->status = guard_watch(s->guard);
	if (s->status != OUTCOME_OK)
		return -1;
	size = size < left ? size : left;
	memcpy(bytes, s->bytes + s->at, size);
	s->at += size;
	return (ssize_t)size;
}

static void lend(milp_guard *g, FILE **standard, void *cookie, const char *mode,
                 cookie_io_functions_t functions)
{
	FILE *stream = fopencookie(cookie, mode, functions);

	if (!stream)
		guard_leave(g, OUTCOME_MEMORY_LIMIT);
	guard_lend(g, standard, stream);
}

/* The constant as a column that is 1, and a row: a text without rows is not possible. */
static void write_out_constant(glp_prob *lp)
{
	double constant = glp_get_obj_coef(lp, 0), one[2] = {0, 1};
	int column[2], row;

	if (constant == 0 && glp_get_num_rows(lp) > 0 && glp_get_num_cols(lp) > 0)
		return;
	column[1] = glp_add_cols(lp, 1);
	glp_set_col_name(lp, column[1], "objective_constant");
	glp_set_col_bnds(lp, column[1], GLP_FX, 1, 1);
	glp_set_obj_coef(lp, column[1], constant);
	glp_set_obj_coef(lp, 0, 0);
	row = glp_add_rows(lp, 1);
	glp_set_row_name(lp, row, "constant");
	glp_set_row_bnds(lp, row, GLP_FX, 1, 1);
	glp_set_mat_row(lp, row, 1, column, one);
}

static void write_model(void *argument)
{
	writing *w = argument;
	milp_guard *g = &w->guard;
	glp_prob *lp = w->build(g, w->argument);
	bool failed;

	write_out_constant(lp);
	guard_check(g);
	lend(g, &stdout, w, "w", (cookie_io_functions_t){.write = put});
	failed = w->format == MILP_LP ? glp_write_lp(lp, NULL, OUTPUT)
	                              : glp_write_mps(lp, GLP_MPS_FILE, NULL, OUTPUT);
	failed = !guard_give_back(g) || failed;
	if (w->status != OUTCOME_OK)
		guard_leave(g, w->status);
	if (failed)
		guard_leave(g, OUTCOME_SOLVER_FAILED);
}

outcome_status milp_write(milp_builder build, void *argument, milp_format format,
                          const solver_limits *limits, milp_text *text, outcome *out)
{
	writing w = {.build = build, .argument = argument, .format = format, .text = text};
	char detail[sizeof(out->detail)];
	outcome_status status;

	memset(text, 0, sizeof(*text));
	guard_begin(&w.guard, limits);
	status = guard_run(&w.guard, write_model, &w);
	switch (status) {
	case OUTCOME_OK:
		return OUTCOME_OK;
	case OUTCOME_INTERRUPTED:
		return outcome_set(out, status, NULL, NULL, "writing the model was interrupted");
	case OUTCOME_TIME_LIMIT:
		return outcome_set(out, status, NULL, NULL,
		                   "writing the model did not end within %g seconds", limits->seconds);
	case OUTCOME_MEMORY_LIMIT:
		return outcome_set(out, status, NULL, NULL, "writing the model ran out of memory");
	default:
		milp_complaint(&w.guard, detail, sizeof(detail));
		return outcome_set(out, status, NULL, detail, "the model could not be written");
	}
}

/* An MPS text's objective is one of its rows, too, where it has no bound. */
static void drop_objective_row(glp_prob *lp)
{
	const char *objective = glp_get_obj_name(lp), *name;
	int row[2] = {0, 1};

	for (; objective && row[1] <= glp_get_num_rows(lp); row[1]++) {
		name = glp_get_row_name(lp, row[1]);
		if (name && strcmp(name, objective) == 0 && glp_get_row_type(lp, row[1]) == GLP_FR) {
			glp_del_rows(lp, 1, row);
			return;
		}
	}
}

void milp_read(milp_source *s, milp_format format, glp_prob *lp)
{
	milp_guard *g = s->guard;
	bool failed;

	lend(g, &stdin, s, "r", (cookie_io_functions_t){.read = get});
	failed = format == MILP_LP ? glp_read_lp(lp, NULL, INPUT)
	                           : glp_read_mps(lp, GLP_MPS_FILE, NULL, INPUT);
	guard_give_back(g);
	if (s->status != OUTCOME_OK)
		guard_leave(g, s->status);
	if (!failed && g->no_end) {
		snprintf(g->complaint, sizeof(g->complaint), "The text ends without the word End");
		failed = true;
	}
	if (failed)
		guard_leave(g, OUTCOME_BAD_INPUT);
	if (format == MILP_MPS)
		drop_objective_row(lp);
}
