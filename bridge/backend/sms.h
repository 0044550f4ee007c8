/*
 * Short messages between the database's outbox and inbox and a transport
 * (document 4.1.2.1, SMS dispatcher).
 */
#ifndef SMARTHG_BRIDGE_SMS_H
#define SMARTHG_BRIDGE_SMS_H

#include "../core/sms_transport.h"
#include "control.h"

struct sms;

/* control must outlive it. NULL: no memory. */
struct sms *sms_new(struct event_base *base, struct control *control, const struct log *log);
void sms_free(struct sms *sms);

/* What its transport is to tell, and the transport itself, which becomes the sms's. */
struct sms_events sms_events_of(struct sms *sms);
void sms_use(struct sms *sms, struct sms_transport *transport);

/* There may be new ones in the outbox. */
void sms_fetch(struct sms *sms);

#endif
