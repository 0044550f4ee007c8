/*
 * Records to binary array parameters (the server's array_recv format: number of
 * dimensions, null flag, element type, size, lower bound, then length and bytes
 * of each element; PostgreSQL's times count microseconds from 2000-01-01).
 */
#include "batch.h"

#include <stdlib.h>

/* Type identifiers are fixed in PostgreSQL's catalogue (pg_type.dat). */
enum {
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_TIMESTAMPTZ = 1184,
	OID_BYTEA_ARRAY = 1001,
	OID_INT2_ARRAY = 1005,
	OID_INT4_ARRAY = 1007,
	OID_TEXT_ARRAY = 1009,
	OID_INT8_ARRAY = 1016,
	OID_TIMESTAMPTZ_ARRAY = 1185,
	ARRAY_HEADER_SIZE = 20,
};

enum column_name {
	COLUMN_GATEWAY_ID,
	COLUMN_RECORD_NO,
	COLUMN_GATEWAY_TIME,
	COLUMN_RECEIVED_AT,
	COLUMN_KIND,
	COLUMN_ADDRESS,
	COLUMN_TELEGRAM,
	COLUMN_REASON,
	COLUMN_READING_RECORD,
	COLUMN_DEVICE,
	COLUMN_ENDPOINT,
	COLUMN_OBIS,
	COLUMN_UNIT,
	COLUMN_RAW,
	COLUMN_MULTIPLIER,
	COLUMN_DIVISOR,
	COLUMN_MEASURED_AT,
	COLUMN_QUARANTINE_DEVICE, /* of the record, like those before COLUMN_READING_RECORD */
};

#define POSTGRES_EPOCH_MS INT64_C(946684800000)
#define LAST_TIME_MS      INT64_C(9224318015999000) /* the end of timestamptz, year 294276 */

static const Oid parameter_types[BATCH_COLUMNS] = {
    OID_INT8_ARRAY,        OID_INT8_ARRAY,  OID_TIMESTAMPTZ_ARRAY, OID_TIMESTAMPTZ_ARRAY,
    OID_INT2_ARRAY,        OID_BYTEA_ARRAY, OID_BYTEA_ARRAY,       OID_TEXT_ARRAY,
    OID_INT4_ARRAY,        OID_BYTEA_ARRAY, OID_INT2_ARRAY,        OID_TEXT_ARRAY,
    OID_TEXT_ARRAY,        OID_INT8_ARRAY,  OID_INT8_ARRAY,        OID_INT8_ARRAY,
    OID_TIMESTAMPTZ_ARRAY, OID_BYTEA_ARRAY,
};

static Oid element_type(Oid array)
{
	switch (array) {
	case OID_BYTEA_ARRAY:
		return OID_BYTEA;
	case OID_INT2_ARRAY:
		return OID_INT2;
	case OID_INT4_ARRAY:
		return OID_INT4;
	case OID_TEXT_ARRAY:
		return OID_TEXT;
	case OID_TIMESTAMPTZ_ARRAY:
		return OID_TIMESTAMPTZ;
	default:
		return OID_INT8;
	}
}

/* Room for count elements, growing by halves. */
static bool ensure(void **array, size_t *capacity, size_t count, size_t element_size)
{
	size_t wanted = *capacity + *capacity / 2;
	void *larger;

	if (count <= *capacity)
		return true;
	wanted = wanted < count ? count : wanted;
	wanted = wanted < 64 ? 64 : wanted;
	larger = realloc(*array, wanted * element_size);
	if (!larger)
		return false;
	*array = larger;
	*capacity = wanted;
	return true;
}

struct batch *batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->count; i++)
		free(batch->records[i].reason);
	free(batch->records);
	free(batch->readings);
	free(batch->bytes);
	free(batch);
}

bool batch_add(struct batch *batch, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded)
{
	const char *reason = decoded->quarantine;
	size_t count = decoded->count;
	size_t size = (size_t)data->address_size + data->telegram_size;
	char *kept_reason = reason ? strdup(reason) : NULL;

	if ((reason && !kept_reason) ||
	    !ensure((void **)&batch->records, &batch->record_capacity, batch->count + 1,
	            sizeof(*batch->records)) ||
	    !ensure((void **)&batch->readings, &batch->reading_capacity, batch->reading_count + count,
	            sizeof(*batch->readings)) ||
	    !ensure((void **)&batch->bytes, &batch->byte_capacity, batch->byte_count + size, 1)) {
		free(kept_reason);
		return false;
	}
	batch->records[batch->count++] = (struct batch_record){
	    .gateway_id = gateway_id,
	    .record_no = data->record_no,
	    .gateway_ms = data->gateway_ms <= LAST_TIME_MS ? (int64_t)data->gateway_ms : 0,
	    .received_ms = received_ms,
	    .bytes_at = (uint32_t)batch->byte_count,
	    .first_reading = (uint32_t)batch->reading_count,
	    .readings = (uint16_t)count,
	    .telegram_size = data->telegram_size,
	    .address_size = data->address_size,
	    .kind = data->kind,
	    .lacks_key = decoded->lacks_key,
	    .reason = kept_reason,
	};
	if (decoded->lacks_key)
		memcpy(batch->records[batch->count - 1].device, decoded->device, MBUS_DEVICE_SIZE);
	struct writer bytes = writer_over(batch->bytes, batch->byte_capacity);
	bytes.at = batch->byte_count;
	writer_bytes(&bytes, data->address, data->address_size);
	writer_bytes(&bytes, data->telegram, data->telegram_size);
	batch->byte_count += size;
	if (count > 0)
		memcpy(batch->readings + batch->reading_count, decoded->readings,
		       count * sizeof(*decoded->readings));
	batch->reading_count += count;
	return true;
}

size_t batch_memory(const struct batch *batch)
{
	return sizeof(*batch) + batch->record_capacity * sizeof(*batch->records) +
	       batch->reading_capacity * sizeof(*batch->readings) + batch->byte_capacity;
}

bool batch_quarantine(struct batch *batch, size_t record, const char *reason)
{
	char *kept = strdup(reason);

	if (!kept)
		return false;
	free(batch->records[record].reason);
	batch->records[record].reason = kept;
	batch->records[record].readings = 0;
	return true;
}

/* Appends one element with its length; NULL bytes are SQL's NULL. */
static bool put(struct column *column, const void *bytes, size_t size)
{
	if (!ensure((void **)&column->bytes, &column->capacity, column->size + 4 + size, 1))
		return false;
	struct writer writer = writer_over(column->bytes + column->size, 4 + size);
	writer_u32(&writer, bytes ? (uint32_t)size : UINT32_MAX);
	if (bytes)
		writer_bytes(&writer, bytes, size);
	column->size += writer.at;
	return true;
}

static bool put_integer(struct column *column, int64_t value, size_t size)
{
	uint8_t bytes[8];
	struct writer writer = writer_over(bytes, sizeof(bytes));

	writer_be(&writer, (uint64_t)value, size);
	return put(column, bytes, size);
}

static bool put_positive(struct column *column, int64_t value)
{
	return value > 0 ? put_integer(column, value, 8) : put(column, NULL, 0);
}

static bool put_time(struct column *column, int64_t ms)
{
	return ms == 0 ? put(column, NULL, 0) : put_integer(column, (ms - POSTGRES_EPOCH_MS) * 1000, 8);
}

static bool put_text(struct column *column, const char *text)
{
	return put(column, text, text ? strlen(text) : 0);
}

static bool put_record(struct column *columns, const struct batch *batch,
                       const struct batch_record *record)
{
	struct cursor bytes = cursor_over(batch->bytes, batch->byte_count);

	cursor_take(&bytes, record->bytes_at);
	const uint8_t *address = cursor_take(&bytes, record->address_size);
	const uint8_t *telegram = cursor_take(&bytes, record->telegram_size);
	/* An empty one is not NULL. */
	address = address ? address : (const uint8_t *)"";
	telegram = telegram ? telegram : (const uint8_t *)"";
	return put_integer(&columns[COLUMN_GATEWAY_ID], record->gateway_id, 8) &&
	       put_integer(&columns[COLUMN_RECORD_NO], (int64_t)record->record_no, 8) &&
	       put_time(&columns[COLUMN_GATEWAY_TIME], record->gateway_ms) &&
	       put_time(&columns[COLUMN_RECEIVED_AT], record->received_ms) &&
	       put_integer(&columns[COLUMN_KIND], record->kind, 2) &&
	       put(&columns[COLUMN_ADDRESS], address, record->address_size) &&
	       put(&columns[COLUMN_TELEGRAM], telegram, record->telegram_size) &&
	       put_text(&columns[COLUMN_REASON], record->reason) &&
	       put(&columns[COLUMN_QUARANTINE_DEVICE], record->lacks_key ? record->device : NULL,
	           MBUS_DEVICE_SIZE);
}

static bool put_reading(struct column *columns, const struct reading *reading, size_t record)
{
	return put_integer(&columns[COLUMN_READING_RECORD], (int64_t)record, 4) &&
	       put(&columns[COLUMN_DEVICE], reading->device, reading->device_size) &&
	       put_integer(&columns[COLUMN_ENDPOINT], reading->endpoint, 2) &&
	       put_text(&columns[COLUMN_OBIS], reading->obis) &&
	       put_text(&columns[COLUMN_UNIT], reading->unit) &&
	       put_integer(&columns[COLUMN_RAW], reading->raw, 8) &&
	       put_positive(&columns[COLUMN_MULTIPLIER], reading->multiplier) &&
	       put_positive(&columns[COLUMN_DIVISOR], reading->divisor) &&
	       put_time(&columns[COLUMN_MEASURED_AT], reading->measured_ms);
}

/* The array header, now that the number of elements is known. */
static void put_header(struct column *column, Oid element, size_t count)
{
	struct writer writer = writer_over(column->bytes, ARRAY_HEADER_SIZE);

	writer_u32(&writer, 1); /* dimensions; an array of one dimension may have no elements */
	writer_u32(&writer, 1); /* there may be NULLs */
	writer_u32(&writer, element);
	writer_u32(&writer, (uint32_t)count);
	writer_u32(&writer, 1); /* lower bound */
}

static bool begin_columns(struct batch_parameters *parameters)
{
	for (int i = 0; i < BATCH_COLUMNS; i++) {
		struct column *column = &parameters->columns[i];

		if (!ensure((void **)&column->bytes, &column->capacity, ARRAY_HEADER_SIZE, 1))
			return false;
		column->size = ARRAY_HEADER_SIZE;
	}
	return true;
}

bool batch_encode(const struct batch *batch, size_t from, size_t until,
                  struct batch_parameters *parameters, struct statement *statement)
{
	size_t readings = 0;

	if (!begin_columns(parameters))
		return false;
	for (size_t i = from; i < until; i++) {
		const struct batch_record *record = &batch->records[i];

		if (!put_record(parameters->columns, batch, record))
			return false;
		for (size_t n = 0; n < record->readings; n++, readings++)
			if (!put_reading(parameters->columns, &batch->readings[record->first_reading + n],
			                 i - from + 1))
				return false;
	}
	for (int i = 0; i < BATCH_COLUMNS; i++) {
		struct column *column = &parameters->columns[i];

		put_header(column, element_type(parameter_types[i]),
		           i < COLUMN_READING_RECORD || i == COLUMN_QUARANTINE_DEVICE ? until - from
		                                                                      : readings);
		parameters->values[i] = (const char *)column->bytes;
		parameters->lengths[i] = (int)column->size;
		parameters->formats[i] = 1;
	}
	*statement = (struct statement){
	    .sql = "SELECT gateway_id, committed_record_no FROM smarthg.bridge_ingest($1, $2, $3, $4, "
	           "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
	    .parameters = BATCH_COLUMNS,
	    .types = parameter_types,
	    .values = parameters->values,
	    .lengths = parameters->lengths,
	    .formats = parameters->formats,
	    .binary_result = true,
	};
	return true;
}

void batch_parameters_free(struct batch_parameters *parameters)
{
	for (int i = 0; i < BATCH_COLUMNS; i++)
		free(parameters->columns[i].bytes);
	*parameters = (struct batch_parameters){0};
}
