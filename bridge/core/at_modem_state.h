/*
 * A modem's state, which at_modem.c (messages, the device) and at_modem_setup.c
 * (what comes before the first message) share.
 */
#ifndef SMARTHG_BRIDGE_AT_MODEM_STATE_H
#define SMARTHG_BRIDGE_AT_MODEM_STATE_H

#include "at_modem.h"

enum { SLOTS = 256 };

enum modem_state {
	MODEM_CLOSED,
	MODEM_SIM,
	MODEM_TRIES,
	MODEM_PIN,
	MODEM_SETUP, /* up to here no message can be sent */
	MODEM_IDLE,
	MODEM_LIST,
	MODEM_READ,
	MODEM_DELETE,
	MODEM_ALPHABET,
	MODEM_NUMBER,
	MODEM_TEXT,
};

/* What is known of a place in the modem's store. */
enum slot_state { SLOT_EMPTY, SLOT_TO_READ, SLOT_TOLD, SLOT_TO_DELETE };

struct at_modem {
	struct sms_transport transport; /* first: the caller's view of it */
	struct event_base *base;
	struct at_modem_options options;
	struct bufferevent *stream; /* NULL: closed */
	struct event *timer;        /* of the command, the pause or the next listing */
	enum modem_state state;
	struct at_line sim; /* what was told of the SIM card; AT_OTHER: nothing yet */
	bool unlocked;
	size_t step; /* of the setup */
	struct at_reader reader;
	uint8_t slots[SLOTS];
	unsigned opened; /* how often; numbers of slots are of one opening */
	unsigned slot;   /* being read or deleted */
	bool text_follows;
	struct at_line message; /* whose text follows */
	struct {
		int64_t id;
		enum sms_alphabet alphabet;
		char phone[4 * SMS_PHONE_SIZE], text[SMS_HEX_SIZE];
		bool waiting; /* not begun yet */
		int reference;
	} outgoing;
};

/* Says a command, whose answer is that of the state. */
void at_modem_say(struct at_modem *modem, enum modem_state state, const char *command);
/* Gives the device up for a while. */
void at_modem_close(struct at_modem *modem, const char *why);

/* From the answer to AT on: the next command of the setup, or the first listing after the last. */
void at_setup_go_on(struct at_modem *modem);
/* OK, or an error's code, in a state up to MODEM_SETUP. */
void at_setup_ok(struct at_modem *modem);
void at_setup_error(struct at_modem *modem, int code, const char *detail);

#endif
