/* See reading_block.h. Differences are taken modulo 2^64, so that no value overflows. */
#include "reading_block.h"

#include "byte_cursor.h"

enum {
	VERSION = 1,
	HEADER_MOST = 3 + 5,
	READING_MOST = 1 + 5 * VARINT_MOST,
};

/* Bits of the control byte. */
enum {
	EVEN_MEASURED = 1, /* the step of the measured time is the last one's */
	EVEN_RECEIVED = 2,
	SAME_GATEWAY = 4, /* as the reading before, which begins with none */
	NO_GATEWAY = 8,
	EVEN_RECORD = 16, /* the step of the record number is the last one's, or there is none still */
	NO_RECORD = 32,
	EVEN_RAW = 64, /* the step of the counter is the last one's */
};

/* What the next reading is told against; all zero at a block's beginning. */
struct past {
	uint64_t measured, measured_step, received, received_step, raw, raw_step, record, record_step;
	int64_t gateway_id;
	bool has_gateway, has_record;
};

/* The first reading is told in full: its distance from nothing is no step to go on with. */
static void forget_steps(struct past *past)
{
	past->measured_step = past->received_step = past->raw_step = past->record_step = 0;
}

/* Times are counted in the longest of seconds, milliseconds and microseconds that fits all. */
static const int64_t units[] = {1, 1000, 1000000};

static int unit_of(int unit, int64_t us)
{
	while (us % units[unit] != 0)
		unit--;
	return unit;
}

size_t reading_block_bound(int count)
{
	return HEADER_MOST + (size_t)count * READING_MOST;
}

static uint8_t *put_reading(uint8_t *at, const stored_reading *reading, struct past *past,
                            int64_t measured_unit, int64_t received_unit)
{
	uint64_t measured = (uint64_t)(reading->measured_us / measured_unit);
	uint64_t received = (uint64_t)(reading->received_us / received_unit);
	uint64_t measured_step = measured - past->measured, received_step = received - past->received;
	uint64_t raw_step = (uint64_t)reading->raw - past->raw;
	uint64_t record_step = (uint64_t)reading->record_no - past->record;
	bool same_gateway = reading->has_gateway == past->has_gateway &&
	                    (!reading->has_gateway || reading->gateway_id == past->gateway_id);
	bool even_record = reading->has_record == past->has_record &&
	                   (!reading->has_record || record_step == past->record_step);

	*at++ = (uint8_t)((measured_step == past->measured_step ? EVEN_MEASURED : 0) |
	                  (received_step == past->received_step ? EVEN_RECEIVED : 0) |
	                  (same_gateway ? SAME_GATEWAY : 0) | (reading->has_gateway ? 0 : NO_GATEWAY) |
	                  (even_record ? EVEN_RECORD : 0) | (reading->has_record ? 0 : NO_RECORD) |
	                  (raw_step == past->raw_step ? EVEN_RAW : 0));
	if (measured_step != past->measured_step)
		at = put_signed(at, measured_step - past->measured_step);
	if (raw_step != past->raw_step)
		at = put_signed(at, raw_step - past->raw_step);
	if (received_step != past->received_step)
		at = put_signed(at, received_step - past->received_step);
	if (!same_gateway && reading->has_gateway)
		at = put_signed(at, (uint64_t)reading->gateway_id);
	if (!even_record && reading->has_record)
		at = put_signed(at, record_step - past->record_step);
	past->measured = measured;
	past->measured_step = measured_step;
	past->received = received;
	past->received_step = received_step;
	past->raw = (uint64_t)reading->raw;
	past->raw_step = raw_step;
	past->has_gateway = reading->has_gateway;
	past->gateway_id = reading->gateway_id;
	past->has_record = reading->has_record;
	if (reading->has_record) {
		past->record = (uint64_t)reading->record_no;
		past->record_step = record_step;
	}
	return at;
}

size_t reading_block_encode(const stored_reading *readings, int count, uint8_t *block)
{
	struct past past = {0};
	int measured_unit = 2, received_unit = 2;
	uint8_t *at = block;

	for (int i = 0; i < count; i++) {
		measured_unit = unit_of(measured_unit, readings[i].measured_us);
		received_unit = unit_of(received_unit, readings[i].received_us);
	}
	*at++ = VERSION;
	*at++ = (uint8_t)measured_unit;
	*at++ = (uint8_t)received_unit;
	at = put_varint(at, (uint64_t)count);
	for (int i = 0; i < count; i++) {
		at = put_reading(at, &readings[i], &past, units[measured_unit], units[received_unit]);
		if (i == 0)
			forget_steps(&past);
	}
	return (size_t)(at - block);
}

static outcome_status broken(outcome *out)
{
	return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "this is not a block of readings");
}

/* The header; leaves the cursor at the first reading. */
static bool get_header(byte_cursor *cursor, int *measured_unit, int *received_unit, int *count)
{
	uint8_t version = get_byte(cursor);
	uint64_t readings;

	*measured_unit = get_byte(cursor);
	*received_unit = get_byte(cursor);
	readings = get_varint(cursor);
	/* Each reading has a control byte at least. */
	if (cursor->failed || version != VERSION || *measured_unit > 2 || *received_unit > 2 ||
	    readings > (uint64_t)(cursor->end - cursor->at))
		return false;
	*count = (int)readings;
	return readings <= INT32_MAX;
}

outcome_status reading_block_count(const uint8_t *block, size_t size, int *count, outcome *out)
{
	byte_cursor cursor = {block, block + size, false};
	int measured_unit, received_unit;

	return get_header(&cursor, &measured_unit, &received_unit, count) ? (out->status = OUTCOME_OK)
	                                                                  : broken(out);
}

static void get_reading(byte_cursor *cursor, stored_reading *reading, struct past *past,
                        int64_t measured_unit, int64_t received_unit)
{
	uint8_t control = get_byte(cursor);

	past->measured_step += control & EVEN_MEASURED ? 0 : get_signed(cursor);
	past->raw_step += control & EVEN_RAW ? 0 : get_signed(cursor);
	past->received_step += control & EVEN_RECEIVED ? 0 : get_signed(cursor);
	past->measured += past->measured_step;
	past->raw += past->raw_step;
	past->received += past->received_step;
	past->has_gateway = !(control & NO_GATEWAY);
	if (!past->has_gateway)
		past->gateway_id = 0;
	else if (!(control & SAME_GATEWAY))
		past->gateway_id = (int64_t)get_signed(cursor);
	past->has_record = !(control & NO_RECORD);
	if (past->has_record) {
		past->record_step += control & EVEN_RECORD ? 0 : get_signed(cursor);
		past->record += past->record_step;
	}
	*reading = (stored_reading){
	    .measured_us = (int64_t)(past->measured * (uint64_t)measured_unit),
	    .received_us = (int64_t)(past->received * (uint64_t)received_unit),
	    .raw = (int64_t)past->raw,
	    .gateway_id = past->gateway_id,
	    .record_no = past->has_record ? (int64_t)past->record : 0,
	    .has_gateway = past->has_gateway,
	    .has_record = past->has_record,
	};
}

outcome_status reading_block_decode(const uint8_t *block, size_t size, stored_reading *readings,
                                    int count, outcome *out)
{
	byte_cursor cursor = {block, block + size, false};
	struct past past = {0};
	int measured_unit, received_unit, there;

	if (!get_header(&cursor, &measured_unit, &received_unit, &there) || there != count)
		return broken(out);
	for (int i = 0; i < count; i++) {
		get_reading(&cursor, &readings[i], &past, units[measured_unit], units[received_unit]);
		if (i == 0)
			forget_steps(&past);
	}
	if (cursor.failed || cursor.at != cursor.end)
		return broken(out);
	return out->status = OUTCOME_OK;
}
