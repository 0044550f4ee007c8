/*
 * Dynamic programming and Lagrangian bound of one battery, see sizing_pass.h.
 *
 * Backwards: the cost of the rest of the span is convex and piecewise linear in
 * the stored energy, so it is kept as pieces of falling worth of a kWh. A slot
 * mixes its own pieces into that list, in the order of worth, and cuts off what
 * lies beyond empty and full (an infimal convolution). Where each of its pieces
 * came to lie is all that the forward run has to know.
 *
 * The bound: let a kWh gained in slot t be worth y[t]. Then every slot can be
 * minimised by itself, and so can the stored energy between two slots, which is
 * full where the worth rises and empty where it falls:
 *     cost >= sum_t min_g (cost_t(g, R) - y[t] g) - C sum_t max(y[t] - y[t-1], 0)
 *             + s0 (y[last] - y[first]),
 * which is linear in C and s0 and convex in R. It is equal to the cost where y
 * is the worth along the optimal run: y[t] among the slopes of cost_t at the gain,
 * equal to y[t-1] at a level in between, not above it at empty and not below it
 * at full. The intervals in which such a y exists to the end are found backwards;
 * forwards each y is the point of its interval that is nearest to the one before,
 * which makes the plane as flat in C as there.
 */
#include "sizing_pass.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define SAME     1e-9  /* of the capacity, or of what a slot can gain: levels that are one */
#define SHORTEST 1e-13 /* of the capacity: pieces not worth keeping */

enum { FIRST_ROOM = 512, SLOTS_PER_LOOK = 256 };

/* A slot's pieces, and where in the stored energy at its start each lies; from full charge down. */
typedef struct sizing_step {
	sizing_pieces pieces;
	double from_kwh[SIZING_MAX_PIECES];
} sizing_step;

typedef struct span_of_power {
	double gain, drop; /* kWh that a slot can gain and lose, both >= 0 */
} span_of_power;

static outcome_status short_of_memory(outcome *out)
{
	return outcome_set(out, OUTCOME_MEMORY_LIMIT, "Allow more memory, fewer slots or longer ones.",
	                   NULL, "sizing ran out of memory");
}

/* Room for so many pieces. */
static bool make_room(sizing_pass *p, int pieces)
{
	double **lists[] = {&p->at_kwh, &p->worth, &p->next_at_kwh, &p->next_worth};
	int room = p->room ? p->room : FIRST_ROOM;

	if (pieces < p->room)
		return true;
	while (room <= pieces)
		room *= 2;
	p->bytes += 4 * (size_t)(room - p->room) * sizeof(double);
	if (p->limits->memory_mb > 0 && p->bytes > (size_t)p->limits->memory_mb << 20)
		return false;
	for (int i = 0; i < 4; i++) {
		double *list = realloc(*lists[i], (size_t)room * sizeof(double));

		if (!list)
			return false;
		*lists[i] = list;
	}
	p->room = room;
	return true;
}

outcome_status sizing_pass_open(sizing_pass *p, const sizing_model *m, const ebr_limits *limits,
                                double deadline, outcome *out)
{
	size_t slots = (size_t)m->slots;

	*p = (sizing_pass){.model = m, .limits = limits, .deadline = deadline};
	p->bytes = slots * (sizeof(*p->step) + sizeof(*m->slot) + 4 * sizeof(double));
	if (limits->memory_mb > 0 && p->bytes > (size_t)limits->memory_mb << 20)
		return short_of_memory(out);
	p->step = malloc(slots * sizeof(*p->step));
	p->soc_kwh = malloc((slots + 1) * sizeof(double));
	p->price = malloc(slots * sizeof(double));
	p->low = malloc(slots * sizeof(double));
	p->high = malloc(slots * sizeof(double));
	if (!p->step || !p->soc_kwh || !p->price || !p->low || !p->high || !make_room(p, 0))
		return short_of_memory(out);
	return OUTCOME_OK;
}

void sizing_pass_close(sizing_pass *p)
{
	free(p->step);
	free(p->soc_kwh);
	free(p->price);
	free(p->low);
	free(p->high);
	free(p->at_kwh);
	free(p->worth);
	free(p->next_at_kwh);
	free(p->next_worth);
}

static outcome_status look_at_limits(const sizing_pass *p, outcome *out)
{
	if (p->limits->interrupted && p->limits->interrupted(p->limits->interrupted_argument))
		return outcome_set(out, OUTCOME_INTERRUPTED, NULL, NULL, "sizing was interrupted");
	if (ebr_clock_seconds() >= p->deadline)
		return outcome_set(out, OUTCOME_TIME_LIMIT, "Allow more time, fewer slots or longer ones.",
		                   NULL, "sizing did not end within %g seconds", p->limits->seconds);
	return OUTCOME_OK;
}

static span_of_power reach(const sizing_model *m, double rate)
{
	return (span_of_power){rate * m->hours * m->root, rate * m->hours / m->root};
}

/* ---- backwards ---- */

/* A list that grows from empty to full. */
typedef struct growing {
	double *at, *worth;
	int count;
	double full, shortest;
} growing;

static inline void append(growing *to, double end, double worth)
{
	int n = to->count;

	if (end > to->full)
		end = to->full;
	if (end - to->at[n] <= to->shortest)
		return;
	if (n > 0 && to->worth[n - 1] <= worth)
		n--;
	else
		to->worth[n] = worth;
	to->at[n + 1] = end;
	to->count = n + 1;
}

/* Mixes a slot's pieces into the list of count pieces; returns their new number. */
static int mix(sizing_pass *p, sizing_step *step, int count, double capacity, double gain)
{
	const double *at = p->at_kwh, *worth = p->worth;
	growing to = {p->next_at_kwh, p->next_worth, 0, capacity, capacity * SHORTEST};
	double moved = -gain;
	int j = 0, k = step->pieces.count - 1;

	to.at[0] = 0;
	while (j < count && at[j + 1] + moved <= 0 && (k < 0 || worth[j] > step->pieces.slope[k]))
		j++;
	for (; k >= 0; k--) {
		double slope = step->pieces.slope[k], start;

		while (j < count && worth[j] > slope && to.at[to.count] < capacity) {
			append(&to, at[j + 1] + moved, worth[j]);
			j++;
		}
		start = at[j] + moved;
		step->from_kwh[k] = start;
		moved += step->pieces.length[k];
		append(&to, start + step->pieces.length[k], slope);
		if (start >= capacity)
			break;
	}
	for (; k >= 0; k--)
		step->from_kwh[k] = INFINITY;
	for (; j < count && to.at[to.count] < capacity; j++)
		append(&to, at[j + 1] + moved, worth[j]);
	to.at[to.count] = capacity;
	return to.count;
}

static void swap_lists(sizing_pass *p)
{
	double *at = p->at_kwh, *worth = p->worth;

	p->at_kwh = p->next_at_kwh;
	p->worth = p->next_worth;
	p->next_at_kwh = at;
	p->next_worth = worth;
}

/* At the end there must be as much as at the start. */
static int list_of_end(sizing_pass *p, double capacity, double start)
{
	int n = 0;

	p->at_kwh[0] = 0;
	if (start > 0) {
		p->worth[n] = INFINITY;
		p->at_kwh[++n] = start;
	}
	if (start < capacity) {
		p->worth[n] = -INFINITY;
		p->at_kwh[++n] = capacity;
	}
	return n;
}

static outcome_status run_backwards(sizing_pass *p, const double *x, bool strict, outcome *out)
{
	const sizing_model *m = p->model;
	double capacity = x[SIZING_CAPACITY], gain = reach(m, x[SIZING_POWER]).gain;
	int count = list_of_end(p, capacity, x[SIZING_START]), until_look = SLOTS_PER_LOOK;

	for (int t = m->slots - 1; t >= 0; t--) {
		sizing_step *step = &p->step[t];

		sizing_pieces_of(m, &m->slot[sizing_slot_after(p, t)], x[SIZING_POWER], strict,
		                 &step->pieces);
		if (!make_room(p, count + SIZING_MAX_PIECES + 1))
			return short_of_memory(out);
		count = mix(p, step, count, capacity, gain);
		swap_lists(p);
		until_look -= 1 + count / 64;
		if (until_look < 0) {
			until_look = SLOTS_PER_LOOK;
			if (look_at_limits(p, out) != OUTCOME_OK)
				return out->status;
		}
	}
	return OUTCOME_OK;
}

/* ---- forwards ---- */

/* Follows the steps; returns the cost of operation, EUR. */
static double run_forwards(sizing_pass *p, const double *x)
{
	const sizing_model *m = p->model;
	double soc = x[SIZING_START], capacity = x[SIZING_CAPACITY], total = 0;
	span_of_power power = reach(m, x[SIZING_POWER]);

	p->soc_kwh[0] = soc;
	for (int t = 0; t < m->slots; t++) {
		const sizing_step *step = &p->step[t];
		const sizing_pieces *pieces = &step->pieces;
		double change = 0, cost = pieces->lowest_eur;

		for (int k = 0; k < pieces->count; k++) {
			double length = pieces->length[k];
			/* what lies below the level was not charged */
			double used = length - ebr_lesser(ebr_greater(soc - step->from_kwh[k], 0), length);

			change += used;
			cost += used * pieces->slope[k];
		}
		soc = ebr_lesser(ebr_greater(soc + change - power.drop, 0), capacity);
		p->soc_kwh[t + 1] = soc;
		total += cost;
	}
	return total;
}

/* ---- worth of a kWh along the way ---- */

typedef struct interval {
	double low, high;
} interval;

/* The slopes of a slot's cost on both sides of a gain, counted from the lowest. */
static inline interval slopes_at(const sizing_pieces *pieces, double above_lowest, double same)
{
	interval found = {-INFINITY, INFINITY};
	double start = 0;

	for (int k = 0; k < pieces->count; k++) {
		double end = start + pieces->length[k];

		if (above_lowest > start + same)
			found.low = pieces->slope[k];
		if (above_lowest < end - same) {
			found.high = pieces->slope[k];
			break;
		}
		start = end;
	}
	if (found.low > found.high) /* a piece shorter than the tolerance */
		found = (interval){found.high, found.low};
	return found;
}

static double nearest(double value, interval to)
{
	return value < to.low ? to.low : value > to.high ? to.high : value;
}

/* The prices of each slot with which those to the end can be kept. */
static void find_intervals(sizing_pass *p, const double *x)
{
	const sizing_model *m = p->model;
	double capacity = x[SIZING_CAPACITY], same_level = SAME * capacity;
	span_of_power power = reach(m, x[SIZING_POWER]);
	double range = power.gain + power.drop;
	double rounding = 64 * DBL_EPSILON * ebr_greater(capacity, range);
	double same_gain = ebr_greater(ebr_lesser(SAME * range, same_level), rounding);
	interval later = {-INFINITY, INFINITY};

	for (int t = m->slots - 1; t >= 0; t--) {
		interval here = slopes_at(&p->step[t].pieces,
		                          p->soc_kwh[t + 1] - p->soc_kwh[t] + power.drop, same_gain);

		if (t < m->slots - 1) {
			/* at empty the worth may fall, at full rise */
			if (p->soc_kwh[t + 1] <= same_level)
				later.high = INFINITY;
			if (p->soc_kwh[t + 1] >= capacity - same_level)
				later.low = -INFINITY;
			if (later.high < here.low || later.low > here.high) {
				double kept = later.high < here.low ? here.low : here.high;

				here.low = here.high = kept;
			} else {
				here.low = ebr_greater(here.low, later.low);
				here.high = ebr_lesser(here.high, later.high);
			}
		}
		p->low[t] = here.low;
		p->high[t] = here.high;
		later = here;
	}
}

/* A finite number in an interval, 0 if possible. */
static double some_point(interval in)
{
	return nearest(0, in);
}

static void choose_prices(sizing_pass *p)
{
	const int last = p->model->slots - 1;
	interval first = {p->low[0], p->high[0]};
	double price = nearest(some_point((interval){p->low[last], p->high[last]}), first);

	for (int t = 0; t <= last; t++) {
		price = nearest(price, (interval){p->low[t], p->high[t]});
		p->price[t] = price;
	}
}

/* ---- the plane ---- */

/* Adds what a slot costs at least where stored energy has a price, and how that changes with the
 * rate. */
static void add_slot(const sizing_model *m, const sizing_pieces *pieces, double price, double rate,
                     double *constant, double *rate_slope)
{
	double drop = rate * m->hours / m->root, least = pieces->lowest_eur + price * drop;
	/* EUR by kW of charging and discharging power */
	double charge = m->root, discharge = 1 / m->root, slope = 0;

	for (int k = 0; k < pieces->count && pieces->slope[k] < price; k++)
		least += pieces->length[k] * (pieces->slope[k] - price);
	if (price < 0) {
		charge = 1 / m->root;
		discharge = m->root;
		slope = price * (1 / m->root - m->root);
	}
	slope += ebr_lesser(pieces->marginal_high - price * charge, 0);
	slope += ebr_lesser(price * discharge - pieces->marginal_low, 0);
	*rate_slope += m->hours * slope;
	*constant += least;
}

static void make_plane(const sizing_pass *p, const double *x, sizing_plane *plane)
{
	const sizing_model *m = p->model;
	double constant = 0, rate_slope = 0, rises = 0;

	for (int t = 0; t < m->slots; t++) {
		add_slot(m, &p->step[t].pieces, p->price[t], x[SIZING_POWER], &constant, &rate_slope);
		if (t > 0)
			rises += ebr_greater(p->price[t] - p->price[t - 1], 0);
	}
	plane->slope[SIZING_CAPACITY] = m->capacity_cost - rises;
	plane->slope[SIZING_POWER] = m->power_cost + rate_slope;
	plane->slope[SIZING_START] = p->price[m->slots - 1] - p->price[0];
	plane->constant = constant - rate_slope * x[SIZING_POWER];
}

outcome_status sizing_pass_run(sizing_pass *p, const double x[SIZING_VARIABLES], double *cost_eur,
                               sizing_plane *plane, outcome *out)
{
	const sizing_model *m = p->model;

	if (run_backwards(p, x, false, out) != OUTCOME_OK)
		return out->status;
	*cost_eur = run_forwards(p, x) + m->capacity_cost * x[SIZING_CAPACITY] +
	            m->power_cost * x[SIZING_POWER];
	find_intervals(p, x);
	choose_prices(p);
	make_plane(p, x, plane);
	return OUTCOME_OK;
}

double sizing_strict_cost(const sizing_pass *p, const double *soc)
{
	const sizing_model *m = p->model;
	double total = 0;

	for (int t = 0; t < m->slots; t++)
		total += m->hours * sizing_cost_at(&m->slot[sizing_slot_after(p, t)],
		                                   sizing_power_of_gain(m, soc[t + 1] - soc[t]));
	return total;
}

outcome_status sizing_pass_run_strictly(sizing_pass *p, const double x[SIZING_VARIABLES],
                                        double *operation_eur, outcome *out)
{
	if (run_backwards(p, x, true, out) != OUTCOME_OK)
		return out->status;
	run_forwards(p, x);
	*operation_eur = sizing_strict_cost(p, p->soc_kwh);
	return OUTCOME_OK;
}

bool sizing_pass_rotate(sizing_pass *p)
{
	const sizing_model *m = p->model;
	double most = 0;
	int best = 0;

	for (int t = 0; t < m->slots; t++) {
		double before = p->price[t > 0 ? t - 1 : m->slots - 1];

		if (p->soc_kwh[t] == 0 && before - p->price[t] > most) {
			most = before - p->price[t];
			best = t;
		}
	}
	p->rotation = sizing_slot_after(p, best);
	return best > 0;
}
