/*
 * Promises of the registry, of presence and of the configuration: gateways are
 * found by both names through reloads, a mark that goes back is noticed, records
 * already under way are known, online and offline follow the last frame, and a
 * wrong configuration value is told.
 */
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#include "../../bridge/core/configuration.h"
#include "../../bridge/core/presence.h"
#include "../../bridge/core/text.h"

static int vanished_count;

static void vanished(void *context, struct gateway *gateway)
{
	(void)context;
	(void)gateway;
	vanished_count++;
}

static struct provision provision(int64_t id)
{
	return (struct provision){.gateway_id = id,
	                          .eui64 = 0x0015bc0000000000 + (uint64_t)id,
	                          .key = {.size = 16},
	                          .key_id = 1};
}

static void test_registry(void)
{
	struct registry *registry = registry_new();
	struct provision_change change;
	struct provision one;
	bool found = true;

	ok(!registry_loaded(registry), "a new registry is not loaded");
	registry_load_begin(registry);
	for (int i = 1; i <= 5000; i++) {
		one = provision(i);
		one.committed = (uint64_t)i;
		registry_load_put(registry, &one, &change);
	}
	registry_load_end(registry, vanished, NULL);
	for (int i = 1; i <= 5000; i++) {
		struct gateway *gateway = registry_find(registry, 0x0015bc0000000000 + (uint64_t)i);

		found = found && gateway && gateway->gateway_id == i &&
		        registry_find_id(registry, i) == gateway && gateway->committed == (uint64_t)i;
	}
	ok(found && registry_count(registry) == 5000 && vanished_count == 0,
	   "5000 gateways are found by EUI-64 and by identifier");
	ok(!registry_find(registry, 1) && !registry_find_id(registry, 5001), "others are not");

	struct gateway *kept = registry_find_id(registry, 7);
	registry_load_begin(registry);
	one = provision(7);
	one.eui64 = 0xabcdef;
	registry_load_put(registry, &one, &change);
	ok(change.rekeyed && registry_find(registry, 0xabcdef) == kept &&
	       !registry_find(registry, 0x0015bc0000000007),
	   "a gateway with exchanged hardware stays the same under its new EUI-64");
	ok(kept->committed == 7 && !change.went_back,
	   "a row read before the last commits does not take them back");
	one.key.bytes[0] = 1;
	registry_load_put(registry, &one, &change);
	ok(change.rekeyed, "a new key is noticed");
	registry_load_put(registry, &one, &change);
	ok(!change.rekeyed, "the same again is no change");
	registry_load_end(registry, vanished, NULL);
	ok(vanished_count == 4999 && registry_count(registry) == 1,
	   "what is not loaded again vanishes");
	ok(!registry_find(registry, 0x0015bc0000000001) && registry_find_id(registry, 1),
	   "a vanished gateway opens no session, but its commits still find it");
	registry_free(registry);
}

/* After a restore or a failover the database has less than it had acknowledged. */
static void test_mark_goes_back(void)
{
	struct registry *registry = registry_new();
	struct provision one = provision(1);
	struct provision_change change;

	one.committed = 100;
	struct gateway *gateway = registry_load_put(registry, &one, &change);
	ok(gateway->committed == 100 && !change.went_back, "a new gateway has the database's mark");
	gateway_accept(gateway, 101);
	registry_load_asked(registry);
	gateway->committed = 101;
	registry_load_put(registry, &one, &change);
	ok(gateway->committed == 101 && !change.went_back,
	   "what was committed after the rows were asked for is not taken back by them");
	registry_load_asked(registry);
	gateway_accept(gateway, 102);
	one.committed = 60;
	registry_load_put(registry, &one, &change);
	ok(change.went_back && !change.rekeyed && gateway->committed == 60,
	   "a mark below the one at that time is taken over");
	ok(gateway_accept(gateway, 61) && gateway_accept(gateway, 62),
	   "and the records after it are new again");
	registry_load_asked(registry);
	registry_load_put(registry, &one, &change);
	ok(!change.went_back, "the same mark again is no news");
	registry_free(registry);
}

static void test_text(void)
{
	char two[] = "a\xc3\xa4\xc3", three[] = "a\xe2\x82", four[] = "a\xf0\x9f\x98";
	char whole[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", plain[] = "ab", empty[] = "";

	text_trim(two);
	text_trim(three);
	text_trim(four);
	ok(strcmp(two, "a\xc3\xa4") == 0 && strcmp(three, "a") == 0 && strcmp(four, "a") == 0,
	   "a character that was cut in two is taken off");
	text_trim(whole);
	text_trim(plain);
	text_trim(empty);
	ok(strlen(whole) == 9 && strcmp(plain, "ab") == 0 && empty[0] == '\0', "whole ones stay");
}

static void test_records_under_way(void)
{
	struct gateway gateway = {.committed = 10, .accepted = 10};

	ok(!gateway_accept(&gateway, 10), "a committed record is not new");
	ok(gateway_accept(&gateway, 11) && !gateway_accept(&gateway, 11) && gateway.accepted == 11,
	   "a record is new once");
	ok(gateway_accept(&gateway, 14) && gateway_accept(&gateway, 13) &&
	       !gateway_accept(&gateway, 14) && gateway.accepted == 11,
	   "records ahead of a missing one are new once");
	ok(gateway_accept(&gateway, 12) && gateway.accepted == 14, "the missing one closes the gap");
	ok(gateway_accept(&gateway, 14 + 64) && gateway_accept(&gateway, 14 + 65) &&
	       gateway_accept(&gateway, 14 + 65),
	   "far ahead nothing is remembered: the database tells");
	gateway_advance(&gateway, 77);
	ok(gateway.accepted == 78 && gateway.ahead == 0 && !gateway_accept(&gateway, 77),
	   "advancing joins what is ahead");
	gateway_advance(&gateway, 1000);
	ok(gateway.accepted == 1000 && gateway.ahead == 0, "and leaps over what is lost");
	gateway_restart(&gateway);
	ok(gateway_accept(&gateway, 11), "after a failure everything uncommitted is new again");
}

static int changes, expiries;
static bool last_online;

static void changed(void *context, struct gateway *gateway, bool online, const char *reason)
{
	(void)context;
	(void)gateway;
	(void)reason;
	changes++;
	last_online = online;
}

static void expired(void *context, struct gateway *gateway)
{
	(void)context;
	gateway->session = 0;
	expiries++;
}

static void test_presence(void)
{
	struct presence presence = {
	    .offline_ms = 1000, .expire_ms = 10000, .changed = changed, .expired = expired};
	struct gateway a = {.session = 1, .connection = (struct connection *)&a};
	struct gateway b = {.session = 2, .connection = (struct connection *)&b};
	struct gateway silent = {0};

	presence_online(&presence, &a, 0);
	presence_online(&presence, &b, 500);
	ok(changes == 2 && last_online, "a gateway is online from READY on");
	presence_seen(&presence, &a, 900);
	presence_tick(&presence, 1400);
	ok(changes == 2, "within the interval nothing changes");
	presence_tick(&presence, 1500);
	ok(changes == 3 && !last_online && !b.online && a.online,
	   "without a frame for the interval it is offline, the others are not");
	presence_tick(&presence, 1600);
	ok(changes == 3, "it goes offline once");
	presence_seen(&presence, &b, 1700);
	ok(changes == 4 && b.online, "a frame on its connection brings it back");
	presence_hold(&presence, true, 1700);
	presence_tick(&presence, 9000);
	ok(changes == 4, "while nothing is read nobody goes offline");
	presence_hold(&presence, false, 9000);
	presence_tick(&presence, 9500);
	ok(changes == 4, "and the time before does not count");
	presence_tick(&presence, 10000);
	ok(changes == 6 && !a.online && !b.online, "the time after does");
	presence_tick(&presence, 20000);
	ok(expiries == 2, "without a frame for the session's lifetime the session ends");
	presence_expect(&presence, &silent, 20000);
	presence_tick(&presence, 20999);
	int before = changes;
	presence_tick(&presence, 21000);
	ok(before == 6 && changes == 7 && silent.reported,
	   "a gateway that never came is reported offline once, after the interval");
	ok(presence.watched.count == 0 && presence.sessions.count == 0 && !presence.watched.oldest,
	   "nothing is watched for nothing");
}

static bool rejects(const char *key, const char *value, const char *told)
{
	struct configuration configuration;
	char message[300] = "";

	configuration_defaults(&configuration);
	return !configuration_set(&configuration, key, value, message, sizeof(message)) &&
	       strstr(message, told);
}

static void test_configuration(void)
{
	struct configuration configuration;
	char message[300], path[] = "/tmp/test_bridge_configuration.XXXXXX";
	int file = mkstemp(path);
	static const char text[] = "# a comment\n\n  listen = 0.0.0.0:1234  \nsecurity=optional\n"
	                           "offline_factor = 3.5\nbatch_records = many\n";

	configuration_defaults(&configuration);
	ok(configuration.batch_records == 1000 && configuration.batch_ms == 50 &&
	       configuration.security_required && configuration.offline_factor == 2.5 &&
	       configuration.max_payload == 16384 && configuration.session_seconds == 86400,
	   "the defaults are those of the specification");
	ok(rejects("batch_ms", "0", "batch_ms must be") && rejects("batch_ms", "1.5", "whole number") &&
	       rejects("batch_ms", "5x", "5x") && rejects("batch_ms", "", "batch_ms") &&
	       rejects("offline_factor", "nan", "offline_factor"),
	   "a wrong number is refused by name");
	ok(rejects("security", "maybe", "required or optional") &&
	       rejects("log_level", "loud", "debug") && rejects("colour", "red", "colour"),
	   "a wrong word and an unknown key are refused by name");
	bool written = write(file, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;
	close(file);
	ok(written && !configuration_read(&configuration, path, message, sizeof(message)) &&
	       strstr(message, "line 6: batch_records") &&
	       strcmp(configuration.listen, "0.0.0.0:1234") == 0 && !configuration.security_required &&
	       configuration.offline_factor == 3.5,
	   "a file is read up to its first wrong line, which is named");
	unlink(path);
	ok(!configuration_read(&configuration, path, message, sizeof(message)) && strstr(message, path),
	   "a missing file is named");
}

int main(void)
{
	test_registry();
	test_mark_goes_back();
	test_text();
	test_records_under_way();
	test_presence();
	test_configuration();
	return tap_done();
}
