/*
 * Reading of request heads; see the header.
 */
#include "http_head.h"

/* The next line without its end, which is LF or CR LF; false: its end has not come. */
static bool next_line(struct cursor *bytes, struct cursor *line)
{
	size_t size = cursor_left(bytes);
	const uint8_t *start = cursor_take(bytes, size);
	const uint8_t *end = size > 0 ? memchr(start, '\n', size) : NULL;

	if (!end)
		return false;
	bytes->at -= size - (size_t)(end - start) - 1;
	*line = cursor_over(start, (size_t)(end - start));
	if (line->size > 0 && end[-1] == '\r')
		line->size--;
	return true;
}

/* The next word of the request line, up to a space, which is taken too; empty at the end. */
static struct cursor next_word(struct cursor *line)
{
	size_t size = cursor_left(line);
	const uint8_t *start = cursor_take(line, size);
	const uint8_t *end = size > 0 ? memchr(start, ' ', size) : NULL;

	if (!end)
		return cursor_over(start, size);
	line->at -= size - (size_t)(end - start) - 1;
	return cursor_over(start, (size_t)(end - start));
}

static bool is_word(struct cursor word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.bytes, text, word.size) == 0;
}

static bool read_request_line(struct cursor line, struct http_head *out)
{
	struct cursor method = next_word(&line), target = next_word(&line), version = next_word(&line);
	const uint8_t *query = target.size > 0 ? memchr(target.bytes, '?', target.size) : NULL;
	size_t length = query ? (size_t)(query - target.bytes) : target.size;

	if (method.size == 0 || target.size == 0 || target.bytes[0] != '/' ||
	    method.size + target.size + version.size + 2 != line.size ||
	    memchr(target.bytes, '\0', target.size) ||
	    !(is_word(version, "HTTP/1.1") || is_word(version, "HTTP/1.0")))
		return false;
	out->method = is_word(method, "GET")    ? HTTP_GET
	              : is_word(method, "HEAD") ? HTTP_HEAD
	                                        : HTTP_OTHER;
	if (length >= sizeof(out->path))
		length = 0;
	memcpy(out->path, target.bytes, length);
	out->path[length] = '\0';
	return true;
}

enum http_progress http_head_read(struct cursor bytes, struct http_head *out)
{
	struct cursor request, field;

	if (!next_line(&bytes, &request))
		return HTTP_INCOMPLETE;
	if (!read_request_line(request, out))
		return HTTP_MALFORMED;
	while (next_line(&bytes, &field))
		if (field.size == 0)
			return HTTP_COMPLETE;
	return HTTP_INCOMPLETE;
}
