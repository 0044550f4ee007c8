/* Records to the bytes of bridge_ingest_batch. */
#include "batch.h"

#include <stdlib.h>

enum {
	HEAD_SIZE = 46,    /* of a record, its size included */
	READING_SIZE = 37, /* of a reading, without the parts of its identity */
	UNIT_SIZE = 32,    /* no unit is longer */
	FLAG_REASON = 1,
	FLAG_DEVICE = 2,
	FULL_BYTES = 8 << 20,
	BYTEA_OID = 17, /* fixed in PostgreSQL's catalogue (pg_type.dat) */
};

#define LAST_TIME_MS INT64_C(9224318015999000) /* the end of timestamptz, year 294276 */

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
	free(batch->record_at);
	free(batch->bytes);
	free(batch);
}

/* What a record's head says. */
struct head {
	int64_t gateway_id;
	uint64_t record_no;
	int64_t gateway_ms, received_ms;
	uint8_t kind;
	const uint8_t *address, *telegram, *device; /* device NULL: no key would help */
	const char *reason;                         /* NULL: none */
	size_t address_size, telegram_size, readings;
};

static void write_head(struct writer *writer, const struct head *head)
{
	size_t reason_size = head->reason ? strlen(head->reason) : 0;

	writer_u64(writer, (uint64_t)head->gateway_id);
	writer_u64(writer, head->record_no);
	writer_u64(writer, (uint64_t)head->gateway_ms);
	writer_u64(writer, (uint64_t)head->received_ms);
	writer_u8(writer, head->kind);
	writer_u8(writer,
	          (uint8_t)((head->reason ? FLAG_REASON : 0) | (head->device ? FLAG_DEVICE : 0)));
	writer_u16(writer, (uint16_t)head->address_size);
	writer_u16(writer, (uint16_t)head->telegram_size);
	writer_u16(writer, (uint16_t)reason_size);
	writer_u16(writer, (uint16_t)head->readings);
	if (head->device)
		writer_bytes(writer, head->device, MBUS_DEVICE_SIZE);
	writer_bytes(writer, head->address, head->address_size);
	writer_bytes(writer, head->telegram, head->telegram_size);
	writer_bytes(writer, head->reason, reason_size);
}

static void write_reading(struct writer *writer, const struct reading *reading)
{
	size_t obis_size = strlen(reading->obis), unit_size = strlen(reading->unit);

	writer_u64(writer, (uint64_t)reading->raw);
	writer_u64(writer, (uint64_t)reading->multiplier);
	writer_u64(writer, (uint64_t)reading->divisor);
	writer_u64(writer, (uint64_t)reading->measured_ms);
	writer_u8(writer, (uint8_t)(4 + reading->device_size + obis_size + unit_size));
	writer_u8(writer, reading->device_size);
	writer_u8(writer, (uint8_t)obis_size);
	writer_u8(writer, (uint8_t)unit_size);
	writer_u8(writer, reading->endpoint);
	writer_bytes(writer, reading->device, reading->device_size);
	writer_bytes(writer, reading->obis, obis_size);
	writer_bytes(writer, reading->unit, unit_size);
}

/* Appends a record at the end of the bytes; *at is where. */
static bool append(struct batch *batch, const struct head *head, const struct reading *readings,
                   size_t *at)
{
	size_t most = HEAD_SIZE + MBUS_DEVICE_SIZE + head->address_size + head->telegram_size +
	              (head->reason ? strlen(head->reason) : 0) +
	              head->readings * (READING_SIZE + DEVICE_SIZE + OBIS_SIZE + UNIT_SIZE);
	struct writer writer, size;

	if (!ensure((void **)&batch->bytes, &batch->byte_capacity, batch->size + most, 1))
		return false;
	writer = writer_over(batch->bytes + batch->size, most);
	writer_u32(&writer, 0);
	write_head(&writer, head);
	for (size_t i = 0; i < head->readings; i++)
		write_reading(&writer, &readings[i]);
	if (writer.broken)
		return false;
	size = writer_over(batch->bytes + batch->size, 4);
	writer_u32(&size, (uint32_t)(writer.at - 4));
	*at = batch->size;
	batch->size += writer.at;
	return true;
}

bool batch_add(struct batch *batch, int64_t gateway_id, const struct data_message *data,
               int64_t received_ms, const struct decoded *decoded)
{
	struct head head = {
	    .gateway_id = gateway_id,
	    .record_no = data->record_no,
	    .gateway_ms = data->gateway_ms < LAST_TIME_MS ? (int64_t)data->gateway_ms : 0,
	    .received_ms = received_ms,
	    .kind = data->kind,
	    .address = data->address,
	    .telegram = data->telegram,
	    .device = decoded->lacks_key ? decoded->device : NULL,
	    .reason = decoded->quarantine,
	    .address_size = data->address_size,
	    .telegram_size = data->telegram_size,
	    .readings = decoded->count,
	};

	if (!ensure((void **)&batch->record_at, &batch->record_capacity, batch->count + 1,
	            sizeof(*batch->record_at)) ||
	    !append(batch, &head, decoded->readings, &batch->record_at[batch->count]))
		return false;
	batch->count++;
	return true;
}

bool batch_full(const struct batch *batch, size_t records)
{
	return batch->count >= records || batch->size >= FULL_BYTES;
}

size_t batch_memory(const struct batch *batch)
{
	return sizeof(*batch) + batch->record_capacity * sizeof(*batch->record_at) +
	       batch->byte_capacity;
}

/* A cursor over one record, behind its size. */
static struct cursor record_cursor(const struct batch *batch, size_t record)
{
	size_t at = batch->record_at[record];
	struct cursor size = cursor_over(batch->bytes + at, batch->size - at);

	return cursor_over(batch->bytes + at + 4, cursor_u32(&size));
}

void batch_identify(const struct batch *batch, size_t record, int64_t *gateway_id,
                    uint64_t *record_no)
{
	struct cursor cursor = record_cursor(batch, record);

	*gateway_id = (int64_t)cursor_u64(&cursor);
	*record_no = cursor_u64(&cursor);
}

bool batch_quarantine(struct batch *batch, size_t record, const char *reason)
{
	struct cursor cursor = record_cursor(batch, record);
	struct head head = {.reason = reason};
	size_t former_reason;
	uint8_t flags;

	/* Its bytes are read while the new version is written behind them. */
	if (!ensure((void **)&batch->bytes, &batch->byte_capacity,
	            batch->size + cursor.size + strlen(reason) + HEAD_SIZE + MBUS_DEVICE_SIZE, 1))
		return false;
	cursor = record_cursor(batch, record);
	head.gateway_id = (int64_t)cursor_u64(&cursor);
	head.record_no = cursor_u64(&cursor);
	head.gateway_ms = (int64_t)cursor_u64(&cursor);
	head.received_ms = (int64_t)cursor_u64(&cursor);
	head.kind = cursor_u8(&cursor);
	flags = cursor_u8(&cursor);
	head.address_size = cursor_u16(&cursor);
	head.telegram_size = cursor_u16(&cursor);
	former_reason = cursor_u16(&cursor);
	cursor_u16(&cursor);
	head.device = flags & FLAG_DEVICE ? cursor_take(&cursor, MBUS_DEVICE_SIZE) : NULL;
	head.address = cursor_take(&cursor, head.address_size);
	head.telegram = cursor_take(&cursor, head.telegram_size);
	cursor_take(&cursor, former_reason);
	return append(batch, &head, NULL, &batch->record_at[record]);
}

void batch_statement(const struct batch *batch, size_t from, size_t until,
                     struct batch_parameters *parameters, struct statement *statement)
{
	static const Oid type = BYTEA_OID;
	static const int binary = 1;
	struct cursor last = record_cursor(batch, until - 1);

	parameters->value = (const char *)batch->bytes + batch->record_at[from];
	parameters->length =
	    (int)(batch->record_at[until - 1] + 4 + last.size - batch->record_at[from]);
	*statement = (struct statement){
	    .sql = "SELECT gateway_id, committed_record_no FROM smarthg.bridge_ingest_batch($1)",
	    .parameters = 1,
	    .types = &type,
	    .values = &parameters->value,
	    .lengths = &parameters->length,
	    .formats = &binary,
	    .binary_result = true,
	};
}
