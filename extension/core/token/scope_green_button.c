/* Green Button scope strings; see scope_green_button.h. */
#include "scope_green_button.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_INTERVAL = 4, BLOCK_ELECTRICITY = 5, BLOCK_REVERSE = 8, BLOCK_SUMMARY = 15 };
enum { BLOCK_USAGE_POINTS = 18, BLOCKS_MOST = 99 };

static const int64_t most_seconds = INT64_C(100) * 366 * 86400;

/* Seconds of the granularities that have a fixed length, 0 of the others. */
static const int64_t seconds_of[SCOPE_GRANULARITIES] = {0, 60, 300, 900, 1800, 3600, 86400, 0, 0};

static outcome_status refuse(outcome *out, const char *reason)
{
	return outcome_set(out, OUTCOME_BAD_INPUT, NULL, reason,
	                   "scope has no Green Button counterpart");
}

/* Whether the grants beside the summary can be said, and their one granularity. */
static outcome_status common_granularity(const scope *granted, scope_granularity *common,
                                         outcome *out)
{
	*common = SCOPE_NO_GRANULARITY;
	for (int i = 0; i < SCOPE_RESOURCES; i++) {
		const scope_grant *grant = &granted->grants[SCOPE_READ][i];

		if (granted->grants[SCOPE_WRITE][i].given)
			return refuse(out, "Green Button only reads.");
		if (!grant->given || (i == SCOPE_MAINMETER && grant->granularity == SCOPE_MONTHLY))
			continue;
		if (i != SCOPE_MAINMETER && i != SCOPE_PRODUCTION && i != SCOPE_SUBMETER)
			return refuse(out, "It knows the main meter, production and sub-meters.");
		if (grant->top)
			return refuse(out, "It has no selector of the largest.");
		if (seconds_of[grant->granularity] == 0)
			return refuse(out, "Its intervals have a fixed length from a minute to a day.");
		if (*common != SCOPE_NO_GRANULARITY && *common != grant->granularity)
			return refuse(out, "Its intervals have one length for all.");
		*common = grant->granularity;
	}
	return OUTCOME_OK;
}

outcome_status green_button_write(const scope *granted, int64_t history_s,
                                  char text[GREEN_BUTTON_ROOM], outcome *out)
{
	const scope_grant *main = &granted->grants[SCOPE_READ][SCOPE_MAINMETER];
	bool summary = main->given && main->granularity == SCOPE_MONTHLY;
	scope_granularity common;
	size_t length;

	if (common_granularity(granted, &common, out) != OUTCOME_OK)
		return out->status;
	length = (size_t)snprintf(
	    text, GREEN_BUTTON_ROOM, "FB=4%s%s%s%s", main->given && !summary ? "_5" : "",
	    granted->grants[SCOPE_READ][SCOPE_PRODUCTION].given ? "_8" : "", summary ? "_15" : "",
	    granted->grants[SCOPE_READ][SCOPE_SUBMETER].given ? "_18" : "");
	if (common == SCOPE_NO_GRANULARITY)
		length = (size_t)snprintf(text, GREEN_BUTTON_ROOM, "FB=15");
	else
		length += (size_t)snprintf(text + length, GREEN_BUTTON_ROOM - length,
		                           ";IntervalDuration=%" PRId64, seconds_of[common]);
	if (history_s > 0)
		snprintf(text + length, GREEN_BUTTON_ROOM - length, ";HistoryLength=%" PRId64, history_s);
	return OUTCOME_OK;
}

static outcome_status malformed(outcome *out, const char *reason)
{
	return outcome_set(out, OUTCOME_BAD_INPUT,
	                   "It reads like FB=4_5_15;IntervalDuration=3600;HistoryLength=94608000.",
	                   reason, "Green Button scope is not valid");
}

/* What has been read so far. */
typedef struct reading {
	bool blocks[BLOCKS_MOST + 1], any_block;
	scope_granularity granularity;
	int64_t history_s;
} reading;

static outcome_status take_number(int kind, int64_t number, reading *so_far, outcome *out)
{
	if (kind == 0) {
		if (number < 1 || number > BLOCKS_MOST)
			return malformed(out, "A function block has a number from 1 to 99.");
		so_far->blocks[number] = so_far->any_block = true;
	} else if (kind == 1) {
		int i = SCOPE_RAW;

		while (i < SCOPE_GRANULARITIES && (seconds_of[i] == 0 || seconds_of[i] != number))
			i++;
		if (i == SCOPE_GRANULARITIES)
			return malformed(out, "An interval has 60, 300, 900, 1800, 3600 or 86400 seconds.");
		if ((scope_granularity)i < so_far->granularity)
			so_far->granularity = (scope_granularity)i;
	} else {
		if (number < 1)
			return malformed(out, "The history has a length of some seconds.");
		so_far->history_s = number;
	}
	return OUTCOME_OK;
}

/* The value of one parameter: numbers, between underscores where it may have several. */
static outcome_status read_value(int kind, const char *text, size_t length, reading *so_far,
                                 outcome *out)
{
	int64_t number = 0;
	bool digits = false;

	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] >= '0' && text[i] <= '9' && number <= most_seconds) {
			number = number * 10 + (text[i] - '0');
			digits = true;
			continue;
		}
		if (!digits || number > most_seconds || (i < length && (text[i] != '_' || kind == 2)))
			return malformed(out, "A value is no number, or beyond a century.");
		if (take_number(kind, number, so_far, out) != OUTCOME_OK)
			return out->status;
		number = 0;
		digits = false;
	}
	return OUTCOME_OK;
}

static outcome_status read_parameter(const char *text, size_t length, bool seen[4], reading *so_far,
                                     outcome *out)
{
	/* How intervals are bundled is no matter of rights. */
	static const char *const names[] = {
	    "FB=", "IntervalDuration=", "HistoryLength=", "BlockDuration="};

	for (int kind = 0; kind < 4; kind++) {
		size_t skip = strlen(names[kind]);

		if (length < skip || memcmp(text, names[kind], skip) != 0)
			continue;
		if (seen[kind])
			return malformed(out, "A parameter is there twice.");
		seen[kind] = true;
		return kind == 3 ? OUTCOME_OK : read_value(kind, text + skip, length - skip, so_far, out);
	}
	return malformed(out, "A parameter is none of FB, IntervalDuration, BlockDuration and "
	                      "HistoryLength.");
}

/* What the function blocks grant together. */
static outcome_status grant_blocks(const reading *read, scope *granted, outcome *out)
{
	scope_grant fine = {.given = true, .granularity = read->granularity};
	scope_grant *grants = granted->grants[SCOPE_READ];
	bool intervals = false;

	for (int block = 1; block <= BLOCKS_MOST; block++) {
		if (!read->blocks[block] || block <= 3 || block == 13 || block == 14 || block >= 31)
			continue;
		if (block == BLOCK_SUMMARY) {
			if (!grants[SCOPE_MAINMETER].given)
				grants[SCOPE_MAINMETER] =
				    (scope_grant){.given = true, .granularity = SCOPE_MONTHLY};
			continue;
		}
		intervals = true;
		if (block == BLOCK_ELECTRICITY)
			grants[SCOPE_MAINMETER] = fine;
		else if (block == BLOCK_REVERSE)
			grants[SCOPE_PRODUCTION] = fine;
		else if (block == BLOCK_USAGE_POINTS)
			grants[SCOPE_SUBMETER] = fine;
		else if (block != BLOCK_INTERVAL)
			return malformed(out, "A function block has no counterpart here.");
	}
	if (read->blocks[BLOCK_INTERVAL] && !read->blocks[BLOCK_REVERSE] &&
	    !read->blocks[BLOCK_USAGE_POINTS])
		grants[SCOPE_MAINMETER] = fine;
	if (!intervals && !grants[SCOPE_MAINMETER].given)
		return malformed(out, "Its function blocks grant nothing.");
	if (intervals && read->granularity == SCOPE_NO_GRANULARITY)
		return malformed(out, "Its function blocks need an IntervalDuration.");
	return OUTCOME_OK;
}

outcome_status green_button_read(const char *text, size_t length, scope *granted,
                                 int64_t *history_s, outcome *out)
{
	reading read = {.granularity = SCOPE_NO_GRANULARITY};
	bool seen[4] = {false};
	size_t start = 0;

	memset(granted, 0, sizeof(*granted));
	if (length >= GREEN_BUTTON_ROOM)
		return malformed(out, "It is too long.");
	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] != ';')
			continue;
		if (read_parameter(text + start, i - start, seen, &read, out) != OUTCOME_OK)
			return out->status;
		start = i + 1;
	}
	*history_s = read.history_s;
	return grant_blocks(&read, granted, out);
}
