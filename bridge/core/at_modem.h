/*
 * A GSM modem on a serial device, in text mode (3GPP TS 27.005): an SMS
 * transport. Event-driven; a modem that is silent, unplugged or confused is
 * opened anew after a pause.
 */
#ifndef SMARTHG_BRIDGE_AT_MODEM_H
#define SMARTHG_BRIDGE_AT_MODEM_H

#include <event2/event.h>

#include "log.h"
#include "sim_pin.h"
#include "sms_transport.h"

struct at_modem_options {
	const char *device; /* must outlive the modem */
	int baud;
	int64_t answer_ms; /* a command is answered within it; 0: 10 s. A message is sent within 6 times
	                      of it */
	int64_t pause_ms;  /* before the device is opened again, 0: 5 s */
	struct sim_pin pin; /* of the SIM card */
	struct sms_events events;
	const struct log *log;
};

/* NULL: no memory. The device need not be there yet. */
struct sms_transport *at_modem_new(struct event_base *base, const struct at_modem_options *options);

#endif
