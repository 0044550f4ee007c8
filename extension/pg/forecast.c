/* SQL binding of the forecasts on arrays: demand (EUMF-K), its backtest, prices (core/forecast). */
#include "binding.h"

#include <math.h>

#include "utils/builtins.h"

#include "../core/forecast/backtest.h"
#include "../core/forecast/eumf_k.h"
#include "../core/forecast/price_day.h"
#include "../core/forecast/price_days.h"

PG_FUNCTION_INFO_V1(smarthg_eumf_k_series);
PG_FUNCTION_INFO_V1(smarthg_eumf_backtest_series);
PG_FUNCTION_INFO_V1(smarthg_price_day_forecast);
PG_FUNCTION_INFO_V1(smarthg_price_days_series);

static int count_argument(FunctionCallInfo fcinfo, int number, const char *name, int for_null)
{
	if (!PG_ARGISNULL(number))
		return PG_GETARG_INT32(number);
	if (for_null < 0)
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return for_null;
}

static eumf_k_method method_argument(FunctionCallInfo fcinfo, int number)
{
	char *name = PG_ARGISNULL(number) ? "combined" : text_to_cstring(PG_GETARG_TEXT_PP(number));
	eumf_k_method method = eumf_k_method_of(name);

	if (method == EUMF_K_METHODS)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("method \"%s\" is unknown", name),
		         errhint("Methods are combined, last_day, last_week, all_days, same_weekdays, "
		                 "like_days, smoothing and regression.")));
	return method;
}

Datum smarthg_eumf_k_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	eumf_k_input in = {.history = -1, .horizon = -1};
	eumf_k_forecast forecast;
	outcome failed;
	double *room;
	int week;

	in.history_kw = series_argument(fcinfo, 0, "history_kw", &in.history, true, true);
	in.history_phase = integers_argument(fcinfo, 1, "history_phase", &in.history);
	in.horizon_phase = integers_argument(fcinfo, 2, "horizon_phase", &in.horizon);
	in.slots_per_day = count_argument(fcinfo, 3, "slots_per_day", -1);
	if (in.slots_per_day < 24 || in.slots_per_day > 1440)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("%d slots a day are not possible", in.slots_per_day),
		                errdetail("A day has 24 to 1440 slots.")));
	if (!PG_ARGISNULL(4) && PG_GETARG_BOOL(4))
		in.kind = EUMF_K_PRODUCTION;
	in.method = method_argument(fcinfo, 5);
	week = 7 * in.slots_per_day;
	in.standard_kw = series_argument(fcinfo, 6, "standard_kw", &week, false, false);
	in.temperature_c = series_argument(fcinfo, 7, "temperature_c", &in.history, false, true);
	in.horizon_temperature_c =
	    series_argument(fcinfo, 8, "horizon_temperature_c", &in.horizon, false, true);
	room = palloc(sizeof(double) * 4 * Max(in.horizon, 1));
	forecast.mean_kw = room;
	forecast.q10_kw = room + in.horizon;
	forecast.q50_kw = room + 2 * in.horizon;
	forecast.q90_kw = room + 3 * in.horizon;
	if (eumf_k(&in, &forecast, &failed) != OUTCOME_OK)
		raise_outcome(&failed);

	InitMaterializedSRF(fcinfo, 0);
	for (int h = 0; h < in.horizon; h++) {
		Datum row[6] = {Int32GetDatum(h + 1),
		                Float8GetDatum(forecast.mean_kw[h]),
		                Float8GetDatum(forecast.q10_kw[h]),
		                Float8GetDatum(forecast.q50_kw[h]),
		                Float8GetDatum(forecast.q90_kw[h]),
		                CStringGetTextDatum(eumf_k_model_name(forecast.model))};
		bool nulls[6] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum)0;
}

Datum smarthg_price_day_forecast(PG_FUNCTION_ARGS)
{
	int history = -1, slots_per_day = PG_GETARG_INT32(1), weekday = PG_GETARG_INT32(2), count;
	double *prices = series_argument(fcinfo, 0, "price_eur_per_kwh", &history, true, true);
	double *forecast;

	if (slots_per_day < 24 || slots_per_day > 1440 || weekday < 0 || weekday > 6)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("%d slots a day and weekday %d are not possible", slots_per_day, weekday),
		         errdetail("A day has 24 to 1440 slots, a week days 0 (Monday) to 6.")));
	count = (1 + PRICE_DAY_BACK) * slots_per_day;
	forecast = palloc(sizeof(double) * count);
	if (!price_day_forecast(prices, history, slots_per_day, weekday, forecast))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(series_datum(forecast, count));
}

Datum smarthg_eumf_backtest_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	eumf_backtest_input in = {.slots = -1};
	eumf_backtest_sums sums[EUMF_K_METHODS];
	outcome failed;

	in.series_kw = series_argument(fcinfo, 0, "history_kw", &in.slots, true, true);
	in.phase = integers_argument(fcinfo, 1, "phase", &in.slots);
	in.slots_per_day = count_argument(fcinfo, 2, "slots_per_day", -1);
	in.first = count_argument(fcinfo, 3, "first_origin", -1) - 1;
	in.horizon = count_argument(fcinfo, 4, "horizon", in.slots_per_day);
	in.step = count_argument(fcinfo, 5, "step", in.slots_per_day);
	in.history_days = count_argument(fcinfo, 6, "history_days", 56);
	in.kind = !PG_ARGISNULL(7) && PG_GETARG_BOOL(7) ? EUMF_K_PRODUCTION : EUMF_K_DEMAND;
	in.interrupted = cancelled;
	if (eumf_backtest(&in, sums, &failed) != OUTCOME_OK)
		raise_outcome(&failed);

	InitMaterializedSRF(fcinfo, 0);
	for (int method = 0; method < EUMF_K_METHODS; method++) {
		const eumf_backtest_sums *s = &sums[method];
		result_row row = {.columns = 0};

		put(&row, CStringGetTextDatum(eumf_k_method_name(method)), false);
		put(&row, Int32GetDatum(s->origins), false);
		put(&row, Int32GetDatum(s->slots), false);
		put_number(&row, s->absolute_kw);
		put_number(&row, s->square_kw2);
		put_number(&row, s->pinball_kw);
		put(&row, Int32GetDatum(s->inside), false);
		put_number(&row, s->naive_kw);
		put_number(&row, s->scaled_kw);
		tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
	}
	return (Datum)0;
}

Datum smarthg_price_days_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	int hours = -1, days = -1, all_hours;
	price_days_input in = {0};
	price_days_forecast f = {0};
	outcome failed;

	in.price = series_argument(fcinfo, 0, "price", &hours, true, true);
	in.weekday = integers_argument(fcinfo, 1, "weekday", &days);
	in.ahead = count_argument(fcinfo, 2, "ahead", -1);
	if (in.ahead < 1 || in.ahead > PRICE_DAYS_AHEAD || hours % PRICE_DAYS_HOURS != 0 ||
	    days != hours / PRICE_DAYS_HOURS + in.ahead)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
		                errmsg("%d hours and %d weekdays are no base for a forecast of %d days",
		                       hours, days, in.ahead),
		                errdetail("Days have 24 hours each, weekdays are those of the known days "
		                          "and of the 1 to 7 to be forecast.")));
	in.days = hours / PRICE_DAYS_HOURS;
	all_hours = days * PRICE_DAYS_HOURS;
	in.temperature_c = series_argument(fcinfo, 3, "temperature_c", &all_hours, false, true);
	in.carbon_g_per_kwh = series_argument(fcinfo, 4, "carbon_g_per_kwh", &hours, false, true);
	in.least = number_argument(fcinfo, 5, "lowest", -INFINITY);
	f.mean = palloc(sizeof(double) * 4 * PRICE_DAYS_AHEAD * PRICE_DAYS_HOURS);
	f.q10 = f.mean + PRICE_DAYS_AHEAD * PRICE_DAYS_HOURS;
	f.q50 = f.q10 + PRICE_DAYS_AHEAD * PRICE_DAYS_HOURS;
	f.q90 = f.q50 + PRICE_DAYS_AHEAD * PRICE_DAYS_HOURS;
	in.interrupted = cancelled;
	if (price_days(&in, &f, &failed) != OUTCOME_OK)
		raise_outcome(&failed);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < in.ahead * PRICE_DAYS_HOURS; i++) {
		result_row row = {.columns = 0};

		put(&row, Int32GetDatum(i / PRICE_DAYS_HOURS + 1), false);
		put(&row, Int32GetDatum(i % PRICE_DAYS_HOURS), false);
		put_number(&row, f.mean[i]);
		put_number(&row, f.q10[i]);
		put_number(&row, f.q50[i]);
		put_number(&row, f.q90[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
	}
	return (Datum)0;
}
