/*
 * Payloads of the SmartAMM frames (DESIGN.md section 7), between core/session
 * and the bytes on the wire. Every reader insists on the exact length, so that
 * a payload has one meaning only.
 */
#include "messages.h"

static bool read_whole(const struct cursor *cursor)
{
	return !cursor->broken && cursor_left(cursor) == 0;
}

bool hello_read(struct cursor payload, struct hello *out)
{
	cursor_copy(&payload, out->nonce, NONCE_SIZE);
	out->resume_session = cursor_u32(&payload);
	out->key_id = cursor_u32(&payload);
	return read_whole(&payload);
}

void hello_write(struct writer *writer, const struct hello *hello)
{
	writer_bytes(writer, hello->nonce, NONCE_SIZE);
	writer_u32(writer, hello->resume_session);
	writer_u32(writer, hello->key_id);
}

bool challenge_read(struct cursor payload, uint8_t nonce[NONCE_SIZE])
{
	cursor_copy(&payload, nonce, NONCE_SIZE);
	return read_whole(&payload);
}

bool auth_read(struct cursor payload, uint8_t mac[MAC_SIZE])
{
	cursor_copy(&payload, mac, MAC_SIZE);
	return read_whole(&payload);
}

bool ready_read(struct cursor payload, struct ready *out)
{
	out->session = cursor_u32(&payload);
	out->keepalive_s = cursor_u32(&payload);
	out->committed = cursor_u64(&payload);
	cursor_copy(&payload, out->mac, MAC_SIZE);
	return read_whole(&payload);
}

void ready_write_fields(struct writer *writer, const struct ready *ready)
{
	writer_u32(writer, ready->session);
	writer_u32(writer, ready->keepalive_s);
	writer_u64(writer, ready->committed);
}

bool keepalive_ack_read(struct cursor payload, uint64_t *server_ms)
{
	*server_ms = cursor_u64(&payload);
	return read_whole(&payload);
}

bool data_read(struct cursor payload, struct data_message *out)
{
	out->record_no = cursor_u64(&payload);
	out->gateway_ms = cursor_u64(&payload);
	out->kind = cursor_u8(&payload);
	out->address_size = cursor_u8(&payload);
	out->address = cursor_take(&payload, out->address_size);
	out->telegram_size = cursor_u16(&payload);
	out->telegram = cursor_take(&payload, out->telegram_size);
	return read_whole(&payload) && out->record_no > 0 && out->record_no <= INT64_MAX;
}

void data_write(struct writer *writer, const struct data_message *data)
{
	writer_u64(writer, data->record_no);
	writer_u64(writer, data->gateway_ms);
	writer_u8(writer, data->kind);
	writer_u8(writer, data->address_size);
	writer_bytes(writer, data->address, data->address_size);
	writer_u16(writer, data->telegram_size);
	writer_bytes(writer, data->telegram, data->telegram_size);
}

bool ack_read(struct cursor payload, uint64_t *record_no)
{
	*record_no = cursor_u64(&payload);
	return read_whole(&payload);
}

bool nack_read(struct cursor payload, uint64_t *record_no, uint8_t *reason)
{
	*record_no = cursor_u64(&payload);
	*reason = cursor_u8(&payload);
	return !payload.broken;
}

bool request_read(struct cursor payload, struct request *out)
{
	out->id = cursor_u64(&payload);
	out->method = cursor_u8(&payload);
	out->body = payload;
	return !payload.broken;
}

void request_write(struct writer *writer, uint64_t id, uint8_t method)
{
	writer_u64(writer, id);
	writer_u8(writer, method);
}

bool response_read(struct cursor payload, struct response *out)
{
	out->id = cursor_u64(&payload);
	out->method = cursor_u8(&payload);
	out->result = cursor_u8(&payload);
	out->body = payload;
	return !payload.broken;
}

void response_write(struct writer *writer, uint64_t id, uint8_t method, uint8_t result)
{
	writer_u64(writer, id);
	writer_u8(writer, method);
	writer_u8(writer, result);
}

/* False where the bands are no rule. */
static bool bands_read(struct cursor *body, struct ebr_store_command *store)
{
	store->bands = cursor_u8(body);
	if (store->bands == 1 || store->bands > COMMAND_BANDS)
		return false;
	for (int k = 0; k < store->bands; k++) {
		struct ebr_band *band = &store->band[k];

		band->at_w = (int32_t)cursor_u32(body);
		band->charge_wh = (int32_t)cursor_u32(body);
		band->discharge_wh = (int32_t)cursor_u32(body);
		if (k > 0 && band->at_w < band[-1].at_w)
			return false;
	}
	return store->bands == 0 || store->band[store->bands - 1].at_w == INT32_MAX;
}

bool ebr_command_read(struct cursor body, struct ebr_command *out)
{
	out->slot_start_ms = cursor_u64(&body);
	out->slot_s = cursor_u32(&body);
	out->stores = cursor_u8(&body);
	if (body.broken || out->stores > COMMAND_STORES)
		return false;
	for (int i = 0; i < out->stores; i++) {
		struct ebr_store_command *store = &out->store[i];

		store->store = cursor_u8(&body);
		store->setpoint_w = (int32_t)cursor_u32(&body);
		for (int level = 0; level < COMMAND_LEVELS; level++)
			store->level_wh[level] = (int32_t)cursor_u32(&body);
		if (store->store > STORE_PEV || !bands_read(&body, store))
			return false;
	}
	return read_whole(&body);
}

void ebr_command_write(struct writer *writer, const struct ebr_command *command)
{
	writer_u64(writer, command->slot_start_ms);
	writer_u32(writer, command->slot_s);
	writer_u8(writer, command->stores);
	for (int i = 0; i < command->stores; i++) {
		const struct ebr_store_command *store = &command->store[i];

		writer_u8(writer, store->store);
		writer_u32(writer, (uint32_t)store->setpoint_w);
		for (int level = 0; level < COMMAND_LEVELS; level++)
			writer_u32(writer, (uint32_t)store->level_wh[level]);
		writer_u8(writer, store->bands);
		for (int k = 0; k < store->bands; k++) {
			writer_u32(writer, (uint32_t)store->band[k].at_w);
			writer_u32(writer, (uint32_t)store->band[k].charge_wh);
			writer_u32(writer, (uint32_t)store->band[k].discharge_wh);
		}
	}
}

bool close_read(struct cursor payload, struct close_message *out)
{
	out->reason = cursor_u8(&payload);
	out->text_size = cursor_left(&payload);
	out->text = cursor_take(&payload, out->text_size);
	return !payload.broken;
}

void close_write(struct writer *writer, uint8_t reason, const char *text)
{
	writer_u8(writer, reason);
	writer_bytes(writer, text, strlen(text));
}
