/*
 * The simulated gateway on libevent, over the client's session state machine.
 */
#include "sim_gateway.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "../../bridge/codec/reading.h"
#include "../../bridge/codec/zcl.h"
#include "../../bridge/core/clock.h"
#include "mirror_model.h"

enum {
	PAUSE_FIRST_MS = 50,
	PAUSE_LAST_MS = 1000,
	FAULT_LIMIT_MS = 5000,
	FAREWELL_MS = 50, /* for the last CLOSE to go out */
	OUTPUT_LIMIT = 1 << 18,
	FRAME_ROOM = 512 + DATA_MAX_SIZE + DATA_MAX_SIZE / 32 * 44,
	GARBAGE_SIZE = 4096,
};

static void set_timer(struct sim_gateway *gateway, int64_t ms)
{
	struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(gateway->timer, &delay);
}

static void finish(struct sim_gateway *gateway)
{
	if (gateway->done)
		return;
	struct timeval farewell = {.tv_usec = FAREWELL_MS * 1000};

	gateway->done = true;
	if (--gateway->sim->busy == 0 && !gateway->sim->stay)
		event_base_loopexit(gateway->sim->base, &farewell);
}

static void disconnect(struct sim_gateway *gateway)
{
	if (gateway->stream)
		bufferevent_free(gateway->stream);
	gateway->stream = NULL;
	client_session_end(&gateway->session);
}

/* The connection ended, by whomever. */
static void lose(struct sim_gateway *gateway, const char *why)
{
	struct sim *sim = gateway->sim;

	disconnect(gateway);
	if (sim->verbose)
		printf("gateway=%016" PRIx64 " disconnected reason=\"%s\"\n", gateway->eui64, why);
	if (gateway->fault_sent) {
		sim->refused++;
		finish(gateway);
		return;
	}
	if (gateway->done && !sim->stay)
		return;
	sim->reconnects++;
	set_timer(gateway, gateway->pause_ms);
	gateway->pause_ms =
	    gateway->pause_ms * 2 < PAUSE_LAST_MS ? gateway->pause_ms * 2 : PAUSE_LAST_MS;
}

static uint8_t route_of(uint8_t kind)
{
	static const uint8_t routes[] = {
	    [KIND_LOSS] = ROUTE_CORE,
	    [KIND_ZCL] = ROUTE_ZIGBEE,
	    [KIND_WIRELESS_MBUS] = ROUTE_WIRELESS_MBUS,
	    [KIND_ZWAVE] = ROUTE_ZWAVE,
	    [KIND_WIRED_MBUS] = ROUTE_WIRED_MBUS,
	    [KIND_DLMS] = ROUTE_HAN,
	    [KIND_P1] = ROUTE_HAN,
	};

	return kind < sizeof(routes) ? routes[kind] : ROUTE_CORE;
}

/* Whether the gateway still has the record, or ever had it. */
static bool has_record(const struct sim_gateway *gateway, uint64_t number)
{
	if (number < gateway->sim->first_record)
		return false;
	return number <= gateway->source->count ||
	       (gateway->own_count > 0 && number >= gateway->own_from && number <= gateway->last);
}

/* The record of a number, a loss where there is none; address points to ZCL_ADDRESS_SIZE bytes for
 * records made here. */
static struct data_message record_of(const struct sim_gateway *gateway, uint64_t number,
                                     uint8_t *address)
{
	struct data_message data = {.record_no = number, .kind = KIND_LOSS};

	if (!has_record(gateway, number))
		return data;
	if (number <= gateway->source->count) {
		const struct telegram *telegram = &gateway->source->telegrams[number - 1];

		data.gateway_ms = telegram->time_ms;
		data.kind = telegram->kind;
		data.address_size = telegram->address_size;
		data.telegram_size = telegram->telegram_size;
		data.address = telegram->bytes;
		data.telegram = telegram->bytes + telegram->address_size;
		return data;
	}
	const struct sim_record *own = &gateway->own[number - gateway->own_from];
	struct zcl_address source = {gateway->eui64, own->endpoint, 0x0109, ZCL_POWER_CONFIGURATION};
	struct writer writer = writer_over(address, ZCL_ADDRESS_SIZE);

	zcl_address_write(&writer, &source);
	data.gateway_ms = own->time_ms;
	data.kind = KIND_ZCL;
	data.address_size = ZCL_ADDRESS_SIZE;
	data.telegram_size = own->size;
	data.address = address;
	data.telegram = own->telegram;
	return data;
}

/* Writes one record's frames to the connection. */
static void send_record(struct sim_gateway *gateway, uint64_t number)
{
	static uint8_t frames[FRAME_ROOM];
	uint8_t address[ZCL_ADDRESS_SIZE];
	struct data_message data = record_of(gateway, number, address);
	struct writer out = writer_over(frames, sizeof(frames));

	if (client_session_data(&gateway->session, route_of(data.kind), &data, gateway->sim->part_limit,
	                        &out))
		bufferevent_write(gateway->stream, out.bytes, out.at);
}

/* With --reorder neighbours change places: 2 1 4 3 ... */
static uint64_t number_at(const struct sim_gateway *gateway, uint64_t position)
{
	if (!gateway->sim->reorder)
		return position;
	if (position % 2 == 0)
		return position - 1;
	return position < gateway->last ? position + 1 : position;
}

/* Goes on behind what is committed: with the first record kept, and before it the loss. */
static void rewind_records(struct sim_gateway *gateway)
{
	uint64_t first = gateway->sim->first_record;

	gateway->next = gateway->committed + 1;
	if (gateway->next < first)
		gateway->next = first - 1;
	if (gateway->sim->reorder && gateway->next % 2 == 0)
		gateway->next--;
}

/* Number up to which records may be on their way. */
static uint64_t window_end(const struct sim_gateway *gateway)
{
	uint64_t first = gateway->sim->first_record, begin = gateway->committed;

	return (begin + 2 < first ? first - 2 : begin) + gateway->sim->window;
}

void sim_gateway_pump(struct sim_gateway *gateway)
{
	struct sim *sim = gateway->sim;

	if (!gateway->stream || gateway->session.state != CLIENT_OPEN || sim->fault != FAULT_NONE)
		return;
	struct evbuffer *output = bufferevent_get_output(gateway->stream);
	while (gateway->next <= gateway->last && gateway->next <= window_end(gateway) &&
	       evbuffer_get_length(output) < OUTPUT_LIMIT && (!sim->limited || sim->allowance > 0)) {
		uint64_t number = number_at(gateway, gateway->next++);

		if (sim->gap && number < sim->first_record)
			continue;
		send_record(gateway, number);
		if (sim->duplicate)
			send_record(gateway, number);
		if (sim->limited)
			sim->allowance--;
	}
}

static void check_done(struct sim_gateway *gateway)
{
	uint8_t bytes[256];
	struct writer out = writer_over(bytes, sizeof(bytes));

	if (gateway->committed < gateway->last || gateway->sim->fault != FAULT_NONE)
		return;
	if (!gateway->sim->stay && client_session_close(&gateway->session, "all records sent", &out))
		bufferevent_write(gateway->stream, out.bytes, out.at);
	finish(gateway);
}

/* Makes a record of a store's state of charge. */
static void add_own_record(struct sim_gateway *gateway, const struct store_model *store)
{
	size_t wanted = gateway->own_capacity ? gateway->own_capacity * 2 : 8;
	struct sim_record *larger;

	if (gateway->own_count == gateway->own_capacity) {
		larger = realloc(gateway->own, wanted * sizeof(*larger));
		if (!larger)
			return;
		gateway->own = larger;
		gateway->own_capacity = wanted;
	}
	struct sim_record *own = &gateway->own[gateway->own_count];
	struct writer telegram = writer_over(own->telegram, sizeof(own->telegram));

	own->time_ms = (uint64_t)clock_wall_ms();
	own->endpoint = store->endpoint;
	store_model_report(store, (uint8_t)gateway->own_count, &telegram);
	own->size = (uint8_t)telegram.at;
	if (gateway->own_count++ == 0)
		gateway->own_from = gateway->last + 1;
	gateway->last++;
}

static bool executed_before(const struct sim_gateway *gateway, uint64_t id)
{
	for (unsigned i = 0; i < REMEMBERED_REQUESTS && i < gateway->request_count; i++)
		if (gateway->requests[i] == id)
			return true;
	return false;
}

static void execute(struct sim_gateway *gateway, uint64_t id, const struct ebr_command *command)
{
	double power_kw[COMMAND_STORES];

	gateway->requests[gateway->request_count++ % REMEMBERED_REQUESTS] = id;
	store_model_execute(gateway->stores, command, gateway->sim->net_demand_kw, power_kw);
	gateway->sim->executed++;
	printf("gateway=%016" PRIx64 " command=%" PRIu64 " ess_kw=%.3f ess_kwh=%.3f pev_kw=%.3f "
	       "pev_kwh=%.3f\n",
	       gateway->eui64, id, power_kw[STORE_ESS], gateway->stores[STORE_ESS].soc_kwh,
	       power_kw[STORE_PEV], gateway->stores[STORE_PEV].soc_kwh);
	for (int i = 0; i < command->stores; i++)
		add_own_record(gateway, &gateway->stores[command->store[i].store]);
}

static void answer_request(struct sim_gateway *gateway, const struct request *request)
{
	struct ebr_command command;
	uint8_t bytes[128], result = RESULT_OK;
	struct writer out = writer_over(bytes, sizeof(bytes));

	if (request->method == METHOD_ZCL)
		result = mirror_model_execute(gateway->eui64, request);
	else if (request->method != METHOD_EBR)
		result = RESULT_UNKNOWN_METHOD;
	else if (!ebr_command_read(request->body, &command))
		result = RESULT_MALFORMED;
	else if (!executed_before(gateway, request->id))
		execute(gateway, request->id, &command);
	if (client_session_response(&gateway->session, request, result, &out))
		bufferevent_write(gateway->stream, out.bytes, out.at);
	sim_gateway_pump(gateway);
}

/* The chosen misbehaviour inside an open session. */
static void misbehave(struct sim_gateway *gateway)
{
	uint8_t bytes[256];
	struct writer out = writer_over(bytes, sizeof(bytes));
	bool encrypted = gateway->session.channel.encrypted;

	gateway->fault_sent = true;
	if (gateway->sim->fault == FAULT_CLEAR_AFTER_READY)
		gateway->session.channel.encrypted = false;
	client_session_keepalive(&gateway->session, &out);
	gateway->session.channel.encrypted = encrypted;
	bufferevent_write(gateway->stream, out.bytes, out.at);
	if (gateway->sim->fault == FAULT_REPLAY)
		bufferevent_write(gateway->stream, out.bytes, out.at);
	set_timer(gateway, FAULT_LIMIT_MS);
}

static void opened(struct sim_gateway *gateway, const struct ready *ready)
{
	gateway->pause_ms = PAUSE_FIRST_MS;
	gateway->session_number = ready->session;
	if (gateway->sim->verbose)
		printf("gateway=%016" PRIx64 " session=%08" PRIx32 " committed=%" PRIu64 "\n",
		       gateway->eui64, ready->session, ready->committed);
	if (gateway->sim->fault == FAULT_FORGE) {
		gateway->sim->accepted_faults++;
		finish(gateway);
		return;
	}
	if (ready->committed < gateway->committed)
		gateway->sim->went_back++;
	gateway->committed = ready->committed;
	if (gateway->last < gateway->committed)
		gateway->last = gateway->committed;
	rewind_records(gateway);
	gateway->keepalive_ms = ready->keepalive_s * INT64_C(1000);
	set_timer(gateway, gateway->keepalive_ms);
	if (gateway->sim->fault != FAULT_NONE)
		misbehave(gateway);
	sim_gateway_pump(gateway);
	check_done(gateway);
}

static void acknowledged(struct sim_gateway *gateway, uint64_t record_no)
{
	if (record_no > gateway->committed) {
		gateway->sim->acknowledged += record_no - gateway->committed;
		gateway->committed = record_no;
	}
	sim_gateway_pump(gateway);
	check_done(gateway);
}

static void handle(struct sim_gateway *gateway, const struct client_event *event)
{
	switch (event->kind) {
	case CLIENT_OPENED:
		opened(gateway, &event->ready);
		break;
	case CLIENT_ACKED:
		acknowledged(gateway, event->record_no);
		break;
	case CLIENT_NACKED:
		rewind_records(gateway);
		sim_gateway_pump(gateway);
		break;
	case CLIENT_REQUEST:
		answer_request(gateway, &event->request);
		break;
	default:
		break;
	}
}

static void on_readable(struct bufferevent *stream, void *context)
{
	struct sim_gateway *gateway = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	uint8_t head[FRAME_HEADER_SIZE], bytes[256];

	while (evbuffer_copyout(input, head, sizeof(head)) == (ev_ssize_t)sizeof(head)) {
		struct writer reply = writer_over(bytes, sizeof(bytes));
		struct client_event event;
		struct frame_header header;

		if (frame_read_header(head, sizeof(head), UINT16_MAX, &header) != FRAME_OK) {
			lose(gateway, "not a frame");
			return;
		}
		size_t size = frame_size(&header);
		if (evbuffer_get_length(input) < size)
			return;
		client_session_receive(&gateway->session, evbuffer_pullup(input, (ev_ssize_t)size), size,
		                       &reply, &event);
		if (reply.at > 0)
			bufferevent_write(stream, reply.bytes, reply.at);
		if (event.kind == CLIENT_CLOSED || event.kind == CLIENT_BROKEN) {
			char why[100];

			snprintf(why, sizeof(why), "%.*s",
			         event.kind == CLIENT_CLOSED ? (int)event.close.text_size : 99,
			         event.kind == CLIENT_CLOSED ? (const char *)event.close.text : event.detail);
			lose(gateway, why);
			return;
		}
		handle(gateway, &event);
		evbuffer_drain(input, size);
	}
}

static void on_writable(struct bufferevent *stream, void *context)
{
	(void)stream;
	sim_gateway_pump(context);
}

static void begin_session(struct sim_gateway *gateway)
{
	uint8_t bytes[GARBAGE_SIZE];
	struct writer out = writer_over(bytes, sizeof(bytes));

	client_session_start(&gateway->session, gateway->eui64, &gateway->key, 0,
	                     gateway->session_number);
	if (gateway->sim->fault == FAULT_GARBAGE) {
		security_random(bytes, sizeof(bytes));
		out.at = sizeof(bytes);
	} else if (!client_session_hello(&gateway->session, &out)) {
		lose(gateway, "no HELLO could be made");
		return;
	}
	if (gateway->sim->fault == FAULT_GARBAGE || gateway->sim->fault == FAULT_FORGE) {
		gateway->fault_sent = true;
		set_timer(gateway, FAULT_LIMIT_MS);
	}
	bufferevent_write(gateway->stream, out.bytes, out.at);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	struct sim_gateway *gateway = context;

	(void)stream;
	if (what & BEV_EVENT_CONNECTED)
		begin_session(gateway);
	else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		lose(gateway, what & BEV_EVENT_EOF ? "connection closed" : "connection failed");
}

static void connect_gateway(struct sim_gateway *gateway)
{
	struct sim *sim = gateway->sim;

	gateway->stream = bufferevent_socket_new(sim->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!gateway->stream)
		return;
	bufferevent_setcb(gateway->stream, on_readable, on_writable, on_event, gateway);
	bufferevent_enable(gateway->stream, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(gateway->stream, (struct sockaddr *)&sim->address,
	                               sim->address_size) != 0)
		lose(gateway, "cannot connect");
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct sim_gateway *gateway = context;
	uint8_t bytes[64];
	struct writer out = writer_over(bytes, sizeof(bytes));

	(void)socket;
	(void)what;
	if (!gateway->stream) {
		connect_gateway(gateway);
	} else if (gateway->fault_sent) {
		gateway->sim->accepted_faults++;
		finish(gateway);
	} else if (client_session_keepalive(&gateway->session, &out)) {
		bufferevent_write(gateway->stream, out.bytes, out.at);
		set_timer(gateway, gateway->keepalive_ms);
	}
}

bool sim_gateway_start(struct sim_gateway *gateway)
{
	gateway->pause_ms = PAUSE_FIRST_MS;
	gateway->last = gateway->source->count;
	if (gateway->last + 1 < gateway->sim->first_record)
		gateway->last = gateway->sim->first_record - 1;
	gateway->timer = evtimer_new(gateway->sim->base, on_timer, gateway);
	if (!gateway->timer)
		return false;
	if (gateway->sim->fault == FAULT_FORGE && gateway->key.size > 0)
		gateway->key.bytes[0] ^= 1;
	gateway->sim->busy++;
	set_timer(gateway, 0);
	return true;
}

void sim_gateway_free(struct sim_gateway *gateway)
{
	disconnect(gateway);
	if (gateway->timer)
		event_free(gateway->timer);
	free(gateway->own);
}
