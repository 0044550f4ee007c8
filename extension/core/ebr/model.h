/*
 * What every planning method shares (DESIGN.md section 3): gaps filled, the
 * marginal prices of the chosen objective, what a store may do in a slot, when
 * it leaves and with how much, the penalties that dominate, and the one place
 * where a schedule is turned into state of charge, grid power and money.
 *
 * A model owns no memory: it reads the problem and the filled price series that
 * ebr_model_init() writes into the solution.
 */
#ifndef SMARTHG_EBR_MODEL_H
#define SMARTHG_EBR_MODEL_H

#include "problem.h"

#include <math.h>

/* A store as it is planned. */
typedef struct ebr_model_store {
	bool active; /* it exists and is plugged in now */
	double capacity_kwh;
	double root;           /* square root of the round-trip efficiency */
	double soc_kwh;        /* at the start, inside [0, capacity] */
	double plugged_slots;  /* may be INFINITY, and a fraction */
	double arrival_slots;  /* plugged in from then on; 0 but where a replay knows what is to come */
	int departure_slot;    /* required_kwh is due at the end of this slot; -1: never */
	double required_kwh;   /* less than the target where it leaves after the horizon */
	double terminal_value; /* EUR per kWh stored at the horizon's end */
} ebr_model_store;

typedef struct ebr_model {
	const ebr_problem *problem;
	const double *energy, *export, *co2; /* EUR/kWh, gaps filled */
	ebr_model_store store[EBR_STORES];
	bool tube;                /* the objective charges for leaving the tube */
	double departure_penalty; /* EUR per kWh missing at departure */
	double contract_penalty;  /* EUR per kWh outside the contract */
	unsigned flags;           /* EBR_ASSUMED_... */
} ebr_model;

/* The cost of grid power in a slot is piecewise linear: marginal[k] EUR/kWh holds below at_kw[k],
 * marginal[kinks] above the last. */
enum { EBR_MAX_KINKS = 5 };
typedef struct ebr_slot_price {
	int kinks;
	double at_kw[EBR_MAX_KINKS];
	double marginal[EBR_MAX_KINKS + 1];
} ebr_slot_price;

/* Like fmin() and fmax() without their care for NAN, which costs a call each. */
static inline double ebr_lesser(double a, double b)
{
	return a < b ? a : b;
}

static inline double ebr_greater(double a, double b)
{
	return a > b ? a : b;
}

/* Fills gaps in the price series: a missing slot takes the latest known value of the same time on
 * an earlier day of the series, else the mean of the known ones, else 0; a missing export price
 * takes the filled energy price. Writes problem->slots values into each array; returns
 * EBR_ASSUMED_... flags, also for missing slots of the profile, which have no bound. */
unsigned ebr_fill_missing(const ebr_problem *problem, double *energy, double *export_price,
                          double *co2);

/* Prepares a checked problem; writes the filled prices into the solution's three price arrays,
 * which the model then reads. */
void ebr_model_init(ebr_model *model, const ebr_problem *problem, ebr_solution *solution);

/* EUR that the objective charges for the next kWh imported, or pays for the next exported. */
double ebr_import_price(const ebr_model *model, int slot);
double ebr_export_price(const ebr_model *model, int slot);

/* EUR per stored kWh at the horizon's end. Default rule: 0.85 times sqrt(efficiency) times the mean
 * import price of the objective over the horizon's last 24 hours, which is a little less than what
 * the kWh will replace; 0 for a store that has left by then. */
double ebr_terminal_value(const ebr_model *model, int store);

/* The share of a slot for which a store is plugged in. */
static inline double ebr_plugged_share(const ebr_model_store *store, int slot)
{
	double until = ebr_lesser(ebr_greater(store->plugged_slots - slot, 0), 1);

	return store->active ? until - ebr_lesser(ebr_greater(store->arrival_slots - slot, 0), until)
	                     : 0;
}

/* Mean kW that a store can charge or discharge (both >= 0) in a slot, given how long it is plugged
 * in. */
static inline double ebr_charge_limit(const ebr_model *model, int store, int slot)
{
	return model->problem->store[store].max_kw * ebr_plugged_share(&model->store[store], slot);
}

static inline double ebr_discharge_limit(const ebr_model *model, int store, int slot)
{
	return -model->problem->store[store].min_kw * ebr_plugged_share(&model->store[store], slot);
}

/* Demand less production, kW. */
static inline double ebr_net_demand(const ebr_model *model, int slot)
{
	const ebr_problem *p = model->problem;

	return p->demand_kw[slot] - (p->production_kw ? p->production_kw[slot] : 0);
}

/* kWh gained by a store that runs at a power for one slot, and the power for a gain. */
static inline double ebr_gain_of_power(const ebr_model *model, int store, double power_kw)
{
	double root = model->store[store].root;

	return model->problem->slot_hours * (power_kw > 0 ? power_kw * root : power_kw / root);
}

static inline double ebr_power_of_gain(const ebr_model *model, int store, double gain_kwh)
{
	double root = model->store[store].root;

	return (gain_kwh > 0 ? gain_kwh / root : gain_kwh * root) / model->problem->slot_hours;
}

/* The objective's price of grid power in a slot, tube and contract included. */
void ebr_slot_prices(const ebr_model *model, int slot, ebr_slot_price *price);

/* EUR that the objective charges for grid power in a slot, tube and contract included. */
double ebr_slot_cost(const ebr_model *model, int slot, double grid_kw);

/* Completes a solution from its power_kw: noise is cleaned, powers are held inside their limits,
 * and everything but quality, method, bound, seconds and branched is computed. */
void ebr_account(const ebr_model *model, ebr_solution *solution);

/* What time limits are measured by, seconds. */
static inline double ebr_clock_seconds(void)
{
	return clock_seconds();
}

#endif
