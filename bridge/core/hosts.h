/*
 * The core (document 4.1.2.2): remote host sessions of all gateways. Puts the
 * registry, the IP dispatcher and presence together, decides which session of a
 * gateway is the one, which records are new, and tells the back end. The back
 * end is a set of functions, so that another one can take its place.
 */
#ifndef SMARTHG_BRIDGE_HOSTS_H
#define SMARTHG_BRIDGE_HOSTS_H

#include "ip_dispatcher.h"
#include "presence.h"

/* What a back end subscribes to. Texts are valid during the call only. */
struct back_end {
	void *context;
	void (*session_opened)(void *context, const struct gateway *gateway, const char *peer,
	                       bool secured, bool resumed);
	void (*session_closed)(void *context, const struct gateway *gateway, uint32_t session,
	                       const char *reason);
	void (*presence)(void *context, const struct gateway *gateway, bool online, const char *reason);
	void (*security_event)(void *context, uint64_t eui64, const char *peer, const char *event,
	                       const char *detail);
	/* Someone the registry does not know said HELLO. */
	void (*unknown_gateway)(void *context);
	/* A record to be committed, then reported by hosts_committed. false: it was not taken. */
	bool (*record)(void *context, const struct gateway *gateway, uint8_t route,
	               const struct data_message *data, int64_t received_ms);
	void (*response)(void *context, const struct gateway *gateway, const struct response *response);
	/* A frame went in or out; only while watched. */
	void (*traffic)(void *context, const struct traffic *traffic);
	/* Bytes that the sessions hold became more or fewer; as session_policy's reserve. */
	bool (*reserve)(void *context, size_t before, size_t after);
};

struct hosts_options {
	struct dispatcher_options dispatcher; /* lookup and events are filled in by hosts */
	int64_t offline_ms, expire_ms;
	struct back_end back_end;
	const struct log *log;
};

struct hosts;

struct hosts *hosts_new(struct event_base *base, const struct hosts_options *options, char *message,
                        size_t size);
void hosts_free(struct hosts *hosts);

/* 0: it does not listen so. */
unsigned hosts_port(const struct hosts *hosts, bool secure);

/* How many there are now, and were. */
struct hosts_counts {
	size_t gateways, sessions, online;
	struct dispatcher_counts dispatcher;
};
struct hosts_counts hosts_counts(const struct hosts *hosts);

/* Takes over all options that may change: limits, intervals, required security. */
void hosts_reconfigure(struct hosts *hosts, const struct hosts_options *options);
/* Reads the TLS files again; false and a message where they stay as they were. */
bool hosts_reload_tls(struct hosts *hosts, char *message, size_t size);

/* The provisioned gateways: asked, before the database reads them; begin, put each, end. A gateway
 * whose mark went back meanwhile begins a new session, and sends again what it still has. */
void hosts_load_asked(struct hosts *hosts);
void hosts_load_begin(struct hosts *hosts);
void hosts_load_put(struct hosts *hosts, const struct provision *provision);
void hosts_load_end(struct hosts *hosts);

/* Records of the gateway up to this one are committed: acknowledges them. */
void hosts_committed(struct hosts *hosts, int64_t gateway_id, uint64_t record_no);

/* A record of the gateway could not be stored. After a pause it is asked to send again whatever
 * is not committed. */
void hosts_refused(struct hosts *hosts, int64_t gateway_id);

/* Sends a REQUEST payload; false where the gateway has no session now. */
bool hosts_request(struct hosts *hosts, int64_t gateway_id, const void *payload, size_t size);

/* The same by EUI-64. */
bool hosts_request_eui64(struct hosts *hosts, uint64_t eui64, const void *payload, size_t size);
/* The EUI-64 of a gateway; 0: never loaded. */
uint64_t hosts_eui64(const struct hosts *hosts, int64_t gateway_id);
/* Whether `traffic` is told. */
void hosts_watch(struct hosts *hosts, bool watched);

/* Stops reading from the gateways (memory is full), or goes on. */
void hosts_hold(struct hosts *hosts, bool held);

/* Ends all sessions in good order and takes no new ones. */
void hosts_stop(struct hosts *hosts);

#endif
