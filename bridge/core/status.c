/*
 * One table names every number once; both formats are written from it.
 */
#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

enum metric_kind { GAUGE, COUNTER };

struct metric {
	const char *name; /* without smarthg_bridge_, and _total of a counter */
	enum metric_kind kind;
	double value;
	const char *meaning;
};

enum { METRICS = 19 };

static void collect(const struct status *status, struct metric out[METRICS])
{
	const struct hosts_counts *hosts = &status->hosts;
	const struct metric metrics[METRICS] = {
	    {"gateways", GAUGE, (double)hosts->gateways, "Provisioned gateways"},
	    {"connections", GAUGE, (double)hosts->dispatcher.connections, "TCP connections"},
	    {"sessions", GAUGE, (double)hosts->sessions, "Remote host sessions"},
	    {"online", GAUGE, (double)hosts->online, "Gateways that are online"},
	    {"frames_received", COUNTER, (double)hosts->dispatcher.frames_received, "Frames received"},
	    {"frames_sent", COUNTER, (double)hosts->dispatcher.frames_sent, "Frames sent"},
	    {"refused_connections", COUNTER, (double)hosts->dispatcher.refused,
	     "Connections that broke the protocol or proved no key"},
	    {"records", COUNTER, (double)status->records, "Records committed"},
	    {"batches", COUNTER, (double)status->batches, "Batches committed"},
	    {"quarantined", COUNTER, (double)status->quarantined,
	     "Records sent to quarantine by the bridge"},
	    {"unstorable", COUNTER, (double)status->unstorable, "Records that the database refused"},
	    {"waiting_records", GAUGE, (double)status->waiting, "Records not yet committed"},
	    {"oldest_waiting_ms", GAUGE, (double)status->oldest_waiting_ms,
	     "How long the oldest of them waits, ms"},
	    {"waiting_events", GAUGE, (double)status->waiting_events, "Events not yet written"},
	    {"memory_bytes", GAUGE, (double)status->memory, "Memory held for records"},
	    {"resident_bytes", GAUGE, (double)status->resident, "Memory of the process"},
	    {"held", GAUGE, status->held, "1 while the memory budget is used up"},
	    {"database_connections", GAUGE,
	     (double)status->ingest_connected + status->control_connected,
	     "Connections to the database that are up"},
	    {"database_connections_wanted", GAUGE, (double)status->ingest_connections + 1,
	     "Connections to the database that should be up"},
	};

	memcpy(out, metrics, sizeof(metrics));
}

struct text {
	char *out;
	size_t size, at;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int added;

	va_start(arguments, format);
	added = vsnprintf(text->out + text->at, text->size - text->at, format, arguments);
	va_end(arguments);
	if (added < 0 || (size_t)added >= text->size - text->at)
		text->full = true;
	else
		text->at += (size_t)added;
}

static void add_histogram(struct text *text, const struct latency *latency)
{
	static const char name[] = "smarthg_bridge_batch_seconds";
	uint64_t within = 0;

	add(text, "# HELP %s From the arrival of a batch's oldest record to its commit\n", name);
	add(text, "# TYPE %s histogram\n", name);
	for (int i = 0; i < LATENCY_BOUNDS; i++) {
		within += latency->within[i];
		add(text, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)latency_bounds_ms[i] / 1000,
		    within);
	}
	add(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, latency->count);
	add(text, "%s_sum %g\n%s_count %" PRIu64 "\n", name, (double)latency->sum_ms / 1000, name,
	    latency->count);
}

bool status_prometheus(const struct status *status, char *out, size_t size)
{
	struct metric metrics[METRICS];
	struct text text = {.out = out, .size = size};

	collect(status, metrics);
	for (int i = 0; i < METRICS; i++) {
		const struct metric *metric = &metrics[i];
		const char *suffix = metric->kind == COUNTER ? "_total" : "";

		add(&text, "# HELP smarthg_bridge_%s%s %s\n", metric->name, suffix, metric->meaning);
		add(&text, "# TYPE smarthg_bridge_%s%s %s\n", metric->name, suffix,
		    metric->kind == COUNTER ? "counter" : "gauge");
		add(&text, "smarthg_bridge_%s%s %.17g\n", metric->name, suffix, metric->value);
	}
	add(&text,
	    "# HELP smarthg_bridge_start_time_seconds When it was started, since 1970\n"
	    "# TYPE smarthg_bridge_start_time_seconds gauge\n"
	    "smarthg_bridge_start_time_seconds %" PRId64 "\n",
	    status->started_ms / 1000);
	add_histogram(&text, &status->latency);
	return !text.full;
}

/* A bound in ms, or null beyond all of them. */
static void add_quantile(struct text *text, const char *name, const struct latency *latency,
                         double share)
{
	int64_t bound_ms = latency_quantile_ms(latency, share);

	if (bound_ms < 0)
		add(text, ",\"%s\":null", name);
	else
		add(text, ",\"%s\":%" PRId64, name, bound_ms);
}

bool status_json(const struct status *status, char *out, size_t size)
{
	struct metric metrics[METRICS];
	struct text text = {.out = out, .size = size};

	collect(status, metrics);
	add(&text, "{\"started_ms\":%" PRId64, status->started_ms);
	for (int i = 0; i < METRICS; i++)
		add(&text, ",\"%s\":%.17g", metrics[i].name, metrics[i].value);
	add_quantile(&text, "batch_p50_ms", &status->latency, 0.5);
	add_quantile(&text, "batch_p99_ms", &status->latency, 0.99);
	add(&text, ",\"batch_most_ms\":%" PRId64 "}", status->latency.most_ms);
	return !text.full;
}

size_t status_resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*s %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}
