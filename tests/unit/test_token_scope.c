/* The scope grammar (DESIGN.md section 8): what has sense, what includes what, and its words. */
#include "../../extension/core/token/scope_green_button.h"
#include "tap.h"

#include <stdlib.h>

static uint64_t seed = 20230519;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 33;
}

static bool parse(const char *text, scope *parsed)
{
	outcome out = {.detail = ""};

	return scope_parse(text, strlen(text), parsed, &out) == OUTCOME_OK;
}

/* The normal form; "" where it has no sense. */
static const char *normal(const char *text)
{
	static char written[SCOPE_TEXT_ROOM];
	scope parsed;

	written[0] = '\0';
	if (parse(text, &parsed))
		scope_write(&parsed, written);
	return written;
}

static bool refused(const char *text, const char *reason)
{
	outcome out = {.detail = ""};
	scope parsed;

	if (scope_parse(text, strlen(text), &parsed, &out) == OUTCOME_BAD_INPUT &&
	    strstr(out.detail, reason))
		return true;
	printf("# %s: %s\n", text, out.detail);
	return false;
}

static bool includes(const char *granted, const char *asked)
{
	scope a, b;

	return parse(granted, &a) && parse(asked, &b) && scope_includes(&a, &b);
}

static const char *narrowed(const char *asked, const char *allowed)
{
	static char written[SCOPE_TEXT_ROOM];
	scope a, b, both;

	written[0] = '\0';
	if (parse(asked, &a) && parse(allowed, &b) && scope_narrow(&a, &b, &both))
		scope_write(&both, written);
	return written;
}

static void check_sense(void)
{
	ok(!strcmp(normal("read_feeder_30min"), "read_feeder_30min"), "the document's example");
	ok(refused("write_appliance_top3_hourly", "Writing takes no selector"),
	   "the document's example of one without sense");
	ok(!strcmp(normal("read_appliance_top3_daily"), "read_appliance_top3_daily"), "a selector");
	ok(!strcmp(normal("write_plan read_price_hourly read_home"),
	           "read_home read_price_hourly write_plan"),
	   "the normal form has an order");
	ok(!strcmp(normal("read_mainmeter_daily read_mainmeter_15min read_mainmeter_hourly"),
	           "read_mainmeter_15min"),
	   "and the finest of each");
	ok(!strcmp(normal("read_appliance_top3_daily read_appliance_hourly"), "read_appliance_hourly"),
	   "and the one that includes the other");
	ok(refused("read_appliance_top3_15min read_appliance_daily", "neither includes"),
	   "neither includes the other");
	ok(refused("read_appliance_top99999999999_daily", "top1 to top99"), "more than anybody has");
	ok(refused("read_mainmeter", "takes a granularity"), "a series without one");
	ok(refused("read_command_hourly", "no series"), "no series with one");
	ok(refused("write_plan_hourly", "no granularity"), "writing with one");
	ok(refused("write_mainmeter", "Only meters"), "writing what is measured");
	ok(refused("write_feeder", "sums"), "writing sums");
	ok(refused("write_home", "operator"), "writing the operator's record");
	ok(refused("read_mainmeter_top3_hourly", "Only sub-meters and appliances"), "nothing to rank");
	ok(refused("read_appliance_top0_daily", "top1 to top99"), "top 0");
	ok(refused("read_appliance_top100_daily", "top1 to top99"), "top 100");
	ok(refused("read_appliance_top03_daily", "top1 to top99"), "top 03");
	ok(refused("read_appliance_daily_top3", "last word"), "the selector last");
	ok(refused("read_appliance_top3", "takes a granularity"), "a selector without granularity");
	ok(refused("read_mainmeter_2hours", "A granularity is"), "another granularity");
	ok(refused("delete_home", "An action"), "another action");
	ok(refused("read_fridge_daily", "A resource"), "another resource");
	ok(refused("read", "form") && refused("read__home", "form") && refused("read_home_", "form") &&
	       refused("_", "form"),
	   "words missing");
	ok(refused("READ_home", "An action"), "capitals");
	ok(refused("", "1 to 1000") && refused(" read_home", "one space") &&
	       refused("read_home ", "one space") && refused("read_home  write_plan", "one space"),
	   "nothing, and spaces without a token");
	ok(refused("read_home\nwrite_plan", "letters, digits") && refused("read_\"home", "letters"),
	   "characters that a scope-token has not");
}

static void check_inclusion(void)
{
	ok(includes("read_mainmeter_30min", "read_mainmeter_30min read_mainmeter_hourly"),
	   "finer includes coarser");
	ok(!includes("read_mainmeter_30min", "read_mainmeter_15min"), "never the other way");
	ok(includes("read_appliance_hourly", "read_appliance_top5_hourly") &&
	       includes("read_appliance_top5_hourly", "read_appliance_top3_daily"),
	   "all include the largest, more of them include fewer");
	ok(!includes("read_appliance_top3_hourly", "read_appliance_top5_hourly") &&
	       !includes("read_appliance_top3_hourly", "read_appliance_hourly"),
	   "never the other way");
	ok(!includes("read_plan_raw", "write_plan") && !includes("write_plan", "read_plan_yearly"),
	   "reading and writing include nothing of each other");
	ok(!strcmp(narrowed("read_mainmeter_15min read_appliance_hourly write_plan",
	                    "read_mainmeter_hourly read_appliance_top3_15min read_home"),
	           "read_mainmeter_hourly read_appliance_top3_hourly"),
	   "narrowed is coarser, fewer, and left out");
	ok(narrowed("read_home", "write_plan")[0] == '\0', "and may be nothing");
}

/* A scope of random grants. */
static void random_scope(scope *random)
{
	memset(random, 0, sizeof(*random));
	for (int i = 0; i < SCOPE_RESOURCES; i++) {
		scope_grant *read = &random->grants[SCOPE_READ][i];

		read->given = next_random() % 2;
		if (!read->given)
			continue;
		read->granularity = scope_is_series((scope_resource)i)
		                        ? (scope_granularity)(next_random() % SCOPE_GRANULARITIES)
		                        : SCOPE_NO_GRANULARITY;
		if ((i == SCOPE_SUBMETER || i == SCOPE_APPLIANCE) && next_random() % 2)
			read->top = 1 + (int)(next_random() % 99);
	}
	for (int i = SCOPE_ESS; i < SCOPE_RESOURCES; i++)
		random->grants[SCOPE_WRITE][i] =
		    (scope_grant){.given = next_random() % 2, .granularity = SCOPE_NO_GRANULARITY};
	random->grants[SCOPE_READ][SCOPE_HOME] =
	    (scope_grant){.given = true, .granularity = SCOPE_NO_GRANULARITY};
	for (int a = 0; a < SCOPE_ACTIONS; a++)
		for (int i = 0; i < SCOPE_RESOURCES; i++)
			if (!random->grants[a][i].given)
				random->grants[a][i] = (scope_grant){.given = false};
}

static void check_laws(void)
{
	int wrong_text = 0, wrong_narrow = 0, wrong_greatest = 0;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int trial = 0; trial < 20000; trial++) {
		char text[SCOPE_TEXT_ROOM];
		scope a, b, c, both;

		random_scope(&a);
		random_scope(&b);
		random_scope(&c);
		scope_write(&a, text);
		wrong_text += !parse(text, &both) || memcmp(&a, &both, sizeof(a)) != 0;
		scope_narrow(&a, &b, &both);
		wrong_narrow += !scope_includes(&a, &both) || !scope_includes(&b, &both);
		wrong_greatest +=
		    scope_includes(&a, &c) && scope_includes(&b, &c) && !scope_includes(&both, &c);
		scope_narrow(&a, &a, &both);
		wrong_greatest += memcmp(&a, &both, sizeof(a)) != 0;
	}
	ok(wrong_text == 0, "any scope is the same once written and read");
	ok(wrong_narrow == 0, "what is narrowed is included in both");
	ok(wrong_greatest == 0, "and is the most that is");
}

static void check_words(void)
{
	char sentence[300];
	scope parsed;
	int next = 0, count = 0, dull = 0;

	parse("read_appliance_top3_daily", &parsed);
	ok(scope_explain(&parsed, &next, sentence) && strstr(sentence, "appliances") &&
	       strstr(sentence, "3 with most energy") && strstr(sentence, "day by day"),
	   "a sentence says what, whose and how fine");
	ok(scope_explain(&parsed, &next, sentence) == NULL, "and is the only one");
	for (int i = 0; i < SCOPE_ACTIONS * SCOPE_RESOURCES; i++)
		parsed.grants[i / SCOPE_RESOURCES][i % SCOPE_RESOURCES] = (scope_grant){
		    .given = i < SCOPE_RESOURCES || i >= SCOPE_RESOURCES + SCOPE_ESS, .top = 0};
	for (next = 0; scope_explain(&parsed, &next, sentence); count++)
		dull += strstr(sentence, "(null)") != NULL || sentence[strlen(sentence) - 1] != '.';
	ok(count == 2 * SCOPE_RESOURCES - SCOPE_ESS && dull == 0, "every grant has one");
}

static const char *to_green_button(const char *text, int64_t history_s)
{
	static char written[GREEN_BUTTON_ROOM];
	outcome out;
	scope parsed;

	written[0] = '\0';
	if (!parse(text, &parsed) ||
	    green_button_write(&parsed, history_s, written, &out) != OUTCOME_OK)
		written[0] = '\0';
	return written;
}

static const char *from_green_button(const char *text, int64_t *history_s)
{
	static char written[SCOPE_TEXT_ROOM];
	outcome out;
	scope granted;

	written[0] = '\0';
	if (green_button_read(text, strlen(text), &granted, history_s, &out) == OUTCOME_OK)
		scope_write(&granted, written);
	return written;
}

static void check_green_button(void)
{
	static const char *const refused_scopes[] = {"write_plan",
	                                             "read_home",
	                                             "read_mainmeter_raw",
	                                             "read_mainmeter_yearly",
	                                             "read_appliance_daily",
	                                             "read_submeter_top3_daily",
	                                             "read_mainmeter_hourly read_production_daily"};
	static const char *const refused_texts[] = {
	    "",
	    "FB=4_5",
	    "FB=;IntervalDuration=3600",
	    "FB=4_10;IntervalDuration=3600",
	    "FB=1_3;IntervalDuration=3600",
	    "FB=5;IntervalDuration=3601",
	    "FB=5;FB=5;IntervalDuration=3600",
	    "FB=5;IntervalDuration=3600;Colour=4",
	    "FB=5;IntervalDuration=3600;HistoryLength=99999999999999999999",
	    "FB=5;IntervalDuration=-1",
	    "FB=5;IntervalDuration=3600;HistoryLength=0",
	    "IntervalDuration=3600"};
	static const char *const pairs[] = {"read_mainmeter_hourly",
	                                    "read_mainmeter_15min",
	                                    "read_mainmeter_monthly",
	                                    "read_production_daily",
	                                    "read_mainmeter_30min read_submeter_30min",
	                                    "read_mainmeter_monthly read_production_1min"};
	int64_t history_s = -1;
	int wrong = 0;

	ok(!strcmp(to_green_button("read_mainmeter_hourly", 94608000),
	           "FB=4_5;IntervalDuration=3600;HistoryLength=94608000"),
	   "the main meter by hours, three years back");
	ok(!strcmp(from_green_button("FB=1_3_4_5_13_14_39;IntervalDuration=3600;BlockDuration=Daily;"
	                             "HistoryLength=94608000",
	                             &history_s),
	           "read_mainmeter_hourly") &&
	       history_s == 94608000,
	   "... and back, with blocks about the exchange itself");
	ok(!strcmp(from_green_button("FB=4_5_15;IntervalDuration=900_3600", &history_s),
	           "read_mainmeter_15min") &&
	       history_s == 0,
	   "the finest interval counts, and it includes the summary");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		wrong += strcmp(from_green_button(to_green_button(pairs[i], 0), &history_s), pairs[i]) != 0;
	ok(wrong == 0, "both ways for all that has a counterpart");
	for (size_t i = 0; i < sizeof(refused_scopes) / sizeof(*refused_scopes); i++)
		wrong += to_green_button(refused_scopes[i], 0)[0] != '\0';
	ok(wrong == 0, "what Green Button cannot say is refused");
	for (size_t i = 0; i < sizeof(refused_texts) / sizeof(*refused_texts); i++)
		wrong += from_green_button(refused_texts[i], &history_s)[0] != '\0';
	ok(wrong == 0, "what it says without sense here is refused");
}

int main(void)
{
	check_sense();
	check_inclusion();
	check_laws();
	check_words();
	check_green_button();
	return tap_done();
}
