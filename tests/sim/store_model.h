/*
 * The stores of a simulated home: they execute an EBR command as the rule that
 * it is (DESIGN.md section 3), with the net demand as measured.
 */
#ifndef SMARTHG_SIM_STORE_MODEL_H
#define SMARTHG_SIM_STORE_MODEL_H

#include "../../bridge/codec/messages.h"

struct store_model {
	uint8_t endpoint; /* ZigBee endpoint that reports its state of charge */
	double capacity_kwh, min_kw, max_kw, efficiency;
	double soc_kwh;
};

/* Runs the stores of a home, by enum command_store, through the command's slot.
 * net_demand_kw: everything else in the home less production; the other store
 * counts at its plan. power_kw gets what each did. */
void store_model_execute(struct store_model stores[COMMAND_STORES],
                         const struct ebr_command *command, double net_demand_kw,
                         double power_kw[COMMAND_STORES]);

/* A store's state of charge as a ZCL report (Power Configuration cluster,
 * BatteryPercentageRemaining, half percents): writes the telegram. */
void store_model_report(const struct store_model *store, uint8_t sequence, struct writer *telegram);

#endif
