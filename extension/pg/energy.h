/* What the SQL bindings of interval energy share: packed slots as bytea, labels of SQL types. */
#ifndef SMARTHG_ENERGY_H
#define SMARTHG_ENERGY_H

#include "binding.h"

#include "../core/series/energy_block.h"

/* The slots of a packed block. Errors: 22023 not a block. */
extern void unpack_energy(bytea *block, energy_slots *slots);

/* Slots as a packed block. */
extern bytea *pack_energy(const energy_slots *slots);

/* The Datums of the SQL type energy_quality, labels[3] by enum interval_quality. */
extern void quality_labels(Oid type, Datum *labels);

/* The Datum of a label of an SQL enum type. */
extern Datum enum_label(Oid type, const char *name);

#endif
