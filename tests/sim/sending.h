/*
 * Which records a simulated gateway sends when, and how long they took until
 * they were acknowledged.
 */
#ifndef SMARTHG_SIM_SENDING_H
#define SMARTHG_SIM_SENDING_H

#include "sim_gateway.h"

/* Goes on behind what is committed: with the first record kept, and before it the loss. */
void sending_rewind(struct sim_gateway *gateway);

/* Takes down the latency of what the gateway sent up to this number: it is committed, and the
 * gateway learns it now. */
void sending_measure(struct sim_gateway *gateway, uint64_t committed);

#endif
