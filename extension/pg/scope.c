/* SQL binding of the scope grammar (core/token/scope.h). */
#include "binding.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "../core/token/scope_green_button.h"

PG_FUNCTION_INFO_V1(smarthg_scope_check);
PG_FUNCTION_INFO_V1(smarthg_scope_explain);
PG_FUNCTION_INFO_V1(smarthg_scope_covers);
PG_FUNCTION_INFO_V1(smarthg_scope_narrow);
PG_FUNCTION_INFO_V1(smarthg_scope_to_green_button);
PG_FUNCTION_INFO_V1(smarthg_scope_from_green_button);

static void scope_argument(FunctionCallInfo fcinfo, int number, scope *parsed)
{
	text *value = PG_GETARG_TEXT_PP(number);
	outcome failed;

	if (scope_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), parsed, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
}

static Datum scope_datum(const scope *granted)
{
	char normal[SCOPE_TEXT_ROOM];

	scope_write(granted, normal);
	return CStringGetTextDatum(normal);
}

Datum smarthg_scope_check(PG_FUNCTION_ARGS)
{
	scope parsed;

	scope_argument(fcinfo, 0, &parsed);
	PG_RETURN_DATUM(scope_datum(&parsed));
}

Datum smarthg_scope_explain(PG_FUNCTION_ARGS)
{
	StringInfoData sentences;
	char sentence[300];
	scope parsed;
	int next = 0;

	scope_argument(fcinfo, 0, &parsed);
	initStringInfo(&sentences);
	while (scope_explain(&parsed, &next, sentence))
		appendStringInfo(&sentences, "%s%s", sentences.len ? "\n" : "", sentence);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sentences.data, sentences.len));
}

Datum smarthg_scope_covers(PG_FUNCTION_ARGS)
{
	scope granted, asked;

	scope_argument(fcinfo, 0, &granted);
	scope_argument(fcinfo, 1, &asked);
	PG_RETURN_BOOL(scope_includes(&granted, &asked));
}

Datum smarthg_scope_narrow(PG_FUNCTION_ARGS)
{
	scope asked, allowed, narrowed;

	scope_argument(fcinfo, 0, &asked);
	scope_argument(fcinfo, 1, &allowed);
	if (!scope_narrow(&asked, &allowed, &narrowed))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(scope_datum(&narrowed));
}

Datum smarthg_scope_to_green_button(PG_FUNCTION_ARGS)
{
	char green_button[GREEN_BUTTON_ROOM];
	int64 history_s = 0;
	outcome failed;
	scope parsed;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	scope_argument(fcinfo, 0, &parsed);
	if (!PG_ARGISNULL(1))
		history_s = interval_us(PG_GETARG_INTERVAL_P(1), "history") / USECS_PER_SEC;
	if (green_button_write(&parsed, history_s, green_button, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_TEXT_P(cstring_to_text(green_button));
}

Datum smarthg_scope_from_green_button(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	result_row row = {.columns = 0};
	Interval *history = palloc0(sizeof(Interval));
	int64_t history_s;
	outcome failed;
	scope granted;

	if (green_button_read(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &granted, &history_s,
	                      &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	history->day = (int32)(history_s / SECS_PER_DAY);
	history->time = history_s % SECS_PER_DAY * USECS_PER_SEC;
	put(&row, scope_datum(&granted), false);
	put(&row, IntervalPGetDatum(history), history_s == 0);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}
