/* SQL binding of energy packed into blocks (core/series/energy_block.h). */
#include "energy.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/fmgroids.h"

PG_FUNCTION_INFO_V1(smarthg_energy_pack);
PG_FUNCTION_INFO_V1(smarthg_energy_unpack);
PG_FUNCTION_INFO_V1(smarthg_energy_splice);

Datum enum_label(Oid type, const char *name)
{
	return OidInputFunctionCall(F_ENUM_IN, pstrdup(name), type, -1);
}

void quality_labels(Oid type, Datum *labels)
{
	static const char *const names[] = {"measured", "interpolated", "estimated"};

	for (int q = INTERVAL_MEASURED; q <= INTERVAL_ESTIMATED; q++)
		labels[q] = enum_label(type, names[q]);
}

void unpack_energy(bytea *block, energy_slots *slots)
{
	outcome failed;

	if (energy_block_decode((const uint8_t *)VARDATA_ANY(block), VARSIZE_ANY_EXHDR(block), slots,
	                        &failed) != OUTCOME_OK)
		raise_outcome(&failed);
}

bytea *pack_energy(const energy_slots *slots)
{
	bytea *block = palloc(VARHDRSZ + energy_block_bound(slots->count));

	SET_VARSIZE(block, VARHDRSZ + energy_block_encode(slots, (uint8_t *)VARDATA(block)));
	return block;
}

/* An energy_quality[] of count elements as enum interval_quality; null elements are measured. */
static uint8_t *qualities_argument(FunctionCallInfo fcinfo, int number, int count)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(number);
	uint8_t *qualities = palloc0(Max(count, 1));
	Datum *values, labels[3];
	bool *nulls;
	int length;

	deconstruct_array(array, ARR_ELEMTYPE(array), 4, true, TYPALIGN_INT, &values, &nulls, &length);
	if (length != count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
		                errmsg("energy_kwh and quality must have one length")));
	quality_labels(ARR_ELEMTYPE(array), labels);
	for (int i = 0; i < count; i++)
		for (uint8_t q = INTERVAL_MEASURED; q <= INTERVAL_ESTIMATED; q++)
			if (!nulls[i] && values[i] == labels[q])
				qualities[i] = q;
	return qualities;
}

Datum smarthg_energy_pack(PG_FUNCTION_ARGS)
{
	energy_slots *slots = palloc(sizeof(*slots));
	int count = -1;
	const double *kwh = series_argument(fcinfo, 0, "energy_kwh", &count, true, true);
	const uint8_t *qualities = PG_ARGISNULL(1) ? NULL : qualities_argument(fcinfo, 1, count);

	if (count > ENERGY_SLOTS_MOST)
		ereport(ERROR,
		        (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		         errmsg("%d slots do not fit a block of %d at most", count, ENERGY_SLOTS_MOST)));
	energy_slots_clear(slots, count);
	for (int s = 0; s < count; s++) {
		if (isinf(kwh[s]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("energy of slot %d must be finite", s + 1)));
		if (isnan(kwh[s]))
			continue;
		slots->kwh[s] = kwh[s];
		slots->covered[s] = 1;
		slots->quality[s] = qualities ? qualities[s] : INTERVAL_MEASURED;
	}
	PG_RETURN_BYTEA_P(pack_energy(slots));
}

Datum smarthg_energy_unpack(PG_FUNCTION_ARGS)
{
	enum { SLOT, ENERGY, QUALITY, COVERED, COLUMNS };
	ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
	energy_slots *slots = palloc(sizeof(*slots));
	bool nulls[COLUMNS] = {false};
	Datum *labels;

	InitMaterializedSRF(fcinfo, 0);
	/* Looked up once a query: it is called for every day of a year. */
	labels = fcinfo->flinfo->fn_extra;
	if (!labels) {
		labels = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Datum) * 3);
		quality_labels(TupleDescAttr(result->setDesc, QUALITY)->atttypid, labels);
		fcinfo->flinfo->fn_extra = labels;
	}
	unpack_energy(PG_GETARG_BYTEA_PP(0), slots);
	for (int s = 0; s < slots->count; s++) {
		Datum row[COLUMNS] = {Int32GetDatum(s), Float8GetDatum(slots->kwh[s]),
		                      labels[slots->quality[s]], Int32GetDatum(slots->covered[s])};

		if (slots->covered[s] > 0)
			tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum)0;
}

Datum smarthg_energy_splice(PG_FUNCTION_ARGS)
{
	energy_slots *both = palloc(sizeof(*both)), *later = palloc(sizeof(*later));
	int from;

	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	both->count = later->count = 0;
	if (!PG_ARGISNULL(0))
		unpack_energy(PG_GETARG_BYTEA_PP(0), both);
	if (!PG_ARGISNULL(1))
		unpack_energy(PG_GETARG_BYTEA_PP(1), later);
	if (PG_ARGISNULL(0))
		energy_slots_clear(both, later->count);
	if (PG_ARGISNULL(1))
		energy_slots_clear(later, both->count);
	if (both->count != later->count)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("blocks of %d and %d slots cannot be joined", both->count, later->count)));
	from = Max(PG_GETARG_INT32(2), 0);
	for (int s = from; s < both->count; s++) {
		both->kwh[s] = later->kwh[s];
		both->covered[s] = later->covered[s];
		both->quality[s] = later->quality[s];
	}
	if (!energy_slots_known(both))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(pack_energy(both));
}
