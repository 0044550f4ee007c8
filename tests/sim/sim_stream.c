/*
 * Non-blocking sockets on libevent. One buffer serves the reading of all
 * streams; a stream keeps bytes of its own only between two halves of a frame.
 */
#include "sim_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 1 << 16 };

static bool keep(struct stream_bytes *kept, const uint8_t *bytes, size_t size)
{
	size_t wanted = kept->size + size;

	if (wanted > kept->capacity) {
		wanted = wanted < 2 * kept->capacity ? 2 * kept->capacity : wanted;
		uint8_t *larger = realloc(kept->bytes, wanted);
		if (!larger)
			return false;
		kept->bytes = larger;
		kept->capacity = wanted;
	}
	memcpy(kept->bytes + kept->size, bytes, size);
	kept->size += size;
	return true;
}

static void forget(struct stream_bytes *kept)
{
	free(kept->bytes);
	*kept = (struct stream_bytes){0};
}

static void end(struct sim_stream *stream, const char *why)
{
	stream_close(stream);
	stream->handlers->ended(stream->context, why);
}

/* Hands on what was read, behind what was left of the read before. */
static void deliver(struct sim_stream *stream, uint8_t *bytes, size_t size)
{
	size_t used;

	if (stream->unread.size > 0) {
		if (!keep(&stream->unread, bytes, size)) {
			end(stream, "out of memory");
			return;
		}
		bytes = stream->unread.bytes;
		size = stream->unread.size;
	}
	used = stream->handlers->received(stream->context, bytes, size);
	if (!stream_open(stream))
		return;
	if (bytes == stream->unread.bytes) {
		memmove(bytes, bytes + used, size - used);
		stream->unread.size = size - used;
		if (stream->unread.size == 0)
			forget(&stream->unread);
	} else if (used < size && !keep(&stream->unread, bytes + used, size - used)) {
		end(stream, "out of memory");
	}
}

static void on_readable(evutil_socket_t socket, short what, void *context)
{
	static uint8_t bytes[READ_SIZE];
	struct sim_stream *stream = context;
	ssize_t size = recv(socket, bytes, sizeof(bytes), 0);

	(void)what;
	if (size > 0)
		deliver(stream, bytes, (size_t)size);
	else if (size == 0)
		end(stream, "connection closed");
	else if (errno != EAGAIN && errno != EINTR)
		end(stream, "connection failed");
}

static void finish_connecting(struct sim_stream *stream)
{
	int error = 0, on = 1;
	socklen_t size = sizeof(error);

	if (getsockopt(stream->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
		end(stream, "connection failed");
		return;
	}
	/* A frame shall not wait for the acknowledgement of the one before. */
	setsockopt(stream->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream->connected = true;
	event_add(stream->readable, NULL);
	stream->handlers->connected(stream->context);
}

/* What the socket takes; an error shows when it is read from. */
static size_t write_some(struct sim_stream *stream, const uint8_t *bytes, size_t size)
{
	ssize_t written = send(stream->socket, bytes, size, MSG_NOSIGNAL);

	if (written < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : size;
	return (size_t)written;
}

static void on_writable(evutil_socket_t socket, short what, void *context)
{
	struct sim_stream *stream = context;
	struct stream_bytes *unsent = &stream->unsent;

	(void)socket;
	(void)what;
	if (!stream->connected) {
		finish_connecting(stream);
		return;
	}
	size_t written = write_some(stream, unsent->bytes, unsent->size);
	memmove(unsent->bytes, unsent->bytes + written, unsent->size - written);
	unsent->size -= written;
	if (unsent->size > 0) {
		event_add(stream->writable, NULL);
		return;
	}
	forget(unsent);
	stream->handlers->drained(stream->context);
}

void stream_init(struct sim_stream *stream, const struct stream_handlers *handlers, void *context)
{
	*stream = (struct sim_stream){.handlers = handlers, .context = context, .socket = -1};
}

bool stream_connect(struct sim_stream *stream, struct event_base *base,
                    const struct sockaddr *address, socklen_t size)
{
	stream->socket = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->socket < 0)
		return false;
	stream->readable = event_new(base, stream->socket, EV_READ | EV_PERSIST, on_readable, stream);
	stream->writable = event_new(base, stream->socket, EV_WRITE, on_writable, stream);
	if (stream->readable && stream->writable &&
	    (connect(stream->socket, address, size) == 0 || errno == EINPROGRESS)) {
		event_add(stream->writable, NULL);
		return true;
	}
	stream_close(stream);
	return false;
}

void stream_close(struct sim_stream *stream)
{
	if (stream->readable)
		event_free(stream->readable);
	if (stream->writable)
		event_free(stream->writable);
	stream->readable = stream->writable = NULL;
	if (stream_open(stream))
		evutil_closesocket(stream->socket);
	stream->socket = -1;
	stream->connected = false;
	forget(&stream->unsent);
	forget(&stream->unread);
}

void stream_send(struct sim_stream *stream, const uint8_t *bytes, size_t size)
{
	size_t written = 0;

	if (!stream->connected || size == 0)
		return;
	if (stream_clear(stream))
		written = write_some(stream, bytes, size);
	if (written == size)
		return;
	if (!keep(&stream->unsent, bytes + written, size - written))
		shutdown(stream->socket, SHUT_RDWR); /* half a frame would be garbage */
	else
		event_add(stream->writable, NULL);
}
