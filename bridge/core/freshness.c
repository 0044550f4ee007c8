/*
 * A hash table with open addressing, at most half full, of 56 bytes an entry; only
 * meters whose key is known get in. Times are seconds since 1970.
 */
#include "freshness.h"

#include <stdlib.h>

enum {
	PER_MINUTE = 16,   /* sessions that a session number has room for; messages are fewer */
	SLACK_MINUTES = 2, /* a minute begun at both ends */
};

/* A counter and when it was heard. */
struct mark {
	uint32_t counter, heard_s;
};

struct entry {
	int64_t gateway_id;
	uint8_t device[MBUS_DEVICE_SIZE];
	uint8_t kind; /* enum meter_counter_kind; COUNTER_NONE: free */
	bool changed; /* the highest, since it was taken */
	bool listed;  /* among the marks that are being loaded */
	bool single;  /* the highest is of one telegram, which another has not borne out yet */
	bool has_late, has_leap;
	uint32_t key_check;
	struct mark highest;
	struct mark late; /* of the last telegram that was heard before the highest and came after it */
	struct mark leap; /* above the highest, waiting for another one */
};

struct freshness {
	struct entry *entries;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

struct freshness *freshness_new(void)
{
	return calloc(1, sizeof(struct freshness));
}

void freshness_free(struct freshness *freshness)
{
	if (freshness)
		free(freshness->entries);
	free(freshness);
}

/* The entry of a gateway, device and kind, or the free one where it belongs. */
static struct entry *place(struct entry *entries, size_t capacity, int64_t gateway_id,
                           const uint8_t *device, uint8_t kind)
{
	uint64_t hash;

	memcpy(&hash, device, sizeof(hash));
	hash = (hash ^ hash >> 32 ^ kind) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ (uint64_t)gateway_id) * UINT64_C(0x9e3779b97f4a7c15);
	size_t slot = (hash >> 32) & (capacity - 1);
	while (entries[slot].kind != COUNTER_NONE &&
	       (entries[slot].kind != kind || entries[slot].gateway_id != gateway_id ||
	        memcmp(entries[slot].device, device, MBUS_DEVICE_SIZE) != 0))
		slot = (slot + 1) & (capacity - 1);
	return &entries[slot];
}

/* Moves all entries, or those that are to stay, to a table of this capacity. */
static bool rebuild(struct freshness *freshness, size_t capacity,
                    bool (*stays)(const struct entry *entry))
{
	struct entry *entries = calloc(capacity, sizeof(*entries));
	size_t count = 0;

	if (!entries)
		return false;
	for (size_t i = 0; i < freshness->capacity; i++) {
		const struct entry *entry = &freshness->entries[i];

		if (entry->kind == COUNTER_NONE || (stays && !stays(entry)))
			continue;
		*place(entries, capacity, entry->gateway_id, entry->device, entry->kind) = *entry;
		count++;
	}
	free(freshness->entries);
	*freshness = (struct freshness){entries, capacity, count};
	return true;
}

/* NULL: no memory. */
static struct entry *entry_of(struct freshness *freshness, int64_t gateway_id,
                              const struct meter_counter *counter)
{
	if ((freshness->count + 1) * 2 > freshness->capacity &&
	    !rebuild(freshness, freshness->capacity ? freshness->capacity * 2 : 64, NULL))
		return NULL;
	return place(freshness->entries, freshness->capacity, gateway_id, counter->device,
	             (uint8_t)counter->kind);
}

static void begin(struct freshness *freshness, struct entry *entry, int64_t gateway_id,
                  const struct meter_counter *counter, uint32_t heard_s)
{
	freshness->count += entry->kind == COUNTER_NONE;
	*entry = (struct entry){.gateway_id = gateway_id,
	                        .kind = (uint8_t)counter->kind,
	                        .key_check = counter->key_check,
	                        .highest = {counter->value, heard_s}};
	memcpy(entry->device, counter->device, MBUS_DEVICE_SIZE);
}

/* Whether a telegram heard at `now` cannot be as old as its counter says by this mark. */
static bool is_later(struct mark now, struct mark mark, int64_t tolerance_ms)
{
	return ((int64_t)now.heard_s - mark.heard_s) * 1000 > tolerance_ms;
}

/* Whether a meter counts so far in the time. */
static bool within_reach(struct mark now, struct mark from)
{
	uint64_t seconds = now.heard_s > from.heard_s ? now.heard_s - from.heard_s : 0;

	return now.counter > from.counter &&
	       now.counter - from.counter <= PER_MINUTE * (seconds / 60 + SLACK_MINUTES);
}

static bool accepts_higher(struct entry *entry, struct mark now, int64_t tolerance_ms)
{
	if (within_reach(now, entry->highest) || (entry->has_leap && within_reach(now, entry->leap))) {
		entry->highest = now;
		entry->changed = true;
		entry->single = false;
		entry->has_leap = entry->has_leap && entry->leap.counter > now.counter;
		return true;
	}
	if (entry->has_leap && now.counter == entry->leap.counter)
		return !is_later(now, entry->leap, tolerance_ms);
	entry->leap = now;
	entry->has_leap = true;
	return true;
}

/* As late as it comes, it was heard in its turn among others that came late. */
static bool accepts_late(struct entry *entry, struct mark now, int64_t tolerance_ms)
{
	if (entry->has_late && now.counter <= entry->late.counter) {
		if (is_later(now, entry->late, tolerance_ms))
			return false;
		/* A mark that followed what the tolerance lets pass would walk on with it. */
		if (now.counter == entry->late.counter || now.heard_s > entry->late.heard_s)
			return true;
	}
	entry->late = now;
	entry->has_late = true;
	return true;
}

bool freshness_accepts(struct freshness *freshness, int64_t gateway_id,
                       const struct meter_counter *counter, int64_t heard_ms, int64_t tolerance_ms)
{
	struct entry *entry = entry_of(freshness, gateway_id, counter);
	struct mark now = {counter->value, (uint32_t)(heard_ms / 1000)};

	if (!entry)
		return true;
	if (entry->kind == COUNTER_NONE || entry->key_check != counter->key_check) {
		begin(freshness, entry, gateway_id, counter, now.heard_s);
		entry->changed = entry->single = true;
		return true;
	}
	if (now.counter > entry->highest.counter)
		return accepts_higher(entry, now, tolerance_ms);
	if (is_later(now, entry->highest, tolerance_ms)) {
		if (!entry->single || now.counter == entry->highest.counter)
			return false;
		entry->highest = now;
		return true;
	}
	return now.counter == entry->highest.counter || accepts_late(entry, now, tolerance_ms);
}

bool freshness_take(struct freshness *freshness, size_t *at, struct freshness_mark *out)
{
	for (; *at < freshness->capacity; ++*at) {
		struct entry *entry = &freshness->entries[*at];

		if (entry->kind == COUNTER_NONE || !entry->changed || entry->single)
			continue;
		entry->changed = false;
		out->counter = (struct meter_counter){.kind = (enum meter_counter_kind)entry->kind,
		                                      .key_check = entry->key_check,
		                                      .value = entry->highest.counter};
		memcpy(out->counter.device, entry->device, MBUS_DEVICE_SIZE);
		out->gateway_id = entry->gateway_id;
		out->heard_ms = INT64_C(1000) * entry->highest.heard_s;
		return true;
	}
	return false;
}

void freshness_not_kept(struct freshness *freshness)
{
	for (size_t i = 0; i < freshness->capacity; i++)
		freshness->entries[i].changed = true;
}

void freshness_load_begin(struct freshness *freshness)
{
	for (size_t i = 0; i < freshness->capacity; i++)
		freshness->entries[i].listed = false;
}

void freshness_load_put(struct freshness *freshness, const struct freshness_mark *mark)
{
	struct entry *entry = entry_of(freshness, mark->gateway_id, &mark->counter);
	uint32_t heard_s = (uint32_t)(mark->heard_ms / 1000);

	if (!entry)
		return;
	if (entry->kind == COUNTER_NONE)
		begin(freshness, entry, mark->gateway_id, &mark->counter, heard_s);
	else if (entry->key_check == mark->counter.key_check &&
	         entry->highest.counter < mark->counter.value)
		entry->highest = (struct mark){mark->counter.value, heard_s};
	entry->listed = true;
}

static bool is_kept(const struct entry *entry)
{
	return entry->changed || entry->listed;
}

void freshness_load_end(struct freshness *freshness)
{
	if (freshness->capacity > 0)
		rebuild(freshness, freshness->capacity, is_kept);
}

size_t freshness_count(const struct freshness *freshness)
{
	return freshness->count;
}
