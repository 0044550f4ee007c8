/*
 * Reads the provisioned gateways with their link keys from the database: at the
 * start, on notification, on request.
 */
#ifndef SMARTHG_BRIDGE_GATEWAYS_H
#define SMARTHG_BRIDGE_GATEWAYS_H

#include <stdint.h>

#include "control.h"

/* One row; link_key is NULL where there is none. */
struct gateway_row {
	int64_t gateway_id;
	uint64_t eui64;
	const uint8_t *link_key;
	size_t link_key_size;
	uint32_t key_id;
	bool security_required;
	uint64_t committed;
};

struct gateways_handlers {
	void *context;
	void (*asked)(void *context); /* before the database reads the rows */
	void (*begin)(void *context);
	void (*row)(void *context, const struct gateway_row *row);
	void (*end)(void *context);
};

struct gateways;

struct gateways *gateways_new(struct event_base *base, struct control *control,
                              const struct gateways_handlers *handlers);
void gateways_free(struct gateways *gateways);

/* Reads them soon; several requests become one, and more than a few a second wait. */
void gateways_reload(struct gateways *gateways);
/* The same at the request of strangers: not more than once in some seconds. */
void gateways_reload_seldom(struct gateways *gateways);

#endif
