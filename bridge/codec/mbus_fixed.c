/*
 * Unit codes of the fixed data structure to value information blocks.
 */
#include "mbus_fixed.h"

enum {
	STATUS_BINARY = 0x01, /* else decimal digits */
	STATUS_STORED = 0x02, /* the counters of a fixed date */
	UNIT_MASK = 0x3f,
	UNIT_HISTORIC = 0x3e, /* of the second counter: as the first, but stored */
	DIF_BINARY = 0x04,
	DIF_DIGITS = 0x0c,
	DIF_STORED = 0x40,
	VIF_EXTENSION = 0x80,
	VIFE_THOUSAND = 0x7d,
	VIFE_TEN = 0x77,
};

/* Units that follow one another by powers of ten, and the code of the first. */
static const struct {
	uint8_t first, last, vif;
} families[] = {
    {0x02, 0x0a, 0x03}, /* Wh */
    {0x0b, 0x13, 0x0b}, /* kJ */
    {0x14, 0x1c, 0x2b}, /* W */
    {0x1d, 0x25, 0x33}, /* kJ/h */
    {0x26, 0x2e, 0x10}, /* ml */
    {0x2f, 0x37, 0x38}, /* ml/h */
    {0x38, 0x38, 0x58}, /* 0.001 degC */
    {0x39, 0x39, 0x6e}, /* units of a heat cost allocator */
};

/* A value block for 10^exponent of a unit: factors behind it, the last without more to come. */
static void write_value_block(struct writer *records, uint8_t vif, int exponent)
{
	writer_u8(records, exponent > 0 ? vif | VIF_EXTENSION : vif);
	while (exponent > 0) {
		uint8_t factor = exponent >= 3 ? VIFE_THOUSAND : VIFE_TEN;

		exponent -= exponent >= 3 ? 3 : 1;
		writer_u8(records, exponent > 0 ? factor | VIF_EXTENSION : factor);
	}
}

static void write_record(struct writer *records, uint8_t unit, uint8_t dif, const uint8_t *counter)
{
	for (size_t i = 0; counter && i < sizeof(families) / sizeof(families[0]); i++)
		if (unit >= families[i].first && unit <= families[i].last) {
			writer_u8(records, dif);
			write_value_block(records, families[i].vif, unit - families[i].first);
			writer_bytes(records, counter, 4);
		}
}

/* The structure's media to device types: up to 9 they are the same, 10 to 14 are those of another
 * counting mode. */
static uint8_t device_type(unsigned medium)
{
	static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 4, 6, 7, 8, 0};

	return types[medium & 15];
}

void mbus_fixed_read(struct cursor *structure, uint8_t device[MBUS_DEVICE_SIZE],
                     struct writer *records)
{
	struct writer address = writer_over(device, MBUS_DEVICE_SIZE);

	writer_be(&address, cursor_le(structure, 4), 4);
	writer_be(&address, 0, 3);
	cursor_u8(structure); /* access number */
	uint8_t status = cursor_u8(structure);
	uint8_t first = cursor_u8(structure), second = cursor_u8(structure);
	uint8_t dif = status & STATUS_BINARY ? DIF_BINARY : DIF_DIGITS;
	writer_u8(&address, device_type((second >> 6 << 2) | first >> 6));
	if (status & STATUS_STORED)
		dif |= DIF_STORED;
	write_record(records, first & UNIT_MASK, dif, cursor_take(structure, 4));
	if ((second & UNIT_MASK) == UNIT_HISTORIC)
		write_record(records, first & UNIT_MASK, dif | DIF_STORED, cursor_take(structure, 4));
	else
		write_record(records, second & UNIT_MASK, dif, cursor_take(structure, 4));
}
