/*
 * smarthg.bridge_quarantine, page by page, through core/routing to
 * smarthg.bridge_decoded, which stores a telegram's readings once.
 */
#include "second_look.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "../core/clock.h"
#include "../core/text.h"

enum { PAGE = 200, ID_SIZE = 24, READING_TEXT = 400, REASON_SIZE = 300 };

struct second_look {
	struct control *control;
	struct decoder *decoder;
	struct counters *counters;
	const struct log *log;
	char after[ID_SIZE]; /* the last telegram of the page before */
	size_t looked, decoded_count;
	/* What the database was told of the page, answered in this order. */
	struct {
		char id[ID_SIZE];
		bool decoded;
	} told[PAGE];
	size_t told_count, answered;
	bool running, again;
	struct decoded decoded;
	char readings[READING_LIMIT * READING_TEXT]; /* as JSON */
};

struct second_look *second_look_new(struct control *control, struct decoder *decoder,
                                    struct counters *counters, const struct log *log)
{
	struct second_look *look = calloc(1, sizeof(*look));

	if (look) {
		look->control = control;
		look->decoder = decoder;
		look->counters = counters;
		look->log = log;
	}
	return look;
}

void second_look_free(struct second_look *look)
{
	free(look);
}

static void append(struct writer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct writer *text, const char *format, ...)
{
	char piece[READING_TEXT];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(piece, sizeof(piece), format, arguments);
	va_end(arguments);
	writer_bytes(text, piece, size > 0 && (size_t)size < sizeof(piece) ? (size_t)size : 0);
}

static void append_hex(struct writer *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		append(text, "%02x", bytes[i]);
}

/* The readings as JSON; their names and units are of plain characters. */
static void write_readings(struct second_look *look)
{
	struct writer text = writer_over(look->readings, sizeof(look->readings));

	append(&text, "[");
	for (size_t i = 0; i < look->decoded.count; i++) {
		const struct reading *reading = &look->decoded.readings[i];

		append(&text, "%s{\"device\":\"", i > 0 ? "," : "");
		append_hex(&text, reading->device, reading->device_size);
		append(&text,
		       "\",\"endpoint\":%u,\"obis\":\"%s\",\"unit\":\"%s\",\"raw_value\":%" PRId64
		       ",\"multiplier\":%" PRId64 ",\"divisor\":%" PRId64 ",\"measured_ms\":%" PRId64 "}",
		       reading->endpoint, reading->obis, reading->unit, reading->raw, reading->multiplier,
		       reading->divisor, reading->measured_ms);
	}
	append(&text, "]");
	writer_u8(&text, 0);
}

/* What the database refuses stays in quarantine with its reason, and is not looked at again. */
static void refused(struct second_look *look, const char *id, const PGresult *result)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char reason[REASON_SIZE];
	const char *values[] = {id, reason, NULL, NULL};

	snprintf(reason, sizeof(reason), "refused by the database: %s", primary ? primary : "");
	text_trim(reason);
	control_push(look->control, "SELECT smarthg.bridge_decoded($1, $2, $3, $4)", 4, values, NULL,
	             NULL);
}

static void on_told(void *context, const PGresult *result)
{
	struct second_look *look = context;
	size_t at = look->answered++;

	if (database_succeeded(result))
		look->decoded_count += look->told[at].decoded;
	else if (database_data_error(result) && look->told[at].decoded)
		refused(look, look->told[at].id, result);
}

static void send_outcome(struct second_look *look, const char *id)
{
	const struct decoded *decoded = &look->decoded;
	char device[2 + 2 * MBUS_DEVICE_SIZE + 1];
	struct writer text = writer_over(device, sizeof(device));
	const char *values[] = {id, decoded->quarantine, decoded->lacks_key ? device : NULL,
	                        decoded->quarantine ? NULL : look->readings};

	append(&text, "\\x");
	append_hex(&text, decoded->device, MBUS_DEVICE_SIZE);
	writer_u8(&text, 0);
	write_readings(look);
	if (!control_push(look->control, "SELECT smarthg.bridge_decoded($1, $2, $3, $4)", 4, values,
	                  on_told, look)) {
		log_line(look->log, LOG_ERROR, "telegram not decoded again", "reason=\"out of memory\"");
		return;
	}
	look->looked++;
	snprintf(look->told[look->told_count].id, ID_SIZE, "%s", id);
	look->told[look->told_count++].decoded = decoded->quarantine == NULL;
}

static void look_at_row(struct second_look *look, const PGresult *result, int row)
{
	size_t address_size = 0, telegram_size = 0;
	unsigned char *address =
	    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 4), &address_size);
	unsigned char *telegram =
	    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 5), &telegram_size);

	if (address && telegram && address_size <= UINT8_MAX && telegram_size <= UINT16_MAX) {
		struct data_message data = {
		    .gateway_ms = strtoull(PQgetvalue(result, row, 1), NULL, 10),
		    .kind = (uint8_t)strtoul(PQgetvalue(result, row, 3), NULL, 10),
		    .address_size = (uint8_t)address_size,
		    .telegram_size = (uint16_t)telegram_size,
		    .address = address,
		    .telegram = telegram,
		};

		routing_decode(look->decoder, ROUTE_ANY, &data,
		               strtoll(PQgetvalue(result, row, 2), NULL, 10), &look->decoded);
		/* By when it was heard, not by now: what waited is old, and still no replay. */
		counters_check(look->counters, strtoll(PQgetvalue(result, row, 6), NULL, 10),
		               &look->decoded);
		send_outcome(look, PQgetvalue(result, row, 0));
	}
	PQfreemem(address);
	PQfreemem(telegram);
}

static void fetch(struct second_look *look);

static void on_rows(void *context, const PGresult *result)
{
	struct second_look *look = context;
	int rows = database_succeeded(result) ? PQntuples(result) : 0;

	look->told_count = look->answered = 0;
	for (int row = 0; row < rows && row < PAGE; row++)
		look_at_row(look, result, row);
	look->running = false;
	if (rows > 0) {
		snprintf(look->after, sizeof(look->after), "%s", PQgetvalue(result, rows - 1, 0));
		fetch(look);
		return;
	}
	if (look->looked > 0)
		log_line(look->log, LOG_INFO, "quarantine decoded again", "telegrams=%zu decoded=%zu",
		         look->looked, look->decoded_count);
	if (look->again)
		second_look_begin(look);
}

static void fetch(struct second_look *look)
{
	char page[16];
	const char *values[] = {look->after, page};

	snprintf(page, sizeof(page), "%d", PAGE);
	look->running =
	    control_push(look->control,
	                 "SELECT quarantine_id, (extract(epoch FROM gateway_time) * 1000)::bigint, "
	                 "(extract(epoch FROM received_at) * 1000)::bigint, kind, address, telegram, "
	                 "gateway_id FROM smarthg.bridge_quarantine($1, $2)",
	                 2, values, on_rows, look);
}

void second_look_begin(struct second_look *look)
{
	look->again = look->running;
	if (look->running)
		return;
	snprintf(look->after, sizeof(look->after), "%" PRId64, INT64_MIN);
	look->looked = look->decoded_count = 0;
	fetch(look);
}
