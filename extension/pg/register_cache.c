/*
 * Entries are keyed by the gateway and the identity of a reading as its bytes
 * came. Invalidations arrive when somebody asks for them: whoever reads the cache
 * has asked for its generation before.
 */
#include "register_cache.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* About 65 MB; beyond, the cache begins anew. */
enum { MOST_ENTRIES = 500000 };

typedef struct register_key {
	int64 gateway_id;
	const uint8 *bytes;
	uint32 size;
} register_key;

typedef struct register_entry {
	register_key key;
	known_register known;
	uint32 hash;
	char status;
} register_entry;

static inline uint32 key_hash(register_key key)
{
	return (uint32)hash_bytes_extended(key.bytes, (int)key.size, (uint64)key.gateway_id);
}

static inline bool same_key(register_key a, register_key b)
{
	return a.gateway_id == b.gateway_id && a.size == b.size &&
	       memcmp(a.bytes, b.bytes, a.size) == 0;
}

#define SH_PREFIX               registers
#define SH_ELEMENT_TYPE         register_entry
#define SH_KEY_TYPE             register_key
#define SH_KEY                  key
#define SH_HASH_KEY(table, key) key_hash(key)
#define SH_EQUAL(table, a, b)   same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE                  static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static const char *const watched_names[] = {"meter", "register", "register_epoch", "installation"};
enum { WATCHED = lengthof(watched_names) };

static MemoryContext memory;
static registers_hash *cache;
static Oid watched[WATCHED];
static uint64 generation; /* another one after each loss of the cache */
static bool loaded_here;  /* in the present transaction */
static int64 age_us;      /* 0: not asked yet */

/* Called where nothing may be looked up or freed in use: the memory goes at the next load. */
static void forget(void)
{
	generation++;
	cache = NULL;
	age_us = 0;
}

static void on_relation_changed(Datum unused pg_attribute_unused(), Oid relation)
{
	bool hit = relation == InvalidOid;

	for (int i = 0; i < WATCHED; i++)
		hit = hit || relation == watched[i];
	if (hit)
		forget();
}

/* What was read in a transaction that did not happen is not to be believed. */
static void on_transaction_end(XactEvent event, void *unused pg_attribute_unused())
{
	/* What is prepared may still be rolled back. */
	if ((event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) && loaded_here)
		forget();
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		loaded_here = false;
}

static void on_savepoint_end(SubXactEvent event, SubTransactionId id pg_attribute_unused(),
                             SubTransactionId parent pg_attribute_unused(),
                             void *unused pg_attribute_unused())
{
	if (event == SUBXACT_EVENT_ABORT_SUB && loaded_here)
		forget();
}

void register_cache_begin(void)
{
	CacheRegisterRelcacheCallback(on_relation_changed, (Datum)0);
	RegisterXactCallback(on_transaction_end, NULL);
	RegisterSubXactCallback(on_savepoint_end, NULL);
}

uint64 register_cache_generation(void)
{
	AcceptInvalidationMessages();
	return generation;
}

bool register_cache_find(int64 gateway_id, incoming_bytes identity, known_register *found)
{
	register_key key = {gateway_id, identity.at, (uint32)identity.size};
	register_entry *entry = cache ? registers_lookup(cache, key) : NULL;

	if (!entry)
		return false;
	*found = entry->known;
	return true;
}

static void ensure_cache(void)
{
	Oid schema;

	if (cache && cache->members < MOST_ENTRIES)
		return;
	if (!memory)
		memory =
		    AllocSetContextCreate(TopMemoryContext, "smarthg registers", ALLOCSET_DEFAULT_SIZES);
	cache = NULL;
	MemoryContextReset(memory);
	schema = get_namespace_oid("smarthg", false);
	for (int i = 0; i < WATCHED; i++)
		watched[i] = get_relname_relid(watched_names[i], schema);
	cache = registers_create(memory, 1024, NULL);
}

static void keep(const unknown_register *about)
{
	incoming_bytes identity = about->reading->identity;
	register_key key = {about->gateway_id, identity.at, (uint32)identity.size};
	register_entry *entry;
	bool found;

	if (about->found->standing != REGISTER_PLAIN || registers_lookup(cache, key))
		return;
	key.bytes = memcpy(MemoryContextAlloc(memory, identity.size), identity.at, identity.size);
	entry = registers_insert(cache, key, &found);
	entry->known = *about->found;
}

Datum text_of(incoming_bytes bytes)
{
	const char *from = (const char *)bytes.at;
	char *converted = pg_any_to_server(from, (int)bytes.size, PG_UTF8);
	int size = converted == from ? (int)bytes.size : (int)strlen(converted);

	return PointerGetDatum(cstring_to_text_with_len(converted, size));
}

Datum bytea_of(incoming_bytes bytes)
{
	bytea *value = palloc(VARHDRSZ + bytes.size);

	SET_VARSIZE(value, VARHDRSZ + bytes.size);
	memcpy(VARDATA(value), bytes.at, bytes.size);
	return PointerGetDatum(value);
}

Datum array_of(Datum *values, bool *nulls, int count, Oid type)
{
	int16 length;
	bool by_value;
	char align;
	int lower = 1;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(
	    construct_md_array(values, nulls, 1, &count, &lower, type, length, by_value, align));
}

/* Columns: place in the arrays, standing, counts up, register, scale. The latest scale alone: what
 * comes with another one, or speaks of an earlier time with one, is not plain. */
static const char LOAD_QUERY[] =
    "SELECT u.n, CASE WHEN u.obis LIKE '*%' OR u.unit = '%' THEN 0 WHEN m.meter_id IS NULL THEN 2 "
    "WHEN e.register_id IS NULL OR r.unit IS DISTINCT FROM said.unit "
    "OR smarthg.obis_commodity(name.obis) <> m.commodity OR (u.unit LIKE '?%' AND m.default_bcd) "
    "THEN 0 ELSE 1 END, smarthg.unit_is_cumulative(said.unit), "
    "r.register_id, e.valid_from, e.multiplier, e.divisor "
    "FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY "
    "AS u(gateway_id, device_address, endpoint, obis, unit, n) "
    "JOIN smarthg.gateway g ON g.gateway_id = u.gateway_id "
    "LEFT JOIN smarthg.meter m ON m.gateway_id = u.gateway_id "
    "AND m.device_address = u.device_address AND m.endpoint = u.endpoint "
    "CROSS JOIN LATERAL (SELECT smarthg.obis_of_meter(u.obis, m.commodity) AS obis) AS name "
    "LEFT JOIN smarthg.register r ON r.meter_id = m.meter_id AND r.obis = name.obis "
    "CROSS JOIN LATERAL (SELECT smarthg.unit_of_meter(u.unit, m.default_unit, r.unit, "
    "m.commodity) AS unit) AS said "
    "LEFT JOIN LATERAL (SELECT * FROM smarthg.register_epoch e "
    "WHERE e.register_id = r.register_id ORDER BY e.valid_from DESC LIMIT 1) AS e ON true";

static void take_row(const unknown_register *unknown)
{
	for (uint64 i = 0; i < SPI_processed; i++) {
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc columns = SPI_tuptable->tupdesc;
		bool null;
		int64 place = DatumGetInt64(SPI_getbinval(row, columns, 1, &null));
		known_register *found = unknown[place - 1].found;

		found->standing = (register_standing)DatumGetInt32(SPI_getbinval(row, columns, 2, &null));
		if (found->standing != REGISTER_PLAIN)
			continue;
		found->counts_up = DatumGetBool(SPI_getbinval(row, columns, 3, &null));
		found->register_id = DatumGetInt64(SPI_getbinval(row, columns, 4, &null));
		found->scale_from = DatumGetTimestampTz(SPI_getbinval(row, columns, 5, &null));
		found->multiplier = DatumGetInt64(SPI_getbinval(row, columns, 6, &null));
		found->divisor = DatumGetInt64(SPI_getbinval(row, columns, 7, &null));
	}
}

void register_cache_load(const unknown_register *unknown, int count)
{
	static SPIPlanPtr plan;
	Oid types[] = {INT8ARRAYOID, BYTEAARRAYOID, INT2ARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum *columns[lengthof(types)], values[lengthof(types)];
	uint64 before;

	for (int i = 0; i < (int)lengthof(types); i++)
		columns[i] = palloc_extended(sizeof(Datum) * (Size)count, MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++) {
		const incoming_reading_bytes *reading = unknown[i].reading;

		columns[0][i] = Int64GetDatum(unknown[i].gateway_id);
		columns[1][i] = bytea_of(reading->device);
		columns[2][i] = Int16GetDatum(reading->endpoint);
		columns[3][i] = text_of(reading->obis);
		columns[4][i] = text_of(reading->unit);
		*unknown[i].found = (known_register){.standing = REGISTER_UNCLEAR};
	}
	for (int i = 0; i < (int)lengthof(types); i++)
		values[i] = array_of(columns[i], NULL, count, get_element_type(types[i]));
	ensure_cache();
	before = generation;
	if (SPI_execute_plan(kept_plan(&plan, LOAD_QUERY, lengthof(types), types), values, NULL, false,
	                     0) != SPI_OK_SELECT)
		elog(ERROR, "registers cannot be read");
	take_row(unknown);
	/* A change that came meanwhile may be later than what was read. */
	if (generation != before || !cache)
		return;
	loaded_here = true;
	for (int i = 0; i < count; i++)
		keep(&unknown[i]);
}

int64 accepted_age_us(void)
{
	static SPIPlanPtr plan;
	uint64 before;
	int64 found_us;
	bool null;

	if (age_us > 0)
		return age_us;
	ensure_cache();
	before = generation;
	/* Months differ by up to three days, days by an hour or two. */
	if (SPI_execute_plan(kept_plan(&plan,
	                               "SELECT (extract(epoch FROM accepted_age) * 0.9 * 1e6)::bigint "
	                               "FROM smarthg.settings()",
	                               0, NULL),
	                     NULL, NULL, false, 1) != SPI_OK_SELECT ||
	    SPI_processed != 1)
		elog(ERROR, "the installation's settings cannot be read");
	found_us = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	if (generation == before) {
		loaded_here = true;
		age_us = found_us;
	}
	return found_us;
}
