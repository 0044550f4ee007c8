/*
 * Remote host sessions of all gateways (document 4.1.2.2, DESIGN.md section 7).
 * A gateway has one connection at most: the session opened last. Its number
 * survives the connection for a resume, until a new one takes over or no frame
 * came for the session's lifetime.
 */
#include "hosts.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"

/* A loss that a gateway declares may be longer than a gap in its records. */
enum { RESTART_PAUSE_MS = 5000, AHEAD_LIMIT = 10000, LOSS_LIMIT = 1000000000 };

struct hosts {
	struct hosts_options options;
	struct registry *registry;
	struct ip_dispatcher *dispatcher;
	struct presence presence;
	size_t sessions;
	struct event *tick;
	int64_t restart_at_ms; /* steady: when refused records are asked for again; 0: there are none */
	bool stopping;
};

static void end_session(struct hosts *hosts, struct gateway *gateway, const char *reason)
{
	const struct back_end *back_end = &hosts->options.back_end;
	uint32_t session = gateway->session;

	if (session == 0)
		return;
	gateway->session = 0;
	hosts->sessions--;
	presence_forget_session(&hosts->presence, gateway);
	back_end->session_closed(back_end->context, gateway, session, reason);
}

static enum session_lookup look_up(void *context, uint64_t eui64, struct session_gateway *out)
{
	struct hosts *hosts = context;
	const struct back_end *back_end = &hosts->options.back_end;
	struct gateway *gateway = registry_find(hosts->registry, eui64);

	if (!registry_loaded(hosts->registry) || hosts->stopping)
		return LOOKUP_UNAVAILABLE;
	if (!gateway) {
		back_end->unknown_gateway(back_end->context);
		return LOOKUP_UNKNOWN;
	}
	*out = (struct session_gateway){
	    .key = gateway->key,
	    .key_id = gateway->key_id,
	    .security_required = gateway->security_required,
	    .current_session = gateway->session,
	    .committed = gateway->committed,
	};
	return LOOKUP_FOUND;
}

static bool reserve(void *context, size_t before, size_t after)
{
	struct hosts *hosts = context;
	const struct back_end *back_end = &hosts->options.back_end;

	return back_end->reserve(back_end->context, before, after);
}

static void open_session(struct hosts *hosts, struct connection *connection,
                         const struct session_event *event)
{
	const struct back_end *back_end = &hosts->options.back_end;
	struct gateway *gateway = registry_find(hosts->registry, connection->session.channel.gateway);
	char peer[PEER_SIZE];

	if (!gateway) {
		connection_close(connection, CLOSE_UNAVAILABLE, "the gateway is gone");
		return;
	}
	if (gateway->connection)
		connection_close(gateway->connection, CLOSE_SUPERSEDED, "a new session took over");
	if (!event->resumed)
		end_session(hosts, gateway, "a new session took over");
	connection->owner = gateway;
	gateway->connection = connection;
	hosts->sessions += gateway->session == 0;
	gateway->session = connection->session.channel.session;
	connection_peer(connection, peer);
	log_line(hosts->options.log, LOG_INFO, "session opened",
	         "gateway=%016" PRIx64 " session=%08" PRIx32 " peer=%s secured=%d resumed=%d",
	         gateway->eui64, gateway->session, peer, connection->session.secured, event->resumed);
	back_end->session_opened(back_end->context, gateway, peer, connection->session.secured,
	                         event->resumed);
	presence_online(&hosts->presence, gateway, clock_steady_ms());
}

static void refuse(struct hosts *hosts, struct connection *connection,
                   const struct session_event *event)
{
	const struct back_end *back_end = &hosts->options.back_end;
	const char *name = session_refusal_name(event->refusal);
	uint64_t eui64 = connection->session.channel.gateway;
	char peer[PEER_SIZE];

	connection_peer(connection, peer);
	log_line(hosts->options.log, name ? LOG_WARNING : LOG_INFO, "connection refused",
	         "gateway=%016" PRIx64 " peer=%s event=%s detail=\"%s\"", eui64, peer,
	         name ? name : "protocol", event->detail);
	if (name)
		back_end->security_event(back_end->context, eui64, peer, name, event->detail);
}

/* The database remembers each record beyond a gap. */
static bool too_far_ahead(const struct gateway *gateway, const struct data_message *data)
{
	if (data->kind == KIND_LOSS)
		return data->record_no - gateway->committed > LOSS_LIMIT;
	return data->record_no > gateway->accepted && data->record_no - gateway->accepted > AHEAD_LIMIT;
}

static void receive_record(struct hosts *hosts, struct connection *connection,
                           const struct session_event *event, int64_t now_ms)
{
	const struct back_end *back_end = &hosts->options.back_end;
	struct gateway *gateway = connection->owner;

	if (event->data.record_no <= gateway->committed) {
		connection->ack_due = true;
		return;
	}
	if (too_far_ahead(gateway, &event->data)) {
		connection_close(connection, CLOSE_LIMIT, "too many records are missing before this one");
		return;
	}
	if (!gateway_accept(gateway, event->data.record_no))
		return;
	if (back_end->record(back_end->context, gateway, event->route, &event->data, now_ms)) {
		/* A loss closes the gap before it. */
		if (event->data.kind == KIND_LOSS)
			gateway_advance(gateway, event->data.record_no);
		return;
	}
	gateway_restart(gateway);
	connection_close(connection, CLOSE_UNAVAILABLE, "the record could not be taken");
}

static void on_session(void *context, struct connection *connection,
                       const struct session_event *event, int64_t now_ms)
{
	struct hosts *hosts = context;
	const struct back_end *back_end = &hosts->options.back_end;
	struct gateway *gateway = connection->owner;

	if (event->kind == SESSION_OPENED) {
		open_session(hosts, connection, event);
		return;
	}
	if (event->kind == SESSION_REFUSED)
		refuse(hosts, connection, event);
	if (!gateway || event->kind == SESSION_REFUSED)
		return;
	presence_seen(&hosts->presence, gateway, clock_steady_ms());
	if (event->kind == SESSION_DATA)
		receive_record(hosts, connection, event, now_ms);
	else if (event->kind == SESSION_RESPONSE)
		back_end->response(back_end->context, gateway, &event->response);
	else if (event->kind == SESSION_CLOSED)
		end_session(hosts, gateway, "closed by the gateway");
}

static void on_settled(void *context, struct connection *connection)
{
	struct gateway *gateway = connection->owner;

	(void)context;
	if (!connection->ack_due)
		return;
	connection->ack_due = false;
	connection_ack(connection, gateway->committed);
}

static void on_traffic(void *context, const struct traffic *traffic)
{
	struct hosts *hosts = context;
	const struct back_end *back_end = &hosts->options.back_end;

	back_end->traffic(back_end->context, traffic);
}

static void on_ended(void *context, struct connection *connection, const char *reason)
{
	struct hosts *hosts = context;
	struct gateway *gateway = connection->owner;

	log_line(hosts->options.log, LOG_INFO, "connection ended",
	         "gateway=%016" PRIx64 " session=%08" PRIx32 " reason=\"%s\"", gateway->eui64,
	         connection->session.channel.session, reason);
	if (gateway->connection == connection)
		gateway->connection = NULL;
	presence_seen(&hosts->presence, gateway, clock_steady_ms());
}

static void on_presence(void *context, struct gateway *gateway, bool online, const char *reason)
{
	struct hosts *hosts = context;
	const struct back_end *back_end = &hosts->options.back_end;

	log_line(hosts->options.log, LOG_INFO, online ? "gateway online" : "gateway offline",
	         "gateway=%016" PRIx64 " reason=\"%s\"", gateway->eui64, reason);
	back_end->presence(back_end->context, gateway, online, reason);
}

static void on_expired(void *context, struct gateway *gateway)
{
	struct hosts *hosts = context;

	if (gateway->connection)
		connection_close(gateway->connection, CLOSE_IDLE, "no frame for too long");
	end_session(hosts, gateway, "no frame for too long");
}

static void restart_refused(void *context, struct gateway *gateway)
{
	(void)context;
	if (!gateway->refused)
		return;
	gateway_restart(gateway);
	if (gateway->connection)
		connection_nack(gateway->connection, gateway->committed + 1, NACK_NOT_STORED,
		                "the record could not be stored");
}

static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct hosts *hosts = context;
	int64_t now_ms = clock_steady_ms();

	(void)socket;
	(void)what;
	presence_tick(&hosts->presence, now_ms);
	if (hosts->restart_at_ms != 0 && now_ms >= hosts->restart_at_ms) {
		hosts->restart_at_ms = 0;
		registry_each(hosts->registry, restart_refused, hosts);
	}
}

struct hosts *hosts_new(struct event_base *base, const struct hosts_options *options, char *message,
                        size_t size)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	struct timeval every = {.tv_usec = 250000};

	snprintf(message, size, "out of memory");
	if (!hosts)
		return NULL;
	hosts->options = *options;
	hosts->presence = (struct presence){
	    .offline_ms = options->offline_ms,
	    .expire_ms = options->expire_ms,
	    .changed = on_presence,
	    .expired = on_expired,
	    .context = hosts,
	};
	struct dispatcher_options *dispatcher = &hosts->options.dispatcher;
	dispatcher->policy.lookup = look_up;
	dispatcher->policy.reserve = reserve;
	dispatcher->policy.context = hosts;
	dispatcher->events =
	    (struct dispatcher_events){hosts, on_session, on_settled, on_traffic, on_ended};
	hosts->registry = registry_new();
	hosts->tick = event_new(base, -1, EV_PERSIST, on_tick, hosts);
	if (hosts->registry && hosts->tick)
		hosts->dispatcher = ip_dispatcher_new(base, dispatcher, message, size);
	if (!hosts->dispatcher) {
		hosts_free(hosts);
		return NULL;
	}
	event_add(hosts->tick, &every);
	return hosts;
}

void hosts_free(struct hosts *hosts)
{
	if (hosts->dispatcher)
		ip_dispatcher_free(hosts->dispatcher);
	if (hosts->tick)
		event_free(hosts->tick);
	registry_free(hosts->registry);
	free(hosts);
}

unsigned hosts_port(const struct hosts *hosts, bool secure)
{
	return ip_dispatcher_port(hosts->dispatcher, secure);
}

struct hosts_counts hosts_counts(const struct hosts *hosts)
{
	return (struct hosts_counts){
	    .gateways = registry_count(hosts->registry),
	    .sessions = hosts->sessions,
	    .online = hosts->presence.online,
	    .dispatcher = ip_dispatcher_counts(hosts->dispatcher),
	};
}

void hosts_reconfigure(struct hosts *hosts, const struct hosts_options *options)
{
	hosts->presence.offline_ms = options->offline_ms;
	hosts->presence.expire_ms = options->expire_ms;
	ip_dispatcher_reconfigure(hosts->dispatcher, &options->dispatcher);
}

bool hosts_reload_tls(struct hosts *hosts, char *message, size_t size)
{
	return ip_dispatcher_reload_tls(hosts->dispatcher, message, size);
}

void hosts_load_asked(struct hosts *hosts)
{
	registry_load_asked(hosts->registry);
}

void hosts_load_begin(struct hosts *hosts)
{
	registry_load_begin(hosts->registry);
}

/* What the gateway was told is committed is not: whatever it still has, it must send again. */
static void mark_went_back(struct hosts *hosts, struct gateway *gateway, uint64_t before)
{
	const struct back_end *back_end = &hosts->options.back_end;
	char peer[PEER_SIZE] = "", detail[100];

	snprintf(detail, sizeof(detail), "the database went back from record %" PRIu64 " to %" PRIu64,
	         before, gateway->committed);
	log_line(hosts->options.log, LOG_WARNING, "mark went back",
	         "gateway=%016" PRIx64 " detail=\"%s\"", gateway->eui64, detail);
	if (gateway->connection)
		connection_peer(gateway->connection, peer);
	back_end->security_event(back_end->context, gateway->eui64, peer, "mark_went_back", detail);
	if (gateway->connection)
		connection_close(gateway->connection, CLOSE_UNAVAILABLE, detail);
	end_session(hosts, gateway, detail);
}

void hosts_load_put(struct hosts *hosts, const struct provision *provision)
{
	struct gateway *known = registry_find_id(hosts->registry, provision->gateway_id);
	uint64_t before = known ? known->committed : 0;
	struct provision_change change;
	struct gateway *gateway = registry_load_put(hosts->registry, provision, &change);

	if (!gateway) {
		log_line(hosts->options.log, LOG_ERROR, "gateway not loaded",
		         "gateway=%016" PRIx64 " reason=\"out of memory\"", provision->eui64);
		return;
	}
	if (change.rekeyed && gateway->connection)
		connection_close(gateway->connection, CLOSE_SECURITY, "the credentials changed");
	if (change.rekeyed)
		end_session(hosts, gateway, "the credentials changed");
	if (change.went_back)
		mark_went_back(hosts, gateway, before);
	presence_expect(&hosts->presence, gateway, clock_steady_ms());
}

static void on_vanished(void *context, struct gateway *gateway)
{
	struct hosts *hosts = context;

	if (gateway->connection)
		connection_close(gateway->connection, CLOSE_UNKNOWN_GATEWAY, "no longer provisioned");
	end_session(hosts, gateway, "no longer provisioned");
	presence_offline(&hosts->presence, gateway, "no longer provisioned");
	gateway_restart(gateway);
}

void hosts_load_end(struct hosts *hosts)
{
	registry_load_end(hosts->registry, on_vanished, hosts);
	log_line(hosts->options.log, LOG_INFO, "gateways loaded", "count=%zu",
	         registry_count(hosts->registry));
}

void hosts_committed(struct hosts *hosts, int64_t gateway_id, uint64_t record_no)
{
	struct gateway *gateway = registry_find_id(hosts->registry, gateway_id);

	if (!gateway)
		return;
	if (record_no > gateway->committed)
		gateway->committed = record_no;
	gateway_advance(gateway, gateway->committed);
	if (gateway->connection)
		connection_ack(gateway->connection, gateway->committed);
}

void hosts_refused(struct hosts *hosts, int64_t gateway_id)
{
	struct gateway *gateway = registry_find_id(hosts->registry, gateway_id);

	if (!gateway)
		return;
	gateway->refused = true;
	if (hosts->restart_at_ms == 0)
		hosts->restart_at_ms = clock_steady_ms() + RESTART_PAUSE_MS;
}

bool hosts_request(struct hosts *hosts, int64_t gateway_id, const void *payload, size_t size)
{
	struct gateway *gateway = registry_find_id(hosts->registry, gateway_id);

	return gateway && gateway->connection && connection_request(gateway->connection, payload, size);
}

bool hosts_request_eui64(struct hosts *hosts, uint64_t eui64, const void *payload, size_t size)
{
	struct gateway *gateway = registry_find(hosts->registry, eui64);

	return gateway && gateway->connection && connection_request(gateway->connection, payload, size);
}

uint64_t hosts_eui64(const struct hosts *hosts, int64_t gateway_id)
{
	const struct gateway *gateway = registry_find_id(hosts->registry, gateway_id);

	return gateway ? gateway->eui64 : 0;
}

void hosts_watch(struct hosts *hosts, bool watched)
{
	ip_dispatcher_watch(hosts->dispatcher, watched);
}

void hosts_hold(struct hosts *hosts, bool held)
{
	presence_hold(&hosts->presence, held, clock_steady_ms());
	ip_dispatcher_hold(hosts->dispatcher, held);
}

static void leave(void *context, struct gateway *gateway)
{
	struct hosts *hosts = context;

	end_session(hosts, gateway, "the bridge stops");
	if (gateway->online)
		presence_offline(&hosts->presence, gateway, "the bridge stops");
}

void hosts_stop(struct hosts *hosts)
{
	hosts->stopping = true;
	ip_dispatcher_stop(hosts->dispatcher);
	registry_each(hosts->registry, leave, hosts);
}
