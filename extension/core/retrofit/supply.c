/* See supply.h. */
#include "supply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_KNOWN = 12 };

static const double LEAST_LIFT = 15, LEAST_COP = 1, LEAST_LIFT_SPREAD = 4;
/* A slot in which the pump hardly ran, in parts of the largest use, tells little of its COP. */
static const double LEAST_RUN = 0.05;

static const char *const NAMES[HEAT_SOURCES] = {"heat", "resistance", "gas", "air heat pump",
                                                "ground heat pump"};

const char *heat_source_name(heat_source source)
{
	return NAMES[source];
}

heat_source heat_source_of(const char *name)
{
	int source = 0;

	while (source < HEAT_SOURCES && strcmp(NAMES[source], name) != 0)
		source++;
	return source;
}

bool heat_source_pumps(heat_source source)
{
	return source == SOURCE_AIR || source == SOURCE_GROUND;
}

energy_carrier heat_source_carrier(heat_source source)
{
	if (source == SOURCE_HEAT)
		return CARRIER_HEAT;
	return source == SOURCE_GAS ? CARRIER_GAS : CARRIER_ELECTRICITY;
}

heat_supply heat_supply_default(heat_source source)
{
	static const double factors[HEAT_SOURCES] = {1, 1, 0.9, 0.85, 0.85};

	return (heat_supply){
	    .source = source, .factor = factors[source], .flow_c = 40, .flow_per_k = -1, .ground_c = 5};
}

double heat_supply_lift(const heat_supply *supply, double outdoor_c)
{
	double source_c = supply->source == SOURCE_AIR ? outdoor_c : supply->ground_c;

	return fmax(supply->flow_c + supply->flow_per_k * outdoor_c - source_c, LEAST_LIFT);
}

double heat_supply_curve(heat_source source, double lift_k)
{
	if (source == SOURCE_AIR)
		return 6.08 - 0.09 * lift_k + 0.0005 * lift_k * lift_k;
	return 10.29 - 0.21 * lift_k + 0.0012 * lift_k * lift_k;
}

double heat_supply_performance(const heat_supply *supply, double outdoor_c)
{
	double lift;

	if (!heat_source_pumps(supply->source))
		return supply->factor;
	lift = heat_supply_lift(supply, outdoor_c);
	return fmax(supply->factor * heat_supply_curve(supply->source, lift) +
	                supply->tilt_per_k * (lift - SUPPLY_LIFT),
	            LEAST_COP);
}

/* COP = factor * curve + tilt * lift. */
typedef struct pump_data {
	double *by_curve, *by_lift;
} pump_data;

static double pump_model(const void *data, int i, const double *parameter, double *gradient)
{
	const pump_data *d = data;

	gradient[0] = d->by_curve[i];
	gradient[1] = d->by_lift[i];
	return parameter[0] * gradient[0] + parameter[1] * gradient[1];
}

static bool refuse(cop_estimate *result, const char *reason)
{
	snprintf(result->reason, sizeof(result->reason), "%s", reason);
	return false;
}

static double largest(const double *values, int count)
{
	double most = 0;

	for (int i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

static bool fit_pump(const heat_supply *supply, robust_fit *f, cop_estimate *result)
{
	const double at_lift = heat_supply_curve(supply->source, SUPPLY_LIFT);
	const double first[] = {1, 0}, second[] = {0, 1}, cop[] = {at_lift, 0};

	f->parameter[0] = supply->factor;
	f->parameter[1] = 0;
	if (!robust_regression(f))
		return refuse(result, "the observations do not tell how the COP changes with the lift");
	result->outliers = f->outliers;
	result->factor = robust_estimate(f, f->parameter[0], first, 0);
	result->tilt_per_k = robust_estimate(f, f->parameter[1], second, 0);
	result->cop = robust_estimate(f, at_lift * f->parameter[0], cop, 0);
	if (f->outliers > result->known / 4)
		return refuse(result, "more than a quarter of the observations do not follow the others");
	if (result->cop.low <= result->cop.value / 2)
		return refuse(result, "the COP is uncertain by more than half");
	return true;
}

bool heat_supply_estimate(const heat_supply *supply, int count, const double *heat_kw,
                          const double *electricity_kw, const double *temperature_c,
                          cop_estimate *result)
{
	const double least_kw = LEAST_RUN * largest(electricity_kw, count);
	double *room = malloc(sizeof(double) * 4 * (count + 1)), lowest = INFINITY, highest = -INFINITY;
	int *position = malloc(sizeof(int) * (count + 1));
	bool *kept = malloc(count + 1), known = false;
	pump_data data = {room, room ? room + count : NULL};
	robust_fit f = {.parameters = 2, .model = pump_model, .data = &data};
	double *cop = room ? room + 2 * count : NULL;

	*result = (cop_estimate){.known = 0};
	for (int i = 0; room && position && kept && i < count; i++) {
		double lift = heat_supply_lift(supply, temperature_c[i]);

		if (!isfinite(heat_kw[i]) || !isfinite(temperature_c[i]) || !(electricity_kw[i] > least_kw))
			continue;
		data.by_curve[f.count] = heat_supply_curve(supply->source, lift);
		data.by_lift[f.count] = lift - SUPPLY_LIFT;
		cop[f.count] = heat_kw[i] / electricity_kw[i];
		position[f.count++] = i;
		lowest = fmin(lowest, lift);
		highest = fmax(highest, lift);
	}
	result->known = f.count;
	f.observed = cop;
	f.position = position;
	f.kept = kept;
	f.residual = room ? room + 3 * count : NULL;
	if (!room || !position || !kept)
		known = refuse(result, "out of memory");
	else if (f.count < LEAST_KNOWN)
		known = refuse(result, "fewer than 12 observations with heat, electricity and temperature");
	else if (highest - lowest < LEAST_LIFT_SPREAD)
		known = refuse(result, "the temperature lift ranges over less than 4 K");
	else
		known = fit_pump(supply, &f, result);
	free(room);
	free(position);
	free(kept);
	return known;
}
