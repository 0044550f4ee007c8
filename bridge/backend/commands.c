/*
 * EBR commands from their rows to REQUEST payloads (DESIGN.md section 7,
 * Commands).
 */
#include "commands.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"

enum {
	TICK_MS = 250,
	FETCH_EVERY_MS = 30000, /* should a notification have been missed */
	FETCH_PAUSE_MS = 200,   /* between two fetches at least */
	FETCH_ROWS = 10000,
	FIRST_STORE_COLUMN = 4,
	STORE_COLUMNS = 1 + COMMAND_LEVELS,
	FIRST_BANDS_COLUMN = FIRST_STORE_COLUMN + COMMAND_STORES * STORE_COLUMNS,
};

struct commands {
	struct control *control;
	int64_t grace_ms;
	struct requests *requests;
	struct event *tick, *soon;
	bool fetching, fetch_again;
	bool more;             /* the last fetch was full */
	int64_t fetched_at_ms; /* steady */
};

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct commands *commands = context;

	(void)socket;
	(void)what;
	if (clock_steady_ms() - commands->fetched_at_ms >= FETCH_EVERY_MS ||
	    (commands->more && requests_count(commands->requests) < FETCH_ROWS / 2))
		commands_fetch(commands);
	requests_advance(commands->requests);
}

/* kW or kWh to W or Wh; false beyond the wire's range. */
static bool to_milli(double value, int32_t *out)
{
	if (!(fabs(value) * 1000 < INT32_MAX))
		return false;
	*out = (int32_t)lround(value * 1000);
	return true;
}

/* The same for a column; false where it is NULL. */
static bool read_milli(const PGresult *result, int row, int column, int32_t *out)
{
	return !PQgetisnull(result, row, column) &&
	       to_milli(strtod(PQgetvalue(result, row, column), NULL), out);
}

/* The numbers of an array's text, whatever its dimensions; -1 where there are too many. */
static int read_numbers(const char *text, double *numbers, int most)
{
	int count = 0;

	while (*(text += strspn(text, "{},"))) {
		char *end;

		if (count == most)
			return -1;
		numbers[count++] = strtod(text, &end);
		if (end == text)
			return -1;
		text = end;
	}
	return count;
}

/* A store's bands, rows of at_kw, charge_kwh and discharge_kwh; none where the column is NULL. */
static bool read_bands(const PGresult *result, int row, int column, struct ebr_store_command *store)
{
	double numbers[3 * COMMAND_BANDS];
	int count = PQgetisnull(result, row, column)
	                ? 0
	                : read_numbers(PQgetvalue(result, row, column), numbers, 3 * COMMAND_BANDS);

	if (count < 0 || count % 3 != 0 || count == 3)
		return false;
	store->bands = (uint8_t)(count / 3);
	for (int k = 0; k < store->bands; k++) {
		struct ebr_band *band = &store->band[k];
		bool last = k == store->bands - 1;

		band->at_w = INT32_MAX;
		if (isinf(numbers[3 * k]) != last || (!last && !to_milli(numbers[3 * k], &band->at_w)) ||
		    !to_milli(numbers[3 * k + 1], &band->charge_wh) ||
		    !to_milli(numbers[3 * k + 2], &band->discharge_wh))
			return false;
	}
	return true;
}

/* The stores of one row; false where one has a set-point but not its whole rule. */
static bool read_stores(const PGresult *result, int row, struct ebr_command *out)
{
	out->stores = 0;
	for (uint8_t i = 0; i < COMMAND_STORES; i++) {
		int column = FIRST_STORE_COLUMN + i * STORE_COLUMNS;
		struct ebr_store_command *store = &out->store[out->stores];

		if (PQgetisnull(result, row, column))
			continue;
		store->store = i;
		if (!read_milli(result, row, column, &store->setpoint_w))
			return false;
		for (int level = 0; level < COMMAND_LEVELS; level++)
			if (!read_milli(result, row, column + 1 + level, &store->level_wh[level]))
				return false;
		if (!read_bands(result, row, FIRST_BANDS_COLUMN + i, store))
			return false;
		out->stores++;
	}
	return true;
}

static void take_row(struct commands *commands, const PGresult *result, int row)
{
	int64_t id = strtoll(PQgetvalue(result, row, 0), NULL, 10);
	int64_t gateway_id = strtoll(PQgetvalue(result, row, 1), NULL, 10);
	uint8_t bytes[REQUEST_HEAD_SIZE + COMMAND_MAX_SIZE];
	struct writer payload = writer_over(bytes, sizeof(bytes));
	struct ebr_command ebr = {
	    .slot_start_ms = strtoull(PQgetvalue(result, row, 2), NULL, 10),
	    .slot_s = (uint32_t)strtoul(PQgetvalue(result, row, 3), NULL, 10),
	};

	if (requests_has(commands->requests, id))
		return;
	bool right = read_stores(result, row, &ebr);
	request_write(&payload, (uint64_t)id, METHOD_EBR);
	ebr_command_write(&payload, &ebr);
	if (right && !payload.broken)
		requests_add(commands->requests, id, gateway_id,
		             (int64_t)ebr.slot_start_ms + ebr.slot_s * INT64_C(1000), bytes, payload.at);
	else
		requests_refuse(commands->requests, id, gateway_id,
		                "a set-point without its rule, or beyond the range");
}

static void on_rows(void *context, const PGresult *result)
{
	struct commands *commands = context;

	commands->fetching = false;
	commands->more = PQntuples(result) == FETCH_ROWS;
	if (database_succeeded(result))
		for (int row = 0; row < PQntuples(result); row++)
			take_row(commands, result, row);
	if (commands->fetch_again)
		commands_fetch(commands);
}

static void fetch_now(struct commands *commands)
{
	char rows[16], grace[24];
	const char *values[] = {rows, grace};

	if (commands->fetching) {
		commands->fetch_again = true;
		return;
	}
	commands->fetch_again = commands->more = false;
	commands->fetched_at_ms = clock_steady_ms();
	snprintf(rows, sizeof(rows), "%d", FETCH_ROWS);
	snprintf(grace, sizeof(grace), "%" PRId64, commands->grace_ms / 1000);
	commands->fetching =
	    control_push(commands->control,
	                 "SELECT command_id, gateway_id, (extract(epoch FROM slot_start) * "
	                 "1000)::bigint, slot_seconds, ess_setpoint_kw, ess_grid_charge_kwh, "
	                 "ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, "
	                 "pev_setpoint_kw, pev_grid_charge_kwh, pev_surplus_charge_kwh, "
	                 "pev_cover_demand_kwh, pev_export_kwh, ess_bands, pev_bands "
	                 "FROM smarthg.bridge_commands($1, make_interval(secs => $2))",
	                 2, values, on_rows, commands);
}

static void on_soon(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	fetch_now(context);
}

struct commands *commands_new(struct event_base *base, struct control *control,
                              const struct commands_options *options)
{
	struct commands *commands = calloc(1, sizeof(*commands));
	struct requests_options requests = {
	    .method = METHOD_EBR,
	    .name = "command",
	    .id_name = "command_id",
	    .write_state = "SELECT smarthg.bridge_command_state($1, $2, $3)",
	    .answer_ms = options->answer_ms,
	    .grace_ms = options->grace_ms,
	    .context = options->context,
	    .send = options->send,
	    .log = options->log,
	};
	struct timeval every = {.tv_usec = TICK_MS * 1000};

	if (!commands)
		return NULL;
	commands->control = control;
	commands->grace_ms = options->grace_ms;
	commands->requests = requests_new(control, &requests);
	commands->fetched_at_ms = clock_steady_ms();
	commands->tick = event_new(base, -1, EV_PERSIST, on_tick, commands);
	commands->soon = evtimer_new(base, on_soon, commands);
	if (!commands->requests || !commands->tick || !commands->soon) {
		commands_free(commands);
		return NULL;
	}
	event_add(commands->tick, &every);
	return commands;
}

void commands_free(struct commands *commands)
{
	if (!commands)
		return;
	if (commands->tick)
		event_free(commands->tick);
	if (commands->soon)
		event_free(commands->soon);
	requests_free(commands->requests);
	free(commands);
}

void commands_reconfigure(struct commands *commands, int64_t answer_ms, int64_t grace_ms)
{
	commands->grace_ms = grace_ms;
	requests_reconfigure(commands->requests, answer_ms, grace_ms);
}

void commands_fetch(struct commands *commands)
{
	int64_t left_ms = commands->fetched_at_ms + FETCH_PAUSE_MS - clock_steady_ms();
	struct timeval pause = {.tv_usec = left_ms * 1000};

	if (evtimer_pending(commands->soon, NULL))
		return;
	if (left_ms > 0)
		event_add(commands->soon, &pause);
	else
		fetch_now(commands);
}

void commands_response(struct commands *commands, int64_t gateway_id,
                       const struct response *response)
{
	requests_response(commands->requests, gateway_id, response);
}
