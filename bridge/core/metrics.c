/*
 * The metrics' HTTP listener, on libevent's evhttp with tight limits.
 */
#include "metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { TEXT_SIZE = 16384, TIMEOUT_S = 5, HEADERS_LIMIT = 4096 };

struct metrics {
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	void (*collect)(void *context, struct status *out);
	void *context;
};

static void on_metrics(struct evhttp_request *request, void *context)
{
	static char text[TEXT_SIZE];
	struct metrics *metrics = context;
	struct status status = {.memory = 0};

	metrics->collect(metrics->context, &status);
	if (!status_prometheus(&status, text, sizeof(text))) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
	                  "text/plain; version=0.0.4");
	evbuffer_add(evhttp_request_get_output_buffer(request), text, strlen(text));
	evhttp_send_reply(request, HTTP_OK, NULL, NULL);
}

struct metrics *metrics_new(struct event_base *base, const char *host, const char *port,
                            void (*collect)(void *context, struct status *out), void *context,
                            char *message, size_t size)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	snprintf(message, size, "out of memory");
	if (!metrics)
		return NULL;
	metrics->collect = collect;
	metrics->context = context;
	metrics->http = evhttp_new(base);
	if (metrics->http) {
		evhttp_set_timeout(metrics->http, TIMEOUT_S);
		evhttp_set_max_headers_size(metrics->http, HEADERS_LIMIT);
		evhttp_set_max_body_size(metrics->http, 0);
		evhttp_set_allowed_methods(metrics->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
		evhttp_set_cb(metrics->http, "/metrics", on_metrics, metrics);
		metrics->bound =
		    evhttp_bind_socket_with_handle(metrics->http, host, (uint16_t)strtoul(port, NULL, 10));
		if (!metrics->bound)
			snprintf(message, size, "cannot listen on %s port %s for metrics: %s", host, port,
			         strerror(errno));
	}
	if (metrics->bound)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics && metrics->http)
		evhttp_free(metrics->http);
	free(metrics);
}

unsigned metrics_port(const struct metrics *metrics)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(evhttp_bound_socket_get_fd(metrics->bound), (struct sockaddr *)&address,
	                &size) != 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
	                                           : ((struct sockaddr_in *)&address)->sin_port);
}
