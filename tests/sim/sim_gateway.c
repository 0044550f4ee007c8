/*
 * The simulated gateway on libevent, over the client's session state machine.
 */
#include "sim_gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../bridge/codec/zcl.h"
#include "../../bridge/core/clock.h"
#include "mirror_model.h"
#include "sending.h"

enum {
	PAUSE_FIRST_MS = 50,
	PAUSE_LAST_MS = 1000,
	FAULT_LIMIT_MS = 5000,
	FAREWELL_MS = 50, /* for the last CLOSE to go out */
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
	stream_close(&gateway->stream);
	client_session_end(&gateway->session);
}

/* Hands to the connection what was written. */
static void send_frames(struct sim_gateway *gateway, const struct writer *out)
{
	stream_send(&gateway->stream, out->bytes, out->at);
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

static void check_done(struct sim_gateway *gateway)
{
	uint8_t bytes[256];
	struct writer out = writer_over(bytes, sizeof(bytes));

	if (gateway->committed < gateway->last || gateway->sim->fault != FAULT_NONE)
		return;
	if (!gateway->sim->stay && client_session_close(&gateway->session, "all records sent", &out))
		send_frames(gateway, &out);
	finish(gateway);
}

void sim_gateway_stop(struct sim_gateway *gateway)
{
	if (gateway->own_count > 0)
		return;
	gateway->last = gateway->sent > gateway->committed ? gateway->sent : gateway->committed;
	gateway->planned = gateway->last;
	check_done(gateway);
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
		send_frames(gateway, &out);
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
	send_frames(gateway, &out);
	if (gateway->sim->fault == FAULT_REPLAY)
		send_frames(gateway, &out);
	set_timer(gateway, FAULT_LIMIT_MS);
}

/* The first session: what the bridge has already is no work of this run. */
static void meet(struct sim_gateway *gateway)
{
	struct sim *sim = gateway->sim;

	gateway->met = true;
	gateway->base = gateway->sent = gateway->measured = gateway->next - 1;
	if (--sim->unmet == 0 && sim->all_open)
		sim->all_open(sim->context);
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
	sending_measure(gateway, gateway->committed);
	sending_rewind(gateway);
	if (!gateway->met)
		meet(gateway);
	gateway->keepalive_ms = ready->keepalive_s * INT64_C(1000);
	set_timer(gateway, gateway->keepalive_ms);
	if (gateway->sim->fault != FAULT_NONE)
		misbehave(gateway);
	check_done(gateway);
}

static void acknowledged(struct sim_gateway *gateway, uint64_t record_no)
{
	if (record_no > gateway->committed) {
		gateway->sim->acknowledged += record_no - gateway->committed;
		gateway->committed = record_no;
		sending_measure(gateway, record_no);
	}
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
		sending_rewind(gateway);
		break;
	case CLIENT_REQUEST:
		answer_request(gateway, &event->request);
		break;
	default:
		break;
	}
}

/* The session is over by the other side's word or fault. */
static void part(struct sim_gateway *gateway, const struct client_event *event)
{
	char why[100];
	bool closed = event->kind == CLIENT_CLOSED;

	snprintf(why, sizeof(why), "%.*s", closed ? (int)event->close.text_size : 99,
	         closed ? (const char *)event->close.text : event->detail);
	lose(gateway, why);
}

/* Takes every whole frame, then answers all of them by one sending. */
static size_t on_received(void *context, uint8_t *bytes, size_t size)
{
	struct sim_gateway *gateway = context;
	struct writer frames = writer_over(bytes, size);

	while (size - frames.at >= FRAME_HEADER_SIZE) {
		uint8_t reply_bytes[256];
		struct writer reply = writer_over(reply_bytes, sizeof(reply_bytes));
		struct client_event event;
		struct frame_header header;

		if (frame_read_header(bytes + frames.at, size - frames.at, UINT16_MAX, &header) !=
		    FRAME_OK) {
			lose(gateway, "not a frame");
			return 0;
		}
		if (size - frames.at < frame_size(&header))
			break;
		client_session_receive(&gateway->session, writer_reserve(&frames, frame_size(&header)),
		                       frame_size(&header), &reply, &event);
		send_frames(gateway, &reply);
		if (event.kind == CLIENT_CLOSED || event.kind == CLIENT_BROKEN) {
			part(gateway, &event);
			return 0;
		}
		handle(gateway, &event);
	}
	sim_gateway_pump(gateway);
	return frames.at;
}

static void on_drained(void *context)
{
	sim_gateway_pump(context);
}

static void begin_session(void *context)
{
	struct sim_gateway *gateway = context;
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
	send_frames(gateway, &out);
}

static void on_ended(void *context, const char *why)
{
	lose(context, why);
}

static void connect_gateway(struct sim_gateway *gateway)
{
	struct sim *sim = gateway->sim;

	if (!stream_connect(&gateway->stream, sim->base, (struct sockaddr *)&sim->address,
	                    (socklen_t)sim->address_size))
		lose(gateway, "cannot connect");
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct sim_gateway *gateway = context;
	uint8_t bytes[64];
	struct writer out = writer_over(bytes, sizeof(bytes));

	(void)socket;
	(void)what;
	if (!stream_open(&gateway->stream)) {
		connect_gateway(gateway);
	} else if (gateway->fault_sent) {
		gateway->sim->accepted_faults++;
		finish(gateway);
	} else if (client_session_keepalive(&gateway->session, &out)) {
		send_frames(gateway, &out);
		set_timer(gateway, gateway->keepalive_ms);
	}
}

bool sim_gateway_start(struct sim_gateway *gateway)
{
	static const struct stream_handlers handlers = {
	    .connected = begin_session,
	    .received = on_received,
	    .drained = on_drained,
	    .ended = on_ended,
	};

	stream_init(&gateway->stream, &handlers, gateway);
	gateway->pause_ms = PAUSE_FIRST_MS;
	gateway->planned = gateway->sim->records > 0 ? gateway->sim->records : gateway->source->count;
	gateway->last = gateway->planned;
	if (gateway->last + 1 < gateway->sim->first_record)
		gateway->last = gateway->sim->first_record - 1;
	gateway->timer = evtimer_new(gateway->sim->base, on_timer, gateway);
	if (!gateway->timer)
		return false;
	if (gateway->sim->fault == FAULT_FORGE && gateway->key.size > 0)
		gateway->key.bytes[0] ^= 1;
	gateway->sim->busy++;
	gateway->sim->unmet++;
	set_timer(gateway, 0);
	return true;
}

void sim_gateway_free(struct sim_gateway *gateway)
{
	disconnect(gateway);
	if (gateway->timer)
		event_free(gateway->timer);
	sent_log_free(&gateway->log);
	free(gateway->own);
}
