/*
 * Delivery of EBR commands (DESIGN.md section 7, Commands). The request id is
 * the command's identifier, so that a repeated REQUEST is recognised by the
 * gateway, and an answer is matched even after a restart of the bridge.
 */
#include "commands.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/clock.h"

enum {
	BUCKETS = 4096,
	TICK_MS = 250,
	FETCH_EVERY_MS = 30000, /* should a notification have been missed */
	FETCH_PAUSE_MS = 200,   /* between two fetches at least */
	FETCH_ROWS = 10000,
	ATTEMPTS = 3,
	FIRST_STORE_COLUMN = 4,
	STORE_COLUMNS = 1 + COMMAND_LEVELS,
	FIRST_BANDS_COLUMN = FIRST_STORE_COLUMN + COMMAND_STORES * STORE_COLUMNS,
};

enum command_state { COMMAND_WAITING, COMMAND_SENT, COMMAND_SETTLED };

struct command {
	struct command *next;
	struct commands *commands;
	unsigned reports; /* states on their way to the database */
	int64_t id, gateway_id;
	enum command_state state;
	int attempts;
	int64_t sent_at_ms; /* steady */
	struct ebr_command ebr;
};

struct commands {
	struct control *control;
	struct commands_options options;
	struct event *tick, *soon;
	struct command *buckets[BUCKETS];
	size_t count;
	bool fetching, fetch_again;
	bool more;             /* the last fetch was full */
	int64_t fetched_at_ms; /* steady */
};

static struct command **find(struct commands *commands, int64_t id)
{
	struct command **at = &commands->buckets[(uint64_t)id % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* A settled command is forgotten when the database knows, lest a fetch under way bring it back. */
static void on_reported(void *context, const PGresult *result)
{
	struct command *command = context;
	struct commands *commands = command->commands;

	(void)result;
	command->reports--;
	if (command->state != COMMAND_SETTLED || command->reports > 0)
		return;
	*find(commands, command->id) = command->next;
	free(command);
	commands->count--;
}

static void write_state(struct commands *commands, struct command *command, const char *state,
                        const char *detail)
{
	char id[24];
	const char *values[] = {id, state, detail};

	log_line(commands->options.log, LOG_INFO, "command",
	         "command_id=%" PRId64 " gateway_id=%" PRId64 " state=%s detail=\"%s\"", command->id,
	         command->gateway_id, state, detail ? detail : "");
	snprintf(id, sizeof(id), "%" PRId64, command->id);
	if (control_push(commands->control, "SELECT smarthg.bridge_command_state($1, $2, $3)", 3,
	                 values, on_reported, command))
		command->reports++;
}

static void settle(struct commands *commands, struct command *command, const char *state,
                   const char *detail)
{
	command->state = COMMAND_SETTLED;
	write_state(commands, command, state, detail);
}

static void send_command(struct commands *commands, struct command *command, int64_t now_ms)
{
	uint8_t bytes[REQUEST_HEAD_SIZE + COMMAND_MAX_SIZE];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	request_write(&payload, (uint64_t)command->id, METHOD_EBR);
	ebr_command_write(&payload, &command->ebr);
	if (payload.broken ||
	    !commands->options.send(commands->options.context, command->gateway_id, bytes, payload.at))
		return;
	command->attempts++;
	command->sent_at_ms = now_ms;
	if (command->state == COMMAND_WAITING) {
		command->state = COMMAND_SENT;
		write_state(commands, command, "sent", NULL);
	}
}

static void advance(struct commands *commands, struct command *command, int64_t now_ms)
{
	uint64_t end_ms = command->ebr.slot_start_ms + command->ebr.slot_s * UINT64_C(1000) +
	                  (uint64_t)commands->options.grace_ms;

	if (command->state == COMMAND_SETTLED)
		return;
	if ((uint64_t)clock_wall_ms() >= end_ms)
		settle(commands, command, "expired",
		       command->state == COMMAND_SENT ? "no answer before the slot ended"
		                                      : "gateway was not connected before the slot ended");
	else if (command->state == COMMAND_WAITING ||
	         now_ms - command->sent_at_ms >= commands->options.answer_ms) {
		if (command->attempts < ATTEMPTS)
			send_command(commands, command, now_ms);
		else
			settle(commands, command, "failed", "gateway did not answer");
	}
}

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct commands *commands = context;
	int64_t now_ms = clock_steady_ms();

	(void)socket;
	(void)what;
	if (now_ms - commands->fetched_at_ms >= FETCH_EVERY_MS ||
	    (commands->more && commands->count < FETCH_ROWS / 2))
		commands_fetch(commands);
	if (commands->count == 0)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct command *command = commands->buckets[i]; command; command = command->next)
			advance(commands, command, now_ms);
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
	struct command **at = find(commands, id), *command;

	if (*at)
		return;
	command = calloc(1, sizeof(*command));
	if (!command)
		return;
	command->commands = commands;
	command->id = id;
	command->gateway_id = strtoll(PQgetvalue(result, row, 1), NULL, 10);
	command->ebr.slot_start_ms = strtoull(PQgetvalue(result, row, 2), NULL, 10);
	command->ebr.slot_s = (uint32_t)strtoul(PQgetvalue(result, row, 3), NULL, 10);
	*at = command;
	commands->count++;
	if (read_stores(result, row, &command->ebr))
		advance(commands, command, clock_steady_ms());
	else
		settle(commands, command, "failed", "a set-point without its rule, or beyond the range");
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
	snprintf(grace, sizeof(grace), "%" PRId64, commands->options.grace_ms / 1000);
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
	struct timeval every = {.tv_usec = TICK_MS * 1000};

	if (!commands)
		return NULL;
	commands->control = control;
	commands->options = *options;
	commands->fetched_at_ms = clock_steady_ms();
	commands->tick = event_new(base, -1, EV_PERSIST, on_tick, commands);
	commands->soon = evtimer_new(base, on_soon, commands);
	if (!commands->tick || !commands->soon) {
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
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct command *command = commands->buckets[i], *next; command; command = next) {
			next = command->next;
			free(command);
		}
	free(commands);
}

void commands_reconfigure(struct commands *commands, int64_t answer_ms, int64_t grace_ms)
{
	commands->options.answer_ms = answer_ms;
	commands->options.grace_ms = grace_ms;
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
	struct command *command = *find(commands, (int64_t)response->id);
	char detail[60];

	if (!command || command->gateway_id != gateway_id || command->state != COMMAND_SENT ||
	    response->method != METHOD_EBR)
		return;
	if (response->result == RESULT_OK) {
		settle(commands, command, "acknowledged", NULL);
		return;
	}
	snprintf(detail, sizeof(detail), "gateway answered with result %u", response->result);
	settle(commands, command, "failed", detail);
}
