/*
 * The server's session state machine (DESIGN.md section 7). The handshake keeps
 * its transcript on the heap and lets it go with READY, so that an idle session
 * is small. Nothing is trusted before AUTH proved the link key, and the first
 * violation ends the session.
 */
#include "session.h"

#include <stdlib.h>

#define AUTH_LABEL  "SA/1 client"
#define READY_LABEL "SA/1 server"

bool session_start(struct session *session, const struct session_policy *policy)
{
	*session = (struct session){.policy = policy};
	channel_start(&session->channel, 0);
	session->handshake = calloc(1, sizeof(*session->handshake));
	return session->handshake != NULL;
}

static void end_handshake(struct session *session)
{
	if (session->handshake)
		security_wipe(session->handshake, sizeof(*session->handshake));
	free(session->handshake);
	session->handshake = NULL;
}

static bool reserve(const struct session *session, size_t before, size_t after)
{
	const struct session_policy *policy = session->policy;

	return !policy->reserve || policy->reserve(policy->context, before, after);
}

static void free_assembly(struct session *session)
{
	if (session->assembly)
		reserve(session, session->assembled, 0);
	free(session->assembly);
	session->assembly = NULL;
	session->assembled = 0;
	session->assembly_done = false;
}

void session_release(struct session *session)
{
	if (session->assembly_done)
		free_assembly(session);
}

void session_end(struct session *session)
{
	end_handshake(session);
	channel_end(&session->channel);
	free_assembly(session);
	session->state = SESSION_ENDED;
}

static enum close_reason close_reason_of(enum session_refusal refusal)
{
	switch (refusal) {
	case REFUSED_MALFORMED:
		return CLOSE_PROTOCOL;
	case REFUSED_UNKNOWN_GATEWAY:
		return CLOSE_UNKNOWN_GATEWAY;
	case REFUSED_UNAVAILABLE:
	case REFUSED_INTERNAL:
		return CLOSE_UNAVAILABLE;
	default:
		return CLOSE_SECURITY;
	}
}

static void refuse(struct session *session, enum session_refusal refusal, const char *detail,
                   struct writer *reply, struct session_event *event)
{
	event->kind = SESSION_REFUSED;
	event->refusal = refusal;
	event->detail = detail;
	session_write_close(session, close_reason_of(refusal), detail, reply);
}

/* Keeps header and payload of a handshake frame (without trailer) for the proofs. */
static bool remember(struct session *session, const uint8_t *bytes, size_t size)
{
	struct writer writer = {.bytes = session->handshake->bytes,
	                        .capacity = SESSION_TRANSCRIPT_SIZE,
	                        .at = session->handshake->size};

	writer_bytes(&writer, bytes, size);
	session->handshake->size = (uint16_t)writer.at;
	return !writer.broken;
}

/* Whether this gateway may open a session of this kind with this key. */
static bool admit(struct session *session, uint32_t key_id, enum session_lookup found,
                  const struct session_gateway *gateway, struct writer *reply,
                  struct session_event *event)
{
	bool has_key = gateway->key.size > 0;

	if (found == LOOKUP_UNAVAILABLE)
		refuse(session, REFUSED_UNAVAILABLE, "gateways are not loaded yet", reply, event);
	else if (found == LOOKUP_UNKNOWN)
		refuse(session, REFUSED_UNKNOWN_GATEWAY, "unknown gateway", reply, event);
	else if (has_key && key_id != 0 && key_id != gateway->key_id)
		refuse(session, REFUSED_UNKNOWN_KEY, "unknown key id", reply, event);
	else if (!has_key && (gateway->security_required || session->policy->security_required))
		refuse(session, REFUSED_SECURITY_REQUIRED, "security is required and no key is provisioned",
		       reply, event);
	else
		return true;
	return false;
}

static void receive_hello(struct session *session, const uint8_t *frame,
                          const struct frame_header *header, struct cursor payload,
                          struct writer *reply, struct session_event *event)
{
	const struct session_policy *policy = session->policy;
	struct session_gateway gateway = {0};
	struct hello hello;

	if (header->type != FRAME_HELLO || !hello_read(payload, &hello)) {
		refuse(session, REFUSED_MALFORMED, "expected HELLO", reply, event);
		return;
	}
	enum session_lookup found = policy->lookup(policy->context, header->gateway, &gateway);
	bool admitted = admit(session, hello.key_id, found, &gateway, reply, event);
	session->secured = gateway.key.size > 0;
	security_wipe(&gateway, sizeof(gateway));
	if (!admitted)
		return;
	memcpy(session->handshake->client_nonce, hello.nonce, NONCE_SIZE);
	session->handshake->resume = hello.resume_session;
	size_t start = reply->at;
	if (!security_random(session->handshake->server_nonce, NONCE_SIZE) ||
	    !remember(session, frame, FRAME_HEADER_SIZE + payload.size) ||
	    !channel_write(&session->channel, FRAME_CHALLENGE, ROUTE_CORE, 0,
	                   session->handshake->server_nonce, NONCE_SIZE, reply) ||
	    !remember(session, reply->bytes + start, FRAME_HEADER_SIZE + NONCE_SIZE)) {
		refuse(session, REFUSED_INTERNAL, "no challenge could be made", reply, event);
		return;
	}
	session->state = SESSION_EXPECT_AUTH;
}

/* Whether AUTH proves the link key; without one it must be all zeros. */
static bool auth_proves(struct session *session, const struct link_key *key,
                        const uint8_t mac[MAC_SIZE])
{
	uint8_t expected[MAC_SIZE] = {0};

	if (session->secured && !security_mac(key, AUTH_LABEL, session->handshake->bytes,
	                                      session->handshake->size, expected))
		return false;
	return security_equal(mac, expected, MAC_SIZE);
}

/* The number of the session to open: the one to resume where it is still current. */
static uint32_t choose_session(struct session *session, uint32_t current, bool *resumed)
{
	uint32_t number = session->handshake->resume;

	*resumed = number != 0 && number == current;
	while (!*resumed && security_random(&number, sizeof(number)) &&
	       (number == 0 || number == current))
		;
	return number;
}

/* Writes READY (still in clear) and turns the channel to the session's keys. */
static bool open_session(struct session *session, const struct session_gateway *gateway,
                         struct ready *ready, struct writer *reply)
{
	uint8_t bytes[READY_FIELDS_SIZE + MAC_SIZE] = {0};
	struct writer payload = writer_over(bytes, sizeof(bytes));
	struct session_keys keys;

	ready_write_fields(&payload, ready);
	if (session->secured && (!remember(session, bytes, READY_FIELDS_SIZE) ||
	                         !security_mac(&gateway->key, READY_LABEL, session->handshake->bytes,
	                                       session->handshake->size, ready->mac) ||
	                         !security_derive(&gateway->key, session->handshake->client_nonce,
	                                          session->handshake->server_nonce,
	                                          session->channel.gateway, ready->session, &keys)))
		return false;
	writer_bytes(&payload, ready->mac, MAC_SIZE);
	bool opened =
	    channel_write(&session->channel, FRAME_READY, ROUTE_CORE, 0, bytes, sizeof(bytes), reply) &&
	    channel_ready(&session->channel, CHANNEL_SERVER, ready->session,
	                  session->secured ? &keys : NULL);
	security_wipe(&keys, sizeof(keys));
	return opened;
}

static void receive_auth(struct session *session, const uint8_t *frame,
                         const struct frame_header *header, struct cursor payload,
                         struct writer *reply, struct session_event *event)
{
	const struct session_policy *policy = session->policy;
	struct session_gateway gateway = {0};
	uint8_t mac[MAC_SIZE];

	if (header->type != FRAME_AUTH || !auth_read(payload, mac)) {
		refuse(session, REFUSED_MALFORMED, "expected AUTH", reply, event);
		return;
	}
	enum session_lookup found = policy->lookup(policy->context, header->gateway, &gateway);
	if (found != LOOKUP_FOUND || session->secured != (gateway.key.size > 0)) {
		refuse(session, REFUSED_UNAVAILABLE, "the gateway changed meanwhile", reply, event);
	} else if (!auth_proves(session, &gateway.key, mac)) {
		refuse(session, REFUSED_FORGED_AUTH, "AUTH does not prove the link key", reply, event);
	} else {
		struct ready ready = {.keepalive_s = policy->keepalive_s, .committed = gateway.committed};

		ready.session = choose_session(session, gateway.current_session, &event->resumed);
		if (ready.session != 0 && remember(session, frame, FRAME_HEADER_SIZE + payload.size) &&
		    open_session(session, &gateway, &ready, reply)) {
			session->state = SESSION_OPEN;
			event->kind = SESSION_OPENED;
			end_handshake(session);
		} else {
			refuse(session, REFUSED_INTERNAL, "no session could be opened", reply, event);
		}
	}
	security_wipe(&gateway, sizeof(gateway));
}

/* Adds a part of a long message, whose memory grows with it; false: there is no room for it. */
static bool assemble(struct session *session, struct cursor part)
{
	size_t size = session->assembled + part.size;
	uint8_t *larger;

	if (!reserve(session, session->assembled, size))
		return false;
	/* One byte is there even for an empty part: realloc to none would free. */
	larger = realloc(session->assembly, size > 0 ? size : 1);
	if (!larger) {
		reserve(session, size, session->assembled);
		return false;
	}
	session->assembly = larger;
	struct writer writer = writer_over(larger, size);
	writer.at = session->assembled;
	writer_bytes(&writer, part.bytes, part.size);
	session->assembled = (uint32_t)size;
	return true;
}

static void receive_data(struct session *session, const struct frame_header *header,
                         struct cursor payload, struct writer *reply, struct session_event *event)
{
	bool more = header->flags & FRAME_MORE_FOLLOWS;

	if (more || session->assembly) {
		if (payload.size > DATA_MAX_SIZE - session->assembled) {
			refuse(session, REFUSED_MALFORMED, "DATA message beyond the limit", reply, event);
			return;
		}
		if (!assemble(session, payload)) {
			refuse(session, REFUSED_UNAVAILABLE, "no memory for a long message", reply, event);
			return;
		}
		if (more)
			return;
		payload = cursor_over(session->assembly, session->assembled);
		session->assembly_done = true;
	}
	if (data_read(payload, &event->data))
		event->kind = SESSION_DATA;
	else
		refuse(session, REFUSED_MALFORMED, "malformed DATA", reply, event);
}

static void receive_open(struct session *session, const struct frame_header *header,
                         struct cursor payload, int64_t now_ms, struct writer *reply,
                         struct session_event *event)
{
	uint8_t time[8], reason;
	uint64_t record_no;
	struct writer writer = writer_over(time, sizeof(time));

	if ((header->flags & FRAME_MORE_FOLLOWS) && header->type != FRAME_DATA) {
		refuse(session, REFUSED_MALFORMED, "only DATA may be continued", reply, event);
		return;
	}
	switch (header->type) {
	case FRAME_DATA:
		receive_data(session, header, payload, reply, event);
		return;
	case FRAME_KEEPALIVE:
		if (payload.size > 0)
			break;
		writer_u64(&writer, (uint64_t)now_ms);
		event->kind = SESSION_KEEPALIVE;
		channel_write(&session->channel, FRAME_KEEPALIVE_ACK, ROUTE_CORE, 0, time, sizeof(time),
		              reply);
		return;
	case FRAME_RESPONSE:
		if (!response_read(payload, &event->response))
			break;
		event->kind = SESSION_RESPONSE;
		return;
	case FRAME_NACK:
		if (!nack_read(payload, &record_no, &reason))
			break;
		event->kind = SESSION_NACKED;
		return;
	case FRAME_CLOSE:
		if (!close_read(payload, &event->close))
			break;
		event->kind = SESSION_CLOSED;
		session->state = SESSION_ENDED;
		return;
	default:
		refuse(session, REFUSED_MALFORMED, "frame type has no place in a session", reply, event);
		return;
	}
	refuse(session, REFUSED_MALFORMED, "malformed payload", reply, event);
}

static enum session_refusal refusal_of(enum channel_status status)
{
	switch (status) {
	case CHANNEL_BAD_TAG:
		return REFUSED_BAD_TAG;
	case CHANNEL_WRONG_SEQUENCE:
	case CHANNEL_WRONG_SESSION:
		return REFUSED_REPLAY;
	case CHANNEL_UNEXPECTED_CLEAR:
		return REFUSED_CLEAR_AFTER_READY;
	default:
		return REFUSED_MALFORMED;
	}
}

void session_receive(struct session *session, uint8_t *frame, size_t size, int64_t now_ms,
                     struct writer *reply, struct session_event *event)
{
	struct frame_header header;
	struct cursor payload;

	event->kind = SESSION_NOTHING;
	event->resumed = false;
	if (session->state == SESSION_ENDED)
		return;
	session_release(session);
	enum frame_status framed =
	    frame_read_header(frame, size, session->policy->payload_limit, &header);
	if (framed != FRAME_OK) {
		refuse(session, REFUSED_MALFORMED, frame_status_text(framed), reply, event);
		return;
	}
	event->route = header.route;
	if (session->state == SESSION_EXPECT_HELLO)
		session->channel.gateway = header.gateway;
	enum channel_status read = channel_read(&session->channel, &header, frame, size, &payload);
	if (read != CHANNEL_OK)
		refuse(session, refusal_of(read), channel_status_text(read), reply, event);
	else if (session->state == SESSION_EXPECT_HELLO)
		receive_hello(session, frame, &header, payload, reply, event);
	else if (session->state == SESSION_EXPECT_AUTH)
		receive_auth(session, frame, &header, payload, reply, event);
	else
		receive_open(session, &header, payload, now_ms, reply, event);
}

bool session_write_ack(struct session *session, uint64_t record_no, struct writer *out)
{
	uint8_t bytes[8];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	writer_u64(&payload, record_no);
	return session->state == SESSION_OPEN &&
	       channel_write(&session->channel, FRAME_ACK, ROUTE_CORE, 0, bytes, payload.at, out);
}

bool session_write_nack(struct session *session, uint64_t record_no, uint8_t reason,
                        const char *text, struct writer *out)
{
	uint8_t bytes[256];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	writer_u64(&payload, record_no);
	writer_u8(&payload, reason);
	writer_bytes(&payload, text, strlen(text));
	return session->state == SESSION_OPEN && !payload.broken &&
	       channel_write(&session->channel, FRAME_NACK, ROUTE_CORE, 0, bytes, payload.at, out);
}

bool session_write_request(struct session *session, const void *payload, size_t size,
                           struct writer *out)
{
	return session->state == SESSION_OPEN &&
	       channel_write(&session->channel, FRAME_REQUEST, ROUTE_CORE, 0, payload, size, out);
}

bool session_write_close(struct session *session, enum close_reason reason, const char *text,
                         struct writer *out)
{
	uint8_t bytes[256];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	if (session->state == SESSION_ENDED)
		return false;
	session->state = SESSION_ENDED;
	close_write(&payload, (uint8_t)reason, text);
	return !payload.broken &&
	       channel_write(&session->channel, FRAME_CLOSE, ROUTE_CORE, 0, bytes, payload.at, out);
}

const char *session_refusal_name(enum session_refusal refusal)
{
	static const char *const names[] = {
	    [REFUSED_MALFORMED] = NULL,
	    [REFUSED_FORGED_AUTH] = "forged_auth",
	    [REFUSED_BAD_TAG] = "bad_tag",
	    [REFUSED_REPLAY] = "replay",
	    [REFUSED_CLEAR_AFTER_READY] = "clear_after_ready",
	    [REFUSED_UNKNOWN_GATEWAY] = "unknown_gateway",
	    [REFUSED_UNKNOWN_KEY] = "unknown_key",
	    [REFUSED_WRONG_IDENTITY] = "wrong_identity",
	    [REFUSED_SECURITY_REQUIRED] = "security_required",
	    [REFUSED_UNAVAILABLE] = NULL,
	    [REFUSED_INTERNAL] = NULL,
	};

	return names[refusal];
}
