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
#include "../core/series/slot_means.h"

/* Of the days that are read, all serve the forecast of the next one, the last are those that
 * other prices are expected from. */
enum { DAYS_BEFORE = PRICE_DAY_HISTORY, DAYS_EXPECTED_FROM = 14 };

/* What an answer depends on. */
typedef struct area_key {
	int64 price_area_id;
	TimestampTz start, at;
	int64 slot_us;
	int slots;
	/* A transaction that ends moves xmax on or leaves the snapshot's lists: where limits and
	 * lengths are the same, so is what is visible. */
	TransactionId xmin, xmax;
	uint32 running, running_children;
	CommandId command;
	LocalTransactionId transaction;
	SubTransactionId subtransaction; /* one's own that are rolled back are in no list */
} area_key;

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

static area_key key_of(int64 price_area_id, const slot_range *range, TimestampTz at)
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

/* Forecasts the day after the slots published, and takes it for the price of slots to plan that
 * have none; returns whether there were such. prices go past slots back from the first to plan. */
static bool forecast_next_day(area_prices *answer, double *prices, const int *phases, int past,
                              int slots, int per_day)
{
	int known = past + answer->known_slots, week = 7 * per_day;
	int noon = (phases[known - 1] + 1 + per_day / 2) % week;
	bool gap = false;

	answer->forecast_eur_per_kwh = palloc(sizeof(double) * (1 + PRICE_DAY_BACK) * per_day);
	if (!price_day_forecast(prices, known, per_day, noon / per_day, answer->forecast_eur_per_kwh)) {
		pfree(answer->forecast_eur_per_kwh);
		answer->forecast_eur_per_kwh = NULL;
		return false;
	}
	for (int k = 0; k < per_day && known + k < past + slots; k++) {
		gap = gap || isnan(prices[known + k]);
		if (isnan(prices[known + k]))
			prices[known + k] = answer->forecast_eur_per_kwh[k];
	}
	return gap;
}

const area_prices *read_area_prices(int64 price_area_id, const slot_range *range, TimestampTz at)
{
	static area_key known;
	static area_prices answer;
	area_key key = key_of(price_area_id, range, at);
	int per_day = (int)(USECS_PER_DAY / range->slot_us);
	slot_range longer = {range->start - DAYS_BEFORE * USECS_PER_DAY, range->slot_us,
	                     DAYS_BEFORE * per_day + range->count};
	MemoryContext callers;
	double *prices, *co2;
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
	answer.expected = forecast_next_day(&answer, prices, phases, past, range->count, per_day);
	answer.expected |= price_expect(prices + before, phases + before, DAYS_EXPECTED_FROM * per_day,
	                                range->count, per_day, palloc(sizeof(double) * 2 * per_day));
	query_area_co2(price_area_id, at, &longer);
	co2 = kept_steps(&longer);
	answer.history_co2_eur_per_kwh = co2 ? co2 + recent : NULL;
	answer.co2_eur_per_kwh = co2 ? co2 + past : NULL;
	MemoryContextSwitchTo(callers);
	known = key;
	return &answer;
}
