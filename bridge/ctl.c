/*
 * smarthg-ctl, the client tool (document 4.1.2.2): shows the traffic between
 * gateways, core and back end, live from the bridge's control socket or as it was
 * recorded, decoded; shows the bridge's state; sends requests to a gateway.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "codec/mbus_format.h"
#include "codec/zcl_mirror.h"
#include "core/routing.h"
#include "core/traffic.h"

enum { ANSWER_S = 30 };

static const char help[] =
    "Usage: smarthg-ctl [-s SOCKET] COMMAND\n\n"
    "  status                        the bridge's state, as JSON\n"
    "  watch [GATEWAY]               live traffic of all gateways, or of one, decoded\n"
    "  record [GATEWAY]              the same as lines to keep in a file\n"
    "  show [FILE]                   recorded lines (of standard input), decoded\n"
    "  request GATEWAY METHOD [HEX]  sends a REQUEST, and shows traffic up to its answer\n\n"
    "SOCKET is the bridge's control_socket (default $SMARTHG_CONTROL, else\n"
    "/run/smarthg/control). GATEWAY is an EUI-64 of 16 hexadecimal digits.\n";

static const char *type_name(uint8_t type)
{
	static const char *const names[] = {
	    [FRAME_HELLO] = "HELLO",         [FRAME_CHALLENGE] = "CHALLENGE",
	    [FRAME_AUTH] = "AUTH",           [FRAME_READY] = "READY",
	    [FRAME_KEEPALIVE] = "KEEPALIVE", [FRAME_KEEPALIVE_ACK] = "KEEPALIVE-ACK",
	    [FRAME_DATA] = "DATA",           [FRAME_ACK] = "ACK",
	    [FRAME_NACK] = "NACK",           [FRAME_REQUEST] = "REQUEST",
	    [FRAME_RESPONSE] = "RESPONSE",   [FRAME_CLOSE] = "CLOSE",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "?";
}

static const char *time_text(int64_t at_ms)
{
	static char text[40];
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm utc;
	char date[24];

	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(at_ms % 1000));
	return text;
}

/* Texts of others, without what a terminal would obey. */
static void print_text(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		putchar(text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
}

static void print_reading(const struct reading *reading)
{
	printf("\n    ");
	for (size_t i = 0; i < reading->device_size; i++)
		printf("%02x", reading->device[i]);
	printf("/%u %s ", reading->endpoint, reading->obis);
	if (reading->multiplier > 0 && reading->divisor > 0)
		printf("%.9g %s (%" PRId64 " * %" PRId64 " / %" PRId64 ")",
		       (double)reading->raw * (double)reading->multiplier / (double)reading->divisor,
		       reading->unit, reading->raw, reading->multiplier, reading->divisor);
	else
		printf("%" PRId64 " counts of %s", reading->raw, reading->unit);
	printf(" at %s", time_text(reading->measured_ms));
}

/* Keys of meters stay with the bridge: encrypted telegrams are shown as such. */
static const struct meter_key *no_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return NULL;
}

static void print_data(const struct traffic *traffic)
{
	static struct decoder decoder;
	static struct decoded decoded;
	struct data_message data;

	if (!decoder.key)
		decoder = (struct decoder){
		    .cipher = meter_cipher_new(), .formats = mbus_formats_new(), .key = no_key};
	if (!decoder.cipher || !decoder.formats)
		return;

	if ((traffic->flags & FRAME_MORE_FOLLOWS) ||
	    !data_read(cursor_over(traffic->payload, traffic->size), &data)) {
		printf(" part of a longer message, %zu bytes", traffic->size);
		return;
	}
	routing_decode(&decoder, traffic->route, &data, traffic->at_ms, &decoded);
	printf(" record=%" PRIu64 " kind=%u telegram=", data.record_no, data.kind);
	for (size_t i = 0; i < data.telegram_size; i++)
		printf("%02x", data.telegram[i]);
	if (decoded.quarantine)
		printf("\n    not decoded: %s", decoded.quarantine);
	for (size_t i = 0; i < decoded.count; i++)
		print_reading(&decoded.readings[i]);
}

static void print_command(struct cursor body)
{
	static const char *const stores[COMMAND_STORES] = {"ESS", "PEV"};
	struct ebr_command command;

	if (!ebr_command_read(body, &command))
		return;
	printf(" slot=%s length_s=%" PRIu32, time_text((int64_t)command.slot_start_ms), command.slot_s);
	for (int i = 0; i < command.stores; i++)
		printf("\n    %s set-point %.3f kW, bands %u", stores[command.store[i].store],
		       command.store[i].setpoint_w / 1000.0, command.store[i].bands);
}

/* A ZCL frame for a device behind the gateway. */
static void print_zcl(struct cursor body)
{
	struct cursor address = cursor_over(cursor_take(&body, ZCL_ADDRESS_SIZE), ZCL_ADDRESS_SIZE);
	struct zcl_address device;
	struct zcl_frame frame;
	struct zcl_mirror mirror;

	if (body.broken || !zcl_address_read(address.bytes, address.size, &device))
		return;
	printf(" device=%016" PRIx64 "/%u cluster=%04x", device.device, device.endpoint,
	       device.cluster);
	if (zcl_read(body.bytes + body.at, cursor_left(&body), &frame) &&
	    zcl_mirror_read(&frame, &mirror) == ZCL_MIRROR)
		printf(" mirror %s endpoint=%u", zcl_mirror_name(mirror.command), mirror.endpoint);
}

static void print_payload(const struct traffic *traffic)
{
	struct cursor payload = cursor_over(traffic->payload, traffic->size);
	struct request request;
	struct response response;
	struct close_message close;
	uint64_t number;
	uint8_t reason;

	if (traffic->type == FRAME_DATA)
		print_data(traffic);
	else if (traffic->type == FRAME_ACK && ack_read(payload, &number))
		printf(" committed up to record=%" PRIu64, number);
	else if (traffic->type == FRAME_NACK && nack_read(payload, &number, &reason))
		printf(" again from record=%" PRIu64 " reason=%u", number, reason);
	else if (traffic->type == FRAME_REQUEST && request_read(payload, &request)) {
		printf(" id=%" PRIu64 " method=%u", request.id, request.method);
		if (request.method == METHOD_EBR)
			print_command(request.body);
		else if (request.method == METHOD_ZCL)
			print_zcl(request.body);
	} else if (traffic->type == FRAME_RESPONSE && response_read(payload, &response)) {
		printf(" id=%" PRIu64 " method=%u result=%u", response.id, response.method,
		       response.result);
	} else if (traffic->type == FRAME_CLOSE && close_read(payload, &close)) {
		printf(" reason=%u \"", close.reason);
		print_text(close.text, close.text_size);
		printf("\"");
	}
}

/* One line as people read it; *answered is set by the RESPONSE to request `id`. */
static void print_line(const char *line, uint64_t id, bool *answered)
{
	static uint8_t payload[DATA_MAX_SIZE];
	struct traffic traffic;
	struct response response;
	int64_t at_ms;
	uint64_t gateway;
	int text_at = 0;

	if (sscanf(line, "%" SCNd64 " event %" SCNx64 " %n", &at_ms, &gateway, &text_at) == 2 &&
	    text_at > 0) {
		printf("%s %016" PRIx64 " ---- ", time_text(at_ms), gateway);
		print_text((const uint8_t *)line + text_at, strlen(line + text_at));
		printf("\n");
		return;
	}
	if (!traffic_read(line, &traffic, payload, sizeof(payload))) {
		printf("? ");
		print_text((const uint8_t *)line, strlen(line));
		printf("\n");
		return;
	}
	printf("%s %016" PRIx64 " %s %08" PRIx32 "/%" PRIu32 " %s%s", time_text(traffic.at_ms),
	       traffic.gateway, traffic.outgoing ? "<---" : "--->", traffic.session, traffic.sequence,
	       type_name(traffic.type), traffic.flags & FRAME_ENCRYPTED ? "" : " in clear");
	if (traffic.payload)
		print_payload(&traffic);
	printf("\n");
	if (traffic.type == FRAME_RESPONSE && traffic.payload &&
	    response_read(cursor_over(traffic.payload, traffic.size), &response) && response.id == id)
		*answered = true;
}

static FILE *open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) < sizeof(address.sun_path) && channel >= 0) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		if (connect(channel, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fdopen(channel, "r+");
	}
	fprintf(stderr, "smarthg-ctl: cannot reach the bridge at \"%s\": %s\n", path, strerror(errno));
	return NULL;
}

static int fail(const char *line)
{
	fprintf(stderr, "smarthg-ctl: %s", line);
	return EXIT_FAILURE;
}

/* Lines up to the end: as they are, decoded, or decoded up to the answer to request `id`. */
static int print_lines(FILE *from, bool decode, uint64_t id)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool answered = false, refused = false;

	while (!answered && !refused && (length = getline(&line, &room, from)) > 0) {
		refused = strncmp(line, "error ", 6) == 0;
		if (refused) {
			fail(line + 6);
			break;
		}
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (decode)
			print_line(line, id, &answered);
		else
			printf("%s\n", line);
		fflush(stdout);
	}
	free(line);
	if (id != 0 && !answered && !refused)
		fail("the bridge went away before an answer came\n");
	return refused || (id != 0 && !answered) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Sends a command and reads the lines before its "ok"; what stands behind that goes to number. */
static int converse(FILE *bridge, const char *command, uint64_t *number)
{
	char *line = NULL;
	size_t room = 0;
	int status = EXIT_FAILURE;

	fprintf(bridge, "%s\n", command);
	fflush(bridge);
	while (getline(&line, &room, bridge) > 0) {
		if (strncmp(line, "ok", 2) == 0) {
			*number = strtoull(line + 2, NULL, 10);
			status = EXIT_SUCCESS;
			break;
		}
		if (strncmp(line, "error ", 6) == 0) {
			status = fail(line + 6);
			break;
		}
		printf("%s", line);
	}
	free(line);
	return status;
}

static int show(const char *path)
{
	FILE *file = path ? fopen(path, "r") : stdin;
	int status;

	if (!file) {
		fprintf(stderr, "smarthg-ctl: cannot read \"%s\": %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	status = print_lines(file, true, 0);
	if (path)
		fclose(file);
	return status;
}

static void on_alarm(int number)
{
	static const char text[] = "smarthg-ctl: the gateway did not answer\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

/* The words of a command to the bridge: as given, `record` is its `watch`. */
static int ask(const char *path, int count, char **words)
{
	bool recording = strcmp(words[0], "record") == 0;
	bool requesting = strcmp(words[0], "request") == 0;
	char command[4096];
	uint64_t id = 0;
	FILE *bridge;
	int status;

	snprintf(command, sizeof(command), "%s %s %s %s", recording ? "watch" : words[0],
	         count > 1 ? words[1] : "", count > 2 ? words[2] : "", count > 3 ? words[3] : "");
	command[strcspn(command, "\n")] = '\0';
	for (size_t end = strlen(command); end > 0 && command[end - 1] == ' '; end--)
		command[end - 1] = '\0';
	bridge = open_socket(path);
	if (!bridge)
		return EXIT_FAILURE;
	status = converse(bridge, command, &id);
	if (status == EXIT_SUCCESS && requesting) {
		signal(SIGALRM, on_alarm);
		alarm(ANSWER_S);
	}
	if (status == EXIT_SUCCESS && strcmp(words[0], "status") != 0)
		status = print_lines(bridge, !recording, id);
	fclose(bridge);
	return status;
}

int main(int count, char **arguments)
{
	const char *path = getenv("SMARTHG_CONTROL");
	int first = 1;

	if (count > 2 && strcmp(arguments[1], "-s") == 0) {
		path = arguments[2];
		first = 3;
	}
	if (!path)
		path = "/run/smarthg/control";
	if (first < count && strcmp(arguments[first], "show") == 0)
		return show(first + 1 < count ? arguments[first + 1] : NULL);
	for (int i = first; i < count; i++)
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
			fputs(help, stdout);
			return EXIT_SUCCESS;
		}
	static const char *const commands[] = {"status", "watch", "record", "request"};
	for (size_t i = 0; first < count && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(arguments[first], commands[i]) == 0)
			return ask(path, count - first, arguments + first);
	fputs(help, stderr);
	return 2;
}
