/*
 * Online and offline (document 4.1.2.1): a gateway is online from READY on, and
 * offline when no frame of it came within the interval; its remote host session
 * ends when none came for much longer (24 hours by default). Steady time.
 */
#ifndef SMARTHG_BRIDGE_PRESENCE_H
#define SMARTHG_BRIDGE_PRESENCE_H

#include "registry.h"

struct presence {
	int64_t offline_ms, expire_ms;
	/* The gateway's state changed, or is known for the first time. */
	void (*changed)(void *context, struct gateway *gateway, bool online, const char *reason);
	/* Its session had no frame for expire_ms. */
	void (*expired)(void *context, struct gateway *gateway);
	void *context;
	struct seen_list watched, sessions;
	int64_t floor_ms; /* silence before this moment is not the gateways' */
	bool held;
	size_t online; /* gateways that are */
};

/* READY was exchanged. */
void presence_online(struct presence *presence, struct gateway *gateway, int64_t now_ms);

/* A frame came, or the connection was closed just now. */
void presence_seen(struct presence *presence, struct gateway *gateway, int64_t now_ms);

/* Gives a gateway that was never heard of the usual interval before it counts as offline. */
void presence_expect(struct presence *presence, struct gateway *gateway, int64_t now_ms);

/* It left in good order, or is no longer known. */
void presence_offline(struct presence *presence, struct gateway *gateway, const char *reason);

/* The remote host session ended. */
void presence_forget_session(struct presence *presence, struct gateway *gateway);

/* While held (nothing is read from the connections) nobody goes offline. */
void presence_hold(struct presence *presence, bool held, int64_t now_ms);

/* To be called about once a second. */
void presence_tick(struct presence *presence, int64_t now_ms);

#endif
