/*
 * Scopes of access tokens (RFC 6749 section 3.3; DESIGN.md section 8): what a service may do.
 *
 *   scope       = scope-token *( SP scope-token )
 *   scope-token = read-token / write-token
 *   read-token  = "read_" ( series "_" granularity / ranked "_" top "_" granularity / record )
 *   write-token = "write_" ( "ess" / "pev" / "forecast" / "plan" / "price" / "profile" / "command"
 * ) series      = "feeder" / "mainmeter" / ranked / "production" / "ess" / "pev" / "forecast" /
 * "plan" / "price" / "profile" ranked      = "submeter" / "appliance" record      = "home" /
 * "command" top         = "top" %x31-39 [ DIGIT ] granularity = "raw" / "1min" / "5min" / "15min" /
 * "30min" / "hourly" / "daily" / "monthly" / "yearly"
 *
 * What a scope grants for one action on one resource is one grant: the finest granularity, which
 * includes the coarser ones. Two that differ in selector so that neither includes the other have no
 * sense together and are refused.
 */
#ifndef SMARTHG_TOKEN_SCOPE_H
#define SMARTHG_TOKEN_SCOPE_H

#include "../outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum scope_action { SCOPE_READ, SCOPE_WRITE, SCOPE_ACTIONS } scope_action;

typedef enum scope_resource {
	SCOPE_FEEDER,
	SCOPE_HOME,
	SCOPE_MAINMETER,
	SCOPE_SUBMETER,
	SCOPE_APPLIANCE,
	SCOPE_PRODUCTION,
	SCOPE_ESS,
	SCOPE_PEV,
	SCOPE_FORECAST,
	SCOPE_PLAN,
	SCOPE_PRICE,
	SCOPE_PROFILE,
	SCOPE_COMMAND,
	SCOPE_RESOURCES
} scope_resource;

/* From the finest to the coarsest. */
typedef enum scope_granularity {
	SCOPE_RAW,
	SCOPE_1MIN,
	SCOPE_5MIN,
	SCOPE_15MIN,
	SCOPE_30MIN,
	SCOPE_HOURLY,
	SCOPE_DAILY,
	SCOPE_MONTHLY,
	SCOPE_YEARLY,
	SCOPE_GRANULARITIES,
	SCOPE_NO_GRANULARITY = SCOPE_GRANULARITIES
} scope_granularity;

typedef struct scope_grant {
	bool given;
	scope_granularity granularity; /* finest; SCOPE_NO_GRANULARITY where there is none */
	int top;                       /* the so many largest; 0: all */
} scope_grant;

typedef struct scope {
	scope_grant grants[SCOPE_ACTIONS][SCOPE_RESOURCES];
} scope;

enum { SCOPE_TEXT_MOST = 1000, SCOPE_TEXT_ROOM = 1024 };

/* Names of the grammar; *_of gives the count where text is none of them. */
const char *scope_action_name(scope_action action);
const char *scope_resource_name(scope_resource resource);
const char *scope_granularity_name(scope_granularity granularity);
scope_action scope_action_of(const char *text);
scope_resource scope_resource_of(const char *text);
scope_granularity scope_granularity_of(const char *text);

/* Whether reading it takes a granularity. */
bool scope_is_series(scope_resource resource);

/* Reads a scope string of at least one token. Errors say which token has no sense and why. */
outcome_status scope_parse(const char *text, size_t length, scope *parsed, outcome *out);

/* The normal form: each grant once, in the order of the enums. Returns the length. */
size_t scope_write(const scope *granted, char text[SCOPE_TEXT_ROOM]);

/* Whether what is granted includes what is asked. */
bool scope_includes(const scope *granted, const scope *asked);

/* What is asked as far as it is allowed: coarser or fewer where allowed is narrower, nothing where
 * it is not there. False where nothing is left. */
bool scope_narrow(const scope *asked, const scope *allowed, scope *narrowed);

/* One sentence a grant for a resident; NULL after the last. *next starts at 0. */
const char *scope_explain(const scope *granted, int *next, char sentence[300]);

#endif
