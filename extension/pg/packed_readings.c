/* See packed_readings.h. */
#include "packed_readings.h"

#include "catalog/pg_type.h"

#include "../core/series/reading_block.h"

static void epoch_arguments(FunctionCallInfo fcinfo, int first, packed_readings *packed)
{
	int count = -1;
	bool *no_from, *no_modulus;
	Datum *from =
	    elements_argument(fcinfo, first + 1, "epoch_from", TIMESTAMPTZOID, &count, &no_from);
	double *scales = series_argument(fcinfo, first + 2, "epoch_kwh_per_count", &count, true, false);
	Datum *moduli =
	    elements_argument(fcinfo, first + 3, "epoch_modulus", INT8OID, &count, &no_modulus);

	if (no_from)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("epoch_from must not have null elements")));
	packed->epoch_count = count;
	packed->epoch_from = palloc(sizeof(TimestampTz) * Max(count, 1));
	packed->epochs = palloc(sizeof(register_epoch) * Max(count, 1));
	for (int i = 0; i < count; i++) {
		packed->epoch_from[i] = DatumGetTimestampTz(from[i]);
		packed->epochs[i].kwh_per_count = scales[i];
		packed->epochs[i].modulus = no_modulus && no_modulus[i] ? 0 : DatumGetInt64(moduli[i]);
	}
}

/* Adds a block's readings; those before the first epoch have no scale and are left out. */
static void add_block(packed_readings *packed, bytea *block, int *epoch)
{
	const uint8_t *bytes = (const uint8_t *)VARDATA_ANY(block);
	size_t size = VARSIZE_ANY_EXHDR(block);
	stored_reading *stored;
	outcome failed;
	int count;

	if (reading_block_count(bytes, size, &count, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	stored = palloc_extended(sizeof(*stored) * ((Size)count + 1), MCXT_ALLOC_HUGE);
	if (reading_block_decode(bytes, size, stored, count, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	packed->readings = repalloc_huge(packed->readings,
	                                 sizeof(register_reading) * ((Size)packed->count + count + 1));
	for (int i = 0; i < count; i++) {
		while (*epoch + 1 < packed->epoch_count &&
		       packed->epoch_from[*epoch + 1] <= stored[i].measured_us)
			++*epoch;
		if (*epoch < 0)
			continue;
		packed->readings[packed->count++] =
		    (register_reading){stored[i].measured_us, stored[i].raw, *epoch};
	}
	pfree(stored);
}

static void block_arguments(FunctionCallInfo fcinfo, int first, packed_readings *packed)
{
	Datum *blocks;
	bool *nulls;
	int count = 0, epoch = -1;

	packed->readings = palloc(sizeof(register_reading));
	packed->count = 0;
	if (PG_ARGISNULL(first))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(first), BYTEAOID, -1, false, TYPALIGN_INT, &blocks,
	                  &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			add_block(packed, DatumGetByteaPP(blocks[i]), &epoch);
}

void packed_readings_arguments(FunctionCallInfo fcinfo, int first, packed_readings *packed)
{
	epoch_arguments(fcinfo, first, packed);
	block_arguments(fcinfo, first, packed);
}
