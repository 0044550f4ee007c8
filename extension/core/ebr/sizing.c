/*
 * The cutting-plane method of sizing.h. The true box gives the proved bound, a
 * smaller one around the best battery the next place to look at: planes say
 * little far from where they touch. A long span begins with a sample of its
 * days, which finds the neighbourhood in a fraction of the time, and the level
 * at the cut of the cycle is 0 wherever that is moved to a slot at which the
 * battery is used up.
 */
#include "sizing_master.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this nothing is a battery: who gets there has no finite best one. */
#define FARTHEST 1e6
/* Of the mean power: a battery too small to matter; kWh a kW and kW a kWh: capacity and power that
 * hardly meet. Passes run with no less. */
#define SMALLEST    1e-6
#define HARDLY_MEET 1e-8
/* kW a kWh: slower batteries cost passes much time, and are the best only once nothing else is. */
#define SLOWEST 0.02

#define TOLERANCE        5e-7
#define SAMPLE_TOLERANCE 1e-4

enum { PATIENCE = 20 }; /* passes */
enum { SAMPLE_DAYS = 2, SAMPLE_ONE_IN = 8, SAMPLE_FROM_SLOTS = 3000 };

typedef struct search {
	const sizing_model *model;
	sizing_pass pass;
	sizing_master master;
	sizing_box box;     /* all that may be asked for */
	double smallest[2]; /* that passes run with */
	double step[2];     /* half the size of the box to look in */
	bool reaching[2];   /* the last look was at its border */
	double x[SIZING_VARIABLES], best[SIZING_VARIABLES];
	double best_eur, bound_eur, tolerance;
	double *best_soc; /* from the cut on; NULL: not kept */
	int best_rotation;
	int passes;
	bool rotated, idle; /* the best is a battery that rests */
	bool smooth;        /* as good as: the span is long */
	sizing_curvature curvature;
} search;

static double clamp(double value, double low, double high)
{
	return ebr_lesser(ebr_greater(value, low), high);
}

static bool proved(const search *s, double cost)
{
	return cost - s->bound_eur <= s->tolerance * ebr_greater(fabs(cost), 0.1);
}

static void init_search(search *s, const sizing_model *m, double tolerance)
{
	const ebr_sizing_problem *p = m->problem;
	double scale = m->mean_kw > 0 ? m->mean_kw : 1;

	s->model = m;
	s->tolerance = tolerance;
	s->box = (sizing_box){{p->capacity_min_kwh, p->power_min_kw},
	                      {ebr_lesser(p->capacity_max_kwh, FARTHEST + p->capacity_min_kwh),
	                       ebr_lesser(p->power_max_kw, FARTHEST + p->power_min_kw)}};
	for (int i = 0; i < 2; i++) {
		s->smallest[i] = ebr_lesser(SMALLEST * scale, s->box.high[i]);
		s->x[i] = clamp((i == SIZING_CAPACITY ? 4 : 1) * scale, s->box.low[i], s->box.high[i]);
		s->step[i] = 2 * s->x[i];
	}
	s->bound_eur = -INFINITY;
	s->idle = true;
	s->best[SIZING_CAPACITY] = s->box.low[SIZING_CAPACITY];
	s->best[SIZING_POWER] = s->box.low[SIZING_POWER];
	s->best_eur = m->baseline_eur + m->capacity_cost * s->best[SIZING_CAPACITY] +
	              m->power_cost * s->best[SIZING_POWER];
}

/* Planes of a cycle that was cut elsewhere hold for any level at the new cut. */
static void forget_start(search *s)
{
	for (int k = 0; k < s->master.planes; k++) {
		double *slope = s->master.plane[k].slope;

		slope[SIZING_CAPACITY] += ebr_lesser(slope[SIZING_START], 0);
		slope[SIZING_START] = 0;
	}
}

static void keep_best(search *s, double cost)
{
	s->best_eur = cost;
	s->idle = false;
	memcpy(s->best, s->x, sizeof(s->best));
	s->best_rotation = s->pass.rotation;
	if (s->best_soc)
		memcpy(s->best_soc, s->pass.soc_kwh, ((size_t)s->model->slots + 1) * sizeof(*s->best_soc));
}

/* Runs a pass at x and adds its plane. */
static outcome_status look(search *s, outcome *out)
{
	sizing_plane plane;
	double cost;

	for (int i = 0; i < 2; i++) {
		bool slow = i == SIZING_POWER && s->passes < PATIENCE;
		double least = ebr_greater(s->smallest[i], (slow ? SLOWEST : HARDLY_MEET) * s->x[1 - i]);

		s->x[i] = ebr_greater(s->x[i], ebr_lesser(least, s->box.high[i]));
	}
	if (sizing_pass_run(&s->pass, s->x, &cost, &plane, out) != OUTCOME_OK)
		return out->status;
	s->passes++;
	sizing_master_add(&s->master, &plane, s->x, cost);
	if (cost < s->best_eur)
		keep_best(s, cost);
	if (!s->rotated) {
		s->rotated = true;
		if (sizing_pass_rotate(&s->pass)) {
			forget_start(s);
			s->x[SIZING_START] = 0;
		}
	}
	return OUTCOME_OK;
}

/* Looks where a smooth cost would be least, in turn with where the planes say; false where that is
 * no place to look at. */
static bool choose_bottom(search *s)
{
	double x[SIZING_VARIABLES];

	if (!s->smooth || s->passes % 2 == 0 || !sizing_master_bottom(&s->master, &s->curvature, x))
		return false;
	for (int i = 0; i < 2; i++)
		if (!(x[i] > s->box.low[i] && x[i] < s->box.high[i]))
			return false;
	if (sizing_master_at(&s->master, x) >= s->best_eur)
		return false;
	/* planes are wanted not much farther away than the bottom may be */
	for (int i = 0; i < 2; i++)
		s->step[i] = ebr_lesser(ebr_greater(2 * fabs(x[i] - s->best[i]), 1e-3 * x[i]), s->step[i]);
	memcpy(s->x, x, sizeof(x));
	return true;
}

/* A box around the best battery; whether a point is inside. */
static bool draw_near(const search *s, const double *point, sizing_box *near)
{
	bool inside = true;

	for (int i = 0; i < 2; i++) {
		near->low[i] = ebr_greater(s->best[i] - s->step[i], s->box.low[i]);
		near->high[i] = ebr_lesser(s->best[i] + s->step[i], s->box.high[i]);
		inside = inside && point[i] >= near->low[i] && point[i] <= near->high[i];
	}
	return inside;
}

static void reach_farther(search *s)
{
	for (int i = 0; i < 2; i++)
		if (s->reaching[i])
			s->step[i] *= 3;
}

/* The next place to look at: the best by the planes not far from the best so far. It may be
 * farther away where going to the border paid, and where the planes promise nothing nearer. */
static void choose_next(search *s, const double *of_bound, bool better)
{
	double promise = s->best_eur - s->tolerance * ebr_greater(fabs(s->best_eur), 0.1);
	sizing_box near;

	if (better)
		reach_farther(s);
	s->reaching[0] = s->reaching[1] = false;
	if (choose_bottom(s))
		return;
	while (!draw_near(s, of_bound, &near)) {
		bool promising = sizing_master_solve(&s->master, &near, s->x) < promise;

		for (int i = 0; i < 2; i++)
			s->reaching[i] = !promising || s->x[i] <= near.low[i] || s->x[i] >= near.high[i];
		if (promising)
			return;
		reach_farther(s);
	}
	memcpy(s->x, of_bound, sizeof(s->x));
}

static outcome_status run(search *s, int most_passes, outcome *out)
{
	while (s->passes < most_passes) {
		double of_bound[SIZING_VARIABLES], before = s->best_eur;

		if (look(s, out) != OUTCOME_OK)
			return out->status;
		s->bound_eur =
		    ebr_greater(s->bound_eur, sizing_master_solve(&s->master, &s->box, of_bound));
		if (proved(s, s->best_eur))
			break;
		choose_next(s, of_bound, s->best_eur < before);
	}
	return OUTCOME_OK;
}

/* Where more costs nothing, less may do as well. */
static outcome_status shrink(search *s, outcome *out)
{
	const double cost[2] = {s->model->capacity_cost, s->model->power_cost};

	for (int i = 0; i < 2; i++) {
		while (cost[i] == 0 && !s->idle && s->best[i] > s->box.low[i] &&
		       s->passes < 2 * SIZING_MAX_PLANES) {
			double before = s->best_eur, found;

			memcpy(s->x, s->best, sizeof(s->x));
			s->x[i] = ebr_greater(s->best[i] / 2, s->box.low[i]);
			s->x[SIZING_START] = ebr_lesser(s->x[SIZING_START], s->x[SIZING_CAPACITY]);
			if (look(s, out) != OUTCOME_OK)
				return out->status;
			found = s->master.cost_eur[s->master.planes - 1];
			if (!proved(s, found) || s->x[i] >= s->best[i])
				break;
			if (s->best_eur == before)
				keep_best(s, found);
		}
	}
	return OUTCOME_OK;
}

/* ---- the sample ---- */

/* Every so many days a few, as a model of its own; place[] says which slot is which. */
static bool open_sample(const sizing_model *m, sizing_model *sample, int *place)
{
	int block = (int)ebr_greater(round(24 * SAMPLE_DAYS / m->hours), 1);
	double share;

	*sample = *m;
	sample->slots = 0;
	sample->baseline_eur = 0;
	sample->slot = malloc((size_t)m->slots / SAMPLE_ONE_IN * 2 * sizeof(*sample->slot));
	if (!sample->slot)
		return false;
	for (int t = 0; t < m->slots; t++) {
		if (t / block % SAMPLE_ONE_IN != SAMPLE_ONE_IN / 2)
			continue;
		place[sample->slots] = t;
		sample->slot[sample->slots++] = m->slot[t];
		sample->baseline_eur += m->hours * m->slot[t].idle_eur;
	}
	share = (double)sample->slots / m->slots;
	sample->capacity_cost *= share;
	sample->power_cost *= share;
	return true;
}

/* What the sample knows of the curvature, for so many times its slots. */
static void begin_curvature(search *s, search *small, double times)
{
	double unused[SIZING_VARIABLES];

	s->smooth = sizing_master_bottom(&small->master, &small->curvature, unused);
	s->curvature =
	    (sizing_curvature){times * small->curvature.capacity, times * small->curvature.both,
	                       times * small->curvature.power};
}

/* Moves the search to the sample's best battery; a sample that fails in its own way leaves it. */
static outcome_status begin_by_sample(search *s, int *place, outcome *out)
{
	sizing_model sample;
	search small = {.passes = 0};
	outcome_status status = OUTCOME_OK;

	if (!open_sample(s->model, &sample, place))
		return OUTCOME_OK;
	init_search(&small, &sample, SAMPLE_TOLERANCE);
	if (sample.slots > 0) {
		status = sizing_pass_open(&small.pass, &sample, s->pass.limits, s->pass.deadline, out);
		if (status == OUTCOME_OK)
			status = run(&small, 30, out);
		if (status == OUTCOME_OK && !small.idle) {
			memcpy(s->x, small.best, sizeof(s->x));
			s->x[SIZING_START] = 0;
			s->pass.rotation = place[small.pass.rotation];
			s->rotated = true;
			for (int i = 0; i < 2; i++)
				s->step[i] = 0.1 * s->x[i];
			begin_curvature(s, &small, (double)s->model->slots / sample.slots);
		}
		sizing_pass_close(&small.pass);
	}
	free(sample.slot);
	return status;
}

/* ---- the answer ---- */

static void account(const search *s, const double *soc, ebr_sizing_result *r)
{
	const sizing_model *m = s->model;
	const ebr_sizing_problem *p = m->problem;
	double discharged = 0, operation;

	for (int t = 0; t < m->slots; t++) {
		double gain = soc ? soc[t + 1] - soc[t] : 0;
		sizing_cost cost = sizing_cost_parts(m, &m->slot[soc ? sizing_slot_after(&s->pass, t) : t],
		                                     sizing_power_of_gain(m, gain));

		discharged += ebr_greater(-gain, 0);
		r->energy_eur += m->hours * cost.energy;
		r->co2_eur += m->hours * cost.co2;
		r->distribution_eur += m->hours * cost.distribution;
	}
	r->capacity_kwh = s->best[SIZING_CAPACITY];
	r->power_kw = s->best[SIZING_POWER];
	r->cycles = discharged > 0 ? discharged / r->capacity_kwh : 0;
	r->purchase_eur = p->capacity_eur_per_kwh * r->capacity_kwh + p->power_eur_per_kw * r->power_kw;
	r->investment_eur = m->capacity_cost * r->capacity_kwh + m->power_cost * r->power_kw;
	operation = r->cost_eur - r->investment_eur;
	r->baseline_eur = m->baseline_eur;
	r->saving_eur = r->baseline_eur - r->cost_eur;
	r->saving_eur_per_year = (r->baseline_eur - operation) / m->span_years;
	r->payback_years = r->purchase_eur == 0         ? 0
	                   : r->saving_eur_per_year > 0 ? r->purchase_eur / r->saving_eur_per_year
	                                                : INFINITY;
	r->recovery_factor = m->recovery_factor;
	r->span_years = m->span_years;
	r->assumed = m->assumed;
	r->slots_billed = m->slots;
	r->slots_skipped = p->slots - m->slots;
	r->passes = s->passes;
}

/* The level at the end of each of the problem's slots. */
static void put_levels(const search *s, const double *soc, double *soc_kwh)
{
	const sizing_model *m = s->model;
	double level;

	for (int t = 0; t < m->problem->slots; t++)
		soc_kwh[t] = NAN;
	for (int t = 0; t < m->slots; t++)
		soc_kwh[m->slot[soc ? sizing_slot_after(&s->pass, t) : t].index] = soc ? soc[t + 1] : 0;
	level = soc_kwh[m->slot[m->slots - 1].index];
	for (int t = 0; t < m->problem->slots; t++)
		level = soc_kwh[t] = isnan(soc_kwh[t]) ? level : soc_kwh[t];
}

/* A schedule that runs in one direction a slot: the relaxation's gains made so, or one made for it
 * where that is cheaper. */
static outcome_status answer(search *s, double *soc_kwh, ebr_sizing_result *r, outcome *out)
{
	const sizing_model *m = s->model;
	double *soc = s->idle ? NULL : s->best_soc;
	double purchase =
	    m->capacity_cost * s->best[SIZING_CAPACITY] + m->power_cost * s->best[SIZING_POWER];

	r->relaxed_eur = r->cost_eur = s->best_eur;
	s->pass.rotation = s->best_rotation;
	if (soc && m->negative) {
		double other;

		r->cost_eur = purchase + sizing_strict_cost(&s->pass, soc);
		if (!proved(s, r->cost_eur)) {
			if (sizing_pass_run_strictly(&s->pass, s->best, &other, out) != OUTCOME_OK)
				return out->status;
			if (purchase + other < r->cost_eur) {
				r->cost_eur = purchase + other;
				soc = s->pass.soc_kwh;
			}
		}
	}
	r->bound_eur = ebr_lesser(s->bound_eur, r->relaxed_eur);
	r->quality = proved(s, r->cost_eur)      ? EBR_SIZING_OPTIMAL
	             : proved(s, r->relaxed_eur) ? EBR_SIZING_RELAXED
	                                         : EBR_SIZING_FEASIBLE;
	account(s, soc, r);
	if (soc)
		r->start_kwh = soc[s->best_rotation > 0 ? m->slots - s->best_rotation : 0];
	if (soc_kwh)
		put_levels(s, soc, soc_kwh);
	return OUTCOME_OK;
}

static outcome_status check_finite(const search *s, outcome *out)
{
	static const char *const names[] = {"capacity", "power"};
	static const char *const hints[] = {"Give capacity_max_kwh.", "Give power_max_kw."};

	for (int i = 0; i < 2; i++)
		if (s->best[i] - s->box.low[i] > 0.5 * FARTHEST)
			return outcome_set(out, OUTCOME_BAD_INPUT, hints[i],
			                   "At these costs a larger battery is always better.",
			                   "no %s is the best", names[i]);
	return OUTCOME_OK;
}

static outcome_status size(search *s, double *soc_kwh, int *place, ebr_sizing_result *r,
                           outcome *out)
{
	outcome_status status = OUTCOME_OK;

	if (s->box.high[SIZING_CAPACITY] == 0 || s->box.high[SIZING_POWER] == 0) {
		s->bound_eur = s->best_eur;
		return answer(s, soc_kwh, r, out);
	}
	if (s->model->slots >= SAMPLE_FROM_SLOTS)
		status = begin_by_sample(s, place, out);
	if (status == OUTCOME_OK)
		status = run(s, SIZING_MAX_PLANES, out);
	if (status == OUTCOME_OK)
		status = shrink(s, out);
	if (status == OUTCOME_TIME_LIMIT && s->pass.limits->accept_incumbent) {
		s->pass.deadline = INFINITY;
		status = out->status = OUTCOME_OK;
	}
	if (status != OUTCOME_OK || check_finite(s, out) != OUTCOME_OK)
		return out->status;
	return answer(s, soc_kwh, r, out);
}

outcome_status ebr_size(const ebr_sizing_problem *p, const ebr_limits *limits, double *soc_kwh,
                        ebr_sizing_result *result, outcome *out)
{
	double started = ebr_clock_seconds();
	double deadline = limits->seconds > 0 ? started + limits->seconds : INFINITY;
	sizing_model model;
	search *s;
	int *place;

	out->status = OUTCOME_OK;
	memset(result, 0, sizeof(*result));
	if (sizing_check(p, out) != OUTCOME_OK || sizing_model_open(&model, p, out) != OUTCOME_OK)
		return out->status;
	s = calloc(1, sizeof(*s));
	place = malloc((size_t)model.slots * sizeof(*place));
	if (s)
		s->best_soc = malloc(((size_t)model.slots + 1) * sizeof(double));
	if (!s || !place || !s->best_soc) {
		outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "sizing ran out of memory");
	} else {
		init_search(s, &model, p->tolerance > 0 ? p->tolerance : TOLERANCE);
		if (sizing_pass_open(&s->pass, &model, limits, deadline, out) == OUTCOME_OK)
			size(s, soc_kwh, place, result, out);
		sizing_pass_close(&s->pass);
	}
	result->seconds = ebr_clock_seconds() - started;
	if (s)
		free(s->best_soc);
	free(s);
	free(place);
	free(model.slot);
	return out->status;
}
