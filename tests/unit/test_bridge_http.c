/*
 * Promises of the head of an HTTP request: it is told complete at the end of its
 * fields and not before, and what is no request is refused at its first line.
 */
#include "tap.h"

#include <string.h>

#include "../../bridge/codec/http_head.h"

static struct http_head head;

static enum http_progress reads(const char *text)
{
	return http_head_read(cursor_over(text, strlen(text)), &head);
}

static void test_complete(void)
{
	static const char request[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
	bool early = false;

	for (size_t size = 0; size + 1 < sizeof(request) - 1; size++)
		early |= http_head_read(cursor_over(request, size), &head) != HTTP_INCOMPLETE;
	ok(!early, "a head is incomplete up to its last byte");
	ok(reads(request) == HTTP_COMPLETE && head.method == HTTP_GET &&
	       strcmp(head.path, "/metrics") == 0,
	   "then its method and its path without query are told");
	ok(reads("HEAD / HTTP/1.0\n\n") == HTTP_COMPLETE && head.method == HTTP_HEAD &&
	       strcmp(head.path, "/") == 0,
	   "lines may end with LF alone, and need no fields");
	ok(reads("POST /a HTTP/1.1\r\n\r\nbody") == HTTP_COMPLETE && head.method == HTTP_OTHER,
	   "other methods are told as that");
}

static void test_long_path(void)
{
	char text[200];

	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_PATH_SIZE - 2, 0);
	ok(reads(text) == HTTP_COMPLETE && strlen(head.path) == HTTP_PATH_SIZE - 1,
	   "the longest path is whole");
	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_PATH_SIZE - 1, 0);
	ok(reads(text) == HTTP_COMPLETE && head.path[0] == '\0', "a longer one is told as none");
}

static void test_malformed(void)
{
	static const char *const lines[] = {"\r\n",
	                                    "GET\r\n",
	                                    "GET /metrics\r\n",
	                                    "GET /metrics HTTP/2\r\n",
	                                    "GET /metrics HTTP/1.1 \r\n",
	                                    "GET  /metrics HTTP/1.1\r\n",
	                                    " /metrics HTTP/1.1\r\n",
	                                    "GET metrics HTTP/1.1\r\n",
	                                    "SA\x01\x01\n"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ok(reads(lines[i]) == HTTP_MALFORMED, "no request line: %zu", i);
	ok(http_head_read(cursor_over("GET /a\0b HTTP/1.1\r\n\r\n", 21), &head) == HTTP_MALFORMED,
	   "no path holds NUL");
}

int main(void)
{
	test_complete();
	test_long_path();
	test_malformed();
	return tap_done();
}
