/*
 * The decision about a SIM card's PIN; see the header.
 */
#include "sim_pin.h"

enum { USUAL_TRIES = 3 };

bool sim_pin_read(const char *text, struct sim_pin *out)
{
	size_t start = strspn(text, " \t\r\n"), length = strspn(text + start, "0123456789");
	const char *rest = text + start + length;

	*out = (struct sim_pin){.spent = false};
	if (length < 4 || length >= SIM_PIN_SIZE || rest[strspn(rest, " \t\r\n")] != '\0')
		return false;
	memcpy(out->digits, text + start, length);
	return true;
}

enum sim_pin_step sim_pin_asked(const struct sim_pin *pin, enum at_sim state, const char **why)
{
	if (state == AT_SIM_READY)
		return SIM_GO_ON;
	if (state != AT_SIM_PIN)
		*why = "the SIM card asks for something else than its PIN";
	else if (pin->digits[0] == '\0')
		*why = "the SIM card asks for its PIN, and sms_pin_file is not set";
	else if (pin->spent)
		*why = "the SIM card refused its PIN, which is not tried again";
	else
		return SIM_ASK_TRIES;
	return SIM_STOP;
}

enum sim_pin_step sim_pin_tries(const struct sim_pin *pin, int left, int of, const char **why)
{
	if (!pin->spent && (left < 0 || left >= (of > 0 ? of : USUAL_TRIES)))
		return SIM_GIVE_PIN;
	*why = "the SIM card was given a wrong PIN before; enter the right one by hand";
	return SIM_STOP;
}

void sim_pin_given(struct sim_pin *pin)
{
	pin->spent = true;
}

void sim_pin_taken(struct sim_pin *pin)
{
	pin->spent = false;
}
