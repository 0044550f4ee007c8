/*
 * Dimensioning (document 3.2.3, DESIGN.md section 4): the capacity C and power
 * rate R of a home's battery that make purchase and operation over a long span
 * cheapest together, with a proved lower bound.
 *
 *     minimise  f (cost_C C + cost_R R) + D sum_t cost_t(net[t] + x+[t] - x-[t])
 *     s[t+1] = s[t] + D (root x+[t] - x-[t] / root),   s[slots] = s[0],
 *     0 <= s[t] <= C,   0 <= x+[t], x-[t] <= R,   bounds on C and R
 *
 * cost_t holds energy, CO2 and, with that objective, the penalties of the power
 * profile; f is the share of the purchase that the span has to bear. There is no
 * integer variable: where marginal prices are negative the relaxation may charge
 * and discharge at once, and then the answer says what a schedule without that
 * costs. Where export would be paid better than import costs, no convex model is
 * exact: such a slot has one price, that of the side on which the home is without
 * a battery, which never flatters the battery.
 *
 * The method, in the order of the files: sizing_model.c (slots and their prices),
 * sizing_pass.c (one exact pass for given C and R: cost and cutting plane),
 * sizing_master.c (the best C and R by the planes so far), sizing.c (the loop).
 * sizing_lp.c is the same problem as one LP for GLPK, the reference.
 *
 * Units: kW, kWh, hours, EUR, as in problem.h.
 */
#ifndef SMARTHG_EBR_SIZING_H
#define SMARTHG_EBR_SIZING_H

#include "problem.h"

struct glp_prob; /* GLPK's */

enum { EBR_SIZING_MAX_SLOTS = 400000 };
#define EBR_HOURS_PER_YEAR 8766.0 /* 365.25 days */

/* Series have one value a slot; NULL is an absent series, NAN a value that is not known. A slot
 * without demand, production (where given) or energy price is left out: the battery rests, nothing
 * is billed, and the span is shorter by it. A missing export price is the import price, a missing
 * CO2 cost 0, a missing bound of the profile none. */
typedef struct ebr_sizing_problem {
	int slots; /* 1 .. EBR_SIZING_MAX_SLOTS */
	double slot_hours;
	ebr_objective objective;
	const double *demand_kw; /* all appliances and the PEV */
	const double *production_kw;
	const double *energy_eur_per_kwh;
	const double *export_eur_per_kwh;
	const double *co2_eur_per_kwh;
	const double *profile_low_kw, *profile_high_kw;
	const double *penalty_low_eur_per_kwh, *penalty_high_eur_per_kwh; /* >= 0 */
	double capacity_eur_per_kwh, power_eur_per_kw;                    /* purchase, >= 0 */
	double lifetime_years; /* of the battery; NAN: the span has to pay for all of it */
	double discount_rate;  /* a year, >= 0 */
	double efficiency;     /* round trip, in (0, 1] */
	double capacity_min_kwh, capacity_max_kwh; /* the upper bounds may be INFINITY */
	double power_min_kw, power_max_kw;
	double tolerance; /* relative gap between cost and bound to stop at; <= 0: 5e-7 */
} ebr_sizing_problem;

/* What was assumed for want of input. */
enum {
	EBR_SIZING_SKIPPED = 1 << 0,      /* slots without demand or price were left out */
	EBR_SIZING_EXPORT_PRICE = 1 << 1, /* a missing export price */
	EBR_SIZING_CO2_PRICE = 1 << 2,    /* a missing CO2 cost */
	EBR_SIZING_PROFILE = 1 << 3,      /* a missing bound */
	EBR_SIZING_ONE_PRICE = 1 << 4,    /* export paid better than import: one price */
};

typedef enum ebr_sizing_quality {
	EBR_SIZING_OPTIMAL,  /* cost and bound meet within the tolerance */
	EBR_SIZING_RELAXED,  /* they do but for charging and discharging at once */
	EBR_SIZING_FEASIBLE, /* the best found; the gap tells by how much it may be off */
} ebr_sizing_quality;

typedef struct ebr_sizing_result {
	ebr_sizing_quality quality;
	unsigned assumed;
	double capacity_kwh, power_kw;
	double start_kwh;      /* stored at the start and at the end of the span */
	double cost_eur;       /* investment and operation, of a schedule that never does both */
	double relaxed_eur;    /* of the relaxation's schedule; not above cost_eur */
	double bound_eur;      /* proved: no battery costs less */
	double purchase_eur;   /* of the battery, whole */
	double investment_eur; /* the span's share of it */
	double energy_eur, co2_eur, distribution_eur; /* of that schedule */
	double baseline_eur;                          /* operation without a battery */
	double saving_eur;          /* baseline less cost: the investment is paid for */
	double saving_eur_per_year; /* baseline less operation, a year */
	double payback_years;       /* purchase by that; INFINITY where nothing is saved */
	double recovery_factor;     /* share of the purchase to be paid a year */
	double span_years;          /* of the slots that were billed */
	double cycles;              /* energy discharged in capacities, in the span */
	int slots_billed, slots_skipped;
	int passes; /* over all slots */
	double seconds;
} ebr_sizing_result;

/* Sizes a battery. soc_kwh (NULL: not wanted) takes what is stored at the end of each slot. Errors:
 * bad input; time, memory, interrupt. limits->accept_incumbent answers with the best so far when
 * out of time. */
outcome_status ebr_size(const ebr_sizing_problem *problem, const ebr_limits *limits,
                        double *soc_kwh, ebr_sizing_result *result, outcome *out);

/* The same problem as one LP: column 1 is C, column 2 R, and the objective, whose constant is
 * coefficient 0, the relaxed cost. On OUTCOME_OK *lp is the caller's, to be freed by
 * glp_delete_prob(). GLPK's hooks are as the caller has set them: it aborts where memory runs out.
 * Errors: bad input, memory. */
outcome_status ebr_sizing_lp(const ebr_sizing_problem *problem, struct glp_prob **lp, outcome *out);

#endif
