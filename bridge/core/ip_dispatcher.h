/*
 * The IP dispatcher (document 4.1.2.1): a TCP listener, one with TLS beside it
 * where wanted, and their connections on libevent. Cuts the byte stream into frames, runs one
 * session for each connection, and bounds what a peer can make it hold: frame size, time for the
 * handshake, connections without handshake, unsent output.
 */
#ifndef SMARTHG_BRIDGE_IP_DISPATCHER_H
#define SMARTHG_BRIDGE_IP_DISPATCHER_H

#include <event2/bufferevent.h>

#include "log.h"
#include "peer.h"
#include "seen_list.h"
#include "session.h"
#include "tls.h"
#include "traffic.h"

struct ip_dispatcher;

struct connection {
	struct ip_dispatcher *dispatcher;
	bool secure; /* came through the listener with TLS */
	bool up;     /* TLS, if any, is negotiated */
	struct bufferevent *stream;
	struct session session;
	void *owner;          /* the upper layer's, NULL before it sets it */
	bool closing;         /* nothing more is read; freed when the output is sent */
	bool ack_due;         /* the upper layer's: acknowledge when all frames are handled */
	struct seen_link age; /* among the connections without handshake */
	struct connection *before, *after;
};

/* What the upper layer is told. It may close any connection in these calls. */
struct dispatcher_events {
	void *context;
	/* An event of the session; never SESSION_NOTHING. */
	void (*session)(void *context, struct connection *connection, const struct session_event *event,
	                int64_t now_ms);
	/* All frames that have arrived are handled. */
	void (*settled)(void *context, struct connection *connection);
	/* A frame went in or out; only while watched. */
	void (*traffic)(void *context, const struct traffic *traffic);
	/* It will not be heard of again; called once for each connection that had an owner. */
	void (*ended)(void *context, struct connection *connection, const char *reason);
};

struct dispatcher_options {
	const char *host, *port;         /* numeric or a name; port "0" picks a free one */
	const char *tls_host, *tls_port; /* NULL: no TLS */
	struct tls_files tls;
	int64_t handshake_ms;
	size_t pending_limit;    /* connections without handshake; the oldest gives way */
	size_t connection_limit; /* all connections */
	size_t output_limit;     /* unsent bytes of one connection */
	struct session_policy policy;
	bool tls_security_required; /* the policy's, for the listener with TLS */
	struct dispatcher_events events;
	const struct log *log;
};

/* Listens; NULL and a message of size bytes where it cannot. Options are copied. */
struct ip_dispatcher *ip_dispatcher_new(struct event_base *base,
                                        const struct dispatcher_options *options, char *message,
                                        size_t size);
/* Closes everything at once; events are not called any more. */
void ip_dispatcher_free(struct ip_dispatcher *dispatcher);

/* The port it listens on, in clear or with TLS; 0: it does not. */
unsigned ip_dispatcher_port(const struct ip_dispatcher *dispatcher, bool secure);

/* Takes over limits, handshake time and required security, for what comes from now on. */
void ip_dispatcher_reconfigure(struct ip_dispatcher *dispatcher,
                               const struct dispatcher_options *options);

/* Reads the TLS files again; false and a message where they stay as they were. */
bool ip_dispatcher_reload_tls(struct ip_dispatcher *dispatcher, char *message, size_t size);

/* Whether `traffic` is told. */
void ip_dispatcher_watch(struct ip_dispatcher *dispatcher, bool watched);

/* Stops reading from all connections, or goes on. */
void ip_dispatcher_hold(struct ip_dispatcher *dispatcher, bool held);

/* Takes no new connections and says CLOSE on all others. */
void ip_dispatcher_stop(struct ip_dispatcher *dispatcher);

struct dispatcher_counts {
	size_t connections; /* there are now */
	uint64_t frames_received, frames_sent, refused;
};
struct dispatcher_counts ip_dispatcher_counts(const struct ip_dispatcher *dispatcher);

void connection_peer(const struct connection *connection, char peer[PEER_SIZE]);
/* Sends; a connection with too much unsent output is ended. */
void connection_ack(struct connection *connection, uint64_t record_no);
void connection_nack(struct connection *connection, uint64_t record_no, enum nack_reason reason,
                     const char *why);
bool connection_request(struct connection *connection, const void *payload, size_t size);
/* Says CLOSE and ends the connection. `why` is told to the peer and to `ended`. */
void connection_close(struct connection *connection, enum close_reason reason, const char *why);

#endif
