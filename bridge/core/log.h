/*
 * The bridge's log: one line of key=value pairs (logfmt) for each event, on
 * standard error. Secrets (keys, MACs, payloads) are never passed here.
 */
#ifndef SMARTHG_BRIDGE_LOG_H
#define SMARTHG_BRIDGE_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level; /* least important level that is written */
};

/* Writes `time=... level=... msg="what" details`; what is a fixed text, details are
 * key=value pairs by a printf format ("" for none) of %s, %d, %u, %x, %c, %g and their
 * lengths. Quotes and control characters in a %s are escaped, so that no value can
 * pass for another pair. */
__attribute__((format(printf, 4, 5))) void log_line(const struct log *log, enum log_level level,
                                                    const char *what, const char *format, ...);

/* The details of a line, into size bytes; cut where they are longer. */
void log_details(char *out, size_t size, const char *format, va_list arguments);

#endif
