/*
 * Lanes of batches to smarthg.bridge_ingest_batch (DESIGN.md section 7). A call that
 * fails by its data is halved until the one record at fault stands alone; that
 * one goes to quarantine with the error as its reason. Any other failure is the
 * database's, and the same call is made again: what was committed although its
 * answer was lost is skipped there by its record number.
 */
#include "store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "../core/clock.h"
#include "../core/text.h"

enum { RANGES = 64, RETRY_MS = 500, REASON_SIZE = 300 };

/* A part of the batch under way that is still to be committed. */
struct range {
	size_t from, until;
	bool quarantined; /* a single record, already without its readings */
};

struct lane {
	struct store *store;
	struct database *database;
	struct batch *first, *last; /* first is under way while ranges > 0 */
	struct range range[RANGES];
	int ranges;
	struct batch_parameters parameters;
	struct event *retry;
	bool retrying;
};

struct store {
	struct store_options options;
	struct lane *lanes;
	struct event *flush; /* runs while some batch waits for company */
	bool flush_set, flush_due;
	bool held;
	size_t memory, reserved; /* bytes; memory covers what is reserved */
	struct store_counts counts;
};

static void send_next(struct lane *lane);

static void account(struct store *store, size_t before, size_t after)
{
	bool over;

	store->memory += after - before;
	over = store->memory > store->options.memory_budget;
	if (over && !store->held) {
		store->held = true;
		store->options.hold(store->options.context, true);
	} else if (store->held && store->memory < store->options.memory_budget / 4 * 3) {
		store->held = false;
		store->options.hold(store->options.context, false);
	}
}

/* The batch under way is committed in all its parts. */
static void drop_first(struct lane *lane)
{
	struct batch *batch = lane->first;

	lane->first = batch->next;
	if (!lane->first)
		lane->last = NULL;
	size_t memory = batch_memory(batch);
	batch_free(batch);
	account(lane->store, memory, 0);
}

static void retry_later(struct lane *lane)
{
	struct timeval delay = {.tv_usec = RETRY_MS * 1000};

	lane->retrying = true;
	event_add(lane->retry, &delay);
}

static void on_retry(evutil_socket_t socket, short what, void *context)
{
	struct lane *lane = context;

	(void)socket;
	(void)what;
	lane->retrying = false;
	send_next(lane);
}

static uint64_t binary_u64(const PGresult *result, int row, int column)
{
	struct cursor cursor =
	    cursor_over(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));

	return cursor_u64(&cursor);
}

static void range_committed(struct lane *lane, const PGresult *result)
{
	struct store *store = lane->store;
	struct range *range = &lane->range[lane->ranges - 1];

	store->counts.records += range->until - range->from;
	store->counts.waiting -= range->until - range->from;
	store->counts.batches++;
	latency_add(&store->counts.latency, clock_steady_ms() - lane->first->opened_ms);
	lane->ranges--;
	for (int i = 0; i < PQntuples(result); i++)
		store->options.committed(store->options.context, (int64_t)binary_u64(result, i, 0),
		                         binary_u64(result, i, 1));
	if (lane->ranges == 0)
		drop_first(lane);
}

/* One record that the database refuses even raw: it stays with its gateway, to be repeated. */
static void give_up(struct lane *lane, const char *error)
{
	struct range *range = &lane->range[--lane->ranges];
	int64_t gateway_id;
	uint64_t record_no;

	batch_identify(lane->first, range->from, &gateway_id, &record_no);
	lane->store->counts.unstorable++;
	lane->store->counts.waiting--;
	log_line(lane->store->options.log, LOG_ERROR, "record cannot be stored",
	         "gateway_id=%" PRId64 " record=%" PRIu64 " error=\"%s\"", gateway_id, record_no,
	         error);
	lane->store->options.refused(lane->store->options.context, gateway_id);
	if (lane->ranges == 0)
		drop_first(lane);
}

static void range_refused(struct lane *lane, const PGresult *result)
{
	struct range *range = &lane->range[lane->ranges - 1];
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason), "refused by the database: %s", primary ? primary : "");
	text_trim(reason);
	if (range->until - range->from > 1) {
		size_t middle = range->from + (range->until - range->from) / 2;
		struct range first = {range->from, middle, false};

		range->from = middle;
		lane->range[lane->ranges++] = first;
	} else if (!range->quarantined) {
		size_t before = batch_memory(lane->first);
		int64_t gateway_id;
		uint64_t record_no;

		if (!batch_quarantine(lane->first, range->from, reason)) {
			retry_later(lane);
			return;
		}
		account(lane->store, before, batch_memory(lane->first));
		range->quarantined = true;
		lane->store->counts.quarantined++;
		batch_identify(lane->first, range->from, &gateway_id, &record_no);
		log_line(lane->store->options.log, LOG_WARNING, "record goes to quarantine",
		         "gateway_id=%" PRId64 " record=%" PRIu64 " reason=\"%s\"", gateway_id, record_no,
		         reason);
	} else {
		give_up(lane, reason);
	}
}

static void on_done(void *context, const PGresult *result)
{
	struct lane *lane = context;

	if (database_succeeded(result)) {
		range_committed(lane, result);
	} else if (database_data_error(result)) {
		range_refused(lane, result);
	} else if (result) {
		log_line(lane->store->options.log, LOG_ERROR, "batch failed, will be tried again",
		         "error=\"%s\"", PQresultErrorMessage(result));
		retry_later(lane);
	}
}

/* Begins with the next batch where it is full or has waited long enough. */
static bool begin_batch(struct lane *lane)
{
	struct store *store = lane->store;

	if (lane->ranges > 0)
		return true;
	/* It is empty where there was no memory for its first record. */
	if (!lane->first || lane->first->count == 0)
		return false;
	if (!lane->first->next && !batch_full(lane->first, store->options.batch_records) &&
	    !store->flush_due)
		return false;
	lane->range[0] = (struct range){0, lane->first->count, false};
	lane->ranges = 1;
	return true;
}

static void send_next(struct lane *lane)
{
	struct statement statement;
	struct range range;

	if (lane->retrying || !database_ready(lane->database) || !begin_batch(lane))
		return;
	range = lane->range[lane->ranges - 1];
	batch_statement(lane->first, range.from, range.until, &lane->parameters, &statement);
	database_send(lane->database, &statement, on_done, lane);
}

static void on_idle(void *context)
{
	struct lane *lane = context;
	struct store *store = lane->store;

	/* What came while the last batch was under way has waited at least as long. */
	store->flush_due = true;
	send_next(lane);
	store->flush_due = false;
}

static void on_flush(evutil_socket_t socket, short what, void *context)
{
	struct store *store = context;

	(void)socket;
	(void)what;
	store->flush_set = false;
	store->flush_due = true;
	for (unsigned i = 0; i < store->options.connections; i++)
		send_next(&store->lanes[i]);
	store->flush_due = false;
}

static bool start_lane(struct store *store, struct event_base *base, unsigned number)
{
	struct lane *lane = &store->lanes[number];
	struct database_handlers handlers = {.context = lane, .idle = on_idle};
	char name[32];

	snprintf(name, sizeof(name), "ingest-%u", number + 1);
	lane->store = store;
	lane->retry = evtimer_new(base, on_retry, lane);
	lane->database =
	    database_new(base, store->options.conninfo, name, &handlers, store->options.log);
	return lane->retry && lane->database;
}

struct store *store_new(struct event_base *base, const struct store_options *options)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->options = *options;
	store->lanes = calloc(options->connections, sizeof(*store->lanes));
	store->flush = evtimer_new(base, on_flush, store);
	bool started = store->lanes && store->flush;
	for (unsigned i = 0; started && i < options->connections; i++)
		started = start_lane(store, base, i);
	if (!started) {
		store_free(store);
		return NULL;
	}
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (unsigned i = 0; store->lanes && i < store->options.connections; i++) {
		struct lane *lane = &store->lanes[i];

		database_free(lane->database);
		if (lane->retry)
			event_free(lane->retry);
		for (struct batch *batch = lane->first, *next; batch; batch = next) {
			next = batch->next;
			batch_free(batch);
		}
	}
	if (store->flush)
		event_free(store->flush);
	free(store->lanes);
	free(store);
}

/* The batch that takes new records: never the one under way. */
static struct batch *open_batch(struct lane *lane)
{
	bool under_way = lane->ranges > 0 && lane->last == lane->first;

	if (lane->last && !under_way && !batch_full(lane->last, lane->store->options.batch_records))
		return lane->last;
	struct batch *batch = batch_new();
	if (!batch)
		return NULL;
	if (lane->last)
		lane->last->next = batch;
	else
		lane->first = batch;
	lane->last = batch;
	batch->opened_ms = clock_steady_ms();
	account(lane->store, 0, batch_memory(batch));
	return batch;
}

bool store_add(struct store *store, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded)
{
	struct lane *lane = &store->lanes[(uint64_t)gateway_id % store->options.connections];
	struct batch *batch = open_batch(lane);
	size_t before = batch ? batch_memory(batch) : 0;
	struct timeval delay = {.tv_usec = store->options.batch_ms * 1000};

	bool added = batch && batch_add(batch, gateway_id, data, received_ms, decoded);

	/* It may have grown in vain. */
	if (batch)
		account(store, before, batch_memory(batch));
	if (!added)
		return false;
	store->counts.waiting++;
	if (decoded->quarantine)
		store->counts.quarantined++;
	if (batch_full(batch, store->options.batch_records))
		send_next(lane);
	else if (!store->flush_set) {
		event_add(store->flush, &delay);
		store->flush_set = true;
	}
	return true;
}

bool store_reserve(struct store *store, size_t before, size_t after)
{
	size_t reserved = store->reserved - before + after;

	/* Held, nobody completes a message: less than what ends a hold may wait for that. */
	if (after > before && reserved > store->options.memory_budget / 2)
		return false;
	store->reserved = reserved;
	account(store, before, after);
	return true;
}

void store_count(struct store *store, size_t before, size_t after)
{
	account(store, before, after);
}

struct store_counts store_counts(const struct store *store)
{
	struct store_counts counts = store->counts;

	counts.memory = store->memory;
	counts.held = store->held;
	for (unsigned i = 0; i < store->options.connections; i++) {
		const struct batch *first = store->lanes[i].first;
		int64_t waits_ms = first ? clock_steady_ms() - first->opened_ms : 0;

		counts.connected += database_connected(store->lanes[i].database);
		if (waits_ms > counts.oldest_ms)
			counts.oldest_ms = waits_ms;
	}
	return counts;
}

void store_reconfigure(struct store *store, const struct store_options *options)
{
	store->options.batch_records = options->batch_records;
	store->options.batch_ms = options->batch_ms;
	store->options.memory_budget = options->memory_budget;
	account(store, 0, 0);
}
