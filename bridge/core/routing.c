/*
 * Sub-modules by route, decoders by kind (document 4.1.2.1, DESIGN.md section
 * 7), between core/hosts and the back end. A new decoder is one more row here.
 */
#include "routing.h"

#include "../codec/frame.h"

/* 2010-01-01: unset clocks, and those that count from power-up, begin at 1970 or 2000. */
#define EARLIEST_MS INT64_C(1262304000000)
#define FUTURE_MS   INT64_C(86400000) /* a clock may be ahead by a day, no more */

typedef enum reading_status (*decode)(struct decoder *decoder, const struct raw_telegram *telegram,
                                      struct reading *out, size_t *count);

static const struct {
	uint8_t route, kind;
	decode decode;
} submodules[] = {
    {ROUTE_ZIGBEE, KIND_ZCL, reading_decode_zcl},
    {ROUTE_WIRELESS_MBUS, KIND_WIRELESS_MBUS, reading_decode_wireless_mbus},
    {ROUTE_ZWAVE, KIND_ZWAVE, reading_decode_zwave},
    {ROUTE_WIRED_MBUS, KIND_WIRED_MBUS, reading_decode_wired_mbus},
    {ROUTE_HAN, KIND_DLMS, reading_decode_dlms},
    {ROUTE_HAN, KIND_P1, reading_decode_p1},
};

static bool possible_time(int64_t ms, int64_t received_ms)
{
	return ms >= EARLIEST_MS && ms <= received_ms + FUTURE_MS;
}

/* Stored at another time than now: value group F is not 255. */
static bool historical(const struct reading *reading)
{
	const char *last = strrchr(reading->obis, '.');

	return last && strcmp(last, ".255") != 0;
}

/* Values that are stored at a time that cannot be are left out. */
static size_t drop_impossible(struct reading *readings, size_t count, int64_t received_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct reading *reading = &readings[i];

		if (historical(reading) && reading->measured_ms != 0 &&
		    !possible_time(reading->measured_ms, received_ms))
			continue;
		if (kept != i)
			readings[kept] = *reading;
		kept++;
	}
	return kept;
}

/* When the gateway had it, by a clock that can be right, or else when it came from there. */
static int64_t gateway_time(const struct data_message *data, int64_t received_ms)
{
	if (data->gateway_ms <= INT64_MAX && possible_time((int64_t)data->gateway_ms, received_ms))
		return (int64_t)data->gateway_ms;
	return received_ms;
}

static int64_t measured_time(const struct reading *reading, const struct data_message *data,
                             int64_t received_ms)
{
	int64_t said_ms = reading->measured_ms;

	if (possible_time(said_ms, received_ms))
		return said_ms;
	return gateway_time(data, received_ms) +
	       (said_ms < 0 && said_ms >= -READING_EARLIER_MS ? said_ms : 0);
}

void routing_decode(struct decoder *decoder, uint8_t route, const struct data_message *data,
                    int64_t received_ms, struct decoded *out)
{
	struct raw_telegram telegram = {
	    .address = data->address,
	    .bytes = data->telegram,
	    .address_size = data->address_size,
	    .size = data->telegram_size,
	};

	out->quarantine = NULL;
	out->lacks_key = out->replayed = false;
	out->count = 0;
	out->counter.kind = COUNTER_NONE;
	out->heard_ms = gateway_time(data, received_ms);
	/* A clock that is ahead hears nothing before it happens. */
	if (out->heard_ms > received_ms)
		out->heard_ms = received_ms;
	if (data->kind == KIND_LOSS)
		return;
	for (size_t i = 0; i < sizeof(submodules) / sizeof(submodules[0]); i++) {
		if (submodules[i].kind != data->kind ||
		    (route != ROUTE_ANY && submodules[i].route != route))
			continue;
		enum reading_status status =
		    submodules[i].decode(decoder, &telegram, out->readings, &out->count);
		out->quarantine = reading_status_text(status);
		out->lacks_key = reading_lacks_key(status);
		if (out->lacks_key)
			memcpy(out->device, decoder->device, sizeof(out->device));
		if (status == READING_OK && data->kind == KIND_WIRELESS_MBUS)
			out->counter = decoder->counter;
		out->count = drop_impossible(out->readings, out->count, received_ms);
		for (size_t n = 0; n < out->count; n++)
			out->readings[n].measured_ms = measured_time(&out->readings[n], data, received_ms);
		return;
	}
	out->quarantine = data->kind > KIND_P1 ? "unknown kind of telegram"
	                                       : "this kind of telegram does not come by this route";
}
