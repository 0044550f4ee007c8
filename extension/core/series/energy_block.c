/* See energy_block.h. */
#include "energy_block.h"

#include "byte_cursor.h"

#include <math.h>
#include <string.h>

enum {
	VERSION = 1,
	DECIMALS_MOST = 9,
	NO_DECIMALS = 255,
	HEADER_MOST = 2 + VARINT_MOST,
	COVERED_MOST = 370 * 24 * 60, /* more than a year of minutes */
};

/* Up to here, 2^43, a double tells a whole number from one that is off by a hundredth. */
static const double WHOLE_MOST = 8796093022208.0;

static const double units_per_kwh[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

void energy_slots_clear(energy_slots *slots, int count)
{
	slots->count = count;
	for (int s = 0; s < count; s++) {
		slots->kwh[s] = 0;
		slots->covered[s] = 0;
		slots->quality[s] = INTERVAL_MEASURED;
	}
}

void energy_slots_add(energy_slots *slots, int slot, const energy_slots *from, int from_slot)
{
	if (from->covered[from_slot] == 0)
		return;
	slots->kwh[slot] += from->kwh[from_slot];
	slots->covered[slot] += from->covered[from_slot];
	if (slots->covered[slot] > COVERED_MOST)
		slots->covered[slot] = COVERED_MOST;
	if (from->quality[from_slot] > slots->quality[slot])
		slots->quality[slot] = from->quality[from_slot];
}

bool energy_slots_known(const energy_slots *slots)
{
	for (int s = 0; s < slots->count; s++)
		if (slots->covered[s] > 0)
			return true;
	return false;
}

void energy_slots_sum(const energy_slots *from, int per, energy_slots *to)
{
	energy_slots_clear(to, from->count / per);
	for (int s = 0; s < to->count * per; s++)
		energy_slots_add(to, s / per, from, s);
}

size_t energy_block_bound(int count)
{
	return HEADER_MOST + (size_t)count * 3 * VARINT_MOST;
}

/* The least number of decimals that tells all values; 9 where they have no end. */
static int decimals_of(const energy_slots *slots)
{
	int decimals = 0;

	for (int s = 0; s < slots->count; s++) {
		double kwh = slots->kwh[s], slack = fmin(1e-12 * fmax(1, fabs(kwh)), 5e-10);

		if (slots->covered[s] == 0)
			continue;
		while (decimals < DECIMALS_MOST) {
			double units = kwh * units_per_kwh[decimals];

			if (fabs(units - round(units)) <= slack * units_per_kwh[decimals])
				break;
			decimals++;
		}
		if (!(fabs(kwh * units_per_kwh[decimals]) < WHOLE_MOST))
			return NO_DECIMALS;
	}
	for (int s = 0; s < slots->count; s++)
		if (!(fabs(slots->kwh[s] * units_per_kwh[decimals]) < WHOLE_MOST))
			return NO_DECIMALS;
	return decimals;
}

static bool alike(const energy_slots *slots, int a, int b)
{
	return slots->covered[a] == slots->covered[b] &&
	       (slots->covered[a] == 0 || slots->quality[a] == slots->quality[b]);
}

static uint8_t *put_runs(uint8_t *at, const energy_slots *slots)
{
	for (int s = 0, length; s < slots->count; s += length) {
		uint8_t quality = slots->covered[s] == 0 ? 0 : slots->quality[s];

		for (length = 1; s + length < slots->count && alike(slots, s, s + length);)
			length++;
		at = put_varint(at, (uint64_t)length << 2 | quality);
		at = put_varint(at, (uint64_t)slots->covered[s]);
	}
	return at;
}

static uint8_t *put_double(uint8_t *at, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 64; i += 8)
		*at++ = (uint8_t)(bits >> i);
	return at;
}

size_t energy_block_encode(const energy_slots *slots, uint8_t *block)
{
	int decimals = decimals_of(slots);
	uint8_t *at = block;

	*at++ = VERSION;
	*at++ = (uint8_t)decimals;
	at = put_varint(at, (uint64_t)slots->count);
	at = put_runs(at, slots);
	for (int s = 0; s < slots->count; s++) {
		if (slots->covered[s] == 0)
			continue;
		if (decimals == NO_DECIMALS)
			at = put_double(at, slots->kwh[s]);
		else
			at = put_signed(at, (uint64_t)(int64_t)round(slots->kwh[s] * units_per_kwh[decimals]));
	}
	return (size_t)(at - block);
}

static double get_double(byte_cursor *cursor)
{
	uint64_t bits = 0;
	double value;

	for (int i = 0; i < 64; i += 8)
		bits |= (uint64_t)get_byte(cursor) << i;
	memcpy(&value, &bits, sizeof(value));
	if (!isfinite(value))
		cursor->failed = true;
	return value;
}

/* What is known of the slots; false where it is nonsense. */
static bool get_runs(byte_cursor *cursor, energy_slots *slots)
{
	for (int s = 0; s < slots->count;) {
		uint64_t run = get_varint(cursor), length = run >> 2, covered = get_varint(cursor);

		if (cursor->failed || length == 0 || length > (uint64_t)(slots->count - s) ||
		    (run & 3) > INTERVAL_ESTIMATED || covered > COVERED_MOST)
			return false;
		for (; length > 0; length--, s++) {
			slots->covered[s] = (int32_t)covered;
			slots->quality[s] = (uint8_t)(run & 3);
		}
	}
	return true;
}

outcome_status energy_block_decode(const uint8_t *block, size_t size, energy_slots *slots,
                                   outcome *out)
{
	byte_cursor cursor = {block, block + size, false};
	uint8_t version = get_byte(&cursor), decimals = get_byte(&cursor);
	uint64_t count = get_varint(&cursor);
	bool good = version == VERSION && (decimals <= DECIMALS_MOST || decimals == NO_DECIMALS) &&
	            count <= ENERGY_SLOTS_MOST;

	slots->count = good ? (int)count : 0;
	good = good && get_runs(&cursor, slots);
	for (int s = 0; good && s < slots->count; s++)
		if (slots->covered[s] == 0)
			slots->kwh[s] = 0;
		else if (decimals == NO_DECIMALS)
			slots->kwh[s] = get_double(&cursor);
		else
			slots->kwh[s] = (double)(int64_t)get_signed(&cursor) / units_per_kwh[decimals];
	if (!good || cursor.failed || cursor.at != cursor.end)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, NULL, "this is not a block of energy");
	return out->status = OUTCOME_OK;
}
