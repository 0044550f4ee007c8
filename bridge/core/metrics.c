/*
 * The metrics' HTTP server; see the header.
 */
#include "metrics.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "../codec/http_head.h"
#include "clock.h"
#include "entrance.h"

enum { TEXT_SIZE = 16384, TIMEOUT_MS = 5000, SWEEP_S = 1, HEAD_LIMIT = 4096 };

struct client {
	struct metrics *metrics;
	struct client *next;
	struct bufferevent *stream;
	int64_t came_ms; /* steady */
	bool answered;
};

struct metrics {
	struct metrics_options options;
	struct entrance entrance;
	struct event *sweep;
	struct client *first; /* the youngest */
	unsigned clients;
	bool full; /* a connection made room for a younger one; told once a sweep */
};

static void client_free(struct client *client)
{
	struct metrics *metrics = client->metrics;
	struct client **at = &metrics->first;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	metrics->clients--;
	bufferevent_free(client->stream);
	free(client);
}

static void answer(struct client *client, const char *status, bool with_text, const char *text)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);

	client->answered = true;
	bufferevent_disable(client->stream, EV_READ);
	evbuffer_add_printf(output,
	                    "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
	                    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	                    status, strlen(text), with_text ? text : "");
}

static void answer_metrics(struct client *client, bool with_text)
{
	static char text[TEXT_SIZE];
	struct metrics *metrics = client->metrics;
	struct status status = {.memory = 0};

	metrics->options.collect(metrics->options.context, &status);
	if (status_prometheus(&status, text, sizeof(text)))
		answer(client, "200 OK", with_text, text);
	else
		answer(client, "500 Internal Server Error", true, "");
}

static void on_readable(struct bufferevent *stream, void *context)
{
	struct client *client = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	uint8_t bytes[HEAD_LIMIT];
	ev_ssize_t size = evbuffer_copyout(input, bytes, sizeof(bytes));
	struct http_head head;

	switch (http_head_read(cursor_over(bytes, size > 0 ? (size_t)size : 0), &head)) {
	case HTTP_INCOMPLETE:
		if (size == HEAD_LIMIT)
			answer(client, "431 Request Header Fields Too Large", true, "");
		break;
	case HTTP_MALFORMED:
		answer(client, "400 Bad Request", true, "");
		break;
	case HTTP_COMPLETE:
		if (head.method == HTTP_OTHER)
			answer(client, "405 Method Not Allowed", true, "");
		else if (strcmp(head.path, "/metrics") != 0)
			answer(client, "404 Not Found", true, "");
		else
			answer_metrics(client, head.method == HTTP_GET);
		break;
	}
}

static void on_written(struct bufferevent *stream, void *context)
{
	struct client *client = context;

	(void)stream;
	if (client->answered)
		client_free(client);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	client_free(context);
}

/* Who scrapes asks at once and is answered at once: those that hold on are others. */
static void make_room(struct metrics *metrics)
{
	struct client *oldest = metrics->first;

	if (!oldest || metrics->clients < metrics->options.connection_limit)
		return;
	while (oldest->next)
		oldest = oldest->next;
	client_free(oldest);
	if (!metrics->full)
		log_line(metrics->options.log, LOG_WARNING, "too many connections for metrics", "limit=%u",
		         metrics->options.connection_limit);
	metrics->full = true;
}

static void on_accepted(struct entrance *entrance, evutil_socket_t socket)
{
	struct metrics *metrics = entrance->context;
	struct client *client = calloc(1, sizeof(*client));

	make_room(metrics);
	if (client)
		client->stream = entrance_stream(entrance, socket);
	if (!client || !client->stream) {
		free(client);
		evutil_closesocket(socket);
		return;
	}
	client->metrics = metrics;
	client->came_ms = clock_steady_ms();
	client->next = metrics->first;
	metrics->first = client;
	metrics->clients++;
	bufferevent_setcb(client->stream, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, HEAD_LIMIT);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void on_sweep(evutil_socket_t socket, short what, void *context)
{
	struct metrics *metrics = context;
	int64_t limit_ms = clock_steady_ms() - TIMEOUT_MS;

	(void)socket;
	(void)what;
	for (struct client *client = metrics->first, *next; client; client = next) {
		next = client->next;
		if (client->came_ms <= limit_ms)
			client_free(client);
	}
	metrics->full = false;
	entrance_resume(&metrics->entrance);
}

struct metrics *metrics_new(struct event_base *base, const struct metrics_options *options,
                            char *message, size_t size)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	struct timeval every = {.tv_sec = SWEEP_S};

	snprintf(message, size, "out of memory");
	if (!metrics)
		return NULL;
	metrics->options = *options;
	metrics->entrance = (struct entrance){
	    .base = base, .log = options->log, .accepted = on_accepted, .context = metrics};
	metrics->sweep = event_new(base, -1, EV_PERSIST, on_sweep, metrics);
	if (metrics->sweep && event_add(metrics->sweep, &every) == 0 &&
	    entrance_open(&metrics->entrance, options->host, options->port, NULL, message, size))
		return metrics;
	metrics_free(metrics);
	return NULL;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	while (metrics->first)
		client_free(metrics->first);
	entrance_free(&metrics->entrance);
	if (metrics->sweep)
		event_free(metrics->sweep);
	free(metrics);
}

unsigned metrics_port(const struct metrics *metrics)
{
	return entrance_port(&metrics->entrance);
}

void metrics_reconfigure(struct metrics *metrics, unsigned connection_limit)
{
	metrics->options.connection_limit = connection_limit;
}
