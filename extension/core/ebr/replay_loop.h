/*
 * What the parts of the closed loop share: replay.c goes from slot to slot and
 * commands an ESS alone, replay_pev.c commands a PEV and the ESS beside it,
 * replay_ways.c executes and bills, replay_perfect.c plans with foresight, and
 * replay_stays.c does where a PEV comes and goes (replay_proof.c proves it). Used by
 * those alone.
 */
#ifndef SMARTHG_EBR_REPLAY_LOOP_H
#define SMARTHG_EBR_REPLAY_LOOP_H

#include "replay.h"

#include <math.h>

typedef struct replay_loop {
	const ebr_replay_input *in;
	const ebr_limits *limits;
	ebr_replay_result *result;
	double deadline, slot_hours;
	double soc[EBR_REPLAY_WAYS];     /* of the ESS */
	double pev_soc[EBR_REPLAY_WAYS]; /* of the PEV while it is plugged in */
	int stays;                       /* those that are replayed; targets are known here */
	ebr_replay_stay *stay;
	double demand_sum; /* of the slots measured so far */
	int measured;
	double *expected_kw; /* [slots]: their mean, for times of day never seen */
	double *forecast;    /* of the day after the slots before forecast_slot, see price_day.h */
	int forecast_slot;
	bool forecast_made;
	double *numbers; /* room of replay_pev.c */
	int *phases;
} replay_loop;

/* What is commanded for a slot. */
typedef struct replay_command {
	ebr_rule rule[EBR_STORES];
	double planned_kw[EBR_STORES]; /* that the other store's rule counts on */
	double expected_kw;            /* net demand without stores */
} replay_command;

/* The problem at a slot's start as an ESS alone has it, and what is known beside it. */
void replay_look_out(replay_loop *loop, int slot, ebr_problem *problem, ebr_outlook *outlook);

/* The forecast of prices of the day after the slots known, made anew when more are; NULL: none. */
const double *replay_price_forecast(replay_loop *loop, int known);

/* Commands both stores of a way in a slot of a PEV's stay, at the slot's start or on arrival. */
outcome_status replay_command_both(replay_loop *loop, ebr_replay_way way, int slot, int stay,
                                   replay_command *command, outcome *out);

/* Room for the above; false: out of memory. Freed by ebr_replay(). */
bool replay_make_room(replay_loop *loop);

/* The mean power at which a PEV executes a command in a slot, given the net demand. */
double replay_pev_power(const replay_loop *loop, ebr_replay_way way, int slot, int stay,
                        const replay_command *command, double net_kw);

/* Limits with the time that is left; OUTCOME_TIME_LIMIT where none is. */
outcome_status replay_remaining(const replay_loop *loop, ebr_limits *limits, outcome *out);

double replay_export_price(const replay_loop *loop, int slot);
bool replay_is_billed(const replay_loop *loop, int slot);

/* The share of a slot that lies between two times. */
static inline double replay_share(double from, double until, int slot)
{
	return fmax(fmin(until, slot + 1) - fmax(from, slot), 0);
}

/* The stays of the slot: *first, which is moved on, up to the one returned. */
int replay_stays_of(const replay_loop *loop, int slot, int *first);

/* The PEV of one way: comes; runs at a mean power for a slot, returned as far as it has room and
 * stock; goes, if that is in this slot. */
void replay_arrive(replay_loop *loop, ebr_replay_way way, int stay);
double replay_run_pev(replay_loop *loop, ebr_replay_way way, double power_kw);
void replay_leave(replay_loop *loop, ebr_replay_way way, int stay, int slot);

/* The mean power of a PEV that charges at once, in a slot of its stay. */
double replay_at_once(const replay_loop *loop, ebr_replay_way way, int stay, int slot);

/* Runs the ESS for a slot beside what the PEV did, and bills the slot. */
void replay_execute(replay_loop *loop, ebr_replay_way way, int slot, double ess_kw, double pev_kw);

/* The costs of every way from what was billed. */
void replay_sum_up(const replay_loop *loop);

/* The slots that are billed, one after the other. Series of the tube are NULL where there is none.
 */
typedef struct replay_record {
	int slots;
	double *net_kw, *import, *export, *none, *power_kw, *pev_kw;
	double *profile_low_kw, *profile_high_kw, *penalty_low, *penalty_high;
} replay_record;

/* A stay in the record. */
typedef struct replay_planned_stay {
	double from, until; /* in slots of the record */
	int first, end;     /* slots of the record that it touches */
	double *power_kw;   /* [end - first] */
} replay_planned_stay;

/* The problem of a part of the record, without stores. */
ebr_problem replay_part(const replay_loop *loop, const replay_record *record, int from, int slots);

/* Plans both stores for a part of the record, from what is stored at its start, into
 * record->power_kw and the stays' power_kw. *excess_eur is how much better it might be done. */
outcome_status replay_plan_stays(replay_loop *loop, const replay_record *record,
                                 replay_planned_stay *stays, int from, int slots, double *left_eur,
                                 double *excess_eur, outcome *out);

/* Plans and executes EBR_REPLAY_PERFECT. */
outcome_status replay_plan_perfect(replay_loop *loop, outcome *out);

#endif
