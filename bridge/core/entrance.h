/*
 * A port that gateways come in by: its listener, its rules, and TLS where it has
 * it. The IP dispatcher has two, one in clear and one with TLS.
 */
#ifndef SMARTHG_BRIDGE_ENTRANCE_H
#define SMARTHG_BRIDGE_ENTRANCE_H

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "log.h"
#include "session.h"
#include "tls.h"

/* Set base, policy, log, accepted and context before entrance_open. */
struct entrance {
	struct event_base *base;
	struct session_policy policy;
	const struct log *log;
	/* A connection came, which is now the callee's. */
	void (*accepted)(struct entrance *entrance, evutil_socket_t socket);
	void *context;
	struct evconnlistener *listener; /* NULL: not in use */
	struct tls *tls;                 /* NULL: in clear */
};

/* Listens, with TLS where files is not NULL; false and a message where it cannot. */
bool entrance_open(struct entrance *entrance, const char *host, const char *port,
                   const struct tls_files *files, char *message, size_t size);
/* Takes no more connections; those that are there stay. */
void entrance_close(struct entrance *entrance);
/* Frees what connections need too. */
void entrance_free(struct entrance *entrance);

/* Accepts again after there were no descriptors. */
void entrance_resume(struct entrance *entrance);

/* The port; 0: it does not listen. */
unsigned entrance_port(const struct entrance *entrance);

/* A connection's stream, with TLS where the entrance has it; NULL: no memory, the socket stays
 * open. */
struct bufferevent *entrance_stream(struct entrance *entrance, evutil_socket_t socket);

#endif
