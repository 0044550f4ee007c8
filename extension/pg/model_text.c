/* SQL binding of models as text: written (core/ebr/model_text.h) and solved (core/milp). */
#include "model_text.h"
#include "ebr.h"

#include <math.h>

#include "utils/builtins.h"

#include "../core/milp/model_solution.h"

PG_FUNCTION_INFO_V1(smarthg_ebr_model_text_series);
PG_FUNCTION_INFO_V1(smarthg_milp_solve);

/* Arguments of ebr_model_text_series after those of ebr_solve's problem. */
enum { ARG_FORMAT = 27, ARG_PEV_STEP };

/* Arguments of milp_solve. */
enum { ARG_MODEL, ARG_MODEL_FORMAT, ARG_TIME_LIMIT, ARG_MEMORY_LIMIT, ARG_INCUMBENT };

/* Columns of milp_solve. */
enum { COLUMN_STATUS, COLUMN_KIND, COLUMN_NAME, COLUMN_VALUE, COLUMN_MARGINAL, COLUMNS };

milp_format format_argument(FunctionCallInfo fcinfo, int number)
{
	char *word;

	if (PG_ARGISNULL(number))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("format must not be null")));
	word = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (strcmp(word, "lp") == 0)
		return MILP_LP;
	if (strcmp(word, "mps") == 0)
		return MILP_MPS;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("format \"%s\" is not known", word), errhint("It is one of: lp, mps.")));
}

text *model_text(model_writer write, const void *problem, milp_format format)
{
	const solver_limits limits = {.interrupted = cancelled};
	text *volatile result = NULL;
	milp_text model;
	outcome failed;

	PG_TRY();
	{
		if (write(problem, format, &limits, &model, &failed) != OUTCOME_OK)
			raise_outcome(&failed);
		result = cstring_to_text_with_len(model.bytes, (int)model.length);
	}
	PG_FINALLY();
	{
		free(model.bytes);
	}
	PG_END_TRY();
	return result;
}

static outcome_status write_plan(const void *problem, milp_format format,
                                 const solver_limits *limits, milp_text *model, outcome *failed)
{
	return ebr_model_text(problem, format, limits, model, failed);
}

Datum smarthg_ebr_model_text_series(PG_FUNCTION_ARGS)
{
	milp_format format = format_argument(fcinfo, ARG_FORMAT);
	ebr_problem problem;

	ebr_problem_arguments(fcinfo, &problem);
	problem.store[EBR_PEV].min_step_kw =
	    number_argument(fcinfo, ARG_PEV_STEP, "pev_min_step_kw", 0);
	PG_RETURN_TEXT_P(model_text(write_plan, &problem, format));
}

static void read_limits(FunctionCallInfo fcinfo, solver_limits *limits)
{
	*limits = (solver_limits){
	    .seconds =
	        (double)interval_us(PG_GETARG_INTERVAL_P(ARG_TIME_LIMIT), "time_limit") / USECS_PER_SEC,
	    .memory_mb = memory_argument(fcinfo, ARG_MEMORY_LIMIT),
	    .interrupted = cancelled,
	    .accept_incumbent = PG_GETARG_BOOL(ARG_INCUMBENT)};
}

/* NULL is no name, NAN no number. */
static void put_row(ReturnSetInfo *result, Datum status, const char *kind, const char *name,
                    double value, double marginal)
{
	Datum row[COLUMNS] = {status};
	bool nulls[COLUMNS] = {false};

	row[COLUMN_KIND] = CStringGetTextDatum(kind);
	nulls[COLUMN_NAME] = name == NULL;
	row[COLUMN_NAME] = name ? CStringGetTextDatum(name) : (Datum)0;
	nulls[COLUMN_VALUE] = isnan(value);
	row[COLUMN_VALUE] = Float8GetDatum(value);
	nulls[COLUMN_MARGINAL] = isnan(marginal);
	row[COLUMN_MARGINAL] = Float8GetDatum(marginal);
	tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	pfree(DatumGetPointer(row[COLUMN_KIND]));
	if (name)
		pfree(DatumGetPointer(row[COLUMN_NAME]));
}

static void put_solution(ReturnSetInfo *result, const milp_solution *solution)
{
	static const char *const statuses[] = {"optimal", "feasible", "infeasible", "unbounded"};
	Datum status = CStringGetTextDatum(statuses[solution->status]);
	int items = solution->items ? solution->variables + solution->constraints : 0;

	put_row(result, status, "objective", solution->objective_name, solution->objective, NAN);
	if (solution->items)
		put_row(result, status, "bound", solution->objective_name, solution->bound, NAN);
	for (int i = 0; i < items; i++)
		put_row(result, status, i < solution->variables ? "variable" : "constraint",
		        solution->items[i].name, solution->items[i].value, solution->items[i].marginal);
}

Datum smarthg_milp_solve(PG_FUNCTION_ARGS)
{
	text *model = PG_GETARG_TEXT_PP(ARG_MODEL);
	milp_format format = format_argument(fcinfo, ARG_MODEL_FORMAT);
	milp_solution solution;
	solver_limits limits;
	outcome failed;

	read_limits(fcinfo, &limits);
	InitMaterializedSRF(fcinfo, 0);
	PG_TRY();
	{
		if (milp_solve(VARDATA_ANY(model), VARSIZE_ANY_EXHDR(model), format, &limits, &solution,
		               &failed) != OUTCOME_OK)
			raise_outcome(&failed);
		put_solution((ReturnSetInfo *)fcinfo->resultinfo, &solution);
	}
	PG_FINALLY();
	{
		milp_solution_free(&solution);
	}
	PG_END_TRY();
	return (Datum)0;
}
