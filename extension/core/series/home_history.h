/*
 * The history of a home from the energy of its meters: demand of the appliances
 * and production per slot (document 3.2.1). Each register adds its days; a slot
 * is known where every register is.
 */
#ifndef SMARTHG_HOME_HISTORY_H
#define SMARTHG_HOME_HISTORY_H

/* Base slots from an origin on; arrays of base_slots values each, zeroed by the caller. */
typedef struct home_history {
	int base_slots;
	double *demand_kwh;
	double *production_kwh;
	int *registers; /* that have a value in the slot */
} home_history;

/* Adds count base slots of one register, the first being number first (may be negative): a
 * register's kWh count demand_sign times into the demand, production_sign times into production.
 * NAN is not known. Slots outside the history are left out. */
void home_history_add(home_history *history, int first, const double *kwh, int count,
                      double demand_sign, double production_sign);

/* Means over slots of base_per_slot base slots of base_hours each into demand_kw and production_kw
 * (base_slots / base_per_slot values); NAN where one of the registers has no value. */
void home_history_means(const home_history *history, int registers, int base_per_slot,
                        double base_hours, double *demand_kw, double *production_kw);

#endif
