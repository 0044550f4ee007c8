/*
 * The sentences that decoders of all kinds leave in the quarantine.
 */
#include "reading.h"

const char *reading_status_text(enum reading_status status)
{
	static const char *const texts[READING_STATUSES] = {
	    [READING_BAD_ADDRESS] = "the address is not EUI-64, endpoint, profile and cluster",
	    [READING_MALFORMED] = "malformed telegram",
	    [READING_TOO_MANY] = "more readings in one telegram than allowed",
	    [READING_BAD_LENGTH] = "the telegram is not as long as it says",
	    [READING_BAD_CHECKSUM] = "a checksum is wrong",
	    [READING_UNSUPPORTED_LAYER] = "no data records that a standard describes",
	    [READING_UNSUPPORTED_SECURITY] = "encrypted in a way that is not supported",
	    [READING_NO_KEY] = "encrypted, and no key of the meter is known",
	    [READING_WRONG_KEY] = "cannot be decrypted with the meter's key",
	    [READING_FORGED] = "the authentication code is not by the meter's key",
	    [READING_NOT_ENCRYPTED] = "not encrypted, but the meter has a key",
	    [READING_UNKNOWN_FORMAT] = "a compact frame whose layout was not seen yet",
	    [READING_FRAGMENT] = "a fragment of a message in several telegrams, which is not supported",
	    [READING_REPLAYED] =
	        "a replay: heard after a telegram of the meter with a counter not lower",
	    [READING_BAD_NODE] = "the address is not a Z-Wave node and endpoint",
	    [READING_UNSCALED] = "no value comes with a scale and a unit that are known",
	    [READING_AMBIGUOUS] = "several values of one quantity, or of several times",
	    [READING_UNSUPPORTED_CLASS] = "inside an encapsulation that is not supported",
	};

	return texts[status];
}
