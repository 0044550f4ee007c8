/*
 * Promises of the store (DESIGN.md section 7): every record is sent until it is
 * committed, whatever fails; a record that the database refuses is told apart
 * from its batch; memory is accounted for to the byte. The database is played:
 * it refuses the records that it is told to.
 */
#include "tap.h"

#include <event2/event.h>
#include <stdlib.h>

#include "../../bridge/backend/store.h"

enum { RECORDS = 10, FLAGS_AT = 37, READINGS_AT = 44 };

static struct {
	struct database_handlers handlers;
	statement_done done;
	void *context;
	uint8_t sent[4096];
	size_t size;
	bool busy, refuses;
	int statements;
} server;

static struct {
	int calls_until_none; /* of realloc; below 0: there is memory */
	uint64_t poison;      /* refused with its readings */
	bool poison_raw;      /* and without */
	uint64_t committed[64];
	bool quarantined[64]; /* what was committed was without readings, with a reason */
	int commits, refused;
	bool held;
} world;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
	if (world.calls_until_none >= 0 && world.calls_until_none-- == 0)
		return NULL;
	return __real_realloc(old, size);
}

struct database *database_new(struct event_base *base, const char *conninfo, const char *name,
                              const struct database_handlers *handlers, const struct log *log)
{
	(void)base, (void)conninfo, (void)name, (void)log;
	server.handlers = *handlers;
	return (struct database *)&server;
}

void database_free(struct database *database)
{
	(void)database;
}

bool database_ready(const struct database *database)
{
	(void)database;
	return !server.busy;
}

bool database_connected(const struct database *database)
{
	(void)database;
	return true;
}

bool database_send(struct database *database, const struct statement *statement,
                   statement_done done, void *context)
{
	(void)database;
	server.size = (size_t)statement->lengths[0];
	memcpy(server.sent, statement->values[0], server.size);
	server.done = done;
	server.context = context;
	server.busy = true;
	server.statements++;
	return true;
}

bool database_data_error(const PGresult *result)
{
	return result && server.refuses;
}

bool database_succeeded(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_TUPLES_OK;
}

static uint64_t number_at(const uint8_t *at, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

/* Whether what was sent is refused; else, where it is to be stored, it is. */
static bool refused(bool store)
{
	for (size_t at = 0; at < server.size; at += 4 + number_at(server.sent + at, 4)) {
		const uint8_t *record = server.sent + at;
		uint64_t record_no = number_at(record + 12, 8);
		bool raw = record[FLAGS_AT] & 1 && number_at(record + READINGS_AT, 2) == 0;

		if (store) {
			world.quarantined[world.commits] = raw;
			world.committed[world.commits++] = record_no;
		} else if (record_no == world.poison && (!raw || world.poison_raw)) {
			return true;
		}
	}
	return false;
}

static void answer(PGresult *result)
{
	server.busy = false;
	server.done(server.context, result);
	PQclear(result);
	if (!server.busy)
		server.handlers.idle(server.handlers.context);
}

static void answer_all(void)
{
	while (server.busy) {
		server.refuses = refused(false);
		if (!server.refuses)
			refused(true);
		answer(PQmakeEmptyPGresult(NULL, server.refuses ? PGRES_FATAL_ERROR : PGRES_TUPLES_OK));
	}
}

static void on_committed(void *context, int64_t gateway_id, uint64_t record_no)
{
	(void)context, (void)gateway_id, (void)record_no;
}

static void on_refused(void *context, int64_t gateway_id)
{
	(void)context;
	world.refused += gateway_id == 1;
}

static void on_hold(void *context, bool held)
{
	(void)context;
	world.held = held;
}

static struct event_base *base;

static struct store *new_store(void)
{
	static const struct log log = {.level = (enum log_level)(-1)};
	struct store_options options = {.conninfo = "",
	                                .connections = 1,
	                                .batch_records = RECORDS,
	                                .batch_ms = 1,
	                                .memory_budget = 1 << 20,
	                                .committed = on_committed,
	                                .refused = on_refused,
	                                .hold = on_hold,
	                                .log = &log};

	memset(&server, 0, sizeof(server));
	memset(&world, 0, sizeof(world));
	world.calls_until_none = -1;
	return store_new(base, &options);
}

static bool add(struct store *store, uint64_t record_no)
{
	static struct decoded decoded = {.count = 1,
	                                 .readings = {{.device_size = 1,
	                                               .endpoint = 1,
	                                               .obis = "1-0:1.8.0.255",
	                                               .unit = "kWh",
	                                               .measured_ms = 1}}};
	static const uint8_t telegram[200];
	struct data_message data = {
	    .record_no = record_no, .kind = 1, .telegram = telegram, .telegram_size = sizeof(telegram)};

	return store_add(store, 1, &data, 1, &decoded);
}

/* Records from 1 in their order, the first of them without_readings where it is not 0. */
static bool all_committed(uint64_t without, uint64_t without_readings)
{
	int at = 0;

	for (uint64_t i = 1; i <= RECORDS; i++) {
		if (i == without)
			continue;
		if (at >= world.commits || world.committed[at] != i ||
		    world.quarantined[at] != (i == without_readings))
			return false;
		at++;
	}
	return at == world.commits;
}

static void test_refused(void)
{
	for (uint64_t poison = 1; poison <= RECORDS; poison++)
		for (int raw = 0; raw <= 1; raw++) {
			struct store *store = new_store();
			struct store_counts counts;

			world.poison = poison;
			world.poison_raw = raw;
			for (uint64_t i = 1; i <= RECORDS; i++)
				add(store, i);
			answer_all();
			counts = store_counts(store);
			ok(all_committed(raw ? poison : 0, raw ? 0 : poison) && world.refused == raw,
			   "record %d, refused %s, stands alone", (int)poison, raw ? "even raw" : "once");
			ok(counts.waiting == 0 && counts.memory == 0 && counts.unstorable == (uint64_t)raw &&
			       counts.records == (uint64_t)(RECORDS - raw) && counts.quarantined == 1,
			   "... and nothing is left of it: %zu records, %zu bytes", counts.waiting,
			   counts.memory);
			store_free(store);
		}
}

static void test_lost(void)
{
	struct store *store = new_store();
	uint8_t first[sizeof(server.sent)];
	size_t size;

	for (uint64_t i = 1; i <= RECORDS; i++)
		add(store, i);
	size = server.size;
	memcpy(first, server.sent, size);
	answer(NULL);
	ok(server.busy && server.statements == 2 && server.size == size &&
	       memcmp(server.sent, first, size) == 0,
	   "what was under way on a lost connection is sent again");
	add(store, RECORDS + 1);
	answer(PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR));
	ok(!server.busy, "after an error that is not of the data nothing is sent at once");
	while (!server.busy)
		event_base_loop(base, EVLOOP_ONCE);
	ok(server.size == size && memcmp(server.sent, first, size) == 0,
	   "... but the same after a pause");
	answer_all();
	ok(world.commits == RECORDS + 1 && world.committed[RECORDS] == RECORDS + 1 &&
	       store_counts(store).memory == 0,
	   "what came meanwhile follows");
	store_free(store);
}

static void test_no_memory(void)
{
	for (int calls = 0; calls < 2; calls++) {
		struct store *store = new_store();

		world.calls_until_none = calls;
		ok(!add(store, 1), "a record for which there is no memory is not taken");
		world.calls_until_none = -1;
		server.handlers.idle(server.handlers.context);
		ok(!server.busy, "... and nothing is sent");
		for (uint64_t i = 1; i <= RECORDS; i++)
			add(store, i);
		answer_all();
		ok(all_committed(0, 0) && store_counts(store).memory == 0 && !world.held,
		   "... and what comes later is sent, and accounted for");
		store_free(store);
	}
}

int main(void)
{
	base = event_base_new();
	test_refused();
	test_lost();
	test_no_memory();
	event_base_free(base);
	return tap_done();
}
