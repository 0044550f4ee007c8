/* Batches of records as the bridge hands them over (DESIGN.md section 7). */
#include "../../extension/core/ingest/incoming_batch.h"
#include "tap.h"

#include <stdlib.h>

/* A record of the quarantine with a device, and one with a reading. */
static const uint8_t batch[] = {
    /* record: size, gateway 1, record 2, gateway time 3, received at 4 */
    0, 0, 0, 55, //
    0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
    4, //
    /* kind 2, reason and device, address 1, telegram 2, reason 2, no readings */
    2, 3, 0, 1, 0, 2, 0, 2, 0, 0,                       //
    1, 2, 3, 4, 5, 6, 7, 8, 0xaa, 0xb1, 0xb2, 'n', 'o', /* */
    /* record: gateway -1, record 5, no gateway time */
    0, 0, 0, 91,                                                                  //
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 5,       //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
    /* reading: -2, multiplier 3, divisor 1000, measured at 7 */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 3,       //
    0, 0, 0, 0, 0, 0, 0x03, 0xe8, 0, 0, 0, 0, 0, 0, 0, 7,                         //
    16, 2, 7, 3, 9, 0xd1, 0xd2, '1', ':', '1', '.', '8', '.', '0', 'k', 'W', 'h', //
};
enum { FIRST_SIZE = 59, READING_AT = FIRST_SIZE + 46 };

static bool equals(incoming_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.at, text, bytes.size) == 0;
}

static void test_parts(void)
{
	incoming_bytes rest = {batch, sizeof(batch)};
	incoming_record record;
	incoming_reading_bytes reading;
	outcome out;

	ok(incoming_record_take(&rest, &record, &out) == OUTCOME_OK && record.gateway_id == 1 &&
	       record.record_no == 2 && record.gateway_ms == 3 && record.received_ms == 4 &&
	       record.kind == 2,
	   "a record's numbers");
	ok(record.has_reason && equals(record.reason, "no") && equals(record.address, "\xaa") &&
	       equals(record.telegram, "\xb1\xb2") && record.readings == 0 && record.rest.size == 0,
	   "its bytes");
	ok(record.device && memcmp(record.device, "\1\2\3\4\5\6\7\10", 8) == 0,
	   "the device whose key would help");
	ok(incoming_record_take(&rest, &record, &out) == OUTCOME_OK && record.gateway_id == -1 &&
	       record.record_no == 5 && !record.has_reason && !record.device &&
	       record.address.size == 0 && record.readings == 1 && rest.size == 0,
	   "the record behind it");
	ok(incoming_reading_take(&record.rest, &reading, &out) == OUTCOME_OK && reading.raw == -2 &&
	       reading.multiplier == 3 && reading.divisor == 1000 && reading.measured_ms == 7,
	   "a reading's numbers");
	ok(equals(reading.device, "\xd1\xd2") && equals(reading.obis, "1:1.8.0") &&
	       equals(reading.unit, "kWh") && reading.endpoint == 9 && reading.identity.size == 16 &&
	       record.rest.size == 0,
	   "what it is a reading of");
	ok(incoming_reading_take(&record.rest, &reading, &out) == OUTCOME_BAD_INPUT,
	   "there are no more readings than there are");
}

/* Whether all records and readings of the bytes can be taken. */
static bool readable(const uint8_t *bytes, size_t size)
{
	incoming_bytes rest = {bytes, size};
	incoming_record record;
	incoming_reading_bytes reading;
	outcome out;

	while (rest.size > 0) {
		if (incoming_record_take(&rest, &record, &out) != OUTCOME_OK)
			return false;
		for (int i = 0; i < record.readings; i++)
			if (incoming_reading_take(&record.rest, &reading, &out) != OUTCOME_OK)
				return false;
	}
	return true;
}

static bool readable_with(size_t at, uint8_t value)
{
	uint8_t *copy = malloc(sizeof(batch));
	bool readable_now;

	memcpy(copy, batch, sizeof(batch));
	copy[at] = value;
	readable_now = readable(copy, sizeof(batch));
	free(copy);
	return readable_now;
}

static void test_refusals(void)
{
	size_t accepted = 0;

	for (size_t size = 0; size < sizeof(batch); size++) {
		/* In memory of its own, so that a read behind the end is seen. */
		uint8_t *part = malloc(size ? size : 1);

		memcpy(part, batch, size);
		accepted += readable(part, size);
		free(part);
	}
	ok(accepted == 2, "cut anywhere but between records it is refused");
	ok(readable_with(37, 0x13) == false, "unknown flags are refused");
	ok(!readable_with(20, 0x7f) && !readable_with(28, 0x7f) &&
	       !readable_with(READING_AT + 24, 0x7f) && !readable_with(READING_AT + 24, 0x80),
	   "impossible times are refused");
	ok(!readable_with(39, 200) && !readable_with(41, 200) && !readable_with(43, 200),
	   "parts longer than their record are refused");
	ok(!readable_with(READING_AT + 33, 200) && !readable_with(READING_AT + 34, 200) &&
	       !readable_with(READING_AT + 35, 200) && !readable_with(READING_AT + 35, 2),
	   "an identity has the size of its parts");
}

int main(void)
{
	test_parts();
	test_refusals();
	return tap_done();
}
