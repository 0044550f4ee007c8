/*
 * smarthg-bridge's command line: a configuration file, then single values. It is
 * gone through at the start, and again on SIGHUP, so that a value of the command
 * line wins over the file both times.
 */
#ifndef SMARTHG_BRIDGE_COMMAND_LINE_H
#define SMARTHG_BRIDGE_COMMAND_LINE_H

#include "configuration.h"

enum command_line { COMMAND_LINE_RUN, COMMAND_LINE_HELP, COMMAND_LINE_CHECK, COMMAND_LINE_WRONG };

/* Defaults, file and single values into configuration, checked; a message where they are wrong. */
enum command_line command_line_read(struct configuration *configuration, int count,
                                    char *const *arguments, char *message, size_t size);

/* The help text, with the values in force. */
void command_line_help(const struct configuration *configuration);

#endif
