/* SQL binding that shows what the planner knows of a stored home at a moment (home.h). */
#include "home.h"

#include "../core/forecast/price_day.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_home_input);

static void put_known(result_row *row, const home_known *known)
{
	const int slots = known->range.count;
	const home_store *ess = &known->store[EBR_ESS], *pev = &known->store[EBR_PEV];

	put(row, Int64GetDatum(known->home_id), false);
	put(row, TimestampTzGetDatum(known->range.start), false);
	put(row, IntervalPGetDatum(known->slot_length), false);
	put_series(row, known->demand_kw, slots);
	put_series(row, known->production_kw, slots);
	put_series(row, known->energy_eur_per_kwh, slots);
	put_series(row, known->export_eur_per_kwh, slots);
	put_series(row, known->co2_eur_per_kwh, slots);
	for (int i = 0; i < PROFILE_SERIES; i++)
		put_series(row, known->profile[i], slots);
	put_number(row, known->contract_min_kw);
	put_number(row, known->contract_max_kw);
	put(row, ess->row, ess->none);
	put_number(row, ess->soc_kwh);
	put(row, pev->row, pev->none);
	put_number(row, pev->soc_kwh);
	put_number(row, known->plugged_hours);
	put_number(row, known->target_kwh);
	put(row, CStringGetTextDatum(known->demand_model), false);
	put(row, words_datum(known->assumed, known->assumptions), false);
	put_series(row, known->history_net_kw, known->recent);
	put_series(row, known->history_energy_eur_per_kwh, known->recent);
	put_series(row, known->history_export_eur_per_kwh, known->recent);
	put_series(row, known->history_co2_eur_per_kwh, known->recent);
	put(row, Int32GetDatum(known->phase), false);
	put(row, Int32GetDatum(known->known_slots), false);
	put(row, Int32GetDatum(known->reveal_slot), false);
	for (int i = 0; i < EBR_STORES; i++)
		put_series(row, known->previous_kw[i], slots);
	put_series(row, known->forecast_eur_per_kwh,
	           (int)((1 + PRICE_DAY_BACK) * USECS_PER_DAY / known->range.slot_us));
}

Datum smarthg_ebr_home_input(PG_FUNCTION_ARGS)
{
	MemoryContext callers = CurrentMemoryContext;
	result_row row = {.columns = 0};
	home_known known;
	Datum result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_home_known(PG_GETARG_INT64(0), PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_INT32(2),
	                PG_GETARG_INTERVAL_P(3), &known);
	put_known(&row, &known);
	/* All that SPI allocated goes with its connection; the answer is made outside of it. */
	MemoryContextSwitchTo(callers);
	result = row_datum(fcinfo, &row);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
