/*
 * Parameters of a query or body of type application/x-www-form-urlencoded, as OAuth 2.0 has them:
 * each name once (RFC 6749 section 3.1 and appendix B).
 */
#ifndef SMARTHG_CORE_MARKET_FORM_H
#define SMARTHG_CORE_MARKET_FORM_H

#include <stddef.h>

#include "../outcome.h"

enum { FORM_MOST_FIELDS = 64, FORM_MOST_BYTES = 65536 };

/* Bytes within the form, not ended by 0. */
typedef struct form_text {
	const char *bytes;
	size_t length;
} form_text;

typedef struct form_field {
	form_text name, value;
} form_field;

typedef struct form {
	form_field fields[FORM_MOST_FIELDS];
	int count;
} form;

/* Decodes bytes[length] in place; the fields point into it. Errors: an escape that is none, a 0
 * byte, a field without name, a name twice, too many fields or bytes. */
outcome_status form_read(char *bytes, size_t length, form *read, outcome *out);

#endif
