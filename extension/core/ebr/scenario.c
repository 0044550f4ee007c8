/*
 * Stochastic dynamic programming on a grid of stored energy, see scenario.h.
 *
 * W(s) is the mean least cost from the end of a slot on with s stored. A rule sees
 * the slot's net demand d before it acts, so the slot before has the mean over d of
 * min over the gain of c(gain, d) + W(s + gain). Demand is taken slot by slot, not
 * as whole past days: plans that know a whole day's demand wait for bargains that
 * a home will not see.
 *
 * Prices are known in blocks. A block beyond publication is one of the last days;
 * within it the plan knows its prices, so each day has a value function of its own,
 * and the mean is taken where the block is published. Some days further on one
 * expected day takes their place: there only the mean level matters.
 */
#include "scenario_demand.h"
#include "scenario_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	CELLS = EBR_GRID_CELLS,
	REFINED = 4,         /* steps of the answer in a cell, interpolated */
	DRAWS = EBR_DRAWS,   /* of demand, until the next publication */
	FAR_DRAWS = 3,       /* the same for slots after the next publication */
	PRICE_DAYS = 14,     /* past days that unpublished prices are drawn from */
	DRAWN_BLOCKS = 1,    /* days beyond publication with drawn prices */
	EXPECTED_BLOCKS = 4, /* days after those with expected prices */
	WEEK = 7,
};

static const double PRICE_HALF_LIFE_DAYS = 14; /* of a past day's weight */
static const double OTHER_DAY_CLASS = 0.3;     /* weight of weekend for working days and back */
static const double LEVEL_PERSISTENCE = 0.5;   /* of a price level's distance from usual, a day */

/* A past day whose prices may come again. */
typedef struct price_day {
	int start;     /* slot, counted from the coming one */
	double weight; /* for a working day; and for the weekend */
	double weekend_weight;
} price_day;

typedef struct session {
	const ebr_model *model;
	int store;
	const double *other_kw;
	const ebr_outlook *outlook;
	const ebr_limits *limits;
	double deadline;
	ebr_grid_store grid;       /* but for what it can do in a slot */
	double *draws, *far_draws; /* [slots_per_day][DRAWS], by the distance from the coming slot */
	int *drawn, *far_drawn;    /* how many, [slots_per_day] */
	int price_days;
	price_day day[PRICE_DAYS];
} session;

/* Prices of a slot that was or is published. */
static double import_price(const session *s, int slot)
{
	return slot < 0 ? ebr_past(s->outlook, s->outlook->import_eur_per_kwh, slot)
	                : ebr_import_price(s->model, slot);
}

static double export_price(const session *s, int slot)
{
	const double *series = s->outlook->export_eur_per_kwh;

	if (slot >= 0)
		return ebr_export_price(s->model, slot);
	return ebr_past(s->outlook, series ? series : s->outlook->import_eur_per_kwh, slot);
}

/* Mean import price of a day; NAN where a slot is missing. */
static double day_level(const session *s, int start)
{
	const int spd = s->outlook->slots_per_day;
	double sum = 0;

	for (int slot = start; slot < start + spd; slot++)
		sum += isnan(export_price(s, slot)) ? NAN : import_price(s, slot);
	return sum / spd;
}

static void find_price_days(session *s)
{
	const int spd = s->outlook->slots_per_day;

	for (int k = 0; k < PRICE_DAYS; k++) {
		int start = s->outlook->known_slots - (k + 1) * spd;
		double recency = pow(0.5, k / PRICE_HALF_LIFE_DAYS);
		bool weekend = ebr_is_weekend(s->outlook, start + spd / 2);

		if (isnan(day_level(s, start)))
			continue;
		s->day[s->price_days++] = (price_day){start, recency * (weekend ? OTHER_DAY_CLASS : 1),
		                                      recency * (weekend ? 1 : OTHER_DAY_CLASS)};
	}
}

/* How much dearer than on a past day prices are now, as far as that is believed to stay for some
 * days. */
static double level_shift(const session *s, const price_day *day, int block)
{
	const int spd = s->outlook->slots_per_day;
	double present = day_level(s, s->outlook->known_slots - spd);
	double before = day_level(s, day->start - (block + 1) * spd);

	return isnan(present) || isnan(before) ? 0
	                                       : pow(LEVEL_PERSISTENCE, block + 1) * (present - before);
}

/* Marginal prices of grid power in a slot with given prices, tube and contract as in the problem.
 */
static void slot_price_of(const session *s, int slot, double import, double export,
                          ebr_slot_price *price)
{
	const double none = 0;
	const bool only_co2 = s->model->problem->objective == EBR_CO2;
	ebr_problem problem = *s->model->problem;
	ebr_model model = *s->model;

	model.problem = &problem;
	model.energy = &import;
	model.export = &export;
	model.co2 = only_co2 ? &import : &none;
	if (slot >= problem.slots) {
		model.tube = false;
	} else if (model.tube) {
		problem.profile_low_kw += problem.profile_low_kw ? slot : 0;
		problem.profile_high_kw += problem.profile_high_kw ? slot : 0;
		problem.penalty_low_eur_per_kwh += problem.penalty_low_eur_per_kwh ? slot : 0;
		problem.penalty_high_eur_per_kwh += problem.penalty_high_eur_per_kwh ? slot : 0;
	}
	ebr_slot_prices(&model, 0, price);
}

/* W before a slot from W after it: the mean over demand. */
static void step_back(const session *s, int slot, double import, double export, ebr_grid *w)
{
	const ebr_problem *p = s->model->problem;
	const int time = slot % s->outlook->slots_per_day;
	const bool far = slot >= s->outlook->reveal_slot;
	const double *draws = (far ? s->far_draws : s->draws) + time * DRAWS;
	double other = s->other_kw && slot < p->slots ? s->other_kw[slot] : 0, net_kw[DRAWS];
	int count = far ? s->far_drawn[time] : s->drawn[time];
	ebr_grid_store store = s->grid;
	ebr_slot_price price;

	for (int k = 0; k < count; k++)
		net_kw[k] = draws[k] + other;
	if (count == 0) {
		net_kw[0] = ebr_net_demand(s->model, slot < p->slots ? slot : p->slots - 1) + other;
		count = 1;
	}
	store.least_kw = -ebr_discharge_limit(s->model, s->store, slot);
	store.most_kw = ebr_charge_limit(s->model, s->store, slot);
	slot_price_of(s, slot, import, export, &price);
	ebr_grid_step(&store, &price, net_kw, count, w);
}

static outcome_status may_go_on(const session *s)
{
	if (s->limits->interrupted && s->limits->interrupted(s->limits->interrupted_argument))
		return OUTCOME_INTERRUPTED;
	return ebr_clock_seconds() >= s->deadline ? OUTCOME_TIME_LIMIT : OUTCOME_OK;
}

/* Below what is due, one more kWh at departure saves the penalty. */
static void require_at_departure(const session *s, int slot, ebr_grid *w)
{
	const ebr_model_store *store = &s->model->store[s->store];

	if (slot != store->departure_slot)
		return;
	for (int i = 0; i <= CELLS + 1; i++)
		w->at[i] += s->model->departure_penalty *
		            fmax(store->required_kwh - fmin(i, CELLS) * s->grid.cell_kwh, 0);
}

/* Back over published slots, first included. */
static void step_back_published(const session *s, int first, int end, ebr_grid *w)
{
	for (int slot = end - 1; slot >= first; slot--) {
		require_at_departure(s, slot, w);
		step_back(s, slot, import_price(s, slot), export_price(s, slot), w);
	}
}

/* Back over a block beyond publication whose prices are those of a past day, moved by how its
 * forecast differs from that day's. */
static void step_back_drawn(const session *s, int block, const price_day *day, ebr_grid *w)
{
	const int spd = s->outlook->slots_per_day;
	const int back = (s->outlook->known_slots - day->start) / spd;
	const double *forecast = block == 0 ? s->outlook->forecast_eur_per_kwh : NULL;
	double shift = forecast ? 0 : level_shift(s, day, block);

	for (int k = spd - 1; k >= 0; k--) {
		int slot = s->outlook->known_slots + block * spd + k;

		if (forecast)
			shift = forecast[k] - forecast[back * spd + k];

		require_at_departure(s, slot, w);
		step_back(s, slot, import_price(s, day->start + k) + shift,
		          export_price(s, day->start + k) + shift, w);
	}
}

static double weight_of(const session *s, const price_day *day, int block)
{
	const int spd = s->outlook->slots_per_day;
	bool weekend = ebr_is_weekend(s->outlook, s->outlook->known_slots + block * spd + spd / 2);

	return weekend ? day->weekend_weight : day->weight;
}

/* Back over days of expected prices to where drawn ones begin. */
static void step_back_expected(const session *s, const double *import, const double *export,
                               ebr_grid *w)
{
	const int spd = s->outlook->slots_per_day;
	const int first = s->outlook->known_slots + DRAWN_BLOCKS * spd;

	for (int k = EXPECTED_BLOCKS * spd - 1; k >= 0; k--) {
		require_at_departure(s, first + k, w);
		step_back(s, first + k, import[k % spd], export[k % spd], w);
	}
}

/* What is expected of a day far ahead: the mean of the past ones, or what the problem says of its
 * last slots where none is complete. Returns the day's mean import price. */
static double expect_day(const session *s, double *import, double *export)
{
	const int spd = s->outlook->slots_per_day, known = s->outlook->known_slots;
	double level = 0;

	for (int k = 0; k < spd; k++) {
		double weight = 0, slot_import = 0, slot_export = 0;

		for (int d = 0; d < s->price_days; d++) {
			double w = s->day[d].weight + s->day[d].weekend_weight;

			slot_import += w * import_price(s, s->day[d].start + k);
			slot_export += w * export_price(s, s->day[d].start + k);
			weight += w;
		}
		if (s->price_days == 0) {
			int slot = known - spd + k;

			slot = slot >= 0 ? slot : known - 1 - (known - 1 - slot) % known;
			slot_import = import_price(s, slot);
			slot_export = export_price(s, slot);
			weight = 1;
		}
		import[k] = slot_import / weight;
		export[k] = slot_export / weight;
		level += import[k] / spd;
	}
	return level;
}

/* Back from the end of all blocks to the first slot of the horizon that is still ahead when the
 * next block is published. */
static outcome_status step_back_blocks(const session *s, int reveal, ebr_grid *w)
{
	for (int block = DRAWN_BLOCKS - 1; block >= 0; block--) {
		ebr_grid mean = {{0}};
		double weight = 0;

		for (int d = 0; d < s->price_days; d++) {
			outcome_status status = may_go_on(s);
			double share = weight_of(s, &s->day[d], block);
			ebr_grid drawn = *w;

			if (status != OUTCOME_OK)
				return status;
			step_back_drawn(s, block, &s->day[d], &drawn);
			if (block == 0)
				step_back_published(s, reveal, s->outlook->known_slots, &drawn);
			for (int i = 0; i <= CELLS + 1; i++)
				mean.at[i] += share * drawn.at[i];
			weight += share;
		}
		for (int i = 0; i <= CELLS + 1; i++)
			w->at[i] = mean.at[i] / weight;
	}
	return OUTCOME_OK;
}

static outcome_status step_back_all(const session *s, double *import, double *export, ebr_grid *w)
{
	const ebr_model_store *store = &s->model->store[s->store];
	const int known = s->outlook->known_slots;
	int reveal = s->outlook->reveal_slot;
	double level = expect_day(s, import, export);
	double terminal = isinf(store->plugged_slots) ? store->root * level : 0;
	outcome_status status = may_go_on(s);

	if (!isnan(s->model->problem->store[s->store].terminal_value_eur_per_kwh))
		terminal = store->terminal_value;
	for (int i = 0; i <= CELLS + 1; i++)
		w->at[i] = -terminal * fmin(i, CELLS) * s->grid.cell_kwh;
	if (status == OUTCOME_OK)
		step_back_expected(s, import, export, w);
	if (status == OUTCOME_OK && s->price_days > 0)
		status = step_back_blocks(s, reveal, w);
	else
		reveal = known;
	if (status == OUTCOME_OK)
		step_back_published(s, 1, reveal, w);
	if (store->departure_slot == 0)
		require_at_departure(s, 0, w);
	return status;
}

/* The slopes of W as a curve, interpolated between the middles of cells. */
static bool write_curve(const session *s, const ebr_grid *w, ebr_curve *curve)
{
	enum { STEPS = CELLS * REFINED };
	double slope[CELLS];

	curve->level_kwh = malloc((2 * STEPS + 1) * sizeof(double));
	if (!curve->level_kwh)
		return false;
	curve->segments = STEPS;
	curve->value_eur_per_kwh = curve->level_kwh + STEPS + 1;
	for (int i = 0; i < CELLS; i++)
		slope[i] = (w->at[i] - w->at[i + 1]) / s->grid.cell_kwh;
	for (int k = 0; k < STEPS; k++) {
		double middle = fmin(fmax((k + 0.5) / REFINED - 0.5, 0), CELLS - 1);
		int i = (int)fmin(middle, CELLS - 2);

		curve->level_kwh[k] = k * s->grid.cell_kwh / REFINED;
		curve->value_eur_per_kwh[k] = slope[i] + (middle - i) * (slope[i + 1] - slope[i]);
	}
	curve->level_kwh[STEPS] = s->model->store[s->store].capacity_kwh;
	return true;
}

static outcome_status check(const ebr_model *m, const ebr_outlook *o, outcome *out)
{
	const int slots = m->problem->slots;

	if (o->slots_per_day < 24 || o->slots_per_day > 1440 || o->history < 0 || o->phase < 0 ||
	    o->phase >= WEEK * o->slots_per_day)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
		                   "A day has 24 to 1440 slots, a phase is a slot of the week.",
		                   "%d slots a day, %d slots of history and phase %d are no outlook",
		                   o->slots_per_day, o->history, o->phase);
	if (o->known_slots < 1 || o->known_slots > slots || o->reveal_slot < 1 ||
	    o->reveal_slot > o->known_slots)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL,
		                   "prices known for %d slots and more to come at slot %d do not fit a "
		                   "problem of %d slots",
		                   o->known_slots, o->reveal_slot, slots);
	for (int t = 0; t < o->history; t++)
		if (isinf(o->net_kw[t]) || isinf(o->import_eur_per_kwh[t]) ||
		    (o->export_eur_per_kwh && isinf(o->export_eur_per_kwh[t])))
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "Slots are counted from 1.",
			                   "the history is infinite in slot %d", t + 1);
	out->status = OUTCOME_OK;
	return OUTCOME_OK;
}

static outcome_status fail(outcome_status status, const ebr_limits *limits, outcome *out)
{
	if (status == OUTCOME_TIME_LIMIT)
		return outcome_set(out, status, "Allow more time, or longer slots.", NULL,
		                   "planning under uncertainty did not end within %g seconds",
		                   limits->seconds);
	if (status == OUTCOME_INTERRUPTED)
		return outcome_set(out, status, NULL, NULL, "planning was interrupted");
	return outcome_set(out, OUTCOME_MEMORY_LIMIT, NULL, NULL, "planning ran out of memory");
}

outcome_status ebr_scenario_curve(const ebr_model *model, int store, const double *other_kw,
                                  const ebr_outlook *outlook, const ebr_limits *limits,
                                  ebr_curve *curve, outcome *out)
{
	const int spd = outlook->slots_per_day;
	session s = {.model = model, .store = store, .other_kw = other_kw, .outlook = outlook};
	outcome_status status = check(model, outlook, out);
	ebr_past_days days;
	double *room;
	int *counts;
	ebr_grid w;

	memset(curve, 0, sizeof(*curve));
	if (status != OUTCOME_OK)
		return status;
	s.limits = limits;
	s.deadline = limits->seconds > 0 ? ebr_clock_seconds() + limits->seconds : INFINITY;
	s.grid = (ebr_grid_store){.cell_kwh = model->store[store].capacity_kwh / CELLS,
	                          .per_cell = CELLS / model->store[store].capacity_kwh,
	                          .root = model->store[store].root,
	                          .slot_hours = model->problem->slot_hours};
	room = malloc((size_t)spd * (2 * DRAWS + 2) * sizeof(double));
	counts = malloc((size_t)spd * 2 * sizeof(int));
	if (!room || !counts) {
		free(room);
		free(counts);
		return fail(OUTCOME_MEMORY_LIMIT, limits, out);
	}
	s.draws = room + 2 * spd;
	s.far_draws = s.draws + (size_t)spd * DRAWS;
	s.drawn = counts;
	s.far_drawn = s.drawn + spd;
	ebr_compare_days(outlook, &days);
	for (int slot = 0; slot < spd; slot++) {
		s.drawn[slot] = ebr_draw_demand(outlook, &days, slot, DRAWS, s.draws + slot * DRAWS);
		s.far_drawn[slot] =
		    ebr_draw_demand(outlook, &days, slot, FAR_DRAWS, s.far_draws + slot * DRAWS);
	}
	find_price_days(&s);
	status = step_back_all(&s, room, room + spd, &w);
	if (status == OUTCOME_OK && !write_curve(&s, &w, curve))
		status = OUTCOME_MEMORY_LIMIT;
	free(room);
	free(counts);
	return status == OUTCOME_OK ? OUTCOME_OK : fail(status, limits, out);
}

outcome_status ebr_command_rule(const ebr_problem *problem, int store, const double *other_kw,
                                const ebr_outlook *outlook, const ebr_limits *limits,
                                ebr_rule *rule, double *expected_kw, outcome *out)
{
	const size_t slots = (size_t)problem->slots;
	double *prices = malloc(3 * slots * sizeof(double)), draws[DRAWS], sum = 0;
	ebr_solution solution = {.energy_used_eur_per_kwh = prices};
	ebr_past_days days;
	outcome_status status;
	ebr_curve curve;
	ebr_model model;
	int drawn;

	if (!prices)
		return fail(OUTCOME_MEMORY_LIMIT, limits, out);
	solution.export_used_eur_per_kwh = prices + slots;
	solution.co2_used_eur_per_kwh = prices + 2 * slots;
	ebr_model_init(&model, problem, &solution);
	status = check(&model, outlook, out);
	memset(rule, 0, sizeof(*rule));
	ebr_rule_idle(model.store[store].capacity_kwh, rule);
	if (status == OUTCOME_OK && model.store[store].active) {
		status = ebr_scenario_curve(&model, store, other_kw, outlook, limits, &curve, out);
		if (status == OUTCOME_OK) {
			ebr_rule_from_curve(&model, store, &curve, rule);
			ebr_curve_free(&curve);
		}
	}
	if (status == OUTCOME_OK && expected_kw) {
		ebr_compare_days(outlook, &days);
		drawn = ebr_draw_demand(outlook, &days, 0, DRAWS, draws);
		for (int k = 0; k < drawn; k++)
			sum += draws[k] / drawn;
		*expected_kw = (drawn > 0 ? sum : ebr_net_demand(&model, 0)) + (other_kw ? other_kw[0] : 0);
	}
	free(prices);
	return status;
}
