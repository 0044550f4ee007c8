/* Bytes of a batch to its records and parts. */
#include "ingest_batch.h"

#include "common/hashfn.h"
#include "miscadmin.h"

enum { KIND_LOST = 0 }; /* a record that says which others were lost */

typedef struct part_entry {
	int64 gateway_id;
	int part;
	char status;
} part_entry;

#define SH_PREFIX       parts
#define SH_ELEMENT_TYPE part_entry
#define SH_KEY_TYPE     int64
#define SH_KEY          gateway_id
#define SH_HASH_KEY(table, key)                                                                    \
	((uint32)murmurhash32((uint32)(key) ^ (uint32)((uint64)(key) >> 32)))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE              static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

void *grown(void *array, int count, int *room, Size size)
{
	if (count < *room)
		return array;
	*room = *room + *room / 2 + 64;
	return array ? repalloc_huge(array, size * (Size)*room)
	             : palloc_extended(size * (Size)*room, MCXT_ALLOC_HUGE);
}

static void take_readings(batch *all, batch_record *record)
{
	incoming_bytes rest = record->in.rest;
	outcome failed;

	record->first_reading = all->reading_count;
	for (int i = 0; i < record->in.readings; i++) {
		all->readings =
		    grown(all->readings, all->reading_count, &all->reading_room, sizeof(*all->readings));
		if (incoming_reading_take(&rest, &all->readings[all->reading_count++].in, &failed) !=
		    OUTCOME_OK)
			raise_outcome(&failed);
	}
	if (rest.size > 0)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this is not a batch of records"),
		         errdetail("A record goes on behind its readings.")));
}

static void take_records(batch *all, incoming_bytes bytes)
{
	outcome failed;

	while (bytes.size > 0) {
		batch_record *record;

		CHECK_FOR_INTERRUPTS();
		all->records =
		    grown(all->records, all->record_count, &all->record_room, sizeof(*all->records));
		record = &all->records[all->record_count++];
		record->odd = false;
		if (incoming_record_take(&bytes, &record->in, &failed) != OUTCOME_OK)
			raise_outcome(&failed);
		take_readings(all, record);
	}
}

static void part_by_gateway(batch *all)
{
	parts_hash *known = parts_create(CurrentMemoryContext, 64, NULL);
	int room = 0, last = -1;

	for (int i = 0; i < all->record_count; i++) {
		batch_record *record = &all->records[i];
		int64 gateway_id = record->in.gateway_id;
		gateway_part *part;

		if (last < 0 || all->parts[last].gateway_id != gateway_id) {
			bool found;
			part_entry *entry = parts_insert(known, gateway_id, &found);

			if (!found) {
				all->parts = grown(all->parts, all->part_count, &room, sizeof(*all->parts));
				all->parts[all->part_count] = (gateway_part){
				    .gateway_id = gateway_id,
				    .first_no = record->in.record_no,
				    .last_no = record->in.record_no - 1,
				    .plain = record->in.record_no > 0,
				};
				entry->part = all->part_count++;
			}
			last = entry->part;
		}
		part = &all->parts[last];
		record->part = last;
		part->plain = part->plain && record->in.kind != KIND_LOST &&
		              record->in.record_no - 1 == part->last_no;
		part->last_no = record->in.record_no;
	}
}

void batch_take(batch *all, incoming_bytes bytes)
{
	take_records(all, bytes);
	part_by_gateway(all);
}
