/* See scenario_grid.h. */
#include "scenario_grid.h"

/* One piece of a slot's cost by the energy gained. */
enum { MAX_PIECES = EBR_MAX_KINKS + 2 };
typedef struct pieces {
	int count;
	double at_kwh[MAX_PIECES + 1], slope[MAX_PIECES], cost[MAX_PIECES + 1];
	int node[MAX_PIECES]; /* of the grid, up to which the piece is worth its cost */
} pieces;

/* The integer at or below a small number. */
static int whole(double x)
{
	int truncated = (int)x;

	return truncated > x ? truncated - 1 : truncated;
}

/* First node from which on W rises by at least a slope. */
static int node_of(const ebr_grid_store *s, const ebr_grid *w, double slope)
{
	const double rise = slope * s->cell_kwh;
	int low = 0, high = EBR_GRID_CELLS;

	while (low < high) {
		int middle = (low + high) / 2;

		if (w->at[middle + 1] - w->at[middle] < rise)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Appends a piece, worth its cost up to a node; those that would make the cost concave are
 * pooled. */
static void add_piece(const ebr_grid_store *s, const ebr_grid *w, pieces *c, double to_kwh,
                      double slope, int node)
{
	while (c->count > 0 && c->slope[c->count - 1] >= slope) {
		double from = c->at_kwh[c->count - 1], middle = c->at_kwh[c->count];

		slope = (c->slope[c->count - 1] * (middle - from) + slope * (to_kwh - middle)) /
		        (to_kwh - from);
		node = node_of(s, w, -slope);
		c->count--;
	}
	c->slope[c->count] = slope;
	c->node[c->count++] = node;
	c->at_kwh[c->count] = to_kwh;
}

/* Up to which node it is worth to charge, and down to which to discharge, in each band of grid
 * power; the same for every demand. */
typedef struct worth {
	int charge_node[EBR_MAX_KINKS + 1], discharge_node[EBR_MAX_KINKS + 1];
} worth;

/* Cost of gains in a slot, relative to that of the lowest. */
static void find_pieces(const ebr_grid_store *s, const ebr_grid *w, const ebr_slot_price *price,
                        const worth *at, double net_kw, pieces *c)
{
	const double charged = s->slot_hours * s->root, discharged = s->slot_hours / s->root;
	double power = s->least_kw;
	int k = 0;

	c->count = 0;
	c->at_kwh[0] = power * discharged;
	while (power < s->most_kw) {
		double end = power < 0 ? ebr_lesser(0, s->most_kw) : s->most_kw;

		while (k < price->kinks && price->at_kw[k] - net_kw <= power)
			k++;
		if (k < price->kinks)
			end = ebr_lesser(end, price->at_kw[k] - net_kw);
		if (power < 0)
			add_piece(s, w, c, end * discharged, price->marginal[k] * s->root,
			          at->discharge_node[k]);
		else
			add_piece(s, w, c, end * charged, price->marginal[k] / s->root, at->charge_node[k]);
		power = end;
	}
	c->cost[0] = 0;
	for (k = 0; k < c->count; k++)
		c->cost[k + 1] = c->cost[k] + c->slope[k] * (c->at_kwh[k + 1] - c->at_kwh[k]);
}

/* before += least cost with these pieces. From empty to full, the best gain falls: along a piece's
 * end while that leads below the node up to which the piece is worth its cost, then along the
 * piece, so that the node is reached. */
static void add_least_cost(const ebr_grid_store *s, const ebr_grid *w, const pieces *c,
                           ebr_grid *before)
{
	const double slack = 1e-9;
	int i = 0;

	for (int k = c->count - 1; k >= -1 && i <= EBR_GRID_CELLS; k--) {
		const int node = k >= 0 ? c->node[k] : EBR_GRID_CELLS;
		const double shift = c->at_kwh[k + 1] * s->per_cell;
		const int jump = whole(shift);
		const double share = shift - jump;
		double cost = c->cost[k + 1], step;
		int last = whole(node - shift + slack);

		for (; i <= last && i <= EBR_GRID_CELLS; i++)
			before->at[i] +=
			    cost + w->at[i + jump] + share * (w->at[i + jump + 1] - w->at[i + jump]);
		if (k < 0)
			break;
		last = whole(node - c->at_kwh[k] * s->per_cell + slack);
		cost += w->at[node] + c->slope[k] * (node * s->cell_kwh - c->at_kwh[k + 1]);
		step = c->slope[k] * s->cell_kwh;
		for (; i <= last && i <= EBR_GRID_CELLS; i++)
			before->at[i] += cost - i * step;
	}
}

void ebr_grid_step(const ebr_grid_store *s, const ebr_slot_price *price, const double *net_kw,
                   int demands, ebr_grid *w)
{
	ebr_grid before = {{0}};
	worth at;
	pieces c;

	if (s->most_kw <= s->least_kw)
		return;
	for (int k = 0; k <= price->kinks; k++) {
		at.charge_node[k] = node_of(s, w, -price->marginal[k] / s->root);
		at.discharge_node[k] = node_of(s, w, -price->marginal[k] * s->root);
	}
	for (int k = 0; k < demands; k++) {
		find_pieces(s, w, price, &at, net_kw[k], &c);
		add_least_cost(s, w, &c, &before);
	}
	for (int i = 0; i <= EBR_GRID_CELLS; i++)
		w->at[i] = (before.at[i] - before.at[0]) / demands;
	w->at[EBR_GRID_CELLS + 1] = w->at[EBR_GRID_CELLS];
}
