/*
 * A command as a rule (DESIGN.md section 3): levels of stored energy that tell a
 * store what to do with the net demand that is measured, rather than the one that
 * was forecast. Four levels where the grid has one price for import and one for
 * export; a tube or a contract splits grid power into more bands, each with a
 * level to charge up to and one to discharge down to.
 */
#ifndef SMARTHG_EBR_RULE_H
#define SMARTHG_EBR_RULE_H

#include "value_curve.h"

/* Levels in kWh, in [0, capacity]; grid_charge <= surplus_charge <= export and
 * grid_charge <= cover_demand <= export. */
typedef struct ebr_rule {
	double grid_charge_kwh;    /* charge from the grid while less is stored */
	double surplus_charge_kwh; /* charge from surplus production while less is stored */
	double cover_demand_kwh;   /* cover the home's demand while more is stored */
	double export_kwh;         /* discharge beyond the demand while more is stored */
	/* Bands of grid power, band k below at_kw[k] and the last above all: in it, charge while less
	 * than charge_kwh[k] is stored, discharge while more than discharge_kwh[k] is. With kinks = 0
	 * the four levels above are the rule; else they are its summary without tube and contract. */
	int kinks;
	double at_kw[EBR_MAX_KINKS]; /* rising */
	double charge_kwh[EBR_MAX_KINKS + 1];
	double discharge_kwh[EBR_MAX_KINKS + 1];
} ebr_rule;

/* The rule of slot 0 from the value of what is stored at its end: charge while one more kWh stored
 * is worth more than a kWh at the grid / sqrt(efficiency), discharge while it is worth less than a
 * kWh at the grid * sqrt(efficiency). Of levels where acting and idling cost the same, the idle
 * side is taken. Where prices put levels out of order, charging comes before discharging (import
 * price below 0: being paid to charge beats covering demand), and a band is not charged from, nor
 * discharged into, for the sake of the next one (export dearer than import). A store with a least
 * power that leaves later is not charged to where it could not run up to its target any more. */
void ebr_rule_from_curve(const ebr_model *model, int store, const ebr_curve *curve, ebr_rule *rule);

/* Whether the four levels are all there is to the rule. */
bool ebr_rule_has_four_levels(const ebr_rule *rule);

/* The rule of a store that is away or does not exist: nothing. */
void ebr_rule_idle(double capacity_kwh, ebr_rule *rule);

/* kW that a store runs at for a slot of slot_hours, given the net demand (everything else in the
 * home less production) and the state of charge as measured; inside [min_kw, max_kw], and what is
 * stored stays inside [0, capacity]. 0 where a measurement is NAN. */
double ebr_rule_power(const ebr_rule *rule, double capacity_kwh, double min_kw, double max_kw,
                      double efficiency, double soc_kwh, double net_demand_kw, double slot_hours);

/* The same for a store that runs at min_step_kw at least or not at all: a power below is rounded to
 * the nearer of the two, to the step only where the store has room, or stock, for it. */
double ebr_rule_step_power(double power_kw, double min_step_kw, double capacity_kwh,
                           double efficiency, double soc_kwh, double slot_hours);

#endif
