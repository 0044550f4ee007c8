/*
 * Statements with tokens and passwords in them. pg_stat_activity shows a statement to whoever has
 * the same role until the session's next begins, and an error, though it be a later one, writes it
 * to the server's log. Both take it from where it is replaced here, until the client's next
 * message.
 */
#include "conceal.h"

#include "binding.h"

#include "tcop/tcopprot.h"
#include "utils/backend_status.h"

PG_FUNCTION_INFO_V1(smarthg_conceal_statement);

void conceal_statement(void)
{
	debug_query_string = "(not shown, since it may hold a secret)";
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
}

Datum smarthg_conceal_statement(PG_FUNCTION_ARGS)
{
	conceal_statement();
	PG_RETURN_VOID();
}
