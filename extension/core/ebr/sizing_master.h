/*
 * The cheapest point of a box by the cutting planes so far: the least z with
 * z >= every plane, a linear programme of four variables; see sizing.h.
 */
#ifndef SMARTHG_EBR_SIZING_MASTER_H
#define SMARTHG_EBR_SIZING_MASTER_H

#include "sizing_pass.h"

enum { SIZING_MAX_PLANES = 200 };

typedef struct sizing_master {
	int planes;
	sizing_plane plane[SIZING_MAX_PLANES];
	double at[SIZING_MAX_PLANES][SIZING_VARIABLES]; /* where each touches */
	double cost_eur[SIZING_MAX_PLANES];             /* and at which cost */
} sizing_master;

/* How the cost's slopes change with capacity and power, EUR by square. */
typedef struct sizing_curvature {
	double capacity, both, power;
} sizing_curvature;

/* Bounds of capacity and power, all finite; what is stored at the start lies between 0 and the
 * capacity. */
typedef struct sizing_box {
	double low[2], high[2];
} sizing_box;

/* Needs a plane at least; returns a lower bound of z in the box, the least z but for rounding, and
 * its place. */
double sizing_master_solve(const sizing_master *master, const sizing_box *box,
                           double x[SIZING_VARIABLES]);

/* Adds a plane; the oldest goes where there is no room. */
void sizing_master_add(sizing_master *master, const sizing_plane *plane,
                       const double x[SIZING_VARIABLES], double cost_eur);

/* The bottom of the paraboloid whose slopes fit those of the planes best, the cheapest points most:
 * over a long span costs are as good as smooth, and this is nearer than where planes meet. *known
 * is what is known of its curvature, used while there are few planes, and takes what was found.
 * false where no such paraboloid has a bottom. */
bool sizing_master_bottom(const sizing_master *master, sizing_curvature *known,
                          double x[SIZING_VARIABLES]);

/* The highest plane at a point. */
double sizing_master_at(const sizing_master *master, const double x[SIZING_VARIABLES]);

#endif
