/*
 * The modem's dialogue: one command at a time, each until its OK or ERROR.
 *
 *     CLOSED -> SIM -> TRIES -> PIN
 *                v                v
 *                SETUP (step by step) -> IDLE <-> LIST, READ, DELETE
 *                                         ^----> ALPHABET -> NUMBER -> TEXT
 *
 * A received message is read, told, and deleted from the modem only when it is
 * stored, so that none is lost.
 */
#include "at_modem_state.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <unistd.h>

#include "security.h"
#include "serial_line.h"

enum {
	ANSWER_MS = 10000,
	PAUSE_MS = 5000,
	LIST_EVERY_MS = 60000, /* should an indication have been missed; also a sign of life */
};

static void set_timer(struct at_modem *modem, int64_t ms)
{
	struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(modem->timer, &delay);
}

void at_modem_say(struct at_modem *modem, enum modem_state state, const char *command)
{
	modem->state = state;
	modem->text_follows = false;
	evbuffer_add_printf(bufferevent_get_output(modem->stream), "%s\r", command);
	set_timer(modem, modem->options.answer_ms);
}

static void say_number(struct at_modem *modem, enum modem_state state, const char *command,
                       unsigned number)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%u", command, number);
	at_modem_say(modem, state, text);
}

/* Tells what became of the message under way. */
static void settle(struct at_modem *modem, enum sms_result result, const char *detail)
{
	const struct sms_events *events = &modem->options.events;
	int64_t id = modem->outgoing.id;

	modem->outgoing.id = 0;
	if (id != 0)
		events->sent(events->context, id, result, modem->outgoing.reference, detail);
}

void at_modem_close(struct at_modem *modem, const char *why)
{
	log_line(modem->options.log, LOG_WARNING, "modem closed", "device=\"%s\" reason=\"%s\"",
	         modem->options.device, why);
	if (modem->stream)
		bufferevent_free(modem->stream);
	modem->stream = NULL;
	modem->state = MODEM_CLOSED;
	modem->reader.size = 0;
	set_timer(modem, modem->options.pause_ms);
	settle(modem, SMS_NOT_NOW, why);
}

/* The first slot in this state; SLOTS: none. */
static unsigned find_slot(const struct at_modem *modem, enum slot_state state)
{
	unsigned slot = 0;

	while (slot < SLOTS && modem->slots[slot] != state)
		slot++;
	return slot;
}

static void become_idle(struct at_modem *modem)
{
	const struct sms_events *events = &modem->options.events;

	modem->state = MODEM_IDLE;
	set_timer(modem, LIST_EVERY_MS);
	events->ready(events->context);
}

/* What is most urgent: room in the modem first, then what came, then what is to go. */
static void next_work(struct at_modem *modem)
{
	unsigned full = find_slot(modem, SLOT_TO_DELETE), fresh = find_slot(modem, SLOT_TO_READ);

	if (full < SLOTS) {
		modem->slot = full;
		say_number(modem, MODEM_DELETE, "AT+CMGD=", full);
	} else if (fresh < SLOTS) {
		modem->slot = fresh;
		say_number(modem, MODEM_READ, "AT+CMGR=", fresh);
	} else if (modem->outgoing.id != 0 && modem->outgoing.waiting) {
		modem->outgoing.waiting = false;
		/* With a report of the delivery; valid for a day; 0: default alphabet, 8: UCS2. */
		at_modem_say(modem, MODEM_ALPHABET,
		             modem->outgoing.alphabet == SMS_UCS2 ? "AT+CSMP=49,167,0,8"
		                                                  : "AT+CSMP=49,167,0,0");
	} else {
		become_idle(modem);
	}
}

/* The message of the slot in hand has this text. */
static void tell_message(struct at_modem *modem, const char *text)
{
	const struct sms_events *events = &modem->options.events;

	modem->text_follows = false;
	modem->slots[modem->slot] = SLOT_TOLD;
	events->received(events->context, modem->opened * SLOTS + modem->slot, modem->message.phone,
	                 text, modem->message.sent_ms);
}

/* A line behind +CMGR: the text, or something that the modem says in between, such as RING. */
static void on_text(struct at_modem *modem, struct cursor line)
{
	char text[AT_LINE_SIZE + 1];

	if (sms_hex_read(line, text, sizeof(text)))
		tell_message(modem, text);
}

static void on_ok(struct at_modem *modem)
{
	char command[4 * SMS_PHONE_SIZE + 20];

	switch (modem->state) {
	case MODEM_SETUP:
	case MODEM_SIM:
	case MODEM_TRIES:
	case MODEM_PIN:
		at_setup_ok(modem);
		break;
	case MODEM_ALPHABET:
		snprintf(command, sizeof(command), "AT+CMGS=\"%s\"", modem->outgoing.phone);
		at_modem_say(modem, MODEM_NUMBER, command);
		break;
	case MODEM_TEXT:
		settle(modem, SMS_SENT, NULL);
		next_work(modem);
		break;
	case MODEM_READ:
		if (modem->text_follows) /* a message without text, or with one that is none */
			tell_message(modem, "");
		if (modem->slots[modem->slot] == SLOT_TO_READ) /* nothing is there after all */
			modem->slots[modem->slot] = SLOT_EMPTY;
		next_work(modem);
		break;
	case MODEM_DELETE:
		modem->slots[modem->slot] = SLOT_EMPTY;
		next_work(modem);
		break;
	case MODEM_LIST:
		next_work(modem);
		break;
	default:
		break;
	}
}

static void on_error(struct at_modem *modem, int code)
{
	char detail[60];

	snprintf(detail, sizeof(detail),
	         code >= 0 ? "the modem answered with error %d" : "the modem answered with an error",
	         code);
	switch (modem->state) {
	case MODEM_SETUP:
	case MODEM_SIM:
	case MODEM_TRIES:
	case MODEM_PIN:
		at_setup_error(modem, code, detail);
		break;
	case MODEM_LIST:
		at_modem_close(modem, detail);
		break;
	case MODEM_READ:
	case MODEM_DELETE:
		/* The next listing tells what is there. */
		modem->slots[modem->slot] = SLOT_EMPTY;
		next_work(modem);
		break;
	case MODEM_ALPHABET:
	case MODEM_NUMBER:
	case MODEM_TEXT:
		settle(modem, SMS_NOT_NOW, detail);
		next_work(modem);
		break;
	default:
		break;
	}
}

static void on_prompt(struct at_modem *modem)
{
	if (modem->state != MODEM_NUMBER)
		return;
	modem->state = MODEM_TEXT;
	evbuffer_add_printf(bufferevent_get_output(modem->stream), "%s\x1a", modem->outgoing.text);
	set_timer(modem, 6 * modem->options.answer_ms);
}

static void mark_to_read(struct at_modem *modem, int slot)
{
	if (slot >= 0 && slot < SLOTS && modem->slots[slot] == SLOT_EMPTY)
		modem->slots[slot] = SLOT_TO_READ;
}

static void on_line(struct at_modem *modem, struct cursor bytes)
{
	const struct sms_events *events = &modem->options.events;
	struct at_line line;

	at_line_read(bytes, &line);
	if (modem->text_follows && line.kind == AT_OTHER) {
		on_text(modem, bytes);
		return;
	}
	switch (line.kind) {
	case AT_OK:
		on_ok(modem);
		break;
	case AT_ERROR:
		on_error(modem, line.number);
		break;
	case AT_PROMPT:
		on_prompt(modem);
		break;
	case AT_NEW_MESSAGE:
		mark_to_read(modem, line.number);
		if (modem->state == MODEM_IDLE)
			next_work(modem);
		break;
	case AT_LISTED:
		if (modem->state == MODEM_LIST)
			mark_to_read(modem, line.number);
		break;
	case AT_SENT:
		if (modem->state == MODEM_TEXT)
			modem->outgoing.reference = line.number;
		break;
	case AT_SIM:
	case AT_SIM_TRIES:
		modem->sim = line;
		break;
	case AT_MESSAGE:
		modem->message = line;
		modem->text_follows = modem->state == MODEM_READ;
		break;
	case AT_REPORT:
		if (line.delivered || line.failed)
			events->reported(events->context, line.number, line.delivered);
		break;
	default:
		break;
	}
}

static void on_readable(struct bufferevent *stream, void *context)
{
	struct at_modem *modem = context;
	uint8_t bytes[512];
	ev_ssize_t taken;

	while (modem->stream == stream &&
	       (taken = evbuffer_remove(bufferevent_get_input(stream), bytes, sizeof(bytes))) > 0) {
		struct cursor input = cursor_over(bytes, (size_t)taken), line;

		while (modem->stream == stream && at_reader_next(&modem->reader, &input, &line))
			on_line(modem, line);
	}
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	at_modem_close(context, "the device is gone");
}

static void open_modem(struct at_modem *modem)
{
	int device = serial_line_open(modem->options.device, modem->options.baud);

	if (device < 0) {
		at_modem_close(modem, strerror(errno));
		return;
	}
	modem->stream = bufferevent_socket_new(modem->base, device, BEV_OPT_CLOSE_ON_FREE);
	if (!modem->stream) {
		close(device);
		at_modem_close(modem, "out of memory");
		return;
	}
	bufferevent_setcb(modem->stream, on_readable, NULL, on_event, modem);
	bufferevent_enable(modem->stream, EV_READ | EV_WRITE);
	modem->step = 0;
	modem->unlocked = false;
	modem->opened++;
	memset(modem->slots, SLOT_EMPTY, sizeof(modem->slots));
	/* ESC ends a text that an earlier run left unfinished. */
	at_modem_say(modem, MODEM_SETUP, "\x1b\rAT");
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
	struct at_modem *modem = context;

	(void)socket;
	(void)what;
	if (modem->state == MODEM_CLOSED)
		open_modem(modem);
	else if (modem->state == MODEM_IDLE)
		at_modem_say(modem, MODEM_LIST, "AT+CMGL=\"ALL\"");
	else
		at_modem_close(modem, "the modem does not answer");
}

static bool modem_send(struct sms_transport *transport, int64_t id, const char *phone,
                       const char *text)
{
	struct at_modem *modem = (struct at_modem *)transport;

	if (modem->state <= MODEM_SETUP || modem->outgoing.id != 0)
		return false;
	modem->outgoing.id = id;
	modem->outgoing.reference = -1;
	modem->outgoing.waiting = true;
	modem->outgoing.alphabet = sms_alphabet_of(text);
	if (modem->outgoing.alphabet == SMS_TOO_LONG)
		settle(modem, SMS_NEVER, "longer than one short message");
	else if (!sms_phone_valid(phone) ||
	         !sms_hex_write(phone, modem->outgoing.phone, sizeof(modem->outgoing.phone)) ||
	         !sms_hex_write(text, modem->outgoing.text, sizeof(modem->outgoing.text)))
		settle(modem, SMS_NEVER, "not a phone number");
	else if (modem->state == MODEM_IDLE)
		next_work(modem);
	return true;
}

static void modem_stored(struct sms_transport *transport, unsigned slot)
{
	struct at_modem *modem = (struct at_modem *)transport;

	/* After another opening the slot may hold another message, or another card. */
	if (slot / SLOTS != modem->opened || modem->slots[slot % SLOTS] != SLOT_TOLD)
		return;
	modem->slots[slot % SLOTS] = SLOT_TO_DELETE;
	if (modem->state == MODEM_IDLE)
		next_work(modem);
}

static void modem_free(struct sms_transport *transport)
{
	struct at_modem *modem = (struct at_modem *)transport;

	if (modem->stream)
		bufferevent_free(modem->stream);
	if (modem->timer)
		event_free(modem->timer);
	security_wipe(modem, sizeof(*modem));
	free(modem);
}

struct sms_transport *at_modem_new(struct event_base *base, const struct at_modem_options *options)
{
	struct at_modem *modem = calloc(1, sizeof(*modem));

	if (!modem)
		return NULL;
	modem->transport = (struct sms_transport){modem_send, modem_stored, modem_free};
	modem->base = base;
	modem->options = *options;
	if (modem->options.answer_ms == 0)
		modem->options.answer_ms = ANSWER_MS;
	if (modem->options.pause_ms == 0)
		modem->options.pause_ms = PAUSE_MS;
	modem->timer = evtimer_new(base, on_timer, modem);
	if (!modem->timer) {
		free(modem);
		return NULL;
	}
	set_timer(modem, 0);
	return &modem->transport;
}
