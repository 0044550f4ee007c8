/*
 * A command as a rule (DESIGN.md section 3): four levels of stored energy that
 * tell a store what to do with the net demand that is measured, rather than the
 * one that was forecast.
 */
#ifndef SMARTHG_EBR_RULE_H
#define SMARTHG_EBR_RULE_H

#include "value_curve.h"

/* All in kWh, in [0, capacity]; grid_charge <= surplus_charge <= export and
 * grid_charge <= cover_demand <= export. */
typedef struct ebr_rule {
	double grid_charge_kwh;    /* charge from the grid while less is stored */
	double surplus_charge_kwh; /* charge from surplus production while less is stored */
	double cover_demand_kwh;   /* cover the home's demand while more is stored */
	double export_kwh;         /* discharge beyond the demand while more is stored */
} ebr_rule;

/* The rule of slot 0 from the value of what is stored at its end. Of levels where acting and idling
 * cost the same, the idle side is taken. Where prices are such that the four thresholds are out of
 * order, charging comes before discharging (import price below 0: being paid to charge beats
 * covering demand), and what is stored is neither imported to be exported within the slot nor the
 * reverse (export dearer than import: export only what would cover demand as well). */
void ebr_rule_from_curve(const ebr_model *model, int store, const ebr_curve *curve, ebr_rule *rule);

/* The rule of a store that is away or does not exist: nothing. */
void ebr_rule_idle(double capacity_kwh, ebr_rule *rule);

/* kW that a store runs at for a slot of slot_hours, given the net demand (everything else in the
 * home less production) and the state of charge as measured; inside [min_kw, max_kw], and what is
 * stored stays inside [0, capacity]. 0 where a measurement is NAN. */
double ebr_rule_power(const ebr_rule *rule, double capacity_kwh, double min_kw, double max_kw,
                      double efficiency, double soc_kwh, double net_demand_kw, double slot_hours);

#endif
