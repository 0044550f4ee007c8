/*
 * What the bindings that plan share: a problem's answer, with the rules of its
 * command, and its parts as SQL has them.
 */
#ifndef SMARTHG_PG_SOLVE_H
#define SMARTHG_PG_SOLVE_H

#include "binding.h"

#include "../core/ebr/plan.h"
#include "../core/ebr/scenario.h"

enum { SOLVER_MEMORY_MB = 512 };

/* A plan, the rules for its first slot, and how many slots it changes: -1 without a previous one.
 */
typedef struct ebr_answer {
	ebr_solution solution;
	ebr_rule rule[EBR_STORES];
	int changed_slots;
} ebr_answer;

/* Plans in the current memory context. always: where the solver fails or is out of time or memory,
 * the cautious schedule is the answer. outlook: the ESS's rule is that of the scenarios; NULL: that
 * of the plan. Raises what is no answer. */
extern void answer_problem(const ebr_problem *problem, ebr_plan_method method,
                           const ebr_limits *limits, bool always, const ebr_outlook *outlook,
                           ebr_answer *answer);

/* One word of a list, which are three, by a text argument; for_null where it is null. */
extern int choice_argument(FunctionCallInfo fcinfo, int number, const char *name,
                           const char *const *words, int count, int for_null);

/* The objective argument; by default that of a problem with or without a tube. */
extern ebr_objective objective_argument(FunctionCallInfo fcinfo, int number, bool tube);

/* Seconds of a time limit argument; 0, which is none, where it is null. */
extern double seconds_argument(FunctionCallInfo fcinfo, int number);

/* The prices of an outlook's history as the problem's objective counts them; co2 may be NULL. */
extern double *history_prices(const double *energy, const double *co2, const ebr_problem *problem,
                              int length);

/* What of a solution's flags is set, in words; they are added to a list with room for all. */
enum { MOST_ASSUMED = 6, MOST_VIOLATED = 4 };

extern int assumed_words(unsigned flags, const char **list);
extern int violated_words(unsigned flags, const char **list);

/* The columns from status to shortfall_kwh, which every SQL type of a plan has. */
extern void put_costs(result_row *row, const ebr_solution *solution);

/* The four levels of a rule; its bands as rows of (at_kw, charge_kwh, discharge_kwh), null where
 * the levels are the whole rule. */
enum { BAND_AT, BAND_CHARGE, BAND_DISCHARGE, BAND_COLUMNS };

extern void put_levels(result_row *row, const ebr_rule *rule, bool null);
extern void put_bands(result_row *row, const ebr_rule *rule, bool null);

#endif
