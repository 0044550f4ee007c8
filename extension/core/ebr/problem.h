/*
 * The EBR problem of one home and its solution (document 3.2, DESIGN.md
 * section 3): what the planner reads, and what it answers. Every method (GLPK,
 * single-store value curve, fallback) takes the first and fills the second.
 *
 * Units: kW, kWh, hours, EUR. Grid power is positive when drawn; charging is
 * positive, discharging negative, both measured on the home's side.
 */
#ifndef SMARTHG_EBR_PROBLEM_H
#define SMARTHG_EBR_PROBLEM_H

#include "../limits.h"
#include "../outcome.h"

#include <stdbool.h>

enum { EBR_ESS = 0, EBR_PEV = 1, EBR_STORES = 2 };
enum { EBR_MAX_SLOTS = 10000 };

typedef enum ebr_objective {
	EBR_ENERGY_CO2,
	EBR_CO2,
	EBR_ENERGY_CO2_DISTRIBUTION,
} ebr_objective;

typedef struct ebr_store {
	double capacity_kwh;  /* >= 0; 0 means that there is no such store */
	double min_kw;        /* <= 0: full discharge power; 0: charge only */
	double max_kw;        /* >= 0: full charge power */
	double efficiency;    /* round trip, in (0, 1] */
	double soc_kwh;       /* state of charge at the start of slot 0; a reading slightly outside
	                         [0, capacity] is clamped and flagged */
	double plugged_hours; /* stays connected for so long from the start of slot 0: 0 away,
	                         INFINITY for good (the ESS, or a PEV with no known departure) */
	double target_kwh;    /* wanted when it leaves; NAN means full; not used when
	                         plugged_hours is INFINITY */
	double terminal_value_eur_per_kwh; /* worth of a stored kWh at the horizon's end; NAN means
	                                      the default rule, see ebr_terminal_value() */
	double min_step_kw; /* it runs, charging or discharging, at this power at least, or not at all;
	                       0: at any power */
} ebr_store;

/* Series have one value a slot. In the series marked *, NAN is a missing slot: it is filled by
 * ebr_fill_missing(), and the answer says so in its flags. NULL is an absent series. */
typedef struct ebr_problem {
	int slots;         /* 1 .. EBR_MAX_SLOTS */
	double slot_hours; /* > 0 */
	ebr_objective objective;
	const double *demand_kw;                /* all appliances but the stores */
	const double *production_kw;            /* NULL: none */
	const double *energy_eur_per_kwh;       /* * price of import */
	const double *export_eur_per_kwh;       /* * paid for export; NULL: equal to energy */
	const double *co2_eur_per_kwh;          /* * NULL: none; export is credited with it */
	const double *profile_low_kw;           /* * NULL: no lower bound */
	const double *profile_high_kw;          /* * NULL: no upper bound */
	const double *penalty_low_eur_per_kwh;  /* >= 0, below the tube; NULL: 0 */
	const double *penalty_high_eur_per_kwh; /* >= 0, above the tube; NULL: 0 */
	double contract_min_kw;                 /* <= contract_max_kw; may be -INFINITY */
	double contract_max_kw;                 /* may be INFINITY */
	ebr_store store[EBR_STORES];
	/* What was planned for these slots before, charge positive: of equally good plans the one
	 * nearest to it is taken. NAN: no plan for the slot; NULL: none at all. */
	const double *previous_kw[EBR_STORES];
} ebr_problem;

/* Out of time, an accepted incumbent is the best plan so far, EBR_FEASIBLE. */
typedef solver_limits ebr_limits;

/* What was assumed to get an answer, or violated because nothing better exists. */
enum {
	EBR_ASSUMED_ESS_SOC = 1 << 0, /* reading outside [0, capacity] was clamped */
	EBR_ASSUMED_PEV_SOC = 1 << 1,
	EBR_ASSUMED_ENERGY_PRICE = 1 << 2, /* a price slot was missing */
	EBR_ASSUMED_EXPORT_PRICE = 1 << 3,
	EBR_ASSUMED_CO2_PRICE = 1 << 4,
	EBR_ASSUMED_PROFILE = 1 << 5, /* a profile slot was missing: no tube there */
	EBR_VIOLATED_CONTRACT_MAX = 1 << 8,
	EBR_VIOLATED_CONTRACT_MIN = 1 << 9,
	EBR_VIOLATED_DEPARTURE = 1 << 10, /* the PEV leaves below its target */
	EBR_OUTSIDE_PROFILE = 1 << 11,
};

typedef enum ebr_quality {
	EBR_OPTIMAL,  /* proved: objective equals bound within the solver's tolerance */
	EBR_FEASIBLE, /* the solver's best within the limits; bound tells the gap */
	EBR_FALLBACK, /* no solver: the cautious schedule of ebr_fallback() */
} ebr_quality;

typedef enum ebr_method {
	EBR_BY_MILP,     /* GLPK */
	EBR_BY_SINGLE,   /* exact value curves of the only store */
	EBR_BY_FALLBACK, /* ebr_fallback() */
	EBR_BY_PAIR,     /* both stores in turn, and the simplex method on their network */
} ebr_method;

/* Arrays are the caller's, with room for problem->slots values each. */
typedef struct ebr_solution {
	double *power_kw[EBR_STORES]; /* charge positive */
	double *soc_kwh[EBR_STORES];  /* at the END of each slot */
	double *grid_kw;
	double *outside_high_kw;         /* o: above the tube */
	double *outside_low_kw;          /* u: below the tube */
	double *contract_high_kw;        /* v+: above the contract */
	double *contract_low_kw;         /* v-: below the contract */
	double *energy_used_eur_per_kwh; /* the prices that were planned with, gaps filled */
	double *export_used_eur_per_kwh;
	double *co2_used_eur_per_kwh;

	ebr_quality quality;
	ebr_method method;
	unsigned flags;
	double energy_eur; /* whole horizon: D * sum(import price * import - export price * export) */
	double co2_eur;
	double distribution_eur; /* tube penalties; reported for every objective, minimised in one */
	double stored_value_eur; /* terminal value of what is stored at the end */
	double shortfall_kwh;    /* PEV target missed by */
	double penalty_eur;      /* dominating penalties on contract and departure */
	double objective_eur;    /* what was minimised, penalties and terminal value included */
	double bound_eur;        /* proved lower bound of objective_eur; -INFINITY if none */
	double baseline_eur;     /* the same objective with both stores idle, without terminal value,
	                            departure and contract penalties: what the slots cost without storage */
	double terminal_value_eur_per_kwh[EBR_STORES]; /* as used */
	double seconds;
	bool branched; /* the relaxation overlapped charge and discharge, or import and
	                  export, somewhere, so integer variables were needed */
} ebr_solution;

/* Checks a problem; OUTCOME_BAD_INPUT with a message that names the argument, value and slot. */
outcome_status ebr_check(const ebr_problem *problem, outcome *out);

#endif
