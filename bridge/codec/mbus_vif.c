/*
 * Value information blocks (EN 13757-3, clause 6): the main table, its
 * extensions behind 0xfb and 0xfd, plain-text units, and the VIFEs that any of
 * them may carry.
 */
#include "mbus_record.h"

enum {
	EXTENSION = 0x80, /* another VIFE follows */
	CODE_MASK = 0x7f,
	VIFE_LIMIT = 10,
	VIF_ALTERNATE = 0xfb, /* the code is in the next byte, by the alternate table */
	VIF_MAIN_EXTENSION = 0xfd,
	VIF_TEXT = 0x7c,
	VIF_MANUFACTURER = 0x7f,
	VIFE_NO_ERROR = 0x00,
	VIFE_FORWARD = 0x3b,  /* counts only what is positive */
	VIFE_BACKWARD = 0x3c, /* counts only what is negative, as a positive number */
	VIFE_UNCONVERTED = 0x3a,
	VIFE_BASE_CONDITIONS = 0x3e,
	VIFE_TIMES_THOUSAND = 0x7d,
	VIFE_COMBINABLE = 0x7c, /* the code is in the next byte, by another table */
};

static void is(struct mbus_record *out, enum mbus_quantity quantity, int exponent)
{
	out->quantity = quantity;
	out->exponent = (int16_t)exponent;
}

static void is_in(struct mbus_record *out, enum mbus_quantity quantity, int exponent,
                  uint16_t factor, uint16_t factor_divisor)
{
	is(out, quantity, exponent);
	out->factor = factor;
	out->factor_divisor = factor_divisor;
}

/* Three low bits are the exponent in the first 88 codes. Joules are 1 / 3.6e6 kWh. */
static void main_code(uint8_t code, struct mbus_record *out)
{
	int n = code & 7, nn = code & 3;

	switch (code >> 3) {
	case 0x00: /* Wh */
		is(out, MBUS_ENERGY, n - 6);
		return;
	case 0x01: /* J */
		is_in(out, MBUS_ENERGY, n - 5, 1, 36);
		return;
	case 0x02: /* m3 */
		is(out, MBUS_VOLUME, n - 6);
		return;
	case 0x03: /* kg */
		is(out, MBUS_MASS, n - 6);
		return;
	case 0x05: /* W */
		is(out, MBUS_POWER, n - 6);
		return;
	case 0x06: /* J/h */
		is_in(out, MBUS_POWER, n - 5, 1, 36);
		return;
	case 0x07: /* m3/h */
		is(out, MBUS_VOLUME_FLOW, n - 6);
		return;
	case 0x08: /* m3/min */
		is_in(out, MBUS_VOLUME_FLOW, n - 7, 60, 1);
		return;
	case 0x09: /* m3/s */
		is_in(out, MBUS_VOLUME_FLOW, n - 9, 3600, 1);
		return;
	case 0x0a: /* kg/h */
		is(out, MBUS_MASS_FLOW, n - 6);
		return;
	case 0x0b:
		is(out, n < 4 ? MBUS_FLOW_TEMPERATURE : MBUS_RETURN_TEMPERATURE, nn - 3);
		return;
	case 0x0c:
		is(out, n < 4 ? MBUS_TEMPERATURE_DIFFERENCE : MBUS_EXTERNAL_TEMPERATURE, nn - 3);
		return;
	case 0x0d:
		if (n < 4)
			is(out, MBUS_PRESSURE, nn - 3);
		else if (code == 0x6c || code == 0x6d)
			is(out, MBUS_DATE, 0);
		else if (code == 0x6e)
			is(out, MBUS_HCA, 0);
		return;
	default:
		return;
	}
}

static void alternate_code(uint8_t code, struct mbus_record *out)
{
	int n = code & 1, nn = code & 3;

	if (code <= 0x01) /* MWh */
		is(out, MBUS_ENERGY, n + 2);
	else if (code <= 0x03) /* kvarh */
		is(out, MBUS_REACTIVE_ENERGY, n);
	else if (code <= 0x07) /* kVAh */
		is(out, MBUS_APPARENT_ENERGY, nn);
	else if (code <= 0x09) /* GJ */
		is_in(out, MBUS_ENERGY, n + 3, 1, 36);
	else if (code >= 0x0c && code <= 0x0f) /* Mcal, of 1.163 kWh */
		is_in(out, MBUS_ENERGY, nn - 4, 1163, 1);
	else if (code == 0x10 || code == 0x11)
		is(out, MBUS_VOLUME, n + 2);
	else if (code >= 0x14 && code <= 0x17)
		is(out, MBUS_REACTIVE_POWER, nn - 3);
	else if (code == 0x18 || code == 0x19)
		is(out, MBUS_MASS, n + 2);
	else if (code == 0x1a || code == 0x1b)
		is(out, MBUS_HUMIDITY, n - 1);
	else if (code == 0x28 || code == 0x29) /* MW */
		is(out, MBUS_POWER, n + 2);
	else if (code >= 0x2c && code <= 0x2f)
		is(out, MBUS_FREQUENCY, nn - 3);
	else if (code == 0x30 || code == 0x31) /* GJ/h */
		is_in(out, MBUS_POWER, n + 3, 1, 36);
	else if (code >= 0x34 && code <= 0x37)
		is(out, MBUS_APPARENT_POWER, nn - 3);
}

static void extension_code(uint8_t code, struct mbus_record *out)
{
	if (code >= 0x40 && code <= 0x4f)
		is(out, MBUS_VOLTAGE, (code & 15) - 9);
	else if (code >= 0x50 && code <= 0x5f)
		is(out, MBUS_CURRENT, (code & 15) - 12);
}

/* A unit in plain text, sent last character first; one of them is a quantity of ours. */
static void text_unit(struct cursor *headers, struct mbus_record *out)
{
	uint8_t length = cursor_u8(headers);
	const uint8_t *text = cursor_take(headers, length);

	if (text && length == 3 && memcmp(text, "HR%", 3) == 0)
		is(out, MBUS_HUMIDITY, 0);
}

/* The VIFE after VIFE_COMBINABLE: 1 to 3 are the phases. */
static void combinable_code(uint8_t code, struct mbus_record *out)
{
	if (code >= 1 && code <= 3)
		out->phase = code;
	else
		out->variant = MBUS_ANOTHER;
}

static void vife_code(uint8_t code, struct mbus_record *out)
{
	if (code >= 0x70 && code <= 0x77)
		out->exponent = (int16_t)(out->exponent + (code & 7) - 6);
	else if (code == VIFE_TIMES_THOUSAND)
		out->exponent = (int16_t)(out->exponent + 3);
	else if (code == VIFE_FORWARD)
		out->flow = MBUS_FORWARD;
	else if (code == VIFE_BACKWARD)
		out->flow = MBUS_BACKWARD;
	else if (code == VIFE_BASE_CONDITIONS && out->variant == MBUS_PLAIN)
		out->variant = MBUS_BASE_CONDITIONS;
	else if (code != VIFE_NO_ERROR && code != VIFE_UNCONVERTED)
		out->variant = MBUS_ANOTHER;
}

static void read_vifes(struct cursor *headers, struct mbus_record *out)
{
	uint8_t vife = EXTENSION;

	for (int i = 0; vife & EXTENSION; i++) {
		if (i == VIFE_LIMIT) {
			headers->broken = true;
			return;
		}
		vife = cursor_u8(headers);
		if (out->variant == MBUS_MANUFACTURER)
			continue; /* what follows is the manufacturer's too */
		if (vife == (VIFE_COMBINABLE | EXTENSION)) {
			vife = cursor_u8(headers);
			combinable_code(vife & CODE_MASK, out);
		} else if (vife == (VIF_MANUFACTURER | EXTENSION)) {
			vife = cursor_u8(headers);
			out->variant = out->variant == MBUS_PLAIN ? MBUS_MANUFACTURER : MBUS_ANOTHER;
			out->manufacturer_code = vife & CODE_MASK;
		} else {
			vife_code(vife & CODE_MASK, out);
		}
	}
}

void mbus_value_block(struct cursor *headers, struct mbus_record *out)
{
	uint8_t vif = cursor_u8(headers);

	out->quantity = MBUS_OTHER;
	out->flow = MBUS_UNDIRECTED;
	out->variant = MBUS_PLAIN;
	out->phase = 0;
	out->exponent = 0;
	out->factor = out->factor_divisor = 1;
	if (vif == VIF_ALTERNATE || vif == VIF_MAIN_EXTENSION) {
		uint8_t code = cursor_u8(headers);

		if (vif == VIF_ALTERNATE)
			alternate_code(code & CODE_MASK, out);
		else
			extension_code(code & CODE_MASK, out);
		vif = code;
	} else if ((vif & CODE_MASK) == VIF_TEXT) {
		text_unit(headers, out);
	} else {
		main_code(vif & CODE_MASK, out);
	}
	if (vif & EXTENSION)
		read_vifes(headers, out);
}

const char *mbus_unit(enum mbus_quantity quantity)
{
	static const char *const units[MBUS_QUANTITIES] = {
	    [MBUS_ENERGY] = "kWh",
	    [MBUS_REACTIVE_ENERGY] = "kvarh",
	    [MBUS_APPARENT_ENERGY] = "kVAh",
	    [MBUS_VOLUME] = "m3",
	    [MBUS_MASS] = "t",
	    [MBUS_POWER] = "kW",
	    [MBUS_REACTIVE_POWER] = "kvar",
	    [MBUS_APPARENT_POWER] = "kVA",
	    [MBUS_VOLUME_FLOW] = "m3/h",
	    [MBUS_MASS_FLOW] = "t/h",
	    [MBUS_FLOW_TEMPERATURE] = "degC",
	    [MBUS_RETURN_TEMPERATURE] = "degC",
	    [MBUS_TEMPERATURE_DIFFERENCE] = "K",
	    [MBUS_EXTERNAL_TEMPERATURE] = "degC",
	    [MBUS_PRESSURE] = "bar",
	    [MBUS_HCA] = "HCA",
	    [MBUS_VOLTAGE] = "V",
	    [MBUS_CURRENT] = "A",
	    [MBUS_FREQUENCY] = "Hz",
	    [MBUS_HUMIDITY] = "%RH",
	};

	return units[quantity];
}
