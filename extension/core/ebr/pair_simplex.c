/*
 * The primal simplex method on the network of pair_network.h: the arc that saves
 * most enters the basis, and the first one to meet a breakpoint leaves it.
 *
 * Efficiency makes the power of a store an arc with a kink at 0, which is convex
 * where what is stored is worth something and not where it is a burden. There the
 * method ends at a local optimum; pair_network_bound() does not depend on it.
 */
#include "pair_network.h"

#include <math.h>
#include <string.h>

#define SNAP 1e-10 /* kW, kWh: no change at all, and no difference between two steps */

typedef enum arc_kind { NONE, GRID, POWER, LEVEL } arc_kind;

typedef struct choice {
	arc_kind kind;
	int i, t;
	int direction;
	double rate; /* EUR saved per hour-scaled unit */
} choice;

static void consider(choice *best, double rate, arc_kind kind, int i, int t, int direction)
{
	if (rate > best->rate)
		*best = (choice){kind, i, t, direction, rate};
}

static void price_levels(const pair_store *s, int i, double per_kwh, choice *best)
{
	int end = s->slots - 1;

	for (int t = 0; t < end; t++) {
		double more;

		if (s->carried[t])
			continue;
		more = (s->worth[t + 1] - s->worth[t]) * per_kwh;
		if (s->level_kwh[t] <= 0)
			consider(best, more, LEVEL, i, t, 1);
		else
			consider(best, -more, LEVEL, i, t, -1);
	}
	if (end < 0 || s->carried[end])
		return;
	for (int k = 0; k < s->end_pieces; k++) {
		if (s->level_kwh[end] == s->end_at[k])
			consider(best, (-s->end_slope[k] - s->worth[end]) * per_kwh, LEVEL, i, end, 1);
		if (s->level_kwh[end] == s->end_at[k + 1])
			consider(best, (s->worth[end] + s->end_slope[k]) * per_kwh, LEVEL, i, end, -1);
	}
}

static void price_powers(const pair_network *n, const pair_store *s, int i, choice *best)
{
	for (int t = 0; t < s->slots; t++) {
		double power = s->power_kw[t], bus = n->bus[t].worth, worth = s->worth[t];

		if (s->use[t])
			continue;
		if (power < s->high_kw[t])
			consider(best, worth * pair_gain(s, power < 0 ? -1 : 1) - bus, POWER, i, t, 1);
		if (power > s->low_kw[t])
			consider(best, bus - worth * pair_gain(s, power > 0 ? 1 : -1), POWER, i, t, -1);
	}
}

static bool price(const pair_network *n, choice *best)
{
	best->kind = NONE;
	best->rate = n->same_worth;
	for (int t = 0; t < n->slots; t++) {
		const pair_bus *b = &n->bus[t];

		if (b->carried)
			continue;
		consider(best, b->worth - b->slope[b->place + 1], GRID, 0, t, 1);
		consider(best, b->slope[b->place] - b->worth, GRID, 0, t, -1);
	}
	for (int i = 0; i < EBR_STORES; i++) {
		price_levels(&n->store[i], i, n->model->problem->slot_hours, best);
		price_powers(n, &n->store[i], i, best);
	}
	return best->kind != NONE;
}

/* A power between breakpoints that is not in the basis: moved until it is at one, or in it. */
static bool find_stray(const pair_network *n, choice *best)
{
	for (int i = 0; i < EBR_STORES; i++) {
		const pair_store *s = &n->store[i];

		for (int t = 0; t < s->slots; t++) {
			double power = s->power_kw[t], saved;

			if (s->use[t] || power == 0 || power == s->low_kw[t] || power == s->high_kw[t])
				continue;
			saved = s->worth[t] * pair_gain(s, power < 0 ? -1 : 1) - n->bus[t].worth;
			*best = (choice){POWER, i, t,
			                 saved > n->same_worth    ? 1
			                 : saved < -n->same_worth ? -1
			                 : power < 0              ? 1
			                                          : -1,
			                 fabs(saved)};
			return true;
		}
	}
	return false;
}

typedef struct limit {
	double length; /* of the step so far */
	double pivot;
	choice arc; /* that ends it; direction: the way it was going */
} limit;

static void limit_by(limit *l, double room, double step, arc_kind kind, int i, int t)
{
	double length = ebr_greater(room, 0) / fabs(step);

	if (length > l->length + SNAP || (length > l->length - SNAP && fabs(step) <= l->pivot))
		return;
	l->length = ebr_lesser(length, l->length);
	l->pivot = fabs(step);
	l->arc = (choice){kind, i, t, step > 0 ? 1 : -1, 0};
}

/* Where the arc that enters meets its next breakpoint. */
static double room_of(const pair_network *n, const choice *c)
{
	const pair_bus *b = &n->bus[c->t];
	const pair_store *s = &n->store[c->i];

	if (c->kind == GRID) {
		int kink = b->place + c->direction;

		return kink < 0 || kink >= b->pieces - 1 ? INFINITY : fabs(b->at_kw[kink] - b->grid_kw);
	}
	if (c->kind == POWER) {
		double power = s->power_kw[c->t];

		if (c->direction > 0)
			return (power < 0 ? 0 : s->high_kw[c->t]) - power;
		return power - (power > 0 ? 0 : s->low_kw[c->t]);
	}
	if (c->t < s->slots - 1)
		return s->capacity_kwh;
	for (int k = 0; k < s->end_pieces; k++)
		if (s->level_kwh[c->t] == s->end_at[c->direction > 0 ? k : k + 1])
			return s->end_at[k + 1] - s->end_at[k];
	return 0;
}

static void start_direction(pair_network *n, const choice *c)
{
	pair_store *s = &n->store[c->i];
	double d = c->direction;

	if (c->kind == GRID) {
		n->bus[c->t].step = d;
		pair_absorb(n, c->t, d);
	} else if (c->kind == POWER) {
		double power = s->power_kw[c->t],
		       g = pair_gain(s, power != 0 ? (power > 0 ? 1 : -1) : c->direction);

		pair_change_power(n, pair_arc(c->t, c->i), d);
		pair_absorb(n, c->t, -d);
		pair_absorb(n, s->block[c->t], d * g);
	} else {
		pair_absorb(n, s->block[c->t], -d);
		if (c->t + 1 < s->slots)
			pair_absorb(n, s->block[c->t + 1], d);
	}
}

/* The levels follow from the powers. */
static void find_level_steps(pair_network *n, const choice *c, int *low, int *high)
{
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];
		double sum = 0;

		for (int t = low[i]; t <= high[i] && t < s->slots; t++) {
			double step = s->power_step[t];

			if (step != 0) {
				int use = s->use[t];

				if (!use)
					use = s->power_kw[t] != 0 ? (s->power_kw[t] > 0 ? 1 : -1) : c->direction;
				sum += step * pair_gain(s, use);
			}
			s->level_step[t] = sum;
		}
	}
}

/* Slots whose levels a step changes: from the first power touched to the last, and on to the end if
 * the end is where it is rooted. */
static void find_reach(const pair_network *n, const choice *c, int *low, int *high)
{
	for (int i = 0; i < EBR_STORES; i++) {
		low[i] = n->slots;
		high[i] = -1;
	}
	for (int k = 0; k < n->touches; k++) {
		int i = n->touched[k] & 1, t = n->touched[k] >> 1;

		low[i] = t < low[i] ? t : low[i];
		high[i] = t > high[i] ? t : high[i];
	}
	for (int i = 0; i < EBR_STORES; i++) {
		int end = n->store[i].slots - 1;

		if (high[i] >= 0 && n->store[i].carried[end] &&
		    n->store[i].block[high[i]] == n->store[i].block[end])
			high[i] = end;
	}
	if (c->kind == LEVEL) {
		low[c->i] = c->t < low[c->i] ? c->t : low[c->i];
		high[c->i] = c->t > high[c->i] ? c->t : high[c->i];
		if (n->store[c->i].carried[n->store[c->i].slots - 1])
			high[c->i] = n->store[c->i].slots - 1;
	}
}

static void limit_by_levels(const pair_store *s, int i, int low, int high, limit *l)
{
	int end = s->slots - 1;

	for (int t = low; t <= high && t < end; t++) {
		double step = s->level_step[t];

		if (fabs(step) <= SNAP || !s->carried[t])
			continue;
		limit_by(l, step > 0 ? s->capacity_kwh - s->level_kwh[t] : s->level_kwh[t], step, LEVEL, i,
		         t);
	}
	if (high == end && s->carried[end] && fabs(s->level_step[end]) > SNAP) {
		double step = s->level_step[end];
		int piece = s->carried[end] - 1;

		limit_by(l,
		         step > 0 ? s->end_at[piece + 1] - s->level_kwh[end]
		                  : s->level_kwh[end] - s->end_at[piece],
		         step, LEVEL, i, end);
	}
}

static void limit_by_bus(const pair_bus *b, int t, limit *l)
{
	int kink = b->step > 0 ? b->place : b->place - 1;

	if (!b->carried || fabs(b->step) <= SNAP || kink < 0 || kink >= b->pieces - 1)
		return;
	limit_by(l, fabs(b->at_kw[kink] - b->grid_kw), b->step, GRID, 0, t);
}

static void limit_by_power(const pair_store *s, int i, int t, limit *l)
{
	double step = s->power_step[t], power = s->power_kw[t];

	if (!s->use[t] || fabs(step) <= SNAP)
		return;
	if (s->use[t] > 0)
		limit_by(l, step > 0 ? s->high_kw[t] - power : power, step, POWER, i, t);
	else
		limit_by(l, step > 0 ? -power : power - s->low_kw[t], step, POWER, i, t);
}

static void move(pair_network *n, double length, const int *low, const int *high)
{
	for (int k = 0; k < n->touches; k++) {
		int t = n->touched[k] >> 1;
		pair_store *s = &n->store[n->touched[k] & 1];

		s->power_kw[t] = ebr_lesser(
		    ebr_greater(s->power_kw[t] + length * s->power_step[t], s->low_kw[t]), s->high_kw[t]);
		s->power_step[t] = 0;
		if (n->bus[t].carried)
			n->bus[t].grid_kw += length * n->bus[t].step;
		n->bus[t].step = 0;
	}
	for (int i = 0; i < EBR_STORES; i++) {
		pair_store *s = &n->store[i];

		for (int t = low[i]; t <= high[i] && t < s->slots; t++)
			if (s->carried[t])
				s->level_kwh[t] = ebr_lesser(
				    ebr_greater(s->level_kwh[t] + length * s->level_step[t], 0), s->capacity_kwh);
	}
}

static void leave_basis(pair_network *n, const choice *c)
{
	pair_bus *b = &n->bus[c->t];
	pair_store *s = &n->store[c->i];

	if (c->kind == GRID) {
		b->carried = false;
		b->place = c->direction > 0 ? b->place : b->place - 1;
		b->grid_kw = b->at_kw[b->place];
	} else if (c->kind == POWER) {
		double *power = &s->power_kw[c->t];

		if (s->use[c->t] > 0)
			*power = c->direction > 0 ? s->high_kw[c->t] : 0;
		else
			*power = c->direction > 0 ? 0 : s->low_kw[c->t];
		s->use[c->t] = PAIR_RESTS;
	} else if (c->t < s->slots - 1) {
		s->level_kwh[c->t] = c->direction > 0 ? s->capacity_kwh : 0;
		s->carried[c->t] = 0;
	} else {
		s->level_kwh[c->t] = s->end_at[s->carried[c->t] - (c->direction > 0 ? 0 : 1)];
		s->carried[c->t] = 0;
	}
}

/* use and piece of an arc that enters, found before it moves. */
static int piece_of(const pair_network *n, const choice *c)
{
	const pair_store *s = &n->store[c->i];

	if (c->kind == GRID)
		return n->bus[c->t].place + (c->direction > 0 ? 1 : 0);
	if (c->kind == POWER) {
		double power = s->power_kw[c->t];

		return power > 0 ? 1 : power < 0 ? -1 : c->direction;
	}
	if (c->t < s->slots - 1)
		return 1;
	for (int k = 0; k < s->end_pieces; k++)
		if (s->level_kwh[c->t] == s->end_at[c->direction > 0 ? k : k + 1])
			return k + 1;
	return 1;
}

static void enter_basis(pair_network *n, const choice *c, int piece)
{
	if (c->kind == GRID) {
		n->bus[c->t].carried = true;
		n->bus[c->t].place = piece;
	} else if (c->kind == POWER) {
		n->store[c->i].use[c->t] = (signed char)piece;
	} else {
		n->store[c->i].carried[c->t] = (signed char)piece;
	}
}

/* One step along an arc; false where it has no end. */
static bool pivot(pair_network *n, const choice *c)
{
	limit l = {.length = room_of(n, c), .pivot = INFINITY};
	int low[EBR_STORES], high[EBR_STORES], piece = piece_of(n, c);

	n->touches = 0;
	start_direction(n, c);
	find_reach(n, c, low, high);
	find_level_steps(n, c, low, high);
	for (int k = 0; k < n->touches; k++) {
		int t = n->touched[k] >> 1, i = n->touched[k] & 1;

		limit_by_power(&n->store[i], i, t, &l);
		if (i == 0 || t >= n->store[0].slots || n->store[0].power_step[t] == 0)
			limit_by_bus(&n->bus[t], t, &l);
	}
	if (c->kind == GRID)
		limit_by_bus(&n->bus[c->t], c->t, &l);
	for (int i = 0; i < EBR_STORES; i++)
		limit_by_levels(&n->store[i], i, low[i], high[i], &l);
	if (isinf(l.length))
		return false;
	enter_basis(n, c, piece);
	move(n, l.length, low, high);
	leave_basis(n, l.arc.kind == NONE ? c : &l.arc);
	return true;
}

static outcome_status watch(const ebr_limits *limits, double deadline)
{
	if (limits->interrupted && limits->interrupted(limits->interrupted_argument))
		return OUTCOME_INTERRUPTED;
	return ebr_clock_seconds() >= deadline ? OUTCOME_TIME_LIMIT : OUTCOME_OK;
}

outcome_status pair_network_solve(pair_network *n, double *const power_kw[EBR_STORES],
                                  const ebr_limits *limits, double deadline)
{
	long most = 1000 + 40L * n->slots;
	outcome_status status = OUTCOME_OK;
	choice c;

	pair_first_basis(n, power_kw);
	for (long k = 0; k < most && pair_grow(n); k++) {
		if ((k & 15) == 0)
			status = watch(limits, deadline);
		if (status != OUTCOME_OK || (!find_stray(n, &c) && !price(n, &c)) || !pivot(n, &c))
			break;
	}
	for (int i = 0; i < EBR_STORES; i++)
		memcpy(power_kw[i], n->store[i].power_kw, (size_t)n->store[i].slots * sizeof(double));
	return status;
}
