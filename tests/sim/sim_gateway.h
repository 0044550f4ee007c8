/*
 * One simulated gateway: connects, opens its session, replays its records,
 * resends what was not acknowledged after every reconnect, executes EBR
 * commands; or misbehaves in one chosen way.
 */
#ifndef SMARTHG_SIM_GATEWAY_H
#define SMARTHG_SIM_GATEWAY_H

#include "../../bridge/core/client_session.h"
#include "latency_histogram.h"
#include "pace.h"
#include "sent_log.h"
#include "sim_stream.h"
#include "store_model.h"
#include "telegram_file.h"

enum sim_fault {
	FAULT_NONE,
	FAULT_FORGE,             /* AUTH with a wrong key */
	FAULT_REPLAY,            /* sends an encrypted frame twice */
	FAULT_GARBAGE,           /* random bytes instead of HELLO */
	FAULT_CLEAR_AFTER_READY, /* a clear frame in an encrypted session */
};

/* What all gateways share. */
struct sim {
	struct event_base *base;
	struct sockaddr_storage address;
	int address_size;
	enum sim_fault fault;
	bool duplicate, reorder, stay, verbose;
	uint64_t first_record; /* the gateways have dropped all before it */
	bool gap;              /* and do not say so */
	uint64_t window;       /* records sent and not acknowledged */
	size_t part_limit;     /* payload bytes of one frame */
	double net_demand_kw;
	uint64_t records; /* of each gateway, its telegrams again and again; 0: each telegram once */
	uint64_t step_ms; /* between the times of such records */
	bool held;        /* no record is sent yet */
	bool limited;     /* to what is due by `pace` */
	struct pace pace;
	uint64_t due; /* records of all gateways */
	void (*all_open)(void *context);
	void *context;
	/* counted */
	uint64_t acknowledged, reconnects, executed, refused, accepted_faults;
	uint64_t went_back; /* times that a bridge had less than it had acknowledged */
	size_t busy;        /* gateways that are not done */
	size_t unmet;       /* gateways that have not had a session yet */
	/* From a record's sending, or when it was due, until its ACK was read. */
	struct latency_histogram latency;
	/* The same of what was sent or due when settle_us had passed since the first record. */
	struct latency_histogram settled;
	int64_t settle_us;
	int64_t first_sent_us, last_acked_us; /* 0: none yet */
};

struct sim_record {
	uint64_t time_ms;
	uint8_t endpoint;
	uint8_t telegram[8];
	uint8_t size;
};

enum { REMEMBERED_REQUESTS = 8 };

struct sim_gateway {
	struct sim *sim;
	const struct telegram_source *source;
	size_t turn; /* its place among all */
	uint64_t eui64;
	struct link_key key;
	struct client_session session;
	struct sim_stream stream;
	struct event *timer; /* reconnect, keep-alive or a fault's deadline */
	uint32_t session_number;
	int64_t keepalive_ms;
	int pause_ms;
	uint64_t committed, next; /* next: position to be sent */
	uint64_t last;            /* number of the last record there is */
	uint64_t planned;         /* of them, those of `source` */
	uint64_t base;            /* the record behind it is the first of this run */
	uint64_t sent, measured;  /* highest number sent, and highest whose latency is known */
	struct sent_log log;      /* of those between; not where `limited` */
	uint64_t own_from;        /* number of the first of `own` */
	struct sim_record *own;   /* made here: states of charge */
	size_t own_count, own_capacity;
	struct store_model stores[COMMAND_STORES];
	uint64_t requests[REMEMBERED_REQUESTS]; /* the last ones executed */
	unsigned request_count;
	bool met; /* has had a session */
	bool fault_sent;
	bool done;
};

/* Prepares a gateway whose fields sim, source, turn, eui64, key and stores are set, and connects.
 */
bool sim_gateway_start(struct sim_gateway *gateway);
void sim_gateway_free(struct sim_gateway *gateway);

/* There are no more records than were sent. */
void sim_gateway_stop(struct sim_gateway *gateway);

/* Sends records as far as window, pace and connection allow. */
void sim_gateway_pump(struct sim_gateway *gateway);

#endif
