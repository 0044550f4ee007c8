/* SQL binding that shows an area's prices as plans and residents count them (home.h). */
#include "home.h"

#include <math.h>

#include "catalog/pg_type.h"

PG_FUNCTION_INFO_V1(smarthg_price_outlook);

static void check_area(int64 price_area_id)
{
	static SPIPlanPtr plan;
	Oid types[1] = {INT8OID};
	Datum values[1] = {Int64GetDatum(price_area_id)};
	const char *query = "SELECT FROM smarthg.price_area WHERE price_area_id = $1";

	if (SPI_execute_plan(kept_plan(&plan, query, 1, types), values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "price area cannot be read");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("price area " INT64_FORMAT " does not exist", price_area_id)));
}

Datum smarthg_price_outlook(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	int64 slot_us = slot_length_us(PG_GETARG_INTERVAL_P(3));
	slot_range range = {0, slot_us, PG_GETARG_INT32(2)};
	const area_prices *prices;

	if (TIMESTAMP_NOT_FINITE(at) || range.count < 1 || range.count > 10000)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("an outlook needs a finite time and 1 to 10000 slots")));
	range.start = at - ((at % slot_us) + slot_us) % slot_us;
	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	check_slot_length(slot_us);
	check_area(PG_GETARG_INT64(0));
	prices = read_area_prices(PG_GETARG_INT64(0), &range, at);
	for (int i = 0; i < range.count; i++) {
		result_row row = {.columns = 0};

		put(&row, TimestampTzGetDatum(range.start + i * slot_us), false);
		put_number(&row, prices->energy_eur_per_kwh[i]);
		put_number(&row, prices->co2_eur_per_kwh ? prices->co2_eur_per_kwh[i] : NAN);
		put(&row, BoolGetDatum(prices->published[i]), false);
		tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
	}
	SPI_finish();
	return (Datum)0;
}
