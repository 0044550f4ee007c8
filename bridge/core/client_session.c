/*
 * The gateway's session state machine (DESIGN.md section 7): proves its link
 * key to the server, and believes READY only where the server proves it too.
 */
#include "client_session.h"

void client_session_start(struct client_session *client, uint64_t gateway,
                          const struct link_key *link_key, uint32_t key_id, uint32_t resume)
{
	*client = (struct client_session){.link_key = link_key, .key_id = key_id, .resume = resume};
	channel_start(&client->channel, gateway);
}

void client_session_end(struct client_session *client)
{
	channel_end(&client->channel);
	client->state = CLIENT_IDLE;
}

static bool remember(struct client_session *client, const uint8_t *bytes, size_t size)
{
	struct writer writer = {.bytes = client->transcript,
	                        .capacity = CLIENT_TRANSCRIPT_SIZE,
	                        .at = client->transcript_size};

	writer_bytes(&writer, bytes, size);
	client->transcript_size = writer.at;
	return !writer.broken;
}

bool client_session_hello(struct client_session *client, struct writer *out)
{
	uint8_t bytes[64];
	struct writer payload = writer_over(bytes, sizeof(bytes));
	struct hello hello = {.resume_session = client->resume, .key_id = client->key_id};
	size_t start = out->at;

	if (!security_random(hello.nonce, NONCE_SIZE))
		return false;
	memcpy(client->client_nonce, hello.nonce, NONCE_SIZE);
	hello_write(&payload, &hello);
	client->state = CLIENT_EXPECT_CHALLENGE;
	return channel_write(&client->channel, FRAME_HELLO, ROUTE_CORE, 0, bytes, payload.at, out) &&
	       remember(client, out->bytes + start, FRAME_HEADER_SIZE + payload.at);
}

static bool receive_challenge(struct client_session *client, const uint8_t *frame,
                              struct cursor payload, struct writer *reply)
{
	uint8_t mac[MAC_SIZE] = {0};
	size_t start = reply->at;

	if (!challenge_read(payload, client->server_nonce) ||
	    !remember(client, frame, FRAME_HEADER_SIZE + payload.size))
		return false;
	if (client->link_key->size > 0 &&
	    !security_mac(client->link_key, "SA/1 client", client->transcript, client->transcript_size,
	                  mac))
		return false;
	client->state = CLIENT_EXPECT_READY;
	return channel_write(&client->channel, FRAME_AUTH, ROUTE_CORE, 0, mac, MAC_SIZE, reply) &&
	       remember(client, reply->bytes + start, FRAME_HEADER_SIZE + MAC_SIZE);
}

static bool receive_ready(struct client_session *client, struct cursor payload, struct ready *ready)
{
	uint8_t mac[MAC_SIZE] = {0};
	struct session_keys keys;
	bool secured = client->link_key->size > 0;

	if (!ready_read(payload, ready) || ready->session == 0)
		return false;
	if (secured && (!remember(client, payload.bytes, READY_FIELDS_SIZE) ||
	                !security_mac(client->link_key, "SA/1 server", client->transcript,
	                              client->transcript_size, mac) ||
	                !security_derive(client->link_key, client->client_nonce, client->server_nonce,
	                                 client->channel.gateway, ready->session, &keys)))
		return false;
	bool opened =
	    security_equal(mac, ready->mac, MAC_SIZE) &&
	    channel_ready(&client->channel, CHANNEL_CLIENT, ready->session, secured ? &keys : NULL);
	security_wipe(&keys, sizeof(keys));
	if (opened)
		client->state = CLIENT_OPEN;
	return opened;
}

/* A frame of an open session; false where it has no place there. */
static bool receive_open(const struct frame_header *header, struct cursor payload,
                         struct client_event *event)
{
	uint8_t reason;

	switch (header->type) {
	case FRAME_ACK:
		event->kind = CLIENT_ACKED;
		return ack_read(payload, &event->record_no);
	case FRAME_NACK:
		event->kind = CLIENT_NACKED;
		return nack_read(payload, &event->record_no, &reason);
	case FRAME_KEEPALIVE_ACK:
		event->kind = CLIENT_ALIVE;
		return keepalive_ack_read(payload, &event->server_ms);
	case FRAME_REQUEST:
		event->kind = CLIENT_REQUEST;
		return request_read(payload, &event->request);
	default:
		return false;
	}
}

static bool receive_step(struct client_session *client, const struct frame_header *header,
                         const uint8_t *frame, struct cursor payload, struct writer *reply,
                         struct client_event *event)
{
	if (header->type == FRAME_CLOSE) {
		event->kind = CLIENT_CLOSED;
		return close_read(payload, &event->close);
	}
	switch (client->state) {
	case CLIENT_EXPECT_CHALLENGE:
		return header->type == FRAME_CHALLENGE && receive_challenge(client, frame, payload, reply);
	case CLIENT_EXPECT_READY:
		event->kind = CLIENT_OPENED;
		return header->type == FRAME_READY && receive_ready(client, payload, &event->ready);
	case CLIENT_OPEN:
		return receive_open(header, payload, event);
	default:
		return false;
	}
}

void client_session_receive(struct client_session *client, uint8_t *frame, size_t size,
                            struct writer *reply, struct client_event *event)
{
	struct frame_header header;
	struct cursor payload;

	event->kind = CLIENT_NOTHING;
	enum frame_status framed = frame_read_header(frame, size, UINT16_MAX, &header);
	if (framed != FRAME_OK) {
		event->kind = CLIENT_BROKEN;
		event->detail = frame_status_text(framed);
		return;
	}
	enum channel_status read = channel_read(&client->channel, &header, frame, size, &payload);
	if (read != CHANNEL_OK) {
		event->kind = CLIENT_BROKEN;
		event->detail = channel_status_text(read);
	} else if (!receive_step(client, &header, frame, payload, reply, event)) {
		event->kind = CLIENT_BROKEN;
		event->detail = "the server's frame has no place here or proves nothing";
	}
}

bool client_session_data(struct client_session *client, uint8_t route,
                         const struct data_message *data, size_t part_limit, struct writer *out)
{
	static const size_t fixed_size = 8 + 8 + 1 + 1 + 2;
	uint8_t small[1024], *bytes = small;
	size_t size = fixed_size + data->address_size + data->telegram_size;
	bool written = client->state == CLIENT_OPEN && part_limit > 0;

	if (size > sizeof(small))
		bytes = OPENSSL_malloc(size);
	if (!bytes)
		return false;
	struct writer payload = writer_over(bytes, size);
	data_write(&payload, data);
	struct cursor rest = cursor_over(bytes, size);
	while (written && cursor_left(&rest) > 0) {
		size_t part = cursor_left(&rest) < part_limit ? cursor_left(&rest) : part_limit;
		const uint8_t *start = cursor_take(&rest, part);

		written = channel_write(&client->channel, FRAME_DATA, route,
		                        cursor_left(&rest) > 0 ? FRAME_MORE_FOLLOWS : 0, start, part, out);
	}
	if (bytes != small)
		OPENSSL_free(bytes);
	return written;
}

bool client_session_keepalive(struct client_session *client, struct writer *out)
{
	return client->state == CLIENT_OPEN &&
	       channel_write(&client->channel, FRAME_KEEPALIVE, ROUTE_CORE, 0, NULL, 0, out);
}

bool client_session_response(struct client_session *client, const struct request *request,
                             uint8_t result, struct writer *out)
{
	uint8_t bytes[16];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	response_write(&payload, request->id, request->method, result);
	return client->state == CLIENT_OPEN &&
	       channel_write(&client->channel, FRAME_RESPONSE, ROUTE_CORE, 0, bytes, payload.at, out);
}

bool client_session_close(struct client_session *client, const char *text, struct writer *out)
{
	uint8_t bytes[256];
	struct writer payload = writer_over(bytes, sizeof(bytes));

	close_write(&payload, CLOSE_NORMAL, text);
	return client->state == CLIENT_OPEN && !payload.broken &&
	       channel_write(&client->channel, FRAME_CLOSE, ROUTE_CORE, 0, bytes, payload.at, out);
}
