/*
 * The closed loop over recorded history (DESIGN.md section 3): slot by slot a home
 * is planned with what was known then, what was decided is executed on what was
 * measured, and the bill is compared with those of other ways to run the store.
 */
#ifndef SMARTHG_EBR_REPLAY_H
#define SMARTHG_EBR_REPLAY_H

#include "scenario.h"

/* Ways to run the stores. No car can go without charging: where it is not controlled it charges at
 * once, at full power, up to its target. */
typedef enum ebr_replay_way {
	EBR_REPLAY_NONE,     /* no storage: the ESS idle, the PEV charged at once */
	EBR_REPLAY_NAIVE,    /* the ESS charges on surplus, discharges on deficit; the PEV as above */
	EBR_REPLAY_SETPOINT, /* the command's set-point: its rules on the expected net demand */
	EBR_REPLAY_RULE,     /* the command's rules on the measured net demand */
	EBR_REPLAY_PERFECT,  /* best plan for all slots at once, as if all had been known */
	EBR_REPLAY_WAYS,
} ebr_replay_way;

/* A stay of the PEV at its plug; times in slots from slot 0 on, with fractions. Commands are made
 * at the start of each slot and on arrival, and know nothing of unplugged_at. */
typedef struct ebr_replay_stay {
	double plugged_at;
	double departs_at;   /* as announced on arrival; INFINITY: not said */
	double unplugged_at; /* when it really left: before that (early) or after it (overdue) */
	double arrival_kwh;  /* state of charge on arrival */
	double target_kwh;   /* wanted on leaving; NAN: full */
} ebr_replay_stay;

/* One home with an ESS that stays for good, a PEV that comes and goes, or both. Series have one
 * value a slot; NAN is a gap. A slot with a gap in the net demand or in a price is skipped: no way
 * runs a store in it, none is billed for it. Slots before first are history only. */
typedef struct ebr_replay_input {
	int slots, first;
	int slots_per_day;    /* 24 to 1440, a divisor of which the slots are equally long */
	int phase;            /* of slot 0 in the local week, see eumf_k.h */
	const double *net_kw; /* measured: demand less production, without the stores */
	const double *import_eur_per_kwh; /* as the objective counts them */
	const double *export_eur_per_kwh; /* NULL: equal to import */
	const int *known_until;           /* at the start of slot t prices are known of the slots before
	                                     known_until[t] > t; never falls; the schedule itself is no
	                                     secret; NULL: only the prices of slot t */
	double contract_min_kw, contract_max_kw; /* planned with, not billed; may be infinite */
	ebr_store store; /* the ESS, soc_kwh at first; plugged_hours and target_kwh are not used;
	                    terminal_value_eur_per_kwh is what is left at the end counts, NAN: the
	                    default rule of ebr_terminal_value() */
	const double *co2_eur_per_kwh; /* how much of both prices is CO2, to bill it apart; NULL: 0 */
	/* The tube, known in advance and billed; bounds NAN: none; NULL: none at all, or penalty 0. */
	const double *profile_low_kw, *profile_high_kw;
	const double *penalty_low_eur_per_kwh, *penalty_high_eur_per_kwh;
	ebr_store pev; /* capacity 0: none; soc_kwh, plugged_hours, target_kwh and
	                  terminal_value_eur_per_kwh are not used */
	int stays;
	const ebr_replay_stay *stay; /* one after the other; those that are not wholly inside the slots
	                                replayed are left out */
} ebr_replay_input;

/* Arrays are the caller's, NULL where not wanted, with slots - first values each; 0 in slots
 * skipped. */
typedef struct ebr_replay_result {
	double *power_kw[EBR_REPLAY_WAYS];
	double *soc_kwh[EBR_REPLAY_WAYS];      /* at the end of the slot */
	double *pev_power_kw[EBR_REPLAY_WAYS]; /* mean of the slot */
	double *pev_soc_kwh[EBR_REPLAY_WAYS];  /* at the end of the slot or, in it, of the last stay */
	ebr_rule *rule;     /* of each slot's command of EBR_REPLAY_RULE to the ESS */
	ebr_rule *pev_rule; /* the same for the PEV, the slot's last */

	int billed, skipped;              /* slots */
	int stays;                        /* replayed */
	double bill_eur[EBR_REPLAY_WAYS]; /* energy, CO2 and distribution */
	double co2_eur[EBR_REPLAY_WAYS];
	double distribution_eur[EBR_REPLAY_WAYS]; /* penalties of the tube */
	double outside_kwh[EBR_REPLAY_WAYS];      /* of the tube */
	double contract_kwh[EBR_REPLAY_WAYS];     /* outside the contract; not billed */
	double missed_kwh[EBR_REPLAY_WAYS];       /* what the PEV lacked on leaving */
	double missed_eur[EBR_REPLAY_WAYS];       /* the same at a price at which no way gains by not
	                                             charging: the dearest that the stay had */
	double left_kwh[EBR_REPLAY_WAYS];         /* stored in the ESS at the end */
	double left_eur_per_kwh;
	double cost_eur[EBR_REPLAY_WAYS]; /* bill and missed_eur, less the worth of what is left */
	double saving_percent[EBR_REPLAY_WAYS]; /* of what perfect foresight saves; NAN where it saves
	                                           nothing */
	double cycles[EBR_REPLAY_WAYS];         /* energy charged into the ESS, in capacities */
	double perfect_excess_eur; /* by so much at most perfect foresight may do better still: where
	                              prices below 0 make costs concave, the PEV has a least power, or
	                              two stores leave a gap to what is proved; 0: proved the best. More
	                              than EBR_MAX_SLOTS are planned in parts that overlap by two weeks.
	                            */
	double seconds;
} ebr_replay_result;

/* Replays a home. The PEV acts first in a slot, the ESS planned beside it; the ESS then reacts to
 * the net demand with what the PEV really draws. Errors: bad input; time, memory, interrupt, or the
 * solver's. */
outcome_status ebr_replay(const ebr_replay_input *input, const ebr_limits *limits,
                          ebr_replay_result *result, outcome *out);

#endif
