/*
 * Clients of the console and what they are told; see the header.
 */
#include "console.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "security.h"

enum { LINE_LIMIT = 4096, OUTPUT_LIMIT = 1 << 20, CLIENT_LIMIT = 16, BODY_LIMIT = 900 };

struct client {
	struct console *console;
	struct client *next;
	struct bufferevent *stream;
	uid_t user;
	bool watching;
	uint64_t gateway; /* watched; 0: all */
	size_t missed;    /* lines, since the last that was sent */
	bool full;        /* it does not read its answers: nothing is read of it */
};

struct console {
	struct console_handlers handlers;
	const struct log *log;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct event_base *base;
	struct evconnlistener *listener;
	struct client *first;
	unsigned clients, watching;
};

static void client_free(struct client *client)
{
	struct console *console = client->console;
	struct client **at = &console->first;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	console->clients--;
	if (client->watching && --console->watching == 0)
		console->handlers.watched(console->handlers.context, false);
	bufferevent_free(client->stream);
	free(client);
}

__attribute__((format(printf, 2, 3))) static void answer(struct client *client, const char *format,
                                                         ...)
{
	va_list arguments;

	va_start(arguments, format);
	evbuffer_add_vprintf(bufferevent_get_output(client->stream), format, arguments);
	va_end(arguments);
}

static void watch(struct client *client, uint64_t gateway)
{
	struct console *console = client->console;

	client->gateway = gateway;
	if (client->watching)
		return;
	client->watching = true;
	if (++console->watching == 1)
		console->handlers.watched(console->handlers.context, true);
}

static void on_status(struct client *client)
{
	struct console *console = client->console;
	struct status status;
	char json[4096];

	console->handlers.collect(console->handlers.context, &status);
	if (status_json(&status, json, sizeof(json)))
		answer(client, "%s\nok\n", json);
	else
		answer(client, "error too long\n");
}

static void on_request(struct client *client, uint64_t gateway, unsigned method, const char *digits)
{
	struct console *console = client->console;
	uint8_t body[BODY_LIMIT];
	size_t size;
	uint64_t id;

	if (client->user != 0 && client->user != geteuid()) {
		answer(client, "error only root and the user of the bridge may send requests\n");
		return;
	}
	if (method > UINT8_MAX || !traffic_read_hex(digits, body, sizeof(body), &size) ||
	    !security_random(&id, sizeof(id))) {
		answer(client, "error the request must be a method and up to %d bytes\n", BODY_LIMIT);
		return;
	}
	id |= UINT64_C(1) << 63; /* apart from those of commands, which are the database's */
	watch(client, gateway);
	log_line(console->log, LOG_INFO, "request of the client tool",
	         "gateway=%016" PRIx64 " method=%u uid=%u", gateway, method, (unsigned)client->user);
	answer(client, "ok %" PRIu64 "\n", id);
	if (!console->handlers.request(console->handlers.context, gateway, id, (uint8_t)method, body,
	                               size))
		answer(client, "error the gateway is not connected\n");
}

static void on_command(struct client *client, const char *line)
{
	uint64_t gateway = 0;
	unsigned method;
	char digits[LINE_LIMIT] = "";

	if (strcmp(line, "status") == 0) {
		on_status(client);
	} else if (strcmp(line, "watch") == 0 || sscanf(line, "watch %" SCNx64, &gateway) == 1) {
		answer(client, "ok\n");
		watch(client, gateway);
	} else if (sscanf(line, "request %" SCNx64 " %u %4095s", &gateway, &method, digits) >= 2) {
		on_request(client, gateway, method, digits);
	} else {
		answer(client, "error unknown command\n");
	}
}

/* One command, so that gateways have their turn between those of a client. */
static void on_readable(struct bufferevent *stream, void *context)
{
	struct client *client = context;
	struct evbuffer *input = bufferevent_get_input(stream);

	if (evbuffer_get_length(bufferevent_get_output(stream)) > OUTPUT_LIMIT) {
		client->full = true;
		bufferevent_disable(stream, EV_READ);
		return;
	}
	char *line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF);
	if (line) {
		on_command(client, line);
		free(line);
		if (evbuffer_get_length(input) > 0)
			bufferevent_trigger(stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	} else if (evbuffer_get_length(input) >= LINE_LIMIT) {
		client_free(client);
	}
}

static void on_writable(struct bufferevent *stream, void *context)
{
	struct client *client = context;

	if (!client->full)
		return;
	client->full = false;
	bufferevent_enable(stream, EV_READ);
	bufferevent_trigger(stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	client_free(context);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t channel,
                      struct sockaddr *address, int size, void *context)
{
	struct console *console = context;
	struct client *client = calloc(1, sizeof(*client));
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t peer_size = sizeof(peer);

	(void)listener;
	(void)address;
	(void)size;
	if (client && console->clients < CLIENT_LIMIT &&
	    getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0)
		client->stream = bufferevent_socket_new(console->base, channel, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->stream) {
		free(client);
		evutil_closesocket(channel);
		return;
	}
	client->console = console;
	client->user = peer.uid;
	client->next = console->first;
	console->first = client;
	console->clients++;
	bufferevent_setcb(client->stream, on_readable, on_writable, on_event, client);
	bufferevent_setwatermark(client->stream, EV_WRITE, OUTPUT_LIMIT / 2, 0);
	bufferevent_setwatermark(client->stream, EV_READ, 0, LINE_LIMIT);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Takes away a socket that an earlier run left; one that is in use stays, and so does a file. */
static void remove_stale(const struct sockaddr_un *address)
{
	int channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat file;

	if (channel < 0)
		return;
	if (lstat(address->sun_path, &file) == 0 && S_ISSOCK(file.st_mode) &&
	    connect(channel, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
	    errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(channel);
}

struct console *console_new(struct event_base *base, const char *path,
                            const struct console_handlers *handlers, const struct log *log,
                            char *message, size_t size)
{
	struct console *console = calloc(1, sizeof(*console));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;

	if (!console || strlen(path) >= sizeof(address.sun_path)) {
		snprintf(message, size, console ? "control_socket is too long" : "out of memory");
		free(console);
		return NULL;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(console->path, address.sun_path, sizeof(console->path));
	console->base = base;
	console->handlers = *handlers;
	console->log = log;
	remove_stale(&address);
	mask = umask(0117); /* 0660 from the first moment */
	console->listener = evconnlistener_new_bind(base, on_accept, console,
	                                            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
	                                            (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (console->listener)
		return console;
	snprintf(message, size, "cannot listen on \"%s\": %s", path, strerror(errno));
	free(console);
	return NULL;
}

void console_free(struct console *console)
{
	if (!console)
		return;
	while (console->first)
		client_free(console->first);
	evconnlistener_free(console->listener);
	unlink(console->path);
	free(console);
}

static void tell(struct client *client, const char *line)
{
	if (evbuffer_get_length(bufferevent_get_output(client->stream)) > OUTPUT_LIMIT) {
		client->missed++;
		return;
	}
	if (client->missed > 0)
		answer(client, "%" PRId64 " event %016x %zu lines missed\n", clock_wall_ms(), 0,
		       client->missed);
	client->missed = 0;
	answer(client, "%s\n", line);
}

static void tell_watchers(struct console *console, uint64_t gateway, const char *line)
{
	for (struct client *at = console->first; at; at = at->next)
		if (at->watching && (at->gateway == 0 || at->gateway == gateway))
			tell(at, line);
}

void console_traffic(struct console *console, const struct traffic *traffic)
{
	size_t size = traffic_line_size(traffic);
	char *line = console->watching > 0 ? malloc(size) : NULL;

	if (!line)
		return;
	traffic_write(traffic, line, size);
	tell_watchers(console, traffic->gateway, line);
	free(line);
}

void console_event(struct console *console, uint64_t gateway, const char *format, ...)
{
	char line[400];
	va_list arguments;

	if (!console || console->watching == 0)
		return;
	int used =
	    snprintf(line, sizeof(line), "%" PRId64 " event %016" PRIx64 " ", clock_wall_ms(), gateway);
	va_start(arguments, format);
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, arguments);
	va_end(arguments);
	tell_watchers(console, gateway, line);
}
