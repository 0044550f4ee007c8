/*
 * Execution of EBR rules by simulated stores, and their reports.
 */
#include "store_model.h"

#include <math.h>

#include "../../bridge/codec/zcl.h"
#include "../../extension/core/ebr/rule.h"

static double planned_kw(const struct ebr_command *command, uint8_t store)
{
	for (int i = 0; i < command->stores; i++)
		if (command->store[i].store == store)
			return command->store[i].setpoint_w / 1000.0;
	return 0;
}

static void take_bands(const struct ebr_store_command *ordered, ebr_rule *rule)
{
	for (int k = 0; k < ordered->bands; k++) {
		rule->charge_kwh[k] = ordered->band[k].charge_wh / 1000.0;
		rule->discharge_kwh[k] = ordered->band[k].discharge_wh / 1000.0;
		if (k < ordered->bands - 1)
			rule->at_kw[k] = ordered->band[k].at_w / 1000.0;
	}
	rule->kinks = ordered->bands > 0 ? ordered->bands - 1 : 0;
}

void store_model_execute(struct store_model stores[COMMAND_STORES],
                         const struct ebr_command *command, double net_demand_kw,
                         double power_kw[COMMAND_STORES])
{
	double hours = command->slot_s / 3600.0;

	for (int i = 0; i < COMMAND_STORES; i++)
		power_kw[i] = 0;
	for (int i = 0; i < command->stores; i++) {
		const struct ebr_store_command *ordered = &command->store[i];
		struct store_model *store = &stores[ordered->store];
		uint8_t other = ordered->store == STORE_ESS ? STORE_PEV : STORE_ESS;
		ebr_rule rule = {
		    .grid_charge_kwh = ordered->level_wh[LEVEL_GRID_CHARGE] / 1000.0,
		    .surplus_charge_kwh = ordered->level_wh[LEVEL_SURPLUS_CHARGE] / 1000.0,
		    .cover_demand_kwh = ordered->level_wh[LEVEL_COVER_DEMAND] / 1000.0,
		    .export_kwh = ordered->level_wh[LEVEL_EXPORT] / 1000.0,
		};
		double root = sqrt(store->efficiency), kw;

		take_bands(ordered, &rule);
		kw = ebr_rule_power(&rule, store->capacity_kwh, store->min_kw, store->max_kw,
		                    store->efficiency, store->soc_kwh,
		                    net_demand_kw + planned_kw(command, other), hours);
		store->soc_kwh += hours * (kw > 0 ? kw * root : kw / root);
		store->soc_kwh = fmin(fmax(store->soc_kwh, 0), store->capacity_kwh);
		power_kw[ordered->store] = kw;
	}
}

void store_model_report(const struct store_model *store, uint8_t sequence, struct writer *telegram)
{
	writer_u8(telegram, 0x18); /* general, from the server, no default response */
	writer_u8(telegram, sequence);
	writer_u8(telegram, ZCL_REPORT_ATTRIBUTES);
	writer_le(telegram, 0x0021, 2);
	writer_u8(telegram, ZCL_UINT8);
	writer_u8(telegram, (uint8_t)lround(200 * store->soc_kwh / store->capacity_kwh));
}
