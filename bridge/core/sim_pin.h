/*
 * Whether a SIM card is given its PIN (3GPP TS 27.007, +CPIN and +CPINR). Three
 * wrong ones lock a card, so that a PIN is given once, and again only where the
 * card took it; not at all where the card says that someone tried before.
 */
#ifndef SMARTHG_BRIDGE_SIM_PIN_H
#define SMARTHG_BRIDGE_SIM_PIN_H

#include <stdbool.h>

#include "at_line.h"

enum { SIM_PIN_SIZE = 9 }; /* up to eight digits */

/* Zeros: no PIN. */
struct sim_pin {
	char digits[SIM_PIN_SIZE];
	bool spent; /* it was given, and the card did not take it */
};

enum sim_pin_step {
	SIM_GO_ON,     /* the card needs none */
	SIM_ASK_TRIES, /* how many are left */
	SIM_GIVE_PIN,
	SIM_STOP, /* someone has to see to the card */
};

/* Takes four to eight digits with white space around them; false: it is not that. */
bool sim_pin_read(const char *text, struct sim_pin *out);

/* What follows from the card's state; why is set where that is SIM_STOP. */
enum sim_pin_step sim_pin_asked(const struct sim_pin *pin, enum at_sim state, const char **why);

/* What follows from the tries that are left of how many; -1: the modem does not tell. */
enum sim_pin_step sim_pin_tries(const struct sim_pin *pin, int left, int of, const char **why);

/* Call before the PIN is sent, and when the card took it. */
void sim_pin_given(struct sim_pin *pin);
void sim_pin_taken(struct sim_pin *pin);

#endif
