/*
 * Promises of the session state machines (DESIGN.md section 7): only who knows
 * the link key opens a session, on either side; a forged, replayed, reordered,
 * altered or clear frame ends it; sessions are resumed by number; long messages
 * are put together up to a limit. Server and gateway run against each other
 * without network or clock.
 */
#define _GNU_SOURCE
#include "tap.h"

#include <stdlib.h>

#include "../../bridge/core/client_session.h"
#include "../../bridge/core/session.h"

#define GATEWAY   UINT64_C(0x0015bc0000000001)
#define KEYLESS   UINT64_C(0x0015bc0000000002)
#define NOW_MS    INT64_C(1700000000000)
#define ROOM_SIZE 200000

static struct session_gateway known = {.key_id = 7, .committed = 41};
static bool loaded = true;
static enum session_lookup look_up(void *context, uint64_t gateway, struct session_gateway *out)
{
	(void)context;
	if (!loaded)
		return LOOKUP_UNAVAILABLE;
	if (gateway == KEYLESS) {
		*out = (struct session_gateway){.security_required = false};
		return LOOKUP_FOUND;
	}
	*out = known;
	return gateway == GATEWAY ? LOOKUP_FOUND : LOOKUP_UNKNOWN;
}

static struct session_policy policy = {
    .security_required = true, .keepalive_s = 60, .payload_limit = 16384, .lookup = look_up};

/* Both ends and what flows between them. */
struct pair {
	struct session server;
	struct client_session client;
	struct link_key key;
	struct session_event event;
	struct client_event client_event;
	uint8_t to_server[ROOM_SIZE], to_client[4096];
	struct writer up, down;
};

static void pair_start(struct pair *pair, uint64_t gateway, uint32_t resume)
{
	pair->key = known.key;
	session_start(&pair->server, &policy);
	client_session_start(&pair->client, gateway, &pair->key, 7, resume);
	pair->up = writer_over(pair->to_server, ROOM_SIZE);
	pair->down = writer_over(pair->to_client, sizeof(pair->to_client));
}

static void pair_end(struct pair *pair)
{
	session_end(&pair->server);
	client_session_end(&pair->client);
}

/* Size of the first frame in bytes. */
static size_t first_size(const uint8_t *bytes, size_t size)
{
	struct frame_header header;

	return frame_read_header(bytes, size, UINT16_MAX, &header) == FRAME_OK ? frame_size(&header)
	                                                                       : size;
}

/* Hands all frames that wait for the server to it; stops at the first that is refused. */
static void serve(struct pair *pair)
{
	size_t at = 0;

	while (at < pair->up.at) {
		size_t size = first_size(pair->to_server + at, pair->up.at - at);

		session_receive(&pair->server, pair->to_server + at, size, NOW_MS, &pair->down,
		                &pair->event);
		at += size;
		if (pair->event.kind == SESSION_REFUSED)
			break;
	}
	pair->up.at = 0;
}

static void deliver(struct pair *pair)
{
	size_t at = 0;

	while (at < pair->down.at) {
		size_t size = first_size(pair->to_client + at, pair->down.at - at);

		client_session_receive(&pair->client, pair->to_client + at, size, &pair->up,
		                       &pair->client_event);
		at += size;
	}
	pair->down.at = 0;
}

/* The whole handshake; whether both ends are open. */
static bool shake_hands(struct pair *pair)
{
	client_session_hello(&pair->client, &pair->up);
	serve(pair);
	deliver(pair);
	serve(pair);
	deliver(pair);
	return pair->server.state == SESSION_OPEN && pair->client.state == CLIENT_OPEN;
}

static bool refused(const struct pair *pair, enum session_refusal why)
{
	return pair->event.kind == SESSION_REFUSED && pair->event.refusal == why &&
	       pair->server.state == SESSION_ENDED;
}

static struct data_message record(uint64_t number)
{
	return (struct data_message){.record_no = number,
	                             .kind = KIND_ZCL,
	                             .address_size = 2,
	                             .telegram_size = 3,
	                             .address = (const uint8_t *)"ad",
	                             .telegram = (const uint8_t *)"tel"};
}

static void send_record(struct pair *pair, uint64_t number)
{
	struct data_message data = record(number);

	client_session_data(&pair->client, ROUTE_ZIGBEE, &data, 16384, &pair->up);
}

static void test_session(void)
{
	struct pair *pair = malloc(sizeof(*pair));

	pair_start(pair, GATEWAY, 0);
	ok(shake_hands(pair), "server and gateway with the same link key open a session");
	ok(pair->event.kind == SESSION_OPENED && !pair->event.resumed &&
	       pair->client_event.kind == CLIENT_OPENED && pair->client_event.ready.committed == 41 &&
	       pair->client_event.ready.keepalive_s == 60 && pair->client_event.ready.session != 0,
	   "READY tells session, keep-alive interval and last committed record");
	ok(pair->server.handshake == NULL, "an open session keeps nothing of the handshake");
	send_record(pair, 42);
	ok(memmem(pair->to_server, pair->up.at, "tel", 3) == NULL, "records are not sent in clear");
	serve(pair);
	ok(pair->event.kind == SESSION_DATA && pair->event.data.record_no == 42 &&
	       pair->event.route == ROUTE_ZIGBEE && memcmp(pair->event.data.telegram, "tel", 3) == 0,
	   "a record arrives as it was sent");
	session_write_ack(&pair->server, 42, &pair->down);
	deliver(pair);
	ok(pair->client_event.kind == CLIENT_ACKED && pair->client_event.record_no == 42,
	   "an ACK arrives");
	client_session_keepalive(&pair->client, &pair->up);
	serve(pair);
	ok(pair->event.kind == SESSION_KEEPALIVE, "a keep-alive is an event");
	deliver(pair);
	ok(pair->client_event.kind == CLIENT_ALIVE && pair->client_event.server_ms == NOW_MS,
	   "and is answered with the server's time");
	session_write_request(&pair->server, "12345678\1body", 13, &pair->down);
	deliver(pair);
	ok(pair->client_event.kind == CLIENT_REQUEST && pair->client_event.request.method == 1,
	   "a request arrives");
	client_session_response(&pair->client, &pair->client_event.request, RESULT_OK, &pair->up);
	serve(pair);
	ok(pair->event.kind == SESSION_RESPONSE && pair->event.response.result == RESULT_OK &&
	       pair->event.response.id == UINT64_C(0x3132333435363738),
	   "and its response with the same id");
	client_session_close(&pair->client, "bye", &pair->up);
	serve(pair);
	ok(pair->event.kind == SESSION_CLOSED && pair->server.state == SESSION_ENDED,
	   "CLOSE ends the session");
	pair_end(pair);
	free(pair);
}

static void test_admission(void)
{
	struct pair *pair = malloc(sizeof(*pair));

	pair_start(pair, GATEWAY + 99, 0);
	shake_hands(pair);
	ok(refused(pair, REFUSED_UNKNOWN_GATEWAY) && pair->client_event.kind == CLIENT_CLOSED &&
	       pair->client_event.close.reason == CLOSE_UNKNOWN_GATEWAY,
	   "an unknown gateway is told so");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	pair->client.key_id = 8;
	shake_hands(pair);
	ok(refused(pair, REFUSED_UNKNOWN_KEY), "another key id is refused");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	loaded = false;
	shake_hands(pair);
	ok(refused(pair, REFUSED_UNAVAILABLE) && session_refusal_name(REFUSED_UNAVAILABLE) == NULL,
	   "before the gateways are loaded nobody is let in, and nobody is suspected");
	loaded = true;
	pair_end(pair);

	pair_start(pair, KEYLESS, 0);
	pair->key.size = 0;
	shake_hands(pair);
	ok(refused(pair, REFUSED_SECURITY_REQUIRED), "a gateway without key is refused by default");
	pair_end(pair);

	policy.security_required = false;
	pair_start(pair, KEYLESS, 0);
	pair->key.size = 0;
	ok(shake_hands(pair) && !pair->server.secured, "but let in where security is optional");
	send_record(pair, 1);
	ok(memmem(pair->to_server, pair->up.at, "tel", 3) != NULL, "its frames are in clear");
	serve(pair);
	ok(pair->event.kind == SESSION_DATA, "and its records arrive");
	send_record(pair, 2);
	pair->to_server[30] ^= 1;
	serve(pair);
	ok(refused(pair, REFUSED_MALFORMED), "a wrong checksum ends the clear session");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	pair->key.size = 0;
	shake_hands(pair);
	ok(refused(pair, REFUSED_FORGED_AUTH),
	   "a gateway that has a key cannot come without, even where security is optional");
	policy.security_required = true;
	pair_end(pair);
	free(pair);
}

static void test_forged_sides(void)
{
	struct pair *pair = malloc(sizeof(*pair));

	pair_start(pair, GATEWAY, 0);
	pair->key.bytes[3] ^= 1;
	shake_hands(pair);
	ok(refused(pair, REFUSED_FORGED_AUTH) &&
	       strcmp(session_refusal_name(REFUSED_FORGED_AUTH), "forged_auth") == 0,
	   "AUTH under another key is forged");
	pair_end(pair);

	/* The server proves the key as well: a READY altered on the way is not believed. */
	pair_start(pair, GATEWAY, 0);
	client_session_hello(&pair->client, &pair->up);
	serve(pair);
	deliver(pair);
	serve(pair);
	pair->to_client[FRAME_HEADER_SIZE + 15] ^= 1;
	struct writer crc = writer_over(pair->to_client, sizeof(pair->to_client));
	crc.at = pair->down.at - FRAME_CRC_SIZE;
	frame_write_crc(&crc, 0);
	deliver(pair);
	ok(pair->client_event.kind == CLIENT_BROKEN && pair->client.state != CLIENT_OPEN,
	   "a READY that proves nothing is not believed by the gateway");
	pair_end(pair);
	free(pair);
}

static void test_replayed_handshake(void)
{
	struct pair *pair = malloc(sizeof(*pair)), *again = malloc(sizeof(*again));
	uint8_t hello[128], auth[128];
	size_t hello_size, auth_size;

	pair_start(pair, GATEWAY, 0);
	client_session_hello(&pair->client, &pair->up);
	hello_size = pair->up.at;
	memcpy(hello, pair->to_server, hello_size);
	serve(pair);
	deliver(pair);
	auth_size = pair->up.at;
	memcpy(auth, pair->to_server, auth_size);
	serve(pair);
	ok(pair->server.state == SESSION_OPEN, "the handshake that is listened to succeeds");

	pair_start(again, GATEWAY, 0);
	writer_bytes(&again->up, hello, hello_size);
	serve(again);
	ok(again->server.state == SESSION_EXPECT_AUTH, "its HELLO sent again gets a challenge");
	writer_bytes(&again->up, auth, auth_size);
	serve(again);
	ok(refused(again, REFUSED_FORGED_AUTH), "but its AUTH does not answer the new challenge");
	pair_end(pair);
	pair_end(again);
	free(pair);
	free(again);
}

static void test_violations(void)
{
	struct pair *pair = malloc(sizeof(*pair));
	uint8_t frame[256];
	size_t size;

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	send_record(pair, 42);
	size = pair->up.at;
	memcpy(frame, pair->to_server, size);
	serve(pair);
	writer_bytes(&pair->up, frame, size);
	serve(pair);
	ok(refused(pair, REFUSED_REPLAY), "an encrypted frame sent again is a replay");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	writer_bytes(&pair->up, frame, size);
	serve(pair);
	ok(refused(pair, REFUSED_REPLAY), "and so is one of an earlier session");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	pair->client.channel.sent++;
	send_record(pair, 42);
	serve(pair);
	ok(refused(pair, REFUSED_REPLAY), "a frame that leaves a gap in the sequence ends the session");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	pair->client.channel.encrypted = false;
	send_record(pair, 42);
	serve(pair);
	ok(refused(pair, REFUSED_CLEAR_AFTER_READY), "a clear frame after READY ends the session");
	pair_end(pair);

	pair_start(pair, GATEWAY, 0);
	send_record(pair, 42);
	pair->client.state = CLIENT_OPEN;
	send_record(pair, 42);
	serve(pair);
	ok(refused(pair, REFUSED_MALFORMED), "a record before the handshake is refused");
	pair_end(pair);
	free(pair);
}

/* Every byte of an encrypted frame is covered by its tag. */
static void test_every_byte_counts(void)
{
	struct pair *pair = malloc(sizeof(*pair));
	bool caught = true;
	size_t size = 1;

	for (size_t position = 0; position < size; position++) {
		pair_start(pair, GATEWAY, 0);
		caught = caught && shake_hands(pair);
		send_record(pair, 42);
		size = pair->up.at;
		pair->to_server[position] ^= 0x04;
		/* As the dispatcher cuts it: by the header that arrived. */
		serve(pair);
		caught = caught && pair->event.kind == SESSION_REFUSED;
		pair_end(pair);
	}
	ok(caught && size > 60, "an altered byte anywhere in an encrypted frame ends the session");
	free(pair);
}

static void test_resume(void)
{
	struct pair *pair = malloc(sizeof(*pair));

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	known.current_session = pair->server.channel.session;
	pair_end(pair);

	pair_start(pair, GATEWAY, known.current_session);
	ok(shake_hands(pair) && pair->event.resumed &&
	       pair->server.channel.session == known.current_session,
	   "a session is resumed under its number");
	send_record(pair, 42);
	serve(pair);
	ok(pair->event.kind == SESSION_DATA, "and works with its new keys");
	pair_end(pair);

	pair_start(pair, GATEWAY, known.current_session ^ 1);
	ok(shake_hands(pair) && !pair->event.resumed &&
	       pair->server.channel.session != known.current_session &&
	       pair->server.channel.session != (known.current_session ^ 1),
	   "an unknown number is not resumed: the session gets a new one");
	pair_end(pair);
	known.current_session = 0;
	free(pair);
}

static void test_long_messages(void)
{
	struct pair *pair = malloc(sizeof(*pair));
	uint8_t *telegram = malloc(60000);
	struct data_message data = record(42);
	bool parts_silent = true;
	size_t at = 0;

	for (int i = 0; i < 60000; i++)
		telegram[i] = (uint8_t)(i * 7);
	data.telegram = telegram;
	data.telegram_size = 60000;
	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	ok(client_session_data(&pair->client, ROUTE_ZIGBEE, &data, 16384, &pair->up) &&
	       pair->up.at > 60000 + 3 * 40,
	   "a long record is sent in several frames");
	while (at < pair->up.at) {
		size_t size = first_size(pair->to_server + at, pair->up.at - at);

		session_receive(&pair->server, pair->to_server + at, size, NOW_MS, &pair->down,
		                &pair->event);
		at += size;
		if (at < pair->up.at)
			parts_silent = parts_silent && pair->event.kind == SESSION_NOTHING;
	}
	ok(parts_silent && pair->event.kind == SESSION_DATA &&
	       pair->event.data.telegram_size == 60000 &&
	       memcmp(pair->event.data.telegram, telegram, 60000) == 0,
	   "and put together, with one event at its end");
	pair->up.at = 0;
	send_record(pair, 43);
	serve(pair);
	ok(pair->event.kind == SESSION_DATA && pair->event.data.record_no == 43 &&
	       pair->server.assembly == NULL,
	   "the next record is by itself again, and the memory is given back");

	for (int i = 0; i < 5 && pair->event.kind != SESSION_REFUSED; i++) {
		channel_write(&pair->client.channel, FRAME_DATA, ROUTE_ZIGBEE, FRAME_MORE_FOLLOWS, telegram,
		              16384, &pair->up);
		serve(pair);
	}
	ok(refused(pair, REFUSED_MALFORMED), "a message without end is refused at the limit");
	pair_end(pair);
	free(telegram);
	free(pair);
}

static size_t reserved, room = SIZE_MAX;

static bool reserve(void *context, size_t before, size_t after)
{
	(void)context;
	if (after > before && reserved - before + after > room)
		return false;
	reserved += after - before;
	return true;
}

static void send_part(struct pair *pair, const void *bytes, uint16_t size)
{
	channel_write(&pair->client.channel, FRAME_DATA, ROUTE_ZIGBEE, FRAME_MORE_FOLLOWS, bytes, size,
	              &pair->up);
	serve(pair);
}

static void test_memory_of_parts(void)
{
	struct pair *pair = malloc(sizeof(*pair));
	struct data_message data = record(42);

	policy.reserve = reserve;
	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	send_part(pair, "0123456789", 10);
	size_t ten = reserved;
	send_part(pair, "", 0);
	send_part(pair, "01234", 5);
	ok(ten == 10 && reserved == 15, "a message that is not complete holds what came of it");
	pair_end(pair);
	ok(reserved == 0, "and nothing once its session ends");

	pair_start(pair, GATEWAY, 0);
	shake_hands(pair);
	client_session_data(&pair->client, ROUTE_ZIGBEE, &data, 10, &pair->up);
	serve(pair);
	ok(pair->event.kind == SESSION_DATA && reserved > 20, "a complete one is held for its event");
	session_release(&pair->server);
	ok(reserved == 0 && pair->server.assembly == NULL, "and let go when that was used");

	room = 12;
	send_part(pair, "0123456789", 10);
	send_part(pair, "01234", 5);
	ok(refused(pair, REFUSED_UNAVAILABLE) && reserved == 10,
	   "where there is no more memory for it, the session ends");
	pair_end(pair);
	ok(reserved == 0, "with which its memory comes back");
	policy.reserve = NULL;
	free(pair);
}

/* Mutated and truncated streams never do anything but end the session. */
static void test_mutations(void)
{
	struct pair *pair = malloc(sizeof(*pair));
	uint64_t state = 42;
	int rounds = 3000, open = 0;

	printf("# seed %llu\n", (unsigned long long)state);
	for (int round = 0; round < rounds; round++) {
		pair_start(pair, GATEWAY, 0);
		client_session_hello(&pair->client, &pair->up);
		for (int step = 0; step < 3; step++) {
			for (int i = 0; i < 3 && pair->up.at > 0; i++) {
				state ^= state << 13;
				state ^= state >> 7;
				state ^= state << 17;
				if (state % 3 == 0)
					pair->to_server[state / 3 % pair->up.at] = (uint8_t)(state >> 40);
			}
			serve(pair);
			deliver(pair);
		}
		open += pair->server.state == SESSION_OPEN;
		pair_end(pair);
	}
	ok(open > 0 && open < rounds, "%d handshakes with random alterations: some pass unaltered",
	   rounds);
	free(pair);
}

int main(void)
{
	known.key.size = 16;
	memcpy(known.key.bytes, "sixteen byte key", 16);
	test_session();
	test_admission();
	test_forged_sides();
	test_replayed_handshake();
	test_violations();
	test_every_byte_counts();
	test_resume();
	test_long_messages();
	test_memory_of_parts();
	test_mutations();
	return tap_done();
}
