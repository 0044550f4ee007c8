/*
 * smarthg.bridge_meter_counters and bridge_keep_meter_counters, between
 * core/freshness and the control connection.
 */
#include "counters.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "../core/clock.h"
#include "../core/freshness.h"

enum {
	SAVE_S = 60,
	SOON_MS = 1000, /* replays do not make the bridge write more often */
	CHUNK = 500,    /* meters in a statement */
	ITEM_SIZE = 24, /* of an array, as text */
	COLUMNS = 6,
};

_Static_assert((int)COLUMNS <= (int)CONTROL_PARAMETERS,
               "a statement has no room for a row of marks");

struct counters {
	struct control *control;
	struct freshness *freshness;
	struct event *timer;
	int64_t tolerance_ms;
	int64_t saved_ms;    /* steady */
	size_t saving;       /* statements under way */
	bool loading, again; /* a statement is queued; something changed meanwhile */
	char text[COLUMNS][CHUNK * ITEM_SIZE + 2];
};

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct counters *counters = context;

	(void)socket;
	(void)what;
	if (counters->saving == 0)
		counters_save(counters);
}

struct counters *counters_new(struct event_base *base, struct control *control)
{
	struct counters *counters = calloc(1, sizeof(*counters));
	struct timeval every = {.tv_sec = SAVE_S};

	if (!counters)
		return NULL;
	counters->control = control;
	counters->freshness = freshness_new();
	counters->timer = event_new(base, -1, EV_PERSIST, on_timer, counters);
	if (!counters->freshness || !counters->timer || event_add(counters->timer, &every) != 0) {
		counters_free(counters);
		return NULL;
	}
	return counters;
}

void counters_free(struct counters *counters)
{
	if (!counters)
		return;
	if (counters->timer)
		event_free(counters->timer);
	freshness_free(counters->freshness);
	free(counters);
}

void counters_tolerate(struct counters *counters, int64_t tolerance_ms)
{
	counters->tolerance_ms = tolerance_ms;
}

static void take_rows(struct counters *counters, const PGresult *result)
{
	freshness_load_begin(counters->freshness);
	for (int row = 0; row < PQntuples(result); row++) {
		struct freshness_mark mark;
		size_t size = 0;
		unsigned char *device =
		    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 0), &size);

		mark.counter.kind = (enum meter_counter_kind)atoi(PQgetvalue(result, row, 1));
		mark.counter.key_check = (uint32_t)strtoul(PQgetvalue(result, row, 2), NULL, 10);
		mark.counter.value = (uint32_t)strtoul(PQgetvalue(result, row, 3), NULL, 10);
		mark.heard_ms = strtoll(PQgetvalue(result, row, 4), NULL, 10) * 1000;
		mark.gateway_id = strtoll(PQgetvalue(result, row, 5), NULL, 10);
		if (device && size == MBUS_DEVICE_SIZE) {
			memcpy(mark.counter.device, device, MBUS_DEVICE_SIZE);
			freshness_load_put(counters->freshness, &mark);
		}
		PQfreemem(device);
	}
	freshness_load_end(counters->freshness);
}

static void on_rows(void *context, const PGresult *result)
{
	struct counters *counters = context;

	counters->loading = false;
	if (database_succeeded(result))
		take_rows(counters, result);
	if (counters->again)
		counters_load(counters);
}

/* Whoever may connect to the database may notify: at most one waits for its turn. */
void counters_load(struct counters *counters)
{
	counters->again = counters->loading;
	if (!counters->loading)
		counters->loading = control_push(counters->control,
		                                 "SELECT device_address, kind, key_check, counter, "
		                                 "extract(epoch FROM heard_at)::bigint, "
		                                 "gateway_id FROM smarthg.bridge_meter_counters()",
		                                 0, NULL, on_rows, counters);
}

static void on_saved(void *context, const PGresult *result)
{
	struct counters *counters = context;

	counters->saving--;
	if (!database_succeeded(result))
		freshness_not_kept(counters->freshness);
}

static void append(struct writer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct writer *text, const char *format, ...)
{
	char item[ITEM_SIZE + 1];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(item, sizeof(item), format, arguments);
	va_end(arguments);
	writer_bytes(text, item, (size_t)size);
}

/* A bytea in an array: quotes and a doubled backslash. */
static void append_device(struct writer *text, const uint8_t device[MBUS_DEVICE_SIZE])
{
	append(text, "\"\\\\x");
	for (size_t i = 0; i < MBUS_DEVICE_SIZE; i++)
		append(text, "%02x", device[i]);
	append(text, "\"");
}

/* The next marks as arrays, a column each; false: there are none. */
static bool write_chunk(struct counters *counters, size_t *at)
{
	struct writer column[COLUMNS];
	struct freshness_mark mark;
	size_t count = 0;

	for (int i = 0; i < COLUMNS; i++)
		column[i] = writer_over((uint8_t *)counters->text[i], sizeof(counters->text[i]));
	for (; count < CHUNK && freshness_take(counters->freshness, at, &mark); count++) {
		for (int i = 0; i < COLUMNS; i++)
			writer_u8(&column[i], count > 0 ? ',' : '{');
		append_device(&column[0], mark.counter.device);
		append(&column[1], "%d", (int)mark.counter.kind);
		append(&column[2], "%" PRIu32, mark.counter.key_check);
		append(&column[3], "%" PRIu32, mark.counter.value);
		append(&column[4], "%" PRId64, mark.heard_ms / 1000);
		append(&column[5], "%" PRId64, mark.gateway_id);
	}
	for (int i = 0; i < COLUMNS; i++) {
		writer_u8(&column[i], '}');
		writer_u8(&column[i], 0);
	}
	return count > 0;
}

void counters_save(struct counters *counters)
{
	const char *values[COLUMNS];
	size_t at = 0;

	counters->saved_ms = clock_steady_ms();
	while (write_chunk(counters, &at)) {
		for (int i = 0; i < COLUMNS; i++)
			values[i] = counters->text[i];
		if (!control_push(counters->control,
		                  "SELECT smarthg.bridge_keep_meter_counters($1, $2, $3, $4, $5, $6)",
		                  COLUMNS, values, on_saved, counters)) {
			freshness_not_kept(counters->freshness);
			return;
		}
		counters->saving++;
	}
}

void counters_check(struct counters *counters, int64_t gateway_id, struct decoded *decoded)
{
	if (decoded->counter.kind == COUNTER_NONE ||
	    freshness_accepts(counters->freshness, gateway_id, &decoded->counter, decoded->heard_ms,
	                      counters->tolerance_ms))
		return;
	decoded->quarantine = reading_status_text(READING_REPLAYED);
	decoded->replayed = true;
	decoded->count = 0;
	/* What it was measured by has to outlast it in quarantine, where it can be decoded again. */
	if (counters->saving == 0 && clock_steady_ms() - counters->saved_ms > SOON_MS)
		counters_save(counters);
}
