/*
 * The head of an HTTP/1 request (RFC 9112, sections 2 to 5), as far as a server
 * of a single document needs it: the request line, and where the fields end.
 */
#ifndef SMARTHG_BRIDGE_HTTP_HEAD_H
#define SMARTHG_BRIDGE_HTTP_HEAD_H

#include "cursor.h"

enum { HTTP_PATH_SIZE = 64 };

enum http_progress { HTTP_INCOMPLETE, HTTP_COMPLETE, HTTP_MALFORMED };

struct http_head {
	enum { HTTP_GET, HTTP_HEAD, HTTP_OTHER } method;
	char path[HTTP_PATH_SIZE]; /* without its query; "": longer than that */
};

/* Reads what has come of a request so far; out is set where that is HTTP_COMPLETE. */
enum http_progress http_head_read(struct cursor bytes, struct http_head *out);

#endif
