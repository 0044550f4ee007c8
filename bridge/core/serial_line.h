/*
 * A serial device as a line of raw bytes: eight bits, no parity, no flow control
 * by characters.
 */
#ifndef SMARTHG_BRIDGE_SERIAL_LINE_H
#define SMARTHG_BRIDGE_SERIAL_LINE_H

#include <stdbool.h>

/* Whether a speed is one that a serial line has. */
bool serial_line_baud_valid(int baud);

/* Opens a device that does not block; -1 and errno where it cannot. */
int serial_line_open(const char *device, int baud);

#endif
