/*
 * How a home's heat is made: how much heat a kWh of the energy carrier gives. Heat pumps follow the
 * regressions of their coefficient of performance (COP) on the temperature lift by Ruhnau, Hirth
 * and Praktiknjo (2019, Scientific Data 6:189).
 */
#ifndef SMARTHG_SUPPLY_H
#define SMARTHG_SUPPLY_H

#include <stdbool.h>

#include "robust.h"

typedef enum heat_source {
	SOURCE_HEAT, /* heat itself is measured: district heating */
	SOURCE_RESISTANCE,
	SOURCE_GAS,
	SOURCE_AIR,    /* heat pump on outdoor air */
	SOURCE_GROUND, /* heat pump on the ground */
	HEAT_SOURCES
} heat_source;

typedef enum energy_carrier {
	CARRIER_ELECTRICITY,
	CARRIER_GAS,
	CARRIER_HEAT,
	ENERGY_CARRIERS
} energy_carrier;

typedef struct heat_supply {
	heat_source source;
	double factor;     /* heat per kWh of the carrier; for a heat pump in parts of its curve */
	double flow_c;     /* temperature of the heating water at 0 deg C outdoors, */
	double flow_per_k; /* and its change with each degree outdoors */
	double ground_c;   /* temperature of the ground's brine, deg C */
	double tilt_per_k; /* added to the curve's COP for each K of lift above SUPPLY_LIFT */
} heat_supply;

enum { SUPPLY_LIFT = 35 };

/* Name of a source, and the source of a name; HEAT_SOURCES: there is none. */
const char *heat_source_name(heat_source source);
heat_source heat_source_of(const char *name);

bool heat_source_pumps(heat_source source);
energy_carrier heat_source_carrier(heat_source source);

/* The usual supply of its kind: a boiler of efficiency 0.9, heat pumps at 0.85 of their curve (what
 * the authors found in the field) with radiators, flow 40 deg C - outdoor temperature. */
heat_supply heat_supply_default(heat_source source);

/* Temperature lift of a heat pump, K. */
double heat_supply_lift(const heat_supply *supply, double outdoor_c);

/* COP by the published curve, without factor and tilt. */
double heat_supply_curve(heat_source source, double lift_k);

/* Heat per kWh of the carrier at an outdoor temperature; positive. */
double heat_supply_performance(const heat_supply *supply, double outdoor_c);

/* A heat pump's own curve from its heat and electricity, mean kW of each slot (NAN: not known):
 * factor and tilt with their 90 % intervals, and the COP at SUPPLY_LIFT. False, with the reason,
 * where they do not tell. */
typedef struct cop_estimate {
	estimate factor, tilt_per_k, cop;
	int known, outliers;
	char reason[160];
} cop_estimate;

bool heat_supply_estimate(const heat_supply *supply, int count, const double *heat_kw,
                          const double *electricity_kw, const double *temperature_c,
                          cop_estimate *result);

#endif
