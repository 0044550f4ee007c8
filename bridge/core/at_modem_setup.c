/*
 * What a modem is told before the first message: to be quiet, its SIM card's PIN
 * where it waits for one, text mode, and what to tell of its own accord.
 */
#include "at_modem_state.h"

#include "security.h"

enum { STEPS_BEFORE_SIM = 2, SIM_ABSENT = 10, SIM_WRONG = 16 }; /* codes of +CME ERROR */

static const char *const setup[] = {
    "ATE0",
    "AT+CMEE=1",
    "AT+CMGF=1",         /* text mode */
    "AT+CSCS=\"UCS2\"",  /* texts and numbers as digits */
    "AT+CNMI=2,1,0,1,0", /* tell of new messages and of delivery */
};

void at_setup_go_on(struct at_modem *modem)
{
	if (modem->step == STEPS_BEFORE_SIM && !modem->unlocked) {
		modem->sim.kind = AT_OTHER;
		at_modem_say(modem, MODEM_SIM, "AT+CPIN?");
	} else if (modem->step < sizeof(setup) / sizeof(setup[0])) {
		at_modem_say(modem, MODEM_SETUP, setup[modem->step++]);
	} else {
		log_line(modem->options.log, LOG_INFO, "modem ready", "device=\"%s\"",
		         modem->options.device);
		at_modem_say(modem, MODEM_LIST, "AT+CMGL=\"ALL\"");
	}
}

static void follow_sim(struct at_modem *modem, enum sim_pin_step step, const char *why)
{
	char command[SIM_PIN_SIZE + 16];

	switch (step) {
	case SIM_GO_ON:
		modem->unlocked = true;
		at_setup_go_on(modem);
		break;
	case SIM_ASK_TRIES:
		modem->sim.kind = AT_OTHER;
		at_modem_say(modem, MODEM_TRIES, "AT+CPINR=\"SIM PIN\"");
		break;
	case SIM_GIVE_PIN:
		sim_pin_given(&modem->options.pin);
		snprintf(command, sizeof(command), "AT+CPIN=\"%s\"", modem->options.pin.digits);
		at_modem_say(modem, MODEM_PIN, command);
		security_wipe(command, sizeof(command));
		break;
	case SIM_STOP:
		at_modem_close(modem, why);
		break;
	}
}

static void on_sim_asked(struct at_modem *modem)
{
	const char *why = NULL;
	enum sim_pin_step step = modem->sim.kind == AT_SIM
	                             ? sim_pin_asked(&modem->options.pin, modem->sim.sim, &why)
	                             : SIM_GO_ON;

	follow_sim(modem, step, why);
}

static void on_sim_tries(struct at_modem *modem)
{
	bool told = modem->sim.kind == AT_SIM_TRIES;
	const char *why = NULL;
	enum sim_pin_step step = sim_pin_tries(&modem->options.pin, told ? modem->sim.number : -1,
	                                       told ? modem->sim.of : -1, &why);

	follow_sim(modem, step, why);
}

void at_setup_ok(struct at_modem *modem)
{
	switch (modem->state) {
	case MODEM_SETUP:
		at_setup_go_on(modem);
		break;
	case MODEM_SIM:
		on_sim_asked(modem);
		break;
	case MODEM_TRIES:
		on_sim_tries(modem);
		break;
	case MODEM_PIN:
		sim_pin_taken(&modem->options.pin);
		follow_sim(modem, SIM_GO_ON, NULL);
		break;
	default:
		break;
	}
}

void at_setup_error(struct at_modem *modem, int code, const char *detail)
{
	switch (modem->state) {
	case MODEM_SIM:
		if (code >= SIM_ABSENT && code <= SIM_WRONG)
			at_modem_close(modem, detail);
		else /* a modem that does not know the command */
			follow_sim(modem, SIM_GO_ON, NULL);
		break;
	case MODEM_TRIES:
		on_sim_tries(modem);
		break;
	case MODEM_PIN:
		at_modem_close(modem, "the SIM card refused its PIN");
		break;
	default:
		at_modem_close(modem, detail);
		break;
	}
}
