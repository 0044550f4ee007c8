/* See blocks.h. */
#include "blocks.h"

#include <math.h>
#include <stdlib.h>

static const double LEAST_KNOWN = 0.25; /* of the slots of a block that counts as measured */

/* Puts a value into a cell; one that is there already is of the hour that came twice. */
static void put_value(double *cell, double value)
{
	if (isnan(*cell))
		*cell = value;
	else if (!isnan(value))
		*cell = (*cell + value) / 2;
}

/* Steps back from the origin; a place after the one of the slot that follows is in the block
 * before. An hour that comes twice takes some places back, but never half a day of them; where it
 * comes for the second time at the origin, its first time is left out. */
static void read_history(const eumf_k_input *in, forecast_blocks *b)
{
	const int hour = b->slots / 24;
	int block = b->blocks, later = 0;

	for (int t = in->history - 1; t >= 0; t--) {
		int place = (in->history_phase[t] - b->first_slot + b->slots) % b->slots;
		int cell;

		if (place - later > b->slots / 2 || (block == b->blocks && place >= hour))
			block--;
		later = place;
		if (block < 0)
			break;
		if (block == b->blocks)
			continue;
		cell = block * b->slots + place;
		put_value(&b->value[cell], in->history_kw[t]);
		if (b->temperature)
			put_value(&b->temperature[cell], in->temperature_c[t]);
		b->weekday[cell] = (signed char)(in->history_phase[t] / b->slots);
	}
}

static void place_horizon(const eumf_k_input *in, forecast_blocks *b)
{
	int ahead = 1, before = 0;

	for (int h = 0; h < in->horizon; h++) {
		int place = (in->horizon_phase[h] - b->first_slot + b->slots) % b->slots;

		if (before - place > b->slots / 2)
			ahead++;
		before = place;
		b->coming[h] = (block_place){ahead, place, in->horizon_phase[h] / b->slots};
	}
}

/* Slots that no history was given for still have a weekday. */
static void default_weekdays(const eumf_k_input *in, forecast_blocks *b)
{
	const int day = in->horizon_phase[0] / b->slots;

	for (int block = 0; block < b->blocks; block++) {
		int back = b->blocks - block;

		for (int place = 0; place < b->slots; place++) {
			int next = b->first_slot + place >= b->slots;

			b->weekday[block * b->slots + place] =
			    (signed char)(((day - back + next) % WEEKDAYS + WEEKDAYS) % WEEKDAYS);
		}
	}
}

static int count_known(const forecast_blocks *b, int block)
{
	int known = 0;

	for (int place = 0; place < b->slots; place++)
		known += !isnan(b->value[block * b->slots + place]);
	return known;
}

static void sum_up(forecast_blocks *b)
{
	double sum = 0;

	while (b->blocks > 1 && count_known(b, b->blocks - 1) < LEAST_KNOWN * b->slots) {
		b->blocks--;
		b->late++;
	}
	for (int i = 0; i < b->blocks * b->slots; i++) {
		if (isnan(b->value[i]))
			continue;
		sum += b->value[i];
		b->known++;
	}
	b->mean = b->known > 0 ? sum / b->known : NAN;
}

bool blocks_cut(const eumf_k_input *in, forecast_blocks *b)
{
	const int most = in->history / in->slots_per_day + 1;
	size_t cells;

	*b = (forecast_blocks){.slots = in->slots_per_day,
	                       .blocks = most < BLOCKS_MOST ? most : BLOCKS_MOST,
	                       .first_slot = in->horizon_phase[0] % in->slots_per_day};
	cells = (size_t)b->blocks * (size_t)b->slots;
	b->value = malloc(2 * cells * sizeof(double));
	b->weekday = malloc(cells);
	b->coming = malloc((size_t)in->horizon * sizeof(block_place));
	if (!b->value || !b->weekday || !b->coming) {
		blocks_free(b);
		return false;
	}
	for (size_t i = 0; i < 2 * cells; i++)
		b->value[i] = NAN;
	if (in->temperature_c && in->horizon_temperature_c)
		b->temperature = b->value + cells;
	default_weekdays(in, b);
	read_history(in, b);
	place_horizon(in, b);
	sum_up(b);
	return true;
}

void blocks_free(forecast_blocks *b)
{
	free(b->value);
	free(b->weekday);
	free(b->coming);
}
