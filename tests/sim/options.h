/*
 * The simulator's command line.
 */
#ifndef SMARTHG_SIM_OPTIONS_H
#define SMARTHG_SIM_OPTIONS_H

#include "sim_gateway.h"

struct sim_options {
	const char *connect, *telegrams, *keys; /* NULL: not given */
	size_t gateways;                        /* 0: those of the file */
	double speed;                           /* records a second over all gateways, 0: no limit */
	double timeout_s;                       /* 0: none */
	double seconds;                         /* 0: until all records are sent */
	double together_s; /* negative: each gateway begins when its session is open */
	bool report, help;
	struct store_model stores[COMMAND_STORES]; /* of each gateway */
};

extern const char sim_options_help[];

/* Fills options, and of sim what is an option; false where one is unknown. */
bool sim_options_read(struct sim_options *options, struct sim *sim, int count, char **arguments);

#endif
