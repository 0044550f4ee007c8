/*
 * Prices and CO2 cost of an area on the planner's slots. A fleet's homes share areas, so the last
 * answer is kept for as long as the snapshot that it was read under.
 */
#include "home.h"

#include <math.h>

#include "access/xact.h"
#include "storage/proc.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "../core/forecast/price.h"
#include "../core/forecast/price_day.h"
#include "../core/forecast/price_days.h"
#include "../core/series/slot_means.h"

/* Of the days that are read, all serve the forecast of the next one, the last are those that
 * other prices are expected from. */
enum { DAYS_BEFORE = PRICE_DAY_HISTORY, DAYS_EXPECTED_FROM = 14 };

static const char *const PRICES_QUERY =
    "SELECT slot_start, extract(epoch FROM slot_length)::float8, energy_eur_per_kwh, published_at "
    "FROM smarthg.market_price WHERE price_area_id = $1 AND published_at <= $2 "
    "AND slot_start > $3::timestamptz - interval '1 day' AND slot_start < $4";

static const char *const CO2_QUERY =
    "SELECT slot_start, extract(epoch FROM slot_length)::float8, co2_eur_per_kwh "
    "FROM smarthg.co2_cost WHERE price_area_id = $1 AND published_at <= $2 "
    "AND slot_start > $3::timestamptz - interval '1 day' AND slot_start < $4";

double *steps_on_slots(SPITupleTable *rows, uint64 count, int value_column, const slot_range *range)
{
	series_step *steps = palloc_extended(sizeof(series_step) * Max(count, 1), MCXT_ALLOC_HUGE);
	double *means = palloc_extended(sizeof(double) * 2 * Max(range->count, 1), MCXT_ALLOC_HUGE);

	for (uint64 i = 0; i < count; i++) {
		bool null;
		Datum start = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &null);
		Datum seconds = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &null);
		Datum value = SPI_getbinval(rows->vals[i], rows->tupdesc, value_column, &null);

		steps[i].start_us = DatumGetTimestampTz(start);
		steps[i].length_us = (int64)(DatumGetFloat8(seconds) * USECS_PER_SEC);
		steps[i].value = null ? NAN : DatumGetFloat8(value);
	}
	slot_means(steps, (int)count, range->start, range->slot_us, range->count, means,
	           means + range->count);
	pfree(steps);
	return means;
}

/* Where an answer is kept: SPI leaves its own context as the current one, and frees that. */
static MemoryContext room;

static void query_steps(SPIPlanPtr *kept, const char *query, int64 price_area_id, TimestampTz at,
                        const slot_range *range)
{
	Oid types[4] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[4] = {Int64GetDatum(price_area_id), TimestampTzGetDatum(at),
	                   TimestampTzGetDatum(range->start),
	                   TimestampTzGetDatum(range->start + range->count * range->slot_us)};

	if (SPI_execute_plan(kept_plan(kept, query, 4, types), values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "prices cannot be read");
}

void query_area_prices(int64 price_area_id, TimestampTz at, const slot_range *range)
{
	static SPIPlanPtr plan;

	query_steps(&plan, PRICES_QUERY, price_area_id, at, range);
}

void query_area_co2(int64 price_area_id, TimestampTz at, const slot_range *range)
{
	static SPIPlanPtr plan;

	query_steps(&plan, CO2_QUERY, price_area_id, at, range);
}

/* What the last query found, on slots; NULL where that was nothing. */
static double *kept_steps(const slot_range *range)
{
	MemoryContextSwitchTo(room);
	if (SPI_processed == 0)
		return NULL;
	return steps_on_slots(SPI_tuptable, SPI_processed, 3, range);
}

/* The slot at whose start more prices are to be expected: a day after those of the last slot were
 * published; late corrections of others tell nothing. The rows are those of PRICES_QUERY. */
static int next_publication(const slot_range *range)
{
	TimestampTz last = DT_NOBEGIN, published = range->start - USECS_PER_DAY;
	bool null;

	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TimestampTz start =
		    DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null));

		if (start < last)
			continue;
		last = start;
		published = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 4, &null));
	}
	published = Max(published, range->start - USECS_PER_DAY);
	return (int)((published + USECS_PER_DAY - range->start + range->slot_us - 1) / range->slot_us);
}

static char *read_area_zone(int64 price_area_id)
{
	static SPIPlanPtr plan;
	Oid type = INT8OID;
	Datum value = Int64GetDatum(price_area_id);

	if (SPI_execute_plan(
	        kept_plan(&plan, "SELECT time_zone FROM smarthg.price_area WHERE price_area_id = $1", 1,
	                  &type),
	        &value, NULL, true, 1) != SPI_OK_SELECT ||
	    SPI_processed != 1)
		elog(ERROR, "price area cannot be read");
	MemoryContextSwitchTo(room);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

area_key area_key_of(int64 price_area_id, const slot_range *range, TimestampTz at)
{
	Snapshot snapshot = GetActiveSnapshot();
	area_key key;

	memset(&key, 0, sizeof(key));
	key.price_area_id = price_area_id;
	key.start = range->start;
	key.at = at;
	key.slot_us = range->slot_us;
	key.slots = range->count;
	key.running = snapshot->xcnt;
	key.running_children = (uint32)snapshot->subxcnt;
	key.xmin = snapshot->xmin;
	key.xmax = snapshot->xmax;
	key.command = snapshot->curcid;
	key.transaction = MyProc->lxid;
	key.subtransaction = GetCurrentSubTransactionId();
	return key;
}

/* What was forecast of an area lately, by the latest forecast of each slot; columns 3 and 4 are
 * price and CO2 cost. */
static const char *const FORECASTS_QUERY =
    "SELECT DISTINCT ON (slot_start) slot_start, extract(epoch FROM slot_length)::float8, "
    "energy_eur_per_kwh, co2_eur_per_kwh FROM smarthg.price_forecast WHERE price_area_id = $1 "
    "AND made_at <= $2 AND made_at > $2 - interval '2 days' AND slot_start > $3::timestamptz - "
    "interval '1 day' "
    "AND slot_start < $4 ORDER BY slot_start, made_at DESC";

/* The stored forecasts on the slots to plan: prices, then CO2 costs; NULL where there are none. */
static double *stored_forecasts(int64 price_area_id, TimestampTz at, const slot_range *range)
{
	static SPIPlanPtr plan;
	double *stored, *co2;

	query_steps(&plan, FORECASTS_QUERY, price_area_id, at, range);
	MemoryContextSwitchTo(room);
	if (SPI_processed == 0)
		return NULL;
	stored = palloc(sizeof(double) * 2 * range->count);
	co2 = steps_on_slots(SPI_tuptable, SPI_processed, 4, range);
	memcpy(stored + range->count, co2, sizeof(double) * range->count);
	memcpy(stored, steps_on_slots(SPI_tuptable, SPI_processed, 3, range),
	       sizeof(double) * range->count);
	return stored;
}

/* Fills gaps of a series from another; returns whether there were such that it fills. */
static bool fill_gaps(double *series, const double *from, int count)
{
	bool gap = false;

	for (int i = 0; i < count; i++) {
		if (!isnan(series[i]) || isnan(from[i]))
			continue;
		series[i] = from[i];
		gap = true;
	}
	return gap;
}

/* Forecasts the days after the slots published, and takes them for the price of slots to plan that
 * have none; returns whether there were such. prices go past slots back from the first to plan.
 * What is stored, from more than prices, goes before what is forecast here. */
static bool forecast_next_days(area_prices *answer, double *prices, const double *stored,
                               const int *phases, int past, int slots, int per_day)
{
	const int known = past + answer->known_slots, week = 7 * per_day, after = past + slots - known;
	const int ahead = Min(Max((after + per_day - 1) / per_day, 1), PRICE_DAYS_AHEAD);
	const int weekday = (phases[known - 1] + 1 + per_day / 2) % week / per_day;
	double *days = palloc_extended(sizeof(double) * ahead * per_day, MCXT_ALLOC_HUGE);
	bool gap = stored && fill_gaps(prices + past, stored, slots);

	answer->forecast_eur_per_kwh = palloc(sizeof(double) * (1 + PRICE_DAY_BACK) * per_day);
	if (!price_day_forecast(prices, known, per_day, weekday, answer->forecast_eur_per_kwh)) {
		pfree(answer->forecast_eur_per_kwh);
		answer->forecast_eur_per_kwh = NULL;
		return gap;
	}
	for (int k = 0; k < per_day && k < after; k++) {
		if (stored && !isnan(stored[answer->known_slots + k]))
			answer->forecast_eur_per_kwh[k] = stored[answer->known_slots + k];
	}
	gap |= fill_gaps(prices + known, answer->forecast_eur_per_kwh, Min(per_day, after));
	for (int i = known + per_day; i < past + slots; i++) {
		if (!isnan(prices[i]))
			continue;
		if (price_next_days(prices, known, per_day, weekday, ahead, days))
			gap |= fill_gaps(prices + known, days, Min(ahead * per_day, after));
		break;
	}
	return gap;
}

const area_prices *read_area_prices(int64 price_area_id, const slot_range *range, TimestampTz at)
{
	static area_key known;
	static area_prices answer;
	area_key key = area_key_of(price_area_id, range, at);
	int per_day = (int)(USECS_PER_DAY / range->slot_us);
	slot_range longer = {range->start - DAYS_BEFORE * USECS_PER_DAY, range->slot_us,
	                     DAYS_BEFORE * per_day + range->count};
	MemoryContext callers;
	double *prices, *co2, *stored;
	int *phases, past, before, recent;

	if (memcmp(&key, &known, sizeof(key)) == 0)
		return &answer;
	memset(&known, 0, sizeof(known));
	if (room == NULL)
		room =
		    AllocSetContextCreate(TopMemoryContext, "smarthg area prices", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(room);
	callers = MemoryContextSwitchTo(room);
	past = DAYS_BEFORE * per_day;
	query_area_prices(price_area_id, at, &longer);
	prices = kept_steps(&longer);
	answer.reveal_slot = next_publication(range);
	if (prices == NULL) {
		prices = palloc_extended(sizeof(double) * longer.count, MCXT_ALLOC_HUGE);
		for (int i = 0; i < longer.count; i++)
			prices[i] = NAN;
	}
	recent = past - AREA_HISTORY_DAYS * per_day;
	answer.history_energy_eur_per_kwh = prices + recent;
	answer.energy_eur_per_kwh = prices + past;
	answer.known_slots = 0;
	while (answer.known_slots < range->count && !isnan(prices[past + answer.known_slots]))
		answer.known_slots++;
	/* The slot that is about to run is planned as known, whatever its price is. */
	answer.known_slots = Max(answer.known_slots, 1);
	answer.reveal_slot = Max(Min(answer.reveal_slot, answer.known_slots), 1);
	phases = palloc_extended(sizeof(int) * longer.count, MCXT_ALLOC_HUGE);
	read_local_phases(&longer, read_area_zone(price_area_id), phases);
	before = past - DAYS_EXPECTED_FROM * per_day;
	answer.published = palloc(sizeof(bool) * range->count);
	for (int i = 0; i < range->count; i++)
		answer.published[i] = !isnan(prices[past + i]);
	stored = stored_forecasts(price_area_id, at, range);
	answer.expected =
	    forecast_next_days(&answer, prices, stored, phases, past, range->count, per_day);
	answer.expected |= price_expect(prices + before, phases + before, DAYS_EXPECTED_FROM * per_day,
	                                range->count, per_day, palloc(sizeof(double) * 2 * per_day));
	query_area_co2(price_area_id, at, &longer);
	co2 = kept_steps(&longer);
	answer.history_co2_eur_per_kwh = co2 ? co2 + recent : NULL;
	answer.co2_eur_per_kwh = co2 ? co2 + past : NULL;
	if (co2 && stored)
		fill_gaps(answer.co2_eur_per_kwh, stored + range->count, range->count);
	MemoryContextSwitchTo(callers);
	known = key;
	return &answer;
}
