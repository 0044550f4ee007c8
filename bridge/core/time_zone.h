/*
 * Time zones by their names, as the C library knows them, for clocks of meters.
 */
#ifndef SMARTHG_BRIDGE_TIME_ZONE_H
#define SMARTHG_BRIDGE_TIME_ZONE_H

#include "../codec/calendar.h"

/* Whether the system has a time zone of this name: UTC, Europe/Copenhagen ... */
bool time_zone_known(const char *name);

/* Reads it. Sets the process's time zone meanwhile, so that no other thread may run. Summer time is
 * the clock that is ahead most in a year, standard time the other. false: not known. */
bool time_zone_read(const char *name, struct calendar_zone *out);

#endif
