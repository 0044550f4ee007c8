/*
 * Connections of the IP dispatcher (document 4.1.2.1). A frame is
 * handled where it lies in the connection's input buffer. Connections are freed
 * only from their own stream's callbacks, never while frames of theirs are being
 * handled.
 */
#include "ip_dispatcher.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "clock.h"
#include "entrance.h"

enum { READ_CHUNK = 65536, LINGER_S = 5, SWEEP_MS = 500 };

enum { ENTRANCES = 2 }; /* in clear, with TLS */

struct ip_dispatcher {
	struct dispatcher_options options;
	struct event_base *base;
	struct entrance entrances[ENTRANCES];
	struct event *sweep;
	struct connection *first;
	struct seen_list pending;
	struct dispatcher_counts counts;
	bool held, watched;
};

static void connection_free(struct connection *connection)
{
	struct ip_dispatcher *dispatcher = connection->dispatcher;

	seen_remove(&dispatcher->pending, &connection->age);
	*(connection->before ? &connection->before->after : &dispatcher->first) = connection->after;
	if (connection->after)
		connection->after->before = connection->before;
	dispatcher->counts.connections--;
	session_end(&connection->session);
	bufferevent_free(connection->stream);
	free(connection);
}

/* The connection's life for the upper layer is over. */
static void announce_end(struct connection *connection, const char *reason)
{
	struct ip_dispatcher *dispatcher = connection->dispatcher;

	connection->closing = true;
	seen_remove(&dispatcher->pending, &connection->age);
	if (connection->owner)
		dispatcher->options.events.ended(dispatcher->options.events.context, connection, reason);
	connection->owner = NULL;
}

/* Tells a frame; of the handshake, whose payloads are proofs, without its payload. */
static void tell_traffic(struct connection *connection, bool outgoing, const uint8_t *frame,
                         const uint8_t *payload, size_t size)
{
	const struct dispatcher_events *events = &connection->dispatcher->options.events;
	struct frame_header header;

	if (!connection->dispatcher->watched ||
	    frame_read_header(frame, FRAME_HEADER_SIZE, UINT16_MAX, &header) != FRAME_OK)
		return;
	const struct traffic traffic = {
	    .at_ms = clock_wall_ms(),
	    .outgoing = outgoing,
	    .gateway = header.gateway,
	    .session = header.session,
	    .sequence = header.sequence,
	    .type = header.type,
	    .route = header.route,
	    .flags = header.flags,
	    .payload = header.type <= FRAME_READY ? NULL : payload,
	    .size = size,
	};
	events->traffic(events->context, &traffic);
}

static void on_drained(struct bufferevent *stream, void *context)
{
	(void)stream;
	connection_free(context);
}

static void on_closing_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	connection_free(context);
}

/* Lets what is still unsent go out, then frees; from the event loop, not from here. */
static void linger(struct connection *connection)
{
	struct timeval limit = {.tv_sec = LINGER_S};

	bufferevent_disable(connection->stream, EV_READ);
	bufferevent_setcb(connection->stream, NULL, on_drained, on_closing_event, connection);
	bufferevent_set_timeouts(connection->stream, NULL, &limit);
	if (evbuffer_get_length(bufferevent_get_output(connection->stream)) == 0)
		bufferevent_trigger(connection->stream, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

static void finish(struct connection *connection, const char *reason)
{
	if (connection->closing)
		return;
	announce_end(connection, reason);
	linger(connection);
}

/* Past the event loop where nothing is waiting to go out: the kernel nearly always takes an
 * acknowledgement at once. */
static void write_bytes(struct connection *connection, const uint8_t *bytes, size_t size)
{
	bool direct = !connection->secure && connection->up &&
	              evbuffer_get_length(bufferevent_get_output(connection->stream)) == 0;
	ssize_t sent = direct ? send(bufferevent_getfd(connection->stream), bytes, size,
	                             MSG_DONTWAIT | MSG_NOSIGNAL)
	                      : 0;

	if (sent < 0)
		sent = 0; /* what is wrong, if anything, the loop will hear */
	if ((size_t)sent < size)
		bufferevent_write(connection->stream, bytes + sent, size - (size_t)sent);
}

/* Sends one frame; payload (NULL: not told) is what it holds in clear. */
static void send_frame(struct connection *connection, const struct writer *out, const void *payload,
                       size_t size)
{
	if (out->at == 0)
		return;
	tell_traffic(connection, true, out->bytes, payload, size);
	write_bytes(connection, out->bytes, out->at);
	connection->dispatcher->counts.frames_sent++;
	if (evbuffer_get_length(bufferevent_get_output(connection->stream)) >
	    connection->dispatcher->options.output_limit)
		finish(connection, "the peer does not read");
}

void connection_peer(const struct connection *connection, char peer[PEER_SIZE])
{
	peer_of_socket(bufferevent_getfd(connection->stream), peer);
}

void connection_ack(struct connection *connection, uint64_t record_no)
{
	uint8_t bytes[64], number[8];
	struct writer out = writer_over(bytes, sizeof(bytes));
	struct writer payload = writer_over(number, sizeof(number));

	writer_u64(&payload, record_no);
	if (!connection->closing && session_write_ack(&connection->session, record_no, &out))
		send_frame(connection, &out, number, sizeof(number));
}

void connection_nack(struct connection *connection, uint64_t record_no, enum nack_reason reason,
                     const char *why)
{
	uint8_t bytes[SESSION_REPLY_SIZE], number[9];
	struct writer out = writer_over(bytes, sizeof(bytes));
	struct writer payload = writer_over(number, sizeof(number));

	writer_u64(&payload, record_no);
	writer_u8(&payload, (uint8_t)reason);
	if (!connection->closing &&
	    session_write_nack(&connection->session, record_no, (uint8_t)reason, why, &out))
		send_frame(connection, &out, number, sizeof(number));
}

bool connection_request(struct connection *connection, const void *payload, size_t size)
{
	uint8_t bytes[1024];
	struct writer out = writer_over(bytes, sizeof(bytes));

	if (connection->closing || !session_write_request(&connection->session, payload, size, &out))
		return false;
	send_frame(connection, &out, payload, size);
	return true;
}

void connection_close(struct connection *connection, enum close_reason reason, const char *why)
{
	uint8_t bytes[SESSION_REPLY_SIZE], text[SESSION_REPLY_SIZE];
	struct writer out = writer_over(bytes, sizeof(bytes));
	struct writer payload = writer_over(text, sizeof(text));

	if (connection->closing)
		return;
	close_write(&payload, (uint8_t)reason, why);
	if (session_write_close(&connection->session, reason, why, &out) && connection->up) {
		tell_traffic(connection, true, out.bytes, text, payload.at);
		write_bytes(connection, out.bytes, out.at);
	}
	finish(connection, why);
}

static void handle_event(struct connection *connection, const struct session_event *event,
                         int64_t now_ms)
{
	struct ip_dispatcher *dispatcher = connection->dispatcher;

	if (event->kind == SESSION_NOTHING)
		return;
	if (event->kind == SESSION_OPENED)
		seen_remove(&dispatcher->pending, &connection->age);
	dispatcher->options.events.session(dispatcher->options.events.context, connection, event,
	                                   now_ms);
	if (event->kind == SESSION_REFUSED) {
		dispatcher->counts.refused++;
		finish(connection, event->detail);
	} else if (event->kind == SESSION_CLOSED) {
		finish(connection, "closed by the gateway");
	}
}

/* Whether HELLO names another gateway than the one that TLS proved, where it proved one. */
static bool is_impostor(const struct connection *connection)
{
	uint64_t identity;

	if (!connection->secure || connection->session.state != SESSION_EXPECT_AUTH)
		return false;
	identity = tls_identity(bufferevent_openssl_get_ssl(connection->stream));
	return identity == TLS_NO_EUI64 ||
	       (identity != 0 && identity != connection->session.channel.gateway);
}

static void refuse_impostor(struct connection *connection, int64_t now_ms)
{
	struct ip_dispatcher *dispatcher = connection->dispatcher;
	const struct session_event event = {
	    .kind = SESSION_REFUSED,
	    .refusal = REFUSED_WRONG_IDENTITY,
	    .detail = "the TLS identity is another gateway's",
	};

	dispatcher->counts.refused++;
	dispatcher->options.events.session(dispatcher->options.events.context, connection, &event,
	                                   now_ms);
	connection_close(connection, CLOSE_SECURITY, event.detail);
}

/* The whole frame at the front of the input, or NULL where it is not there yet. A frame
 * with a broken header is as long as what has come: the session refuses it. */
static uint8_t *next_frame(struct connection *connection, struct evbuffer *input, size_t *size)
{
	struct frame_header header;
	uint8_t head[FRAME_HEADER_SIZE];
	ev_ssize_t peeked = evbuffer_copyout(input, head, sizeof(head));

	if (peeked < (ev_ssize_t)sizeof(head))
		return NULL;
	if (frame_read_header(head, sizeof(head), connection->dispatcher->options.policy.payload_limit,
	                      &header) == FRAME_OK)
		*size = frame_size(&header);
	else
		*size = sizeof(head);
	return evbuffer_get_length(input) < *size ? NULL : evbuffer_pullup(input, (ev_ssize_t)*size);
}

/* A frame that was refused may not be decrypted: it is told without its payload. */
static void tell_received(struct connection *connection, const uint8_t *frame,
                          const struct session_event *event)
{
	struct frame_header header;

	if (connection->dispatcher->watched &&
	    frame_read_header(frame, FRAME_HEADER_SIZE, UINT16_MAX, &header) == FRAME_OK)
		tell_traffic(connection, false, frame,
		             event->kind == SESSION_REFUSED ? NULL : frame + FRAME_HEADER_SIZE,
		             header.payload_size);
}

static void on_readable(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;
	struct ip_dispatcher *dispatcher = connection->dispatcher;
	struct evbuffer *input = bufferevent_get_input(stream);
	int64_t now_ms = clock_wall_ms();
	uint8_t bytes[SESSION_REPLY_SIZE], *frame;
	size_t size;

	while (!connection->closing && !dispatcher->held &&
	       (frame = next_frame(connection, input, &size)) != NULL) {
		struct writer reply = writer_over(bytes, sizeof(bytes));
		struct session_event event;

		dispatcher->counts.frames_received++;
		session_receive(&connection->session, frame, size, now_ms, &reply, &event);
		tell_received(connection, frame, &event);
		if (is_impostor(connection)) {
			refuse_impostor(connection, now_ms);
			break;
		}
		send_frame(connection, &reply, NULL, 0);
		if (!connection->closing)
			handle_event(connection, &event, now_ms);
		session_release(&connection->session);
		evbuffer_drain(input, size);
	}
	if (!connection->closing)
		dispatcher->options.events.settled(dispatcher->options.events.context, connection);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	struct connection *connection = context;

	(void)stream;
	if (what & BEV_EVENT_CONNECTED)
		connection->up = true;
	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)))
		return;
	if (!connection->up)
		tls_log_failure(connection->dispatcher->options.log, bufferevent_get_openssl_error(stream));
	announce_end(connection, what & BEV_EVENT_EOF ? "connection closed" : "connection lost");
	connection_free(connection);
}

static void add_connection(struct ip_dispatcher *dispatcher, struct connection *connection)
{
	connection->dispatcher = dispatcher;
	connection->after = dispatcher->first;
	if (dispatcher->first)
		dispatcher->first->before = connection;
	dispatcher->first = connection;
	dispatcher->counts.connections++;
	seen_touch(&dispatcher->pending, &connection->age, clock_steady_ms());
}

static void on_accepted(struct entrance *entrance, evutil_socket_t socket)
{
	struct ip_dispatcher *dispatcher = entrance->context;
	struct connection *connection = calloc(1, sizeof(*connection));
	int on = 1;

	if (!connection || dispatcher->counts.connections >= dispatcher->options.connection_limit ||
	    !session_start(&connection->session, &entrance->policy)) {
		free(connection);
		evutil_closesocket(socket);
		return;
	}
	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	connection->secure = entrance->tls != NULL;
	connection->up = !connection->secure;
	connection->stream = entrance_stream(entrance, socket);
	if (!connection->stream) {
		session_end(&connection->session);
		free(connection);
		evutil_closesocket(socket);
		return;
	}
	add_connection(dispatcher, connection);
	bufferevent_set_max_single_read(connection->stream, READ_CHUNK);
	bufferevent_setcb(connection->stream, on_readable, NULL, on_event, connection);
	bufferevent_enable(connection->stream, dispatcher->held ? EV_WRITE : EV_READ | EV_WRITE);
	if (dispatcher->pending.count > dispatcher->options.pending_limit) {
		struct seen_link *oldest = dispatcher->pending.oldest;
		connection_close((struct connection *)((char *)oldest - offsetof(struct connection, age)),
		                 CLOSE_LIMIT, "too many connections without handshake");
	}
}

static void on_sweep(evutil_socket_t socket, short what, void *context)
{
	struct ip_dispatcher *dispatcher = context;
	int64_t limit_ms = clock_steady_ms() - dispatcher->options.handshake_ms;
	struct seen_link *oldest;

	(void)socket;
	(void)what;
	while (!dispatcher->held && (oldest = dispatcher->pending.oldest) && oldest->at_ms <= limit_ms)
		connection_close((struct connection *)((char *)oldest - offsetof(struct connection, age)),
		                 CLOSE_IDLE, "no handshake in time");
	for (int i = 0; i < ENTRANCES; i++)
		entrance_resume(&dispatcher->entrances[i]);
}

static bool open_entrances(struct ip_dispatcher *dispatcher, char *message, size_t size)
{
	const struct dispatcher_options *options = &dispatcher->options;
	struct entrance *clear = &dispatcher->entrances[false], *secure = &dispatcher->entrances[true];

	*clear = (struct entrance){
	    .base = dispatcher->base,
	    .policy = options->policy,
	    .log = options->log,
	    .accepted = on_accepted,
	    .context = dispatcher,
	};
	*secure = *clear;
	secure->policy.security_required = options->tls_security_required;
	return entrance_open(clear, options->host, options->port, NULL, message, size) &&
	       (!options->tls_host || entrance_open(secure, options->tls_host, options->tls_port,
	                                            &options->tls, message, size));
}

struct ip_dispatcher *ip_dispatcher_new(struct event_base *base,
                                        const struct dispatcher_options *options, char *message,
                                        size_t size)
{
	struct ip_dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
	struct timeval every = {.tv_usec = SWEEP_MS * 1000};

	if (!dispatcher) {
		snprintf(message, size, "out of memory");
		return NULL;
	}
	dispatcher->options = *options;
	dispatcher->base = base;
	dispatcher->sweep = event_new(base, -1, EV_PERSIST, on_sweep, dispatcher);
	if (!open_entrances(dispatcher, message, size) || !dispatcher->sweep) {
		ip_dispatcher_free(dispatcher);
		return NULL;
	}
	event_add(dispatcher->sweep, &every);
	return dispatcher;
}

void ip_dispatcher_free(struct ip_dispatcher *dispatcher)
{
	while (dispatcher->first)
		connection_free(dispatcher->first);
	for (int i = 0; i < ENTRANCES; i++)
		entrance_free(&dispatcher->entrances[i]);
	if (dispatcher->sweep)
		event_free(dispatcher->sweep);
	free(dispatcher);
}

unsigned ip_dispatcher_port(const struct ip_dispatcher *dispatcher, bool secure)
{
	return entrance_port(&dispatcher->entrances[secure]);
}

void ip_dispatcher_reconfigure(struct ip_dispatcher *dispatcher,
                               const struct dispatcher_options *options)
{
	dispatcher->options.handshake_ms = options->handshake_ms;
	dispatcher->options.pending_limit = options->pending_limit;
	dispatcher->options.connection_limit = options->connection_limit;
	dispatcher->options.output_limit = options->output_limit;
	dispatcher->entrances[false].policy.security_required = options->policy.security_required;
	dispatcher->entrances[true].policy.security_required = options->tls_security_required;
}

bool ip_dispatcher_reload_tls(struct ip_dispatcher *dispatcher, char *message, size_t size)
{
	struct tls *tls = dispatcher->entrances[true].tls;

	return !tls || tls_reload(tls, message, size);
}

void ip_dispatcher_watch(struct ip_dispatcher *dispatcher, bool watched)
{
	dispatcher->watched = watched;
}

void ip_dispatcher_hold(struct ip_dispatcher *dispatcher, bool held)
{
	if (dispatcher->held == held)
		return;
	dispatcher->held = held;
	for (struct connection *at = dispatcher->first; at; at = at->after) {
		if (at->closing)
			continue;
		if (held) {
			bufferevent_disable(at->stream, EV_READ);
		} else {
			bufferevent_enable(at->stream, EV_READ);
			bufferevent_trigger(at->stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
		}
	}
}

void ip_dispatcher_stop(struct ip_dispatcher *dispatcher)
{
	for (int i = 0; i < ENTRANCES; i++)
		entrance_close(&dispatcher->entrances[i]);
	for (struct connection *at = dispatcher->first; at; at = at->after)
		connection_close(at, CLOSE_SHUTDOWN, "the bridge stops");
}

struct dispatcher_counts ip_dispatcher_counts(const struct ip_dispatcher *dispatcher)
{
	return dispatcher->counts;
}
