/*
 * What the program and the system around it owe each other: the service
 * manager's notifications (sd_notify(3): a datagram on NOTIFY_SOCKET), its
 * watchdog, and the user to run as.
 */
#ifndef SMARTHG_BRIDGE_SUPERVISOR_H
#define SMARTHG_BRIDGE_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sends assignments such as "READY=1\nSTATUS=..."; nothing where no manager listens. */
void supervisor_notify(const char *assignments);
/* "RELOADING=1" with the time that systemd wants beside it. */
void supervisor_reloading(void);

/* How often the watchdog is to be told that all is well; 0: it does not watch this process. */
int64_t supervisor_watchdog_ms(void);

/* Becomes the user, for good: groups, group and user, and no way back to root. "" as root stays
 * root, and as anyone else nothing happens. false and a message where it cannot. */
bool supervisor_become(const char *user, char *message, size_t size);

#endif
