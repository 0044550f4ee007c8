/*
 * The gateway's side of a SmartAMM session (DESIGN.md section 7), for the
 * simulator, the client tool and the tests. Like the server's: frames in,
 * frames and one event out, no I/O and no clock.
 */
#ifndef SMARTHG_BRIDGE_CLIENT_SESSION_H
#define SMARTHG_BRIDGE_CLIENT_SESSION_H

#include "channel.h"

enum { CLIENT_TRANSCRIPT_SIZE = 176 };

enum client_state { CLIENT_IDLE, CLIENT_EXPECT_CHALLENGE, CLIENT_EXPECT_READY, CLIENT_OPEN };

enum client_event_kind {
	CLIENT_NOTHING,
	CLIENT_OPENED, /* `ready` is set */
	CLIENT_ACKED,  /* `record_no`: all records up to it are committed */
	CLIENT_NACKED, /* `record_no` is to be sent again */
	CLIENT_ALIVE,  /* `server_ms` */
	CLIENT_REQUEST,
	CLIENT_CLOSED, /* the server says goodbye: `close` */
	CLIENT_BROKEN, /* the server broke the protocol, or is not who it should be: `detail` */
};

struct client_event {
	enum client_event_kind kind;
	struct ready ready;
	uint64_t record_no;
	uint64_t server_ms;
	struct request request;
	struct close_message close;
	const char *detail; /* static text */
};

struct client_session {
	enum client_state state;
	const struct link_key *link_key; /* the caller's; size 0: an unsecured session */
	uint32_t key_id, resume;
	struct channel channel;
	uint8_t client_nonce[NONCE_SIZE], server_nonce[NONCE_SIZE];
	uint8_t transcript[CLIENT_TRANSCRIPT_SIZE];
	size_t transcript_size;
};

void client_session_start(struct client_session *client, uint64_t gateway,
                          const struct link_key *link_key, uint32_t key_id, uint32_t resume);
void client_session_end(struct client_session *client);

/* Appends HELLO. */
bool client_session_hello(struct client_session *client, struct writer *out);

/* Takes one whole frame (decrypted in place); may append AUTH to reply. */
void client_session_receive(struct client_session *client, uint8_t *frame, size_t size,
                            struct writer *reply, struct client_event *event);

/* Appends DATA, in several frames where it is longer than part_limit bytes. */
bool client_session_data(struct client_session *client, uint8_t route,
                         const struct data_message *data, size_t part_limit, struct writer *out);
bool client_session_keepalive(struct client_session *client, struct writer *out);
bool client_session_response(struct client_session *client, const struct request *request,
                             uint8_t result, struct writer *out);
bool client_session_close(struct client_session *client, const char *text, struct writer *out);

#endif
