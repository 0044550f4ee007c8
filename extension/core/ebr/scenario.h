/*
 * Planning under uncertainty (DESIGN.md section 3, "A command is a rule"): what
 * stored energy is worth at the end of the coming slot, averaged over what the
 * demand of the slots after it and the prices beyond publication may turn out
 * to be. Between the history of a home and the rule (rule.h) of its command.
 */
#ifndef SMARTHG_EBR_SCENARIO_H
#define SMARTHG_EBR_SCENARIO_H

#include "rule.h"

/* Days of history that are looked at; older ones need not be given. */
enum { EBR_OUTLOOK_DAYS = 21 };

/* What is known at the start of the coming slot beside the problem, whose slot 0 it is. Series end
 * just before that slot, oldest first; NAN is a gap. */
typedef struct ebr_outlook {
	int slots_per_day;
	int history;                      /* slots of the three series; may be 0 */
	const double *net_kw;             /* measured: demand less production, without the stores */
	const double *import_eur_per_kwh; /* as the objective counts them: CO2 included ... */
	const double *export_eur_per_kwh; /* ... or alone; NULL: equal to import */
	int phase;                        /* of the coming slot in the local week, see eumf_k.h */
	int known_slots; /* the problem's prices are published up to here, 1 .. slots */
	const double
	    *forecast_eur_per_kwh; /* import price of the day after known_slots as forecast,
	                              then as it would have been for each of the
	                              PRICE_DAY_BACK days before, see price_day.h; NULL: none */
	int reveal_slot;           /* more will be published at the start of this slot, counted
	                              from the coming one, 1 .. known_slots; else known_slots */
} ebr_outlook;

/* Mean marginal value of stored energy at the end of slot 0, for an active store. Demand of each
 * slot is one of what was measured at the same time of the last days, other stores at other_kw
 * (NULL: idle); where none was, it is the problem's. Published prices are taken as they are; each
 * day beyond is one of the last days, moved to the forecast or to the present level, and is known
 * when it is published, not before. Where a slot's cost is not convex its envelope is used. curve
 * is to be freed with ebr_curve_free(). Errors: an outlook that makes no sense; time, memory,
 * interrupt. */
outcome_status ebr_scenario_curve(const ebr_model *model, int store, const double *other_kw,
                                  const ebr_outlook *outlook, const ebr_limits *limits,
                                  ebr_curve *curve, outcome *out);

/* The rule of slot 0 for a checked problem's store, from its scenario curve; that of
 * ebr_rule_idle() for one that is away or does not exist. expected_kw (NULL: not
 * wanted) is the mean net demand of slot 0, other_kw included: what the rule makes of it is the
 * command's set-point. Errors as above. */
outcome_status ebr_command_rule(const ebr_problem *problem, int store, const double *other_kw,
                                const ebr_outlook *outlook, const ebr_limits *limits,
                                ebr_rule *rule, double *expected_kw, outcome *out);

#endif
