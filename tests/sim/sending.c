/*
 * From the telegrams of a gateway to frames on its connection: as many as fit go
 * out by one call of the kernel, made in one buffer that all gateways share.
 */
#include "sending.h"

#include "../../bridge/codec/reading.h"
#include "../../bridge/codec/zcl.h"

enum {
	SEND_SIZE = 1 << 16, /* frames that go out together */
	FRAME_ROOM = 512 + DATA_MAX_SIZE + DATA_MAX_SIZE / 32 * 44,
};

static uint8_t route_of(uint8_t kind)
{
	static const uint8_t routes[] = {
	    [KIND_LOSS] = ROUTE_CORE,
	    [KIND_ZCL] = ROUTE_ZIGBEE,
	    [KIND_WIRELESS_MBUS] = ROUTE_WIRELESS_MBUS,
	    [KIND_ZWAVE] = ROUTE_ZWAVE,
	    [KIND_WIRED_MBUS] = ROUTE_WIRED_MBUS,
	    [KIND_DLMS] = ROUTE_HAN,
	    [KIND_P1] = ROUTE_HAN,
	};

	return kind < sizeof(routes) ? routes[kind] : ROUTE_CORE;
}

/* Whether the gateway still has the record, or ever had it. */
static bool has_record(const struct sim_gateway *gateway, uint64_t number)
{
	if (number < gateway->sim->first_record)
		return false;
	return number <= gateway->planned ||
	       (gateway->own_count > 0 && number >= gateway->own_from && number <= gateway->last);
}

/* The record of a number, a loss where there is none; address points to ZCL_ADDRESS_SIZE bytes for
 * records made here. */
static struct data_message record_of(const struct sim_gateway *gateway, uint64_t number,
                                     uint8_t *address)
{
	struct data_message data = {.record_no = number, .kind = KIND_LOSS};

	if (!has_record(gateway, number))
		return data;
	if (number <= gateway->planned) {
		const struct telegram_source *source = gateway->source;
		const struct telegram *telegram = &source->telegrams[(number - 1) % source->count];

		data.gateway_ms = gateway->sim->records > 0
		                      ? source->telegrams[0].time_ms + (number - 1) * gateway->sim->step_ms
		                      : telegram->time_ms;
		data.kind = telegram->kind;
		data.address_size = telegram->address_size;
		data.telegram_size = telegram->telegram_size;
		data.address = telegram->bytes;
		data.telegram = telegram->bytes + telegram->address_size;
		return data;
	}
	const struct sim_record *own = &gateway->own[number - gateway->own_from];
	struct zcl_address store = {gateway->eui64, own->endpoint, 0x0109, ZCL_POWER_CONFIGURATION};
	struct writer writer = writer_over(address, ZCL_ADDRESS_SIZE);

	zcl_address_write(&writer, &store);
	data.gateway_ms = own->time_ms;
	data.kind = KIND_ZCL;
	data.address_size = ZCL_ADDRESS_SIZE;
	data.telegram_size = own->size;
	data.address = address;
	data.telegram = own->telegram;
	return data;
}

/* Appends one record's frames. */
static void write_record(struct sim_gateway *gateway, uint64_t number, struct writer *out)
{
	uint8_t address[ZCL_ADDRESS_SIZE];
	struct data_message data = record_of(gateway, number, address);

	client_session_data(&gateway->session, route_of(data.kind), &data, gateway->sim->part_limit,
	                    out);
}

/* With --reorder neighbours change places: 2 1 4 3 ... */
static uint64_t number_at(const struct sim_gateway *gateway, uint64_t position)
{
	if (!gateway->sim->reorder)
		return position;
	if (position % 2 == 0)
		return position - 1;
	return position < gateway->last ? position + 1 : position;
}

void sending_rewind(struct sim_gateway *gateway)
{
	uint64_t first = gateway->sim->first_record;

	gateway->next = gateway->committed + 1;
	if (gateway->next < first)
		gateway->next = first - 1;
	if (gateway->sim->reorder && gateway->next % 2 == 0)
		gateway->next--;
}

/* Number up to which records may be on their way. */
static uint64_t window_end(const struct sim_gateway *gateway)
{
	uint64_t first = gateway->sim->first_record, begin = gateway->committed;

	return (begin + 2 < first ? first - 2 : begin) + gateway->sim->window;
}

/* Number up to which records may be sent now. */
static uint64_t send_end(const struct sim_gateway *gateway)
{
	const struct sim *sim = gateway->sim;
	uint64_t until = window_end(gateway), due = UINT64_MAX;

	if (sim->limited)
		due = gateway->base + pace_share(&sim->pace, sim->due, gateway->turn);
	until = due < gateway->planned && due < until ? due : until;
	return until < gateway->last ? until : gateway->last;
}

/* Appends records up to a number, as many as go out together. */
static void write_records(struct sim_gateway *gateway, uint64_t until, struct writer *out)
{
	const struct sim *sim = gateway->sim;

	while (gateway->next <= until && out->at < SEND_SIZE) {
		uint64_t number = number_at(gateway, gateway->next++);

		if (sim->gap && number < sim->first_record)
			continue;
		write_record(gateway, number, out);
		if (sim->duplicate)
			write_record(gateway, number, out);
	}
}

/* Notes when the records up to the next were sent first. */
static void note_sent(struct sim_gateway *gateway)
{
	struct sim *sim = gateway->sim;
	int64_t now_us = pace_now_us();

	if (sim->first_sent_us == 0)
		sim->first_sent_us = now_us;
	if (gateway->next - 1 <= gateway->sent)
		return;
	gateway->sent = gateway->next - 1;
	if (!sim->limited)
		sent_log_add(&gateway->log, gateway->sent, now_us);
}

void sim_gateway_pump(struct sim_gateway *gateway)
{
	static uint8_t frames[SEND_SIZE + 2 * FRAME_ROOM];
	struct sim *sim = gateway->sim;

	if (gateway->session.state != CLIENT_OPEN || sim->fault != FAULT_NONE || sim->held)
		return;
	uint64_t until = send_end(gateway);
	while (gateway->next <= until && stream_clear(&gateway->stream)) {
		struct writer out = writer_over(frames, sizeof(frames));

		write_records(gateway, until, &out);
		note_sent(gateway);
		stream_send(&gateway->stream, out.bytes, out.at);
	}
}

static void take_latency(struct sim *sim, int64_t from_us, int64_t now_us, uint64_t records)
{
	histogram_add(&sim->latency, now_us - from_us, records);
	if (from_us >= sim->first_sent_us + sim->settle_us)
		histogram_add(&sim->settled, now_us - from_us, records);
}

/* Takes down how long the records up to a number, which are committed, took since they were due. */
static void measure_paced(struct sim_gateway *gateway, uint64_t until, int64_t now_us)
{
	struct sim *sim = gateway->sim;

	for (; gateway->measured < until; gateway->measured++) {
		uint64_t index = gateway->measured - gateway->base;

		take_latency(sim, pace_time_us(&sim->pace, index, gateway->turn), now_us, 1);
	}
}

/* The same since they were sent. */
static void measure_sent(struct sim_gateway *gateway, uint64_t until, int64_t now_us)
{
	const struct sent_run *run;

	while (gateway->measured < until && (run = sent_log_oldest(&gateway->log)) != NULL) {
		uint64_t last = run->last < until ? run->last : until;

		take_latency(gateway->sim, run->at_us, now_us, last - gateway->measured);
		gateway->measured = last;
		if (run->last == last)
			sent_log_drop_oldest(&gateway->log);
	}
}

void sending_measure(struct sim_gateway *gateway, uint64_t committed)
{
	uint64_t until = committed < gateway->sent ? committed : gateway->sent;

	until = until < gateway->planned ? until : gateway->planned;
	if (gateway->measured >= until)
		return;
	gateway->sim->last_acked_us = pace_now_us();
	if (gateway->sim->limited)
		measure_paced(gateway, until, gateway->sim->last_acked_us);
	else
		measure_sent(gateway, until, gateway->sim->last_acked_us);
}
