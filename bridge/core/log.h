/*
 * The bridge's log: one line of key=value pairs for each event, on standard
 * error. Secrets (keys, MACs, payloads) are never passed here.
 */
#ifndef SMARTHG_BRIDGE_LOG_H
#define SMARTHG_BRIDGE_LOG_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level; /* least important level that is written */
};

/* Writes `time=... level=... msg="what" details`; what is a fixed text, details are
 * key=value pairs by a printf format ("" for none). Control characters become spaces. */
__attribute__((format(printf, 4, 5), unused)) static void
log_line(const struct log *log, enum log_level level, const char *what, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[1024], when[32];
	struct timespec now;
	struct tm utc;
	va_list arguments;

	if (level > log->level)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	int used = snprintf(line, sizeof(line), "time=%s.%03ldZ level=%s msg=\"%s\" ", when,
	                    now.tv_nsec / 1000000, names[level], what);
	if (used < 0 || (size_t)used >= sizeof(line))
		return;
	va_start(arguments, format);
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, arguments);
	va_end(arguments);
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	size_t length = strlen(line);
	while (length > 0 && line[length - 1] == ' ')
		line[--length] = '\0';
	fprintf(stderr, "%s\n", line);
}

#endif
