/*
 * The layers between the link and the data records of an M-Bus telegram, from
 * its first CI field on: extended link layer (EN 13757-4), authentication and
 * fragmentation layer and transport layer (EN 13757-7), with their encryption.
 * Wired and wireless telegrams share it.
 */
#ifndef SMARTHG_BRIDGE_MBUS_LAYERS_H
#define SMARTHG_BRIDGE_MBUS_LAYERS_H

#include "reading.h"

/* A device address as readings have it, from the order of a wireless link header (manufacturer,
 * identification, version, type: device_of_link) or of a transport header (identification,
 * manufacturer, version, type: device_of_transport). */
void device_of_link(struct cursor *cursor, uint8_t device[MBUS_DEVICE_SIZE]);
void device_of_transport(struct cursor *cursor, uint8_t device[MBUS_DEVICE_SIZE]);

/* Decodes what follows the link header; link_device is the sender by that header. */
enum reading_status mbus_read_layers(struct decoder *decoder,
                                     const uint8_t link_device[MBUS_DEVICE_SIZE],
                                     struct cursor bytes, struct reading *out, size_t *count);

#endif
