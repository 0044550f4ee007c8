/*
 * The Test Anything Protocol for plain-C unit tests: every check prints one
 * line, prove(1) counts them. A test program ends with `return tap_done();`.
 */
#ifndef SMARTHG_TAP_H
#define SMARTHG_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* One check; the description is a printf format and names the promise. */
__attribute__((format(printf, 4, 5), unused)) static bool
tap_check(bool passed, const char *file, int line, const char *format, ...)
{
	va_list arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	if (!passed) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return passed;
}

#define ok(condition, ...) tap_check((condition), __FILE__, __LINE__, __VA_ARGS__)

/* |got - want| <= tolerance * max(1, |want|); prints both where it fails. */
#define close_to(got, want, tolerance, ...)                                                        \
	do {                                                                                           \
		double tap_got = (got), tap_want = (want);                                                 \
		if (!ok(fabs(tap_got - tap_want) <= (tolerance)*fmax(1, fabs(tap_want)), __VA_ARGS__))     \
			printf("# got %.12g, want %.12g\n", tap_got, tap_want);                                \
	} while (0)

/* Prints the plan; the program's exit status. */
static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
