/* See option.h. */
#include "option.h"

#include <math.h>
#include <string.h>

/* What an evaluation depends on and how well it is known: the signature's parameters, then these.
 */
enum { FACTOR_INDOOR = ROBUST_MOST, FACTOR_COP, FACTORS };

/* What comes out of one. */
enum { BEFORE_KWH, AFTER_KWH, SAVED_KWH, SAVED_EUR, SAVED_KG, OUTPUTS };

typedef struct totals {
	double output[OUTPUTS];
	double before_eur, before_kg;
	double heat_kwh, making_kwh; /* heat after the retrofit, and what it is made from */
	int slots;
} totals;

typedef struct slot_use {
	double before_kw;        /* of the present carrier */
	double kept_kw, heat_kw; /* base load; heat still to be made */
	double making_kw;        /* of the carrier that makes it */
} slot_use;

static double mean_known(const double *values, int count)
{
	double sum = 0;
	int known = 0;

	for (int i = 0; values && i < count; i++) {
		if (isnan(values[i]))
			continue;
		sum += values[i];
		known++;
	}
	return known > 0 ? sum / known : NAN;
}

static double value_at(const double *values, int i, double mean)
{
	return values && !isnan(values[i]) ? values[i] : mean;
}

static bool slot_known(const signature *s, const retrofit_span *span, int i)
{
	return !isnan(span->temperature_c[i]) && !(s->with_sun && isnan(span->sun_kw_per_m2[i]));
}

static slot_use use_in(const signature *s, const retrofit_span *span, const retrofit_option *o,
                       const heat_supply *after, const double *factor, int i)
{
	const double outdoor = span->temperature_c[i];
	const double sun = s->with_sun ? span->sun_kw_per_m2[i] : 0;
	const double heat = signature_heat(s, factor, outdoor, sun, 0, 0);
	slot_use u;

	u.kept_kw = s->model == SIGNATURE_CHANGE_POINT ? factor[SIGNATURE_BASE_LOAD] : 0;
	u.before_kw = u.kept_kw + heat / heat_supply_performance(&span->supply, outdoor);
	u.heat_kw =
	    signature_heat(s, factor, outdoor, sun, o->heat_loss_reduction, factor[FACTOR_INDOOR]);
	u.making_kw = u.heat_kw / heat_supply_performance(after, outdoor);
	if (o->replaces && heat_source_pumps(after->source))
		u.making_kw /= factor[FACTOR_COP];
	return u;
}

static totals evaluate(const signature *s, const retrofit_span *span, const retrofit_option *o,
                       const heat_supply *after, const double *factor)
{
	const energy_carrier from = heat_source_carrier(span->supply.source);
	const energy_carrier to = heat_source_carrier(after->source);
	const double from_eur = mean_known(span->eur_per_kwh[from], span->slots);
	const double to_eur = mean_known(span->eur_per_kwh[to], span->slots);
	const double from_g = mean_known(span->grams_per_kwh[from], span->slots);
	const double to_g = mean_known(span->grams_per_kwh[to], span->slots);
	totals t = {.slots = 0};

	for (int i = 0; i < span->slots; i++) {
		slot_use u;
		double h = span->slot_hours, eur, grams;

		if (!slot_known(s, span, i))
			continue;
		u = use_in(s, span, o, after, factor, i);
		eur = value_at(span->eur_per_kwh[from], i, from_eur);
		grams = value_at(span->grams_per_kwh[from], i, from_g);
		t.slots++;
		t.output[BEFORE_KWH] += h * u.before_kw;
		t.output[AFTER_KWH] += h * (u.kept_kw + u.making_kw);
		t.before_eur += h * eur * u.before_kw;
		t.before_kg += h * grams * u.before_kw / 1000;
		t.output[SAVED_EUR] += h * (eur * (u.before_kw - u.kept_kw) -
		                            value_at(span->eur_per_kwh[to], i, to_eur) * u.making_kw);
		t.output[SAVED_KG] += h / 1000 *
		                      (grams * (u.before_kw - u.kept_kw) -
		                       value_at(span->grams_per_kwh[to], i, to_g) * u.making_kw);
		t.heat_kwh += h * u.heat_kw;
		t.making_kwh += h * u.making_kw;
	}
	t.output[SAVED_KWH] = t.output[BEFORE_KWH] - t.output[AFTER_KWH];
	return t;
}

/* Moves a heat pump's curve so that the span's heat over its electricity is the COP asked for. */
static heat_supply supply_after(const signature *s, const retrofit_span *span,
                                const retrofit_option *o, const double *factor)
{
	heat_supply after = o->replaces ? o->supply : span->supply;

	if (o->replaces && o->seasonal_cop > 0) {
		totals t;

		after.tilt_per_k = 0;
		/* Not linear where the COP is held at 1, so once more. */
		for (int round = 0; round < 4; round++) {
			t = evaluate(s, span, o, &after, factor);
			if (t.making_kwh > 0)
				after.factor *= o->seasonal_cop / (t.heat_kwh / t.making_kwh);
		}
	}
	return after;
}

static void factors_of(const signature *s, const retrofit_span *span, double *factor)
{
	memcpy(factor, s->parameter, sizeof(s->parameter));
	factor[FACTOR_INDOOR] = span->indoor_c;
	factor[FACTOR_COP] = 1;
}

/* How far a factor is moved to see what depends on it. */
static double step_of(const signature *s, int k)
{
	if (k == FACTOR_INDOOR)
		return 0.01;
	if (k == FACTOR_COP)
		return 1e-3;
	return 0.05 * sqrt(fmax(s->fit.covariance[k][k], 0)) + 1e-9;
}

static bool in_use(const signature *s, int k)
{
	return k >= ROBUST_MOST || k < s->parameters;
}

void retrofit_evaluate(const signature *s, const retrofit_span *span, const retrofit_option *o,
                       retrofit_result *result)
{
	double factor[FACTORS], slope[OUTPUTS][FACTORS] = {{0}};
	estimate out[OUTPUTS];
	heat_supply after;
	totals middle;

	memset(result, 0, sizeof(*result));
	if (s->model == SIGNATURE_REFUSED)
		result->reason = s->reason;
	else if (s->model == SIGNATURE_LINE && o->replaces)
		result->reason =
		    "the base load is not known, nor then the heat that is to be made otherwise";
	else if (span->slots == 0)
		result->reason = "the span has no slots";
	if (result->reason)
		return;
	factors_of(s, span, factor);
	after = supply_after(s, span, o, factor);
	middle = evaluate(s, span, o, &after, factor);
	for (int k = 0; k < FACTORS; k++) {
		double held = factor[k], step = step_of(s, k);
		totals low, high;

		if (!in_use(s, k))
			continue;
		factor[k] = held - step;
		low = evaluate(s, span, o, &after, factor);
		factor[k] = held + step;
		high = evaluate(s, span, o, &after, factor);
		factor[k] = held;
		for (int j = 0; j < OUTPUTS; j++)
			slope[j][k] = (high.output[j] - low.output[j]) / (2 * step);
	}
	for (int j = 0; j < OUTPUTS; j++)
		out[j] = robust_estimate(&s->fit, middle.output[j], slope[j],
		                         pow(slope[j][FACTOR_INDOOR] * span->indoor_sd_k, 2) +
		                             pow(slope[j][FACTOR_COP] * o->cop_relative_sd, 2));
	*result = (retrofit_result){
	    .before_kwh = out[BEFORE_KWH],
	    .use_kwh = out[AFTER_KWH],
	    .saving_kwh = out[SAVED_KWH],
	    .saving_eur = out[SAVED_EUR],
	    .saving_kg = out[SAVED_KG],
	    .before_eur = middle.before_eur,
	    .before_kg = middle.before_kg,
	    .seasonal_performance = middle.making_kwh > 0 ? middle.heat_kwh / middle.making_kwh : NAN,
	    .slots = middle.slots};
}

static double expected_kw(const signature *s, const retrofit_span *span, const retrofit_option *o,
                          const heat_supply *after, const double *factor, int i)
{
	slot_use u = use_in(s, span, o, after, factor, i);

	return u.kept_kw + u.making_kw;
}

void retrofit_predict(const signature *s, const retrofit_span *span, const retrofit_option *o,
                      double *use_kw, double *low_kw, double *high_kw, estimate *total_kwh)
{
	double factor[FACTORS], sums[FACTORS] = {0}, sum = 0;
	heat_supply after;
	int known = 0;

	factors_of(s, span, factor);
	after = supply_after(s, span, o, factor);
	for (int i = 0; i < span->slots; i++) {
		double slope[FACTORS] = {0};
		estimate e = {NAN, NAN, NAN};

		if (slot_known(s, span, i)) {
			double middle = expected_kw(s, span, o, &after, factor, i);

			for (int k = 0; k < FACTORS; k++) {
				double held = factor[k], step = step_of(s, k), high;

				if (!in_use(s, k))
					continue;
				factor[k] = held + step;
				high = expected_kw(s, span, o, &after, factor, i);
				factor[k] = held - step;
				slope[k] = (high - expected_kw(s, span, o, &after, factor, i)) / (2 * step);
				factor[k] = held;
				sums[k] += span->slot_hours * slope[k];
			}
			e = robust_estimate(&s->fit, middle, slope,
			                    pow(slope[FACTOR_INDOOR] * span->indoor_sd_k, 2) +
			                        pow(slope[FACTOR_COP] * o->cop_relative_sd, 2) +
			                        pow(s->fit.sd, 2));
			sum += span->slot_hours * middle;
			known++;
		}
		use_kw[i] = e.value;
		if (low_kw && high_kw) {
			low_kw[i] = e.low;
			high_kw[i] = e.high;
		}
	}
	*total_kwh = robust_estimate(&s->fit, sum, sums,
	                             pow(sums[FACTOR_INDOOR] * span->indoor_sd_k, 2) +
	                                 pow(sums[FACTOR_COP] * o->cop_relative_sd, 2) +
	                                 known * pow(span->slot_hours, 2) * s->fit.long_run_variance);
}
