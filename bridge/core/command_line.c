/*
 * The command line of the bridge to its configuration; see the header.
 */
#include "command_line.h"

#include <stdio.h>
#include <string.h>

/* One --key=value. */
static bool take_option(struct configuration *configuration, const char *option, char *message,
                        size_t size)
{
	char key[100], reason[CONFIGURATION_TEXT + 300] = "expected --key=value";
	const char *equals = strchr(option, '=');

	if (strncmp(option, "--", 2) == 0 && equals && (size_t)(equals - option) < sizeof(key)) {
		snprintf(key, sizeof(key), "%.*s", (int)(equals - option - 2), option + 2);
		if (configuration_set(configuration, key, equals + 1, reason, sizeof(reason)))
			return true;
	}
	snprintf(message, size, "%.100s: %s", option, reason);
	return false;
}

enum command_line command_line_read(struct configuration *configuration, int count,
                                    char *const *arguments, char *message, size_t size)
{
	enum command_line wanted = COMMAND_LINE_RUN;

	configuration_defaults(configuration);
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
			wanted = COMMAND_LINE_HELP;
		} else if (strcmp(arguments[i], "--check") == 0) {
			wanted = COMMAND_LINE_CHECK;
		} else if (strcmp(arguments[i], "-c") == 0 && i + 1 < count) {
			if (!configuration_read(configuration, arguments[++i], message, size))
				return COMMAND_LINE_WRONG;
		} else if (!take_option(configuration, arguments[i], message, size)) {
			return COMMAND_LINE_WRONG;
		}
	}
	return configuration_check(configuration, message, size) ? wanted : COMMAND_LINE_WRONG;
}

static void print_key(const char *key, const char *value, const char *meaning)
{
	printf("  --%s=%s\n        %s\n", key, value, meaning);
}

void command_line_help(const struct configuration *configuration)
{
	printf("Usage: smarthg-bridge [--check] [-c FILE] [--KEY=VALUE]...\n\n"
	       "The SmartAMM server: takes telegrams from gateways into PostgreSQL and commands\n"
	       "from there to the gateways. FILE has lines `key = value`; what stands later on the\n"
	       "command line wins. --check only checks the values. SIGHUP reads FILE, TLS files\n"
	       "and gateways again, SIGTERM commits and stops.\n\n"
	       "Keys, with the values in force:\n");
	configuration_each(configuration, print_key);
}
