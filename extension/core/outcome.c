/* The one writer of outcomes; see outcome.h. */
#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>

outcome_status outcome_set(outcome *out, outcome_status status, const char *hint,
                           const char *detail, const char *format, ...)
{
	va_list arguments;

	out->status = status;
	va_start(arguments, format);
	vsnprintf(out->message, sizeof(out->message), format, arguments);
	va_end(arguments);
	snprintf(out->detail, sizeof(out->detail), "%s", detail ? detail : "");
	snprintf(out->hint, sizeof(out->hint), "%s", hint ? hint : "");
	return status;
}
