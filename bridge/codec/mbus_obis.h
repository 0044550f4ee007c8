/*
 * From M-Bus records to readings: which records are quantities that are stored,
 * and how OBIS names them, by the device's medium.
 */
#ifndef SMARTHG_BRIDGE_MBUS_OBIS_H
#define SMARTHG_BRIDGE_MBUS_OBIS_H

#include "mbus_record.h"
#include "obis.h"
#include "reading.h"

/*
 * The OBIS code of a record of a device of this type (EN 13757-3 table of device types); 0 where
 * it is none that is stored. As in OMS volume 2 annex A: sub-unit in B, tariff in E, storage
 * number in F; and of our own, in ranges that OBIS leaves to that: water that ran backward is C =
 * 129, a quantity in a sense of the manufacturer's has its VIFE code plus 128 in E, other media
 * have A = 15 with the C of heat, and so have quantities that the device's medium has no C for.
 */
obis_code mbus_obis(const struct mbus_record *record, uint8_t device_type);

/* Walks the records (see mbus_next) of the decoder's device. Of records by the same name the first
 * counts. Historical values have the date that stands beside them, in the record of the same
 * storage number, by a clock of the decoder's zone: standard time unless it says summer time;
 * without a date all but the newest, storage number 1, are left out. Where the telegram is cut off
 * within a record, those before it count; there has to be one. */
enum reading_status mbus_read_records(struct cursor *headers, struct cursor *values,
                                      const struct decoder *decoder, struct reading *out,
                                      size_t *count);

#endif
