/* See model_text.h. */
#include "model_text.h"
#include "milp_build.h"
#include "sizing_lp.h"

#include <stdlib.h>
#include <string.h>

typedef struct building {
	ebr_model model;
	ebr_solution filled; /* the prices that are planned with, and nothing else */
	milp_matrix matrix;
	milp_slot *columns;
	double *prices;
} building;

static glp_prob *build(milp_guard *guard, void *argument)
{
	building *b = argument;
	glp_prob *lp = glp_create_prob();

	glp_set_prob_name(lp, "energy_bill_reduction");
	glp_set_obj_name(lp, "objective_eur");
	milp_build(lp, &b->model, &b->matrix, b->columns);
	guard_check(guard);
	milp_build_integers(lp, &b->model, b->columns);
	return lp;
}

static bool allocate(building *b, size_t slots)
{
	size_t entries = slots * MILP_ENTRIES_PER_SLOT + 1;

	b->matrix.row = malloc(entries * sizeof(int));
	b->matrix.column = malloc(entries * sizeof(int));
	b->matrix.value = malloc(entries * sizeof(double));
	b->columns = calloc(slots, sizeof(*b->columns));
	b->prices = malloc(3 * slots * sizeof(double));
	if (!b->prices)
		return false;
	b->filled.energy_used_eur_per_kwh = b->prices;
	b->filled.export_used_eur_per_kwh = b->prices + slots;
	b->filled.co2_used_eur_per_kwh = b->prices + 2 * slots;
	return b->matrix.row && b->matrix.column && b->matrix.value && b->columns;
}

outcome_status ebr_model_text(const ebr_problem *problem, milp_format format,
                              const ebr_limits *limits, milp_text *text, outcome *out)
{
	building b;
	outcome_status status = ebr_check(problem, out);

	memset(text, 0, sizeof(*text));
	if (status != OUTCOME_OK)
		return status;
	memset(&b, 0, sizeof(b));
	if (allocate(&b, (size_t)problem->slots)) {
		ebr_model_init(&b.model, problem, &b.filled);
		status = milp_write(build, &b, format, limits, text, out);
	} else {
		status = outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL,
		                     "writing the model ran out of memory");
	}
	free(b.matrix.row);
	free(b.matrix.column);
	free(b.matrix.value);
	free(b.columns);
	free(b.prices);
	return status;
}

static glp_prob *build_sizing(milp_guard *guard, void *argument)
{
	(void)guard;
	return sizing_lp_build(argument);
}

outcome_status ebr_sizing_model_text(const ebr_sizing_problem *problem, milp_format format,
                                     const ebr_limits *limits, milp_text *text, outcome *out)
{
	const int most = MILP_MAX_LINES / SIZING_LP_LINES_PER_SLOT;
	outcome_status status;
	sizing_lp parts;

	memset(text, 0, sizeof(*text));
	if (problem->slots > most)
		return outcome_set(out, OUTCOME_BAD_INPUT, "Take longer slots, or a shorter span.", NULL,
		                   "a model of %d slots is too large to be written: %d are possible",
		                   problem->slots, most);
	if (sizing_lp_open(&parts, problem, out) != OUTCOME_OK)
		return out->status;
	status = milp_write(build_sizing, &parts, format, limits, text, out);
	sizing_lp_close(&parts);
	return status;
}
