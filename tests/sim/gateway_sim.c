/*
 * smarthg-gateway-sim: plays any number of SmartAMM gateways against a bridge,
 * for tests, benchmarks and the demonstration. Ends with success when every
 * record is acknowledged, or, with a fault switch, when every gateway was
 * refused; with --stay it goes on to answer commands until it is stopped.
 */
#include <event2/event.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../../bridge/core/clock.h"
#include "sim_gateway.h"

enum { ALLOWANCE_MS = 10 };

struct run {
	struct sim sim;
	const char *connect, *telegrams, *keys;
	size_t gateways; /* 0: those of the file */
	double speed;    /* records a second over all gateways, 0: no limit */
	double timeout_s;
	double speed_rest;
	struct store_model stores[COMMAND_STORES];
	struct telegram_file file;
	struct key_file key_file;
	struct sim_gateway *all;
	size_t turn; /* gateway that sends first */
	bool timed_out;
};

enum option_value {
	OPTION_CONNECT = 256,
	OPTION_TELEGRAMS,
	OPTION_KEYS,
	OPTION_GATEWAYS,
	OPTION_SPEED,
	OPTION_WINDOW,
	OPTION_FIRST_RECORD,
	OPTION_PART,
	OPTION_TIMEOUT,
	OPTION_NET_DEMAND,
	OPTION_ESS_CAPACITY,
	OPTION_ESS_POWER,
	OPTION_ESS_ENDPOINT,
	OPTION_PEV_CAPACITY,
	OPTION_PEV_POWER,
	OPTION_PEV_ENDPOINT,
	OPTION_EFFICIENCY,
	OPTION_SOC,
	OPTION_STAY,
	OPTION_VERBOSE,
	OPTION_FORGE,
	OPTION_REPLAY,
	OPTION_GARBAGE,
	OPTION_CLEAR,
	OPTION_DUPLICATE,
	OPTION_REORDER,
	OPTION_GAP,
};

static const struct option options[] = {
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"telegrams", required_argument, NULL, OPTION_TELEGRAMS},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"gateways", required_argument, NULL, OPTION_GATEWAYS},
    {"speed", required_argument, NULL, OPTION_SPEED},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"first-record", required_argument, NULL, OPTION_FIRST_RECORD},
    {"part", required_argument, NULL, OPTION_PART},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"net-demand", required_argument, NULL, OPTION_NET_DEMAND},
    {"ess-capacity", required_argument, NULL, OPTION_ESS_CAPACITY},
    {"ess-power", required_argument, NULL, OPTION_ESS_POWER},
    {"ess-endpoint", required_argument, NULL, OPTION_ESS_ENDPOINT},
    {"pev-capacity", required_argument, NULL, OPTION_PEV_CAPACITY},
    {"pev-power", required_argument, NULL, OPTION_PEV_POWER},
    {"pev-endpoint", required_argument, NULL, OPTION_PEV_ENDPOINT},
    {"efficiency", required_argument, NULL, OPTION_EFFICIENCY},
    {"soc", required_argument, NULL, OPTION_SOC},
    {"stay", no_argument, NULL, OPTION_STAY},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"forge", no_argument, NULL, OPTION_FORGE},
    {"replay", no_argument, NULL, OPTION_REPLAY},
    {"garbage", no_argument, NULL, OPTION_GARBAGE},
    {"clear-after-ready", no_argument, NULL, OPTION_CLEAR},
    {"duplicate", no_argument, NULL, OPTION_DUPLICATE},
    {"reorder", no_argument, NULL, OPTION_REORDER},
    {"gap", no_argument, NULL, OPTION_GAP},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: smarthg-gateway-sim --telegrams FILE [--keys FILE] [OPTION]...\n\n"
    "  --connect HOST:PORT    bridge (127.0.0.1:7700)\n"
    "  --telegrams FILE       lines: eui64-hex time-ms kind address-hex telegram-hex\n"
    "  --keys FILE            lines: eui64-hex key-hex; a gateway without one does not encrypt\n"
    "  --gateways N           clones of the file's gateways where it has fewer (all of it)\n"
    "  --speed N              records a second over all gateways (0: as fast as possible)\n"
    "  --window N             records of a gateway on their way unacknowledged (1000)\n"
    "  --first-record N       all records before N are dropped, and declared lost (1)\n"
    "  --part N               bytes of payload in one frame (16384)\n"
    "  --timeout S            fail after S seconds (0: never)\n"
    "  --stay                 go on when all is sent, to answer commands\n"
    "  --verbose              print sessions\n"
    "Stores of each home, which execute commands:\n"
    "  --ess-capacity KWH (10)  --ess-power KW (5)  --ess-endpoint N (10)\n"
    "  --pev-capacity KWH (40)  --pev-power KW (7)  --pev-endpoint N (11)\n"
    "  --efficiency E (0.9)  --soc PERCENT (50)  --net-demand KW (0.5)\n"
    "Misbehaviour; success is to be refused:\n"
    "  --forge  --replay  --garbage  --clear-after-ready\n"
    "  --gap                  what is before --first-record is not declared lost\n"
    "Harmless disorder:\n"
    "  --duplicate  --reorder\n";

static void set_defaults(struct run *run)
{
	*run = (struct run){.connect = "127.0.0.1:7700"};
	run->sim.window = 1000;
	run->sim.part_limit = FRAME_DEFAULT_PAYLOAD;
	run->sim.net_demand_kw = 0.5;
	run->stores[STORE_ESS] = (struct store_model){10, 10, -5, 5, 0.9, 50};
	run->stores[STORE_PEV] = (struct store_model){11, 40, 0, 7, 0.9, 50};
}

/* One option; a state of charge is kept as percent until all are read. */
static bool take_option(struct run *run, int option, const char *value)
{
	struct store_model *ess = &run->stores[STORE_ESS], *pev = &run->stores[STORE_PEV];
	double number = value ? strtod(value, NULL) : 0;

	switch (option) {
	case OPTION_CONNECT:
		run->connect = value;
		break;
	case OPTION_TELEGRAMS:
		run->telegrams = value;
		break;
	case OPTION_KEYS:
		run->keys = value;
		break;
	case OPTION_GATEWAYS:
		run->gateways = (size_t)number;
		break;
	case OPTION_SPEED:
		run->speed = number;
		break;
	case OPTION_WINDOW:
		run->sim.window = (uint64_t)number;
		break;
	case OPTION_FIRST_RECORD:
		run->sim.first_record = (uint64_t)number;
		break;
	case OPTION_PART:
		run->sim.part_limit = (size_t)number;
		break;
	case OPTION_TIMEOUT:
		run->timeout_s = number;
		break;
	case OPTION_NET_DEMAND:
		run->sim.net_demand_kw = number;
		break;
	case OPTION_ESS_CAPACITY:
		ess->capacity_kwh = number;
		break;
	case OPTION_ESS_POWER:
		ess->max_kw = number;
		ess->min_kw = -number;
		break;
	case OPTION_ESS_ENDPOINT:
		ess->endpoint = (uint8_t)number;
		break;
	case OPTION_PEV_CAPACITY:
		pev->capacity_kwh = number;
		break;
	case OPTION_PEV_POWER:
		pev->max_kw = number;
		break;
	case OPTION_PEV_ENDPOINT:
		pev->endpoint = (uint8_t)number;
		break;
	case OPTION_EFFICIENCY:
		ess->efficiency = pev->efficiency = number;
		break;
	case OPTION_SOC:
		ess->soc_kwh = pev->soc_kwh = number;
		break;
	case OPTION_STAY:
		run->sim.stay = true;
		break;
	case OPTION_VERBOSE:
		run->sim.verbose = true;
		break;
	case OPTION_FORGE:
		run->sim.fault = FAULT_FORGE;
		break;
	case OPTION_REPLAY:
		run->sim.fault = FAULT_REPLAY;
		break;
	case OPTION_GARBAGE:
		run->sim.fault = FAULT_GARBAGE;
		break;
	case OPTION_CLEAR:
		run->sim.fault = FAULT_CLEAR_AFTER_READY;
		break;
	case OPTION_DUPLICATE:
		run->sim.duplicate = true;
		break;
	case OPTION_REORDER:
		run->sim.reorder = true;
		break;
	case OPTION_GAP:
		run->sim.gap = true;
		break;
	default:
		return false;
	}
	return true;
}

static bool resolve(struct run *run)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char host[256];
	const char *colon = strrchr(run->connect, ':');

	if (!colon || (size_t)(colon - run->connect) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - run->connect), run->connect);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return false;
	memcpy(&run->sim.address, found->ai_addr, found->ai_addrlen);
	run->sim.address_size = (int)found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

/* How far clones of the file's gateways are apart, so that no two are the same. */
static uint64_t clone_distance(const struct telegram_file *file)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 0; i < file->count; i++) {
		least = file->sources[i].eui64 < least ? file->sources[i].eui64 : least;
		most = file->sources[i].eui64 > most ? file->sources[i].eui64 : most;
	}
	return most - least + 1;
}

static bool start_gateways(struct run *run)
{
	uint64_t distance = clone_distance(&run->file);

	if (run->gateways == 0)
		run->gateways = run->file.count;
	run->all = calloc(run->gateways, sizeof(*run->all));
	for (size_t i = 0; run->all && i < run->gateways; i++) {
		struct sim_gateway *gateway = &run->all[i];
		const struct link_key *key;

		gateway->sim = &run->sim;
		gateway->source = &run->file.sources[i % run->file.count];
		gateway->eui64 = gateway->source->eui64 + i / run->file.count * distance;
		key = key_file_find(&run->key_file, gateway->eui64);
		if (key)
			gateway->key = *key;
		memcpy(gateway->stores, run->stores, sizeof(gateway->stores));
		if (!sim_gateway_start(gateway))
			return false;
	}
	return run->all != NULL;
}

/* Gives out what the speed allows since the last time, the gateways in turn. */
static void on_allowance(evutil_socket_t socket, short what, void *context)
{
	struct run *run = context;
	double fresh = run->speed * ALLOWANCE_MS / 1000 + run->speed_rest;

	(void)socket;
	(void)what;
	run->sim.allowance = (uint64_t)fresh;
	run->speed_rest = fresh - (double)run->sim.allowance;
	for (size_t i = 0; i < run->gateways && run->sim.allowance > 0; i++) {
		uint64_t before = run->sim.allowance, share = before / run->gateways + 1;
		uint64_t kept = before > share ? before - share : 0;

		run->sim.allowance = before - kept;
		sim_gateway_pump(&run->all[run->turn++ % run->gateways]);
		run->sim.allowance += kept;
	}
	run->sim.allowance = 0;
}

static void on_timeout(evutil_socket_t socket, short what, void *context)
{
	struct run *run = context;

	(void)socket;
	(void)what;
	run->timed_out = true;
	event_base_loopbreak(run->sim.base);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct run *run = context;

	(void)number;
	(void)what;
	event_base_loopbreak(run->sim.base);
}

static struct timeval interval(double seconds)
{
	return (struct timeval){(time_t)seconds,
	                        (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
}

static void loop(struct run *run)
{
	struct timeval every = interval(ALLOWANCE_MS / 1000.0), limit = interval(run->timeout_s);
	struct event *allowance = event_new(run->sim.base, -1, EV_PERSIST, on_allowance, run);
	struct event *timeout = evtimer_new(run->sim.base, on_timeout, run);
	struct event *term = evsignal_new(run->sim.base, SIGTERM, on_signal, run);
	struct event *interrupt = evsignal_new(run->sim.base, SIGINT, on_signal, run);

	run->sim.limited = run->speed > 0;
	if (run->sim.limited)
		event_add(allowance, &every);
	if (run->timeout_s > 0)
		event_add(timeout, &limit);
	event_add(term, NULL);
	event_add(interrupt, NULL);
	event_base_dispatch(run->sim.base);
	event_free(allowance);
	event_free(timeout);
	event_free(term);
	event_free(interrupt);
}

static int play(struct run *run)
{
	int64_t start_ms = clock_steady_ms();

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	run->sim.base = event_base_new();
	if (!run->sim.base || !start_gateways(run)) {
		fprintf(stderr, "smarthg-gateway-sim: out of memory\n");
		return EXIT_FAILURE;
	}
	loop(run);
	double seconds = (double)(clock_steady_ms() - start_ms) / 1000;
	bool good = !run->timed_out && run->sim.accepted_faults == 0 && run->sim.busy == 0;
	printf("gateways=%zu acknowledged=%" PRIu64 " seconds=%.3f per_second=%.0f reconnects=%" PRIu64
	       " executed=%" PRIu64 " refused=%" PRIu64 " unfinished=%zu went_back=%" PRIu64 "\n",
	       run->gateways, run->sim.acknowledged, seconds,
	       (double)run->sim.acknowledged / (seconds > 0 ? seconds : 1), run->sim.reconnects,
	       run->sim.executed, run->sim.refused, run->sim.busy, run->sim.went_back);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void release(struct run *run)
{
	for (size_t i = 0; run->all && i < run->gateways; i++)
		sim_gateway_free(&run->all[i]);
	free(run->all);
	if (run->sim.base)
		event_base_free(run->sim.base);
	telegram_file_free(&run->file);
	key_file_free(&run->key_file);
}

static int fail(const char *what)
{
	fprintf(stderr, "smarthg-gateway-sim: %s\n", what);
	return 2;
}

int main(int count, char **arguments)
{
	struct run run;
	struct rlimit limit;
	char message[400];
	int option, status;

	set_defaults(&run);
	while ((option = getopt_long(count, arguments, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (!take_option(&run, option, optarg))
			return fail("see --help");
	}
	for (int i = 0; i < COMMAND_STORES; i++)
		run.stores[i].soc_kwh *= run.stores[i].capacity_kwh / 100;
	if (!run.telegrams)
		return fail("--telegrams FILE is missing");
	if (run.sim.window == 0 || run.sim.part_limit == 0 || run.sim.part_limit > UINT16_MAX)
		return fail("--window and --part must be positive");
	if (!resolve(&run))
		return fail("--connect must be HOST:PORT");
	if (!telegram_file_read(&run.file, run.telegrams, message, sizeof(message)) ||
	    (run.keys && !key_file_read(&run.key_file, run.keys, message, sizeof(message))))
		return fail(message);
	if (run.file.count == 0)
		return fail("the file has no telegrams");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	status = play(&run);
	release(&run);
	return status;
}
