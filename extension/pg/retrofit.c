/* SQL binding of EUR-K (core/retrofit): energy signatures, heat pumps' curves, retrofit options. */
#include "binding.h"

#include <math.h>

#include "utils/builtins.h"

#include "../core/retrofit/option.h"

PG_FUNCTION_INFO_V1(smarthg_retrofit_estimate_series);
PG_FUNCTION_INFO_V1(smarthg_retrofit_option_series);
PG_FUNCTION_INFO_V1(smarthg_retrofit_predict_series);
PG_FUNCTION_INFO_V1(smarthg_heat_pump_cop);
PG_FUNCTION_INFO_V1(smarthg_heat_pump_cop_series);

enum { MAX_SLOTS = 100000 };

/* Arguments: the home, as all three functions have them; the retrofit; prices. */
enum {
	ARG_USE,
	ARG_TEMPERATURE,
	ARG_SUN,
	ARG_SUPPLY,
	ARG_FACTOR,
	ARG_TILT,
	ARG_FLOW,
	ARG_FLOW_PER_K,
	ARG_GROUND,
	ARG_INDOOR,
	ARG_INDOOR_SD,
	ARG_REDUCTION,
	ARG_NEW_SUPPLY,
	ARG_SEASONAL_COP,
	ARG_COP_SD,
	ARG_SPAN_TEMPERATURE,
	ARG_SPAN_SUN,
	ARG_SLOT_LENGTH,
	ARG_PRICE, /* of each carrier, then grams of CO2 */
	ARG_GRAMS = ARG_PRICE + ENERGY_CARRIERS,
};

static heat_source source_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	char *given;
	heat_source source;

	if (PG_ARGISNULL(number))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	given = text_to_cstring(PG_GETARG_TEXT_PP(number));
	source = heat_source_of(given);
	if (source == HEAT_SOURCES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("%s \"%s\" is not known", name, given),
		                errhint("Heat is made by heat (bought as such), resistance, gas, air heat "
		                        "pump or ground heat pump.")));
	return source;
}

static double bounded_argument(FunctionCallInfo fcinfo, int number, const char *name,
                               double for_null, double low, double high)
{
	double value = number_argument(fcinfo, number, name, for_null);

	if (!(value >= low && value <= high))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("%s must be from %g to %g", name, low, high)));
	return value;
}

/* The heating water's and the ground's temperatures from three arguments. */
static void temperature_arguments(FunctionCallInfo fcinfo, int first, heat_supply *supply)
{
	supply->flow_c = bounded_argument(fcinfo, first, "flow_c", supply->flow_c, 0, 100);
	supply->flow_per_k =
	    bounded_argument(fcinfo, first + 1, "flow_per_k", supply->flow_per_k, -5, 5);
	supply->ground_c = bounded_argument(fcinfo, first + 2, "ground_c", supply->ground_c, -20, 40);
}

static heat_supply supply_arguments(FunctionCallInfo fcinfo)
{
	heat_supply s = heat_supply_default(source_argument(fcinfo, ARG_SUPPLY, "supply"));

	s.factor = bounded_argument(fcinfo, ARG_FACTOR, "supply_factor", s.factor, 0.01, 10);
	s.tilt_per_k = bounded_argument(fcinfo, ARG_TILT, "cop_tilt_per_k", 0, -1, 1);
	temperature_arguments(fcinfo, ARG_FLOW, &s);
	return s;
}

static void check_count(int count)
{
	if (count > MAX_SLOTS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("%d slots are more than %d", count, MAX_SLOTS)));
}

static signature estimate_home(FunctionCallInfo fcinfo, const heat_supply *supply)
{
	signature_input in = {.count = -1, .interrupted = cancelled};
	signature result;
	double *performance;
	outcome failed;

	in.use_kw = series_argument(fcinfo, ARG_USE, "use_kw", &in.count, true, true);
	check_count(in.count);
	in.temperature_c =
	    series_argument(fcinfo, ARG_TEMPERATURE, "temperature_c", &in.count, true, true);
	in.sun_kw_per_m2 = series_argument(fcinfo, ARG_SUN, "sun_kw_per_m2", &in.count, false, true);
	in.indoor_c = bounded_argument(fcinfo, ARG_INDOOR, "indoor_c", 20, -20, 50);
	in.indoor_sd_k = bounded_argument(fcinfo, ARG_INDOOR_SD, "indoor_sd_k", 1, 0, 20);
	performance = palloc(sizeof(double) * Max(in.count, 1));
	for (int i = 0; i < in.count; i++)
		performance[i] = heat_supply_performance(
		    supply, isnan(in.temperature_c[i]) ? in.indoor_c : in.temperature_c[i]);
	in.performance = performance;
	if (signature_estimate(&in, &result, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	return result;
}

static void put_estimate(result_row *row, estimate e)
{
	put_number(row, e.value);
	put_number(row, e.low);
	put_number(row, e.high);
}

static void put_text(result_row *row, const char *text)
{
	put(row, text && text[0] ? CStringGetTextDatum(text) : (Datum)0, !text || !text[0]);
}

Datum smarthg_retrofit_estimate_series(PG_FUNCTION_ARGS)
{
	static const char *const models[] = {"refused", "line", "change point"};
	heat_supply supply = supply_arguments(fcinfo);
	signature s = estimate_home(fcinfo, &supply);
	const bool fitted = s.parameters > 0;
	const estimate none = {NAN, NAN, NAN};
	const bool known = s.model != SIGNATURE_REFUSED;
	const estimate values[] = {s.heat_loss_kw_per_k, s.base_temperature_c, s.base_load_kw,
	                           s.aperture_m2,        s.internal_gains_kw,  s.heat_at_zero_kw};
	result_row row = {.columns = 0};

	put_text(&row, models[s.model]);
	put_text(&row, s.reason);
	put(&row, Int32GetDatum(s.known), false);
	put(&row, Int32GetDatum(s.outliers), !fitted);
	for (int k = 0; k < (int)lengthof(values); k++)
		put_estimate(&row, known ? values[k] : none);
	put_number(&row, fitted ? s.fit.sd : NAN);
	put_number(&row, fitted ? s.fit.autocorrelation : NAN);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

static retrofit_option option_arguments(FunctionCallInfo fcinfo, const heat_supply *present)
{
	retrofit_option o = {.seasonal_cop = NAN};

	o.heat_loss_reduction =
	    bounded_argument(fcinfo, ARG_REDUCTION, "heat_loss_reduction_percent", 0, 0, 99) / 100;
	o.replaces = !PG_ARGISNULL(ARG_NEW_SUPPLY) || !PG_ARGISNULL(ARG_SEASONAL_COP);
	o.supply = *present;
	if (!PG_ARGISNULL(ARG_NEW_SUPPLY)) {
		o.supply = heat_supply_default(source_argument(fcinfo, ARG_NEW_SUPPLY, "new_supply"));
		temperature_arguments(fcinfo, ARG_FLOW, &o.supply);
	}
	if (!PG_ARGISNULL(ARG_SEASONAL_COP)) {
		o.seasonal_cop = bounded_argument(fcinfo, ARG_SEASONAL_COP, "seasonal_cop", NAN, 1, 20);
		if (!heat_source_pumps(o.supply.source))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("a seasonal COP needs a heat pump")));
	}
	o.cop_relative_sd = bounded_argument(fcinfo, ARG_COP_SD, "cop_relative_sd", 0.1, 0, 1);
	return o;
}

/* The span's weather: that of the estimate where none is given. */
static retrofit_span span_arguments(FunctionCallInfo fcinfo, const heat_supply *supply)
{
	const bool own = !PG_ARGISNULL(ARG_SPAN_TEMPERATURE);
	retrofit_span span = {.slots = -1, .supply = *supply};

	span.temperature_c = series_argument(fcinfo, own ? ARG_SPAN_TEMPERATURE : ARG_TEMPERATURE,
	                                     "span_temperature_c", &span.slots, true, true);
	check_count(span.slots);
	span.sun_kw_per_m2 = series_argument(fcinfo, own ? ARG_SPAN_SUN : ARG_SUN, "span_sun_kw_per_m2",
	                                     &span.slots, false, true);
	if (!PG_ARGISNULL(ARG_SUN) && !span.sun_kw_per_m2)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("span_sun_kw_per_m2 must not be null where sun_kw_per_m2 is not")));
	if (PG_ARGISNULL(ARG_SLOT_LENGTH))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("slot_length must not be null")));
	span.slot_hours =
	    (double)slot_length_us(PG_GETARG_INTERVAL_P(ARG_SLOT_LENGTH)) / USECS_PER_HOUR;
	span.indoor_c = number_argument(fcinfo, ARG_INDOOR, "indoor_c", 20);
	span.indoor_sd_k = number_argument(fcinfo, ARG_INDOOR_SD, "indoor_sd_k", 1);
	return span;
}

Datum smarthg_retrofit_option_series(PG_FUNCTION_ARGS)
{
	static const char *const prices[] = {"electricity_eur_per_kwh", "gas_eur_per_kwh",
	                                     "heat_eur_per_kwh"};
	static const char *const grams[] = {"electricity_g_per_kwh", "gas_g_per_kwh", "heat_g_per_kwh"};
	heat_supply supply = supply_arguments(fcinfo);
	retrofit_span span = span_arguments(fcinfo, &supply);
	retrofit_option option = option_arguments(fcinfo, &supply);
	signature s = estimate_home(fcinfo, &supply);
	retrofit_result r;
	result_row row = {.columns = 0};
	const estimate none = {NAN, NAN, NAN};

	for (int c = 0; c < ENERGY_CARRIERS; c++) {
		span.eur_per_kwh[c] =
		    series_argument(fcinfo, ARG_PRICE + c, prices[c], &span.slots, false, true);
		span.grams_per_kwh[c] =
		    series_argument(fcinfo, ARG_GRAMS + c, grams[c], &span.slots, false, true);
	}
	retrofit_evaluate(&s, &span, &option, &r);
	put_number(&row, r.reason ? NAN : r.slots * span.slot_hours);
	put_number(&row, r.reason ? NAN : r.before_kwh.value);
	put_number(&row, r.reason ? NAN : r.before_eur);
	put_number(&row, r.reason ? NAN : r.before_kg);
	put_estimate(&row, r.reason ? none : r.use_kwh);
	put_estimate(&row, r.reason ? none : r.saving_kwh);
	put_estimate(&row, r.reason ? none : r.saving_eur);
	put_estimate(&row, r.reason ? none : r.saving_kg);
	put_number(&row, r.reason ? NAN : r.seasonal_performance);
	put_text(&row, r.reason);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

Datum smarthg_retrofit_predict_series(PG_FUNCTION_ARGS)
{
	heat_supply supply = supply_arguments(fcinfo);
	retrofit_span span = span_arguments(fcinfo, &supply);
	retrofit_option option = option_arguments(fcinfo, &supply);
	signature s = estimate_home(fcinfo, &supply);
	double *use = palloc(sizeof(double) * 3 * Max(span.slots, 1));
	double *low = use + span.slots, *high = low + span.slots;
	estimate total = {NAN, NAN, NAN};
	const char *reason = s.model == SIGNATURE_REFUSED ? s.reason : NULL;
	result_row row = {.columns = 0};

	if (s.model == SIGNATURE_LINE && option.replaces)
		reason = "the base load is not known, nor then the heat that is to be made otherwise";
	if (!reason)
		retrofit_predict(&s, &span, &option, use, low, high, &total);
	put_series(&row, reason ? NULL : use, span.slots);
	put_series(&row, reason ? NULL : low, span.slots);
	put_series(&row, reason ? NULL : high, span.slots);
	put_estimate(&row, total);
	put_text(&row, reason);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

Datum smarthg_heat_pump_cop(PG_FUNCTION_ARGS)
{
	heat_source source = source_argument(fcinfo, 0, "supply");

	if (!heat_source_pumps(source))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a COP needs a heat pump")));
	PG_RETURN_FLOAT8(heat_supply_curve(source, bounded_argument(fcinfo, 1, "lift_k", NAN, 0, 100)));
}

Datum smarthg_heat_pump_cop_series(PG_FUNCTION_ARGS)
{
	int count = -1;
	double *heat = series_argument(fcinfo, 0, "heat_kw", &count, true, true);
	double *electricity = series_argument(fcinfo, 1, "electricity_kw", &count, true, true);
	double *temperature = series_argument(fcinfo, 2, "temperature_c", &count, true, true);
	heat_supply supply = heat_supply_default(source_argument(fcinfo, 3, "supply"));
	cop_estimate c;
	const estimate none = {NAN, NAN, NAN};
	result_row row = {.columns = 0};
	bool known;

	if (!heat_source_pumps(supply.source))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a COP needs a heat pump")));
	check_count(count);
	temperature_arguments(fcinfo, 4, &supply);
	known = heat_supply_estimate(&supply, count, heat, electricity, temperature, &c);
	put(&row, Int32GetDatum(c.known), false);
	put(&row, Int32GetDatum(c.outliers), !known);
	put_estimate(&row, known ? c.factor : none);
	put_estimate(&row, known ? c.tilt_per_k : none);
	put_estimate(&row, known ? c.cop : none);
	put_text(&row, c.reason);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}
