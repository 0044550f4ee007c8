/* See step.h. */
#include "step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ebr_breaks_steps(const ebr_model *m, int i, const double *power_kw)
{
	for (int t = 0; t < m->problem->slots && m->store[i].active; t++)
		if (ebr_below_step(power_kw[t], ebr_step(m, i, t)))
			return true;
	return false;
}

bool ebr_can_run(const ebr_model *m, int i, const double *power_kw)
{
	const double capacity = m->store[i].capacity_kwh, slack = 1e-9 * fmax(1, capacity);
	double soc = m->store[i].soc_kwh;

	for (int t = 0; t < m->problem->slots; t++) {
		if (power_kw[t] > ebr_charge_limit(m, i, t) + 1e-9 ||
		    power_kw[t] < -ebr_discharge_limit(m, i, t) - 1e-9)
			return false;
		soc += ebr_gain_of_power(m, i, power_kw[t]);
		if (soc < -slack || soc > capacity + slack)
			return false;
	}
	return !ebr_breaks_steps(m, i, power_kw);
}

/* The power nearest to one wanted that has room in the store: 0, or at least the step. A power
 * between the two runs where it is at least a share of the step. */
static double stepped(const ebr_model *m, int i, int t, double soc, double wanted, double share)
{
	const double step = ebr_step(m, i, t), slack = 1e-9 * step;
	double most = fmin(ebr_charge_limit(m, i, t),
	                   ebr_power_of_gain(m, i, fmax(m->store[i].capacity_kwh - soc, 0)));
	double least = -fmin(ebr_discharge_limit(m, i, t), -ebr_power_of_gain(m, i, -fmax(soc, 0)));
	double power = fmin(fmax(wanted, least), most);

	if (!ebr_below_step(power, step))
		return power;
	if (power > 0)
		return power >= share * step && most >= step - slack ? step : 0;
	return -power >= share * step && -least >= step - slack ? -step : 0;
}

/* Follows the stored energy of a plan; power_kw may be the plan's own. */
static void follow(const ebr_model *m, int i, const double *planned_kw, double share,
                   double *power_kw)
{
	double planned = m->store[i].soc_kwh, soc = planned;

	for (int t = 0; t < m->problem->slots; t++) {
		planned += ebr_gain_of_power(m, i, planned_kw[t]);
		power_kw[t] = stepped(m, i, t, soc, ebr_power_of_gain(m, i, planned - soc), share);
		soc += ebr_gain_of_power(m, i, power_kw[t]);
	}
}

static void keep_steps_of(const ebr_model *m, int i, ebr_solution *solution, double *room)
{
	static const double shares[] = {0.5, 1e-6, 1};
	const size_t slots = (size_t)m->problem->slots;
	double *planned_kw = room, *best_kw = room + slots, best = INFINITY;

	memcpy(planned_kw, solution->power_kw[i], slots * sizeof(double));
	for (int k = 0; k < 3; k++) {
		follow(m, i, planned_kw, shares[k], solution->power_kw[i]);
		ebr_account(m, solution);
		if (solution->objective_eur < best) {
			best = solution->objective_eur;
			memcpy(best_kw, solution->power_kw[i], slots * sizeof(double));
		}
	}
	memcpy(solution->power_kw[i], best_kw, slots * sizeof(double));
	ebr_account(m, solution);
}

void ebr_keep_steps(const ebr_model *m, ebr_solution *solution)
{
	const size_t slots = (size_t)m->problem->slots;
	double *room = malloc(2 * slots * sizeof(double));

	for (int i = 0; i < EBR_STORES; i++) {
		if (!ebr_breaks_steps(m, i, solution->power_kw[i]))
			continue;
		if (room)
			keep_steps_of(m, i, solution, room);
		else
			/* Idle is always possible. */
			memset(solution->power_kw[i], 0, slots * sizeof(double));
	}
	free(room);
	ebr_account(m, solution);
}
