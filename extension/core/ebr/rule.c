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

/* Levels of every band, put in order where prices are not convex. */
static void find_bands(const ebr_slot_price *price, double root, const ebr_curve *curve,
                       ebr_rule *rule)
{
	rule->kinks = price->kinks;
	for (int k = 0; k <= price->kinks; k++) {
		if (k < price->kinks)
			rule->at_kw[k] = price->at_kw[k];
		rule->charge_kwh[k] = level_worth(curve, price->marginal[k] / root, false);
		rule->discharge_kwh[k] = level_worth(curve, price->marginal[k] * root, true);
		if (k > 0)
			rule->charge_kwh[k] = fmin(rule->charge_kwh[k], rule->charge_kwh[k - 1]);
	}
	for (int k = price->kinks; k >= 0; k--) {
		rule->discharge_kwh[k] = fmax(rule->discharge_kwh[k], rule->charge_kwh[k]);
		if (k < price->kinks)
			rule->discharge_kwh[k] = fmax(rule->discharge_kwh[k], rule->discharge_kwh[k + 1]);
	}
}

/* From between the two levels of *none a store with a least power neither reaches its target nor
 * has room to run; false where there are none. */
static bool find_dead_end(const ebr_model *m, int store, double none[2])
{
	const ebr_model_store *s = &m->store[store];
	double step = ebr_gain_of_power(m, store, m->problem->store[store].min_step_kw);

	none[0] = s->capacity_kwh - step;
	none[1] = s->required_kwh;
	return step > 0 && s->departure_slot > 0 && none[0] >= 0 && none[0] < none[1];
}

/* Charging ends before the dead end, where full power in slot 0 does not take it beyond. */
static void stop_before_dead_end(const ebr_model *m, int store, ebr_rule *rule)
{
	double most = ebr_gain_of_power(m, store, ebr_charge_limit(m, store, 0)), none[2];
	double *levels[] = {&rule->grid_charge_kwh, &rule->surplus_charge_kwh};

	if (!find_dead_end(m, store, none))
		return;
	if (m->store[store].soc_kwh < none[0] && m->store[store].soc_kwh + most < none[1])
		none[1] = INFINITY;
	for (int k = 0; k < 2; k++)
		if (*levels[k] > none[0] && *levels[k] < none[1])
			*levels[k] = none[0];
	for (int k = 0; k <= rule->kinks; k++)
		if (rule->charge_kwh[k] > none[0] && rule->charge_kwh[k] < none[1])
			rule->charge_kwh[k] = none[0];
}

void ebr_rule_from_curve(const ebr_model *m, int store, const ebr_curve *curve, ebr_rule *rule)
{
	ebr_slot_price price = {
	    .kinks = 1, .at_kw = {0}, .marginal = {ebr_export_price(m, 0), ebr_import_price(m, 0)}};
	double root = m->store[store].root;

	find_bands(&price, root, curve, rule);
	rule->surplus_charge_kwh = rule->charge_kwh[0];
	rule->grid_charge_kwh = rule->charge_kwh[1];
	rule->export_kwh = rule->discharge_kwh[0];
	rule->cover_demand_kwh = rule->discharge_kwh[1];
	ebr_slot_prices(m, 0, &price);
	find_bands(&price, root, curve, rule);
	stop_before_dead_end(m, store, rule);
}

bool ebr_rule_has_four_levels(const ebr_rule *rule)
{
	return rule->kinks == 0 || (rule->kinks == 1 && rule->at_kw[0] == 0);
}

void ebr_rule_idle(double capacity_kwh, ebr_rule *rule)
{
	rule->grid_charge_kwh = rule->surplus_charge_kwh = 0;
	rule->cover_demand_kwh = rule->export_kwh = capacity_kwh;
	rule->kinks = 0;
}

double ebr_rule_power(const ebr_rule *rule, double capacity_kwh, double min_kw, double max_kw,
                      double efficiency, double soc_kwh, double net_demand_kw, double slot_hours)
{
	const double zero = 0, charge_kwh[2] = {rule->surplus_charge_kwh, rule->grid_charge_kwh};
	const double discharge_kwh[2] = {rule->export_kwh, rule->cover_demand_kwh};
	const bool banded = rule->kinks > 0;
	const int kinks = banded ? rule->kinks : 1;
	const double *at_kw = banded ? rule->at_kw : &zero;
	const double *up_to = banded ? rule->charge_kwh : charge_kwh;
	const double *down_to = banded ? rule->discharge_kwh : discharge_kwh;
	double root = sqrt(efficiency), soc = fmin(fmax(soc_kwh, 0), capacity_kwh);
	double charge = 0, discharge = 0;

	if (isnan(soc_kwh) || isnan(net_demand_kw) || capacity_kwh <= 0)
		return 0;
	for (int k = 0; k <= kinks; k++) {
		double room = (fmin(up_to[k], capacity_kwh) - soc) / (root * slot_hours);
		double stock = (soc - fmax(down_to[k], 0)) * root / slot_hours;

		charge = fmax(charge, k < kinks ? fmin(room, at_kw[k] - net_demand_kw) : room);
		discharge = fmax(discharge, k > 0 ? fmin(stock, net_demand_kw - at_kw[k - 1]) : stock);
	}
	if (charge > 0)
		return fmin(charge, max_kw);
	return discharge > 0 ? -fmin(discharge, -min_kw) : 0;
}

double ebr_rule_step_power(double power_kw, double min_step_kw, double capacity_kwh,
                           double efficiency, double soc_kwh, double slot_hours)
{
	double root = sqrt(efficiency), gain = min_step_kw * slot_hours * root;
	double loss = min_step_kw * slot_hours / root;

	if (fabs(power_kw) >= min_step_kw)
		return power_kw;
	if (fabs(power_kw) < min_step_kw / 2)
		return 0;
	if (power_kw > 0)
		return soc_kwh + gain <= capacity_kwh ? min_step_kw : 0;
	return soc_kwh - loss >= 0 ? -min_step_kw : 0;
}
