/*
 * smarthg-gateway-sim: plays any number of SmartAMM gateways against a bridge,
 * for tests, benchmarks and the demonstration. Ends with success when every
 * record is acknowledged, or, with a fault switch, when every gateway was
 * refused; with --stay it goes on to answer commands until it is stopped.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../../bridge/core/clock.h"
#include "options.h"

enum { TICK_US = 1000 }; /* records due in between go out together */

struct run {
	struct sim sim;
	struct sim_options options;
	struct rusage began; /* what the process had used when the first record was sent */
	struct telegram_file file;
	struct key_file key_file;
	struct sim_gateway *all;
	struct event *go, *stop;
	uint64_t behind; /* records that were due and not sent when it stopped */
	bool timed_out;
};

static bool resolve(struct run *run)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char host[256];
	const char *colon = strrchr(run->options.connect, ':');

	if (!colon || (size_t)(colon - run->options.connect) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - run->options.connect), run->options.connect);
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

	if (run->options.gateways == 0)
		run->options.gateways = run->file.count;
	run->all = calloc(run->options.gateways, sizeof(*run->all));
	for (size_t i = 0; run->all && i < run->options.gateways; i++) {
		struct sim_gateway *gateway = &run->all[i];
		const struct link_key *key;

		gateway->sim = &run->sim;
		gateway->turn = i;
		gateway->source = &run->file.sources[i % run->file.count];
		gateway->eui64 = gateway->source->eui64 + i / run->file.count * distance;
		key = key_file_find(&run->key_file, gateway->eui64);
		if (key)
			gateway->key = *key;
		memcpy(gateway->stores, run->options.stores, sizeof(gateway->stores));
		if (!sim_gateway_start(gateway))
			return false;
	}
	return run->all != NULL;
}

static struct timeval interval(double seconds)
{
	return (struct timeval){(time_t)seconds,
	                        (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
}

static void pump_all(struct run *run)
{
	for (size_t i = 0; i < run->options.gateways; i++)
		sim_gateway_pump(&run->all[i]);
}

/* Sends what has become due since the last time. */
static void on_tick(evutil_socket_t socket, short what, void *context)
{
	struct run *run = context;
	uint64_t before = run->sim.due;

	(void)socket;
	(void)what;
	if (run->sim.held)
		return;
	run->sim.due = pace_due(&run->sim.pace, pace_now_us());
	if (run->sim.due - before >= run->options.gateways)
		pump_all(run);
	else
		for (uint64_t i = before; i < run->sim.due; i++)
			sim_gateway_pump(&run->all[i % run->options.gateways]);
}

static void on_stop(evutil_socket_t socket, short what, void *context)
{
	struct run *run = context;

	(void)socket;
	(void)what;
	for (size_t i = 0; i < run->options.gateways; i++) {
		struct sim_gateway *gateway = &run->all[i];
		uint64_t due = gateway->base + pace_share(&run->sim.pace, run->sim.due, i);

		if (run->sim.limited && due > gateway->sent)
			run->behind += due - gateway->sent;
		sim_gateway_stop(gateway);
	}
}

/* The first records may go. */
static void begin(struct run *run)
{
	struct timeval limit = interval(run->options.seconds);

	if (run->options.seconds > 0)
		event_add(run->stop, &limit);
	run->sim.held = false;
	run->sim.pace = (struct pace){run->options.speed, pace_now_us(), run->options.gateways};
	getrusage(RUSAGE_SELF, &run->began);
	if (!run->sim.limited)
		pump_all(run);
}

static void on_go(evutil_socket_t socket, short what, void *context)
{
	(void)socket;
	(void)what;
	begin(context);
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

static void on_all_open(void *context)
{
	struct run *run = context;
	struct timeval wait = interval(run->options.together_s > 0 ? run->options.together_s : 0);

	printf("all sessions are open\n");
	event_add(run->go, &wait);
}

/* Prepares what says when records are sent. */
static void set_pace(struct run *run)
{
	run->sim.limited = run->options.speed > 0;
	if (run->options.together_s < 0) {
		begin(run);
		return;
	}
	run->sim.held = true;
	run->sim.all_open = on_all_open;
	run->sim.context = run;
}

static void loop(struct run *run)
{
	struct timeval every = {.tv_usec = TICK_US}, limit = interval(run->options.timeout_s);
	struct event *tick = event_new(run->sim.base, -1, EV_PERSIST, on_tick, run);
	struct event *timeout = evtimer_new(run->sim.base, on_timeout, run);
	struct event *term = evsignal_new(run->sim.base, SIGTERM, on_signal, run);
	struct event *interrupt = evsignal_new(run->sim.base, SIGINT, on_signal, run);

	run->go = evtimer_new(run->sim.base, on_go, run);
	run->stop = evtimer_new(run->sim.base, on_stop, run);
	set_pace(run);
	if (run->sim.limited)
		event_add(tick, &every);
	if (run->options.timeout_s > 0)
		event_add(timeout, &limit);
	event_add(term, NULL);
	event_add(interrupt, NULL);
	event_base_dispatch(run->sim.base);
	event_free(tick);
	event_free(run->go);
	event_free(run->stop);
	event_free(timeout);
	event_free(term);
	event_free(interrupt);
}

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* The line that --report is for; rates and processor time are those from the first record sent to
 * the last ACK, without the handshakes. */
static void print_report(const struct run *run)
{
	const struct sim *sim = &run->sim;
	double records = (double)(sim->latency.count > 0 ? sim->latency.count : 1);
	double seconds = (double)(sim->last_acked_us - sim->first_sent_us) / 1e6;
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	printf("report measured=%" PRIu64 " seconds=%.3f records_per_s=%.0f p50_ms=%.3f p99_ms=%.3f "
	       "max_ms=%.3f behind=%" PRIu64 " user_us_per_record=%.3f system_us_per_record=%.3f\n",
	       sim->latency.count, seconds, seconds > 0 ? (double)sim->latency.count / seconds : 0,
	       (double)histogram_quantile_us(&sim->settled, 0.5) / 1000,
	       (double)histogram_quantile_us(&sim->settled, 0.99) / 1000,
	       (double)sim->settled.most_us / 1000, run->behind,
	       1e6 * (seconds_of(now.ru_utime) - seconds_of(run->began.ru_utime)) / records,
	       1e6 * (seconds_of(now.ru_stime) - seconds_of(run->began.ru_stime)) / records);
}

/* An event loop of one thread whose timers are finer than a millisecond. */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

static int play(struct run *run)
{
	int64_t start_ms = clock_steady_ms();

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	run->sim.base = new_base();
	if (!run->sim.base || !start_gateways(run)) {
		fprintf(stderr, "smarthg-gateway-sim: out of memory\n");
		return EXIT_FAILURE;
	}
	loop(run);
	double seconds = (double)(clock_steady_ms() - start_ms) / 1000;
	bool good = !run->timed_out && run->sim.accepted_faults == 0 && run->sim.busy == 0;
	printf("gateways=%zu acknowledged=%" PRIu64 " seconds=%.3f per_second=%.0f reconnects=%" PRIu64
	       " executed=%" PRIu64 " refused=%" PRIu64 " unfinished=%zu went_back=%" PRIu64 "\n",
	       run->options.gateways, run->sim.acknowledged, seconds,
	       (double)run->sim.acknowledged / (seconds > 0 ? seconds : 1), run->sim.reconnects,
	       run->sim.executed, run->sim.refused, run->sim.busy, run->sim.went_back);
	if (run->options.report)
		print_report(run);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void release(struct run *run)
{
	for (size_t i = 0; run->all && i < run->options.gateways; i++)
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
	struct run run = {0};
	struct rlimit limit;
	char message[400];
	int status;

	if (!sim_options_read(&run.options, &run.sim, count, arguments))
		return fail("see --help");
	if (run.options.help) {
		fputs(sim_options_help, stdout);
		return 0;
	}
	if (!run.options.telegrams)
		return fail("--telegrams FILE is missing");
	if (run.sim.window == 0 || run.sim.part_limit == 0 || run.sim.part_limit > UINT16_MAX)
		return fail("--window and --part must be positive");
	if (!resolve(&run))
		return fail("--connect must be HOST:PORT");
	if (!telegram_file_read(&run.file, run.options.telegrams, message, sizeof(message)) ||
	    (run.options.keys &&
	     !key_file_read(&run.key_file, run.options.keys, message, sizeof(message))))
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
