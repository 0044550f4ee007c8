/*
 * Any bytes as a frame and as the payload of every message: read within bounds,
 * and what is read writes back to the same bytes.
 */
#include <stdlib.h>

#include "../../bridge/codec/frame.h"
#include "../../bridge/codec/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_header(const uint8_t *bytes, size_t size)
{
	struct frame_header header;
	uint8_t again[FRAME_HEADER_SIZE];
	struct writer writer = writer_over(again, sizeof(again));

	if (frame_read_header(bytes, size, UINT16_MAX, &header) != FRAME_OK)
		return;
	frame_write_header(&writer, &header);
	require(memcmp(again, bytes, sizeof(again)) == 0);
	if (size >= frame_size(&header))
		frame_crc_valid(bytes, frame_size(&header));
}

static void check_data(struct cursor payload)
{
	struct data_message data;
	uint8_t *again;

	if (!data_read(payload, &data))
		return;
	again = malloc(payload.size);
	struct writer writer = writer_over(again, payload.size);
	data_write(&writer, &data);
	require(!writer.broken && writer.at == payload.size &&
	        memcmp(again, payload.bytes, payload.size) == 0);
	free(again);
}

static void check_command(struct cursor payload)
{
	struct ebr_command command;
	uint8_t again[128];
	struct writer writer = writer_over(again, sizeof(again));

	if (!ebr_command_read(payload, &command))
		return;
	ebr_command_write(&writer, &command);
	require(writer.at == payload.size && memcmp(again, payload.bytes, payload.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct cursor payload = cursor_over(bytes, size);
	struct hello hello;
	struct ready ready;
	struct request request;
	struct response response;
	struct close_message close;
	uint8_t block[MAC_SIZE], reason;
	uint64_t number;

	check_header(bytes, size);
	check_data(payload);
	check_command(payload);
	hello_read(payload, &hello);
	challenge_read(payload, block);
	auth_read(payload, block);
	ready_read(payload, &ready);
	keepalive_ack_read(payload, &number);
	ack_read(payload, &number);
	nack_read(payload, &number, &reason);
	request_read(payload, &request);
	response_read(payload, &response);
	close_read(payload, &close);
	return 0;
}
