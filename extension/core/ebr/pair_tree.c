/*
 * Bases of the network as trees: the first one, what everything is worth in it,
 * and where a change runs; see pair_network.h.
 */
#include "pair_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SNAP 1e-10 /* kW, kWh: closer to a breakpoint is at it */

/* Instead of a parent arc: not visited, the root of a tree, the start in a tree with a cycle. */
enum { NIL = -1, ROOT = -2, CYCLE = -3 };

static void find_blocks(pair_network *n)
{
	int node = n->slots;

	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];

		for (int t = 0; t < s->slots; t++) {
			if (t == 0 || !s->carried[t - 1]) {
				n->first[node] = t;
				node++;
			}
			s->block[t] = node - 1;
			n->last[node - 1] = t;
		}
	}
	n->nodes = node;
}

/* Visits what a node's powers lead to. */
static int spread_from_bus(pair_network *n, int t, int tail, int root)
{
	for (int i = 0; i < EBR_STORES; i++) {
		const pair_store *s = &n->store[i];
		int block;

		if (t >= s->slots || !s->use[t] || n->parent[t] == pair_arc(t, i))
			continue;
		block = s->block[t];
		if (n->parent[block] != NIL) {
			n->closing[root] = pair_arc(t, i);
			continue;
		}
		n->parent[block] = pair_arc(t, i);
		n->value[block] = n->value[t] / pair_gain(s, s->use[t]);
		n->queue[tail++] = block;
	}
	return tail;
}

static int spread_from_block(pair_network *n, int block, int tail, int root)
{
	int i = n->store[EBR_PEV].slots > 0 && block >= n->store[EBR_PEV].block[0];
	const pair_store *s = &n->store[i];

	for (int t = n->first[block]; t <= n->last[block]; t++) {
		if (!s->use[t] || n->parent[block] == pair_arc(t, i))
			continue;
		if (n->parent[t] != NIL) {
			n->closing[root] = pair_arc(t, i);
			continue;
		}
		n->parent[t] = pair_arc(t, i);
		n->value[t] = n->value[block] * pair_gain(s, s->use[t]);
		n->queue[tail++] = t;
	}
	return tail;
}

static int spread(pair_network *n, int head, int tail, int root)
{
	for (; head < tail; head++) {
		int node = n->queue[head];

		tail = node < n->slots ? spread_from_bus(n, node, tail, root)
		                       : spread_from_block(n, node, tail, root);
	}
	return tail;
}

/* Parents and values of all nodes; false if the arcs are no basis. */
bool pair_grow(pair_network *n)
{
	int tail = 0;

	find_blocks(n);
	for (int k = 0; k < n->nodes; k++)
		n->parent[k] = NIL;
	for (int t = 0; t < n->slots; t++) {
		if (!n->bus[t].carried)
			continue;
		n->parent[t] = ROOT;
		n->value[t] = n->bus[t].slope[n->bus[t].place];
		n->queue[tail++] = t;
	}
	for (int i = 0; i < EBR_STORES; i++) {
		const pair_store *s = &n->store[i];
		int end = s->slots - 1;

		if (end < 0 || !s->carried[end])
			continue;
		n->parent[s->block[end]] = ROOT;
		n->value[s->block[end]] = -s->end_slope[s->carried[end] - 1];
		n->queue[tail++] = s->block[end];
	}
	/* an arc that closes a cycle in a tree with a root would be too many; none is there then */
	n->closing[0] = NIL;
	tail = spread(n, 0, tail, 0);
	if (n->closing[0] != NIL)
		return false;
	for (int node = n->slots; node < n->nodes && tail < n->nodes; node++) {
		if (n->parent[node] != NIL)
			continue;
		n->parent[node] = CYCLE;
		n->value[node] = 0;
		n->closing[node] = NIL;
		n->queue[tail] = node;
		tail = spread(n, tail, tail + 1, node);
		if (n->closing[node] == NIL)
			return false;
	}
	if (tail < n->nodes)
		return false;
	for (int t = 0; t < n->slots; t++)
		n->bus[t].worth = n->value[t];
	for (int i = 0; i < EBR_STORES; i++)
		for (int t = 0; t < n->store[i].slots; t++)
			n->store[i].worth[t] = n->value[n->store[i].block[t]];
	return true;
}

void pair_change_power(pair_network *n, int arc, double step)
{
	pair_store *s = &n->store[arc & 1];

	if (s->power_step[arc >> 1] == 0)
		n->touched[n->touches++] = arc;
	s->power_step[arc >> 1] += step;
}

/* A surplus at a node runs down to its root; returns the node of a cycle that it arrives at, with
 * what arrives. */
static int run_down(pair_network *n, int node, double *surplus)
{
	while (n->parent[node] >= 0) {
		int arc = n->parent[node], i = arc & 1, t = arc >> 1;
		const pair_store *s = &n->store[i];
		double g = pair_gain(s, s->use[t]);

		if (node < n->slots) {
			pair_change_power(n, arc, *surplus);
			*surplus *= g;
			node = s->block[t];
		} else {
			*surplus /= g;
			pair_change_power(n, arc, -*surplus);
			node = t;
		}
	}
	if (n->parent[node] == CYCLE)
		return node;
	if (node < n->slots)
		n->bus[node].step -= *surplus;
	return NIL;
}

/* The same, with the cycle's arc changed so that nothing is left at it. */
void pair_absorb(pair_network *n, int node, double surplus)
{
	int root = run_down(n, node, &surplus), arc, i, t;
	double g, from_bus, from_block, step;

	if (root == NIL)
		return;
	arc = n->closing[root];
	i = arc & 1;
	t = arc >> 1;
	g = pair_gain(&n->store[i], n->store[i].use[t]);
	/* what arrives for 1 kW on the arc, found without changing anything */
	from_bus = -1;
	from_block = g;
	for (int side = 0; side < 2; side++) {
		int at = side ? n->store[i].block[t] : t;
		double *amount = side ? &from_block : &from_bus;

		while (n->parent[at] >= 0) {
			int a = n->parent[at];
			const pair_store *s = &n->store[a & 1];
			double ratio = pair_gain(s, s->use[a >> 1]);

			if (at < n->slots) {
				*amount *= ratio;
				at = s->block[a >> 1];
			} else {
				*amount /= ratio;
				at = a >> 1;
			}
		}
	}
	if (from_bus + from_block == 0)
		return;
	step = -surplus / (from_bus + from_block);
	pair_change_power(n, arc, step);
	from_bus = -step;
	from_block = g * step;
	run_down(n, t, &from_bus);
	run_down(n, n->store[i].block[t], &from_block);
}

static bool is_between(double value, double low, double high)
{
	return value > low + SNAP && value < high - SNAP;
}

static double snapped(double value, const double *at, int count)
{
	for (int k = 0; k < count; k++)
		if (fabs(value - at[k]) <= SNAP)
			return at[k];
	return value;
}

/* Sets every arc at its breakpoint, or where it is between two. */
static void place_arcs(pair_network *n, double *const power_kw[EBR_STORES])
{
	for (int t = 0; t < n->slots; t++)
		n->bus[t].grid_kw = n->bus[t].net_kw;
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];
		double level = s->soc_kwh;

		for (int t = 0; t < s->slots; t++) {
			double at[] = {0, s->low_kw[t], s->high_kw[t]}, bounds[] = {0, s->capacity_kwh};
			double power = snapped(power_kw[i][t], at, 3);

			s->power_kw[t] = power;
			s->power_step[t] = 0;
			s->use[t] = PAIR_RESTS;
			n->bus[t].grid_kw += power;
			level += power * pair_gain(s, power > 0 ? 1 : -1);
			level = snapped(level, bounds, 2);
			level = ebr_lesser(ebr_greater(level, 0), s->capacity_kwh);
			if (t == s->slots - 1)
				level = snapped(level, s->end_at, s->end_pieces + 1);
			s->level_kwh[t] = level;
			s->carried[t] = is_between(level, 0, s->capacity_kwh);
		}
		if (s->slots > 0) {
			int end = s->slots - 1;

			s->carried[end] = 0;
			for (int k = 0; k < s->end_pieces; k++)
				if (level > s->end_at[k] && level < s->end_at[k + 1])
					s->carried[end] = (signed char)(k + 1);
		}
	}
	for (int t = 0; t < n->slots; t++) {
		pair_bus *b = &n->bus[t];
		int k = 0;

		b->step = 0;
		while (k < b->pieces - 1 && b->at_kw[k] < b->grid_kw - SNAP)
			k++;
		b->place = k;
		b->carried = k == b->pieces - 1 || b->at_kw[k] > b->grid_kw + SNAP;
		if (!b->carried)
			b->grid_kw = b->at_kw[k];
	}
}

/* Trees while they are put together: parent[] holds the way to a tree's name, with the factor of
 * values on it in value[]; closing[] says that a tree has its root or cycle. */
static int name_of(pair_network *n, int node, double *factor)
{
	*factor = 1;
	while (n->parent[node] != node) {
		*factor *= n->value[node];
		node = n->parent[node];
	}
	return node;
}

/* Joins bus and block by a power if that leaves no tree with two roots. */
static bool join(pair_network *n, int t, int i, int use)
{
	double of_bus, of_block, g = pair_gain(&n->store[i], use);
	int bus = name_of(n, t, &of_bus), block = name_of(n, n->store[i].block[t], &of_block);

	if (bus == block) {
		/* value of the bus = of_bus * value of the name; around a cycle of gain 1 nothing is new */
		if (n->closing[bus] || fabs(of_block * g - of_bus) < 1e-9 * of_bus)
			return false;
		n->closing[bus] = 1;
	} else {
		if (n->closing[bus] && n->closing[block])
			return false;
		n->closing[block] = n->closing[bus] || n->closing[block];
		n->parent[bus] = block;
		n->value[bus] = of_block * g / of_bus;
	}
	n->store[i].use[t] = (signed char)use;
	return true;
}

/* Grid power at a kink, or what is stored at a bound, roots the trees that have no root yet. */
static void root_the_rest(pair_network *n)
{
	double factor;

	for (int t = 0; t < n->slots; t++) {
		int name = name_of(n, t, &factor);

		if (n->closing[name])
			continue;
		n->closing[name] = 1;
		n->bus[t].carried = true;
		n->bus[t].place++;
	}
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];

		/* from the end, so that a block joins one that has its root */
		for (int t = s->slots - 1; t >= 0; t--) {
			int block = s->block[t], name;

			if (n->last[block] != t)
				continue;
			name = name_of(n, block, &factor);
			if (n->closing[name])
				continue;
			n->closing[name] = 1;
			if (t == s->slots - 1)
				s->carried[t] = s->level_kwh[t] >= s->end_at[s->end_pieces]
				                    ? (signed char)s->end_pieces
				                : s->level_kwh[t] <= 0 ? 1
				                                       : 2;
			else
				s->carried[t] = 1;
		}
	}
}

void pair_first_basis(pair_network *n, double *const power_kw[EBR_STORES])
{
	place_arcs(n, power_kw);
	find_blocks(n);
	for (int k = 0; k < n->nodes; k++) {
		n->parent[k] = k;
		n->value[k] = 1;
		n->closing[k] = k < n->slots && n->bus[k].carried;
	}
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];

		if (s->slots > 0 && s->carried[s->slots - 1])
			n->closing[s->block[s->slots - 1]] = 1;
	}
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];

		for (int t = 0; t < s->slots; t++) {
			double power = s->power_kw[t];

			if (power != 0 && power != s->low_kw[t] && power != s->high_kw[t])
				join(n, t, i, power > 0 ? 1 : -1);
		}
	}
	root_the_rest(n);
}
