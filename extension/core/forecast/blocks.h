/*
 * History cut into blocks of a day that end at the origin of a forecast, whatever
 * the time of day that is: what comes at the same place of a block comes at the
 * same local time. Days of 23 hours have a gap, the hour that a day of 25 hours
 * has twice is its mean.
 */
#ifndef SMARTHG_FORECAST_BLOCKS_H
#define SMARTHG_FORECAST_BLOCKS_H

#include "eumf_k.h"

#include <stdbool.h>

enum {
	BLOCKS_MOST = 84, /* older history is not looked at */
	WEEKDAYS = 7,
};

/* Where a slot to be forecast is: a block after those of the history, 1 being the next, a place in
 * it, and the local weekday. */
typedef struct block_place {
	int ahead, place, weekday;
} block_place;

typedef struct forecast_blocks {
	int slots;            /* of a block, which is a day */
	int blocks;           /* of history; 0: none */
	int known;            /* slots of history that have a value */
	int late;             /* blocks before the origin that have (next to) no value: left out */
	int first_slot;       /* time of day of place 0 */
	double mean;          /* of what is known; NAN: nothing is */
	double *value;        /* [blocks][slots], oldest first; NAN is a gap */
	double *temperature;  /* the same; NULL: none */
	signed char *weekday; /* [blocks][slots] */
	block_place *coming;  /* [horizon] */
} forecast_blocks;

/* Of checked input; to be freed by blocks_free(). Returns false where there is no memory. */
bool blocks_cut(const eumf_k_input *input, forecast_blocks *blocks);
void blocks_free(forecast_blocks *blocks);

#endif
