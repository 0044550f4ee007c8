/*
 * The fixed data structure of older wired M-Bus meters (EN 1434-3, CI field
 * 0x73): two counters whose units are codes of their own. It is written as the
 * records that would say the same.
 */
#ifndef SMARTHG_BRIDGE_MBUS_FIXED_H
#define SMARTHG_BRIDGE_MBUS_FIXED_H

#include "reading.h"

enum { MBUS_FIXED_SIZE = 16, MBUS_FIXED_RECORDS_SIZE = 2 * 16 };

/* Reads what follows the CI field, MBUS_FIXED_SIZE bytes: the device, whose manufacturer and
 * version it does not say (0), and the records. */
void mbus_fixed_read(struct cursor *structure, uint8_t device[MBUS_DEVICE_SIZE],
                     struct writer *records);

#endif
