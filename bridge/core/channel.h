/*
 * Frames of one connection with their order and protection: sequence numbers in
 * both directions, CRC while in clear, AES-128-GCM after READY. Below the
 * session (server) and the client session (gateway's side); no I/O.
 */
#ifndef SMARTHG_BRIDGE_CHANNEL_H
#define SMARTHG_BRIDGE_CHANNEL_H

#include "../codec/frame.h"
#include "security.h"

struct channel {
	uint64_t gateway;
	uint32_t session;        /* 0 before READY */
	uint32_t sent, received; /* last sequence number of each direction */
	bool encrypted;
	struct security_cipher seal, unseal;
};

enum channel_status {
	CHANNEL_OK,
	CHANNEL_BAD_CRC,
	CHANNEL_WRONG_GATEWAY,
	CHANNEL_WRONG_SESSION,
	CHANNEL_WRONG_SEQUENCE, /* replayed, repeated or missing frame */
	CHANNEL_UNEXPECTED_CLEAR,
	CHANNEL_UNEXPECTED_ENCRYPTED,
	CHANNEL_BAD_TAG,
};

enum channel_role { CHANNEL_CLIENT, CHANNEL_SERVER };

/* A channel in clear, before any frame. */
void channel_start(struct channel *channel, uint64_t gateway);

/* From the next frame on: the session's number, sequences from 1, and encryption
 * unless keys is NULL. */
bool channel_ready(struct channel *channel, enum channel_role role, uint32_t session,
                   const struct session_keys *keys);

/* Wipes the keys. */
void channel_end(struct channel *channel);

/* Appends a whole frame. false where it does not fit, or the sequence is used up. */
bool channel_write(struct channel *channel, uint8_t type, uint8_t route, uint8_t flags,
                   const void *payload, size_t size, struct writer *out);

/* Checks a whole frame whose header has been read, decrypts it in place and gives
 * its payload. */
enum channel_status channel_read(struct channel *channel, const struct frame_header *header,
                                 uint8_t *frame, size_t size, struct cursor *payload);

/* A word for logs and security events. */
const char *channel_status_text(enum channel_status status);

#endif
