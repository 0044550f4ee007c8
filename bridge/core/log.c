/*
 * Log lines in logfmt. The format is walked here rather than by vsnprintf, so
 * that texts from outside (errors of the database, names of peers) are escaped
 * where they stand.
 */
#include "log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { LINE_SIZE = 1024, SPEC_SIZE = 16 };

/* The text being written; what does not fit is cut. */
struct line {
	char *out;
	size_t size, at;
};

static void put(struct line *line, char character)
{
	if (line->at + 1 < line->size)
		line->out[line->at++] = character;
}

static void put_escaped(struct line *line, const char *text)
{
	for (const char *at = text ? text : "(none)"; *at; at++) {
		if (*at == '"' || *at == '\\')
			put(line, '\\');
		put(line, (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at);
	}
}

/* An integer by the specification `%...X` of its own length. */
static void put_integer(struct line *line, const char *flags, char type, intmax_t number)
{
	char spec[SPEC_SIZE], text[64];

	snprintf(spec, sizeof(spec), "%%%.8sj%c", flags, type);
	snprintf(text, sizeof(text), spec, number);
	put_escaped(line, text);
}

static intmax_t signed_argument(va_list *arguments, unsigned longs, bool size)
{
	if (size)
		return va_arg(*arguments, ssize_t);
	return longs == 0 ? va_arg(*arguments, int) : va_arg(*arguments, long);
}

static intmax_t unsigned_argument(va_list *arguments, unsigned longs, bool size)
{
	if (size)
		return (intmax_t)va_arg(*arguments, size_t);
	return longs == 0 ? (intmax_t)va_arg(*arguments, unsigned)
	                  : (intmax_t)va_arg(*arguments, unsigned long);
}

/* One conversion, `at` behind its percent sign; returns what follows it. */
static const char *put_conversion(struct line *line, const char *at, va_list *arguments)
{
	char flags[9] = "", text[64];
	unsigned longs = 0;
	size_t flag_count = strspn(at, "0123456789.-+ #"), size_flag;

	snprintf(flags, sizeof(flags), "%.*s", (int)(flag_count < 8 ? flag_count : 8), at);
	at += flag_count;
	for (size_flag = 0; *at == 'l' || *at == 'z' || *at == 'j'; at++) {
		longs += *at != 'z';
		size_flag |= *at == 'z';
	}
	switch (*at) {
	case 's':
		put_escaped(line, va_arg(*arguments, const char *));
		break;
	case 'd':
		put_integer(line, flags, 'd', signed_argument(arguments, longs, size_flag));
		break;
	case 'u':
	case 'x':
		put_integer(line, flags, *at, unsigned_argument(arguments, longs, size_flag));
		break;
	case 'c':
		snprintf(text, sizeof(text), "%c", va_arg(*arguments, int));
		put_escaped(line, text);
		break;
	case 'g':
		snprintf(text, sizeof(text), "%g", va_arg(*arguments, double));
		put_escaped(line, text);
		break;
	case '%':
		put(line, '%');
		break;
	default:
		return at;
	}
	return at + 1;
}

void log_details(char *out, size_t size, const char *format, va_list arguments)
{
	struct line line = {out, size, 0};
	va_list walked;

	va_copy(walked, arguments);
	for (const char *at = format; *at;) {
		if (*at == '%')
			at = put_conversion(&line, at + 1, &walked);
		else
			put(&line, *at++);
	}
	va_end(walked);
	line.out[line.at] = '\0';
}

void log_line(const struct log *log, enum log_level level, const char *what, const char *format,
              ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char details[LINE_SIZE], when[32];
	struct timespec now;
	struct tm utc;
	va_list arguments;

	if (level > log->level)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	va_start(arguments, format);
	log_details(details, sizeof(details), format, arguments);
	va_end(arguments);
	fprintf(stderr, "time=%s.%03ldZ level=%s msg=\"%s\"%s%s\n", when, now.tv_nsec / 1000000,
	        names[level], what, details[0] ? " " : "", details);
}
