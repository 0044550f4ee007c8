/*
 * Promises of the mirror commands (ZCL revision 6, sections 10.4.2.3 and 10.4.3.3):
 * direction, frame type and manufacturer bit tell them apart, each is handed on
 * with its endpoint, and what is written is read again. The frames are written by
 * hand from the standard's tables.
 */
#include "../../bridge/codec/zcl_mirror.h"
#include "tap.h"
#include "zcl_decoding.h"

static bool is(const char *command, int64_t endpoint)
{
	return count == 1 && strcmp(readings[0].obis, READING_MIRROR) == 0 &&
	       strcmp(readings[0].unit, command) == 0 && readings[0].raw == endpoint &&
	       readings[0].device_size == 8 && readings[0].endpoint == 2 &&
	       memcmp(readings[0].device, "\x00\x15\xbc\x00\x00\x00\x00\x42", 8) == 0;
}

static void test_commands(void)
{
	/* Frame control: 1 cluster-specific, 4 manufacturer's, 8 from the server, 0x10 no default
	 * response; sequence; command. */
	ok(decode(ZCL_METERING, "190701") == READING_OK && is("request", 0),
	   "a meter asks for a mirror");
	ok(decode(ZCL_METERING, "1107011100") == READING_OK && is("response", 17),
	   "the gateway gives it an endpoint");
	ok(decode(ZCL_METERING, "110701ffff") == READING_OK && is("response", ZCL_MIRROR_NO_ENDPOINT),
	   "or none");
	ok(decode(ZCL_METERING, "090802") == READING_OK && is("remove", 0), "a meter gives it back");
	ok(decode(ZCL_METERING, "0908021100") == READING_OK && is("remove", 17),
	   "also one that names the endpoint");
	ok(decode(ZCL_METERING, "0108021100") == READING_OK && is("removed", 17),
	   "the gateway takes it back");
	ok(decode(ZCL_METERING, "190701aabb") == READING_OK && is("request", 0),
	   "fields that a later standard adds are ignored");
}

static void test_others(void)
{
	static const char *const others[] = {
	    "1d15100701",               /* a manufacturer's command from the server */
	    "15151007011100",           /* and to it */
	    "180701",                   /* general: Read Attributes Response */
	    "1a0701",                   /* reserved frame types */
	    "1b0701",         "190703", /* Request Fast Poll Mode Response */
	    "19070001000000",           /* Get Profile Response */
	    "11070611",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ok(decode(ZCL_METERING, others[i]) == READING_OK && count == 0,
		   "%.6s is no command of mirrors, and no error", others[i]);
	ok(decode(0x0001, "190701") == READING_OK && count == 0, "nor is one of another cluster");
	ok(decode(ZCL_METERING, "11070111") == READING_MALFORMED && count == 0 &&
	       decode(ZCL_METERING, "110701") == READING_MALFORMED &&
	       decode(ZCL_METERING, "110702") == READING_MALFORMED,
	   "a gateway's command without its endpoint is malformed");
	ok(decode(ZCL_METERING, "1907") == READING_MALFORMED, "and so is one without a command");
}

static void test_general_frame(void)
{
	struct zcl_frame frame = {.type = ZCL_GENERAL, .from_server = true, .command = 1};
	struct zcl_mirror mirror;

	ok(zcl_mirror_read(&frame, &mirror) == ZCL_MIRROR_NONE, "a general frame is no such command");
	frame.type = 2;
	ok(zcl_mirror_read(&frame, &mirror) == ZCL_MIRROR_NONE, "nor is one of a reserved type");
	frame.type = ZCL_CLUSTER_SPECIFIC;
	ok(zcl_mirror_read(&frame, &mirror) == ZCL_MIRROR && mirror.command == ZCL_MIRROR_REQUEST,
	   "the same as a cluster-specific one is");
}

static void test_filling(void)
{
	ok(decode(ZCL_METERING, "18010200033001060330010203220a0000") == READING_OK && count == 2 &&
	       strcmp(readings[0].obis, READING_SCALE) == 0 &&
	       strcmp(readings[1].obis, READING_MIRROR) == 0 &&
	       strcmp(readings[1].unit, READING_MIRROR_FILLED) == 0,
	   "written attributes are what they say, and fill the mirror");
	ok(decode(ZCL_METERING, "1801050000250a0000000000") == READING_OK && count == 2 &&
	       readings[0].raw == 10 && strcmp(readings[1].unit, READING_MIRROR_FILLED) == 0,
	   "also without a response, after a value");
	ok(decode(ZCL_METERING, "1801033412200a") == READING_OK && count == 1 &&
	       strcmp(readings[0].unit, READING_MIRROR_FILLED) == 0,
	   "also undivided, and attributes that are none of ours");
	ok(decode(ZCL_METERING, "18010a0000250a0000000000") == READING_OK && count == 1 &&
	       strcmp(readings[0].obis, READING_MIRROR) != 0,
	   "a report does not");
	ok(decode(0x0001, "18010221002064") == READING_OK && count == 1 &&
	       strcmp(readings[0].obis, READING_MIRROR) != 0,
	   "nor does another cluster");
	ok(decode(ZCL_METERING, "1c151001020000250a0000000000") == READING_OK && count == 0,
	   "nor a manufacturer's attributes");
}

static void test_writing(void)
{
	static const struct {
		struct zcl_mirror mirror;
		const char *hex;
	} frames[] = {
	    {{ZCL_MIRROR_REQUEST, 0}, "190701"},
	    {{ZCL_MIRROR_REMOVE, 0}, "190702"},
	    {{ZCL_MIRROR_RESPONSE, 17}, "1107011100"},
	    {{ZCL_MIRROR_REMOVED, 0xffff}, "110702ffff"},
	};

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		uint8_t bytes[ZCL_MIRROR_FRAME_SIZE], expected[ZCL_MIRROR_FRAME_SIZE];
		struct writer writer = writer_over(bytes, sizeof(bytes));

		zcl_mirror_write(&writer, &frames[i].mirror, 7);
		ok(!writer.broken && writer.at == from_hex(frames[i].hex, expected) &&
		       memcmp(bytes, expected, writer.at) == 0,
		   "%s is written", zcl_mirror_name(frames[i].mirror.command));
	}
}

int main(void)
{
	test_commands();
	test_others();
	test_general_frame();
	test_filling();
	test_writing();
	return tap_done();
}
