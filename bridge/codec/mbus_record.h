/*
 * Data records of M-Bus, wired and wireless (EN 13757-3): information blocks
 * (DIF, DIFE), value blocks (VIF, VIFE) and the data after them, one record at
 * a time. What it says in the field's terms is decided here, how it is named by
 * OBIS in codec/mbus_obis.
 */
#ifndef SMARTHG_BRIDGE_MBUS_RECORD_H
#define SMARTHG_BRIDGE_MBUS_RECORD_H

#include "cursor.h"

enum mbus_quantity {
	MBUS_OTHER, /* none that is stored */
	MBUS_ENERGY,
	MBUS_REACTIVE_ENERGY,
	MBUS_APPARENT_ENERGY,
	MBUS_VOLUME,
	MBUS_MASS,
	MBUS_POWER,
	MBUS_REACTIVE_POWER,
	MBUS_APPARENT_POWER,
	MBUS_VOLUME_FLOW,
	MBUS_MASS_FLOW,
	MBUS_FLOW_TEMPERATURE,
	MBUS_RETURN_TEMPERATURE,
	MBUS_TEMPERATURE_DIFFERENCE,
	MBUS_EXTERNAL_TEMPERATURE,
	MBUS_PRESSURE,
	MBUS_HCA, /* units of a heat cost allocator */
	MBUS_VOLTAGE,
	MBUS_CURRENT,
	MBUS_FREQUENCY,
	MBUS_HUMIDITY,
	MBUS_DATE, /* type G, or a date and time: F, I */
	MBUS_QUANTITIES
};

enum mbus_function { MBUS_INSTANTANEOUS, MBUS_MAXIMUM, MBUS_MINIMUM, MBUS_DURING_ERROR };

enum mbus_flow { MBUS_UNDIRECTED, MBUS_FORWARD, MBUS_BACKWARD };

/* What VIFEs make of the quantity besides. */
enum mbus_variant {
	MBUS_PLAIN,
	MBUS_BASE_CONDITIONS, /* a gas volume converted to them */
	MBUS_MANUFACTURER,    /* the quantity in a sense of the manufacturer's, told by its code */
	MBUS_ANOTHER,         /* no longer this quantity: a limit, a duration, an increment ... */
};

enum mbus_type { MBUS_NO_VALUE, MBUS_INTEGER, MBUS_REAL, MBUS_TIME, MBUS_BYTES };

struct mbus_record {
	enum mbus_function function;
	enum mbus_quantity quantity;
	enum mbus_flow flow;
	enum mbus_variant variant;
	enum mbus_type type;
	uint8_t manufacturer_code; /* of MBUS_MANUFACTURER */
	uint8_t phase;             /* 1 to 3; 0: not of one phase */
	uint16_t subunit;
	uint32_t tariff;
	uint64_t storage;
	/* In the unit of the quantity (mbus_unit) the value is number * 10^exponent * factor /
	 * factor_divisor; a scale of 0 is none. */
	int16_t exponent;
	uint16_t factor, factor_divisor;
	int64_t integer;      /* MBUS_INTEGER; MBUS_TIME: ms since 1970, read as UTC */
	int16_t year;         /* MBUS_TIME: the year in it */
	bool summer;          /* MBUS_TIME: said to be summer time */
	double real;          /* MBUS_REAL */
	const uint8_t *bytes; /* MBUS_BYTES: in the telegram */
	size_t size;
};

enum mbus_next {
	MBUS_RECORD,
	MBUS_END,       /* nothing follows, or only what is the manufacturer's own */
	MBUS_MALFORMED, /* the telegram ends within a record, or a reserved code stands there */
};

/* The next record. Blocks are read from headers and data from values: the same cursor, but for a
 * compact frame, whose blocks are known from before. */
enum mbus_next mbus_next(struct cursor *headers, struct cursor *values, struct mbus_record *out);

/* The unit of a quantity's values: kWh, m3 ...; NULL for MBUS_OTHER and MBUS_DATE. */
const char *mbus_unit(enum mbus_quantity quantity);

/* Reads a value block (VIF and VIFEs) into what it says of a record; in codec/mbus_vif. */
void mbus_value_block(struct cursor *headers, struct mbus_record *out);

#endif
