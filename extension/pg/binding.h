/*
 * What the SQL bindings share: PostgreSQL's headers, arrays in and out, and the
 * one place where an outcome of the plain-C core becomes an ereport.
 */
#ifndef SMARTHG_BINDING_H
#define SMARTHG_BINDING_H

#include "postgres.h"

#include "access/tableam.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "../core/outcome.h"

#if PG_VERSION_NUM < 150000
#error "SmartHG needs PostgreSQL 15 or later"
#endif

/* Index entries of a new row, and whether a row's new version needs them. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes updated_indexes;
#define needs_index_tuples(indexes) ((indexes) != TU_None)
#define insert_index_tuples(target, row, estate)                                                   \
	ExecInsertIndexTuples(target, row, estate, false, false, NULL, NIL, false)
#else
typedef bool updated_indexes;
#define needs_index_tuples(indexes) (indexes)
#define insert_index_tuples(target, row, estate)                                                   \
	ExecInsertIndexTuples(target, row, estate, false, false, NULL, NIL)
#endif

/* Raises an outcome that is not OK; does not return. */
extern void raise_outcome(const outcome *failed) pg_attribute_noreturn();

/* Whether the query was cancelled or timed out: what the core polls while it computes. */
extern bool cancelled(void *unused);

/* A one-dimensional float8[] argument as doubles. NaN elements are errors; null elements are NAN
 * in the result where gaps_allowed, else errors. A null or absent array is NULL, unless required.
 * *length is checked where it is not -1, and set where it is. Errors: 22023, 22004, 2202E. */
extern double *series_argument(FunctionCallInfo fcinfo, int number, const char *name, int *length,
                               bool required, bool gaps_allowed);

/* An int4[] argument without nulls; as above. */
extern int *integers_argument(FunctionCallInfo fcinfo, int number, const char *name, int *length);

/* An array argument of by-value 8-byte elements; *nulls may come back NULL where there are none. */
extern Datum *elements_argument(FunctionCallInfo fcinfo, int number, const char *name, Oid type,
                                int *length, bool **nulls);

/* A float8 argument: for_null where it is null; NaN is an error. */
extern double number_argument(FunctionCallInfo fcinfo, int number, const char *name,
                              double for_null);

/* A query's plan, made at the first call and kept in *kept. Needs an SPI connection. */
extern SPIPlanPtr kept_plan(SPIPlanPtr *kept, const char *query, int count, Oid *types);

/* Microseconds of an interval of days and times; months have no length and are errors, as is
 * anything not positive or beyond a century. */
extern int64 interval_us(const Interval *interval, const char *name);

/* The same of a slot length, which is a minute at least (DESIGN.md section 2). */
extern int64 slot_length_us(const Interval *interval);

/* A memory limit in MB: at most smarthg.solver_memory_mb, and that where it is null. */
extern int memory_argument(FunctionCallInfo fcinfo, int number);

/* A float8[] of values, null where one is NAN, and a text[] of words. */
extern Datum series_datum(const double *values, int length);
extern Datum words_datum(const char *const *words, int length);

/* A row of an SQL type while it is filled, column by column. */
enum { MOST_COLUMNS = 64 };

typedef struct result_row {
	Datum values[MOST_COLUMNS];
	bool nulls[MOST_COLUMNS];
	int columns;
} result_row;

extern void put(result_row *row, Datum value, bool null);

/* A number, null where it is NAN; a series, null where it is NULL. */
extern void put_number(result_row *row, double value);
extern void put_series(result_row *row, const double *values, int count);

/* The row as the composite type, or the OUT parameters, that the function returns. */
extern Datum row_datum(FunctionCallInfo fcinfo, result_row *row);

#endif
