/* Reading of incoming batches; nothing is read past the bytes that there are. */
#include "incoming_batch.h"

/* The last ms of PostgreSQL's timestamptz, year 294276, and 4713 BC. */
static const int64_t LAST_MS = INT64_C(9224318015999000), FIRST_MS = INT64_C(-210866803200000);

enum { FLAG_REASON = 1, FLAG_DEVICE = 2 };

/* NULL where there are fewer bytes, and none are left then. */
static const uint8_t *take(incoming_bytes *bytes, size_t size)
{
	const uint8_t *at = bytes->at;

	if (size > bytes->size) {
		bytes->size = 0;
		return NULL;
	}
	bytes->at += size;
	bytes->size -= size;
	return at;
}

static uint64_t number(const uint8_t *at, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

static int64_t signed_number(const uint8_t *at)
{
	return (int64_t)number(at, 8);
}

static bool take_bytes(incoming_bytes *from, size_t size, incoming_bytes *out)
{
	out->at = take(from, size);
	out->size = size;
	return out->at != NULL;
}

static bool is_time(int64_t ms)
{
	return ms >= FIRST_MS && ms < LAST_MS;
}

static outcome_status broken(outcome *out, const char *detail)
{
	return outcome_set(out, OUTCOME_BAD_INPUT, NULL, detail, "this is not a batch of records");
}

outcome_status incoming_record_take(incoming_bytes *batch, incoming_record *record, outcome *out)
{
	const uint8_t *size = take(batch, 4);
	incoming_bytes body;
	const uint8_t *head;
	uint8_t flags;

	if (!size || !take_bytes(batch, (size_t)number(size, 4), &body) || !(head = take(&body, 42)))
		return broken(out, "A record ends too early.");
	flags = head[33];
	*record = (incoming_record){
	    .gateway_id = signed_number(head),
	    .record_no = signed_number(head + 8),
	    .gateway_ms = signed_number(head + 16),
	    .received_ms = signed_number(head + 24),
	    .kind = head[32],
	    .has_reason = flags & FLAG_REASON,
	    .readings = (int)number(head + 40, 2),
	};
	if (flags & FLAG_DEVICE && !(record->device = take(&body, INCOMING_DEVICE_SIZE)))
		return broken(out, "A record ends too early.");
	if (!take_bytes(&body, (size_t)number(head + 34, 2), &record->address) ||
	    !take_bytes(&body, (size_t)number(head + 36, 2), &record->telegram) ||
	    !take_bytes(&body, (size_t)number(head + 38, 2), &record->reason))
		return broken(out, "A record ends too early.");
	if (flags & ~(FLAG_REASON | FLAG_DEVICE) || !is_time(record->gateway_ms) ||
	    !is_time(record->received_ms))
		return broken(out, "A record has unknown flags or an impossible time.");
	record->rest = body;
	return out->status = OUTCOME_OK;
}

outcome_status incoming_reading_take(incoming_bytes *rest, incoming_reading_bytes *reading,
                                     outcome *out)
{
	const uint8_t *head = take(rest, 33);
	incoming_bytes parts;
	const uint8_t *sizes;

	if (!head || !take_bytes(rest, head[32], &reading->identity))
		return broken(out, "A reading ends too early.");
	reading->raw = signed_number(head);
	reading->multiplier = signed_number(head + 8);
	reading->divisor = signed_number(head + 16);
	reading->measured_ms = signed_number(head + 24);
	parts = reading->identity;
	if (!(sizes = take(&parts, 4)) || !take_bytes(&parts, sizes[0], &reading->device) ||
	    !take_bytes(&parts, sizes[1], &reading->obis) ||
	    !take_bytes(&parts, sizes[2], &reading->unit) || parts.size > 0)
		return broken(out, "A reading's identity has not the size that it says.");
	reading->endpoint = sizes[3];
	if (!is_time(reading->measured_ms))
		return broken(out, "A reading has an impossible time.");
	return out->status = OUTCOME_OK;
}
