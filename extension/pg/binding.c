/* Arguments from SQL and outcomes to SQL; see binding.h. */
#include "binding.h"
#include "access_log.h"
#include "register_cache.h"
#include "token.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(smarthg_table_changed);

/* What any caller may let a solver use, whatever limit the call asks for. */
static int solver_memory_mb = 1024;

extern void _PG_init(void);

void _PG_init(void)
{
	DefineCustomIntVariable(
	    "smarthg.solver_memory_mb", "Most memory that a call may let a solver use.", NULL,
	    &solver_memory_mb, 1024, 16, 1 << 20, PGC_SUSET, GUC_UNIT_MB, NULL, NULL, NULL);
	token_key_settings();
	token_identity_settings();
	token_verify_settings();
	access_log_begin();
	register_cache_begin();
	MarkGUCPrefixReserved("smarthg");
}

/* Tells all backends at commit that a trigger's table has changed. */
Datum smarthg_table_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "table_changed is a trigger");
	CacheInvalidateRelcache(((TriggerData *)fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}

int memory_argument(FunctionCallInfo fcinfo, int number)
{
	int wanted = PG_ARGISNULL(number) ? solver_memory_mb : PG_GETARG_INT32(number);

	if (wanted < 1 || wanted > solver_memory_mb)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("memory_limit_mb must be from 1 to %d", solver_memory_mb),
		                errhint("A superuser may set smarthg.solver_memory_mb.")));
	return wanted;
}

static int outcome_sqlstate(outcome_status status)
{
	switch (status) {
	case OUTCOME_BAD_INPUT:
		return ERRCODE_INVALID_PARAMETER_VALUE;
	case OUTCOME_TIME_LIMIT:
		return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	case OUTCOME_MEMORY_LIMIT:
		return ERRCODE_OUT_OF_MEMORY;
	case OUTCOME_INTERRUPTED:
		return ERRCODE_QUERY_CANCELED;
	default:
		return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
	}
}

void raise_outcome(const outcome *failed)
{
	/* A cancelled query or a timeout reports itself, in PostgreSQL's own words. */
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR, (errcode(outcome_sqlstate(failed->status)), errmsg("%s", failed->message),
	                failed->detail[0] ? errdetail("%s", failed->detail) : 0,
	                failed->hint[0] ? errhint("%s", failed->hint) : 0));
	pg_unreachable();
}

bool cancelled(void *unused pg_attribute_unused())
{
	return InterruptPending && (QueryCancelPending || ProcDiePending);
}

static ArrayType *array_argument(FunctionCallInfo fcinfo, int number, const char *name, int *length)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(number);
	int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
		                errmsg("%s must be a one-dimensional array", name)));
	if (*length < 0)
		*length = count;
	else if (count != *length)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
		                errmsg("%s has %d elements where %d are expected", name, count, *length),
		                errdetail("All series of a call have one element a slot.")));
	return array;
}

Datum *elements_argument(FunctionCallInfo fcinfo, int number, const char *name, Oid type,
                         int *length, bool **nulls)
{
	ArrayType *array;
	Datum *elements;
	int count;

	if (PG_ARGISNULL(number))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	array = array_argument(fcinfo, number, name, length);
	deconstruct_array(array, type, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, nulls, &count);
	if (!array_contains_nulls(array))
		*nulls = NULL;
	return elements;
}

double *series_argument(FunctionCallInfo fcinfo, int number, const char *name, int *length,
                        bool required, bool gaps_allowed)
{
	Datum *elements;
	bool *nulls;
	double *values;

	if (PG_ARGISNULL(number) && !required)
		return NULL;
	elements = elements_argument(fcinfo, number, name, FLOAT8OID, length, &nulls);
	values = palloc(sizeof(double) * Max(*length, 1));
	for (int i = 0; i < *length; i++) {
		bool gap = nulls && nulls[i];

		if (gap && !gaps_allowed)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("%s must not have null elements, element %d is", name, i + 1)));
		values[i] = gap ? NAN : DatumGetFloat8(elements[i]);
		if (!gap && isnan(values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("%s must not have NaN elements, element %d is", name, i + 1),
			                gaps_allowed ? errhint("A value that is not known is null.") : 0));
	}
	return values;
}

int *integers_argument(FunctionCallInfo fcinfo, int number, const char *name, int *length)
{
	ArrayType *array;

	if (PG_ARGISNULL(number))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	array = array_argument(fcinfo, number, name, length);
	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("%s must not have null elements", name)));
	return (int *)ARR_DATA_PTR(array);
}

double number_argument(FunctionCallInfo fcinfo, int number, const char *name, double for_null)
{
	double value;

	if (PG_ARGISNULL(number))
		return for_null;
	value = PG_GETARG_FLOAT8(number);
	if (isnan(value))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be NaN", name)));
	return value;
}

SPIPlanPtr kept_plan(SPIPlanPtr *kept, const char *query, int count, Oid *types)
{
	if (*kept == NULL) {
		/* Planned once for all homes: planning anew costs more than these queries take. */
		SPIPlanPtr plan = SPI_prepare_cursor(query, count, types, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		*kept = plan;
	}
	return *kept;
}

int64 slot_length_us(const Interval *interval)
{
	int64 length = interval_us(interval, "slot_length");

	if (length < USECS_PER_MINUTE)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("slot_length must be at least a minute")));
	return length;
}

int64 interval_us(const Interval *interval, const char *name)
{
	const int32 most_days = 36525;

	if (interval->month != 0 || Abs((int64)interval->day) > most_days ||
	    interval->time > most_days * USECS_PER_DAY || interval->time < -most_days * USECS_PER_DAY ||
	    interval->time + interval->day * USECS_PER_DAY <= 0)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("%s must be positive, without months, and at most a century", name)));
	return interval->time + interval->day * USECS_PER_DAY;
}

/* Built in place: construct_md_array takes a Datum and a null flag for each element. */
Datum series_datum(const double *values, int length)
{
	int gaps = 0, offset;
	ArrayType *array;
	Size size;

	if (length == 0)
		return PointerGetDatum(construct_empty_array(FLOAT8OID));
	for (int i = 0; i < length; i++)
		gaps += isnan(values[i]);
	offset = gaps ? (int)ARR_OVERHEAD_WITHNULLS(1, length) : 0;
	size = (gaps ? (Size)offset : ARR_OVERHEAD_NONULLS(1)) + sizeof(double) * (length - gaps);
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = offset;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = length;
	ARR_LBOUND(array)[0] = 1;
	if (gaps == 0) {
		memcpy(ARR_DATA_PTR(array), values, sizeof(double) * length);
	} else {
		double *known = (double *)ARR_DATA_PTR(array);

		for (int i = 0; i < length; i++) {
			if (isnan(values[i]))
				continue;
			*known++ = values[i];
			ARR_NULLBITMAP(array)[i / 8] |= 1 << (i % 8);
		}
	}
	return PointerGetDatum(array);
}

Datum words_datum(const char *const *words, int length)
{
	Datum *elements = palloc(sizeof(Datum) * Max(length, 1));

	for (int i = 0; i < length; i++)
		elements[i] = CStringGetTextDatum(words[i]);
	return PointerGetDatum(construct_array(elements, length, TEXTOID, -1, false, TYPALIGN_INT));
}

void put(result_row *row, Datum value, bool null)
{
	Assert(row->columns < MOST_COLUMNS);
	row->values[row->columns] = null ? (Datum)0 : value;
	row->nulls[row->columns++] = null;
}

void put_number(result_row *row, double value)
{
	put(row, Float8GetDatum(value), isnan(value));
}

void put_series(result_row *row, const double *values, int count)
{
	put(row, values ? series_datum(values, count) : (Datum)0, values == NULL);
}

Datum row_datum(FunctionCallInfo fcinfo, result_row *row)
{
	TupleDesc columns;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE ||
	    columns->natts != row->columns)
		elog(ERROR, "function does not return the row that it makes");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), row->values, row->nulls));
}
