/*
 * How short messages leave and arrive (document 4.1.2.1, SMS dispatcher): the
 * interface between backend/sms and whatever carries them. One implementation is
 * core/at_modem; an SMS centre's protocol could be another.
 */
#ifndef SMARTHG_BRIDGE_SMS_TRANSPORT_H
#define SMARTHG_BRIDGE_SMS_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

enum sms_result {
	SMS_SENT,
	SMS_NOT_NOW, /* worth another attempt */
	SMS_NEVER,   /* the message itself cannot be sent */
};

/* What a transport tells. Texts are UTF-8, valid during the call. */
struct sms_events {
	void *context;
	/* It can take a message. */
	void (*ready)(void *context);
	/* What became of the message; reference (-1: none) is that of its later report. */
	void (*sent)(void *context, int64_t id, enum sms_result result, int reference,
	             const char *detail);
	/* A message came; it is kept, and told again after a restart, until sms_stored. sent_ms since
	 * 1970, 0: not known. */
	void (*received)(void *context, unsigned slot, const char *phone, const char *text,
	                 int64_t sent_ms);
	/* A sent message was delivered, or never will be. */
	void (*reported)(void *context, int reference, bool delivered);
};

struct sms_transport {
	/* Sends one message; false while another is under way or the transport is not ready. */
	bool (*send)(struct sms_transport *transport, int64_t id, const char *phone, const char *text);
	/* The message of this slot is in the database. */
	void (*stored)(struct sms_transport *transport, unsigned slot);
	void (*free)(struct sms_transport *transport);
};

#endif
