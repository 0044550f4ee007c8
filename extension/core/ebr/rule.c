/* See rule.h. */
#include "rule.h"

#include <math.h>

/* The level up to which a stored kWh is worth more than a price (ties: at least the price). */
static double level_worth(const ebr_curve *curve, double price, bool ties)
{
	double tolerance = 1e-12 * fmax(1, fabs(price));
	int k = 0;

	while (k < curve->segments && (curve->value_eur_per_kwh[k] > price + tolerance ||
	                               (ties && curve->value_eur_per_kwh[k] >= price - tolerance)))
		k++;
	return curve->level_kwh[k];
}

void ebr_rule_from_curve(const ebr_model *m, int store, const ebr_curve *curve, ebr_rule *rule)
{
	double import = ebr_import_price(m, 0), export = ebr_export_price(m, 0);
	double root = m->store[store].root;

	rule->grid_charge_kwh = level_worth(curve, import / root, false);
	rule->surplus_charge_kwh = level_worth(curve, export / root, false);
	rule->cover_demand_kwh = level_worth(curve, import * root, true);
	rule->export_kwh = level_worth(curve, export * root, true);

	rule->grid_charge_kwh = fmin(rule->grid_charge_kwh, rule->surplus_charge_kwh);
	rule->cover_demand_kwh = fmax(rule->cover_demand_kwh, rule->grid_charge_kwh);
	rule->export_kwh =
	    fmax(rule->export_kwh, fmax(rule->cover_demand_kwh, rule->surplus_charge_kwh));
}

void ebr_rule_idle(double capacity_kwh, ebr_rule *rule)
{
	rule->grid_charge_kwh = rule->surplus_charge_kwh = 0;
	rule->cover_demand_kwh = rule->export_kwh = capacity_kwh;
}

double ebr_rule_power(const ebr_rule *rule, double capacity_kwh, double min_kw, double max_kw,
                      double efficiency, double soc_kwh, double net_demand_kw, double slot_hours)
{
	double root = sqrt(efficiency), soc = fmin(fmax(soc_kwh, 0), capacity_kwh);
	double per_charged = 1 / (root * slot_hours), per_discharged = root / slot_hours;
	double grid_room = (rule->grid_charge_kwh - soc) * per_charged;
	double surplus_room = (rule->surplus_charge_kwh - soc) * per_charged;
	double cover_room = (soc - rule->cover_demand_kwh) * per_discharged;
	double export_room = (soc - rule->export_kwh) * per_discharged;
	double charge, discharge;

	if (isnan(soc_kwh) || isnan(net_demand_kw) || capacity_kwh <= 0)
		return 0;
	charge = fmax(fmax(grid_room, fmin(surplus_room, -net_demand_kw)), 0);
	if (charge > 0)
		return fmin(charge, max_kw);
	discharge = fmax(fmax(export_room, fmin(cover_room, net_demand_kw)), 0);
	return discharge > 0 ? -fmin(discharge, -min_kw) : 0;
}
