/*
 * Promises of the bridge's operation: no value of a log line can pass for another
 * pair, latency is counted in its bucket, the state is valid in both formats,
 * a reload takes what it may, traffic passes through its lines, and a TLS key follows from a link
 * key as RFC 5869 says.
 */
#include "tap.h"

#include <inttypes.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "../../bridge/core/command_line.h"
#include "../../bridge/core/status.h"
#include "../../bridge/core/tls.h"
#include "../../bridge/core/traffic.h"

__attribute__((format(printf, 2, 3))) static bool details_are(const char *wanted,
                                                              const char *format, ...)
{
	char out[80];
	va_list arguments;

	va_start(arguments, format);
	log_details(out, sizeof(out), format, arguments);
	va_end(arguments);
	return strcmp(out, wanted) == 0;
}

static void test_log(void)
{
	ok(details_are("a=\"x\\\" b=1\" c=2", "a=\"%s\" c=%d", "x\" b=1", 2),
	   "a quote in a value is escaped");
	ok(details_are("a=\"back\\\\slash  \"", "a=\"%s\"", "back\\slash\n\t"),
	   "a backslash too, and control characters become spaces");
	ok(details_are("g=0015bc0100000001 n=18446744073709551615 m=-5 z=7 s=0a %",
	               "g=%016" PRIx64 " n=%" PRIu64 " m=%" PRId64 " z=%zu s=%02x %%",
	               UINT64_C(0x15bc0100000001), UINT64_MAX, INT64_C(-5), (size_t)7, 10u),
	   "numbers of every length are written as printf does");
	char longest[200];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ok(!details_are("", "a=\"%s\" b=%d", longest, 5), "what is too long is cut within its bounds");
}

static void test_status(void)
{
	static const int64_t durations[] = {0, 5, 6, 60000, 60001};
	struct status status = {.records = 12345678901234, .held = true, .started_ms = 1500};
	struct latency none = {.count = 0};
	char text[16384], json[4096], little[100];

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		latency_add(&status.latency, durations[i]);
	ok(status.latency.within[0] == 2 && status.latency.within[1] == 1 &&
	       status.latency.within[LATENCY_BOUNDS - 1] == 1 && status.latency.count == 5 &&
	       status.latency.most_ms == 60001,
	   "a duration counts in the bucket whose bound it keeps");
	ok(latency_quantile_ms(&status.latency, 0.4) == 5 &&
	       latency_quantile_ms(&status.latency, 0.5) == 10 &&
	       latency_quantile_ms(&status.latency, 0.99) == -1 &&
	       latency_quantile_ms(&none, 0.5) == -1,
	   "a quantile is a bound, or unknown");
	ok(status_prometheus(&status, text, sizeof(text)) &&
	       strstr(text, "\nsmarthg_bridge_records_total 12345678901234\n") &&
	       strstr(text, "smarthg_bridge_batch_seconds_bucket{le=\"0.01\"} 3\n") &&
	       strstr(text, "smarthg_bridge_batch_seconds_bucket{le=\"+Inf\"} 5\n") &&
	       strstr(text, "smarthg_bridge_batch_seconds_count 5\n"),
	   "buckets are cumulative in Prometheus' format, and counters keep all digits");
	ok(status_json(&status, json, sizeof(json)) && strstr(json, "\"records\":12345678901234,") &&
	       strstr(json, "\"held\":1,") && strstr(json, "\"batch_p99_ms\":null"),
	   "the same is one JSON object");
	ok(!status_prometheus(&status, little, sizeof(little)) &&
	       !status_json(&status, little, sizeof(little)),
	   "too little room is told");
}

static char changes[300];

static void on_changed(void *context, const char *key, bool taken)
{
	(void)context;
	snprintf(changes + strlen(changes), sizeof(changes) - strlen(changes), "%s=%d ", key, taken);
}

static void test_reload(void)
{
	char *const first[] = {"bridge", "--batch_ms=10", "--listen=[::1]:5"};
	char *const second[] = {"bridge", "--batch_ms=20", "--listen=0.0.0.0:5",
	                        "--offline_factor=1.5"};
	static struct configuration now, fresh;
	char message[1024];

	ok(command_line_read(&now, 3, first, message, sizeof(message)) == COMMAND_LINE_RUN &&
	       command_line_read(&fresh, 4, second, message, sizeof(message)) == COMMAND_LINE_RUN,
	   "two command lines are read");
	configuration_take(&now, &fresh, on_changed, NULL);
	ok(strcmp(changes, "listen=0 offline_factor=1 batch_ms=1 ") == 0 && now.batch_ms == 20 &&
	       now.offline_factor == 1.5 && strcmp(now.listen, "[::1]:5") == 0,
	   "a reload takes what may change, keeps the rest, and tells both");
	changes[0] = '\0';
	configuration_take(&now, &now, on_changed, NULL);
	ok(changes[0] == '\0', "what is the same is no change");
	struct configuration_address address = configuration_split(now.listen);
	ok(strcmp(address.host, "::1") == 0 && strcmp(address.port, "5") == 0,
	   "an address in brackets is split");
	char *const wrong[] = {"bridge", "--tls_certificate=a", "--tls_key=b"};
	ok(command_line_read(&fresh, 3, wrong, message, sizeof(message)) == COMMAND_LINE_WRONG &&
	       strstr(message, "tls_listen"),
	   "values that need one another are checked together");
}

static void test_traffic(void)
{
	static const uint8_t payload[] = {0x00, 0xff, 0x7a};
	struct traffic frame = {.at_ms = 1700000000123,
	                        .outgoing = true,
	                        .gateway = 0x0015bc0100000001,
	                        .session = 0xdeadbeef,
	                        .sequence = UINT32_MAX,
	                        .type = FRAME_REQUEST,
	                        .route = ROUTE_HAN,
	                        .flags = FRAME_ENCRYPTED,
	                        .payload = payload,
	                        .size = sizeof(payload)};
	struct traffic back;
	uint8_t room[sizeof(payload)];
	char line[256];

	traffic_write(&frame, line, traffic_line_size(&frame));
	ok(strcmp(line, "1700000000123 out 0015bc0100000001 deadbeef 4294967295 0a 5 1 00ff7a") == 0 &&
	       traffic_read(line, &back, room, sizeof(room)) && back.at_ms == frame.at_ms &&
	       back.outgoing && back.gateway == frame.gateway && back.session == frame.session &&
	       back.sequence == frame.sequence && back.type == frame.type &&
	       back.route == frame.route && back.flags == frame.flags && back.size == sizeof(payload) &&
	       memcmp(room, payload, sizeof(payload)) == 0,
	   "a frame passes through its line unharmed");
	ok(!traffic_read(line, &back, room, sizeof(room) - 1), "a payload beyond the room is refused");
	frame.payload = NULL;
	traffic_write(&frame, line, traffic_line_size(&frame));
	ok(traffic_read(line, &back, room, sizeof(room)) && !back.payload,
	   "one without its payload too");
	ok(!traffic_read("", &back, room, sizeof(room)) &&
	       !traffic_read("1 up 2 3 4 5 6 7 -", &back, room, sizeof(room)) &&
	       !traffic_read("1 in 2 3 4 5 6 7 0", &back, room, sizeof(room)) &&
	       !traffic_read("1 in 2 3 4 100 6 7 -", &back, room, sizeof(room)),
	   "a line that is none is refused");
}

static void test_tls_key(void)
{
	/* openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:0001..0f
	 * -kdfopt hexinfo:"SA/1 TLS" 0015bc0100000001 HKDF */
	static const uint8_t wanted[TLS_KEY_SIZE] = {0xE4, 0x90, 0x56, 0x7E, 0x8E, 0x61, 0x1F, 0xA4,
	                                             0x00, 0x9D, 0x14, 0x68, 0xCA, 0x74, 0x85, 0xF3,
	                                             0xAD, 0xA9, 0xF5, 0x8E, 0x19, 0x7C, 0x3B, 0x48,
	                                             0xCC, 0x18, 0x94, 0x3D, 0xDC, 0xC9, 0x68, 0xBE};
	struct link_key link_key = {.size = 16};
	uint8_t key[TLS_KEY_SIZE];

	for (uint8_t i = 0; i < 16; i++)
		link_key.bytes[i] = i;
	ok(tls_shared_key(&link_key, 0x0015bc0100000001, key) &&
	       memcmp(key, wanted, sizeof(wanted)) == 0,
	   "the pre-shared key of TLS is HKDF-SHA-256 of the link key");
}

static void test_tls_identity(void)
{
	ok(tls_eui64("0015bc01000000fF", 16) == 0x0015bc01000000ff,
	   "an identity is 16 hexadecimal digits");
	ok(tls_eui64("0000000000000000", 16) == TLS_NO_EUI64 &&
	       tls_eui64("ffffffffffffffff", 16) == TLS_NO_EUI64,
	   "zeros alone or ones alone are nobody");
	ok(tls_eui64("", 0) == TLS_NO_EUI64 && tls_eui64("0015bc010000000", 15) == TLS_NO_EUI64 &&
	       tls_eui64("0015bc01000000001", 17) == TLS_NO_EUI64 &&
	       tls_eui64("0x15bc0100000001", 16) == TLS_NO_EUI64 &&
	       tls_eui64(" 015bc0100000001", 16) == TLS_NO_EUI64 &&
	       tls_eui64("-015bc0100000001", 16) == TLS_NO_EUI64 &&
	       tls_eui64("0015bc0100000001\0evil", 21) == TLS_NO_EUI64,
	   "nor is anything else, a name that hides its end behind NUL least of all");
}

/* The EUI-64 of a certificate with these names: each a letter (c: common name, d: DNS name, u: URI,
 * e: e-mail address) and the name. */
static uint64_t named(const char *const *names, const size_t *lengths)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	GENERAL_NAMES *others = GENERAL_NAMES_new();
	uint64_t eui64;

	for (size_t i = 0; names[i]; i++) {
		int length = (int)(lengths ? lengths[i] : strlen(names[i])) - 1;
		const unsigned char *text = (const unsigned char *)names[i] + 1;

		if (names[i][0] == 'c') {
			X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, length, -1, 0);
			continue;
		}
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *value = ASN1_IA5STRING_new();
		ASN1_STRING_set(value, text, length);
		GENERAL_NAME_set0_value(name,
		                        names[i][0] == 'd'   ? GEN_DNS
		                        : names[i][0] == 'u' ? GEN_URI
		                                             : GEN_EMAIL,
		                        value);
		sk_GENERAL_NAME_push(others, name);
	}
	if (sk_GENERAL_NAME_num(others) > 0)
		X509_add1_ext_i2d(certificate, NID_subject_alt_name, others, 0, X509V3_ADD_DEFAULT);
	eui64 = tls_certificate_eui64(certificate);
	GENERAL_NAMES_free(others);
	X509_free(certificate);
	return eui64;
}

#define NAMED(...) named((const char *const[]){__VA_ARGS__, NULL}, NULL)

static void test_certificate_names(void)
{
	static const uint64_t one = UINT64_C(0x0015bc0100000001);

	ok(NAMED("c0015bc0100000001") == one, "a certificate's EUI-64 is its common name");
	ok(NAMED("d0015BC0100000001") == one && NAMED("uurn:dev:mac:0015bc0100000001") == one &&
	       NAMED("uURN:DEV:mac:0015bc0100000001") == one,
	   "or a DNS name or URN among the alternative names");
	ok(NAMED("c0015bc0100000002", "d0015bc0100000001") == one &&
	       NAMED("cgateway", "uurn:dev:mac:0015bc0100000001") == one,
	   "which win over the common name");
	ok(NAMED("c0015bc0100000001", "dgateway.example.org", "uhttps://example.org/",
	         "uurn:dev:mac:0015bc000001", "uurn:dev:mac:0015bc0100000002_meter",
	         "e0015bc0100000002") == one,
	   "names of another kind say nothing, so that the common name counts");
	ok(NAMED("d0015bc0100000001", "dgateway.example.org", "uurn:dev:mac:0015bc0100000001") == one,
	   "the same one twice is one");
	ok(NAMED("d0015bc0100000001", "d0015bc0100000002") == TLS_NO_EUI64 &&
	       NAMED("c0015bc0100000001", "d0015bc0100000001", "uurn:dev:mac:0015bc0100000002",
	             "d0015bc0100000001") == TLS_NO_EUI64 &&
	       NAMED("c0015bc0100000001", "c0015bc0100000002") == TLS_NO_EUI64 &&
	       NAMED("c0015bc0100000001", "c0015bc0100000001") == TLS_NO_EUI64,
	   "several are none");
	ok(NAMED("c0015bc0100000001", "d0000000000000000") == TLS_NO_EUI64 &&
	       NAMED("c0015bc0100000001", "uurn:dev:mac:ffffffffffffffff") == TLS_NO_EUI64 &&
	       NAMED("d0015bc0100000001", "dffffffffffffffff") == TLS_NO_EUI64,
	   "zeros or ones alone are none, whatever stands beside them");
	ok(NAMED("d0015bc0100000001.example.org") == TLS_NO_EUI64 &&
	       NAMED("u0015bc0100000001") == TLS_NO_EUI64 &&
	       NAMED("durn:dev:mac:0015bc0100000001") == TLS_NO_EUI64 &&
	       NAMED("uurn:dev:mac:0x15bc0100000001") == TLS_NO_EUI64 && NAMED("d") == TLS_NO_EUI64,
	   "what only looks like one is none");
	ok(named((const char *const[]){"c0015bc0100000001", "d0015bc0100000001\0.example.org", NULL},
	         (const size_t[]){17, 30}) == TLS_NO_EUI64 &&
	       named((const char *const[]){"c0015bc0100000001\0x", NULL}, (const size_t[]){19}) ==
	           TLS_NO_EUI64,
	   "nor is a name with a NUL in it");

	X509 *certificate = X509_new();
	X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
	                           (const unsigned char *)"0015bc0100000001", -1, -1, 0);
	ASN1_OCTET_STRING *broken = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(broken, (const unsigned char *)"\x30\x7f", 2);
	X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, broken);
	X509_add_ext(certificate, extension, -1);
	ok(tls_certificate_eui64(certificate) == TLS_NO_EUI64, "nor are alternative names cut off");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(broken);
	X509_free(certificate);
}

int main(void)
{
	test_log();
	test_status();
	test_reload();
	test_traffic();
	test_tls_key();
	test_tls_identity();
	test_certificate_names();
	return tap_done();
}
