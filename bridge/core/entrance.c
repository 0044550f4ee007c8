/*
 * Listeners of the IP dispatcher; see the header.
 */
#include "entrance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netdb.h>
#include <string.h>

enum { BACKLOG = 1024 };

struct bufferevent *entrance_stream(struct entrance *entrance, evutil_socket_t socket)
{
	struct event_base *base = entrance->base;
	struct bufferevent *stream;
	SSL *ssl;

	if (!entrance->tls)
		return bufferevent_socket_new(base, socket, BEV_OPT_CLOSE_ON_FREE);
	ssl = tls_accept(entrance->tls);
	if (!ssl)
		return NULL;
	stream = bufferevent_openssl_socket_new(base, socket, ssl, BUFFEREVENT_SSL_ACCEPTING,
	                                        BEV_OPT_CLOSE_ON_FREE);
	if (!stream)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	return stream;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t socket,
                      struct sockaddr *address, int size, void *context)
{
	struct entrance *entrance = context;

	(void)listener;
	(void)address;
	(void)size;
	entrance->accepted(entrance, socket);
}

/* Out of descriptors, most likely: takes no new connection until it is resumed. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct entrance *entrance = context;

	log_line(entrance->log, LOG_ERROR, "cannot accept connections", "error=\"%s\"",
	         evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(listener);
}

static bool listen_on(struct entrance *entrance, const char *host, const char *port, char *message,
                      size_t size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
	struct evconnlistener *listener = NULL;
	int failed = getaddrinfo(host, port, &hints, &found);

	if (failed) {
		snprintf(message, size, "cannot resolve \"%s\" port \"%s\": %s", host, port,
		         gai_strerror(failed));
		return false;
	}
	for (struct addrinfo *at = found; at && !listener; at = at->ai_next)
		listener = evconnlistener_new_bind(entrance->base, on_accept, entrance,
		                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
		                                       LEV_OPT_REUSEABLE,
		                                   BACKLOG, at->ai_addr, (int)at->ai_addrlen);
	if (!listener)
		snprintf(message, size, "cannot listen on %s port %s: %s", host, port, strerror(errno));
	else
		evconnlistener_set_error_cb(listener, on_accept_error);
	freeaddrinfo(found);
	entrance->listener = listener;
	return listener != NULL;
}

/* A gateway's link key, from which its TLS pre-shared key follows. */
static bool find_link_key(void *context, uint64_t eui64, struct link_key *out)
{
	const struct session_policy *policy = context;
	struct session_gateway gateway = {0};
	bool found = policy->lookup(policy->context, eui64, &gateway) == LOOKUP_FOUND;

	*out = gateway.key;
	security_wipe(&gateway, sizeof(gateway));
	return found && out->size > 0;
}

bool entrance_open(struct entrance *entrance, const char *host, const char *port,
                   const struct tls_files *files, char *message, size_t size)
{
	if (files) {
		entrance->tls = tls_new(files, find_link_key, &entrance->policy, message, size);
		if (!entrance->tls)
			return false;
	}
	return listen_on(entrance, host, port, message, size);
}

void entrance_close(struct entrance *entrance)
{
	if (entrance->listener)
		evconnlistener_free(entrance->listener);
	entrance->listener = NULL;
}

void entrance_free(struct entrance *entrance)
{
	entrance_close(entrance);
	tls_free(entrance->tls);
	entrance->tls = NULL;
}

void entrance_resume(struct entrance *entrance)
{
	if (entrance->listener)
		evconnlistener_enable(entrance->listener);
}

unsigned entrance_port(const struct entrance *entrance)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (!entrance->listener || getsockname(evconnlistener_get_fd(entrance->listener),
	                                       (struct sockaddr *)&address, &size) != 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
	                                           : ((struct sockaddr_in *)&address)->sin_port);
}
