/*
 * A gateway's connection: a socket that is written to at once and whole, and
 * keeps only what the kernel would not take. With ten thousand gateways that
 * each send one small frame, a buffer and an event for every write would cost
 * more than the frame.
 */
#ifndef SMARTHG_SIM_STREAM_H
#define SMARTHG_SIM_STREAM_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sim_stream;

struct stream_handlers {
	void (*connected)(void *context);
	/* Bytes that have come, any number of frames and parts of them; returns how many were used, the
	 * rest comes again with what follows. The handler may close the stream: then what it returns
	 * does not matter. */
	size_t (*received)(void *context, uint8_t *bytes, size_t size);
	void (*drained)(void *context);                /* all is out that stream_send had to keep */
	void (*ended)(void *context, const char *why); /* the stream is closed */
};

struct sim_stream {
	const struct stream_handlers *handlers;
	void *context;
	evutil_socket_t socket; /* -1: closed */
	bool connected;
	struct event *readable, *writable;
	struct stream_bytes {
		uint8_t *bytes;
		size_t size, capacity;
	} unsent, unread;
};

/* A closed stream. */
void stream_init(struct sim_stream *stream, const struct stream_handlers *handlers, void *context);

/* Connects; false: it cannot even begin, and the stream is closed. */
bool stream_connect(struct sim_stream *stream, struct event_base *base,
                    const struct sockaddr *address, socklen_t size);

/* Closes at once; a closed one may connect again. */
void stream_close(struct sim_stream *stream);

/* Hands bytes to the socket. An error is told by `ended`, from the event loop. */
void stream_send(struct sim_stream *stream, const uint8_t *bytes, size_t size);

static inline bool stream_open(const struct sim_stream *stream)
{
	return stream->socket >= 0;
}

/* Whether the socket took all that was sent. */
static inline bool stream_clear(const struct sim_stream *stream)
{
	return stream->unsent.size == 0;
}

#endif
