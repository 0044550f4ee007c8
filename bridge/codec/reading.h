/*
 * What the bridge hands on from a telegram: quantities named by OBIS code (IEC
 * 62056-61), with the integer exactly as the meter sent it. Decoders of all
 * kinds end here.
 */
#ifndef SMARTHG_BRIDGE_READING_H
#define SMARTHG_BRIDGE_READING_H

#include "cursor.h"
#include "meter_cipher.h"

enum { OBIS_SIZE = 24, READING_LIMIT = 128, DEVICE_SIZE = 48, MBUS_DEVICE_SIZE = 8 };

/* Value in units = raw * multiplier / divisor. A frame that says scale or unit and no value is one
 * reading of OBIS code READING_SCALE: how the meter counts from then on. Its unit is that of energy
 * and volume, READING_SCALE_UNIT where the frame did not say; its raw is 1 where counts are decimal
 * digits (BCD) from then on. */
#define READING_SCALE      "*"
#define READING_SCALE_UNIT "scale"

/* A command of mirrors is a reading of this code: its unit is the command (zcl_mirror_name), or
 * READING_MIRROR_FILLED where a meter wrote attributes into its mirror; its raw is the endpoint of
 * the mirror, ZCL_MIRROR_NO_ENDPOINT for a refusal, 0 where none is said. */
#define READING_MIRROR        "*mirror"
#define READING_MIRROR_FILLED "filled"

/* What the frame does not say the database knows of the meter: before an OBIS code, that it stands
 * for electricity where that is what the meter measures; as unit, its unit, and its unit of flow
 * or power. */
#define READING_UNSAID      "?"
#define READING_UNSAID_FLOW "?/h"

enum { READING_EARLIER_MS = 65534000 };

/* The endpoint of a device that has only one place to read from. */
enum { ENDPOINT_ONLY = 1 };

struct reading {
	/* Of the meter: its EUI-64 (ZCL); node id, ZWAVE_DEVICE_SIZE bytes (Z-Wave); identification
	 * number as 8 digits, manufacturer, version and device type (M-Bus, MBUS_DEVICE_SIZE bytes);
	 * equipment identifier (P1 text); system title, or the name that it tells (DLMS). */
	uint8_t device[DEVICE_SIZE];
	uint8_t device_size;
	uint8_t endpoint;
	char obis[OBIS_SIZE];
	const char *unit; /* static text */
	int64_t raw;
	int64_t multiplier, divisor; /* 0: the frame did not say */
	/* Since 1970; 0: the frame did not say; below 0, down to -READING_EARLIER_MS: so long before
	 * the time of a telegram that says nothing else. */
	int64_t measured_ms;
};

struct zcl_address {
	uint64_t device;
	uint8_t endpoint;
	uint16_t profile, cluster;
};

enum { ZCL_ADDRESS_SIZE = 13, ZWAVE_DEVICE_SIZE = 2 };

enum reading_status {
	READING_OK, /* *count readings, 0 where the telegram is none of ours */
	READING_BAD_ADDRESS,
	READING_MALFORMED,
	READING_TOO_MANY, /* beyond READING_LIMIT */
	READING_BAD_LENGTH,
	READING_BAD_CHECKSUM,
	READING_UNSUPPORTED_LAYER,
	READING_UNSUPPORTED_SECURITY,
	READING_NO_KEY,
	READING_WRONG_KEY,
	READING_FORGED,
	READING_NOT_ENCRYPTED,
	READING_UNKNOWN_FORMAT,
	READING_FRAGMENT,
	READING_REPLAYED, /* said by core/freshness, not by a decoder */
	READING_BAD_NODE,
	READING_UNSUPPORTED_CLASS,
	READING_UNSCALED,
	READING_AMBIGUOUS,
	READING_STATUSES
};

/* What a telegram comes with, and what a decoder asks of the world around it. */
struct raw_telegram {
	const uint8_t *address, *bytes;
	size_t address_size, size;
};

struct mbus_formats;
struct calendar_zone;

/* The key of an M-Bus or DLMS device, and whether it is believed without. */
struct meter_key {
	uint8_t bytes[METER_KEY_SIZE];
	bool clear_accepted;
	uint32_t check; /* meter_cipher_key_check */
	bool has_authentication;
	uint8_t authentication[METER_KEY_SIZE]; /* DLMS: the global authentication key */
};

/* What a meter counts its telegrams by, never the same again under one key: the message counter of
 * the authentication layer (EN 13757-7), or time and number of the session in the extended link
 * layer (EN 13757-4). An access number is none: its 8 bits come round. */
enum meter_counter_kind { COUNTER_NONE, COUNTER_MESSAGE, COUNTER_SESSION };

struct meter_counter {
	enum meter_counter_kind kind;
	uint8_t device[MBUS_DEVICE_SIZE];
	uint32_t key_check, value;
};

struct decoder {
	struct meter_cipher *cipher;
	struct mbus_formats *formats; /* layouts of compact frames, learned from the others */
	/* NULL where none is known; stays in place while the telegram is decoded. */
	const struct meter_key *(*key)(void *context, const uint8_t device[MBUS_DEVICE_SIZE]);
	void *context;
	const struct calendar_zone *zone; /* of the clocks of M-Bus and DLMS meters; NULL: UTC */
	/* Of the last M-Bus or DLMS telegram: its device, and by radio its counter where the meter's
	 * key has proved it; written by the decoder. */
	uint8_t device[MBUS_DEVICE_SIZE];
	struct meter_counter counter;
};

bool zcl_address_read(const uint8_t *address, size_t size, struct zcl_address *out);
void zcl_address_write(struct writer *writer, const struct zcl_address *address);

/* Each decodes one kind of telegram into out, which holds READING_LIMIT readings; *count is 0
 * unless the status is READING_OK. */

/* ZCL: Metering 0x0702, Power Configuration 0x0001. The decoder is not asked for anything. */
enum reading_status reading_decode_zcl(struct decoder *decoder, const struct raw_telegram *telegram,
                                       struct reading *out, size_t *count);
/* Z-Wave: a Meter Report (0x32 0x02), versions 1 to 6, also inside encapsulations that need no key.
 * The decoder is not asked for anything. */
enum reading_status reading_decode_zwave(struct decoder *decoder,
                                         const struct raw_telegram *telegram, struct reading *out,
                                         size_t *count);
/* Wireless M-Bus from the L field on, with or without the checksums of its blocks. */
enum reading_status reading_decode_wireless_mbus(struct decoder *decoder,
                                                 const struct raw_telegram *telegram,
                                                 struct reading *out, size_t *count);
/* Wired M-Bus: a long frame; short frames and acknowledgements carry nothing. */
enum reading_status reading_decode_wired_mbus(struct decoder *decoder,
                                              const struct raw_telegram *telegram,
                                              struct reading *out, size_t *count);
/* P1 text of a DSMR meter. */
enum reading_status reading_decode_p1(struct decoder *decoder, const struct raw_telegram *telegram,
                                      struct reading *out, size_t *count);

/* DLMS pushes in HDLC frames: data notifications, in clear or under the meter's global keys, each
 * in one frame, in segments, or in blocks (general block transfer). The meter is its system title
 * where it protects its messages, else the logical device name or identifier that it tells, else
 * the telegram's address. */
enum reading_status reading_decode_dlms(struct decoder *decoder,
                                        const struct raw_telegram *telegram, struct reading *out,
                                        size_t *count);

/* Whether another key of the decoder's device may help. */
static inline bool reading_lacks_key(enum reading_status status)
{
	return status == READING_NO_KEY || status == READING_WRONG_KEY || status == READING_FORGED ||
	       status == READING_NOT_ENCRYPTED;
}

/* A sentence for the quarantine; NULL for READING_OK. */
const char *reading_status_text(enum reading_status status);

#endif
