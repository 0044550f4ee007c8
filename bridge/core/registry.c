/*
 * The gateways by two chained hash tables over the same objects; filled by
 * backend/gateways, read by core/hosts for every HELLO and every commit.
 */
#include "registry.h"

#include <stdlib.h>

struct registry {
	struct gateway **by_eui64, **by_id;
	size_t buckets; /* a power of two */
	size_t count;   /* of objects, unknown ones included */
	size_t known;
	uint32_t load;
	bool loaded;
};

/* Spreads identifiers that are often consecutive (finaliser of splitmix64). */
static size_t bucket_of(const struct registry *registry, uint64_t key)
{
	key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
	return (key ^ key >> 31) & (registry->buckets - 1);
}

static void link_gateway(struct registry *registry, struct gateway *gateway)
{
	struct gateway **eui64 = &registry->by_eui64[bucket_of(registry, gateway->eui64)];
	struct gateway **id = &registry->by_id[bucket_of(registry, (uint64_t)gateway->gateway_id)];

	gateway->next_by_eui64 = *eui64;
	*eui64 = gateway;
	gateway->next_by_id = *id;
	*id = gateway;
}

static void unlink_eui64(struct registry *registry, struct gateway *gateway)
{
	struct gateway **at = &registry->by_eui64[bucket_of(registry, gateway->eui64)];

	while (*at != gateway)
		at = &(*at)->next_by_eui64;
	*at = gateway->next_by_eui64;
}

static bool grow(struct registry *registry)
{
	struct registry larger = *registry;

	larger.buckets = registry->buckets ? registry->buckets * 2 : 64;
	larger.by_eui64 = calloc(larger.buckets, sizeof(*larger.by_eui64));
	larger.by_id = calloc(larger.buckets, sizeof(*larger.by_id));
	if (!larger.by_eui64 || !larger.by_id) {
		free(larger.by_eui64);
		free(larger.by_id);
		return false;
	}
	for (size_t i = 0; i < registry->buckets; i++)
		for (struct gateway *gateway = registry->by_id[i], *next; gateway; gateway = next) {
			next = gateway->next_by_id;
			link_gateway(&larger, gateway);
		}
	free(registry->by_eui64);
	free(registry->by_id);
	*registry = larger;
	return true;
}

struct registry *registry_new(void)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	if (registry && !grow(registry)) {
		free(registry);
		return NULL;
	}
	return registry;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < registry->buckets; i++)
		for (struct gateway *gateway = registry->by_id[i], *next; gateway; gateway = next) {
			next = gateway->next_by_id;
			security_wipe(&gateway->key, sizeof(gateway->key));
			free(gateway);
		}
	free(registry->by_eui64);
	free(registry->by_id);
	free(registry);
}

struct gateway *registry_find(struct registry *registry, uint64_t eui64)
{
	struct gateway *gateway = registry->by_eui64[bucket_of(registry, eui64)];

	while (gateway && !(gateway->eui64 == eui64 && gateway->known))
		gateway = gateway->next_by_eui64;
	return gateway;
}

struct gateway *registry_find_id(struct registry *registry, int64_t gateway_id)
{
	struct gateway *gateway = registry->by_id[bucket_of(registry, (uint64_t)gateway_id)];

	while (gateway && gateway->gateway_id != gateway_id)
		gateway = gateway->next_by_id;
	return gateway;
}

void registry_load_asked(struct registry *registry)
{
	for (size_t i = 0; i < registry->buckets; i++)
		for (struct gateway *gateway = registry->by_id[i]; gateway; gateway = gateway->next_by_id)
			gateway->asked = gateway->committed;
}

void registry_load_begin(struct registry *registry)
{
	registry->load++;
	registry->known = 0;
}

static struct gateway *add_gateway(struct registry *registry, const struct provision *provision)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));

	if (!gateway || (registry->count >= registry->buckets && !grow(registry))) {
		free(gateway);
		return NULL;
	}
	gateway->gateway_id = provision->gateway_id;
	gateway->eui64 = provision->eui64;
	link_gateway(registry, gateway);
	registry->count++;
	return gateway;
}

/* The same gateway with another EUI-64: hardware was exchanged. */
static void rename_gateway(struct registry *registry, struct gateway *gateway, uint64_t eui64)
{
	struct gateway **bucket;

	unlink_eui64(registry, gateway);
	gateway->eui64 = eui64;
	bucket = &registry->by_eui64[bucket_of(registry, eui64)];
	gateway->next_by_eui64 = *bucket;
	*bucket = gateway;
}

struct gateway *registry_load_put(struct registry *registry, const struct provision *provision,
                                  struct provision_change *change)
{
	struct gateway *gateway = registry_find_id(registry, provision->gateway_id);

	*change = (struct provision_change){0};
	if (!gateway)
		gateway = add_gateway(registry, provision);
	else
		change->rekeyed = gateway->eui64 != provision->eui64 ||
		                  gateway->key_id != provision->key_id ||
		                  gateway->security_required != provision->security_required ||
		                  gateway->key.size != provision->key.size ||
		                  !security_equal(gateway->key.bytes, provision->key.bytes, LINK_KEY_MAX);
	if (!gateway)
		return NULL;
	if (gateway->eui64 != provision->eui64)
		rename_gateway(registry, gateway, provision->eui64);
	gateway->key = provision->key;
	gateway->key_id = provision->key_id;
	gateway->security_required = provision->security_required;
	gateway->known = true;
	registry->known += gateway->load != registry->load;
	gateway->load = registry->load;
	/* A mark below the bridge's may only be older; below what it was when asked for, it is less. */
	change->went_back = provision->committed < gateway->asked;
	if (change->went_back || provision->committed > gateway->committed)
		gateway->committed = provision->committed;
	if (change->went_back)
		gateway_restart(gateway);
	gateway_advance(gateway, gateway->committed);
	return gateway;
}

void registry_load_end(struct registry *registry,
                       void (*vanished)(void *context, struct gateway *gateway), void *context)
{
	registry->loaded = true;
	for (size_t i = 0; i < registry->buckets; i++)
		for (struct gateway *gateway = registry->by_id[i]; gateway; gateway = gateway->next_by_id)
			if (gateway->known && gateway->load != registry->load) {
				gateway->known = false;
				security_wipe(&gateway->key, sizeof(gateway->key));
				vanished(context, gateway);
			}
}

bool registry_loaded(const struct registry *registry)
{
	return registry->loaded;
}

size_t registry_count(const struct registry *registry)
{
	return registry->known;
}

void registry_each(struct registry *registry, void (*visit)(void *context, struct gateway *gateway),
                   void *context)
{
	for (size_t i = 0; i < registry->buckets; i++)
		for (struct gateway *gateway = registry->by_id[i]; gateway; gateway = gateway->next_by_id)
			if (gateway->known)
				visit(context, gateway);
}

bool gateway_accept(struct gateway *gateway, uint64_t record_no)
{
	if (record_no <= gateway->accepted)
		return false;
	uint64_t offset = record_no - gateway->accepted - 1;
	if (offset >= 64)
		return true;
	if (gateway->ahead >> offset & 1)
		return false;
	gateway->ahead |= UINT64_C(1) << offset;
	for (; gateway->ahead & 1; gateway->ahead >>= 1)
		gateway->accepted++;
	return true;
}

void gateway_restart(struct gateway *gateway)
{
	gateway->accepted = gateway->committed;
	gateway->ahead = 0;
	gateway->refused = false;
}

void gateway_advance(struct gateway *gateway, uint64_t record_no)
{
	if (record_no <= gateway->accepted)
		return;
	uint64_t distance = record_no - gateway->accepted;
	gateway->ahead = distance < 64 ? gateway->ahead >> distance : 0;
	gateway->accepted = record_no;
	for (; gateway->ahead & 1; gateway->ahead >>= 1)
		gateway->accepted++;
}
