/*
 * Dynamic programming over convex piecewise-linear functions, see value_curve.h.
 *
 * W(s) is the least cost from the end of a slot on with s stored, c(d) the cost of
 * changing s by d within the slot. The cost J(s) = min over d of c(d) + W(s + d)
 * from the slot's start on is the infimal convolution of W with c mirrored: its
 * pieces are those of both, sorted by slope. So a value function is kept as
 * breakpoints and slopes only, and a slot merges two sorted lists. Slopes are
 * prices times efficiencies, never differences of function values.
 *
 * Where W's slope crosses the negative slope of a piece of c is the level up to
 * which that piece is worth using; these few levels are all that the forward pass
 * needs to know of W.
 */
#include "value_curve.h"
#include "value_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The cost of changing the stored energy in one slot. */
enum { MAX_STEPS = EBR_MAX_KINKS + 2 };
typedef struct steps {
	int count;
	bool convex;
	double at_kwh[MAX_STEPS + 1]; /* rising; the change of stored energy at the pieces' ends */
	double slope[MAX_STEPS];      /* EUR/kWh stored */
	double low[MAX_STEPS], high[MAX_STEPS]; /* levels where staying and going on cost the same */
	int piece[MAX_STEPS];                   /* of the value function, from high on */
} steps;

/* Slopes rise; at[0] = 0, at[pieces] = capacity. */
typedef struct slopes {
	int pieces;
	double *at, *slope;
} slopes;

typedef struct session {
	const ebr_model *model;
	int store;
	const double *other_kw;
	double same_slope, same_level; /* differences that mean nothing */
	steps *steps;
	slopes now, next; /* two buffers, exchanged every slot */
	double *memory;
} session;

static double others(const session *s, int t)
{
	return ebr_net_demand(s->model, t) + (s->other_kw ? s->other_kw[t] : 0);
}

/* The slot's cost as it is, convex or not. */
static void cost_of_change(const session *s, int t, steps *c)
{
	const ebr_model *m = s->model;
	double low = -ebr_discharge_limit(m, s->store, t), high = ebr_charge_limit(m, s->store, t);
	double root = m->store[s->store].root, base = others(s, t), power = low;
	ebr_slot_price price;
	int k = 0;

	ebr_slot_prices(m, t, &price);
	c->count = 0;
	c->convex = true;
	c->at_kwh[0] = ebr_gain_of_power(m, s->store, low);
	while (power < high) {
		double end = power < 0 ? ebr_lesser(0, high) : high;

		while (k < price.kinks && price.at_kw[k] - base <= power)
			k++;
		if (k < price.kinks)
			end = ebr_lesser(end, price.at_kw[k] - base);
		c->slope[c->count] = power < 0 ? price.marginal[k] * root : price.marginal[k] / root;
		if (c->count > 0 && c->slope[c->count] < c->slope[c->count - 1] - s->same_slope)
			c->convex = false;
		c->at_kwh[++c->count] = ebr_gain_of_power(m, s->store, end);
		power = end;
	}
}

/* The greatest convex function below: neighbours in the wrong order are pooled. */
static void take_envelope(steps *c)
{
	int n = 0;

	for (int k = 0; k < c->count; k++) {
		double from = c->at_kwh[k], to = c->at_kwh[k + 1], slope = c->slope[k];

		while (n > 0 && c->slope[n - 1] > slope) {
			n--;
			slope =
			    (c->slope[n] * (from - c->at_kwh[n]) + slope * (to - from)) / (to - c->at_kwh[n]);
			from = c->at_kwh[n];
		}
		c->at_kwh[n] = from;
		c->slope[n++] = slope;
		c->at_kwh[n] = to;
	}
	c->count = n;
}

/* Cost of a change relative to that of the lowest one. */
static double cost_above_lowest(const steps *c, double gain)
{
	double cost = 0;

	for (int k = 0; k < c->count && gain > c->at_kwh[k]; k++)
		cost += c->slope[k] * (ebr_lesser(gain, c->at_kwh[k + 1]) - c->at_kwh[k]);
	return cost;
}

static void append(const session *s, slopes *to, double end, double slope)
{
	double capacity = s->model->store[s->store].capacity_kwh, start = to->at[to->pieces];

	end = ebr_lesser(end, capacity);
	if (end - start <= s->same_level)
		return;
	if (to->pieces > 0 && slope - to->slope[to->pieces - 1] <= s->same_slope) {
		to->at[to->pieces] = end;
		return;
	}
	to->slope[to->pieces++] = slope;
	to->at[to->pieces] = end;
}

static void exchange(session *s)
{
	slopes other = s->now;

	/* what rounding left off belongs to the last piece */
	s->next.at[s->next.pieces] = s->model->store[s->store].capacity_kwh;
	s->now = s->next;
	s->next = other;
	s->next.pieces = 0;
	s->next.at[0] = 0;
}

/* Below what is due, one more kWh at departure also saves the penalty. */
static void require_at_departure(session *s)
{
	double due = s->model->store[s->store].required_kwh;

	for (int k = 0; k < s->now.pieces; k++) {
		double from = s->now.at[k], to = s->now.at[k + 1];

		if (from < due)
			append(s, &s->next, ebr_lesser(to, due), s->now.slope[k] - s->model->departure_penalty);
		if (to > due)
			append(s, &s->next, to, s->now.slope[k]);
	}
	exchange(s);
}

/* First piece whose slope is at least a value. */
static int piece_of(const slopes *w, double value)
{
	int low = 0, high = w->pieces;

	while (low < high) {
		int middle = (low + high) / 2;

		if (w->slope[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void find_levels(session *s, steps *c)
{
	const slopes *w = &s->now;

	for (int k = 0; k < c->count; k++) {
		int piece = piece_of(w, -c->slope[k] - s->same_slope);

		c->low[k] = w->at[piece];
		while (piece < w->pieces && w->slope[piece] < -c->slope[k] + s->same_slope)
			piece++;
		c->high[k] = w->at[piece];
		c->piece[k] = piece;
	}
}

/* Appends pieces of now, moved by a distance and cut to [0, capacity]. */
static void append_moved(session *s, int from, int to, double distance)
{
	double capacity = s->model->store[s->store].capacity_kwh;
	const slopes *w = &s->now;
	slopes *next = &s->next;

	while (from < to && w->at[from + 1] + distance <= s->same_level)
		from++;
	while (to > from && w->at[to - 1] + distance >= capacity - s->same_level)
		to--;
	if (from == to)
		return;
	append(s, next, w->at[from + 1] + distance, w->slope[from]);
	from++;
	for (int k = from, n = next->pieces; k < to; k++, n++) {
		next->at[n + 1] = w->at[k + 1] + distance;
		next->slope[n] = w->slope[k];
	}
	next->pieces += to - from;
	if (next->at[next->pieces] > capacity)
		next->at[next->pieces] = capacity;
}

/* now := now convolved with the slot's cost, cut to [0, capacity]. */
static void convolve(session *s, const steps *c)
{
	int from = 0;

	for (int k = c->count - 1; k >= 0; k--) {
		append_moved(s, from, c->piece[k], -c->at_kwh[k + 1]);
		from = c->piece[k];
		append(s, &s->next, s->now.at[from] - c->at_kwh[k], -c->slope[k]);
	}
	append_moved(s, from, s->now.pieces, -c->at_kwh[0]);
	exchange(s);
}

static outcome_status keep_curve(const session *s, ebr_curve *curve)
{
	size_t pieces = (size_t)s->now.pieces;

	curve->level_kwh = malloc((2 * pieces + 1) * sizeof(double));
	if (!curve->level_kwh)
		return OUTCOME_MEMORY_LIMIT;
	curve->value_eur_per_kwh = curve->level_kwh + pieces + 1;
	curve->segments = s->now.pieces;
	memcpy(curve->level_kwh, s->now.at, (pieces + 1) * sizeof(double));
	for (size_t k = 0; k < pieces; k++)
		curve->value_eur_per_kwh[k] = -s->now.slope[k];
	return OUTCOME_OK;
}

static outcome_status backward(session *s, const ebr_limits *limits, double deadline,
                               ebr_curve *curve)
{
	const ebr_model_store *store = &s->model->store[s->store];

	s->now.pieces = 1;
	s->now.at[0] = s->next.at[0] = 0;
	s->now.at[1] = store->capacity_kwh;
	s->now.slope[0] = -store->terminal_value;
	for (int t = s->model->problem->slots - 1; t >= 0; t--) {
		steps *c = &s->steps[t];

		if (limits->interrupted && limits->interrupted(limits->interrupted_argument))
			return OUTCOME_INTERRUPTED;
		if ((t & 15) == 0 && ebr_clock_seconds() >= deadline)
			return OUTCOME_TIME_LIMIT;
		if (t == store->departure_slot)
			require_at_departure(s);
		if (t == 0 && curve && keep_curve(s, curve) != OUTCOME_OK)
			return OUTCOME_MEMORY_LIMIT;
		cost_of_change(s, t, c);
		if (!c->convex)
			take_envelope(c);
		find_levels(s, c);
		if (c->count > 0)
			convolve(s, c);
	}
	return OUTCOME_OK;
}

/* The change that the plan before had in mind; none where there was no plan. */
static double previous_change(const session *s, int t)
{
	const double *previous_kw = s->model->problem->previous_kw[s->store];

	return previous_kw && !isnan(previous_kw[t])
	           ? ebr_gain_of_power(s->model, s->store, previous_kw[t])
	           : 0;
}

/* Least-cost change from a level; of several the one nearest to that wanted. A piece is entered
 * only when the one before was used up. */
static double best_change(const steps *c, double soc, double wanted)
{
	double least = c->at_kwh[0], most = c->at_kwh[0];

	for (int k = 0; k < c->count && least >= c->at_kwh[k]; k++)
		least = ebr_greater(least, ebr_lesser(c->at_kwh[k + 1], c->low[k] - soc));
	for (int k = 0; k < c->count && most >= c->at_kwh[k]; k++)
		most = ebr_greater(most, ebr_lesser(c->at_kwh[k + 1], c->high[k] - soc));
	return ebr_lesser(ebr_greater(wanted, least), most);
}

static double forward(session *s, double *power_kw)
{
	const ebr_model_store *store = &s->model->store[s->store];
	double soc = store->soc_kwh, excess = 0;

	for (int t = 0; t < s->model->problem->slots; t++) {
		const steps *c = &s->steps[t];
		double change = c->count > 0 ? best_change(c, soc, previous_change(s, t)) : 0;

		if (fabs(change) <= s->same_level)
			change = 0;
		if (power_kw)
			power_kw[t] = ebr_power_of_gain(s->model, s->store, change);
		if (!c->convex) {
			steps real;

			cost_of_change(s, t, &real);
			excess += cost_above_lowest(&real, change) - cost_above_lowest(c, change);
		}
		soc = ebr_lesser(ebr_greater(soc + change, 0), store->capacity_kwh);
	}
	return excess;
}

/* One block: the steps, then both buffers, sized for every piece of every slot. */
static bool allocate(session *s, const ebr_limits *limits)
{
	size_t slots = (size_t)s->model->problem->slots, pieces = slots * MAX_STEPS + 4;
	size_t bytes = slots * sizeof(steps) + 4 * (pieces + 1) * sizeof(double);

	if (limits->memory_mb > 0 && bytes > (size_t)limits->memory_mb << 20)
		return false;
	s->memory = malloc(bytes);
	if (!s->memory)
		return false;
	s->now.at = s->memory;
	s->now.slope = s->now.at + pieces + 1;
	s->next.at = s->now.slope + pieces + 1;
	s->next.slope = s->next.at + pieces + 1;
	s->next.pieces = 0;
	s->steps = (steps *)(s->next.slope + pieces + 1);
	return true;
}

outcome_status ebr_value_curve(const ebr_model *m, int store, const double *other_kw,
                               const ebr_limits *limits, double *power_kw, double *excess_eur,
                               ebr_curve *curve, outcome *out)
{
	double deadline = limits->seconds > 0 ? ebr_clock_seconds() + limits->seconds : INFINITY;
	session s = {.model = m, .store = store, .other_kw = other_kw};
	outcome_status status;

	if (curve)
		memset(curve, 0, sizeof(*curve));
	s.same_slope = 1e-14 * m->contract_penalty;
	s.same_level = 1e-12 * m->store[store].capacity_kwh;
	if (!allocate(&s, limits))
		return outcome_set(out, OUTCOME_MEMORY_LIMIT,
		                   "Allow more memory, fewer slots or longer ones.", NULL,
		                   "planning %d slots ran out of memory", m->problem->slots);
	status = backward(&s, limits, deadline, curve);
	if (status == OUTCOME_OK)
		*excess_eur = forward(&s, power_kw);
	free(s.memory);
	if (status == OUTCOME_OK)
		return OUTCOME_OK;
	if (curve)
		ebr_curve_free(curve);
	if (status == OUTCOME_TIME_LIMIT)
		return outcome_set(out, status, "Allow more time, fewer slots or longer ones.", NULL,
		                   "planning did not end within %g seconds", limits->seconds);
	if (status == OUTCOME_INTERRUPTED)
		return outcome_set(out, status, NULL, NULL, "planning was interrupted");
	return outcome_set(out, status, NULL, NULL, "planning ran out of memory");
}

void ebr_curve_free(ebr_curve *curve)
{
	free(curve->level_kwh);
	memset(curve, 0, sizeof(*curve));
}

/* Where the envelope was not enough; the plan at hand is kept where this does not end in time. */
static outcome_status plan_exactly(const ebr_model *m, int store, const ebr_limits *limits,
                                   ebr_solution *solution, bool *finished, outcome *out)
{
	size_t bytes = (size_t)m->problem->slots * sizeof(double);
	double *power_kw = malloc(bytes), eur;
	outcome_status status;

	if (!power_kw)
		return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "planning ran out of memory");
	status = ebr_value_exact(m, store, NULL, NULL, limits, power_kw, &eur, finished, out);
	if (status == OUTCOME_OK && *finished) {
		memcpy(solution->power_kw[store], power_kw, bytes);
		ebr_account(m, solution);
		solution->bound_eur = solution->objective_eur;
	}
	free(power_kw);
	return status;
}

outcome_status ebr_plan_single(const ebr_model *m, const ebr_limits *limits, ebr_solution *solution,
                               ebr_curve *curve, bool *applicable, outcome *out)
{
	double started = ebr_clock_seconds(), excess = 0;
	int only = m->store[EBR_PEV].active ? EBR_PEV : EBR_ESS;
	outcome_status status = OUTCOME_OK;

	*applicable = false;
	if (curve)
		memset(curve, 0, sizeof(*curve));
	if (m->store[EBR_ESS].active && m->store[EBR_PEV].active)
		return OUTCOME_OK;
	for (int i = 0; i < EBR_STORES; i++)
		memset(solution->power_kw[i], 0, (size_t)m->problem->slots * sizeof(double));
	if (m->store[only].active)
		status =
		    ebr_value_curve(m, only, NULL, limits, solution->power_kw[only], &excess, curve, out);
	if (status != OUTCOME_OK)
		return status;
	ebr_account(m, solution);
	*applicable = excess <= 1e-9 * fmax(1, fabs(solution->objective_eur));
	solution->bound_eur = solution->objective_eur - fmax(excess, 0);
	if (!*applicable)
		status = plan_exactly(m, only, limits, solution, applicable, out);
	if (status != OUTCOME_OK)
		return status;
	solution->quality = *applicable ? EBR_OPTIMAL : EBR_FEASIBLE;
	solution->method = EBR_BY_SINGLE;
	solution->seconds = ebr_clock_seconds() - started;
	solution->branched = false;
	return OUTCOME_OK;
}

outcome_status ebr_solve_single(const ebr_problem *problem, const ebr_limits *limits,
                                ebr_solution *solution, bool *applicable, outcome *out)
{
	outcome_status status = ebr_check(problem, out);
	ebr_model model;

	*applicable = false;
	if (status != OUTCOME_OK)
		return status;
	ebr_model_init(&model, problem, solution);
	return ebr_plan_single(&model, limits, solution, NULL, applicable, out);
}
