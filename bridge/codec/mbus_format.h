/*
 * Layouts of M-Bus telegrams (EN 13757-3 annex on compact frames): a meter
 * that sends mostly compact frames leaves out the information blocks and names
 * them by a signature, the checksum over them. They are learned from its full
 * frames, and from format frames.
 */
#ifndef SMARTHG_BRIDGE_MBUS_FORMAT_H
#define SMARTHG_BRIDGE_MBUS_FORMAT_H

#include "cursor.h"

struct mbus_formats;

/* Empty; NULL: no memory. */
struct mbus_formats *mbus_formats_new(void);
void mbus_formats_free(struct mbus_formats *formats);

/* A layout belongs to one kind of meter: manufacturer, version and device type, as the last four
 * bytes of a device address have them. One that came in clear (not protected) does not take the
 * place of another. */

/* Learns the layout of a full frame's records; one that ends with something else than whole
 * records has none. */
void mbus_formats_learn(struct mbus_formats *formats, uint32_t kind, struct cursor records,
                        bool protected);

/* Learns information blocks as a format frame has them; false: the signature is not theirs. */
bool mbus_formats_put(struct mbus_formats *formats, uint32_t kind, uint16_t signature,
                      struct cursor blocks, bool protected);

/* The information blocks of a signature; false: never learned, or forgotten for newer ones. They
 * stay in place until something is learned. */
bool mbus_formats_find(const struct mbus_formats *formats, uint32_t kind, uint16_t signature,
                       struct cursor *blocks);

struct mbus_layout {
	uint32_t kind;
	uint16_t signature;
	bool protected;
	struct cursor blocks; /* in place until something is learned */
};

/* Once for each layout that was learned: the newest that was not asked for yet. */
bool mbus_formats_take_new(struct mbus_formats *formats, struct mbus_layout *out);

/* Whether blocks and values together are the full frame with this checksum. */
bool mbus_format_fits(struct cursor blocks, struct cursor values, uint16_t checksum);

#endif
