/* The scope grammar; see scope.h. */
#include "scope.h"

#include <stdio.h>
#include <string.h>

enum { WORD_ROOM = 16, WORDS_MOST = 4 };

static const char *const action_names[] = {"read", "write"};
static const char *const resource_names[] = {
    "feeder", "home",     "mainmeter", "submeter", "appliance", "production", "ess",
    "pev",    "forecast", "plan",      "price",    "profile",   "command"};
static const char *const granularity_names[] = {"raw",    "1min",  "5min",    "15min", "30min",
                                                "hourly", "daily", "monthly", "yearly"};

static int index_of(const char *text, const char *const *names, int count)
{
	int i = 0;

	while (i < count && strcmp(names[i], text) != 0)
		i++;
	return i;
}

const char *scope_action_name(scope_action action)
{
	return action_names[action];
}

const char *scope_resource_name(scope_resource resource)
{
	return resource_names[resource];
}

const char *scope_granularity_name(scope_granularity granularity)
{
	return granularity_names[granularity];
}

scope_action scope_action_of(const char *text)
{
	return (scope_action)index_of(text, action_names, SCOPE_ACTIONS);
}

scope_resource scope_resource_of(const char *text)
{
	return (scope_resource)index_of(text, resource_names, SCOPE_RESOURCES);
}

scope_granularity scope_granularity_of(const char *text)
{
	return (scope_granularity)index_of(text, granularity_names, SCOPE_GRANULARITIES);
}

bool scope_is_series(scope_resource resource)
{
	return resource != SCOPE_HOME && resource != SCOPE_COMMAND;
}

static bool is_ranked(scope_resource resource)
{
	return resource == SCOPE_SUBMETER || resource == SCOPE_APPLIANCE;
}

/* Why nobody can write it; NULL where a service can. */
static const char *unwritable(scope_resource resource)
{
	switch (resource) {
	case SCOPE_FEEDER:
		return "A feeder's values are sums over its homes.";
	case SCOPE_HOME:
		return "A home's record is the operator's.";
	case SCOPE_MAINMETER:
	case SCOPE_SUBMETER:
	case SCOPE_APPLIANCE:
	case SCOPE_PRODUCTION:
		return "Only meters write what meters measure.";
	default:
		return NULL;
	}
}

static outcome_status refuse(outcome *out, const char *token, const char *reason)
{
	return outcome_set(out, OUTCOME_BAD_INPUT, "A scope-token reads like read_mainmeter_hourly.",
	                   reason, "scope-token \"%.60s\" has no sense", token);
}

/* The words between underscores; 0 where there are too many, or one is empty or too long. */
static int split(const char *token, char words[WORDS_MOST][WORD_ROOM])
{
	int count = 0;

	for (;;) {
		size_t length = strcspn(token, "_");

		if (count == WORDS_MOST || length == 0 || length >= WORD_ROOM)
			return 0;
		memcpy(words[count], token, length);
		words[count++][length] = '\0';
		if (token[length] == '\0')
			return count;
		token += length + 1;
	}
}

/* K of "topK", from 1 to 99 without leading zeros; 0 where the word is none. */
static int read_top(const char *word)
{
	int top = 0, digits = 0;

	if (strncmp(word, "top", 3) != 0 || word[3] == '0')
		return 0;
	for (word += 3; *word >= '0' && *word <= '9' && digits <= 2; word++, digits++)
		top = top * 10 + (*word - '0');
	return *word == '\0' && digits <= 2 ? top : 0;
}

/* What follows action and resource. */
static outcome_status read_rest(const char *token, scope_action action, scope_resource resource,
                                char (*words)[WORD_ROOM], int count, scope_grant *grant,
                                outcome *out)
{
	if (count > 0 && strncmp(words[0], "top", 3) == 0) {
		grant->top = read_top(words[0]);
		if (grant->top == 0)
			return refuse(out, token, "A selector is top1 to top99.");
		if (action == SCOPE_WRITE)
			return refuse(out, token, "Writing takes no selector: what is written is not ranked.");
		if (!is_ranked(resource))
			return refuse(out, token, "Only sub-meters and appliances are ranked by their energy.");
		words++;
		count--;
	}
	if (count > 0) {
		grant->granularity = scope_granularity_of(words[0]);
		if (grant->granularity == SCOPE_GRANULARITIES || count > 1)
			return refuse(
			    out, token,
			    "A granularity is raw, 1min, 5min, 15min, 30min, hourly, daily, monthly or "
			    "yearly, and the last word.");
		if (action == SCOPE_WRITE)
			return refuse(out, token, "Writing takes no granularity.");
		if (resource == SCOPE_COMMAND)
			return refuse(out, token, "Commands are no series, so they have no granularity.");
	} else if (action == SCOPE_READ && scope_is_series(resource)) {
		return refuse(out, token, "To read a series takes a granularity.");
	}
	return OUTCOME_OK;
}

static bool grant_includes(const scope_grant *granted, const scope_grant *asked)
{
	return granted->given && granted->granularity <= asked->granularity &&
	       (granted->top == 0 || (asked->top != 0 && asked->top <= granted->top));
}

static outcome_status read_token(const char *token, scope *parsed, outcome *out)
{
	scope_grant grant = {.given = true, .granularity = SCOPE_NO_GRANULARITY}, *place;
	char words[WORDS_MOST][WORD_ROOM];
	int count = split(token, words);
	scope_resource resource;
	scope_action action;

	if (count < 2)
		return refuse(out, token,
		              "It is not of the form action_resource[_selector][_granularity].");
	action = scope_action_of(words[0]);
	resource = scope_resource_of(words[1]);
	if (action == SCOPE_ACTIONS)
		return refuse(out, token, "An action is read or write.");
	if (resource == SCOPE_RESOURCES)
		return refuse(
		    out, token,
		    "A resource is feeder, home, mainmeter, submeter, appliance, production, ess, "
		    "pev, forecast, plan, price, profile or command.");
	if (read_rest(token, action, resource, words + 2, count - 2, &grant, out) != OUTCOME_OK)
		return out->status;
	if (action == SCOPE_WRITE && unwritable(resource))
		return refuse(out, token, unwritable(resource));
	place = &parsed->grants[action][resource];
	if (!place->given || grant_includes(&grant, place))
		*place = grant;
	else if (!grant_includes(place, &grant))
		return refuse(out, token,
		              "Another token of this scope grants the same resource with another selector, "
		              "and neither includes the other. Ask for them in scopes of their own.");
	return OUTCOME_OK;
}

outcome_status scope_parse(const char *text, size_t length, scope *parsed, outcome *out)
{
	char token[WORDS_MOST * WORD_ROOM];
	size_t start = 0;

	memset(parsed, 0, sizeof(*parsed));
	if (length == 0 || length > SCOPE_TEXT_MOST)
		return outcome_set(out, OUTCOME_BAD_INPUT, NULL, "It has from 1 to 1000 bytes.",
		                   "scope is empty or too long");
	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] != ' ') {
			/* RFC 6749's characters of a scope-token; quotes and the like end here, unquoted. */
			if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
				return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
				                   "Scope-tokens are of letters, digits and underscores, with one "
				                   "space between them.",
				                   "scope has a character that no scope-token has");
			continue;
		}
		if (i - start >= sizeof(token) || i == start)
			return outcome_set(out, OUTCOME_BAD_INPUT, NULL,
			                   "Scope-tokens have at most 63 bytes and one space between them.",
			                   "scope has an empty or too long scope-token");
		memcpy(token, text + start, i - start);
		token[i - start] = '\0';
		start = i + 1;
		if (read_token(token, parsed, out) != OUTCOME_OK)
			return out->status;
	}
	return OUTCOME_OK;
}

size_t scope_write(const scope *granted, char text[SCOPE_TEXT_ROOM])
{
	size_t length = 0;

	text[0] = '\0';
	for (int action = 0; action < SCOPE_ACTIONS; action++)
		for (int resource = 0; resource < SCOPE_RESOURCES; resource++) {
			const scope_grant *grant = &granted->grants[action][resource];
			char top[16] = "";

			if (!grant->given)
				continue;
			if (grant->top)
				snprintf(top, sizeof(top), "_top%d", grant->top);
			length += (size_t)snprintf(
			    text + length, SCOPE_TEXT_ROOM - length, "%s%s_%s%s%s%s", length ? " " : "",
			    action_names[action], resource_names[resource], top,
			    grant->granularity == SCOPE_NO_GRANULARITY ? "" : "_",
			    grant->granularity == SCOPE_NO_GRANULARITY ? ""
			                                               : granularity_names[grant->granularity]);
		}
	return length;
}

bool scope_includes(const scope *granted, const scope *asked)
{
	for (int action = 0; action < SCOPE_ACTIONS; action++)
		for (int resource = 0; resource < SCOPE_RESOURCES; resource++)
			if (asked->grants[action][resource].given &&
			    !grant_includes(&granted->grants[action][resource],
			                    &asked->grants[action][resource]))
				return false;
	return true;
}

bool scope_narrow(const scope *asked, const scope *allowed, scope *narrowed)
{
	bool any = false;

	memset(narrowed, 0, sizeof(*narrowed));
	for (int action = 0; action < SCOPE_ACTIONS; action++)
		for (int resource = 0; resource < SCOPE_RESOURCES; resource++) {
			const scope_grant *a = &asked->grants[action][resource];
			const scope_grant *b = &allowed->grants[action][resource];

			if (!a->given || !b->given)
				continue;
			any = true;
			narrowed->grants[action][resource] = (scope_grant){
			    .given = true,
			    .granularity = a->granularity > b->granularity ? a->granularity : b->granularity,
			    .top = a->top == 0 || (b->top != 0 && b->top < a->top) ? b->top : a->top};
		}
	return any;
}
