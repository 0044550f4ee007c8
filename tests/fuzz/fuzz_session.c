/*
 * Any bytes as what a peer sends to the session state machine. With an odd first
 * byte a real gateway shakes hands first and the rest are payloads inside its
 * encrypted session: size (2 bytes), type, flags, payload. With an even one they
 * are the raw stream. Records must come out only of the former.
 */
#include <stdlib.h>

#include "../../bridge/core/client_session.h"
#include "../../bridge/core/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct link_key key = {.bytes = "sixteen byte key", .size = 16};

static enum session_lookup look_up(void *context, uint64_t gateway, struct session_gateway *out)
{
	(void)context;
	*out = (struct session_gateway){.key = key, .key_id = 1, .current_session = 5};
	return gateway == 1 ? LOOKUP_FOUND : LOOKUP_UNKNOWN;
}

static const struct session_policy policy = {
    .security_required = true, .keepalive_s = 60, .payload_limit = 16384, .lookup = look_up};

/* One frame to the server, from a buffer of its own; the replies are dropped. */
static void receive(struct session *session, const uint8_t *frame, size_t size,
                    struct session_event *event)
{
	uint8_t reply_bytes[SESSION_REPLY_SIZE], *copy = malloc(size);
	struct writer reply = writer_over(reply_bytes, sizeof(reply_bytes));

	memcpy(copy, frame, size);
	session_receive(session, copy, size, 1, &reply, event);
	if (event->kind == SESSION_REFUSED && session->state != SESSION_ENDED)
		abort();
	free(copy);
}

static void raw_stream(struct session *session, struct cursor stream)
{
	while (session->state != SESSION_ENDED && cursor_left(&stream) >= FRAME_HEADER_SIZE) {
		struct cursor rest = stream;
		struct frame_header header;
		struct session_event event;
		size_t size = cursor_left(&stream);

		if (frame_read_header(cursor_take(&rest, FRAME_HEADER_SIZE), FRAME_HEADER_SIZE, 16384,
		                      &header) == FRAME_OK &&
		    frame_size(&header) <= size)
			size = frame_size(&header);
		receive(session, cursor_take(&stream, size), size, &event);
		if (event.kind == SESSION_DATA || event.kind == SESSION_OPENED)
			abort();
	}
}

static bool shake_hands(struct session *session, struct client_session *client)
{
	uint8_t up_bytes[256], down_bytes[256];
	struct writer up = writer_over(up_bytes, sizeof(up_bytes));

	client_session_hello(client, &up);
	for (int step = 0; step < 2; step++) {
		struct writer down = writer_over(down_bytes, sizeof(down_bytes));
		struct session_event event;
		struct client_event client_event;

		session_receive(session, up_bytes, up.at, 1, &down, &event);
		up = writer_over(up_bytes, sizeof(up_bytes));
		client_session_receive(client, down_bytes, down.at, &up, &client_event);
	}
	return session->state == SESSION_OPEN && client->state == CLIENT_OPEN;
}

static void sealed_payloads(struct session *session, struct client_session *client,
                            struct cursor stream)
{
	static uint8_t frame[70000];

	while (session->state != SESSION_ENDED && cursor_left(&stream) > 0) {
		size_t size = cursor_u16(&stream);
		uint8_t type = cursor_u8(&stream), flags = cursor_u8(&stream);
		size_t left = cursor_left(&stream), part = size < left ? size : left;
		struct writer out = writer_over(frame, sizeof(frame));
		struct session_event event;

		if (stream.broken || !channel_write(&client->channel, type, ROUTE_ZIGBEE, flags,
		                                    cursor_take(&stream, part), part, &out))
			return;
		receive(session, frame, out.at, &event);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct cursor stream = cursor_over(bytes, size);
	struct client_session client;
	struct session session;
	bool sealed = cursor_u8(&stream) & 1;

	if (stream.broken || !session_start(&session, &policy))
		return 0;
	client_session_start(&client, 1, &key, 1, 5);
	if (!sealed)
		raw_stream(&session, stream);
	else if (shake_hands(&session, &client))
		sealed_payloads(&session, &client, stream);
	else
		abort();
	client_session_end(&client);
	session_end(&session);
	return 0;
}
