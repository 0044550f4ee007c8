/*
 * The reference LP of a sizing in steps, so that what is not GLPK's can be freed
 * where GLPK jumps out: opened, built below guard_run(), closed.
 */
#ifndef SMARTHG_EBR_SIZING_LP_H
#define SMARTHG_EBR_SIZING_LP_H

#include "sizing_model.h"

typedef struct sizing_lp_matrix {
	int count, *row, *column;
	double *value;
} sizing_lp_matrix;

typedef struct sizing_lp {
	sizing_model model;
	sizing_lp_matrix matrix;
} sizing_lp;

/* Rows, and columns, that a slot has at the most. */
enum { SIZING_LP_LINES_PER_SLOT = 4 + SIZING_MAX_KINKS };

/* Only what is opened with OUTCOME_OK is to be built and closed. Errors: bad input, memory. */
outcome_status sizing_lp_open(sizing_lp *parts, const ebr_sizing_problem *problem, outcome *out);
struct glp_prob *sizing_lp_build(sizing_lp *parts);
void sizing_lp_close(sizing_lp *parts);

#endif
