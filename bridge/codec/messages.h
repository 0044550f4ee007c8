/*
 * Payloads of the SmartAMM frames (DESIGN.md section 7), one structure each.
 * Readers return false where the payload is not exactly one such message;
 * pointers in the structures point into the payload. Writers append to a writer
 * that tells by `broken` whether everything fitted.
 */
#ifndef SMARTHG_BRIDGE_MESSAGES_H
#define SMARTHG_BRIDGE_MESSAGES_H

#include "cursor.h"

enum {
	NONCE_SIZE = 16,
	MAC_SIZE = 32,
	READY_FIELDS_SIZE = 16, /* the part of READY that its HMAC covers */
	DATA_MAX_SIZE = 8 + 8 + 1 + 1 + 255 + 2 + 65535,
	COMMAND_STORES = 2,
	REQUEST_HEAD_SIZE = 9,
	COMMAND_LEVELS = 4,
	COMMAND_BANDS = 6,
	COMMAND_MAX_SIZE = 13 + 2 * (22 + 6 * 12),
};

struct hello {
	uint8_t nonce[NONCE_SIZE];
	uint32_t resume_session; /* 0: none */
	uint32_t key_id;         /* 0: whichever key is current */
};

struct ready {
	uint32_t session;
	uint32_t keepalive_s;
	uint64_t committed; /* last committed record number */
	uint8_t mac[MAC_SIZE];
};

/* A gateway whose first kept record is above READY's committed + 1 first sends a KIND_LOSS record
 * with the number before that one: the records in between are gone, and without it the mark, and
 * so every ACK, would wait for them for ever. */
enum data_kind {
	KIND_LOSS = 0, /* records up to this number that were not sent are lost at the gateway */
	KIND_ZCL = 1,
	KIND_WIRELESS_MBUS = 2,
	/* Address: the node id in 1 byte (1 to 232), in 2 (Z-Wave Long Range), or in 2 and 1 byte of
	 * the endpoint, 0 for the device as a whole, which it is where none is said. Telegram: the
	 * application command from its command class on, decrypted. */
	KIND_ZWAVE = 3,
	KIND_WIRED_MBUS = 4,
	KIND_DLMS = 5,
	KIND_P1 = 6,
};

struct data_message {
	uint64_t record_no;  /* 1 .. INT64_MAX */
	uint64_t gateway_ms; /* since 1970, 0 unknown */
	uint8_t kind;
	uint8_t address_size;
	uint16_t telegram_size;
	const uint8_t *address;
	const uint8_t *telegram;
};

/* METHOD_ZCL: an address as of KIND_ZCL, ZCL_ADDRESS_SIZE bytes, and a ZCL frame, which the gateway
 * sends to that device as its own; with Request Mirror Response and Mirror Removed it first makes
 * or drops the mirror. RESULT_OK: that is done. */
enum request_method { METHOD_EBR = 1, METHOD_ZCL = 2 };

struct request {
	uint64_t id;
	uint8_t method;
	struct cursor body;
};

enum response_result { RESULT_OK = 0, RESULT_UNKNOWN_METHOD = 1, RESULT_MALFORMED = 2 };

struct response {
	uint64_t id;
	uint8_t method;
	uint8_t result;
	struct cursor body;
};

enum command_store { STORE_ESS = 0, STORE_PEV = 1 };
enum command_level { LEVEL_GRID_CHARGE, LEVEL_SURPLUS_CHARGE, LEVEL_COVER_DEMAND, LEVEL_EXPORT };

/* A band of grid power: below at_w, or above all others in the last one. */
struct ebr_band {
	int32_t at_w; /* rising; INT32_MAX in the last */
	int32_t charge_wh, discharge_wh;
};

/* Where there are bands, they are the rule, and the levels its summary. */
struct ebr_store_command {
	uint8_t store;
	uint8_t bands;                    /* 0, or 2 .. COMMAND_BANDS of band[] */
	int32_t setpoint_w;               /* charging is positive */
	int32_t level_wh[COMMAND_LEVELS]; /* stored energy, by enum command_level */
	struct ebr_band band[COMMAND_BANDS];
};

struct ebr_command {
	uint64_t slot_start_ms;
	uint32_t slot_s;
	uint8_t stores; /* how many of store[] */
	struct ebr_store_command store[COMMAND_STORES];
};

/* NACK: this record and all after it are to be sent again. */
enum nack_reason { NACK_NOT_STORED = 1 };

enum close_reason {
	CLOSE_NORMAL = 0,
	CLOSE_PROTOCOL = 1,
	CLOSE_SECURITY = 2,
	CLOSE_UNKNOWN_GATEWAY = 3,
	CLOSE_SUPERSEDED = 4,
	CLOSE_IDLE = 5,
	CLOSE_LIMIT = 6,
	CLOSE_UNAVAILABLE = 7,
	CLOSE_SHUTDOWN = 8,
};

struct close_message {
	uint8_t reason;
	const uint8_t *text; /* UTF-8 by convention, not checked */
	size_t text_size;
};

bool hello_read(struct cursor payload, struct hello *out);
void hello_write(struct writer *writer, const struct hello *hello);

bool challenge_read(struct cursor payload, uint8_t nonce[NONCE_SIZE]);
bool auth_read(struct cursor payload, uint8_t mac[MAC_SIZE]);

bool ready_read(struct cursor payload, struct ready *out);
/* The READY_FIELDS_SIZE bytes before the HMAC. */
void ready_write_fields(struct writer *writer, const struct ready *ready);

bool keepalive_ack_read(struct cursor payload, uint64_t *server_ms);

bool data_read(struct cursor payload, struct data_message *out);
void data_write(struct writer *writer, const struct data_message *data);

bool ack_read(struct cursor payload, uint64_t *record_no);
bool nack_read(struct cursor payload, uint64_t *record_no, uint8_t *reason);

bool request_read(struct cursor payload, struct request *out);
void request_write(struct writer *writer, uint64_t id, uint8_t method);
bool response_read(struct cursor payload, struct response *out);
void response_write(struct writer *writer, uint64_t id, uint8_t method, uint8_t result);

bool ebr_command_read(struct cursor body, struct ebr_command *out);
void ebr_command_write(struct writer *writer, const struct ebr_command *command);

bool close_read(struct cursor payload, struct close_message *out);
void close_write(struct writer *writer, uint8_t reason, const char *text);

#endif
