/*
 * Promises of the frame and message codecs: the bytes on the wire are those of
 * DESIGN.md section 7, what was written is read back, and no sequence of bytes
 * is misread or read past its end.
 */
#include "tap.h"

#include <stdlib.h>

#include "../../bridge/codec/frame.h"
#include "../../bridge/codec/messages.h"

static uint64_t random_state = 20240229;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void test_header(void)
{
	static const uint8_t expected[FRAME_HEADER_SIZE] = {
	    'S',  'A',  1,    0x07, 1, 5, 0x01, 0x02, 0x00, 0x15, 0xbc, 0x01,
	    0x02, 0x03, 0x04, 0x05, 0, 0, 0,    9,    0xde, 0xad, 0xbe, 0xef,
	};
	struct frame_header header = {
	    FRAME_DATA, ROUTE_ZIGBEE, FRAME_ENCRYPTED | FRAME_MORE_FOLLOWS, 0x0102, 0x0015bc0102030405,
	    9,          0xdeadbeef};
	struct frame_header read;
	uint8_t bytes[FRAME_HEADER_SIZE];
	struct writer writer = writer_over(bytes, sizeof(bytes));

	frame_write_header(&writer, &header);
	ok(!writer.broken && memcmp(bytes, expected, sizeof(expected)) == 0,
	   "the header's bytes are those of the specification");
	ok(frame_read_header(bytes, sizeof(bytes), 16384, &read) == FRAME_OK &&
	       read.gateway == header.gateway && read.sequence == header.sequence &&
	       read.session == 9 && read.payload_size == 0x0102 && read.flags == header.flags,
	   "the header is read back");
	ok(frame_size(&header) == 24 + 0x0102 + 16, "an encrypted frame ends with a 16-byte tag");
	header.flags = 0;
	ok(frame_size(&header) == 24 + 0x0102 + 4, "a clear frame ends with a CRC of 4 bytes");
	ok(frame_read_header(bytes, 23, 16384, &read) == FRAME_INCOMPLETE,
	   "23 bytes are no header yet");
	ok(frame_read_header(bytes, 24, 0x0101, &read) == FRAME_TOO_LONG,
	   "a payload beyond the limit is refused");
}

/* The status of the good header with one byte replaced. */
static enum frame_status status_with(size_t position, uint8_t value)
{
	uint8_t bytes[FRAME_HEADER_SIZE];
	struct frame_header header = {.type = FRAME_KEEPALIVE}, read;
	struct writer writer = writer_over(bytes, sizeof(bytes));

	frame_write_header(&writer, &header);
	bytes[position] = value;
	return frame_read_header(bytes, sizeof(bytes), 16384, &read);
}

static void test_bad_headers(void)
{
	ok(status_with(0, 's') == FRAME_BAD_MAGIC && status_with(1, 0) == FRAME_BAD_MAGIC,
	   "another magic is refused");
	ok(status_with(2, 2) == FRAME_BAD_VERSION, "another version is refused");
	ok(status_with(3, 0) == FRAME_BAD_TYPE && status_with(3, 0x0c) == FRAME_BAD_TYPE &&
	       status_with(3, 0x10) == FRAME_BAD_TYPE,
	   "unknown types are refused");
	ok(status_with(4, 6) == FRAME_BAD_ROUTE, "an unknown route is refused");
	ok(status_with(5, 8) == FRAME_BAD_FLAGS && status_with(5, 0x80) == FRAME_BAD_FLAGS,
	   "unknown flags are refused");
}

static void test_crc(void)
{
	uint8_t bytes[64];
	struct frame_header header = {.type = FRAME_CLOSE, .payload_size = 5};
	struct writer writer = writer_over(bytes, sizeof(bytes));
	bool caught = true;

	frame_write_header(&writer, &header);
	writer_bytes(&writer, "hello", 5);
	frame_write_crc(&writer, 0);
	ok(frame_crc_valid(bytes, writer.at), "a clear frame's CRC is accepted");
	for (size_t bit = 0; bit < writer.at * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		caught = caught && !frame_crc_valid(bytes, writer.at);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ok(caught, "every single flipped bit is caught by the CRC");
	ok(!frame_crc_valid(bytes, 27), "a frame shorter than header and CRC has none");
}

static void test_messages(void)
{
	uint8_t bytes[256];
	struct writer writer = writer_over(bytes, sizeof(bytes));
	struct data_message data = {.record_no = 77,
	                            .gateway_ms = 1700000000123,
	                            .kind = KIND_ZCL,
	                            .address_size = 3,
	                            .telegram_size = 4,
	                            .address = (const uint8_t *)"abc",
	                            .telegram = (const uint8_t *)"defg"};
	struct data_message data_back;
	struct ebr_command command = {
	    .slot_start_ms = 1700000000000,
	    .slot_s = 900,
	    .stores = 2,
	    .store = {{.store = STORE_ESS,
	               .setpoint_w = -2500,
	               .level_wh = {0, 10000, -1, 4},
	               .bands = 3,
	               .band = {{-4000, 9, 10}, {5000, 7, 8}, {INT32_MAX, 5, 6}}},
	              {.store = STORE_PEV, .setpoint_w = 7000, .level_wh = {1, 2, 3, 4}}},
	};
	struct ebr_command command_back;
	uint8_t again[256];
	struct writer rewriter = writer_over(again, sizeof(again));

	data_write(&writer, &data);
	ok(data_read(cursor_over(bytes, writer.at), &data_back) && data_back.record_no == 77 &&
	       data_back.gateway_ms == 1700000000123 && data_back.telegram_size == 4 &&
	       memcmp(data_back.address, "abc", 3) == 0 && memcmp(data_back.telegram, "defg", 4) == 0,
	   "a DATA message is read back");
	ok(!data_read(cursor_over(bytes, writer.at - 1), &data_back), "a cut DATA message is refused");
	ok(!data_read(cursor_over(bytes, writer.at + 1), &data_back),
	   "a DATA message with a byte too many is refused");
	memset(bytes, 0, 8);
	ok(!data_read(cursor_over(bytes, writer.at), &data_back), "record number 0 is refused");
	memset(bytes, 0xff, 8);
	ok(!data_read(cursor_over(bytes, writer.at), &data_back),
	   "a record number beyond 2^63 - 1 is refused");

	writer = writer_over(bytes, sizeof(bytes));
	ebr_command_write(&writer, &command);
	bool read = ebr_command_read(cursor_over(bytes, writer.at), &command_back);
	ebr_command_write(&rewriter, &command_back);
	ok(read && writer.at == 8 + 4 + 1 + 2 * 22 + 3 * 12 && rewriter.at == writer.at &&
	       memcmp(bytes, again, writer.at) == 0 && command_back.store[0].setpoint_w == -2500 &&
	       command_back.store[0].bands == 3 && command_back.store[0].band[1].discharge_wh == 8 &&
	       command_back.store[1].level_wh[LEVEL_EXPORT] == 4,
	   "an EBR command is read back");
	command.store[0].band[1].at_w = -5000;
	rewriter = writer_over(again, sizeof(again));
	ebr_command_write(&rewriter, &command);
	ok(!ebr_command_read(cursor_over(again, rewriter.at), &command_back),
	   "an EBR command whose bands do not rise is refused");
	command.store[0].band[1].at_w = 5000;
	command.store[0].band[2].at_w = 6000;
	rewriter = writer_over(again, sizeof(again));
	ebr_command_write(&rewriter, &command);
	ok(!ebr_command_read(cursor_over(again, rewriter.at), &command_back),
	   "an EBR command whose last band ends is refused");
	bytes[12] = 3;
	ok(!ebr_command_read(cursor_over(bytes, writer.at), &command_back),
	   "an EBR command for more stores than there are is refused");
	bytes[12] = 2;
	bytes[13] = 2;
	ok(!ebr_command_read(cursor_over(bytes, writer.at), &command_back),
	   "an EBR command for an unknown store is refused");
}

/* Every reader on the same bytes; counts what is accepted so that nothing is optimised away. */
static int read_everything(const uint8_t *bytes, size_t size)
{
	struct cursor payload = cursor_over(bytes, size);
	struct frame_header header;
	struct hello hello;
	struct ready ready;
	struct data_message data;
	struct request request;
	struct response response;
	struct ebr_command command;
	struct close_message close;
	uint8_t block[MAC_SIZE], reason;
	uint64_t number;

	return (frame_read_header(bytes, size, 16384, &header) == FRAME_OK) +
	       hello_read(payload, &hello) + challenge_read(payload, block) +
	       auth_read(payload, block) + ready_read(payload, &ready) +
	       keepalive_ack_read(payload, &number) + data_read(payload, &data) +
	       ack_read(payload, &number) + nack_read(payload, &number, &reason) +
	       request_read(payload, &request) + response_read(payload, &response) +
	       ebr_command_read(payload, &command) + close_read(payload, &close);
}

static void test_random_bytes(void)
{
	int accepted = 0, rounds = 100000;

	printf("# seed %llu\n", (unsigned long long)random_state);
	for (int round = 0; round < rounds; round++) {
		uint8_t *bytes;
		size_t size = random_next() % 96;

		/* An allocation of its own, so that the sanitizer sees a byte read too far. */
		bytes = malloc(size + 1);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(random_next() % (round % 2 ? 256 : 4));
		accepted += read_everything(bytes, size);
		free(bytes);
	}
	ok(accepted > 0 && accepted < rounds * 6, "%d rounds of random bytes are read within bounds",
	   rounds);
}

int main(void)
{
	test_header();
	test_bad_headers();
	test_crc();
	test_messages();
	test_random_bytes();
	return tap_done();
}
