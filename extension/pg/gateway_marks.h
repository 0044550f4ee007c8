/*
 * The marks of gateways, up to which their records are committed. Moving one is
 * what keeps two sessions from storing the same records: it needs the row as it
 * was when the records were judged to be new.
 */
#ifndef SMARTHG_GATEWAY_MARKS_H
#define SMARTHG_GATEWAY_MARKS_H

#include "binding.h"

typedef struct gateway_mark {
	int64 gateway_id;
	int64 first_no, last_no; /* records without a gap */
	bool moved;              /* set here */
} gateway_mark;

/* Moves the marks, in ascending order of gateways, that stand right before their records, where
 * none of these is committed ahead of them already; the others stay. The moved ones are locked to
 * the end of the transaction. Needs an SPI connection, and a transaction that sees what others
 * commit meanwhile (READ COMMITTED). Errors: 40001, 55P03 after lock_timeout. */
extern void gateway_marks_move(gateway_mark *marks, int count);

#endif
