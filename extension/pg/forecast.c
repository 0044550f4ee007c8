/* SQL binding of EUMF-K (core/forecast). */
#include "binding.h"

#include "utils/builtins.h"

#include "../core/forecast/eumf_k.h"

PG_FUNCTION_INFO_V1(smarthg_eumf_k_series);

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
