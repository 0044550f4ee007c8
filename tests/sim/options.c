/*
 * The simulator's command line, by getopt_long.
 */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>

enum option_value {
	OPTION_CONNECT = 256,
	OPTION_TELEGRAMS,
	OPTION_KEYS,
	OPTION_GATEWAYS,
	OPTION_SPEED,
	OPTION_WINDOW,
	OPTION_RECORDS,
	OPTION_STEP,
	OPTION_SECONDS,
	OPTION_TOGETHER,
	OPTION_SETTLE,
	OPTION_REPORT,
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

static const struct option all_options[] = {
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"telegrams", required_argument, NULL, OPTION_TELEGRAMS},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"gateways", required_argument, NULL, OPTION_GATEWAYS},
    {"speed", required_argument, NULL, OPTION_SPEED},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"records", required_argument, NULL, OPTION_RECORDS},
    {"step", required_argument, NULL, OPTION_STEP},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"together", required_argument, NULL, OPTION_TOGETHER},
    {"settle", required_argument, NULL, OPTION_SETTLE},
    {"report", no_argument, NULL, OPTION_REPORT},
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

const char sim_options_help[] =
    "Usage: smarthg-gateway-sim --telegrams FILE [--keys FILE] [OPTION]...\n\n"
    "  --connect HOST:PORT    bridge (127.0.0.1:7700)\n"
    "  --telegrams FILE       lines: eui64-hex time-ms kind address-hex telegram-hex\n"
    "  --keys FILE            lines: eui64-hex key-hex; a gateway without one does not encrypt\n"
    "  --gateways N           clones of the file's gateways where it has fewer (all of it)\n"
    "  --speed N              records a second over all gateways (0: as fast as possible)\n"
    "  --records N            records of each gateway: its telegrams again and again\n"
    "  --step MS              then their times are so far apart, from the first's on (1000)\n"
    "  --seconds S            send no more records after S seconds, and be content with those "
    "sent\n"
    "  --together S           no record before all sessions have been open for S seconds\n"
    "  --settle S             latency of the first S seconds is not told\n"
    "  --report               at the end also latency from sending to ACK, with --speed from when\n"
    "                         a record was due, and rate and CPU from first record to last ACK\n"
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

static void set_defaults(struct sim_options *options, struct sim *sim)
{
	*sim = (struct sim){0};
	*options = (struct sim_options){.connect = "127.0.0.1:7700"};
	options->together_s = -1;
	sim->window = 1000;
	sim->step_ms = 1000;
	sim->part_limit = FRAME_DEFAULT_PAYLOAD;
	sim->net_demand_kw = 0.5;
	options->stores[STORE_ESS] = (struct store_model){10, 10, -5, 5, 0.9, 50};
	options->stores[STORE_PEV] = (struct store_model){11, 40, 0, 7, 0.9, 50};
}

/* One option; a state of charge is kept as percent until all are read. */
static bool take_option(struct sim_options *options, struct sim *sim, int option, const char *value)
{
	struct store_model *ess = &options->stores[STORE_ESS], *pev = &options->stores[STORE_PEV];
	double number = value ? strtod(value, NULL) : 0;

	switch (option) {
	case OPTION_CONNECT:
		options->connect = value;
		break;
	case OPTION_TELEGRAMS:
		options->telegrams = value;
		break;
	case OPTION_KEYS:
		options->keys = value;
		break;
	case OPTION_GATEWAYS:
		options->gateways = (size_t)number;
		break;
	case OPTION_SPEED:
		options->speed = number;
		break;
	case OPTION_WINDOW:
		sim->window = (uint64_t)number;
		break;
	case OPTION_RECORDS:
		sim->records = (uint64_t)number;
		break;
	case OPTION_STEP:
		sim->step_ms = (uint64_t)number;
		break;
	case OPTION_SECONDS:
		options->seconds = number;
		break;
	case OPTION_TOGETHER:
		options->together_s = number;
		break;
	case OPTION_SETTLE:
		sim->settle_us = (int64_t)(number * 1e6);
		break;
	case OPTION_REPORT:
		options->report = true;
		break;
	case OPTION_FIRST_RECORD:
		sim->first_record = (uint64_t)number;
		break;
	case OPTION_PART:
		sim->part_limit = (size_t)number;
		break;
	case OPTION_TIMEOUT:
		options->timeout_s = number;
		break;
	case OPTION_NET_DEMAND:
		sim->net_demand_kw = number;
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
		sim->stay = true;
		break;
	case OPTION_VERBOSE:
		sim->verbose = true;
		break;
	case OPTION_FORGE:
		sim->fault = FAULT_FORGE;
		break;
	case OPTION_REPLAY:
		sim->fault = FAULT_REPLAY;
		break;
	case OPTION_GARBAGE:
		sim->fault = FAULT_GARBAGE;
		break;
	case OPTION_CLEAR:
		sim->fault = FAULT_CLEAR_AFTER_READY;
		break;
	case OPTION_DUPLICATE:
		sim->duplicate = true;
		break;
	case OPTION_REORDER:
		sim->reorder = true;
		break;
	case OPTION_GAP:
		sim->gap = true;
		break;
	default:
		return false;
	}
	return true;
}

bool sim_options_read(struct sim_options *options, struct sim *sim, int count, char **arguments)
{
	int option;

	set_defaults(options, sim);
	while ((option = getopt_long(count, arguments, "h", all_options, NULL)) != -1) {
		if (option == 'h')
			options->help = true;
		else if (!take_option(options, sim, option, optarg))
			return false;
	}
	for (int i = 0; i < COMMAND_STORES; i++)
		options->stores[i].soc_kwh *= options->stores[i].capacity_kwh / 100;
	return true;
}
