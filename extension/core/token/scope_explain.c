/* A scope in a resident's words; see scope.h. */
#include "scope.h"

#include <stdio.h>

static const char *const what_is_read[SCOPE_RESOURCES] = {
    "the sum over all homes of your feeder",
    "your home's record: its name, feeder, contract and tariff",
    "what your home's main meters measure",
    "what your sub-meters measure",
    "what your appliances use",
    "what your home produces",
    "what your battery takes and gives",
    "what your electric vehicle takes and gives",
    "the forecasts for your home",
    "the plans for your battery and vehicle",
    "the prices that hold for your home",
    "the power limits that your operator sets for your home",
    "the commands to your devices"};

static const char *const what_is_written[SCOPE_RESOURCES] = {
    [SCOPE_ESS] = "change the settings and the known charge of your battery",
    [SCOPE_PEV] = "change the settings, the stays and the known charge of your electric vehicle",
    [SCOPE_FORECAST] = "store forecasts for your home",
    [SCOPE_PLAN] = "store plans for your battery and vehicle",
    [SCOPE_PRICE] = "store prices for your home",
    [SCOPE_PROFILE] = "store power limits for your home",
    [SCOPE_COMMAND] = "send commands to your devices"};

static const char *const how_fine[SCOPE_GRANULARITIES] = {"every single reading as it was measured",
                                                          "minute by minute",
                                                          "in steps of 5 minutes",
                                                          "in steps of 15 minutes",
                                                          "in steps of 30 minutes",
                                                          "hour by hour",
                                                          "day by day",
                                                          "month by month",
                                                          "year by year"};

const char *scope_explain(const scope *granted, int *next, char sentence[300])
{
	enum { ROOM = 300 };
	char ranked[60] = "";

	while (*next < SCOPE_ACTIONS * SCOPE_RESOURCES) {
		int resource = *next % SCOPE_RESOURCES, action = *next / SCOPE_RESOURCES;
		const scope_grant *grant = &granted->grants[action][resource];

		(*next)++;
		if (!grant->given)
			continue;
		if (action == SCOPE_WRITE) {
			snprintf(sentence, ROOM, "It may %s.", what_is_written[resource]);
			return sentence;
		}
		if (grant->top == 1)
			snprintf(ranked, sizeof(ranked), ", but only of the one with most energy");
		else if (grant->top)
			snprintf(ranked, sizeof(ranked), ", but only of the %d with most energy", grant->top);
		if (grant->granularity == SCOPE_NO_GRANULARITY)
			snprintf(sentence, ROOM, "It may see %s.", what_is_read[resource]);
		else
			snprintf(sentence, ROOM, "It may see %s%s, %s%s.", what_is_read[resource], ranked,
			         how_fine[grant->granularity],
			         grant->granularity == SCOPE_RAW      ? ", and any sums of them"
			         : grant->granularity == SCOPE_YEARLY ? ", and nothing finer"
			                                              : " or coarser, and nothing finer");
		return sentence;
	}
	return NULL;
}
