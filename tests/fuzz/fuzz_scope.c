/*
 * Any bytes as a scope and as a Green Button scope: refused with a reason, or the same once written
 * and read again, included in itself, with a sentence for each grant.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../extension/core/token/scope_green_button.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What holds for any scope that has sense. */
static void check_scope(const scope *granted)
{
	char text[SCOPE_TEXT_ROOM], sentence[300];
	int next = 0, sentences = 0, grants = 0;
	scope again, both;
	outcome out;

	if (scope_write(granted, text) != strlen(text) ||
	    scope_parse(text, strlen(text), &again, &out) != OUTCOME_OK ||
	    memcmp(granted, &again, sizeof(again)) != 0 || !scope_includes(granted, &again) ||
	    !scope_narrow(granted, &again, &both) || memcmp(granted, &both, sizeof(both)) != 0)
		abort();
	while (scope_explain(granted, &next, sentence))
		sentences++;
	for (int action = 0; action < SCOPE_ACTIONS; action++)
		for (int resource = 0; resource < SCOPE_RESOURCES; resource++)
			grants += granted->grants[action][resource].given;
	if (sentences != grants || grants == 0)
		abort();
}

static void check_green_button(const scope *granted, int64_t history_s)
{
	char text[GREEN_BUTTON_ROOM];
	int64_t history_again_s;
	scope again;
	outcome out;

	if (green_button_write(granted, history_s, text, &out) != OUTCOME_OK)
		return;
	if (green_button_read(text, strlen(text), &again, &history_again_s, &out) != OUTCOME_OK ||
	    memcmp(granted, &again, sizeof(again)) != 0 || history_s != history_again_s)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	outcome out = {.detail = ""};
	int64_t history_s;
	scope granted;

	if (scope_parse(text, size, &granted, &out) == OUTCOME_OK) {
		check_scope(&granted);
		check_green_button(&granted, 0);
	} else if (out.detail[0] == '\0') {
		abort();
	}
	out.detail[0] = '\0';
	if (green_button_read(text, size, &granted, &history_s, &out) == OUTCOME_OK) {
		check_scope(&granted);
		check_green_button(&granted, history_s);
	} else if (out.detail[0] == '\0') {
		abort();
	}
	return 0;
}
