/*
 * What a GSM modem says in text mode (3GPP TS 27.005 and 27.007), line by line: bytes in,
 * one structure a line out. The modem's character set is UCS2, so that a message
 * is one line of hexadecimal digits, which cannot pass for an answer.
 */
#ifndef SMARTHG_BRIDGE_AT_LINE_H
#define SMARTHG_BRIDGE_AT_LINE_H

#include "sms_text.h"

enum { AT_LINE_SIZE = 1024 };

/* Bytes since the last end of a line. */
struct at_reader {
	uint8_t bytes[AT_LINE_SIZE];
	size_t size;
	bool overlong; /* the line was longer; what did not fit is gone */
};

enum at_kind {
	AT_NOTHING, /* an empty line */
	AT_OK,
	AT_ERROR,       /* number: the code of +CMS ERROR or +CME ERROR, -1: plain */
	AT_PROMPT,      /* "> ": the text may come */
	AT_NEW_MESSAGE, /* +CMTI, number: slot */
	AT_SENT,        /* +CMGS, number: reference */
	AT_LISTED,      /* +CMGL, number: slot */
	AT_MESSAGE,     /* +CMGR: phone, sent_ms; the next line is its text */
	AT_REPORT,      /* +CDS, number: reference; delivered, failed */
	AT_SIM,         /* +CPIN: sim */
	AT_SIM_TRIES,   /* +CPINR of the PIN, number: left, of: how many; each -1: not told */
	AT_OTHER,
};

/* What the SIM card waits for. */
enum at_sim { AT_SIM_READY, AT_SIM_PIN, AT_SIM_LOCKED };

struct at_line {
	enum at_kind kind;
	int number;
	char phone[SMS_PHONE_SIZE];
	int64_t sent_ms; /* the service centre's time, since 1970; 0: not told */
	bool delivered, failed;
	enum at_sim sim;
	int of;
};

/* Takes bytes from input up to the end of a line, or to a prompt. true: a line is complete, `line`
 * is over the reader's bytes until the next call. */
bool at_reader_next(struct at_reader *reader, struct cursor *input, struct cursor *line);

void at_line_read(struct cursor line, struct at_line *out);

#endif
