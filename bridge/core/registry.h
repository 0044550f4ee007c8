/*
 * The gateways that the database knows, found by EUI-64 (frames) or by
 * identifier (commits, commands). A gateway is never freed while the bridge
 * runs: one that vanished from the database is only marked as unknown, so that
 * records of it that are still under way keep their owner.
 */
#ifndef SMARTHG_BRIDGE_REGISTRY_H
#define SMARTHG_BRIDGE_REGISTRY_H

#include "security.h"
#include "seen_list.h"

struct connection;

/* A gateway as provisioned. */
struct provision {
	int64_t gateway_id;
	uint64_t eui64;
	struct link_key key;
	uint32_t key_id;
	bool security_required;
	uint64_t committed;
};

struct gateway {
	int64_t gateway_id;
	uint64_t eui64;
	struct link_key key;
	uint32_t key_id;
	bool known; /* in the database at the last load */
	bool security_required;
	bool online;
	bool refused;                        /* a record of it was, since the last restart */
	bool reported;                       /* its presence was reported since the bridge started */
	uint32_t session;                    /* number of its remote host session; 0 none */
	uint64_t committed;                  /* last committed record number */
	uint64_t asked;                      /* committed when the load's rows were asked for */
	uint64_t accepted;                   /* all up to here are committed or under way */
	uint64_t ahead;                      /* bit i: record accepted + 1 + i is under way too */
	struct connection *connection;       /* NULL: not connected */
	struct seen_link seen, session_seen; /* by presence */
	uint32_t load;
	struct gateway *next_by_eui64, *next_by_id;
};

struct registry;

struct registry *registry_new(void);
/* Wipes all keys. */
void registry_free(struct registry *registry);

/* NULL: never loaded, or no longer known. */
struct gateway *registry_find(struct registry *registry, uint64_t eui64);
/* Also gateways that are no longer known; NULL: never loaded. */
struct gateway *registry_find_id(struct registry *registry, int64_t gateway_id);

/* What a load changed of a gateway that was known before. */
struct provision_change {
	bool rekeyed;   /* its credentials */
	bool went_back; /* its mark: the database lost what it had committed (restore, failover) */
};

/* A load is: asked, before the database reads the rows; begin, put for every row, end. put
 * returns the gateway, or NULL without memory. */
void registry_load_asked(struct registry *registry);
void registry_load_begin(struct registry *registry);
struct gateway *registry_load_put(struct registry *registry, const struct provision *provision,
                                  struct provision_change *change);
/* Calls vanished for every gateway that was known before and was not put. */
void registry_load_end(struct registry *registry,
                       void (*vanished)(void *context, struct gateway *gateway), void *context);

/* Whether a load has ended yet. */
bool registry_loaded(const struct registry *registry);
size_t registry_count(const struct registry *registry);

/* Calls visit for every known gateway. */
void registry_each(struct registry *registry, void (*visit)(void *context, struct gateway *gateway),
                   void *context);

/* Whether a record is new, as far as the bridge remembers; marks it as under way. */
bool gateway_accept(struct gateway *gateway, uint64_t record_no);
/* Nothing beyond the committed records counts as under way: the gateway sends it again, and the
 * database skips what it has. */
void gateway_restart(struct gateway *gateway);
/* All records up to this one are committed. */
void gateway_advance(struct gateway *gateway, uint64_t record_no);

#endif
