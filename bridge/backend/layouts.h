/*
 * Layouts of compact M-Bus frames in the database: what a bridge has learned
 * the next one knows from its start.
 */
#ifndef SMARTHG_BRIDGE_LAYOUTS_H
#define SMARTHG_BRIDGE_LAYOUTS_H

#include "../codec/mbus_format.h"
#include "control.h"

struct layouts;

/* formats must outlive it. NULL: no memory. */
struct layouts *layouts_new(struct control *control, struct mbus_formats *formats);
void layouts_free(struct layouts *layouts);

/* Learns those of the database. */
void layouts_load(struct layouts *layouts);

/* Stores what was learned since; cheap where that is nothing. */
void layouts_keep(struct layouts *layouts);

#endif
