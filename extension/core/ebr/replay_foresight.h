/*
 * Perfect foresight for an ESS and the stays of a PEV: what its plan (replay_stays.c)
 * and the proof of that (replay_proof.c) share. Used by those alone.
 */
#ifndef SMARTHG_EBR_REPLAY_FORESIGHT_H
#define SMARTHG_EBR_REPLAY_FORESIGHT_H

#include "replay_loop.h"

/* A window around a stay reaches so far beyond it. */
enum { FORESIGHT_MARGIN_DAYS = 2 };

/* A part of the record while it is planned. */
typedef struct foresight_part {
	replay_loop *loop;
	const replay_record *record;
	replay_planned_stay *stays;
	int from, slots, first_stay, end_stay;
	double *ess_kw, *ess_soc; /* [slots]; at the start of each */
	double *pev_kw;           /* [slots], all stays together */
	double *worth;            /* [slots] EUR per kW of a slot */
	double *demand_kw;        /* [slots]; what a window sees */
	double *answers;          /* [ANSWERS * slots] */
	ebr_store ess;
	ebr_problem whole;
	ebr_model model; /* of the whole: the ESS alone, and everybody's penalties */
	ebr_solution solution;
} foresight_part;

/* A window of the part around one stay, with room for its answers. */
typedef struct foresight_window {
	int from, slots; /* in the part */
	ebr_problem problem;
	ebr_model model;
	ebr_solution solution;
} foresight_window;

static inline int foresight_clip(int slot, int least, int most)
{
	return slot < least ? least : slot > most ? most : slot;
}

/* Whether a stay has no slot in the part. */
bool foresight_is_away(const foresight_part *part, int stay);

/* The slots from one to another of the part as a problem of one stay, all other powers at their
 * plans; with the ESS, which is held at both ends to what it has there, or with that at its plan
 * too. One window is open at a time: it uses the part's room. */
void foresight_open_window(foresight_part *part, int stay, int from, int end, bool with_ess,
                           foresight_window *window);

/* The window of the stay alone, or with the ESS from some days before it to some days after. */
void foresight_open_stay(foresight_part *part, int stay, bool with_ess, foresight_window *window);

/* Copies the plan at hand into the window; returns what it costs there. */
double foresight_cost(foresight_part *part, int stay, foresight_window *window);

/* A lower bound of what the part costs; -INFINITY where none is found. */
outcome_status foresight_bound(foresight_part *part, double *bound, outcome *out);

#endif
