/*
 * Promises of the DLMS decoder: pushes in HDLC frames become OBIS readings with
 * the meter's own integers; what the meter's keys do not prove is not believed.
 * Whole telegrams were made after the standards by another implementation of
 * A-XDR, HDLC and AES-GCM; the cipher is checked with the example of IEC
 * 62056-5-3. Single rules have small messages, framed here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/calendar.h"
#include "../../bridge/core/routing.h"
#include "hex.h"
#include "tap.h"

/* Data notifications: a list of named values, in clear. */
static const char aidon[] =
    "7ea0d5410883135ee6e6e7000f40000000000109020209060101000281ff0a0b4149444f4e5f56303030"
    "31020209060000600100ff0a1037333539393932383930393431373432020209060000600107ff0a0436"
    "353235020309060100010700ff060000046202020f00161b020309060100200700ff12090102020fff16"
    "230203090601001f0700ff10ffef02020fff1621020209060000010000ff090c07e70111ff0d0000ffff"
    "c400020309060100010800ff060012d68702020f01161e020309060100030800ff060000003702020f01"
    "162092a17e";
/* Flat, encrypted; authenticated; the same in suite 1. */
static const char evn20[] =
    "7ea084410883137898e6e700db084b414d11223344556c200000010244ef409d92beb7c6da4fe402e0f6"
    "09aaf11abf3eca0988307d87f341c138e3c362f291b08822d0747721da91af109bb0ac566998abdb743f"
    "d787c14646136aff372b2b2a04c144686ab9c2b2857b685234bf85b54673a0e4f11faa996aeb9b17b26c"
    "12bd5f2ccaf8407e";
static const char auth30[] =
    "7ea055410883130b6ce6e700db084b414d11223344553d300000010244ef409d92bbbc263a4d01f1e0c8"
    "cdd5f19abd30c00c89d67a87044d3e281c436270d4069fc8d37e7821ca8fcfd3916562020a8f5e8d5d3e"
    "d9fd7e";
static const char auth31[] =
    "7ea044410883130fd3e6e700db084b414d11223344552c310000010244ef409d92b2b222d4481a0ee1fb"
    "f6d5f79abd32c2078dd87a90123d95b83f3d64d26f7de8615935867e";
/* What is not to be believed or understood. */
static const char bad_enc[] =
    "7ea045410883134bd8e6e700db084b414d11223344552d20000001021efa15c8c7e7e574881b4e5bb5a6"
    "a37fa4cfe8679650da822fd35918946849163727cde3dc778429a4ef7e";
static const char sc10[] =
    "7ea03141088313a8e0e6e700db084b414d11223344551910000001020f40000000001101000000000000"
    "00000000000014567e";
static const char suite2[] =
    "7ea02541088313f879e6e700db084b414d11223344550d22000001020f40000000001101d6a67e";
static const char segmented[] =
    "7ea84641088313dfe4e6e7000f40000000000109020209060101000281ff0a0b4149444f4e5f56303030"
    "31020209060000600100ff0a103733353939393238393039343137ba8a7e7ea84641088313dfe4343202"
    "0209060000600107ff0a0436353235020309060100010700ff060000046202020f00161b020309060100"
    "200700ff12090102020fff16230203fb0a7e7ea05d410883132b36090601001f0700ff10ffef02020fff"
    "1621020209060000010000ff090c07e70111ff0d0000ffffc400020309060100010800ff060012d68702"
    "020f01161e020309060100030800ff060000003702020f011620e2167e";
static const char first_segment[] =
    "7ea84641088313dfe4e6e7000f40000000000109020209060101000281ff0a0b4149444f4e5f56303030"
    "31020209060000600100ff0a103733353939393238393039343137ba8a7e";
static const char kamstrup[] =
    "7ea06541088313dab8e6e7000f400000000c07e70101ff000000ff8000ff02070a0e4b616d7374727570"
    "5f563030303109060101000005ff0a103537303635363732373433383937303209060101010700ff0600"
    "0004d209060101010800ff0600000063fd037e";
static const char positional[] =
    "7ea026410883133464e6e7000f400000000002030a054b61696661060000000c060000000d051e7e";
static const char clear_short_id[] =
    "7ea03a4108831344a7e6e7000f40000000000205090600002a0000ff0a084b414d313233343509060100"
    "010800ff060000000102020f00161ee7ae7e";
static const char no_id[] =
    "7ea028410883138c05e6e7000f4000000000020309060100010800ff060000000102020f00161e029d7e";
static const char deep[] =
    "7ea02741088313706fe6e7000f4000000000020102010201020102010201020102010201110108d27e";
static const char get[] = "7ea011410883133980e6e700c40181008dd37e";

static struct reading readings[READING_LIMIT];
static size_t count;
static struct meter_key key;
static bool key_known;
static struct decoder decoder;

static const struct meter_key *find_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	return key_known &&
	               (memcmp(device, "KAM\x11\"3DU", 8) == 0 || memcmp(device, "KAM12345", 8) == 0)
	           ? &key
	           : NULL;
}

static enum reading_status decode_bytes(const uint8_t *bytes, size_t size, const char *address)
{
	/* No room behind, so that the sanitizer sees a read past the end. */
	uint8_t *copy = malloc(size ? size : 1);
	struct raw_telegram telegram = {
	    .address = (const uint8_t *)address,
	    .bytes = copy,
	    .address_size = strlen(address),
	    .size = size,
	};
	enum reading_status status;

	memcpy(copy, bytes, size);
	status = reading_decode_dlms(&decoder, &telegram, readings, &count);
	free(copy);
	return status;
}

static enum reading_status decode(const char *hex)
{
	uint8_t bytes[1024];

	return decode_bytes(bytes, from_hex(hex, bytes), "");
}

static bool is(size_t index, const char *obis, int64_t raw, int64_t divisor, const char *unit)
{
	return index < count && strcmp(readings[index].obis, obis) == 0 && readings[index].raw == raw &&
	       readings[index].multiplier == 1 && readings[index].divisor == divisor &&
	       strcmp(readings[index].unit, unit) == 0;
}

static bool named(const char *device)
{
	return readings[0].device_size == strlen(device) &&
	       memcmp(readings[0].device, device, strlen(device)) == 0 && readings[0].endpoint == 1;
}

static void test_clear(void)
{
	ok(crc16_x25("123456789", 9) == 0x906e, "the checksum of HDLC");
	ok(decode(aidon) == READING_OK && count == 5, "a list of named values");
	ok(is(0, "1-0:1.7.0.255", 1122, 1000, "kW") && is(1, "1-0:32.7.0.255", 2305, 10, "V") &&
	       is(2, "1-0:31.7.0.255", -17, 10, "A") && is(3, "1-0:1.8.0.255", 1234567, 100, "kWh") &&
	       is(4, "1-0:3.8.0.255", 55, 100, "kvarh"),
	   "each with its scale and unit");
	ok(named("7359992890941742"), "the meter is the one that it names");
	ok(readings[4].measured_ms == INT64_C(1673956800000),
	   "the time is the clock's, an hour ahead of UTC");
	ok(decode(segmented) == READING_OK && count == 5 && is(3, "1-0:1.8.0.255", 1234567, 100, "kWh"),
	   "a message in several frames");
	ok(decode(first_segment) == READING_FRAGMENT && count == 0, "not without its last one");
	ok(decode(no_id) == READING_BAD_ADDRESS, "readings of nobody");
	uint8_t bytes[64];
	ok(decode_bytes(bytes, from_hex(no_id, bytes), "house 7") == READING_OK && named("house 7") &&
	       readings[0].measured_ms == 0,
	   "the gateway may name the meter");
}

static void test_protected(void)
{
	static struct calendar_zone zone;

	for (int i = 0; i < ZONE_YEARS; i++) {
		zone.standard_s[i] = 3600;
		zone.summer_s[i] = 7200;
	}
	decoder.zone = &zone;
	key_known = false;
	ok(decode(evn20) == READING_NO_KEY && memcmp(decoder.device, "KAM\x11\"3DU", 8) == 0,
	   "without a key it is named whose is lacking");
	key_known = true;
	ok(decode(evn20) == READING_OK && count == 2 && is(0, "1-0:1.8.0.255", 5000, 1000, "kWh") &&
	       is(1, "1-0:2.8.0.255", 7, 1, "kWh"),
	   "encrypted, flat, values between others");
	ok(named("KAM\x11\"3DU"), "the meter is its system title");
	ok(readings[0].measured_ms == INT64_C(1688205605000),
	   "a clock that does not say its distance is of the zone, in summer time");
	ok(decode(auth30) == READING_NO_KEY, "authenticated, it needs the other key too");
	key.has_authentication = true;
	ok(decode(auth30) == READING_OK && count == 1 &&
	       is(0, "1-0:1.8.0.255", INT64_C(9876543210), 10000, "kWh") &&
	       readings[0].measured_ms == INT64_C(1679792399000),
	   "with both it is believed");
	ok(decode(auth31) == READING_OK && is(0, "1-0:1.8.0.255", 1, 1000, "kWh"),
	   "in suite 1 as well");
	ok(decode(evn20) == READING_FORGED, "of a meter that authenticates nothing else is believed");
	key.authentication[15] ^= 1;
	ok(decode(auth30) == READING_FORGED, "nor with another authentication key");
	key.authentication[15] ^= 1;
	key.bytes[0] ^= 1;
	ok(decode(auth30) == READING_FORGED, "nor with another encryption key");
	key.has_authentication = false;
	ok(decode(evn20) == READING_WRONG_KEY && decode(bad_enc) == READING_WRONG_KEY,
	   "what a wrong key makes of a message is no message");
	key.bytes[0] ^= 1;
	ok(decode(sc10) == READING_UNSUPPORTED_SECURITY &&
	       decode(suite2) == READING_UNSUPPORTED_SECURITY,
	   "other security is not supported");
	ok(decode(clear_short_id) == READING_NOT_ENCRYPTED,
	   "a meter that has a key is not believed in clear");
	key.clear_accepted = true;
	ok(decode(clear_short_id) == READING_OK && named("KAM12345"), "unless its key says so");
	key.clear_accepted = false;
	decoder.zone = NULL;
}

static void test_refusals(void)
{
	uint8_t whole[512];
	size_t size = from_hex(aidon, whole), believed = 0;

	ok(decode(kamstrup) == READING_UNSCALED && decode(positional) == READING_UNSCALED,
	   "values that the manufacturer alone can tell are none");
	ok(decode(deep) == READING_MALFORMED, "lists have an end");
	ok(decode(get) == READING_UNSUPPORTED_LAYER, "an answer is not a push");
	ok(decode("7ea000007ffc6f2e93") == READING_MALFORMED, "a frame has the length of its parts");
	ok(decode("") == READING_MALFORMED && decode("7e7e") == READING_MALFORMED,
	   "nothing is no push");
	for (size_t cut = 1; cut < size - 1; cut++)
		believed += decode_bytes(whole, cut, "x") == READING_OK;
	ok(believed == 0, "a push that is cut off is not believed");
	for (size_t at = 1; at < size - 1; at++) {
		whole[at] ^= 0x04;
		believed += decode_bytes(whole, size, "x") == READING_OK;
		whole[at] ^= 0x04;
	}
	ok(believed == 0, "nor is one with a wrong bit");
}

/* Pieces of data: a name, numbers behind it, scale and unit. */
#define ENERGY       "09060100010800ff"
#define EXPORT       "09060100020800ff"
#define CLOCK        "09060000010000ff"
#define SEVEN        "0600000007"
#define EIGHT        "0600000008"
#define WATT_HOURS   "02020f00161e"
#define NOTIFICATION "0f0000000000"
#define NOON         "090c07e70111ff0c000000ffc400" /* 11:00 UTC */
#define ONE_O_CLOCK  "090c07e70111ff0d000000ffc400"
#define NOON_MS      INT64_C(1673953200000)
#define LLC          "e6e700"
#define ADDRESSES    "41088313"

static struct writer frames;
static uint8_t frame_bytes[2048];

/* Adds a frame: addresses and control field, information, and whether it is segmented. */
static void add_frame(const char *addresses, const char *information, bool goes_on)
{
	uint8_t head[16], body[512];
	size_t head_size = from_hex(addresses, head), size = from_hex(information, body);
	struct writer frame = writer_over(frames.bytes + frames.at + 1, sizeof(frame_bytes) / 2);

	writer_u16(&frame, (uint16_t)((goes_on ? 0xa800 : 0xa000) | (2 + head_size + 2 + size + 2)));
	writer_bytes(&frame, head, head_size);
	writer_le(&frame, crc16_x25(frame.bytes, frame.at), 2);
	writer_bytes(&frame, body, size);
	writer_le(&frame, crc16_x25(frame.bytes, frame.at), 2);
	writer_u8(&frames, 0x7e);
	frames.at += frame.at;
	writer_u8(&frames, 0x7e);
}

static enum reading_status decode_frames(void)
{
	enum reading_status status = decode_bytes(frames.bytes, frames.at, "house 7");

	frames.at = 0;
	return status;
}

/* A message in one frame. */
static enum reading_status decode_message(const char *message)
{
	char information[1024];

	snprintf(information, sizeof(information), LLC "%s", message);
	add_frame(ADDRESSES, information, false);
	return decode_frames();
}

/* Whether nothing but energy was read, 7 Wh or what else. */
static bool is_energy(int64_t raw)
{
	return count == 1 && is(0, "1-0:1.8.0.255", raw, 1000, "kWh");
}

static void test_frames(void)
{
	ok((add_frame("030513", LLC NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false),
	    decode_frames() == READING_OK && is_energy(7)) &&
	       (add_frame("02230002002313", LLC NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false),
	        decode_frames() == READING_OK && is_energy(7)),
	   "addresses of one, two and four bytes");
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY "0600", true);
	add_frame(ADDRESSES, LLC "000007" WATT_HOURS, false);
	ok(decode_frames() == READING_OK && is_energy(7), "segments that repeat the link's header");
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY "0600", true);
	add_frame("41088513", "000007" WATT_HOURS, false);
	ok(decode_frames() == READING_MALFORMED, "segments of two meters are no message");
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false);
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" EXPORT EIGHT WATT_HOURS, false);
	ok(decode_frames() == READING_OK && count == 2 && is(1, "1-0:2.8.0.255", 8, 1000, "kWh"),
	   "several notifications in one telegram");
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false);
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" EXPORT EIGHT, false);
	ok(decode_frames() == READING_MALFORMED && count == 0, "none of which is lost");
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false);
	add_frame(ADDRESSES, LLC NOTIFICATION "0203" ENERGY EIGHT WATT_HOURS, false);
	ok(decode_frames() == READING_AMBIGUOUS, "nor one of two values of one time");
}

static void test_blocks(void)
{
	static const char *const headers[] = {"", LLC};

	for (int i = 0; i < 2; i++) {
		char second[64];

		snprintf(second, sizeof(second), "%se0400002000005" SEVEN, headers[i]);
		add_frame(ADDRESSES, LLC "e0400001000010" NOTIFICATION "0203" ENERGY, false);
		add_frame(ADDRESSES, second, false);
		add_frame(ADDRESSES, "e0c00003000006" WATT_HOURS, false);
		ok(decode_frames() == READING_OK && is_energy(7),
		   i ? "blocks that repeat the link's header" : "a message in blocks");
	}
	add_frame(ADDRESSES, LLC "e0400001000010" NOTIFICATION "0203" ENERGY, false);
	ok(decode_frames() == READING_FRAGMENT, "not without its last block");
	add_frame(ADDRESSES, LLC "e0400001000010" NOTIFICATION "0203" ENERGY, false);
	add_frame(ADDRESSES, "e0c0000300000b" SEVEN WATT_HOURS, false);
	ok(decode_frames() == READING_FRAGMENT, "nor without one between");
	add_frame(ADDRESSES, LLC "e0c0000100001c" NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS, false);
	ok(decode_frames() == READING_MALFORMED, "a block is as long as it says");
}

static void test_grammar(void)
{
	ok(decode_message(NOTIFICATION "0203" ENERGY "157fffffffffffffff" WATT_HOURS) == READING_OK &&
	       is_energy(INT64_MAX) &&
	       decode_message(NOTIFICATION "0203" ENERGY "148000000000000000" WATT_HOURS) ==
	           READING_OK &&
	       is_energy(INT64_MIN),
	   "values of 64 bits");
	ok(decode_message(NOTIFICATION "0203" ENERGY "158000000000000000" WATT_HOURS) ==
	           READING_UNSCALED &&
	       decode_message(NOTIFICATION "0203" ENERGY "1740e00000" WATT_HOURS) == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0203" ENERGY SEVEN "02020f7f161e") == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0203" ENERGY SEVEN "02020f80161e") == READING_UNSCALED,
	   "a push of nothing but what is beyond them is kept");
	ok(decode_message(NOTIFICATION "0203" ENERGY SEVEN "02020f001609") == READING_UNSCALED,
	   "and of other units");
	ok(decode_message(NOTIFICATION "0206" ENERGY SEVEN WATT_HOURS "09060001180201ff" EIGHT
	                               "02020ffd160d") == READING_OK &&
	       is_energy(7) &&
	       decode_message(NOTIFICATION "0203"
	                                   "09060001180201ff" EIGHT "02020ffd160d") == READING_UNSCALED,
	   "a gas meter's value is not of the meter that passes it on");
	ok(decode_message(NOTIFICATION "01020202" ENERGY "00"
	                               "0202" CLOCK NOON) == READING_OK &&
	       count == 0,
	   "one without any value is not");
	ok(decode_message(NOTIFICATION "0203" ENERGY WATT_HOURS SEVEN) == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0203" ENERGY WATT_HOURS "0f07") == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0204" ENERGY SEVEN "0f00161e") == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0204" ENERGY SEVEN "0f05" WATT_HOURS) == READING_UNSCALED,
	   "scale and unit come behind the value, in their own structure");
	ok(decode_message(NOTIFICATION "02030201" ENERGY SEVEN WATT_HOURS) == READING_UNSCALED &&
	       decode_message(NOTIFICATION "0203" ENERGY "0101" SEVEN WATT_HOURS) == READING_UNSCALED,
	   "a name is that of its own list");
	ok(decode_message(NOTIFICATION "0203"
	                               "0a060100010800ff" SEVEN WATT_HOURS) == READING_UNSCALED &&
	       decode_message(NOTIFICATION
	                      "0203"
	                      "0a0d312d303a312e382e302e323535" SEVEN WATT_HOURS) == READING_UNSCALED,
	   "a text is no name");
	ok(decode_message(NOTIFICATION "0204"
	                               "09060000603200ff" ENERGY SEVEN WATT_HOURS) == READING_UNSCALED,
	   "six octets behind a name are its value");
	ok(decode_message(NOTIFICATION "0204" ENERGY SEVEN WATT_HOURS "130600") == READING_MALFORMED,
	   "a type that is not known may be anything");
	ok(decode_message(NOTIFICATION "0203" ENERGY SEVEN WATT_HOURS SEVEN) == READING_MALFORMED,
	   "nothing is behind the data");
	ok(decode_message("dc00") == READING_UNSUPPORTED_SECURITY &&
	       decode_message("dd00") == READING_UNSUPPORTED_SECURITY,
	   "protection by other keys is not supported");
	ok(decode_message("db084b414d1122334455"
	                  "0620000000010f"
	                  "00") == READING_MALFORMED,
	   "nothing is behind what is protected");
}

/* The time of a push whose clock says so, in minutes after 2023-07-01 00:00 UTC; INT64_MIN: none.
 */
static int64_t minutes(const char *rest)
{
	char message[512];

	snprintf(message, sizeof(message),
	         NOTIFICATION "0205" CLOCK "090c07e70701ff%s" ENERGY SEVEN WATT_HOURS, rest);
	if (decode_message(message) != READING_OK || !is_energy(7))
		return INT64_MAX;
	return readings[0].measured_ms == 0
	           ? INT64_MIN
	           : (readings[0].measured_ms - INT64_C(1688169600000)) / 60000;
}

static void test_times(void)
{
	static struct calendar_zone zone;

	for (int i = 0; i < ZONE_YEARS; i++) {
		zone.standard_s[i] = 3600;
		zone.summer_s[i] = 7200;
	}
	ok(minutes("0a0000ffff8880") == 480 && minutes("0a0000ff007800") == 720,
	   "the distance of local time is added");
	decoder.zone = &zone;
	ok(minutes("0a0000ffff8880") == 480 && minutes("0a0000ffffc400") == 540 &&
	       minutes("0a0000ff012c00") == 900,
	   "also where clocks have a zone");
	ok(minutes("0a0000ff007880") == 480 && minutes("0a0000ff003c00") == 540,
	   "which tells a wrong sign");
	ok(minutes("0a0000ff8000ff") == 540 && minutes("0a0000ff800080") == 480,
	   "and says what the clock does not");
	decoder.zone = NULL;
	ok(minutes("0a0000ff800001") == INT64_MIN && minutes("0a003cff800000") == INT64_MIN &&
	       minutes("0a000064800000") == INT64_MIN && minutes("0a0000ff7fff00") == INT64_MIN &&
	       minutes("ff0000ff800000") == INT64_MIN,
	   "a clock that is invalid says no time");
	ok(decode_message("0f00000000"
	                  "1907e70111ff0c000000ffc400"
	                  "0203" ENERGY SEVEN WATT_HOURS) == READING_OK &&
	       readings[0].measured_ms == NOON_MS,
	   "the notification's own time with its tag");
	ok(decode_message("0f00000000"
	                  "0c07e70111ff0d000000ffc400"
	                  "0204" NOON ENERGY SEVEN WATT_HOURS) == READING_OK &&
	       readings[0].measured_ms == NOON_MS,
	   "that of the values is nearer");
	ok(decode_message(NOTIFICATION
	                  "0204"
	                  "0a0c07e70111ff0c000000ffc400" ENERGY SEVEN WATT_HOURS) == READING_OK &&
	       readings[0].measured_ms == 0,
	   "twelve letters are no time");
	ok(decode_message(NOTIFICATION "0205"
	                               "09060000000102ff" NOON ENERGY SEVEN WATT_HOURS) == READING_OK &&
	       readings[0].measured_ms == 0,
	   "a time of something else is not that of the values");
	ok(decode_message(NOTIFICATION
	                  "01020204" NOON ENERGY SEVEN WATT_HOURS
	                  "0204" ONE_O_CLOCK ENERGY EIGHT WATT_HOURS) == READING_AMBIGUOUS &&
	       decode_message(NOTIFICATION
	                      "01020204" NOON ENERGY SEVEN WATT_HOURS
	                      "0204" ONE_O_CLOCK EXPORT EIGHT WATT_HOURS) == READING_AMBIGUOUS,
	   "rows of a profile are not merged");
	ok(decode_message(NOTIFICATION "0205" ENERGY SEVEN WATT_HOURS CLOCK NOON) == READING_OK &&
	       readings[0].measured_ms == NOON_MS &&
	       decode_message(NOTIFICATION "0204" ENERGY SEVEN WATT_HOURS NOON) == READING_AMBIGUOUS,
	   "a time behind a value is the clock's or nobody's");
	ok(decode_message(NOTIFICATION "01020203" ENERGY SEVEN WATT_HOURS
	                               "0203" ENERGY SEVEN WATT_HOURS) == READING_OK &&
	       is_energy(7) &&
	       decode_message(NOTIFICATION "01020203" ENERGY SEVEN WATT_HOURS
	                                   "0203" ENERGY EIGHT WATT_HOURS) == READING_AMBIGUOUS,
	   "what is said twice is said once, but not two values");
}

/* IEC 62056-5-3, example of a ciphered request. */
static void test_cipher(void)
{
	uint8_t bytes[16], tag[16], nonce[16], also[17] = {0x30};
	bool genuine;

	from_hex("4d4d4d0000bc614e01234567", nonce);
	memcpy(also + 1, key.authentication, METER_KEY_SIZE);
	from_hex("411312ff935a47566827c467bc", bytes);
	from_hex("7d825c3be4a77c3fcc056b6b", tag);
	ok(meter_cipher_gcm(decoder.cipher, key.bytes, nonce, also, sizeof(also), bytes, 13, tag, 12,
	                    &genuine) &&
	       genuine &&
	       memcmp(bytes, "\xc0\x01\x00\x00\x08\x00\x00\x01\x00\x00\xff\x02\x00", 13) == 0,
	   "the standard's own example");
	tag[11] ^= 1;
	ok(meter_cipher_gcm(decoder.cipher, key.bytes, nonce, also, sizeof(also), bytes, 13, tag, 12,
	                    &genuine) &&
	       !genuine,
	   "a wrong tag is seen");
}

int main(void)
{
	decoder = (struct decoder){.cipher = meter_cipher_new(), .key = find_key};
	from_hex("000102030405060708090a0b0c0d0e0f", key.bytes);
	from_hex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", key.authentication);
	test_clear();
	test_protected();
	test_refusals();
	frames = writer_over(frame_bytes, sizeof(frame_bytes));
	test_frames();
	test_blocks();
	test_grammar();
	test_times();
	test_cipher();
	meter_cipher_free(decoder.cipher);
	return tap_done();
}
