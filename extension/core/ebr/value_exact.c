/*
 * Dynamic programming over continuous piecewise-linear functions, see
 * value_exact.h. As in value_curve.c the cost from a slot's start on is the infimal
 * convolution of the cost from its end on with the slot's own, mirrored. Neither
 * needs to be convex here: both are split into their convex runs, of which there are
 * few, the runs are convolved pair by pair by merging their slopes, and the lower
 * envelope of the results is taken.
 */
#include "value_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 20000, MOST_CHANGES = EBR_MAX_KINKS + 3 };
#define MOST_KEPT 8000000 /* points of all slots */

/* A function through points; between two of them it is linear. */
typedef struct polyline {
	int points;
	double *at_kwh, *eur;
} polyline;

typedef struct session {
	const ebr_model *model;
	int store;
	const double *other_kw, *worth;
	double capacity_kwh, same_eur, same_kwh;
	polyline now, sum, part, spare; /* room for MOST_POINTS each */
	double *kept;                   /* the function at every slot's end, points after points */
	size_t kept_points, kept_room;
	size_t *kept_from;
	bool too_many;
} session;

static void add_point(session *s, polyline *to, double at, double eur)
{
	int n = to->points;

	if (n > 0 && at - to->at_kwh[n - 1] <= s->same_kwh)
		return;
	if (n > 1) {
		double share = (to->at_kwh[n - 1] - to->at_kwh[n - 2]) / (at - to->at_kwh[n - 2]);
		double straight = to->eur[n - 2] + share * (eur - to->eur[n - 2]);

		if (fabs(straight - to->eur[n - 1]) <= s->same_eur)
			n--;
	}
	if (n >= MOST_POINTS) {
		s->too_many = true;
		return;
	}
	to->at_kwh[n] = at;
	to->eur[n] = eur;
	to->points = n + 1;
}

static double slope(const polyline *p, int k)
{
	return (p->eur[k + 1] - p->eur[k]) / (p->at_kwh[k + 1] - p->at_kwh[k]);
}

static double value_at(const polyline *p, double at)
{
	int low = 0, high = p->points - 1;

	if (at <= p->at_kwh[0])
		return p->eur[0];
	if (at >= p->at_kwh[high])
		return p->eur[high];
	while (high - low > 1) {
		int middle = (low + high) / 2;

		if (p->at_kwh[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	return p->eur[low] + (at - p->at_kwh[low]) * slope(p, low);
}

/* The slot's cost over the change of stored energy. */
static void cost_of_change(const session *s, int t, polyline *cost)
{
	const ebr_model *m = s->model;
	double low = -ebr_discharge_limit(m, s->store, t), high = ebr_charge_limit(m, s->store, t);
	double base = ebr_net_demand(m, t) + (s->other_kw ? s->other_kw[t] : 0), power = low;
	ebr_slot_price price;
	int k = 0;

	ebr_slot_prices(m, t, &price);
	cost->points = 0;
	for (;;) {
		double end = power < 0 ? ebr_lesser(0, high) : high;

		cost->at_kwh[cost->points] = ebr_gain_of_power(m, s->store, power);
		cost->eur[cost->points++] =
		    s->worth ? s->worth[t] * power : ebr_slot_cost(m, t, base + power);
		if (power >= high)
			return;
		while (k < price.kinks && price.at_kw[k] - base <= power)
			k++;
		if (k < price.kinks)
			end = ebr_lesser(end, price.at_kw[k] - base);
		power = end;
	}
}

/* Last point of the convex run that starts at a point. */
static int end_of_run(const polyline *p, int from)
{
	int k = from + 1;

	while (k + 1 < p->points && slope(p, k) >= slope(p, k - 1))
		k++;
	return k;
}

/* Appends a point of a function that is wanted on [0, capacity] only. */
static void add_inside(session *s, double from, double from_eur, double to, double to_eur)
{
	double rate = (to_eur - from_eur) / (to - from);

	if (to <= 0 || from >= s->capacity_kwh)
		return;
	if (s->part.points == 0)
		add_point(s, &s->part, fmax(from, 0), from_eur + (fmax(from, 0) - from) * rate);
	add_point(s, &s->part, fmin(to, s->capacity_kwh),
	          from_eur + (fmin(to, s->capacity_kwh) - from) * rate);
}

/* part := a run of now convolved with a run of the cost of change, mirrored. */
static void convolve_runs(session *s, int w, int w_end, const polyline *c, int c_from, int k)
{
	double at = s->now.at_kwh[w] - c->at_kwh[k], eur = s->now.eur[w] + c->eur[k];

	s->part.points = 0;
	while ((w < w_end || k > c_from) && at < s->capacity_kwh) {
		bool of_now = k <= c_from || (w < w_end && slope(&s->now, w) <= -slope(c, k - 1));
		double width =
		    of_now ? s->now.at_kwh[w + 1] - s->now.at_kwh[w] : c->at_kwh[k] - c->at_kwh[k - 1];
		double rise = of_now ? s->now.eur[w + 1] - s->now.eur[w] : c->eur[k - 1] - c->eur[k];

		add_inside(s, at, eur, at + width, eur + rise);
		at += width;
		eur += rise;
		if (of_now)
			w++;
		else
			k--;
	}
}

static void exchange(polyline *a, polyline *b)
{
	polyline kept = *a;

	*a = *b;
	*b = kept;
}

static bool covers(const polyline *p, double from, double to)
{
	return p->points > 1 && p->at_kwh[0] <= from && p->at_kwh[p->points - 1] >= to;
}

/* The next point of a function after a place, INFINITY if there is none. */
static double next_point(const polyline *p, int *k, double after)
{
	while (*k < p->points && p->at_kwh[*k] <= after)
		++*k;
	return *k < p->points ? p->at_kwh[*k] : INFINITY;
}

static double on_piece(const polyline *p, int k, double at)
{
	return k == 0 ? p->eur[0] : p->eur[k - 1] + (at - p->at_kwh[k - 1]) * slope(p, k - 1);
}

/* sum := the lower of sum and part, each taken as infinite where it is not defined. */
static void take_lower(session *s)
{
	const polyline *a = &s->sum, *b = &s->part;
	double at = fmin(a->at_kwh[0], b->at_kwh[0]), to;
	int i = 0, j = 0;

	s->spare.points = 0;
	for (;; at = to) {
		double next_a = next_point(a, &i, at), next_b = next_point(b, &j, at), over, over_to;
		bool has_a, has_b;

		to = fmin(next_a, next_b);
		if (isinf(to))
			break;
		has_a = covers(a, at, to);
		has_b = covers(b, at, to);
		if (!has_a || !has_b) {
			const polyline *only = has_a ? a : b;
			int k = has_a ? i : j;

			add_point(s, &s->spare, at, on_piece(only, k, at));
			add_point(s, &s->spare, to, on_piece(only, k, to));
			continue;
		}
		over = on_piece(a, i, at) - on_piece(b, j, at);
		over_to = on_piece(a, i, to) - on_piece(b, j, to);
		add_point(s, &s->spare, at, fmin(on_piece(a, i, at), on_piece(b, j, at)));
		if ((over < 0) != (over_to < 0) && over != over_to) {
			double cross = at + (to - at) * over / (over - over_to);

			add_point(s, &s->spare, cross, on_piece(a, i, cross));
		}
		add_point(s, &s->spare, to, fmin(on_piece(a, i, to), on_piece(b, j, to)));
	}
	exchange(&s->sum, &s->spare);
}

/* now := the least cost from the slot's start on. */
static void convolve(session *s, const polyline *c)
{
	s->sum.points = 0;
	for (int k = 0, k_end; k + 1 < c->points; k = k_end) {
		k_end = end_of_run(c, k);
		for (int w = 0, w_end; w + 1 < s->now.points && !s->too_many; w = w_end) {
			w_end = end_of_run(&s->now, w);
			convolve_runs(s, w, w_end, c, k, k_end);
			if (s->part.points < 2)
				continue;
			if (s->sum.points == 0)
				exchange(&s->sum, &s->part);
			else
				take_lower(s);
		}
	}
	exchange(&s->now, &s->sum);
	s->now.at_kwh[0] = 0;
	s->now.at_kwh[s->now.points - 1] = s->capacity_kwh;
}

/* Below what is due, what is missing costs the penalty. */
static void require_at_departure(session *s)
{
	double due = s->model->store[s->store].required_kwh, rate = s->model->departure_penalty;

	s->sum.points = 0;
	for (int k = 0; k < s->now.points; k++) {
		double at = s->now.at_kwh[k];

		if (k > 0 && s->now.at_kwh[k - 1] < due && due < at)
			add_point(s, &s->sum, due, value_at(&s->now, due));
		add_point(s, &s->sum, at, s->now.eur[k] + rate * fmax(due - at, 0));
	}
	exchange(&s->now, &s->sum);
}

static bool keep(session *s, int t)
{
	size_t points = (size_t)s->now.points, wanted = s->kept_points + points;

	if (wanted > MOST_KEPT) {
		s->too_many = true;
		return true;
	}
	if (wanted > s->kept_room) {
		size_t room = 2 * wanted + 1000;
		double *larger = realloc(s->kept, 2 * room * sizeof(double));

		if (!larger)
			return false;
		s->kept = larger;
		s->kept_room = room;
	}
	s->kept_from[t] = s->kept_points;
	memcpy(s->kept + 2 * s->kept_points, s->now.at_kwh, points * sizeof(double));
	memcpy(s->kept + 2 * s->kept_points + points, s->now.eur, points * sizeof(double));
	s->kept_points = wanted;
	return true;
}

static polyline kept_function(const session *s, int t)
{
	size_t from = s->kept_from[t], end = t > 0 ? s->kept_from[t - 1] : s->kept_points;

	return (polyline){(int)(end - from), s->kept + 2 * from, s->kept + from + end};
}

static outcome_status backward(session *s, const ebr_limits *limits, double deadline)
{
	const ebr_model_store *store = &s->model->store[s->store];
	double at_kwh[MOST_CHANGES], eur[MOST_CHANGES];
	polyline cost = {0, at_kwh, eur};

	s->now.points = 2;
	s->now.at_kwh[0] = s->now.eur[0] = 0;
	s->now.at_kwh[1] = s->capacity_kwh;
	s->now.eur[1] = -store->terminal_value * s->capacity_kwh;
	for (int t = s->model->problem->slots - 1; t >= 0 && !s->too_many; t--) {
		if (limits->interrupted && limits->interrupted(limits->interrupted_argument))
			return OUTCOME_INTERRUPTED;
		if (ebr_clock_seconds() >= deadline)
			return OUTCOME_TIME_LIMIT;
		if (t == store->departure_slot)
			require_at_departure(s);
		if (!keep(s, t))
			return OUTCOME_MEMORY_LIMIT;
		cost_of_change(s, t, &cost);
		if (cost.points > 1)
			convolve(s, &cost);
	}
	return OUTCOME_OK;
}

/* Takes a change if it is cheaper than the best so far, or as cheap and nearer to none. */
static void consider(const session *s, const polyline *after, const polyline *cost, double soc,
                     double change, double *best, double *best_eur)
{
	double eur = value_at(cost, change) + value_at(after, soc + change);

	if (eur > *best_eur + s->same_eur ||
	    (eur > *best_eur - s->same_eur && fabs(change) >= fabs(*best)))
		return;
	*best = change;
	*best_eur = fmin(eur, *best_eur);
}

static void forward(const session *s, double *power_kw)
{
	double soc = s->model->store[s->store].soc_kwh, at_kwh[MOST_CHANGES], eur[MOST_CHANGES];
	polyline cost = {0, at_kwh, eur};

	for (int t = 0; t < s->model->problem->slots; t++) {
		polyline after = kept_function(s, t);
		double best = 0, best_eur, low, high;

		cost_of_change(s, t, &cost);
		best_eur = value_at(&cost, 0) + value_at(&after, soc);
		low = fmax(at_kwh[0], -soc);
		high = fmin(at_kwh[cost.points - 1], s->capacity_kwh - soc);
		for (int k = 0; k < cost.points; k++)
			consider(s, &after, &cost, soc, fmin(fmax(at_kwh[k], low), high), &best, &best_eur);
		for (int k = 0; k < after.points; k++)
			if (after.at_kwh[k] - soc > low && after.at_kwh[k] - soc < high)
				consider(s, &after, &cost, soc, after.at_kwh[k] - soc, &best, &best_eur);
		power_kw[t] = ebr_power_of_gain(s->model, s->store, best);
		soc = fmin(fmax(soc + best, 0), s->capacity_kwh);
	}
}

static outcome_status plan(session *s, const ebr_limits *limits, double *power_kw, double *eur,
                           bool *finished)
{
	double deadline = limits->seconds > 0 ? ebr_clock_seconds() + limits->seconds : INFINITY;
	polyline *buffers[] = {&s->now, &s->sum, &s->part, &s->spare};
	double *memory = malloc(4 * 2 * (size_t)MOST_POINTS * sizeof(double));
	outcome_status status = OUTCOME_MEMORY_LIMIT;

	s->kept_from = malloc((size_t)s->model->problem->slots * sizeof(*s->kept_from));
	for (int k = 0; memory && k < 4; k++)
		*buffers[k] =
		    (polyline){0, memory + 2 * k * MOST_POINTS, memory + (2 * k + 1) * MOST_POINTS};
	if (memory && s->kept_from)
		status = backward(s, limits, deadline);
	*finished = status == OUTCOME_OK && !s->too_many;
	if (*finished)
		*eur = value_at(&s->now, s->model->store[s->store].soc_kwh);
	if (*finished && power_kw)
		forward(s, power_kw);
	free(memory);
	free(s->kept_from);
	free(s->kept);
	return status == OUTCOME_TIME_LIMIT ? OUTCOME_OK : status;
}

outcome_status ebr_value_exact(const ebr_model *m, int store, const double *other_kw,
                               const double *worth, const ebr_limits *limits, double *power_kw,
                               double *eur, bool *finished, outcome *out)
{
	session s = {.model = m, .store = store, .other_kw = other_kw, .worth = worth};
	outcome_status status;

	s.capacity_kwh = m->store[store].capacity_kwh;
	s.same_kwh = 1e-12 * s.capacity_kwh;
	s.same_eur = 1e-13 * m->contract_penalty * s.capacity_kwh;
	status = plan(&s, limits, power_kw, eur, finished);
	if (status == OUTCOME_INTERRUPTED)
		return outcome_set(out, status, NULL, NULL, "planning was interrupted");
	if (status != OUTCOME_OK)
		return outcome_set(out, status, NULL, NULL, "planning ran out of memory");
	return OUTCOME_OK;
}
