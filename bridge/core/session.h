/*
 * One remote host session on one connection, the server's side of it (document
 * 4.1.2.2, DESIGN.md section 7): whole frames and the time go in, reply frames
 * and one event come out. No I/O, no clock, no knowledge of other sessions; the
 * session number survives a reconnect, this object does not.
 *
 *     EXPECT_HELLO -> EXPECT_AUTH -> OPEN -> ENDED
 */
#ifndef SMARTHG_BRIDGE_SESSION_H
#define SMARTHG_BRIDGE_SESSION_H

#include "channel.h"

enum {
	SESSION_REPLY_SIZE = 512,     /* room that session_receive needs for its reply */
	SESSION_TRANSCRIPT_SIZE = 176 /* HELLO, CHALLENGE, AUTH, fields of READY */
};

/* What the registry knows of a gateway when it says HELLO. */
struct session_gateway {
	struct link_key key; /* size 0: none */
	uint32_t key_id;
	bool security_required;
	uint32_t current_session; /* that may be resumed; 0 none */
	uint64_t committed;       /* last committed record number */
};

enum session_lookup { LOOKUP_FOUND, LOOKUP_UNKNOWN, LOOKUP_UNAVAILABLE };

/* Rules of a listener; shared by its sessions. */
struct session_policy {
	bool security_required; /* even of gateways that do not require it */
	uint32_t keepalive_s;   /* told to the gateway */
	size_t payload_limit;   /* bytes of one frame's payload */
	enum session_lookup (*lookup)(void *context, uint64_t gateway, struct session_gateway *out);
	/* A session's part of a long message grows or is freed: `before` bytes became `after`.
	 * false: it must not grow. May be NULL. */
	bool (*reserve)(void *context, size_t before, size_t after);
	void *context;
};

enum session_state { SESSION_EXPECT_HELLO, SESSION_EXPECT_AUTH, SESSION_OPEN, SESSION_ENDED };

enum session_event_kind {
	SESSION_NOTHING, /* a handshake step, or a part of a longer message */
	SESSION_OPENED,  /* READY is in the reply; `resumed` is set */
	SESSION_DATA,
	SESSION_KEEPALIVE, /* answered in the reply */
	SESSION_RESPONSE,
	SESSION_NACKED,  /* the peer could not use something of ours */
	SESSION_CLOSED,  /* the peer says goodbye */
	SESSION_REFUSED, /* CLOSE is in the reply; the connection is to be ended */
};

enum session_refusal {
	REFUSED_MALFORMED,
	REFUSED_FORGED_AUTH,
	REFUSED_BAD_TAG,
	REFUSED_REPLAY,
	REFUSED_CLEAR_AFTER_READY,
	REFUSED_UNKNOWN_GATEWAY,
	REFUSED_UNKNOWN_KEY,
	REFUSED_SECURITY_REQUIRED,
	REFUSED_WRONG_IDENTITY, /* TLS below proved another gateway */
	REFUSED_UNAVAILABLE,
	REFUSED_INTERNAL,
};

/* Pointers in it are valid until the next call for this session. */
struct session_event {
	enum session_event_kind kind;
	uint8_t route;
	bool resumed;
	enum session_refusal refusal;
	const char *detail; /* static text, for a refusal */
	struct data_message data;
	struct response response;
	struct close_message close;
};

struct session {
	enum session_state state;
	const struct session_policy *policy;
	struct channel channel;
	bool secured;
	struct {
		uint8_t bytes[SESSION_TRANSCRIPT_SIZE];
		uint16_t size;
		uint32_t resume;
		uint8_t client_nonce[NONCE_SIZE], server_nonce[NONCE_SIZE];
	} * handshake;         /* NULL once open */
	uint8_t *assembly;     /* a DATA message whose end is yet to come; else NULL */
	uint32_t assembled;    /* bytes of it */
	uint8_t assembly_done; /* the last event points into it */
};

/* A session that waits for HELLO; policy must outlive it. false: no memory. */
bool session_start(struct session *session, const struct session_policy *policy);

/* Wipes keys and frees what the session holds. */
void session_end(struct session *session);

/* Takes one whole frame (decrypted in place); may append one frame to reply. */
void session_receive(struct session *session, uint8_t *frame, size_t size, int64_t now_ms,
                     struct writer *reply, struct session_event *event);

/* The last event was used: frees what it pointed into. */
void session_release(struct session *session);

/* Frames of the server's own will, only while OPEN. false: no room. */
bool session_write_ack(struct session *session, uint64_t record_no, struct writer *out);
bool session_write_nack(struct session *session, uint64_t record_no, uint8_t reason,
                        const char *text, struct writer *out);
bool session_write_request(struct session *session, const void *payload, size_t size,
                           struct writer *out);

/* Appends CLOSE and ends the session; in clear where no READY was exchanged. */
bool session_write_close(struct session *session, enum close_reason reason, const char *text,
                         struct writer *out);

/* The name of a refusal as a security event; NULL where it is none. */
const char *session_refusal_name(enum session_refusal refusal);

#endif
