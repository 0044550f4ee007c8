/*
 * Writes the EBR model into a GLPK problem; used by milp.c and by model_text.c.
 */
#ifndef SMARTHG_EBR_MILP_BUILD_H
#define SMARTHG_EBR_MILP_BUILD_H

#include "model.h"

#include <glpk.h>

/* GLPK columns of one slot; 0: the slot needs no such column. */
typedef struct milp_slot {
	int charge[EBR_STORES];    /* x+ */
	int discharge[EBR_STORES]; /* x- */
	int state[EBR_STORES];     /* s at the slot's end; an earlier slot's where nothing can change */
	int import, export;        /* g = import - export */
	bool store_binary[EBR_STORES], grid_binary; /* has its integer variable */
	bool step_binary[EBR_STORES];               /* those of the least power */
} milp_slot;

/* Entries of the matrix before they are loaded; index 0 is not used, as in GLPK. */
typedef struct milp_matrix {
	int count;
	int *row, *column;
	double *value;
} milp_matrix;

/* Most entries that a slot can have. */
enum { MILP_ENTRIES_PER_SLOT = 28 };

/* Builds the relaxation, without integer variables, and leaves a feasible starting basis (both
 * stores idle). Where the problem has a name, its rows and columns get names too, now and below.
 * The matrix needs room for MILP_ENTRIES_PER_SLOT entries a slot, columns one value a slot, zeroed.
 */
void milp_build(glp_prob *lp, const ebr_model *model, milp_matrix *matrix, milp_slot *columns);

/* Forbid charging while discharging, and importing while exporting, in one slot. */
void milp_forbid_store_overlap(glp_prob *lp, milp_slot *columns, int slot, int store);
void milp_forbid_grid_overlap(glp_prob *lp, milp_slot *columns, int slot);

/* Has a store run at a mean power of step_kw at least, or not at all, in one slot; that forbids its
 * overlap too. */
void milp_hold_step(glp_prob *lp, milp_slot *columns, int slot, int store, double step_kw);

/* Gives every slot and store all of its integer variables: the full model. */
void milp_build_integers(glp_prob *lp, const ebr_model *model, milp_slot *columns);

#endif
