/*
 * The bridge's side of the client tool (document 4.1.2.2): a Unix socket on which
 * lines are commands and lines are answers.
 *
 *     status                       one line of JSON, then "ok"
 *     watch [GATEWAY]              "ok", then lines as in traffic.h until the end
 *     request GATEWAY METHOD HEX   "ok ID", then the gateway's lines as for watch
 *
 * or "error TEXT". Who may open the socket is up to the file's mode (0660: owner
 * and group); only the owner and root may send requests.
 */
#ifndef SMARTHG_BRIDGE_CONSOLE_H
#define SMARTHG_BRIDGE_CONSOLE_H

#include <event2/event.h>

#include "log.h"
#include "status.h"
#include "traffic.h"

struct console_handlers {
	void *context;
	void (*collect)(void *context, struct status *out);
	/* Someone watches, or nobody any more. */
	void (*watched)(void *context, bool watched);
	/* Sends a REQUEST; false: the gateway is not connected. */
	bool (*request)(void *context, uint64_t gateway, uint64_t id, uint8_t method,
	                const uint8_t *body, size_t size);
};

struct console;

/* NULL and a message where the socket cannot be made. A socket that nobody listens on any more is
 * replaced. */
struct console *console_new(struct event_base *base, const char *path,
                            const struct console_handlers *handlers, const struct log *log,
                            char *message, size_t size);
void console_free(struct console *console);

/* To all who watch this gateway; a watcher that does not read misses lines and is told. */
void console_traffic(struct console *console, const struct traffic *traffic);
__attribute__((format(printf, 3, 4))) void console_event(struct console *console, uint64_t gateway,
                                                         const char *format, ...);

#endif
