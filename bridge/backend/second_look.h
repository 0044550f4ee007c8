/*
 * Decodes again what is in quarantine and marked for it: after keys changed, or
 * at the operator's word.
 */
#ifndef SMARTHG_BRIDGE_SECOND_LOOK_H
#define SMARTHG_BRIDGE_SECOND_LOOK_H

#include "../core/routing.h"
#include "counters.h"

struct second_look;

/* NULL: no memory. Decoder and counters must outlive it. */
struct second_look *second_look_new(struct control *control, struct decoder *decoder,
                                    struct counters *counters, const struct log *log);
void second_look_free(struct second_look *look);

/* Goes through all that is marked; a request that comes meanwhile is one more round. */
void second_look_begin(struct second_look *look);

#endif
