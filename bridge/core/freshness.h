/*
 * Which telegrams of meters are fresh: an honest gateway may hear one that was
 * recorded and sent again. A meter's counter only grows under one key
 * (EN 13757-7, OMS volume 2 on the message counter; EN 13757-4 on the session
 * number), so of two honest telegrams the one with the lower counter was heard
 * earlier, however late either of them gets here. Of every meter the highest
 * counter is remembered and when it was heard, for each gateway by itself: one
 * whose word is false mutes no meter that another reads. Between codec and back end.
 */
#ifndef SMARTHG_BRIDGE_FRESHNESS_H
#define SMARTHG_BRIDGE_FRESHNESS_H

#include "../codec/reading.h"

struct freshness;

/* Empty; NULL: no memory. */
struct freshness *freshness_new(void);
void freshness_free(struct freshness *freshness);

/*
 * Whether a telegram with this counter, proved by the meter's key and heard by this gateway at
 * heard_ms, is no replay; then it is remembered. A replay has a counter that is not above the
 * highest one, or one that came late like itself, and was heard more than tolerance_ms after it: a
 * gateway may hear the same twice, and its clock be set. heard_ms is never after the reception, so
 * that a clock that was ahead mutes no meter. Another key begins anew. What proves a counter may be
 * as short as 16 bits, so the first telegram of all, and a leap that a meter does not make in the
 * time, are believed with the next one: a telegram that was guessed mutes no meter. Without memory
 * everything is fresh.
 */
bool freshness_accepts(struct freshness *freshness, int64_t gateway_id,
                       const struct meter_counter *counter, int64_t heard_ms, int64_t tolerance_ms);

/* What is kept for the next start, of one meter by one gateway. */
struct freshness_mark {
	int64_t gateway_id;
	struct meter_counter counter;
	int64_t heard_ms; /* whole seconds */
};

/* The next mark that changed since it was last taken, from *at on, which is 0 at first; of two
 * telegrams at least. */
bool freshness_take(struct freshness *freshness, size_t *at, struct freshness_mark *out);
/* What was taken was not kept: all count as changed. */
void freshness_not_kept(struct freshness *freshness);

/* Between begin and end all marks that are kept are put: the higher ones count. Those that were
 * taken before and are no longer kept are forgotten. */
void freshness_load_begin(struct freshness *freshness);
void freshness_load_put(struct freshness *freshness, const struct freshness_mark *mark);
void freshness_load_end(struct freshness *freshness);

/* Meters that are remembered, once for each gateway and kind of counter. */
size_t freshness_count(const struct freshness *freshness);

#endif
