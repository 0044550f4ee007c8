/* SQL binding of the forecasts of demand (EUMF-K) and of prices (core/forecast). */
#include "binding.h"

#include "utils/builtins.h"

#include "../core/forecast/eumf_k.h"
#include "../core/forecast/price_day.h"

PG_FUNCTION_INFO_V1(smarthg_eumf_k_series);
PG_FUNCTION_INFO_V1(smarthg_price_day_forecast);

Datum smarthg_eumf_k_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	eumf_k_input in = {.history = -1, .horizon = -1};
	eumf_k_forecast forecast;
	outcome failed;
	double *room;

	in.history_kw = series_argument(fcinfo, 0, "history_kw", &in.history, true, true);
	in.history_phase = integers_argument(fcinfo, 1, "history_phase", &in.history);
	in.horizon_phase = integers_argument(fcinfo, 2, "horizon_phase", &in.horizon);
	if (PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("slots_per_day must not be null")));
	in.slots_per_day = PG_GETARG_INT32(3);
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
