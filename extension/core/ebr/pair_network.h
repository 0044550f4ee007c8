/*
 * Two stores as a network: a bus for every slot, a node for what each store holds
 * at its end; grid power, the power of a store and what it carries into the next
 * slot are arcs with convex piecewise-linear costs, and efficiency is the gain of
 * an arc (DESIGN.md section 3). pair_network.c sets it up and proves bounds, pair_tree.c
 * keeps the basis, pair_simplex.c improves the plan; used by pair.c, and by replay_proof.c
 * for what grid power is worth.
 *
 * A basis is a set of trees. Slots between which a store carries energy in the
 * basis have one worth of stored energy, so they are one node, a block. A tree is
 * rooted at an arc that leaves the network (grid power inside a piece; what is
 * stored at the end), or it has one cycle whose gain is not 1, and then all is
 * worth nothing in it. All other arcs of a tree are powers of stores, each of them
 * between a bus and a block. So worths spread from the roots, and a change of one
 * arc runs down to the roots: no matrix, no factors.
 */
#ifndef SMARTHG_EBR_PAIR_NETWORK_H
#define SMARTHG_EBR_PAIR_NETWORK_H

#include "model.h"

/* An arc in the basis lies inside a piece, any other at a breakpoint. */
enum { PAIR_RESTS = 0, PAIR_CHARGES = 1, PAIR_DISCHARGES = -1 };

/* One store; arrays have one value for each slot in which it can run. */
typedef struct pair_store {
	int slots;
	double capacity_kwh, soc_kwh;
	double gain_charge, gain_discharge; /* kWh per kW of a slot */
	int end_pieces;                     /* what is stored at the end: one piece, or two */
	double end_at[3], end_slope[2];
	double *low_kw, *high_kw;
	double *power_kw, *level_kwh;
	signed char *use;     /* of the power: PAIR_... */
	signed char *carried; /* what is stored is in the basis; at the end: its piece + 1 */
	int *block;           /* slots between which energy is carried in the basis */
	double *worth;        /* EUR per kWh stored at the slot's end */
	double *power_step, *level_step;
} pair_store;

/* Grid power of one slot; the outer pieces have no end. */
typedef struct pair_bus {
	int pieces;
	double at_kw[EBR_MAX_KINKS], slope[EBR_MAX_KINKS + 1]; /* EUR per kW of a slot */
	double net_kw, grid_kw, step;
	int place; /* piece if in the basis, else kink */
	bool carried;
	double worth; /* EUR per kW of the slot */
} pair_bus;

typedef struct pair_network {
	const ebr_model *model;
	int slots;
	pair_store store[EBR_STORES];
	pair_bus *bus;
	double same_worth;
	/* the basis as trees: nodes are buses, then blocks of the first store, then of the second */
	int nodes, *first, *last, *parent, *closing, *queue;
	double *value;
	int *touched; /* powers that change in a step */
	int touches;
	double *numbers;
	int *marks;
	signed char *flags;
} pair_network;

/* Sizes the arrays, and reads slots and stores; false: out of memory. Free with
 * pair_network_close(). */
bool pair_network_open(pair_network *net, const ebr_model *model);
void pair_network_close(pair_network *net);

/* Starts from both stores' powers (feasible), and replaces them by better ones until nothing is
 * gained by changing one arc more. Ends early on time and interrupt, and should arithmetic fail:
 * the powers are a plan then too. */
outcome_status pair_network_solve(pair_network *net, double *const power_kw[EBR_STORES],
                                  const ebr_limits *limits, double deadline);

/* kWh per kW of a slot; the power of a store in a slot as an arc's number. */
static inline double pair_gain(const pair_store *store, int use)
{
	return use > 0 ? store->gain_charge : store->gain_discharge;
}

static inline int pair_arc(int slot, int store)
{
	return 2 * slot + store;
}

/* A basis at, or next to, both stores' powers. Powers between breakpoints that it has no place for
 * are left where they are. */
void pair_first_basis(pair_network *net, double *const power_kw[EBR_STORES]);

/* The basis as trees, and what everything is worth; false if the arcs are no basis. */
bool pair_grow(pair_network *net);

/* Notes a change of a power in the direction; lets a surplus (kW at a bus, kWh at a block) run down
 * the trees to where it is absorbed. */
void pair_change_power(pair_network *net, int arc, double step);
void pair_absorb(pair_network *net, int node, double surplus);

/* Lower bound of the problem's objective that the values at hand prove, whether the plan is optimal
 * or not. */
double pair_network_bound(const pair_network *net);

/* The same from what buses are worth alone: each store's least cost is found exactly, so that it is
 * no lower where a slot is not convex. -INFINITY where that does not end within the limits. */
outcome_status pair_network_exact_bound(const pair_network *net, const ebr_limits *limits,
                                        double *bound, outcome *out);

#endif
