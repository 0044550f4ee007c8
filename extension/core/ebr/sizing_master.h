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
} sizing_master;

/* Bounds of capacity and power, all finite; what is stored at the start lies between 0 and the
 * capacity. */
typedef struct sizing_box {
	double low[2], high[2];
} sizing_box;

/* Needs a plane at least; returns a lower bound of z in the box, the least z but for rounding, and
 * its place. */
double sizing_master_solve(const sizing_master *master, const sizing_box *box,
                           double x[SIZING_VARIABLES]);

/* The highest plane at a point. */
double sizing_master_at(const sizing_master *master, const double x[SIZING_VARIABLES]);

#endif
