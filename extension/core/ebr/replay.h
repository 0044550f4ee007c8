/*
 * The closed loop over recorded history (DESIGN.md section 3): slot by slot a home
 * is planned with what was known then, what was decided is executed on what was
 * measured, and the bill is compared with those of other ways to run the store.
 */
#ifndef SMARTHG_EBR_REPLAY_H
#define SMARTHG_EBR_REPLAY_H

#include "scenario.h"

/* Ways to run the store. */
typedef enum ebr_replay_way {
	EBR_REPLAY_NONE,     /* no store */
	EBR_REPLAY_NAIVE,    /* charge on surplus, discharge on deficit */
	EBR_REPLAY_SETPOINT, /* the command's set-point: its rule on the expected net demand */
	EBR_REPLAY_RULE,     /* the command's rule on the measured net demand */
	EBR_REPLAY_PERFECT,  /* best plan for all slots at once, as if all had been known */
	EBR_REPLAY_WAYS,
} ebr_replay_way;

/* One home with one store that stays for good. Series have one value a slot; NAN is a gap. A slot
 * with a gap in the net demand or in a price is skipped: no way runs its store in it, none is
 * billed for it. Slots before first are history only. */
typedef struct ebr_replay_input {
	int slots, first;
	int slots_per_day;    /* 24 to 1440, a divisor of which the slots are equally long */
	int phase;            /* of slot 0 in the local week, see eumf_k.h */
	const double *net_kw; /* measured: demand less production, without the store */
	const double *import_eur_per_kwh; /* as the objective counts them */
	const double *export_eur_per_kwh; /* NULL: equal to import */
	const int *known_until;           /* at the start of slot t prices are known of the slots before
	                                     known_until[t] > t; never falls; the schedule itself is no
	                                     secret; NULL: only the prices of slot t */
	double contract_min_kw, contract_max_kw; /* planned with, not billed; may be infinite */
	ebr_store store; /* soc_kwh at first; plugged_hours and target_kwh are not used;
	                    terminal_value_eur_per_kwh is what is left at the end counts, NAN: the
	                    default rule of ebr_terminal_value() */
} ebr_replay_input;

/* Arrays are the caller's, NULL where not wanted, with slots - first values each; 0 in slots
 * skipped. */
typedef struct ebr_replay_result {
	double *power_kw[EBR_REPLAY_WAYS];
	double *soc_kwh[EBR_REPLAY_WAYS]; /* at the end of the slot */
	ebr_rule *rule;                   /* of each slot's command */

	int billed, skipped; /* slots */
	double bill_eur[EBR_REPLAY_WAYS];
	double left_kwh[EBR_REPLAY_WAYS]; /* stored at the end */
	double left_eur_per_kwh;
	double cost_eur[EBR_REPLAY_WAYS];       /* bill less the worth of what is left */
	double saving_percent[EBR_REPLAY_WAYS]; /* of what perfect foresight saves; NAN where it saves
	                                           nothing */
	double cycles[EBR_REPLAY_WAYS];         /* energy charged, in capacities */
	double perfect_excess_eur; /* by so much at most perfect foresight may do better still, where
	                              prices below 0 make costs concave; 0: proved the best. More than
	                              EBR_MAX_SLOTS are planned in parts that overlap by two weeks. */
	double seconds;
} ebr_replay_result;

/* Replays a home. Errors: bad input; time, memory, interrupt, or the solver's. */
outcome_status ebr_replay(const ebr_replay_input *input, const ebr_limits *limits,
                          ebr_replay_result *result, outcome *out);

#endif
