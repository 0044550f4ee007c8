/*
 * Order and protection of SmartAMM frames (DESIGN.md section 7), between the
 * frame codec and the two session state machines.
 */
#include "channel.h"

void channel_start(struct channel *channel, uint64_t gateway)
{
	*channel = (struct channel){.gateway = gateway};
}

bool channel_ready(struct channel *channel, enum channel_role role, uint32_t session,
                   const struct session_keys *keys)
{
	channel->session = session;
	channel->sent = channel->received = 0;
	channel->encrypted = keys != NULL;
	if (!keys)
		return true;
	bool client = role == CHANNEL_CLIENT;
	return security_cipher_start(&channel->seal, true, client ? keys->client_key : keys->server_key,
	                             client ? keys->client_salt : keys->server_salt) &&
	       security_cipher_start(&channel->unseal, false,
	                             client ? keys->server_key : keys->client_key,
	                             client ? keys->server_salt : keys->client_salt);
}

void channel_end(struct channel *channel)
{
	security_cipher_end(&channel->seal);
	security_cipher_end(&channel->unseal);
}

bool channel_write(struct channel *channel, uint8_t type, uint8_t route, uint8_t flags,
                   const void *payload, size_t size, struct writer *out)
{
	size_t start = out->at;
	struct frame_header header = {
	    .type = type,
	    .route = route,
	    .flags = flags | frame_response_flag(type) | (channel->encrypted ? FRAME_ENCRYPTED : 0),
	    .payload_size = (uint16_t)size,
	    .gateway = channel->gateway,
	    .session = channel->session,
	    .sequence = channel->sent + 1,
	};

	if (size > UINT16_MAX || channel->sent == UINT32_MAX ||
	    out->capacity - out->at < frame_size(&header))
		return false;
	frame_write_header(out, &header);
	writer_bytes(out, payload, size);
	if (channel->encrypted) {
		struct writer whole = writer_over(out->bytes + start, frame_size(&header));
		uint8_t *head = writer_reserve(&whole, FRAME_HEADER_SIZE);
		uint8_t *body = writer_reserve(&whole, size);
		uint8_t *tag = writer_reserve(out, FRAME_TAG_SIZE);

		if (!security_seal(&channel->seal, header.sequence, head, FRAME_HEADER_SIZE, body, size,
		                   tag)) {
			out->at = start;
			return false;
		}
	} else {
		frame_write_crc(out, start);
	}
	channel->sent++;
	return !out->broken;
}

enum channel_status channel_read(struct channel *channel, const struct frame_header *header,
                                 uint8_t *frame, size_t size, struct cursor *payload)
{
	bool encrypted = header->flags & FRAME_ENCRYPTED;

	if (header->gateway != channel->gateway)
		return CHANNEL_WRONG_GATEWAY;
	if (encrypted != channel->encrypted)
		return encrypted ? CHANNEL_UNEXPECTED_ENCRYPTED : CHANNEL_UNEXPECTED_CLEAR;
	if (header->session != channel->session)
		return CHANNEL_WRONG_SESSION;
	if (channel->received == UINT32_MAX || header->sequence != channel->received + 1)
		return CHANNEL_WRONG_SEQUENCE;
	if (size != frame_size(header) || (!encrypted && !frame_crc_valid(frame, size)))
		return CHANNEL_BAD_CRC;
	struct writer whole = writer_over(frame, size);
	uint8_t *head = writer_reserve(&whole, FRAME_HEADER_SIZE);
	uint8_t *body = writer_reserve(&whole, header->payload_size);
	uint8_t *trailer = writer_reserve(&whole, size - whole.at);
	if (encrypted && !security_unseal(&channel->unseal, header->sequence, head, FRAME_HEADER_SIZE,
	                                  body, header->payload_size, trailer))
		return CHANNEL_BAD_TAG;
	channel->received++;
	*payload = cursor_over(body, header->payload_size);
	return CHANNEL_OK;
}

const char *channel_status_text(enum channel_status status)
{
	static const char *const texts[] = {
	    [CHANNEL_OK] = "frame accepted",
	    [CHANNEL_BAD_CRC] = "wrong checksum",
	    [CHANNEL_WRONG_GATEWAY] = "frame of another gateway",
	    [CHANNEL_WRONG_SESSION] = "frame of another session",
	    [CHANNEL_WRONG_SEQUENCE] = "sequence number out of order",
	    [CHANNEL_UNEXPECTED_CLEAR] = "clear frame in an encrypted session",
	    [CHANNEL_UNEXPECTED_ENCRYPTED] = "encrypted frame without keys",
	    [CHANNEL_BAD_TAG] = "wrong authentication tag",
	};

	return texts[status];
}
